"""The engine itself, trading a living market: live market data in, transactions out, and its journal heard again.

    python -m tests.rigs.engine SECONDS [--venue V] [--consensus C] [--speed N] [--seed N] [--faults]

What it was told and what it asked for is then told to a fresh engine, which must ask for the same, word for word; and
what it thinks it holds must be what the chain says.
"""

import argparse
import asyncio
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from solders.keypair import Keypair
from tests.rigs.trader import habits_of
from tests.rigs.trading import FAULTS, Witness, user_account

from bmv.adapters.cli.sandbox import _configuration
from bmv.adapters.config import Config, compile, load
from bmv.adapters.config.mandate import limits_of
from bmv.adapters.openbook.execution.executor import Executor, House, Manners
from bmv.adapters.openbook.execution.purse import Purse
from bmv.adapters.openbook.execution.reading import open_fills
from bmv.adapters.openbook.execution.recovery import carried, read_left
from bmv.adapters.openbook.feed.feed import Feed
from bmv.adapters.openbook.inspection.inspect import identify
from bmv.adapters.openbook.policy.guard import GuardedSigner
from bmv.adapters.openbook.seat.desk import read_desk
from bmv.adapters.openbook.seat.rights import make_policy, make_seat
from bmv.adapters.sandbox.wiring import Sandbox, Settings, make_sandbox
from bmv.adapters.solana.endpoints import Endpoint, Endpoints
from bmv.adapters.solana.rpc import FINALIZED, Rpc, make_client
from bmv.adapters.solana.sending.courier import Courier
from bmv.adapters.solana.wallet.key import LocalKey
from bmv.adapters.sqlite.sessions import SqliteSessions
from bmv.core.engine import Engine
from bmv.live.clock import SystemClock
from bmv.live.journal import begin_session
from bmv.live.loop import Loop
from bmv.live.market_data import MarketEvents
from bmv.live.replay import replay
from bmv.ports.messages import Event, Intent, Kind, Verb

SETS = (
    "inventory.start_base=1000",
    "inventory.start_quote=200000",
    "inventory.max_position=50",
    "grid.bid.total_size=3",
    "grid.ask.total_size=3",
    "grid.bid.first_bps=3",
    "grid.ask.first_bps=3",
    "requote.min_interval_ms=100",
    "requote.threshold_bps=3",
    "live.order_life_s=600",
)


def configured(box: Sandbox, folder: Path) -> Config:
    """Return the configuration that the sandbox writes, with a grid that trades much."""
    path = folder / "bmv.toml"
    path.write_text(_configuration(box, folder / "wallet.json"))
    return load(path, SETS)


def engine_of(config: Config) -> Engine:
    """Return a fresh engine."""
    return Engine(compile.params(config, compile.market(config)))


def leaks(key: Keypair, folder: Path) -> Path | None:
    """Return a file in which the key stands, in any of the forms that keys are written in."""
    raw = bytes(key)
    forms = (raw, raw[:32], str(key).encode(), raw.hex().encode(), b64encode(raw), str(list(raw)).encode())
    files = [path for path in folder.rglob("*") if path.is_file()]
    return next((path for path in files if any(form in path.read_bytes() for form in forms)), None)


async def session(settings: Settings, seconds: float, faults: bool, folder: Path) -> list[str]:
    """Trade for a while, clear everything, and return what is wrong."""
    box = make_sandbox(settings)
    account, world = user_account(box), box.world
    clock, store = SystemClock(), SqliteSessions(folder / "journal.sqlite")
    async with box, make_client() as client:
        config = configured(box, folder)
        market = compile.market(config)
        endpoints = Endpoints([Endpoint(box.node.rpc_url, box.node.websocket_url)])
        rpc, witness = Rpc(client, box.node.rpc_url), Witness(box, account)
        identity = identify(world.market.address, world.chain.account(world.market.address))
        seat = make_seat(world.market.address, identity.market, identity.program, world.user.address, account)
        begun = await begin_session(store, "live/engine", clock.now_ns())
        for note in carried(read_left(begun.before), begun.epoch, clock.now_ns()):
            begun.journal.note(note)
        desk = await read_desk(rpc, seat, identity.market, least_slot=0, commitment=FINALIZED)
        held = witness.held()
        engine = engine_of(config)
        async with Courier(endpoints, rpc, habits_of(settings.speed)).open() as courier:
            heard: list[Callable[[Event], None]] = []
            told = Counter[Kind]()

            def tell(event: Event) -> None:
                told[Kind(event.kind)] += 1
                heard[0](event)

            house = House(
                market=identity.market,
                seat=seat,
                fills=open_fills(seat, identity.market, desk),
                courier=courier,
                guard=GuardedSigner(
                    LocalKey(world.user.key), make_policy(seat, identity.market, limits_of(config, 15_000))
                ),
                ledger=begun.journal,
                purse=Purse(),
                band=lambda: (5_000, 50_000),
                now_ns=clock.now_ns,
                tell=tell,
                native=int(Fraction(1, 10**6) / market.quantum),
            )
            manners = Manners(life_s=600, look_s=0.4 / settings.speed, crank_s=3 / settings.speed)
            executor = Executor(house, manners, begun.epoch)
            loop = Loop(engine, executor, begun.journal, clock)
            heard.append(loop.tell)
            feed = Feed(world.market.address, endpoints, dice=Random(settings.seed))
            if faults:
                box.node.view.faults.switch_on(*FAULTS)
            async with asyncio.TaskGroup() as group:
                trading = group.create_task(executor.run())
                hearing = group.create_task(loop.run(MarketEvents(feed, clock.now_ns).events()))
                await asyncio.sleep(seconds)
                box.node.view.faults.switch_off()
                hearing.cancel()
                with suppress(asyncio.CancelledError):
                    await hearing
                executor.submit([Intent(Verb.CANCEL_ALL, clock.now_ns())])  # The operator's, after the last decision.
                async with asyncio.timeout(60):
                    while not executor.idle:
                        await asyncio.sleep(0.02)
                    executor.settle()
                    while not executor.idle:
                        await asyncio.sleep(0.02)
                trading.cancel()
            await begun.journal.commit()
            box.pace.paused = True
        wrong = list(witness.wrong) if config.grid.bid.levels * 40 > 400 else []
        lots, after = world.market.lots, witness.held()
        position = int(engine.state.position) * lots.base_lot
        if position != after[0] - held[0] + 1_000 * 10**9:
            wrong.append(f"the engine holds {position} of base, and the chain says {after[0]}")
        cash = Fraction(int(engine.state.cash)) * market.quantum * 10**6
        if cash != after[1] - held[1] + 200_000 * 10**6:
            wrong.append(f"the engine has {cash} of quote, and the chain says {after[1]}")
        if witness.resting() or executor.orders.open:
            wrong.append(f"{len(witness.resting())} orders rest at the end, {executor.orders!r}")
        words = [word async for page in store.read(begun.journal.session) for word in page]
        again = replay(engine_of(config), words)
        if not again.equal or again.digest != engine.digest:
            wrong.append(f"heard again it says otherwise at word {again.first_difference} of {len(words)}")
        if (shown := leaks(world.user.key, folder)) is not None:
            wrong.append(f"{shown} holds the key")
        print(f"{loop!r}; {again.decisions} intents, told {dict(told)}; digest {engine.digest[:12]}")
        await store.close()
        return wrong


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--venue", default="openbook-v2", choices=("openbook-v1", "openbook-v2"))
    parser.add_argument("--consensus", default="alpenglow", choices=("alpenglow", "tower"))
    parser.add_argument("--speed", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", action="store_true")
    asked = parser.parse_args()
    settings = Settings(venue=asked.venue, consensus=asked.consensus, speed=asked.speed, seed=asked.seed)
    with TemporaryDirectory() as folder:
        wrong = asyncio.run(session(settings, asked.seconds, asked.faults, Path(folder)))
    print("\n".join(wrong) or "nothing is wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
