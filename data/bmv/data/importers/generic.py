"""CSV and Parquet of any shape, by the names of their columns: well-known ones by themselves, others as mapped."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from bmv.data.importers.form import Form, Options, filled
from bmv.data.importers.text import FALSE, TRUE, Cells, cells, first_line, separator_of, unpacked
from bmv.data.parquet import ROW, is_parquet, parquet_batches, parquet_columns
from bmv.ports.errors import DataError, UsageError

# Our name -> names that it goes by, whatever stands between their words; the first that a file has is taken.
KNOWN: Mapping[str, Sequence[str]] = {
    "ts": ("ts", "ts_ns", "timestamp", "time", "datetime", "date", "exchange_ts", "transact_time", "trade_time"),
    "kind": ("kind", "type", "event"),
    "side": ("side", "aggressor", "taker_side", "aggressor_side", "trade_side", "direction"),
    "buyer_maker": ("buyer_maker", "is_buyer_maker", "buyer_is_maker"),
    "price": ("price", "px", "last", "last_price", "trade_price"),
    "size": ("size", "qty", "quantity", "amount", "volume", "trade_size"),
    "bid": ("bid", "bid_price", "best_bid", "best_bid_price", "bid_px", "best_bid_px"),
    "bid_size": (
        "bid_size",
        "bid_qty",
        "bid_amount",
        "best_bid_qty",
        "best_bid_size",
        "best_bid_amount",
        "bid_sz",
        "bid_volume",
        "bid_vol",
    ),
    "ask": ("ask", "ask_price", "best_ask", "best_ask_price", "ask_px", "best_ask_px", "offer"),
    "ask_size": (
        "ask_size",
        "ask_qty",
        "ask_amount",
        "best_ask_qty",
        "best_ask_size",
        "best_ask_amount",
        "ask_sz",
        "ask_volume",
        "ask_vol",
        "offer_size",
    ),
}


def knows(path: Path) -> bool:
    """Know a file that names a time, and a price or a quote, in words of `KNOWN`."""
    names = _names(path)
    found = _found(names, {})
    return "ts" in found and ("price" in found or "bid" in found)


def read(path: Path, options: Options) -> Iterator[pl.DataFrame]:
    """Yield the rows of one file; a row with a price is a trade, one without a quote, unless told otherwise."""
    found = _found(names := _names(path), options.columns)
    if missing := {given for given in options.columns.values() if given not in names}:
        raise DataError(f"{path}: has no column {', '.join(sorted(missing))}; it has {', '.join(names)}")
    if "ts" not in found or not {"price", "bid"} & set(found):
        raise DataError(
            f"{path}: expected a time and a price, or a bid and an ask, among its columns {', '.join(names)}; "
            "say which they are with --column ts=NAME --column price=NAME …; a text names its columns in its first line"
        )
    wanted = list(dict.fromkeys(found.values()))
    if is_parquet(path):
        for rows in parquet_batches(path, wanted):
            texts = rows.with_columns(_as_text(path, rows.schema[name], name) for name in wanted)
            yield filled(_rows(Cells(path, texts, "row"), found, options))
        return
    with unpacked(path) as plain:
        for part in cells(plain, path, separator=separator_of(first_line(path)), wanted=wanted):
            yield filled(_rows(part, found, options))


def unused(path: Path, options: Options) -> list[str]:
    """Return the columns of a file that say nothing to us."""
    names = _names(path)
    found = _found(names, options.columns)
    return [name for name in names if name not in found.values()]


def _as_text(path: Path, kind: pl.DataType, name: str) -> pl.Expr:
    """Write a column as text, times as nanoseconds, so that both kinds of file are read by one rule."""
    if isinstance(kind, pl.Datetime):  # With a zone or without, what is stored counts from 1970 UTC.
        held = pl.col(name).dt.year().is_between(1678, 2261)
        return pl.when(held).then(pl.col(name).dt.cast_time_unit("ns").cast(pl.Int64).cast(pl.String)).alias(name)
    if kind.is_nested() or isinstance(kind, pl.Binary | pl.Object | pl.Duration | pl.Time):
        raise DataError(f"{path}: column '{name}' is {kind}; it should be a number, a text or a time")
    return pl.col(name).cast(pl.String)


def _names(path: Path) -> list[str]:
    if is_parquet(path):
        return parquet_columns(path)
    line = first_line(path)
    return [name.strip().strip('"') for name in line.split(separator_of(line))]


def _found(names: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """Return our names of the columns that there are, with theirs."""
    if unknown := set(mapping) - set(KNOWN):
        raise UsageError(f"--column {sorted(unknown)[0]}=…: expected one of {', '.join(KNOWN)}")
    plain = {_plain(name): name for name in reversed(names)}
    found = {
        ours: plain[_plain(theirs)]
        for ours, many in KNOWN.items()
        for theirs in reversed(many)
        if _plain(theirs) in plain
    }
    if {"side", "buyer_maker"} <= set(found):  # Both say one thing; that which was asked for wins.
        del found["side" if "buyer_maker" in mapping and "side" not in mapping else "buyer_maker"]
    return found | dict(mapping)


def _plain(name: str) -> str:
    """Return a name as it is known by, however its words are set apart.

    >>> _plain("bid_size"), _plain("BidSize"), _plain("Bid Size")
    ('bidsize', 'bidsize', 'bidsize')
    """
    return re.sub(r"[\W_]", "", name.lower())


def _rows(part: Cells, found: Mapping[str, str], options: Options) -> pl.DataFrame:
    made = {ROW: part.lines, "ts": part.times(found["ts"], options.time_unit)}
    for name in ("price", "size", "bid", "bid_size", "ask", "ask_size"):
        if name in found:
            made[name] = part.floats(found[name], empty=True)
    if "side" in found:
        made["side"] = part.sides(found["side"])
    elif "buyer_maker" in found:  # A print whose buyer was the maker was sold.
        made["side"] = part.words(found["buyer_maker"], {TRUE: -1, FALSE: 1, ("",): 0})
    rows = pl.DataFrame(made)
    if options.kind is not None:
        return rows.with_columns(kind=pl.lit(options.kind))
    if "kind" in found:
        return rows.with_columns(kind=part.rows[found["kind"]].str.to_lowercase())
    if "bid" not in found:
        return rows.with_columns(kind=pl.lit("trade"))
    if "price" not in found:
        return rows.with_columns(kind=pl.lit("quote"))
    return rows.with_columns(kind=pl.when(pl.col("price").is_null()).then(pl.lit("quote")).otherwise(pl.lit("trade")))


GENERIC = Form(
    "generic", "CSV or Parquet by the names of its columns (--column ts=time --column size=qty …)", knows, read, unused
)
