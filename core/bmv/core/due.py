"""When a decision is due: what asks for a grid, what holds it back, and how long the engine may sleep until then.

A grid is laid when something asks for it (:func:`grid_due`) and nothing holds it back (:func:`held_until_ns`). A level
that is missing does not ask by itself: now and then it is time to look if it could be had (:func:`look_due`), and a
grid is laid only if that rehearsal serves a level that the last one left missing.

To decide at each event would cost more than all the rest, and hardly any event makes anything due. So every decision
ends by saying how far the centre may move, and until when, before anything can be due (:func:`set_wake`). Until then an
event is known as idle by a few comparisons (:func:`nothing_due`), and even the pivot may be left alone: see
:mod:`bmv.core.doze`. These short cuts decide nothing: what they can't answer for falls through to a decision, which
may find that nothing is due.

The fields of the state that take part follow. *News* is what is neither market data nor a report nor a timer: a
balance, an operator's word. A *requote* is what follows a grid, unless a strategy leaves everything as it is.

What asks for a grid::

    field        set by                         cleared by                 means
    grid_centre  a grid                         a withdrawal               where the centre was; 0: the next is a first
    grid_pivot   a grid                                                    where the pivot was, for a user's strategy
    filled       a fill                         a grid                     a fill waits for its grid
    missing      rejects, expiries, the quoter  a requote                  a wanted level does not rest in full
    lacks        the same                       a requote                  which levels do not, by side and level
    stirred      an end, news                   a requote, a look          something may have let one in since
    blocked      a row the market keeps out     a grid, a look             market data may let one in
    far          a row too far from a trade     a grid, a look             a trade, or the centre, may let it in
    low_bid      a bid that gave way            a grid, a look             lowest of these: an ask above it frees it
    high_ask     an ask that gave way           a grid, a look             highest of these: a bid below it frees it
    drawn_centre a grid, a look                                            the centre that those two were drawn around
    retry_ns     a rate limit that refused      a requote, a look          when that limit frees, which helps as well
    oldest_ns    the quoter                                                when the oldest live order was decided

What holds it back::

    field        set by                         cleared by                 means
    grid_ns      a grid, an order that flattens                            the interval begins here
    fill_due_ns  a fill                                                    the delay after it ends here
    closed       the driver                                                the tape is over: hear, ask for nothing
    paused       an operator                    an operator                a reason to withdraw, like stale data
    withdrawn    a withdrawal                   a decision without reason  why nothing may rest
    shed         a tier that only reduces       re-arming                  what that tier forbids was cancelled

What lets the engine sleep::

    field        set by                         cleared by                 means
    wake_ns      a decision                                                the engine is told a timer then
    leeway       a decision                                                how far the centre may be from grid_centre
    calm         a decision                     see below                  only these two can make anything due
    behind       a trade, a fill, news          evaluating the pivot       pivot and centre are of an earlier event
    expiry_ns    the pivot's windows                                       a trade leaves them then: behind as well
    doze_ns      doze                                                      until then the pivot may stay behind,
    slack        doze                           a price never seen before  and for so many lots of trades

The calm ends with every event that is no market data, with market data while a level is blocked, with a trip of the
breaker, and with each decision until that sets it again. It never begins where the distance of the pivot from the
reference is limited: no hold holds back what that asks for.
"""

from bmv.core.doze import doze
from bmv.core.kernel import inlined, kernel
from bmv.core.params import PIVOT_GRID, Params
from bmv.core.pivot import newest_ns
from bmv.core.state import ANYWHERE, FAR_NS, State


@inlined
def nothing_due(params: Params, state: State) -> bool:
    """Return whether market data just heard can't make anything due: the short cut past a decision."""
    if state.calm == 0 or state.now_ns >= state.wake_ns or state.centre == 0.0:
        return False
    if abs(state.centre - state.grid_centre) > state.leeway:
        return False
    return params.strategy == PIVOT_GRID or not _pivot_moved(params, state)


@kernel
def grid_due(params: Params, state: State) -> bool:
    """Return whether a grid is due, now that none is held back, whatever is missing."""
    return state.filled != 0 or _moved(params, state) or _aged(params, state)


@kernel
def look_due(params: Params, state: State) -> bool:
    """Return whether it is time to look if a level that is missing could now be had."""
    if state.missing == 0:
        return False
    return state.stirred != 0 or state.now_ns >= state.retry_ns or (state.blocked != 0 and _freed(params, state))


@kernel
def _freed(params: Params, state: State) -> bool:
    """Return whether the market has moved so far that a level which waits for it may be let in.

    The rows that gave way have moved with the centre, those of a user's strategy have not.
    """
    moved = 1.0
    if params.strategy == PIVOT_GRID:
        moved = state.centre / state.drawn_centre
        if state.far != 0 and abs(state.centre - state.drawn_centre) > 1.0 + params.tolerance * state.centre:
            return True
    if state.low_bid > 0 and (state.ask == 0 or float(state.ask) > float(state.low_bid) * moved):
        return True
    return state.high_ask > 0 and (state.bid == 0 or float(state.bid) < float(state.high_ask) * moved)


@kernel
def _moved(params: Params, state: State) -> bool:
    """Return whether the centre has left the last grid's by more than the threshold; a first grid is always due.

    The centre of a user's strategy is the mid; the pivot may call it as well.
    """
    if abs(state.centre - state.grid_centre) > params.threshold * state.grid_centre:
        return True
    return params.strategy != PIVOT_GRID and _pivot_moved(params, state)


@kernel
def _pivot_moved(params: Params, state: State) -> bool:
    return abs(state.pivot - state.grid_pivot) > params.threshold * state.grid_pivot


@kernel
def _aged(params: Params, state: State) -> bool:
    # Once for each age: a grid that could not renew the order, for want of a cancel, is not laid again and again.
    return params.max_age_ns > 0 and state.grid_ns < state.oldest_ns + params.max_age_ns <= state.now_ns


@kernel
def interval_ends_ns(params: Params, state: State) -> int:
    """Return the time before which nothing may be laid after the last: one in `min_interval`, one at an instant."""
    return state.grid_ns + max(params.min_interval_ns, 1)


@kernel
def held_until_ns(params: Params, state: State) -> int:
    """Return the time before which no grid may be laid: one in an interval, none in the delay after a fill."""
    return max(interval_ends_ns(params, state), state.fill_due_ns)


@kernel
def set_wake(params: Params, state: State) -> None:
    """Set the time of the next wake, and how far the centre may move before that without anything being due.

    While a grid is held back nothing is due before the hold ends, whatever moves; then the engine is woken to look.
    The ages of market data and of the newest trade are looked at when they would run out as of now: a wake that finds
    them renewed sleeps on.
    """
    hold_ns = held_until_ns(params, state)
    held = state.now_ns < hold_ns
    wake_ns = FAR_NS
    if held:
        wake_ns = hold_ns
    elif state.missing != 0:
        wake_ns = state.retry_ns
    if state.n_live > 0:
        if params.max_age_ns > 0 and state.oldest_ns + params.max_age_ns > state.grid_ns:
            wake_ns = min(wake_ns, max(state.oldest_ns + params.max_age_ns, hold_ns))
        if params.stale_ns > 0:
            wake_ns = min(wake_ns, state.market_ns + params.stale_ns)
    if state.pivot != 0.0:
        wake_ns = min(wake_ns, newest_ns(state) + params.history_ns + 1)
    state.wake_ns = max(wake_ns, state.now_ns + 1)
    state.leeway = ANYWHERE if held else params.threshold * state.grid_centre
    state.calm = 0 if params.max_deviation > 0.0 else 1
    doze(params, state)
