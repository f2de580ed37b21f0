"""The rig of our own fills, in short; it plays with the doubles unless genuine programs are named."""

import pytest
from tests.rigs.fills import GAMES, play_many

REACHED = {
    "v1": {"made", "taken", "taken by plan", "own provided", "taken back", "killed"},
    "v2": {"made", "made, direct", "taken", "taken, direct", "taken by plan", "own provided", "taken back", "killed"},
    "v2, logs lost": {"made", "made, direct", "found missing", "taken back", "killed"},
    "v1, ring overrun": {"overwritten", "from logs alone", "taken back", "killed"},
}


@pytest.mark.parametrize("name", GAMES)
def test_fills_as_read_are_what_the_book_lost_and_the_money_is_theirs(name: str) -> None:
    tally = play_many(name, 5)

    assert tally["fills"] > 50
    assert REACHED[name] <= {what for what, n in tally.items() if n}
