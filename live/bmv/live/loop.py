"""One way for every event of a living market: told in order, with the engine's own timers in between."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from bmv.core.engine import Engine
from bmv.core.state import FAR_NS
from bmv.core.tell import tell
from bmv.ports.clock import Clock
from bmv.ports.execution import Execution
from bmv.ports.messages import Event, Kind
from bmv.ports.storage import Journal

_TIMER, _DEPTH = Kind.TIMER.value, Kind.DEPTH.value


class Simulated(Protocol):
    """A venue that lives in the time of the loop: see :mod:`bmv.adapters.bookkeeping.stage`."""

    @property
    def due_ns(self) -> int:
        """When something happens next that is neither a row nor the engine's wake."""
        ...

    def pass_time(self, now_ns: int) -> None:
        """Let time pass until `now_ns`."""
        ...

    def happen(self) -> Event | None:
        """Let happen what is due next; return what the engine is to hear of it, if anything."""
        ...

    def row(self, *row: int) -> Event:
        """Let a row of the market, in the order of `Columns`, happen there; return what the engine is to hear of it."""
        ...

    def heard(self, event: Event) -> None:
        """Called when the engine has heard an event."""
        ...


class Loop:
    """Tells the engine what happens.

    Args:
        engine: Decides.
        execution: Does what it asks for.
        journal: Keeps every word, before it is heard or said.
        clock: The time at which events are told.
        stage: The venue where that is simulated, to which rows happen first; None: it is out in the world.
    """

    def __init__(
        self, engine: Engine, execution: Execution, journal: Journal, clock: Clock, stage: Simulated | None = None
    ) -> None:
        self.engine, self.execution, self.journal, self.clock, self.stage = engine, execution, journal, clock, stage
        self.told = 0
        self.timed: Callable[[float, int], None] = _untimed  # Hears how long an event took, and how many intents.
        self._told_ns = 0
        self._least_ns = 0  # Nothing is told before: a row that comes after a timer is later than that.
        self._sooner = asyncio.Event()  # Something may be due sooner than it was.

    def __repr__(self) -> str:
        return f"<Loop {self.told} events told: {self.engine!r}>"

    def tell(self, event: Event) -> None:
        """Tell an event now, and before it what was due: time never runs back for the engine."""
        at_ns = max(event.ts_ns, self._least_ns)
        self.wake(at_ns - 1)  # At equal time a row comes first.
        at_ns = max(at_ns, self._least_ns)
        if self.stage is not None:
            self.stage.pass_time(at_ns)
            if event.kind <= _DEPTH:
                event = self.stage.row(
                    at_ns,
                    event.kind,
                    event.side,
                    event.price,
                    event.size,
                    event.bid,
                    event.bid_size,
                    event.ask,
                    event.ask_size,
                )
        self._least_ns = at_ns
        self._say(event._replace(ts_ns=at_ns))

    def wake(self, until_ns: int) -> None:
        """Let happen what was due until then, each thing at its instant."""
        while (due_ns := self.due_ns) <= until_ns:
            at_ns = max(due_ns, self._told_ns)
            event: Event | None = Event(_TIMER, at_ns)
            if self.stage is not None:
                self.stage.pass_time(at_ns)
                if self.stage.due_ns <= int(self.engine.state.wake_ns):
                    event = self.stage.happen()
            self._least_ns = at_ns + 1
            if event is not None:
                self._say(event)

    def hear(self, event: Event) -> None:
        """Tell an event as it is, when nothing else happens any more."""
        self._say(event)

    @property
    def due_ns(self) -> int:
        """When something happens next even if the market stands still."""
        wake_ns = int(self.engine.state.wake_ns)
        return wake_ns if self.stage is None else min(wake_ns, self.stage.due_ns)

    async def run(self, events: AsyncIterator[Event]) -> None:
        """Tell what a market does until it ends or this is cancelled."""
        waking, hearing = (asyncio.create_task(work) for work in (self._keep_waking(), self._keep_telling(events)))
        try:
            done, _ = await asyncio.wait({waking, hearing}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (waking, hearing):
                task.cancel()
            await asyncio.gather(waking, hearing, return_exceptions=True)

    async def _keep_telling(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            self.tell(event)

    async def _keep_waking(self) -> None:
        while True:
            due_ns = self.due_ns
            self._sooner.clear()
            if due_ns == FAR_NS:
                await self._sooner.wait()
                continue
            sleeping = asyncio.create_task(self.clock.sleep_until(due_ns))
            changed = asyncio.create_task(self._sooner.wait())
            await asyncio.wait({sleeping, changed}, return_when=asyncio.FIRST_COMPLETED)
            for task in (sleeping, changed):
                task.cancel()
            self.wake(self.clock.now_ns())

    def _say(self, event: Event) -> None:
        before_ns = self.due_ns
        self._told_ns = event.ts_ns
        self.told += 1
        began_s = time.perf_counter()
        tell(self.engine, self.execution, self.journal, event)
        self.timed(time.perf_counter() - began_s, self.engine.said)
        if self.stage is not None:
            self.stage.heard(event)
        if self.due_ns != before_ns:
            self._sooner.set()


def _untimed(seconds: float, intents: int) -> None:
    """Nobody wants to know."""
