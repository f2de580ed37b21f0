"""The rig of forks, in short."""

import sys
from pathlib import Path

import pytest

from bmv.adapters.sandbox.finality import ALPENGLOW, TOWER, Consensus

sys.path.insert(0, str(Path(__file__).parent))

from forks import play


@pytest.mark.parametrize("consensus", [ALPENGLOW, TOWER], ids=lambda one: one.name)
@pytest.mark.parametrize("seed", [1, 2])
def test_no_finalized_read_ever_changes(consensus: Consensus, seed: int) -> None:
    game = play(consensus, forks=150, seed=seed)

    assert len(game.final) > 20
    assert game.restarts > 0
