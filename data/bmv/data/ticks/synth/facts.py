"""What a record is like in a dozen numbers.

The facts are those that a grid lives from: how rows cluster, how wide the book is, how far and how steadily the price
goes, how trades follow one another and what they do to the price. See Cont, Empirical properties of asset returns:
stylized facts and statistical issues, Quantitative Finance 1 (2001).
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import polars as pl

from bmv.data.ticks.synth.markouts import Holes, holes, sided_trades, two_sided_quotes
from bmv.data.ticks.synth.synth import YEAR_S
from bmv.ports.errors import DataError
from bmv.ports.market import Market
from bmv.ports.messages import Kind

STEP_NS = 10_000_000_000  # Over which returns are taken.
LONG_STEPS = 6  # Of these make the longer return of the variance ratio.
BURST_NS = 100_000
IMPACT_NS = 5_000_000_000


@dataclass(frozen=True, slots=True)
class Facts:
    """A record in numbers; None where it has not what a number needs.

    Args:
        rows_per_s: Rows a second, over the whole record but its holes.
        clustering: Standard deviation of the time between rows over its mean; 1 where they come at random.
        burst_share: Rows within 0.1 ms of the one before.
        trade_share: Rows that are trades.
        sweep_share: Trades within 0.1 ms of a trade in the row before, on its side.
        spread_bps: Mean spread of the quotes that are neither locked nor crossed.
        touch_size: Median size shown at the bid and at the ask, in base.
        trade_size: Median size of a trade, in base.
        volatility: Of returns of the mid over 10 s, scaled to a year, as a fraction.
        variance_ratio: Variance of returns over 60 s by six times that over 10 s; below 1 the price turns back, above
            it goes on.
        persistence: Trades on the side of the one before.
        through_share: Trades outside the quote before.
        through_bps: How far outside those are, on average.
        impact_bps: Mean move of the mid, 5 s after a trade, towards its side.
    """

    rows_per_s: float
    clustering: float
    burst_share: float
    trade_share: float
    sweep_share: float | None
    spread_bps: float | None
    touch_size: float | None
    trade_size: float | None
    volatility: float | None
    variance_ratio: float | None
    persistence: float | None
    through_share: float | None
    through_bps: float | None
    impact_bps: float | None


def facts(rows: pl.DataFrame, market: Market) -> Facts:
    """Measure rows in the lake's form, in order of time. `DataError` when there are too few to measure."""
    if len(rows) < 100 or rows["ts_ns"][0] == rows["ts_ns"][-1]:
        raise DataError(f"{len(rows)} rows: expected at least 100, at more than one time, to measure a market by")
    times = rows["ts_ns"].to_numpy()
    gone = holes(times)
    gaps = np.diff(times)
    gaps = gaps[~np.isin(times[:-1], gone.starts_ns) | (gaps == 0)]
    if not gaps.any():
        raise DataError(f"{len(rows)} rows, between which time passes in holes alone: expected rows at more times")
    quotes = two_sided_quotes(rows)
    trades = sided_trades(rows)
    tick, lot = float(market.tick_size), float(market.lot_size)
    touch = pl.concat([rows["bid_size"], rows["ask_size"]]).drop_nulls()
    sizes = rows.filter(pl.col("kind") == Kind.TRADE)["size"]
    beyond = pl.max_horizontal(pl.col("price") - pl.col("ask"), pl.col("bid") - pl.col("price"))
    volatility, ratio = _volatility(quotes if len(quotes) else trades.select("ts_ns", mid=pl.col("price") * tick), gone)
    return Facts(
        rows_per_s=len(rows) / float(gaps.sum() / 1e9),
        clustering=float(gaps.std() / gaps.mean()),
        burst_share=float((gaps <= BURST_NS).mean()),
        trade_share=len(sizes) / len(rows),
        sweep_share=_sweeps(rows),
        spread_bps=_number(quotes.select(((pl.col("ask") - pl.col("bid")) / pl.col("mid") * 1e4).mean())),
        touch_size=None if not len(touch) else float(np.median(touch.to_numpy())) * lot,
        trade_size=None if not len(sizes) else float(np.median(sizes.to_numpy())) * lot,
        volatility=volatility,
        variance_ratio=ratio,
        persistence=_number(trades.select((pl.col("side") == pl.col("side").shift(1)).mean())),
        through_share=_number(trades.select((beyond > 0).mean())),
        through_bps=_number(trades.select((beyond / pl.col("price") * 1e4).filter(beyond > 0).mean())),
        impact_bps=_impact(trades, quotes),
    )


def _sweeps(rows: pl.DataFrame) -> float | None:
    trades = pl.col("kind") == Kind.TRADE
    as_before = (pl.col(name).eq_missing(pl.col(name).shift(1)) for name in ("kind", "side"))
    same = pl.all_horizontal(pl.col("ts_ns").diff() <= BURST_NS, *as_before).fill_null(False)
    return _number(rows.select(same.filter(trades).mean()))


def _volatility(mids: pl.DataFrame, gone: Holes) -> tuple[float | None, float | None]:
    """Return the volatility of a year and the variance ratio, from the mid at every 10 s; none across a hole."""
    by_step = mids.group_by(pl.col("ts_ns") // STEP_NS, maintain_order=True).agg(pl.col("mid").last())
    if len(by_step) < 2 * LONG_STEPS:
        return None, None
    known, log_mid = by_step["ts_ns"].to_numpy(), np.log(by_step["mid"].to_numpy())
    grid = np.arange(known[0], known[-1] + 1)
    held = log_mid[np.searchsorted(known, grid, side="right") - 1]
    short, long = (
        (held[steps:] - held[:-steps])[~gone.meet(grid[:-steps] * STEP_NS, (grid[steps:] + 1) * STEP_NS)]
        for steps in (1, LONG_STEPS)
    )
    if not len(short) or not short.std():
        return (0.0, None) if len(short) else (None, None)
    ratio = float(long.var() / (LONG_STEPS * short.var())) if len(long) > LONG_STEPS else None
    return float(short.std() * sqrt(YEAR_S * 1e9 / STEP_NS)), ratio


def _impact(trades: pl.DataFrame, quotes: pl.DataFrame) -> float | None:
    if not len(trades) or not len(quotes):
        return None
    mids = quotes.select("ts_ns", "mid")
    later = trades.select(ts_ns=pl.col("ts_ns") + IMPACT_NS).join_asof(mids, on="ts_ns", check_sortedness=False)
    moved = (later["mid"] / ((trades["bid"] + trades["ask"]) / 2) - 1) * trades["side"] * 1e4
    return _number(pl.DataFrame({"moved": moved}).select(pl.col("moved").mean()))


def _number(frame: pl.DataFrame) -> float | None:
    found = frame.item()
    return None if found is None else float(found)
