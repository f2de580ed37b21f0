"""What was told of our fills since a slot that can't vanish, slot by slot, so that a fork can take it back.

A *mark* says how far was read, and what must be known to read on. Fills are told as they are read, and are provisional
until their slot is final; then they are handed out once more, for good, with the mark that goes with them. Whoever
keeps both in one step may be killed at any moment, and counts each fill once when he begins again from the mark.
"""

from collections.abc import Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.fills.fill import OwnFill


class _Mark(Protocol):
    @property
    def slot(self) -> int:
        """The slot at whose end it was made."""
        ...


M = TypeVar("M", bound=_Mark)


class Settled(NamedTuple, Generic[M]):
    """Fills that no fork takes back any more, and the mark from which to go on behind them."""

    fills: tuple[OwnFill, ...]
    mark: M


class Told(Generic[M]):
    """Marks and fills, look by look, from the newest final one on.

    Args:
        mark: Where to begin; it is taken to be of a final slot.
    """

    def __init__(self, mark: M) -> None:
        self._looks: list[tuple[M, tuple[OwnFill, ...]]] = [(mark, ())]

    @property
    def mark(self) -> M:
        """The newest mark; what it stands on may yet vanish."""
        return self._looks[-1][0]

    def add(self, mark: M, fills: Sequence[OwnFill]) -> None:
        """Take in a look at a later slot."""
        assert mark.slot > self.mark.slot, f"slot {mark.slot} after {self.mark.slot}"
        self._looks.append((mark, tuple(fills)))

    def undo(self, after: int) -> tuple[OwnFill, ...]:
        """Go back to the last look at slot `after` or before; return the fills that are taken back.

        Malformed where that would take back what is final.
        """
        if after < self._looks[0][0].slot:
            raise Malformed(f"the chain goes back to slot {after}, and fills up to {self._looks[0][0].slot} are final")
        gone = [fills for mark, fills in self._looks if mark.slot > after]
        del self._looks[len(self._looks) - len(gone) :]
        return tuple(fill for fills in gone for fill in fills)

    def settle(self, final: int) -> Settled[M]:
        """Return the fills of looks at slot `final` or before, each once, and the mark behind them."""
        done = [(mark, fills) for mark, fills in self._looks if mark.slot <= final]
        if not done:
            return Settled((), self._looks[0][0])
        mark = done[-1][0]
        self._looks[: len(done)] = [(mark, ())]
        return Settled(tuple(fill for _, fills in done for fill in fills), mark)
