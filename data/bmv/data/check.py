"""What a trader should know of a record before believing it: holes, impossible books, prints that fit no quote.

Nothing is judged that the reading of a tape judges (see :mod:`bmv.data.quality`); this looks at rows that are good one
by one, and asks whether they make sense together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from bmv.data.quality import GAP_NS, GAPS_KEPT, Gap
from bmv.data.schema import LAKE
from bmv.ports.messages import Kind

OUTLIER = 0.02  # A print this share away from the median of those around it,
NEIGHBOURS = 101  # which are so many, itself included.
SHIFTS_MS = (-500, -100, -50, -20, -10, -5, -1, 0, 1, 5, 10, 20, 50, 100, 500)
SKEW_GAIN = 0.02  # A shift is believed when so many more of the prints then lie at the quote.
PRINTS_LOOKED_AT = 200_000

_KIND, _BOTH = pl.col("kind"), (pl.col("bid") > 0) & (pl.col("ask") > 0)
# What is counted of rows in the lake's form, wherever it is.
COUNTS = {
    "trades": (_KIND == Kind.TRADE).sum(),
    "quotes": (_KIND == Kind.QUOTE).sum(),
    "depths": (_KIND == Kind.DEPTH).sum(),
    "crossed": (_BOTH & (pl.col("bid") > pl.col("ask"))).sum(),
    "locked": (_BOTH & (pl.col("bid") == pl.col("ask"))).sum(),
    "unsided": ((_KIND == Kind.TRADE) & (pl.col("side").fill_null(0) == 0)).sum(),
}


@dataclass(frozen=True, slots=True)
class Findings:
    """Counts over the rows of one record; times in nanoseconds UTC.

    Args:
        duplicates: Rows that equal an earlier one of the same time in every column.
        outside: Prints above the ask or below the bid of the quote before.
        wrong_side: Prints with a recorded aggressor that bought at the bid or below, or sold at the ask or above.
        outliers: Prints more than 2 % from the median of the hundred around them.
        skew_ms: By how much later the quotes should be taken for prints to lie at them most often; 0 when no shift
            does clearly better, None when there are no prints or no quotes.
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
    outside: int
    wrong_side: int
    outliers: int
    skew_ms: int | None
    gap_count: int
    gaps: Sequence[Gap]

    def as_dict(self) -> dict[str, Any]:  # Any: it is JSON.
        """Return the findings as JSON-able values."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return {**told, "gaps": [gap._asdict() for gap in self.gaps]}


def checked(rows: pl.DataFrame) -> Findings:
    """Look at rows in the lake's form, in order of time; there must be some."""
    kind = pl.col("kind")
    unsized = (
        pl.any_horizontal(pl.col(name).is_not_null() & pl.col(f"{name}_size").is_null() for name in ("bid", "ask"))
    ).sum()
    counts = rows.select(unsized=unsized, **COUNTS).row(0, named=True)
    gaps = gaps_in(rows.lazy())
    prints = rows.filter(kind == Kind.TRADE).select("ts_ns", "side", "price")
    quotes = rows.filter(kind == Kind.QUOTE).select("ts_ns", "bid", "ask").drop_nulls()
    outside, wrong_side = _against_quotes(rows)
    return Findings(
        rows=len(rows),
        first_ns=rows["ts_ns"][0],
        last_ns=rows["ts_ns"][-1],
        duplicates=len(rows) - rows.select(pl.struct(list(LAKE)).n_unique()).item(),
        outside=outside,
        wrong_side=wrong_side,
        outliers=_outliers(prints),
        skew_ms=_skew(prints, quotes),
        gap_count=len(gaps),
        gaps=sorted(gaps, key=lambda gap: (-gap.length_ns, gap.from_ns))[:GAPS_KEPT],
        **counts,
    )


def gaps_in(rows: pl.LazyFrame) -> list[Gap]:
    """Return the holes between two rows that are longer than `GAP_NS`, in order."""
    steps = rows.select(from_ns=pl.col("ts_ns").shift(1), to_ns="ts_ns")
    return [Gap(*hole) for hole in steps.filter(pl.col("to_ns") - pl.col("from_ns") > GAP_NS).collect().rows()]


def _against_quotes(rows: pl.DataFrame) -> tuple[int, int]:
    """Count prints outside the quote that stood before them in the record, and those on its wrong side."""
    told = rows.with_columns(
        pl.when(pl.col("kind") == Kind.QUOTE).then(pl.col(name)).forward_fill().alias(name) for name in ("bid", "ask")
    ).filter(pl.col("kind") == Kind.TRADE)
    above, below = pl.col("price") > pl.col("ask"), pl.col("price") < pl.col("bid")
    wrong = ((pl.col("side") > 0) & (pl.col("price") <= pl.col("bid"))) | (
        (pl.col("side") < 0) & (pl.col("price") >= pl.col("ask"))
    )
    fair = pl.col("bid") < pl.col("ask")
    counts = told.select((above | below).sum().alias("outside"), (fair & wrong).sum().alias("wrong")).row(0)
    return int(counts[0] or 0), int(counts[1] or 0)


def _outliers(prints: pl.DataFrame) -> int:
    if len(prints) < NEIGHBOURS:
        return 0
    price = pl.col("price").cast(pl.Float64)
    around = price.rolling_median(NEIGHBOURS, center=True, min_samples=NEIGHBOURS // 2)
    return int(prints.select(((price / around - 1).abs() > OUTLIER).sum()).item())


def _skew(prints: pl.DataFrame, quotes: pl.DataFrame) -> int | None:
    """Find the shift of the quotes under which most prints lie at the bid or at the ask."""
    if not len(prints) or not len(quotes):
        return None
    some = prints.head(PRINTS_LOOKED_AT)
    shares = {shift: _share_at_quote(some, quotes, shift * 1_000_000) for shift in SHIFTS_MS}
    best = max(SHIFTS_MS, key=lambda shift: (shares[shift], -abs(shift)))
    return best if shares[best] - shares[0] > SKEW_GAIN else 0


def _share_at_quote(prints: pl.DataFrame, quotes: pl.DataFrame, shift_ns: int) -> float:
    # A print stands against the book before it: a quote of the same instant is what it made of the book.
    shifted = quotes.with_columns(pl.col("ts_ns") + shift_ns)
    met = prints.join_asof(shifted, on="ts_ns", strategy="backward", allow_exact_matches=False, check_sortedness=False)
    at = (pl.col("price") == pl.col("bid")) | (pl.col("price") == pl.col("ask"))
    return float(met.select(at.fill_null(False).mean()).item())
