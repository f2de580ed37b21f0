"""How probable it is that the best set of a search is below average afterwards: combinatorially symmetric
cross-validation.

The time of the search is cut into blocks. Every choice of half of the blocks is once what we search in, the other half
being what comes after; the best set of the one is looked up among all sets in the other. Sets are judged by what their
quoting earned (:mod:`bmv.backtest.sweep.trials.accounts`), in each half beside the average position of that half.

Source: Bailey, Borwein, López de Prado & Zhu, "The Probability of Backtest Overfitting", Journal of Computational
Finance 20(4), 2017 (first 2015).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import combinations, islice
from math import comb
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bmv.backtest.sweep.judge.sharpe import Floats, centred, each_sharpe
from bmv.backtest.sweep.trials.accounts import Accounts, Leg
from bmv.ports.errors import ConfigError

BLOCKS_MAX = 20  # 184,756 combinations; 22 blocks would be 705,432.
CELLS = 1_000_000  # Sharpe ratios in memory at once, for each half: bounds memory to some 100 MB.
SAME = 1e-9  # Ratios that differ by less, beside their size, differ by rounding.
STILL = 1e-10  # A share of its whole variance below which a set did not move in a half.


@dataclass(frozen=True, slots=True)
class Overfitting:
    """What becomes of the best set of one half of the blocks in the other half."""

    pbo: float  # Probability of backtest overfitting: share of `logits` that are not above 0.
    logits: Floats  # (n_combinations,) of the relative rank in the other half; above 0 is better than the median.
    slope: float | None  # Of the chosen set's Sharpe ratio in the other half against that in its own,
    intercept: float | None  # a straight line by least squares; None where all of the latter are the same.
    prob_loss: float  # Share of combinations in which the chosen set loses in the other half.
    n_combinations: int
    n_sets: int  # Sets that moved and were not the same as another.


def cscv(sets: Accounts, blocks: int = 16) -> Overfitting | None:
    """Return what combinatorially symmetric cross-validation says of `sets`, judging them by their Sharpe ratio.

    Left out are sets that never move, and of columns in proportion to one another all but the first: a set that is
    another times a factor has the same ratio, and would be ranked by rounding. None where fewer than two are left or
    where a block would have fewer than two periods. A set that does not move in a half has a ratio of 0 there; of equal
    ratios the first is chosen, and ranks are the average of those that are tied. Blocks may differ by one period in
    length; the paper's are equal.

    Args:
        sets: Their accounts over the search.
        blocks: How many blocks, even.
    """
    cut = _cut(sets, blocks)
    if cut is None:
        return None
    own, other, logits = _everywhere(cut, _halves(blocks, cut.rows))
    slope, intercept = _line(own, other)
    lost = float((other < 0).mean())
    return Overfitting(float((logits <= 0).mean()), logits, slope, intercept, lost, len(logits), len(cut.level))


def best_of_halves(sets: Accounts, blocks: int, most: int) -> tuple[Floats, Floats] | None:
    """Return the ratio of the best set of one half and that of the same set in the other, for some of the halves.

    At most about `most` of the combinations of `cscv`, evenly from all of them; None where that knows nothing.
    """
    cut = _cut(sets, blocks)
    if cut is None:
        return None
    every = max(1, comb(blocks, blocks // 2) // most)
    some = np.concatenate(list(_halves(blocks, CELLS // blocks)))[::every]
    own, other, _ = _everywhere(cut, (some[at : at + cut.rows] for at in range(0, len(some), cut.rows)))
    return own, other


def _cut(sets: Accounts, blocks: int) -> "_Blocks | None":
    """Return the sums of the sets that differ; None where there is too little to compare."""
    if not 2 <= blocks <= BLOCKS_MAX or blocks % 2:
        raise ConfigError(f"sweep.validation.blocks = {blocks}: expected an even number from 2 to {BLOCKS_MAX}")
    if len(sets) < 2 * blocks:
        return None
    columns = distinct(part.quoting() for part in sets.parts())
    return _Blocks(sets, columns, blocks) if len(columns) > 1 else None


def distinct(parts: Iterable[NDArray[Any]]) -> NDArray[np.intp]:
    """Return which columns of a matrix (t, n) move, without those that are an earlier one times a factor above 0.

    Args:
        parts: The matrix, some columns after the other.
    """
    seen, found, before = set[bytes](), list[int](), 0
    for matrix in parts:
        moves = np.flatnonzero(np.isfinite(each_sharpe(matrix)))
        for column, shape in zip(moves.tolist(), _shapes(matrix[:, moves]), strict=True):
            name = blake2b(shape, digest_size=16).digest()
            if name not in seen:
                seen.add(name)
                found.append(before + column)
        before += matrix.shape[1]
    return np.array(found, np.intp)


def _shapes(matrix: NDArray[Any]) -> Iterator[bytes]:
    """Yield each column of `matrix`, which moves, by its shape, whatever its size."""
    if not matrix.shape[1]:
        return
    values = matrix.astype(np.float64)
    values /= np.abs(values).max(axis=0)
    values /= np.sqrt((values * values).sum(axis=0))
    for shape in (np.round(values, 9) + 0.0).T:  # There is a minus zero, which has other bytes.
        yield shape.tobytes()


class _Blocks:
    """The sums that the Sharpe ratio of any choice of blocks is made from.

    They are of what quoting earned over the whole time, less its mean, by its deviation: sums of squares of the returns
    themselves would lose all digits where the mean is large. Beside the average position of some blocks quoting earned
    `unit − tilt · share`: the tilt of a set is how much more it held there than over the whole time.
    """

    def __init__(self, sets: Accounts, columns: NDArray[np.intp], blocks: int) -> None:
        self.edges = np.arange(blocks + 1) * len(sets) // blocks
        self.sizes = np.diff(self.edges).astype(np.float64)
        parts = [_Part(part, self.edges) for part in sets.parts(columns)]
        self.level = np.concatenate([part.level for part in parts])
        self.sums = np.concatenate([part.sums for part in parts], axis=1)
        self.squares = np.concatenate([part.squares for part in parts], axis=1)
        self.legs = [_Tilt.joined([part.legs[at] for part in parts]) for at in range(len(sets.legs))]
        self.products = {
            pair: np.concatenate([part.products[pair] for part in parts], axis=1) for pair in parts[0].products
        }

    @property
    def rows(self) -> int:
        """How many combinations to work out at once."""
        return max(1, CELLS // len(self.level))

    def sharpes(self, taken: Floats) -> Floats:
        """Return the ratios (m, n) over the blocks `taken` (m, blocks), each 1 or 0."""
        size = (taken @ self.sizes)[:, np.newaxis]
        mean = taken @ self.sums
        variance = taken @ self.squares
        tilts = [leg.tilt(taken) for leg in self.legs]
        for leg, tilt in zip(self.legs, tilts, strict=True):
            mean -= tilt * (taken @ leg.shares)
            variance += tilt * (tilt * (taken @ leg.squares) - 2 * (taken @ leg.with_unit))
        for (a, b), product in self.products.items():
            variance += 2 * tilts[a] * tilts[b] * (taken @ product)
        mean /= size
        variance -= size * mean * mean
        variance /= size - 1
        mean += self.level
        moved = variance > STILL
        deviation = np.sqrt(variance, where=moved, out=variance)
        found: Floats = np.divide(mean, deviation, out=np.zeros_like(mean), where=moved)
        return found


class _Part:
    """The sums of some of the sets."""

    def __init__(self, sets: Accounts, edges: NDArray[np.int64]) -> None:
        def summed(values: Floats) -> Floats:
            """Return the sum of `values` (t, n) in each block (blocks, n)."""
            found: Floats = np.add.reduceat(values, edges[:-1], axis=0)
            return found

        mean, rest = centred(sets.quoting())
        deviation = np.sqrt((rest * rest).mean(axis=0))
        unit = rest / deviation
        self.level = mean / deviation
        self.sums = summed(unit)
        self.squares = summed(unit * unit)
        self.legs = [_Tilt.of(leg, unit, deviation, summed) for leg in sets.legs]
        self.products = {
            (a, b): summed(sets.legs[a].shares() * sets.legs[b].shares())
            for a, b in combinations(range(len(sets.legs)), 2)
            if sets.legs[a].start == sets.legs[b].start  # All at once; else no period is of two runs.
        }


class _Tilt(NamedTuple):
    """How much more the sets held on one run in some blocks than over all of it, by their deviation: sums of blocks."""

    held: Floats
    periods: Floats
    shares: Floats
    squares: Floats
    with_unit: Floats

    @classmethod
    def of(cls, leg: Leg, unit: Floats, deviation: Floats, summed: Callable[[Floats], Floats]) -> "_Tilt":
        """Return those of one run."""

        def whole(values: Floats) -> Floats:
            found = np.zeros(unit.shape)
            found[leg.start : leg.stop] = values
            return found

        held = leg.held.astype(np.float64)
        share = whole(leg.shares())
        return cls(
            held=summed(whole((held - held.mean(axis=0)) / deviation)),
            periods=summed(whole(np.ones(held.shape)))[:, :1],
            shares=summed(share),
            squares=summed(share * share),
            with_unit=summed(share * unit),
        )

    @classmethod
    def joined(cls, parts: "Sequence[_Tilt]") -> "_Tilt":
        """Return those of all sets from those of some after others."""
        made = cls(*(np.concatenate(each, axis=1) for each in zip(*parts, strict=True)))
        return made._replace(periods=parts[0].periods)

    def tilt(self, taken: Floats) -> Floats:
        """Return it for the blocks `taken` (m, blocks), each 1 or 0; 0 where the run has no period in them."""
        found: Floats = (taken @ self.held) / np.maximum(taken @ self.periods, 1)
        return found


def _everywhere(blocks: _Blocks, halves: Iterable[Floats]) -> tuple[Floats, Floats, Floats]:
    """Return the chosen set's ratio in its own half, in the other, and its logit there, for `halves` and complements.

    A combination and its complement are worked out together: the half of the one is the other half of the other. In
    the order of `itertools.combinations` the complement of the first is the last.
    """
    ahead, behind = [], []
    for taken in halves:
        one, other = blocks.sharpes(taken), blocks.sharpes(1 - taken)
        ahead.append(_chosen(one, other))
        behind.append(_chosen(other, one))
    first, last = np.concatenate(ahead, axis=1), np.concatenate(behind, axis=1)
    own, other, logits = np.concatenate((first, last[:, ::-1]), axis=1)
    return own, other, logits


def _halves(blocks: int, rows: int) -> Iterator[Floats]:
    """Yield every choice of half of the blocks that has the first in it, as rows of 1 and 0, some `rows` at a time."""
    rest = combinations(range(1, blocks), blocks // 2 - 1)
    while chosen := list(islice(rest, rows)):
        taken = np.zeros((len(chosen), blocks))
        taken[:, 0] = 1
        np.put_along_axis(taken, np.array(chosen, np.intp).reshape(len(chosen), -1), 1, axis=1)
        yield taken


def _chosen(own: Floats, other: Floats) -> Floats:
    """Return, as rows (3, m): ratio of the best set of `own` (m, n), its ratio in `other` (m, n), its logit there."""
    rows = np.arange(len(own))
    peak = own.max(axis=1, keepdims=True)
    best = np.argmax(own >= peak - SAME * (1 + np.abs(peak)), axis=1)
    found = other[rows, best][:, np.newaxis]
    same = SAME * (1 + np.abs(found))
    below, tied = (other < found - same).sum(axis=1), (np.abs(other - found) <= same).sum(axis=1)
    rank = below + (tied + 1) / 2  # 1 is the worst.
    share = rank / (own.shape[1] + 1)
    return np.stack((own[rows, best], found[:, 0], np.log(share / (1 - share))))


def _line(x: Floats, y: Floats) -> tuple[float | None, float | None]:
    """Return slope and intercept of the straight line through the points by least squares."""
    away = x - x.mean()
    spread = float(away @ away)
    if spread <= (SAME * float(np.abs(x).max())) ** 2 * len(x):
        return None, None
    slope = float(away @ (y - y.mean())) / spread
    return slope, float(y.mean()) - slope * float(x.mean())
