"""The trials that a search left: as the table that is kept, the best first, and the front of several objectives."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bmv.backtest.sweep.trials.accounts import LISTS
from bmv.backtest.sweep.trials.objectives import Objective
from bmv.backtest.sweep.trials.row import TrialRow
from bmv.backtest.sweep.trials.space import Axis
from bmv.backtest.sweep.trials.study import Study

FIXED = ("trial", "state", "reason", "digest", "net", "feasible", *LISTS)
FIGURES = (
    "quoting", "market", "events", "orders", "fills", "cancels", "volume", "spread", "inventory", "fees", "net_vs_hold",
    "max_drawdown", "sharpe", "sampling_s", "markout_bps_5s", "markout_bps_60s", "uptime", "turnover", "end_position",
    "halted_share",
)  # fmt: skip
WHOLE = ("events", "orders", "fills", "cancels")
ROWS = 250  # Trials that are there as objects at once.


class Ranking(NamedTuple):
    """The trials of a search that has ended.

    Args:
        frame: The table that is kept, a row a trial, in the order of their numbers.
        ranked: Numbers of the complete trials that keep the constraints, the best first; of those that came out alike
            word for word the first.
        bests: The first few of these, the best first.
        no_ratio: Why no complete trial has a ratio of earnings to risk; empty where one has.
    """

    frame: pl.DataFrame
    ranked: list[int]
    bests: list[TrialRow]
    no_ratio: str

    @property
    def best(self) -> int | None:
        """The number of the best trial; None where none keeps the constraints."""
        return self.ranked[0] if self.ranked else None

    def how_many(self, state: str) -> int:
        """Return how many trials ended in `state`."""
        return int((self.frame["state"] == state).sum())


def rank(
    study: Study, axes: Sequence[Axis], objectives: Sequence[Objective], names: Sequence[str], bests: int
) -> Ranking:
    """Return the trials of `study`, ranked by the first objective.

    They are read one by one, and nothing is kept of them but what the table has: as objects they would take seven times
    its memory.

    Args:
        names: Those of the tapes.
        bests: How many of the best are wanted whole.
    """
    parts, no_ratio = list[pl.DataFrame](), dict[str | None, None]()
    lists, complete = {name: Lists(len(study)) for name in LISTS}, list[bool]()
    rows = study.rows()
    while some := list(islice(rows, ROWS)):
        parts.append(frame_of(some, axes, objectives, names))
        for row in some:
            complete.append(row["state"] == "complete")
            if complete[-1]:
                no_ratio[row["figures"].get("no_ratio")] = None
                for name, values in zip(LISTS, (row["returns"], row["held"], row["mids"]), strict=True):
                    lists[name].add(values)
    frame = pl.concat(parts or [frame_of([], axes, objectives, names)], rechunk=True)
    frame = frame.with_columns(lists.pop(name).series(name, complete) for name in LISTS)
    ranked = _ranked(frame, columns_of(objectives, axes, len(names))[0], objectives[0].large)
    why = "" if None in no_ratio else next(iter(no_ratio), "")
    return Ranking(frame, ranked, [study[trial] for trial in ranked[:bests]], why or "")


def _ranked(frame: pl.DataFrame, objective: str, large: bool) -> list[int]:
    feasible = frame.filter("feasible").select("trial", "digest", objective)
    in_order = feasible.sort(objective, "trial", descending=[large, False])
    first = dict[str, int]()
    for trial, digest in zip(in_order["trial"].reverse(), in_order["digest"].reverse(), strict=True):
        first[digest] = trial
    return list(first.values())[::-1]


class Lists:
    """Lists of one length, one for each of at most `trials`: as whole numbers, and once where all are alike."""

    def __init__(self, trials: int) -> None:
        self._trials, self._count = trials, 0
        self._first = np.zeros(0, np.int64)
        self._rows: NDArray[np.int64] | None = None  # None: as many as were added are like the first.

    def add(self, values: Sequence[int]) -> None:
        """Add the list of the next trial."""
        row = np.array(values, np.int64)
        if not self._count:
            self._first = row
        if self._rows is None and not np.array_equal(row, self._first):
            self._rows = np.empty((self._trials, len(row)), np.int64)
            self._rows[: self._count] = self._first
        if self._rows is not None:
            self._rows[self._count] = row
        self._count += 1

    def series(self, name: str, present: Sequence[bool]) -> pl.Series:
        """Return them as a column, null where a trial is not `present`; nothing is kept here."""
        if self._rows is None:
            whole = pl.Series(name, [self._first.tolist()], pl.List(pl.Int64)).new_from_index(0, self._count)
        else:
            whole = pl.Series(name, self._rows[: self._count]).cast(pl.List(pl.Int64))
            self._rows = None
        if all(present):
            return whole
        places = pl.Series(np.cumsum(present) - 1).set(~pl.Series(present, dtype=pl.Boolean), None)
        return whole.gather(places)


def keeps(row: TrialRow) -> bool:
    """Return whether a complete trial keeps all constraints."""
    return all(violation <= 0 for violation in row["violations"])


def columns_of(objectives: Sequence[Objective], axes: Sequence[Axis], tapes: int) -> list[str]:
    """Return the name of each objective's column in the table of the trials."""
    taken = {*FIXED, *FIGURES, *(key for axis in axes for key in (axis.key, *axis.also))}
    return [objective.column(tapes, taken) for objective in objectives]


def frame_of(
    rows: Iterable[TrialRow], axes: Sequence[Axis], objectives: Sequence[Objective], names: Sequence[str]
) -> pl.DataFrame:
    """Return the trials as a table, a row each, but for their lists."""
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
    return pl.DataFrame(list(columns.values()))


def _kind(axis: Axis) -> Any:  # Any: a type of Polars'.
    if axis.whole:
        return pl.Int64
    if axis.ordered and not any(isinstance(value, bool) for value in axis.values):
        return pl.Float64
    return pl.Boolean if all(isinstance(value, bool) for value in axis.values) else pl.String


def front(trials: Sequence[int], figures: NDArray[np.float64], objectives: Sequence[Objective]) -> list[int]:
    """Return the trials than which no other is better in every objective (the Pareto front), by their numbers.

    Args:
        figures: Their objectives, a row each.
    """
    signs = np.array([1.0 if each.large else -1.0 for each in objectives])
    points = figures * signs
    return sorted(trial for trial, point in zip(trials, points, strict=True) if not _beaten(point, points))


def _beaten(point: NDArray[np.float64], points: NDArray[np.float64]) -> bool:
    """Return whether one of `points` is nowhere worse than `point` and somewhere better."""
    return bool(((points >= point).all(axis=1) & (points > point).any(axis=1)).any())
