"""Which slots follow which, as far as a node told, and what became of each: final, undone, or not known yet."""

from enum import Enum

KEPT = 4_096  # Links; two hours of a fork that never becomes final are no chain to follow.


class Fate(Enum):
    """What became of a slot's block."""

    PENDING = "pending"  # It may still vanish.
    FINAL = "final"
    UNDONE = "undone"  # It is on no fork that goes on.
    UNKNOWN = "unknown"  # It should be final by now, but the links that would say so were never told.


class Lineage:
    """The links between slots, and the newest that is final."""

    def __init__(self) -> None:
        self.root = 0
        self._parents: dict[int, int] = {}

    def note(self, slot: int, parent: int) -> None:
        """Keep that `slot` follows `parent`; told again otherwise, the slot's number was used again."""
        self._parents.pop(slot, None)
        self._parents[slot] = parent
        if len(self._parents) > KEPT:
            del self._parents[next(iter(self._parents))]

    def note_root(self, root: int) -> None:
        """Keep that `root` is final; a root never goes back but with `begin_anew`."""
        self.root = max(self.root, root)

    def begin_anew(self) -> None:
        """Forget all: the chain went back to before what was final, and uses its numbers again."""
        self.root = 0
        self._parents.clear()

    def parent(self, slot: int) -> int | None:
        """Return the slot that `slot` follows, None if it was not told."""
        return self._parents.get(slot)

    def fate(self, slot: int) -> Fate:
        """Say what became of `slot`: from the newest final slot back, link by link.

        >>> lineage = Lineage()
        >>> for link in ((11, 10), (12, 11), (13, 11)):
        ...     lineage.note(*link)
        >>> lineage.note_root(13)
        >>> lineage.fate(11), lineage.fate(12), lineage.fate(14)
        (<Fate.FINAL: 'final'>, <Fate.UNDONE: 'undone'>, <Fate.PENDING: 'pending'>)
        """
        at: int | None = self.root
        if slot > self.root:
            return Fate.PENDING
        while at is not None and at > slot:
            at = self._parents.get(at)
        if at is None:
            return Fate.UNKNOWN
        return Fate.FINAL if at == slot else Fate.UNDONE
