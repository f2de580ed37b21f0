"""A made-up tape: a market that never was, the same on every machine, to try things on.

Whole numbers from end to end. Every draw is a slice of the bits of one PCG64 stream (whose bits NumPy promises not to
change) looked up in a table of whole numbers, and every sum is a sum of int64: no float that a processor could round
its own way. A chunk has its own stream, so a longer tape of a seed begins with the shorter one.

What it has: arrivals in bursts; a fair price that wanders and is reflected at the ends of a range; calm, usual and
wild stretches, which set volatility, spread, impact and pace; trades in sweeps, at the touch before them and through
it, which stay on one side for a while. **Trades know better**: the fair price goes on to their side, at once and over
the next half minute, so that whoever they trade with is run over (adverse selection). That is as strong as on a
recorded market. What it has not: depth, a queue that answers to trades, news, or anything that would make money on it
mean anything.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from math import exp, log1p, sqrt
from pathlib import Path
from statistics import NormalDist

import numpy as np
import polars as pl
from numpy import bool_, int64, uint64
from numpy.random import PCG64, SeedSequence
from numpy.typing import NDArray

from bmv.data.files.parquet import readable
from bmv.data.ticks.schema import LAKE, day_path, frames, write_day
from bmv.ports.errors import DataError, UsageError
from bmv.ports.market import Market
from bmv.ports.market_data import Column, Columns
from bmv.ports.messages import Kind

CHUNK_ROWS = 2**18
REGIME_ROWS = 2**13
REVERT_ROWS = 256  # What the fair price overshoots by is taken back after so many rows.
SUBTICKS = 1024  # The fair price moves in these parts of a tick.
DAY_NS = 86_400_000_000_000
YEAR_S = 31_557_600
SOON_NS = (1_500_000_000, 2_500_000_000, 3_500_000_000, 4_500_000_000)  # When the impact comes that follows a trade
LATE_NS = (8_000_000_000, 14_000_000_000, 20_000_000_000, 26_000_000_000)  # within 5 s, and after that within 30 s.
START_NS_MAX = 2**62  # In 2116: a tape that begins before has room for its times in an int64.

#        calm (half the time), usual (three eighths), wild (one eighth)
REGIME = np.array([0, 0, 0, 0, 1, 1, 1, 2])
VIGOUR = np.array([2, 4, 12])  # Quarters of the usual volatility.
FORCE = np.array([3, 4, 6])  # Quarters of the usual impact.
PACE = np.array([6, 4, 1])  # Quarters of the usual time between rows.
WIDTH = np.array([0, 0, 2])  # Ticks added to the spread.
SPREAD = np.repeat(np.array([0, 1, 2, 3]), [150, 70, 26, 10])  # Ticks added to the smallest spread; 256 of them.

SOL_USDC = Market("SOL/USDC", Decimal("0.01"), Decimal("0.001"))


@dataclass(frozen=True, slots=True)
class Shape:
    """What the made-up market is like; shares are fractions, 0 to 1.

    The defaults are those that `bmv.data.ticks.synth.fit.fit` finds for a recorded perpetual of SOL on a busy venue,
    rounded: its pace, spread, sweeps, volatility, and its impact.

    Args:
        price: Where the fair price begins, in quote per base.
        range_share: The fair price stays within this share of `price` around it (before overshooting).
        volatility: Of the fair price over a year in usual times, as a fraction, without what trades move.
        mean_gap_ms: Mean time between two rows in usual times.
        burst_share: Rows, but for those of a sweep, that follow the one before within 0.1 ms.
        trade_share: Rows that are trades; the others are quotes.
        sweep_share: Trades that are of one sweep with the trade before: at its instant, on its side.
        informed_share: Trades on the side to which the fair price has moved since the last quote.
        turn_share: Chance of a change of the side on which the other trades are, at every row that begins no sweep.
        through_share: Trades that print further out than the touch, or than their sweep so far.
        through_bps: How much further, of the price, on average; one step or two of at least a tick.
        spread_bps: The smallest spread, of the price; at least a tick.
        widened_share: Quotes to whose smallest spread the ticks of `SPREAD` and `WIDTH` are added.
        size: Median size shown at the touch, in base.
        taken_share: Median size of a trade, as a share of `size`.
        overshoot_share: Of each move of the fair price, taken back after `REVERT_ROWS` rows.
        impact_bps: Move of the fair price with each trade, to the side on which the uninformed are trading.
        soon_bps: What follows of it after 1 s and until 5 s.
        late_bps: What follows after 5 s and until 30 s; below 0 the price turns back.
    """

    price: Decimal = Decimal(200)
    range_share: float = 0.3
    volatility: float = 0.29
    mean_gap_ms: float = 90.0
    burst_share: float = 0.13
    trade_share: float = 0.36
    sweep_share: float = 0.64
    informed_share: float = 0.0
    turn_share: float = 0.28
    through_share: float = 0.1
    through_bps: float = 2.2
    spread_bps: float = 0.5
    widened_share: float = 0.18
    size: Decimal = Decimal(650)
    taken_share: float = 0.0074
    overshoot_share: float = 0.0
    impact_bps: float = 0.3
    soon_bps: float = 0.1
    late_bps: float = 0.0


# Kinder than any recorded market: prices turn back, few trades know better. For tests and to time things.
BENIGN = Shape(
    volatility=0.7,
    mean_gap_ms=100.0,
    burst_share=0.4,
    trade_share=0.3,
    sweep_share=0.0,
    informed_share=0.25,
    turn_share=0.3,
    through_share=0.04,
    through_bps=0.0,
    spread_bps=1.0,
    widened_share=1.0,
    size=Decimal(5),
    taken_share=0.25,
    overshoot_share=0.5,
    impact_bps=0.0,
    soon_bps=0.0,
)
# Made after no record: its impact is as much as it takes to leave a maker nothing of so wide a spread.
THIN = Shape(
    mean_gap_ms=4_000.0,
    burst_share=0.2,
    trade_share=0.1,
    turn_share=0.4,
    through_bps=10.0,
    spread_bps=30.0,
    size=Decimal(50),
    impact_bps=4.0,
    soon_bps=1.0,
)


def synth(
    out_dir: str | Path,
    seed: int = 1,
    rows: int = 200_000,
    start: date = date(2025, 9, 3),
    market: Market = SOL_USDC,
    venue: str = "synthetic",
    shape: Shape | None = None,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write a made-up tape of `rows` rows from midnight UTC of `start` as a lake below `out_dir`; return its files.

    Without `overwrite`, a day that is there already and is not the one that would be made is a `UsageError`, and
    nothing is written. The same tape made twice is no conflict. `progress` is told how many rows more were written.
    """
    source = {"bmv.venue": venue, "bmv.source": f"synthetic, seed {seed}"}
    midnight = datetime(start.year, start.month, start.day, tzinfo=UTC)

    def days() -> Iterator[tuple[Path, Iterator[Columns]]]:
        tape = chunks(seed, rows, int(midnight.timestamp()) * 10**9, market, shape or Shape())
        parts = (part for chunk in tape for part in _split_days(chunk))
        for day, of_day in groupby(parts, lambda part: int(part.ts_ns[0]) // DAY_NS):
            yield day_path(Path(out_dir), venue, market.symbol, _date(day)), of_day

    if not overwrite and day_path(Path(out_dir), venue, market.symbol, start).parent.exists():
        _refuse_others(days(), market)
    return [write_day(path, _passing(parts, progress), market, source) for path, parts in days()]


def _passing(parts: Iterable[Columns], progress: Callable[[int], None] | None) -> Iterator[Columns]:
    for part in parts:
        yield part
        if progress:
            progress(len(part.ts_ns))


def _refuse_others(days: Iterable[tuple[Path, Iterable[Columns]]], market: Market) -> None:
    """Raise `UsageError` where a day is there that is not the one to be made; made once more to be compared."""
    for path, parts in days:
        if path.exists() and not _is_made_of(path, parts, market):
            raise UsageError(f"{path}: exists and holds another tape; --overwrite replaces it")


def _is_made_of(path: Path, parts: Iterable[Columns], market: Market) -> bool:
    steps = {"bmv.symbol": market.symbol, "bmv.tick_size": str(market.tick_size), "bmv.lot_size": str(market.lot_size)}
    try:
        with readable(path):
            words: Mapping[str, str] = pl.read_parquet_metadata(path)
            there = pl.scan_parquet(path, glob=False)
            rows = there.select(pl.len()).collect().item()
            if any(words.get(key) != told for key, told in steps.items()):
                return False
            seen = 0
            for part in frames(parts):
                if not there.select(list(LAKE)).slice(seen, len(part)).collect().equals(part):
                    return False
                seen += len(part)
    except DataError:  # Whatever it is, it is nothing of ours.
        return False
    return bool(seen == rows)


def chunks(seed: int, rows: int, start_ns: int, market: Market, shape: Shape) -> Iterator[Columns]:
    """Yield the made-up rows, `CHUNK_ROWS` at a time, the first one after `start_ns`; the tape opens with a quote."""
    if rows < 1 or seed < 0:
        raise UsageError(f"a made-up tape needs at least one row and a seed of 0 or more, not {rows} rows, seed {seed}")
    if not 0 <= start_ns <= START_NS_MAX:
        raise UsageError(f"start of a made-up tape: {start_ns} ns; expected a time from 1970 on, before 2116")
    made_up = MadeUpMarket(start_ns, market, shape)
    for index, done in enumerate(range(0, rows, CHUNK_ROWS)):
        random = PCG64(SeedSequence([seed, index]))
        regimes = REGIME[bits(random.random_raw(CHUNK_ROWS // REGIME_ROWS), 0, 3)].repeat(REGIME_ROWS)
        bits_a, bits_b, bits_c = (random.random_raw(CHUNK_ROWS)[: rows - done].astype(uint64) for _ in range(3))
        yield made_up.make(bits_a, bits_b, bits_c, regimes[: rows - done])


class MadeUpMarket:
    """The made-up market at work: the tables of its `shape`, and what one chunk leaves to the next."""

    def __init__(self, start_ns: int, market: Market, shape: Shape) -> None:
        price, lots = int(shape.price / market.tick_size), int(shape.size / market.lot_size)
        if not 100 <= price <= 2**32 or not 4 <= lots <= 2**28:
            raise UsageError(f"price of {price} ticks and size of {lots} lots: give 100 to 2**32 and 4 to 2**28")
        traded = lots * shape.taken_share
        swept = shape.trade_share * shape.sweep_share
        gap_ns = shape.mean_gap_ms * 1e6 / (1 - shape.burst_share) / (1 - swept)
        step = price * SUBTICKS * shape.volatility * sqrt(shape.mean_gap_ms / 1e3 / YEAR_S)
        normal = NormalDist().inv_cdf
        self.shape = shape
        self.price = price * SUBTICKS
        self.range = int(price * SUBTICKS * shape.range_share)
        self.spread = max(1, round(price * shape.spread_bps / 1e4))
        self.step = max(1, round(price * shape.through_bps / 1.5e4))  # Ticks.
        self.gaps = quantiles(lambda share: -log1p(-share) * gap_ns)
        self.moves = quantiles(lambda share: normal(share) * step)
        self.shown = quantiles(lambda share: max(1.0, exp(normal(share)) * lots))
        self.traded = quantiles(lambda share: max(1.0, exp(1.2 * normal(share)) * traded))
        self.starts = (shape.trade_share - swept) / (1 - swept)  # Chance of a trade that is of no sweep before it.
        self.overshoot = round(shape.overshoot_share * 1024)
        per_bps = price * SUBTICKS / 1e4
        self.impact, self.soon, self.late = (
            round(bps * per_bps / parts)  # Of a quarter of the usual force, and of one of the delays.
            for bps, parts in ((shape.impact_bps, 4), (shape.soon_bps, 16), (shape.late_bps, 16))
        )
        self.now_ns = start_ns
        self.past_ns = np.array([-(2**62)])  # Times of the last half minute, and
        self.flow = np.zeros(1, int64)  # what was bought less what was sold until then: trades by their force.
        self.walk = np.zeros(REVERT_ROWS, int64)  # The last of the walk, in subticks from the start.
        self.turns = 0  # Changes of side so far.
        self.quote: tuple[int, int] | None = None  # Bid and ask, ticks.

    def make(
        self, bits_a: NDArray[uint64], bits_b: NDArray[uint64], bits_c: NDArray[uint64], regimes: Column
    ) -> Columns:
        """Make one chunk of three words of random bits and a regime (0 to 2) a row, each `(n,)`."""
        trades, swept = self._trades(bits_a, bits_c)
        ts_ns = self._times(bits_a, regimes, swept)
        series = self._series(bits_a, swept)
        fair = self._fair(bits_b, regimes, ts_ns, series * trades * FORCE[regimes])
        widened = _chance(bits_b, 56, self.shape.widened_share, 8)
        spread = self.spread + (SPREAD[bits(bits_b, 12, 8)] + WIDTH[regimes]) * widened
        bid = (fair - (spread - 1) * (SUBTICKS // 2)) // SUBTICKS  # Rounded to the nearest tick.
        ask = bid + spread
        bid_before, ask_before = self._touch(trades, bid, ask)
        side = self._sides(bits_a, series, 2 * fair - (bid_before + ask_before) * SUBTICKS, swept)
        price = np.where(side > 0, ask_before, bid_before) + side * self._reach(bits_a, swept)
        return Columns(
            ts_ns=ts_ns,
            kind=np.where(trades, int64(Kind.TRADE), int64(Kind.QUOTE)),
            side=side * trades,
            price=price * trades,
            size=self.traded[bits(bits_b, 44, 12)] * trades,
            bid=bid * ~trades,
            bid_size=self.shown[bits(bits_b, 20, 12)] * ~trades,
            ask=ask * ~trades,
            ask_size=self.shown[bits(bits_b, 32, 12)] * ~trades,
        )

    def _trades(self, bits_a: NDArray[uint64], bits_c: NDArray[uint64]) -> tuple[NDArray[bool_], NDArray[bool_]]:
        """Return which rows are trades, and which of those go on with the sweep of the row before."""
        trades = _chance(bits_a, 20, self.starts)
        trades[0] &= self.quote is not None
        goes_on = _chance(bits_c, 0, self.shape.sweep_share)
        goes_on[0] = False
        # A row that goes on is what the row before is; so each is what the last one is that does not.
        trades = trades[_last(~goes_on | trades)]
        swept = goes_on & np.concatenate([trades[:1], trades[:-1]])
        return trades, swept

    def _times(self, bits_a: NDArray[uint64], regimes: Column, swept: NDArray[bool_]) -> Column:
        draw = bits(bits_a, 0, 12)
        burst = np.maximum(draw - 128, 0) * 25  # Up to 0.1 ms; one in 32 of them at the same instant.
        gaps = np.where(_chance(bits_a, 12, self.shape.burst_share, 8), burst, self.gaps[draw] * PACE[regimes] // 4)
        ts_ns: Column = self.now_ns + np.cumsum(gaps * ~swept)
        self.now_ns = int(ts_ns[-1])
        return ts_ns

    def _fair(self, bits_b: NDArray[uint64], regimes: Column, ts_ns: Column, pushes: Column) -> Column:
        """Return the fair price in subticks: a walk with what trades move, and what it overshoots by for a while."""
        moves = self.moves[bits(bits_b, 0, 12)] * VIGOUR[regimes] // 4 + pushes * self.impact
        walk = np.concatenate([self.walk, self.walk[-1] + np.cumsum(moves)])
        self.walk = walk[-REVERT_ROWS:]
        late, soon = walk[REVERT_ROWS:], walk[:-REVERT_ROWS]
        followed = late + self._aftermath(ts_ns, pushes)
        fair: Column = self.price + _reflect(followed, self.range) + (late - soon) * self.overshoot // 1024
        return np.maximum(fair, self.price // 4)

    def _aftermath(self, ts_ns: Column, pushes: Column) -> Column:
        """Return what all trades until now have moved the fair price by, in subticks, but for what they did at once."""
        times = np.concatenate([self.past_ns, ts_ns])
        flow = np.concatenate([self.flow, self.flow[-1] + np.cumsum(pushes)])
        moved = np.zeros(len(ts_ns), int64)
        for part, delays in ((self.soon, SOON_NS), (self.late, LATE_NS)):
            if part:
                moved += part * sum(flow[np.searchsorted(times, ts_ns - delay, "right") - 1] for delay in delays)
        kept = int(np.searchsorted(times, ts_ns[-1] - max(LATE_NS), "right")) - 1
        self.past_ns, self.flow = times[kept:], flow[kept:]
        return moved

    def _touch(self, trades: NDArray[bool_], bid: Column, ask: Column) -> tuple[Column, Column]:
        """Return bid and ask before each row."""
        first = self.quote or (int(bid[0]), int(ask[0]))
        last = np.maximum.accumulate(np.where(trades, 0, np.arange(1, len(trades) + 1)))
        bids, asks = np.concatenate([first[:1], bid])[last], np.concatenate([first[1:], ask])[last]
        self.quote = int(bids[-1]), int(asks[-1])
        return bids, asks

    def _reach(self, bits_a: NDArray[uint64], swept: NDArray[bool_]) -> Column:
        """Return how many ticks beyond the touch each trade prints: a sweep goes further out, never back."""
        steps = _chance(bits_a, 50, self.shape.through_share) * (1 + bits(bits_a, 60, 1)) * self.step
        reached = np.cumsum(steps)
        reach: Column = reached - (reached - steps)[_last(~swept)]
        return reach

    def _series(self, bits_a: NDArray[uint64], swept: NDArray[bool_]) -> Column:
        """Return the side on which the uninformed trade, row by row: they run in series, and a sweep is on one side."""
        turns = self.turns + np.cumsum(_chance(bits_a, 30, self.shape.turn_share) & ~swept)
        self.turns = int(turns[-1])
        return 1 - 2 * (turns & 1)

    def _sides(self, bits_a: NDArray[uint64], series: Column, edge: Column, swept: NDArray[bool_]) -> Column:
        """Return aggressors: the informed go where the fair price has gone, the others where their series is."""
        informed = _chance(bits_a, 40, self.shape.informed_share) & (edge != 0)
        sides: Column = np.where(informed, np.sign(edge), series)
        return sides[_last(~swept)]


def _split_days(chunk: Columns) -> Iterator[Columns]:
    days = chunk.ts_ns // DAY_NS
    ends = [*(np.flatnonzero(np.diff(days)) + 1).tolist(), len(days)]
    for start, end in zip([0, *ends], ends, strict=False):
        yield Columns(*(column[start:end] for column in chunk))


def _date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)


def bits(words: NDArray[uint64], shift: int, width: int) -> Column:
    """Return `width` bits of each word as a whole number."""
    return ((words >> uint64(shift)) & uint64(2**width - 1)).astype(int64)


def _chance(words: NDArray[uint64], shift: int, share: float, width: int = 10) -> NDArray[bool_]:
    """True for `share` of the words (to 1 in `2**width`), decided by the bits from `shift` on."""
    chosen: NDArray[bool_] = bits(words, shift, width) < round(share * 2**width)
    return chosen


def _last(marked: NDArray[bool_]) -> Column:
    """Return the place of the last marked row at or before each; the first counts as marked."""
    last: Column = np.maximum.accumulate(np.where(marked, np.arange(len(marked)), 0))
    return last


def quantiles(quantile: Callable[[float], float], count: int = 4096) -> Column:
    """Return `count` values of a distribution, each as likely as another, rounded to whole numbers."""
    return np.array([round(quantile((index + 0.5) / count)) for index in range(count)], int64)


def _reflect(walk: Column, wall: int) -> Column:
    """Fold a walk into `[-wall, wall]`, as a ball between two walls."""
    return wall - np.abs((walk + wall) % (4 * wall) - 2 * wall)
