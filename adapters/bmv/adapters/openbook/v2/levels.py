"""What the two trees of a side make together at one moment: orders that can be matched, best first, and price levels.

An order stays in the account after it expired, and after the oracle went beyond its limit, until somebody's order
drops it. A reader must leave such orders out himself: here, as the program's own iterator does.
"""

from collections.abc import Collection, Iterator
from heapq import merge

from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Level, RestingOrder, Side, to_levels
from bmv.adapters.openbook.v2.bookside import FIXED, NO_PEG_LIMIT, ORACLE_PEGGED, BookSide, LeafNode
from bmv.adapters.openbook.v2.codes import is_better

_I64_MAX = (1 << 63) - 1
_SEQUENCE = (1 << 64) - 1  # Of an order's id, the part that orders it among its equals.
_ZERO_OFFSET = 1 << 63  # A pegged order's price data at the oracle's own price.


def pegged_price(leaf: LeafNode, oracle_price_lots: int) -> int:
    """Return a pegged order's price at an oracle's price, which may lie outside what can be traded.

    Sums beyond an i64 stop at its ends, as the program's do.
    """
    return min(max(oracle_price_lots + leaf.price_data - _ZERO_OFFSET, -_I64_MAX - 1), _I64_MAX)


def is_expired(leaf: LeafNode, now: int) -> bool:
    """Whether an order can't be matched any more at second `now`."""
    return leaf.expires is not None and now >= leaf.expires


def is_beyond_limit(leaf: LeafNode, side: Side, price: int) -> bool:
    """Whether a pegged order's price has passed its limit."""
    return leaf.peg_limit != NO_PEG_LIMIT and is_better(side, price, leaf.peg_limit)


def live(book: BookSide, tree: int, now: int) -> list[LeafNode]:
    """Return the orders of one tree that have not expired at second `now`, best first."""
    return [leaf for leaf in book.orders(tree) if not is_expired(leaf, now)]


def matchable(
    book: BookSide, now: int, oracle_price_lots: int | None = None, own: Collection[Pubkey] = ()
) -> list[RestingOrder]:
    """Return the orders that can be matched at second `now`, best first (level 3).

    Args:
        oracle_price_lots: The oracle's price; None: it has none, and pegged orders can't be matched.
        own: Our OpenOrdersAccounts.
    """
    fixed = (_resting(book.side, leaf, leaf.price_data, own) for leaf in live(book, FIXED, now))
    pegged = (_resting(book.side, *priced, own, pegged=True) for priced in priced(book, now, oracle_price_lots))
    return list(merge(fixed, pegged, key=_rank))


def standing(book: BookSide, own: Collection[Pubkey] = ()) -> Iterator[RestingOrder]:
    """Yield every order that stands in a book, also those that have expired: they lock funds until somebody drops them.

    A pegged order's `price_lots` is 0: without its oracle it has none.
    """
    for leaf in book.orders(FIXED):
        yield _resting(book.side, leaf, leaf.price_data, own)
    for leaf in book.orders(ORACLE_PEGGED):
        yield _resting(book.side, leaf, 0, own, pegged=True)


def priced(book: BookSide, now: int, oracle_price_lots: int | None) -> Iterator[tuple[LeafNode, int]]:
    """Yield the pegged orders that can be matched at second `now`, each with its price; best first."""
    if oracle_price_lots is None:
        return
    for leaf in live(book, ORACLE_PEGGED, now):
        price = pegged_price(leaf, oracle_price_lots)
        if 1 <= price < _I64_MAX and not is_beyond_limit(leaf, book.side, price):
            yield leaf, price


def levels(book: BookSide, now: int, oracle_price_lots: int | None = None, own: Collection[Pubkey] = ()) -> list[Level]:
    """Return what can be matched at second `now`, price by price, best first (level 2)."""
    return to_levels(matchable(book, now, oracle_price_lots, own))


def _rank(order: RestingOrder) -> int:
    key = order.price_lots << 64 | order.order_id & _SEQUENCE
    return -key if order.side is Side.BID else key


def _resting(
    side: Side, leaf: LeafNode, price_lots: int, own: Collection[Pubkey], pegged: bool = False
) -> RestingOrder:
    return RestingOrder(
        order_id=leaf.key,
        side=side,
        price_lots=price_lots,
        size_lots=leaf.quantity,
        owner=leaf.owner,
        owner_slot=leaf.owner_slot,
        client_order_id=leaf.client_order_id,
        own=leaf.owner in own,
        expires=leaf.expires,
        pegged=pegged,
    )
