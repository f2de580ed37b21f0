"""When a new grid is due: the rule of the design, trigger by trigger, and what holds it back."""

from typing import Any

import pytest
from desk import SECOND, Desk

MS = 1_000_000
GRID = ["#1 bid 990 x 5", "#2 ask 1010 x 5"]
ANEW = ["cancel #1", "cancel #2", "#3 bid 993 x 5", "#4 ask 1014 x 5"]


def quoting(**settings: Any) -> Desk:
    """Return a desk with a bid at 990 and an ask at 1010, placed at 0 s around a pivot of 1000."""
    desk = Desk(**settings)
    assert desk.trade(0, 1000, 10) == GRID
    desk.accept(0.0, 1, 2)
    return desk


def test_the_first_pivot_makes_the_first_grid() -> None:
    assert Desk().trade(0, 1000) == GRID


def test_a_quote_alone_makes_no_grid() -> None:
    assert Desk().quote(0, 999, 1001) == []


@pytest.mark.parametrize(
    ("threshold", "price", "asked"),
    [
        # Ten lots at 1000 and ten at `price`, within both windows: the pivot is their mean.
        (0.003, 1006, []),  # Moved by exactly 0.3 %,
        (0.003, 1007, ANEW),  # and by 0.35 %.
        (0.0, 1000, []),
        (0.0, 1001, ["cancel #2", "#3 ask 1011 x 5"]),  # A bid at 990.495 is the one that rests.
    ],
)
def test_the_centre_must_move_by_more_than_the_threshold(threshold: float, price: int, asked: list[str]) -> None:
    desk = quoting(threshold=threshold)

    assert desk.trade(5, price, 10) == asked


def test_small_moves_add_up_from_the_last_grid() -> None:
    desk = quoting(threshold=0.003)

    small = desk.trade(5, 1004, 10)
    more = desk.trade(6, 1007, 20)

    assert small == []
    assert more == ["cancel #1", "cancel #2", "#3 bid 994 x 5", "#4 ask 1015 x 5"]


def test_a_pivot_that_comes_back_needs_no_grid() -> None:
    desk = quoting(threshold=0.003, min_interval_ns=10 * SECOND)

    desk.trade(5, 1010, 10)
    desk.trade(6, 990, 10)

    assert desk.timer(10.0) == []


def test_no_grid_is_laid_before_the_interval_is_over() -> None:
    desk = quoting(threshold=0.003, min_interval_ns=10 * SECOND)

    early = desk.trade(5, 1007, 10)
    woken_at = desk.wakes_at
    in_time = desk.timer()

    assert early == []
    assert woken_at == 10.0
    assert in_time == ANEW


def test_after_the_interval_a_grid_is_laid_at_once() -> None:
    desk = quoting(threshold=0.003, min_interval_ns=10 * SECOND)
    desk.timer(10.0)

    assert desk.trade(10.001, 1007, 10) == ANEW


def test_two_grids_are_never_laid_at_one_instant() -> None:
    desk = quoting(threshold=0.003)

    at_once = desk.trade(0, 1007, 10)

    assert at_once == []
    assert desk.timer() == ANEW


def test_a_filled_level_is_placed_anew() -> None:
    desk = quoting()

    assert desk.fill(5, 1, 5) == ["#3 bid 990 x 5"]


def test_a_level_filled_in_part_is_made_whole() -> None:
    desk = quoting()

    assert desk.fill(5, 1, 2) == ["cancel #1", "#3 bid 990 x 5"]


def test_a_filled_level_waits_for_the_delay() -> None:
    desk = quoting(fill_delay_ns=3 * SECOND)

    at_once = desk.fill(5, 1, 5)
    woken_at = desk.wakes_at

    assert at_once == []
    assert woken_at == 8.0
    assert desk.timer() == ["#3 bid 990 x 5"]


def test_each_fill_starts_the_delay_anew() -> None:
    desk = quoting(fill_delay_ns=3 * SECOND)

    desk.fill(5, 1, 2)
    desk.fill(7, 1, 1)
    early = desk.timer(8.0)

    assert early == []
    assert desk.wakes_at == 10.0
    assert desk.timer() == ["cancel #1", "#3 bid 990 x 5"]


def test_delay_and_interval_hold_together() -> None:
    desk = quoting(fill_delay_ns=3 * SECOND, min_interval_ns=10 * SECOND)

    desk.fill(5, 1, 5)
    too_early = desk.timer(8.0)

    assert too_early == []
    assert desk.timer(10.0) == ["#3 bid 990 x 5"]


def test_old_orders_are_placed_anew() -> None:
    desk = quoting(max_age_ns=30 * SECOND)

    woken_at = desk.wakes_at, desk.timer(), desk.wakes_at, desk.timer()

    assert woken_at == (1e-9, [], 30.0, ["cancel #1", "cancel #2", "#3 bid 990 x 5", "#4 ask 1010 x 5"])


def test_the_age_is_that_of_the_oldest_order() -> None:
    desk = quoting(max_age_ns=30 * SECOND)
    desk.fill(20, 1, 5)

    at_thirty = desk.timer(30.0)
    at_fifty = desk.timer(50.0)

    assert at_thirty == ["cancel #2", "#4 ask 1010 x 5"]
    assert at_fifty == ["cancel #3", "#5 bid 990 x 5"]


def test_a_rejected_level_is_placed_again() -> None:
    desk = Desk()
    desk.trade(0, 1000, 10)

    assert desk.rejected(0.5, 1) == ["#3 bid 990 x 5"]


def test_a_rejected_level_is_placed_again_no_sooner_than_the_interval_allows() -> None:
    desk = Desk(min_interval_ns=2 * SECOND)
    desk.trade(0, 1000, 10)

    at_once = desk.rejected(0.5, 1)
    woken_at = desk.wakes_at

    assert at_once == []
    assert woken_at == 2.0
    assert desk.timer() == ["#3 bid 990 x 5"]


def test_a_level_refused_for_its_distance_is_placed_once_the_market_allows() -> None:
    desk = quoting(max_last_trade=0.015, threshold=0.003, tolerance=0.002)
    desk.trade(5, 1006, 1)

    refused = desk.fill(6, 1, 5)
    allowed = desk.trade(7, 1000, 1)

    assert refused == []
    assert allowed == ["#3 bid 990 x 5"]


def test_a_level_that_gave_way_to_a_nearer_one_is_placed_once_the_market_allows() -> None:
    desk = Desk(bids=[(0.0, 5), (0.001, 6)], asks=[])
    desk.quote(0, 990, 995)

    squeezed = desk.trade(0.5, 1000, 10)
    desk.accept(0.5, 1)
    freed = desk.quote(1, 1002, 1004)

    assert squeezed == ["#1 bid 994 x 5"]
    assert freed == ["cancel #1", "#2 bid 1000 x 5", "#3 bid 999 x 6"]


def test_market_data_alone_is_no_reason_for_a_grid() -> None:
    desk = quoting()

    assert [desk.quote(1 + i / 10, 980 + i, 1020 - i) for i in range(20)] == [[]] * 20
    assert desk.state.requotes == 1


def test_a_cancel_of_ours_is_no_reason_for_a_grid() -> None:
    desk = quoting(threshold=0.003)
    desk.trade(5, 1007, 10)
    desk.accept(5.1, 3, 4)

    assert desk.cancelled(5.2, 1) == []
    assert desk.cancelled(5.2, 2) == []


@pytest.mark.parametrize("min_interval_ms", [0, 100])
def test_an_old_order_that_may_not_be_cancelled_is_tried_again_when_it_may(min_interval_ms: int) -> None:
    desk = quoting(max_age_ns=SECOND, max_cancels_per_minute=1, min_interval_ns=min_interval_ms * MS)
    desk.timer(0.5)
    one_of_two = desk.timer(1.0)
    desk.cancelled(1.1, 1)

    wakes = [(desk.wakes_at, desk.timer()) for _ in range(6)]

    assert one_of_two == ["cancel #1", "#3 bid 990 x 5"]
    assert next(wake for wake in wakes if wake[1]) == (61.0, ["cancel #2", "#4 ask 1010 x 5"])


def test_a_strategy_that_leaves_an_old_order_is_not_asked_for_ever() -> None:
    asked: list[int] = []

    def stubborn(params: object, state: object, memory: object, wanted: object) -> int:
        asked.append(len(asked))
        if len(asked) > 1:
            return -1
        wanted[0, :5] = 1, 0, 990, 5, 0  # type: ignore[index]  # It is a table.
        return 1

    desk = Desk(stubborn, max_age_ns=SECOND)
    desk.quote(0, 999, 1001)
    for _ in range(100):
        if desk.wakes_at is None:
            break
        desk.timer()

    assert desk.wakes_at is None
    assert asked == [0, 1]
