"""A clock that is told the time."""

from bmv.core.state import NEVER_NS


class SimClock:
    """The time of the tape. Whoever drives the tape sets it; time can't go back."""

    def __init__(self) -> None:
        self._now_ns = NEVER_NS

    def now_ns(self) -> int:
        """Return the time it was last told."""
        return self._now_ns

    async def sleep_until(self, ts_ns: int) -> None:
        """Return at once: in a world that has already happened, waiting is moving the clock."""
        self.advance(max(ts_ns, self._now_ns))

    def advance(self, ts_ns: int) -> None:
        """Set the time to `ts_ns`."""
        assert ts_ns >= self._now_ns, f"time can't go back: {ts_ns} after {self._now_ns}"
        self._now_ns = ts_ns

    def __repr__(self) -> str:
        return f"<SimClock {self._now_ns}>"
