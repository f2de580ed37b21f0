"""Walk-forward: choose a set in what is past, look at it in what comes next, and again.

Sets are judged by what their quoting earned (:mod:`bmv.backtest.sweep.trials.accounts`), in training and test each
beside the average position of that stretch.

Source: López de Prado, "Advances in Financial Machine Learning", Wiley 2018: section 7.4 (purging, embargo), 11 and
12.2 (walk-forward).
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bmv.backtest.sweep.judge.sharpe import Floats, each_sharpe
from bmv.backtest.sweep.trials.accounts import Accounts
from bmv.ports.errors import ConfigError

Metric = Literal["quoting", "sharpe"]
TRAIN_MIN = 2  # Periods; fewer have no deviation.
SAME = 1e-9  # Figures that differ by less, beside their size, differ by rounding.


@dataclass(frozen=True, slots=True)
class Fold:
    """Where a set is chosen, and where it is looked at: numbers of periods, ascending."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Step:
    """What became of the set that was chosen in the training of one fold."""

    column: int  # Of the set, in the matrix.
    train: float  # Its figure by the metric, where it was chosen,
    test: float | None  # and afterwards; None where it did not move.
    train_quoting: int | float  # What its quoting earned,
    test_quoting: int | float
    test_change: int | float  # and how its equity changed.
    rank: int  # Among all sets in the test by the same metric; 1 is the best.


def walk_forward(periods: int, folds: int, anchored: bool = True, purge: int = 1, embargo: int = 1) -> list[Fold]:
    """Return the folds of `periods` periods, in the order of time; none where there is no room for them.

    The periods are cut into `folds + 1` stretches, as equal as can be. Each but the first is once a test. Training is
    all before it (anchored), or the one stretch before it (rolling). A fold that is left with fewer than two periods to
    train in is left out.

    Args:
        periods: How many there are.
        folds: How many tests.
        anchored: Whether training always begins with the first period.
        purge: Periods left out at the end of each training: what is open then ends in the test.
        embargo: Periods left out of training after each earlier test, whose effects last into them.
    """
    for name, value, least in (("folds", folds, 1), ("purge", purge, 0), ("embargo", embargo, 0)):
        if value < least:
            raise ConfigError(f"sweep.validation.{name} = {value}: expected a whole number from {least} up")
    edges = [at * periods // (folds + 1) for at in range(folds + 2)]
    found = []
    for at in range(1, folds + 1):
        usable = np.ones(periods, np.bool_)
        usable[: 0 if anchored else edges[at - 1]] = False
        usable[max(0, edges[at] - purge) :] = False
        for end in edges[2 : at + 1]:
            usable[end : end + embargo] = False
        train, test = np.flatnonzero(usable), np.arange(edges[at], edges[at + 1])
        if len(train) >= TRAIN_MIN and len(test):
            found.append(Fold(train, test))
    return found


def step(sets: Accounts, fold: Fold, metric: Metric = "sharpe") -> Step | None:
    """Choose the best of `sets` in the training of `fold`, and look at it in the test.

    Of equal figures the first is chosen. None where no set has a figure in training. In the ranks a set that did not
    move in the test counts as 0.
    """
    train, test = (
        np.concatenate([figures(part.quoting(periods), metric) for part in sets.parts()])
        for periods in (fold.train, fold.test)
    )
    if not np.isfinite(train).any():
        return None
    peak = np.nanmax(train)
    column = int(np.argmax(train >= peak - SAME * abs(peak)))
    part, at = sets.part_with(column)
    found = test[column]
    ranked = np.nan_to_num(test)
    better = ranked > ranked[column] + SAME * abs(ranked[column])
    return Step(
        column,
        float(train[column]),
        float(found) if np.isfinite(found) else None,
        sum(part.quoting(fold.train)[:, at].tolist()),
        sum(part.quoting(fold.test)[:, at].tolist()),
        sum(sets.change[fold.test, column].tolist()),
        1 + int(better.sum()),
    )


def figures(matrix: NDArray[Any], metric: Metric) -> Floats:
    """Return the figure of each column of `matrix` (t, n): the sum, or the Sharpe ratio, NaN where it is unknown."""
    return each_sharpe(matrix) if metric == "sharpe" else matrix.sum(axis=0, dtype=np.float64)
