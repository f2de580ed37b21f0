"""Which sets are tried: the samplers, all of them Optuna's but for the plain grid.

What is proposed is a function of the axes, the seed, and what was heard of the sets proposed before. So a sweep that
was broken off goes on as if nothing had happened: the same proposals are made again, and those that were run already
are heard from their record.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any, NamedTuple

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    NSGAIIISampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from bmv.backtest.sweep.trials.space import Axis, Set, Value, rounded, size, whole_set
from bmv.ports.errors import ConfigError

LEARNING = ("tpe", "cmaes", "nsga2", "nsga3")
TRIALS = 100  # Where nobody says how many.
VIOLATIONS = "violations"

optuna.logging.set_verbosity(optuna.logging.ERROR)


class Heard(NamedTuple):
    """What the sampler is told of a set.

    Args:
        figures: The objectives; none if the run did not come to its end.
        violations: How far each constraint is broken; 0 or below is kept.
        halfway: Net where the run was given up, in quanta, None if it was not.
    """

    figures: tuple[float, ...] = ()
    violations: tuple[float, ...] = ()
    halfway: float | None = None


class Proposer:
    """Proposes sets in batches.

    Args:
        sampler: A name of the schema's.
        trials: How many sets in all; None: a grid whole, the others `TRIALS`.
        maximise: For each objective, whether it is to be large.
        batch: How many sets are proposed before any of them is heard of.
    """

    def __init__(
        self,
        axes: Sequence[Axis],
        sampler: str,
        seed: int,
        trials: int | None,
        maximise: Sequence[bool] = (True,),
        batch: int = 16,
    ) -> None:
        self.axes = axes
        self.sampler = sampler
        self.batch = batch
        self.planned = _planned(axes, sampler, trials)
        self._grid = _grid(axes) if sampler == "grid" else None
        self._left = self.planned
        self._asked = list[Trial]()
        self._spaces = {axis.key: _distribution(axis) for axis in axes}
        self._study = optuna.create_study(
            directions=[StudyDirection.MAXIMIZE if large else StudyDirection.MINIMIZE for large in maximise],
            sampler=_sampler(axes, sampler, seed, len(maximise), batch, self.planned),
        )

        if sampler == "sobol":  # Optuna's begins with a point by chance, which is no part of the sequence.
            self._study.tell(self._study.ask(self._spaces), [0.0] * len(maximise))
        self._sequence = None if self.learns else _Sequence(self._study, self._spaces)

    @property
    def learns(self) -> bool:
        """Whether what is proposed depends on what was heard."""
        return self.sampler in LEARNING

    def propose(self) -> list[Set]:
        """Return the next batch of sets; none when all were proposed. What was proposed before must have been heard."""
        count = min(self.batch, self._left)
        self._left -= count
        if self._grid is not None:
            return list(islice(self._grid, count))
        if self._sequence is not None:
            return [self._set(self._sequence.draw()) for _ in range(count)]
        self._asked = [self._study.ask(self._spaces) for _ in range(count)]
        return [self._set(trial.params) for trial in self._asked]

    def hear(self, results: Sequence[Heard]) -> None:
        """Hear how the sets of the last batch did, in their order."""
        if not self.learns:
            return
        for trial, heard in zip(self._asked, results, strict=True):
            trial.set_user_attr(VIOLATIONS, heard.violations)
            if heard.figures:
                self._study.tell(trial, list(heard.figures))
            elif heard.halfway is not None and len(self._study.directions) == 1:
                trial.report(heard.halfway, 0)
                self._study.tell(trial, state=TrialState.PRUNED)
            else:
                self._study.tell(trial, state=TrialState.FAIL)

    def _set(self, drawn: Mapping[str, Any]) -> Set:  # Any: a number, as Optuna has it.
        return whole_set(self.axes, [_read(axis, drawn[axis.key]) for axis in self.axes])


class _Sequence:
    """Draws from a sampler that learns nothing, as `study.ask` would.

    A study goes through all its trials each time that it is asked, and keeps each for good: 100,000 sets would take an
    hour to propose. So nothing is added to this one.
    """

    def __init__(self, study: optuna.Study, spaces: Mapping[str, BaseDistribution]) -> None:
        self._study, self._spaces = study, spaces
        self._trial = create_trial(state=TrialState.RUNNING)  # Samplers name it where they complain.
        self._together = study.sampler.infer_relative_search_space(study, self._trial)

    def draw(self) -> dict[str, Any]:  # Any: as above.
        """Return the next value of each space."""
        sampler = self._study.sampler
        drawn = sampler.sample_relative(self._study, self._trial, self._together)
        for key, space in self._spaces.items():
            if space.single():
                drawn[key] = 0  # An axis of one value: its number.
            elif key not in drawn:
                drawn[key] = sampler.sample_independent(self._study, self._trial, key, space)
        return drawn


def _planned(axes: Sequence[Axis], sampler: str, trials: int | None) -> int:
    count = size(axes)
    if sampler in LEARNING and count is not None:
        return min(trials or TRIALS, count)  # There are no more sets than that to find.
    if sampler != "grid":
        return trials or TRIALS
    if count is None:
        name = next(axis.key for axis in axes if not axis.values)
        raise ConfigError(f"{name}: a grid needs steps (LOW:HIGH:STEP); random, sobol and tpe do without")
    if trials is not None and count > trials:
        raise ConfigError(
            f"the grid has {count:,} sets, above trials = {trials:,}: "
            "allow as many, take wider steps, or --sampler sobol"
        )
    return count


def _grid(axes: Sequence[Axis]) -> Iterator[Set]:
    return (whole_set(axes, values) for values in product(*(axis.values for axis in axes)))


def _distribution(axis: Axis) -> BaseDistribution:
    """Return the axis as Optuna spells it: steps by their number, so that no value is rounded on the way."""
    if axis.values and axis.ordered:
        return IntDistribution(0, len(axis.values) - 1)
    if axis.values:
        return CategoricalDistribution(list(range(len(axis.values))))
    if axis.whole:
        return IntDistribution(round(axis.low), round(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def _read(axis: Axis, drawn: float) -> Value:
    return axis.values[int(drawn)] if axis.values else rounded(axis, drawn)


def _violations(trial: FrozenTrial) -> Sequence[float]:
    return tuple(trial.user_attrs.get(VIOLATIONS) or (0.0,))


def _sampler(axes: Sequence[Axis], name: str, seed: int, objectives: int, batch: int, planned: int) -> BaseSampler:
    if objectives > 1 and name == "cmaes":
        raise ConfigError("cmaes makes one objective large; take nsga2, nsga3 or tpe for several")
    words = [axis.key for axis in axes if axis.values and not axis.ordered]
    if name == "cmaes" and words:
        raise ConfigError(f"cmaes needs numbers that have an order; {words[0]} has none: take tpe")
    if name == "cmaes" and len(axes) < 2:
        raise ConfigError("cmaes needs at least two parameters; take tpe or grid for one")
    population = max(min(batch, planned), 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of what is experimental: it is pinned, and tested here.
        match name:
            case "sobol":
                return QMCSampler(qmc_type="sobol", scramble=True, seed=seed, independent_sampler=RandomSampler(seed))
            case "tpe":
                startup = max(min(batch, planned // 4), 4)
                return TPESampler(
                    n_startup_trials=startup,
                    multivariate=True,
                    group=False,
                    constant_liar=True,
                    seed=seed,
                    constraints_func=_violations,
                )
            case "cmaes":
                return CmaEsSampler(seed=seed, popsize=max(population, 4))
            case "nsga2":
                return NSGAIISampler(seed=seed, population_size=population, constraints_func=_violations)
            case "nsga3":
                return NSGAIIISampler(seed=seed, population_size=population, constraints_func=_violations)
            case _:
                return RandomSampler(seed)
