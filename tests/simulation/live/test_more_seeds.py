"""The second half of the seeds, and that a seed is a seed."""

from tests.simulation.live.playing import simulate


def test_no_seed_of_the_second_half_finds_anything_wrong_and_every_fault_strikes() -> None:
    code, said = simulate("run", "--seeds", "50:100", "--coverage")

    assert code == 0, said
    assert "50 seeds" in said


def test_the_same_seed_makes_the_same_journal_in_another_process() -> None:
    code, said = simulate("determinism", "--seeds", "2:4")

    assert code == 0, said
    assert "2 seeds: the same journals" in said
