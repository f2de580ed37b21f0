"""The axes of a search: each swept key cut into cells, so that trials which are alike can be counted together."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bmv.backtest.sweep.trials.space import Parameter
from bmv.data.runs.numbers import finite
from bmv.data.runs.wording import significant

CELLS = 12  # More values than this are counted in stretches.


@dataclass(frozen=True, slots=True)
class Axis:
    """One swept key.

    `at` (n,) is where each trial stands, in cells: cell `k` reaches from `k - 0.5` to `k + 0.5`. `cell` (n,) is the one
    it lies in. `names` are the cells in words; `ticks` are places on the axis with what is written there.
    """

    key: str
    ordered: bool
    at: NDArray[np.float64]
    cell: NDArray[np.int64]
    names: list[str]
    ticks: list[tuple[float, str]]


def axes(parameters: list[Parameter], trials: pl.DataFrame) -> list[Axis]:
    """Return the axes along which the trials differ; a key that some of them lack has none."""
    whole = [told for told in parameters if _whole(trials[told["key"]])]
    made = (_axis(told, trials[told["key"]]) for told in whole)
    return [one for one in made if len(one.names) > 1]


def _whole(column: pl.Series) -> bool:
    return not column.null_count() and (not column.dtype.is_numeric() or bool(column.is_finite().all()))


def _axis(told: Parameter, column: pl.Series) -> Axis:
    """Return a key's axis: its values as they are where they are few or have no order, else equal stretches."""
    if not column.dtype.is_numeric():
        return _of_values(told["key"], column.cast(pl.String), told.get("values") or [])
    values = column.cast(pl.Float64).to_numpy()
    if len(np.unique(values)) <= CELLS:
        return _of_numbers(told["key"], values)
    return _of_stretches(told, values)


def _of_values(key: str, column: pl.Series, order: list[Any]) -> Axis:
    there = column.unique().sort().to_list()
    names = [name for name in map(str, order) if name in there]
    names += [name for name in there if name not in names]
    places = {name: place for place, name in enumerate(names)}
    cell = np.array([places[name] for name in column], dtype=np.int64)
    return Axis(key, False, cell.astype(np.float64), cell, names, list(enumerate(names)))


def _of_numbers(key: str, values: NDArray[np.float64]) -> Axis:
    there, cell = np.unique(values, return_inverse=True)
    names = [significant(value) for value in there.tolist()]
    return Axis(key, True, cell.astype(np.float64), cell.astype(np.int64), names, list(enumerate(names)))


def _of_stretches(told: Parameter, values: NDArray[np.float64]) -> Axis:
    """Cut the range into equal stretches, of the logarithm where the search drew that evenly."""
    low, high = float(values.min()), float(values.max())
    low, high = min(low, finite(told.get("low")) or low), max(high, finite(told.get("high")) or high)
    log = bool(told.get("log")) and low > 0
    edges = np.geomspace(low, high, CELLS + 1) if log else np.linspace(low, high, CELLS + 1)
    scale = np.log if log else np.asarray
    along = (scale(values) - scale(low)) / (scale(high) - scale(low)) * CELLS - 0.5
    cell = np.clip(np.floor(along + 0.5), 0, CELLS - 1).astype(np.int64)
    said = [significant(edge, 3) for edge in edges.tolist()]
    names = [f"{left} … {right}" for left, right in pairwise(said)]
    return Axis(told["key"], True, along, cell, names, [(place - 0.5, said[place]) for place in range(0, CELLS + 1, 2)])


def means(values: NDArray[np.float64], cell: NDArray[np.int64], cells: int) -> NDArray[np.float64]:
    """Return the mean of `values` (n,) in each of so many cells, NaN where one is empty.

    >>> means(np.array([1.0, 3.0, 5.0]), np.array([0, 0, 2]), 3).tolist()
    [2.0, nan, 5.0]
    """
    count = np.bincount(cell, minlength=cells)
    total = np.bincount(cell, weights=values, minlength=cells)
    mean: NDArray[np.float64] = np.divide(total, count, out=np.full(cells, np.nan), where=count > 0)
    return mean


def bests(values: NDArray[np.float64], cell: NDArray[np.int64], cells: int, sign: int) -> NDArray[np.float64]:
    """Return the largest of `values` (n,) in each cell, the smallest where `sign` is -1; NaN where one is empty."""
    top = np.full(cells, -np.inf)
    np.maximum.at(top, cell, values * sign)
    return np.where(np.isinf(top), np.nan, top * sign)


def importance(values: NDArray[np.float64], axis: Axis) -> float:
    """Return how much of the variance of `values` (n,) is that between the cells of one axis: 0 to 1.

    The share is epsilon squared of a one-way analysis of variance (Kelley, "An unbiased correlation ratio measure",
    1935), eta squared less what cells of pure noise would show; for a search that covers its space evenly it
    estimates the first-order index of Sobol' (Saltelli et al., "Global Sensitivity Analysis", 2008, 1.2.13). It counts
    each key by itself: what two keys do only together is in nobody's share.
    """
    count, n = np.bincount(axis.cell, minlength=len(axis.names)), len(values)
    groups = int((count > 0).sum())
    total = float(((values - values.mean()) ** 2).sum()) if n else 0.0
    if n <= groups or total <= 0:
        return 0.0
    within = float(((values - means(values, axis.cell, len(axis.names))[axis.cell]) ** 2).sum())
    noise = within / (n - groups)
    return max(0.0, (total - within - (groups - 1) * noise) / total)


def near(along: list[Axis], other: int, best: int) -> NDArray[np.bool_]:
    """Return which trials lie on, or else nearest to, the line through trial `best` along the axis `other`.

    On it is a trial that is like the best in everything else; where fewer than three cells of the axis have one, the
    nearest sixth of all trials is taken, at least 20.
    """
    axis = along[other]
    away = np.zeros(len(axis.at))
    for one in along[:other] + along[other + 1 :]:
        gap = np.abs(one.at - one.at[best]) / max(len(one.names) - 1, 1)
        away += gap**2 if one.ordered else (gap > 0).astype(np.float64)
    on = away <= 1e-18
    if len(np.unique(axis.cell[on])) >= 3:
        return on
    reach = float(np.sort(away)[min(max(20, len(away) // 6), len(away)) - 1])
    return np.asarray(away <= reach)
