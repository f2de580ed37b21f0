"""The sandbox as a whole: a chain, a market on it, those who trade there, nodes in front, a clock that drives it."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from bmv.adapters.openbook.book import Lots
from bmv.adapters.openbook.v2.codes import Build
from bmv.adapters.sandbox import clock, market_v1, market_v2
from bmv.adapters.sandbox.auction import Auction
from bmv.adapters.sandbox.chain import Chain
from bmv.adapters.sandbox.control import Control
from bmv.adapters.sandbox.faults import Faults
from bmv.adapters.sandbox.finality import CONSENSUS
from bmv.adapters.sandbox.flow import Flow
from bmv.adapters.sandbox.market import BASE_DECIMALS, QUOTE_DECIMALS, Market
from bmv.adapters.sandbox.node import Node
from bmv.adapters.sandbox.pace import Pace
from bmv.adapters.sandbox.parts import Doubles
from bmv.adapters.sandbox.programs import install
from bmv.adapters.sandbox.relay import found_accounts
from bmv.adapters.sandbox.rules import SIGNATURE_LAMPORTS
from bmv.adapters.sandbox.runtime import LAMPORTS_PER_BYTE, make_runtime
from bmv.adapters.sandbox.script import Row, made_up, repeated
from bmv.adapters.sandbox.view import View
from bmv.adapters.sandbox.wallets import Token, Trader, fund, make_token, seeded_key, send, trader_of
from bmv.data.landing.model import World as Landing

MAKERS, TAKERS = 3, 4
SOL = 10**9
TRADER_LAMPORTS = 100_000 * SOL
TRADER_BASE, TRADER_QUOTE = 10**7, 10**9  # Whole tokens of those who trade all the time,
USER_LAMPORTS, USER_BASE, USER_QUOTE = 100 * SOL, 1_000, 200_000  # and of the user.
LOTS = Lots(base_lot=10**6, quote_lot=10, base_decimals=BASE_DECIMALS, quote_decimals=QUOTE_DECIMALS)
START_TICKS = 15_000
CALM = Landing()
BUSY = Landing(jito_share=0.9, crowd=0.6, dropped=0.05, apart=0.01, relay_dropped=0.05)
LANDINGS = {"calm": CALM, "busy": BUSY}
WARM_UP_BLOCKS = 40  # Before anybody looks: the market's making is final, and a book stands.


@dataclass(frozen=True, slots=True)
class Settings:
    """What a sandbox is like.

    Args:
        venue: "openbook-v1" or "openbook-v2".
        seed: Of keys, price and takers.
        consensus: "alpenglow" or "tower".
        slot_ms: Length of a slot in the chain's own time.
        speed: How many times as fast as a real one the chain goes.
        port: Of RPC; the websocket's is the next, the control's the one after. 0: any.
        lamports_per_byte: Rent.
        signature_lamports: What each signature costs.
        lots: Units of the market.
        start_ticks: First price of a made-up market.
        start_ns: The chain's time at its beginning, ns UTC.
        build: Of version 2, where a double plays it.
        rows: A tape to trade along, made anew each time it is called; None: a made-up market.
        landing: What landing is like: leaders, rivals, what is lost.
        jito_rate: Calls that each region of Jito's answers in a second of the chain; None: any number.
        start: What tells this start from others of the same settings; it makes another chain of each.
    """

    venue: str = "openbook-v2"
    seed: int = 1
    consensus: str = "alpenglow"
    slot_ms: int = 200
    speed: float = 1.0
    port: int = 0
    lamports_per_byte: int = LAMPORTS_PER_BYTE
    signature_lamports: int = SIGNATURE_LAMPORTS
    lots: Lots = LOTS
    start_ticks: int = START_TICKS
    start_ns: int = clock.START_NS
    build: Build = Build.V1_7
    rows: Callable[[], Iterable[Row]] | None = None
    landing: Landing = CALM
    jito_rate: float | None = 1.0
    start: str = ""

    @property
    def name(self) -> bytes:
        """What the chain of these settings is told from others by."""
        return f"bmv sandbox {self.venue} {self.seed} {self.start_ns} {self.start}".encode()


@dataclass(frozen=True, slots=True)
class World:
    """A chain with a market that lives, and nobody to look at it yet.

    Args:
        genuine: Whether the genuine program runs, and no double.
        user: A funded wallet that nobody else uses.
    """

    chain: Chain
    market: Market
    base: Token
    quote: Token
    user: Trader
    flow: Flow
    genuine: bool


def make_world(settings: Settings) -> World:
    """Make the chain, two tokens, the market, its traders, and let them trade until the book stands."""
    runtime = Doubles(make_runtime(settings.lamports_per_byte, settings.signature_lamports))
    genuine = install(runtime, settings.venue, settings.build)
    slot_ns = settings.slot_ms * 1_000_000
    chain = Chain(runtime, CONSENSUS[settings.consensus], slot_ns, settings.start_ns, name=settings.name)
    found_accounts(chain)
    base = make_token(chain, seeded_key(settings.seed, "base"), BASE_DECIMALS)
    quote = make_token(chain, seeded_key(settings.seed, "quote"), QUOTE_DECIMALS)
    make = market_v1.make_market if settings.venue == "openbook-v1" else market_v2.make_market
    market = make(chain, settings.seed, base, quote, settings.lots)
    traders = _traders(chain, market, settings.seed, base, quote)
    script = made_up(settings.seed, settings.start_ticks) if settings.rows is None else repeated(settings.rows)
    user, *others = traders
    flow = Flow(chain, market, others[:MAKERS], others[MAKERS:], script, settings.seed)
    world = World(chain, market, base, quote, user, flow, genuine)
    for _ in range(WARM_UP_BLOCKS):
        flow.act()
        chain.advance()
    return world


def _traders(chain: Chain, market: Market, seed: int, base: Token, quote: Token) -> list[Trader]:
    """Return the user, the makers and the takers, each funded; all but the user have an account on the market."""
    names = ["user", *(f"maker {i}" for i in range(MAKERS)), *(f"taker {i}" for i in range(TAKERS))]
    user, *others = [trader_of(seeded_key(seed, name), name, base, quote) for name in names]
    fund(chain, [user], USER_LAMPORTS, {base: USER_BASE * 10**base.decimals, quote: USER_QUOTE * 10**quote.decimals})
    rich = {base: TRADER_BASE * 10**base.decimals, quote: TRADER_QUOTE * 10**quote.decimals}
    fund(chain, others, TRADER_LAMPORTS, rich)
    for trader in others:
        signers, instructions = market.accounts_of(trader)
        send(chain, [trader.key, *signers], instructions)
    return [user, *others]


class Sandbox:
    """A world behind its endpoints, going on by itself.

    Args:
        settings: What it is like.
        world: What `make_world` made of them.
    """

    def __init__(self, settings: Settings, world: World) -> None:
        self.settings, self.world = settings, world
        self._auction = Auction(world.chain, settings.landing, world.market.sides)
        self.node = self._node(Faults(settings.seed))
        self.nodes = [self.node]
        self.pace = Pace(world.chain, world.flow.act, self.node.view.faults, settings.slot_ms / 1000 / settings.speed)
        self.control = Control(self)
        self._clock: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Sandbox {self.settings.venue}, seed {self.settings.seed}: {self.node!r}>"

    def _node(self, faults: Faults, lag: int = 0) -> Node:
        rate = None if self.settings.jito_rate is None else self.settings.jito_rate * self.settings.speed
        return Node(View(self.world.chain, faults, lag, self._auction), jito_rate=rate)

    @property
    def chain(self) -> Chain:
        """The chain."""
        return self.world.chain

    async def start(self) -> None:
        """Listen, and let the chain go on."""
        port = self.settings.port
        await self.node.start(port)
        await self.control.start(port + 2 if port else 0)
        self._clock = asyncio.create_task(self.pace.run())

    async def add_node(self, lag: int) -> Node:
        """Open another endpoint of the same chain, late by some blocks."""
        node = self._node(Faults(self.settings.seed + len(self.nodes)), lag)
        await node.start()
        self.nodes.append(node)
        return node

    async def wait(self) -> None:
        """Go on until the clock fails or is cancelled."""
        assert self._clock is not None, "not started"
        await self._clock

    async def stop(self) -> None:
        """Stand still and close every endpoint."""
        if self._clock is not None:
            self._clock.cancel()
            with suppress(asyncio.CancelledError):
                await self._clock
        await self.control.stop()
        for node in self.nodes:
            await node.stop()

    async def __aenter__(self) -> "Sandbox":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def make_sandbox(settings: Settings) -> Sandbox:
    """Make a sandbox that is ready to start."""
    return Sandbox(settings, make_world(settings))
