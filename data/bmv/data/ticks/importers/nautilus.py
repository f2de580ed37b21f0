"""NautilusTrader's Parquet catalogue: files of QuoteTick, TradeTick and OrderBookDelta (by price).

After `nautilus_trader/serialization/arrow` and its core of nautilus_trader 1.221.0. Prices and sizes are whole numbers
in little-endian binary: of 16 bytes where it was built with high precision, in steps of 1e-16, else of 8 bytes, in
steps of 1e-9; older versions keep those 8 bytes as integers.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import polars as pl

from bmv.data.files.parquet import ROW, parquet_batches, parquet_columns, readable
from bmv.data.ticks.calendar import refuse_impossible
from bmv.data.ticks.importers.form import Form, Options, arrivals, filled, in_units
from bmv.ports.errors import DataError

TIMES = ("ts_event", "ts_init")
QUOTE = ("bid_price", "ask_price", "bid_size", "ask_size")
OLD_QUOTE = ("bid", "ask", "bid_size", "ask_size")
TRADE = ("price", "size", "aggressor_side")
DELTA = ("action", "side", "price", "size", "order_id")
SIDES = {0: 0, 1: 1, 2: -1}
NONE: dict[pl.DataType, int] = {
    pl.Int64(): 2**63 - 1,
    pl.UInt64(): 2**64 - 1,
    pl.Int128(): 2**127 - 1,
    pl.UInt128(): 2**128 - 1,
}
ADD, UPDATE, DELETE, CLEAR = 1, 2, 3, 4
DIGITS_MAX = 16


def knows(path: Path) -> bool:
    """Know a Parquet file by its columns."""
    try:
        return _kind(parquet_columns(path)) is not None
    except DataError:
        return False


def read(path: Path, options: Options) -> Iterator[pl.DataFrame]:
    """Yield its rows by the time of the event, or by that at which the recorder made it, if `options` say so."""
    found = parquet_columns(path)
    names = _kind(found)
    if names is None:
        raise DataError(
            f"{path}: expected columns of a QuoteTick, a TradeTick or an OrderBookDelta, found {', '.join(found)}"
        )
    clock = "ts_init" if options.local_time else "ts_event"
    one = ("instrument_id",) if "instrument_id" in found else ()
    ids = ("trade_id",) if names == TRADE and "trade_id" in found else ()
    symbol: str | None = None
    for part in parquet_batches(path, [*TIMES, *names, *one, *ids], options.unpacked_max):
        with readable(path):
            if one:
                symbol = _one_symbol(path, part, symbol)
            _refuse_types(path, part, (*TIMES, *names))
            rows = part.select(ROW, pl.col(clock).cast(pl.Int64, strict=False).alias("ts"), *names)
            if names in (QUOTE, OLD_QUOTE):
                made = _quotes(path, rows, names)
            else:
                made = _trades(path, rows) if names == TRADE else _deltas(path, rows)
            made = made.with_columns(part[name].cast(pl.String).alias("id") for name in ids)
            if not options.local_time:
                made = made.with_columns(arrivals(part["ts_init"].cast(pl.Int64, strict=False)))
            made = filled(made)
        refuse_impossible(path, made[ROW], made["ts"], clock)
        yield made


def steps(path: Path) -> tuple[Decimal, Decimal] | None:
    """Return the finest steps that the precision of the file allows; those of the instrument may be multiples."""
    with readable(path):
        words = pl.read_parquet_metadata(path)
    digits = [words.get(name, "") for name in ("price_precision", "size_precision")]
    if not all(told.isdecimal() and int(told) <= DIGITS_MAX for told in digits):
        return None
    price, size = (Decimal(1).scaleb(-int(told)) for told in digits)
    return price, size


def _kind(names: list[str]) -> tuple[str, ...] | None:
    if set(TIMES) <= set(names):
        for kind in (QUOTE, OLD_QUOTE, DELTA, TRADE):
            if set(kind) <= set(names):
                return kind
    return None


def _one_symbol(path: Path, part: pl.DataFrame, before: str | None) -> str | None:
    for symbol in part["instrument_id"].cast(pl.String).unique(maintain_order=True).to_list():
        if before is not None and symbol != before:
            raise DataError(f"{path}: holds {before} and {symbol}; a tape is of one market, so split it")
        before = symbol
    return before


def _refuse_types(path: Path, part: pl.DataFrame, names: tuple[str, ...]) -> None:
    for name in names:
        kind = part.schema[name]
        raw = "price" in name or "size" in name or name in ("bid", "ask")
        if not (kind.is_integer() or (raw and kind == pl.Binary)):
            expected = "whole numbers, or binary of 8 or 16 bytes" if raw else "whole numbers"
            raise DataError(f"{path}: column '{name}' is {kind}; expected {expected}")


def _quotes(path: Path, rows: pl.DataFrame, names: tuple[str, ...]) -> pl.DataFrame:
    bid, ask, bid_size, ask_size = names
    return rows.select(
        ROW,
        "ts",
        pl.lit("quote").alias("kind"),
        _price(path, rows, bid).alias("bid"),
        _size(path, rows, bid_size).alias("bid_size"),
        _price(path, rows, ask).alias("ask"),
        _size(path, rows, ask_size).alias("ask_size"),
    )


def _trades(path: Path, rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        ROW,
        "ts",
        pl.lit("trade").alias("kind"),
        _words(path, rows, "aggressor_side", SIDES).alias("side"),
        _price(path, rows, "price").alias("price"),
        _size(path, rows, "size").alias("size"),
    )


def _deltas(path: Path, rows: pl.DataFrame) -> pl.DataFrame:
    """Return changes of levels; those of single orders would need a book that is kept by order."""
    if len(single := rows.filter(pl.col("order_id") != 0)):
        raise DataError(f"{path}, row {single[ROW][0]}: is of a single order; only depth by price is read")
    action = _words(path, rows, "action", {word: word for word in (ADD, UPDATE, DELETE, CLEAR)})
    told = rows.select(
        ROW,
        "ts",
        pl.lit("depth").alias("kind"),
        _words(path, rows, "side", SIDES).alias("side"),
        _price(path, rows, "price").alias("price"),
        _size(path, rows, "size").alias("size"),
        action.alias("action"),
    )
    cleared = pl.col("action") == CLEAR
    return told.with_columns(
        side=pl.when(cleared).then(0).otherwise(pl.col("side")),
        price=pl.when(cleared).then(0.0).otherwise(pl.col("price")),
        size=pl.when(cleared | (pl.col("action") == DELETE)).then(0.0).otherwise(pl.col("size")),
    )


def _price(path: Path, rows: pl.DataFrame, name: str) -> pl.Series:
    return _decimal(path, rows, name, {8: pl.Int64(), 16: pl.Int128()})


def _size(path: Path, rows: pl.DataFrame, name: str) -> pl.Series:
    return _decimal(path, rows, name, {8: pl.UInt64(), 16: pl.UInt128()})


def _decimal(path: Path, rows: pl.DataFrame, name: str, kinds: Mapping[int, pl.DataType]) -> pl.Series:
    """Return raw numbers in units; the largest one means that there is none."""
    raw = rows[name]
    if raw.dtype == pl.Binary:
        widths = raw.bin.size().unique().to_list()
        if len(widths) != 1 or widths[0] not in kinds:
            raise DataError(f"{path}: column '{name}' has values of {widths} bytes; expected 8 or 16 in all")
        raw = raw.bin.reinterpret(dtype=kinds[widths[0]], endianness="little")
    if raw.dtype in NONE:
        raw = raw.set(raw == pl.Series([NONE[raw.dtype]], dtype=raw.dtype), None)
    return _fine(raw) if raw.dtype == kinds[16] else in_units(raw, 1e9)


def _fine(raw: pl.Series) -> pl.Series:
    """Return steps of 1e-16 in units; as steps of 1e-9 where they are, which floats hold exactly."""
    step = pl.lit(10**7, raw.dtype)
    parts = pl.DataFrame({"raw": raw}).select(whole=pl.col("raw") // step, rest=pl.col("raw") % step)
    return in_units(parts["whole"], 1e9).zip_with(parts["rest"] == 0, in_units(raw, 1e16))


def _words(path: Path, rows: pl.DataFrame, name: str, meanings: dict[int, int]) -> pl.Series:
    made = rows[name].cast(pl.Int64).replace_strict(meanings, default=None, return_dtype=pl.Int64)
    if made.has_nulls():
        at = made.is_null().arg_max()
        assert at is not None
        raise DataError(
            f"{path}, row {rows[ROW][at]}: column '{name}' is {rows[name][at]}; expected one of {list(meanings)}"
        )
    return made


NAUTILUS = Form(
    "nautilus",
    "NautilusTrader's Parquet catalogue: QuoteTick, TradeTick, OrderBookDelta by price",
    knows,
    read,
    steps=steps,
)
