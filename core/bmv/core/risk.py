"""What is allowed: the stance towards the market, the circuit breaker, and the limits on each order.

Every refusal is a value with a code, counted in `State.refusals`.
"""

from enum import IntEnum

from bmv.core.accounting import notional
from bmv.core.kernel import kernel
from bmv.core.params import RATE_MAX, Params
from bmv.core.record import Table
from bmv.core.state import (
    LEFT,
    NEVER_NS,
    PRICE,
    SIDE,
    TRIP_CAUSE,
    TRIP_EQUITY,
    TRIP_NS,
    TRIP_TIER,
    TRIPS_MAX,
    State,
)

MINUTE_NS = 60_000_000_000
DAY_NS = 86_400_000_000_000
_MILLION = 1_000_000


class Stance(IntEnum):
    """What the engine may do now."""

    QUOTE = 0
    REDUCE = 1  # Only orders that bring the position nearer to its target.
    WITHDRAW = 2  # Nothing may rest.


class Tier(IntEnum):
    """How far the circuit breaker has gone; it goes up only, until an operator re-arms it."""

    ARMED = 0
    WARN = 1
    REDUCE = 2
    HALT = 3


class Cause(IntEnum):
    """What moved the breaker."""

    DRAWDOWN = 1
    DAILY = 2
    MAX_LOSS = 3
    OPERATOR = 4
    REARM = 5


class Refusal(IntEnum):
    """Why an order, or a cancel, was not sent; the index into `State.refusals`."""

    NONE = 0
    POSITION = 1  # Worst case over `max_position`: every order of that side filled.
    BALANCE = 2  # More than is held, in quote for a bid or in base for an ask.
    OPEN_ORDERS = 3
    ORDER_NOTIONAL = 4
    TOTAL_NOTIONAL = 5
    ORDER_RATE = 6
    CANCEL_RATE = 7
    REFERENCE_DISTANCE = 8
    LAST_TRADE_DISTANCE = 9
    REDUCE_ONLY = 10
    OWN_ORDER = 11  # It would cross an order of ours, a dying one perhaps.
    NO_PIVOT = 12  # The last ones withdraw the whole grid; counted once each time that happens.
    STALE = 13
    FEED_DOWN = 14
    DEVIATION = 15
    HALTED = 16
    PAUSED = 17
    MALFORMED = 18  # A row of a user's strategy that is no order.


_ORDER_RATE = Refusal.ORDER_RATE.value
_CANCEL_RATE = Refusal.CANCEL_RATE.value
_REFERENCE = Refusal.REFERENCE_DISTANCE.value
_LAST_TRADE = Refusal.LAST_TRADE_DISTANCE.value
_OPEN_ORDERS = Refusal.OPEN_ORDERS.value
_ORDER_NOTIONAL = Refusal.ORDER_NOTIONAL.value
_TOTAL_NOTIONAL = Refusal.TOTAL_NOTIONAL.value
_NO_PIVOT = Refusal.NO_PIVOT.value
_STALE = Refusal.STALE.value
_FEED_DOWN = Refusal.FEED_DOWN.value
_DEVIATION = Refusal.DEVIATION.value
_HALTED = Refusal.HALTED.value
_PAUSED = Refusal.PAUSED.value
_WARN = Tier.WARN.value
_REDUCE = Tier.REDUCE.value
_HALT = Tier.HALT.value
_DRAWDOWN = Cause.DRAWDOWN.value
_DAILY = Cause.DAILY.value
_MAX_LOSS = Cause.MAX_LOSS.value


@kernel
def withdrawal(params: Params, state: State) -> int:
    """Return why nothing may rest now, as a :class:`Refusal`; 0 when quoting is allowed."""
    if state.tier >= _HALT:
        return _HALTED
    if state.paused != 0:
        return _PAUSED
    if state.feed_up == 0:
        return _FEED_DOWN
    if params.stale_ns > 0 and state.now_ns - state.market_ns >= params.stale_ns:
        return _STALE
    if state.centre == 0.0:
        return _NO_PIVOT
    if params.max_deviation > 0.0 and (
        state.reference == 0
        or abs(state.pivot - float(state.reference)) > params.max_deviation * float(state.reference)
    ):
        return _DEVIATION
    return 0


@kernel
def fall(peak: int, ppm: int) -> int:
    """Return the fall in quanta that is `ppm` parts per million of `peak`, rounded up.

    >>> fall(1_000_000, 15_000), fall(10, 1)
    (15000, 1)
    """
    return peak // _MILLION * ppm - (-(peak % _MILLION) * ppm) // _MILLION


@kernel
def _trip_level(state: State, peak: int, ppm: int) -> int:
    """Return the equity at or below which a tier of `ppm` trips; far below everything when the tier is off."""
    if ppm == 0 or peak <= 0:
        return NEVER_NS
    return peak - fall(peak, ppm)


@kernel
def _loss_level(params: Params, state: State) -> int:
    return state.start_equity - params.max_loss if params.max_loss > 0 else NEVER_NS


@kernel
def aim(params: Params, state: State) -> None:
    """Set `state.trip_at`, the highest equity at which a tier above the present one trips."""
    level = NEVER_NS
    if state.tier < _HALT:
        level = max(_trip_level(state, state.peak, params.halt_ppm), _loss_level(params, state))
        level = max(level, _trip_level(state, state.day_equity, params.daily_ppm))
    if state.tier < _REDUCE:
        level = max(level, _trip_level(state, state.peak, params.reduce_ppm))
    if state.tier < _WARN:
        level = max(level, _trip_level(state, state.peak, params.warn_ppm))
    state.trip_at = level


@kernel
def _raise_tier(state: State, tier: int, cause: int) -> None:
    if tier <= state.tier:
        return
    state.tier = tier
    note_trip(state, cause)


@kernel
def note_trip(state: State, cause: int) -> None:
    """Keep what the breaker just did; beyond `TRIPS_MAX` transitions only their number."""
    if state.n_trips < TRIPS_MAX:
        state.trips[state.n_trips, TRIP_NS] = state.now_ns
        state.trips[state.n_trips, TRIP_TIER] = state.tier
        state.trips[state.n_trips, TRIP_CAUSE] = cause
        state.trips[state.n_trips, TRIP_EQUITY] = state.equity
    state.n_trips += 1


@kernel
def trip(params: Params, state: State) -> None:
    """Raise the breaker to every tier that the known equity asks for, and aim at the next."""
    if state.equity <= _trip_level(state, state.peak, params.warn_ppm):
        _raise_tier(state, _WARN, _DRAWDOWN)
    if state.equity <= _trip_level(state, state.peak, params.reduce_ppm):
        _raise_tier(state, _REDUCE, _DRAWDOWN)
    if state.equity <= _trip_level(state, state.peak, params.halt_ppm):
        _raise_tier(state, _HALT, _DRAWDOWN)
    if state.equity <= _trip_level(state, state.day_equity, params.daily_ppm):
        _raise_tier(state, _HALT, _DAILY)
    if state.equity <= _loss_level(params, state):
        _raise_tier(state, _HALT, _MAX_LOSS)
    aim(params, state)


@kernel
def rate_frees_ns(sent: int, times_ns: Table, limit: int) -> int:
    """Return when one more may be sent under `limit` a minute; `times_ns` is the ring of the latest `RATE_MAX`."""
    if limit == 0 or sent < limit:
        return NEVER_NS
    return int(times_ns[(sent - limit) % RATE_MAX]) + MINUTE_NS


@kernel
def may_cancel(params: Params, state: State) -> bool:
    """Return whether one more cancel that only tidies may be sent; a cancel that risk asks for is never held back."""
    frees_ns = rate_frees_ns(state.cancelled, state.cancelled_ns, params.max_cancels_per_minute)
    if state.now_ns < frees_ns:
        state.refusals[_CANCEL_RATE] += 1
        state.retry_ns = min(state.retry_ns, frees_ns)
        return False
    return True


@kernel
def note_cancel(state: State) -> None:
    """Count a cancel that is sent now."""
    state.cancelled_ns[state.cancelled % RATE_MAX] = state.now_ns
    state.cancelled += 1


@kernel
def _beyond(price: int, anchor: int, fraction: float) -> bool:
    return fraction > 0.0 and (anchor == 0 or abs(float(price - anchor)) > fraction * float(anchor))


@kernel
def refusal(params: Params, state: State, price: int, size: int) -> int:
    """Return why an order of `size` lots at `price` ticks may not be sent now, 0 when it may."""
    if state.n_orders >= params.max_open_orders:
        return _OPEN_ORDERS
    amount = notional(params.half, price, size)
    if params.max_order_notional > 0 and amount > params.max_order_notional:
        return _ORDER_NOTIONAL
    if params.max_total_notional > 0 and amount + _open_notional(params, state) > params.max_total_notional:
        return _TOTAL_NOTIONAL
    if _beyond(price, state.reference, params.max_reference):
        return _REFERENCE
    if _beyond(price, state.last_price, params.max_last_trade):
        return _LAST_TRADE
    frees_ns = rate_frees_ns(state.placed, state.placed_ns, params.max_orders_per_minute)
    if state.now_ns < frees_ns:
        state.retry_ns = min(state.retry_ns, frees_ns)
        return _ORDER_RATE
    return 0


@kernel
def _open_notional(params: Params, state: State) -> int:
    total = 0
    for i in range(state.n_orders):
        total += notional(params.half, state.orders[i, PRICE], state.orders[i, LEFT])
    return total


@kernel
def crosses_own(state: State, side: int, price: int) -> bool:
    """Return whether an order at `price` would trade with one of ours, dying ones included."""
    for i in range(state.n_orders):
        if state.orders[i, SIDE] == -side and side * (price - state.orders[i, PRICE]) >= 0:
            return True
    return False


@kernel
def exposed(state: State, side: int) -> int:
    """Return the lots of every order of `side` whose end is not known."""
    lots = 0
    for i in range(state.n_orders):
        if state.orders[i, SIDE] == side:
            lots += state.orders[i, LEFT]
    return lots
