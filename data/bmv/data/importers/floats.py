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
    with readable(path):
        schema = pl.read_parquet_schema(str(path))
    for name, meaning in FLOATS.items():
        if name not in schema:
            raise DataError(f"{path}: column '{name}' is missing; it should be {meaning}")
        if not _fits(name, schema[name]):
            raise DataError(f"{path}: column '{name}' is {schema[name]}; it should be {meaning}")
    for part in parquet_batches(path, list(FLOATS)):
        with readable(path):
            made = filled(part.with_columns(pl.col("kind").cast(pl.String), pl.col("ts").cast(pl.Int64, strict=False)))
        yield made


def unused(path: Path, options: Options) -> list[str]:
    """Return the columns beside those that the form has."""
    return [name for name in parquet_columns(path) if name not in FLOATS]


def _fits(name: str, kind: pl.DataType) -> bool:
    if kind == pl.Null:
        return name not in ("ts", "kind")
    if name == "kind":
        return isinstance(kind, pl.String | pl.Categorical | pl.Enum)
    return kind.is_integer() if name in ("ts", "side") else kind.is_numeric()


FLOAT_PARQUET = Form(
    "floats", "Parquet with ts, kind, side, price, size, bid, bid_size, ask, ask_size in units", knows, read, unused
)
