"""From the words of an operator to the whole numbers of the core: every unit of a configuration is turned here.

Everything assumes that :func:`bmv.adapters.config.check.check` found nothing wrong.
"""

from decimal import Decimal
from fractions import Fraction
from math import ceil

import numpy as np

from bmv.adapters.config import latency
from bmv.adapters.config.problems import refuse
from bmv.adapters.config.schema import Breaker, Config, ConstantLatency, RecordedLatency, Side
from bmv.adapters.sim.params import (
    LATENCY_CONSTANT,
    LATENCY_RANDOM,
    LATENCY_RECORDED,
    QUEUE_BACK,
    QUEUE_FRONT,
    QUEUE_LOG,
    QUEUE_POWER,
    VenueParams,
)
from bmv.core.params import LEVELS_MAX, PIVOT_GRID, Params
from bmv.core.record import FloatTable, blank
from bmv.ports.market import NOTIONAL_MAX, SPOT, Contract, Market

VENUE_ORDERS_MAX = {"sim": 128, "openbook-v1": 128, "openbook-v2": 24}
QUEUES = {"front": QUEUE_FRONT, "back": QUEUE_BACK, "power": QUEUE_POWER, "log": QUEUE_LOG}
NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
BPS = 10_000  # Basis points in a fraction of 1.
E8_PER_BPS = 10_000  # Parts of 10^-8 in a basis point: the unit of fees.
PPM_PER_PCT = 10_000  # Parts per million in a percent: the unit of the breaker.


def market(config: Config) -> Market:
    """Return the instrument of the ports."""
    m = config.market
    contract = Contract(m.contract.size, m.contract.payoff) if m.contract else SPOT
    return Market(m.symbol, m.tick_size, m.lot_size, m.quote_step, contract)


def params(config: Config, market: Market, strategy: int = PIVOT_GRID) -> Params:
    """Return what the core is told: ticks, lots, nanoseconds, quanta and plain fractions.

    Args:
        strategy: Who decides: `PIVOT_GRID`, `COMPILED` or `INTERPRETED`. A name in the configuration does not say
            whether the function behind it compiles.
    """
    p = blank(Params)
    p.half = market.half
    p.divisor = market.divisor
    p.min_size = min_lots(config, market)
    p.maker_fee_e8 = int(config.market.maker_fee_bps * E8_PER_BPS)
    p.taker_fee_e8 = int(config.market.taker_fee_bps * E8_PER_BPS)
    p.window_ns = to_ns(config.pivot.window_s)
    p.history_ns = to_ns(config.pivot.history_s)
    p.window_share = p.window_ns / p.history_ns
    p.reference_weight = config.pivot.reference_weight
    p.max_deviation = _fraction(config.pivot.max_deviation_bps)
    p.bid_levels = config.grid.bid.levels
    p.ask_levels = config.grid.ask.levels
    p.rungs[:] = rungs(config, market)
    p.strategy = strategy
    _inventory(p, config, market)
    _requote(p, config)
    _limits(p, config, market)
    _breaker(p, config.risk.breaker, market)
    return p


def rungs(config: Config, market: Market) -> FloatTable:
    """Return the table `(2, LEVELS_MAX, 2)`: [bids, asks] x level x [distance as a fraction, size in lots]."""
    table = np.zeros((2, LEVELS_MAX, 2))
    for row, side in enumerate((config.grid.bid, config.grid.ask)):
        table[row, : side.levels, 0] = [offset / BPS for offset in offsets_bps(side)]
        table[row, : side.levels, 1] = sizes_lots(side, market)
    return table


def venue(config: Config, market: Market) -> VenueParams:
    """Return what the simulated venue is told; `ConfigError` when a file of recorded latencies can't be used."""
    v = blank(VenueParams)
    v.lot = float(market.lot_size)
    v.half = market.half
    v.divisor = market.divisor
    v.maker_fee_e8 = int(config.market.maker_fee_bps * E8_PER_BPS)
    v.taker_fee_e8 = int(config.market.taker_fee_bps * E8_PER_BPS)
    v.queue = QUEUES[config.simulation.queue]
    v.queue_power = config.simulation.queue_power
    v.fill_on_quotes = int(config.simulation.fill_on_quotes)
    v.entry_model, v.entry_ns = _latency(config.simulation.entry_latency_ms)
    v.response_model, v.response_ns = _latency(config.simulation.response_latency_ms)
    v.seed = config.simulation.seed
    v.n_entry_recorded = latency.fill(config.simulation.entry_latency_ms, v.seed, v.entry_quantiles, v.entry_recorded)
    v.n_response_recorded = latency.fill(
        config.simulation.response_latency_ms, v.seed, v.response_quantiles, v.response_recorded
    )
    return v


def to_ns(duration: float | None, unit_ns: int = NS_PER_S) -> int:
    """Return a duration (in units of `unit_ns`) in whole nanoseconds, 0 if absent; a float means what it prints.

    >>> to_ns(0.1), to_ns(2.5, NS_PER_MS), to_ns(None)
    (100000000, 2500000, 0)
    """
    return round(Fraction(str(duration or 0)) * unit_ns)


def offsets_bps(side: Side) -> list[float]:
    """Return each level's distance from the centre, bps, nearest first.

    >>> offsets_bps(Side(levels=3, first_bps=10, step_bps=5, step_ratio=2, total_size=1))
    [10.0, 15.0, 25.0]
    """
    offsets = []
    offset, step = side.first_bps, side.step_bps
    for _ in range(side.levels):
        offsets.append(offset)
        offset += step
        step *= side.step_ratio
    return offsets


def sizes_lots(side: Side, market: Market) -> list[float]:
    """Return each level's size before skew and rounding, lots, nearest first; together they are `total_size`."""
    weights, weight = [], 1.0
    for _ in range(side.levels):
        weights.append(weight)
        weight *= side.size_ratio
    total = float(market.lots(side.total_size))
    return [total * each / sum(weights) for each in weights]


def min_lots(config: Config, market: Market) -> int:
    """Return the smallest order the venue takes, in lots, rounded up."""
    return ceil(market.lots(config.market.min_size or market.lot_size))


def max_open_orders(config: Config) -> int:
    """Return how many orders may be open: the limit given, or the venue's cap."""
    return config.risk.max_open_orders or VENUE_ORDERS_MAX[config.market.venue]


def price_ticks_max(config: Config, market: Market) -> int:
    """Return the highest price, in ticks, at which the largest position that may be held fits an int64 of quanta.

    A lot of an inverse market is worth less the higher the price, and at the highest at least one quantum.
    """
    if market.contract.inverse:
        return market.half // (2 * market.divisor)
    return NOTIONAL_MAX // (2 * market.half * max(1, largest_lots(config, market)))


def refuse_without_reference(config: Config, why: str = "a tape does not hold one") -> None:
    """Raise `ConfigError` for keys that need an outside reference price, and say why there is none."""
    found = {
        "pivot.reference_weight": config.pivot.reference_weight > 0,
        "pivot.max_deviation_bps": config.pivot.max_deviation_bps is not None,
        "risk.max_reference_bps": config.risk.max_reference_bps is not None,
    }
    lines = [f"{key}: needs a reference price, and {why}; take it out" for key in found if found[key]]
    refuse(lines, "configuration")


def _inventory(p: Params, config: Config, market: Market) -> None:
    inv = config.inventory
    p.start_position = market.to_lots(inv.start_base)
    p.start_cash = market.to_quanta(inv.start_quote)
    p.target = market.to_lots(target(config))
    p.max_position = market.to_lots(inv.max_position)
    p.price_skew = _fraction(inv.price_skew_bps)
    p.size_skew = inv.size_skew


def _requote(p: Params, config: Config) -> None:
    r = config.requote
    p.threshold = _fraction(r.threshold_bps)
    p.tolerance = _fraction(r.tolerance_bps)
    p.tolerance_size = r.tolerance_size
    p.min_interval_ns = to_ns(r.min_interval_ms, NS_PER_MS)
    p.max_age_ns = to_ns(r.max_age_s)
    p.fill_delay_ns = to_ns(r.fill_delay_s)


def _limits(p: Params, config: Config, market: Market) -> None:
    r = config.risk
    p.risk_max_position = market.to_lots(r.max_position or Decimal(0))
    p.max_open_orders = max_open_orders(config)
    p.max_order_notional = market.to_quanta(r.max_order_notional or Decimal(0))
    p.max_total_notional = market.to_quanta(r.max_total_notional or Decimal(0))
    p.max_orders_per_minute = r.max_orders_per_minute or 0
    p.max_cancels_per_minute = r.max_cancels_per_minute or 0
    p.max_reference = _fraction(r.max_reference_bps)
    p.max_last_trade = _fraction(r.max_last_trade_bps)
    p.stale_ns = to_ns(r.stale_after_s)


def _breaker(p: Params, b: Breaker, market: Market) -> None:
    p.warn_ppm = int((b.warn_pct or 0) * PPM_PER_PCT)
    p.reduce_ppm = int((b.reduce_pct or 0) * PPM_PER_PCT)
    p.halt_ppm = int((b.halt_pct or 0) * PPM_PER_PCT)
    p.daily_ppm = int((b.daily_pct or 0) * PPM_PER_PCT)
    p.max_loss = market.to_quanta(b.max_loss or Decimal(0))
    p.flatten = int(b.on_halt == "flatten")
    p.flatten_by = _fraction(b.flatten_bps)


def _latency(delay: latency.Model) -> tuple[int, int]:
    """Return the model's number and the constant in ns, 0 where the model is not a constant."""
    if isinstance(delay, ConstantLatency):
        return LATENCY_CONSTANT, to_ns(delay.ms, NS_PER_MS)
    return (LATENCY_RECORDED if isinstance(delay, RecordedLatency) else LATENCY_RANDOM), 0


def target(config: Config) -> Decimal:
    """Return the base that is wanted: what is held at the start unless another target is given."""
    inv = config.inventory
    return inv.start_base if inv.target is None else inv.target


def largest_lots(config: Config, market: Market) -> int:
    """Return the largest position that may be held."""
    inv = config.inventory
    return market.to_lots(max(inv.start_base, target(config) + inv.max_position))


def _fraction(bps: float | None) -> float:
    return (bps or 0.0) / BPS
