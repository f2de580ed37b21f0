"""How the program ends when it does not succeed: a number, an error of the runtime, or a panic."""

from solders.transaction_status import InstructionErrorCustom, InstructionErrorFieldless

from bmv.adapters.openbook.v1.codes import DexErrorCode
from bmv.adapters.sandbox.double import InstructionError

NONE = "called `Option::unwrap()` on a `None` value"  # What a panic says where a sum did not fit.
_FILES = {"state": 1, "matching": 2, "critbit": 3}


class Failure(Exception):
    """The instruction ends here, and nothing it did stays."""

    def __init__(self, error: InstructionError) -> None:
        super().__init__(str(error))
        self.error = error


class Panic(Failure):
    """The program stopped where its authors thought it never would.

    Args:
        message: What it says, without `panicked at`.
        where: File, line and column of the source; empty where it says only `message`.
    """

    def __init__(self, message: str, where: str) -> None:
        super().__init__(InstructionErrorFieldless.ProgramFailedToComplete)
        self.line = f"Program log: panicked at '{message}', {where}" if where else f"Program log: {message}"


def fail(code: DexErrorCode) -> Failure:
    """Return the failure with an error of the program's list."""
    return Failure(InstructionErrorCustom(code))


def check(condition: bool, file: str, line: int) -> None:
    """Fail as the program's assertion in `line` of `file` does, unless `condition` holds.

    The number holds file and line, so that the lines of openbook-dex/program 3873f285 stand all over the double.
    """
    if not condition:
        raise Failure(InstructionErrorCustom(_FILES[file] << 24 | line))
