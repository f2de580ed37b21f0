"""What to tip for a change: a percentile of what others tip, by what the change is worth, a unit asked for.

The tip is an instruction of the same transaction as the orders: it is paid only where they are carried out, and a
transaction that carries none has none.
"""

from dataclasses import dataclass
from enum import StrEnum

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from bmv.data.landing.model import UNITS
from bmv.data.landing.tips import MICRO, TipFloor


class Purpose(StrEnum):
    """What a change is for: the sooner it has to land, the more it is worth."""

    CANCEL = "cancel"  # Orders stand where they should not.
    RECENTRE = "recentre"  # Orders are replaced.
    REFILL = "refill"  # Orders are missing.


@dataclass(frozen=True, slots=True)
class Tipping:
    """A tip for one transaction, before it is known how many units that asks for.

    Args:
        route: Whom it is for, by name.
        account: Whom it is paid to.
        micro: Millionths of a lamport for each unit asked for.
        least, most: Lamports.
    """

    route: str
    account: Pubkey
    micro: int
    least: int
    most: int

    def lamports(self, units: int) -> int:
        """Return what is paid for so many units.

        >>> each = Tipping("jito", Pubkey.default(), 40_000, 1_000, 100_000)
        >>> each.lamports(250_000), each.lamports(1_000), each.lamports(1_400_000_000)
        (10000, 1000, 100000)
        """
        return min(max(self.micro * units // MICRO, self.least), self.most)

    def instruction(self, payer: Pubkey, units: int) -> Instruction:
        """Return what pays it."""
        lamports = self.lamports(units)
        return transfer(TransferParams(from_pubkey=payer, to_pubkey=self.account, lamports=lamports))


@dataclass(frozen=True, slots=True)
class TipPolicy:
    """How much a change is worth.

    Args:
        cancel, recentre, refill: Percentile of what others tip, 0 to 100.
        unknown: Lamports where nobody says what others tip.
        most: Lamports of one transaction.
    """

    cancel: float = 75.0
    recentre: float = 50.0
    refill: float = 25.0
    unknown: int = 10_000
    most: int = 100_000

    def micro(self, purpose: Purpose, floor: TipFloor | None) -> int:
        """Return what to tip for each unit asked for, millionths of a lamport.

        The floor is of whole transactions, and an auction goes by the unit: theirs are taken for `UNITS` large.
        """
        tip = self.unknown if floor is None else floor.tip(self.percentile(purpose))
        return int(tip * MICRO / UNITS)

    def percentile(self, purpose: Purpose) -> float:
        """Return the percentile of a purpose."""
        return {Purpose.CANCEL: self.cancel, Purpose.RECENTRE: self.recentre, Purpose.REFILL: self.refill}[purpose]
