"""Stored ticks as a market that happens: at a chosen speed, or as fast as it goes."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

from bmv.live.loop import Loop
from bmv.ports.market_data import Columns, Tape
from bmv.ports.messages import Event

Pause = Callable[[], Awaitable[None]]  # Lets others work, such as whoever keeps the journal.
YIELD_ROWS = 20  # Of one at a speed that this machine can't keep: signals and operators are heard all the same.
PAUSE_ROWS = 2_000  # Rows told between two pauses of a tape that goes as fast as it can.


class TapeClock:
    """The time of a tape that goes on by itself, so many times as fast as ours.

    Args:
        first_ns: What the time is now.
        speed: Tape seconds in a second; 0: the time is wherever somebody waits for it.
    """

    def __init__(self, first_ns: int, speed: float) -> None:
        self._first_ns, self.speed = first_ns, speed
        self._began_ns = time.monotonic_ns()
        self._reached_ns = first_ns

    def now_ns(self) -> int:
        """Return the time on the tape, ns UTC."""
        if not self.speed:
            return self._reached_ns
        return self._first_ns + int((time.monotonic_ns() - self._began_ns) * self.speed)

    async def sleep_until(self, ts_ns: int) -> None:
        """Return at `ts_ns` of the tape, or at once when it has passed."""
        if not self.speed:
            self._reached_ns = max(self._reached_ns, ts_ns)
        elif (wait_s := (ts_ns - self.now_ns()) / 1e9 / self.speed) > 0:
            await asyncio.sleep(wait_s)


def rows_of(tape: Tape) -> Iterator[Event]:
    """Yield the rows of a tape as events."""
    for columns in tape.batches():
        yield from events_of(columns)


def events_of(columns: Columns) -> Iterator[Event]:
    """Yield rows as events."""
    for ts_ns, kind, side, price, size, bid, bid_size, ask, ask_size in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        yield Event(kind, ts_ns, 0, 0, side, price, size, bid, bid_size, ask, ask_size)


async def play(loop: Loop, rows: Iterator[Event], clock: TapeClock, pause: Pause) -> None:
    """Tell the rows of a tape, each at its time, and what is due between them; the same whatever the speed."""
    for number, row in enumerate(rows):
        if clock.speed:
            while (due_ns := loop.due_ns) < row.ts_ns:
                await clock.sleep_until(due_ns)
                loop.wake(due_ns)
        await clock.sleep_until(row.ts_ns)
        loop.tell(row)
        if number % PAUSE_ROWS == 0:
            await pause()
        elif clock.speed and number % YIELD_ROWS == 0:
            await asyncio.sleep(0)
