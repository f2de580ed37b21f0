"""How far orders may go in front of the wire, by a configuration."""

from math import ceil

from bmv.adapters.config import Config, compile
from bmv.adapters.config.schema import Side
from bmv.live.guard import Limits

COLLAR_MIN = 0.05  # No grid that anybody lays is refused for this, and no price with a digit too many passes.
STALE_NS = 10_000_000_000  # Far beyond what a feed takes to say that it is down.
NS_PER_S = 1_000_000_000


def guard_limits(config: Config) -> Limits:
    """Return what no order may go beyond; the same as the core's risk where that has a limit, reckoned anew."""
    market = compile.market(config)
    inventory, risk = config.inventory, config.risk
    target = market.to_lots(compile.target(config))
    reach = market.to_lots(inventory.max_position)
    most = target + reach if risk.max_position is None else min(target + reach, market.to_lots(risk.max_position))
    notional = risk.max_order_notional
    in_ticks = None if notional is None else int(notional / (market.tick_size * market.lot_size))
    stale_ns = STALE_NS if risk.stale_after_s is None else min(STALE_NS, ceil(risk.stale_after_s * NS_PER_S))
    return Limits(
        collar=collar(config),
        position_min=max(0, target - reach),
        position_max=most,
        notional_max=in_ticks,
        orders_per_minute=risk.max_orders_per_minute,
        open_max=compile.max_open_orders(config),
        stale_ns=stale_ns,
    )


def collar(config: Config) -> float:
    """Return how far from the mid an order may be, as a fraction: twice as far as the grid's farthest level."""
    farthest = max(_farthest_bps(config.grid.bid), _farthest_bps(config.grid.ask)) + config.inventory.price_skew_bps
    return max(COLLAR_MIN, 2 * farthest / compile.BPS)


def _farthest_bps(side: Side) -> float:
    return max(compile.offsets_bps(side), default=0.0)
