"""The rig that moves a grid through Jito, a relay and nodes, in short."""

import asyncio
from dataclasses import replace
from functools import partial

import pytest
from tests.rigs.roads import BUSY, FAULTS, configuration
from tests.rigs.trader import LIFE_S
from tests.rigs.trading import FAULTS as LOSSES
from tests.rigs.trading import trade

from bmv.adapters.openbook.execution.executor import Manners
from bmv.adapters.sandbox.wiring import Settings

SPEED = 10


@pytest.mark.parametrize(("venue", "route"), [("openbook-v1", "all"), ("openbook-v2", "jito")])
def test_by_whatever_route_nothing_is_doubled_and_tips_are_those_of_what_landed(venue: str, route: str) -> None:
    manners = Manners(life_s=LIFE_S, look_s=0.4 / SPEED, crank_s=3 / SPEED, version=0)
    settings = Settings(venue=venue, seed=5, speed=SPEED, landing=replace(BUSY, seed=5))
    config = partial(configuration, route, speed=SPEED)

    wrong = asyncio.run(trade(settings, manners, 8, (*LOSSES, *FAULTS), config=config))

    assert wrong == []
