"""Every refusal has its code: one row a limit, on either side of it."""

from typing import Any

import pytest
from desk import SECOND, Desk

from bmv.ports.messages import Command, Refusal

BID, ASK = "#1 bid 990 x 5", "#2 ask 1010 x 5"
BOTH = [BID, ASK]
ONLY_ASK = ["#1 ask 1010 x 5"]


@pytest.mark.parametrize(
    ("code", "allowed", "refused", "asked"),
    [
        # A bid of five lots beside a position of 100: 105 may be held, or 5 more than the target.
        (Refusal.POSITION, {"risk_max_position": 105}, {"risk_max_position": 100}, ONLY_ASK),
        (Refusal.BALANCE, {"start_cash": 9900}, {"start_cash": 0}, ONLY_ASK),
        (Refusal.BALANCE, {"start_position": 5, "target": 5}, {"start_position": 0, "target": 0}, [BID]),
        (Refusal.OPEN_ORDERS, {"max_open_orders": 2}, {"max_open_orders": 1}, [BID]),
        # A bid of 5 at 990 is 9 900 quanta, an ask of 5 at 1010 is 10 100.
        (Refusal.ORDER_NOTIONAL, {"max_order_notional": 10_100}, {"max_order_notional": 10_099}, [BID]),
        (Refusal.TOTAL_NOTIONAL, {"max_total_notional": 20_000}, {"max_total_notional": 19_999}, [BID]),
        (Refusal.ORDER_RATE, {"max_orders_per_minute": 2}, {"max_orders_per_minute": 1}, [BID]),
        # Both lie 10 ticks from the last trade at 1000.
        (Refusal.LAST_TRADE_DISTANCE, {"max_last_trade": 0.01}, {"max_last_trade": 0.0099}, []),
    ],
)
def test_an_order_beyond_a_limit_is_refused(
    code: Refusal, allowed: dict[str, Any], refused: dict[str, Any], asked: list[str]
) -> None:
    free, bound = Desk(**allowed), Desk(**refused)

    within, beyond = free.trade(0, 1000, 10), bound.trade(0, 1000, 10)

    assert within == BOTH
    assert beyond == asked
    assert free.refused(code) == 0
    assert bound.refused(code) > 0


def test_a_level_is_cut_to_what_a_limit_leaves_and_refused_under_the_smallest_size() -> None:
    cut, refused = Desk(risk_max_position=103), Desk(risk_max_position=103, min_size=4)

    assert cut.trade(0, 1000, 10) == ["#1 bid 990 x 3", ASK]
    assert refused.trade(0, 1000, 10) == ONLY_ASK
    assert refused.refused(Refusal.POSITION) == 1


@pytest.mark.parametrize(("reference", "asked"), [(1000, BOTH), (1001, ONLY_ASK), (999, [BID]), (0, [])])
def test_an_order_far_from_the_reference_is_refused(reference: int, asked: list[str]) -> None:
    # Ten ticks are 1 % of 1000: from 1001 the bid at 990 is farther, and the ask at 1010 not.
    desk = Desk(max_reference=0.01)
    desk.reference(0, reference)

    assert desk.trade(1, 1000, 10) == asked
    assert desk.refused(Refusal.REFERENCE_DISTANCE) == 2 - len(asked)


def test_an_order_before_the_first_trade_has_no_distance_from_it_and_is_refused() -> None:
    desk = Desk(max_last_trade=0.5)
    desk.engine.seed(0, 1000, 10)

    assert desk.quote(0, 999, 1001) == []


def test_the_rate_of_orders_is_that_of_any_minute() -> None:
    desk = Desk(max_orders_per_minute=3, threshold=0.003)
    desk.trade(0, 1000, 10)
    desk.accept(0.0, 1, 2)

    third = desk.fill(30, 1, 5)
    fourth = desk.fill(31, 2, 5)
    desk.timer(31.5)

    assert third == ["#3 bid 990 x 5"]
    assert fourth == []
    assert desk.refused(Refusal.ORDER_RATE) == 1
    assert desk.wakes_at == 60.0
    assert desk.timer() == ["#4 ask 1010 x 5"]


def test_a_cancel_beyond_the_rate_is_refused_and_its_order_stays() -> None:
    desk = Desk(max_cancels_per_minute=1)
    desk.trade(0, 1000, 10)
    desk.accept(0.0, 1, 2)

    asked = desk.trade(5, 1014, 10)
    woken_at = desk.wakes_at
    desk.cancelled(5.1, 1)

    assert asked == ["cancel #1", "#3 bid 996 x 5"]
    assert desk.refused(Refusal.CANCEL_RATE) > 0
    assert woken_at == 5.000000001
    assert desk.open == [2, 3]
    assert desk.timer(65.0) == ["cancel #2", "#4 ask 1018 x 5"]


def test_the_rate_of_cancels_never_holds_back_what_risk_asks_for() -> None:
    desk = Desk(max_cancels_per_minute=1)
    desk.trade(0, 1000, 10)
    desk.trade(5, 1014, 10)

    assert desk.command(6, Command.PAUSE) == ["cancel all"]


def test_a_reduce_only_tier_refuses_what_adds() -> None:
    desk = Desk(reduce_ppm=1_000, target=80, start_cash=50_000)
    desk.quote(0, 1000, 1000)
    desk.quote(1, 990, 990)

    asked = desk.trade(2, 990, 10)

    assert asked == ["#1 ask 1000 x 5"]
    assert desk.refused(Refusal.REDUCE_ONLY) == 1


def test_a_reduce_only_tier_sells_no_more_than_what_is_too_much() -> None:
    desk = Desk(reduce_ppm=1_000, target=97, start_cash=50_000)
    desk.quote(0, 1000, 1000)
    desk.quote(1, 990, 990)

    assert desk.trade(2, 990, 10) == ["#1 ask 1000 x 3"]


@pytest.mark.parametrize(
    ("code", "settings"),
    [
        (Refusal.NO_PIVOT, {"history_ns": 5 * SECOND, "window_ns": SECOND}),
        (Refusal.STALE, {"stale_ns": 4 * SECOND}),
    ],
)
def test_a_grid_whose_ground_is_gone_is_withdrawn_by_the_clock_alone(code: Refusal, settings: dict[str, Any]) -> None:
    desk = Desk(**settings)
    desk.trade(0, 1000, 10)
    desk.accept(0.0, 1, 2)

    answers = [(desk.wakes_at, desk.timer()) for _ in range(3) if desk.wakes_at is not None]

    gone_at = {Refusal.NO_PIVOT: 5.000000001, Refusal.STALE: 4.0}[code]
    assert [answer for answer in answers if answer[1]] == [(gone_at, ["cancel all"])]
    assert desk.refused(code) == 1
    assert desk.wakes_at is None


def test_stale_market_data_that_comes_back_is_quoted_on() -> None:
    desk = Desk(stale_ns=4 * SECOND)
    desk.trade(0, 1000, 10)
    desk.timer(4.0)
    desk.cancelled(4.1, 1)
    desk.cancelled(4.1, 2)

    assert desk.quote(9, 999, 1001) == ["#3 bid 990 x 5", "#4 ask 1010 x 5"]


def test_market_data_that_keeps_coming_is_not_stale() -> None:
    desk = Desk(stale_ns=4 * SECOND)
    desk.trade(0, 1000, 10)
    desk.quote(3.9, 999, 1001)

    assert desk.timer(4.0) == []
    assert desk.wakes_at == 7.9


def test_a_feed_that_is_down_is_not_quoted_on() -> None:
    desk = Desk()
    desk.trade(0, 1000, 10)

    down = desk.feed(1, up=False)
    meanwhile = desk.quote(2, 999, 1001)
    up = desk.feed(3, up=True)

    assert (down, meanwhile) == (["cancel all"], [])
    assert desk.refused(Refusal.FEED_DOWN) == 1
    assert up == ["#3 bid 990 x 5", "#4 ask 1010 x 5"]


def test_a_pivot_far_from_the_reference_is_not_quoted_on() -> None:
    desk = Desk(max_deviation=0.01)
    desk.trade(0, 1000, 10)

    without = desk.refused(Refusal.DEVIATION)
    near = desk.reference(1, 991)
    far = desk.reference(2, 990)

    assert without == 1
    assert near == BOTH
    assert far == ["cancel all"]
    assert desk.refused(Refusal.DEVIATION) == 2


@pytest.mark.parametrize(
    "settings", [{"min_interval_ns": 100 * SECOND}, {"threshold": 0.5}, {"fill_delay_ns": 100 * SECOND}]
)
def test_nothing_holds_back_the_cancel_of_a_pivot_that_left_the_reference(settings: dict[str, Any]) -> None:
    desk = Desk(max_deviation=0.01, **settings)
    desk.reference(0, 1000)
    desk.trade(1, 1000, 10)
    desk.fill(2, 1, 1)

    assert desk.trade(3, 1050, 10) == ["cancel all"]


def test_an_operator_pauses_and_resumes() -> None:
    desk = Desk()
    desk.trade(0, 1000, 10)

    paused = desk.command(1, Command.PAUSE)
    meanwhile = desk.trade(2, 1014, 10)
    resumed = desk.command(3, Command.RESUME)

    assert (paused, meanwhile) == (["cancel all"], [])
    assert desk.refused(Refusal.PAUSED) == 1
    assert resumed == ["#3 bid 996 x 5", "#4 ask 1018 x 5"]


def test_the_whole_grid_is_withdrawn_once() -> None:
    desk = Desk()
    desk.trade(0, 1000, 10)
    desk.command(1, Command.PAUSE)

    again = [desk.quote(2, 999, 1001), desk.command(3, Command.PAUSE), desk.cancelled(4, 1)]

    assert again == [[], [], []]
    assert desk.refused(Refusal.PAUSED) == 1
