"""Trades into two rolling windows, and the windows into the pivot: the dynamic VWAP.

The windows lie over one ring of trades, a table `(n, 3)` of (time, price, size) whose length is a power of two. Sums
are exact whole numbers, so that a trade that leaves takes away precisely what it brought.
"""

from bmv.core.kernel import kernel, table_at
from bmv.core.params import Params
from bmv.core.state import FAR_NS, H_PRICE, H_SIZE, H_TS_NS, State

_LIMB = 32
_LOW = 0xFFFF_FFFF
_LIMB_SIZE = 4294967296.0


@kernel
def learn(state: State, ts_ns: int, price: int, size: int) -> None:
    """Let one more trade into the ring, which must have room (see :func:`room`); :func:`roll` takes it on.

    Whatever is counted on to hold until the pivot moves (see :mod:`bmv.core.doze`) is counted down.
    """
    history = table_at(state.history_at, state.history_rows)
    at = state.head & (state.history_rows - 1)
    history[at, H_TS_NS] = ts_ns
    history[at, H_PRICE] = price
    history[at, H_SIZE] = size
    state.head += 1
    if price < state.low or price > state.high:
        state.low = min(state.low, price)
        state.high = max(state.high, price)
        state.slack = -1
    elif state.slack >= 0:
        state.slack -= size


@kernel
def roll(params: Params, state: State, now_ns: int) -> None:
    """Bring both windows to `now_ns`: take in the trades heard since the last call, let go of the old."""
    if state.summed < state.head:
        _take_in(params, state)
    if now_ns > state.expiry_ns:
        _forget(params, state, now_ns)


@kernel
def _take_in(params: Params, state: State) -> None:
    history = table_at(state.history_at, state.history_rows)
    mask = state.history_rows - 1
    volume = 0
    high = 0
    low = 0
    for trade in range(state.summed, state.head):
        size = history[trade & mask, H_SIZE]
        amount = history[trade & mask, H_PRICE] * size
        volume += size
        high += amount >> _LIMB
        low += amount & _LOW
    state.short_volume += volume
    state.short_high += high
    state.short_low += low
    state.long_volume += volume
    state.long_high += high
    state.long_low += low
    state.expiry_ns = min(state.expiry_ns, history[state.summed & mask, H_TS_NS] + params.window_ns)
    state.summed = state.head


@kernel
def _forget(params: Params, state: State, now_ns: int) -> None:
    """Let go of the trades that are older than their window; an age of exactly the window still counts."""
    history = table_at(state.history_at, state.history_rows)
    mask = state.history_rows - 1
    while state.short_tail < state.head and history[state.short_tail & mask, H_TS_NS] + params.window_ns < now_ns:
        at = state.short_tail & mask
        amount = history[at, H_PRICE] * history[at, H_SIZE]
        state.short_volume -= history[at, H_SIZE]
        state.short_high -= amount >> _LIMB
        state.short_low -= amount & _LOW
        state.short_tail += 1
    while state.long_tail < state.head and history[state.long_tail & mask, H_TS_NS] + params.history_ns < now_ns:
        at = state.long_tail & mask
        amount = history[at, H_PRICE] * history[at, H_SIZE]
        state.long_volume -= history[at, H_SIZE]
        state.long_high -= amount >> _LIMB
        state.long_low -= amount & _LOW
        state.long_tail += 1
    expiry_ns = FAR_NS
    if state.short_tail < state.head:
        expiry_ns = min(expiry_ns, history[state.short_tail & mask, H_TS_NS] + params.window_ns)
    if state.long_tail < state.head:
        expiry_ns = min(expiry_ns, history[state.long_tail & mask, H_TS_NS] + params.history_ns)
    state.expiry_ns = expiry_ns


@kernel
def room(state: State) -> int:
    """Return how many more trades the ring can take before :func:`learn` would overwrite one still in the window."""
    return state.history_rows - (state.head - state.long_tail)


@kernel
def newest_ns(state: State) -> int:
    """Return the time of the newest trade ever heard; there must be one."""
    history = table_at(state.history_at, state.history_rows)
    return int(history[(state.head - 1) & (state.history_rows - 1), H_TS_NS])


@kernel
def dynamic_vwap(params: Params, state: State) -> float:
    """Return the pivot in ticks as of the last :func:`roll`, 0.0 when there was no trade in the history.

    `pivot = w · P_short + (1 − w) · P_long`, where the P are volume-weighted mean prices of the two windows,
    `w = V_short / (V_short + V̄)` and `V̄ = V_long · window / history` is the volume the short window would hold on a
    tape of even pace: a lively tape pulls the pivot to the present, a thin one leaves it with history.

    With `k = window / history` and S the sums of price times volume the same is `(S_short + k · S_long) /
    (V_short + k · V_long)`: one division instead of four.
    """
    if state.long_volume == 0:
        return 0.0
    sum_long = float(state.long_high) * _LIMB_SIZE + float(state.long_low)
    volume_long = float(state.long_volume)
    if state.short_volume == 0:
        return sum_long / volume_long
    sum_short = float(state.short_high) * _LIMB_SIZE + float(state.short_low)
    share = params.window_share
    return (sum_short + share * sum_long) / (float(state.short_volume) + share * volume_long)


@kernel
def blend(params: Params, pivot: float, reference: int) -> float:
    """Return `pivot` drawn towards a price from elsewhere; 0.0 when that is asked for and not there.

    `(1 − reference_weight) · pivot + reference_weight · reference`.
    """
    if pivot == 0.0 or params.reference_weight == 0.0:
        return pivot
    if reference == 0:
        return 0.0
    return (1.0 - params.reference_weight) * pivot + params.reference_weight * float(reference)
