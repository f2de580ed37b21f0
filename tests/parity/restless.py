"""Strategies of no use but to be as restless as a user's may be: takers, crossers, sleepers, all by turns."""

from collections.abc import Callable
from types import FunctionType
from typing import Any

from bmv.core.kernel import kernel
from bmv.core.params import Params
from bmv.core.record import FloatTable, Table
from bmv.core.state import State

Verb = Callable[[Params, State, Any, Any], int]


@kernel
def _want(wanted: Table, row: int, side: int, level: int, price: int, size: int, tif: int) -> int:
    wanted[row, 0] = side
    wanted[row, 1] = level
    wanted[row, 2] = price
    wanted[row, 3] = size
    wanted[row, 4] = tif
    return row + 1


def _by_turns(params: Params, state: State, memory: FloatTable, wanted: Table) -> int:
    """Take, rest, cross, stand still or leave, one after another."""
    memory[0] += 1.0
    turn = int(memory[0]) % 9
    bid = state.bid if state.bid > 0 else max(1, state.mid2 // 2 - 1)
    ask = state.ask if state.ask > 0 else state.mid2 // 2 + 1
    n = 0
    if turn in (0, 5):
        return -1
    if turn == 1:
        n = _want(wanted, n, 1, 0, ask, 7, 2)
    elif turn == 2:
        n = _want(wanted, n, -1, 0, bid, 12, 1)
        n = _want(wanted, n, 1, 3, bid, 5, 0)
    elif turn == 3:
        n = _want(wanted, n, 1, 0, ask + 2, 40, 1)
        n = _want(wanted, n, -1, 0, ask, 10, 0)
    elif turn == 4:
        for level in range(10):
            n = _want(wanted, n, 1, level, bid - level, 1 + level, 0)
            n = _want(wanted, n, -1, level % 3, ask + level, 2, 0)
    elif turn == 6:
        n = _want(wanted, n, -1, -1, bid - 3, 30, 2)
    elif turn == 7:
        n = _want(wanted, n, 1, 0, state.last_price, 9, 0)
        n = _want(wanted, n, -1, 0, state.last_price + 1, 9, 0)
    return n


def _inside(params: Params, state: State, memory: FloatTable, wanted: Table) -> int:
    """Improve on the touch where there is room, and join it where there is none."""
    n = 0
    if state.bid > 0:
        n = _want(wanted, n, 1, 0, state.bid + (1 if state.ask - state.bid > 2 else 0), 15, 0)
    if state.ask > 0:
        n = _want(wanted, n, -1, 0, state.ask - (1 if state.ask - state.bid > 2 and state.bid > 0 else 0), 15, 0)
    return n


def _twin(strategy: Verb) -> Verb:
    """Return a second function with the same code, so that one of the two can be marked."""
    return FunctionType(strategy.__code__, strategy.__globals__, strategy.__name__)


PLAIN_STRATEGIES: tuple[Verb, ...] = (_by_turns, _inside)
COMPILED_STRATEGIES: tuple[Verb, ...] = tuple(kernel(_twin(strategy)) for strategy in PLAIN_STRATEGIES)
