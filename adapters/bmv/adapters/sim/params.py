"""What the simulated venue is told before it starts."""

from typing import NamedTuple

from numpy import int64
from numpy.typing import NDArray

QUEUE_FRONT = 0
QUEUE_BACK = 1
QUEUE_POWER = 2
QUEUE_LOG = 3

LATENCY_CONSTANT = 0
LATENCY_RANDOM = 1
LATENCY_RECORDED = 2


class VenueParams:
    """One row; see :mod:`bmv.core.record`."""

    half: int  # Quanta in half a tick times one lot.
    maker_fee_e8: int  # Fraction of the notional times 10^8; negative for a rebate.
    taker_fee_e8: int
    queue: int  # QUEUE_FRONT, QUEUE_BACK, QUEUE_POWER or QUEUE_LOG.
    queue_power: int  # Exponent of the power model, 1 to 8.
    lot: float  # Base in one lot: the log model counts in units, as hftbacktest does.
    fill_on_quotes: int  # 0 or 1.
    entry_model: int  # LATENCY_CONSTANT, LATENCY_RANDOM or LATENCY_RECORDED.
    entry_ns: int  # The constant.
    response_model: int
    response_ns: int
    seed: int  # 1 to 2^31 - 2.


class Latencies(NamedTuple):
    """Tables behind the random and the recorded models; empty `(0,)` / `(0, 2)` where not used.

    Random: quantiles `(4096,)` of the distribution, ns, ascending; one is picked by chance. Recorded: rows `(n, 2)` of
    (time, latency), ns, times strictly ascending; between two of them the latency is interpolated, outside the nearest
    one holds.
    """

    entry_quantiles: NDArray[int64]
    entry_recorded: NDArray[int64]
    response_quantiles: NDArray[int64]
    response_recorded: NDArray[int64]
