"""The rig of kills, in short; and what two writers one after the other tell of fills, with no process killed."""

import asyncio
from contextlib import suppress
from random import Random

import pytest
from tests.rigs.kills import kill_often
from tests.rigs.settling import account_of, check_sessions
from tests.rigs.trader import LIFE_S, NAME, open_trader
from tests.rigs.trading import FAULTS, stage

from bmv.adapters.openbook.execution.executor import Manners
from bmv.adapters.sandbox.wiring import Settings
from bmv.live.journal import number_of
from bmv.ports.messages import Event, Kind

VENUES = ["openbook-v1", "openbook-v2"]
SPEED = 20.0


@pytest.mark.parametrize("venue", VENUES)
def test_a_trader_that_is_killed_and_one_that_is_fenced_leave_no_order_and_no_money_untold(venue: str) -> None:
    settings = Settings(venue=venue, seed=5, speed=SPEED)

    assert asyncio.run(kill_often(settings, 3, FAULTS, longest_s=0.6)) == []


@pytest.mark.parametrize("venue", VENUES)
def test_a_fill_after_the_first_writers_death_is_told_by_the_second_once(venue: str) -> None:
    account = asyncio.run(two_writers(Settings(venue=venue, seed=7, speed=SPEED)))

    assert account.legacy > 0


async def two_writers(settings: Settings):
    """Let a first writer place a grid and be heard of no more before it tells of anything, and a second clear up."""
    manners = Manners(life_s=LIFE_S, look_s=0.4 / SPEED, crank_s=3 / SPEED)
    async with stage(settings, manners) as play:
        witness, trader, held = play.witness, play.trader, play.witness.held()
        await play.change()
        await trader.until(lambda: bool(witness.resting()), 30)
        play.running.cancel()
        with suppress(asyncio.CancelledError):
            await play.running
        rested = sum(order.size_lots for order in witness.resting())
        await trader.until(lambda: sum(order.size_lots for order in witness.resting()) < rested, 30)
        next_one = await open_trader(
            trader.courier._rpc, trader.courier, play.box.world.market.address, witness.open_orders,
            play.box.world.user.key, play.store, Random(1), manners,
        )  # fmt: skip
        running = asyncio.create_task(next_one.executor.run())
        await next_one.until(lambda: next_one.executor.idle or running.done(), 60)
        next_one.executor.settle()
        await next_one.until(lambda: next_one.executor.idle or running.done(), 60)
        assert not running.done(), running.exception()
        play.box.pace.paused = True
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        sessions = {number_of(name, NAME) or 0: words for name, words in play.store.words.items()}
        first = [word for word in sessions[1] if isinstance(word, Event) and word.kind == Kind.FILLED]
        assert not first, "the first writer was to tell of no fill"
        assert check_sessions(sessions) == []
        account = account_of(sessions)
        assert account.check(play.box.world.market.lots, held, witness.held()) == []
        return account
