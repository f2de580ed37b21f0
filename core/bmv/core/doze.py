"""How long the pivot may be left alone: a bound on how far trades can move it, so that it need not be asked each time.

The pivot is a weighted mean of prices: a trade of `s` lots weighs `s` in the short window and `k·s` in the long one,
with `k = window / history` (see :func:`bmv.core.pivot.dynamic_vwap`). Let `P` be the pivot of weight `W`, and `D` no
less than the distance from `P` of any price in the windows or heard since. When trades of weight `a` come and of weight
`r` go,

    |P' − P| = |Σ_come w·(p − P) − Σ_gone w·(p − P)| / (W + a − r)  ≤  M·D / (W − M)        with M = a + r,

so the pivot stays within `m` of `P` as long as `M ≤ W·m / (D + m)`. Half of that `M` is kept for trades to come,
counted down in lots as they are heard; half for trades to go, which gives a time, since those are known. On a lively
tape that is hundreds of events. The bound decides nothing: when it is used up the pivot is evaluated, exactly.
"""

from bmv.core.kernel import kernel, table_at
from bmv.core.params import PIVOT_GRID, Params
from bmv.core.pivot import dynamic_vwap
from bmv.core.state import ANYWHERE, BOUNDLESS_LOTS, FAR_TICKS, H_PRICE, H_SIZE, H_TS_NS, State

# Share of the price that rounding is given, far more than a dozen operations on doubles can lose.
_ROUNDING = 1e-9


@kernel
def doze(params: Params, state: State) -> None:
    """Set until when (`doze_ns`) and for how many lots of trades (`slack`) nothing can become due by the pivot.

    The centre must have been evaluated as of now, unless it may be anywhere before the wake.
    """
    state.doze_ns = state.wake_ns
    if state.leeway == ANYWHERE:
        state.slack = BOUNDLESS_LOTS
        return
    state.slack = -1
    margin = state.leeway - abs(state.centre - state.grid_centre) - _ROUNDING * state.grid_centre
    if params.strategy != PIVOT_GRID or margin <= 0.0 or state.centre <= 0.0:
        return
    if state.now_ns >= state.range_due_ns:
        measure_range(params, state)
    margin /= state.lean
    vwap = dynamic_vwap(params, state)
    far = max(abs(float(state.low) - vwap), abs(float(state.high) - vwap))
    share = params.window_share
    weight = float(state.short_volume) + share * float(state.long_volume)
    half = 0.5 * weight * margin / (far + margin) / (1.0 + share)  # In lots of trades in both windows.
    state.slack = int(half)
    state.doze_ns = min(state.doze_ns, departure_ns(state, state.short_tail, params.window_ns, half))
    state.doze_ns = min(state.doze_ns, departure_ns(state, state.long_tail, params.history_ns, half))


@kernel
def departure_ns(state: State, tail: int, window_ns: int, volume: float) -> int:
    """Return the time before which no more than `volume` lots leave the window that begins at trade number `tail`."""
    history = table_at(state.history_at, state.history_rows)
    mask = state.history_rows - 1
    gone = 0.0
    while tail < state.head:
        gone += float(history[tail & mask, H_SIZE])
        if gone > volume:
            return int(history[tail & mask, H_TS_NS]) + window_ns + 1
        tail += 1
    return state.now_ns + window_ns  # Nothing heard after now can leave before.


@kernel
def measure_range(params: Params, state: State) -> None:
    """Find the lowest and highest price in the history; until the next call they only grow apart."""
    history = table_at(state.history_at, state.history_rows)
    mask = state.history_rows - 1
    low = FAR_TICKS
    high = 0
    for trade in range(state.long_tail, state.head):
        price = history[trade & mask, H_PRICE]
        low = min(low, price)
        high = max(high, price)
    state.low = low
    state.high = high
    state.range_due_ns = state.now_ns + params.history_ns
