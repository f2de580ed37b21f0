"""The pivot: worked by hand, and its rolling sums against the same sums taken anew."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from desk import SECOND, START_NS, Desk, params
from hypothesis import given
from hypothesis import strategies as st

from bmv.core.history import History
from bmv.core.params import Params
from bmv.core.pivot import blend, dynamic_vwap, learn, roll, room
from bmv.core.state import FAR_NS, State, fresh

Trade = tuple[int, int, int]  # Time, price, size.
SMALL_RING = 128  # Rows; it grows when 64 are left.


class Tape:
    """Trades in the windows of the pivot."""

    def __init__(self, **settings: Any) -> None:
        self.params: Params = params(**settings)
        self.state: State = fresh()
        self.history = History(self.state, SMALL_RING)

    def trade(self, ts_ns: int, price: int, size: int) -> None:
        self.history.make_room()
        learn(self.state, ts_ns, price, size)

    def at(self, now_ns: int) -> float:
        """Return the pivot."""
        roll(self.params, self.state, now_ns)
        return dynamic_vwap(self.params, self.state)


@pytest.mark.parametrize(
    ("now_ns", "pivot"),
    [
        # Short: 10 lots at 1100. Long: 20 lots at 1050, of which 100/1000 are to be expected in the short window.
        (200 * SECOND, (10 * 1100 + 2 * 1050) / 12),
        (300 * SECOND, (10 * 1100 + 2 * 1050) / 12),  # An age of exactly the window still counts.
        (300 * SECOND + 1, 1050.0),
        (1000 * SECOND, 1050.0),  # An age of exactly the history as well.
        (1000 * SECOND + 1, 1100.0),
        (1200 * SECOND, 1100.0),
        (1200 * SECOND + 1, 0.0),  # No trade in the history: no pivot.
    ],
)
def test_a_lively_tape_pulls_the_pivot_to_the_present_and_a_thin_one_leaves_it(now_ns: int, pivot: float) -> None:
    tape = Tape()
    tape.trade(0, 1000, 10)
    tape.trade(200 * SECOND, 1100, 10)

    assert tape.at(now_ns) == pytest.approx(pivot, rel=1e-14)


def test_the_first_trade_is_the_pivot() -> None:
    tape = Tape()

    tape.trade(5, 1234, 7)

    assert tape.at(5) == pytest.approx(1234.0, rel=1e-15)


def test_a_larger_trade_weighs_more() -> None:
    tape = Tape()

    tape.trade(5, 1000, 1)
    tape.trade(5, 1004, 3)

    assert tape.at(5) == pytest.approx(1003.0, rel=1e-15)


def test_windows_of_one_length_give_the_mean_of_both() -> None:
    tape = Tape(window_ns=SECOND, history_ns=SECOND)
    tape.trade(0, 1000, 1)
    tape.trade(SECOND, 1010, 1)

    assert tape.at(SECOND) == pytest.approx(1005.0, rel=1e-15)


def test_without_a_trade_there_is_no_pivot() -> None:
    assert Tape().at(START_NS) == 0.0


def test_nothing_expires_from_empty_windows() -> None:
    tape = Tape()
    tape.trade(0, 1000, 10)

    tape.at(10**15)

    assert tape.state.expiry_ns == FAR_NS


gaps = st.sampled_from([0, 0, 1, 3, 10, 11, 100, 101, 5_000])
prices_and_sizes = st.one_of(
    st.tuples(st.integers(1, 10**4), st.integers(1, 10**3)),
    st.tuples(st.integers(2**40 - 9, 2**40), st.integers(2**21 - 9, 2**21)),  # Together as large as money may be.
    st.tuples(st.integers(1, 9), st.integers(2**40 - 9, 2**40)),
)


@given(st.lists(st.tuples(gaps, prices_and_sizes), min_size=1, max_size=300))
def test_the_rolling_sums_are_those_of_the_trades_in_the_windows(steps: Sequence[tuple[int, tuple[int, int]]]) -> None:
    tape, trades, now_ns = Tape(window_ns=10, history_ns=100), list[Trade](), 0
    state = tape.state
    for gap, (price, size) in steps:
        now_ns += gap
        tape.trade(now_ns, price, size)
        trades.append((now_ns, price, size))

        pivot = tape.at(now_ns)

        short = [trade for trade in trades if now_ns - trade[0] <= 10]
        long = [trade for trade in trades if now_ns - trade[0] <= 100]
        assert state.short_volume == sum(size for _, _, size in short)
        assert state.long_volume == sum(size for _, _, size in long)
        assert state.short_high * 2**32 + state.short_low == sum(price * size for _, price, size in short)
        assert state.long_high * 2**32 + state.long_low == sum(price * size for _, price, size in long)
        assert abs(Fraction(pivot) - exact(short, long, Fraction(1, 10))) <= Fraction(pivot) / 10**14


def exact(short: Sequence[Trade], long: Sequence[Trade], share: Fraction) -> Fraction:
    """Return the pivot as the formula has it, without rounding."""
    volume_short, volume_long = (sum(size for _, _, size in trades) for trades in (short, long))
    price_short, price_long = (
        Fraction(sum(price * size for _, price, size in trades), volume)
        for trades, volume in ((short, volume_short), (long, volume_long))
    )
    weight = volume_short / (volume_short + volume_long * share)
    return weight * price_short + (1 - weight) * price_long


def test_the_limbs_of_the_sums_hold_a_day_of_the_largest_trades() -> None:
    tape = Tape(window_ns=10**15, history_ns=10**15)
    for i in range(2_000):
        tape.trade(i, 2**40, 2**21)

    assert tape.at(2_000) == pytest.approx(2.0**40, rel=1e-15)
    assert 0 <= tape.state.short_low < 2**62
    assert 0 <= tape.state.short_high < 2**62


def test_the_ring_grows_before_it_would_forget() -> None:
    tape = Tape(window_ns=10**6, history_ns=10**6)

    for i in range(1_000):
        tape.trade(i, 1 + i, 1)

    assert tape.state.history_rows >= 1_000
    assert room(tape.state) > 0
    assert tape.at(1_000) == pytest.approx(500.5, rel=1e-15)


def test_a_ring_whose_trades_leave_in_time_does_not_grow() -> None:
    tape = Tape(window_ns=5, history_ns=10)

    for i in range(1_000):
        tape.trade(i, 1 + i, 1)
        tape.at(i)

    assert tape.state.history_rows == SMALL_RING


@pytest.mark.parametrize(
    ("weight", "pivot", "reference", "blended"),
    [
        (0.0, 1000.0, 0, 1000.0),
        (0.0, 1000.0, 1100, 1000.0),
        (0.25, 1000.0, 1100, 1025.0),
        (1.0, 1000.0, 1100, 1100.0),
        (0.25, 1000.0, 0, 0.0),  # It is asked for and not there: no pivot.
        (0.25, 0.0, 1100, 0.0),  # A reference does not make a pivot of nothing.
    ],
)
def test_the_reference_price_draws_the_pivot(weight: float, pivot: float, reference: int, blended: float) -> None:
    assert blend(params(reference_weight=weight), pivot, reference) == blended


def test_trades_from_before_the_start_make_a_pivot_at_the_first_event() -> None:
    desk = Desk()
    desk.engine.seed(START_NS - 50 * SECOND, 1000, 5)
    desk.engine.seed(START_NS - 40 * SECOND, 1010, 5)

    asked = desk.quote(0, 900, 1100)

    assert desk.state.pivot == pytest.approx(1005.0)
    assert asked == ["#1 bid 994 x 5", "#2 ask 1016 x 5"]


def test_trades_from_before_the_start_leave_the_windows_like_others() -> None:
    desk = Desk()
    desk.engine.seed(START_NS - 1000 * SECOND, 2000, 5)
    desk.engine.seed(START_NS - 999 * SECOND, 1000, 5)

    at_the_edge = desk.quote(0, 900, 2100), desk.state.pivot
    desk.quote(0.5, 900, 2100)

    assert at_the_edge[1] == pytest.approx(1500.0)
    assert desk.timer(1.0 + 1e-9) == ["cancel all"]
    assert desk.state.pivot == 0.0
