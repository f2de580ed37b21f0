"""One way for every event of a living market: told in order, with the engine's own timers in between."""

import asyncio
from collections.abc import AsyncIterator

from bmv.core.engine import Engine
from bmv.core.state import FAR_NS
from bmv.core.tell import tell
from bmv.ports.clock import Clock
from bmv.ports.execution import Execution
from bmv.ports.messages import Event, Kind
from bmv.ports.storage import Journal

_TIMER = Kind.TIMER.value


class Loop:
    """Tells the engine what happens.

    Args:
        engine: Decides.
        execution: Does what it asks for.
        journal: Keeps every word, before it is heard or said.
        clock: The time at which events are told.
    """

    def __init__(self, engine: Engine, execution: Execution, journal: Journal, clock: Clock) -> None:
        self.engine, self.execution, self.journal, self.clock = engine, execution, journal, clock
        self.told = 0
        self._told_ns = 0
        self._sooner = asyncio.Event()  # The engine may want to be woken sooner than it said.

    def __repr__(self) -> str:
        return f"<Loop {self.told} events told: {self.engine!r}>"

    def tell(self, event: Event) -> None:
        """Tell an event now, and before it the timer that was due: time never runs back for the engine."""
        at_ns = max(event.ts_ns, self._told_ns)
        self._wake(at_ns - 1)  # At equal time a timer comes last.
        self._say(event._replace(ts_ns=at_ns))

    async def run(self, events: AsyncIterator[Event]) -> None:
        """Tell what a market does until it ends or this is cancelled."""
        waking = asyncio.create_task(self._keep_waking())
        try:
            async for event in events:
                self.tell(event)
                if waking.done():
                    waking.result()
        finally:
            waking.cancel()

    async def _keep_waking(self) -> None:
        while True:
            due_ns = int(self.engine.state.wake_ns)
            self._sooner.clear()
            if due_ns == FAR_NS:
                await self._sooner.wait()
                continue
            sleeping = asyncio.create_task(self.clock.sleep_until(due_ns))
            changed = asyncio.create_task(self._sooner.wait())
            await asyncio.wait({sleeping, changed}, return_when=asyncio.FIRST_COMPLETED)
            for task in (sleeping, changed):
                task.cancel()
            self._wake(self.clock.now_ns())

    def _wake(self, until_ns: int) -> None:
        """Tell the timers that were due until then, each at its instant."""
        while (due_ns := int(self.engine.state.wake_ns)) <= until_ns:
            self._say(Event(_TIMER, max(due_ns, self._told_ns)))

    def _say(self, event: Event) -> None:
        before_ns = int(self.engine.state.wake_ns)
        self._told_ns = event.ts_ns
        self.told += 1
        tell(self.engine, self.execution, self.journal, event)
        if int(self.engine.state.wake_ns) != before_ns:
            self._sooner.set()
