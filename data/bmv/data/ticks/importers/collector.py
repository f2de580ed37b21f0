"""What recorders of websockets write of Binance: a message a line, `<time of arrival> <JSON>`, gzipped or not.

So writes the collector of hftbacktest (commit 5f3ec40), a file a symbol and day, of spot, USD-M and COIN-M: trades,
best quotes, changes of depth, each in its stream's wrapper (`{"stream": …, "data": {…}}`) or without it, and snapshots
of the book as the venue answers them over HTTP. Fields after Binance's documentation of its streams:

* `trade`, `aggTrade`: `T` time, `p`, `q`, `m` (the buyer was the maker), `t` or `a` the id. `X` other than MARKET is no
  trade of the book (a liquidation taken over by a fund).
* `bookTicker`: `b`, `B`, `a`, `A`, and `T`; that of spot has neither a time nor a name.
* `depthUpdate`: `T` (spot: `E`), levels `b` and `a`, first and last number `U` and `u`; futures name in `pu` the last
  number before. What becomes of the numbers is said in :mod:`bmv.data.ticks.importers.resync`.

Sizes of COIN-M are contracts.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from bmv.data.ticks.contracts import INVERSE, PAYOFF
from bmv.data.ticks.importers.form import SCHEMA, Form, Options, refuse_none_kept
from bmv.data.ticks.importers.messages import Message, messages, word
from bmv.data.ticks.importers.resync import Change, Numbered, Snapshot, Update
from bmv.data.ticks.importers.text import first_lines
from bmv.ports.errors import UsageError

BATCH_ROWS = 100_000
LOOKED_AT = 200  # Lines, for the symbol and the sort of the streams.
BEGINS = re.compile(r'^(\d{13,19}) \{"')
SYMBOL = re.compile(r'"s": ?"([A-Z0-9_]+)"')
COIN_MARGINED = re.compile(r"^[A-Z0-9]+USD_(PERP|\d{6})$")
TIMELESS_QUOTE = re.compile(r'\{"u": ?\d+, ?"s": ?"')  # The best quote of spot.
PARTIAL = re.compile(r"@depth(5|10|20)(@|$)")
PASSED = ("markPriceUpdate",)  # Says nothing of the book, and is recorded beside it.


def knows(path: Path) -> bool:
    """Know a file by how its first line begins."""
    return any(BEGINS.match(line) for line in first_lines(path, 1))


def read(path: Path, options: Options) -> Iterator[pl.DataFrame]:
    """Yield its rows by the venue's time, or by that of arrival if `options` say so."""
    recording = _Recording(path, options)
    rows = list[tuple[Any, ...]]()
    for message in messages(path, options.unpacked_max):
        rows += recording.rows(message)
        if len(rows) >= BATCH_ROWS:
            yield _frame(rows)
            rows = []
    yield _frame([*rows, *recording.end()])


def market(path: Path, options: Options) -> str:
    """Return the symbol that is asked for, else the first that the file names."""
    asked = options.only.get("symbol", ())
    return asked[0] if len(asked) == 1 else _symbol(path)


def terms(path: Path) -> dict[str, str]:
    """Return that sizes are contracts, where the first symbol is one of COIN-M; of how much quote no message says."""
    return {PAYOFF: INVERSE} if _of_contracts(_symbol(path)) else {}


def notes(path: Path, options: Options) -> Sequence[str]:
    """Say it where best quotes have no time of the venue."""
    if options.local_time or not any(TIMELESS_QUOTE.search(line) for line in first_lines(path, LOOKED_AT)):
        return ()
    return ("best quotes name no time of the venue: taken is that of their arrival, which --local-time takes of all",)


def _symbol(path: Path) -> str:
    return next(iter(_symbols(path)), "")


def _symbols(path: Path) -> list[str]:
    """Return the symbols that a file names in its first lines, in their order."""
    return list(dict.fromkeys(one[1] for line in first_lines(path, LOOKED_AT) if (one := SYMBOL.search(line))))


def _of_contracts(symbol: str) -> bool:
    return COIN_MARGINED.match(symbol) is not None


class _Recording:
    """What is known of one file while its messages pass."""

    def __init__(self, path: Path, options: Options) -> None:
        self._path, self._options = path, options
        if others := sorted(options.only.keys() - {"symbol", "e"}):
            raise UsageError(f"{path}: --only {others[0]}: of messages it goes by symbol and e, the name of the event")
        self._symbols = set(options.only.get("symbol", ()))
        self._events = set(options.only.get("e", ()))
        self._book = Numbered(options.on_gap)
        self._seen: str | None = None  # The symbol of the rows.
        symbols = _symbols(path)
        self._several = len(symbols) > 1  # The file has other symbols too.
        self._contracts = _of_contracts(symbols[0] if symbols else "")
        self._prints = ""  # What prints are called.
        self._told: dict[str, Callable[[Message], Iterator[tuple[Any, ...]]]] = {
            "trade": self._trade,
            "aggTrade": self._trade,
            "bookTicker": self._quote,
            "depthUpdate": self._update,
            "snapshot": self._snapshot,
        }

    def rows(self, message: Message) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a message, in the columns of `SCHEMA`."""
        event = message.event
        if event in ("", *PASSED) or (self._events and event not in self._events) or not self._is_ours(message):
            return
        if event not in self._told:
            raise message.wrong(
                f"a message {event}; read are those of Binance: {', '.join(self._told)} (--only e=trade --only "
                "e=depthUpdate takes these alone)"
            )
        yield from self._told[event](message)

    def end(self) -> Iterator[tuple[Any, ...]]:
        """Yield what still waits at the end of the file; `DataError` where it had nothing of what was asked for."""
        yield from _depth(self._book.end(), stamped=not self._options.local_time)
        if self._seen is None:
            refuse_none_kept(self._path, self._options)

    def _is_ours(self, message: Message) -> bool:
        """Tell whether a message is of the symbol that is read; refuse a second one, and a book of an unknown one."""
        symbol = word(message.told.get("s", message.told.get("symbol", "")))
        if not symbol:
            if self._several:
                raise message.wrong("a snapshot that does not say of which symbol, in a file of several")
            return True
        if self._symbols and symbol not in self._symbols:
            self._several = True
            return False
        if self._seen not in (None, symbol):
            raise message.wrong(
                f"holds {self._seen} and {symbol}; a tape is of one market: take one by --only symbol={self._seen}"
            )
        if _of_contracts(symbol) != self._contracts:
            raise message.wrong(f"{symbol} in a file of {_symbol(self._path)}: contracts and coins in one; split it")
        self._seen = symbol
        return True

    def _times(self, message: Message, *names: str) -> tuple[int, int | None]:
        """Return the time of a row, and that of its arrival where it is another."""
        if self._options.local_time or not any(name in message.told for name in names):
            return message.received_ns, None
        return message.time(*names), message.received_ns

    def _trade(self, message: Message) -> Iterator[tuple[Any, ...]]:
        if self._prints not in ("", message.event):
            raise message.wrong(
                "holds trades and aggTrades, which tell the same prints; leave one out, as by --only e=trade "
                "--only e=bookTicker --only e=depthUpdate --only e=snapshot"
            )
        self._prints = message.event
        if message.told.get("X", "MARKET") != "MARKET":
            return
        ts_ns, received_ns = self._times(message, "T", "E")
        side = -1 if message.truth("m") else 1
        price, size = message.number("p"), message.number("q")
        one = message.told.get("t" if message.event == "trade" else "a")
        id_ = None if one is None else str(one)
        yield message.line, ts_ns, "trade", side, price, size, None, None, None, None, id_, None, received_ns

    def _quote(self, message: Message) -> Iterator[tuple[Any, ...]]:
        ts_ns, received_ns = self._times(message, "T", "E")
        book = (message.number(name) for name in ("b", "B", "a", "A"))
        yield message.line, ts_ns, "quote", None, None, None, *book, None, None, received_ns

    def _update(self, message: Message) -> Iterator[tuple[Any, ...]]:
        if PARTIAL.search(message.stream):
            raise message.wrong(
                f"a part of a book ({message.stream}); read are changes of depth, as of {message.stream.split('@')[0]}"
                "@depth"
            )
        ts_ns, received_ns = self._times(message, "T", "E")
        before = message.whole("pu") if "pu" in message.told else message.whole("U") - 1
        update = Update(message.line, ts_ns, received_ns, before, message.whole("u"), message.levels("b", "a"))
        return _depth(self._book.update(update))

    def _snapshot(self, message: Message) -> Iterator[tuple[Any, ...]]:
        if message.stream:
            raise message.wrong(f"a part of a book ({message.stream}); read are changes of depth, and whole books")
        timed = self._options.local_time or "T" in message.told or "E" in message.told
        ts_ns = self._times(message, "T", "E")[0] if timed else None
        levels = [level for level in message.levels("bids", "asks") if level[2]]
        made = Snapshot(message.line, ts_ns, message.received_ns, message.whole("lastUpdateId"), levels)
        changes = self._book.snapshot(made)
        return _depth(changes, stamped=not self._options.local_time)


def _depth(changes: Iterator[Change], stamped: bool = True) -> Iterator[tuple[Any, ...]]:
    for line, ts_ns, received_ns, side, price, size in changes:
        arrival = received_ns if stamped else None
        yield line, ts_ns, "depth", side, price, size, None, None, None, None, None, None, arrival


def _frame(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


COLLECTOR = Form(
    "collector",
    "messages of websockets, <ns> <JSON> a line (hftbacktest's collector): Binance",
    knows,
    read,
    notes=notes,
    market=market,
    heeds=frozenset({"only"}),
    terms=terms,
)
