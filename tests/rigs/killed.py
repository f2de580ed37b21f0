"""The process that the rig of kills kills: it takes over from its journal, and moves a grid until it is killed."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.rigs.roads import configuration_at
from tests.rigs.trader import LIFE_S, Trader, habits_of, open_trader

from bmv.adapters.openbook.execution.executor import Manners
from bmv.adapters.openbook.execution.purse import Purse
from bmv.adapters.solana.endpoints import Endpoint, Endpoints
from bmv.adapters.solana.rpc import Rpc, make_client
from bmv.adapters.solana.sending.courier import Courier
from bmv.adapters.sqlite.sessions import SqliteSessions
from bmv.live.routes import open_roads
from bmv.ports.errors import Refused
from bmv.ports.messages import Reason

FENCED = 5  # What a child ends with that finds another one in its place.
PATIENCE_S = 500.0  # On a machine that others use too.


class Orders(NamedTuple):
    """What a child is to do.

    Args:
        urls: Of nodes, those of RPC and of the websocket.
        market: Its address.
        account: Ours on it.
        key: File of the key.
        journal: File of the journal.
        middle: File that says where the market is, ticks.
        seed: Of how the grid moves.
        speed: Of the chain.
        version: Of transactions.
        last: Whether to clear all, settle and end.
        route: By which it goes, as the rig of trading has them; "": to the nodes without any.
        tips_max: Lamports that it may tip in an hour; 0: any.
        late_s: How far its clock is ahead.
        says: Whether to say "moved" after each change, or "refused" where a cap has refused orders of it.
    """

    urls: list[tuple[str, str]]
    market: str
    account: str
    key: str
    journal: str
    middle: str
    seed: int
    speed: float
    version: int
    last: bool
    route: str = ""
    tips_max: int = 0
    late_s: int = 0
    says: bool = False


def say(text: str) -> None:
    """Tell the parent."""
    print(text, flush=True)


async def child(orders: Orders) -> int:
    """Take over, trade until killed; return 0 when all is cleared, FENCED where another process trades."""
    store = SqliteSessions(orders.journal)
    key = Keypair.from_bytes(bytes(json.loads(Path(orders.key).read_text())))
    manners = Manners(life_s=LIFE_S, look_s=0.4 / orders.speed, crank_s=3 / orders.speed, version=orders.version)
    endpoints = Endpoints([Endpoint(*urls) for urls in orders.urls])
    say("begins")
    async with make_client() as client, AsyncExitStack() as opened:
        rpc, habits, roads = Rpc(client, orders.urls[0][0]), habits_of(orders.speed), None
        if orders.route:
            config = configuration_at(orders.route, [url for url, _ in orders.urls], orders.speed)
            roads = await opened.enter_async_context(open_roads(config, client, {}, habits, time.monotonic))
        ways, purse = roads.ways if roads else None, Purse(tip_hour_max=orders.tips_max or None)
        courier = await opened.enter_async_context(Courier(endpoints, rpc, habits, ways=ways).open())
        market, account, dice = (
            Pubkey.from_string(orders.market),
            Pubkey.from_string(orders.account),
            Random(orders.seed),
        )
        with fenced() as ending:
            late_ns = orders.late_s * 10**9
            trader = await open_trader(
                rpc, courier, market, account, key, store, dice, manners, roads, purse, late_ns=late_ns
            )
            trader.grid.middle = lambda: int(Path(orders.middle).read_text())
            work = clear if orders.last else trade
            await beside(trader, asyncio.create_task(work(trader, orders)))
    await store.close()
    return FENCED if ending else 0


@contextmanager
def fenced() -> Iterator[list[Refused]]:
    """Take a refusal of the journal for the end."""
    found = list[Refused]()
    try:
        yield found
    except Refused as error:
        found.append(error)
        say("fenced")


async def beside(trader: Trader, work: "asyncio.Task[None]") -> None:
    """Let the executor run while work is done; what it raises ends both."""
    running = asyncio.create_task(trader.executor.run())
    try:
        await asyncio.wait({running, work}, return_when=asyncio.FIRST_COMPLETED)
        for task in (running, work):
            if task.done():
                task.result()
    finally:
        for task in (running, work):
            task.cancel()
        await asyncio.gather(running, work, return_exceptions=True)


async def trade(trader: Trader, orders: Orders) -> None:
    """End what was left, then move the grid again and again."""
    await trader.until(lambda: trader.executor.idle, PATIENCE_S)
    report(trader)
    say("trades")
    dice = Random(orders.seed + 1)
    while True:
        refused = trader.grid.reasons[Reason.FEE_CAP]
        trader.submit(trader.grid.moved(trader.clock.now_ns()))
        if orders.says:
            await trader.until(lambda: trader.executor.idle, PATIENCE_S)
            say("moved" if trader.grid.reasons[Reason.FEE_CAP] == refused else "refused")
        elif dice.random() < 0.5:
            await trader.until(lambda: trader.executor.idle, PATIENCE_S)
        else:
            await asyncio.sleep(dice.random() * 2 / orders.speed)
        report(trader)


async def clear(trader: Trader, orders: Orders) -> None:
    """End what was left, settle, and see that nothing is left."""
    await trader.until(lambda: trader.executor.idle, PATIENCE_S)
    trader.executor.settle()
    await trader.until(lambda: trader.executor.idle, PATIENCE_S)
    await trader.journal.commit()
    report(trader)
    if trader.executor.orders.open:
        say(f"wrong: open at the end: {trader.executor.orders!r}")
    say("done")


def report(trader: Trader) -> None:
    """Say what must never be."""
    if stray := trader.executor.orders.stray:
        say(f"wrong: fills of no order: {stray}")
    if refusals := trader.executor.carrier.refusals:
        say(f"wrong: the policy refused {refusals[:2]}")
