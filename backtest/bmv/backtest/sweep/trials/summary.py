"""What a sweep came to, as its `summary.json` has it."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

from bmv.backtest.sweep.trials.space import Parameter
from bmv.data.runs.numbers import Json


class Aim(TypedDict):
    """An objective: the name of its column in `trials.parquet`, and `maximize` or `minimize`."""

    name: str
    direction: str


class Finding(TypedDict):
    """One check of the verdict: whether it holds, None where that is not known, and a sentence with its figures."""

    ok: bool | None
    text: str


class Verdict(TypedDict):
    """Whether the best set is worth trading, and why."""

    worth: bool
    headline: str
    reasons: list[Finding]


class Speed(TypedDict):
    """How fast the sets were run, and by how many workers."""

    seconds: float
    events_sets_per_second: int | None
    workers: int


class Tape(TypedDict):
    """One tape: what was searched of it, and what was held out; times in ns UTC."""

    name: str
    symbol: str
    first_ns: int
    split_ns: int | None
    last_ns: int
    events: int
    events_held_out: int
    data: list[str]
    set: dict[str, str]
    searched: str | None  # As --timerange takes it.
    held_out: str | None


class Units(TypedDict):
    """What sizes and money are counted in, where the symbol does not say it."""

    units: NotRequired[str]


class SweepSummary(Units):
    """The figures of a sweep; a page is made of one that lacks some of them as well."""

    version: int
    kind: str
    symbol: str
    name: str
    sampler: str
    seed: int
    trials: dict[str, int]  # `planned`, and by state.
    objectives: list[Aim]
    parameters: list[Parameter]
    best: Json | None  # `set`, the columns of its trial, `holdout`.
    front: Sequence[int]
    validation: Json  # Of each check the figures; see `bmv.backtest.sweep.judge.verdict`.
    verdict: Verdict
    warnings: list[str]
    tapes: list[Tape]
    speed: Speed
    quantum: str  # Quote, a decimal.
