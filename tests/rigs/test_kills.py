"""The rig of kills, in short; and what two writers one after the other tell of fills, with no process killed."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest
from tests.rigs.kills import kill_often
from tests.rigs.settling import Account, account_of, check_sessions
from tests.rigs.trader import LIFE_S, NAME, Trader, open_trader
from tests.rigs.trading import FAULTS, Stage, stage

from bmv.adapters.openbook.execution.executor import Manners
from bmv.adapters.openbook.fills.fill import OwnFill
from bmv.adapters.openbook.seat.desk import DeskSnapshot
from bmv.adapters.sandbox.wiring import Settings
from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.rpc import Rpc
from bmv.data.journal.attempts import attempts_of
from bmv.live.journal import number_of
from bmv.ports.messages import Event, Kind

VENUES = ["openbook-v1", "openbook-v2"]
SPEED = 20.0
MANNERS = Manners(life_s=LIFE_S, look_s=0.4 / SPEED, crank_s=3 / SPEED)


@pytest.mark.parametrize("venue", VENUES)
def test_a_trader_that_is_killed_and_one_that_is_fenced_leave_no_order_and_no_money_untold(venue: str) -> None:
    settings = Settings(venue=venue, seed=5, speed=SPEED)

    assert asyncio.run(kill_often(settings, 3, FAULTS, longest_s=0.6)) == []


@pytest.mark.parametrize("venue", VENUES)
def test_a_fill_after_the_first_writers_death_is_told_by_the_second_once(venue: str) -> None:
    tried = (asyncio.run(two_writers(Settings(venue=venue, seed=seed, speed=SPEED))) for seed in range(7, 17))
    account = next((each for each in tried if each is not None), None)

    assert account is not None, "nobody traded with the first writer's orders while they lived"
    assert account.legacy > 0


class Unread:
    """Fills that can't be read."""

    slot = 0

    def mark(self) -> str:
        return "as it was"

    async def read(self, rpc: Rpc, desk: DeskSnapshot) -> Sequence[OwnFill] | None:
        raise EndpointError("no logs")


@pytest.mark.parametrize("venue", VENUES)
def test_what_the_first_writer_left_is_cancelled_though_its_fills_cannot_be_read(venue: str) -> None:
    asyncio.run(cancel_unread(Settings(venue=venue, seed=8, speed=SPEED)))


async def one_writer(play: Stage) -> None:
    """Let a first writer place a grid, and be heard of no more before it tells of anything."""
    await play.change()
    await play.trader.until(lambda: bool(play.witness.resting()), 30)
    await stopped(play.running)


async def stopped(running: "asyncio.Task[None]") -> None:
    """Stop who trades."""
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def next_writer(play: Stage) -> Trader:
    """Return who trades next."""
    rpc, courier, world = play.trader.courier.reader(), play.trader.courier, play.box.world
    address, account = world.market.address, play.witness.open_orders
    return await open_trader(rpc, courier, address, account, world.user.key, play.store, Random(1), MANNERS)


async def cancel_unread(settings: Settings) -> None:
    """Let a second writer cancel what a first one left."""
    async with stage(settings, MANNERS) as play:
        await play.change()
        await play.trader.until(lambda: play.trader.executor.idle, 30)
        await stopped(play.running)
        await play.trader.journal.commit()
        assert play.witness.resting()
        trader = await next_writer(play)
        assert not trader.executor.carrier.alive, "nothing is on its way"
        trader.executor.house = replace(trader.executor.house, fills=Unread())
        running = asyncio.create_task(trader.executor.run())
        words = play.store.words[trader.journal.session]
        await trader.until(lambda: any(each.cancels for each in attempts_of(words).attempts.values()), 10)
        await stopped(running)


async def two_writers(settings: Settings) -> Account | None:
    """Let a first writer place a grid, and a second clear up when something has traded; return what they tell.

    None: nothing traded as long as the orders lived.
    """
    async with stage(settings, MANNERS) as play:
        witness, held = play.witness, play.witness.held()
        await one_writer(play)
        try:
            await play.trader.until(lambda: witness.held()[0] != held[0], LIFE_S / SPEED)
        except TimeoutError:
            return None
        trader = await next_writer(play)
        running = asyncio.create_task(trader.executor.run())
        await trader.until(lambda: trader.executor.idle or running.done(), 60)
        trader.executor.settle()
        await trader.until(lambda: trader.executor.idle or running.done(), 60)
        assert not running.done(), running.exception()
        play.box.pace.paused = True
        await stopped(running)
        await trader.journal.commit()
        sessions = {number_of(name, NAME) or 0: words for name, words in play.store.words.items()}
        first = [word for word in sessions[1] if isinstance(word, Event) and word.kind == Kind.FILLED]
        assert not first, "the first writer was to tell of no fill"
        assert check_sessions(sessions) == []
        account = account_of(sessions)
        assert account.check(play.box.world.market.lots, held, witness.held()) == []
        return account
