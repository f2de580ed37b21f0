"""The time of this machine, which never goes back."""

import asyncio
import time


class SystemClock:
    """The wall clock as it was when this was made, and the time that has gone by since.

    A clock that is set while a process runs would let its records run backwards; so it is asked once. Whoever wants to
    know how far it is off compares it with another's.
    """

    def __init__(self) -> None:
        self._wall_ns, self._began_ns = time.time_ns(), time.monotonic_ns()

    def now_ns(self) -> int:
        """Return nanoseconds since 1970 UTC."""
        return self._wall_ns + time.monotonic_ns() - self._began_ns

    async def sleep_until(self, ts_ns: int) -> None:
        """Return at `ts_ns`, or at once when it has passed."""
        await asyncio.sleep(max(ts_ns - self.now_ns(), 0) / 1e9)
