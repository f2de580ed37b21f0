"""Combinatorially symmetric cross-validation against a slow one by the book, and against what must come out."""

from itertools import combinations
from math import comb, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmv.backtest.sweep.judge.overfitting import Overfitting, distinct
from bmv.backtest.sweep.judge.overfitting import cscv as cscv_of
from bmv.backtest.sweep.trials.accounts import Accounts
from bmv.ports.errors import ConfigError

seeds = st.integers(0, 2**32 - 1)


def cscv(matrix: np.ndarray, blocks: int) -> Overfitting | None:
    """Return what is found of sets that held nothing."""
    return cscv_of(Accounts(matrix), blocks)


def ratio_of(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return mean / (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5


def by_the_book(matrix: np.ndarray, blocks: int) -> tuple[list[float], list[tuple[float, float]]]:
    """Return logits and pairs of ratios (own half, other half), as the paper's section on CSCV goes step by step."""
    parts = np.split(matrix, blocks)
    logits, pairs = [], []
    for chosen in combinations(range(blocks), blocks // 2):
        own = np.concatenate([parts[at] for at in chosen])
        other = np.concatenate([parts[at] for at in range(blocks) if at not in chosen])
        inside = [ratio_of(column.tolist()) for column in own.T]
        outside = [ratio_of(column.tolist()) for column in other.T]
        best = max(range(len(inside)), key=inside.__getitem__)
        rank = 1 + sum(value < outside[best] for value in outside)
        share = rank / (len(outside) + 1)
        logits.append(log(share / (1 - share)))
        pairs.append((inside[best], outside[best]))
    return logits, pairs


@pytest.mark.parametrize(
    ("periods", "sets", "blocks", "seed"), [(24, 5, 4, 1), (40, 8, 8, 2), (60, 3, 10, 3), (16, 40, 8, 4), (12, 2, 2, 5)]
)
def test_every_combination_comes_out_as_by_the_book(periods: int, sets: int, blocks: int, seed: int) -> None:
    matrix = np.random.default_rng(seed).normal(0.1, 1, (periods, sets))
    logits, pairs = by_the_book(matrix, blocks)

    found = cscv(matrix, blocks)

    assert found is not None
    assert found.n_combinations == comb(blocks, blocks // 2) == len(logits)
    assert found.logits == pytest.approx(logits, rel=1e-9)
    assert found.pbo == sum(value <= 0 for value in logits) / len(logits)
    assert found.prob_loss == sum(after < 0 for _, after in pairs) / len(pairs)
    slope, intercept = np.polyfit(*np.array(pairs).T, 1)
    assert (found.slope, found.intercept) == pytest.approx((slope, intercept), rel=1e-6, abs=1e-9)


def test_more_sets_than_are_worked_at_once_come_out_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = np.random.default_rng(6).normal(0, 1, (64, 9))
    whole = cscv(matrix, 8)

    monkeypatch.setattr("bmv.backtest.sweep.judge.overfitting.CELLS", 30)
    parts = cscv(matrix, 8)

    assert whole is not None
    assert parts is not None
    assert parts.logits.tolist() == whole.logits.tolist()


def test_noise_is_overfitted_about_half_of_the_time() -> None:
    rng = np.random.default_rng(7)

    found = [cscv(rng.normal(0, 1, (240, 40)), 8) for _ in range(60)]

    assert np.mean([each.pbo for each in found if each]) == pytest.approx(0.5, abs=0.08)


@given(seeds, st.integers(0, 11))
@settings(max_examples=20, deadline=None)
def test_a_set_that_truly_dominates_is_not_overfitted(seed: int, best: int) -> None:
    matrix = np.random.default_rng(seed).normal(0, 1, (160, 12))
    matrix[:, best] += 1

    found = cscv(matrix, 8)

    assert found is not None
    assert found.pbo < 0.02
    assert found.prob_loss == 0


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_order_and_scale_of_the_sets_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(0.05, 1, (60, 7))
    moved = (matrix * rng.uniform(1e-3, 1e12, 7))[:, rng.permutation(7)]

    one, other = cscv(matrix, 6), cscv(moved, 6)

    assert one is not None
    assert other is not None
    assert other.logits == pytest.approx(one.logits, rel=1e-9)


def test_large_quanta_come_out_as_the_small_ones_they_differ_by() -> None:
    small = np.random.default_rng(8).integers(-1000, 1000, (64, 6))
    scaled = small * 2**50

    one, other = cscv(small, 8), cscv(scaled, 8)

    assert one is not None
    assert other is not None
    assert other.logits == pytest.approx(one.logits)


def test_a_set_and_its_double_count_as_one() -> None:
    noise = np.random.default_rng(9).integers(-100, 100, (64, 4))
    doubled = np.column_stack((noise, noise * 2, noise[:, 1] * 1000, np.zeros(64, np.int64)))

    assert doubled[:, distinct([doubled])].tolist() == noise.tolist()
    one, other = cscv(noise, 8), cscv(doubled, 8)
    assert one is not None
    assert other is not None
    assert other.logits.tolist() == one.logits.tolist()


@pytest.mark.parametrize(
    "matrix",
    [
        np.zeros((64, 5), np.int64),
        np.full((64, 5), 7),
        np.repeat(np.arange(64)[:, None], 5, axis=1),
        np.arange(64)[:, None] * np.arange(1, 6),
        np.random.default_rng(10).normal(0, 1, (64, 1)),
        np.random.default_rng(10).normal(0, 1, (15, 9)),
        np.empty((64, 0)),
        np.empty((0, 4), np.int64),
    ],
    ids=["still", "constant", "identical", "proportional", "one set", "too short", "no sets", "no periods"],
)
def test_what_cannot_be_compared_is_unknown(matrix: np.ndarray) -> None:
    assert cscv(matrix, 8) is None


def test_a_set_that_trades_in_one_half_only_counts_as_zero_in_the_other() -> None:
    matrix = np.zeros((8, 2), np.int64)
    matrix[:4, 0] = [1, 3, 1, 3]
    matrix[:, 1] = [-1, 2, -2, -1, -1, -3, -1, -2]

    found = cscv(matrix, 2)

    assert found is not None
    assert found.logits == pytest.approx([log(2), log(2)])
    assert found.prob_loss == 0


def test_tied_ranks_are_averaged() -> None:
    matrix = np.array([[3, 1, -1], [5, -1, 1], [3, 2, -1], [5, -2, 1], [-1, 3, 1], [1, 5, 1], [-1, 3, -2], [1, 5, 0]])
    still = matrix.copy()
    still[4:, :2] = 0
    still[4:, 2] = [-1, -2, -1, -3]

    found = cscv(still, 2)

    assert found is not None
    assert found.logits[0] == pytest.approx(log(2.5 / 1.5))


@given(st.integers(2, 6), st.integers(0, 40), seeds)
@settings(max_examples=60, deadline=None)
def test_no_figure_is_ever_nan_whatever_the_quanta(sets: int, periods: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-(2**60), 2**60, (periods, sets)) >> rng.integers(0, 62, sets)
    matrix[rng.random((periods, sets)) < rng.random()] = 0

    found = cscv(matrix, 4)

    if found is not None:
        assert np.isfinite(found.logits).all()
        assert 0 <= found.pbo <= 1
        assert found.slope is None or np.isfinite([found.slope, found.intercept]).all()


def test_blocks_may_differ_by_a_period() -> None:
    found = cscv(np.random.default_rng(11).normal(0, 1, (67, 5)), 8)

    assert found is not None
    assert found.n_combinations == 70


@pytest.mark.parametrize("blocks", [0, 1, 7, 22, -2])
def test_blocks_that_cannot_be_halved_are_refused(blocks: int) -> None:
    with pytest.raises(ConfigError, match=r"sweep\.validation\.blocks = .*expected an even number from 2 to 20"):
        cscv(np.zeros((100, 3)), blocks)
