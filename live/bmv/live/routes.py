"""The routes of a configuration, opened: what hands bytes over by each, and who decides which of them a batch gets."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx

from bmv.adapters.config import Config
from bmv.adapters.config.routes import routes_of, tip_policy
from bmv.adapters.config.schema import Route
from bmv.adapters.jito.client import JitoClient
from bmv.adapters.jito.codec import Answer, Said, read_tip_accounts, send_transaction
from bmv.adapters.jito.floor import ToldFloor
from bmv.adapters.jito.stream import follow_floor
from bmv.adapters.openbook.planning.routing import Routing
from bmv.adapters.solana.errors import EndpointError, NodeError, RateLimited
from bmv.adapters.solana.health import Health
from bmv.adapters.solana.rpc import Rpc, make_client
from bmv.adapters.solana.sending.courier import Habits
from bmv.adapters.solana.sending.lane import Lane
from bmv.adapters.solana.sending.sender import Post, Way, posting
from bmv.data.landing.tips import TipFloor
from bmv.ports.errors import ConfigError

FLOOR_S = 60.0  # What others tipped longer ago than that is not known to be what they tip.
JITO_RATE = 1.0


@dataclass(slots=True)
class Floor:
    """What others tip, as it was told last.

    Args:
        clock: Seconds that never go back.
    """

    clock: Callable[[], float]
    told: ToldFloor | None = None
    _heard_s: float = float("-inf")

    def hear(self, told: ToldFloor) -> None:
        """Take in what was told."""
        self.told, self._heard_s = told, self.clock()

    def __call__(self) -> TipFloor | None:
        """Return what others tip; None: nobody has said so for a while."""
        fresh = self.told is not None and self.clock() - self._heard_s <= FLOOR_S
        return self.told.floor if fresh and self.told is not None else None


@dataclass(slots=True)
class Roads:
    """What a trader sends by.

    Args:
        ways: For the courier.
        routing: For the executor.
        floor: What others tip.
        said: What is worth saying: a list of tip accounts that has changed, for instance.
    """

    ways: list[Way]
    routing: Routing
    floor: Floor
    said: list[str] = field(default_factory=list)


@asynccontextmanager
async def open_roads(
    config: Config,
    client: httpx.AsyncClient,
    environ: Mapping[str, str],
    habits: Habits,
    clock: Callable[[], float],
) -> AsyncIterator[Roads]:
    """Open the routes of a configuration that names some, and learn in the background what others tip.

    `ConfigError` where an environment variable that a route names is not there.
    """
    async with AsyncExitStack() as clients:
        roads, following = await _open(config, client, environ, habits, clock, clients)
        try:
            yield roads
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following


async def _open(
    config: Config,
    client: httpx.AsyncClient,
    environ: Mapping[str, str],
    habits: Habits,
    clock: Callable[[], float],
    clients: AsyncExitStack,
) -> "tuple[Roads, asyncio.Task[None]]":
    """Return what is sent by, and the task that learns what others tip."""
    engines = dict[str, JitoClient]()
    ways = list[Way]()
    for route, planned in zip(config.live.routes, routes_of(config), strict=True):
        if route.kind == "jito":
            engines[route.name] = JitoClient(client, _urls(route), key_of(route, environ), clock)
            post = jito_posting(route.name, engines[route.name], bundle_only=planned.no_revert)
        else:
            key, keyed = key_of(route, environ), client
            if key is not None:  # The connections of the others stay without it.
                keyed = await clients.enter_async_context(make_client())
                keyed.headers[key[0]] = key[1]
            post = posting(Rpc(keyed, _url(route), health=Health()))
        lane = _lane(route, habits)
        ways.append(Way(route.name, post, lane, habits.resend_s, planned.bytes_max, planned.versions))
    floor = Floor(clock)
    by_name = {way.name: way for way in ways}
    routing = Routing(
        routes_of(config),
        tip_policy(config),
        floor,
        lambda name: by_name[name].is_free(clock()),
        whole=not config.live.jito.split,
    )
    roads = Roads(ways, routing, floor)
    for name, engine in engines.items():
        roads.said += [f"route {name}: {line}" for line in changed_accounts(await engine.measure())]
    tips = config.live.jito
    asker = next(iter(engines.values()), None) or JitoClient(client, {"floor": tips.floor or ""}, None, clock)

    async def ask() -> ToldFloor | None:
        return None if tips.floor is None else await asker.floor(tips.floor)

    return roads, asyncio.create_task(follow_floor(tips.floor_stream, ask, floor.hear))


def changed_accounts(answers: Mapping[str, Answer]) -> list[str]:
    """Return where regions name other tip accounts than are known; a region that did not answer says nothing."""
    told = [
        (region, read_tip_accounts(answer.result)) for region, answer in answers.items() if answer.said is Said.TAKEN
    ]
    return [f"{region}: {changed}" for region, (_, changed) in told if changed is not None]


def jito_posting(name: str, engine: JitoClient, bundle_only: bool = True) -> Post:
    """Return what hands bytes to a block engine; its answers are told as a node's are."""

    async def post(transaction: bytes) -> None:
        answer = await engine.call(send_transaction(transaction, bundle_only))
        if answer.said is Said.BUSY:
            raise RateLimited(name, answer.wait_s)
        if answer.said is Said.REFUSED:
            raise NodeError(name, -32602, answer.words)
        if answer.said is Said.UNKNOWN:
            raise EndpointError(f"{name}: {answer.words}")

    return post


def key_of(route: Route, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the header of a route's key, and the key; it stands in the environment alone."""
    if route.header is None or route.key_env is None:
        return None
    key = environ.get(route.key_env, "")
    if not key or not key.isascii() or not key.isprintable():
        raise ConfigError(
            f"live.routes: {route.name} needs its key in {route.key_env}, which is not set to one line of text"
        )
    return route.header, key


def _urls(route: Route) -> dict[str, str]:
    return route.regions or {"global": _url(route)}


def _url(route: Route) -> str:
    assert route.url is not None, "the door has checked it"
    return route.url


def _lane(route: Route, habits: Habits) -> Lane:
    """Return how often a route is given something; a slow one keeps nothing for cancels, which others carry."""
    if route.kind == "jito":
        rate = route.rate or JITO_RATE
        return Lane(rate, max(int(rate), 1), 0, habits.cool_s)
    return Lane(route.rate or habits.rate, habits.burst, habits.kept, habits.cool_s)
