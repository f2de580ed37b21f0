"""The venue's contract: what each venue's record says of it is what its market does."""

from collections.abc import Callable

import pytest
from tests.rigs.desk import MAKER, TAKER, Ask, Desk
from tests.rigs.desk_v1 import DeskV1
from tests.rigs.desk_v2 import DeskV2

from bmv.adapters.openbook.book import Side
from bmv.ports.venue import ClientIds, Crossing, Deposit, Expiry, Replace, SlotFreed

DESKS: list[Callable[[], Desk]] = [DeskV1, DeskV2]


@pytest.fixture(params=DESKS, ids=lambda make: make.__name__)
def desk(request: pytest.FixtureRequest) -> Desk:
    return request.param()


def test_an_account_has_as_many_slots_as_the_record_says(desk: Desk) -> None:
    accepted = 0
    while accepted <= 1_000 and desk.place(MAKER, Ask(Side.BID, 100, 1)) is None:
        accepted += 1

    assert accepted == desk.capabilities.order_slots
    assert desk.free_slots(MAKER) == 0


def test_a_slot_is_freed_by_what_the_record_says(desk: Desk) -> None:
    desk.place(MAKER, Ask(Side.ASK, 200, 1, client_order_id=7))
    used = desk.free_slots(MAKER)

    desk.cancel(MAKER, [7])
    after_cancel = desk.free_slots(MAKER)
    desk.crank()

    assert desk.orders(MAKER) == []
    assert (after_cancel > used) == (desk.capabilities.slot_freed is not SlotFreed.BY_CRANK)
    assert desk.free_slots(MAKER) == used + 1


def test_a_client_id_is_the_one_we_gave_where_they_are_free(desk: Desk) -> None:
    if desk.capabilities.client_ids is ClientIds.GIVEN_BY_VENUE:
        pytest.skip("the venue gives them")

    desk.place(MAKER, Ask(Side.ASK, 200, 1, client_order_id=123_456))

    assert [order.client_order_id for order in desk.orders(MAKER)] == [123_456]


def test_a_replacement_leaves_only_the_new_orders(desk: Desk) -> None:
    n = desk.capabilities.replace_orders_max
    first = [Ask(Side.ASK, 200 + number, 1, client_order_id=number + 1) for number in range(n)]
    desk.replace(MAKER, first)

    error = desk.replace(MAKER, [Ask(Side.ASK, 300 + ask.price_lots, 2, ask.client_order_id) for ask in first])

    assert error is None
    assert sorted(order.price_lots for order in desk.orders(MAKER)) == [500 + number for number in range(n)]


def test_a_replacement_takes_both_sides_only_where_it_is_whole(desk: Desk) -> None:
    error = desk.replace(MAKER, [Ask(Side.ASK, 200, 1, 1), Ask(Side.BID, 100, 1, 2)])

    assert (error is None) == (desk.capabilities.replace is Replace.WHOLE)


def test_cancelling_what_is_gone_fails_only_where_the_record_says(desk: Desk) -> None:
    desk.place(MAKER, Ask(Side.ASK, 200, 1, client_order_id=1))

    error = desk.cancel(MAKER, [1, 2])

    assert (error is None) == desk.capabilities.cancel_skips_missing


def test_an_order_that_comes_too_late_does_not_rest(desk: Desk) -> None:
    if desk.capabilities.expiry is Expiry.NONE:
        pytest.skip("orders never expire here")

    desk.place(MAKER, Ask(Side.ASK, 200, 1, expiry=desk.now - 1))

    assert desk.orders(MAKER) == []


def test_an_order_at_rest_outlives_its_time_only_where_that_is_a_deadline_of_placing(desk: Desk) -> None:
    desk.place(MAKER, Ask(Side.ASK, 200, 1, expiry=desk.now + 5))
    desk.now += 10

    desk.place(TAKER, Ask(Side.BID, 200, 1, post_only=False))
    desk.crank()

    traded = desk.base_total(TAKER) > 0
    assert traded == (desk.capabilities.expiry is Expiry.PLACING_DEADLINE)


def test_a_post_only_order_that_crosses_moves_money_only_where_the_record_says(desk: Desk) -> None:
    desk.place(TAKER, Ask(Side.ASK, 200, 1))
    before = desk.wallets(MAKER)

    error = desk.place(MAKER, Ask(Side.BID, 200, 1))

    assert (error is None) == (desk.capabilities.post_only_cross is not Crossing.REFUSED)
    assert desk.orders(MAKER) == []
    assert (desk.wallets(MAKER) != before) == (desk.capabilities.post_only_cross is Crossing.DROPPED_FUNDS_MOVED)


def test_a_fill_waits_for_the_crank_only_where_one_is_needed(desk: Desk) -> None:
    desk.place(MAKER, Ask(Side.BID, 200, 1))

    desk.place(TAKER, Ask(Side.ASK, 200, 1, post_only=False))
    before_crank = desk.base_total(MAKER)
    desk.crank()

    assert (before_crank == 0) == desk.capabilities.needs_crank
    assert desk.base_total(MAKER) > 0


def test_a_strangers_event_blocks_the_crank_only_where_the_record_says(desk: Desk) -> None:
    desk.place(TAKER, Ask(Side.BID, 200, 1))
    desk.place(MAKER, Ask(Side.BID, 100, 1, client_order_id=1))
    desk.place(MAKER, Ask(Side.ASK, 200, 1, post_only=False))

    left = desk.crank([MAKER])

    assert (left > 1) == desk.capabilities.crank_blocked_by_stranger
    assert desk.crank() == 0


def test_an_order_takes_its_funds_from_the_wallet_where_no_deposit_comes_first(desk: Desk) -> None:
    before = desk.wallets(MAKER)

    error = desk.place(MAKER, Ask(Side.BID, 100, 1))

    assert (error is None and desk.wallets(MAKER) != before) == (desk.capabilities.deposit is Deposit.WITH_ORDER)
