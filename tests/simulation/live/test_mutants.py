"""Bugs planted into the product: each is found, or the seeds would prove nothing."""

import pytest
from tests.simulation.live.mutants import MUTANTS
from tests.simulation.live.playing import simulate

LEAST = 15


@pytest.fixture(scope="module")
def said() -> str:
    """What the rig says of all of them."""
    return simulate("mutants", "--seeds", "0:8")[1]


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_found(said: str, name: str) -> None:
    line = next(line for line in said.splitlines() if line.startswith(f"{name} "))

    assert "found by seed" in line


def test_there_are_enough_of_them() -> None:
    assert len(MUTANTS) >= LEAST
