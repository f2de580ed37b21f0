"""What may be spent on fees."""

from bmv.adapters.openbook.execution.purse import DAY_S, Purse


def test_a_purse_without_limits_allows_whatever_is_held() -> None:
    assert Purse().allows(0.0, 10**9, held=10**9)
    assert not Purse().allows(0.0, 10**9 + 1, held=10**9)


def test_placing_may_bring_a_days_costs_to_the_most_and_no_further() -> None:
    purse = Purse(day_max=10_000)
    purse.spend(0.0, 4_000)

    assert purse.allows(1.0, 6_000, held=10**9)
    assert not purse.allows(1.0, 6_001, held=10**9)


def test_what_was_spent_a_day_ago_counts_no_more() -> None:
    purse = Purse(day_max=10_000)
    purse.spend(0.0, 6_000)
    purse.spend(10.0, 4_000)

    assert purse.spent(DAY_S - 0.5) == 10_000
    assert purse.spent(DAY_S) == 4_000
    assert purse.allows(DAY_S, 6_000, held=10**9)
    assert not purse.allows(DAY_S, 6_001, held=10**9)


def test_so_much_is_left_in_the_wallet_that_cancels_can_be_paid_for() -> None:
    purse = Purse(floor=50_000)

    assert purse.allows(0.0, 5_000, held=55_000)
    assert not purse.allows(0.0, 5_001, held=55_000)
