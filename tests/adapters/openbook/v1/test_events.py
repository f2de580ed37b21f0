"""The ring of events: read from the front by the crank, and behind it by watchers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rigs.fuzz_v1 import wrapped

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v1.accounts import IS_EVENT_QUEUE
from bmv.adapters.openbook.v1.events import EVENT, EVENTS, EventQueue, Fill, Out
from bmv.adapters.sandbox.openbook_v1.queue import Party, Ring

PLACES = 5


def ring() -> Ring:
    return Ring(wrapped(EVENTS + EVENT.itemsize * PLACES + 7, IS_EVENT_QUEUE))


def push(queue: Ring, number: int) -> None:
    queue.out(4, True, number, 0, Party(number << 64, bytes(32), 3, number))


@given(st.lists(st.booleans(), max_size=40))
def test_a_watcher_reads_what_was_pushed_and_knows_what_it_missed(pushes: list[bool]) -> None:
    queue, pushed, popped = ring(), 0, 0
    for is_push in pushes:
        if is_push and pushed - popped < PLACES:
            pushed += 1
            push(queue, pushed)
        elif popped < pushed:
            popped += 1
            queue.pop()

    decoded = EventQueue.decode(bytes(queue.data))

    assert [event.client_order_id for event in decoded.pending()] == list(range(popped + 1, pushed + 1))
    for seen in range(pushed + 1):
        events, lost = decoded.since(seen)
        assert lost == max(pushed - seen - PLACES, 0)
        assert [event.client_order_id for event in events] == list(range(seen + lost + 1, pushed + 1))
    assert decoded.encode() == bytes(queue.data)


def test_a_count_that_went_backwards_is_refused() -> None:
    queue = ring()
    push(queue, 1)

    with pytest.raises(Malformed, match="were ever pushed"):
        EventQueue.decode(bytes(queue.data)).since(2)


@pytest.mark.parametrize("field", [13, 21])
def test_a_head_or_count_beyond_the_ring_is_refused(field: int) -> None:
    queue = ring()
    push(queue, 1)
    queue.data[field] = PLACES + 1

    with pytest.raises(Malformed, match="of 5 places"):
        EventQueue.decode(bytes(queue.data))


@pytest.mark.parametrize("flags", [0, 3, 8, 17, 26, 32, 255])
def test_an_event_that_is_neither_fill_nor_out_is_refused(flags: int) -> None:
    queue = ring()
    push(queue, 1)
    queue.data[EVENTS] = flags

    with pytest.raises(Malformed, match="neither a fill nor an out"):
        EventQueue.decode(bytes(queue.data))


ROWS = [  # Side, maker, paid, received, fee: all of 3 lots of 100 base at 7 quote of 10, so 210 quote.
    (Side.BID, False, 210 + 2, 300, 2),
    (Side.ASK, False, 300, 210 - 2, 2),
    (Side.BID, True, 210 - 1, 300, 1),
    (Side.ASK, True, 300, 210 + 1, 1),
]


@pytest.mark.parametrize(("side", "maker", "paid", "received", "fee"), ROWS)
def test_the_price_of_a_fill_is_found_from_each_of_its_four_forms(
    side: Side, maker: bool, paid: int, received: int, fee: int
) -> None:
    fill = Fill(
        side=side,
        maker=maker,
        native_qty_paid=paid,
        native_qty_received=received,
        native_fee_or_rebate=fee,
        order_id=9 << 64,
        owner=None,
        owner_slot=0,
        fee_tier=0,
        client_order_id=0,
    )

    assert fill.native_pc == 210
    assert fill.native_coin == 300
    assert fill.price_lots(100, 10) == 7
    with pytest.raises(Malformed, match="no price of lots"):
        fill.price_lots(200, 10)


@pytest.mark.parametrize("paid", [30, 9])
def test_a_fill_whose_fee_is_all_it_cost_or_more_has_no_price(paid: int) -> None:
    fill = Fill(
        side=Side.BID,
        maker=False,
        native_qty_paid=paid,
        native_qty_received=3,
        native_fee_or_rebate=30,
        order_id=9 << 64,
        owner=None,
        owner_slot=0,
        fee_tier=0,
        client_order_id=0,
    )

    with pytest.raises(Malformed, match="no price of lots"):
        fill.price_lots(1, 1)


def test_an_event_of_a_slot_that_there_is_not_is_refused() -> None:
    queue = ring()
    queue.out(4, False, 8, 9, Party(3 << 64, bytes(32), 128, 0))
    cranked = bytearray(queue.data)
    Ring(cranked).pop()

    with pytest.raises(Malformed):
        EventQueue.decode(bytes(queue.data))
    with pytest.raises(Malformed):
        EventQueue.decode(bytes(cranked)).since(0)


def test_events_of_both_kinds_come_back_as_they_were_pushed() -> None:
    queue = ring()
    queue.fill(0, True, 5, 6, 7, Party(2 << 64, bytes(32), 9, 11), 0)
    queue.out(4, False, 8, 9, Party(3 << 64, bytes(32), 10, 0))

    fill, out = EventQueue.decode(bytes(queue.data)).pending()

    assert isinstance(fill, Fill)
    assert isinstance(out, Out)
    assert (fill.side, fill.maker, fill.native_qty_paid, fill.native_qty_received) == (Side.ASK, True, 5, 6)
    assert (out.side, out.release_funds, out.native_qty_unlocked, out.native_qty_still_locked) == (
        Side.BID,
        False,
        8,
        9,
    )
