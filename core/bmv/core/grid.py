"""The ladder we would like to have resting: asymmetric, its volume growing exponentially with the distance."""

from math import ceil, floor

from bmv.core.accounting import countable
from bmv.core.kernel import kernel
from bmv.core.params import ASKS, BIDS, LEVELS_MAX, RUNG_OFFSET, RUNG_SIZE, Params
from bmv.core.state import LACKING, W_LEVEL, W_PRICE, W_SIDE, W_SIZE, W_TIF, WRITTEN_COLUMNS, State
from bmv.ports.market import PRICE_TICKS_MAX, SIZE_LOTS_MAX
from bmv.ports.messages import Refusal, Tif

_MALFORMED = Refusal.MALFORMED.value
_POST_ONLY = Tif.POST_ONLY.value
_IOC = Tif.IOC.value
NUDGE = 1e-9  # A price within this of a tick is that tick: floats must not push a whole tick to its neighbour.


@kernel
def inventory_fraction(params: Params, position: int) -> float:
    """Return `i = clamp((position − target) / max_position, −1, 1)`."""
    fraction = float(position - params.target) / float(params.max_position)
    return min(1.0, max(-1.0, fraction))


@kernel
def lean(params: Params, position: int) -> float:
    """Return what the inventory makes of the pivot: `centre = pivot · (1 − price_skew · i)`."""
    return 1.0 - params.price_skew * inventory_fraction(params, position)


@kernel
def ladder(params: Params, state: State) -> int:
    """Write the grid around `state.centre` into `state.wanted`; return how many rows.

    For level `k`: `offset_k = first + step · (1 + r + … + r^{k−1})`, `size_k = total · g^k / Σ g^j` (both stand in
    `params.rungs`); bids at `centre · (1 − offset_k)` rounded down to a tick, asks at `centre · (1 + offset_k)` rounded
    up; bid sizes times `1 − size_skew · i`, ask sizes times `1 + size_skew · i`, not below 0. Levels that share a tick
    merge into the nearest. Sizes are left as fractions of lots in `state.want_size`; bids come first, nearest first.
    """
    skew = params.size_skew * inventory_fraction(params, state.position)
    n = _side(params, state, 1, params.bid_levels, max(0.0, 1.0 - skew), 0)
    return _side(params, state, -1, params.ask_levels, max(0.0, 1.0 + skew), n)


@kernel
def _side(params: Params, state: State, side: int, levels: int, weight: float, start: int) -> int:
    n = start
    row = BIDS if side > 0 else ASKS
    for level in range(levels):
        offset = params.rungs[row, level, RUNG_OFFSET]
        size = params.rungs[row, level, RUNG_SIZE] * weight
        if side > 0:
            price = floor(state.centre * (1.0 - offset) + NUDGE)
        else:
            price = ceil(state.centre * (1.0 + offset) - NUDGE)
        if n > start and state.wanted[n - 1, W_PRICE] == price:
            state.want_size[n - 1] += size
        else:
            state.wanted[n, W_SIDE] = side
            state.wanted[n, W_LEVEL] = level
            state.wanted[n, W_PRICE] = price
            state.wanted[n, W_TIF] = _POST_ONLY
            state.want_size[n] = size
            n += 1
    return n


@kernel
def round_sizes(state: State, n: int) -> None:
    """Round the fractions of lots in `state.want_size` down to whole lots in `state.wanted`."""
    for i in range(n):
        state.wanted[i, W_SIZE] = floor(state.want_size[i] + NUDGE)


@kernel
def slide_post_only(state: State, n: int) -> int:
    """Slide post-only rows that would take to one tick short of the other side; return how many rows are left.

    A bid goes to best ask − 1, an ask to best bid + 1. Of rows slid to one tick only the first, the nearest, stays.
    A row that had to go waits for the market to move: it is written down in `state.owed`, and how far the other side
    has to go for the first of them in `state.low_bid` and `state.high_ask`. A price below one tick goes.
    """
    kept = 0
    slid_bid = False
    slid_ask = False
    for i in range(n):
        side = state.wanted[i, W_SIDE]
        price = state.wanted[i, W_PRICE]
        if state.wanted[i, W_TIF] == _POST_ONLY:
            if side > 0 and state.ask > 0 and price >= state.ask:
                if slid_bid:
                    _owe(state, i)
                    state.low_bid = price if state.low_bid == 0 else min(state.low_bid, price)
                    continue
                slid_bid = True
                price = state.ask - 1
            elif side < 0 and state.bid > 0 and price <= state.bid:
                if slid_ask:
                    _owe(state, i)
                    state.high_ask = max(state.high_ask, price)
                    continue
                slid_ask = True
                price = state.bid + 1
        if price < 1:
            continue
        for c in range(WRITTEN_COLUMNS):
            state.wanted[kept, c] = state.wanted[i, c]
        state.want_size[kept] = state.want_size[i]
        state.wanted[kept, W_PRICE] = price
        kept += 1
    return kept


@kernel
def _owe(state: State, row: int) -> None:
    state.blocked = 1
    state.owed[state.n_owed, 0] = state.wanted[row, W_SIDE]
    state.owed[state.n_owed, 1] = state.wanted[row, W_LEVEL]
    state.owed[state.n_owed, 2] = LACKING
    state.n_owed += 1


@kernel
def drop_malformed(params: Params, state: State, n: int) -> int:
    """Drop the rows of a user's strategy that are no orders; return how many are left. Each is counted as malformed.

    A row needs a side of 1 or -1, a level of the table or -1, a price and a size in range whose product can be
    counted, and a known life. Rows beyond the table are not looked at.
    """
    rows = 2 * LEVELS_MAX
    state.refusals[_MALFORMED] += max(0, n - rows)
    kept = 0
    for i in range(min(n, rows)):
        if not _is_order(params, state, i):
            state.refusals[_MALFORMED] += 1
            continue
        for c in range(WRITTEN_COLUMNS):
            state.wanted[kept, c] = state.wanted[i, c]
        kept += 1
    return kept


@kernel
def keep_written(state: State, n: int) -> None:
    """Keep the first `n` rows as a user's strategy wrote them: what it wants until it is asked again."""
    state.n_written = n
    for i in range(n):
        for c in range(WRITTEN_COLUMNS):
            state.written[i, c] = state.wanted[i, c]


@kernel
def take_written(state: State) -> None:
    """Write the rows that a user's strategy wanted last into `state.wanted` once more."""
    for i in range(state.n_written):
        for c in range(WRITTEN_COLUMNS):
            state.wanted[i, c] = state.written[i, c]


@kernel
def _is_order(params: Params, state: State, row: int) -> bool:
    side = state.wanted[row, W_SIDE]
    level = state.wanted[row, W_LEVEL]
    price = state.wanted[row, W_PRICE]
    size = state.wanted[row, W_SIZE]
    tif = state.wanted[row, W_TIF]
    if side not in (-1, 1) or level < -1 or level >= 2 * LEVELS_MAX or tif < _POST_ONLY or tif > _IOC:
        return False
    if price < 1 or price >= PRICE_TICKS_MAX or size < 0 or size >= SIZE_LOTS_MAX:
        return False
    return bool(countable(params.half, params.divisor, price, size))
