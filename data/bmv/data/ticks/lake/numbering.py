"""What every store asks of ticks before it keeps them, and which of their numbers it has."""

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from bmv.data.ticks.lake.lake import DAY_NS
from bmv.ports.errors import DataError
from bmv.ports.market_data import UNSTAMPED
from bmv.ports.storage import Gap, Ticks

END_NS = 106_000 * DAY_NS  # In the year 2260: a day later an int64 ends.

Runs = Sequence[tuple[int, int]]  # Numbers `[first, stop)`, lowest first, no two touching.


def refuse_wrong(ticks: Ticks) -> None:
    """Raise `DataError` where `ticks` are not rows of a tape: lengths, kinds, times that fall or leave the calendar."""
    columns, name = ticks.columns, f"{ticks.market}, rows from {ticks.first_seq} on"
    stamps = {} if ticks.stamps is None else ticks.stamps._asdict()
    lengths = {field: len(column) for field, column in {**columns._asdict(), **stamps}.items()}
    if len(set(lengths.values())) != 1:
        raise DataError(f"{name}: columns differ in length: {lengths}")
    if not len(columns.ts_ns):
        return
    if min(ticks.first_seq, ticks.epoch, int(columns.ts_ns[0])) < 0 or int(columns.ts_ns[-1]) >= END_NS:
        raise DataError(f"{name}: expected numbers from 0 on and times from 1970 to 2260")
    if (falls := np.flatnonzero(columns.ts_ns[1:] < columns.ts_ns[:-1])).size:
        raise DataError(f"{name}: time falls at row {ticks.first_seq + int(falls[0]) + 1}")
    for field, column in stamps.items():
        if column.min() < UNSTAMPED:
            row = int(column.argmin())
            told = f"{field} {column[row]} of row {ticks.first_seq + row}"
            raise DataError(f"{name}: {told} is negative; where it is not known it is {UNSTAMPED}")
    wrong = np.flatnonzero((columns.kind < 1) | (columns.kind > 3) | (np.abs(columns.side) > 1))
    if wrong.size:
        row = int(wrong[0])
        told = f"kind {columns.kind[row]} and side {columns.side[row]}"
        raise DataError(f"{name}: row {ticks.first_seq + row} has {told}; expected 1 to 3 and -1 to 1")


def refuse_wrong_gap(gap: Gap) -> None:
    """Raise `DataError` where a gap ends before it begins, or less than nothing is missing."""
    if gap.from_ns >= gap.to_ns:
        raise DataError(f"a gap from {gap.from_ns} to {gap.to_ns} ns: expected its start before its end")
    if min(gap.rows or 0, gap.quanta or 0) < 0:
        raise DataError(
            f"a gap from {gap.from_ns} to {gap.to_ns} ns: {gap.rows} rows and {gap.quanta} quanta are missing; "
            "expected none of them negative, and None where it is not known"
        )


def joined(runs: Runs, more: Runs) -> list[tuple[int, int]]:
    """Return the numbers of both.

    >>> joined([(0, 5), (9, 12)], [(5, 7), (11, 20)])
    [(0, 7), (9, 20)]
    """
    made = list[tuple[int, int]]()
    for first, stop in sorted([*runs, *more]):
        if made and first <= made[-1][1]:
            made[-1] = (made[-1][0], max(made[-1][1], stop))
        else:
            made.append((first, stop))
    return made


def lacking(runs: Runs, first: int, stop: int) -> list[tuple[int, int]]:
    """Return those of the numbers `[first, stop)` that are not in `runs`.

    >>> lacking([(0, 5), (9, 12)], 3, 20)
    [(5, 9), (12, 20)]
    """
    made = list[tuple[int, int]]()
    for begin, end in runs[max(bisect_right(runs, (first, first)) - 1, 0) :]:
        if begin >= stop:
            break
        if begin > first:
            made.append((first, begin))
        first = max(first, end)
    return [*made, (first, stop)] if first < stop else made
