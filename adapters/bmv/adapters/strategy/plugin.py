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
import operator
import os
import re
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import numba
from numba import njit, types
from numba.core.errors import NumbaError
from numba.core.types import WrapperAddressProtocol

from bmv.adapters.strategy import identity
from bmv.core.engine import Strategy
from bmv.core.kernel import is_kernel
from bmv.core.params import COMPILED, INTERPRETED, LEVELS_MAX, PIVOT_GRID, Params
from bmv.core.state import State
from bmv.ports.errors import BmvError, ConfigError, UsageError

CALL = types.int64(types.int64)
_C_CALL = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)
ROWS_MAX = 2 * LEVELS_MAX  # Of `wanted`.
# What tells most in Numba's long texts, the most telling first.
TELLING = (
    "Unknown attribute",
    "Untyped global name",
    "NameError",
    "Use of unsupported opcode",
    "Cannot unify",
    "Invalid use of",
    "No implementation of function",
)


class WrongCount(ValueError):
    """Machine code answered with a number that is no number of rows."""


class StrategyError(BmvError):
    """The user's strategy, or another function of theirs, raised; the message has its own words and where it stood.

    Whatever it raised: `sys.exit()` in it is a failure of it too, and not the end of the program. `KeyboardInterrupt`
    alone is the operator's.
    """

    @classmethod
    def compiled(cls, error: BaseException) -> "StrategyError":
        """Return what to tell of an `error` that machine code raised."""
        if isinstance(error, WrongCount):
            return cls(_miscounted(*error.args))
        return cls(f"the strategy failed: {_in_short(error)} (in machine code; --engine reference shows where)")


def compiles() -> bool:
    """Return whether Numba compiles; `NUMBA_DISABLE_JIT` switches it off."""
    return not numba.config.DISABLE_JIT  # type: ignore[attr-defined]  # Numba makes its settings as it goes.


def refuse_without_compiler(what: str, otherwise: str) -> None:
    """Raise `UsageError` where Numba's compiler is switched off and `what` needs it; `otherwise` is advice."""
    if not compiles():
        raise UsageError(
            f"NUMBA_DISABLE_JIT is set, and {what} needs the compiler that it switches off: unset it{otherwise}"
        )


def load(spelling: str) -> Strategy:
    """Return the function that `path.py:name` names."""
    return fitting(function_at(spelling, "strategy"), spelling)


def function_at(spelling: str, key: str) -> Callable[..., Any]:  # Any: a user's function.
    """Return the function that `path.py:name` names, its file run anew.

    Args:
        key: Key of the configuration that names it, for who reads an error.
    """
    path, _, name = spelling.rpartition(":")
    file = Path(path)
    if not os.path.isfile(file):  # Not `file.is_file()`, which raises where a name is too long.
        raise ConfigError(f"{key} = {spelling!r}: there is no file {path}")
    spec = importlib.util.spec_from_file_location(f"bmv_{key.rpartition('.')[2]}_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        function: object = getattr(module, name, None)
    except Exception as error:
        raise ConfigError(f"{key} = {spelling!r}: {path} can't be imported: {where(error)}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise StrategyError(f"{key} = {spelling!r}: {path} stopped as it was imported: {where(error)}") from error
    if not callable(function):
        functions = sorted(n for n, f in vars(module).items() if callable(f) and not n.startswith("_"))
        raise ConfigError(f"{key} = {spelling!r}: {path} has no function {name}; it has {', '.join(functions)}")
    return function


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
        inner: Any = njit(strategy)  # Any: Numba is hardly typed.
        inner.compile(signature.args)
        answer = inner.nopython_signatures[0].return_type
        if not isinstance(answer, types.Integer | types.Boolean):
            raise ConfigError(
                f"strategy = {spelling!r} is marked @kernel and returns {_in_words(answer)}; {EXPECTED}. "
                "Look for a return that is missing, or not whole."
            )
        return njit(signature)(_counting(inner, _called(strategy)))
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"strategy = {spelling!r} is marked @kernel and does not compile: {_cause(error, strategy)}. "
            "Remove the mark to run it as plain Python."
        ) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise StrategyError(f"strategy = {spelling!r} stopped as it was compiled: {where(error)}") from error
    finally:
        numba.config.BOUNDSCHECK = checked  # type: ignore[attr-defined]  # As above.


EXPECTED = f"expected the number of rows it wants, a whole number from -1 to {ROWS_MAX}"


def _counting(inner: Any, name: str) -> Any:  # Any: Numba is hardly typed.
    def verb(params: Any, state: Any, memory: Any, wanted: Any) -> int:  # Any: as above.
        rows = inner(params, state, memory, wanted)
        if rows < -1 or rows > ROWS_MAX:
            raise WrongCount(name, rows)
        return int(rows)

    return verb


def counted(strategy: Strategy | None) -> Strategy | None:
    """Return `strategy` so that an answer which is no number of rows is refused; marked ones are, as machine code."""
    if strategy is None or is_kernel(strategy):
        return strategy
    return _checked(strategy)


def _checked(strategy: Strategy) -> Strategy:
    name = _called(strategy)

    @wraps(strategy)
    def call(params: Params, state: State, memory: Any, wanted: Any) -> int:  # Any: tables of numbers.
        rows: object = strategy(params, state, memory, wanted)
        try:
            count = operator.index(rows)  # type: ignore[arg-type]  # That is the question.
        except TypeError:
            raise StrategyError(_miscounted(name, rows)) from None
        if not -1 <= count <= ROWS_MAX:
            raise StrategyError(_miscounted(name, rows))
        return count

    return call


def _called(strategy: Strategy) -> str:
    """Return `mine.py:name` of a function, as far as it has them."""
    function = inspect.unwrap(strategy)
    code = getattr(function, "__code__", None)
    return f"{Path(code.co_filename).name}:{code.co_name}" if code else identity.spelling(strategy)


def _miscounted(name: str, rows: object) -> str:
    return f"{name} returned {rows!r:.60}; {EXPECTED}"


def guarded(strategy: Strategy | None) -> Strategy | None:
    """Return `strategy` for the interpreter, if there is one: what it raises becomes one clear error."""
    if strategy is None:
        return None
    checked = _checked(strategy)

    @wraps(strategy)
    def call(params: Params, state: State, memory: Any, wanted: Any) -> int:  # Any: tables of numbers.
        try:
            return checked(params, state, memory, wanted)
        except (StrategyError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise StrategyError(f"the strategy failed: {where(error)}") from error

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
        if self.error is None:
            return
        if isinstance(self.error, StrategyError | KeyboardInterrupt):
            raise self.error
        raise StrategyError(f"the strategy failed: {where(self.error)}") from self.error

    def __wrapper_address__(self) -> int:
        address = ctypes.cast(self._c_function, ctypes.c_void_p).value
        assert address is not None
        return address

    def signature(self) -> Any:  # Any: Numba is hardly typed.
        """Return Numba's signature of the call."""
        return CALL


def in_full(error: BmvError) -> str:
    """Return all there is to say of an error that a user's strategy is the cause of; empty where there is no more.

    Of an exception it is the traceback from the user's file on, of what does not compile Numba's whole text.
    """
    cause = error.__cause__
    if isinstance(cause, NumbaError):
        return str(cause)
    if cause is None or not isinstance(error, StrategyError):
        return ""
    frames = _of_user(cause.__traceback__)
    return "".join(traceback.format_exception(type(cause), cause, frames)) if frames else ""


def _of_user(frames: TracebackType | None) -> TracebackType | None:
    """Return the frames from the first on that is not ours."""
    while frames is not None and str(frames.tb_frame.f_globals.get("__name__")).startswith("bmv."):
        frames = frames.tb_next
    return frames


def _in_words(answer: Any) -> str:  # Any: a type of Numba's.
    if isinstance(answer, types.Optional):
        return f"{_in_words(answer.type)} or None"
    names = {types.none: "None", types.float64: "a float"}
    return names.get(answer, "a whole number" if isinstance(answer, types.Integer) else str(answer))


def _cause(error: Exception, strategy: Strategy) -> str:
    """Return why something does not compile, in one line, with file and line."""
    lines = [line.strip() for line in str(error).splitlines()]
    if isinstance(error, KeyError):  # Numba's own way of saying that a record has no such field.
        code = getattr(inspect.unwrap(strategy), "__code__", None)
        place = f" ({Path(code.co_filename).name}, in {code.co_name})" if code else ""
        return f"KeyError: {error}, such as a field that is not there{place}"
    told = next((i for word in TELLING for i, line in enumerate(lines) if word in line), None)
    if told is None:
        kept = [line for line in lines if line and not line.startswith(("During:", "Failed in "))]
        return f"{type(error).__name__}: {kept[0] if kept else error}{_file_line(lines)}"
    text = re.sub(r"Function\(<(?:built-in )?function (\w+)[^>]*>\)", r"\1", lines[told]).rstrip(":.")
    shape = next((line[4:] for line in lines[told:] if line.startswith(">>> ")), "")
    if text.startswith("No implementation") and shape:
        text = f"{text} {shape}"
    raised = re.search(r"Raised from (.+) \((\d+)\)$", text)
    if raised:
        return f"{text[: raised.start()].strip(' .')} ({Path(raised[1]).name}, line {raised[2]})"
    return f"{text}{_file_line(lines[told:]) or _file_line(lines)}"


def _file_line(lines: list[str]) -> str:
    """Return the first place in a user's file that Numba's text names."""
    for line in lines:
        found = re.match(r'File "(.+)", line (\d+):', line)
        if found:
            return f" ({Path(found[1]).name}, line {found[2]})"
    return ""


def _in_short(error: BaseException) -> str:
    """Return an error by its name and its words, if it has any."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def where(error: BaseException) -> str:
    """Return an error in one line, with the file and line of its origin."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{_in_short(error)}{place}"
