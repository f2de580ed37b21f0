"""Risk: how deep equity fell, how long it stayed there, and what was earned for it."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bmv.backtest.numbers import SECOND, Json, finite, ratio
from bmv.backtest.wording import span

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


def ratios(equity: pl.DataFrame, sample_s: float) -> Json:
    """Set what was earned against its spread.

    Returns are changes of equity, as a fraction, between samples `sampling_s` apart: one minute, or the sampling of
    the equity table where the tape is too short for 30 of those. `sharpe` is their mean by their standard deviation,
    `sortino` by the root of the mean square of the falls; both against a return of 0, times the root of the samples
    in 365 days. `calmar` is the mean return of 365 days by the deepest drawdown, None for less than a day. All are
    None, with the reason, with fewer than 30 returns or where equity never moved.

    Args:
        equity: Columns as `equity.parquet`.
        sample_s: Sampling of that table, seconds.
    """
    missing = {"sharpe": None, "sortino": None, "calmar": None, "sampling_s": None, "n": 0}
    span_s = float(equity["ts_ns"][-1] - equity["ts_ns"][0]) / SECOND if len(equity) else 0.0
    step_s = STEP_S if span_s >= RETURNS_MIN * STEP_S else max(sample_s, 1e-3)
    if span_s < RETURNS_MIN * step_s:
        return missing | {"reason": f"{span_s:.0f} s of equity are too short for {RETURNS_MIN} returns"}
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
        "calmar": ratio(average * year, equity["drawdown"].max()) if span_s >= DAY_S else None,
        "sampling_s": step_s,
        "n": len(returns),
        "reason": (None if moved else "equity never moved") or _caution(span_s),
    }


def sampled(equity: pl.DataFrame, step_s: float) -> NDArray[np.float64]:
    """Return equity (quote) every `step_s` from the first row on: that of the last row at or before each instant."""
    ts = equity["ts_ns"].to_numpy()
    instants = np.arange(ts[0], ts[-1] + 1, int(step_s * SECOND))
    return equity["equity"].to_numpy()[np.searchsorted(ts, instants, "right") - 1].astype(np.float64)


def _caution(span_s: float) -> str | None:
    """Return what to think of a year's ratio made from `span_s` seconds."""
    return None if span_s >= 30 * DAY_S else f"annualised from {span(span_s)}: to compare by, not to expect"
