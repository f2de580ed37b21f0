"""From what is open and what is wanted to what must be asked for: keep, cancel, place.

An order counts against every limit until its end is known, so a replaced order and its successor may both have to fit.
A successor gets the size that fits once the dying orders are gone. If that does not fit yet, it waits for their end. It
is not placed in part meanwhile: the part would be replaced as soon as the end was known, that replacement would wait in
its turn, and so on for ever.
"""

from bmv.core.digest import say
from bmv.core.kernel import kernel
from bmv.core.params import LEVELS_MAX, PIVOT_GRID, RATE_MAX, Params
from bmv.core.risk import (
    ALL,
    LIVE,
    STANDING,
    cancels_left,
    crosses_own,
    dying_lots,
    note_cancel,
    refusal,
    room,
    shortage,
)
from bmv.core.state import (
    DECIDED_NS,
    DYING,
    FAR_NS,
    HELD,
    I_LEVEL,
    I_ORDER,
    I_PRICE,
    I_SIDE,
    I_SIZE,
    I_TIF,
    I_TS_NS,
    I_VERB,
    LACKING,
    LEAVING,
    LEFT,
    LEVEL,
    NEWS,
    ORDER,
    ORDER_COLUMNS,
    PRICE,
    SENT,
    SERVED,
    SIDE,
    STAGE,
    TIF,
    W_FULL,
    W_KEPT,
    W_LEVEL,
    W_PLACE,
    W_PRICE,
    W_REFUSED,
    W_SIDE,
    W_SIZE,
    W_TIF,
    State,
)
from bmv.ports.messages import Refusal, Tif, Verb

_PLACE = Verb.PLACE.value
_CANCEL = Verb.CANCEL.value
_CANCEL_ALL = Verb.CANCEL_ALL.value
_IOC = Tif.IOC.value
_CANCEL_RATE = Refusal.CANCEL_RATE.value
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
def plan(params: Params, state: State, n_wanted: int, reduce_only: bool, catch_up: bool, below: int) -> int:
    """Decide what becomes of every live order and every wanted row; return how many orders stay for want of a cancel.

    Each live order is kept for one row or leaves. Each row that none is kept for gets lots to be placed (`W_PLACE`) or
    a reason why there are none (`W_REFUSED`). Nothing is asked for or counted: a plan is carried out or dropped.

    Args:
        catch_up: Whether the grid is for what the last one left undone: then orders that it held go first.
        below: Which orders take up room: those of a stage below this, see :mod:`bmv.core.risk`.
    """
    state.retry_ns = FAR_NS
    held = _plan_cancels(params, state, n_wanted, catch_up)
    orders = state.n_orders
    bids = _leading_bids(params, state, n_wanted)
    planned = 0
    for turn in range(n_wanted):
        row = _in_turn(turn, bids, n_wanted)
        if state.wanted[row, W_KEPT] == 0 and state.wanted[row, W_FULL] >= max(1, params.min_size):
            planned += _plan_row(params, state, row, reduce_only, planned, below)
    state.n_orders = orders
    return held


@kernel
def _plan_cancels(params: Params, state: State, n_wanted: int, catch_up: bool) -> int:
    """Claim a row for every live order that serves and let the others leave; return how many of those have to stay."""
    leaving = 0
    for i in range(state.n_orders):
        if state.orders[i, STAGE] >= DYING:
            continue
        row = _row_of(state, i, n_wanted)
        if row >= 0 and _fits(params, state, i, row):
            state.wanted[row, W_KEPT] = 1
        else:
            state.orders[i, STAGE] += LEAVING
            leaving += 1
    held = leaving - cancels_left(params, state, leaving)
    for _ in range(held):
        _hold(params, state, n_wanted, catch_up)
    return held


@kernel
def _hold(params: Params, state: State, n_wanted: int, catch_up: bool) -> None:
    """Let the last in turn of the orders that leave stay after all: the nearest of both sides go first.

    The levels of a user's strategy mean nothing to us: there the oldest go first.
    """
    at = -1
    last = -1
    for i in range(state.n_orders):
        side = state.orders[i, SIDE]
        level = state.orders[i, LEVEL]
        turn = 0
        if params.strategy == PIVOT_GRID:
            turn = 2 * level + (1 if side < 0 else 0)
        if not catch_up or _lack_of(state, side, level) != HELD:
            turn += 4 * LEVELS_MAX
        if state.orders[i, STAGE] >= LEAVING and turn >= last:
            at = i
            last = turn
    state.orders[at, STAGE] -= LEAVING
    row = _row_of(state, at, n_wanted)
    if row >= 0:
        state.wanted[row, W_KEPT] = 1
    state.owed[state.n_owed, 0] = state.orders[at, SIDE]
    state.owed[state.n_owed, 1] = state.orders[at, LEVEL]
    state.owed[state.n_owed, 2] = HELD
    state.n_owed += 1


@kernel
def _leading_bids(params: Params, state: State, n_wanted: int) -> int:
    """Return how many bids come first; of a user's strategy all rows: those are served in the order of writing."""
    if params.strategy != PIVOT_GRID:
        return n_wanted
    bids = 0
    while bids < n_wanted and state.wanted[bids, W_SIDE] > 0:
        bids += 1
    return bids


@kernel
def _in_turn(turn: int, bids: int, n: int) -> int:
    """Return the row whose turn it is: nearest bid, nearest ask, next bid, and so on; then what is left of one side."""
    pairs = min(bids, n - bids)
    if turn >= 2 * pairs:
        return turn - pairs if bids > pairs else turn
    return turn // 2 + (bids if turn % 2 == 1 else 0)


@kernel
def _plan_row(params: Params, state: State, row: int, reduce_only: bool, planned: int, below: int) -> int:
    """Plan what is to be placed for the wanted `row` beside `planned` others; return 1 if anything is.

    It joins the open orders at once, so that the rows after it see it.
    """
    wanted = state.wanted
    price = wanted[row, W_PRICE]
    size = min(wanted[row, W_SIZE], room(params, state, row, reduce_only, LIVE))
    if size < max(1, params.min_size) or size > room(params, state, row, reduce_only, below):
        wanted[row, W_REFUSED] = shortage(params, state, row, reduce_only, below)
        return 0
    code = _OWN_ORDER
    if not crosses_own(state, wanted[row, W_SIDE], price, below):
        code = refusal(params, state, price, size, planned, below)
    if code != 0:
        wanted[row, W_REFUSED] = code
        if code in (_REFERENCE_DISTANCE, _LAST_TRADE_DISTANCE):
            state.blocked = 1
            state.far = 1
        return 0
    wanted[row, W_PLACE] = size
    _append(state, row)
    return 1


@kernel
def _append(state: State, row: int) -> None:
    """Write the order that is to be placed for `row` behind the open ones."""
    wanted = state.wanted
    orders = state.orders
    at = state.n_orders
    orders[at, ORDER] = state.next_order
    orders[at, SIDE] = wanted[row, W_SIDE]
    orders[at, LEVEL] = wanted[row, W_LEVEL]
    orders[at, PRICE] = wanted[row, W_PRICE]
    orders[at, LEFT] = wanted[row, W_PLACE]
    orders[at, DECIDED_NS] = state.now_ns
    orders[at, STAGE] = DYING if wanted[row, W_TIF] == _IOC else SENT
    orders[at, TIF] = wanted[row, W_TIF]
    state.n_orders += 1


@kernel
def _carry_out_row(state: State, row: int, n: int) -> int:
    """Ask for what is planned for `row`, or count why nothing is; return the number of intents."""
    wanted = state.wanted
    if wanted[row, W_PLACE] == 0:
        state.refusals[wanted[row, W_REFUSED]] += 1
        return n
    at = state.n_orders
    _append(state, row)
    if wanted[row, W_TIF] != _IOC:
        state.n_live += 1
        state.oldest_ns = min(state.oldest_ns, state.now_ns)
    state.next_order += 1
    state.placed_ns[state.placed % RATE_MAX] = state.now_ns
    state.placed += 1
    return ask_for(
        state,
        n,
        _PLACE,
        state.orders[at, ORDER],
        wanted[row, W_SIDE],
        wanted[row, W_PRICE],
        wanted[row, W_PLACE],
        wanted[row, W_LEVEL],
        wanted[row, W_TIF],
    )


@kernel
def place(params: Params, state: State, row: int, reduce_only: bool) -> int:
    """Ask for the wanted `row` alone as far as risk allows; return the number of intents."""
    orders = state.n_orders
    state.wanted[row, W_PLACE] = 0
    _plan_row(params, state, row, reduce_only, 0, ALL)
    state.n_orders = orders
    return _carry_out_row(state, row, 0)


@kernel
def requote(params: Params, state: State, n_wanted: int, reduce_only: bool, catch_up: bool) -> int:
    """Bring what is open to what is wanted and allowed; write the intents, cancels first, and return how many.

    Every live order is either kept for one row or cancelled: orders in = orders out. Who comes first under a cap is
    for the plan; in the batch the orders stand as they always did, bids before asks.

    Args:
        catch_up: Whether this grid is for what the last one left undone, and nothing else.
    """
    live = state.n_live
    state.refusals[_CANCEL_RATE] += plan(params, state, n_wanted, reduce_only, catch_up, ALL)
    state.stirred = 0
    state.missing = 0
    state.lacks[:, :] = SERVED
    n = 0
    for i in range(state.n_orders):
        if state.orders[i, STAGE] >= LEAVING:
            n = cancel(state, i, n)
    assert live == state.n_live + n
    for row in range(n_wanted):
        n = _serve(params, state, row, n)
    for i in range(state.n_owed):
        note_lack(state, state.owed[i, 0], state.owed[i, 1], state.owed[i, 2])
    find_oldest(state)
    return n


@kernel
def _serve(params: Params, state: State, row: int, n: int) -> int:
    """Carry out what is planned for `row`, and note if it comes short; return the number of intents."""
    wanted = state.wanted
    if wanted[row, W_KEPT] != 0:
        short = wanted[row, W_SIZE] < wanted[row, W_FULL]
    elif wanted[row, W_FULL] >= max(1, params.min_size):
        n = _carry_out_row(state, row, n)
        short = wanted[row, W_PLACE] < wanted[row, W_FULL]
    else:
        return n
    if short:
        note_lack(state, wanted[row, W_SIDE], wanted[row, W_LEVEL], LACKING)
    return n


@kernel
def note_lack(state: State, side: int, level: int, what: int) -> None:
    """Note that a level that was wanted does not rest in full, or is held where it should not be."""
    state.missing = 1
    state.lacks[0 if side > 0 else 1, level + 1] = what


@kernel
def rehearse(params: Params, state: State, n_wanted: int, reduce_only: bool) -> bool:
    """Return whether a grid laid now would serve a level that is missing; no word is said, and nothing counted.

    A level of which nothing rests is served if anything is placed for it, at once or when the cancels of the same grid
    are known to have ended. One that rests in part is served by more than rests, and only after news of limits or
    balances: the centre's drift alone makes it cheaper by a lot now and then, and that is for the threshold.
    One that is held is served by its cancel.
    """
    plan(params, state, n_wanted, reduce_only, True, STANDING)
    helps = _helps(state, n_wanted)
    for i in range(state.n_orders):
        if state.orders[i, STAGE] >= LEAVING:
            state.orders[i, STAGE] -= LEAVING
    state.stirred = 0
    return helps


@kernel
def _helps(state: State, n_wanted: int) -> bool:
    for i in range(state.n_orders):
        if state.orders[i, STAGE] >= LEAVING and _lack_of(state, state.orders[i, SIDE], state.orders[i, LEVEL]) == HELD:
            return True
    for row in range(n_wanted):
        side = state.wanted[row, W_SIDE]
        level = state.wanted[row, W_LEVEL]
        size = state.wanted[row, W_PLACE]
        if size > 0 and _lack_of(state, side, level) == LACKING:
            rests = _leaving_lots(state, side, level)
            if rests == 0 or (state.stirred == NEWS and size > rests):
                return True
    return False


@kernel
def _lack_of(state: State, side: int, level: int) -> int:
    return int(state.lacks[0 if side > 0 else 1, level + 1])


@kernel
def _leaving_lots(state: State, side: int, level: int) -> int:
    """Return the lots that rest for a row which no order is kept for: those of its level that would leave.

    Orders that are kept belong to other rows; those of a user's strategy may bear one level.
    """
    lots = 0
    for i in range(state.n_orders):
        if state.orders[i, STAGE] >= LEAVING and state.orders[i, SIDE] == side and state.orders[i, LEVEL] == level:
            lots += state.orders[i, LEFT]
    return lots


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
            note_lack(state, state.orders[i, SIDE], state.orders[i, LEVEL], LACKING)  # Less may be allowed.
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
