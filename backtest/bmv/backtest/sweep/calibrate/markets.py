"""Made-up markets of which it is known whether there is anything to be earned: to try a verdict on.

Whole numbers from end to end, as in :mod:`bmv.data.ticks.synth.synth`: every draw is a slice of the bits of one PCG64
stream looked up in a table of whole numbers, every sum is a sum of int64. So a seed is the same tape on every machine.

*Fair*: the mid is a martingale in whole ticks, in calm and wild stretches. The spread is two ticks, always. Prints come
at the touch, on the side that a coin tells which knows nothing of the mid, before or after. So whoever rests in the
book trades at most one tick better than the mid, and worse than that where the market has come to meet him; where the
mid goes from there nothing tells that anybody could have seen. At a fee of more than a tick every set of whatever
parameters loses a little with each trade, and what one earns in the end was the luck of what it held.

*With an edge*: the same walk, but each move overshoots by three quarters, which are taken back half a minute later.
Whoever buys below a mean of late prices and sells above it earns some of that, two or three basis points of what he
turns over at the right distance, while the walk beneath lets one in four stretches of four minutes end in a loss.

*With a trend*: either of them, and to all its prices a drift is added: along a straight line, up or down by 6 % or 10 %
in all, or as steeply, but in four stretches of equal length, each of which goes up or down as a coin tells. Who quotes
earns nothing by it that he would not have earned by holding; where it turns he loses by what he has bought in a fall.

What they have not: depth, traders who know better, a book that answers to us.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from math import exp, log1p
from pathlib import Path
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy import bool_, int64, uint64
from numpy.random import PCG64, SeedSequence
from numpy.typing import NDArray

from bmv.data.ticks.schema import day_path, write_day
from bmv.data.ticks.synth.synth import bits, quantiles
from bmv.ports.market import Market
from bmv.ports.market_data import Column, Columns
from bmv.ports.messages import Kind

Nature = Literal["fair", "edge"]
NATURES: tuple[Nature, ...] = ("fair", "edge")
Trend = Literal["none", "up6", "down6", "up10", "down10", "turns6", "turns10"]  # Percent of the price.
TRENDS: tuple[Trend, ...] = ("none", "up6", "down6", "up10", "down10", "turns6", "turns10")
TURNS = 4  # Stretches of a trend that turns; the last one is what a sweep holds out.
TURNS_SEED = 77  # Beside the seed of the market: its coins are no other draws of it.

MARKET = Market("MADE/UP", Decimal("0.01"), Decimal("0.001"))
START = date(2025, 9, 3)
PRICE = 20_000  # Ticks: 200, of which a tick is half a basis point.
HALF_SPREAD = 1  # Ticks.
FEE_BPS = Decimal("0.6")  # More than the half spread, as long as the price does not fall by a sixth.

MEAN_GAP_MS = 400.0  # Between two rows.
ROWS_MAX = 200_000  # Of a day, which has 216,000 such gaps.
TRADE_SHARE = 0.4  # Rows that are trades; the others are quotes.
STRETCH_ROWS = 2**12
STRETCHES = np.array([0, 0, 0, 1, 1, 1, 1, 2])  # Calm, usual and wild ones, by three bits.
VIGOUR = (0.5, 0.9, 2.0)  # Standard deviation of the walk's move with a quote, ticks, before it is rounded.
SHOWN = (4_000.0, 0.7)  # Size at the touch: median in lots, and standard deviation of its logarithm.
TRADED = (2_000.0, 1.0)

ECHO_ROWS = 96  # An overshoot is taken back after so many rows,
ECHO = (3, 4)  # and is so much of the move that made it: a numerator and a denominator.


def write(lake: Path, nature: Nature, seed: int, rows: int = ROWS_MAX, trend: Trend = "none") -> Path:
    """Write a made-up market as a day of `lake`, from midnight on; return its file."""
    midnight = datetime(START.year, START.month, START.day, tzinfo=UTC)
    columns = made_up(nature, seed, rows, int(midnight.timestamp()) * 10**9, trend)
    drifting = "" if trend == "none" else f", {trend}"
    source = {"bmv.venue": nature, "bmv.source": f"synthetic, {nature}, seed {seed}{drifting}"}
    return write_day(day_path(lake, nature, MARKET.symbol, START), columns, MARKET, source)


def made_up(nature: Nature, seed: int, rows: int, start_ns: int, trend: Trend = "none") -> Columns:
    """Return up to `ROWS_MAX` rows of a made-up market; it opens with a quote, after `start_ns`."""
    assert 0 < rows <= ROWS_MAX, f"{rows} rows do not fit into a day"
    random = PCG64(SeedSequence([seed, NATURES.index(nature)]))
    stretches = STRETCHES[bits(random.random_raw(-(-rows // STRETCH_ROWS)), 0, 3)].repeat(STRETCH_ROWS)[:rows]
    one, other, moves = (random.random_raw(rows) for _ in range(3))
    trades: NDArray[bool_] = bits(one, 12, 10) < round(TRADE_SHARE * 2**10)
    trades[0] = False
    side = 1 - 2 * bits(one, 22, 1)
    last_quote = np.maximum.accumulate(np.where(trades, 0, np.arange(rows)))
    mid = mids(nature, moves, trades, stretches) + drift(trend, seed, rows)[last_quote]
    shown, traded = quantiles(partial(_size, *SHOWN)), quantiles(partial(_size, *TRADED))
    return Columns(
        ts_ns=start_ns + np.cumsum(quantiles(_gap_ns)[bits(one, 0, 12)]),
        kind=np.where(trades, int64(Kind.TRADE), int64(Kind.QUOTE)),
        side=side * trades,
        price=(mid + side * HALF_SPREAD) * trades,
        size=traded[bits(other, 0, 12)] * trades,
        bid=(mid - HALF_SPREAD) * ~trades,
        bid_size=shown[bits(other, 12, 12)] * ~trades,
        ask=(mid + HALF_SPREAD) * ~trades,
        ask_size=shown[bits(other, 24, 12)] * ~trades,
    )


def mids(nature: Nature, draws: NDArray[uint64], trades: NDArray[bool_], stretches: Column) -> Column:
    """Return the mid after each row, ticks; only quotes move it."""
    steps = np.stack([quantiles(partial(_normal, deviation)) for deviation in VIGOUR])
    walk = np.cumsum(steps[stretches, bits(draws, 0, 12)] * ~trades)
    if nature == "fair":
        return PRICE + walk
    before = np.concatenate([np.zeros(ECHO_ROWS, int64), walk])[: len(walk)]
    part, whole = ECHO
    echoing = PRICE + walk + (walk - before) * part // whole
    last_quote = np.maximum.accumulate(np.where(trades, 0, np.arange(len(walk))))
    mid: Column = echoing[last_quote]
    return mid


def drift(trend: Trend, seed: int, rows: int) -> Column:
    """Return what a trend adds to the mid at each row, ticks."""
    row = np.arange(rows)
    percent = int("".join(filter(str.isdigit, trend)) or 0)
    ways = np.full(TURNS, -1 if trend.startswith("down") else 1)
    if trend.startswith("turns"):
        ways = 2 * bits(PCG64(SeedSequence([seed, TURNS_SEED])).random_raw(TURNS), 0, 1) - 1
    stretch = row * TURNS // rows
    before = np.concatenate([[0], np.cumsum(ways)])[stretch]
    along = before * rows + ways[stretch] * (row * TURNS - stretch * rows)
    found: Column = PRICE * percent * along // (100 * TURNS * rows)
    return found


def _normal(deviation: float, share: float) -> float:
    return NormalDist().inv_cdf(share) * deviation


def _size(median: float, deviation: float, share: float) -> float:
    return max(1.0, exp(_normal(deviation, share)) * median)


def _gap_ns(share: float) -> float:
    return -log1p(-share) * MEAN_GAP_MS * 1e6
