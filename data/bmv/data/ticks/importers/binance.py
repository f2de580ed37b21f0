"""Binance's public archive: trades, aggTrades and bookTicker of spot and futures, zipped or not.

Columns after https://github.com/binance/binance-public-data. Spot files have no header, those of futures do. Times are
milliseconds, in spot files from 2025 on microseconds.

Coin-margined futures are traded in contracts that are worth a fixed amount of quote. Their trades have a column of
their own, `base_qty`, which tells how much; their other files have the columns of any futures, and only their name, as
the archive gives it (`BTCUSD_PERP`, `ETHUSD_250926`), tells them.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from math import isfinite
from pathlib import Path

import polars as pl

from bmv.data.files.parquet import ROW
from bmv.data.ticks.contracts import INVERSE, PAYOFF, SIZE
from bmv.data.ticks.importers.form import Form, Options, filled
from bmv.data.ticks.importers.text import FALSE, TRUE, Cells, cells, first_line
from bmv.ports.errors import DataError

TRADES = ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker", "is_best_match")
COIN_TRADES = ("id", "price", "qty", "base_qty", "time", "is_buyer_maker")
AGG_TRADES = (
    "agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id", "transact_time", "is_buyer_maker",
    "is_best_match",
)  # fmt: skip
BOOK_TICKER = (
    "update_id", "best_bid_price", "best_bid_qty", "best_ask_price", "best_ask_qty", "transaction_time", "event_time",
)  # fmt: skip
NAMED = re.compile(
    r"^(?P<market>[A-Z0-9_]+)-(?P<kind>trades|aggTrades|bookTicker)-\d{4}-\d{2}(-\d{2})?\.(zip|csv|csv\.gz)$"
)
COIN_MARGINED = re.compile(r"^[A-Z0-9]+USD_(PERP|\d{6})-(trades|aggTrades|bookTicker)-")
COLUMNS = {"trades": TRADES, "aggTrades": AGG_TRADES, "bookTicker": BOOK_TICKER}


def knows(path: Path) -> bool:
    """Know a file by its name, as the archive gives it, or by its header."""
    return NAMED.match(path.name) is not None or _by_header(first_line(path)) is not None


def read(path: Path, options: Options) -> Iterator[pl.DataFrame]:
    """Yield the rows of one file; a print whose buyer was the maker was sold.

    Sizes are those that the venue trades in: contracts in files of coin-margined futures.
    """
    line = first_line(path)
    kind, names = _by_header(line), None
    if kind is None:
        named = NAMED.match(path.name)
        kind = named["kind"] if named else _by_width(line)
        names = _unnamed(path, line, kind)
    for part in cells(path, names, unpacked_max=options.unpacked_max):
        yield filled(_quotes(part, options) if kind == "bookTicker" else _trades(part, options))


def market(path: Path, options: Options) -> str:
    """Return the market in the name of a file."""
    named = NAMED.match(path.name)
    return named["market"] if named else ""


def terms(path: Path) -> dict[str, str]:
    """Return that sizes are contracts, where header or name says so, and of how much quote, where the rows tell."""
    by_header = _words(first_line(path)) == COIN_TRADES
    if not by_header and not COIN_MARGINED.match(path.name):
        return {}
    size = _contract_size(path) if by_header else None
    return {PAYOFF: INVERSE} if size is None else {PAYOFF: INVERSE, SIZE: f"{size}"}


def _contract_size(path: Path) -> int | None:
    """Return the quote in one contract: `base_qty` times price by `qty`, in whole units; None where they tell none."""
    with closing(cells(path)) as parts:
        part = next(parts, None)
    if part is None or not len(part.rows):
        return None
    found = (part.floats("base_qty") * part.floats("price") / part.floats("qty")).median()
    if not isinstance(found, float) or not isfinite(found):
        return None
    size = round(found)
    return size if size >= 1 and abs(found - size) < 0.01 * size else None


def _words(line: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in line.split(","))


def _by_header(line: str) -> str | None:
    header = _words(line)
    for kind, names in COLUMNS.items():
        if len(header) >= 6 and header in (names[: len(header)], COIN_TRADES if kind == "trades" else names):
            return kind
    return None


def _unnamed(path: Path, line: str, kind: str | None) -> Sequence[str] | None:
    """Return the columns of a file without header."""
    first = line.split(",")[0].strip()
    if first and not first.isdecimal() and kind is not None:
        raise DataError(f"{path}, line 1: begins with {first!r}; expected a number, or {','.join(COLUMNS[kind])}")
    if kind is None:
        raise DataError(f"{path}: neither its name nor its first line says trades, aggTrades or bookTicker")
    width = len(line.split(","))
    if line and not 6 <= width <= len(COLUMNS[kind]):
        raise DataError(f"{path}, line 1: has {width} columns; {kind} have 6 to {len(COLUMNS[kind])}")
    return COLUMNS[kind][:width]


def _by_width(line: str) -> str | None:
    """Tell a file without header by its columns: `trades` has one boolean, last; `aggTrades` has two, after six."""
    words = [word.lower() for word in line.split(",")]
    truths = [word in ("true", "false") for word in words]
    if (len(words) == 7 and truths[5:] == [True, True]) or (len(words) == 6 and truths[5]):
        return "trades"
    if (len(words) == 8 and truths[6:] == [True, True]) or (len(words) == 7 and truths[6] and not truths[5]):
        return "aggTrades"
    return None


def _trades(part: Cells, options: Options) -> pl.DataFrame:
    size = "qty" if part.has("qty") else "quantity"
    time = "time" if part.has("time") else "transact_time"
    return pl.DataFrame(
        {
            ROW: part.lines,
            "ts": part.times(time, options.time_unit),
            "kind": pl.repeat("trade", len(part.rows), eager=True),
            "side": part.words("is_buyer_maker", {TRUE: -1, FALSE: 1}),
            "price": part.floats("price"),
            "size": part.floats(size),
            "id": part.column("id" if part.has("id") else "agg_trade_id"),
        }
    )


def _quotes(part: Cells, options: Options) -> pl.DataFrame:
    time = "event_time" if options.local_time and part.has("event_time") else "transaction_time"
    return pl.DataFrame(
        {
            ROW: part.lines,
            "ts": part.times(time, options.time_unit),
            "kind": pl.repeat("quote", len(part.rows), eager=True),
            "bid": part.floats("best_bid_price"),
            "bid_size": part.floats("best_bid_qty"),
            "ask": part.floats("best_ask_price"),
            "ask_size": part.floats("best_ask_qty"),
        }
    )


BINANCE = Form(
    "binance",
    "Binance public data: trades, aggTrades, bookTicker (zip or CSV)",
    knows,
    read,
    market=market,
    heeds=frozenset({"time_unit"}),
    terms=terms,
)
