"""What the core is told before it starts: the configuration in ticks, lots, nanoseconds, quanta and plain fractions.

Made from the configuration file by `bmv.adapters.config.compile`; read-only from then on. Zero means "off" wherever
a limit may be absent.
"""

from typing import Annotated

from bmv.core.record import FloatTable

LEVELS_MAX = 64  # Levels of one side.
ORDERS_MAX = 1024  # Open orders at once, at the most.
RATE_MAX = 4096  # Orders, or cancels, a minute, at the most.

# Rows of `Params.rungs`, and its last columns.
BIDS, ASKS = range(2)
RUNG_OFFSET, RUNG_SIZE = range(2)

PIVOT_GRID = 0  # `Params.strategy`: the built-in one,
COMPILED = 1  # a user's verb that compiles,
INTERPRETED = 2  # a user's verb in plain Python.


class Params:
    """One row; see :mod:`bmv.core.record`. Fractions: 0.01 is one percent, 1e-4 one basis point."""

    # The market.
    half: int  # Quanta in half a tick times one lot; of an inverse market see :mod:`bmv.core.accounting`.
    divisor: int  # 0: the market is linear.
    min_size: int  # Lots.
    maker_fee_e8: int  # Fraction of the notional times 10^8; negative for a rebate.
    taker_fee_e8: int

    # The pivot.
    window_ns: int
    history_ns: int
    window_share: float  # The short window as a share of the long one.
    reference_weight: float
    max_deviation: float  # Fraction of the reference; 0: off.

    # The grid. `rungs`: [bids, asks] x level x [distance from the centre as a fraction, size in lots].
    bid_levels: int
    ask_levels: int
    rungs: Annotated[FloatTable, (2, LEVELS_MAX, 2)]

    # The inventory.
    start_position: int  # Lots.
    start_cash: int  # Quanta.
    target: int  # Lots.
    max_position: int  # Lots away from the target, either way.
    price_skew: float  # Fraction the centre is moved at a full inventory.
    size_skew: float

    # When to requote.
    threshold: float  # Fraction of the centre.
    tolerance: float  # Fraction of the wanted price.
    tolerance_size: float  # Fraction of the wanted size.
    min_interval_ns: int
    max_age_ns: int  # 0: off.
    fill_delay_ns: int

    # Limits; 0: off.
    risk_max_position: int  # Lots held, at the most.
    max_open_orders: int  # Never off.
    max_order_notional: int  # Quanta.
    max_total_notional: int  # Quanta, over all open orders.
    max_orders_per_minute: int
    max_cancels_per_minute: int
    max_reference: float  # Fraction of the reference price.
    max_last_trade: float  # Fraction of the last trade's price.
    stale_ns: int

    # The breaker; 0: that tier is off. Parts per million of the peak: 1 % is 10_000.
    warn_ppm: int
    reduce_ppm: int
    halt_ppm: int
    daily_ppm: int
    max_loss: int  # Quanta.
    flatten: int  # 1: flatten on halt, 0: only cancel.
    flatten_by: float  # Fraction beyond the touch.

    strategy: int  # PIVOT_GRID, COMPILED or INTERPRETED.
