"""Live market data of OpenBook over real connections: chooses an endpoint, follows the market there, and begins anew.

One session is one endpoint. Its websocket is subscribed to the market's accounts, to the chain's clock, to the logs of
the market's transactions and to slots; only when the node has confirmed all of that are the accounts read, and they are
read again every few slots. Pings prove nothing: what proves a feed alive is that the chain's clock goes on, on the same
path as the book. A second endpoint is asked for its slot, so that a node that stands still and a chain that does are
told apart.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import httpx
from solders.account import Account
from solders.pubkey import Pubkey
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from bmv.adapters.openbook.feed import words
from bmv.adapters.openbook.feed.follow import Broken, Follow, Venue, Watched, give_up
from bmv.adapters.openbook.feed.v1 import MarketV1
from bmv.adapters.openbook.feed.v2 import MarketV2
from bmv.adapters.openbook.feed.words import Cause, Traded, Word
from bmv.adapters.openbook.inspection.inspect import Identity, identify
from bmv.adapters.openbook.v1.accounts import Market as AccountV1
from bmv.adapters.solana.clock import CLOCK, LAST_RESTART, read_restart_slot
from bmv.adapters.solana.consensus import Consensus, read_consensus
from bmv.adapters.solana.endpoints import Endpoint, Endpoints
from bmv.adapters.solana.errors import EndpointError, Lagging
from bmv.adapters.solana.genesis import read_genesis
from bmv.adapters.solana.lineage import Lineage
from bmv.adapters.solana.programs import code_address, deployment_slot, read_deployment_slot
from bmv.adapters.solana.pubsub import account_subscribe, logs_subscribe, slot_subscribe
from bmv.adapters.solana.rpc import FINALIZED, PROCESSED, Rpc, make_client
from bmv.ports.errors import DataError

FRAME_BYTES_MAX = 16 << 20
OPEN_S = 10.0  # For a connection to open, and for all subscriptions to be confirmed.
CLOSE_S = 2.0  # For a farewell.
TICK_S = 0.05


@dataclass(frozen=True, slots=True)
class Limits:
    """When a feed is no longer relied on, and how often it is compared.

    Args:
        stale_s: The chain's clock was not heard of for so long.
        stale_slots: A second endpoint is ahead by more than this.
        reconcile_slots: The accounts are read again after so many slots.
        unread_s: The accounts could not be read for so long.
        look_s: How often the second endpoint is asked.
        backoff_s, backoff_max_s: Longest pause before the first new connection, and before any.
    """

    stale_s: float = 3.0
    stale_slots: int = 25
    reconcile_slots: int = 5
    unread_s: float = 30.0
    look_s: float = 1.0
    backoff_s: float = 0.2
    backoff_max_s: float = 10.0


class Feed:
    """Follows one market until it is cancelled.

    Args:
        market: Its address.
        endpoints: The nodes that may be asked.
        limits: When to give one up.
        since: How far the market's events were read by an earlier process.
        dice: For the pauses between connections.
        genesis: Hash of the chain that the market is on; None: that of the first node that says one.
        own: Our account on the market, whose orders are left out of the book; None: they are shown.
    """

    def __init__(
        self,
        market: Pubkey,
        endpoints: Endpoints,
        limits: Limits | None = None,
        since: Traded | None = None,
        dice: Random | None = None,
        genesis: str | None = None,
        own: Pubkey | None = None,
    ) -> None:
        self.own = own
        self.market, self.endpoints = market, endpoints
        self.limits = limits or Limits()
        self.lineage = Lineage()
        self.follow: Follow | None = None  # Of the connection that is open.
        self.connections = 0
        self.genesis = genesis
        self._since = since
        self._dice = dice or Random()
        self._venue: Venue | None = None
        self._deployed: int | None = None
        self._restarted: int | None = None  # The slot of the cluster's last restart.
        self._alone = False  # Whether it was told that no second endpoint answers.

    def __repr__(self) -> str:
        at = "down" if self.follow is None else f"at slot {self.follow.slot}"
        return f"<Feed {self.market} | {at}, {self.connections} connections>"

    async def run(self, tell: Callable[[Word], None]) -> None:
        """Tell each word as it comes, until cancelled.

        Raises:
            BmvError: The market is none, or the configuration names no endpoint; a failing endpoint is no error.
        """
        pause_s = self.limits.backoff_s
        async with make_client() as client:
            while True:
                endpoint = self.endpoints.choose(time.monotonic())
                assert endpoint is not None, "Endpoints has a reader"
                before = self.lineage.root
                try:
                    await self._session(client, endpoint, tell)
                except Broken as error:
                    if error.cause is Cause.RESTARTED:
                        self._restarted = None  # It is told: whatever is read next is known.
                    endpoint.health.note_broken(time.monotonic())
                    self._give_up(tell, error.cause, f"{endpoint.name}: {error}", error.undone_from)
                except Lagging:
                    why = f"{endpoint.name}: has not reached slot {before}, which was final: it lags, or went back"
                    self._give_up(tell, Cause.LAGGING, why)
                except EndpointError as error:
                    self._give_up(tell, Cause.CONNECTION, str(error))
                pause_s = self.limits.backoff_s if self.lineage.root != before else pause_s * 2
                pause_s = min(pause_s, self.limits.backoff_max_s)
                await asyncio.sleep(self._dice.uniform(0, pause_s))

    def _give_up(self, tell: Callable[[Word], None], cause: Cause, why: str, undone_from: int | None = None) -> None:
        self.follow = None
        if self._venue is not None:
            doubted = give_up(self._venue, self.lineage, undone_from)
            if doubted is not None:
                tell(doubted)
        tell(words.Down(cause, why))

    async def _session(self, client: httpx.AsyncClient, endpoint: Endpoint, tell: Callable[[Word], None]) -> None:
        """Follow the market at one endpoint until that breaks: `EndpointError` says how."""
        rpc = Rpc(client, endpoint.url, health=endpoint.health)
        await self._refuse_another_chain(rpc)
        consensus = await read_consensus(rpc)
        identity, watched = await self._look(rpc, tell)
        self._venue = venue = self._venue or _venue_of(identity, self._since, self.own)
        follow = Follow(venue, self.lineage, watched, self.market)
        try:
            async with asyncio.timeout(OPEN_S):
                socket = await _connect(endpoint)
        except TimeoutError:
            raise EndpointError(f"{endpoint.name}: its websocket does not open within {OPEN_S:g} s") from None
        self.connections += 1
        session = _Session(self, endpoint, rpc, socket, follow, consensus, tell)
        try:
            await session.run()
        finally:
            try:
                with suppress(Exception):
                    async with asyncio.timeout(CLOSE_S):
                        await asyncio.shield(socket.close())
            finally:
                socket.transport.abort()  # A farewell that is never answered must hold up no new connection.

    async def _refuse_another_chain(self, rpc: Rpc) -> None:
        genesis = await read_genesis(rpc)
        self.genesis = self.genesis or genesis
        if genesis not in (None, self.genesis):
            why = f"is of another chain, whose genesis hash is {genesis}; the one that is followed has {self.genesis}"
            raise Broken(Cause.ANOTHER_CHAIN, why)

    async def _look(self, rpc: Rpc, tell: Callable[[Word], None]) -> tuple[Identity, dict[Pubkey, Watched]]:
        """Read what the market is, and what is watched beside it."""
        least = self.lineage.root
        first = await rpc.accounts([self.market], least_slot=least)
        try:
            identity = identify(self.market, first.accounts[self.market])
        except DataError as error:
            if self._venue is None:
                raise
            raise Broken(Cause.UNREADABLE, str(error)) from None  # It was a market before.
        beside = await rpc.accounts([identity.program, LAST_RESTART], least_slot=first.slot)
        restart = beside.accounts[LAST_RESTART]
        restarted = None if restart is None else read_restart_slot(restart.data)
        if None not in (restarted, self._restarted) and restarted != self._restarted:
            raise Broken(Cause.RESTARTED, f"the cluster restarted at slot {restarted} while nothing was heard")
        self._restarted = self._restarted if restarted is None else restarted
        watched: dict[Pubkey, Watched] = {
            LAST_RESTART: _Change(restarted, read_restart_slot, Cause.RESTARTED, "the cluster restarted")
        }
        program = beside.accounts[identity.program]
        code = None if program is None else code_address(program)
        if code is not None:
            deployed = await read_deployment_slot(rpc, code)
            if None not in (deployed, self._deployed) and deployed != self._deployed:
                text = f"program {identity.program} was deployed anew at slot {deployed}"
                tell(words.Notice(Cause.PROGRAM, text))
            self._deployed = self._deployed if deployed is None else deployed  # A node may not say.
            why = f"program {identity.program} was deployed anew"
            known = first.slot if self._deployed is None else self._deployed
            watched[code] = _Change(known, deployment_slot, Cause.PROGRAM, why, exactly=self._deployed is not None)
        return identity, watched

    async def second_slot(self, client_rpc: Rpc | None, tell: Callable[[Word], None]) -> int | None:
        """Return the newest slot of a second endpoint; None where none can say, which is told once."""
        slot, why = None, "live.endpoints names no second one: a node that stands still looks like a chain that does"
        if client_rpc is not None:
            try:
                slot = await client_rpc.slot(PROCESSED)
            except EndpointError as error:
                why = f"the second endpoint does not answer: {error}"
        if slot is None and not self._alone:
            tell(words.Notice(Cause.STALE, why))
        self._alone = slot is None
        return slot


class _Change:
    """Breaks the connection when an account says another slot than before; whatever else of it changes does not.

    Args:
        last: What it said; None: nobody knows, so that whatever it says may be new.
        read: Returns what it says.
        cause, why: Why the connection is given up then.
        exactly: Whether it said just that; else it said that or an earlier one, and only a later one is another.
    """

    def __init__(
        self, last: int | None, read: Callable[[bytes], int | None], cause: Cause, why: str, *, exactly: bool = True
    ) -> None:
        self._last, self._read = last, read
        self._cause, self._why, self._exactly = cause, why, exactly

    def __call__(self, account: Account | None) -> None:
        slot = None if account is None else self._read(account.data)
        if slot is not None and not self._exactly and self._last is not None and slot <= self._last:
            self._last, self._exactly = slot, True  # Something else of the account has changed, and now we know.
        if slot is None or slot != self._last:
            raise Broken(self._cause, self._why)


class _Session:
    """What runs beside one another on one connection; the first that fails ends all."""

    def __init__(
        self,
        feed: Feed,
        endpoint: Endpoint,
        rpc: Rpc,
        socket: ClientConnection,
        follow: Follow,
        consensus: Consensus,
        tell: Callable[[Word], None],
    ) -> None:
        self.feed, self.endpoint, self.rpc, self.socket = feed, endpoint, rpc, socket
        self.follow, self.consensus, self._tell = follow, consensus, tell
        self._is_up = False
        self._begun_ns = self._read_ns = time.monotonic_ns()
        self._wall_ns = time.time_ns() - self._begun_ns  # So that a clock that is set makes no silence.
        self._least_slot = 0

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hear())
                group.create_task(self._subscribe_and_read())
                group.create_task(self._watch())
                group.create_task(self._compare())
        except* EndpointError as errors:
            first: BaseException = errors
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            raise first from None

    async def _hear(self) -> None:
        """Take in what the node sends; words go out as they come."""
        follow = self.follow
        try:
            async for text in self.socket:
                follow.hear(text, self._now_ns())
                self._pass_on()
        except (OSError, WebSocketException) as error:
            raise EndpointError(f"{self.endpoint.name}: its websocket broke off ({type(error).__name__})") from None
        raise EndpointError(f"{self.endpoint.name}: closed its websocket")

    def _now_ns(self) -> int:
        return self._wall_ns + time.monotonic_ns()

    def _pass_on(self) -> None:
        for word in self.follow.take():
            if isinstance(word, words.Update) and not self._is_up:
                self._is_up = True
                self.feed.follow = self.follow
                self._tell(words.Up(self.endpoint.name, self.consensus.label, word.slot))
            self._tell(word)

    async def _subscribe_and_read(self) -> None:
        """Subscribe, wait for every confirmation, then read the accounts, now and every few slots."""
        await self._subscribe()
        wait_ns = 0
        due_ns = time.monotonic_ns()
        while True:
            if self.follow.wants_snapshot or time.monotonic_ns() >= due_ns:
                wait_ns = 0 if await self._read() else min(max(2 * wait_ns, 50_000_000), 2_000_000_000)
                due_ns = time.monotonic_ns() + self.feed.limits.reconcile_slots * self.follow.slot_ns
            await asyncio.sleep(max(TICK_S / 5, wait_ns / 1e9))

    async def _subscribe(self) -> None:
        follow, market = self.follow, self.feed.market
        asked: list[tuple[str | Pubkey, Callable[[int], str]]] = [("slot", slot_subscribe)]
        asked += [(key, _account(key)) for key in (*follow.venue.keys, *follow.watched)]
        asked.append(("logs", lambda request: logs_subscribe(request, market, PROCESSED)))
        asked.append((CLOCK, _account(CLOCK)))  # Last, so that what it ends has come where the node tells in order.
        try:
            for request, (target, message) in enumerate(asked, 1):
                follow.ask(request, target)
                await self.socket.send(message(request))
            async with asyncio.timeout(OPEN_S):
                while not follow.confirmed:
                    await asyncio.sleep(TICK_S / 5)
        except (OSError, WebSocketException):
            raise EndpointError(f"{self.endpoint.name}: its websocket broke off") from None
        except TimeoutError:
            why = f"{self.endpoint.name}: does not confirm its subscriptions within {OPEN_S:g} s"
            raise EndpointError(why) from None

    async def _read(self) -> bool:
        """Read the accounts; False where the endpoint did not answer: the book is then as good as before."""
        try:
            least = max(self._least_slot, self.follow.slot)
            snapshot = await self.rpc.accounts(self.follow.venue.keys, least_slot=least, commitment=PROCESSED)
            root = await self.rpc.slot(FINALIZED)
        except EndpointError as error:
            if time.monotonic_ns() - self._read_ns > self.feed.limits.unread_s * 1e9:
                raise EndpointError(f"the accounts can't be read to compare them: {error}") from None
            return False
        self._read_ns = time.monotonic_ns()
        self._least_slot = max(self._least_slot, snapshot.slot)
        self.follow.note_root(root)
        self.follow.read(snapshot)
        self._pass_on()
        return True

    async def _watch(self) -> None:
        """Give the connection up when the chain's clock was not heard of for too long."""
        while True:
            await asyncio.sleep(TICK_S)
            heard_ns = self.follow.heard_ns
            silent_s = (self._now_ns() - (heard_ns or self._begun_ns + self._wall_ns)) / 1e9
            if silent_s > self.feed.limits.stale_s:
                await self._blame(silent_s)

    async def _blame(self, silent_s: float) -> None:
        """Say who stands still: the node, or the chain."""
        slot = await self._second_slot()
        told = f"has told of no new slot for {silent_s:.1f} s"
        if slot is None:
            raise Broken(Cause.STALE, f"{told}, and no other endpoint could be asked")
        ours = self.follow.slot or self.endpoint.health.slot
        if slot > ours + 1:
            raise Broken(Cause.SILENT, f"{told} and is at {ours}; another endpoint is at {slot}")
        raise Broken(Cause.HALTED, f"{told}, and the chain stands still at another endpoint too, at {slot}")

    async def _compare(self) -> None:
        """Give the connection up when a second endpoint is far ahead, twice in a row."""
        limits, behind, before = self.feed.limits, 0, 0
        while True:
            await asyncio.sleep(limits.look_s)
            slot, ours = await self._second_slot(), self.follow.slot
            lag = 0 if slot is None or not ours else slot - ours
            behind = behind + 1 if lag > limits.stale_slots else 0
            if behind > 1:
                cause = Cause.SILENT if ours == before else Cause.LAGGING
                raise Broken(cause, f"is at slot {ours}, {lag} slots behind another endpoint")
            before = ours

    async def _second_slot(self) -> int | None:
        other = self.feed.endpoints.choose(time.monotonic(), without=self.endpoint)
        rpc = None if other is None else self.rpc.beside(other.url, other.health)
        return await self.feed.second_slot(rpc, self._tell)


async def _connect(endpoint: Endpoint) -> ClientConnection:
    try:
        return await connect(
            endpoint.websocket, compression=None, max_size=FRAME_BYTES_MAX, open_timeout=OPEN_S, proxy=None
        )
    except (OSError, WebSocketException) as error:
        raise EndpointError(f"{endpoint.name}: its websocket can't be reached ({type(error).__name__})") from None


def _account(key: Pubkey) -> Callable[[int], str]:
    return lambda request: account_subscribe(request, key, PROCESSED)


def _venue_of(identity: Identity, since: Traded | None, own: Pubkey | None) -> Venue:
    if isinstance(identity.market, AccountV1):
        return MarketV1(identity.address, identity.market, since, own)
    return MarketV2(identity.address, identity.market, identity.program, since, own)
