"""A made-up market that is like a record: as its facts tell, and as hard on a maker.

What is a setting of the generator is taken over. What several settings make together is tried out on a short tape and
corrected, a few times, always on the same draws; so the draws of no seed are fitted, but the market behind them.
"""

from dataclasses import replace
from decimal import Decimal
from math import ceil, sqrt
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from bmv.data.ticks.check.inspection import read_whole
from bmv.data.ticks.importers import Options
from bmv.data.ticks.schema import frames
from bmv.data.ticks.synth.facts import Facts, facts
from bmv.data.ticks.synth.markouts import Band, Reals, earned_at_once, markouts
from bmv.data.ticks.synth.synth import REGIME, SPREAD, WIDTH, Shape, chunks
from bmv.ports.errors import DataError
from bmv.ports.market import Market

WIDENED = float(SPREAD.mean() + WIDTH[REGIME].mean())  # Ticks that the generator adds to a spread on average.
TRIAL_ROWS = 100_000  # Of the made-up market that a fit looks at;
LONG_ROWS = 400_000  # for markouts, which stray more.
ROUNDS = 4
LONG_ROUNDS = 3
PROBE_BPS, PROBE_TICKS = 0.2, 0.05  # Of impact, at least, to find what it does to markouts.
FEW_PRINTS = 100  # Fewer tell nothing of how hard a market is.
LEAST_VOLATILITY = 0.2  # Of the record's, that is left to a walk beside what trades move.


def fit(rows: pl.DataFrame, market: Market) -> Shape:
    """Return the shape of a made-up market that is like the record; what it does not show stays as it is."""
    real = facts(rows, market)
    first = rows.select(
        ((pl.col("bid") + pl.col("ask")) / 2).drop_nulls().first(), pl.col("price").drop_nulls().first()
    )
    size = _size(real, market)
    start = first["bid"][0] or first["price"][0]
    if start is None:
        raise DataError("no price in the record to begin a made-up market from")
    usual = Shape()
    spread_bps, widened_share = _spread(real, float(start))
    swept = min(0.95, real.sweep_share or 0.0)
    in_sweeps = real.trade_share * swept
    shape = Shape(
        price=Decimal(round(float(start))) * market.tick_size,
        volatility=real.volatility or usual.volatility,
        mean_gap_ms=1e3 / real.rows_per_s,
        burst_share=min(0.95, max(0.0, (real.burst_share - in_sweeps) / (1 - in_sweeps))),
        trade_share=real.trade_share,
        sweep_share=swept,
        turn_share=usual.turn_share if real.persistence is None else min(1.0, 1 - real.persistence),
        through_share=usual.through_share if real.through_share is None else min(1.0, real.through_share),
        through_bps=real.through_bps or 0.0,
        spread_bps=spread_bps,
        widened_share=widened_share,
        size=size,
        taken_share=real.trade_size / float(size) if real.trade_size else usual.taken_share,
    )
    told = markouts(rows)
    means = told.means()
    if min(*told.counts.sum(0), real.trade_share * TRIAL_ROWS) < FEW_PRINTS:
        return _with_flow(shape, real, market)
    shape = _with_flow(_with_impact(shape, np.zeros(3)), real, market)
    late = told.bands(int(rows["ts_ns"][-1] - rows["ts_ns"][0]))[-1]
    assert late is not None, "a mean without a band"
    return _as_hard(shape, np.array(means, float), late, real, market)


def _with_flow(shape: Shape, real: Facts, market: Market) -> Shape:
    """Return the shape with the pace, volatility and order flow of the record."""
    for _ in range(ROUNDS):
        made = facts(_trial(shape, market, TRIAL_ROWS), market)
        shape = replace(
            shape,
            mean_gap_ms=shape.mean_gap_ms * made.rows_per_s / real.rows_per_s,
            volatility=shape.volatility * _ratio(real.volatility, made.volatility),
            turn_share=_share(shape.turn_share * _ratio(_turns(real), _turns(made))),
            through_share=_share(shape.through_share * _ratio(real.through_share, made.through_share)),
            through_bps=shape.through_bps * _ratio(real.through_bps, made.through_bps),
        )
    return shape


def _as_hard(shape: Shape, wanted: Reals, late: Band, real: Facts, market: Market) -> Shape:
    """Return the shape with such an impact that its prints are worth to a maker what those of the record are.

    Markouts are nearly linear in the three parts of the impact; how steep is found by trying each. What the walk adds
    to them by chance is known from the same draws without impact, and taken off. A record seldom tells much of its
    markouts after half a minute: there the price goes neither on nor back, unless that would leave the middle of the
    band.

    Args:
        shape: Without impact.
        wanted: Mean markout of the record, bps, one a horizon.
        late: The band of the last of them.
    """

    def tried(shape: Shape, rows: int) -> tuple[Reals, Reals, float]:
        """Return the markouts of a trial, what came of them after the prints, and how volatile it was."""
        made = _trial(shape, market, rows)
        known = np.array(markouts(made).means(), float)
        return known, known - earned_at_once(made), facts(made, market).volatility or 0.0

    short, *_ = tried(shape, TRIAL_ROWS)
    probe_bps = max(PROBE_BPS, PROBE_TICKS * 1e4 * float(market.tick_size / shape.price))
    probes = (tried(_with_impact(shape, probe), TRIAL_ROWS)[0] for probe in probe_bps * np.eye(3))
    slopes = np.stack([(probed - short) / probe_bps for probed in probes], 1)
    alone, stray, walked = tried(shape, LONG_ROWS)
    best, nearest = shape, np.inf
    usual, found, impact, lessened = shape.volatility, alone - stray, np.zeros(3), 1.0
    for _ in range(LONG_ROUNDS):
        impact = impact + _change(slopes, wanted - found, impact[-1], found[-1], late)
        shape = replace(_with_impact(shape, impact), volatility=usual * lessened)
        known, _, moved = tried(shape, LONG_ROWS)
        found = known - stray * lessened
        missed = float(np.abs(found - wanted)[:2].max())
        if missed < nearest:
            best, nearest = shape, missed
        left = (walked * lessened) ** 2 - moved**2 + (real.volatility or walked) ** 2
        lessened = max(LEAST_VOLATILITY, sqrt(max(0.0, left)) / walked) if walked else 1.0
    return best


def _with_impact(shape: Shape, parts: Reals) -> Shape:
    at_once, soon, late = (float(part) for part in parts)
    return replace(shape, impact_bps=at_once, soon_bps=soon, late_bps=late)


def _change(slopes: Reals, missing: Reals, late_bps: float, late: float, band: Band) -> Reals:
    """Return by how much to change the parts of the impact.

    Args:
        slopes: Of each markout by each part, `(horizons, parts)`.
        missing: Of the wanted markouts, bps.
        late_bps: The late part so far.
        late: The last markout so far, bps.
        band: In the middle of which it shall stay.
    """
    without = _solved(slopes[:2, :2], missing[:2] + slopes[:2, 2] * late_bps)
    change = np.append(without, -late_bps)
    reached = late + slopes[2] @ change
    quarter = (band.high - band.low) / 4
    nearest = min(max(reached, band.low + quarter), band.high - quarter)
    if nearest == reached:
        return change
    return _solved(slopes, np.append(missing[:2], nearest - late))


def _solved(slopes: Reals, wanted: Reals) -> Reals:
    """Return the smallest change that comes nearest to what is wanted."""
    change: Reals = np.linalg.lstsq(slopes, wanted)[0].astype(np.float64)
    return change


def _trial(shape: Shape, market: Market, rows: int) -> pl.DataFrame:
    return pl.concat(frames(chunks(1, rows, 0, market, shape)))


def _spread(real: Facts, ticks: float) -> tuple[float, float]:
    """Return the smallest spread in bps and the share of quotes that are wider, which together have the mean spread.

    Args:
        ticks: The price that the spread is a share of.
    """
    mean = (real.spread_bps or Shape().spread_bps) * ticks / 1e4
    least = max(1, ceil(mean - WIDENED))
    return least / ticks * 1e4, min(1.0, max(0.0, (mean - least) / WIDENED))


def _size(real: Facts, market: Market) -> Decimal:
    shown = real.touch_size or 4 * (real.trade_size or 0) or float(Shape().size)
    return max(4 * market.lot_size, Decimal(round(shown / float(market.lot_size))) * market.lot_size)


def _turns(of: Facts) -> float | None:
    return None if of.persistence is None else 1 - of.persistence


def _share(number: float) -> float:
    return min(1.0, max(0.001, number))


def _ratio(real: float | None, made: float | None) -> float:
    return real / made if real and made and real * made > 0 else 1.0


class Record(NamedTuple):
    """The good rows of a record, in the lake's form, and what they are counted in."""

    rows: pl.DataFrame
    market: Market


def record_at(path: Path, symbol: str | None, form: str | None, options: Options) -> Record:
    """Return a record to make a market like, whatever its form and however many of its rows are bad.

    Args:
        symbol: Name of the market; None: that of the file, or of its folder where it names none.
        form: Name of its form; None: it is looked at.
    """
    look = read_whole(path, None, None, form, options, max_bad_share=1.0)
    own = path.parent.name if look.market.symbol == path.stem else look.market.symbol
    return Record(look.rows, replace(look.market, symbol=symbol or own))
