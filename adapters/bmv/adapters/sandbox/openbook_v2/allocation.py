"""The 32 KiB of memory that a program has for one instruction, none of which it ever gives back.

v1.7 sets a kilobyte aside for each event it logs, so that a taker who names the makers can settle 11 fills with them
at once, not the 15 that its source allows; with more it runs out of memory, and its instruction fails. Master logs
without asking for memory, and never comes near the end.

Sizes are those of the program's own types; where it grows a list it leaves the shorter one behind. What one order
takes besides, and a message about an order that is gone, are measured on the genuine program, to some hundred bytes:
close to the end the double may be wrong by one log.
"""

from collections.abc import Sequence

from solders.instruction import AccountMeta
from solders.transaction_status import InstructionErrorFieldless

from bmv.adapters.openbook.v2.codes import Build
from bmv.adapters.sandbox.openbook_v2.failure import Failure

OUT_OF_MEMORY = "Error: memory allocation failed, out of memory"
_BYTES = 32 * 1024 - 8
_ACCOUNT_PLACE, _ACCOUNT = 48, 72  # Of each place; and of each account, once.
_LOG = 1_024 + 8  # Beside its bytes.
PER_ORDER, PER_REMOVED, PER_MISSING, RETURNED = 120, 32, 500, 1_024
BOXES = 464  # Two vaults of a batch.
BATCH_ORDER, BATCH_ARGS, KEY = 72, 24, 24  # An order of a batch, its arguments, its id or its key.


class Allocation:
    """What an instruction has used of its memory."""

    def __init__(self, build: Build, metas: Sequence[AccountMeta]) -> None:
        self.bounded = build is Build.V1_7
        self.used = len(metas) * _ACCOUNT_PLACE + len({meta.pubkey for meta in metas}) * _ACCOUNT

    def take(self, size: int) -> None:
        """Set bytes aside, or fail."""
        self.used += size
        if self.bounded and self.used > _BYTES:
            raise out_of_memory()

    def log(self, size: int) -> None:
        """Set aside what it takes to log so many bytes."""
        self.take(_LOG + size)

    def push(self, length: int, size: int) -> None:
        """Set aside what a list takes that has grown to `length` items of `size` bytes."""
        if length == 1:
            self.take(4 * size)
        elif length > 4 and (length - 1).bit_count() == 1:
            self.take(2 * (length - 1) * size)


def out_of_memory() -> Failure:
    """Return the failure of a program that finds no memory."""
    return Failure(InstructionErrorFieldless.ProgramFailedToComplete, (OUT_OF_MEMORY,))
