"""How an instruction of OpenBook v2 fails: the error the chain records, and the lines that Anchor writes before it."""

from collections.abc import Sequence

from solders.pubkey import Pubkey
from solders.transaction_status import InstructionErrorCustom, InstructionErrorFieldless

from bmv.adapters.openbook.v2.codes import Build, error_code
from bmv.adapters.sandbox.double import InstructionError
from bmv.adapters.sandbox.openbook_v2.wording import MESSAGES, SITES

_BORROW_FAILED = (
    "ProgramError occurred. Error Code: AccountBorrowFailed. Error Number: 51539607552. "
    "Error Message: Failed to borrow a reference to account data, already borrowed."
)


class Failure(Exception):
    """An instruction fails.

    Args:
        error: What the chain records.
        lines: What the program logs before, without "Program log: ".
    """

    def __init__(self, error: InstructionError, lines: Sequence[str] = ()) -> None:
        super().__init__(str(error))
        self.error, self.lines = error, tuple(lines)


def _custom(build: Build, name: str, head: str, context: str = "", tail: Sequence[str] = ()) -> Failure:
    code = error_code(name, build)
    message = "; ".join(part for part in (MESSAGES[name], context) if part)
    line = f"AnchorError {head}. Error Code: {name}. Error Number: {code}. Error Message: {message}."
    return Failure(InstructionErrorCustom(code), (line, *tail))


def thrown(
    build: Build, name: str, site: str, values: tuple[object, object] | None = None, context: str = ""
) -> Failure:
    """Return the failure of a check in the program's code.

    Args:
        site: Where it stands, a name of `SITES`.
        values: What was compared: left and right.
    """
    head = f"thrown in programs/openbook-v2/src/{SITES[site][build]}"
    return _custom(build, name, head, context, _compared(values))


def occurred(build: Build, name: str) -> Failure:
    """Return a failure that says nothing of where it comes from."""
    return _custom(build, name, "occurred")


def caused(build: Build, name: str, account: str, values: tuple[object, object] | None = None) -> Failure:
    """Return the failure of an account that is not what the instruction asks for."""
    return _custom(build, name, f"caused by account: {account}", tail=_compared(values))


def _compared(values: tuple[object, object] | None) -> tuple[str, ...]:
    if values is None:
        return ()
    left, right = values
    if isinstance(left, Pubkey):
        return ("Left:", str(left), "Right:", str(right))
    return (f"Left: {left}", f"Right: {right}")


def borrow_failed() -> Failure:
    """Return the failure of an account that is loaded twice."""
    return Failure(InstructionErrorFieldless.AccountBorrowFailed, (_BORROW_FAILED,))


def panicked(what: str, place: str = "") -> Failure:
    """Return the failure of a program that panics.

    Args:
        what: Its words.
        place: File, line and column in the program's source, where they are known here: not for each sum and product.
    """
    where = f", programs/openbook-v2/src/{place}" if place else ""
    return Failure(InstructionErrorFieldless.ProgramFailedToComplete, (f"panicked at '{what}'{where}",))


def checked(value: int, low: int, high: int, what: str, place: str = "") -> int:
    """Return a number, or panic as the program does where it does not fit its type."""
    if not low <= value <= high:
        raise panicked(f"attempt to {what} with overflow", place)
    return value


def i64(value: int, what: str = "multiply", place: str = "") -> int:
    """Return a number that must fit an i64."""
    return checked(value, -(1 << 63), (1 << 63) - 1, what, place)


def u64(value: int, what: str = "add") -> int:
    """Return a number that must fit a u64."""
    return checked(value, 0, (1 << 64) - 1, what)
