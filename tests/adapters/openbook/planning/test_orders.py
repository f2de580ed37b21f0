"""A batch laid beside what we have: what is cancelled, placed and kept, and what is refused and why."""

import pytest
from tests.rigs.planned import CANCEL_ALL, cancel, place

from bmv.adapters.openbook.book import Lots, Side
from bmv.adapters.openbook.planning.orders import Own, OwnOrder, Refused, Wanted, read_batch, with_slots
from bmv.ports.messages import Intent, Tif

BID, ASK = Side
LOTS = Lots(10**6, 10, 9, 6)


def own(*orders: tuple[int, Side, int], order_ids: dict[int, int] | None = None) -> Own:
    """Return what we have, by client id, side and price."""
    resting = tuple(OwnOrder(price << 64 | number, side, price, number) for number, side, price in orders)
    return Own(resting, 100, 0, 0, 0, order_ids or {})


def read(batch: list[Intent], have: Own, *, blind: bool = True, late: bool = False) -> Wanted:
    return read_batch(batch, have, cancels_blind=blind, late=late, lots=LOTS)


@pytest.mark.parametrize(
    ("intent", "reason"),
    [
        (place(9, BID, 110, 1), Refused.CROSSES_OWN),
        (place(9, BID, 111, 1), Refused.CROSSES_OWN),
        (place(9, BID, 109, 1), None),
        (place(9, ASK, 100, 1), Refused.CROSSES_OWN),
        (place(9, ASK, 101, 1, Tif.IOC), None),
        (place(9, ASK, 90, 1, Tif.IOC), Refused.CROSSES_OWN),
        (place(1, BID, 90, 1), Refused.SAME_ID),
        (place(0, BID, 90, 1), Refused.NO_ID),
        (place(2**64, BID, 90, 1), Refused.NO_ID),
        (place(9, BID, 0, 1), Refused.TOO_LARGE),
        (place(9, BID, 90, 0), Refused.TOO_LARGE),
        (place(9, BID, 2**40, 2**40), Refused.TOO_LARGE),
        (place(9, ASK, 101, 2**41), Refused.TOO_LARGE),
    ],
)
def test_an_order_beside_a_bid_of_100_and_an_ask_of_110_is_refused_or_not(
    intent: Intent, reason: Refused | None
) -> None:
    wanted = read([intent], own((1, BID, 100), (2, ASK, 110)))

    assert wanted.refused == ({} if reason is None else {0: reason})
    assert len(wanted.places) == (reason is None)


def test_an_order_may_cross_one_that_the_same_batch_cancels() -> None:
    have = own((1, BID, 100), (2, ASK, 110))

    wanted = read([place(9, BID, 115, 1), cancel(2)], have)

    assert not wanted.refused
    assert [order.client_id for order in wanted.kept] == [1]


def test_of_two_orders_of_a_batch_that_cross_the_second_is_refused() -> None:
    wanted = read([place(1, BID, 100, 1), place(2, ASK, 100, 1), place(3, ASK, 101, 1)], own())

    assert [one.number for one in wanted.places] == [1, 3]
    assert wanted.refused == {1: Refused.CROSSES_OWN}


def test_the_second_of_a_number_is_refused() -> None:
    wanted = read([place(1, BID, 100, 1), place(1, BID, 99, 1)], own())

    assert wanted.refused == {1: Refused.SAME_ID}


def test_each_order_is_cancelled_once_however_often_it_is_asked() -> None:
    wanted = read([cancel(1), CANCEL_ALL, cancel(2)], own((1, BID, 100), (2, ASK, 110)))

    assert [(one.client_id, one.intent) for one in wanted.cancels] == [(1, 0), (2, 1)]
    assert wanted.kept == ()


def test_an_unknown_order_is_cancelled_blind_where_the_venue_passes_over_what_is_gone() -> None:
    assert [one.client_id for one in read([cancel(7), cancel(7)], own()).cancels] == [7]
    assert read([cancel(7)], own(), blind=False).refused == {0: Refused.NOT_RESTING}


def test_an_order_of_a_batch_is_known_by_the_venues_id() -> None:
    have = own((0, BID, 100), (1, BID, 99), order_ids={501: 100 << 64, 502: 98 << 64 | 7})

    wanted = read([cancel(501), cancel(502)], have)

    assert [one.order.price for one in wanted.cancels if one.order] == [100]
    assert wanted.refused == {1: Refused.NOT_RESTING}


def test_an_order_that_follows_an_oracle_has_no_price_to_cross() -> None:
    wanted = read([place(9, ASK, 1, 1)], own((1, BID, 0)))

    assert not wanted.refused


def test_what_is_late_is_not_placed_and_its_cancels_are_made() -> None:
    wanted = read([cancel(1), place(9, BID, 90, 1)], own((1, BID, 100)), late=True)

    assert wanted.refused == {1: Refused.TOO_LATE}
    assert len(wanted.cancels) == 1


def test_the_first_orders_get_the_slots() -> None:
    wanted = read([place(1, BID, 90, 1), place(2, BID, 0, 1), place(3, BID, 89, 1)], own())

    places, refused = with_slots(wanted, 1)

    assert [one.number for one in places] == [1]
    assert refused == {1: Refused.TOO_LARGE, 2: Refused.NO_SLOT}
