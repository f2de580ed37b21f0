"""A plan: transactions in the order in which they are to land, and what each of them carries."""

from collections.abc import Mapping
from dataclasses import dataclass

from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import MessageV0, MessageV1

from bmv.adapters.openbook.planning.budget import Head
from bmv.adapters.openbook.planning.orders import Refused


@dataclass(frozen=True, slots=True)
class Part:
    """One transaction, not signed yet. It has no blockhash: the same part may be built again with another.

    Args:
        head: Version, payer, limits and priority.
        instructions: In order, those of the compute budget apart.
        size: Bytes that the transaction will have, exactly.
        cancels: Client id of what is cancelled, by the intent's number in the batch and the venue's order id (0:
            unknown).
        places: Client id that the order gets, by the intent's number in the batch.
        cranks: Events that it takes from the queue or the heap, at most.
        settles: Whether it pays out what is free.
        tip: Lamports, paid to an account of a route where all the rest is carried out.
        tip_route: Which route's.
    """

    head: Head
    instructions: tuple[Instruction, ...]
    size: int
    cancels: Mapping[tuple[int, int], int]
    places: Mapping[int, int]
    cranks: int
    settles: bool
    tip: int = 0
    tip_route: str = ""

    def message(self, blockhash: Hash, serial: int = 0) -> MessageV0 | MessageV1:
        """Return the message to sign; arguments as of :meth:`Head.message`."""
        return self.head.message(list(self.instructions), blockhash, serial)

    def __repr__(self) -> str:
        does = f"{self.cranks} cranked, {len(self.cancels)} cancelled, {len(self.places)} placed"
        return f"<Part v{self.head.version}, {self.size} bytes, {self.head.units} units: {does}>"


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a batch.

    A part is sent when those before it have landed well. Whichever of them lands, and in whatever order: what rests of
    ours is some of what we had and some of what we want, and never trades with itself.

    Args:
        parts: In the order in which they are to land.
        refused: Why an intent is not carried, by its number in the batch.
    """

    parts: tuple[Part, ...]
    refused: Mapping[int, Refused]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(part.size for part in self.parts)

    @property
    def tips(self) -> int:
        """Lamports tipped, in all."""
        return sum(part.tip for part in self.parts)

    @property
    def units(self) -> int:
        """Compute units asked for, in all."""
        return sum(part.head.units for part in self.parts)
