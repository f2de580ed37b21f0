"""What a record is like in a dozen numbers, and a made-up market that is like it.

The facts are those that a grid lives from: how rows cluster, how wide the book is, how far and how steadily the price
goes, how trades follow one another and what they do to the price. See Cont, Empirical properties of asset returns:
stylized facts and statistical issues, Quantitative Finance 1 (2001).
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from math import ceil, sqrt

import numpy as np
import polars as pl

from bmv.data.schema import frames
from bmv.data.synth import REGIME, SPREAD, WIDTH, YEAR_S, Shape, chunks
from bmv.ports.errors import DataError
from bmv.ports.market import Market
from bmv.ports.messages import Kind

STEP_NS = 10_000_000_000  # Over which returns are taken.
LONG_STEPS = 6  # Of these make the longer return of the variance ratio.
BURST_NS = 100_000
IMPACT_NS = 5_000_000_000
WIDENED = float(SPREAD.mean() + WIDTH[REGIME].mean())  # Ticks that the generator adds to a spread on average.
TRIAL_ROWS = 100_000  # Of the made-up market that a fit looks at.
ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Facts:
    """A record in numbers; None where it has not what a number needs.

    Args:
        rows_per_s: Rows a second, over the whole record.
        clustering: Standard deviation of the time between rows over its mean; 1 where they come at random.
        burst_share: Rows within 0.1 ms of the one before.
        trade_share: Rows that are trades.
        spread_bps: Mean spread of the quotes that are neither locked nor crossed.
        touch_size: Median size shown at the bid and at the ask, in base.
        trade_size: Median size of a trade, in base.
        volatility: Of returns of the mid over 10 s, scaled to a year, as a fraction.
        variance_ratio: Variance of returns over 60 s by six times that over 10 s; below 1 the price turns back, above
            it goes on.
        persistence: Trades on the side of the one before.
        through_share: Trades outside the quote before.
        impact_bps: Mean move of the mid, 5 s after a trade, towards its side.
    """

    rows_per_s: float
    clustering: float
    burst_share: float
    trade_share: float
    spread_bps: float | None
    touch_size: float | None
    trade_size: float | None
    volatility: float | None
    variance_ratio: float | None
    persistence: float | None
    through_share: float | None
    impact_bps: float | None


def facts(rows: pl.DataFrame, market: Market) -> Facts:
    """Measure rows in the lake's form, in order of time. `DataError` when there are too few to measure."""
    if len(rows) < 100 or rows["ts_ns"][0] == rows["ts_ns"][-1]:
        raise DataError(f"{len(rows)} rows: expected at least 100, at more than one time, to measure a market by")
    gaps = np.diff(rows["ts_ns"].to_numpy())
    quotes = _quotes(rows)
    trades = _trades(rows)
    tick, lot = float(market.tick_size), float(market.lot_size)
    touch = pl.concat([rows["bid_size"], rows["ask_size"]]).drop_nulls()
    sizes = rows.filter(pl.col("kind") == Kind.TRADE)["size"]
    volatility, ratio = _volatility(quotes if len(quotes) else trades.select("ts_ns", mid=pl.col("price") * tick))
    return Facts(
        rows_per_s=len(rows) / (gaps.sum() / 1e9),
        clustering=float(gaps.std() / gaps.mean()),
        burst_share=float((gaps <= BURST_NS).mean()),
        trade_share=len(sizes) / len(rows),
        spread_bps=_number(quotes.select(((pl.col("ask") - pl.col("bid")) / pl.col("mid") * 1e4).mean())),
        touch_size=None if not len(touch) else float(np.median(touch.to_numpy())) * lot,
        trade_size=None if not len(sizes) else float(np.median(sizes.to_numpy())) * lot,
        volatility=volatility,
        variance_ratio=ratio,
        persistence=_number(trades.select((pl.col("side") == pl.col("side").shift(1)).mean())),
        through_share=_number(
            trades.select(((pl.col("price") > pl.col("ask")) | (pl.col("price") < pl.col("bid"))).mean())
        ),
        impact_bps=_impact(trades, quotes),
    )


def fitted(rows: pl.DataFrame, market: Market) -> Shape:
    """Return the shape of a made-up market that is like the record; what it does not show stays as it is.

    What is a setting of the generator is taken over; what several settings make together, such as the impact, is tried
    out on a short tape and corrected, a few times.
    """
    real = facts(rows, market)
    first = rows.select(
        ((pl.col("bid") + pl.col("ask")) / 2).drop_nulls().first(), pl.col("price").drop_nulls().first()
    )
    start = first["bid"][0] or first["price"][0]
    if start is None:
        raise DataError("no price in the record to begin a made-up market from")
    usual = Shape()
    spread_bps, widened_share = _spread(real, float(start))
    shape = Shape(
        price=Decimal(round(float(start))) * market.tick_size,
        volatility=real.volatility or usual.volatility,
        mean_gap_ms=1e3 / real.rows_per_s,
        burst_share=min(0.95, real.burst_share),
        trade_share=real.trade_share,
        turn_share=usual.turn_share if real.persistence is None else min(1.0, 1 - real.persistence),
        through_share=usual.through_share if real.through_share is None else min(1.0, real.through_share),
        spread_bps=spread_bps,
        widened_share=widened_share,
        size=_size(real, market),
        trade_size=_in_lots(real.trade_size, market),
        impact_bps=max(0.0, real.impact_bps or 0.0) / 10,
    )
    for _ in range(ROUNDS):
        made = facts(_trial(shape, market), market)
        shape = replace(
            shape,
            mean_gap_ms=shape.mean_gap_ms * made.rows_per_s / real.rows_per_s,
            volatility=shape.volatility * _ratio(real.volatility, made.volatility),
            turn_share=_share(shape.turn_share * _ratio(_turns(real), _turns(made))),
            impact_bps=shape.impact_bps * min(3.0, _ratio(real.impact_bps, made.impact_bps)),
        )
    return shape


def _trial(shape: Shape, market: Market) -> pl.DataFrame:
    return pl.concat(frames(chunks(1, TRIAL_ROWS, 0, market, shape)))


def _spread(real: Facts, ticks: float) -> tuple[float, float]:
    """Return the smallest spread in bps and the share of quotes that are wider, which together have the mean spread.

    Args:
        ticks: The price that the spread is a share of.
    """
    mean = (real.spread_bps or Shape().spread_bps) * ticks / 1e4
    least = max(1, ceil(mean - WIDENED))
    return least / ticks * 1e4, min(1.0, max(0.0, (mean - least) / WIDENED))


def _in_lots(size: float | None, market: Market) -> Decimal | None:
    return None if size is None else max(1, round(size / float(market.lot_size))) * market.lot_size


def _size(real: Facts, market: Market) -> Decimal:
    shown = real.touch_size or 4 * (real.trade_size or 0) or float(Shape().size)
    return max(4 * market.lot_size, Decimal(round(shown / float(market.lot_size))) * market.lot_size)


def _quotes(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the quotes that are neither locked nor crossed nor of one side, with their mid, all in ticks."""
    told = rows.filter((pl.col("kind") == Kind.QUOTE) & (pl.col("bid") < pl.col("ask")))
    return told.select("ts_ns", "bid", "ask", mid=(pl.col("bid") + pl.col("ask")) / 2)


def _trades(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the trades with the quote before them and their side: as recorded, else that of the mid it is beyond."""
    told = rows.with_columns(
        pl.when(pl.col("kind") == Kind.QUOTE).then(pl.col(name)).forward_fill().alias(name) for name in ("bid", "ask")
    ).filter(pl.col("kind") == Kind.TRADE)
    beyond = (2 * pl.col("price") - pl.col("bid") - pl.col("ask")).sign()
    side = pl.when(pl.col("side").fill_null(0) != 0).then(pl.col("side")).otherwise(beyond)
    return told.select("ts_ns", "price", "bid", "ask", side=side).filter(pl.col("side").fill_null(0) != 0)


def _volatility(mids: pl.DataFrame) -> tuple[float | None, float | None]:
    """Return the volatility of a year and the variance ratio, from the mid at every 10 s that has one."""
    by_step = mids.group_by(pl.col("ts_ns") // STEP_NS, maintain_order=True).agg(pl.col("mid").last())
    if len(by_step) < 2 * LONG_STEPS:
        return None, None
    steps, log_mid = by_step["ts_ns"].to_numpy(), np.log(by_step["mid"].to_numpy())
    grid = np.arange(steps[0], steps[-1] + 1)
    held = log_mid[np.searchsorted(steps, grid, side="right") - 1]
    short = np.diff(held)
    if not short.std():
        return 0.0, None
    long = held[LONG_STEPS:] - held[:-LONG_STEPS]
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


def _turns(of: Facts) -> float | None:
    return None if of.persistence is None else 1 - of.persistence


def _share(number: float) -> float:
    return min(1.0, max(0.001, number))


def _ratio(real: float | None, made: float | None) -> float:
    return real / made if real and made and real * made > 0 else 1.0
