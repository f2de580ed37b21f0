"""What sets earned, parted in two: what the market made of the position they held, and what their quoting made.

Who holds something while the market rises earns, and has shown no skill: the ride ends. The starting position is too
little of a yardstick to take that away by: a grid that starts full can only sell, and beats its start in every fall. So
each set is measured by what it held itself, on average over the stretch of time that is judged:

    market_k  = H (m_k − m_{k−1}) / m_0        H = mean of H_j over all periods j of the stretch
    quoting_k = equity_k − market_k

for each period k of the stretch. `equity_k` is the change of equity in it, `m_k` the mid at its end, `m_0` the first
mid of the run, and `H_j` the position in period j, weighted by time and valued at `m_0`. Periods are equally long, so
that their plain mean is the mean over time.

Three things follow. Who holds the same all the time has earned nothing by quoting, whatever the market does. A drift of
the market along a straight line counts for nobody, however his position moved meanwhile: `quoting` is what the changes
of position around their mean earned, spread and fees included. And a stretch is judged by itself: the half of a
cross-validation, the training and the test of a fold, the holdout each have their own H.

What is not taken away: a position that changes with turns of the market ahead of them. That is foresight, or luck.

A bias remains, and is small. H is known at the end of a stretch only. Who buys what falls and sells what rises holds
less on average where the market has risen, so that `market` is too low for him, by as much as the average position of
the stretch goes against the market's way through it. On a market without any drift that is worth about the position
times the move that it remembers, once a stretch, however long the stretch is: docs/sweeps.md has it measured.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MIDS = "mids"
LISTS = ("returns", "held", MIDS)  # Columns of the trials that are a list each: the arguments of `accounts`.

SETS = 4096  # Worked on at a time; a matrix of 240 periods takes 8 MB.

Floats = NDArray[np.float64]
Wholes = NDArray[np.int64]
Columns = NDArray[Any] | slice  # Any: numbers of sets, or a mask.


def ride(average: Any, mids: Wholes, first: Any) -> Wholes:  # Any: a number, or a row of them.
    """Return what a position has made since the first mid, quanta, to the nearest one.

    Whole to the last digit for what is worth less than 10^15 quanta; in any case `equity − ride` is exact, and so is
    the sum of both.

    Args:
        average: The position, valued at the first mid, quanta; a number, or one a column (n,).
        mids: Mid at some instants (t,) or (t, n), half ticks.
        first: The first mid, half ticks; 0 where there never was one, which makes nothing.
    """
    share = np.divide(mids - first, first, out=np.zeros(np.shape(mids - first)), where=np.asarray(first) > 0)
    made: Wholes = np.rint(average * share).astype(np.int64)
    return made


class Leg(NamedTuple):
    """One run of each set, on one tape.

    Args:
        start: The period in which it begins.
        held: Position in each period, weighted by time, at the run's first mid (t, n), quanta.
        moves: Change of the mid in each period (t, n), half ticks; (t, 1) where it is the same for all.
        first: First mid of the run (n,), half ticks; (1,) where it is the same for all.
    """

    start: int
    held: Wholes
    moves: Wholes
    first: Wholes

    @property
    def stop(self) -> int:
        """The period behind its last one."""
        return self.start + len(self.held)

    def market(self, at: NDArray[np.intp]) -> Wholes:
        """Return what the average position of the periods `at` (m,) of this run made in each of them (m, n), quanta."""
        mids = self.first + np.cumsum(self.moves[at], axis=0)
        return np.diff(ride(self.held[at].mean(axis=0), mids, self.first), axis=0, prepend=0)

    def shares(self) -> Floats:
        """Return the moves as a share of the first mid (t, n)."""
        found: Floats = np.divide(self.moves, self.first, out=np.zeros(self.moves.shape), where=self.first > 0)
        return np.broadcast_to(found, self.held.shape)

    def of(self, columns: Columns) -> "Leg":
        """Return it for some sets."""
        held = self.held[:, columns]
        if self.moves.shape[1] < self.held.shape[1]:
            return self._replace(held=held)
        return self._replace(held=held, moves=self.moves[:, columns], first=self.first[columns])


@dataclass(frozen=True, slots=True)
class Accounts:
    """Of sets, a column each, what they earned and held period by period.

    `change` (t, n) is the change of equity, quanta. `legs` are the runs that it is made of: one behind the other, or
    all at once, and then it is the sum of theirs. Without legs nothing was held.
    """

    change: NDArray[Any]  # Any: int64, or floats where no money is meant.
    legs: tuple[Leg, ...] = ()

    def __len__(self) -> int:
        return len(self.change)

    def quoting(self, at: NDArray[np.intp] | None = None) -> NDArray[Any]:
        """Return what quoting earned in the periods `at` (m,), ascending, as (m, n); in all where absent.

        The periods are the stretch that is judged: of each run, its average position in them counts.
        """
        chosen = np.arange(len(self.change)) if at is None else at
        found = self.change[chosen].copy()
        for leg in self.legs:
            inside = (chosen >= leg.start) & (chosen < leg.stop)
            if inside.any():
                found[inside] -= leg.market(chosen[inside] - leg.start)
        return found

    def of(self, columns: Columns) -> "Accounts":
        """Return those of some sets: their numbers, or a mask."""
        return Accounts(self.change[:, columns], tuple(leg.of(columns) for leg in self.legs))

    def parts(self, columns: NDArray[np.intp] | None = None) -> Iterator["Accounts"]:
        """Yield the sets, or those with the numbers `columns`, some thousands at a time.

        What is worked out of accounts takes several times their memory. No part has one set alone, unless there is no
        other: NumPy adds up a lonely column in another order, and so to other last digits.
        """
        sets = self.change.shape[1] if columns is None else len(columns)
        parts = max(1, -(-sets // SETS))
        for part in range(parts):
            some = slice(sets * part // parts, sets * (part + 1) // parts)
            yield self.of(some if columns is None else columns[some])

    def part_with(self, column: int) -> tuple["Accounts", int]:
        """Return the part of `parts` that has a set, and the set's column there."""
        for part in self.parts():
            if column < part.change.shape[1]:
                return part, column
            column -= part.change.shape[1]
        raise AssertionError("there is no such set")


Rows = Sequence[Sequence[int]] | Wholes  # A row a set.


def accounts(returns: Rows, held: Rows, mids: Rows) -> Accounts:
    """Return the accounts of sets from their rows, as `trials.parquet` has them.

    Args:
        returns: Change of equity in each period, of each set.
        held: Position in each period, of each run after the other.
        mids: Mid at the start of each run and at the end of each of its periods, of each run after the other; one row
            where it is the same for all.
    """
    change, positions, prices = (np.asarray(each, np.int64).T for each in (returns, held, mids))
    runs = len(prices) - len(positions)  # A run has one mid more than it has periods.
    if not runs:
        return Accounts(change)
    periods = len(positions) // runs
    in_turn = len(change) == len(positions)
    legs = list[Leg]()
    for run in range(runs):
        own = prices[run * (periods + 1) : (run + 1) * (periods + 1)]
        start = run * periods if in_turn else 0
        legs.append(Leg(start, positions[run * periods : (run + 1) * periods], np.diff(own, axis=0), own[0]))
    return Accounts(change, tuple(legs))
