"""A run cut into periods of equal length: what changed in each, what was held in it, and where the mid stood."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy import int64
from numpy.typing import NDArray

from bmv.backtest import ledger as r
from bmv.backtest.sweep.shared import Prepared
from bmv.backtest.sweep.validation.quoting import ride
from bmv.backtest.tables import owned_of
from bmv.core.accounting import worth


class Periods(NamedTuple):
    """The account of a run.

    Args:
        returns: Change of equity in each period, quanta; together they are the net profit.
        held: Position in each period, weighted by time and valued at the first mid, quanta.
        mids: The first mid, and the mid at the end of each period, half ticks; one more than there are periods.
    """

    returns: tuple[int, ...]
    held: tuple[int, ...]
    mids: tuple[int, ...]

    def market(self, mids: NDArray[int64]) -> NDArray[int64]:
        """Return what the run's average position had made when the mid was `mids`, quanta."""
        return ride(np.mean(self.held), mids, np.int64(self.mids[0]))


def cut(
    half: int, start: int, samples: NDArray[int64], fills: NDArray[int64], prepared: Prepared, periods: int
) -> Periods:
    """Return the account of a run in so many periods of its tape.

    A period ends at the last sample of equity in it.

    Args:
        half: Quanta in half a tick times one lot.
        start: The position before the first fill, lots.
        samples: Rows of equity, and
        fills: of fills, as :mod:`bmv.backtest.ledger` has their columns.
    """
    if not len(samples):
        return Periods((0,) * periods, (0,) * periods, (0,) * (periods + 1))
    owned, mid2, ts_ns = owned_of(half, samples), samples[:, r.E_MID2], samples[:, r.E_TS_NS]
    span = prepared.last_ns - prepared.first_ns
    edges = [prepared.first_ns + span * n // periods for n in range(periods + 1)]
    edges[-1] = max(edges[-1], int(ts_ns[-1]))
    at = np.maximum(np.searchsorted(ts_ns, edges[1:], "right") - 1, 0)
    lots = _lots(edges, start, fills[:, r.F_TS_NS], fills[:, r.F_POSITION])
    return Periods(
        tuple(np.diff(owned[at], prepend=owned[0]).tolist()),
        tuple(np.rint(lots * float(worth(half, 1, int(mid2[0])))).astype(int64).tolist()),
        (int(mid2[0]), *mid2[at].tolist()),
    )


def _lots(edges: Sequence[int], start: int, ts_ns: NDArray[int64], after: NDArray[int64]) -> NDArray[np.float64]:
    """Return the mean position between neighbouring `edges`, weighted by time, lots.

    Args:
        start: Position before the first fill.
        ts_ns: Times of the fills, ascending.
        after: Position after each.
    """
    instants = np.sort(np.concatenate([np.array(edges, int64), ts_ns]))
    position = np.concatenate([[start], after])[np.searchsorted(ts_ns, instants[:-1], "right")]
    passed = np.diff(instants)
    period = np.searchsorted(edges, instants[:-1], "right") - 1
    inside = (period >= 0) & (period < len(edges) - 1) & (passed > 0)
    held = np.bincount(period[inside], (position * passed.astype(float))[inside], len(edges) - 1)
    return held / np.maximum(np.diff(edges), 1)
