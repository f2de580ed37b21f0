"""What is allowed: whether anything may rest at all, the limits on each order, and how much all of them leave.

Every refusal is a value with a code, counted in `State.refusals`. An order counts against every limit until its end is
known, a dying one too. So how much may be placed depends on which orders are counted, those of a stage under `below`:
now, beside all that are open; or soon, when the dying ones are gone.
"""

from bmv.core.accounting import fee, notional
from bmv.core.kernel import kernel
from bmv.core.params import ORDERS_MAX, RATE_MAX, Params
from bmv.core.record import Table
from bmv.core.state import (
    BOUNDLESS_LOTS,
    DYING,
    LEAVING,
    LEFT,
    NEVER_NS,
    PRICE,
    SIDE,
    STAGE,
    TIF,
    W_FULL,
    W_KEPT,
    W_PLACE,
    W_PRICE,
    W_REFUSED,
    W_SIDE,
    W_SIZE,
    W_TIF,
    State,
)
from bmv.ports.messages import Refusal, Tier, Tif

MINUTE_NS = 60_000_000_000


_POSITION = Refusal.POSITION.value
_BALANCE = Refusal.BALANCE.value
_REDUCE_ONLY = Refusal.REDUCE_ONLY.value
_ORDER_RATE = Refusal.ORDER_RATE.value
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
_HALT = Tier.HALT.value
_POST_ONLY = Tif.POST_ONLY.value

# Which orders count, by their stage: those below it.
LIVE = DYING  # As soon as all that is dying or leaves is gone.
STANDING = LEAVING  # As soon as what leaves by the plan in hand is gone.
ALL = LEAVING + DYING  # Now.


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
def rate_frees_ns(now_ns: int, planned: int, sent: int, times_ns: Table, limit: int) -> int:
    """Return when one more may be sent under `limit` a minute, beside `planned` that are about to be.

    `times_ns` is the ring of the latest `RATE_MAX` that were sent.
    """
    if limit == 0 or sent + planned < limit:
        return NEVER_NS
    if planned >= limit:
        return now_ns + MINUTE_NS
    return int(times_ns[(sent + planned - limit) % RATE_MAX]) + MINUTE_NS


@kernel
def cancels_left(params: Params, state: State, wanted: int) -> int:
    """Return how many of `wanted` cancels that only tidy may be sent now; what risk asks for is never held back."""
    for planned in range(wanted):
        frees_ns = rate_frees_ns(
            state.now_ns, planned, state.cancelled, state.cancelled_ns, params.max_cancels_per_minute
        )
        if state.now_ns < frees_ns:
            state.retry_ns = min(state.retry_ns, frees_ns)
            return planned
    return wanted


@kernel
def note_cancel(state: State) -> None:
    """Count a cancel that is sent now."""
    state.cancelled_ns[state.cancelled % RATE_MAX] = state.now_ns
    state.cancelled += 1


@kernel
def _beyond(price: int, anchor: int, fraction: float) -> bool:
    return fraction > 0.0 and (anchor == 0 or abs(float(price - anchor)) > fraction * float(anchor))


@kernel
def refusal(params: Params, state: State, price: int, size: int, planned: int, below: int) -> int:
    """Return why an order of `size` lots at `price` ticks may not be sent beside `planned` others, 0 when it may."""
    if _open_orders(state, below) >= params.max_open_orders or state.n_orders >= ORDERS_MAX:
        return _OPEN_ORDERS
    amount = notional(params.half, params.divisor, price, size)
    if params.max_order_notional > 0 and amount > params.max_order_notional:
        return _ORDER_NOTIONAL
    if params.max_total_notional > 0 and amount + _open_notional(params, state, below) > params.max_total_notional:
        return _TOTAL_NOTIONAL
    if _beyond(price, state.reference, params.max_reference):
        return _REFERENCE
    if _beyond(price, state.last_price, params.max_last_trade):
        return _LAST_TRADE
    frees_ns = rate_frees_ns(state.now_ns, planned, state.placed, state.placed_ns, params.max_orders_per_minute)
    if state.now_ns < frees_ns:
        state.retry_ns = min(state.retry_ns, frees_ns)
        return _ORDER_RATE
    return 0


@kernel
def _open_orders(state: State, below: int) -> int:
    if below == ALL:
        return state.n_orders
    count = 0
    for i in range(state.n_orders):
        if state.orders[i, STAGE] < below:
            count += 1
    return count


@kernel
def _open_notional(params: Params, state: State, below: int) -> int:
    total = 0
    for i in range(state.n_orders):
        if state.orders[i, STAGE] < below:
            total += notional(params.half, params.divisor, state.orders[i, PRICE], state.orders[i, LEFT])
    return total


@kernel
def crosses_own(state: State, side: int, price: int, below: int) -> bool:
    """Return whether an order at `price` would trade with one of ours."""
    for i in range(state.n_orders):
        if (
            state.orders[i, SIDE] == -side
            and state.orders[i, STAGE] < below
            and side * (price - state.orders[i, PRICE]) >= 0
        ):
            return True
    return False


@kernel
def lot_cost(params: Params, price: int, tif: int) -> int:
    """Return what one lot bought at `price` may cost at the most, in quanta, fee included.

    The fee is rounded up for each lot: an order may fill lot by lot, and each fill's fee is rounded up.
    """
    rate = params.maker_fee_e8 if tif == _POST_ONLY else max(params.maker_fee_e8, params.taker_fee_e8)
    amount = notional(params.half, params.divisor, price, 1)
    return amount + max(0, fee(amount, rate))


@kernel
def lots_within(params: Params, price: int, limit: int) -> int:
    """Return how many lots at `price` ticks are worth no more than `limit` quanta together."""
    of_a_lot = notional(params.half, params.divisor, price, 1)
    if params.divisor != 0:
        of_a_lot += 1  # It may have been rounded down.
    return limit // of_a_lot


@kernel
def payable(params: Params, cash: int, cost: int) -> int:
    """Return how many lots of `cost` quanta each `cash` pays for; inverse contracts are entered, and cost nothing."""
    return cash // cost if params.divisor == 0 else BOUNDLESS_LOTS


@kernel
def position_room(params: Params, state: State, side: int, reduce_only: bool) -> int:
    """Return how many lots of `side` may be open in all without breaking a limit on the position."""
    away = side * (state.position - params.target)
    lots = params.max_position - away
    if params.risk_max_position > 0:
        lots = min(lots, params.risk_max_position - side * state.position)
    if reduce_only:
        lots = min(lots, -away)
    return lots


@kernel
def allow(params: Params, state: State, n: int, reduce_only: bool) -> None:
    """Cut the wanted sizes, farthest first, to what the limits and the balances allow once the dying orders are gone.

    That they are gone is for :func:`room` to see to.
    """
    cash = state.cash
    bids = position_room(params, state, 1, reduce_only)
    asks = min(position_room(params, state, -1, reduce_only), state.position)
    for i in range(n):
        size = state.wanted[i, W_SIZE]
        state.wanted[i, W_FULL] = size
        state.wanted[i, W_KEPT] = 0
        state.wanted[i, W_PLACE] = 0
        state.wanted[i, W_REFUSED] = 0
        if state.wanted[i, W_SIDE] > 0:
            cost = lot_cost(params, state.wanted[i, W_PRICE], state.wanted[i, W_TIF])
            size = max(0, min(size, min(bids, payable(params, cash, cost))))
            bids -= size
            cash -= size * cost
        else:
            size = max(0, min(size, asks))
            asks -= size
        state.wanted[i, W_SIZE] = size


@kernel
def room(params: Params, state: State, row: int, reduce_only: bool, below: int) -> int:
    """Return how many lots of the wanted `row` may be placed beside the orders whose stage is under `below`."""
    side = state.wanted[row, W_SIDE]
    return min(_room(params, state, side, reduce_only, below), _funds(params, state, row, below))


@kernel
def shortage(params: Params, state: State, row: int, reduce_only: bool, below: int) -> int:
    """Return which limit leaves the least room for the wanted `row`, as a refusal."""
    side = state.wanted[row, W_SIDE]
    if _funds(params, state, row, below) < _room(params, state, side, reduce_only, below):
        return _BALANCE
    return _REDUCE_ONLY if reduce_only else _POSITION


@kernel
def _room(params: Params, state: State, side: int, reduce_only: bool, below: int) -> int:
    """Return how many more lots of `side` the limits on the position allow."""
    return position_room(params, state, side, reduce_only) - _open_lots(state, side, below)


@kernel
def _funds(params: Params, state: State, row: int, below: int) -> int:
    """Return how many lots of the wanted `row` the balance pays for."""
    if state.wanted[row, W_SIDE] > 0:
        cost = lot_cost(params, state.wanted[row, W_PRICE], state.wanted[row, W_TIF])
        return payable(params, state.cash - _committed(params, state, below), cost)
    return state.position - _open_lots(state, -1, below)


@kernel
def _open_lots(state: State, side: int, below: int) -> int:
    lots = 0
    for i in range(state.n_orders):
        if state.orders[i, SIDE] == side and state.orders[i, STAGE] < below:
            lots += state.orders[i, LEFT]
    return lots


@kernel
def _committed(params: Params, state: State, below: int) -> int:
    """Return the quanta that the open bids may still cost."""
    cost = 0
    for i in range(state.n_orders):
        if state.orders[i, SIDE] > 0 and state.orders[i, STAGE] < below:
            cost += state.orders[i, LEFT] * lot_cost(params, state.orders[i, PRICE], state.orders[i, TIF])
    return cost


@kernel
def dying_lots(state: State, side: int) -> int:
    """Return the lots of the orders of `side` of which only the end is awaited."""
    lots = 0
    for i in range(state.n_orders):
        if state.orders[i, SIDE] == side and state.orders[i, STAGE] == DYING:
            lots += state.orders[i, LEFT]
    return lots
