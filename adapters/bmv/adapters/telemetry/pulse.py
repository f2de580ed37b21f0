"""Whether a session is alive and ready, said by its loop and read by any thread."""

import time
from collections.abc import Callable

LIMIT_S = 30.0


class Pulse:
    """The last sign of life of a loop, and why it does not quote.

    Args:
        limit_s: Without a beat for so long it counts as dead.
        clock: Seconds that only grow.
    """

    def __init__(self, limit_s: float = LIMIT_S, clock: Callable[[], float] = time.monotonic) -> None:
        self.why = "it is starting"
        self._limit_s, self._clock = limit_s, clock
        self._beat_s = clock()

    def __repr__(self) -> str:
        return f"<Pulse: {'alive' if self.alive else 'dead'}, {self.why or 'quoting'}>"

    def beat(self) -> None:
        """Say that the loop turns; from the loop itself, some times in `limit_s`."""
        self._beat_s = self._clock()

    def say(self, why: str) -> None:
        """Say why it does not quote, in one sentence without secrets; "": it does."""
        self.why = why

    @property
    def silent_s(self) -> float:
        """Seconds since the last beat."""
        return self._clock() - self._beat_s

    @property
    def alive(self) -> bool:
        """Whether the loop turns."""
        return self.silent_s <= self._limit_s

    @property
    def ready(self) -> bool:
        """Whether it quotes; a loop that does not turn does not."""
        return self.alive and not self.why
