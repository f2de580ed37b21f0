"""What every worker of a sweep has: the configuration, the tapes, and what is asked of a run; and the row it makes."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from threading import Event, local
from typing import Any, NamedTuple

from pydantic import ValidationError

from bmv.adapters.config import Config, build
from bmv.adapters.config.check import check
from bmv.adapters.config.compile import refuse_without_reference
from bmv.adapters.strategy import plugin
from bmv.backtest.sweep.run.arena import Arena
from bmv.backtest.sweep.run.trial import CHECKS, Look, RunFigures, Stopped, run
from bmv.backtest.sweep.tapes.combine import across, combined, common_quantum, joined_returns
from bmv.backtest.sweep.tapes.shared import Stretch
from bmv.backtest.sweep.trials.objectives import Objective, ObjectiveError, unknown, violated
from bmv.backtest.sweep.trials.row import Account, State, TrialRow
from bmv.backtest.sweep.trials.space import Set, trading, with_values
from bmv.core.engine import Strategy
from bmv.core.kernel import is_kernel
from bmv.ports.errors import ConfigError

WARM_UP = CHECKS // 4  # Checks before which no run is judged by the others: a beginning says little.

Medians = tuple[tuple[float, ...], ...]  # Net (quanta) of earlier sets, for each tape at each check.


class Task(NamedTuple):
    """A set to be run."""

    trial: int
    set: Set
    medians: Medians = ()


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
        self._sections = dict(build(**self._table))  # Valid already: of a set only those that it changes are not.
        self._of_thread = local()
        self._strategy = plugin.load(base.strategy) if base.strategy else None
        self._verb: Any = None  # Any: machine code.
        if self._strategy is not None and is_kernel(self._strategy):
            from bmv.backtest.fused import compiled_verb

            self._verb = compiled_verb(self._strategy, base.strategy or "")
        quanta = [stretch.prepared.market.quantum for stretch in stretches]
        self.quantum = common_quantum(quanta) if quanta else Fraction(1)  # Quote; of the returns of all tapes.
        self._scales = [int(quantum / self.quantum) for quantum in quanta]
        ends = sorted((stretch.prepared.first_ns, stretch.prepared.last_ns) for stretch in stretches)
        self.at_once = any(before[1] > after[0] for before, after in pairwise(ends))  # Tapes overlap in time.

    @property
    def events(self) -> int:
        """Rows that one set is told, on all tapes together."""
        return sum(stretch.prepared.events for stretch in self.stretches)

    def row(self, task: Task) -> TrialRow | None:
        """Run a set on all tapes and return what it came to; None when it was told to stop."""
        made = list[RunFigures]()
        for at, stretch in enumerate(self.stretches):
            try:
                made.append(self._run(task, at, stretch))
            except Stopped as stopped:
                if self.stop.is_set():
                    return None
                halfway = [*(each.halfway for each in made), stopped.halfway]
                broken = [1.0] if "constraints" in str(stopped) else []
                return _unfinished(task, "pruned", str(stopped), halfway) | {"violations": broken}
            except ObjectiveError:
                raise
            except ConfigError as error:
                return _unfinished(task, "invalid", str(error).replace("configuration: ", ""), [])
        return self._whole(task, made)

    def runs(self, task: Task) -> list[RunFigures]:
        """Run a set on each tape to its end."""
        return [self._made(task, stretch, None) for stretch in self.stretches]

    def account(self, made: Sequence[RunFigures]) -> Account:
        """Return what was earned and held period by period over all tapes, as `trials.parquet` has it.

        `returns`, the change of equity in each period, and `held`, the position in it, are in common quanta; of `held`
        and `mids` those of one tape stand behind those of the other, whether or not tapes overlap in time.
        """
        parts = [each.periods for each in made]
        return {
            "returns": joined_returns([part.returns for part in parts], self._scales, self.at_once),
            "held": joined_returns([part.held for part in parts], self._scales, at_once=False),
            "mids": [mid for part in parts for mid in part.mids],
        }

    def config(self, task_set: Set, overrides: Mapping[str, Any]) -> Config:  # Any: as above.
        """Return the configuration of a set on a tape; `ConfigError` where a backtest of it would be refused."""
        values = {**task_set, **overrides}
        table = with_values(self._table, values)
        sections = {key.partition(".")[0] for key in values}
        try:
            config = Config.model_validate(self._sections | {name: table[name] for name in sections})
        except ValidationError:
            return build(**table)  # Which says what is wrong.
        if check(config):
            return build(**table)
        refuse_without_reference(config)
        return config

    def _run(self, task: Task, at: int, stretch: Stretch) -> RunFigures:
        medians = task.medians[at] if task.medians else ()

        def look(check: int, net: int, fallen: float) -> str:
            return "told to stop" if self.stop.is_set() else self._hopeless(check, net, fallen, medians)

        return self._made(task, stretch, look)

    def _made(self, task: Task, stretch: Stretch, look: Look | None) -> RunFigures:
        config = self.config(task.set, stretch.overrides)
        strategy = self._fresh_strategy(config)
        arena = self._of_thread.__dict__.setdefault("arena", Arena())
        return run(config, stretch.prepared, self.objectives, self.periods, strategy, self._verb, look, arena)

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

    def _whole(self, task: Task, made: Sequence[RunFigures]) -> TrialRow:
        figures = combined([each.figures for each in made])
        objectives = [
            across([each.objectives[n] for each in made], self._across, asked.large)
            for n, asked in enumerate(self.objectives)
        ]
        reason = unknown(self.objectives, objectives, figures)
        return {
            "trial": task.trial,
            "set": task.set,
            "state": "invalid" if reason else "complete",
            "reason": reason,
            "digest": " ".join(each.digest for each in made),
            "objectives": objectives,
            "violations": violated(self._constraints, figures),
            "figures": figures,
            "net_of": [each.figures["net"] for each in made],
            **self.account(made),
            "halfway": [each.halfway for each in made],
        }


def _unfinished(task: Task, state: State, reason: str, halfway: Sequence[Sequence[int]]) -> TrialRow:
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
        "held": [],
        "mids": [],
        "halfway": halfway,
    }
