"""A side of the book: what is read of it, and what is refused."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v2.bookside import BOOK_SIDE_SIZE, DISCRIMINATOR, FIXED, NODES_AT, ORACLE_PEGGED, BookSide
from bmv.adapters.openbook.v2.levels import levels, matchable
from bmv.adapters.sandbox.openbook_v2.tree import Leaf, Trees

OWNER, OTHER = bytes([1] * 32), bytes([2] * 32)
NOW = 1_800_000_000
ZERO_OFFSET = 1 << 63
BUMP_AT, FREE_LEN_AT, FREE_HEAD_AT = 316, 320, 324


def empty(side: Side = Side.ASK) -> bytearray:
    data = bytearray(BOOK_SIDE_SIZE)
    data[:8], data[312] = DISCRIMINATOR, side
    return data


def key(price: int, number: int, side: Side = Side.ASK) -> int:
    return price << 64 | (number if side is Side.ASK else number ^ (2**64 - 1))


def leaf(price: int, number: int = 1, side: Side = Side.ASK, **changes: int) -> Leaf:
    made = Leaf(number % 24, 0, key(price, number, side), OWNER, 10, NOW, -1, number)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def side_of(*fixed: Leaf, pegged: tuple[Leaf, ...] = (), side: Side = Side.ASK) -> bytearray:
    data = empty(side)
    for made in fixed:
        Trees(data).insert(FIXED, made)
    for made in pegged:
        Trees(data).insert(ORACLE_PEGGED, made)
    return data


def prices(data: bytes, oracle: int | None = None, now: int = NOW) -> list[int]:
    return [order.price_lots for order in matchable(BookSide.decode(bytes(data)), now, oracle)]


def test_an_empty_side_has_no_orders() -> None:
    decoded = BookSide.decode(bytes(empty(Side.BID)))

    assert decoded.side is Side.BID
    assert decoded.orders(FIXED) == decoded.orders(ORACLE_PEGGED) == []
    assert levels(decoded, NOW) == []


def test_asks_come_lowest_first_and_bids_highest_first_and_equals_in_order_of_arrival() -> None:
    asks = side_of(leaf(7, 1), leaf(5, 2), leaf(5, 3), leaf(9, 4))
    bids = side_of(*(leaf(p, n, Side.BID) for p, n in ((7, 1), (5, 2), (5, 3), (9, 4))), side=Side.BID)

    found = [[order.client_order_id for order in matchable(BookSide.decode(bytes(d)), NOW)] for d in (asks, bids)]

    assert found == [[2, 3, 1, 4], [4, 1, 2, 3]]


def test_levels_sum_up_what_stands_at_a_price_with_our_share() -> None:
    data = side_of(leaf(5, 1), leaf(5, 2, quantity=7), leaf(6, 3))
    other = Leaf(0, 0, key(5, 4), OTHER, 100, NOW, -1, 4)
    Trees(data).insert(FIXED, other)

    first, second = levels(BookSide.decode(bytes(data)), NOW, own=[Pubkey(OWNER)])

    assert (first.price_lots, first.size_lots, first.orders, first.own_lots) == (5, 117, 3, 17)
    assert (second.price_lots, second.size_lots, second.own_lots) == (6, 10, 10)


def test_an_order_can_be_matched_until_its_last_second_and_not_in_it() -> None:
    data = side_of(leaf(5, 1, time_in_force=30))

    assert prices(data, now=NOW + 29) == [5]
    assert prices(data, now=NOW + 30) == []


def test_pegged_orders_follow_the_oracle_and_stand_between_the_fixed_ones() -> None:
    data = side_of(leaf(100, 1), leaf(103, 2), pegged=(leaf(ZERO_OFFSET + 1, 3), leaf(ZERO_OFFSET - 5, 4)))

    assert prices(data, oracle=101) == [96, 100, 102, 103]
    assert prices(data, oracle=99) == [94, 100, 100, 103]
    assert prices(data) == [100, 103]


def test_an_order_is_pegged_that_stands_among_those_pegged_whatever_its_limit() -> None:
    data = side_of(leaf(101), pegged=(leaf(ZERO_OFFSET + 2), leaf(ZERO_OFFSET + 3, number=2, peg_limit=1)))

    orders = matchable(BookSide.decode(bytes(data)), NOW, 100)

    assert [(order.price_lots, order.pegged) for order in orders] == [(101, False), (102, True), (103, True)]


def test_a_pegged_order_beyond_its_limit_or_beyond_all_prices_is_left_out() -> None:
    bid = (leaf(ZERO_OFFSET - 20, 1, Side.BID, peg_limit=100),)
    deep = (leaf(ZERO_OFFSET - 50, 1),)

    assert prices(side_of(pegged=bid, side=Side.BID), oracle=120) == [100]
    assert prices(side_of(pegged=bid, side=Side.BID), oracle=121) == []
    assert prices(side_of(pegged=deep), oracle=51) == [1]
    assert prices(side_of(pegged=deep), oracle=50) == []


def put(at: int, value: int, size: int = 4) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        data[at : at + size] = value.to_bytes(size, "little")

    return change


def node(number: int, offset: int) -> int:
    return NODES_AT + 88 * number + offset


def put_in_order(offset: int, value: int, size: int) -> Callable[[bytearray], None]:
    """Change the node of the first order."""

    def change(data: bytearray) -> None:
        first = int(BookSide.decode(bytes(data)).leaves[FIXED][0])
        put(node(first, offset), value, size)(data)

    return change


DAMAGED = {
    "a discriminator of another kind": put(0, 1),
    "neither bids nor asks": put(312, 2, 1),
    "more nodes than there are": put(BUMP_AT, 1_025),
    "a free node that was never used": put(FREE_HEAD_AT, 1_000),
    "more free nodes than are listed": put(FREE_LEN_AT, 2),
    "fewer free nodes than are used": put(FREE_LEN_AT, 0),
    "a root beyond the nodes": put(8, 1_024),
    "a root that is free": put(8, 5),
    "more orders than the tree has": put(12, 4),
    "more orders than there are nodes": put(12, 0xFFFF_FFFF),
    "a child beyond the nodes": put(node(0, 24), 0xFFFF_FFFF),
    "a child that is its own parent": put(node(0, 24), 0),
    "the same child twice": lambda data: data.__setitem__(
        slice(node(0, 24), node(0, 28)), data[node(0, 28) : node(0, 32)]
    ),
    "children that share more bits than there are": put(node(0, 4), 128),
    "an order whose price does not fit its place": put_in_order(16, 200, 8),
    "an order of no lots": put_in_order(56, 0, 8),
    "an order of less than no lots": put_in_order(56, 2**63, 8),
    "an order in a slot that there is not": put_in_order(1, 24, 1),
    "an order of the end of time": put_in_order(64, 2**64 - 1, 8),
    "a node of no kind": put_in_order(0, 9, 1),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_side_that_does_not_hold_together_is_refused(damage: Callable[[bytearray], None]) -> None:
    data = side_of(leaf(5, 1), leaf(9, 2), leaf(12, 3), leaf(13, 4))
    Trees(data).remove_by_key(FIXED, key(13, 4))
    Trees(data).insert(FIXED, leaf(14, 5))
    Trees(data).remove_by_key(FIXED, key(12, 3))
    Trees(data).insert(ORACLE_PEGGED, leaf(ZERO_OFFSET, 6))
    BookSide.decode(bytes(data))

    damage(data)

    with pytest.raises(Malformed):
        BookSide.decode(bytes(data))


def test_a_cut_side_is_refused() -> None:
    with pytest.raises(Malformed, match="BookSide has 90952 bytes, not 90951"):
        BookSide.decode(bytes(empty())[:-1])


def test_an_order_at_a_price_of_nothing_is_refused() -> None:
    with pytest.raises(Malformed, match="price"):
        BookSide.decode(bytes(side_of(leaf(0, 1))))


def test_two_trees_that_share_a_node_are_refused() -> None:
    data = side_of(leaf(5, 1))
    data[16:24] = data[8:16]

    with pytest.raises(Malformed, match="same node"):
        BookSide.decode(bytes(data))


ORDERS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(1, 2**63 - 1) | st.integers(1, 20), st.booleans()), max_size=60
)


@given(ORDERS, st.sampled_from(Side))
def test_any_book_is_read_as_it_was_written_and_encoded_to_the_same_bytes(
    placed: list[tuple[int, int, bool]], side: Side
) -> None:
    data = empty(side)
    trees, kept = Trees(data), {FIXED: [], ORACLE_PEGGED: []}
    for number, (tree, price, stays) in enumerate(placed):
        made = leaf(price, number, side)
        trees.insert(tree, made)
        if stays:
            kept[tree].append(made.key)
        elif number % 2:
            assert trees.remove_by_key(tree, made.key) is not None
        else:
            kept[tree].append(made.key)

    decoded = BookSide.decode(bytes(data))

    for tree, keys in kept.items():
        assert [order.key for order in decoded.orders(tree)] == sorted(keys, reverse=side is Side.BID)
    assert decoded.encode() == data
    assert replace(decoded).encode() == data
