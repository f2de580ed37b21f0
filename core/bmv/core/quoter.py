"""From what is open and what is wanted to what must be asked for: keep, cancel, place.

An order counts against every limit until its end is known, so a replaced order and its successor may both have to fit.
What a successor may be is what there will be room for soon; where there is none for it now, it waits for the news of
the cancel. It is not placed in part meanwhile: the part would have to be replaced as soon as the news came, and that
replacement to wait in its turn, for ever.
"""

from bmv.core.digest import say
from bmv.core.kernel import kernel
from bmv.core.params import RATE_MAX, Params
from bmv.core.risk import (
    Refusal,
    crosses_own,
    dying_lots,
    may_cancel,
    note_cancel,
    refusal,
    room_now,
    room_soon,
    shortage,
)
from bmv.core.state import (
    DECIDED_NS,
    DYING,
    FAR_NS,
    I_LEVEL,
    I_ORDER,
    I_PRICE,
    I_SIDE,
    I_SIZE,
    I_TIF,
    I_TS_NS,
    I_VERB,
    LEFT,
    LEVEL,
    ORDER,
    ORDER_COLUMNS,
    PRICE,
    SENT,
    SIDE,
    STAGE,
    TIF,
    W_FULL,
    W_KEPT,
    W_LEVEL,
    W_PRICE,
    W_SIDE,
    W_SIZE,
    W_TIF,
    State,
)
from bmv.ports.messages import Tif, Verb

_PLACE = Verb.PLACE.value
_CANCEL = Verb.CANCEL.value
_CANCEL_ALL = Verb.CANCEL_ALL.value
_IOC = Tif.IOC.value
_OWN_ORDER = Refusal.OWN_ORDER.value
_REFERENCE_DISTANCE = Refusal.REFERENCE_DISTANCE.value
_LAST_TRADE_DISTANCE = Refusal.LAST_TRADE_DISTANCE.value


@kernel
def _fits(params: Params, state: State, order: int, row: int) -> bool:
    """Return whether the open order at index `order` serves for the wanted `row` as it is."""
    size = state.wanted[row, W_SIZE]
    price = state.wanted[row, W_PRICE]
    if size < max(1, params.min_size) or state.wanted[row, W_TIF] == _IOC:
        return False
    if params.max_age_ns > 0 and state.now_ns - state.orders[order, DECIDED_NS] >= params.max_age_ns:
        return False
    if float(abs(state.orders[order, PRICE] - price)) > params.tolerance * float(price):
        return False
    return float(abs(state.orders[order, LEFT] - size)) <= params.tolerance_size * float(size)


@kernel
def _row_of(state: State, order: int, n: int) -> int:
    """Return the first unclaimed wanted row of the same side and level, -1 when there is none."""
    for i in range(n):
        if (
            state.wanted[i, W_KEPT] == 0
            and state.wanted[i, W_SIDE] == state.orders[order, SIDE]
            and state.wanted[i, W_LEVEL] == state.orders[order, LEVEL]
        ):
            return i
    return -1


@kernel
def ask_for(state: State, n: int, verb: int, order: int, side: int, price: int, size: int, level: int, tif: int) -> int:
    """Write one intent at row `n` of `state.intents`, fold it into the digest, return `n + 1`."""
    intents = state.intents
    intents[n, I_VERB] = verb
    intents[n, I_TS_NS] = state.now_ns
    intents[n, I_ORDER] = order
    intents[n, I_SIDE] = side
    intents[n, I_PRICE] = price
    intents[n, I_SIZE] = size
    intents[n, I_LEVEL] = level
    intents[n, I_TIF] = tif
    state.digest = say(state.digest, verb, state.now_ns, order, side, price, size, level, tif)
    return n + 1


@kernel
def cancel(state: State, order: int, n: int) -> int:
    """Ask for the cancel of the live order at index `order`; return the number of intents."""
    state.orders[order, STAGE] = DYING
    state.n_live -= 1
    note_cancel(state)
    return ask_for(
        state,
        n,
        _CANCEL,
        state.orders[order, ORDER],
        state.orders[order, SIDE],
        state.orders[order, PRICE],
        state.orders[order, LEFT],
        state.orders[order, LEVEL],
        0,
    )


@kernel
def _keep_or_cancel(params: Params, state: State, n_wanted: int) -> int:
    """Claim a row for every live order that serves; ask for the end of the others. Return the number of intents."""
    n = 0
    for i in range(state.n_orders):
        if state.orders[i, STAGE] == DYING:
            continue
        row = _row_of(state, i, n_wanted)
        if row >= 0 and _fits(params, state, i, row):
            state.wanted[row, W_KEPT] = 1
            if state.wanted[row, W_SIZE] < state.wanted[row, W_FULL]:
                state.missing = 1
        elif may_cancel(params, state):
            n = cancel(state, i, n)
        else:
            state.missing = 1
            if row >= 0:
                state.wanted[row, W_KEPT] = 1  # Its order stays, for want of a cancel.
    return n


@kernel
def _place(params: Params, state: State, row: int, size: int, n: int) -> int:
    wanted = state.wanted
    orders = state.orders
    at = state.n_orders
    orders[at, ORDER] = state.next_order
    orders[at, SIDE] = wanted[row, W_SIDE]
    orders[at, LEVEL] = wanted[row, W_LEVEL]
    orders[at, PRICE] = wanted[row, W_PRICE]
    orders[at, LEFT] = size
    orders[at, DECIDED_NS] = state.now_ns
    orders[at, STAGE] = SENT
    orders[at, TIF] = wanted[row, W_TIF]
    if wanted[row, W_TIF] == _IOC:
        orders[at, STAGE] = DYING
    else:
        state.n_live += 1
        state.oldest_ns = min(state.oldest_ns, state.now_ns)
    state.n_orders += 1
    state.next_order += 1
    state.placed_ns[state.placed % RATE_MAX] = state.now_ns
    state.placed += 1
    return ask_for(
        state,
        n,
        _PLACE,
        orders[at, ORDER],
        orders[at, SIDE],
        orders[at, PRICE],
        size,
        orders[at, LEVEL],
        wanted[row, W_TIF],
    )


@kernel
def place(params: Params, state: State, row: int, reduce_only: bool, n: int) -> int:
    """Ask for the wanted `row` as far as risk allows; return the number of intents.

    What is refused is counted by its code, and the row remembered as missing.
    """
    side = state.wanted[row, W_SIDE]
    price = state.wanted[row, W_PRICE]
    size = min(state.wanted[row, W_SIZE], room_soon(params, state, row, reduce_only))
    if size < state.wanted[row, W_FULL]:
        state.missing = 1
    if size < max(1, params.min_size) or size > room_now(params, state, row, reduce_only):
        state.missing = 1
        state.refusals[shortage(params, state, row, reduce_only)] += 1
        return n
    code = _OWN_ORDER if crosses_own(state, side, price) else refusal(params, state, price, size)
    if code != 0:
        state.refusals[code] += 1
        state.missing = 1
        if code in (_REFERENCE_DISTANCE, _LAST_TRADE_DISTANCE):
            state.blocked = 1
        return n
    return _place(params, state, row, size, n)


@kernel
def requote(params: Params, state: State, n_wanted: int, reduce_only: bool) -> int:
    """Bring what is open to what is wanted and allowed; write the intents, cancels first, and return how many.

    Every live order is either kept for one row or cancelled: orders in = orders out.
    """
    state.missing = state.blocked
    state.stirred = 0
    state.retry_ns = FAR_NS
    live = state.n_live
    n = _keep_or_cancel(params, state, n_wanted)
    assert live == state.n_live + n
    for row in range(n_wanted):
        if state.wanted[row, W_KEPT] == 0 and state.wanted[row, W_FULL] >= max(1, params.min_size):
            n = place(params, state, row, reduce_only, n)
    find_oldest(state)
    return n


@kernel
def shed(params: Params, state: State) -> int:
    """Cancel, at once, every live order that does not reduce the position; return the number of intents.

    The dying ones come first: what they may still trade is no longer to be reduced.
    """
    n = 0
    away = state.position - params.target
    bids = max(0, -away) - dying_lots(state, 1)
    asks = max(0, away) - dying_lots(state, -1)
    for i in range(state.n_orders):
        if state.orders[i, STAGE] == DYING:
            continue
        left = state.orders[i, LEFT]
        if state.orders[i, SIDE] > 0 and left <= bids:
            bids -= left
        elif state.orders[i, SIDE] < 0 and left <= asks:
            asks -= left
        else:
            n = cancel(state, i, n)
            state.missing = 1  # A smaller one may be allowed.
    find_oldest(state)
    return n


@kernel
def cancel_all(state: State) -> int:
    """Cancel everything with one word; return the number of intents."""
    if state.n_live == 0:
        return 0
    for i in range(state.n_orders):
        state.orders[i, STAGE] = DYING
    state.n_live = 0
    state.oldest_ns = FAR_NS
    note_cancel(state)
    return ask_for(state, 0, _CANCEL_ALL, 0, 0, 0, 0, -1, 0)


@kernel
def find_oldest(state: State) -> None:
    """Find the oldest live order anew."""
    oldest_ns = FAR_NS
    for i in range(state.n_orders):
        if state.orders[i, STAGE] != DYING:
            oldest_ns = min(oldest_ns, state.orders[i, DECIDED_NS])
    state.oldest_ns = oldest_ns


@kernel
def find(state: State, order: int) -> int:
    """Return the index of the open order with this id, -1 when there is none."""
    for i in range(state.n_orders):
        if state.orders[i, ORDER] == order:
            return i
    return -1


@kernel
def strike(state: State, at: int) -> None:
    """Take the order at index `at`, whose end is known, off the table; the others keep their order."""
    if state.orders[at, STAGE] != DYING:
        state.n_live -= 1
    for i in range(at, state.n_orders - 1):
        for c in range(ORDER_COLUMNS):
            state.orders[i, c] = state.orders[i + 1, c]
    state.n_orders -= 1
    find_oldest(state)
