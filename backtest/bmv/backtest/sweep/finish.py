"""The end of a sweep: the table of its trials, the best of them tried on what was held out, and the verdict."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bmv.adapters.config import Config
from bmv.adapters.config.compile import to_ns
from bmv.backtest.numbers import Json
from bmv.backtest.register import Register, register_path
from bmv.backtest.register import Row as Trial
from bmv.backtest.sweep import tapes as tapes_of
from bmv.backtest.sweep.objectives import Objective
from bmv.backtest.sweep.shared import prepare
from bmv.backtest.sweep.space import Axis
from bmv.backtest.sweep.study import Row, Study
from bmv.backtest.sweep.tapes import Split
from bmv.backtest.sweep.trial import Made
from bmv.backtest.sweep.validation.sharpe import sharpe
from bmv.backtest.sweep.work import Stretch
from bmv.ports.errors import BmvError

BESTS = 5  # Sets whose equity is kept.
FIGURES = (
    "events", "orders", "fills", "cancels", "volume", "spread", "inventory", "fees", "net_vs_hold", "max_drawdown",
    "sharpe", "sampling_s", "markout_bps_5s", "markout_bps_60s", "uptime", "turnover", "end_position", "halted_share",
)  # fmt: skip
WHOLE = ("events", "orders", "fills", "cancels")
PERIODS_LEAST = 16  # Of what is held out.


class Ended(NamedTuple):
    """What the search left, for the parts of the ending.

    Args:
        rows: The trials by number.
        frame: The same as the table that is kept.
        ranked: Numbers of the complete trials that keep the constraints, the best first; of those that came out alike
            word for word the first.
    """

    rows: dict[int, Row]
    frame: pl.DataFrame
    ranked: list[int]


def ended(study: Study, axes: Sequence[Axis], objectives: Sequence[Objective], names: Sequence[str]) -> Ended:
    """Return what a search left; `names` are those of the tapes."""
    rows = {int(row["trial"]): row for row in study.rows()}
    feasible = [row for row in rows.values() if row["state"] == "complete" and keeps(row)]
    sign = 1 if objectives[0].large else -1
    in_order = sorted(feasible, key=lambda row: (-sign * row["objectives"][0], row["trial"]))
    ranked = [row["trial"] for row in {row["digest"]: row for row in reversed(in_order)}.values()][::-1]
    return Ended(rows, frame_of(rows.values(), axes, objectives, names), ranked)


def keeps(row: Row) -> bool:
    """Return whether a complete trial keeps all constraints."""
    return all(violation <= 0 for violation in row["violations"])


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
    for n, objective in enumerate(objectives):
        put(objective.name, [row["objectives"][n] if row["objectives"] else None for row in rows], pl.Float64)
    put("feasible", [row["state"] == "complete" and keeps(row) for row in rows], pl.Boolean)
    for name in FIGURES:
        put(name, [row["figures"].get(name) for row in rows], pl.Int64 if name in WHOLE else pl.Float64)
    for n, name in enumerate(names if len(names) > 1 else ()):
        put(f"net.{name}", [row["net_of"][n] if row["net_of"] else None for row in rows], pl.Float64)
    whole = [row["returns"] if row["state"] == "complete" else None for row in rows]
    put("returns", whole, pl.List(pl.Int64))
    return pl.DataFrame(list(columns.values()))


def _kind(axis: Axis) -> Any:  # Any: a type of Polars'.
    if axis.whole:
        return pl.Int64
    if axis.ordered:
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


class Holdout:
    """The parts of the tapes that the search never saw, read when it has ended."""

    def __init__(self, config: Config, axes: Sequence[Axis], splits: Sequence[Split], periods: int) -> None:
        held = [(split, window) for split in splits if (window := split.held_out) is not None]
        history_ns = to_ns(tapes_of.longest_history_s(config, axes))
        self.stretches = [
            Stretch(
                prepare(split.source.name, tapes_of.opened(config, split.source, *window), history_ns),
                split.source.overrides,
            )
            for split, window in held
        ]
        share = config.sweep.validation.holdout
        self.periods = max(PERIODS_LEAST, round(periods * share / (1 - share)))

    def of(self, made: Sequence[Made]) -> Json | None:
        """Return what a set came to on it, as the verdict wants it; None where nothing is held out."""
        if not made:
            return None
        return {
            "net": sum(each.figures["net"] for each in made),
            "fills": sum(each.figures["fills"] for each in made),
            "max_drawdown": max(each.figures["max_drawdown"] or 0.0 for each in made),
            "digest": " ".join(each.digest for each in made),
            "returns": [quanta for each in made for quanta in each.returns],
        }


class Tried(NamedTuple):
    """What the register knows of the ticks of a sweep.

    Args:
        ever: How many different sets were ever run on them, this sweep's included.
        sharpes: Their Sharpe ratios per period, as far as they are known.
        warning: Why the register could not be asked; empty if it could.
    """

    ever: int
    sharpes: NDArray[np.float64]
    warning: str = ""


def registered(data: Sequence[str], rows: Iterable[Row]) -> Tried:
    """Enter the trials into the register that survives sessions, and return what it knows of these ticks."""
    known: list[Trial] = [
        (row["digest"], sharpe(np.array(row["returns"], np.int64)), "sweep")
        for row in rows
        if row["state"] == "complete"
    ]
    register = Register(register_path())
    try:
        register.add(data, known)
        return Tried(register.count(data), register.sharpes(data))
    except BmvError as error:
        own = np.array([ratio for _, ratio, _ in known if ratio is not None], np.float64)
        return Tried(len(known), own, f"earlier trials on these ticks are not counted: {error}")
