"""A day of another lake, or a tape made up, in the lake's own form."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import polars as pl

from bmv.data.files.parquet import ROW, is_parquet, parquet_columns, readable
from bmv.data.ticks.calendar import refuse_impossible
from bmv.data.ticks.contracts import terms_of
from bmv.data.ticks.importers.floats import own_batches
from bmv.data.ticks.importers.form import Form, Options, filled, in_units
from bmv.data.ticks.schema import LAKE, market_of
from bmv.data.ticks.stamps import names_in
from bmv.data.ticks.units import KINDS
from bmv.ports.errors import DataError

WORDS = {number.value: word for word, number in KINDS.items()}


def knows(path: Path) -> bool:
    """Know a Parquet file by its columns."""
    try:
        return is_parquet(path) and set(LAKE) <= set(parquet_columns(path))
    except DataError:
        return False


def read(path: Path, options: Options) -> Iterator[pl.DataFrame]:
    """Yield its rows in units, by the tick and the lot that the file names."""
    market = market_of(path)
    per_tick, per_lot = float(1 / market.tick_size), float(1 / market.lot_size)
    for part in own_batches(path, options, names_in(path)):
        with readable(path):
            rows = part.with_columns(pl.all().exclude(ROW).cast(pl.Int64))
            made = rows.with_columns(
                pl.col("ts_ns").alias("ts"),
                pl.col("kind").replace_strict(WORDS, default=None, return_dtype=pl.String),
                *(in_units(rows[name], per_tick).alias(name) for name in ("price", "bid", "ask")),
                *(in_units(rows[name], per_lot).alias(name) for name in ("size", "bid_size", "ask_size")),
            )
            made = filled(made)
        refuse_impossible(path, made[ROW], made["ts"], "ts_ns")
        yield made


def steps(path: Path) -> tuple[Decimal, Decimal] | None:
    """Return what the file is counted in."""
    market = market_of(path)
    return market.tick_size, market.lot_size


def market(path: Path, options: Options) -> str:
    """Return the market that the file names."""
    return market_of(path).symbol


LAKE_DAY = Form(
    "lake",
    "a day of a lake: Parquet in whole ticks and lots, which it names",
    knows,
    read,
    steps=steps,
    market=market,
    terms=terms_of,
    heeds=frozenset({"only", "ignore"}),
)
