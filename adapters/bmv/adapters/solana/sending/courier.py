"""Carries attempts: sends them until the chain shows what became of them, and keeps a blockhash young meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

from bmv.adapters.solana.consensus import Consensus, read_consensus
from bmv.adapters.solana.endpoints import SEND, Endpoint, Endpoints
from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.health import Health
from bmv.adapters.solana.rpc import Rpc
from bmv.adapters.solana.sending.attempt import Attempt, Fate, State, Tell
from bmv.adapters.solana.sending.blockhash import LIFE_BLOCKS, Young, commitment_for, read_blockhash
from bmv.adapters.solana.sending.lane import Lane
from bmv.adapters.solana.sending.sender import Age, Handed, Way, due, posting
from bmv.adapters.solana.sending.slots import SlotClock
from bmv.adapters.solana.sending.track import Track
from bmv.adapters.solana.sending.watch import STATUSES_MAX, look_at


@dataclass(frozen=True, slots=True)
class Habits:
    """How often what is done. Each has a reason in slots of 200 ms.

    Args:
        resend_s: Between two sendings of the same bytes to one node: two slots.
        look_s: Between two looks at what became of them: two slots.
        renew_s: A blockhash older than this is renewed: ten slots of its 150.
        stale_s: An older one is never used.
        blind_s: With no node that answers for so long, nobody knows what became of an attempt.
        ask_s: Between two questions by which rule the chain agrees.
        rate, burst, kept: Of each node's lane: sendings a second, saved up, and kept for what is urgent.
        cool_s: For how long a node is left alone that refuses for too many requests and names no time.
    """

    resend_s: float = 0.4
    look_s: float = 0.4
    renew_s: float = 2.0
    stale_s: float = 10.0
    blind_s: float = 3.0
    ask_s: float = 30.0
    rate: float = 10.0
    burst: int = 20
    kept: int = 8
    cool_s: float = 2.0


class Carried(NamedTuple):
    """An attempt on its way, who hears of it, and what is set at its end."""

    track: Track
    tell: Tell
    ended: asyncio.Event


class Courier:
    """Sends to every node of a configuration that is sent to, and asks those that are read from.

    Args:
        endpoints: The nodes.
        rpc: A client of any of them; its connections are used.
        habits: How often what is done.
        clock: Seconds that never go back.
        ways: Where it sends; None: to the nodes that are sent to.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        rpc: Rpc,
        habits: Habits | None = None,
        clock: Callable[[], float] = time.monotonic,
        ways: Sequence[Way] | None = None,
    ) -> None:
        self.endpoints, self.habits = endpoints, habits or Habits()
        self.consensus = Consensus.UNKNOWN
        self.height = 0  # The newest final height that a node told of.
        self._rpc, self._clock = rpc, clock
        senders = [endpoint for endpoint in endpoints if SEND in endpoint.roles]
        self.ways = [self._way(endpoint) for endpoint in senders] if ways is None else list(ways)
        self.slots = SlotClock()
        self._tracks: dict[str, Carried] = {}
        self._begun: dict[str, tuple[float, int]] = {}  # By signature: second and slot.
        self._sending = set[asyncio.Task[None]]()
        self._young: Young | None = None
        self._renewed = asyncio.Event()
        self._seen_s = clock()
        self._asked_s = float("-inf")
        self._wake = asyncio.Event()
        self._broken: BaseException | None = None

    def __repr__(self) -> str:
        tracks = [one.track for one in self._tracks.values()]
        return f"<Courier at height {self.height}: {len(tracks)} on their way, {len(self.ways)} nodes>"

    def _way(self, endpoint: Endpoint) -> Way:
        habits = self.habits
        lane = Lane(habits.rate, habits.burst, habits.kept, habits.cool_s)
        rpc = self._rpc.beside(endpoint.url, Health())
        return Way(rpc.endpoint, posting(rpc), lane, habits.resend_s)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Courier"]:
        """Work in the background until closed; what is on its way then is sent no more."""
        tasks = [asyncio.create_task(work()) for work in (self._keep_young, self._keep_sending, self._keep_looking)]
        for task in tasks:
            task.add_done_callback(self._check)
        try:
            yield self
        finally:
            for task in (*tasks, *self._sending):
                task.cancel()
            await asyncio.gather(*tasks, *self._sending, return_exceptions=True)

    def _check(self, task: "asyncio.Task[None]") -> None:
        """Let whoever waits know that nothing works in the background any more: a bug, and never to be waited out."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        self._broken = error
        self._renewed.set()
        for one in self._tracks.values():
            one.ended.set()

    def _refuse_broken(self) -> None:
        if self._broken is not None:
            raise RuntimeError("the courier has stopped working") from self._broken

    @property
    def slot(self) -> int:
        """Which slot it is about now; 0: no node has told of one yet."""
        return self.slots.now(self._clock())

    def failed(self) -> EndpointError | None:
        """Return why no node can be asked; None: one answered a while ago."""
        if self._clock() - self._seen_s <= self.habits.blind_s:
            return None
        return EndpointError(f"{', '.join(e.name for e in self.endpoints.readers)}: no endpoint answers")

    async def blockhash(self) -> Young:
        """Return a young blockhash, waiting for one if need be."""
        while self._young is None or self._clock() - self._young.read_s > self.habits.stale_s:
            self._renewed.clear()
            self._refuse_broken()
            await self._renewed.wait()
        self._refuse_broken()
        return self._young

    async def carry(
        self,
        attempt: Attempt,
        tell: Tell = lambda fate: None,
        fate: Fate | None = None,
        send: bool = True,
        since: int | None = None,
    ) -> Fate:
        """Send an attempt until it has ended, and return how.

        Whoever calls it has committed the attempt before: from now on it may land at any time, also when this is
        cancelled.

        Args:
            attempt: The bytes.
            tell: Hears each change of its fate.
            fate: What was known of it, for one of an earlier process.
            send: Whether to send it, or only to see what becomes of it.
            since: The oldest slot in which it may have landed, for one of an earlier process; None: not known.
        """
        ended = asyncio.Event()
        track = Track(attempt, fate or Fate(State.COMMITTED), send, since)
        assert attempt.signature not in self._tracks, f"{attempt.signature} is on its way"
        self._tracks[attempt.signature] = Carried(track, tell, ended)
        self._begun[attempt.signature] = self._clock(), self.slot
        self._wake.set()
        try:
            await ended.wait()
            self._refuse_broken()
        finally:
            del self._tracks[attempt.signature], self._begun[attempt.signature]
            for way in self.ways:
                way.forget(attempt.signature)
        return track.fate

    async def _keep_young(self) -> None:
        while True:
            now_s = self._clock()
            try:
                rpc = self.reader()
                if now_s - self._asked_s > self.habits.ask_s:
                    self.consensus = await read_consensus(rpc)
                    self._asked_s = now_s
                young = await read_blockhash(rpc, commitment_for(self.consensus), now_s)
            except EndpointError:
                await asyncio.sleep(self.habits.look_s)
                continue
            if self._takes(young):
                self._young = young
            self.height = young.last_height - LIFE_BLOCKS - self.consensus.final_slots
            self._renewed.set()
            await asyncio.sleep(self.habits.renew_s)

    def _takes(self, young: Young) -> bool:
        """Whether to use a blockhash; not that of a node that lags, as long as there is a better one."""
        kept = self._young
        stale = kept is None or young.read_s - kept.read_s > self.habits.stale_s / 2
        return stale or kept is None or young.last_height >= kept.last_height

    async def _keep_sending(self) -> None:
        while True:
            wanted = [one.track for one in self._tracks.values() if one.track.wants_sending(self.height)]
            for way, attempt in due(self.ways, [track.attempt for track in wanted], self._clock(), self._ages()):
                task = asyncio.create_task(self._send(way, attempt))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)
            self._wake.clear()
            try:
                async with asyncio.timeout(self.habits.resend_s / 4):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _ages(self) -> dict[str, Age]:
        now_s, slot = self._clock(), self.slot
        for signature, (began_s, began) in self._begun.items():
            if not began:  # Nobody had told of a slot then.
                self._begun[signature] = began_s, slot
        return {signature: Age(now_s - began_s, slot - began) for signature, (began_s, began) in self._begun.items()}

    async def _send(self, way: Way, attempt: Attempt) -> None:
        self._note(attempt.signature, way.name)
        handed = await way.send(attempt, self._clock)
        if handed.refused:
            self._note(attempt.signature, handed)

    def _note(self, signature: str, handed: Handed | str) -> None:
        """Note that an attempt goes to a way, by its name, or what that said of it."""
        if signature not in self._tracks:
            return
        track, tell, _ = self._tracks[signature]
        before = track.fate
        if isinstance(handed, str):
            track.note_sent(handed)
        else:
            track.fate = track.fate.refusing(handed.node, handed.refused)
        if before.state != track.fate.state or before.refused != track.fate.refused:
            tell(track.fate)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self.habits.look_s)
            tracks = [one.track for one in self._tracks.values()]
            for at in range(0, len(tracks), STATUSES_MAX):
                await self._look(tracks[at : at + STATUSES_MAX])

    async def _look(self, tracks: list[Track]) -> None:
        rpc = self._witness(max(track.dim for track in tracks))
        try:
            look, statuses = await look_at(rpc, tracks)
        except EndpointError:
            if self._clock() - self._seen_s > self.habits.blind_s:
                self._tell(track for track in tracks if track.lose_sight())
            return
        self._seen_s = self._clock()
        self.slots.note(self._clock(), max(look.slot, look.final_slot))
        self.height = look.final_height  # As the newest look says: what one node told wrongly does not stay.
        self._tell(track for track, status in zip(tracks, statuses, strict=True) if track.hear(look, status))

    def _tell(self, tracks: Iterable[Track]) -> None:
        for track in list(tracks):
            one = self._tracks.get(track.attempt.signature)
            if one is None:
                continue
            one.tell(track.fate)
            if track.fate.ended:
                one.ended.set()

    def _witness(self, dim: int) -> Rpc:
        """Return the node to ask what became of attempts: each in turn where one did not remember."""
        readers = self.endpoints.readers
        if dim == 0:
            return self.reader()
        endpoint = readers[dim % len(readers)]
        return self._rpc.beside(endpoint.url, endpoint.health)

    def reader(self) -> Rpc:
        """Return the node to ask."""
        endpoint = self.endpoints.choose(self._clock())
        assert endpoint is not None, "Endpoints has a reader"
        return self._rpc.beside(endpoint.url, endpoint.health)
