"""The circuit breaker: what trips it, what each tier does, and that only an operator takes it back.

A desk of 100 lots at 1000 (200 000 quanta, for a tick of a lot is two) beside 50 000 in quote: an equity of 250 000.
Each tick of the mid is 200 quanta.
"""

from typing import Any

import pytest
from desk import DAY_ENDS, SECOND, Desk

from bmv.core.breaker import fall
from bmv.ports.messages import Cause, Command, Refusal, Tier

EQUITY = 250_000
PER_TICK = 200
BOTH = ["#1 bid 990 x 5", "#2 ask 1010 x 5"]


def owning(**settings: Any) -> Desk:
    """Return a desk that owns 250 000 quanta at a mid of 1000, and quotes around it."""
    desk = Desk(**{"start_cash": 50_000, "threshold": 0.5} | settings)
    desk.quote(0, 999, 1001)
    desk.trade(0, 1000, 10)
    desk.accept(0.0, *desk.open)
    return desk


def mid(desk: Desk, at: float, price: int) -> list[str]:
    """Let the mid be `price`."""
    return desk.quote(at, price - 1, price + 1)


def trips(desk: Desk) -> list[tuple[float, Tier, Cause, int]]:
    """Return what the breaker did: when (s), the tier, the cause, the equity."""
    kept = desk.state.trips[: desk.state.n_trips].tolist()
    start_ns = 1_700_000_000 * SECOND
    return [((ts - start_ns) / SECOND, Tier(tier), Cause(cause), equity) for ts, tier, cause, equity in kept]


@pytest.mark.parametrize(
    ("setting", "tier", "cause"),
    [
        ({"warn_ppm": 8_000}, Tier.WARN, Cause.DRAWDOWN),
        ({"reduce_ppm": 8_000}, Tier.REDUCE, Cause.DRAWDOWN),
        ({"halt_ppm": 8_000}, Tier.HALT, Cause.DRAWDOWN),
        ({"daily_ppm": 8_000}, Tier.HALT, Cause.DAILY),
        ({"max_loss": 2_000}, Tier.HALT, Cause.MAX_LOSS),
    ],
)
def test_a_tier_trips_at_its_fall_and_not_before(setting: dict[str, int], tier: Tier, cause: Cause) -> None:
    desk = owning(**setting)  # 8 000 parts per million of 250 000 are 2 000: ten ticks.

    mid(desk, 1, 991)
    before = trips(desk)
    mid(desk, 2, 990)

    assert before == []
    assert trips(desk) == [(2.0, tier, cause, EQUITY - 10 * PER_TICK)]


def test_a_fall_counts_from_the_peak() -> None:
    desk = owning(halt_ppm=8_000)

    mid(desk, 1, 1050)  # 260 000: the fall is 2 080 from here.
    mid(desk, 2, 1040)
    before = trips(desk)
    mid(desk, 3, 1039)

    assert before == []
    assert trips(desk) == [(3.0, Tier.HALT, Cause.DRAWDOWN, EQUITY + 39 * PER_TICK)]


def test_a_loss_counts_from_the_start() -> None:
    desk = owning(max_loss=2_000)

    mid(desk, 1, 1050)
    mid(desk, 2, 991)
    before = trips(desk)
    mid(desk, 3, 990)

    assert before == []
    assert len(trips(desk)) == 1


def test_a_daily_fall_counts_from_the_first_equity_of_the_utc_day() -> None:
    desk = owning(daily_ppm=8_000)

    mid(desk, 1, 995)
    mid(desk, DAY_ENDS - 1e-9, 994)
    mid(desk, DAY_ENDS, 986)  # A new day begins with this: a fall of 14 ticks from yesterday is none of today's.
    mid(desk, DAY_ENDS + 1, 977)
    before = trips(desk)
    mid(desk, DAY_ENDS + 2, 976)

    assert before == []
    assert [trip[1:3] for trip in trips(desk)] == [(Tier.HALT, Cause.DAILY)]


def test_one_fall_may_trip_every_tier() -> None:
    desk = owning(warn_ppm=1_000, reduce_ppm=2_000, halt_ppm=8_000, max_loss=1)

    asked = mid(desk, 1, 980)

    assert [trip[1:3] for trip in trips(desk)] == [
        (Tier.WARN, Cause.DRAWDOWN), (Tier.REDUCE, Cause.DRAWDOWN), (Tier.HALT, Cause.DRAWDOWN),
    ]  # fmt: skip
    assert asked == ["cancel all"]


def test_tiers_that_are_off_never_trip() -> None:
    desk = owning()

    mid(desk, 1, 2)

    assert trips(desk) == []


def test_equity_is_what_is_known_not_what_is_true() -> None:
    desk = owning(halt_ppm=8_000)

    desk.quote(1, 980, 0)  # One-sided: the mid stays.
    one_sided = trips(desk)
    desk.quote(2, 990, 980)  # Crossed: it stays as well.

    assert one_sided == trips(desk) == []


def test_a_fee_is_a_fall() -> None:
    desk = owning(halt_ppm=8_000)

    asked = desk.fill(1, 2, 5, fee=2_100)  # Sold five at 1010: 100 quanta more than at the mid, and the fee.

    assert trips(desk) == [(1.0, Tier.HALT, Cause.DRAWDOWN, EQUITY - 2_000)]
    assert asked == ["cancel all"]


def test_a_warning_changes_nothing() -> None:
    desk = owning(warn_ppm=1_000, threshold=0.0)

    mid(desk, 1, 998)
    asked = desk.fill(2, 1, 5)

    assert desk.state.tier == Tier.WARN
    assert asked == ["#3 bid 990 x 5"]


def test_a_breaker_does_not_come_back_by_itself() -> None:
    desk = owning(warn_ppm=1_000, halt_ppm=8_000)
    mid(desk, 1, 990)
    desk.cancelled(1.1, 1)
    desk.cancelled(1.1, 2)

    asked = [
        mid(desk, 2, 1100),
        desk.trade(3, 1100, 50),
        mid(desk, DAY_ENDS + 1, 1200),
        desk.command(9999, Command.RESUME),
    ]

    assert desk.state.tier == Tier.HALT
    assert asked == [[], [], [], []]
    assert desk.refused(Refusal.HALTED) == 1


def test_an_operator_re_arms_it_and_everything_counts_from_there() -> None:
    desk = owning(warn_ppm=1_000, halt_ppm=8_000, daily_ppm=9_000, max_loss=2_400)
    mid(desk, 1, 990)
    desk.cancelled(1.1, 1)
    desk.cancelled(1.1, 2)

    asked = desk.command(2, Command.REARM)
    mid(desk, 3, 981)  # 248 000 less 1 800; 0.8 % of it are 1 984.
    only_warned = trips(desk)[-1]
    mid(desk, 4, 980)

    assert asked == ["#3 bid 990 x 5", "#4 ask 1010 x 5"]
    assert trips(desk)[2] == (2.0, Tier.ARMED, Cause.REARM, EQUITY - 2_000)
    assert only_warned[1] == Tier.WARN
    assert trips(desk)[-1][1:3] == (Tier.HALT, Cause.DRAWDOWN)


def test_an_operator_halts() -> None:
    desk = owning()

    asked = desk.command(1, Command.HALT)
    again = desk.command(2, Command.HALT)

    assert (asked, again) == (["cancel all"], [])
    assert trips(desk) == [(1.0, Tier.HALT, Cause.OPERATOR, EQUITY)]


# Only reduce.


def test_what_adds_is_cancelled_at_once_and_what_reduces_stays() -> None:
    desk = owning(reduce_ppm=8_000, target=80, min_interval_ns=100 * SECOND, fill_delay_ns=100 * SECOND)

    assert mid(desk, 1, 990) == ["cancel #1"]


def test_a_grid_that_stood_back_for_what_was_cancelled_is_looked_at_with_the_next_event() -> None:
    desk = owning(reduce_ppm=8_000, target=80)

    mid(desk, 1, 990)

    assert desk.state.shed == 1
    assert desk.state.calm == 0


@pytest.mark.parametrize(("target", "asked"), [(100, ["cancel #1", "cancel #2"]), (120, ["cancel #2"])])
def test_at_its_target_nothing_reduces_and_below_it_only_bids_do(target: int, asked: list[str]) -> None:
    desk = owning(reduce_ppm=8_000, target=target)

    assert mid(desk, 1, 990) == asked


def test_an_order_that_would_reduce_too_far_is_replaced_by_one_that_does_not() -> None:
    desk = owning(reduce_ppm=8_000, target=97)

    at_once = mid(desk, 1, 990)
    desk.cancelled(1.1, 1)
    after_the_news = desk.cancelled(1.2, 2)

    assert at_once == ["cancel #1", "cancel #2"]
    assert after_the_news == ["#3 ask 1010 x 3"]


def test_a_dying_order_counts_when_it_is_asked_what_reduces() -> None:
    # Five too many are held; an ask of five is dying, another rests: both filled would be five too few.
    desk = owning(reduce_ppm=8_000, target=95, threshold=0.0)
    desk.trade(0.5, 1002, 10)
    dying = desk.open

    asked = mid(desk, 1, 990)

    assert dying == [1, 2, 3]
    assert asked == ["cancel #1", "cancel #3"]


def test_a_fill_that_trips_the_breaker_still_has_its_level_placed_anew() -> None:
    desk = owning(bids=[], asks=[(0.01, 2), (0.02, 3)], reduce_ppm=8_000, target=50)

    asked = desk.fill(1, 1, 2, fee=2_100)

    assert desk.state.tier == Tier.REDUCE
    assert asked == ["#3 ask 1010 x 2"]


@pytest.mark.parametrize(
    ("peak", "ppm", "fallen"),
    [(1_000_000, 15_000, 15_000), (10, 1, 1), (999_999, 10_000, 10_000), (0, 10_000, 0), (2**61, 10**6, 2**61)],
)
def test_a_fall_is_rounded_up_to_a_quantum(peak: int, ppm: int, fallen: int) -> None:
    assert fall(peak, ppm) == fallen


# Flatten.


def halted(**settings: Any) -> Desk:
    """Return a desk just halted at a mid of 990, 20 lots above its target, everything cancelled."""
    desk = owning(**{"halt_ppm": 8_000, "flatten": 1, "flatten_by": 0.01, "target": 80} | settings)
    assert mid(desk, 1, 990) == ["cancel all"]
    for order in desk.open:
        assert desk.cancelled(1.5, order) == []
    return desk


def test_a_halt_that_flattens_trades_back_to_the_target_within_a_band_around_the_touch() -> None:
    desk = halted()

    # The bid is 995: not below 985.05, so from 986.
    assert desk.quote(2, 995, 997) == ["#3 ask 986 x 20 ioc"]


def test_a_halt_that_flattens_buys_what_is_missing() -> None:
    desk = halted(target=110)

    assert desk.quote(2, 995, 997) == ["#3 bid 1006 x 10 ioc"]


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({"max_order_notional": 986 * 2 * 7}, 7),
        ({"max_order_notional": 986 * 2 * 7 - 1}, 6),
        ({"max_total_notional": 986 * 2 * 7}, 7),
        ({"max_total_notional": 986 * 2 * 7, "max_order_notional": 986 * 2 * 5}, 5),
    ],
)
def test_flattening_takes_pieces_where_a_limit_asks_for_it(settings: dict[str, int], size: int) -> None:
    desk = halted(bids=[], asks=[(0.01, 1)], **settings)

    assert desk.quote(2, 995, 997) == [f"#2 ask 986 x {size} ioc"]


def test_flattening_waits_until_every_order_is_gone() -> None:
    desk = owning(halt_ppm=8_000, flatten=1, target=80)
    mid(desk, 1, 990)
    desk.cancelled(1.5, 1)

    too_early = mid(desk, 2, 990)
    desk.cancelled(2.5, 2)

    assert too_early == []
    assert mid(desk, 3, 990) == ["#3 ask 989 x 20 ioc"]


def test_flattening_goes_on_until_the_target_is_reached() -> None:
    desk = halted(flatten_by=0.0)

    first = mid(desk, 2, 990)
    desk.accept(2.1, 3)
    desk.fill(2.1, 3, 12)
    waiting = mid(desk, 2.2, 990)
    desk.expired(2.3, 3)
    second = mid(desk, 3, 985)
    desk.fill(3.1, 4, 8)
    third = mid(desk, 4, 985)

    assert (first, waiting) == (["#3 ask 989 x 20 ioc"], [])
    assert (second, third) == (["#4 ask 984 x 8 ioc"], [])
    assert desk.state.position == 80


def test_flattening_keeps_the_interval_between_its_orders() -> None:
    desk = halted(min_interval_ns=10 * SECOND)

    early = mid(desk, 2, 990)
    first = mid(desk, 10, 990)
    desk.expired(10.1, 3)
    too_early = mid(desk, 19.9, 990)

    assert (early, too_early) == ([], [])
    assert first == ["#3 ask 980 x 20 ioc"]
    assert mid(desk, 20, 990) == ["#4 ask 980 x 20 ioc"]


def test_nothing_is_flattened_into_an_absent_side() -> None:
    desk = halted()

    assert desk.quote(2, 0, 997) == []
    assert desk.quote(3, 995, 0) == ["#3 ask 986 x 20 ioc"]


def test_a_halt_that_only_cancels_keeps_what_is_held() -> None:
    desk = halted(flatten=0)

    assert [mid(desk, at, 990) for at in range(2, 9)] == [[]] * 7


def test_an_operators_halt_flattens_as_well() -> None:
    desk = owning(flatten=1, target=80)
    desk.command(1, Command.HALT)
    desk.cancelled(1.1, 1)
    desk.cancelled(1.1, 2)

    assert mid(desk, 2, 990) == ["#3 ask 989 x 20 ioc"]
