"""A session: begun, traded, stopped, and kept to its last word, whichever world it trades in."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from bmv.core.engine import Engine
from bmv.live.control.steered import StopMode
from bmv.live.decider import Decider
from bmv.live.loop import Loop
from bmv.live.minutes import Minutes
from bmv.live.notes import CLOSED, COMMANDED, RECEIPT, setting_note
from bmv.ports.clock import Clock
from bmv.ports.errors import Refused, StorageError
from bmv.ports.messages import Command, Event, Intent, Kind, Tier, Verb
from bmv.ports.storage import Note

COMMIT_S = 0.05  # Between two commits of words that nothing waits for.
LOOK_S = 0.02
PAPER = "paper"  # The mode whose orders end with the market.
HURRY_S = 5.0  # What a second word leaves of the time to stop.


class Venue(Protocol):
    """Where a session trades, real or simulated."""

    async def run(self) -> None:
        """Work until cancelled; what raises here stops the session."""
        ...

    @property
    def idle(self) -> bool:
        """Whether no order of ours is on its way, open, or not told of."""
        ...

    def drain(self) -> None:
        """Tell what is on its way to us, once nothing is asked for any more."""
        ...

    async def settle(self) -> None:
        """Pay out what is free at the venue, if that is wanted; return when it is done."""
        ...

    async def receipt(self) -> dict[str, Any]:  # Any: it is JSON.
        """Return what rests by the venue's own account: `cleared`, and what that was read from."""
        ...

    def status(self) -> dict[str, Any]:  # Any: it is JSON.
        """Return how it stands, for an operator."""
        ...

    def orders(self) -> list[dict[str, Any]]:  # Any: it is JSON.
        """Return the orders that may live."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What a session is made of.

    Args:
        name: Of the session.
        mode: `paper` or `live`.
        decider: Makes parameters.
        engine: Decides.
        minutes: Keeps every word.
        loop: Tells the engine.
        venue: Where it trades.
        clock: The time.
    """

    name: str
    mode: str
    decider: Decider
    engine: Engine
    minutes: Minutes
    loop: Loop
    venue: Venue
    clock: Clock


class Session:
    """Runs the parts until somebody wants them stopped.

    Args:
        parts: What it is made of; nothing of it works yet.
        stop_s: How long a stop may take before it says what is left and ends as failed.
    """

    def __init__(self, parts: Parts, stop_s: float = 60.0) -> None:
        self.parts, self.stop_s = parts, stop_s
        self.stopping: StopMode | None = None
        self.why = ""  # Why it stops.
        self.receipt: dict[str, Any] = {}  # Any: it is JSON.
        self.ended = asyncio.Event()  # The receipt is written.
        self._fault: Exception | None = None  # What telling the engine to stop has failed with.
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Session {self.parts.name}: {self.parts.loop!r}>"

    # What an operator asks.

    def ask_stop(self, mode: StopMode = StopMode.CANCEL, why: str = "asked") -> None:
        """Stop; from this moment no order is placed. A second word hurries, and skips nothing."""
        if self.stopping is not None:
            self._hurry.set()
            return
        self.stopping, self.why = mode, why
        self._stop.set()  # First: whatever telling the engine comes to, it ends.
        if mode is StopMode.KEEP:
            self._close()
            return
        try:
            self._tell(Command.FLATTEN if mode is StopMode.FLATTEN else Command.PAUSE, why)
        except Exception as error:  # Whoever called can't do anything about it: it is what the session fails with.
            self._fault = self._fault or error
            with suppress(Exception):  # Past whoever decides: what rests is to go all the same.
                self.parts.loop.execution.submit([Intent(Verb.CANCEL_ALL, self.parts.clock.now_ns())])

    async def asked(self) -> None:
        """Return when somebody wants the session stopped."""
        await self._stop.wait()

    def fail(self, error: Exception) -> None:
        """Stop for something that has gone wrong out of anybody's sight; the session fails with it."""
        self._fault = self._fault or error
        self.ask_stop(StopMode.CANCEL, f"failed: {error}")

    def command(self, command: Command, who: str) -> None:
        """Tell the engine an operator's word, which is kept with whose it was; a pause outlives the session.

        `Refused` while the session stops: from then on nothing that was said may make it place again.
        """
        if self.stopping is not None:
            raise Refused(f"the session is stopping ({self.why}), and hears nothing any more but a second stop")
        if command in (Command.PAUSE, Command.FLATTEN, Command.RESUME):
            self.parts.minutes.paused = command is not Command.RESUME
        self._tell(command, who)

    def guarded(self, command: Command, why: str, *, lasting: bool = False) -> None:
        """Tell the engine what a guard says; unless an operator has paused it, in which case that stands.

        Args:
            lasting: Whether only an operator may take it back, who may come to the next session.
        """
        if self.stopping is None and not (command is Command.RESUME and self.parts.minutes.paused):
            self.parts.minutes.paused |= lasting
            self._tell(command, why)

    def _tell(self, command: Command, who: str) -> None:
        self.parts.minutes.say(COMMANDED, command=command.name.lower(), by=who)
        self.parts.loop.tell(Event(Kind.COMMAND, self.parts.clock.now_ns(), code=command))

    def set(self, key: str, value: str) -> None:
        """Change a key of the configuration; errors as of `Decider.change`."""
        params = self.parts.decider.change(key, value)
        self.parts.minutes.note(setting_note(self.parts.clock.now_ns(), key, value))
        self.parts.engine.adopt(params)

    def status(self) -> dict[str, Any]:  # Any: it is JSON.
        """Return how the session stands."""
        state, market = self.parts.engine.state, self.parts.decider.market
        equity = int(state.equity) if state.valued else None
        return {
            "session": self.parts.name,
            "mode": self.parts.mode,
            "state": self._word(),
            "time_ns": self.parts.clock.now_ns(),
            "events": self.parts.minutes.heard,
            "intents": self.parts.minutes.said,
            "digest": self.parts.engine.digest,
            "position": str(market.lot_size * int(state.position)),
            "cash": str(market.money(int(state.cash))),
            "equity": None if equity is None else str(market.money(equity)),
            "since_start": None if equity is None else str(market.money(equity - int(state.start_equity))),
            "below_peak": None if equity is None else str(market.money(int(state.peak) - equity)),
            "breaker": Tier(int(state.tier)).name.lower(),
            "pivot": float(state.pivot) * float(market.tick_size) or None,
            "bid": str(market.tick_size * int(state.bid)),
            "ask": str(market.tick_size * int(state.ask)),
            "feed_up": bool(state.feed_up),
            "orders": int(state.n_orders),
            **self.parts.venue.status(),
        }

    def _word(self) -> str:
        state = self.parts.engine.state
        if self.stopping is not None:
            return "stopping"
        if state.paused:
            return "paused"
        return "quoting" if not state.withdrawn else "withdrawn"

    # Its life.

    async def trade(
        self,
        telling: Callable[[], Awaitable[None]],
        beside: Sequence[Callable[[], Awaitable[None]]] = (),
        *,
        ends: bool = False,
    ) -> None:
        """Trade until the market ends, somebody stops it, or something fails; then stop, and keep the receipt.

        Args:
            telling: Tells the loop what the market does; it ends where the market does.
            beside: What works until the session has ended; what raises or ends there stops it.
            ends: Whether the market may end, as stored ticks do; the end of a living one is a failure.
        """
        jobs = (self.parts.venue.run, self._keep, *beside)
        working = [asyncio.ensure_future(job()) for job in jobs]
        hearing = asyncio.ensure_future(telling())
        asked = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({*working, hearing, asked}, return_when=asyncio.FIRST_COMPLETED)
            failed = _failure(*working, hearing)
            if failed is not None:
                self._stop_for(f"failed: {failed}")
            elif ends and hearing.done() and not self._stop.is_set():
                self.why = "the market ended"
                self._close()
            else:  # What is out in the world does not go away because nothing is heard of it.
                self._stop_for("the market ended" if hearing.done() else "what works beside it has ended")
            await self._end(hearing, working)
            await self.parts.minutes.commit()
            if (failed := failed or self._fault or _failure(*working)) is not None:
                raise failed
        finally:
            for task in (*working, hearing, asked):
                task.cancel()
            await asyncio.gather(*working, hearing, asked, return_exceptions=True)

    def _stop_for(self, why: str) -> None:
        """Stop, unless that was asked already."""
        if self.stopping is None:
            self.ask_stop(StopMode.CANCEL, why)

    async def _end(self, hearing: "asyncio.Future[None]", working: "Sequence[asyncio.Future[None]]") -> None:
        """Wait until nothing of ours is open, and write down how it ended."""
        cleared = True
        if self.stopping is not None and self.stopping is not StopMode.KEEP:
            venue_and_journal = working[:2]  # Without these nothing can be cancelled; without the others it can.
            cleared = await self._until(self._is_done, self.stop_s, venue_and_journal)
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)  # What it failed with is raised when all is written down.
        self._close()
        self.parts.venue.drain()
        if cleared and self.stopping is not StopMode.KEEP:
            try:
                await self.parts.venue.settle()
            except Exception as error:  # No money is lost that stays at the venue, and a receipt would be.
                self._fault = self._fault or error
        self.receipt = {
            "why": self.why,
            "mode": str(self.stopping or StopMode.CANCEL),
            "time_ns": self.parts.clock.now_ns(),
            "flat": self._is_flat(),
            **await self.parts.venue.receipt(),
        }
        self.parts.minutes.say(RECEIPT, **self.receipt)
        self.ended.set()

    def _is_done(self) -> bool:
        flat = self.stopping is not StopMode.FLATTEN or self._is_flat()
        return self.parts.venue.idle and not self.parts.engine.state.n_orders and flat

    def _is_flat(self) -> bool:
        return int(self.parts.engine.state.position) == int(self.parts.engine.params.target)

    def _close(self) -> None:
        """Ask for nothing any more."""
        if not self.parts.engine.state.closed:
            self.parts.engine.state.closed = 1
            self.parts.minutes.note(Note(self.parts.clock.now_ns(), CLOSED, ""))

    async def _keep(self) -> None:
        """Keep what was told and said, again and again; a store that is away is asked again, and nothing is sent."""
        while True:
            await asyncio.sleep(COMMIT_S)
            with suppress(StorageError):
                await self.parts.minutes.commit()

    async def _until(self, done: Callable[[], bool], seconds: float, needed: "Sequence[asyncio.Future[None]]") -> bool:
        """Wait until something holds, and say whether it came about; a second word leaves it less time."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + seconds
        while not done():
            if self._hurry.is_set():
                until_s = min(until_s, loop.time() + HURRY_S)
                self._hurry.clear()
            if loop.time() > until_s or any(task.done() for task in needed):
                return False
            await asyncio.sleep(LOOK_S)
        return True


def _failure(*tasks: "asyncio.Future[None]") -> BaseException | None:
    """Return what one of these has failed with."""
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            return error
    return None


async def merged(*streams: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """Yield the events of several streams as they come; the end of one ends all."""
    inbox: asyncio.Queue[Event | None] = asyncio.Queue()

    async def take(stream: AsyncIterator[Event]) -> None:
        try:
            async for event in stream:
                inbox.put_nowait(event)
        finally:
            inbox.put_nowait(None)

    taking = [asyncio.ensure_future(take(stream)) for stream in streams]
    try:
        while (event := await inbox.get()) is not None:
            yield event
        for task in taking:
            if task.done():
                task.result()
    finally:
        for task in taking:
            task.cancel()
        await asyncio.gather(*taking, return_exceptions=True)
