"""What the simulated venue is told before it starts."""

from typing import Annotated

from bmv.core.record import Table

QUEUE_FRONT = 0
QUEUE_BACK = 1
QUEUE_POWER = 2
QUEUE_LOG = 3

LATENCY_CONSTANT = 0
LATENCY_RANDOM = 1
LATENCY_RECORDED = 2
QUANTILES = 4096  # Rows of the table behind the random model.
RECORDED_MAX = 1 << 15  # Rows of the table behind the recorded model, at the most.
LATENCY_COLUMNS = 2  # Of that table: time and latency.
L_TS_NS, L_NS = range(LATENCY_COLUMNS)


class VenueParams:
    """One row; see :mod:`bmv.core.record`."""

    half: int  # Quanta in half a tick times one lot; of an inverse market see :mod:`bmv.core.accounting`.
    divisor: int  # 0: the market is linear.
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

    # Random: quantiles of the distribution, ns, ascending, of which one is picked by chance.
    entry_quantiles: Annotated[Table, (QUANTILES,)]
    response_quantiles: Annotated[Table, (QUANTILES,)]
    # Recorded: rows of (time, latency), ns, times strictly ascending; interpolated between two, the nearest outside.
    n_entry_recorded: int
    n_response_recorded: int
    entry_recorded: Annotated[Table, (RECORDED_MAX, LATENCY_COLUMNS)]
    response_recorded: Annotated[Table, (RECORDED_MAX, LATENCY_COLUMNS)]
