"""Sharpe ratios against the figures that were published, the formulas written out, and sense."""

from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmv.backtest.sweep.judge import sharpe as ratios
from bmv.backtest.sweep.judge.sharpe import Moments

DAYS = 250  # A year, in the papers.
HEDGE_FUND = Moments(0.458, -2.448, 10.164, 24)  # Months.
returns = st.lists(st.integers(-(2**60), 2**60), min_size=0, max_size=40)


def dsr_of_the_paper(n_trials: int, skew: float, kurtosis: float) -> float | None:
    sr0 = ratios.expected_max_sharpe(0.5 / DAYS, n_trials)
    return ratios.probability(Moments(2.5 / sqrt(DAYS), skew, kurtosis, 1250), sr0)


def test_the_best_of_a_hundred_lucky_trials_is_that_of_the_paper() -> None:
    assert ratios.expected_max_sharpe(0.5 / DAYS, 100) == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize(
    ("n_trials", "skew", "kurtosis", "published"),
    [(100, -3, 10, 0.9004), (46, -3, 10, 0.9505), (88, 0, 3, 0.9505)],
)
def test_the_deflated_ratio_is_that_of_the_paper(n_trials: int, skew: float, kurtosis: float, published: float) -> None:
    assert dsr_of_the_paper(n_trials, skew, kurtosis) == pytest.approx(published, abs=5e-5)


@pytest.mark.parametrize(("skew", "kurtosis", "published"), [(0, 3, 0.982), (-2.448, 10.164, 0.913)])
def test_a_short_and_skewed_record_is_as_probable_as_in_the_paper(
    skew: float, kurtosis: float, published: float
) -> None:
    record = HEDGE_FUND._replace(skew=skew, kurtosis=kurtosis)

    assert ratios.probability(record, 0) == pytest.approx(published, abs=5e-4)


@pytest.mark.parametrize(
    ("per_year", "skew", "kurtosis", "years"),
    [(250, 0, 3, 2.73), (52, 0, 3, 2.83), (12, 0, 3, 3.24), (12, -0.72, 5.78, 4.99)],
)
def test_a_yearly_ratio_of_two_is_above_one_after_the_years_of_the_paper(
    per_year: int, skew: float, kurtosis: float, years: float
) -> None:
    record = Moments(2 / sqrt(per_year), skew, kurtosis, 2)

    needed = ratios.track_record(record, 1 / sqrt(per_year), 0.95)

    assert needed is not None
    assert needed / per_year == pytest.approx(years, abs=5e-3)


def test_a_record_of_the_needed_length_is_as_sure_as_wanted() -> None:
    record = Moments(0.1, -1.0, 6.0, 2)
    needed = ratios.track_record(record, 0.02, 0.9)
    assert needed is not None

    before = ratios.probability(record._replace(t=int(needed)), 0.02)
    after = ratios.probability(record._replace(t=int(needed) + 1), 0.02)

    assert before is not None
    assert after is not None
    assert before <= 0.9 <= after


def test_moments_are_those_of_a_known_distribution() -> None:
    waits = np.random.default_rng(1).exponential(2, 2_000_000) - 1

    found = ratios.moments(waits)

    assert found is not None
    assert found.sr == pytest.approx(0.5, abs=0.005)
    assert (found.skew, found.kurtosis) == pytest.approx((2, 9), rel=0.03)


def test_psr_is_the_formula_written_out() -> None:
    values = [3, -1, 4, -1, 5, -9, 2, 6, 5, 3, 5]
    n, mean = len(values), sum(values) / len(values)
    sr = mean / sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
    second, third, fourth = (sum((value - mean) ** power for value in values) / n for power in (2, 3, 4))
    skew, kurtosis = third / second**1.5, fourth / second**2
    z = (sr - 0.1) * sqrt(n - 1) / sqrt(1 - skew * sr + (kurtosis - 1) / 4 * sr**2)

    assert ratios.psr(values, 0.1) == pytest.approx(NormalDist().cdf(z), rel=1e-12)


def test_quanta_that_a_float_cannot_tell_apart_still_have_their_deviation() -> None:
    high = 2**60

    far, near = (
        ratios.centred(np.array([[high + 1], [high - 1], [high + 3]])),
        ratios.centred(np.array([[1], [-1], [3]])),
    )

    assert far[1].tolist() == near[1].tolist()


def test_quanta_of_both_ends_of_the_range_do_not_wrap() -> None:
    found = ratios.sharpe([2**60, -(2**60), 2**60, 2**60])

    assert found == pytest.approx(0.5)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [5],
        [0, 0, 0],
        [7, 7, 7, 7],
        [0.1] * 10,
        [0.1 + 0.2, 0.3, 0.3],
        [1.0, float("nan"), 2.0],
        [1.0, float("inf")],
    ],
)
def test_what_does_not_move_or_is_no_number_has_no_ratio(values: list[float]) -> None:
    assert ratios.sharpe(values) is None
    assert ratios.psr(values) is None
    assert ratios.min_track_record(values) is None
    assert ratios.deflated(values, [0.1, 0.2], 10) is None


@given(returns)
@settings(deadline=None)
def test_no_figure_is_ever_nan(values: list[int]) -> None:
    found = [ratios.sharpe(values), ratios.psr(values), ratios.min_track_record(values)]

    assert all(each is None or np.isfinite(each) for each in found)
    assert found[1] is None or 0 <= found[1] <= 1


@given(returns, st.integers(1, 10**6), st.integers(1, 10**6), st.floats(1e-6, 4.0))
@settings(deadline=None)
def test_the_deflated_ratio_falls_with_the_number_of_trials(
    values: list[int], one: int, other: int, spread: float
) -> None:
    fewer, more = (ratios.deflated(values, [-spread, spread], n) for n in sorted((one, other)))

    if fewer is None or more is None:
        assert fewer is more is None
        return
    assert fewer.dsr >= more.dsr
    assert fewer.sr0 <= more.sr0


def test_a_single_trial_had_no_luck_to_deflate() -> None:
    values = np.random.default_rng(2).normal(0.1, 1, 300)

    found = ratios.deflated(values, [0.1, 0.3], 1)

    assert found is not None
    assert (found.sr0, found.dsr) == (0, ratios.psr(values))


@pytest.mark.parametrize("known", [[], [0.3], [0.2, 0.2, 0.2], [0.1, float("nan")]])
def test_without_two_ratios_that_differ_nothing_is_deflated(known: list[float]) -> None:
    assert ratios.deflated([1, 3, 2, 5], known, 100) is None


def test_the_best_of_lucky_trials_is_about_as_high_as_the_theorem_says() -> None:
    draws = np.random.default_rng(3).normal(0, 0.2, (20_000, 50))

    assert ratios.expected_max_sharpe(0.04, 50) == pytest.approx(draws.max(axis=1).mean(), rel=0.02)


def test_luck_spreads_ratios_by_one_over_the_periods() -> None:
    skewed = np.random.default_rng(4).exponential(1, (180, 20_000)) - 1

    found = ratios.each_sharpe(skewed).var(ddof=1)

    assert found == pytest.approx(ratios.luck_variance(180), rel=0.07)


def test_effective_trials_count_alike_columns_once_and_strangers_each() -> None:
    rng = np.random.default_rng(5)
    strangers = rng.normal(0, 1, (5_000, 20))
    twins = np.repeat(rng.normal(0, 1, (5_000, 1)), 20, axis=1)

    assert ratios.effective_trials(strangers) == pytest.approx(20, abs=0.2)
    assert ratios.effective_trials(twins) == pytest.approx(1)


def test_effective_trials_are_those_of_the_average_correlation() -> None:
    rng = np.random.default_rng(6)
    matrix = rng.normal(0, 1, (300, 6)) + rng.normal(0, 1, (300, 1))
    average = (np.corrcoef(matrix.T).sum() - 6) / 30

    assert ratios.effective_trials(np.column_stack((matrix, np.zeros(300)))) == pytest.approx(
        average + (1 - average) * 6
    )


@pytest.mark.parametrize(
    "matrix", [np.zeros((10, 5), np.int64), np.ones((10, 1)), np.empty((0, 3)), np.arange(10)[:, None]]
)
def test_effective_trials_of_fewer_than_two_that_move_are_unknown(matrix: np.ndarray) -> None:
    assert ratios.effective_trials(matrix) is None
