"""The book: its tree is walked within bounds, and comes out as the orders that went in."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rigs.fuzz_v1 import small_slab, wrapped

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v1 import layout as at
from bmv.adapters.openbook.v1.accounts import IS_ASKS, IS_BIDS
from bmv.adapters.openbook.v1.slab import Slab
from bmv.adapters.sandbox.openbook_v1.tree import Leaf, Tree

OWNER = bytes(range(32))


def place(number: int, offset: int) -> int:
    """Where a field of a node lies."""
    return at.NODES + number * at.NODE_BYTES + offset


def with_u32(data: bytes, offset: int, value: int) -> bytes:
    return data[:offset] + value.to_bytes(4, "little") + data[offset + 4 :]


@given(st.data())
def test_a_book_holds_what_was_put_in_and_not_taken_out(data: st.DataObject) -> None:
    flags = data.draw(st.sampled_from([IS_BIDS, IS_ASKS]))
    tree = Tree(wrapped(at.NODES + at.NODE_BYTES * 61 + 7, flags))
    keys = data.draw(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 2**64 - 1)), max_size=60, unique=True))
    resting: dict[int, int] = {}
    for price, low in keys:
        key, size = price << 64 | low, data.draw(st.integers(1, 2**64 - 1))
        if resting and data.draw(st.booleans()):
            gone = data.draw(st.sampled_from(sorted(resting)))
            assert tree.remove(gone).key == gone
            del resting[gone]
        assert tree.insert(Leaf.make(key, OWNER, low % 128, size, 0, low)) == (len(resting) < 31)
        if len(resting) < 31:
            resting[key] = size

    slab = Slab.decode(bytes(tree.data))

    best_first = sorted(resting, reverse=flags == IS_BIDS)
    assert [(order.order_id, order.size_lots) for order in slab.orders()] == [(key, resting[key]) for key in best_first]
    assert [level.price_lots for level in slab.levels()] == sorted(
        {key >> 64 for key in resting}, reverse=flags == IS_BIDS
    )
    assert sum(level.size_lots for level in slab.levels()) == sum(resting.values())
    assert slab.encode() == bytes(tree.data)


def test_what_is_not_in_the_book_can_not_be_taken_out() -> None:
    tree = Tree(bytearray(small_slab(Random(1), 5)))
    before = bytes(tree.data)

    assert tree.remove(3 << 64) is None
    assert bytes(tree.data) == before


@pytest.mark.parametrize(("root", "says"), [(10_000, "beyond the last"), (20, "tag")])
def test_a_root_that_is_no_node_is_refused(root: int, says: str) -> None:
    data = with_u32(small_slab(Random(1), 5), 33, root)

    with pytest.raises(Malformed, match=says):
        Slab.decode(data)


def test_a_tree_that_goes_in_circles_is_refused() -> None:
    data = small_slab(Random(1), 5)
    root = int.from_bytes(data[33:37], "little")

    with pytest.raises(Malformed, match="circles"):
        Slab.decode(with_u32(data, place(root, 24), root))


def test_a_child_beyond_the_last_node_is_refused() -> None:
    data = small_slab(Random(1), 5)
    root = int.from_bytes(data[33:37], "little")

    with pytest.raises(Malformed, match="beyond"):
        Slab.decode(with_u32(data, place(root, 28), 2**32 - 1))


def test_a_branch_shown_twice_is_refused() -> None:
    data = small_slab(Random(1), 2)
    root = int.from_bytes(data[33:37], "little")
    child = int.from_bytes(data[place(root, 24) :][:4], "little")

    with pytest.raises(Malformed, match="not sorted"):
        Slab.decode(with_u32(data, place(root, 28), child))


@pytest.mark.parametrize("field", [13, 21, 37])
def test_counts_that_do_not_fit_together_are_refused(field: int) -> None:
    data = bytearray(small_slab(Random(1), 5))
    data[field] ^= 1

    with pytest.raises(Malformed, match="fit together"):
        Slab.decode(bytes(data))


def test_an_order_without_price_or_size_is_refused() -> None:
    data = bytearray(small_slab(Random(1), 1))
    root = int.from_bytes(data[33:37], "little")
    without_size, without_price = bytearray(data), bytearray(data)
    without_size[place(root, 56) : place(root, 64)] = bytes(8)
    without_price[place(root, 16) : place(root, 24)] = bytes(8)

    for damaged in (without_size, without_price):
        with pytest.raises(Malformed, match="without price or size"):
            Slab.decode(bytes(damaged))


def test_a_side_knows_which_it_is() -> None:
    assert Slab.decode(small_slab(Random(1), 3, flags=IS_ASKS)).side is Side.ASK
    assert Slab.decode(small_slab(Random(1), 3)).side is Side.BID
    assert Slab.decode(small_slab(Random(1), 3, nodes=909)).capacity == 455
