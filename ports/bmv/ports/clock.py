"""Time, for those who wait. The core does not wait: its time is the event's `ts_ns`."""

from typing import Protocol


class Clock(Protocol):
    """Asked by drivers and venues, never by the core."""

    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch; never goes back."""
        ...

    async def sleep_until(self, ts_ns: int) -> None:
        """Return at `ts_ns`, or at once when it has passed."""
        ...
