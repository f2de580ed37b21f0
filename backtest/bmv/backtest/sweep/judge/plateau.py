"""Whether the best set stands on a plateau or on a spike: how much of its objective remains a step away.

A market never comes back exactly as it was. Parameters whose neighbours do nearly as well survive that; a spike was
fitted to one past.
"""

from collections.abc import Mapping, Sequence
from math import ceil, log
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bmv.backtest.sweep.judge.sharpe import Floats
from bmv.data.runs.numbers import Json, finite

PLATEAU = 0.7  # From this share of the objective on, what remains is a plateau;
SPIKE = 0.3  # below this one it is a spike; a slope in between.
NEAR = 0.1  # Share of the sets that count as near.
NEAR_MIN = 3
SETS_MIN = 10  # With fewer others the nearest of them are not near.
SAME = 1e-9  # Of the range of a parameter; values nearer than that are the same.


def plateau(
    frame: pl.DataFrame,
    parameters: Sequence[Mapping[str, Any]],
    best: int,
    objective: str,
    direction: str = "maximize",
) -> Json:
    """Describe how the objective falls off around the trial `best`.

    A *share* is how much of the best objective remains, from 0 to 1, a set that lost counting as 0. Where the best
    is not above zero, or is to be small, it is how much remains of its lead over the median set. A pruned trial was
    hopeless and keeps 0; invalid ones are left out. Tied parameters move with the one they are tied to. A choice
    between words has no order, hence no steps.

    Args:
        frame: Columns as `trials.parquet`.
        parameters: As in `summary.json`; of each, `key` and `log` are read, `low`, `high` and `values` where present.
        best: Number of the trial (`trial`), complete.
        objective: Its column.
        direction: `maximize` or `minimize`.

    Returns:
        `word`: `plateau`, `slope`, `spike` or `unknown`. `kept`: the share that the word is about: the mean over the
        axes of `kept`, where each axis with an order has it, and else `near`. `over`: what shares are measured from,
        `zero` or `median`. `near`: the mean share of the nearest
        tenth of all sets, at least three (parameters by their range, logarithms where `log`), None for fewer than ten.
        `sets`: how many others there were. `axes`: for each parameter `key`, `best` (its value), `kept` (mean share
        of its neighbours, all else being equal), `edge` (`low` or `high` where the best stands at the end of the
        range) and `below`, `above`: the nearest value tried on that side and the `objective` there, None where no set
        differs in this parameter alone.
    """
    tried = frame.filter((pl.col("state") == "pruned") | (pl.col("state") == "complete") & _known(objective))
    tried = tried.sort("trial")
    here = np.flatnonzero(tried["trial"].to_numpy() == best)
    if not len(here):
        return {"word": "unknown", "kept": None, "over": None, "near": None, "sets": 0, "axes": []}
    home = int(here[0])
    shares, over = _shares(tried, home, objective, direction)
    places = np.column_stack([_place(tried[each["key"]], each) for each in parameters] or [np.zeros(len(tried))])
    apart = np.abs(places - places[home])
    axes = [_axis(tried, shares, places, apart, home, at, each, objective) for at, each in enumerate(parameters)]
    near = None if shares is None else _near(shares, apart)
    kept = _kept(axes, parameters, tried, near)
    others = int((apart > SAME).any(axis=1).sum())
    return {"word": _word(kept), "kept": kept, "over": over, "near": near, "sets": others, "axes": axes}


def _known(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Float64).is_finite().fill_null(False)


def _shares(tried: pl.DataFrame, home: int, objective: str, direction: str) -> tuple[Floats | None, str]:
    """Return the share of each trial, None where the best is not above what it is measured from, and what that is."""
    sign = 1.0 if direction == "maximize" else -1.0
    scores = sign * tried[objective].cast(pl.Float64).to_numpy()
    complete = (tried["state"] == "complete").to_numpy()
    over = "zero" if sign > 0 and scores[home] > 0 else "median"
    floor = 0.0 if over == "zero" else float(np.median(scores[complete]))
    if scores[home] <= floor:
        return None, over
    return np.where(complete, np.clip((scores - floor) / (scores[home] - floor), 0, 1), 0.0), over


def _place(column: pl.Series, parameter: Mapping[str, Any]) -> Floats:
    """Return where each value stands in the range of its parameter: from 0 to 1, or the number of a word."""
    if _in_words(column):
        return column.rank("dense").to_numpy().astype(np.float64)
    values = column.cast(pl.Float64).to_numpy()
    low, high = _range(values, parameter)
    if parameter.get("log") and low > 0:
        values, low, high = np.log(values), log(low), log(high)
    return (values - low) / (high - low) if high > low else np.zeros(len(values))


def _range(values: Floats, parameter: Mapping[str, Any]) -> tuple[float, float]:
    """Return the ends of a parameter's range, wide enough for every value tried."""
    listed = [number for each in parameter.get("values") or () if (number := _number(each)) is not None]
    ends = [number for name in ("low", "high") if (number := _number(parameter.get(name))) is not None]
    told = [*listed, *ends]
    return min([float(values.min()), *told]), max([float(values.max()), *told])


def _number(value: object) -> float | None:
    """Return `value` as a float if it is a number."""
    return finite(value) if isinstance(value, (int, float)) else None


def _in_words(column: pl.Series) -> bool:
    return not column.dtype.is_numeric()


def _axis(
    tried: pl.DataFrame,
    shares: Floats | None,
    places: Floats,
    apart: Floats,
    home: int,
    at: int,
    parameter: Mapping[str, Any],
    objective: str,
) -> Json:
    """Describe the steps along one parameter; see `plateau`."""
    column = tried[parameter["key"]]
    found: Json = {"key": parameter["key"], "best": column[home], "kept": None, "edge": None}
    found |= {"below": None, "above": None}
    if _in_words(column):
        return found
    alone = (np.delete(apart, at, axis=1) <= SAME).all(axis=1)
    away = places[:, at] - places[home, at]
    steps = {"below": _nearest(alone & (away < -SAME), -away), "above": _nearest(alone & (away > SAME), away)}
    rows = {side: row for side, row in steps.items() if row is not None}
    for side, row in rows.items():
        found[side] = {"value": column[row], "objective": finite(tried[objective][row])}
    if shares is not None and rows:
        found["kept"] = float(shares[list(rows.values())].mean())
    low, high = _range(column.cast(pl.Float64).to_numpy(), parameter)
    if high > low:
        ends = {"low": low, "high": high}
        found["edge"] = next(
            (name for name, end in ends.items() if abs(column[home] - end) <= SAME * (high - low)), None
        )
    return found


def _nearest(among: NDArray[np.bool_], away: Floats) -> int | None:
    """Return the first row among those marked that is the least away."""
    return int(np.argmin(np.where(among, away, np.inf))) if among.any() else None


def _near(shares: Floats, apart: Floats) -> float | None:
    """Return the mean share of the nearest tenth of the other sets."""
    distance = np.sqrt((np.minimum(apart, 1) ** 2).sum(axis=1))  # Two words are as far apart as the ends of a range.
    others = np.flatnonzero(distance > SAME)
    if len(others) < SETS_MIN:
        return None
    nearest = others[np.argsort(distance[others], kind="stable")][: max(NEAR_MIN, ceil(NEAR * len(others)))]
    return float(shares[nearest].mean())


def _kept(
    axes: Sequence[Json], parameters: Sequence[Mapping[str, Any]], tried: pl.DataFrame, near: float | None
) -> float | None:
    """Return the share that the word is about."""
    ordered = [
        axis["kept"]
        for axis, each in zip(axes, parameters, strict=True)
        if not _in_words(tried[each["key"]]) and tried[each["key"]].n_unique() > 1
    ]
    if ordered and all(kept is not None for kept in ordered):
        return float(np.mean(ordered))
    return near


def _word(kept: float | None) -> str:
    if kept is None:
        return "unknown"
    return "plateau" if kept >= PLATEAU else "slope" if kept >= SPIKE else "spike"
