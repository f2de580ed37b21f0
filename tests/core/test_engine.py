"""What the engine makes of events, those that no tape has among them, and of its own memory."""

from collections.abc import Sequence
from typing import Any

import pytest
from desk import SECOND, START_NS, Desk, params

from bmv.core.engine import Engine
from bmv.core.tell import tell
from bmv.ports.messages import Command, Event, Intent, Kind, Refusal, Verb

BOTH = ["#1 bid 990 x 5", "#2 ask 1010 x 5"]


def quoting(**settings: Any) -> Desk:
    desk = Desk(**settings)
    assert desk.trade(0, 1000, 10) == BOTH
    desk.accept(0.0, 1, 2)
    return desk


# Market data.


@pytest.mark.parametrize(
    ("quotes", "mid2"),
    [
        ([], 2000),  # Before any quote, the last trade's price.
        ([(999, 1003)], 2002),
        ([(1000, 1000)], 2000),  # A locked quote has a mid.
        ([(999, 1003), (1004, 1003)], 2002),  # A crossed one leaves it,
        ([(999, 1003), (900, 0)], 2002),  # and so does one with a side absent,
        ([(999, 1003), (0, 0)], 2002),  # or both.
        ([(900, 0)], 2000),
    ],
)
def test_the_mid_is_that_of_the_last_quote_that_has_one(quotes: Sequence[tuple[int, int]], mid2: int) -> None:
    desk = Desk()
    desk.trade(0, 1000, 10)

    for at, (bid, ask) in enumerate(quotes):
        desk.quote(1 + at, bid, ask)

    assert desk.state.mid2 == mid2


def test_a_trade_moves_the_mid_only_before_the_first_quote() -> None:
    desk, mids = Desk(), list[int]()

    for price in (1000, 1010):
        desk.trade(len(mids), price)
        mids.append(desk.state.mid2)
    desk.quote(2, 999, 1001)
    desk.trade(3, 1020)

    assert [*mids, desk.state.mid2] == [2000, 2020, 2000]


def test_a_change_of_depth_is_market_data_like_a_quote() -> None:
    desk = Desk(max_last_trade=0.0)
    event = Event(Kind.DEPTH, START_NS, side=1, price=995, size=5, bid=998, bid_size=4, ask=1002, ask_size=6)

    desk.tell(event)

    assert (desk.state.bid, desk.state.bid_size, desk.state.ask, desk.state.ask_size) == (998, 4, 1002, 6)
    assert desk.state.mid2 == 2000


# Reports.


def test_a_purchase_is_paid_for_with_its_fee_and_a_sale_brings_in() -> None:
    desk = quoting(fill_delay_ns=SECOND)

    desk.fill(1, 1, 3, fee=7)
    bought = desk.state.position, desk.state.cash
    desk.fill(2, 2, 4, fee=-2)

    assert bought == (103, 10_000_000 - 2 * 990 * 3 - 7)
    assert (desk.state.position, desk.state.cash) == (99, bought[1] + 2 * 1010 * 4 + 2)


def test_a_fill_moves_the_centre_by_the_inventory() -> None:
    desk = quoting(price_skew=0.04, max_position=100)

    desk.fill(1, 1, 5)

    assert desk.state.centre == pytest.approx(1000 * (1 - 0.04 * 0.05))


def test_an_order_that_is_filled_is_gone() -> None:
    desk = quoting(fill_delay_ns=SECOND)

    desk.fill(1, 1, 2)
    in_part = desk.open
    desk.fill(2, 1, 3)

    assert (in_part, desk.open) == ([1, 2], [2])


def test_a_fill_of_an_order_that_is_no_longer_known_still_counts() -> None:
    desk = quoting(fill_delay_ns=SECOND)
    desk.fill(1, 1, 5)

    desk.fill(2, 1, 5)

    assert desk.state.position == 110
    assert desk.open == [2]


@pytest.mark.parametrize("end", [Desk.cancelled, Desk.rejected, Desk.expired])
def test_an_order_whose_end_is_told_is_gone(end: object) -> None:
    desk = quoting(min_interval_ns=9 * SECOND)

    end(desk, 1, 1)  # type: ignore[operator]  # A method.

    assert desk.open == [2]


def test_a_dying_order_stays_dying_when_its_acceptance_comes_late() -> None:
    desk = Desk()
    desk.trade(0, 1000, 10)
    desk.command(1, Command.PAUSE)

    desk.accept(2, 1, 2)

    assert desk.state.n_live == 0
    assert desk.command(3, Command.PAUSE) == []


# What no tape has.


def test_a_balance_is_believed() -> None:
    desk = quoting(price_skew=0.04)

    asked = desk.balance(1, 150, 5_000)

    assert (desk.state.position, desk.state.cash) == (150, 5_000)
    assert desk.state.centre == pytest.approx(1000 * (1 - 0.04 * 0.5))
    assert asked == ["cancel #1", "cancel #2"]  # What comes next waits for their end: neither would fit beside them.


def test_a_balance_that_pays_for_nothing_more_leaves_only_asks() -> None:
    desk = quoting()

    desk.balance(1, 100, 0)
    asked = desk.trade(2, 1020, 10)

    assert asked == ["cancel #1", "cancel #2", "#3 ask 1021 x 5"]
    assert desk.refused(Refusal.BALANCE) == 1


def test_the_reference_price_draws_the_centre() -> None:
    desk = Desk(reference_weight=0.5)

    without = desk.trade(0, 1000, 10)
    drawn = desk.reference(1, 1020)

    assert without == []
    assert desk.refused(Refusal.NO_PIVOT) == 1
    assert desk.state.pivot == pytest.approx(1010.0)
    assert drawn == ["#1 bid 999 x 5", "#2 ask 1021 x 5"]


def test_a_reference_that_is_lost_withdraws_the_grid_that_leant_on_it() -> None:
    desk = Desk(reference_weight=0.5)
    desk.trade(0, 1000, 10)
    desk.reference(1, 1020)

    assert desk.reference(2, 0) == ["cancel all"]


def test_a_reference_means_nothing_where_none_is_asked_for() -> None:
    desk = quoting()

    assert desk.reference(1, 5) == []
    assert desk.state.pivot == pytest.approx(1000.0)


@pytest.mark.parametrize("command", [Command.RESUME, Command.REARM])
def test_a_command_that_takes_nothing_back_disturbs_no_order(command: Command) -> None:
    desk = quoting()

    assert desk.command(1, command) == []
    assert desk.open == [1, 2]


def test_a_feed_that_was_never_down_comes_up_without_a_word() -> None:
    desk = quoting()

    assert desk.feed(1, up=True) == []


def test_pause_outlasts_a_feed_that_comes_and_goes() -> None:
    desk = quoting()
    desk.command(1, Command.PAUSE)

    asked = [desk.feed(2, up=False), desk.feed(3, up=True), desk.quote(4, 999, 1001)]

    assert asked == [[], [], []]
    assert desk.state.n_live == 0


# Time.


def test_an_engine_that_waits_for_nothing_is_never_woken() -> None:
    desk = Desk()
    desk.quote(0, 999, 1001)

    assert desk.wakes_at is None


def test_a_timer_that_was_not_asked_for_changes_nothing() -> None:
    desk = quoting()

    assert [desk.timer(at) for at in (1, 2, 500)] == [[], [], []]
    assert desk.state.requotes == 1


def test_a_grid_without_trades_is_withdrawn_when_the_last_leaves_the_history() -> None:
    desk = quoting()
    desk.timer(1)

    woken_at = desk.wakes_at

    assert woken_at == 1000.000000001
    assert desk.timer(1000.0) == []
    assert desk.timer(1000.000000001) == ["cancel all"]


def test_a_closed_engine_hears_and_asks_for_nothing() -> None:
    desk = quoting()
    desk.state.closed = 1

    asked = [desk.fill(1, 1, 5), desk.trade(2, 2000, 10), desk.quote(3, 1, 2)]

    assert asked == [[], [], []]
    assert desk.state.position == 105


# Memory.


def test_a_copy_of_the_states_bytes_is_the_engine() -> None:
    desk, copy = quoting(), quoting()
    desk.trade(5, 1014, 10)
    bytes_of = [each.state.memory_block.view("u1") for each in (desk, copy)]  # type: ignore[attr-defined]
    address = copy.state.history_at
    copy.trade(5, 1014, 10)

    bytes_of[1][:] = bytes_of[0]
    copy.state.history_at = address
    answers = [(each.trade(9, 1050, 20), each.engine.digest) for each in (desk, copy)]

    assert answers[0] == answers[1]
    assert answers[0][0] != []


def test_two_engines_that_hear_the_same_say_the_same() -> None:
    one, other = quoting(), quoting()

    assert one.engine.digest == other.engine.digest
    one.quote(1, 999, 1001)
    assert one.engine.digest != other.engine.digest


def test_an_engine_tells_what_it_stands_for() -> None:
    assert repr(quoting().engine) == "<Engine pivot 1000.00 ticks, 100 lots and 10000000 quanta, 2 orders, armed>"


# The way of an event.


class Told:
    """A journal and an execution that remember what they were told, in one list."""

    def __init__(self) -> None:
        self.words: list[tuple[str, object]] = []

    def event(self, event: Event) -> None:
        self.words.append(("kept event", event.kind))

    def intent(self, intent: Intent) -> None:
        self.words.append(("kept intent", intent.order))

    def submit(self, batch: Sequence[Intent]) -> None:
        self.words.append(("submitted", [(intent.verb, intent.order) for intent in batch]))


def test_everything_is_kept_before_anything_is_sent_and_the_intents_of_a_step_travel_together() -> None:
    engine, told = Engine(params()), Told()

    tell(engine, told, told, Event(Kind.QUOTE, START_NS, bid=999, ask=1001))
    tell(engine, told, told, Event(Kind.TRADE, START_NS, side=1, price=1000, size=10))
    tell(engine, told, told, Event(Kind.TRADE, START_NS + SECOND, side=1, price=1050, size=10))

    place, cancel = Verb.PLACE, Verb.CANCEL
    assert told.words == [
        ("kept event", Kind.QUOTE),
        ("kept event", Kind.TRADE), ("kept intent", 1), ("kept intent", 2),
        ("submitted", [(place, 1), (place, 2)]),
        ("kept event", Kind.TRADE), ("kept intent", 1), ("kept intent", 2), ("kept intent", 3), ("kept intent", 4),
        ("submitted", [(cancel, 1), (cancel, 2), (place, 3), (place, 4)]),
    ]  # fmt: skip
