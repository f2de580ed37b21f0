"""Plateaus and spikes whose shape is known beforehand."""

from itertools import product
from typing import Any

import numpy as np
import polars as pl
import pytest

from bmv.backtest.sweep.judge.plateau import plateau

BID, LEVELS, QUEUE = "grid.bid.first_bps", "grid.bid.levels", "simulation.queue"
PARAMETERS = [
    {"key": BID, "kind": "float", "low": 2.0, "high": 10.0, "step": 2.0, "log": False, "values": None, "also": []},
    {"key": LEVELS, "kind": "int", "low": 1, "high": 5, "step": 1, "log": False, "values": None, "also": []},
]
GRID = list(product((2.0, 4.0, 6.0, 8.0, 10.0), (1, 2, 3, 4, 5)))


def table(nets: list[float | None], states: list[str] | None = None, **columns: Any) -> pl.DataFrame:
    columns = columns or {BID: [bid for bid, _ in GRID], LEVELS: [levels for _, levels in GRID]}
    known = states or ["complete"] * len(nets)
    return pl.DataFrame(
        {"trial": range(len(nets)), "state": known, **columns, "net": nets}, schema_overrides={"net": pl.Float64}
    )


def hill(width: float) -> list[float | None]:
    return [100 * float(np.exp(-(((bid - 6) / 2) ** 2 + (levels - 3) ** 2) / width**2)) for bid, levels in GRID]


CENTRE = GRID.index((6.0, 3))


@pytest.mark.parametrize(("width", "word"), [(4.0, "plateau"), (1.2, "slope"), (0.5, "spike")])
def test_a_hill_is_named_by_its_width(width: float, word: str) -> None:
    found = plateau(table(hill(width)), PARAMETERS, CENTRE, "net")

    assert found["word"] == word
    assert found["kept"] == pytest.approx(np.exp(-1 / width**2))


def test_neighbours_on_an_axis_differ_in_nothing_else() -> None:
    nets: list[float | None] = [float(at) for at in range(25)]
    nets[CENTRE] = 100.0

    bid, levels = plateau(table(nets), PARAMETERS, CENTRE, "net")["axes"]

    assert bid["below"] == {"value": 4.0, "objective": 7.0}
    assert bid["above"] == {"value": 8.0, "objective": 17.0}
    assert levels["below"] == {"value": 2, "objective": 11.0}
    assert (bid["best"], levels["best"], bid["edge"]) == (6.0, 3, None)
    assert bid["kept"] == pytest.approx(0.12)


def test_a_best_set_at_the_end_of_a_range_is_told() -> None:
    nets = [float(at) for at in range(25)]

    bid, levels = plateau(table([*nets]), PARAMETERS, 24, "net")["axes"]

    assert (bid["edge"], levels["edge"]) == ("high", "high")
    assert (bid["above"], bid["below"]["value"]) == (None, 8.0)


def test_a_neighbour_that_lost_or_was_pruned_keeps_nothing() -> None:
    nets, states = hill(10), ["complete"] * 25
    below, above = GRID.index((4.0, 3)), GRID.index((8.0, 3))
    nets[below], nets[above], states[above] = -50.0, None, "pruned"

    bid, _ = plateau(table(nets, states), PARAMETERS, CENTRE, "net")["axes"]

    assert bid["kept"] == 0
    assert bid["above"] == {"value": 8.0, "objective": None}


def test_an_invalid_neighbour_is_not_a_neighbour() -> None:
    nets, states = hill(10), ["complete"] * 25
    above = GRID.index((8.0, 3))
    nets[above], states[above] = None, "invalid"

    bid, _ = plateau(table(nets, states), PARAMETERS, CENTRE, "net")["axes"]

    assert bid["above"]["value"] == 10.0


def scattered(seed: int, width: float) -> tuple[pl.DataFrame, int]:
    rng = np.random.default_rng(seed)
    bids, levels = rng.uniform(2, 10, 400), rng.integers(1, 6, 400)
    nets = 100 * np.exp(-(((bids - 6) / 8) ** 2 + ((levels - 3) / 4) ** 2) / width**2)
    return table(nets.tolist(), **{BID: bids, LEVELS: levels}), int(nets.argmax())


@pytest.mark.parametrize(("width", "word"), [(1.0, "plateau"), (0.01, "spike")])
def test_sets_drawn_at_random_are_judged_by_the_nearest_tenth(width: float, word: str) -> None:
    frame, best = scattered(1, width)

    found = plateau(frame, PARAMETERS, best, "net")

    assert found["word"] == word
    assert found["kept"] == found["near"]


def test_a_range_by_its_logarithm_is_measured_by_it() -> None:
    values = [10.0**at for at in range(-6, 7)]
    parameter = {"key": BID, "kind": "float", "low": 1e-6, "high": 1e6, "log": True}
    nets: list[float | None] = [100 - 5.0 * abs(at) for at in range(-6, 7)]

    found = plateau(table(nets, **{BID: values}), [parameter], 6, "net")

    assert found["near"] == pytest.approx(np.mean([0.95, 0.95, 0.9]))


def test_an_objective_to_be_small_is_judged_by_its_lead_over_the_median() -> None:
    falls: list[float | None] = [0.5, 0.4, 0.2, 0.1, 0.2, 0.4, 0.5]
    parameter = {"key": BID, "kind": "float", "low": 1.0, "high": 7.0}

    found = plateau(table(falls, **{BID: [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]}), [parameter], 3, "net", "minimize")

    assert found["over"] == "median"
    assert found["kept"] == pytest.approx(2 / 3)


def test_words_and_switches_have_no_steps_but_stand_apart() -> None:
    frame = table([1.0, 2.0, 3.0, 4.0], **{QUEUE: ["front", "back", "front", "back"], "on": [True, True, False, False]})

    found = plateau(frame, [{"key": QUEUE, "kind": "choice"}, {"key": "on", "kind": "choice"}], 3, "net")

    assert found["word"] == "unknown"
    assert [axis["kept"] for axis in found["axes"]] == [None, None]
    assert found["sets"] == 3


def test_any_two_words_are_as_far_apart_as_the_ends_of_a_range() -> None:
    words = ["back", *["power"] * 3, *["log"] * 9]
    bids = [2.0] * 4 + [10.0] * 9
    nets: list[float | None] = [100.0, *[90.0] * 3, *[0.0] * 9]

    found = plateau(table(nets, **{QUEUE: words, BID: bids}), [{"key": QUEUE}, {"key": BID}], 0, "net")

    assert found["near"] == pytest.approx(0.9)


def test_a_tied_key_is_no_axis_of_its_own() -> None:
    frame = table(hill(4.0)).with_columns(pl.col(BID).alias("grid.ask.first_bps"))

    assert plateau(frame, PARAMETERS, CENTRE, "net") == plateau(table(hill(4.0)), PARAMETERS, CENTRE, "net")


@pytest.mark.parametrize("nets", [[5.0], [5.0, 5.0], [0.0, 0.0, 0.0], [-1.0, -1.0]], ids=str)
def test_too_few_sets_or_no_lead_is_unknown_or_flat(nets: list[float | None]) -> None:
    parameter = {"key": BID, "kind": "float", "low": 1.0, "high": 7.0}

    found = plateau(table(nets, **{BID: [1.0] * len(nets)}), [parameter], 0, "net")

    assert (found["word"], found["kept"]) == ("unknown", None)


def test_a_trial_that_did_not_complete_has_no_surroundings() -> None:
    assert plateau(table([None, 1.0], ["pruned", "complete"], **{BID: [1.0, 2.0]}), [], 7, "net")["word"] == "unknown"
