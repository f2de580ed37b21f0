"""What the feed shows of a side of version 2 is what the book's own reader shows, order by order."""

from hypothesis import given
from hypothesis import strategies as st
from solders.account import Account
from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side, to_levels
from bmv.adapters.openbook.feed import v2
from bmv.adapters.openbook.v2.bookside import BOOK_SIDE_SIZE, DISCRIMINATOR, FIXED, BookSide
from bmv.adapters.openbook.v2.levels import matchable
from bmv.adapters.sandbox.openbook_v2.tree import Leaf, Trees

SECONDS = st.sampled_from([0, 0, 1, 5, 60])
ORDERS = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 50), SECONDS, st.integers(90, 110)), max_size=30)


def side_of(side: Side, orders: list[tuple[int, int, int, int]]) -> BookSide:
    """Return a side with orders of price, size, seconds to live and second of placing."""
    data = bytearray(BOOK_SIDE_SIZE)
    data[:8], data[312] = DISCRIMINATOR, side
    for number, (price, size, seconds, placed) in enumerate(orders, 1):
        sequence = number if side is Side.ASK else number ^ (2**64 - 1)
        Trees(data).insert(FIXED, Leaf(0, seconds, price << 64 | sequence, bytes(32), size, placed, -1, number))
    return BookSide.decode(bytes(data))


@given(ORDERS, st.sampled_from(list(Side)), st.integers(85, 180))
def test_levels_and_their_end_are_those_of_the_orders(
    orders: list[tuple[int, int, int, int]], side: Side, now: int
) -> None:
    book = side_of(side, orders)

    until, levels = v2._matchable(book.rows(FIXED), now)

    alive = matchable(book, now)
    assert levels == tuple((level.price_lots, level.size_lots) for level in to_levels(alive))
    assert until == min((order.expires for order in alive if order.expires), default=v2.NEVER)
    if until < v2.NEVER:
        assert len(matchable(book, until)) < len(alive)


def test_an_order_that_expired_on_a_fork_that_was_given_up_stands_again() -> None:
    key, side = Pubkey.default(), v2._Side(Pubkey.default(), Side.BID)
    data = bytearray(BOOK_SIDE_SIZE)
    data[:8], data[312] = DISCRIMINATOR, Side.BID
    Trees(data).insert(FIXED, Leaf(0, 5, 7 << 64 | 1, bytes(32), 3, 100, -1, 1))
    accounts = {key: Account(1, bytes(data), key)}

    assert side.levels(accounts, 105) == ()
    assert side.levels(accounts, 104) == ((7, 3),)
