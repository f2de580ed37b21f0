"""The rig that moves a grid on a chain where everything goes wrong, in short."""

import asyncio

import pytest
from tests.rigs.trader import LIFE_S
from tests.rigs.trading import FAULTS, trade

from bmv.adapters.openbook.execution.executor import Manners
from bmv.adapters.sandbox.wiring import Settings

SPEED = 10


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("venue", ["openbook-v1", "openbook-v2"])
def test_what_was_told_of_a_grid_is_what_happened_and_nothing_happened_twice(venue: str, version: int) -> None:
    manners = Manners(life_s=LIFE_S, look_s=0.4 / SPEED, crank_s=3 / SPEED, version=version)

    wrong = asyncio.run(
        trade(Settings(venue=venue, seed=3 + version, speed=SPEED), manners, 8, FAULTS, slots_cranked=1 + 7 * version)
    )

    assert wrong == []


def test_a_delegate_trades_with_the_deposit_alone_and_pays_out_to_the_owner() -> None:
    """The witness looks at the owner's wallets after every block, and at the end at what came of the deposit."""
    manners = Manners(life_s=LIFE_S, look_s=0.4 / SPEED, crank_s=3 / SPEED, settle_above=(0, 0))

    wrong = asyncio.run(trade(Settings(seed=5, speed=SPEED), manners, 8, FAULTS, delegate=True))

    assert wrong == []
