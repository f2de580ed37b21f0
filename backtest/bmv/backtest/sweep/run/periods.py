"""A run cut into periods of equal length: what changed in each, what was held in it, and where the mid stood."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy import int64
from numpy.typing import NDArray

from bmv.adapters.bookkeeping import ledger as r
from bmv.adapters.bookkeeping.tables import owned_of
from bmv.backtest.sweep.tapes.shared import Prepared
from bmv.backtest.sweep.trials.accounts import ride
from bmv.core.params import Params


class Periods(NamedTuple):
    """The account of a run.

    Args:
        returns: Change of equity in each period, quanta; together they are the net profit.
        held: Position in each period, weighted by time and valued at the first mid, quanta.
        mids: The first mid, and the mid at the end of each period, half ticks, made :func:`straight`; one more than
            there are periods.
    """

    returns: tuple[int, ...]
    held: tuple[int, ...]
    mids: tuple[int, ...]

    def market(self, mids: NDArray[int64]) -> NDArray[int64]:
        """Return what the run's average position had made when the mid was `mids`, quanta."""
        return ride(np.mean(self.held), mids, np.int64(self.mids[0]))


def cut(
    params: Params, start: int, samples: NDArray[int64], fills: NDArray[int64], prepared: Prepared, periods: int
) -> Periods:
    """Return the account of a run in so many periods of its tape.

    A period ends at the last sample of equity in it.

    Args:
        params: Of the run: what its market is counted in.
        start: The position before the first fill, lots.
        samples: Rows of equity, and
        fills: of fills, as :mod:`bmv.adapters.bookkeeping.ledger` has their columns.
    """
    if not len(samples):
        return Periods((0,) * periods, (0,) * periods, (0,) * (periods + 1))
    owned, mid2, ts_ns = owned_of(params.half, params.divisor, samples), samples[:, r.E_MID2], samples[:, r.E_TS_NS]
    edges = _edges(prepared.first_ns, prepared.last_ns, periods).copy()
    edges[-1] = max(int(edges[-1]), int(ts_ns[-1]))
    at = np.maximum(np.searchsorted(ts_ns, edges[1:], "right") - 1, 0)
    lots = _lots(edges, start, fills[:, r.F_TS_NS], fills[:, r.F_POSITION])
    return Periods(
        tuple(np.diff(owned[at], prepend=owned[0]).tolist()),
        tuple(np.rint(lots * _worth_of_a_lot(params, int(mid2[0]))).astype(int64).tolist()),
        (int(mid2[0]), *straight(params.divisor, mid2[at], int(mid2[0])).tolist()),
    )


@lru_cache
def _edges(first_ns: int, last_ns: int, periods: int) -> NDArray[int64]:
    """Return the ends of so many equal periods, the first one's start before them; the same for every run."""
    return np.array([first_ns + (last_ns - first_ns) * n // periods for n in range(periods + 1)], int64)


def straight(divisor: int, mids: NDArray[int64], first: int) -> NDArray[int64]:
    """Return the mids at which a linear position, worth the same at the `first`, would have gained the same.

    Those of a linear market as they are; of an inverse one, whose positions gain as `1 - first / mid`, to a half tick.
    """
    if divisor == 0:
        return mids
    gained = 1 - float(first) / mids.astype(np.float64)
    return np.maximum(np.rint(first * (1 + gained)).astype(int64), 1)


def _worth_of_a_lot(params: Params, mid2: int) -> float:
    """Return what a lot is worth at a mid of `mid2` half ticks, without a sign, quanta."""
    return float(params.half * mid2) if params.divisor == 0 else params.half / (params.divisor * mid2)


def _lots(
    edges: Sequence[int] | NDArray[int64], start: int, ts_ns: NDArray[int64], after: NDArray[int64]
) -> NDArray[np.float64]:
    """Return the mean position between neighbouring `edges`, weighted by time, lots.

    Args:
        start: Position before the first fill.
        ts_ns: Times of the fills, ascending.
        after: Position after each.
    """
    instants = np.sort(np.concatenate([np.asarray(edges, int64), ts_ns]))
    position = np.concatenate([[start], after])[np.searchsorted(ts_ns, instants[:-1], "right")]
    passed = np.diff(instants)
    period = np.searchsorted(edges, instants[:-1], "right") - 1
    inside = (period >= 0) & (period < len(edges) - 1) & (passed > 0)
    held = np.bincount(period[inside], (position * passed.astype(float))[inside], len(edges) - 1)
    return held / np.maximum(np.diff(edges), 1)
