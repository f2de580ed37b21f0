"""The rulings of the simulated venue, through the execution port: rows and orders in, reports out."""

import pytest
from venues import (
    BUY,
    BY_QUOTE,
    IOC,
    LIMIT,
    MAKER,
    POST_ONLY,
    SELL,
    TAKER,
    UNKNOWN_SIZE,
    Fill,
    Floor,
    all_cancelled,
    cancelled,
    params,
    placed,
)

from bmv.adapters.sim.matching import aggressor
from bmv.adapters.sim.params import QUEUE_FRONT, QUEUE_POWER
from bmv.adapters.sim.queue import UNKNOWN
from bmv.adapters.sim.venue import opened
from bmv.ports.messages import Kind, Reason

# Prints.


@pytest.mark.parametrize("by", [BUY, 0, SELL])
@pytest.mark.parametrize(("side", "price"), [(BUY, 99), (SELL, 103)])
def test_a_print_through_our_price_fills_us_whatever_its_aggressor_and_the_queue(
    side: int, price: int, by: int
) -> None:
    floor = Floor()
    floor.quote(100, 50, 102, 50)
    floor.place(1, side, 101 - side, 5)

    floor.trade(by, price, 3)

    assert floor.fills == [Fill(1, 101 - side, 3, MAKER)]


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_print_at_our_price_fills_us_after_the_queue(side: int) -> None:
    floor = Floor()
    floor.quote(100, 4, 102, 4)
    floor.place(1, side, 101 - side, 5)

    floor.trade(-side, 101 - side, 3)
    before = floor.fills.copy()
    floor.trade(-side, 101 - side, 3)
    floor.trade(-side, 101 - side, 9)

    assert before == []
    assert floor.fills == [Fill(1, 101 - side, 2, MAKER), Fill(1, 101 - side, 3, MAKER)]


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_print_at_our_price_by_our_own_side_fills_nobody(side: int) -> None:
    floor = Floor(params(queue=QUEUE_FRONT))
    floor.quote(100, 4, 102, 4)
    floor.place(1, side, 101 - side, 5)

    floor.trade(side, 101 - side, 9)

    assert floor.fills == []


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_print_short_of_our_price_fills_nobody(side: int) -> None:
    floor = Floor(params(queue=QUEUE_FRONT))
    floor.place(1, side, 101 - side, 5)

    floor.trade(-side, 101, 9)

    assert floor.fills == []


@pytest.mark.parametrize(
    ("mid2", "last_price", "last_side", "recorded", "price", "by"),
    [
        (202, 90, 0, SELL, 110, SELL),  # As recorded, whatever else.
        (202, 0, 0, 0, 102, BUY),  # Above the mid.
        (202, 99, 0, 0, 100, SELL),  # Below it, though up from the last print.
        (201, 0, 0, 0, 101, BUY),  # A mid between two ticks.
        (202, 100, 0, 0, 101, BUY),  # At the mid: the tick rule.
        (202, 102, 0, 0, 101, SELL),
        (202, 101, BUY, 0, 101, BUY),  # At the mid and at the last price: the last change.
        (202, 101, SELL, 0, 101, SELL),
        (202, 101, 0, 0, 101, 0),  # There never was one.
        (202, 0, 0, 0, 101, 0),
        (0, 100, SELL, 0, 101, BUY),  # No quote yet: the tick rule.
        (0, 0, 0, 0, 101, 0),
    ],
)
def test_the_aggressor_is_found_by_the_record_then_the_quote_then_the_tick(
    mid2: int, last_price: int, last_side: int, recorded: int, price: int, by: int
) -> None:
    venue = opened(seed=1)
    venue.mid2 = mid2
    venue.quoted = int(mid2 > 0)
    venue.last_price = last_price
    venue.last_side = last_side

    assert aggressor(venue, recorded, price) == by


def test_a_print_of_unknown_aggressor_fills_only_through_our_price() -> None:
    floor = Floor(params(queue=QUEUE_FRONT))
    floor.place(1, BUY, 100, 5)

    floor.trade(0, 100, 2)
    at = floor.fills.copy()
    floor.trade(0, 99, 2)

    assert at == []
    assert floor.fills == [Fill(1, 100, 2, MAKER)]


def test_a_print_is_shared_best_price_first_and_then_in_order_of_acceptance() -> None:
    floor = Floor()
    for order, price in [(1, 100), (2, 101), (3, 100), (4, 101)]:
        floor.place(order, BUY, price, 3)

    floor.trade(SELL, 99, 10)

    assert floor.fills == [
        Fill(2, 101, 3, MAKER),
        Fill(4, 101, 3, MAKER),
        Fill(1, 100, 3, MAKER),
        Fill(3, 100, 1, MAKER),
    ]


def test_a_print_that_reaches_one_of_our_prices_leaves_to_it_what_the_better_ones_left() -> None:
    floor = Floor(params(queue=QUEUE_FRONT))
    floor.place(1, SELL, 102, 3)
    floor.place(2, SELL, 101, 3)

    floor.trade(BUY, 102, 5)

    assert floor.fills == [Fill(2, 101, 3, MAKER), Fill(1, 102, 2, MAKER)]


def test_two_orders_at_one_price_do_not_fill_by_the_same_lots() -> None:
    floor = Floor()
    floor.quote(100, 4, 102, 4)
    floor.place(1, BUY, 100, 3)
    floor.place(2, BUY, 100, 3)

    floor.trade(SELL, 100, 9)

    assert floor.fills == [Fill(1, 100, 3, MAKER), Fill(2, 100, 2, MAKER)]


# The queue, with the touch alone.


@pytest.mark.parametrize(
    ("price", "ahead"),
    [(102, 0.0), (101, 0.0), (100, 7.0), (99, UNKNOWN)],
)
def test_the_queue_at_joining_is_what_the_touch_shows(price: int, ahead: float) -> None:
    buying, selling = Floor(), Floor()
    buying.quote(100, 7, 103, 5)
    selling.quote(97, 5, 100, 7)

    buying.place(1, BUY, price, 1)
    selling.place(1, SELL, 200 - price, 1)

    assert buying.ahead == selling.ahead == [ahead]


def test_before_any_quote_and_without_recorded_sizes_the_queue_is_unknown() -> None:
    floor = Floor()
    floor.place(1, BUY, 100, 1)
    floor.quote(100, UNKNOWN_SIZE, 102, UNKNOWN_SIZE)
    floor.place(2, BUY, 100, 1)

    floor.trade(SELL, 100, 50)
    at = floor.fills.copy()
    floor.trade(SELL, 99, 1)

    assert floor.ahead[-1:] == [UNKNOWN]
    assert at == []
    assert floor.fills == [Fill(1, 100, 1, MAKER)]


@pytest.mark.parametrize("side", [BUY, SELL])
def test_at_the_back_the_queue_falls_by_prints_and_is_capped_by_the_shown_size(side: int) -> None:
    floor = Floor()
    ours = 101 - side
    aheads = []

    def show(size: int) -> None:
        floor.quote(100, size, 102, size)
        aheads.extend(floor.ahead)

    floor.quote(100, 10, 102, 10)
    floor.place(1, side, ours, 5)
    show(12)  # Those who come stand behind us.
    floor.trade(-side, ours, 3)
    show(9)  # The print, shown: it does not count twice.
    show(6)
    show(8)

    assert aheads == [10.0, 7.0, 6.0, 6.0]
    assert floor.fills == []


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_deeper_queue_is_unknown_until_its_price_is_the_best_and_none_when_the_best_is_worse(side: int) -> None:
    floor = Floor()
    aheads = []

    def show(distance: int) -> None:
        floor.quote(100 - distance, 7, 102 + distance, 7)
        aheads.extend(floor.ahead)

    floor.quote(100, 4, 102, 4)
    floor.place(1, side, 101 - 2 * side, 5)
    show(0)
    floor.trade(-side, 101 - 2 * side, 50)
    show(1)
    show(2)
    show(0)

    assert aheads == [UNKNOWN, 7.0, 0.0, 0.0]
    assert floor.fills == []


@pytest.mark.parametrize("side", [BUY, SELL])
def test_what_prints_explain_of_a_smaller_size_is_not_taken_off_the_queue_again(side: int) -> None:
    floor = Floor(params(queue=QUEUE_POWER))
    aheads = []

    def show(size: int) -> None:
        floor.quote(100, size, 102, size)
        aheads.extend(floor.ahead)

    floor.quote(100, 6, 102, 6)
    floor.place(1, side, 101 - side, 5)
    show(10)
    floor.trade(-side, 101 - side, 3)
    floor.trade(-side, 101 - side, 1)
    show(6)
    show(4)  # No print explains these two: a third of what is shown stood before us.

    assert aheads == [6.0, 2.0, pytest.approx(4 / 3)]


# Quotes that cross.


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_crossing_quote_fills_what_it_shows_less_what_was_taken_there_until_its_price_changes(side: int) -> None:
    floor = Floor()
    floor.place(1, side, 100, 9)

    def cross(size: int, distance: int = 0) -> list[int]:
        before = len(floor.fills)
        if side == BUY:
            floor.quote(90, 1, 100 + distance, size)
        else:
            floor.quote(100 - distance, size, 110, 1)
        return [fill.size for fill in floor.fills[before:]]

    assert cross(3) == [3]
    assert cross(3) == []
    assert cross(2) == []
    assert cross(4) == [1]
    assert cross(4, distance=1) == []
    assert cross(4) == [4]
    assert cross(4, distance=-1) == [1]
    assert {fill[1:2] + fill[3:] for fill in floor.fills} == {(100, BY_QUOTE)}


def test_a_crossing_quote_is_shared_best_price_first() -> None:
    floor = Floor()
    for order, price in [(1, 100), (2, 101), (3, 101)]:
        floor.place(order, BUY, price, 2)

    floor.quote(90, 1, 99, 5)

    assert floor.fills == [Fill(2, 101, 2, BY_QUOTE), Fill(3, 101, 2, BY_QUOTE), Fill(1, 100, 1, BY_QUOTE)]


def test_a_crossing_quote_without_a_size_fills_all_it_crosses() -> None:
    floor = Floor()
    floor.place(1, SELL, 100, 9)
    floor.place(2, SELL, 102, 9)

    floor.quote(100, UNKNOWN_SIZE, 110, UNKNOWN_SIZE)

    assert floor.fills == [Fill(1, 100, 9, BY_QUOTE)]


def test_a_quote_of_one_side_crosses_as_well() -> None:
    floor = Floor()
    floor.place(1, BUY, 100, 1)
    floor.place(2, SELL, 105, 1)

    floor.quote(0, 0, 100, 5)
    floor.quote(105, 5, 0, 0)

    assert floor.fills == [Fill(1, 100, 1, BY_QUOTE), Fill(2, 105, 1, BY_QUOTE)]


def test_quotes_fill_nobody_where_they_must_not() -> None:
    floor = Floor(params(fill_on_quotes=0))
    floor.place(1, BUY, 100, 9)

    floor.quote(90, 1, 99, 50)

    assert floor.fills == []


@pytest.mark.parametrize(("bid", "ask"), [(100, 100), (100, 99), (101, 100), (99, 98)])
def test_locked_and_crossed_rows_fill_nobody_and_move_no_queue(bid: int, ask: int) -> None:
    floor = Floor()
    floor.quote(100, 4, 102, 4)
    floor.place(1, BUY, 100, 5)

    floor.quote(bid, 1, ask, 50)

    assert floor.fills == []
    assert floor.ahead == [4.0]


@pytest.mark.parametrize(
    ("rows", "mid2"),
    [
        ([], 0),
        (["trade 100"], 200),  # Before any quote, the last print.
        (["trade 100", "trade 103"], 206),
        (["quote 100 103"], 203),
        (["quote 100 103", "trade 90"], 203),
        (["quote 100 100"], 200),  # Locked: a mid all the same.
        (["quote 100 103", "quote 104 103"], 203),  # Crossed, and one-sided, leave it.
        (["quote 100 103", "quote 100 0"], 203),
        (["quote 100 103", "quote 0 103"], 203),
        (["trade 100", "quote 0 103", "trade 101"], 202),
    ],
)
def test_the_mid_is_that_of_the_last_good_quote_or_before_any_the_last_print(rows: list[str], mid2: int) -> None:
    floor = Floor()

    for row in rows:
        word, *prices = row.split()
        if word == "trade":
            floor.trade(BUY, int(prices[0]), 1)
        else:
            floor.quote(int(prices[0]), 1, int(prices[1]), 1)

    assert floor.exchange.sim.venue.mid2 == mid2


# Orders that arrive.


@pytest.mark.parametrize(
    ("side", "price", "words"),
    [
        (BUY, 101, ["ACCEPTED"]),
        (BUY, 102, ["REJECTED"]),
        (BUY, 103, ["REJECTED"]),
        (SELL, 101, ["ACCEPTED"]),
        (SELL, 100, ["REJECTED"]),
        (SELL, 99, ["REJECTED"]),
    ],
)
def test_a_post_only_order_that_would_take_is_rejected(side: int, price: int, words: list[str]) -> None:
    floor = Floor()
    floor.quote(100, 4, 102, 4)

    floor.place(1, side, price, 5, POST_ONLY)

    assert floor.words == [(word, 1, 5) for word in words]
    assert floor.reports[0].code == (Reason.WOULD_CROSS if words == ["REJECTED"] else Reason.NONE)


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_limit_order_takes_the_touch_at_its_price_and_rests_with_what_is_left(side: int) -> None:
    floor = Floor()
    floor.quote(100, 4, 102, 4)
    touch, ours = 101 + side, 101 + 2 * side

    floor.place(1, side, ours, 6, LIMIT)
    floor.trade(-side, ours - side, 9)

    assert floor.words == [("ACCEPTED", 1, 6), ("FILLED", 1, 4), ("FILLED", 1, 2)]
    assert floor.fills == [Fill(1, touch, 4, TAKER), Fill(1, ours, 2, MAKER)]


def test_what_one_order_took_of_the_touch_the_next_does_not_find() -> None:
    floor = Floor()
    floor.quote(100, 4, 102, 4)

    floor.place(1, BUY, 102, 3, IOC)
    floor.place(2, BUY, 102, 3, IOC)
    floor.quote(100, 4, 102, 4)
    floor.place(3, BUY, 102, 3, IOC)
    floor.quote(100, 4, 103, 4)
    floor.quote(100, 4, 102, 4)
    floor.place(4, BUY, 102, 3, IOC)

    assert [fill[:3] for fill in floor.fills] == [(1, 102, 3), (2, 102, 1), (4, 102, 3)]


@pytest.mark.parametrize(
    ("price", "size", "words"),
    [
        (101, 6, [("ACCEPTED", 1, 6), ("EXPIRED", 1, 6)]),
        (102, 6, [("ACCEPTED", 1, 6), ("FILLED", 1, 4), ("EXPIRED", 1, 2)]),
        (105, 4, [("ACCEPTED", 1, 4), ("FILLED", 1, 4)]),
    ],
)
def test_an_immediate_or_cancel_order_takes_and_the_rest_expires(
    price: int, size: int, words: list[tuple[str, int, int]]
) -> None:
    floor = Floor()
    floor.quote(100, 4, 102, 4)

    floor.place(1, BUY, price, size, IOC)

    assert floor.words == words
    assert floor.exchange.sim.venue.n_book == 0


# Cancels.


def test_a_cancel_reports_what_was_left() -> None:
    floor = Floor()
    floor.place(1, BUY, 100, 5)
    floor.trade(SELL, 99, 2)

    floor.cancel(1)
    floor.trade(SELL, 90, 50)

    assert floor.words == [("ACCEPTED", 1, 5), ("FILLED", 1, 2), ("CANCELLED", 1, 3)]


def test_a_cancel_that_loses_the_race_against_a_fill_is_not_answered() -> None:
    floor = Floor()
    floor.place(1, BUY, 100, 5)

    floor.send(cancelled(1))
    floor.trade(SELL, 99, 5)
    floor.flush()

    assert floor.words == [("ACCEPTED", 1, 5), ("FILLED", 1, 5)]


def test_a_cancel_of_a_rejected_or_unheard_of_order_is_not_answered() -> None:
    floor = Floor()
    floor.quote(100, 4, 102, 4)
    floor.place(1, BUY, 102, 5)

    floor.cancel(1)
    floor.cancel(7)

    assert floor.words == [("REJECTED", 1, 5)]


def test_a_cancel_leaves_the_others_where_they_stood() -> None:
    floor = Floor()
    for order, shown in [(1, 3), (2, 5), (3, 7)]:
        floor.quote(100, shown, 102, 1)
        floor.place(order, BUY, 100, 1)

    floor.cancel(2)

    assert floor.ahead == [3.0, 7.0]


def test_cancel_all_ends_everything_that_rests_in_the_order_of_acceptance() -> None:
    floor = Floor()
    floor.place(3, BUY, 100, 5)
    floor.place(1, SELL, 105, 6)
    floor.place(2, BUY, 99, 7)

    floor.send(all_cancelled())
    floor.flush()
    floor.send(all_cancelled())
    floor.flush()
    floor.trade(SELL, 1, 50)

    assert floor.words[3:] == [("CANCELLED", 3, 5), ("CANCELLED", 1, 6), ("CANCELLED", 2, 7)]


def test_cancels_of_a_batch_come_before_its_orders_and_never_touch_them() -> None:
    floor = Floor()
    floor.place(1, BUY, 100, 5)

    floor.send(all_cancelled(), placed(2, BUY, 99, 5))
    floor.flush()

    assert floor.words == [("ACCEPTED", 1, 5), ("CANCELLED", 1, 5), ("ACCEPTED", 2, 5)]
    assert floor.exchange.sim.venue.n_book == 1


# Money.


@pytest.mark.parametrize(
    ("fee_e8", "size", "fee"),
    [
        (0, 1_000, 0),
        (40_000, 1_000, 80),  # 4 bps of 200,000 quanta.
        (40_000, 1_001, 81),  # 80.08: up, against us.
        (40_000, 1, 1),  # 0.08
        (-5_000, 1_000, -10),  # A rebate of half a basis point.
        (-5_000, 1_001, -10),  # -10.01: up as well.
        (-5_000, 1, 0),
    ],
)
def test_a_fee_is_rounded_up_against_us_and_a_rebate_is_negative(fee_e8: int, size: int, fee: int) -> None:
    making, taking = Floor(params(maker_fee_e8=fee_e8)), Floor(params(taker_fee_e8=fee_e8))

    making.place(1, BUY, 100, size)
    making.trade(SELL, 99, size)
    taking.quote(90, 1, 100, size)
    taking.place(1, BUY, 100, size, LIMIT)

    assert [r.fee for r in making.reports if r.kind == Kind.FILLED] == [fee]
    assert [r.fee for r in taking.reports if r.kind == Kind.FILLED] == [fee]
    assert [fill.liquidity for fill in making.fills + taking.fills] == [MAKER, TAKER]
