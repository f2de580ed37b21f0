"""When a slot was, by the chain's own clock, finer than that clock says.

Programs read whole seconds. Within a second, slots are taken to be evenly spaced: as far apart as those of the seconds
before. What comes out depends on the chain alone, so that two recorders of it give a row the same time.
"""

from typing import NamedTuple

SECOND_NS = 1_000_000_000
LATE_SLOTS = 1_000  # More slots than a second has; those beyond what it should have are a nanosecond apart.
TURNS = 2  # Seconds of which the first slot has to be known.


class _Turn(NamedTuple):
    """The first slot of a second."""

    second: int
    slot: int


class SlotTimes:
    """Gives slots their time, in the order of the chain."""

    def __init__(self) -> None:
        self._turns: list[_Turn] = []
        self._slot = self._second = 0

    def note(self, slot: int, second: int, follows: bool) -> int | None:
        """Return the time of a slot in nanoseconds UTC; None as long as too few seconds were seen from their beginning.

        Args:
            slot: The slot, higher than the one before.
            second: What the chain's clock says in it.
            follows: Whether it is the next of the chain; if not, a second may have begun unseen.

        >>> times = SlotTimes()
        >>> seconds = (6, 7, 7, 7, 7, 7, 8, 8, 8, 8, 8, 9, 9)
        >>> [times.note(slot, second, follows=slot > 0) for slot, second in enumerate(seconds)][-3:]
        [8800000000, 9000000000, 9200000000]
        """
        if second < self._second:
            self._turns.clear()
        elif second > self._second:
            if not follows:
                self._turns.clear()
            elif self._second:
                self._turns = [*self._turns[1 - TURNS :], _Turn(second, slot)]
        self._slot, self._second = slot, second
        if len(self._turns) < TURNS:
            return None
        before, last = self._turns
        step_ns = (last.second - before.second) * SECOND_NS // (last.slot - before.slot)
        after = slot - last.slot
        return second * SECOND_NS + min(after * step_ns, SECOND_NS - LATE_SLOTS + min(after, LATE_SLOTS - 1))
