"""One trial that has ended, as the journal of a sweep and `trials.parquet` have it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from bmv.backtest.sweep.trials.space import Set

State = Literal["complete", "pruned", "invalid"]
Figures = Mapping[str, Any]  # Any: a number, None where it is unknown; `no_ratio` alone is a reason in words.


class TrialRow(TypedDict):
    """A trial as JSON. Money is in quote in `figures` and `net_of`, in quanta common to all tapes in the lists.

    One that did not run to its end has empty `objectives`, `figures`, `net_of`, `returns`, `held` and `mids`.
    """

    trial: int
    set: Set
    state: State
    reason: str  # Why it was pruned, or could not be run; empty otherwise.
    digest: str  # Of each tape, blanks between.
    objectives: Sequence[float | None]  # In the order in which they are asked for.
    violations: Sequence[float]  # How far each constraint is broken; 0 or below is kept.
    figures: Figures  # Over all tapes.
    net_of: Sequence[float]  # Of each tape.
    returns: Sequence[int]  # Change of equity in each period.
    held: Sequence[int]  # Position in each period, as money.
    mids: Sequence[int]
    halfway: Sequence[Sequence[int]]  # Net at each check of each tape, what pruning goes by.


def aims(row: TrialRow) -> list[float]:
    """Return the objectives of a complete trial, which are known: one of which one is not is invalid."""
    return [float(value) for value in row["objectives"] if value is not None]


class Account(TypedDict):
    """What was earned and held period by period over all tapes; three of the fields of a :class:`TrialRow`."""

    returns: Sequence[int]
    held: Sequence[int]
    mids: Sequence[int]
