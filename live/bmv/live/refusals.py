"""Orders that never reached the venue: the engine hears of them, the later the more often it happens in a row.

An engine that hears at once asks at once again. Where nothing else holds it back, as with
`requote.min_interval_ms = 0`, it would ask, be refused and ask again without end, and the journal would be full of it.
"""

import asyncio
from collections.abc import Callable

from bmv.ports.messages import Event, Kind

PAUSE_MIN_S = 0.1  # Before the second refusal in a row is told; the first is told as soon as nobody speaks.
PAUSE_MAX_S = 5.0


class Refusals:
    """Holds refusals back for a while, and tells them.

    Args:
        tell: Tells the engine an event.
        fail: Hears what telling has failed with: nobody waits for it who could do something about it.
        now_ns: The time at which it is told, ns UTC.
    """

    def __init__(
        self, tell: Callable[[Event], None], fail: Callable[[Exception], None], now_ns: Callable[[], int]
    ) -> None:
        self._tell, self._fail, self._now_ns = tell, fail, now_ns
        self._waiting: list[Event] = []
        self._pause_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Refusals {len(self._waiting)} waiting, the next wait {self._pause_s} s>"

    def refuse(self, event: Event) -> None:
        """Take in the end of an order that never reached the venue; it is told later and not now."""
        self._waiting.append(event)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._pause_s, self._tell_all)
            self._pause_s = min(max(2 * self._pause_s, PAUSE_MIN_S), PAUSE_MAX_S)

    def hear(self, event: Event) -> None:
        """Take in what the engine is about to hear: an order at the venue ends the row of refusals."""
        if event.kind == Kind.ACCEPTED:
            self._pause_s = 0.0

    def hurry(self) -> None:
        """Tell what waits as soon as nobody speaks: somebody wants these orders gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(0, self._tell_all)

    def _tell_all(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, []
        try:
            for event in waiting:
                self._tell(event._replace(ts_ns=self._now_ns()))
        except Exception as error:
            self._fail(error)
