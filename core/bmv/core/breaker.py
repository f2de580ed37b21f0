"""The circuit breaker: from the known equity to the tiers that only warn, only reduce, or stop everything.

A tier goes up only, until an operator re-arms it (docs/decisions/0005-every-tier-latches.md). As long as the equity
stays above `State.trip_at`, the level of the next tier, there is nothing to look at.
"""

from bmv.core.kernel import kernel
from bmv.core.params import Params
from bmv.core.state import NO_TRIP, TRIP_CAUSE, TRIP_EQUITY, TRIP_NS, TRIP_TIER, TRIPS_MAX, State
from bmv.ports.messages import Cause, Tier

DAY_NS = 86_400_000_000_000
_MILLION = 1_000_000


_WARN = Tier.WARN.value
_REDUCE = Tier.REDUCE.value
_HALT = Tier.HALT.value
_DRAWDOWN = Cause.DRAWDOWN.value
_DAILY = Cause.DAILY.value
_MAX_LOSS = Cause.MAX_LOSS.value


@kernel
def fall(peak: int, ppm: int) -> int:
    """Return the fall in quanta that is `ppm` parts per million of `peak`, rounded up.

    >>> fall(1_000_000, 15_000), fall(10, 1)
    (15000, 1)
    """
    return peak // _MILLION * ppm - (-(peak % _MILLION) * ppm) // _MILLION


@kernel
def _trip_level(peak: int, ppm: int) -> int:
    """Return the equity at or below which a tier of `ppm` trips; `NO_TRIP` when the tier is off."""
    if ppm == 0 or peak <= 0:
        return NO_TRIP
    return peak - fall(peak, ppm)


@kernel
def _loss_level(params: Params, state: State) -> int:
    return state.start_equity - params.max_loss if params.max_loss > 0 else NO_TRIP


@kernel
def set_trip_level(params: Params, state: State) -> None:
    """Set `state.trip_at`, the highest equity at which a tier above the present one trips."""
    level = NO_TRIP
    if state.tier < _HALT:
        level = max(_trip_level(state.peak, params.halt_ppm), _loss_level(params, state))
        level = max(level, _trip_level(state.day_equity, params.daily_ppm))
    if state.tier < _REDUCE:
        level = max(level, _trip_level(state.peak, params.reduce_ppm))
    if state.tier < _WARN:
        level = max(level, _trip_level(state.peak, params.warn_ppm))
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
    """Raise the breaker to every tier that the known equity asks for, and set the level of the next."""
    if state.equity <= _trip_level(state.peak, params.warn_ppm):
        _raise_tier(state, _WARN, _DRAWDOWN)
    if state.equity <= _trip_level(state.peak, params.reduce_ppm):
        _raise_tier(state, _REDUCE, _DRAWDOWN)
    if state.equity <= _trip_level(state.peak, params.halt_ppm):
        _raise_tier(state, _HALT, _DRAWDOWN)
    if state.equity <= _trip_level(state.day_equity, params.daily_ppm):
        _raise_tier(state, _HALT, _DAILY)
    if state.equity <= _loss_level(params, state):
        _raise_tier(state, _HALT, _MAX_LOSS)
    set_trip_level(params, state)
