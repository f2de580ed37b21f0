"""The codec against what two genuine builds of the program wrote."""

from base64 import b64decode

import pytest
from tests.rigs.golden_v2 import DECODERS, read_tape

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.v2.bookside import BookSide
from bmv.adapters.openbook.v2.codes import Build
from bmv.adapters.openbook.v2.heap import EventHeap, FillEvent
from bmv.adapters.openbook.v2.instructions import build, parse
from bmv.adapters.openbook.v2.levels import levels, matchable
from bmv.adapters.openbook.v2.logs import FillLog, read_log, write_log
from bmv.adapters.openbook.v2.market import Market, market_authority
from bmv.adapters.openbook.v2.open_orders import OpenOrdersAccount
from bmv.adapters.openbook.v2.returned import (
    read_cancelled_lots,
    read_order_id,
    read_order_ids,
    write_cancelled_lots,
    write_order_id,
    write_order_ids,
)

BUILDS = pytest.mark.parametrize("version", Build, ids=lambda version: version.value)


@BUILDS
def test_every_instruction_is_rebuilt_byte_for_byte_with_its_accounts(version: Build) -> None:
    steps = read_tape(version).steps

    for step in steps:
        rebuilt = build(parse(step.instruction), version=Build.V1_7)  # Both tapes were sent with v1.7's metas.
        assert rebuilt == step.instruction, step.name

    assert len(steps) == 70
    assert len({type(parse(step.instruction)).__name__ for step in steps}) == 14


@BUILDS
def test_every_account_is_decoded_and_encoded_to_the_same_bytes(version: Build) -> None:
    states = [state for step in read_tape(version).steps for state in step.accounts_after.items()]

    for name, data in states:
        assert DECODERS[name].decode(data).encode() == data, name

    assert len(states) > 150
    assert {name for name, _ in states} == set(DECODERS)


@BUILDS
def test_every_log_is_read_and_written_to_the_same_bytes(version: Build) -> None:
    logs = [b64decode(line) for step in read_tape(version).steps for line in step.program_data]

    for log in logs:
        assert write_log(read_log(log)) == log

    assert len(logs) >= 17


@BUILDS
def test_what_an_instruction_returned_is_read_and_written_to_the_same_bytes(version: Build) -> None:
    kinds = set()
    for step in read_tape(version).steps:
        kind, data = type(parse(step.instruction)).__name__, step.return_data
        if not data:
            continue
        kinds.add(kind)
        if kind in ("PlaceOrders", "CancelAllAndPlaceOrders"):
            assert write_order_ids(read_order_ids(data)) == data
        elif kind == "CancelOrderByClientOrderId":
            assert write_cancelled_lots(read_cancelled_lots(data)) == data
        else:
            assert write_order_id(read_order_id(data)) == data

    assert len(kinds) == 6


def test_the_first_market_is_the_one_that_was_asked_for() -> None:
    tape = read_tape(Build.V1_7)

    market = Market.decode(tape.steps[1].accounts_after["market"])

    assert market.market_authority == market_authority(tape.tracked["market"])[0]
    assert (market.base_decimals, market.quote_decimals, market.name.rstrip(b"\0")) == (9, 6, b"SOL-USDC")
    assert (market.base_lot_size, market.quote_lot_size, market.maker_fee, market.taker_fee) == (100_000, 1, -200, 400)
    assert (market.bids, market.asks) == (tape.tracked["bids"], tape.tracked["asks"])
    assert market.open_orders_admin is None
    assert not market.is_expired(2**62)


def test_an_order_that_was_placed_stands_in_the_book_and_in_its_account() -> None:
    tape = read_tape(Build.V1_7)
    step = tape.steps[5]
    own = tape.tracked["open_orders_maker"]

    (order,) = matchable(BookSide.decode(step.accounts_after["bids"]), step.unix_timestamp, own=[own])
    account = OpenOrdersAccount.decode(step.accounts_after["open_orders_maker"])

    assert order.order_id == read_order_id(step.return_data)
    assert (order.price_lots, order.size_lots, order.client_order_id) == (15_000, 1_000, 100)
    assert (order.side, order.own, order.owner, order.pegged, order.expires) == (Side.BID, True, own, False, None)
    assert {slot: placed.id for slot, placed in account.orders().items()} == {order.owner_slot: order.order_id}


def test_levels_come_best_first() -> None:
    steps = read_tape(Build.V1_7).steps

    bids = levels(BookSide.decode(steps[9].accounts_after["bids"]), steps[9].unix_timestamp)
    asks = levels(BookSide.decode(steps[14].accounts_after["asks"]), steps[14].unix_timestamp)

    assert [level.price_lots for level in bids] == [15_000, 14_990, 14_980, 14_970, 14_960]
    assert [level.price_lots for level in asks] == sorted(level.price_lots for level in asks)
    assert len(asks) == 5


def test_an_order_whose_time_is_over_is_still_in_the_account_and_no_longer_in_the_book() -> None:
    step = read_tape(Build.V1_7).steps[33]
    bids = BookSide.decode(step.accounts_after["bids"])

    before = matchable(bids, step.unix_timestamp + 29)
    after = matchable(bids, step.unix_timestamp + 30)

    assert len(before) == len(after) + 1
    assert {order.expires for order in before} - {None} == {step.unix_timestamp + 30}


@BUILDS
def test_fills_wait_on_the_heap_and_are_logged_when_they_are_consumed(version: Build) -> None:
    waiting, consumed = read_tape(version).steps[18:20]

    events = [event for _, event in EventHeap.decode(waiting.accounts_after["event_heap"]).events()]
    logs = [read_log(b64decode(line)) for line in consumed.program_data]

    fills = [event for event in events if isinstance(event, FillEvent)]
    logged = [log for log in logs if isinstance(log, FillLog)]
    assert len(fills) == len(events) == len(logged) == 2
    for fill, log in zip(fills, logged, strict=True):
        assert (fill.price, fill.quantity, fill.maker, fill.taker) == (log.price, log.quantity, log.maker, log.taker)
        assert fill.market_seq_num == log.seq_num
