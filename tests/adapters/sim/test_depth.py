"""The venue where the tape has depth: levels, the touch that follows from them, queues and takers."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from venues import BUY, BY_QUOTE, IOC, LIMIT, MAKER, SELL, TAKER, Fill, Floor

from bmv.adapters.sim.queue import UNKNOWN
from bmv.adapters.sim.venue import DEPTH_MAX
from bmv.core.state import NEVER_NS
from bmv.data.ticks.book import Book
from bmv.ports.messages import Kind

CLEAR = 0
ROWS = st.tuples(st.sampled_from([BUY, SELL] * 8 + [CLEAR]), st.integers(1, 30), st.integers(0, 3))


def levels(floor: Floor, side: int) -> list[tuple[int, int]]:
    """Return the levels (price, size) of a side as they stand in the venue's table."""
    venue = floor.exchange.sim.venue
    row, n = (0, venue.n_bids) if side == BUY else (1, venue.n_asks)
    return [(int(price), int(size)) for price, size in venue.depth[row, :n]]


def booked() -> Floor:
    """Return a venue whose book shows three levels a side, and no others."""
    return named((CLEAR, 0, 0))


def named(*before: tuple[int, int, int]) -> Floor:
    """Return a venue of which three levels a side were named, after the rows `before`."""
    floor = Floor()
    for side, price, size in [
        *before,
        (BUY, 100, 4),
        (BUY, 98, 7),
        (BUY, 95, 9),
        (SELL, 101, 2),
        (SELL, 102, 3),
        (SELL, 105, 10),
    ]:
        floor.depth(side, price, size)
    return floor


@pytest.mark.parametrize("best_first", [True, False])
def test_a_snapshot_that_repeats_the_touch_does_not_fill_us_a_second_time(best_first: bool) -> None:
    floor = booked()
    floor.place(1, BUY, 100, 9, LIMIT)
    snapshot = [(SELL, 100, 3), (SELL, 103, 5), (BUY, 99, 4)]

    def show() -> list[int]:
        before = len(floor.fills)
        floor.clear()
        for side, price, size in snapshot if best_first else reversed(snapshot):
            floor.depth(side, price, size)
        return [fill.size for fill in floor.fills[before:]]

    assert show() == [3]
    floor.wait(1)
    assert show() == []
    floor.wait(1)
    floor.depth(SELL, 100, 0)
    floor.wait(1)
    assert show() == [3]


def passed(floor: Floor) -> tuple[int, int]:
    """Return how many levels were found that nobody removed, and for how long bids and asks met, ns."""
    return floor.exchange.sim.venue.levels_passed, floor.exchange.sim.venue.crossed_total_ns


def test_a_level_that_nobody_removed_goes_when_the_other_side_has_passed_it() -> None:
    floor = booked()

    floor.wait(10)
    floor.depth(BUY, 102, 5)
    met = levels(floor, SELL)
    floor.wait(7)
    floor.depth(BUY, 90, 1)

    assert met == [(101, 2), (102, 3), (105, 10)]
    assert levels(floor, SELL) == [(105, 10)]
    assert levels(floor, BUY)[0] == (102, 5)
    assert passed(floor) == (2, 7)
    assert (floor.exchange.sim.venue.bid, floor.exchange.sim.venue.ask) == (102, 105)


def test_a_level_removed_within_the_instant_is_not_missed() -> None:
    floor = booked()

    floor.wait(10)
    floor.depth(BUY, 101, 5)
    floor.depth(SELL, 101, 0)
    floor.wait(7)
    floor.depth(BUY, 90, 1)

    assert passed(floor) == (0, 0)
    assert levels(floor, SELL) == [(102, 3), (105, 10)]


def test_of_two_sides_that_meet_the_newer_is_believed() -> None:
    floor = booked()

    floor.wait(10)
    floor.depth(SELL, 98, 5)
    floor.wait(7)
    floor.depth(SELL, 110, 1)

    assert levels(floor, BUY) == [(95, 9)]
    assert passed(floor) == (2, 7)


def test_a_level_named_by_the_side_that_was_passed_stays() -> None:
    floor = booked()

    floor.wait(10)
    floor.depth(BUY, 101, 5)
    floor.wait(7)
    floor.depth(SELL, 102, 4)

    assert levels(floor, SELL) == [(102, 4), (105, 10)]
    assert passed(floor) == (1, 7)


def test_a_price_that_is_withdrawn_after_it_crossed_takes_nothing_with_it() -> None:
    floor = booked()

    floor.wait(10)
    floor.depth(BUY, 101, 5)
    floor.wait(7)
    floor.depth(BUY, 101, 0)
    floor.wait(7)
    floor.depth(BUY, 90, 1)

    assert levels(floor, SELL)[0] == (101, 2)
    assert passed(floor) == (0, 7)


@given(st.lists(st.tuples(st.integers(0, 1), ROWS), max_size=80))
def test_the_book_of_a_check_is_the_book_of_a_run(rows: list[tuple[int, tuple[int, int, int]]]) -> None:
    floor, book = Floor(), Book()

    for wait_ns, (side, price, size) in rows:
        floor.wait(wait_ns)
        if side == CLEAR:
            floor.clear()
        else:
            floor.depth(side, price, size)
        now_ns = floor.clock.now_ns()
        table = [(now_ns, Kind.DEPTH.value, side, 0 if side == CLEAR else price, 0 if side == CLEAR else size)]
        book.add(pl.DataFrame(table, schema=["ts_ns", "kind", "side", "price", "size"], orient="row"))

        venue = floor.exchange.sim.venue
        assert (book.best(BUY), book.best(SELL)) == (venue.bid, venue.ask)
    assert (book.passed, book.crossed_ns) == passed(floor)


@given(st.lists(st.tuples(st.integers(0, 1), ROWS), max_size=80))
def test_a_book_stays_crossed_no_longer_than_until_a_later_row_names_a_level(
    rows: list[tuple[int, tuple[int, int, int]]],
) -> None:
    floor = Floor()

    for wait_ns, (side, price, size) in rows:
        floor.wait(wait_ns)
        if side == CLEAR:
            floor.clear()
        else:
            floor.depth(side, price, size)
        venue, bids, asks = floor.exchange.sim.venue, levels(floor, BUY), levels(floor, SELL)

        meets = bool(bids and asks) and bids[0][0] >= asks[0][0]
        assert (venue.crossed_ns != NEVER_NS) == meets
        if meets and size > 0:  # A row that removes a level may be the one that was missing.
            assert venue.crossed_ns == floor.clock.now_ns()


@given(st.lists(ROWS, max_size=80))
def test_levels_stay_sorted_best_first_and_say_what_was_said_last(rows: list[tuple[int, int, int]]) -> None:
    floor = Floor()
    book: dict[int, dict[int, int]] = {BUY: {}, SELL: {}}

    for side, price, size in rows:
        if side == CLEAR:
            floor.clear()
            book = {BUY: {}, SELL: {}}
            continue
        floor.depth(side, price, size)
        book[side][price] = size
        if size == 0:
            del book[side][price]

        bids, asks = sorted(book[BUY].items(), reverse=True), sorted(book[SELL].items())
        venue = floor.exchange.sim.venue
        assert levels(floor, BUY) == bids
        assert levels(floor, SELL) == asks
        assert (venue.bid, venue.bid_size) == (bids or [(0, 0)])[0]
        assert (venue.ask, venue.ask_size) == (asks or [(0, 0)])[0]


def test_a_full_side_forgets_its_farthest_level_and_does_not_know_what_lies_beyond() -> None:
    floor = Floor()
    for price in range(1, DEPTH_MAX + 1):
        floor.depth(SELL, 10_000 + price, price)

    floor.depth(SELL, 20_000, 1)
    floor.depth(SELL, 10_000, 5)
    floor.place(1, SELL, 20_000, 1)

    assert len(levels(floor, SELL)) == DEPTH_MAX
    assert levels(floor, SELL)[0] == (10_000, 5)
    assert levels(floor, SELL)[-1] == (10_000 + DEPTH_MAX - 1, DEPTH_MAX - 1)
    assert floor.ahead == [UNKNOWN]


def test_the_queue_is_the_size_of_the_level_at_any_depth() -> None:
    floor = booked()

    for order, price in enumerate([100, 99, 98, 95, 90], start=1):
        floor.place(order, BUY, price, 1)

    assert floor.ahead == [4.0, 0.0, 7.0, 9.0, 0.0]


def test_what_a_level_shows_that_was_never_named_is_unknown_until_a_row_has_cleared_the_book() -> None:
    floor = named()

    for order, price in enumerate([100, 99, 98, 90], start=1):
        floor.place(order, BUY, price, 1)
    floor.depth(BUY, 99, 6)

    assert floor.ahead == [4.0, 6.0, 7.0, UNKNOWN]


def test_a_quote_beside_the_levels_says_what_stands_at_the_touch() -> None:
    floor = booked()
    floor.quote(99, 500, 102, 3)

    floor.place(1, BUY, 99, 1)

    assert floor.ahead == [500.0]


def test_a_taker_takes_no_level_that_a_quote_has_said_is_gone_and_none_twice() -> None:
    floor = booked()
    floor.quote(100, 4, 102, 5)

    floor.place(1, BUY, 105, 20, IOC)

    assert [(fill.price, fill.size) for fill in floor.fills] == [(102, 5), (105, 10)]


def test_the_queue_follows_its_own_level_and_no_other() -> None:
    floor = booked()
    floor.place(1, BUY, 98, 1)
    aheads = []

    for price, size in [(100, 1), (98, 5), (98, 8), (95, 1), (98, 3), (98, 0)]:
        floor.depth(BUY, price, size)
        aheads.extend(floor.ahead)

    assert aheads == [7.0, 5.0, 5.0, 5.0, 3.0, 0.0]


def test_a_print_at_a_deep_level_takes_the_queue_first() -> None:
    floor = booked()
    floor.place(1, BUY, 98, 5)

    floor.trade(SELL, 98, 6)
    floor.trade(SELL, 98, 3)

    assert floor.fills == [Fill(1, 98, 2, MAKER)]


def test_the_touch_alone_moves_no_queue_once_there_was_depth() -> None:
    floor = booked()
    floor.place(1, BUY, 98, 1)

    floor.quote(98, 2, 101, 2)
    floor.quote(97, 2, 101, 2)

    assert floor.ahead == [7.0]


def test_a_taker_walks_the_levels_as_far_as_its_price_and_rests_there() -> None:
    floor = booked()

    floor.place(1, BUY, 104, 8, LIMIT)
    floor.trade(SELL, 103, 9)

    assert floor.fills == [Fill(1, 101, 2, TAKER), Fill(1, 102, 3, TAKER), Fill(1, 104, 3, MAKER)]


def test_a_taker_takes_the_level_at_its_very_price() -> None:
    floor = booked()

    floor.place(1, BUY, 102, 8, IOC)

    assert floor.fills == [Fill(1, 101, 2, TAKER), Fill(1, 102, 3, TAKER)]


def test_a_taker_stops_when_it_has_all_it_wants() -> None:
    floor = booked()

    floor.place(1, SELL, 90, 6, IOC)

    assert floor.fills == [Fill(1, 100, 4, TAKER), Fill(1, 98, 2, TAKER)]
    assert [word for word, *_ in floor.words] == ["ACCEPTED", "FILLED", "FILLED"]


def test_a_taker_that_wants_more_than_all_levels_expires_with_the_rest() -> None:
    floor = booked()

    floor.place(1, BUY, 200, 20, IOC)

    assert [fill.size for fill in floor.fills] == [2, 3, 10]
    assert floor.words[-1] == ("EXPIRED", 1, 5)


def test_a_level_that_crosses_our_order_fills_it_up_to_the_touch() -> None:
    floor = booked()
    floor.place(1, BUY, 100, 9)
    floor.depth(BUY, 100, 0)

    floor.depth(SELL, 99, 6)

    assert floor.fills == [Fill(1, 100, 6, BY_QUOTE)]


def test_a_level_that_locks_or_crosses_the_book_fills_nobody() -> None:
    floor = booked()
    floor.place(1, BUY, 100, 9)

    floor.depth(SELL, 100, 6)
    floor.depth(SELL, 99, 6)

    assert floor.fills == []


def test_a_cleared_book_shows_nothing_and_nobody_stands_before_who_joins_it() -> None:
    floor = booked()

    floor.clear()
    floor.place(1, BUY, 200, 1)
    venue = floor.exchange.sim.venue

    assert levels(floor, BUY) == levels(floor, SELL) == []
    assert (venue.bid, venue.bid_size, venue.ask, venue.ask_size) == (0, 0, 0, 0)
    assert floor.words == [("ACCEPTED", 1, 1)]
    assert floor.ahead == [0.0]
