"""The codec against what the genuine program wrote."""

from base64 import b64decode

import pytest
from tests.rigs.golden_v1 import read

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.logs import PREFIX
from bmv.adapters.openbook.v1 import logs
from bmv.adapters.openbook.v1.accounts import Market, OpenOrders, RequestQueue
from bmv.adapters.openbook.v1.events import EventQueue
from bmv.adapters.openbook.v1.instructions import PROGRAM_ID, build, parse
from bmv.adapters.openbook.v1.slab import Slab

KINDS = {
    "market": Market,
    "bids": Slab,
    "asks": Slab,
    "event_queue": EventQueue,
    "request_queue": RequestQueue,
    "open_orders_maker": OpenOrders,
    "open_orders_taker": OpenOrders,
}


def test_every_instruction_is_rebuilt_byte_for_byte_with_its_accounts() -> None:
    for step in read().steps:
        rebuilt = build(parse(step.instruction), PROGRAM_ID)

        assert bytes(rebuilt.data) == bytes(step.instruction.data), step.name
        assert rebuilt.accounts == step.instruction.accounts, step.name
    assert len(read().steps) == 40


def test_the_tape_has_every_kind_of_instruction_a_maker_sends_but_close() -> None:
    kinds = {type(value).__name__ for value in read().parsed()}

    assert kinds == {
        "InitializeMarket",
        "InitOpenOrders",
        "NewOrderV3",
        "CancelOrderV2",
        "CancelOrderByClientIdV2",
        "CancelOrdersByClientIds",
        "ReplaceOrderByClientId",
        "ReplaceOrdersByClientIds",
        "ConsumeEvents",
        "SettleFunds",
    }


def test_every_account_is_decoded_and_encoded_to_the_same_bytes() -> None:
    states = [(name, data) for step in read().steps for name, data in step.after.items() if any(data)]

    for name, data in states:
        assert KINDS[name].decode(data).encode() == data, name
    assert len(states) == 139


def test_an_account_that_was_never_initialised_is_no_account() -> None:
    zeros = read().steps[1].after["open_orders_taker"]

    assert not any(zeros)
    with pytest.raises(Malformed, match="begins with"):
        OpenOrders.decode(zeros)


def test_every_log_is_decoded_and_encoded_to_the_same_bytes() -> None:
    lines = [line for step in read().steps for line in step.program_data]

    for line in lines:
        data = b64decode(line)
        log = logs.decode(data)
        assert log is not None
        assert log.encode() == data
        assert logs.to_line(log) == PREFIX + line
    assert len(lines) == 8


def test_a_fill_is_priced_by_what_changed_hands_not_by_the_takers_limit() -> None:
    queue = EventQueue.decode(
        next(step for step in read().steps if step.name.startswith("taker IOC")).after["event_queue"]
    )
    market = Market.decode(read().steps[1].after["market"])
    events = list(queue.pending())
    fills = [event for event in events if hasattr(event, "maker")]

    assert [fill.price_lots(market.coin_lot_size, market.pc_lot_size) for fill in fills] == [15100, 15100, 15110, 15110]
    assert [fill.order_id >> 64 for fill in fills if not fill.maker] == [15110, 15110]
    assert len(events) == 6


def test_own_orders_are_marked_and_levels_sum_up_orders() -> None:
    tape = read()
    after = next(step for step in tape.steps if step.name.endswith("ask #4")).after
    asks = Slab.decode(after["asks"])
    maker = tape.keys["open_orders_maker"]

    assert [order.price_lots for order in asks.orders()] == [15100, 15110, 15120, 15130, 15140]
    assert all(order.own for order in asks.orders([maker]))
    assert not any(order.own for order in asks.orders([tape.keys["open_orders_taker"]]))
    assert asks.levels(2, [maker])[0].own_lots == asks.orders()[0].size_lots
    assert len(asks.levels(2)) == 2
