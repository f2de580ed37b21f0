"""How long rows took from their own time to the recorder that wrote them down, and what share of them says so."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy import int64
from numpy.typing import NDArray

from bmv.data.ticks.schema import STAMPS
from bmv.data.ticks.stamps import stamps_among

DAY_NS = 86_400 * 10**9
DIGITS = 3  # That a delay is counted by: it is right to half a percent, and days of them take few kilobytes.


class Delay(NamedTuple):
    """By how many nanoseconds rows reached their recorder after their time; negative where its clock is behind."""

    median_ns: int
    p99_ns: int


@dataclass(slots=True, repr=False)
class Stamped:
    """How many rows have each stamp, and their delays, counted while rows pass by.

    Args:
        counts: Stamp -> rows that have it.
        delays: Delay (nanoseconds, of three digits) -> rows.
    """

    counts: Counter[str] = field(default_factory=Counter)
    delays: Counter[int] = field(default_factory=Counter)

    def __repr__(self) -> str:
        told = ", ".join(f"{self.counts[name]:,} with {name}" for name in STAMPS)
        return f"<Stamped {told}, {self.delay()}>"

    def add(self, rows: pl.DataFrame) -> None:
        """Count some rows in the lake's form."""
        for name in stamps_among(rows.columns):
            self.counts[name] += len(rows) - rows[name].null_count()
        if "received_ns" in rows.columns:
            found = (rows["received_ns"] - rows["ts_ns"]).drop_nulls().to_numpy()
            delays, counts = np.unique(_rounded(found), return_counts=True)
            self.delays.update(dict(zip(delays.tolist(), counts.tolist(), strict=True)))

    def delay(self) -> Delay | None:
        """Return the median and the 99th percentile; None where no row says when it arrived."""
        if not self.delays:
            return None
        delays = np.array(sorted(self.delays))
        ranks = np.cumsum([self.delays[delay] for delay in delays.tolist()])
        return Delay(*(int(delays[np.searchsorted(ranks, share * ranks[-1])]) for share in (0.5, 0.99)))

    def as_dict(self) -> dict[str, Any]:  # Any: it is JSON.
        """Return how many rows have each stamp, and the delays, as JSON-able values."""
        delay = self.delay()
        return {
            "stamps": {name: self.counts[name] for name in STAMPS},
            "delay_ns": None if delay is None else delay._asdict(),
        }

    def words(self, rows: int) -> list[str]:
        """Return what a trader should know of the stamps of so many rows, a line each; nothing where there are none."""
        shares = [f"{self.counts[name] / rows:.1%} have {name}" for name in STAMPS if self.counts[name]]
        lines = [f"of the rows {' and '.join(shares)}"] if shares else []
        if delay := self.delay():
            median, p99 = map(in_time, delay)
            lines.append(f"they arrived {median} after their time (median; 99 % of them within {p99})")
        return lines


def all_of(parts: Iterable[Stamped]) -> Stamped:
    """Return what parts of a record say together."""
    whole = Stamped()
    for part in parts:
        whole.counts += part.counts
        whole.delays += part.delays
    return whole


def in_time(ns: int) -> str:
    """Return a time of nanoseconds in its fitting unit.

    >>> in_time(12_300_000), in_time(-450), in_time(2_500_000_000), in_time(2_500_000_000_000_000)
    ('12.3 ms', '-450 ns', '2.5 s', '28.9 days')
    """
    if abs(ns) >= DAY_NS:
        return f"{ns / DAY_NS:,.1f} days"
    for per, unit in ((10**9, "s"), (10**6, "ms"), (10**3, "µs")):
        if abs(ns) >= per:
            return f"{ns / per:.{DIGITS}g} {unit}"
    return f"{ns} ns"


def _rounded(delays: NDArray[Any]) -> NDArray[int64]:  # Any: whole numbers.
    """Return whole numbers rounded to `DIGITS` digits.

    >>> _rounded(np.array([12_345_678, -1_999, 7, 0])).tolist()
    [12300000, -2000, 7, 0]
    """
    size = np.maximum(np.abs(delays), 1)
    step = (10 ** np.maximum(np.floor(np.log10(size)) - DIGITS + 1, 0)).astype(int64)
    rounded: NDArray[int64] = np.rint(delays / step).astype(int64) * step
    return rounded
