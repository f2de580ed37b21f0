"""Sharpe ratios, how far they may be believed, and how high the best of many is by luck alone.

All ratios here are per period: a mean by its standard deviation, against a return of 0, never annualised.

Sources: Bailey & López de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15(2), 2012 (there PSR and
minTRL); the same, "The Deflated Sharpe Ratio", Journal of Portfolio Management 40(5), 2014 (there DSR).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import e, inf, isfinite, sqrt
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Returns = Sequence[int] | Sequence[float] | NDArray[Any]  # Whole quanta up to 2**60 in size, or floats.

NORMAL = NormalDist()
EULER = 0.5772156649015329  # Euler–Mascheroni constant.
STILL = 1e-12  # A deviation this small beside the mean is rounding: nothing moved.


class Moments(NamedTuple):
    """What a track record looks like."""

    sr: float  # Sharpe ratio per period.
    skew: float  # Third standardised moment; 0 for a normal distribution.
    kurtosis: float  # Fourth standardised moment; 3 for a normal distribution.
    t: int  # Number of periods.


@dataclass(frozen=True, slots=True)
class Deflated:
    """A Sharpe ratio set against the best that luck alone would have found."""

    dsr: float  # Probability that the true ratio is above `sr0`.
    sr: float  # Per period.
    sr0: float  # Expected best ratio of `n_trials` trials without any edge, per period.
    n_trials: int
    t: int  # Number of periods.
    variance: float  # Of the ratios of trials, as it went into `sr0`.


def sharpe(returns: Returns) -> float | None:
    """Return the mean of `returns` (t,) by their standard deviation (ddof = 1), per period.

    None for fewer than two periods, where nothing moved, and where a return is not a number.

    >>> sharpe([3, 1, 2, 2]), sharpe([0, 0, 0])
    (2.449489742783178, None)
    """
    ratio = float(each_sharpe(numbers(returns)[:, np.newaxis])[0])
    return ratio if isfinite(ratio) else None


def each_sharpe(matrix: NDArray[Any]) -> Floats:
    """Return the Sharpe ratio of each column of `matrix` (t, n), per period; NaN where `sharpe` would say None."""
    if len(matrix) < 2:
        return np.full(matrix.shape[1], np.nan)
    mean, rest = centred(matrix)
    deviation = np.sqrt((rest * rest).sum(axis=0) / (len(matrix) - 1))
    moved = deviation > STILL * np.abs(mean)
    found: Floats = np.divide(mean, deviation, out=np.full(len(mean), np.nan), where=moved)
    return found


def moments(returns: Returns) -> Moments | None:
    """Return the Sharpe ratio of `returns` (t,) with their skew and kurtosis; None where there is no Sharpe ratio.

    Skew and kurtosis are the moments of the sample, without a correction for its size, as in the papers.
    """
    ratio = sharpe(returns)
    if ratio is None:
        return None
    values = numbers(returns)
    _, rest = centred(values[:, np.newaxis])
    unit = rest[:, 0] / np.sqrt((rest * rest).mean())
    square = unit * unit
    return Moments(ratio, float((square * unit).mean()), float((square * square).mean()), len(values))


def psr(returns: Returns, benchmark: float = 0.0) -> float | None:
    """Return the probabilistic Sharpe ratio: how probable it is that the true one is above `benchmark` (per period)."""
    record = moments(returns)
    return None if record is None else probability(record, benchmark)


def probability(record: Moments, benchmark: float) -> float | None:
    """Return the probability that the true Sharpe ratio of `record` is above `benchmark` (per period).

    `Z((SR − SR*) √(t − 1) / √(1 − γ3 SR + (γ4 − 1)/4 SR²))` (Bailey & López de Prado 2012; returns are taken to be
    independent of one another). None where the root is 0, which it may be for a record of only two values.
    """
    spread = _spread(record)
    if spread <= STILL or record.t < 2:
        return None
    return NORMAL.cdf((record.sr - benchmark) * sqrt((record.t - 1) / spread))


def min_track_record(returns: Returns, benchmark: float = 0.0, confidence: float = 0.95) -> float | None:
    """Return how many periods a record like `returns` needs, until its ratio is above `benchmark` with `confidence`.

    None where the ratio is not above `benchmark` (no length is enough) or unknown.
    """
    record = moments(returns)
    return None if record is None else track_record(record, benchmark, confidence)


def track_record(record: Moments, benchmark: float, confidence: float) -> float | None:
    """Return the minimum track record length, periods.

    `1 + (1 − γ3 SR + (γ4 − 1)/4 SR²) (Z⁻¹(confidence) / (SR − SR*))²` (Bailey & López de Prado 2012).
    """
    if record.sr <= benchmark:
        return None
    return 1 + _spread(record) * (NORMAL.inv_cdf(confidence) / (record.sr - benchmark)) ** 2


def expected_max_sharpe(variance: float, n_trials: int) -> float:
    """Return the Sharpe ratio that the best of `n_trials` independent trials without any edge is expected to show.

    `√V ((1 − γ) Z⁻¹(1 − 1/N) + γ Z⁻¹(1 − 1/(N e)))`, γ the Euler–Mascheroni constant: the False Strategy theorem
    (Bailey & López de Prado 2014, for a true ratio of 0). 0 for a single trial, which had no choice. An
    asymptote: 8 % low for two trials, within 3 % of the truth from three on.

    Args:
        variance: Of the Sharpe ratios over the trials.
        n_trials: How many were tried.
    """
    if n_trials < 2:
        return 0.0
    # The lower tail of a symmetric distribution: 1 − 1/N would lose its digits for many trials.
    one, other = -NORMAL.inv_cdf(1 / n_trials), -NORMAL.inv_cdf(1 / (n_trials * e))
    return sqrt(variance) * ((1 - EULER) * one + EULER * other)


def deflated(returns: Returns, sharpes: Returns, n_trials: int, variance_max: float = inf) -> Deflated | None:
    """Return the deflated Sharpe ratio of the chosen trial: PSR against the best of so many lucky draws (2014).

    None where the ratio of the chosen is unknown, where fewer than two ratios of trials are known, or where they are
    all the same.

    Args:
        returns: Of the chosen trial (t,).
        sharpes: Ratios of trials, per period; those that are not finite are left out.
        n_trials: How many were tried, including those whose ratio is not known any more.
        variance_max: Upper bound on the variance of `sharpes`; the paper has none. See `luck_variance`.
    """
    record, spread = moments(returns), variance(sharpes)
    if record is None or spread is None:
        return None
    bounded = min(spread, variance_max)
    sr0 = expected_max_sharpe(bounded, n_trials)
    dsr = probability(record, sr0)
    return None if dsr is None else Deflated(dsr, record.sr, sr0, n_trials, record.t, bounded)


def variance(sharpes: Returns) -> float | None:
    """Return the variance (ddof = 1) of the ratios that are finite; None for fewer than two, or where all are alike."""
    known = np.asarray(sharpes, np.float64)
    known = known[np.isfinite(known)]
    if len(known) < 2:
        return None
    found = float(known.var(ddof=1))
    return found if found > (STILL * float(np.abs(known).max())) ** 2 else None


def luck_variance(t: int) -> float:
    """Return the variance of the Sharpe ratios, over `t` periods, of trials without any edge: `1 / (t − 1)`.

    Luck spreads ratios by this much and not more, whatever the skew and the kurtosis (the variance in `probability` at
    a ratio of 0). Where the ratios of a search are spread wider, its sets truly differ: some of them lose for a
    reason, and this makes no winner any luckier.
    """
    return 1 / (t - 1)


def effective_trials(matrix: NDArray[Any]) -> float | None:
    """Return how many independent trials the columns of `matrix` (t, n) amount to.

    `ρ̄ + (1 − ρ̄) n` with the average correlation ρ̄ of two columns (Bailey & López de Prado 2014, in its appendix), kept
    between 1 and n; columns that never move are left out. None for fewer than two others. A rough figure: it knows the
    average and nothing of clusters.
    """
    return effective_of([directions(matrix)])


class Directions(NamedTuple):
    """Columns that move, each as a vector of length 1 from its mean: their sum (t,), and how many they are."""

    total: Floats
    columns: int


def directions(matrix: NDArray[Any]) -> Directions:
    """Return the sum of the directions of the columns of `matrix` (t, n)."""
    mean, rest = centred(matrix) if len(matrix) else (np.empty(0), np.empty((0, 0)))
    size = np.sqrt((rest * rest).sum(axis=0))
    moved = size > STILL * np.abs(mean) * sqrt(len(matrix))
    return Directions((rest[:, moved] / size[moved]).sum(axis=1), int(moved.sum()))


def effective_of(parts: Sequence[Directions]) -> float | None:
    """Return what `effective_trials` does, of a matrix in parts."""
    n = sum(part.columns for part in parts)
    if n < 2:
        return None
    total = sum((part.total for part in parts[1:]), parts[0].total)
    correlation = (float(total @ total) - n) / (n * (n - 1))
    return min(max(correlation + (1 - correlation) * n, 1.0), float(n))


def numbers(returns: Returns) -> NDArray[Any]:
    """Return `returns` as int64 where they are whole, and elsewhere as float64 with NaN for what is not finite."""
    values = np.asarray(returns)
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    values = values.astype(np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def centred(matrix: NDArray[Any]) -> tuple[Floats, Floats]:
    """Part `matrix` (t, n), t > 0, into the mean of each column (n,) and what is left of each value (t, n).

    Above 2**53 a float64 does not tell neighbouring quanta apart. So the first row is taken away while the numbers are
    still whole, and only differences become floats; those of values up to 2**60 in size fit into an int64.
    """
    offset = (matrix - matrix[0]).astype(np.float64)
    mean = offset.mean(axis=0)
    return matrix[0].astype(np.float64) + mean, offset - mean


def _spread(record: Moments) -> float:
    """Return the variance of the Sharpe ratio's estimate times `t − 1` (Mertens 2002, by way of the paper)."""
    return 1 - record.skew * record.sr + (record.kurtosis - 1) / 4 * record.sr * record.sr
