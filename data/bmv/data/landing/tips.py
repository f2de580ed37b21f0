"""What others pay: the tip floor as percentiles of landed tips, and which share of them a tip is above."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log

PERCENTILES = (25, 50, 75, 95, 99)  # Those that are published.
TOP = 2  # Nobody pays more than so many times the last of them.
MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class TipFloor:
    """Tips that landed lately.

    Args:
        lamports: At each of `PERCENTILES`; they never fall.
        least: What everybody pays at least.
    """

    lamports: tuple[int, int, int, int, int]
    least: int = 1_000

    def __post_init__(self) -> None:
        rising = all(low <= high for low, high in pairwise(self._tips))
        assert self.least >= 1, f"a least tip of {self.least}, and a logarithm is taken of it"
        assert rising, f"{self.lamports} lamports from {self.least} up do not rise"

    @property
    def _tips(self) -> Sequence[int]:
        return (self.least, *self.lamports, TOP * self.lamports[-1])

    def tip(self, percentile: float) -> float:
        """Return the lamports that this share of the others does not exceed, even in its logarithm in between.

        >>> round(TipFloor((1_000, 10_000, 36_000, 1_400_000, 10_000_000)).tip(50))
        10000
        """
        marks, tips = (0, *PERCENTILES, 100), self._tips
        at = min(max(bisect_right(marks, percentile) - 1, 0), len(marks) - 2)
        share = (percentile - marks[at]) / (marks[at + 1] - marks[at])
        return exp(log(tips[at]) + share * (log(tips[at + 1]) - log(tips[at])))

    def share_below(self, lamports: float) -> float:
        """Return which share of the others pays less than that, 0 to 1.

        >>> floor = TipFloor((1_000, 10_000, 36_000, 1_400_000, 10_000_000))
        >>> floor.share_below(1_000), floor.share_below(1_001) >= 0.25, round(floor.share_below(36_000), 6)
        (0.0, True, 0.75)
        """
        marks, tips = (0, *PERCENTILES, 100), self._tips
        if lamports <= tips[0]:
            return 0.0
        if lamports >= tips[-1]:
            return 1.0
        at = next(at for at in reversed(range(len(tips) - 1)) if tips[at] < lamports)
        share = (log(lamports) - log(tips[at])) / (log(tips[at + 1]) - log(tips[at]))
        return (marks[at] + share * (marks[at + 1] - marks[at])) / 100


def per_unit(lamports: int, units: int) -> int:
    """Return millionths of a lamport for each compute unit asked for: the one measure of tip and priority fee.

    >>> per_unit(10_000, 200_000), per_unit(1, 3_000_000)
    (50000, 0)
    """
    return lamports * MICRO // units
