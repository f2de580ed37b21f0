"""What every worker of a sweep has: the configuration, the tapes, and what is asked of a run; and the row it makes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from threading import Event
from typing import Any, NamedTuple

from bmv.adapters.config import Config, build
from bmv.adapters.config.schema import Constraints
from bmv.backtest import plugin
from bmv.backtest.sweep.objectives import Objective
from bmv.backtest.sweep.proposer import Heard
from bmv.backtest.sweep.shared import Prepared
from bmv.backtest.sweep.space import Set
from bmv.backtest.sweep.study import Row
from bmv.backtest.sweep.trial import CHECKS, Look, Made, Stopped, run
from bmv.core.engine import Strategy
from bmv.core.kernel import is_kernel
from bmv.ports.errors import ConfigError

ADDED_UP = (
    "events", "trades", "quotes", "depths", "timers", "orders", "fills", "cancels", "rejected", "requotes", "net",
    "spread", "inventory", "fees", "net_vs_hold", "volume", "notional", "markout_quote_5s", "markout_quote_60s",
)  # fmt: skip
DEEPEST = ("max_drawdown", "max_drawdown_quote")
WARM_UP = CHECKS // 4  # Checks before which no run is judged by the others: a beginning says little.

Medians = tuple[tuple[float, ...], ...]  # Net (quanta) of earlier sets, for each tape at each check.


class Task(NamedTuple):
    """A set to be run."""

    trial: int
    set: Set
    medians: Medians = ()


@dataclass(frozen=True)
class Stretch:
    """One tape of a sweep as the workers have it, and what is different on it."""

    prepared: Prepared
    overrides: Mapping[str, Any] = field(default_factory=dict)  # Any: a value of whatever key.


class Work:
    """Turns tasks into rows; many threads may do so at once.

    Args:
        base: The configuration that the sets change.
        stretches: The tapes that each set is run on, in order.
        objectives: What is asked of each run.
        periods: Stretches of equal length for the returns.
    """

    def __init__(
        self, base: Config, stretches: Sequence[Stretch], objectives: Sequence[Objective], periods: int
    ) -> None:
        self.base = base
        self.stretches = stretches
        self.objectives = objectives
        self.periods = periods
        self.stop = Event()  # Set: runs that are on their way end, and make no row.
        sweep = base.sweep
        self._across, self._pruning, self._constraints = sweep.across, sweep.pruning, sweep.constraints
        self._table = trading(base)
        self._strategy = plugin.load(base.strategy) if base.strategy else None
        self._verb: Any = None  # Any: machine code.
        if self._strategy is not None and is_kernel(self._strategy):
            from bmv.backtest.fused import compiled_verb

            self._verb = compiled_verb(self._strategy, base.strategy or "")

    def row(self, task: Task) -> Row | None:
        """Run a set on all tapes and return what it came to; None when it was told to stop.

        The row is JSON: `trial`, `set`, `state` (complete, pruned, invalid), `reason`, `digest`, `objectives`,
        `violations` (how far each constraint is broken), `figures`, `net_of` each tape, `returns` (quanta), `halfway`.
        """
        made = list[Made]()
        for at, stretch in enumerate(self.stretches):
            try:
                made.append(self._run(task, at, stretch))
            except Stopped as stopped:
                if self.stop.is_set():
                    return None
                halfway = [*(each.halfway for each in made), stopped.halfway]
                return _ended(task, "pruned", str(stopped), halfway)
            except ConfigError as error:
                return _ended(task, "invalid", str(error).replace("configuration: ", ""), [])
        return self._whole(task, made)

    def runs(self, task: Task) -> list[Made]:
        """Run a set on each tape to its end."""
        return [self._made(task, stretch, None) for stretch in self.stretches]

    def config(self, task_set: Set, overrides: Mapping[str, Any]) -> Config:  # Any: as above.
        """Return the configuration of a set on a tape."""
        return build(**with_values(with_values(self._table, task_set), overrides))

    def _run(self, task: Task, at: int, stretch: Stretch) -> Made:
        medians = task.medians[at] if task.medians else ()

        def look(check: int, net: int, fallen: float) -> str:
            return "told to stop" if self.stop.is_set() else self._hopeless(check, net, fallen, medians)

        return self._made(task, stretch, look)

    def _made(self, task: Task, stretch: Stretch, look: Look | None) -> Made:
        config = self.config(task.set, stretch.overrides)
        strategy = self._fresh_strategy(config)
        return run(config, stretch.prepared, self.objectives, self.periods, strategy, self._verb, look)

    def _fresh_strategy(self, config: Config) -> Strategy | None:
        """Return the user's function; plain Python is imported anew, so that nothing it remembers is another run's."""
        return self._strategy if self._verb is not None or not config.strategy else plugin.load(config.strategy)

    def _hopeless(self, check: int, net: int, fallen: float, medians: Sequence[float]) -> str:
        limit = self._constraints.max_drawdown
        if self._pruning != "none" and limit is not None and fallen > limit:
            return f"equity had fallen by {fallen:.2%}, more than constraints.max_drawdown = {limit:g}"
        if self._pruning == "median" and check >= WARM_UP and len(medians) > check and net < medians[check]:
            return f"after {(check + 1) / CHECKS:.0%} of the tape it stood below the median of earlier sets"
        return ""

    def _whole(self, task: Task, made: Sequence[Made]) -> Row:
        figures = _together([each.figures for each in made])
        objectives = [self._across_tapes([each.objectives[n] for each in made]) for n in range(len(self.objectives))]
        unknown = [each.name for each, value in zip(self.objectives, objectives, strict=True) if value is None]
        violations = violated(self._constraints, figures)
        return {
            "trial": task.trial,
            "set": task.set,
            "state": "invalid" if unknown else "complete",
            "reason": f"{', '.join(unknown)} can't be told: too little happened" if unknown else "",
            "digest": " ".join(each.digest for each in made),
            "objectives": objectives,
            "violations": violations,
            "figures": figures,
            "net_of": [each.figures["net"] for each in made],
            "returns": [quanta for each in made for quanta in each.returns],
            "halfway": [each.halfway for each in made],
        }

    def _across_tapes(self, values: Sequence[float | None]) -> float | None:
        """Return one figure for all tapes; unknown if it is so on any."""
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return None
        return fmean(known) if self._across == "mean" else sum(known) if self._across == "sum" else min(known)


def trading(config: Config) -> dict[str, Any]:  # Any: tables of plain values.
    """Return what of a configuration decides how a run trades, as tables."""
    return config.model_dump(exclude_none=True, exclude={"sweep", "live", "storage"})


def with_values(table: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:  # Any: as above.
    """Return `table` with a value for each dotted key, everything else shared with it."""
    made = dict(table)
    for key, value in values.items():
        *parents, last = key.split(".")
        inner = made
        for name in parents:
            below = inner.get(name)
            inner[name] = inner = dict(below) if isinstance(below, dict) else {}
        inner[last] = value
    return made


def heard(row: Row) -> Heard:
    """Return what the sampler is told of a trial."""
    if row["state"] == "complete":
        return Heard(tuple(row["objectives"]), tuple(row["violations"]))
    ends = [each[-1] for each in row["halfway"] if each]
    return Heard(halfway=float(sum(ends)) if row["state"] == "pruned" and ends else None)


def violated(constraints: Constraints, figures: Mapping[str, Any]) -> list[float]:  # Any: numbers, None if unknown.
    """Return how far each constraint that is on is broken; 0 or below is kept, and what is unknown breaks it by 1."""
    found = list[float]()

    def over(value: float | None, limit: float | None, sign: int) -> None:
        if limit is not None:
            found.append(1.0 if value is None else sign * (float(value) - float(limit)))

    over(figures.get("max_drawdown"), constraints.max_drawdown, 1)
    over(figures.get("fills"), constraints.min_fills, -1)
    position = figures.get("end_position")
    most = constraints.max_position
    over(None if position is None else abs(position), None if most is None else float(most), 1)
    over(figures.get("uptime"), constraints.min_uptime, -1)
    return found


def _ended(task: Task, state: str, reason: str, halfway: Sequence[Sequence[int]]) -> Row:
    return {
        "trial": task.trial,
        "set": task.set,
        "state": state,
        "reason": reason,
        "digest": "",
        "objectives": [],
        "violations": [],
        "figures": {},
        "net_of": [],
        "returns": [],
        "halfway": halfway,
    }


def _together(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # Any: as above.
    """Return the figures of several tapes as one: counts and money added up, the deepest fall, the mean of the rest."""
    if len(parts) == 1:
        return dict(parts[0])
    return {name: _joined(name, [part[name] for part in parts]) for name in parts[0]}


def _joined(name: str, values: Sequence[Any]) -> Any:  # Any: as above.
    known = [value for value in values if value is not None]
    if not known:
        return None
    if name in ADDED_UP:
        return sum(known)
    return max(known) if name in DEEPEST else fmean(known)
