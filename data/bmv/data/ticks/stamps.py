"""Stamps of rows at rest: the slot that a row is of, and when it reached its recorder.

They stand behind the nine columns of the lake, and only where some row has one, so that rows without them look as if
there were no such thing. Two rows are the same by the nine columns alone: what is not kept twice is not stamped twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy import int64

from bmv.data.files.parquet import readable
from bmv.data.ticks.schema import LAKE, LAKE_SCHEMA, STAMPS, at_rest
from bmv.ports.market_data import UNSTAMPED, Stamps
from bmv.ports.storage import Ticks

NAMES = (*LAKE, *STAMPS)


def stamps_among(names: Iterable[str]) -> list[str]:
    """Return which stamps there are among the names of columns."""
    there = set(names)
    return [name for name in STAMPS if name in there]


def names_in(path: Path) -> list[str]:
    """Return the columns of a file in the lake's form: the nine, and the stamps that it has."""
    with readable(path):
        return names_among(pl.read_parquet_schema(str(path)))


def names_among(schema: Mapping[str, pl.DataType]) -> list[str]:
    """Return the columns of rows in the lake's form: the nine, and the stamps that they have.

    One of another type than int64 is no stamp, but a column of somebody else's, which means nothing here.
    """
    return [*LAKE, *stamps_among(name for name, kind in schema.items() if kind == pl.Int64)]


def bare(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows without the stamps that none of them has."""
    nobodys = [name for name in stamps_among(rows.columns) if rows[name].null_count() == len(rows)]
    return rows.drop(nobodys) if nobodys else rows  # To drop nothing takes a query too.


def together(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return rows one after the other, those of parts that lack a stamp without it."""
    found = list(parts)
    if len({tuple(part.columns) for part in found}) <= 1:
        return pl.concat(found)
    whole = pl.concat(found, how="diagonal")
    ours = [name for name in NAMES if name in whole.columns]
    return whole.select(*ours, *(name for name in whole.columns if name not in NAMES))


def with_stamps(rows: pl.DataFrame, stamps: Sequence[str]) -> pl.DataFrame:
    """Return rows with the nine columns and those stamps; what they lack is null."""
    lacking = [name for name in stamps if name not in rows.columns]
    return rows.with_columns(pl.lit(None, pl.Int64).alias(name) for name in lacking).select(*LAKE, *stamps)


def resting(ticks: Ticks) -> pl.DataFrame:
    """Return ticks in the lake's form."""
    told = pl.DataFrame(ticks.columns._asdict(), schema=LAKE_SCHEMA)
    if ticks.stamps is not None:
        told = told.with_columns(pl.Series(name, each) for name, each in ticks.stamps._asdict().items())
    return bare(at_rest(told))


def stamps_of(rows: pl.DataFrame) -> Stamps:
    """Return the stamps of rows at rest as they are told."""
    nothing = np.full(len(rows), UNSTAMPED, int64)
    return Stamps(
        *(
            rows[name].fill_null(UNSTAMPED).to_numpy(writable=True) if name in rows.columns else nothing.copy()
            for name in Stamps._fields
        )
    )
