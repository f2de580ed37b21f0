"""What may be spent on fees."""

from bmv.adapters.openbook.execution.purse import HOUR_NS, Purse
from bmv.data.journal.spending import DAY_NS, MINUTE_NS, TIPPED, Spending, read_spent

NOW = 20_000 * DAY_NS  # The first instant of a minute, and of a day.
MUCH = 10**9


def test_a_purse_without_limits_allows_whatever_is_held() -> None:
    assert Purse().allows(NOW, MUCH, held=MUCH)
    assert not Purse().allows(NOW, MUCH + 1, held=MUCH)


def test_placing_may_bring_a_days_costs_to_the_most_and_no_further() -> None:
    purse = Purse(day_max=10_000)
    purse.spend("a", NOW, 4_000)

    assert purse.allows(NOW + 1, 6_000, held=MUCH)
    assert not purse.allows(NOW + 1, 6_001, held=MUCH)


def test_what_was_spent_a_day_ago_counts_no_more() -> None:
    purse = Purse(day_max=10_000)
    purse.spend("a", NOW, 6_000)
    purse.spend("b", NOW + MINUTE_NS, 4_000)

    assert purse.spent(NOW + DAY_NS + MINUTE_NS - 1) == 10_000
    assert purse.spent(NOW + DAY_NS + MINUTE_NS) == 4_000
    assert purse.allows(NOW + DAY_NS + MINUTE_NS, 6_000, held=MUCH)
    assert not purse.allows(NOW + DAY_NS + MINUTE_NS, 6_001, held=MUCH)


def test_what_was_spent_in_an_hour_is_known_by_itself() -> None:
    purse = Purse()
    purse.spend("a", NOW, 6_000)
    purse.spend("b", NOW + 90 * MINUTE_NS, 4_000)

    assert purse.spent(NOW + 90 * MINUTE_NS, span_ns=60 * MINUTE_NS) == 4_000


def test_what_never_landed_cost_nothing_and_what_failed_cost_its_fee() -> None:
    purse = Purse(day_max=10_000)
    purse.spend("expired", NOW, 6_000)
    purse.spend("failed", NOW, 4_000)

    purse.end("expired", landed=False)
    purse.end("failed", landed=True)

    assert purse.spent(NOW) == 4_000


def test_so_much_is_left_in_the_wallet_that_cancels_can_be_paid_for() -> None:
    purse = Purse(floor=50_000)

    assert purse.allows(NOW, 5_000, held=55_000)
    assert not purse.allows(NOW, 5_001, held=55_000)


def test_what_earlier_processes_spent_counts_as_ours() -> None:
    before = Spending()
    before.keep("ended", NOW, 6_000)
    before.end("ended", landed=True)
    before.keep("alive", NOW + MINUTE_NS, 3_000)
    purse = Purse(day_max=10_000)

    purse.inherit(before, NOW + 10 * MINUTE_NS)

    assert purse.allows(NOW + 10 * MINUTE_NS, 1_000, held=MUCH)
    assert not purse.allows(NOW + 10 * MINUTE_NS, 1_001, held=MUCH)
    purse.end("alive", landed=False)
    assert purse.spent(NOW + DAY_NS) == 6_000
    assert purse.spent(NOW + DAY_NS + MINUTE_NS) == 0


def test_what_a_clock_that_was_ahead_dated_later_than_now_counts_for_a_day_from_now_and_no_longer() -> None:
    ahead = Spending()
    ahead.keep("ended", NOW + 300 * DAY_NS, 6_000)
    ahead.end("ended", landed=True)
    ahead.keep("alive", NOW + 300 * DAY_NS, 3_000)
    purse = Purse()

    purse.inherit(ahead, NOW)

    assert purse.spent(NOW) == purse.spent(NOW + DAY_NS) == 9_000
    assert purse.spent(NOW + DAY_NS + MINUTE_NS) == 0
    purse.end("alive", landed=False)
    assert purse.spent(NOW) == 6_000


def test_tips_have_caps_of_their_own_and_an_hour_later_there_is_room_again() -> None:
    purse = Purse(tip_hour_max=10_000, tip_day_max=15_000)
    purse.spend("a", NOW, 15_000, tip=9_000)

    assert not purse.allows(NOW, 7_000, 10**9, tips=1_001)
    assert purse.allows(NOW, 7_000, 10**9, tips=1_000)
    assert purse.tip_room(NOW) == 1_000
    assert purse.tip_room(NOW + HOUR_NS + MINUTE_NS) == 6_000, "what the day has left"


def test_a_tip_that_was_not_paid_is_given_back_whether_it_failed_or_never_landed() -> None:
    purse = Purse(tip_hour_max=10_000)
    for name in ("failed", "expired", "landed"):
        purse.spend(name, NOW, 6_000, tip=1_000)
    purse.end("failed", landed=True, failed=True)
    purse.end("expired", landed=False)
    purse.end("landed", landed=True)

    assert purse.spent(NOW) == 5_000 + 6_000
    assert purse.tip_room(NOW) == 9_000


def test_an_hours_cap_on_all_fees_holds_back_placing_and_bounds_the_tip_of_a_cancel() -> None:
    purse = Purse(hour_max=20_000)
    purse.spend("a", NOW, 15_500)

    assert purse.allows(NOW, 4_500, 10**9)
    assert not purse.allows(NOW, 4_501, 10**9)
    assert purse.tip_room(NOW) == 4_500


def test_tips_that_earlier_processes_paid_count_whatever_killed_them() -> None:
    before = Spending()
    before.keep("a", NOW, 9_000, tip=4_000)
    before.keep("b", NOW, 9_000, tip=3_000)
    before.end("a", landed=True)

    passed_on = Spending()
    for note in before.notes(NOW):
        add = passed_on.tips.add if note.topic == TIPPED else passed_on.add
        for minute, lamports in read_spent(note).items():
            add(minute, lamports)
    passed_on.keep("b", NOW, 9_000, tip=3_000)
    purse = Purse(tip_hour_max=10_000)
    purse.inherit(passed_on, NOW)

    assert purse.tip_room(NOW) == 3_000
    assert purse.spent(NOW) == 18_000
