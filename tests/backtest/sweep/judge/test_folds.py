"""Walk-forward: no fold knows what it will be asked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmv.backtest.sweep.judge.folds import Fold, Step, step, walk_forward
from bmv.backtest.sweep.trials.accounts import Accounts
from bmv.ports.errors import ConfigError

shapes = {
    "periods": st.integers(0, 300),
    "folds": st.integers(1, 12),
    "anchored": st.booleans(),
    "purge": st.integers(0, 8),
    "embargo": st.integers(0, 8),
}


@given(**shapes)
@settings(deadline=None)
def test_training_is_before_its_test_and_the_purge_lies_between(
    periods: int, folds: int, anchored: bool, purge: int, embargo: int
) -> None:
    for fold in walk_forward(periods, folds, anchored, purge, embargo):
        assert fold.train[-1] + purge < fold.test[0]
        assert len(fold.train) >= 2
        assert (np.diff(fold.train) > 0).all()
        assert fold.train[0] >= 0


@given(**shapes)
@settings(deadline=None)
def test_tests_never_overlap(periods: int, folds: int, anchored: bool, purge: int, embargo: int) -> None:
    tested = [at for fold in walk_forward(periods, folds, anchored, purge, embargo) for at in fold.test.tolist()]

    assert tested == sorted(set(tested))


@given(**shapes)
@settings(deadline=None)
def test_with_room_the_tests_are_all_but_the_first_stretch(
    periods: int, folds: int, anchored: bool, purge: int, embargo: int
) -> None:
    periods += (folds + 1) * (purge + embargo + 3)

    found = walk_forward(periods, folds, anchored, purge, embargo)

    assert len(found) == folds
    assert np.concatenate([fold.test for fold in found]).tolist() == list(range(periods // (folds + 1), periods))
    assert {len(fold.test) - periods // (folds + 1) for fold in found} <= {0, 1}


@given(**shapes)
@settings(deadline=None)
def test_no_training_takes_what_comes_right_after_an_earlier_test(
    periods: int, folds: int, anchored: bool, purge: int, embargo: int
) -> None:
    found = walk_forward(periods, folds, anchored, purge, embargo)

    for at, fold in enumerate(found):
        for earlier in found[:at]:
            kept_out = set(range(earlier.test[-1] + 1, earlier.test[-1] + 1 + embargo))
            assert not kept_out & set(fold.train.tolist())


def test_folds_are_what_they_look_like() -> None:
    anchored = walk_forward(12, 3, anchored=True, purge=1, embargo=1)
    rolling = walk_forward(12, 3, anchored=False, purge=1, embargo=0)

    assert [fold.train.tolist() for fold in anchored] == [[0, 1], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5, 7]]
    assert [fold.test.tolist() for fold in anchored] == [[3, 4, 5], [6, 7, 8], [9, 10, 11]]
    assert [fold.train.tolist() for fold in rolling] == [[0, 1], [3, 4], [6, 7]]


def test_where_there_is_no_room_there_are_no_folds() -> None:
    assert walk_forward(0, 5) == walk_forward(3, 5) == walk_forward(60, 5, purge=60) == []


@pytest.mark.parametrize(("name", "value"), [("folds", 0), ("purge", -1), ("embargo", -2)])
def test_a_setting_out_of_range_is_refused_by_name(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=rf"sweep\.validation\.{name} = {value}: expected"):
        walk_forward(100, **{"folds": 5, name: value})


FOLD = Fold(np.arange(4), np.arange(4, 8))


def test_the_best_of_the_training_is_looked_up_in_the_test() -> None:
    matrix = np.array([[1, 9, 2], [2, -9, 3], [1, 9, 2], [2, -9, 4], [5, 0, -1], [4, 0, -2], [5, 1, -1], [4, 0, -2]])

    assert step(Accounts(matrix), FOLD, "quoting") == Step(2, 11.0, -6.0, 11, -6, -6, 3)
    by_ratio = step(Accounts(matrix), FOLD, "sharpe")

    assert by_ratio is not None
    assert (by_ratio.column, by_ratio.train_quoting, by_ratio.test_quoting, by_ratio.rank) == (2, 11, -6, 3)
    assert by_ratio.train == pytest.approx(2.75 / np.std([2, 3, 2, 4], ddof=1))


def test_a_set_that_stands_still_is_not_chosen_by_its_ratio_and_ranks_as_zero() -> None:
    matrix = np.array([[0, 1, -1], [0, 2, -2], [0, 1, -1], [0, 2, -2], [0, -1, 3], [0, -2, 5], [0, -1, 3], [0, -2, 5]])

    found = step(Accounts(matrix), FOLD)

    assert found is not None
    assert (found.column, found.rank) == (1, 3)


def test_the_chosen_set_may_stand_still_in_the_test() -> None:
    found = step(Accounts(np.array([[1], [2], [1], [2], [0], [0], [0], [0]])), FOLD)

    assert found is not None
    assert (found.test, found.test_quoting, found.rank) == (None, 0, 1)


def test_where_nothing_moves_nothing_is_chosen() -> None:
    assert step(Accounts(np.zeros((8, 3), np.int64)), FOLD) is None


def test_sums_of_large_quanta_are_exact() -> None:
    found = step(Accounts(np.full((8, 2), 2**60) + np.arange(16).reshape(8, 2)), FOLD, "quoting")

    assert found is not None
    assert found.test_quoting == 4 * 2**60 + sum(range(8 + found.column, 16, 2))
    assert found.train_quoting == 4 * 2**60 + sum(range(found.column, 8, 2))


@given(st.integers(0, 2**32 - 1), st.sampled_from(["quoting", "sharpe"]))
@settings(deadline=None)
def test_each_step_is_as_by_hand(seed: int, metric: str) -> None:
    matrix = np.random.default_rng(seed).normal(0, 1, (40, 6))

    for fold in walk_forward(40, 3):
        found = step(Accounts(matrix), fold, metric)  # type: ignore[arg-type]  # Hypothesis does not know the words.
        train, test = matrix[fold.train], matrix[fold.test]
        if metric == "quoting":
            inside, outside = train.sum(axis=0), test.sum(axis=0)
        else:
            inside, outside = (each.mean(axis=0) / each.std(axis=0, ddof=1) for each in (train, test))
        best = int(inside.argmax())
        assert found is not None
        assert (found.column, found.rank) == (best, 1 + int((outside > outside[best]).sum()))
        assert (found.train, found.test) == pytest.approx((inside[best], outside[best]))
        assert found.test_quoting == pytest.approx(test[:, best].sum())
