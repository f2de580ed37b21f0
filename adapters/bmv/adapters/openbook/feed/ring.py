"""Whether what is told of a slot of version 1 fits together: two sides, the ring of events, the number of orders.

Every resting order that loses size leaves an event, and every order that was ever numbered is in the book or in an
event. So of two accounts whose notifications are lost together, a third one tells. What no account tells is an order
that was placed without a trade or cancelled, where all that changed by it was lost.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.v1.events import Event, Fill

NUMBERS_MAX = 10_000  # Orders placed in one slot; more are no slot of this chain.
LOW = (1 << 64) - 1

Sizes = Mapping[int, int]  # In lots, by the number of the order.


class Book(NamedTuple):
    """The orders on each side, and the number of the one that was placed last."""

    bids: Sizes
    asks: Sizes
    newest: int

    def side(self, side: Side) -> Sizes:
        """Return the orders of one side."""
        return self.bids if side is Side.BID else self.asks


def number_of(event: Event) -> int:
    """Return the number of the order that an event is about."""
    low = event.order_id & LOW
    return low ^ LOW if event.side is Side.BID else low


def fits(before: Book, now: Book, events: Sequence[Event], coin_lot: int, pc_lot: int) -> bool:
    """Say whether a book can have become another by these events.

    Args:
        before, now: The book at the end of two slots that follow one another.
        events: What was pushed between these, in order.
        coin_lot, pc_lot: Native units in a lot.
    """
    for side in Side:
        touched = [event for event in events if event.side is side]
        old, new = before.side(side), now.side(side)
        if old is not new or touched:
            left = _left(old, touched, coin_lot, pc_lot)
            if {number: size for number, size in new.items() if number in old} != left:
                return False
    return _are_numbers_told(before, now, events)


def _left(orders: Sizes, events: Sequence[Event], coin_lot: int, pc_lot: int) -> dict[int, int]:
    """Return what is left of the orders of a side after its events."""
    left = dict(orders)
    for event in events:
        number = number_of(event)
        if number not in left:
            continue
        if isinstance(event, Fill):
            left[number] -= event.native_coin // coin_lot if event.maker else 0
        else:
            lot = coin_lot if event.side is Side.ASK else (event.order_id >> 64) * pc_lot
            left[number] = event.native_qty_still_locked // lot
    return {number: size for number, size in left.items() if size}


def _are_numbers_told(before: Book, now: Book, events: Sequence[Event]) -> bool:
    """Say whether each order that was placed meanwhile is in the book, or in an event."""
    numbers = {number_of(event) for event in events} | now.bids.keys() | now.asks.keys()
    newest = max(now.newest, *numbers) if numbers else now.newest
    if newest - before.newest > NUMBERS_MAX:
        return False
    return all(number in numbers for number in range(before.newest + 1, newest + 1))
