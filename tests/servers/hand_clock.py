"""A clock that is moved by hand: who sleeps wakes when it is told that their time has come, and never before."""

import asyncio


class HandClock:
    """Time stands still until it is moved.

    Args:
        now_ns: What it shows at first.
    """

    def __init__(self, now_ns: int) -> None:
        self._now_ns = now_ns
        self._sleepers: list[tuple[int, asyncio.Future[None]]] = []

    def now_ns(self) -> int:
        return self._now_ns

    async def sleep_until(self, ts_ns: int) -> None:
        if ts_ns > self._now_ns:
            woken = asyncio.get_running_loop().create_future()
            self._sleepers.append((ts_ns, woken))
            await woken

    def advance(self, seconds: float) -> None:
        """Move time on, and wake those whose time has come."""
        self._now_ns += round(seconds * 1_000_000_000)
        due = [sleeper for sleeper in self._sleepers if sleeper[0] <= self._now_ns]
        self._sleepers = [sleeper for sleeper in self._sleepers if sleeper[0] > self._now_ns]
        for _, woken in due:
            if not woken.done():
                woken.set_result(None)

    def next_ns(self) -> int | None:
        """When the next sleeper wants to be woken."""
        waiting = [ts_ns for ts_ns, woken in self._sleepers if not woken.done()]
        return min(waiting, default=None)
