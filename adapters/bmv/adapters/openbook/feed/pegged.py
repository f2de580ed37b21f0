"""Orders of version 2 that follow an oracle: where they stand, and how they join those of a fixed price."""

from collections.abc import Iterable
from itertools import chain

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.feed.words import Levels, is_sane
from bmv.adapters.openbook.v2.bookside import BookSide
from bmv.adapters.openbook.v2.levels import priced

Sides = tuple[Levels, Levels]  # Bids and asks.


def pegged_levels(book: BookSide, now: int, oracle_price_lots: int) -> Levels:
    """Return the levels of a side's pegged orders that can be matched at second `now`, at an oracle's price."""
    orders = ((price, leaf.quantity) for leaf, price in priced(book, now, oracle_price_lots))
    return _summed((level for level in orders if is_sane(*level)), book.side)


def join(fixed: Sides, pegged: Sides) -> Sides:
    """Return both kinds of levels together.

    An oracle moves pegged orders across others without a trade. Until somebody takes them such orders stand on the
    wrong side of the book, which no reader of it understands: they are left out.
    """
    bids, asks = fixed
    below = asks[0][0] if asks else None
    above = bids[0][0] if bids else None
    more_bids = [level for level in pegged[0] if below is None or level[0] < below]
    more_asks = [level for level in pegged[1] if above is None or level[0] > above]
    if more_bids and more_asks and more_bids[0][0] >= more_asks[0][0]:
        return fixed
    return _summed(chain(bids, more_bids), Side.BID), _summed(chain(asks, more_asks), Side.ASK)


def _summed(levels: Iterable[tuple[int, int]], side: Side) -> Levels:
    sizes: dict[int, int] = {}
    for price, size in levels:
        sizes[price] = sizes.get(price, 0) + size
    return tuple(sorted(sizes.items(), reverse=side is Side.BID))
