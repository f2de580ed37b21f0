"""What the policy answers: a message that may be signed, or why it may not."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Code(StrEnum):
    """What is wrong with a message, for whoever counts refusals."""

    FORM = "form"  # It is no message, or not written as everybody writes it.
    VERSION = "version"
    LOOKUP_TABLE = "lookup-table"  # It hides accounts.
    BLOCKHASH = "blockhash"
    PAYER = "payer"
    PROGRAM = "program"
    INSTRUCTION = "instruction"
    ACCOUNT = "account"
    RIGHTS = "rights"  # An account signs or is written to where that is not needed, or the other way round.
    FEE = "fee"
    LAMPORTS = "lamports"  # A tip, rent, or SOL that is wrapped.
    DEPOSIT = "deposit"
    PRICE = "price"
    SIZE = "size"
    NOTIONAL = "notional"
    EXPIRY = "expiry"
    ORDER_TYPE = "order-type"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message is not signed.

    Args:
        text: One sentence, with what was found and what would be right.
    """

    code: Code
    text: str

    def __str__(self) -> str:
        return f"not signed ({self.code}): {self.text}"


class Forbidden(Exception):
    """Carries a refusal out of the depth of a check; it never leaves the policy."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.refusal = Refusal(code, text)


class Approved:
    """A message that a policy has looked at and allows; nothing else is signed.

    Only `approve` makes one, and only a policy calls it.

    Args:
        message: Exactly the bytes that were looked at.
        policy: Who allows it; another policy's approval is none.
    """

    __slots__ = ("_message", "_policy")

    def __init__(self, message: bytes, policy: object, seal: object) -> None:
        assert seal is _SEAL, "an approval is given by a policy, never made by hand"
        self._message, self._policy = message, policy

    @property
    def message(self) -> bytes:
        return self._message

    @property
    def policy(self) -> object:
        return self._policy

    def __repr__(self) -> str:
        return f"<Approved {len(self._message)} bytes>"


_SEAL: Final = object()


def approve(message: bytes, policy: object) -> Approved:
    """Return the approval of a message by a policy."""
    return Approved(message, policy, _SEAL)
