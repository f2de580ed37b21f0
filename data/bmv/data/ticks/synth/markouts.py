"""How hard a record is on a maker: what prints are worth to those whom they met, and how sure that is.

Of each print: `s · (m(t + h) − p) / p` in bps, with `s` the side of who was in the book (1 where the aggressor sold),
`p` the price of the print and `m` the mid, `h` seconds later. A run's own statistics measure the same of its fills, but
divide by the mid before the fill: a record need have no quote before a print. Every print counts the same, whatever its
size; one whose `h` seconds reach beyond the record, or into a hole of it, does not count.

How far such a mean strays by chance is told by resampling blocks of the record, since prints of one moment are no
independent ones. See Künsch, The Jackknife and the Bootstrap for General Stationary Observations, Annals of Statistics
17 (1989).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.random import PCG64, Generator
from numpy.typing import NDArray

from bmv.data.ticks.quality import GAP_NS
from bmv.ports.market_data import Column
from bmv.ports.messages import Kind

HORIZONS_S = (1, 5, 30)
SECOND_NS = 1_000_000_000
BLOCK_NS = max(HORIZONS_S) * SECOND_NS  # A block is at least as long as the longest horizon,
BLOCKS_MAX = 1_000  # and longer where there would be more than so many.
DRAWS = 1_000
LEVEL = 0.95

Reals = NDArray[np.float64]


class Holes(NamedTuple):
    """Stretches without a row, in order: the last row before each, and the first after it."""

    starts_ns: Column
    ends_ns: Column

    def meet(self, from_ns: Column, until_ns: Column) -> NDArray[np.bool_]:
        """Say of each stretch, end excluded, whether a hole lies in it, wholly or partly."""
        ended, begun = np.searchsorted(self.ends_ns, from_ns, "right"), np.searchsorted(self.starts_ns, until_ns)
        met: NDArray[np.bool_] = ended < begun
        return met


class Band(NamedTuple):
    """Between which values a mean lies 95 times in 100."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Markouts:
    """Markouts of a record's prints, in bps, summed block by block of its time.

    Args:
        sums: Of the markouts, `(blocks, horizons)`.
        counts: Of the prints that have one, `(blocks, horizons)`.
        block_ns: How long a block is.
    """

    sums: Reals
    counts: Reals
    block_ns: int

    def means(self) -> list[float | None]:
        """Return the mean of each horizon; None where no print has a mid so late."""
        return [float(sums / n) if n else None for sums, n in zip(self.sums.sum(0), self.counts.sum(0), strict=True)]

    def bands(self, span_ns: int) -> list[Band | None]:
        """Return where another stretch of the same market, `span_ns` long, would have its means 95 times in 100.

        What the record itself does not know of its market is in it, and what so short a stretch strays by. None where
        no draw has a mean, as where prints with a mid so late lie in one block of a thousand.
        """
        if not len(self.sums):
            return [None for _ in HORIZONS_S]
        random = Generator(PCG64(1))
        known = self._resampled(random, len(self.sums))
        strays = self._resampled(random, max(1, min(10 * len(self.sums), round(span_ns / self.block_ns))))
        tails = (100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2)
        bands: list[Band | None] = []
        for at, mean in enumerate(self.means()):
            drawn = known[:, at] + strays[:, at] - (mean or 0.0)
            drawn = drawn[np.isfinite(drawn)]
            bands.append(None if mean is None or not len(drawn) else Band(*np.percentile(drawn, tails).tolist()))
        return bands

    def _resampled(self, random: Generator, blocks: int) -> Reals:
        """Return the means of `DRAWS` records of as many blocks, drawn from ours: `(DRAWS, horizons)`."""
        means = np.empty((DRAWS, len(HORIZONS_S)))
        for draw in range(DRAWS):
            chosen = random.integers(0, len(self.sums), blocks)
            with np.errstate(invalid="ignore", divide="ignore"):
                means[draw] = self.sums[chosen].sum(0) / self.counts[chosen].sum(0)
        return means


def markouts(rows: pl.DataFrame) -> Markouts:
    """Measure rows in the lake's form, in order of time."""
    times, trades, quotes = rows["ts_ns"].to_numpy(), sided_trades(rows), two_sided_quotes(rows)
    block_ns = max(BLOCK_NS, int(times[-1] - times[0]) // BLOCKS_MAX)
    blocks, place = np.unique(trades["ts_ns"].to_numpy() // block_ns, return_inverse=True)
    sums, counts = np.zeros((len(blocks), len(HORIZONS_S))), np.zeros((len(blocks), len(HORIZONS_S)))
    if len(quotes):
        for at, horizon_s in enumerate(HORIZONS_S):
            worth = _markout(trades, quotes, horizon_s * SECOND_NS, holes(times))
            there = np.isfinite(worth)
            sums[:, at] = np.bincount(place[there], worth[there], len(blocks))
            counts[:, at] = np.bincount(place[there], minlength=len(blocks))
    return Markouts(sums, counts, block_ns)


def earned_at_once(rows: pl.DataFrame) -> float:
    """Return what prints are worth against the mid before them, in bps, each as much as another."""
    earned = -pl.col("side") * ((pl.col("bid") + pl.col("ask")) / 2 / pl.col("price") - 1) * 1e4
    return float(sided_trades(rows).select(earned.mean()).item())


def _markout(trades: pl.DataFrame, quotes: pl.DataFrame, horizon_ns: int, gaps: Holes) -> Reals:
    """Return what each print was worth to whom it met, in bps; NaN where the record does not tell."""
    price, side = trades["price"].to_numpy(), trades["side"].to_numpy()
    now_ns = trades["ts_ns"].to_numpy()
    then_ns, quoted_ns = now_ns + horizon_ns, quotes["ts_ns"].to_numpy()
    place = np.searchsorted(quoted_ns, then_ns, "right") - 1
    unknown = (place < 0) | (then_ns > quoted_ns[-1])
    unknown |= gaps.meet(now_ns, then_ns)
    worth: Reals = -side * (quotes["mid"].to_numpy()[place] - price) / price * 1e4
    return np.where(unknown, np.nan, worth)


def holes(times: Column) -> Holes:
    """Return the holes of a record: longer than a minute, and than a hundred of its mean steps."""
    steps = np.diff(times)
    wide = np.flatnonzero(steps > max(GAP_NS, 100 * steps.mean()))
    return Holes(times[wide], times[wide + 1])


def two_sided_quotes(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the quotes that are neither locked nor crossed nor of one side, with their mid, all in ticks."""
    quotes = rows.filter((pl.col("kind") == Kind.QUOTE) & (pl.col("bid") < pl.col("ask")))
    return quotes.select("ts_ns", "bid", "ask", mid=(pl.col("bid") + pl.col("ask")) / 2)


def sided_trades(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the trades with the quote before them and their side: as recorded, else that of the mid it is beyond."""
    trades = rows.with_columns(
        pl.when(pl.col("kind") == Kind.QUOTE).then(pl.col(name)).forward_fill().alias(name) for name in ("bid", "ask")
    ).filter(pl.col("kind") == Kind.TRADE)
    beyond = (2 * pl.col("price") - pl.col("bid") - pl.col("ask")).sign()
    side = pl.when(pl.col("side").fill_null(0) != 0).then(pl.col("side")).otherwise(beyond)
    return trades.select("ts_ns", "price", "bid", "ask", side=side).filter(pl.col("side").fill_null(0) != 0)
