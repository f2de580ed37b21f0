"""What a trader should know of a record before believing it: holes, impossible books, prints that fit no quote.

Nothing is judged that the reading of a tape judges (see :mod:`bmv.data.ticks.quality`); this looks at rows that are
good one by one, and asks whether they make sense together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import polars as pl

from bmv.data.files.parquet import ROW
from bmv.data.ticks.book import Book
from bmv.data.ticks.delays import Stamped
from bmv.data.ticks.quality import GAP_NS, GAPS_KEPT, Hole
from bmv.data.ticks.schema import LAKE, LAKE_SCHEMA
from bmv.data.ticks.tally import SEEN, UNSIZED, Tally
from bmv.ports.messages import Kind

OUTLIER = 0.02  # A print further than this share away from the median of those around it,
OUTLIER_TICKS = 5  # and further than so many ticks: where a tick is 3 % of the price, one is no news,
NEIGHBOURS = 101  # where those around are so many, itself included.
OUTLIERS_KEPT = 5
PAIRS_TOLD = 20  # Instants whose prints stand on two prices; fewer are told to nobody,
PAIRED = 0.5  # nor are those of a record of which they are no larger a share of the instants with several prints.
SHIFTS_MS = (-500, -100, -50, -20, -10, -5, -1, 0, 1, 5, 10, 20, 50, 100, 500)
SKEW_GAIN = 0.02  # A shift is believed when so many more of the prints then lie at the quote.
# Shifts that no network makes but wrong clocks do: seconds, and whole hours. They are looked at where prints do not lie
# at the quote as it is, and believed for more, because so many are tried.
_HOURS_MS = range(3_600_000, 13 * 3_600_000, 3_600_000)
_FAR_MS: tuple[int, ...] = (1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 30_000, 60_000, *_HOURS_MS)
FAR_SHIFTS_MS: tuple[int, ...] = (*(-ms for ms in _FAR_MS), *_FAR_MS)
FAR_GAIN, FAR_PRINTS = 0.15, 20  # So many prints must have a quote that far away.
PRINTS_LOOKED_AT, QUOTES_LOOKED_AT = 200_000, 2_000_000  # For the skew; whichever is reached first.


class Outlier(NamedTuple):
    """A print far from those around it: its row in the file, time (nanoseconds UTC), price and theirs in ticks."""

    row: int
    ts_ns: int
    price: int
    around: float


@dataclass(frozen=True, slots=True)
class Findings:
    """Counts over the rows of one record; times in nanoseconds UTC.

    Args:
        duplicates: Rows that equal an earlier one of the same time in every column.
        unmet: Prints that had no bid and ask before them which were apart; 0 where no book is shown at all.
        outside: Prints above the ask or below the bid of the last quote before that was neither locked nor crossed.
        wrong_side: Prints with a recorded aggressor that bought at the bid or below, or sold at the ask or above.
            Both are against the book that depth makes up where there are no quotes.
        levels_passed: Levels of depth that a price of the other side had passed and no row removed: rows are missing.
        crossed_ns: For how long the bids and asks of that book met.
        outliers: Prints more than 2 %, and more than 5 ticks, from the median of the hundred around them.
        first_outliers: The first of them.
        crowded: Instants (times) of several prints.
        paired: Of them, those whose prints stand on two prices with none between.
        skew_ms: By how much later the quotes should be taken for prints to lie at them most often; 0 when no shift
            does clearly better, None when there are no prints or no quotes.
        stamped: What the rows say of slots and of when they arrived.
    """

    rows: int
    trades: int
    quotes: int
    depths: int
    first_ns: int
    last_ns: int
    crossed: int
    locked: int
    unsided: int
    unsized: int
    duplicates: int
    unmet: int
    outside: int
    wrong_side: int
    levels_passed: int
    crossed_ns: int
    outliers: int
    first_outliers: Sequence[Outlier]
    crowded: int
    paired: int
    skew_ms: int | None
    gap_count: int
    gaps: Sequence[Hole]
    stamped: Stamped

    @property
    def looks_like_a_book(self) -> bool:
        """Whether prints stand as the two sides of a book do. A sweep does so too, but not most of the time."""
        return self.paired >= PAIRS_TOLD and self.paired > PAIRED * self.crowded

    def as_dict(self) -> dict[str, Any]:  # Any: it is JSON.
        """Return the findings as JSON-able values."""
        told = {name: getattr(self, name) for name in self.__slots__}
        listed = {name: [each._asdict() for each in told[name]] for name in ("gaps", "first_outliers")}
        stamped: Stamped = told.pop("stamped")
        return told | listed | stamped.as_dict()


def check(batches: Iterable[pl.DataFrame]) -> Findings:
    """Look at rows in the lake's form, in order of time; there must be some. A few batches are held at once, no more.

    Args:
        batches: The rows, cut anywhere; where they have `row`, outliers are told by it, else by their place.
    """
    tally, twins, against, outliers, skew, book = Tally(), _Twins(), _Against(), _Outliers(), _Skew(), Book()
    instants = _Instants()
    unsized = 0
    for numbered in batches:
        rows = numbered.select(list(LAKE))
        outliers.add(numbered if ROW in numbered.columns else rows.with_row_index(ROW, tally.rows))
        tally.add(numbered)
        for one in (twins, against, skew, book, instants):
            one.add(rows)
        unsized += rows.select(UNSIZED).item()
    prints = against if tally.counts["quotes"] else book
    return Findings(
        rows=tally.rows,
        first_ns=tally.first_ns,
        last_ns=tally.last_ns,
        unsized=unsized,
        duplicates=twins.count,
        unmet=tally.counts["trades"] - prints.met if tally.counts["quotes"] + tally.counts["depths"] else 0,
        outside=prints.outside,
        wrong_side=prints.wrong_side,
        levels_passed=book.passed,
        crossed_ns=book.crossed_ns,
        outliers=outliers.counted(),
        first_outliers=outliers.first(),
        crowded=(found := instants.counted())[0],
        paired=found[1],
        skew_ms=skew.found(),
        gap_count=len(tally.gaps),
        gaps=sorted(tally.gaps, key=lambda gap: (-gap.length_ns, gap.from_ns))[:GAPS_KEPT],
        stamped=tally.stamped,
        **tally.counts,
    )


def between(spans: Iterable[tuple[int, int]]) -> list[Hole]:
    """Return the holes longer than `GAP_NS` between parts of a record, each from its first time to its last, in order.

    >>> between([(0, 10), (100 * 10**9, 101 * 10**9)])
    [Hole(from_ns=10, to_ns=100000000000)]
    """
    return [Hole(one[1], other[0]) for one, other in pairwise(spans) if other[0] - one[1] > GAP_NS]


class _Twins:
    """Counts rows that equal an earlier one of the same time in every column."""

    def __init__(self) -> None:
        self.count = 0
        self._open = pl.DataFrame(schema=LAKE_SCHEMA)  # Rows of the last time, which may go on.

    def add(self, rows: pl.DataFrame) -> None:
        if not len(rows):
            return
        whole = pl.concat([self._open, rows])
        self.count += _twins(whole) - _twins(self._open)
        self._open = whole.filter(pl.col("ts_ns") == whole["ts_ns"][-1])


def _twins(rows: pl.DataFrame) -> int:
    times = pl.col("ts_ns")
    met = rows.filter((times == times.shift(1)) | (times == times.shift(-1)))  # Others have no row to equal.
    return len(met) - int(met.select(pl.struct(list(LAKE)).n_unique()).item()) if len(met) else 0


class _Instants:
    """Counts the times at which there are several prints, and those of them whose prints have two prices."""

    def __init__(self) -> None:
        self._crowded = self._paired = 0
        self._open = pl.DataFrame(schema={"ts_ns": pl.Int64, "price": pl.Int64})  # Prints of the last time.

    def add(self, rows: pl.DataFrame) -> None:
        prints = rows.filter(pl.col("kind") == Kind.TRADE).select("ts_ns", "price")
        if not len(prints):
            return
        whole = pl.concat([self._open, prints])
        last = pl.col("ts_ns") == whole["ts_ns"][-1]
        self._count(whole.filter(~last))
        self._open = whole.filter(last)

    def counted(self) -> tuple[int, int]:
        """Return both counts; nothing is added any more."""
        self._count(self._open)
        return self._crowded, self._paired

    def _count(self, prints: pl.DataFrame) -> None:
        times = pl.col("ts_ns")
        met = prints.filter((times == times.shift(1)) | (times == times.shift(-1)))  # Others are alone at their time.
        if len(met):
            prices = met.group_by("ts_ns").agg(pl.col("price").n_unique())["price"]
            self._crowded += len(prices)
            self._paired += int((prices == 2).sum())


class _Against:
    """Sets prints against the last quote before them that was neither locked nor crossed, as a run does.

    Counts those that had such a quote with both its sides, those outside it, and those on its wrong side.
    """

    def __init__(self) -> None:
        self.met = self.outside = self.wrong_side = 0
        self._quote = pl.DataFrame(schema=dict.fromkeys(SEEN, pl.Int64))  # The last bid and the last ask.

    def add(self, rows: pl.DataFrame) -> None:
        quote = (pl.col("kind") == Kind.QUOTE) & ~(pl.col("bid") >= pl.col("ask")).fill_null(False)
        told = pl.concat([self._quote, rows.select(SEEN)]).with_columns(
            pl.when(quote).then(pl.col(name).fill_null(0)).forward_fill().alias(name) for name in ("bid", "ask")
        )
        self._quote = told.tail(1).with_columns(kind=pl.lit(Kind.QUOTE, pl.Int64))
        above, below = pl.col("price") > pl.col("ask"), pl.col("price") < pl.col("bid")
        wrong = ((pl.col("side") > 0) & (pl.col("price") <= pl.col("bid"))) | (
            (pl.col("side") < 0) & (pl.col("price") >= pl.col("ask"))
        )
        met = told.filter((pl.col("kind") == Kind.TRADE) & (pl.col("bid") > 0) & (pl.col("ask") > 0))
        outside, wrong_side = met.select((above | below).sum().alias("outside"), wrong.sum()).row(0)
        self.met += len(met)
        self.outside += outside
        self.wrong_side += wrong_side


class _Outliers:
    """Counts prints far from the median of those around them; a print waits until those after it are known."""

    def __init__(self) -> None:
        self._count = 0
        self._prints = 0
        self._first = list[Outlier]()
        # Prints: those before the waiting ones, and the waiting ones.
        self._held = pl.DataFrame(schema={ROW: pl.Int64, "ts_ns": pl.Int64, "price": pl.Int64})
        self._known = 0  # So many of them have been looked at.

    def add(self, rows: pl.DataFrame) -> None:
        prints = rows.filter(pl.col("kind") == Kind.TRADE).select(pl.col(ROW).cast(pl.Int64), "ts_ns", "price")
        self._prints += len(prints)
        self._held = pl.concat([self._held, prints])
        self._look(len(self._held) - NEIGHBOURS // 2)

    def counted(self) -> int:
        """Return how many there were; nothing is added any more."""
        self._look(len(self._held))
        return self._count if self._prints >= NEIGHBOURS else 0

    def first(self) -> list[Outlier]:
        """Return the first few of those that were counted."""
        return self._first if self._prints >= NEIGHBOURS else []

    def _look(self, stop: int) -> None:
        if stop <= self._known:
            return
        price = pl.col("price").cast(pl.Float64)
        told = self._held.with_columns(
            around=price.rolling_median(NEIGHBOURS, center=True, min_samples=NEIGHBOURS // 2)
        )
        apart = (price - pl.col("around")).abs()
        far = (apart > OUTLIER * pl.col("around")) & (apart > OUTLIER_TICKS)
        off = told[self._known : stop].filter(far)
        self._count += len(off)
        self._first += [Outlier(*found) for found in off.head(OUTLIERS_KEPT - len(self._first)).rows()]
        gone = max(0, stop - NEIGHBOURS // 2)
        self._held, self._known = self._held[gone:], stop - gone


class _Skew:
    """Finds the shift of the quotes under which most prints lie at the bid or at the ask, from the first of each."""

    def __init__(self) -> None:
        self._prints = pl.DataFrame(schema={"ts_ns": pl.Int64, "price": pl.Int64})
        self._quotes = pl.DataFrame(schema={"ts_ns": pl.Int64, "bid": pl.Int64, "ask": pl.Int64})
        self._enough = False

    def add(self, rows: pl.DataFrame) -> None:
        if self._enough or not len(rows):
            return
        prints = rows.filter(pl.col("kind") == Kind.TRADE).select("ts_ns", "price")
        quotes = rows.filter(pl.col("kind") == Kind.QUOTE).select("ts_ns", "bid", "ask").drop_nulls()
        self._prints = pl.concat([self._prints, prints]).head(PRINTS_LOOKED_AT)
        self._quotes = pl.concat([self._quotes, quotes])
        last_ns = rows["ts_ns"][-1] - SHIFTS_MS[-1] * 1_000_000  # Prints up to here have all the quotes they need.
        if len(self._quotes) >= QUOTES_LOOKED_AT:
            self._enough = True
            self._prints = self._prints.filter(pl.col("ts_ns") <= last_ns)
        elif len(self._prints) == PRINTS_LOOKED_AT:
            self._enough = self._prints["ts_ns"][-1] <= last_ns

    def found(self) -> int | None:
        """Return the shift in milliseconds, 0 where none does clearly better, None without prints or quotes."""
        if not len(self._prints) or not len(self._quotes):
            return None
        shares = {shift: _share_at_quote(self._prints, self._quotes, shift * 1_000_000) for shift in SHIFTS_MS}
        best = max(SHIFTS_MS, key=lambda shift: (shares[shift], -abs(shift)))
        far = {shift: _share_at_quote(self._prints, self._quotes, shift * 1_000_000) for shift in FAR_SHIFTS_MS}
        farthest = max(FAR_SHIFTS_MS, key=lambda shift: (far[shift], -abs(shift)))
        if far[farthest] - shares[best] > FAR_GAIN:
            return farthest
        return best if shares[best] - shares[0] > SKEW_GAIN else 0


def _share_at_quote(prints: pl.DataFrame, quotes: pl.DataFrame, shift_ns: int) -> float:
    # A print stands against the book before it: a quote of the same instant is what it made of the book. Prints that no
    # quote can meet any more, because the shift has moved all of them to one side, say nothing of it.
    shifted = quotes.with_columns(pl.col("ts_ns") + shift_ns)
    within = pl.col("ts_ns").is_between(shifted["ts_ns"][0], shifted["ts_ns"][-1])
    prints = prints.filter(within) if abs(shift_ns) > SHIFTS_MS[-1] * 1_000_000 else prints
    if len(prints) < FAR_PRINTS < abs(shift_ns):
        return 0.0
    met = prints.join_asof(shifted, on="ts_ns", strategy="backward", allow_exact_matches=False, check_sortedness=False)
    at = (pl.col("price") == pl.col("bid")) | (pl.col("price") == pl.col("ask"))
    return float(met.select(at.fill_null(False).mean()).item())
