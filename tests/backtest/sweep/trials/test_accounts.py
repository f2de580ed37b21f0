"""What quoting earned: no ride of the market is in it, whatever was held, and its parts are the whole to the quantum."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmv.backtest.sweep.judge.folds import Fold, step
from bmv.backtest.sweep.judge.overfitting import best_of_halves, cscv
from bmv.backtest.sweep.judge.sharpe import each_sharpe
from bmv.backtest.sweep.trials.accounts import Accounts, accounts, ride

FIRST = 40_000  # Half ticks.
HALF = 25  # Quanta in half a tick times one lot.
seeds = st.integers(0, 2**32 - 1)


def of_positions(lots: np.ndarray, moves: np.ndarray, earned: int | np.ndarray = 0) -> Accounts:
    """Return the accounts of sets that held `lots` (t, n) while the mid moved by `moves` (t,), and `earned` besides."""
    change = lots * moves[:, np.newaxis] * HALF + earned
    mids = np.tile(np.concatenate([[FIRST], FIRST + np.cumsum(moves)]), (lots.shape[1], 1))
    return accounts(change.T, (lots * FIRST * HALF).T, mids)


def drawn(seed: int, periods: int, sets: int) -> tuple[np.ndarray, np.ndarray]:
    dice = np.random.default_rng(seed)
    return dice.integers(0, 2_000, (periods, sets)), dice.integers(-30, 31, periods)


@given(seeds, st.integers(-5_000, 5_000))
@settings(deadline=None)
def test_who_holds_the_same_all_the_time_has_earned_nothing_by_quoting(seed: int, held: int) -> None:
    _, moves = drawn(seed, 50, 1)
    sets = of_positions(np.full((50, 1), held), moves)

    assert not sets.quoting().any()
    assert not sets.quoting(np.arange(7, 31)).any()


@given(seeds, st.integers(-30, 30))
@settings(deadline=None)
def test_a_straight_drift_counts_for_nobody_however_his_position_moves(seed: int, drift: int) -> None:
    lots, _ = drawn(seed, 60, 3)
    earned = np.random.default_rng(seed).integers(-(10**6), 10**6, (60, 3))

    still = of_positions(lots, np.zeros(60, int), earned).quoting().sum(axis=0)
    drifting = of_positions(lots, np.full(60, drift), earned).quoting().sum(axis=0)

    assert np.abs(drifting - still).max() <= 1  # The ride is whole quanta.


def test_a_grid_that_starts_full_has_earned_nothing_by_selling_into_a_fall() -> None:
    falling = np.full(100, -20)
    sold = np.linspace(1_000, 0, 100).astype(int)[:, np.newaxis]

    sets = of_positions(sold, falling)

    against_its_start = int(sets.change.sum() - 1_000 * falling.sum() * HALF)
    assert against_its_start > 20_000_000
    assert abs(int(sets.quoting().sum())) <= 1


@given(seeds)
@settings(deadline=None)
def test_market_and_quoting_are_the_whole_change_and_exact_to_the_quantum(seed: int) -> None:
    lots, moves = drawn(seed, 40, 2)
    sets = of_positions(lots, moves, 17)
    at = np.flatnonzero(np.random.default_rng(seed).random(40) < 0.7)

    parts = sets.change[at] - sets.quoting(at)

    for column in range(2 if len(at) else 0):
        average = Fraction(sum(lots[at, column].tolist()) * FIRST * HALF, len(at))
        exact = average * int(moves[at].sum()) / FIRST
        assert abs(int(parts[:, column].sum()) - exact) <= Fraction(1, 2) + Fraction(1, 10**6)


def test_a_stretch_is_judged_by_its_own_average_position() -> None:
    lots = np.array([[100]] * 10 + [[900]] * 10)
    moves = np.full(20, 3)
    sets = of_positions(lots, moves)

    assert not sets.quoting(np.arange(10, 20)).any()
    assert sets.quoting()[10:].sum() == (900 - 500) * 3 * HALF * 10


def test_each_run_has_an_average_of_its_own_and_those_at_once_add_up() -> None:
    one, other = (of_positions(*drawn(seed, 30, 2), 5) for seed in (1, 2))
    held = np.concatenate([one.legs[0].held, other.legs[0].held]).T
    prices = np.concatenate([mids(one), mids(other)]).T

    in_turn = accounts(np.concatenate([one.change, other.change]).T, held, prices)
    at_once = accounts((one.change + other.change).T, held, prices)

    assert (in_turn.quoting() == np.concatenate([one.quoting(), other.quoting()])).all()
    assert (at_once.quoting() == one.quoting() + other.quoting()).all()
    inside = np.arange(20, 45)
    assert (in_turn.quoting(inside)[:10] == one.quoting(np.arange(20, 30))).all()
    assert (in_turn.quoting(inside)[10:] == other.quoting(np.arange(15))).all()


def mids(sets: Accounts) -> np.ndarray:
    leg = sets.legs[0]
    return np.concatenate([leg.first[np.newaxis], leg.first + np.cumsum(leg.moves, axis=0)])


def test_where_there_never_was_a_mid_nothing_was_made() -> None:
    assert ride(1_000, np.zeros(3, np.int64), np.int64(0)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("runs", ["alone", "in turn", "at once"])
def test_halves_of_a_cross_validation_are_judged_by_their_own_average_positions(runs: str) -> None:
    one, other = (of_positions(*drawn(seed, 32, 5), np.random.default_rng(seed).integers(-(10**5), 10**5, (32, 5)))
                  for seed in (3, 4))  # fmt: skip
    held = np.concatenate([one.legs[0].held, other.legs[0].held]).T
    prices = np.concatenate([mids(one), mids(other)]).T
    sets = {
        "alone": one,
        "in turn": accounts(np.concatenate([one.change, other.change]).T, held, prices),
        "at once": accounts((one.change + other.change).T, held, prices),
    }[runs]
    own_half = np.concatenate(np.split(np.arange(len(sets)), 4)[:2])

    found = best_of_halves(sets, 4, 1_000)

    ratios = each_sharpe(sets.quoting(own_half))
    best = int(np.argmax(ratios))
    rest = np.setdiff1d(np.arange(len(sets)), own_half)
    assert found is not None
    assert found[0][0] == pytest.approx(ratios[best], rel=1e-5)  # The ride in whole quanta there, not here.
    assert found[1][0] == pytest.approx(each_sharpe(sets.quoting(rest))[best], rel=1e-5)
    whole = cscv(sets, 4)
    assert whole is not None
    assert whole.prob_loss == (found[1] < 0).mean()


def test_a_fold_chooses_who_quoted_best_and_not_who_held_most() -> None:
    moves = np.full(12, 10)
    holder, maker = np.full(12, 5_000), np.full(12, 10)
    sets = of_positions(np.stack([holder, maker], axis=1), moves, np.array([0, 7]))

    found = step(sets, Fold(np.arange(6), np.arange(6, 12)), "quoting")

    assert found is not None
    assert found.column == 1
    assert (found.train_quoting, found.test_quoting) == (42, 42)
    assert found.test_change == 6 * (10 * 10 * HALF + 7)


@pytest.mark.parametrize("seed", range(3))
def test_on_a_market_without_drift_who_buys_falls_and_sells_rises_is_given_no_more_than_he_remembers(seed: int) -> None:
    """The bias that the module confesses: about the position times the move that it remembers, once a stretch."""
    dice = np.random.default_rng(seed)
    moves = dice.integers(-30, 31, (400, 240))
    remembered = np.cumsum(moves, axis=1) - moves  # Before each period,
    anchor = np.concatenate([np.zeros((400, 10), int), remembered[:, :-10]], axis=1)  # and ten periods earlier.
    lots = 1_000 + np.where(remembered > anchor, -500, 500)

    given = [int(of_positions(lot[:, np.newaxis], move).quoting().sum()) for lot, move in zip(lots, moves, strict=True)]

    ten_periods = float(np.sqrt(10 * (moves * moves).mean()))
    assert 0 < np.mean(given) < 500 * ten_periods * HALF
    assert np.mean(given) / np.std(given) < 0.25


@given(seeds, st.sampled_from([2, 4_096, 4_097, 9_000]))
@settings(deadline=None, max_examples=8)
def test_the_parts_of_many_sets_are_all_of_them_and_none_stands_alone(seed: int, sets: int) -> None:
    whole = of_positions(*drawn(seed, 6, sets))
    parts = [part.quoting() for part in whole.parts()]

    assert np.array_equal(np.concatenate(parts, axis=1), whole.quoting())
    assert min(part.shape[1] for part in parts) > 1
    for column in (0, sets // 2, sets - 1):
        part, at = whole.part_with(column)
        assert np.array_equal(part.change[:, at], whole.change[:, column])


@given(seeds)
@settings(deadline=None, max_examples=20)
def test_mids_that_are_the_same_for_all_sets_need_be_told_once(seed: int) -> None:
    lots, moves = drawn(seed, 40, 12)
    each = of_positions(lots, moves, np.random.default_rng(seed).integers(-(10**7), 10**7, lots.shape))
    mids = np.concatenate([[FIRST], FIRST + np.cumsum(moves)])[np.newaxis]
    once = accounts(each.change.T, each.legs[0].held.T, mids)
    some, fold = np.array([3, 7, 8]), Fold(np.arange(20), np.arange(20, 40))

    assert np.array_equal(once.quoting(), each.quoting())
    assert np.array_equal(once.of(some).quoting(np.arange(5, 30)), each.of(some).quoting(np.arange(5, 30)))
    assert step(once, fold) == step(each, fold)
    one, other = cscv(once, 4), cscv(each, 4)
    assert one
    assert other
    assert np.array_equal(one.logits, other.logits)
