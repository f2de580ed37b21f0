"""Seeds: here the first half, in test_more_seeds.py the second, so that two workers play them."""

from tests.simulation.live.playing import simulate


def test_no_seed_finds_anything_wrong_and_every_fault_strikes() -> None:
    code, said = simulate("run", "--seeds", "0:50", "--coverage")

    assert code == 0, said
    assert "50 seeds" in said
