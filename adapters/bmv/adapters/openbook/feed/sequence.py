"""Whether a change of the book was never told, as the book itself shows.

Orders are numbered as they are placed. One that shows up with a lower number than others had by the slot before was
there already, on a side whose notification was lost and whose next one hid it. A trade changes the side that it was
made on, in its own slot; and where the market took a fee, there was a trade.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.feed.words import Print

Sequences = NDArray[np.uint64]
Missed = tuple[int, int] | None  # Slots of which something was not told, the first exclusive.


class _Seen(NamedTuple):
    """At the end of a slot: the highest number of any order, fees, and of each side its orders and its last change."""

    newest: int
    fees: int
    orders: tuple[Sequences, Sequences]
    changed: tuple[int, int]


class OrderSequence:
    """Follows the numbers of the orders of a book, slot by slot."""

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}  # By slot, those that may be gone back to.

    def missed(
        self,
        slot: int,
        bids: Sequences,
        asks: Sequences,
        newest: int,
        fees: int,
        prints: tuple[Print, ...],
        fresh: bool,
    ) -> Missed:
        """Return the slots of which something was not told, the first exclusive; None where all fits.

        Args:
            slot: The slot.
            bids, asks: Numbers of the orders on each side; the same array as long as the side is the same.
            newest: Number of the order that was placed last.
            fees: What rises with every trade that a fee is taken of, and falls at most without one.
            prints: What was traded in the slot.
            fresh: Whether the slots before it were not seen.
        """
        before = None if fresh or not self._seen else self._seen[max(self._seen)]
        last = max(self._seen) if self._seen else slot - 1
        found = None
        if before is not None:
            found = _missed(before, (bids, asks), prints, last, slot)
            if found is None and fees > before.fees and not prints:
                found = last, slot
        changed = tuple(
            slot if before is None or orders is not before.orders[side] else before.changed[side]
            for side, orders in ((Side.BID, bids), (Side.ASK, asks))
        )
        highest = max(newest, *(int(orders.max()) for orders in (bids, asks) if orders.size), 0)
        if before is not None:
            highest = max(highest, before.newest)
        self._seen[slot] = _Seen(highest, fees, (bids, asks), (changed[0], changed[1]))
        return found

    def undo(self, after: int) -> None:
        """Go back to slot `after`."""
        self._seen = {slot: seen for slot, seen in self._seen.items() if slot <= after}

    def forget(self, before: int) -> None:
        """Drop what no fork can go back to, a slot before `before`, but the newest of it."""
        for slot in sorted(slot for slot in self._seen if slot <= before)[:-1]:
            del self._seen[slot]


def _missed(
    before: _Seen, sides: tuple[Sequences, Sequences], prints: tuple[Print, ...], last: int, slot: int
) -> Missed:
    for side in Side:
        orders = sides[side]
        if orders is not before.orders[side]:
            come = np.setdiff1d(orders, before.orders[side], assume_unique=True)
            if come.size and int(come.min()) <= before.newest:
                return before.changed[side], last
        elif any(one.taker is not side for one in prints):
            return last, slot
    return None
