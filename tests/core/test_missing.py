"""A level that is missing: when a grid is laid for it, when not, and that looking leaves no trace."""

from collections import Counter
from random import Random
from typing import Any

import pytest
from desk import SECOND, Desk
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from bmv.core.engine import would_serve
from bmv.core.params import Params
from bmv.core.record import fields
from bmv.core.state import State
from bmv.ports.messages import Command, Refusal

OCCURRED: Counter[str] = Counter()


class Venue:
    """Accepts what it is sent and ends what it is to cancel, 20 ms later; nothing is ever filled."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._due: list[tuple[float, str, int]] = []

    def hear(self, now: float, asked: list[str]) -> None:
        for line in asked:
            verb = "cancelled" if line.startswith("cancel") else "accept"
            self._due.append((now + 0.02, verb, int(line.removeprefix("cancel ").split()[0].removeprefix("#"))))

    def live_until(self, end: float) -> None:
        """Let reports and wakes come until `end`."""
        while True:
            report = self._due[0][0] if self._due else end
            wake = self.desk.wakes_at or end
            if min(report, wake) >= end:
                return
            if report <= wake:
                at, verb, order = self._due.pop(0)
                self.hear(at, getattr(self.desk, verb)(at, order))
            else:
                self.hear(wake, self.desk.timer())


def creep(desk: Desk, seconds: int, by: float, start: int = 100_000) -> None:
    """Let the market creep by `by` ticks a second."""
    venue = Venue(desk)
    for half in range(2 * seconds):
        now, price = half / 2, round(start + by * half / 2)
        venue.live_until(now)
        venue.hear(now, desk.quote(now, price - 5, price + 5))
        venue.hear(now, desk.trade(now, price, 10))


ASKS = [(0.02, 5), (0.021, 5)]
CREEPING: dict[str, Any] = {
    "asks": ASKS, "threshold": 0.002, "min_interval_ns": SECOND // 2, "window_ns": SECOND, "history_ns": 2 * SECOND,
    "max_position": 5000,
}  # fmt: skip


@pytest.mark.parametrize(
    ("by", "bids", "purse"),
    [(5.0, [(0.02, 5)], 0), (-5.0, [(0.02, 5)], 150_000), (-5.0, [(0.02, 5), (0.03, 7)], 0)],
)
def test_a_level_that_cannot_be_had_makes_no_grid(by: float, bids: list[tuple[float, int]], purse: int) -> None:
    without, beside = (Desk(bids=levels, start_cash=purse, **CREEPING) for levels in ((), bids))

    for desk in (without, beside):
        creep(desk, 300, by)

    assert without.state.requotes == beside.state.requotes == 8
    assert len(without.asked) == len(beside.asked) == 16  # A first grid of two asks, replaced seven times.
    assert beside.refused(Refusal.BALANCE) == 8 * len(bids)


@pytest.mark.parametrize("by", [5.0, -5.0])
def test_a_level_that_is_cut_does_not_grow_by_a_lot_with_each_step_of_the_market(by: float) -> None:
    # Some 700 of 1,000 lots can be paid for, one more for each fall of the price by a seventh of a percent. Each move
    # of the grid takes two steps: the bid's successor waits for the news of its end.
    desk = Desk(bids=[(0.02, 1000)], start_cash=700 * 196_000, **CREEPING)

    creep(desk, 300, by)

    assert desk.state.requotes == 8 + 7


@pytest.mark.parametrize("fall", [0, 1, 3])
def test_a_level_that_gave_way_does_not_make_the_grid_follow_the_touch(fall: int) -> None:
    # The pivot lies below the market, so both asks slide to one tick above the best bid, and the nearer stays.
    desk = Desk(bids=(), asks=[(0.0, 5), (0.001, 5)], threshold=0.05, min_interval_ns=SECOND // 2)
    desk.quote(0, 1200, 1202)
    first = desk.trade(0.2, 1000, 1_000_000)
    for half in range(2, 100):
        desk.quote(half / 2, 1200 - fall * half // 2, 1202)

    assert first == ["#1 ask 1201 x 5"]
    assert desk.state.requotes == 1


def test_a_level_that_gave_way_comes_back_as_soon_as_the_touch_leaves_it_room() -> None:
    desk = Desk(bids=(), asks=[(0.0, 5), (0.004, 6)], threshold=0.05)
    desk.quote(0, 1010, 1012)
    squeezed = desk.trade(1, 1000, 10)

    still = desk.quote(2, 1004, 1012)
    freed = desk.quote(3, 1003, 1012)

    assert squeezed == ["#1 ask 1011 x 5"]
    assert still == []
    assert freed == ["cancel #1", "#2 ask 1004 x 5", "#3 ask 1004 x 6"]


def test_a_level_that_gave_way_comes_back_when_the_pivot_leaves_it_room() -> None:
    desk = Desk(bids=[(0.0, 5), (0.004, 6)], asks=(), threshold=0.05)
    desk.quote(0, 988, 990)
    squeezed = desk.trade(1, 1000, 10)

    still = desk.trade(2, 995, 10)
    freed = desk.trade(3, 980, 20)

    assert squeezed == ["#1 bid 989 x 5"]
    assert still == []
    assert freed == ["cancel #1", "#2 bid 988 x 5", "#3 bid 984 x 6"]


def test_a_level_comes_back_when_a_balance_pays_for_it() -> None:
    desk = Desk(start_cash=0)
    desk.trade(0, 1000, 10)

    too_little = desk.balance(1, 100, 2 * 990 - 1)
    enough = desk.balance(2, 100, 2 * 990 * 5)

    assert (too_little, enough) == ([], ["#2 bid 990 x 5"])


def test_a_level_that_rests_in_part_is_made_whole_when_a_balance_pays_for_more() -> None:
    desk = Desk(start_cash=2 * 990 * 3)
    in_part = desk.trade(0, 1000, 10)
    desk.accept(0, 1, 2)

    more = desk.balance(1, 100, 2 * 990 * 5)
    whole = desk.cancelled(1.1, 1)

    assert in_part == ["#1 bid 990 x 3", "#2 ask 1010 x 5"]
    assert (more, whole) == (["cancel #1"], ["#3 bid 990 x 5"])


def test_a_balance_that_is_known_already_is_no_news() -> None:
    desk = Desk(bids=[(0.01, 500)], start_cash=2 * 990 * 300, max_position=5000, threshold=0.05)
    desk.trade(0, 1000, 10)
    desk.accept(0, 1, 2)

    for second in range(1, 50):
        desk.trade(second, 1000 - second // 3, 10)  # A lot more could be paid for now and then.
        desk.balance(second + 0.5, 100, 2 * 990 * 300)

    assert desk.state.requotes == 1


def test_a_level_refused_by_a_rate_limit_comes_when_that_frees() -> None:
    desk = Desk(bids=[(0.01, 5), (0.02, 5)], max_orders_per_minute=2)

    asked = desk.trade(0, 1000, 10)
    desk.accept(0, 1, 2)
    woken_at = desk.wakes_at
    desk.timer()

    assert asked == ["#1 bid 990 x 5", "#2 ask 1010 x 5"]
    assert woken_at == 1e-9  # To see that the first instant is over.
    assert desk.wakes_at == 60.0
    assert desk.timer() == ["#3 bid 980 x 5"]


def test_a_level_too_far_from_the_last_trade_is_looked_for_when_that_has_another_price() -> None:
    desk = Desk(bids=[(0.01, 5), (0.02, 5)], asks=(), max_last_trade=0.015, threshold=0.05)
    first = desk.trade(0, 1000, 10_000)
    desk.accept(0, 1)

    unchanged = [desk.quote(1, 995, 1005), desk.trade(2, 1000), desk.trade(3, 996)]
    near = desk.trade(4, 993)

    assert first == ["#1 bid 990 x 5"]
    assert unchanged == [[], [], []]
    assert near == ["cancel #1", "#2 bid 989 x 5", "#3 bid 979 x 5"]


def test_a_level_that_waits_for_a_dying_order_comes_with_the_news_of_its_end() -> None:
    desk = Desk(asks=(), bids=[(0.01, 8)], max_position=8, threshold=0.003)
    desk.trade(0, 1000, 10)
    desk.accept(0, 1)

    moved = desk.trade(5, 1007, 10)
    quotes = [desk.quote(5 + i / 10, 999, 1001) for i in range(1, 5)]
    news = desk.cancelled(6, 1)

    assert (moved, quotes, news) == (["cancel #1"], [[]] * 4, ["#2 bid 993 x 8"])


def test_a_level_that_may_rest_again_after_re_arming_is_laid() -> None:
    desk = Desk(bids=[(0.01, 5)], asks=[(0.01, 5)], reduce_ppm=1000, threshold=0.05)
    desk.trade(0, 1000, 10)
    desk.accept(0, 1, 2)

    loss = desk.fill(1, 1, 5, fee=100_000)  # Now only what was bought may be sold.
    waiting = [desk.trade(2 + second, 1000) for second in range(20)]
    asked = desk.command(30, Command.REARM)

    assert (loss, waiting) == ([], [[]] * 20)
    assert asked == ["#3 bid 990 x 5"]


def test_a_user_is_not_asked_again_for_what_cannot_be_had() -> None:
    asked: list[int] = []

    def greedy(params: object, state: object, memory: object, wanted: Any) -> int:
        asked.append(len(asked))
        wanted[0, :5] = 1, 0, 990, 5, 0
        wanted[1, :5] = -1, 0, 1010 + len(asked), 5, 0
        return 2

    desk = Desk(greedy, start_cash=0, threshold=0.01)
    desk.quote(0, 999, 1001)
    desk.accept(0.1, 1)
    desk.quote(1, 1015, 1017)
    in_vain = [desk.cancelled(1.1, 1), *(desk.balance(second, 100, second) for second in range(2, 20))]
    paid = desk.balance(30, 100, 2 * 990 * 5)

    assert in_vain == [[]] * 19
    assert paid == ["#3 bid 990 x 5"]
    assert asked == [0, 1, 2]


# Looking.

ROWS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.01, 0.3, 1.0, 9.0, 60.0]),
        st.sampled_from(["quote", "trade", "accept", "cancelled", "rejected", "timer", "balance"]),
        st.integers(-15, 15),
        st.integers(0, 50),
    ),
    min_size=20,
    max_size=80,
)
SCARCE = st.fixed_dictionaries(
    {
        "threshold": st.sampled_from([0.001, 0.02, 0.2]),
        "min_interval_ns": st.sampled_from([0, SECOND // 2]),
        "start_cash": st.sampled_from([0, 5_000, 20_000, 10_000_000]),
        "max_position": st.sampled_from([4, 12, 100]),
        "max_last_trade": st.sampled_from([0.0, 0.006]),
        "max_open_orders": st.sampled_from([3, 128]),
        "max_orders_per_minute": st.sampled_from([0, 5]),
        "max_cancels_per_minute": st.sampled_from([0, 3]),
        "max_total_notional": st.sampled_from([0, 25_000]),
        "tolerance_size": st.sampled_from([0.0, 0.3]),
    }
)
LADDER = ((0.0, 3), (0.002, 5), (0.006, 4))
A_LOOK_S_OWN = {"stirred", "retry_ns", "blocked", "far", "low_bid", "high_ask", "drawn_centre", "n_wanted", "n_owed"}


@seed(11)  # The same examples each time: who calls it counts what occurred in them.
@settings(deadline=None, print_blob=True, max_examples=30, database=None)
@given(rows=ROWS, knobs=SCARCE)
def _look_now_and_then(rows: list[tuple[float, str, int, int]], knobs: dict[str, Any]) -> None:
    desk = Desk(bids=LADDER, asks=LADDER, **knobs)
    now, price = 0.0, 1000
    for gap, what, move, pick in rows:
        now, price = now + gap, max(900, price + move)
        _happen(desk, now, what, price, pick)
        state = desk.state
        if state.missing and not state.withdrawn:
            before = _memory(desk)
            serves = would_serve(desk.engine.params, state)
            OCCURRED.update(looked=1, serves=serves)
            assert _memory(desk) == before
            state.stirred = 1  # The engine looks once more itself.


def _happen(desk: Desk, now: float, what: str, price: int, pick: int) -> None:
    if what == "quote":
        desk.quote(now, price - 1 - pick % 3, price + 1)
    elif what == "trade":
        desk.trade(now, price, 1 + pick)
    elif what == "timer":
        desk.timer(now)
    elif what == "balance":
        desk.balance(now, 100, pick * 500)
    elif desk.open:
        getattr(desk, what)(now, desk.open[pick % len(desk.open)])


def _memory(desk: Desk) -> list[object]:
    """Return all that a look must leave alone."""
    state = desk.state
    plain = {name: value for name, value in fields(state).items() if name not in A_LOOK_S_OWN}
    tables = (state.orders[: state.n_orders], state.refusals, state.placed_ns, state.cancelled_ns, state.lacks)
    return [plain, *(table.tobytes() for table in tables)]


def _both(usual: Desk, vigilant: Desk, now: float, what: str, price: int, pick: int) -> None:
    """Let something happen to two engines, of which one looks at every event."""
    state = vigilant.state
    state.stirred = max(state.stirred, state.missing)
    state.calm = 0
    requotes = state.requotes
    for desk in (usual, vigilant):
        _happen(desk, now, what, price, pick)
    OCCURRED.update(missing=state.missing, requoted=state.requotes - requotes, blocked=usual.state.blocked)
    assert usual.engine.digest == vigilant.engine.digest


def _live_in_step(seed: int) -> None:
    """Let chance happen to both engines; the pivot, the touch and our own orders move in and out of each other's way."""
    dice = Random(seed)
    knobs = {"threshold": dice.choice([0.001, 0.02, 0.2]), "min_interval_ns": dice.choice([0, SECOND // 2])}
    usual, vigilant = (Desk(bids=LADDER, asks=(), max_position=1000, **knobs) for _ in range(2))
    now, price = 0.0, 1000
    for _ in range(60):
        now += dice.choice([0.0, 0.01, 0.3, 1.0, 9.0, 60.0])
        price = max(900, price + dice.randint(-15, 15))
        while usual.wakes_at is not None and usual.wakes_at < now:
            _both(usual, vigilant, usual.wakes_at, "timer", 0, 0)
        what = dice.choice(["quote", "trade", "accept", "cancelled", "rejected", "timer"])
        _both(usual, vigilant, now, what, price, dice.randint(0, 50))


def test_no_event_is_slept_through_that_lets_in_a_level_that_gave_way() -> None:
    OCCURRED.clear()

    for number in range(40):
        print(f"seed {number}")
        _live_in_step(number)

    assert OCCURRED["missing"] > 500, OCCURRED
    assert OCCURRED["blocked"] > 300, OCCURRED
    assert OCCURRED["requoted"] > 200, OCCURRED


def test_looking_says_no_word_counts_nothing_and_changes_nothing() -> None:
    OCCURRED.clear()

    _look_now_and_then()

    assert OCCURRED["looked"] > 200, OCCURRED
    assert OCCURRED["serves"] > 5, OCCURRED


def two_bids(first: int, second: int) -> Desk:
    """Return a desk whose strategy wants two bids of these levels, a little below the touch, where cash pays for two."""

    def verb(params: Params, state: State, memory: Any, wanted: Any) -> int:
        for row, level in enumerate((first, second)):
            wanted[row, :5] = (1, level, state.bid - 50 - 10 * row, 5, 0)
        return 2 if state.bid else 0

    return Desk(verb, threshold=0.0005, min_interval_ns=0, start_cash=2 * 2 * 5 * 101_000)


@pytest.mark.parametrize("level", [-1, 0])
def test_of_two_rows_of_one_level_the_second_is_served_as_one_of_another_level(level: int) -> None:
    apart, alike = two_bids(0, 1), two_bids(level, level)

    for desk in (apart, alike):
        creep(desk, 300, -5.0)

    assert len(alike.asked) == len(apart.asked) > 20
