"""From what is open and what is wanted to what is asked for: keep, cancel, place, within what is owned and allowed."""

from collections.abc import Sequence
from typing import Any

import pytest
from desk import Desk
from hypothesis import given
from hypothesis import strategies as st

from bmv.core.params import Params
from bmv.core.risk import lot_cost
from bmv.core.state import State
from bmv.ports.messages import Refusal

Want = tuple[int, int, int, int, int]  # Side, level, price, size, time in force.
POST, LIMIT, IOC = 0, 1, 2


class Script:
    """A strategy that wants what it is told to want; None: leave things as they are."""

    def __init__(self) -> None:
        self.wants: Sequence[Want] | None = ()

    def __call__(self, params: Params, state: State, memory: Any, wanted: Any) -> int:
        if self.wants is None:
            return -1
        for i, want in enumerate(self.wants):
            wanted[i, :5] = want
        return len(self.wants)


class Scripted(Desk):
    """A desk whose grid is written by hand; each new grid is asked for by a move of the mid."""

    def __init__(self, **settings: Any) -> None:
        self.script = Script()
        super().__init__(self.script, **settings)
        self._clock = 0.0

    def want(self, *wants: Want) -> list[str]:
        """Want other orders from the next second on."""
        self.script.wants = wants
        return self.ask()

    def ask(self) -> list[str]:
        """Have the strategy asked again."""
        self._clock += 1.0
        return self.quote(self._clock, 900 + int(self._clock) % 2, 1100)

    @property
    def now(self) -> float:
        return self._clock


def bid(level: int, price: int, size: int, tif: int = POST) -> Want:
    return 1, level, price, size, tif


def ask(level: int, price: int, size: int, tif: int = POST) -> Want:
    return -1, level, price, size, tif


@pytest.mark.parametrize(
    ("settings", "resting", "wanted", "asked"),
    [
        # What serves is kept.
        ({}, [bid(0, 990, 5)], [bid(0, 990, 5)], []),
        ({}, [bid(0, 990, 5), ask(0, 1010, 5)], [ask(0, 1010, 5), bid(0, 990, 5)], []),
        # What does not is cancelled and placed anew, cancels first.
        ({}, [bid(0, 990, 5)], [bid(0, 991, 5)], ["cancel #1", "#2 bid 991 x 5"]),
        ({}, [bid(0, 990, 5)], [bid(0, 990, 6)], ["cancel #1", "#2 bid 990 x 6"]),
        ({}, [bid(0, 990, 5)], [ask(0, 990, 5)], ["cancel #1"]),  # The dying bid is in the way.
        ({}, [bid(0, 990, 5)], [bid(1, 990, 5)], ["cancel #1", "#2 bid 990 x 5"]),
        ({}, [bid(0, 990, 5), bid(1, 980, 5)], [bid(1, 980, 5)], ["cancel #1"]),
        ({}, [bid(0, 990, 5)], [bid(0, 990, 5), bid(1, 980, 5)], ["#2 bid 980 x 5"]),
        ({}, [bid(0, 990, 5), ask(0, 1010, 5)], [], ["cancel #1", "cancel #2"]),
        # Two orders of one level are kept for two rows of it.
        ({}, [bid(0, 990, 5), bid(0, 980, 5)], [bid(0, 990, 5), bid(0, 980, 5)], []),
        ({}, [bid(0, 990, 5), bid(0, 980, 5)], [bid(0, 990, 5)], ["cancel #2"]),
        # A fraction of the wanted price: at 1000 and 1 % ten ticks.
        ({"tolerance": 0.01}, [bid(0, 990, 5)], [bid(0, 1000, 5)], []),
        ({"tolerance": 0.01}, [bid(0, 989, 5)], [bid(0, 1000, 5)], ["cancel #1", "#2 bid 1000 x 5"]),
        ({"tolerance": 0.01}, [bid(0, 1010, 5)], [bid(0, 1000, 5)], []),
        # A fraction of the wanted size.
        ({"tolerance_size": 0.2}, [bid(0, 990, 8)], [bid(0, 990, 10)], []),
        ({"tolerance_size": 0.2}, [bid(0, 990, 12)], [bid(0, 990, 10)], []),
        ({"tolerance_size": 0.2}, [bid(0, 990, 7)], [bid(0, 990, 10)], ["cancel #1", "#2 bid 990 x 10"]),
        ({"tolerance_size": 0.2}, [bid(0, 990, 13)], [bid(0, 990, 10)], ["cancel #1", "#2 bid 990 x 10"]),
        # What is too small is not wanted.
        ({"min_size": 5}, [], [bid(0, 990, 4), bid(1, 980, 5)], ["#1 bid 980 x 5"]),
        ({"min_size": 5, "tolerance_size": 1.0}, [bid(0, 990, 5)], [bid(0, 990, 4)], ["cancel #1"]),
        # An order that takes and goes is never kept.
        ({}, [bid(0, 990, 5)], [bid(0, 990, 5, IOC)], ["cancel #1", "#2 bid 990 x 5 ioc"]),
        ({}, [], [bid(0, 990, 5, LIMIT), ask(0, 1010, 5, IOC)], ["#1 bid 990 x 5 limit", "#2 ask 1010 x 5 ioc"]),
    ],
)  # fmt: skip
def test_orders_are_kept_cancelled_and_placed(
    settings: dict[str, Any], resting: list[Want], wanted: list[Want], asked: list[str]
) -> None:
    desk = Scripted(**settings)
    desk.want(*resting)
    desk.accept(desk.now, *desk.open)

    assert desk.want(*wanted) == asked


def test_an_order_that_is_old_is_placed_anew() -> None:
    desk = Scripted(max_age_ns=10 * 10**9)
    desk.want(bid(0, 990, 5))
    desk.accept(1.5, 1)

    before_its_age = desk.timer(10.999)
    at_its_age = desk.timer(11.0)

    assert before_its_age == []
    assert at_its_age == ["cancel #1", "#2 bid 990 x 5"]


def test_leaving_things_as_they_are_changes_nothing() -> None:
    desk = Scripted()
    desk.want(bid(0, 990, 5))
    desk.script.wants = None

    assert desk.ask() == []
    assert desk.open == [1]


def test_what_remains_of_an_order_is_compared_with_what_is_wanted() -> None:
    desk = Scripted(tolerance_size=0.5)
    desk.want(bid(0, 990, 10))
    desk.accept(1.1, 1)

    half_left = desk.fill(1.2, 1, 5)
    less_left = desk.fill(1.3, 1, 1)

    assert half_left == []
    assert less_left == ["cancel #1", "#2 bid 990 x 10"]


def test_the_farthest_level_is_cut_first_by_the_position() -> None:
    desk = Scripted(max_position=12)

    asked = desk.want(bid(0, 990, 5), bid(1, 980, 5), bid(2, 970, 5), ask(0, 1010, 7), ask(1, 1020, 7), ask(2, 1030, 1))

    assert asked == ["#1 bid 990 x 5", "#2 bid 980 x 5", "#3 bid 970 x 2", "#4 ask 1010 x 7", "#5 ask 1020 x 5"]
    assert desk.refused(Refusal.POSITION) == 1


def test_asks_are_cut_to_what_is_held() -> None:
    desk = Scripted(start_position=8, target=8)

    assert desk.want(ask(0, 1010, 5), ask(1, 1020, 5)) == ["#1 ask 1010 x 5", "#2 ask 1020 x 3"]


def test_bids_are_cut_to_what_can_be_paid_fee_included() -> None:
    # A lot at 990 costs 1 980 quanta and, at 10 bps, a fee of 1.98, rounded up to 2.
    desk = Scripted(start_cash=3 * 1982 - 1, maker_fee_e8=100_000, start_position=0, target=0)

    assert desk.want(bid(0, 990, 5)) == ["#1 bid 990 x 2"]


def test_a_rebate_pays_for_nothing() -> None:
    desk = Scripted(start_cash=2 * 1980, maker_fee_e8=-100_000, start_position=0, target=0)

    assert desk.want(bid(0, 990, 5)) == ["#1 bid 990 x 2"]


@pytest.mark.parametrize(("tif", "cost"), [(POST, 2_000 + 2), (LIMIT, 2_000 + 10), (IOC, 2_000 + 10)])
def test_an_order_that_may_take_is_reckoned_at_the_dearer_fee(tif: int, cost: int) -> None:
    desk = Scripted(maker_fee_e8=100_000, taker_fee_e8=500_000)

    assert lot_cost(desk.engine.params, 1000, tif) == cost


def test_a_level_that_is_cut_is_placed_in_full_once_there_is_room() -> None:
    desk = Scripted(max_position=8)
    desk.want(bid(0, 990, 5), bid(1, 980, 5), ask(0, 1010, 4))
    desk.accept(1.0, 1, 2, 3)

    asked = [*desk.fill(1.5, 3, 4), *desk.cancelled(1.6, 2)]

    assert asked == ["cancel #2", "#4 ask 1010 x 4", "#5 bid 980 x 5"]


def test_a_successor_waits_for_the_end_of_its_predecessor_where_both_do_not_fit() -> None:
    desk = Scripted(max_position=8)
    desk.want(bid(0, 990, 8))
    desk.accept(1.0, 1)

    at_once = desk.want(bid(0, 991, 8))
    after_the_news = desk.cancelled(2.5, 1)

    assert at_once == ["cancel #1"]
    assert after_the_news == ["#2 bid 991 x 8"]


def test_a_successor_does_not_wait_where_both_fit() -> None:
    desk = Scripted(max_position=16)
    desk.want(bid(0, 990, 8))
    desk.accept(1.0, 1)

    assert desk.want(bid(0, 991, 8)) == ["cancel #1", "#2 bid 991 x 8"]


def test_a_predecessor_that_fills_while_dying_takes_its_room_with_it() -> None:
    desk = Scripted(max_position=8)
    desk.want(bid(0, 990, 8))
    desk.want(bid(0, 991, 8))

    desk.fill(2.3, 1, 6)
    asked = desk.cancelled(2.5, 1)

    assert asked == ["#2 bid 991 x 2"]


def test_a_part_of_a_level_is_not_placed_to_be_replaced_at_once() -> None:
    # Ten lots may be bought yet; four of them rest, and ten are wanted.
    desk = Scripted(max_position=10)
    desk.want(bid(0, 990, 4))
    desk.accept(1.0, 1)

    asked = [*desk.want(bid(0, 990, 20)), *desk.cancelled(2.5, 1), *desk.accept(2.5, 2), *desk.timer(3.0)]

    assert asked == ["cancel #1", "#2 bid 990 x 10"]


def test_a_level_cut_to_nothing_is_not_cancelled_and_placed_at_once() -> None:
    # The nearest level is refused for its notional; its share of the balance is kept for it nevertheless.
    desk = Scripted(max_position=30, max_order_notional=40_000)
    desk.want(bid(1, 980, 13))
    desk.accept(1.0, 1)

    asked = [*desk.want(bid(0, 990, 26), bid(1, 980, 13)), *desk.cancelled(2.5, 1), *desk.timer(3.0)]

    assert asked == ["cancel #1", "#2 bid 980 x 4"]


def test_a_level_that_may_never_be_whole_is_placed_with_what_there_is() -> None:
    desk = Scripted(max_position=12, tolerance_size=0.5)
    desk.want(bid(1, 980, 8))
    desk.accept(1.0, 1)

    asked = desk.want(bid(0, 990, 6), bid(1, 980, 8))

    assert asked == ["#2 bid 990 x 4"]


def test_new_orders_never_cross_our_own() -> None:
    desk = Scripted()

    assert desk.want(bid(0, 1000, 5), ask(0, 1000, 5), ask(1, 1001, 5)) == ["#1 bid 1000 x 5", "#2 ask 1001 x 5"]
    assert desk.refused(Refusal.OWN_ORDER) == 1


def test_new_orders_never_cross_our_own_dying_ones() -> None:
    desk = Scripted()
    desk.want(ask(0, 1000, 5))
    desk.accept(1.0, 1)

    at_once = desk.want(bid(0, 1000, 5), ask(0, 1010, 5))
    after_the_news = desk.cancelled(2.5, 1)

    assert at_once == ["cancel #1", "#2 ask 1010 x 5"]
    assert after_the_news == ["#3 bid 1000 x 5"]


# Who comes first under a cap.

FOUR = [(0.01, 5), (0.02, 5), (0.03, 5), (0.04, 5)]
BOTH_SIDES = ["#1 bid 990 x 5", "#2 bid 980 x 5", "#3 ask 1010 x 5", "#4 ask 1020 x 5"]


@pytest.mark.parametrize(
    ("cap", "asked"),
    [
        ({"max_orders_per_minute": 4}, BOTH_SIDES),
        ({"max_open_orders": 4}, BOTH_SIDES),
        ({"max_total_notional": 5 * 2 * (990 + 1010 + 980 + 1020)}, BOTH_SIDES),
        ({"max_orders_per_minute": 1}, ["#1 bid 990 x 5"]),
        ({"max_orders_per_minute": 3}, ["#1 bid 990 x 5", "#2 bid 980 x 5", "#3 ask 1010 x 5"]),
        # What one side has no use for is for the other.
        ({"max_orders_per_minute": 4, "start_position": 0, "target": 0}, [f"#{k + 1} bid {990 - 10 * k} x 5" for k in range(4)]),
        ({"max_orders_per_minute": 4, "start_cash": 0}, [f"#{k + 1} ask {1010 + 10 * k} x 5" for k in range(4)]),
    ],
)  # fmt: skip
def test_under_a_cap_the_nearest_levels_of_both_sides_come_first(cap: dict[str, int], asked: list[str]) -> None:
    desk = Desk(bids=FOUR, asks=FOUR, **cap)

    assert desk.trade(0, 1000, 10) == asked


def test_without_a_cap_a_batch_stands_as_ever_bids_before_asks() -> None:
    desk = Desk(bids=FOUR, asks=FOUR)

    asked = [line.split(" x")[0] for line in desk.trade(0, 1000, 10)]

    bids = [f"#{k + 1} bid {990 - 10 * k}" for k in range(4)]
    assert asked == bids + [f"#{k + 5} ask {1010 + 10 * k}" for k in range(4)]


def test_under_a_cap_of_cancels_the_nearest_orders_of_both_sides_go_first() -> None:
    desk = Desk(bids=FOUR, asks=FOUR, max_cancels_per_minute=4, threshold=0.01)
    desk.trade(0, 1000, 10)
    desk.accept(0, *range(1, 9))

    asked = desk.trade(1, 1040, 10)

    cancels = [line for line in asked if line.startswith("cancel")]
    assert cancels == ["cancel #1", "cancel #2", "cancel #5", "cancel #6"]
    assert desk.refused(Refusal.CANCEL_RATE) == 4


def test_an_order_that_stayed_for_want_of_a_cancel_goes_when_one_is_to_be_had() -> None:
    desk = Desk(bids=FOUR, asks=FOUR, max_cancels_per_minute=4, threshold=0.01)
    desk.trade(0, 1000, 10)
    desk.accept(0, *range(1, 9))
    for order in desk_cancels(desk.trade(1, 1040, 10)):
        desk.cancelled(1.1, order)
    desk.timer(2)

    woken_at = desk.wakes_at
    asked = desk.timer()

    assert woken_at == 61.0
    assert desk_cancels(asked) == [3, 4, 7, 8]


def desk_cancels(asked: list[str]) -> list[int]:
    return [int(line.removeprefix("cancel #")) for line in asked if line.startswith("cancel")]


def test_a_users_rows_are_served_as_they_are_written() -> None:
    desk = Scripted(max_orders_per_minute=2)

    assert desk.want(ask(1, 1020, 5), ask(0, 1010, 5), bid(0, 990, 5)) == ["#1 ask 1020 x 5", "#2 ask 1010 x 5"]


wants = st.lists(
    st.tuples(
        st.sampled_from([1, -1]),
        st.integers(0, 3),
        st.integers(980, 1020),
        st.integers(1, 30),
        st.sampled_from([0, 1, 2]),
    ),
    max_size=8,
)


@given(wants, wants)
def test_orders_in_are_orders_out(one: list[Want], other: list[Want]) -> None:
    desk = Scripted(tolerance=0.005, tolerance_size=0.3)
    desk.want(*one)
    before = set(desk.open)

    asked = desk.want(*other)

    cancelled = {int(line.removeprefix("cancel #")) for line in asked if line.startswith("cancel")}
    placed = {int(line.split()[0].removeprefix("#")) for line in asked if line.startswith("#")}
    dying = cancelled | {order for order, intent in desk.asked.items() if intent.tif == IOC}
    assert len(asked) == len(cancelled) + len(placed)
    assert cancelled <= before
    assert set(desk.open) == before | placed
    assert desk.state.n_live == len(set(desk.open) - dying)
