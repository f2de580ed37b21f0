"""What became of an attempt, as the journal keeps it: errors by the program's own names."""

from typing import Any

from solders.message import Message, MessageV0, MessageV1
from solders.pubkey import Pubkey

from bmv.adapters.openbook.v1.codes import describe
from bmv.adapters.openbook.v1.instructions import DEVNET_PROGRAM_ID, PROGRAM_ID
from bmv.adapters.openbook.v2.codes import error_name
from bmv.adapters.openbook.v2.market import PROGRAM_ID as VERSION_2
from bmv.adapters.solana.errors import Json
from bmv.adapters.solana.sending.attempt import Attempt, Fate
from bmv.data.journal.attempts import Fated

VERSION_1 = frozenset({PROGRAM_ID, DEVNET_PROGRAM_ID})
BUDGET_ERRORS = frozenset(
    {"ComputationalBudgetExceeded", "MaxLoadedAccountsDataSizeExceeded", "ProgramFailedToComplete"}
)


def fated(attempt: Attempt, fate: Fate) -> Fated:
    """Return the fate of an attempt for the journal."""
    more: dict[str, Any] = {"sent": fate.sent}  # Any: JSON.
    if fate.handed:
        more["handed"] = dict(fate.handed)
    if fate.slot is not None:
        more |= {"slot": fate.slot, "commitment": fate.commitment}
    if fate.error is not None:
        more["error"] = error_words(attempt, fate.error)
    if fate.refused:
        more["refused"] = dict(fate.refused)
    return Fated(attempt.signature, fate.state.value, more)


def error_words(attempt: Attempt, error: Json) -> str:
    """Return an error of a transaction as one reads it: which instruction, and what its program calls that."""
    where = error.get("InstructionError") if isinstance(error, dict) else None
    if not isinstance(where, list) or len(where) != 2:
        return str(error)
    number, what = where
    if not isinstance(number, int):
        return str(error)
    custom = what.get("Custom") if isinstance(what, dict) else None
    if not isinstance(custom, int):
        return f"instruction {number}: {what}"
    name = _name(_program_of(attempt.message, number), custom)
    return f"instruction {number}: {name} ({custom})"


def exceeds_budget(error: Json) -> bool:
    """Whether a transaction failed for want of compute units or of loaded bytes: what was measured is not enough."""
    where = error.get("InstructionError") if isinstance(error, dict) else None
    what = where[1] if isinstance(where, list) and len(where) == 2 else error
    return isinstance(what, str) and what in BUDGET_ERRORS


def _name(program: Pubkey | None, code: int) -> str:
    """Return what a program calls an error of its own; of other programs only the number is known."""
    if program in VERSION_1:
        return describe(code)
    name = error_name(code) if program == VERSION_2 else None
    return name or f"error of {program}"


def _program_of(message: Message | MessageV0 | MessageV1, number: int) -> Pubkey | None:
    if not 0 <= number < len(message.instructions):
        return None
    return message.account_keys[message.instructions[number].program_id_index]
