"""What a configuration whose keys are each in range may still get wrong: found at the door, all of it at once."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

from bmv.adapters.config.compile import (
    BPS,
    E8_PER_BPS,
    PPM_PER_PCT,
    VENUE_ORDERS_MAX,
    largest_lots,
    market,
    min_lots,
    offsets_bps,
    price_ticks_max,
    sizes_lots,
    to_ns,
)
from bmv.adapters.config.masking import has_password
from bmv.adapters.config.prices import price_problems
from bmv.adapters.config.problems import shown
from bmv.adapters.config.schema import Breaker, Config, RandomLatency, Side
from bmv.ports.market import NOTIONAL_MAX, SIZE_LOTS_MAX, Market

STEP_MIN = Decimal("1e-12")  # Finest tick, lot and quote step; a finer one leaves no room for amounts in int64.
PRICE_TICKS_MIN = 1_000  # Prices up to at least this many ticks must fit beside the largest position.


def check(config: Config, *, grid_optional: bool = False) -> list[str]:
    """Return everything that is wrong with a configuration whose keys are each in range, one line a problem.

    Args:
        grid_optional: A function that the configuration does not name decides, so both sides may be empty.
    """
    grid_optional = grid_optional or config.strategy is not None
    grids = list(_grid_problems(config))
    if grids:  # Nothing can be counted in ticks, lots or quanta.
        return [*grids, *_order_problems(config, grid_optional), *_other_problems(config)]
    instrument = market(config)
    return [
        *_amount_problems(config, instrument),
        *_order_problems(config, grid_optional),
        *_other_problems(config),
        *(line for name in ("bid", "ask") for line in _side_problems(config, name, instrument)),
    ]


def _grid_problems(config: Config) -> Iterator[str]:
    m = config.market
    for key, step in (("tick_size", m.tick_size), ("lot_size", m.lot_size), ("quote_step", m.quote_step)):
        if step < STEP_MIN:
            yield f"market.{key} = {step:f}: expected at least {STEP_MIN:f}"
    if m.contract is not None:
        if m.contract.size < STEP_MIN:
            yield f"market.contract.size = {m.contract.size:f}: expected at least {STEP_MIN:f}"
        if m.venue != "sim":
            yield f'market.contract: {m.venue} trades coins; take it out, or set market.venue = "sim"'
    for key, fee in (("maker_fee_bps", m.maker_fee_bps), ("taker_fee_bps", m.taker_fee_bps)):
        if fee * E8_PER_BPS % 1:
            yield f"market.{key} = {fee:f}: expected steps of 0.0001 bps"


def _amount_problems(config: Config, market: Market) -> Iterator[str]:
    inv, risk = config.inventory, config.risk
    unit = "contracts" if config.market.contract else "base"
    lots = {
        "market.min_size": config.market.min_size,
        "inventory.start_base": inv.start_base,
        "inventory.target": inv.target,
        "inventory.max_position": inv.max_position,
        "grid.bid.total_size": config.grid.bid.total_size,
        "grid.ask.total_size": config.grid.ask.total_size,
        "risk.max_position": risk.max_position,
    }
    for key, size in lots.items():
        if size is not None and market.lots(size) > SIZE_LOTS_MAX:
            yield f"{key} = {size:f}: expected at most 2^40 lots of {market.lot_size:f} {unit}"
    for key in ("inventory.start_base", "inventory.target"):
        size = lots[key]
        if size is not None and market.lots(size) % 1:
            yield f"{key} = {size:f}: expected a whole number of lots of {market.lot_size:f} {unit}"
    for key in ("inventory.max_position", "risk.max_position"):
        size = lots[key]
        if size is not None and market.lots(size) < 1:
            yield f"{key} = {size:f}: expected at least one lot of {market.lot_size:f} {unit}"
    if market.contract.inverse and not inv.start_quote:
        yield "inventory.start_quote = 0: expected base to begin with, the margin that inverse contracts are paid in"
    elif not inv.start_base and not inv.start_quote:
        yield "inventory.start_base and inventory.start_quote are both 0: there is nothing to trade with"
    yield from _money_problems(config, market)


def _money_problems(config: Config, market: Market) -> Iterator[str]:
    money = {
        "inventory.start_quote": config.inventory.start_quote,
        "risk.max_order_notional": config.risk.max_order_notional,
        "risk.max_total_notional": config.risk.max_total_notional,
        "risk.breaker.max_loss": config.risk.breaker.max_loss,
    }
    unit = "base" if market.contract.inverse else "quote"
    for key, amount in money.items():
        if amount is not None and market.quanta(amount) > NOTIONAL_MAX:
            yield f"{key} = {amount:f}: expected at most 2^61 quanta of {float(market.quantum):g} {unit} (int64)"
        elif amount and key.startswith("risk.") and market.quanta(amount) < 1:
            least = f"{float(market.quantum):g} {unit}"
            yield f"{key} = {amount:f}: expected at least the smallest amount there is, {least}"
    for key, seconds in {
        "risk.stale_after_s": config.risk.stale_after_s,
        "requote.max_age_s": config.requote.max_age_s,
    }.items():
        if seconds is not None and to_ns(seconds) < 1:
            yield f"{key} = {seconds:g}: expected at least a nanosecond (1e-9 s)"
    if market.contract.inverse:
        yield from _inverse_problems(config, market)
    elif price_ticks_max(config, market) < PRICE_TICKS_MIN:
        yield (
            f"inventory.max_position = {config.inventory.max_position:f}: at {PRICE_TICKS_MIN} ticks that is more than"
            f" 2^61 quanta of {float(market.quantum):g} quote; int64 can't hold it: take coarser steps"
        )


def _inverse_problems(config: Config, market: Market) -> Iterator[str]:
    """Yield what keeps the value of inverse contracts from being counted in int64."""
    most = NOTIONAL_MAX // market.half
    if largest_lots(config, market) > most:
        yield (
            f"inventory.max_position = {config.inventory.max_position:f}: expected at most"
            f" {most * market.lot_size:f} contracts with what is held at the start; int64 can't hold more of this size"
        )
    if price_ticks_max(config, market) < PRICE_TICKS_MIN:
        yield (
            f"market.contract.size = {market.contract.size:f}: at {PRICE_TICKS_MIN} ticks a lot is worth less than"
            f" the smallest amount there is, {float(market.quantum):g} base"
        )


def _order_problems(config: Config, grid_optional: bool) -> Iterator[str]:
    cap, orders = VENUE_ORDERS_MAX[config.market.venue], config.grid.bid.levels + config.grid.ask.levels
    limit = config.risk.max_open_orders or cap
    if limit > cap:
        yield f"risk.max_open_orders = {limit}: expected at most {cap} (orders), which {config.market.venue} holds"
    if orders > limit:
        yield f"grid: {orders} levels in all, but at most {limit} orders may be open (risk.max_open_orders)"
    if not orders and not grid_optional:
        yield "grid: both sides have 0 levels: there is nothing to quote"
    window_s, history_s = config.pivot.window_s, config.pivot.history_s
    if window_s > history_s:
        yield f"pivot.window_s = {window_s:g}: expected at most pivot.history_s = {history_s:g} (s)"
    yield from _tier_problems(config.risk.breaker)
    for key in ("entry_latency_ms", "response_latency_ms"):
        delay = getattr(config.simulation, key)
        if isinstance(delay, RandomLatency) and delay.p99_ms < delay.median_ms:
            yield f"simulation.{key}.p99_ms = {delay.p99_ms:g}: expected at least median_ms = {delay.median_ms:g} (ms)"


def _tier_problems(breaker: Breaker) -> Iterator[str]:
    names = ("warn_pct", "reduce_pct", "halt_pct")
    tiers = [(name, value) for name in names if (value := getattr(breaker, name)) is not None]
    for (low_name, low), (name, high) in pairwise(tiers):
        if high < low:
            yield f"risk.breaker.{name} = {high:f}: expected at least {low_name} = {low:f} (%)"
    for name in (*names, "daily_pct"):
        value = getattr(breaker, name)
        if value is not None and value * PPM_PER_PCT % 1:
            yield f"risk.breaker.{name} = {value:f}: expected steps of 0.0001 %"


def _other_problems(config: Config) -> Iterator[str]:
    """Yield what is wrong in tables that nothing is counted with."""
    yield from price_problems(config)
    yield from _secret_problems(config)
    if config.live.routes:
        from bmv.adapters.config.routes import route_problems  # What it needs takes long to import.

        yield from route_problems(config)
    if config.market.venue == "openbook-v1":
        yield from _version_one_problems(config)


def _version_one_problems(config: Config) -> Iterator[str]:
    for name in ("delegate", "owner"):
        if getattr(config.live, name) is not None:
            yield f"live.{name}: openbook-v1 knows no delegates; take it out"
    for name in ("deposit_base", "deposit_quote"):
        if getattr(config.live, name):
            yield f"live.{name}: openbook-v1 takes no deposits, orders are paid from the wallet; take it out"


def _secret_problems(config: Config) -> Iterator[str]:
    for key, text in _texts(config.model_dump(exclude_none=True)):
        if has_password(text):
            yield f"{key} = {shown(text)}: holds a password; take it out (Postgres reads PGPASSWORD and ~/.pgpass)"


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:  # Any: whatever a key may hold.
    """Yield every text in a configuration with its dotted key."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for at, inner in enumerate(value):
            yield from _texts(inner, f"{key}[{at}]")


def _side_problems(config: Config, name: str, market: Market) -> Iterator[str]:
    side: Side = getattr(config.grid, name)
    least = min_lots(config, market)
    for level, (offset, size) in enumerate(zip(offsets_bps(side), sizes_lots(side, market), strict=True)):
        if offset >= BPS:
            yield f"grid.{name}: level {level} lies {offset:g} bps from the centre, expected under 10000"
            return
        if size + 1e-9 < least:
            yield (
                f"grid.{name}: level {level} is {size * float(market.lot_size):g} base,"
                f" under market.min_size = {least * market.lot_size:f}; raise total_size or take fewer levels"
            )
