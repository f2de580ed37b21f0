"""What outlives an engine: the breaker with its measures, and parameters that change while it runs."""

from typing import NamedTuple

from bmv.core.breaker import set_trip_level
from bmv.core.grid import lean
from bmv.core.params import Params
from bmv.core.state import NEWS, State


class Standing(NamedTuple):
    """How the breaker stood. Money in quanta, times in ns UTC.

    Args:
        tier: A `Tier`.
        peak: Highest equity since it was armed.
        start_equity: What `max_loss` is counted from.
        day_equity: First equity of the UTC day that ends at `day_end_ns`; that is not above 0 where nothing was valued.
        paused: 1 if an operator had it paused.
    """

    tier: int
    peak: int
    start_equity: int
    day_equity: int
    day_end_ns: int
    paused: int = 0


def moved(standing: Standing, quanta: int) -> Standing:
    """Return how a breaker stands after so much was deposited, below 0 withdrawn: that is no profit and no loss.

    What falls are counted from moves by as much; so the same loss trips it. A breaker that has valued nothing stays.
    """
    if standing.day_end_ns <= 0:
        return standing
    return standing._replace(
        peak=standing.peak + quanta,
        start_equity=standing.start_equity + quanta,
        day_equity=standing.day_equity + quanta,
    )


def standing_of(state: State) -> Standing | None:
    """Return how an engine stands; None where it has valued nothing, and nobody has halted or paused it."""
    if state.valued == 0 and state.tier == 0 and state.paused == 0:
        return None
    s = state
    return Standing(int(s.tier), int(s.peak), int(s.start_equity), int(s.day_equity), int(s.day_end_ns), int(s.paused))


def take_up(params: Params, state: State, standing: Standing) -> None:
    """Let an engine that has heard nothing stand as an earlier one did; orders that a tier forbids are shed anew."""
    state.tier = standing.tier
    state.peak = standing.peak
    state.start_equity = standing.start_equity
    state.day_equity = standing.day_equity
    state.day_end_ns = standing.day_end_ns
    state.paused = standing.paused
    state.valued = int(standing.day_end_ns > 0)
    set_trip_level(params, state)


def adopt(params: Params, state: State, other: Params) -> None:
    """Take over the parameters of `other`, and forget what was reckoned by those of before.

    The market, and what was held at the start, are not parameters that may change: they are asserted equal.
    """
    for name in ("half", "divisor", "start_position", "start_cash", "window_ns", "history_ns", "strategy"):
        assert getattr(params, name) == getattr(other, name), f"{name} can't change while an engine runs"
    params.memory_block[:] = other.memory_block  # type: ignore[attr-defined]  # Of the row; see `record`.
    state.lean = lean(params, state.position)
    state.behind = 1
    state.calm = 0
    state.stirred = NEWS
    state.grid_centre = 0.0  # The grid that lies was drawn by other parameters: another is due.
    set_trip_level(params, state)
