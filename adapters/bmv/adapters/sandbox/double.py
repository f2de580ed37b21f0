"""What stands in for a program of the chain: the same bytes in, the same bytes out, without a virtual machine.

A double is a pure function of the instruction, the accounts it names and the clock. It changes nothing that it was
given: what it changed stands in the outcome. The rules of the runtime that a program can't break (it writes only what
is its own and was passed as writable) are the double's too, so that an instruction with a wrong meta fails as there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.transaction_status import InstructionErrorBorshIO, InstructionErrorCustom, InstructionErrorFieldless

InstructionError = InstructionErrorFieldless | InstructionErrorCustom | InstructionErrorBorshIO


@dataclass(slots=True)
class AccountState:
    """An account of the chain.

    Args:
        lamports: Its balance.
        data: Its bytes; whoever may write to the state may write to them in place.
        owner: The program whose it is.
        executable: Whether it is a program.
    """

    lamports: int
    data: bytearray
    owner: Pubkey
    executable: bool = False

    def copy(self) -> "AccountState":
        return AccountState(self.lamports, bytearray(self.data), self.owner, self.executable)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a program may learn of the chain it runs on.

    Args:
        unix_timestamp: The clock's second.
        slot: The clock's slot.
        lamports_per_byte: Rent: an account of n bytes is exempt with (128 + n) times this.
    """

    unix_timestamp: int
    slot: int
    lamports_per_byte: int

    def rent_exempt(self, size: int) -> int:
        """Return the lamports at which an account of `size` bytes pays no rent."""
        return (128 + size) * self.lamports_per_byte


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an instruction did.

    Args:
        error: Why it failed; None: it did not.
        accounts: The accounts it changed, whole, as they are now; empty if it failed.
        logs: The lines between `Program … invoke [1]` and what ends it, lines of compute units left out: what the
            program said, and the whole of what the programs said that it called.
        return_data: What it returned.
        units: About how many compute units the genuine program would have taken: from a table, not to be relied on.
    """

    error: InstructionError | None
    accounts: Mapping[Pubkey, AccountState] = field(default_factory=dict)
    logs: tuple[str, ...] = ()
    return_data: bytes = b""
    units: int = 0


class Double(Protocol):
    """Plays one program.

    The chain hands it every account that the instruction names: those that do not exist as empty ones of the system
    program. Signers are the metas' `is_signer`, which the chain has checked against the transaction's signatures.
    """

    @property
    def program_id(self) -> Pubkey: ...

    def execute(
        self, instruction: Instruction, accounts: Mapping[Pubkey, AccountState], surroundings: Surroundings
    ) -> Outcome: ...
