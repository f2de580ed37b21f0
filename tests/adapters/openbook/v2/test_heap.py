"""The heap of events: what is read of it, and what is refused."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v2.heap import (
    DISCRIMINATOR,
    EVENT_HEAP_SIZE,
    MAX_NUM_EVENTS,
    NODES_AT,
    EventHeap,
    EventType,
    FillEvent,
    OutEvent,
)
from bmv.adapters.sandbox.openbook_v2.events import Heap


def out(number: int) -> OutEvent:
    owner = Pubkey.from_bytes(number.to_bytes(32, "little"))
    return OutEvent(EventType.OUT, Side.BID, number % 24, bytes(5), 1, number, owner, number, bytes(80))


def fill(**changes: int) -> FillEvent:
    lots = {"price": 7, "peg_limit": -1, "quantity": 3, "maker_slot": 5} | changes
    return FillEvent(
        event_type=EventType.FILL,
        taker_side=Side.BID,
        maker_out=True,
        padding=bytes(4),
        timestamp=1,
        market_seq_num=1,
        maker=Pubkey.default(),
        maker_timestamp=1,
        taker=Pubkey.default(),
        taker_client_order_id=1,
        maker_client_order_id=1,
        reserved=bytes(8),
        **lots,
    )


def empty() -> bytearray:
    data = bytearray(EVENT_HEAP_SIZE)
    data[:8] = DISCRIMINATOR
    Heap(data).set_up()
    return data


def heap_of(*numbers: int) -> bytearray:
    data = empty()
    for number in numbers:
        Heap(data).push(out(number))
    return data


def test_events_come_oldest_first_with_the_nodes_they_lie_in() -> None:
    data = heap_of(7, 8, 9)
    Heap(data).delete(1)
    Heap(data).push(out(10))

    decoded = EventHeap.decode(bytes(data))

    assert [(slot, event.quantity) for slot, event in decoded.events()] == [(0, 7), (2, 9), (1, 10)]
    assert decoded.header.seq_num == 4


def put(at: int, value: int, size: int = 2) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        data[at : at + size] = value.to_bytes(size, "little")

    return change


def node(number: int, offset: int) -> int:
    return NODES_AT + 152 * number + offset


DAMAGED = {
    "another kind of account": put(0, 1),
    "more events than nodes": put(12, 601),
    "fewer events than the ring has": put(12, 2),
    "no events and a first one": put(12, 0),
    "a first event that is free": put(10, 500),
    "a first event beyond the nodes": put(10, 600),
    "a ring that leads nowhere": put(node(1, 0), 700),
    "a ring whose links do not know each other": put(node(1, 2), 2),
    "a free node that is in use": put(8, 1),
    "a chain of free nodes in a circle": put(node(599, 0), 10),
    "a free node with something before it": put(node(300, 2), 1),
    "an event of no kind": put(node(0, 8), 2, 1),
    "an event of no side": put(node(0, 9), 2, 1),
    "an event of a slot that there is not": put(node(0, 10), 24, 1),
    "an event of less than no lots": put(node(0, 8 + 56), 2**63, 8),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_heap_that_does_not_hold_together_is_refused(damage: Callable[[bytearray], None]) -> None:
    data = heap_of(1, 2, 3)
    EventHeap.decode(bytes(data))

    damage(data)

    with pytest.raises(Malformed):
        EventHeap.decode(bytes(data))


@pytest.mark.parametrize(
    "change", [{"price": 0}, {"price": -7}, {"quantity": 0}, {"quantity": -3}, {"maker_slot": 24}], ids=str
)
def test_a_fill_that_can_not_have_been_is_refused(change: dict[str, int]) -> None:
    good, bad = empty(), empty()
    Heap(good).push(fill())
    EventHeap.decode(bytes(good))
    Heap(bad).push(fill(**change))

    with pytest.raises(Malformed):
        EventHeap.decode(bytes(bad))


@pytest.mark.parametrize("limit", [-9, -1, 0, 9])
def test_a_fill_of_a_pegged_order_may_have_any_limit(limit: int) -> None:
    """The program lets none below 1 in, and such a one does no harm: it drops no ask and every bid."""
    data = empty()
    Heap(data).push(fill(peg_limit=limit))

    [(_, event)] = EventHeap.decode(bytes(data)).events()

    assert event == fill(peg_limit=limit)


def test_a_cut_heap_is_refused() -> None:
    with pytest.raises(Malformed, match="EventHeap has 91288 bytes, not 91000"):
        EventHeap.decode(bytes(empty())[:91_000])


@given(st.lists(st.integers(0, 40), max_size=80))
def test_any_heap_is_read_as_it_was_written_and_encoded_to_the_same_bytes(numbers: list[int]) -> None:
    data = empty()
    heap, model = Heap(data), []
    for number in numbers:
        if number < 15 and model:
            slot = heap.slots()[number % len(model)]
            heap.delete(slot)
            del model[number % (len(model))]
        else:
            heap.push(out(number))
            model.append(number)

    decoded = EventHeap.decode(bytes(data))

    assert [event.quantity for _, event in decoded.events()] == model
    assert decoded.encode() == data


def test_a_full_heap_has_no_free_node() -> None:
    data = heap_of(*range(MAX_NUM_EVENTS))

    decoded = EventHeap.decode(bytes(data))

    assert len(decoded.used) == MAX_NUM_EVENTS
    assert decoded.header.free_head == 0xFFFF
