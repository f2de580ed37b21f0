"""Risk: how deep equity fell, how long it stayed there, and what was earned for it."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bmv.data.runs.numbers import SECOND, Json, finite, ratio
from bmv.data.runs.wording import span

DAY_S = 86_400.0
YEAR_S = 365 * DAY_S  # These markets never close.
RETURNS_MIN = 30  # Fewer returns say nothing about their own spread.
STEP_S = 60.0


def drawdown(equity: pl.DataFrame) -> Json:
    """Describe the falls of equity from its peak, as sampled in `equity.parquet`.

    * `max`: the deepest fall, a fraction of the peak before it; `max_quote` the same in quote.
    * `fall_s`: from that peak to the trough; `recovery_s`: from the trough back to the peak, None when it never came
      back; `longest_underwater_s`: the longest time below a former peak, up to the end of the run if need be.
    """
    if not len(equity):
        return dict.fromkeys(
            ("max", "max_quote", "peak_ns", "trough_ns", "fall_s", "recovery_s", "longest_underwater_s")
        ) | {"reason": "equity was never known"}
    ts, fall = equity["ts_ns"].to_numpy(), equity["drawdown"].to_numpy()
    above = np.flatnonzero(fall <= 0)  # Rows on a peak.
    trough = int(np.argmax(fall))
    peak = int(above[max(int(np.searchsorted(above, trough, "right")) - 1, 0)]) if len(above) else 0
    after = above[above > trough]
    fell = bool(fall[trough] > 0)
    values = equity["equity"].to_numpy()
    return {
        "max": float(fall[trough]),
        "max_quote": float(values[peak] - values[trough]),
        "peak_ns": int(ts[peak]),
        "trough_ns": int(ts[trough]),
        "fall_s": float(ts[trough] - ts[peak]) / SECOND,
        "recovery_s": float(ts[after[0]] - ts[trough]) / SECOND if fell and len(after) else None,
        "longest_underwater_s": _longest_underwater_s(ts, above),
        "reason": "equity did not regain its peak" if fell and not len(after) else None,
    }


def _longest_underwater_s(ts: NDArray[np.int64], above: NDArray[np.intp]) -> float:
    """Return the longest time between two neighbouring peaks with a sample below them in between."""
    surfaced = len(above) > 0 and above[-1] == len(ts) - 1
    marks = above if surfaced else np.append(above, len(ts) - 1)
    below = np.diff(marks) > 1
    below[len(below) if surfaced else -1 :] = True
    return float(np.diff(ts[marks])[below].max(initial=0)) / SECOND


def ratios(equity: pl.DataFrame, sample_s: float, fills: int) -> Json:
    """Set what was earned against its spread.

    Returns are changes of equity, as a fraction, between samples `sampling_s` apart: one minute, or the sampling of
    the equity table where that is longer. `sharpe` is their mean by their standard deviation, `sortino` by the root of
    the mean square of the falls; both against a return of 0, times the root of the samples in 365 days. `calmar` is the
    mean return of 365 days by the deepest drawdown. All are None, with the reason, where :func:`no_ratio` says so,
    where equity never moved and where it was not above zero throughout.

    Args:
        equity: Columns as `equity.parquet`.
        sample_s: Sampling of that table, seconds.
        fills: How many there were in the run.
    """
    step_s = max(STEP_S, sample_s)
    span_s = float(equity["ts_ns"][-1] - equity["ts_ns"][0]) / SECOND if len(equity) else 0.0
    periods = int(span_s / step_s)
    missing = {"sharpe": None, "sortino": None, "calmar": None, "sampling_s": None, "n": 0}
    if reason := no_ratio(fills, span_s, periods):
        return missing | {"reason": reason}
    values = sampled(equity, step_s)
    if values.min() <= 0:
        return missing | {"reason": "equity was not above zero throughout"}
    returns = np.diff(values) / values[:-1]
    sd, downside = float(returns.std(ddof=1)), float(np.sqrt(np.mean(np.minimum(returns, 0) ** 2)))
    year, average = YEAR_S / step_s, float(returns.mean())
    moved = sd > 1e-15
    return {
        "sharpe": finite(average / sd * year**0.5) if moved else None,
        "sortino": finite(average / downside * year**0.5) if downside > 1e-15 else None,
        "calmar": ratio(average * year, equity["drawdown"].max()),
        "sampling_s": step_s,
        "n": len(returns),
        "reason": (None if moved else "equity never moved") or _caution(span_s),
    }


def no_ratio(fills: int, span_s: float, periods: int) -> str | None:
    """Say why a run has no ratio of earnings to risk, whichever ratio it is; None where it may have one.

    A year's figure made of an hour, of a dozen returns, or of what merely lay there, is a number from nothing. A day
    that was recorded begins at its first row and ends at its last, so a day may lack a minute.

    Args:
        fills: How many there were.
        span_s: Time from the first sample of equity to the last, seconds.
        periods: Returns that the ratio would be made of.

    >>> no_ratio(0, 172_800, 2880), no_ratio(12, 3600, 60)
    ('nothing was traded', '1 h of tape are less than a day')
    >>> no_ratio(12, 86_399, 24), no_ratio(12, 86_399, 1439)
    ('24 returns are fewer than 30', None)
    """
    if not fills:
        return "nothing was traded"
    if span_s < DAY_S - STEP_S:
        return f"{span(span_s)} of tape are less than a day"
    if periods < RETURNS_MIN:
        return f"{periods} returns are fewer than {RETURNS_MIN}"
    return None


def sampled(equity: pl.DataFrame, step_s: float) -> NDArray[np.float64]:
    """Return equity (quote) every `step_s` from the first row on: that of the last row at or before each instant."""
    ts = equity["ts_ns"].to_numpy()
    instants = np.arange(ts[0], ts[-1] + 1, int(step_s * SECOND))
    return equity["equity"].to_numpy()[np.searchsorted(ts, instants, "right") - 1].astype(np.float64)


def _caution(span_s: float) -> str | None:
    """Return what to think of a year's ratio made from `span_s` seconds."""
    return None if span_s >= 30 * DAY_S else f"annualised from {span(span_s)}: to compare by, not to expect"
