"""Tardis.dev's CSV: trades, quotes, book_snapshot_N (its top), incremental_book_L2; times are microseconds.

Columns after https://docs.tardis.dev/downloadable-csv-files/data-types.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from bmv.data.files.parquet import ROW
from bmv.data.ticks.importers.form import Form, Options, arrivals, filled, picked
from bmv.data.ticks.importers.text import FALSE, TRUE, Cells, cells, first_line
from bmv.data.ticks.importers.times import in_ns
from bmv.ports.errors import DataError

START = ("exchange", "symbol", "timestamp", "local_timestamp")
TRADES, QUOTES = {"id", "side", "price", "amount"}, {"ask_amount", "ask_price", "bid_price", "bid_amount"}
SNAPSHOT = {"asks[0].price", "asks[0].amount", "bids[0].price", "bids[0].amount"}
CHANGES = {"is_snapshot", "side", "price", "amount"}
LEVEL = re.compile(r"(asks|bids)\[\d+\]\.(price|amount)$")


def knows(path: Path) -> bool:
    """Know a file by its header, which opens the same in every kind."""
    return tuple(first_line(path).split(",")[:4]) == START


def read(path: Path, options: Options) -> Iterator[pl.DataFrame]:
    """Yield the rows of one file, by the exchange's time, or by the recorder's if `options` say so."""
    header = set(first_line(path).split(","))
    if "symbol" not in header:
        raise DataError(f"{path}: its first line is no header of Tardis, which begins {','.join(START)}")
    if "liquidations" in path.name:  # Their header is that of trades.
        raise DataError(f"{path}: liquidations are no record of all trades; give the file of trades")
    kind = header - set(START)
    in_snapshot = False
    market: tuple[str, ...] = ()
    for part in picked(cells(path, unpacked_max=options.unpacked_max), options):
        market = _one_market(part, market)
        if kind == CHANGES:
            rows, in_snapshot = _changes(part, options, in_snapshot)
        elif kind == TRADES:
            rows = _trades(part, options)
        elif kind == QUOTES:
            rows = _quotes(part, options, "bid_price", "bid_amount", "ask_price", "ask_amount")
        elif kind >= SNAPSHOT and all(LEVEL.match(name) for name in kind):
            rows = _quotes(part, options, "bids[0].price", "bids[0].amount", "asks[0].price", "asks[0].amount")
        else:
            raise DataError(f"{path}: is neither trades, quotes, book_snapshot nor incremental_book_L2 of Tardis")
        yield filled(rows)


def _one_market(part: Cells, before: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a file of several markets: Tardis groups them in some files, and a tape is of one."""
    columns = [part.column(name) for name in ("symbol", "exchange") if part.has(name)]
    if not len(part.rows):
        return before
    first = before or tuple(str(column[0]) for column in columns)
    for column, one in zip(columns, first, strict=True):
        other = column.ne_missing(one)
        if (at := other.arg_max()) is not None and other[at]:
            raise DataError(
                f"{part.origin}, line {part.lines[at]}: holds {one} and {column[at]}; a tape is of one market: take "
                f"one by --only {column.name}={one}"
            )
    return first


def _times(part: Cells, options: Options) -> pl.Series:
    return part.times("local_timestamp" if options.local_time else "timestamp", "us")


def _received(part: Cells, options: Options) -> pl.Series:
    """Return when rows reached the recorder; null where that is their time already."""
    if options.local_time:
        return pl.Series("received_ns", [None], pl.Int64).new_from_index(0, len(part.rows))
    return arrivals(in_ns(part.column("local_timestamp").str.strip_chars().cast(pl.Int64, strict=False), "us"))


def _trades(part: Cells, options: Options) -> pl.DataFrame:
    return pl.DataFrame(
        {
            ROW: part.lines,
            "ts": _times(part, options),
            "received_ns": _received(part, options),
            "kind": pl.repeat("trade", len(part.rows), eager=True),
            "side": part.sides("side"),
            "price": part.floats("price"),
            "size": part.floats("amount"),
            "id": part.column("id"),
        }
    )


def _quotes(part: Cells, options: Options, bid: str, bid_size: str, ask: str, ask_size: str) -> pl.DataFrame:
    return pl.DataFrame(
        {
            ROW: part.lines,
            "ts": _times(part, options),
            "received_ns": _received(part, options),
            "kind": pl.repeat("quote", len(part.rows), eager=True),
            "bid": part.floats(bid, empty=True),
            "bid_size": part.floats(bid_size, empty=True),
            "ask": part.floats(ask, empty=True),
            "ask_size": part.floats(ask_size, empty=True),
        }
    )


def _changes(part: Cells, options: Options, in_snapshot: bool) -> tuple[pl.DataFrame, bool]:
    """Return changes of levels; a snapshot begins with a row that clears the book, and whether one goes on."""
    told = pl.DataFrame(
        {
            ROW: part.lines,
            "ts": _times(part, options),
            "received_ns": _received(part, options),
            "kind": pl.repeat("depth", len(part.rows), eager=True),
            "side": part.sides("side"),
            "price": part.floats("price"),
            "size": part.floats("amount"),
            "snapshot": part.words("is_snapshot", {TRUE: 1, FALSE: 0}),
        }
    )
    begins = (pl.col("snapshot") == 1) & (pl.col("snapshot").shift(1, fill_value=int(in_snapshot)) == 0)
    clear = told.filter(begins).with_columns(side=pl.lit(0, pl.Int64), price=pl.lit(0.0), size=pl.lit(0.0))
    rows = pl.concat([filled(clear), filled(told)]).sort(ROW, maintain_order=True)
    last = told["snapshot"].last() if len(told) else int(in_snapshot)
    return rows, last == 1


TARDIS = Form(
    "tardis",
    "Tardis.dev CSV: trades, quotes, book_snapshot_N (top), incremental_book_L2",
    knows,
    read,
    heeds=frozenset({"only"}),
)
