"""The rig that kills whoever rotates keys, in short."""

import pytest
from tests.rigs.rotation import play

from bmv.adapters.sandbox.wiring import Settings

SPEED = 20


@pytest.mark.parametrize("venue", ["openbook-v1", "openbook-v2"])
def test_a_rotation_that_is_killed_is_ended_by_the_next_run(venue: str) -> None:
    assert play(Settings(venue=venue, seed=7, speed=SPEED), 2, delegate=False, steps=False) == []
