"""How fast the sandbox goes with makers and takers at work, and how long it takes to be there."""

from typing import Any

import pytest

from bmv.adapters.sandbox.wiring import Settings, make_world

VENUES = ["openbook-v1", "openbook-v2"]


@pytest.mark.parametrize("venue", VENUES)
def test_a_hundred_slots_of_a_living_market(benchmark: Any, venue: str) -> None:
    world = make_world(Settings(venue=venue))

    def live() -> None:
        for _ in range(100):
            world.flow.act()
            world.chain.advance()

    benchmark.pedantic(live, rounds=5, iterations=1)
    benchmark.extra_info["slots_per_second"] = 100 / benchmark.stats.stats.mean


@pytest.mark.parametrize("venue", VENUES)
def test_a_world_is_made(benchmark: Any, venue: str) -> None:
    benchmark.pedantic(lambda: make_world(Settings(venue=venue)), rounds=3, iterations=1)
