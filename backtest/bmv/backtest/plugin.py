"""A user's strategy: found by `path.py:name` or given, compiled where it says so, called where it is plain Python.

A strategy is one function `name(params, state, memory, wanted) -> rows`, called when a decision is due. It reads the
configuration (:class:`~bmv.core.params.Params`) and what the engine knows (:class:`~bmv.core.state.State`), keeps
numbers of its own in `memory`, writes the orders it wants into `wanted` (side, level, price in ticks, size in lots, and
the time in force: 0 post-only | 1 limit | 2 immediate-or-cancel) and returns how many rows it wrote, or -1 to leave
everything as it is. Marked with `@kernel` it is compiled into the fused loop; without, it may use any library and is
called from the loop.
"""

import ctypes
import importlib.util
import inspect
import os
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, cast

import numba
from numba import njit, types
from numba.core.types import WrapperAddressProtocol

from bmv.backtest import identity
from bmv.core.engine import Strategy
from bmv.core.kernel import is_kernel
from bmv.core.params import COMPILED, INTERPRETED, PIVOT_GRID, Params
from bmv.core.state import State
from bmv.ports.errors import BmvError, ConfigError

CALL = types.int64(types.int64)
_C_CALL = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)


class StrategyError(BmvError):
    """The user's strategy raised; the message has its own words and where it stood."""

    @classmethod
    def compiled(cls, error: Exception) -> "StrategyError":
        """Return what to tell of an `error` that machine code raised."""
        where = "in machine code; --engine reference shows where"
        return cls(f"the strategy failed: {type(error).__name__}: {error} ({where})")


def load(spelling: str) -> Strategy:
    """Return the function that `path.py:name` names."""
    path, _, name = spelling.rpartition(":")
    file = Path(path)
    if not os.path.isfile(file):  # Not `file.is_file()`, which raises where a name is too long.
        raise ConfigError(f"strategy = {spelling!r}: there is no file {path}")
    spec = importlib.util.spec_from_file_location(f"bmv_strategy_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(f"strategy = {spelling!r}: {path} can't be imported: {_where(error)}") from error
    strategy = getattr(module, name, None)
    if not callable(strategy):
        functions = sorted(n for n, f in vars(module).items() if callable(f) and not n.startswith("_"))
        raise ConfigError(f"strategy = {spelling!r}: {path} has no function {name}; it has {', '.join(functions)}")
    return fitting(strategy, spelling)


def fitting(strategy: object, spelling: str = "") -> Strategy:
    """Return `strategy` if it can be called as one; `spelling` names it in the refusal, else its own name does."""
    if not callable(strategy):
        raise ConfigError(
            f"strategy = {strategy!r}: expected a function of (params, state, memory, wanted), or its 'path.py:name'"
        )
    spelling = spelling or identity.spelling(strategy)
    name = spelling.rpartition(":")[2]
    try:
        inspect.signature(strategy).bind(*"psmw")
    except (TypeError, ValueError) as error:
        raise ConfigError(f"strategy = {spelling!r}: expected {name}(params, state, memory, wanted): {error}") from None
    return cast(Strategy, strategy)


def kind(strategy: Strategy | None) -> int:
    """Return who decides: the pivot grid, or `strategy` as machine code, or `strategy` called as plain Python."""
    if strategy is None:
        return PIVOT_GRID
    return COMPILED if is_kernel(strategy) else INTERPRETED


def compile_verb(strategy: Strategy, signature: Any, spelling: str) -> Any:  # Any: Numba is hardly typed.
    """Return `strategy` as machine code of the loop's signature; compiled anew each time, so never stale.

    Its indices are checked: it is not ours, and the tables lie beside the engine's own memory.
    """
    checked = numba.config.BOUNDSCHECK  # type: ignore[attr-defined]  # Numba makes its settings as it goes.
    numba.config.BOUNDSCHECK = 1  # type: ignore[attr-defined]  # In the helpers of the verb as well.
    try:
        return njit(signature)(strategy)
    except Exception as error:
        first = str(error).strip().splitlines()
        raise ConfigError(
            f"strategy = {spelling!r} is marked @kernel and does not compile: {first[-1] if first else error}. "
            "Remove the mark to run it as plain Python."
        ) from error
    finally:
        numba.config.BOUNDSCHECK = checked  # type: ignore[attr-defined]  # As above.


def guarded(strategy: Strategy | None) -> Strategy | None:
    """Return `strategy` for the interpreter, if there is one: what it raises becomes one clear error."""
    if strategy is None:
        return None

    @wraps(strategy)
    def call(params: Params, state: State, memory: Any, wanted: Any) -> int:  # Any: tables of numbers.
        try:
            return int(strategy(params, state, memory, wanted))
        except Exception as error:
            raise StrategyError(f"the strategy failed: {_where(error)}") from error

    return call


class Callback(WrapperAddressProtocol):
    """A Python function that compiled code calls with one number and that answers with one.

    An exception can't cross compiled code: it is kept in `error`, and from then on the answer is -1.
    """

    def __init__(self, function: Callable[[], int]) -> None:
        self.error: BaseException | None = None
        self._function = function
        self._c_function = _C_CALL(self._call)

    def _call(self, _: int) -> int:
        if self.error is not None:
            return -1
        try:
            return int(self._function())
        except BaseException as error:  # Kept, and raised by `check`.
            self.error = error
            return -1

    def check(self) -> None:
        """Raise what the function raised, if it did."""
        if isinstance(self.error, Exception):
            raise StrategyError(f"the strategy failed: {_where(self.error)}") from self.error
        if self.error is not None:
            raise self.error

    def __wrapper_address__(self) -> int:
        address = ctypes.cast(self._c_function, ctypes.c_void_p).value
        assert address is not None
        return address

    def signature(self) -> Any:  # Any: Numba is hardly typed.
        """Return Numba's signature of the call."""
        return CALL


def _where(error: BaseException) -> str:
    """Return an error in one line, with the file and line of its origin."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"
