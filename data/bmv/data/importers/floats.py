"""Parquet in the float form of :mod:`bmv.data.schema`."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from bmv.data.importers.form import Form, Options, filled
from bmv.data.parquet import parquet_batches, parquet_columns, readable
from bmv.data.schema import FLOATS
from bmv.ports.errors import DataError


def knows(path: Path) -> bool:
    """Know a Parquet file by its columns."""
    try:
        return set(FLOATS) <= set(parquet_columns(path))
    except DataError:
        return False


def read(path: Path, options: Options) -> Iterator[pl.DataFrame]:
    """Yield its rows as they are."""
    if missing := set(FLOATS) - set(parquet_columns(path)):
        name = sorted(missing)[0]
        raise DataError(f"{path}: column '{name}' is missing; it should be {FLOATS[name]}")
    for part in parquet_batches(path, list(FLOATS)):
        with readable(path):
            made = filled(part.with_columns(pl.col("kind").cast(pl.String)))
        yield made


FLOAT_PARQUET = Form(
    "floats", "Parquet with ts, kind, side, price, size, bid, bid_size, ask, ask_size in units", knows, read
)
