"""Good files with columns renamed, added and mixed: what is read is what was written, or the file is refused."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmv.data.ticks.importers import FORMS, Options, chosen
from bmv.ports.errors import DataError

T = 1756857600000
EXAMPLES = int(os.environ.get("BMV_EXAMPLES", "40"))  # More by `BMV_EXAMPLES=5000 pytest …`.
Row = tuple[object, ...]


@dataclass
class File:
    """A text, and the rows that are its truth; none where nobody could read it as rows of one market.

    Args:
        columns: Name -> cells.
        truth: Kind, side, price, size, bid, bid size, ask and ask size of each row.
    """

    sort: str
    columns: dict[str, list[object]]
    truth: list[Row] | None

    def text(self) -> str:
        """Write it as CSV."""
        rows = zip(*self.columns.values(), strict=True)
        return "\n".join([",".join(self.columns), *(",".join(map(str, row)) for row in rows), ""])


def print_(side: int, price: float, size: float) -> Row:
    return ("trade", side, price, size, None, None, None, None)


def quote(bid: float | None, bid_size: float | None, ask: float | None, ask_size: float | None) -> Row:
    return ("quote", None, None, None, bid, bid_size, ask, ask_size)


def level(side: int, price: float, size: float) -> Row:
    return ("depth", side, price, size, None, None, None, None)


CLEAR = level(0, 0.0, 0.0)
sizes = st.sampled_from([1.0, 2.0, 3.5])
bids, asks = st.integers(90, 99).map(float), st.integers(101, 110).map(float)
sides = st.sampled_from(
    [("buy", "sell"), ("Buy", "Sell"), ("B", "S"), ("1", "-1"), ("bid", "ask"), ("b", "a"), ("0", "1")]
)


@st.composite
def prints(draw: st.DrawFn) -> File:
    """Prints with an aggressor, bought at the ask and sold at the bid."""
    words = draw(sides.filter(lambda pair: pair[0] not in ("bid", "b")))
    rows = draw(st.lists(st.tuples(st.sampled_from([1, -1]), bids, asks, sizes), min_size=4, max_size=30))
    told = [(side, ask if side > 0 else bid, size) for side, bid, ask, size in rows]
    columns = {
        "ts": [T + at for at in range(len(told))],
        "price": [price for _, price, _ in told],
        "size": [size for *_, size in told],
        "side": [words[0] if side > 0 else words[1] for side, *_ in told],
    }
    return File("prints", columns, [print_(*row) for row in told])


@st.composite
def quotes(draw: st.DrawFn) -> File:
    """Quotes of both sides."""
    rows = draw(st.lists(st.tuples(bids, sizes, asks, sizes), min_size=4, max_size=30))
    names = ("bid", "bid_size", "ask", "ask_size")
    columns = {"ts": [T + at for at in range(len(rows))]} | {
        name: [row[at] for row in rows] for at, name in enumerate(names)
    }
    return File("quotes", columns, [quote(*row) for row in rows])


@st.composite
def one_sided(draw: st.DrawFn) -> File:
    """Quotes of which each row moves one side."""
    words = draw(st.sampled_from([("bid", "ask"), ("b", "a"), ("Bid", "Ask"), ("BID", "OFFER")]))
    rows = draw(st.lists(st.tuples(st.sampled_from([1, -1]), bids, asks, sizes), min_size=4, max_size=30))
    rows = [(1, 99.0, 101.0, 1.0), (-1, 99.0, 101.0, 1.0), *rows]
    truth, top = [], [None, None, None, None]
    for side, bid, ask, size in rows:
        top[:2], top[2:] = ((bid, size), top[2:]) if side > 0 else (top[:2], (ask, size))
        truth.append(quote(*top))
    columns = {
        "ts": [T + at for at in range(len(rows))],
        "price": [bid if side > 0 else ask for side, bid, ask, _ in rows],
        "size": [size for *_, size in rows],
        "side": [words[0] if side > 0 else words[1] for side, *_ in rows],
    }
    return File("one-sided", columns, truth)


@st.composite
def changes(draw: st.DrawFn) -> File:
    """A snapshot of two levels a side, then changes, as venues send them."""
    words = draw(st.sampled_from([("b", "a"), ("bid", "ask"), ("buy", "sell")]))
    told = [(1, 99.0, 1.0), (1, 98.0, 2.0), (-1, 101.0, 1.0), (-1, 102.0, 2.0)]
    change = st.one_of(
        st.tuples(st.just(1), bids, sizes | st.just(0.0)), st.tuples(st.just(-1), asks, sizes | st.just(0.0))
    )
    told += draw(st.lists(change, min_size=4, max_size=20))
    columns = {
        "ts": [T + max(0, at - 3) for at in range(len(told))],
        "side": [words[0] if side > 0 else words[1] for side, *_ in told],
        "update_type": ["snap"] * 4 + ["set"] * (len(told) - 4),
        "last_update_id": [100 + max(0, at - 3) for at in range(len(told))],
        "price": [price for _, price, _ in told],
        "qty": [size for *_, size in told],
    }
    truth = [CLEAR, *(level(*row) for row in told)]
    if draw(st.booleans()):  # Nothing says that it begins with a snapshot.
        del columns["update_type"]
        truth = truth[1:]
        if words != ("buy", "sell") and draw(st.booleans()):
            del columns["last_update_id"]
    return File("changes", columns, truth)


@st.composite
def rungs(draw: st.DrawFn) -> File:
    """Snapshots of a book by level, both sides in a row or a side a row; its top is its truth."""
    count, first = draw(st.integers(2, 4)), draw(st.sampled_from([0, 1]))
    tops = draw(st.lists(st.tuples(bids, sizes, asks, sizes), min_size=3, max_size=8))
    wide = draw(st.booleans())
    rows = [
        (T + at, first + k, bid - k, bid_size, ask + k, ask_size)
        for at, (bid, bid_size, ask, ask_size) in enumerate(tops)
        for k in range(count)
    ]
    if wide:
        names = ("ts", "level", "bid", "bid_size", "ask", "ask_size")
        return File(
            "rungs", {name: [row[at] for row in rows] for at, name in enumerate(names)}, [quote(*top) for top in tops]
        )
    told = [
        (ts, side, k, bid if side == "bid" else ask, bs if side == "bid" else as_)
        for ts, k, bid, bs, ask, as_ in rows
        for side in ("bid", "ask")
    ]
    truth, top = [], [None, None, None, None]
    for bid, bid_size, ask, ask_size in tops:
        truth += [quote(bid, bid_size, *top[2:]), quote(bid, bid_size, ask, ask_size)]
        top = [bid, bid_size, ask, ask_size]
    names = ("ts", "side", "level", "price", "size")
    return File("rungs", {name: [row[at] for row in told] for at, name in enumerate(names)}, truth)


@st.composite
def orders(draw: st.DrawFn) -> File:
    """Messages of single orders, which nobody reads as rows of a book or as prints."""
    rows = draw(st.lists(st.tuples(st.sampled_from([1, -1]), bids, asks, sizes), min_size=3, max_size=15))
    told = [
        (word, at, side, bid if side > 0 else ask, size)
        for at, (side, bid, ask, size) in enumerate(rows)
        for word in ("add", "cancel")
    ]
    columns = {
        "ts": [T + at for at in range(len(told))],
        "action": [word for word, *_ in told],
        "order_id": [700 + at for _, at, *_ in told],
        "side": ["buy" if side > 0 else "sell" for *_, side, _, _ in told],
        "price": [price for *_, price, _ in told],
        "size": [size for *_, size in told],
    }
    if draw(st.booleans()):
        del columns["action"]
    return File("orders", columns, None)


@st.composite
def markets(draw: st.DrawFn) -> File:
    """Rows of two markets."""
    file = draw(st.one_of(prints(), quotes(), one_sided()))
    names = draw(st.sampled_from([("BTC", "ETH"), ("BTC-USD", "SOL-USD"), (7, 11)]))
    rows = len(file.columns["ts"])
    return File("markets", file.columns | {"symbol": [names[at % 2] for at in range(rows)]}, None)


SYNONYMS = {
    "ts": ["ts", "timestamp", "time", "Time"],
    "price": ["price", "px", "Price"],
    "size": ["size", "qty", "amount", "volume"],
    "qty": ["size", "qty", "quantity"],
    "side": ["side", "direction", "Side"],
    "bid": ["bid", "best_bid", "bidPrice"],
    "ask": ["ask", "best_ask", "askPrice"],
    "bid_size": ["bid_size", "bidQty"],
    "ask_size": ["ask_size", "askQty"],
    "symbol": ["symbol", "coin", "instrument_id", "Pair", "exchange"],
    "level": ["level", "depth", "lvl"],
    "action": ["action", "type", "event", "msg_type"],
    "order_id": ["order_id", "oid", "OrderID"],
    "update_type": ["update_type", "type", "event_type", "kind"],
    "last_update_id": ["last_update_id", "u", "updateId"],
}
GARBAGE = ["foo", "x1", "Spalte", "col7"]
# Columns that may be added without a change of what a row is; what is read is then still the truth.
ADDED = {
    "id": lambda at: 9000 + at,
    "seq": lambda at: at,
    "received": lambda at: T + at + 5,
    "symbol": lambda at: "BTC",
    "note": lambda at: "",
    "mid": lambda at: 100.25 + at,
    "flag": lambda at: at % 2,
    "word": lambda at: "even" if at % 2 == 0 else "odd",
    "level": lambda at: 0,
    "event": lambda at: "trade",
    "update_id": lambda at: at,
    "trade_id": lambda at: at,
    "order_id": lambda at: at // 2,
    "is_snapshot": lambda at: "false",
}
# Those that say more than that: a file with one may be refused, or read as what the column says that it is.
TELLING = {
    "prints": {"level", "update_id", "order_id", "is_snapshot"},
    "quotes": {"event", "trade_id", "order_id"},
    "one-sided": {"event", "trade_id", "order_id", "update_id", "is_snapshot"},
    "changes": {"event", "trade_id", "order_id", "update_id", "is_snapshot"},
    "rungs": {"event", "trade_id", "order_id", "update_id", "is_snapshot", "level"},
}


def renamed(file: File, draw: st.DrawFn) -> File:
    """Rename columns, each to a synonym or, one of them, to a word that nobody knows."""
    names = {name: draw(st.sampled_from(SYNONYMS[name])) for name in file.columns}
    if draw(st.booleans()):
        hidden = draw(st.sampled_from([name for name in names if name != "ts"]))
        names[hidden] = draw(st.sampled_from(GARBAGE))
    return File(file.sort, {names[name]: cells for name, cells in file.columns.items()}, file.truth)


@st.composite
def changed(draw: st.DrawFn, files: st.SearchStrategy[File]) -> tuple[File, list[str]]:
    """Draw a file, and the columns that were added to it."""
    whole = draw(files)
    file = renamed(whole, draw)
    if len(file.columns) < len(whole.columns):  # Two columns got one name.
        file = whole
    rows = len(next(iter(file.columns.values())))
    added = draw(st.lists(st.sampled_from(sorted(ADDED)), max_size=2, unique=True))
    added = [name for name in added if name not in file.columns and name not in TELLING.get(file.sort, set())]
    more = {name: [ADDED[name](at) for at in range(rows)] for name in added}
    order = draw(st.permutations([*file.columns, *more]))
    both = file.columns | more
    return File(file.sort, {name: both[name] for name in order}, file.truth), added


def read(text: str) -> list[Row]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ticks.csv"
        path.write_text(text)
        batches = list(chosen(FORMS, path, None, Options()).read(path, Options()))
    rows = pl.concat(batches).with_columns(pl.when(pl.col("kind") != "quote").then("side").alias("side"))
    return rows.select("kind", "side", "price", "size", "bid", "bid_size", "ask", "ask_size").rows()


def is_true(rows: Sequence[Row], truth: Sequence[Row]) -> bool:
    """Say whether rows are the truth; what a form calls not recorded (a side, a size shown) may be left out."""
    return len(rows) == len(truth) and all(map(_is_row, rows, truth))


def _is_row(row: Row, truth: Row) -> bool:
    unsided = (row[0], truth[1], *row[2:]) if row[0] == "trade" and row[1] in (0, None) else row
    shown = unsided[5] in (None, truth[5]) and unsided[7] in (None, truth[7])
    return shown and unsided[:5] == truth[:5] and unsided[6] == truth[6]


SORTS = {
    "prints": prints(),
    "quotes": quotes(),
    "one-sided": one_sided(),
    "changes": changes(),
    "rungs": rungs(),
    "orders": orders(),
    "markets": markets(),
}


@pytest.mark.parametrize("sort", SORTS)
def test_no_file_is_read_as_what_it_is_not(sort: str) -> None:
    seen: Counter[str] = Counter()

    @settings(deadline=None, max_examples=EXAMPLES)
    @given(changed(SORTS[sort]))
    def read_or_refused(drawn: tuple[File, list[str]]) -> None:
        file, added = drawn
        text = file.text()
        try:
            rows = read(text)
        except DataError:
            seen["refused"] += 1
            return
        assert file.truth is not None, f"read what nobody can read, {file.sort}:\n{text}"
        assert is_true(rows, file.truth), f"read {file.sort} with {added} otherwise than it is:\n{text}\n{rows}"
        seen["read"] += 1

    read_or_refused()

    assert seen["refused"] > 1, seen
    assert seen["read"] > 1 or sort in ("orders", "markets"), seen
