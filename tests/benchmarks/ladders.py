"""The same user's strategy twice: five levels a side around the mid, marked for the loop and left as plain Python."""

from types import FunctionType

from bmv.core.kernel import kernel
from bmv.core.params import Params
from bmv.core.record import FloatTable, Table
from bmv.core.state import State


def plain(params: Params, state: State, memory: FloatTable, wanted: Table) -> int:
    """Want the configured ladder around the mid, leaning against the inventory; return how many rows."""
    if state.bid == 0 or state.ask == 0:
        return 0
    centre = 0.5 * float(state.mid2) * state.lean
    row = 0
    for level in range(params.bid_levels):
        wanted[row, 0] = 1
        wanted[row, 1] = level
        wanted[row, 2] = int(centre * (1.0 - params.rungs[0, level, 0]))
        wanted[row, 3] = int(params.rungs[0, level, 1])
        wanted[row, 4] = 0
        row += 1
    for level in range(params.ask_levels):
        wanted[row, 0] = -1
        wanted[row, 1] = level
        wanted[row, 2] = int(centre * (1.0 + params.rungs[1, level, 0])) + 1
        wanted[row, 3] = int(params.rungs[1, level, 1])
        wanted[row, 4] = 0
        row += 1
    return row


# A second function with the same code, so that one of the two can be marked.
marked = kernel(FunctionType(plain.__code__, plain.__globals__, "marked"))
