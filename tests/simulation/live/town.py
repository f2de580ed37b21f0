"""The world of a simulated seed: a chain with a market, nodes in front of it, a disk, and processes that trade there."""

import asyncio
import json
import random
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solders.pubkey import Pubkey
from tests.rigs.sessions import CONFIG, Kept
from tests.rigs.trading import user_account
from tests.simulation.live.loop import DISK_S, Process, SimLoop
from tests.simulation.live.network import Network

from bmv.adapters.config import load
from bmv.adapters.openbook.book import Side
from bmv.adapters.sandbox import web
from bmv.adapters.sandbox.chain import Chain
from bmv.adapters.sandbox.faults import Fault, Faults
from bmv.adapters.sandbox.flow import with_units
from bmv.adapters.sandbox.market import Order
from bmv.adapters.sandbox.node import Node
from bmv.adapters.sandbox.pace import Pace
from bmv.adapters.sandbox.view import View
from bmv.adapters.sandbox.wallets import Trader as Wallet
from bmv.adapters.sandbox.wallets import signed_by
from bmv.adapters.sandbox.wiring import USER_BASE, USER_QUOTE, Settings, World, make_world
from bmv.live.control.protocol import Request, decode_answer, encode_request
from bmv.live.session import Session
from bmv.live.trading import Asked, trade_live
from bmv.ports.errors import BmvError, StorageError

SLOT_MS = 400
START_TICKS = 15_000
NODES = 2
CONFIG_FILE, JOURNAL = Path("bmv.toml"), Path("journal.sqlite")
GARBLED = (b"<html>502 Bad Gateway</html>", b"null", b"[]", b"", b'{"jsonrpc":"2.0","id":1,"resu', b"\xff\xfe\x00")


@dataclass(frozen=True)
class Ground:
    """A chain with a market where we have an account, as every seed finds it; made once, and each seed has a copy.

    Args:
        venue: "openbook-v1" or "openbook-v2".
        account: Ours on the market.
    """

    venue: str
    world: World
    account: Pubkey

    @property
    def chain(self) -> Chain:
        """The chain."""
        return self.world.chain


def make_ground(venue: str, consensus: str) -> Ground:
    """Make a chain, a market, and our account there."""
    world = make_world(Settings(venue=venue, consensus=consensus, slot_ms=SLOT_MS))

    @dataclass
    class Box:
        world: World

    return Ground(venue, world, user_account(Box(world)))  # type: ignore[arg-type]  # It asks for the world alone.


# The market.


class Crowd:
    """One maker and a few takers, as few as a market needs, so that a seed is quickly played.

    Args:
        ground: Where they trade.
        dice: Say where the price goes, and who takes how much.
    """

    def __init__(self, ground: Ground, dice: random.Random) -> None:
        flow = ground.world.flow
        self._chain, self._market, self._dice = ground.chain, ground.world.market, dice
        self._maker, *idle = [maker.trader for maker in flow._makers]
        self._takers = list(flow._takers)[:2]
        self._mid = float(START_TICKS)
        self._quoted = 0
        self._number = 10_000
        self._slots = 0
        self.drift = 0.0  # Ticks a slot.
        self.slots_cranked = 1  # The crank comes every so many slots; 0: never.
        self.takes = 0.35  # How often somebody takes, a slot.
        for trader in idle:
            self._send([trader.key], self._market.requote(trader, [], self._next()))

    def act(self) -> None:
        """Do what is due in the open block."""
        self._mid = max(self._mid + self.drift + self._dice.gauss(0.0, 0.8), START_TICKS / 4)
        if abs(self._mid - self._quoted) >= 3 or self._slots % 20 == 0:
            self._quote()
        if self._dice.random() < self.takes:
            self._take()
        if self.slots_cranked and self._slots % self.slots_cranked == 0:
            self._send([self._chain.faucet], self._market.crank())
        self._slots += 1

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _quote(self) -> None:
        self._quoted = round(self._mid)
        orders = [Order(Side.BID, self._quoted - 8, 4_000), Order(Side.ASK, self._quoted + 8, 4_000)]
        asks, bids = self._market.book(Side.ASK), self._market.book(Side.BID)
        if asks:
            orders[0] = orders[0]._replace(price=min(orders[0].price, asks[0].price_lots - 1))
        if bids:
            orders[1] = orders[1]._replace(price=max(orders[1].price, bids[0].price_lots + 1))
        self._send([self._maker.key], self._market.requote(self._maker, orders, self._next()))

    def _take(self) -> None:
        side = (
            Side.BID if self._dice.random() < (0.5 if not self.drift else 0.9 if self.drift > 0 else 0.1) else Side.ASK
        )
        against = self._market.book(Side.ASK if side is Side.BID else Side.BID)
        if against:
            price = against[0].price_lots + (6 if side is Side.BID else -6)
            order = Order(side, price, 1 + int(self._dice.expovariate(1 / 120)))
            taker: Wallet = self._dice.choice(self._takers)
            self._send([taker.key], self._market.take(taker, order, self._next(), direct=self._dice.random() < 0.5))

    def _send(self, signers: Any, instructions: Any) -> None:
        if instructions:
            newest = self._chain.ledger.open.newest_hash
            self._chain.land(signed_by(signers, with_units(instructions), newest))


# Nodes.


class Counted(Faults):
    """Faults of a node, each of which is counted when it strikes."""

    def __init__(self, seed: int, fired: Counter[str]) -> None:
        super().__init__(seed)
        self._fired = fired

    def strike(self, kind: str, method: str = "") -> Fault | None:
        found = super().strike(kind, method)
        if found is not None:
            self._fired[kind] += 1
        return found


class Watched(Node):
    """A node whose answers may be changed on their way, and that says which bytes come in."""

    def __init__(self, view: View, town: "Town", dice: random.Random) -> None:
        super().__init__(view)
        self.town, self.dice = town, dice
        self.garbles = self.lies = 0.0  # How often.

    def _answer_one(self, request: web.Request, called: Any) -> web.Response:
        method = called.get("method") if isinstance(called, dict) else None
        if method == "sendTransaction":
            self.town.arrived(b64decode(called["params"][0]))
        response = super()._answer_one(request, called)
        if response.reset or response.status != 200:
            return response
        if self.garbles and self.dice.random() < self.garbles:
            self.town.fired["garble"] += 1
            return web.Response(self.dice.choice(GARBLED), headers=response.headers, wait_s=response.wait_s)
        if self.lies and method == "getSignatureStatuses" and self.dice.random() < self.lies:
            return self._lied(response)
        return response

    def _lied(self, response: web.Response) -> web.Response:
        answer = json.loads(response.body)
        values = (answer.get("result") or {}).get("value")
        if not values or not any(values):
            return response
        self.town.fired["lie"] += 1
        answer["result"]["value"] = [None] * len(values)
        return web.Response(json.dumps(answer).encode(), headers=response.headers, wait_s=response.wait_s)


# The disk.


class Books(Kept):
    """What is kept in the file of the journal, read as somebody else than who writes."""

    @property
    def flying(self) -> bool:
        """Whether the end of a transaction of the newest session is not kept."""
        epoch = int(self.newest.rpartition("/")[2] or 0)
        return any(one.epoch == epoch and name not in self.ended for name, one in self.attempts.items())


@dataclass
class Disk:
    """What the disk does with what is kept, and how long that takes.

    Args:
        dice: Say how long, and when it fails.
        fired: Counts what went wrong.
    """

    dice: random.Random
    fired: Counter[str]
    down: bool = False  # Nothing can be written or read.
    full: bool = False
    unknown: float = 0.0  # How often something is kept, and an error is answered.
    slow_s: float = 0.0

    def draw(self, process: Process | None, func: Callable[..., Any]) -> tuple[float, float, Any]:
        """Return how long it takes until something is done, and until that is heard of, and what goes wrong."""
        if process is None or "SqliteFile._done" not in getattr(func, "__qualname__", ""):
            return DISK_S, 0.0, None
        before_s, after_s = self.dice.uniform(0.0005, 0.004), self.dice.uniform(0, 0.002)
        if self.slow_s:
            self.fired["store_slow"] += 1
            before_s += self.dice.uniform(0.2, self.slow_s)
        if self.down:
            return before_s, after_s, self._refused("store_down", "disk I/O error")
        if self.full:
            return before_s, after_s, self._refused("store_full", "database or disk is full")
        if self.unknown and self.dice.random() < self.unknown:
            return before_s, after_s, self._lost
        return before_s, after_s, None

    def _refused(self, name: str, why: str) -> Callable[[Callable[[], Any]], Any]:
        def refuse(work: Callable[[], Any]) -> Any:
            self.fired[name] += 1
            raise StorageError(f"journal.sqlite: cannot be written: {why}; what was acknowledged is kept")

        return refuse

    def _lost(self, work: Callable[[], Any]) -> Any:
        work()
        self.fired["commit_unknown"] += 1
        raise StorageError("journal.sqlite: cannot be written: the answer was lost; what was acknowledged is kept")


# Processes.


@dataclass
class Instance:
    """A process of `bmv live`.

    Args:
        process: It.
        gone: Set when it has ended, however.
    """

    process: Process
    begun_s: float
    gone: asyncio.Event
    session: Session | None = None
    page: dict[str, Any] | None = None  # What it ended with.
    error: BaseException | None = None  # What it failed with.
    on_s: float = 0.0  # Since when it has been running, if it was ever stopped.

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return not self.gone.is_set()

    @property
    def epoch(self) -> int:
        """The number of its session; 0: it has begun none."""
        return 0 if self.session is None else int(self.session.parts.name.rpartition("/")[2])

    @property
    def how(self) -> str:
        """How it ended, in a word or two."""
        if self.process.dead:
            return "killed"
        return "well" if self.error is None else type(self.error).__name__


class Town:
    """All of it.

    Args:
        ground: The chain.
        loop: In whose time.
        seed: Of all dice.
        say: Hears what happens.
    """

    def __init__(self, ground: Ground, loop: SimLoop, seed: int, say: Callable[[str], None]) -> None:
        self.ground, self.loop, self.seed, self._say = ground, loop, seed, say
        self.fired = Counter[str]()
        self.dice = self.diced("town")
        self.network = Network(loop, self.diced("network"))
        self.disk = loop.disk = Disk(self.diced("disk"), self.fired)
        self.crowd = Crowd(ground, self.diced("crowd"))
        self.instances = list[Instance]()
        self.kept = Books(JOURNAL)
        self.arrivals: Callable[[bytes], None] = lambda transaction: None
        self.nodes = [self._node(number) for number in range(NODES)]
        self.pace = Pace(ground.chain, self.crowd.act, self.nodes[0].view.faults, SLOT_MS / 1000)
        self._pacing: asyncio.Task[None] | None = None

    @property
    def world(self) -> World:
        """The chain and its market."""
        return self.ground.world

    @property
    def chain(self) -> Chain:
        """The chain."""
        return self.ground.chain

    @property
    def final_s(self) -> float:
        """How long it takes until a block is final."""
        return self.chain.consensus.finalized * SLOT_MS / 1000

    def diced(self, name: str) -> random.Random:
        """Return dice of a name."""
        return random.Random(f"{name} {self.seed}")

    def say(self, text: str) -> None:
        """Say what happens."""
        self._say(f"{self.loop.time():9.2f} {text}")

    def arrived(self, transaction: bytes) -> None:
        """Hear of bytes that came to a node."""
        self.arrivals(transaction)

    def _node(self, number: int) -> Watched:
        faults = Counted(self.seed * NODES + number, self.fired)
        return Watched(View(self.chain, faults), self, self.diced(f"node {number}"))

    async def open(self) -> None:
        """Let the chain go on, and write what a process needs."""
        for node in self.nodes:
            await node.start()
        key = Path("id.json")
        key.touch(0o600)
        key.write_text(json.dumps(list(bytes(self.world.user.key))))
        urls = '", "'.join(node.rpc_url for node in self.nodes)
        text = CONFIG.format(
            venue=self.ground.venue, market=self.world.market.address, base=USER_BASE, quote=USER_QUOTE, wallet=key,
            rpc=urls, websocket=self.nodes[0].websocket_url, journal=f"sqlite:{JOURNAL}",
        )  # fmt: skip
        CONFIG_FILE.write_text(text.replace("stale_after_s = 4", 'stale_after_s = 4\nmin_sol = "1"'))
        self._pacing = asyncio.create_task(self.pace.run())

    def lamports(self) -> int:
        """Return what our wallet holds."""
        account = self.chain.account(self.world.user.address)
        return 0 if account is None else account.lamports

    # Processes.

    @property
    def newest(self) -> Instance:
        """The instance that was started last, of those that live if any does."""
        return next((one for one in reversed(self.instances) if one.lives), self.instances[-1])

    def start(self, *sets: str) -> Instance:
        """Start a process that trades, on a machine of its own."""
        number = len(self.instances)
        process = Process(f"{number}")
        process.folder.mkdir(mode=0o700)
        instance = Instance(process, self.loop.time(), asyncio.Event(), on_s=self.loop.time())

        @contextmanager
        def signals(session: Session) -> Iterator[None]:
            instance.session = session
            yield

        asked = Asked(CONFIG_FILE, load(CONFIG_FILE, sets), Path(f"run-{number}"), report=False)
        work = trade_live(
            asked, None, signals, lambda line: self.say(f"process {number}: {line}"),
            shadow=False, accept=False, dice=self.diced(f"process {number}"),
        )  # fmt: skip
        self.instances.append(instance)
        task = self.loop.begin(process, work)

        def ended(task: "asyncio.Task[dict[str, Any]]") -> None:
            instance.error = asyncio.CancelledError() if task.cancelled() else task.exception()
            instance.page = None if instance.error is not None else task.result()
            instance.gone.set()
            self.say(f"process {number} ended: {instance.how} {str(instance.error or '')[:160]!r}")

        task.add_done_callback(ended)
        self.say(f"process {number} begins")
        return instance

    def kill(self, instance: Instance) -> None:
        """Kill a process."""
        if instance.lives:
            self.loop.kill(instance.process)
            instance.gone.set()
            self.say(f"process {instance.process.name} is killed")

    async def ask(self, instance: Instance, request: Request, seconds: float = 15.0) -> Any:
        """Ask a process something over its socket, as an operator does; None: it did not answer, or refused."""
        reader = asyncio.StreamReader(loop=self.loop)
        try:
            async with asyncio.timeout(seconds):
                end, _ = await self.network.connect_here(
                    lambda: asyncio.StreamReaderProtocol(reader, loop=self.loop), instance.process
                )
                try:
                    end.write(encode_request(request))
                    return decode_answer(await reader.readline())
                finally:
                    end.close()
        except (OSError, TimeoutError, BmvError) as error:
            self.say(f"process {instance.process.name} does not do {request.name}: {error!r:.150}")
            return None


def expected(error: BaseException | None) -> bool:
    """Whether a process may end with this: something that the world did, said in words."""
    return error is None or (isinstance(error, BmvError) and not str(error).startswith("journal and chain differ"))
