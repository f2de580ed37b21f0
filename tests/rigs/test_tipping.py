"""Jito silent, and caps on tips, in short."""

import asyncio

import pytest
from tests.rigs.tipping import caps, silent

from bmv.adapters.sandbox.wiring import Settings

VENUES = ("openbook-v1", "openbook-v2")


@pytest.mark.parametrize("venue", VENUES)
def test_while_jito_is_silent_cancels_land_by_a_node_and_placements_in_their_time_in_the_same_bytes(venue: str) -> None:
    assert asyncio.run(silent(Settings(venue=venue, seed=2, speed=2), seconds=16)) == []


def test_placing_stops_at_the_hours_cap_on_tips_cancels_do_not_and_the_next_hour_goes_on() -> None:
    assert asyncio.run(caps(Settings(venue="openbook-v2", seed=2, speed=10), cap=6_000, hours=2, killed=1)) == []
