"""The trials that a search left: as the table that is kept, the best first, and the front of several objectives."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bmv.backtest.sweep.trials.accounts import LISTS
from bmv.backtest.sweep.trials.objectives import Objective
from bmv.backtest.sweep.trials.space import Axis
from bmv.backtest.sweep.trials.study import Row, Study

FIXED = ("trial", "state", "reason", "digest", "net", "feasible", *LISTS)
FIGURES = (
    "quoting", "market", "events", "orders", "fills", "cancels", "volume", "spread", "inventory", "fees", "net_vs_hold",
    "max_drawdown", "sharpe", "sampling_s", "markout_bps_5s", "markout_bps_60s", "uptime", "turnover", "end_position",
    "halted_share",
)  # fmt: skip
WHOLE = ("events", "orders", "fills", "cancels")


class Ranking(NamedTuple):
    """The trials of a search that has ended.

    Args:
        rows: By number.
        frame: The same as the table that is kept.
        ranked: Numbers of the complete trials that keep the constraints, the best first; of those that came out alike
            word for word the first.
    """

    rows: dict[int, Row]
    frame: pl.DataFrame
    ranked: list[int]

    @property
    def best(self) -> int | None:
        """The number of the best trial; None where none keeps the constraints."""
        return self.ranked[0] if self.ranked else None

    def how_many(self, state: str) -> int:
        """Return how many trials ended in `state`."""
        return sum(row["state"] == state for row in self.rows.values())


def rank(study: Study, axes: Sequence[Axis], objectives: Sequence[Objective], names: Sequence[str]) -> Ranking:
    """Return the trials of `study`, ranked by the first objective; `names` are those of the tapes."""
    rows = {int(row["trial"]): row for row in study.rows()}
    feasible = [row for row in rows.values() if row["state"] == "complete" and keeps(row)]
    sign = 1 if objectives[0].large else -1
    in_order = sorted(feasible, key=lambda row: (-sign * row["objectives"][0], row["trial"]))
    ranked = [row["trial"] for row in {row["digest"]: row for row in reversed(in_order)}.values()][::-1]
    return Ranking(rows, frame_of(rows.values(), axes, objectives, names), ranked)


def keeps(row: Row) -> bool:
    """Return whether a complete trial keeps all constraints."""
    return all(violation <= 0 for violation in row["violations"])


def columns_of(objectives: Sequence[Objective], axes: Sequence[Axis], tapes: int) -> list[str]:
    """Return the name of each objective's column in the table of the trials."""
    taken = {*FIXED, *FIGURES, *(key for axis in axes for key in (axis.key, *axis.also))}
    return [objective.column(tapes, taken) for objective in objectives]


def frame_of(
    rows: Iterable[Row], axes: Sequence[Axis], objectives: Sequence[Objective], names: Sequence[str]
) -> pl.DataFrame:
    """Return the trials as a table, a row each, in the order of their numbers."""
    rows = list(rows)
    columns: dict[str, pl.Series] = {}

    def put(name: str, values: Sequence[Any], kind: Any = None) -> None:  # Any: of whatever kind the column is.
        if name not in columns:
            columns[name] = pl.Series(name, values, kind)

    put("trial", [row["trial"] for row in rows], pl.Int64)
    put("state", [row["state"] for row in rows], pl.String)
    put("reason", [row["reason"] for row in rows], pl.String)
    for axis in axes:
        for key in (axis.key, *axis.also):
            put(key, [row["set"][key] for row in rows], _kind(axis))
    put("digest", [row["digest"] for row in rows], pl.String)
    put("net", [row["figures"].get("net") for row in rows], pl.Float64)
    for n, name in enumerate(columns_of(objectives, axes, len(names))):
        put(name, [row["objectives"][n] if row["objectives"] else None for row in rows], pl.Float64)
    put("feasible", [row["state"] == "complete" and keeps(row) for row in rows], pl.Boolean)
    for name in FIGURES:
        put(name, [row["figures"].get(name) for row in rows], pl.Int64 if name in WHOLE else pl.Float64)
    for n, name in enumerate(names if len(names) > 1 else ()):
        put(f"net.{name}", [row["net_of"][n] if row["net_of"] else None for row in rows], pl.Float64)
    for name in LISTS:
        put(name, [row[name] if row["state"] == "complete" else None for row in rows], pl.List(pl.Int64))
    return pl.DataFrame(list(columns.values()))


def _kind(axis: Axis) -> Any:  # Any: a type of Polars'.
    if axis.whole:
        return pl.Int64
    if axis.ordered and not any(isinstance(value, bool) for value in axis.values):
        return pl.Float64
    return pl.Boolean if all(isinstance(value, bool) for value in axis.values) else pl.String


def front(rows: Mapping[int, Row], ranked: Sequence[int], objectives: Sequence[Objective]) -> list[int]:
    """Return the trials than which no other is better in every objective (the Pareto front), by their numbers."""
    if not ranked:
        return []
    signs = np.array([1.0 if each.large else -1.0 for each in objectives])
    points = np.array([rows[trial]["objectives"] for trial in ranked]) * signs
    return sorted(trial for trial, point in zip(ranked, points, strict=True) if not _beaten(point, points))


def _beaten(point: NDArray[np.float64], points: NDArray[np.float64]) -> bool:
    """Return whether one of `points` is nowhere worse than `point` and somewhere better."""
    return bool(((points >= point).all(axis=1) & (points > point).any(axis=1)).any())
