"""Whether a change of the book was never told, as the book itself shows.

Orders are numbered as they are placed. One that shows up with a lower number than others had by the slot before was
there already, on a side whose notification was lost and whose next one hid it. A trade changes the side that it was
made on, in its own slot; and where the market took a fee or counts more than was told, there was a trade.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.feed.words import Print, Traded

Sequences = NDArray[np.uint64]


class Missed(NamedTuple):
    """Something was not told of the slots after `after` and up to `until`.

    Args:
        book: Whether the book is wrong even now.
    """

    after: int
    until: int
    book: bool = False


class _Seen(NamedTuple):
    """At the end of a slot: the highest number of any order, what was traded, and of each side its orders and when they
    last changed.
    """

    newest: int
    fees: int
    quote: int
    orders: tuple[Sequences, Sequences]
    changed: tuple[int, int]


class OrderSequence:
    """Follows the numbers of the orders of a book, slot by slot.

    Args:
        quote_lot: Native quote in a tick of one lot.
    """

    def __init__(self, quote_lot: int) -> None:
        self._quote_lot = quote_lot
        self._seen: dict[int, _Seen] = {}  # By slot, those that may be gone back to.

    def missed(
        self,
        slot: int,
        bids: Sequences,
        asks: Sequences,
        newest: int,
        fees: int,
        traded: Traded,
        fresh: bool,
    ) -> Missed | None:
        """Return of which slots something was not told; None where all fits.

        Args:
            slot: The slot.
            bids, asks: Numbers of the orders on each side; the same array as long as the side is the same.
            newest: Number of the order that was placed last.
            fees: What rises with every trade that a fee is taken of, and falls at most without one.
            traded: What was traded since the last slot that was looked at, and ever.
            fresh: Whether slots between that and this were not looked at.
        """
        last = max(self._seen, default=slot - 1)
        before = self._seen.get(last)
        found = None
        if before is not None:
            found = _missed(before, (bids, asks), traded.prints, last, slot)
            if found is None and self._is_untold(before, (bids, asks), fees, traded):
                found = Missed(last, slot, book=True)
        told = last if fresh else slot  # Of which slot a change may be, at the earliest.
        changed = tuple(
            told if before is None or orders is not before.orders[side] else before.changed[side]
            for side, orders in ((Side.BID, bids), (Side.ASK, asks))
        )
        highest = max(newest, *(int(orders.max()) for orders in (bids, asks) if orders.size), 0)
        if before is not None:
            highest = max(highest, before.newest)
        self._seen[slot] = _Seen(highest, fees, traded.quote, (bids, asks), (changed[0], changed[1]))
        return found

    def _is_untold(self, before: _Seen, sides: tuple[Sequences, Sequences], fees: int, traded: Traded) -> bool:
        """Say whether a trade was told that the market does not count, or counted that was not told, on a side that may
        not have been told either.
        """
        untold = traded.quote - before.quote - sum(one.price * one.size for one in traded.prints) * self._quote_lot
        if untold < 0 or (fees > before.fees and not traded.prints and not untold):
            return True
        return untold > 0 and any(now is then for now, then in zip(sides, before.orders, strict=True))

    def undo(self, after: int) -> None:
        """Go back to slot `after`."""
        self._seen = {slot: seen for slot, seen in self._seen.items() if slot <= after}

    def forget(self, before: int) -> None:
        """Drop what no fork can go back to, a slot before `before`, but the newest of it."""
        for slot in sorted(slot for slot in self._seen if slot <= before)[:-1]:
            del self._seen[slot]


def _missed(
    before: _Seen, sides: tuple[Sequences, Sequences], prints: tuple[Print, ...], last: int, slot: int
) -> Missed | None:
    for side in Side:
        orders = sides[side]
        if orders is not before.orders[side]:
            come = orders[np.isin(orders, before.orders[side], assume_unique=True, invert=True, kind="sort")]
            if come.size and int(come.min()) <= before.newest:
                return Missed(min(before.changed[side], last - 1), last)
        elif any(one.taker is not side for one in prints):
            return Missed(last, slot, book=True)
    return None
