"""Which rows of a tape may be believed: the rules, as expressions over many rows at a time, and the tally of a reading.

A rule never mends. A row either passes whole, is dropped and counted under the first rule that it breaks, or, where
a number is too large to be told without wrapping somewhere, ends the run. Two things are no fault and are told as they
are: a crossed or locked book, and a book of which a side, or both, is empty.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bmv.ports.market import PRICE_TICKS_MAX, SIZE_LOTS_MAX
from bmv.ports.market_data import Column, Columns
from bmv.ports.messages import UNRECORDED, Kind

GAP_NS = 60_000_000_000  # A hole between two rows that is longer than this is told in a warning.
GAPS_KEPT = 10
GAPS_WARNED = 3
CROSSED_MAX = 0.05  # Share of the rows; no market recorded has more than one in a thousand.
PRICES_STRIDE = 64  # Of so many rows the prices of one are looked at; more would be felt in reading.
PRICES_KNOWN = 20  # Fewer different prices than this say nothing about the grid on which they lie.
STRETCH = 64  # Rows whose first and last time are looked at before each of them is.

_PRINTS, _BOOKS = ("price", "size"), ("bid", "bid_size", "ask", "ask_size")
_TRADE = pl.col("kind") == Kind.TRADE
# Of prints and quotes without a null kind: does one have what is not of its kind, or lack what every print has?
_STRAYS = [
    *((pl.col(name).is_not_null() != _TRADE).any() for name in _PRINTS),
    *((pl.col(name).is_not_null() & _TRADE).any() for name in _BOOKS),
    *(
        (pl.col(f"{name}_size").is_not_null() & pl.col(name).is_null()).any().alias(f"lone_{name}")
        for name in ("bid", "ask")
    ),
    (pl.col("side").is_not_null() & ~_TRADE).any(),
]


class Fault(IntEnum):
    """Why a row was dropped; the lower number wins where several are true."""

    NONE = 0
    KIND = 1
    TIME = 2
    NUMBER = 3
    PRICE = 4
    SIZE = 5
    RANGE = 6
    GRID = 7
    SIDE = 8
    BACK = 9
    LOT = 10


WORDS = {
    Fault.KIND: "unknown kind",
    Fault.TIME: "no time",
    Fault.NUMBER: "price or size missing or not a number",
    Fault.PRICE: "price zero or negative",
    Fault.SIZE: "size zero or negative",
    Fault.RANGE: "price or size out of range",
    Fault.GRID: "price off the grid",
    Fault.SIDE: "impossible side",
    Fault.BACK: "time running back",
    Fault.LOT: "smaller than one lot",
}


class Hole(NamedTuple):
    """A hole in the record: no row between these two times (nanoseconds UTC)."""

    from_ns: int
    to_ns: int

    @property
    def length_ns(self) -> int:
        return self.to_ns - self.from_ns


def noise(steps: pl.Expr) -> pl.Expr:
    """Return how far from a whole number `steps` (a price in ticks, a size in lots; float64) may lie and still be it.

    A decimal read as float64, times the inverse of a step read as float64, is wrong by at most 3 half ulps, 3.4e-16 of
    its size; the second term allows three times that for feeds that computed before they wrote. At nine digits of
    ticks it comes to 2e-6 of a tick, at the largest price allowed (2**40 ticks) to 1e-3: half a tick always trips.
    """
    return 1e-6 + 1e-15 * steps.abs()


def judge_rows(rows: pl.LazyFrame, exact: bool) -> pl.LazyFrame:
    """Return the nine columns in whole numbers without nulls, `fault` (a `Fault`), `off_lot` (a size was rounded down).

    Args:
        rows: `ts_ns`, `kind` (1 to 3) and `side` as int64, prices in ticks and sizes in lots, all nullable;
            float64 and perhaps fractional, or, if `exact`, int64. They come out in the type in which they came in.
        exact: Ticks and lots are whole already; saves the rules about fractions.

    A column that does not belong to a row's kind is not looked at and comes out as 0; the numbers of a row with a
    fault mean nothing. Time running back (`Fault.BACK`) depends on what was read before and is left to the reader.
    """
    kind = pl.col("kind")
    prints, books = kind.is_in([Kind.TRADE, Kind.DEPTH]), kind.is_in([Kind.QUOTE, Kind.DEPTH])
    if exact:
        rows = rows.with_columns(off_lot=pl.lit(False))
    else:
        lots = {name: _lots(pl.col(name)) for name in ("size", "bid_size", "ask_size")}
        off = {name: (pl.col(name) - whole > noise(pl.col(name))).fill_null(False) for name, whole in lots.items()}
        off_lot = (prints & off["size"]) | (books & (off["bid_size"] | off["ask_size"]))
        rows = rows.with_columns(off_lot=off_lot.fill_null(False), **lots)
    rows = rows.with_columns(prints=prints, has_bid=books & _shown("bid"), has_ask=books & _shown("ask"))
    ticks = {name: pl.col(name) if exact else _nearest(pl.col(name)) for name in ("price", "bid", "ask")}
    return rows.select(
        ts_ns=pl.col("ts_ns").fill_null(0),
        kind=kind.fill_null(0),
        side=_where("prints", pl.col("side").fill_null(0)),
        price=_where("prints", ticks["price"]),
        size=_where("prints", pl.col("size")),
        bid=_where("has_bid", ticks["bid"]),
        bid_size=_where("has_bid", pl.col("bid_size").fill_null(UNRECORDED)),
        ask=_where("has_ask", ticks["ask"]),
        ask_size=_where("has_ask", pl.col("ask_size").fill_null(UNRECORDED)),
        fault=_fault(exact),
        off_lot=pl.col("off_lot"),
    )


def judge_integers(rows: pl.DataFrame) -> pl.DataFrame:
    """Return what :func:`judged` returns for rows of whole ticks and lots, many times as fast where all are good.

    Rows that a careful writer wrote show by a few numbers of each column that no rule can be broken; only others are
    looked at one by one. Rows in pieces come out in the same pieces.
    """
    if not _plainly_good(rows):
        return judge_rows(rows.lazy(), exact=True).collect(engine="in-memory")
    return rows.select(
        *(pl.col(name).fill_null(0) for name in ("ts_ns", "kind", "side", "price", "size")),
        *(column for name in ("bid", "ask") for column in (pl.col(name).fill_null(0), _side_size(rows, name))),
        fault=pl.lit(Fault.NONE, pl.UInt8),
        off_lot=pl.lit(False),
    )


def _side_size(rows: pl.DataFrame, price: str) -> pl.Expr:
    """Return the sizes of a side of the book, which stand only beside a price: 0 without one."""
    size = pl.col(f"{price}_size")
    if rows[price].null_count() == rows[f"{price}_size"].null_count():
        return size.fill_null(0)
    return pl.when(pl.col(price).is_null()).then(0).otherwise(size.fill_null(UNRECORDED)).alias(f"{price}_size")


def _plainly_good(rows: pl.DataFrame) -> bool:
    """Return whether all rows are prints and quotes, each with what belongs to its kind, within range, and no more.

    What is there is at least 1 and below every limit; the size of a side of the book may be unrecorded.
    """
    return (
        len(rows) > 0
        and rows["ts_ns"].null_count() + rows["kind"].null_count() == 0
        and _within(rows["kind"], Kind.TRADE, Kind.QUOTE)
        and _within(rows["side"], -1, 1)
        and all(_within(rows[name], 1, min(PRICE_TICKS_MAX, SIZE_LOTS_MAX) - 1) for name in (*_PRINTS, *_BOOKS))
        and not any(rows.select(_STRAYS).row(0))
    )


def _within(column: pl.Series, least: int, most: int) -> bool:
    """Return whether the numbers of a column lie between two, nulls aside. One by one that is faster than a query."""
    if column.null_count() == len(column):
        return True
    return bool(column.min() >= least and column.max() <= most)  # type: ignore[operator]  # They are whole numbers.


def _nearest(steps: pl.Expr) -> pl.Expr:
    return (steps + 0.5).floor()  # Four times as fast as `round`.


def _lots(steps: pl.Expr) -> pl.Expr:
    """Round down to a lot, but 2.9999999999999996 lots, which is how float64 writes 0.3 / 0.1, are 3."""
    return (steps + noise(steps)).floor()


def _shown(price: str) -> pl.Expr:
    """True where a side of the book is there: it has a price, and its size, if recorded, rounds to at least a lot.

    A price of zero beside a size is there too, and then breaks `Fault.PRICE`: by its size it is no absent side. One
    without a size is how some recorders write that there is none.
    """
    size = pl.col(f"{price}_size")
    return pl.col(price).is_not_null() & (size.fill_null(UNRECORDED) != 0) & ((pl.col(price) != 0) | size.is_not_null())


def _where(there: str, value: pl.Expr) -> pl.Expr:
    return pl.when(there).then(value).otherwise(0).fill_null(0)


def _fault(exact: bool) -> pl.Expr:
    """Return the first rule that a row breaks; Polars sorts NaN above every number, so `NUMBER` goes before others."""
    kind, side = pl.col("kind"), pl.col("side").fill_null(0)
    trade, depth, prints = kind == Kind.TRADE, kind == Kind.DEPTH, pl.col("prints")
    cleared = depth & (side == 0) & (pl.col("price") == 0)  # A depth row that empties the whole book.
    rules = {
        Fault.KIND: ~kind.is_in([Kind.TRADE, Kind.QUOTE, Kind.DEPTH]).fill_null(False),
        Fault.TIME: pl.col("ts_ns").is_null(),
        Fault.NUMBER: prints & (pl.col("price").is_null() | pl.col("size").is_null()),
        Fault.PRICE: _anywhere(lambda price, _: price <= 0) & ~cleared.fill_null(False),
        Fault.SIZE: _anywhere(lambda _, size: size < 0) | (trade & (pl.col("size") == 0) & ~pl.col("off_lot")),
        Fault.RANGE: _anywhere(lambda price, size: (price >= PRICE_TICKS_MAX) | (size >= SIZE_LOTS_MAX)),
        Fault.SIDE: (prints & ~side.is_between(-1, 1)) | (depth & (side == 0) & ~cleared),
        Fault.LOT: trade & (pl.col("size") == 0),  # What is left of a size that was rounded down to a lot.
    }
    if not exact:
        rules[Fault.NUMBER] |= _anywhere(lambda price, size: ~price.is_finite() | ~size.is_finite())
        rules[Fault.GRID] = _anywhere(lambda price, _: (price - _nearest(price)).abs() > noise(price))
    first = pl.lit(Fault.NONE, pl.UInt8)
    for fault in sorted(rules, reverse=True):
        first = pl.when(rules[fault]).then(pl.lit(fault, pl.UInt8)).otherwise(first)
    return first


def _anywhere(rule: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> pl.Expr:
    """True where `rule` (of a price and its size) holds for a print or for a side of the book that is there."""
    pairs = (("prints", "price", "size"), ("has_bid", "bid", "bid_size"), ("has_ask", "ask", "ask_size"))
    return pl.any_horizontal(
        pl.col(there) & rule(pl.col(price), pl.col(size)).fill_null(False) for there, price, size in pairs
    )


@dataclass(slots=True)
class Quality:
    """What a reading found, row by row; complete once the tape has been read to its end.

    `rows` were read within the window, `good` of them were told; `bad` counts the dropped ones by kind of fault.
    `off_lot` rows had a size that was rounded down to a lot. `gaps` are the longest holes, longest first. `coarse` is
    the greatest common divisor of the prices looked at, in ticks, 0 before the first. `amid_book`: the first change of
    depth does not clear the book. `warnings` stand by weight; the first `grave` of them are about the tape as a whole.
    """

    rows: int = 0
    trades: int = 0
    quotes: int = 0
    depths: int = 0
    crossed: int = 0
    locked: int = 0
    empty: int = 0
    unsized: int = 0
    unsided: int = 0
    off_lot: int = 0
    gap_count: int = 0
    amid_book: bool = False
    bad: dict[Fault, int] = field(default_factory=dict)
    gaps: list[Hole] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    grave: int = 0
    coarse: int = 0
    prices: set[int] = field(default_factory=set, compare=False)  # In ticks; enough of them to judge the grid by.

    @property
    def good(self) -> int:
        return self.trades + self.quotes + self.depths

    @property
    def dropped(self) -> int:
        return sum(self.bad.values())

    def __repr__(self) -> str:
        return (
            f"<Quality {self.good:,} of {self.rows:,} rows told | {self.trades:,} trades, {self.quotes:,} quotes, "
            f"{self.depths:,} depths | {self.dropped:,} dropped{f' ({self.faults()})' if self.bad else ''} | "
            f"{self.crossed:,} crossed, {self.locked:,} locked, {self.off_lot:,} off lot, {self.gap_count:,} gaps>"
        )

    def drop(self, faults: NDArray[np.uint8]) -> None:
        """Count the rows that `faults` (a `Fault` a row) drops."""
        counts = np.bincount(faults, minlength=len(Fault))
        for fault in WORDS:
            if counts[fault]:
                self.bad[fault] = self.bad.get(fault, 0) + int(counts[fault])

    def count(self, batch: Columns, before_ns: int | None) -> None:
        """Count good rows; `before_ns` is the time of the row before, None if there is none."""
        if self.coarse != 1:
            self._look_at_grid(batch)
        rows, kind = len(batch.kind), batch.kind
        trades = _count(kind == Kind.TRADE)
        depths = _count(kind == Kind.DEPTH) if rows and kind.max() >= Kind.DEPTH else 0
        self.trades += trades
        self.depths += depths
        if depths == self.depths > 0:  # The first of the tape.
            self.amid_book = bool(batch.side[np.argmax(kind == Kind.DEPTH)] != 0)
        self.quotes += rows - trades - depths
        sided = batch.side[kind == Kind.TRADE] if depths else batch.side  # A quote has no side.
        self.unsided += trades - int(np.count_nonzero(sided))
        if trades < rows:
            self._count_books(batch, rows - trades)
        self._count_holes(batch.ts_ns, before_ns)

    def _look_at_grid(self, batch: Columns) -> None:
        """Look at the prices of every `PRICES_STRIDE`-th good row, whatever the batches, until they have no divisor."""
        first = -self.good % PRICES_STRIDE
        seen = np.concatenate([column[first::PRICES_STRIDE] for column in (batch.price, batch.bid, batch.ask)])
        self.coarse = int(np.gcd.reduce(seen, initial=self.coarse))
        if self.coarse > 1 and len(self.prices) <= PRICES_KNOWN:
            self.prices.update(np.unique(seen).tolist())

    def _count_books(self, batch: Columns, books: int) -> None:
        asks = int(np.count_nonzero(batch.ask))
        # A row without an ask counts as a meeting here, and means nothing.
        if _count(batch.bid >= batch.ask) > len(batch.ask) - asks:
            meeting = batch.ask > 0
            self.locked += _count(meeting & (batch.bid == batch.ask))
            self.crossed += _count(meeting & (batch.bid > batch.ask))
        if UNRECORDED in (batch.bid_size.min(), batch.ask_size.min()):
            self.unsized += _count((batch.bid_size == UNRECORDED) | (batch.ask_size == UNRECORDED))
        if asks < books:
            self.empty += _count((batch.kind == Kind.QUOTE) & (batch.bid + batch.ask == 0))

    def _count_holes(self, ts_ns: Column, before_ns: int | None) -> None:
        if not len(ts_ns):
            return
        first_ns = ts_ns[0] if before_ns is None else before_ns
        # A hole is no longer than the stretch of rows around it, and most tapes have none in a stretch.
        if np.diff(np.concatenate([[first_ns], ts_ns[::STRETCH], ts_ns[-1:]])).max() <= GAP_NS:
            return
        steps = np.diff(ts_ns, prepend=first_ns)
        holes = np.flatnonzero(steps > GAP_NS)
        self.gap_count += len(holes)
        self.gaps += [Hole(int(ts_ns[hole] - steps[hole]), int(ts_ns[hole])) for hole in holes]
        self.gaps = sorted(self.gaps, key=lambda gap: (-gap.length_ns, gap.from_ns))[:GAPS_KEPT]

    def warn(
        self,
        tick_size: Decimal | None = None,
        made_up: str = "",
        unseeded: "Quality | None" = None,
        other: str = "",
        noted: Sequence[str] = (),
    ) -> None:
        """Put into words what an operator should know about the reading, by weight; called once, at its end.

        Args:
            tick_size: As configured, in quote; None: nothing is said about it.
            made_up: What the tape says of its maker, if it is made up.
            unseeded: The tally of the rows before the run.
            other: The market that the tape is of, if it isn't the one asked for.
            noted: What who recorded it noted of gaps, in words.
        """
        self.warnings += self._on_the_tape(made_up, other)
        self.grave = len(self.warnings)
        if self.dropped:
            share = self.dropped / self.rows
            self.warnings.append(f"{self.dropped:,} bad rows dropped ({share:.4%}): {self.faults()}")
        if unseeded and unseeded.dropped:
            lost = f"{unseeded.dropped:,} bad rows before the run do not seed it: {unseeded.faults()}"
            self.warnings.append(lost)
        self.warnings += [*self._on_steps(tick_size), *self._on_books(), *self._on_holes(), *noted]

    def _on_the_tape(self, made_up: str, other: str) -> Iterator[str]:
        if made_up:
            yield f"the tape is made up ({made_up}): what is earned on it means nothing"
        if self.crossed > CROSSED_MAX * self.good:
            yield f"{self.crossed / self.good:.1%} of the rows are crossed quotes: are bid and ask swapped?"
        if other:
            yield f"the tape is of {other}"
        if not self.trades:
            yield "the tape has no trades: there will be no pivot, and nothing will be quoted"
        if not self.quotes + self.depths:
            yield "the tape has no quotes: fills come from prints alone, figures at the touch are unknown"
        if self.amid_book:
            yield "the depth begins in the middle of a book: levels not named yet are unknown, the touch may be wrong"

    def _on_steps(self, tick_size: Decimal | None) -> Iterator[str]:
        if tick_size is not None and self.coarse > 1 and len(self.prices - {0}) >= PRICES_KNOWN:
            step = format((tick_size * self.coarse).normalize(), "f")
            looked = f"every price looked at (one row in {PRICES_STRIDE})"
            yield f"{looked} lies on multiples of {step}, tick_size is {tick_size}: is it right?"
        if self.off_lot:
            yield f"{self.off_lot:,} rows had a size off the lot grid, rounded down"

    def _on_books(self) -> Iterator[str]:
        if self.unsided:
            yield f"{self.unsided:,} of {self.trades:,} trades have no aggressor recorded"
        if self.unsized:
            yield f"{self.unsized:,} rows have a book side whose size was not recorded"
        counts = {"crossed": self.crossed, "locked": self.locked}
        if meeting := " and ".join(f"{count:,} {name}" for name, count in counts.items() if count):
            yield f"{meeting} rows told as they are"

    def _on_holes(self) -> Iterator[str]:
        if self.gap_count:
            yield f"holes in the record longer than {GAP_NS // 10**9} s: {self.gap_count:,}"
        yield from (f"no rows from {utc(gap.from_ns)} to {utc(gap.to_ns)}" for gap in self.gaps[:GAPS_WARNED])
        if self.gap_count > GAPS_WARNED:
            more = self.gap_count - GAPS_WARNED
            yield f"and {more:,} more: quality.gaps in the summary has the {GAPS_KEPT} longest"

    def faults(self) -> str:
        """Return the counts by kind of fault, in words."""
        return ", ".join(f"{count:,} {WORDS[fault]}" for fault, count in sorted(self.bad.items()))

    def as_dict(self) -> dict[str, Any]:  # Any: it is JSON.
        """Return the tally as JSON-able values; times in nanoseconds UTC."""
        counts = ("trades", "quotes", "depths", "dropped", "crossed", "locked", "empty")
        return {
            "rows": self.rows,
            "told": self.good,
            **{name: getattr(self, name) for name in (*counts, "unsized", "unsided", "off_lot", "gap_count")},
            "bad": {fault.name.lower(): count for fault, count in sorted(self.bad.items())},
            "gaps": [gap._asdict() for gap in self.gaps],
            "warnings": list(self.warnings),
        }


def utc(ts_ns: int) -> str:
    """Write a time (nanoseconds UTC) for people, to the microsecond.

    >>> utc(1756857600_000000123)
    '2025-09-03T00:00:00Z'
    """
    seconds, rest = divmod(ts_ns, 10**9)
    if not -62_135_596_800 <= seconds <= 253_402_300_799:
        return f"{ts_ns} ns"  # Outside the calendar: surely not nanoseconds since 1970.
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000, tzinfo=None)
    return f"{moment.isoformat()}Z"


def _count(rows: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(rows))
