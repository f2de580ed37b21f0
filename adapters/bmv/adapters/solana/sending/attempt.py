"""One attempt: one string of signed bytes, and where it is on its way.

Its signature is known before it is sent and can land once only, however often and by however many ways the bytes are
sent. What it carries may be tried anew, in other bytes, only when it has ended: found in a final block, or found
nowhere when the final height is past the last at which it is valid. No refusal, time-out or lost answer ends it. Where
nobody has looked for so long that no node remembers that time, only this is sure: it can't land any more.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from solders.message import Message, MessageV0, MessageV1, from_bytes_versioned
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from bmv.adapters.solana.errors import Json

VERSION_1 = 0x81  # First byte of a transaction of version 1.


class State(StrEnum):
    """Where an attempt is. The last four are ends."""

    BUILT = "built"  # Signed. Nobody outside knows.
    COMMITTED = "committed"  # Kept, and may be sent from now on.
    SENT = "sent"  # Handed to a node, or perhaps so.
    UNKNOWN = "unknown"  # Sent, and no node can be asked what became of it.
    LANDED = "landed"  # Seen in a block that may still vanish.
    FINALIZED = "finalized"
    FAILED = "failed"  # In a final block, and its instructions did nothing: it cost its fee.
    EXPIRED = "expired"  # It never landed, and never will.
    FORGOTTEN = "forgotten"  # It can't land any more, and no node remembers whether it did.


ENDS = frozenset({State.FINALIZED, State.FAILED, State.EXPIRED, State.FORGOTTEN})


class Leg(NamedTuple):
    """By which way an attempt goes, and from when on: as soon as either has passed since it was first to be sent.

    Args:
        way: Its name.
        slots, seconds: How long the ways before it have it to themselves.
    """

    way: str
    slots: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """Signed bytes.

    Args:
        signature: In base58.
        transaction: The bytes as they are sent.
        last_height: The last block height at which it is valid.
        urgent: Whether it goes by the lane that is kept for cancels.
        legs: By which ways it goes; empty: by all that take it, at once.
    """

    signature: str
    transaction: bytes
    last_height: int
    urgent: bool = False
    legs: tuple[Leg, ...] = ()

    def __repr__(self) -> str:
        return f"<Attempt {self.signature}, {len(self.transaction)} bytes, until height {self.last_height}>"

    @property
    def version(self) -> int:
        """Of the transaction: 1, or 0 for those before it."""
        return int(self.transaction[0] == VERSION_1)

    @property
    def message(self) -> Message | MessageV0 | MessageV1:
        """What was signed."""
        return VersionedTransaction.from_bytes(self.transaction).message


def make_attempt(
    message: bytes, signature: bytes, last_height: int, urgent: bool = False, legs: tuple[Leg, ...] = ()
) -> Attempt:
    """Put a message and its one signature together."""
    signed = VersionedTransaction.populate(from_bytes_versioned(message), [Signature(signature)])
    return Attempt(str(signed.signatures[0]), bytes(signed), last_height, urgent, legs)


@dataclass(frozen=True, slots=True)
class Fate:
    """What is known of an attempt.

    Args:
        state: Where it is.
        slot: Of the block it was seen in; where it is forgotten, a final one after which it can't land; None: none.
        error: Why it failed, as RPC writes it; None: it did not, or has not.
        commitment: How firm that block is; "": it is in none.
        sent: How often it was handed to a node.
        refused: What nodes said instead of taking it, the last words of each, by the node as it may be shown.
        handed: How often it was handed to each way, before it was seen in a block.
    """

    state: State
    slot: int | None = None
    error: Json = None
    commitment: str = ""
    sent: int = 0
    refused: tuple[tuple[str, str], ...] = ()
    handed: tuple[tuple[str, int], ...] = ()

    @property
    def ended(self) -> bool:
        """Whether nothing more can become of it."""
        return self.state in ENDS

    def handing(self, way: str) -> "Fate":
        """Return it with one more handing over to a way."""
        counts = dict(self.handed)
        counts[way] = counts.get(way, 0) + 1
        return replace(self, handed=tuple(counts.items()))

    def refusing(self, node: str, words: str) -> "Fate":
        """Return it with what a node said."""
        others = tuple(each for each in self.refused if each[0] != node)
        return replace(self, refused=(*others, (node, words)))


Tell = Callable[[Fate], None]
