"""What stands before us: each model alone, against formulas written a second time."""

from fractions import Fraction
from math import log1p

import pytest
from hypothesis import given
from hypothesis import strategies as st
from venues import params

from bmv.adapters.sim.params import QUEUE_BACK, QUEUE_FRONT, QUEUE_LOG, QUEUE_POWER
from bmv.adapters.sim.queue import UNKNOWN, join, ln1p, shrink

LOTS = st.integers(0, 10**6)
MODELS = [QUEUE_FRONT, QUEUE_BACK, QUEUE_POWER, QUEUE_LOG]


@st.composite
def changes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """What stood before us, what was shown, what is shown, and what was printed of the difference; lots."""
    before, shown = draw(LOTS), draw(LOTS)
    return draw(st.integers(0, before)), before, shown, draw(st.integers(0, 10**6))


def hftbacktest(ahead: float, before: int, shown: int, traded: int, likely_behind: float) -> float:
    """Return the queue after a change by hftbacktest's `ProbQueueModel::depth`, and never below 0.

    Written from its rule: what the prints do not explain of the decrease is split by the probability that it happened
    behind us, and what does not find room behind us happened before us.
    """
    unexplained = (before - shown) - traded
    if unexplained < 0:
        return min(ahead, shown)
    behind = before - ahead
    gone_behind = likely_behind * unexplained
    gone_before = unexplained - gone_behind
    if gone_behind > behind:
        gone_before += gone_behind - behind
    return max(0.0, min(ahead - gone_before, shown))


@pytest.mark.parametrize("magnitude", range(-12, 19))
@pytest.mark.parametrize("digits", [1.0, 1.5, 2.718, 4.999, 9.87])
def test_the_logarithm_of_one_and_more_is_that_of_the_c_library(magnitude: int, digits: float) -> None:
    x = digits * 10.0**magnitude

    assert ln1p(x) == pytest.approx(log1p(x), rel=1e-14, abs=3e-16)


@given(st.floats(0, 1e18))
def test_the_logarithm_is_right_everywhere(x: float) -> None:
    assert ln1p(x) == pytest.approx(log1p(x), rel=1e-14, abs=3e-16)


def test_the_logarithm_of_one_is_nothing() -> None:
    assert ln1p(0.0) == 0.0


def test_at_the_front_nobody_stands_before_us_ever() -> None:
    front = params(queue=QUEUE_FRONT)

    assert [join(front, shown) for shown in (-1, 0, 9)] == [0.0, 0.0, 0.0]
    assert shrink(front, 7.0, 9, 9, 0) == 0.0


@pytest.mark.parametrize("model", [QUEUE_BACK, QUEUE_POWER, QUEUE_LOG])
def test_who_joins_a_price_stands_behind_what_is_shown_there(model: int) -> None:
    assert [join(params(queue=model), shown) for shown in (0, 1, 9)] == [0.0, 1.0, 9.0]
    assert join(params(queue=model), -1) == UNKNOWN


@pytest.mark.parametrize(
    ("ahead", "before", "shown", "traded", "left"),
    [
        (5, 9, 9, 0, 5),  # Nothing changed.
        (5, 9, 6, 0, 5),  # Those behind us went.
        (5, 9, 4, 0, 4),  # No more can stand before us than is shown.
        (5, 9, 20, 0, 5),  # Those who come stand behind us.
        (5, 9, 0, 0, 0),
        (5, 9, 3, 6, 3),
    ],
)
def test_at_the_back_only_the_shown_size_brings_us_forward(
    ahead: int, before: int, shown: int, traded: int, left: int
) -> None:
    assert shrink(params(queue=QUEUE_BACK), ahead, before, shown, traded) == left


@pytest.mark.parametrize(
    ("power", "ahead", "before", "shown", "traded", "left"),
    [
        (1, 4.0, 8, 6, 0, 3.0),  # As much on either side: half of the two went before us.
        (1, 2.0, 8, 4, 0, 1.0),  # A quarter before us: a quarter of the four.
        (2, 2.0, 8, 4, 0, 1.6),  # 4 against 36: a tenth.
        (1, 4.0, 8, 6, 2, 4.0),  # Prints explain it all; they were taken off before.
        (1, 4.0, 8, 5, 1, 3.0),  # Prints explain one of three.
        (1, 4.0, 8, 9, 0, 4.0),  # Growth is behind us.
        (1, 8.0, 8, 5, 0, 5.0),  # Nobody behind us: they all went before us.
        (1, 0.0, 8, 5, 0, 0.0),
        (1, 6.0, 8, 1, 0, 0.75),  # Of seven, 1.75 behind us and 5.25 before.
        (8, 3.0, 8, 2, 0, 2.0),  # Never more than shown.
    ],
)
def test_the_power_model_by_hand(power: int, ahead: float, before: int, shown: int, traded: int, left: float) -> None:
    told = params(queue=QUEUE_POWER, queue_power=power)

    assert shrink(told, ahead, before, shown, traded) == pytest.approx(left, rel=1e-12)


@given(changes(), st.integers(1, 8))
def test_the_power_model_is_that_of_hftbacktest(change: tuple[int, int, int, int], power: int) -> None:
    ahead, before, shown, traded = change
    behind = before - ahead
    weights = Fraction(behind) ** power, Fraction(ahead) ** power
    likely_behind = float(weights[0] / sum(weights)) if any(weights) else 1.0

    found = shrink(params(queue=QUEUE_POWER, queue_power=power), float(ahead), before, shown, traded)

    assert found == pytest.approx(hftbacktest(ahead, before, shown, traded, likely_behind), rel=1e-9, abs=1e-6)


@given(changes(), st.sampled_from([1.0, 0.1, 0.001]))
def test_the_log_model_is_that_of_hftbacktest_in_units_of_base(change: tuple[int, int, int, int], lot: float) -> None:
    ahead, before, shown, traded = change
    weights = log1p((before - ahead) * lot), log1p(ahead * lot)
    likely_behind = weights[0] / sum(weights) if any(weights) else 1.0

    found = shrink(params(queue=QUEUE_LOG, lot=lot), float(ahead), before, shown, traded)

    assert found == pytest.approx(hftbacktest(ahead, before, shown, traded, likely_behind), rel=1e-9, abs=1e-6)


@given(changes(), st.sampled_from(MODELS), st.integers(1, 8))
def test_a_queue_never_grows_and_is_never_longer_than_what_is_shown(
    change: tuple[int, int, int, int], model: int, power: int
) -> None:
    ahead, before, shown, traded = change

    left = shrink(params(queue=model, queue_power=power), float(ahead), before, shown, traded)

    assert 0.0 <= left <= min(ahead, shown)


@given(changes(), st.sampled_from([QUEUE_POWER, QUEUE_LOG]), st.integers(1, 8))
def test_the_likely_models_lie_between_front_and_back(
    change: tuple[int, int, int, int], model: int, power: int
) -> None:
    ahead, before, shown, traded = change
    told = {"queue_power": power}

    front, likely, back = (
        shrink(params(queue=queue, **told), float(ahead), before, shown, traded)
        for queue in (QUEUE_FRONT, model, QUEUE_BACK)
    )

    assert front <= likely <= back
