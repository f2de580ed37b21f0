"""What is proposed: a function of the axes, the seed and what was heard, and of nothing else."""

from collections.abc import Sequence

import pytest

from bmv.backtest.sweep.trials.proposer import Heard, Proposer
from bmv.backtest.sweep.trials.space import Set, parsed
from bmv.ports.errors import ConfigError

AXES = [
    parsed("grid.bid.first_bps,grid.ask.first_bps=2:20:2"),
    parsed("pivot.window_s=10:1000:log"),
    parsed("grid.bid.levels=1:8:1"),
]
WORDS = parsed("simulation.queue=front,back,power")


def hill(found: Set) -> float:
    """Return how high a point lies: the top is at 8 bps, 100 s, 2 levels."""
    away = (float(found["grid.bid.first_bps"]) - 8) / 10, (float(found["pivot.window_s"]) - 100) / 400
    return -(away[0] ** 2) - away[1] ** 2 - (float(found["grid.bid.levels"]) - 2) ** 2 / 30


def proposed(sampler: str, trials: int = 96, seed: int = 7, batch: int = 16, worst: bool = False) -> list[Set]:
    proposer, sets = Proposer(AXES, sampler, seed, trials, batch=batch), list[Set]()
    while each := proposer.propose():
        sets += each
        proposer.hear([Heard((-hill(s) if worst else hill(s),), (0.0,)) for s in each])
    return sets


ALL = ("random", "sobol", "tpe", "cmaes", "nsga2", "nsga3")


@pytest.mark.parametrize("sampler", ALL)
def test_the_same_seed_proposes_the_same_sets(sampler: str) -> None:
    assert proposed(sampler) == proposed(sampler)
    assert proposed(sampler) != proposed(sampler, seed=8)
    assert len(proposed(sampler)) == 96


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "nsga2", "nsga3"])
def test_a_sampler_that_learns_goes_where_it_heard_that_it_is_better(sampler: str) -> None:
    def late(sets: Sequence[Set]) -> float:
        return sum(map(hill, sets[-32:])) / 32

    assert late(proposed(sampler, 160)) > late(proposed("random", 160))
    assert proposed(sampler) != proposed(sampler, worst=True)


@pytest.mark.parametrize("sampler", ["random", "sobol"])
def test_a_sequence_hears_nothing_and_does_not_depend_on_the_batch(sampler: str) -> None:
    assert proposed(sampler) == proposed(sampler, worst=True) == proposed(sampler, batch=7)


def test_sobol_covers_each_axis_more_evenly_than_chance() -> None:
    def gap(sets: Sequence[Set]) -> float:
        levels = [sum(s["grid.bid.levels"] == n for s in sets) for n in range(1, 9)]
        return max(levels) - min(levels)

    assert gap(proposed("sobol", 64)) < gap(proposed("random", 64))


def test_a_grid_is_whole_and_in_order() -> None:
    axes = [parsed("grid.bid.levels=1:2:1"), WORDS]
    proposer, sets = Proposer(axes, "grid", 0, None, batch=4), list[Set]()
    while each := proposer.propose():
        sets += each
        proposer.hear([Heard()] * len(each))

    assert proposer.planned == 6
    assert [(s["grid.bid.levels"], s["simulation.queue"]) for s in sets] == [
        (levels, queue) for levels in (1, 2) for queue in ("front", "back", "power")
    ]


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "random", "sobol"])
def test_words_are_drawn_beside_numbers(sampler: str) -> None:
    proposer = Proposer([*AXES, WORDS], sampler, 1, 32)
    found = set[str]()
    while each := proposer.propose():
        found |= {str(s["simulation.queue"]) for s in each}
        proposer.hear([Heard((hill(s),), (0.0,)) for s in each])

    assert found == {"front", "back", "power"}


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "nsga2", "nsga3"])
def test_runs_that_failed_were_given_up_or_broke_a_constraint_stop_nobody(sampler: str) -> None:
    proposer, sets = Proposer(AXES, sampler, 3, 64), list[Set]()
    while each := proposer.propose():
        sets += each
        kinds = [Heard(), Heard(halfway=-5.0), Heard((hill(each[0]),), (1.0, -2.0)), Heard((0.1,), (-1.0, -2.0))]
        proposer.hear([kinds[n % 4] for n in range(len(each))])

    assert len(sets) == 64


@pytest.mark.parametrize("sampler", ["nsga2", "nsga3", "tpe", "random"])
def test_several_objectives_are_heard(sampler: str) -> None:
    proposer, count = Proposer(AXES, sampler, 3, 48, (True, False)), 0
    while each := proposer.propose():
        count += len(each)
        proposer.hear([Heard((hill(s), float(s["grid.bid.levels"])), (0.0,)) for s in each])

    assert count == 48


@pytest.mark.parametrize(
    ("axes", "sampler", "trials", "objectives", "says"),
    [
        (AXES, "grid", None, 1, r"pivot.window_s: a grid needs steps"),
        ([AXES[0], AXES[2]], "grid", 50, 1, "the grid has 80 sets, above trials = 50"),
        ([*AXES, WORDS], "cmaes", 50, 1, r"simulation.queue has none"),
        (AXES[:1], "cmaes", 50, 1, "at least two parameters"),
        (AXES, "cmaes", 50, 2, "one objective"),
    ],
)
def test_a_sampler_that_can_not_is_refused_with_one_that_can(
    axes: list, sampler: str, trials: int | None, objectives: int, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        Proposer(axes, sampler, 1, trials, [True] * objectives)
