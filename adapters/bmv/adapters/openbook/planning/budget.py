"""What a transaction may use and what it pays: compute units and loaded bytes by shape, from a table, and its priority.

The table was measured with the genuine programs; a test holds it above what the sandbox's doubles take. It is measured
again by `tests/rigs/shapes.py`, and never asked for on the way of an order.
"""

from dataclasses import dataclass

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import MessageV0, MessageV1, TransactionConfig, to_bytes_versioned
from solders.pubkey import Pubkey

from bmv.adapters.openbook.planning.routes import UNITS_MAX

MICRO = 1_000_000
PAGE = 32 * 1024  # The chain counts loaded bytes in pages of this.
SIGNATURE_BYTES = 64
LIMITING = {0: 2, 1: 0}  # Instructions of the compute budget in each version.
STEP = 1_000  # Limits are so many whole units;
SERIALS = STEP  # what is taken off tells messages apart, and is a tenth at most.
OVER = (5, 4)  # A limit is this much of what was measured: books are deeper and bump seeds worse than those measured.


@dataclass(frozen=True, slots=True)
class Shape:
    """Compute units of a venue's steps, the most that was measured; and the bytes that a transaction of it loads.

    Args:
        base: Of a transaction as such.
        crank: Of a cranking instruction with as many events as one takes.
        cancel: Of a cancelling instruction.
        cancel_each: Of each order in it.
        place: Of a placing instruction.
        place_each: Of each order in it.
        take: Of what an order adds that may trade at once, with 20 makers.
        settle: Of the settlement.
        loaded: Bytes of the market's accounts, ours, the token program and the venue's.
        loaded_each: Bytes of each further trader's account.
    """

    base: int
    crank: int
    cancel: int
    cancel_each: int
    place: int
    place_each: int
    take: int
    settle: int
    loaded: int
    loaded_each: int


@dataclass(frozen=True, slots=True)
class Fee:
    """What we pay to come before others, the same for both versions of transactions.

    Args:
        micro: Millionths of a lamport for each compute unit asked for.
        lamports_max: Most for one transaction, signatures apart.
    """

    micro: int = 0
    lamports_max: int = 100_000

    def price(self, units: int) -> int:
        """Return the millionths of a lamport to pay a unit, cut so that `units` of them cost no more than allowed."""
        return min(self.micro, self.lamports_max * MICRO // units)

    def lamports(self, units: int) -> int:
        """Return what `units` of them cost, rounded up as the chain does.

        >>> Fee(micro=25_000).lamports(300_001), Fee(micro=25_000, lamports_max=100).lamports(300_001)
        (7501, 100)
        """
        return -(-self.price(units) * units // MICRO)


def units_limit(units: int) -> int:
    """Return the limit to ask for where `units` were measured, in whole steps."""
    return min(UNITS_MAX, -(-units * OVER[0] // (OVER[1] * STEP)) * STEP)


def loaded_limit(loaded: int) -> int:
    """Return the limit of loaded bytes to ask for, in whole pages."""
    return -(-loaded * OVER[0] // (OVER[1] * PAGE)) * PAGE


@dataclass(frozen=True, slots=True)
class Head:
    """What a transaction has beside its instructions.

    Args:
        version: 1, or 0.
        payer: Pays, and signs.
        units: Compute limit.
        loaded: Limit of loaded bytes; version 0 leaves it at the chain's default, which costs no bytes.
        price: Millionths of a lamport a unit, as version 0 says it.
        lamports: The same in all, as version 1 says it.
    """

    version: int
    payer: Pubkey
    units: int
    loaded: int
    price: int
    lamports: int

    def message(self, instructions: list[Instruction], blockhash: Hash, serial: int = 0) -> MessageV0 | MessageV1:
        """Return the message to sign.

        Args:
            instructions: In order.
            blockhash: A young one.
            serial: Makes it another message than those of other numbers, of which each thousand follow one another: two
                that are the same to the last byte are one transaction, and land once.
        """
        units = self.units - serial % SERIALS
        if self.version == 1:
            config = TransactionConfig(self.lamports, units, self.loaded)
            return MessageV1.try_compile(self.payer, instructions, blockhash, config)
        limits = [set_compute_unit_limit(units), set_compute_unit_price(self.price)]
        return MessageV0.try_compile(self.payer, [*limits, *instructions], [], blockhash)


def size_of(message: MessageV0 | MessageV1) -> int:
    """Return the bytes of a message with its signatures."""
    signatures = message.header.num_required_signatures
    counted = 0 if isinstance(message, MessageV1) else 1
    return len(to_bytes_versioned(message)) + counted + SIGNATURE_BYTES * signatures
