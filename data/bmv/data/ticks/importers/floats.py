"""Parquet in the float form of :mod:`bmv.data.ticks.schema`."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from bmv.data.files.parquet import ROW, parquet_batches, parquet_columns, readable
from bmv.data.ticks.calendar import refuse_impossible
from bmv.data.ticks.contracts import terms_of
from bmv.data.ticks.importers.form import Form, Options, column_of, filled, kept_by, refuse_none_kept
from bmv.data.ticks.importers.meaning import Values
from bmv.data.ticks.importers.signs import Signs
from bmv.data.ticks.importers.sorts import Facts, refuse_more
from bmv.data.ticks.schema import FLOATS, STAMPS
from bmv.data.ticks.stamps import stamps_among
from bmv.ports.errors import DataError

NOTHING_SAID = Options()
NUMBERS = ("price", "size", "bid", "bid_size", "ask", "ask_size")


def knows(path: Path) -> bool:
    """Know a Parquet file by its columns."""
    try:
        return set(FLOATS) <= set(parquet_columns(path))
    except DataError:
        return False


def read(path: Path, options: Options) -> Iterator[pl.DataFrame]:
    """Yield its rows as they are."""
    for rows in own_batches(path, options, (*FLOATS, *stamps_among(_schema(path)))):
        with readable(path):
            made = filled(_cast(rows))
        refuse_impossible(path, made[ROW], made["ts"], "ts")
        yield made


def numbers(path: Path, options: Options) -> Iterator[pl.DataFrame]:
    """Yield its prices and sizes."""
    _schema(path)
    for rows in own_batches(path, options, tuple(FLOATS)):
        yield rows.select(NUMBERS)


def _schema(path: Path) -> pl.Schema:
    """Return the types of the columns; `DataError` where one is missing, or can't be what it should be."""
    with readable(path):
        schema = pl.read_parquet_schema(str(path))
    for name, meaning in FLOATS.items():
        if name not in schema:
            raise DataError(f"{path}: column '{name}' is missing; it should be {meaning}")
        if not _fits(name, schema[name]):
            raise DataError(f"{path}: column '{name}' is {schema[name]}; it should be {meaning}")
    return pl.Schema(schema)


def _cast(rows: pl.DataFrame) -> pl.DataFrame:
    whole = ["ts", *stamps_among(rows.columns)]
    return rows.with_columns(pl.col("kind").cast(pl.String), pl.col(whole).cast(pl.Int64, strict=False))


def own_batches(path: Path, options: Options, own: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Yield the columns of a form in batches, of the rows that are asked for; refuse a file as `refuse_others` does."""
    refuse_others(path, own, options)
    asked = [column_of(path, parquet_columns(path), name, "--only") for name in options.only]
    some = False
    for part in parquet_batches(path, list(dict.fromkeys([*own, *asked])), options.unpacked_max):
        with readable(path):
            rows = kept_by(path, part, options).select(ROW, *own)
        some |= len(rows) > 0
        yield rows
    if not some:
        refuse_none_kept(path, options)


def refuse_others(path: Path, own: Sequence[str], options: Options = NOTHING_SAID, advice: str = "") -> None:
    """Refuse a file whose columns beside those of its form tell rows apart, such as one of several markets.

    Args:
        own: The columns of the form, which say of each row what it is.
        advice: As :class:`~bmv.data.ticks.importers.sorts.Facts` has it.
    """
    with readable(path):
        schema = pl.read_parquet_schema(str(path))
    ignored = {column_of(path, list(schema), name, "--ignore") for name in options.ignore}
    names = [name for name, kind in schema.items() if name not in {*own, *STAMPS, *ignored} and _is_plain(kind)]
    if not names:
        return
    asked = [column_of(path, list(schema), name, "--only") for name in options.only]
    columns = {name: Values(name) for name in names}
    for part in parquet_batches(path, list(dict.fromkeys([*names, *asked])), options.unpacked_max):
        rows = kept_by(path, part, options)
        for name, values in columns.items():
            values.add(rows[name].cast(pl.String))
    refuse_more(Facts(path, options, names, {}, columns, Signs(), advice))


def _is_plain(kind: pl.DataType) -> bool:
    """Say whether a column can be looked at as text; times and what is nested tell no rows apart."""
    return not (kind.is_nested() or kind.is_temporal() or isinstance(kind, pl.Binary | pl.Object))


def unused(path: Path, options: Options) -> list[str]:
    """Return the columns beside those that the form has."""
    return [name for name in parquet_columns(path) if name not in {*FLOATS, *STAMPS}]


def _fits(name: str, kind: pl.DataType) -> bool:
    if kind == pl.Null:
        return name not in ("ts", "kind")
    if name == "kind":
        return isinstance(kind, pl.String | pl.Categorical | pl.Enum)
    return kind.is_integer() if name in ("ts", "side") else kind.is_numeric()


FLOAT_PARQUET = Form(
    "floats", "Parquet with ts, kind, side, price, size, bid, bid_size, ask, ask_size in units", knows, read, unused,
    heeds=frozenset({"only", "ignore"}), terms=terms_of, numbers=numbers,
)  # fmt: skip
