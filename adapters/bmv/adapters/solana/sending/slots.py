"""Which slot it is about now: by the newest that a node told of, and how long slots have been taking."""

from dataclasses import dataclass

SLOT_S = 0.2  # Until it is measured.
APART_MIN = 10  # Slots from which on their length is.
SPAN_S = 120.0  # It is measured anew after so long.


@dataclass(slots=True)
class SlotClock:
    """Times are seconds of a clock that never goes back."""

    slot: int = 0  # The newest that was told; 0: none was.
    slot_s: float = SLOT_S
    _at_s: float = 0.0
    _first: tuple[float, int] = (0.0, 0)

    def note(self, now_s: float, slot: int) -> None:
        """Learn of a slot; a lower one than before means that the chain went back."""
        if not self.slot or slot < self.slot or now_s - self._first[0] > SPAN_S:
            self._first = (now_s, slot)
        elif slot - self._first[1] >= APART_MIN:
            self.slot_s = (now_s - self._first[0]) / (slot - self._first[1])
        if slot != self.slot:
            self.slot, self._at_s = slot, now_s

    def now(self, now_s: float) -> int:
        """Return which slot it is about now; 0: nobody knows.

        >>> clock = SlotClock()
        >>> clock.note(10.0, 1_000), clock.note(13.0, 1_010), clock.now(14.5)
        (None, None, 1015)
        """
        return self.slot + int(max(now_s - self._at_s, 0.0) / self.slot_s) if self.slot else 0
