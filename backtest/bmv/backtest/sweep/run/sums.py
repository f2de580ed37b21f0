"""What is kept of one run of a sweep: the samples of its equity and its fills; thousands of runs must not weigh."""

import numpy as np
from numpy import int64
from numpy.typing import NDArray

from bmv.adapters.bookkeeping.eviction import Drained
from bmv.adapters.bookkeeping.ledger import E_MID2
from bmv.adapters.bookkeeping.tables import owned_of


class Sums:
    """A sink that lets the orders go, and knows at any time how deep the equity has fallen."""

    def __init__(self) -> None:
        self.keep_orders = False
        self._parts = list[Drained]()
        self._equity = list[NDArray[int64]]()
        self._pivots = list[NDArray[np.float64]]()
        self._fills = list[NDArray[int64]]()
        self._peak = -(2**62)
        self.fallen = 0.0  # Deepest fall so far, a fraction of the peak before it.
        self.mid2 = 0  # Mid of the sample that was looked at last, half ticks.

    def __call__(self, rows: Drained) -> None:
        """Keep `rows`, as far as they are wanted."""
        if self.keep_orders:
            self._parts.append(rows)
        self._equity.append(rows.equity)
        self._pivots.append(rows.equity_pivots)
        self._fills.append(rows.fills)

    def equity(self) -> tuple[NDArray[int64], NDArray[np.float64]]:
        """Return the samples of equity so far, and the pivots beside them."""
        return np.concatenate(self._equity), np.concatenate(self._pivots)

    def fills(self) -> NDArray[int64]:
        """Return the fills so far."""
        return np.concatenate(self._fills)

    def whole(self) -> Drained:
        """Return all rows so far; for a run whose orders are kept."""
        return Drained(*(np.concatenate(pieces) for pieces in zip(*self._parts, strict=True)))

    def look(self, half: int, divisor: int) -> int | None:
        """Return the last equity sampled, in quanta, and bring `fallen` up to date; None before there is any."""
        rows = self._equity[-1]
        if not len(rows):
            return None
        self.mid2 = int(rows[-1, E_MID2])
        owned = owned_of(half, divisor, rows)
        peaks = np.maximum(np.maximum.accumulate(owned), self._peak)
        self._peak = int(peaks[-1])
        falls = (peaks - owned)[peaks > 0] / peaks[peaks > 0]
        self.fallen = max(self.fallen, float(falls.max(initial=0.0)))
        return int(owned[-1])
