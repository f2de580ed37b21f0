"""How long a batch takes to a block, drawn from the model of landing: for worlds in which nothing is really sent."""

from dataclasses import dataclass

from bmv.data.landing.dice import draw
from bmv.data.landing.model import UNITS, Bid, Engine, Verdict, World
from bmv.data.landing.tips import per_unit

NEVER_SLOTS = 150  # A transaction that is in no block by then never will be.
APART_SLOTS = 64  # So far from one another batches are drawn: no leader and no rival of one is another's.


@dataclass(frozen=True, slots=True)
class Sending:
    """How batches are sent.

    Args:
        tip: Lamports to Jito; 0: it is not asked.
        units: That a batch asks for.
        after_slots: After so many a node has it too.
        node_slots: So many a node takes from then on.
        again_slots: After so many the engine is given the same again.
    """

    tip: int = 0
    units: int = UNITS
    after_slots: int = 8
    node_slots: int = 2
    again_slots: int = 5


def slots_to_land(world: World, sending: Sending, slot: int, name: str) -> int:
    """Return how many slots after that of the decision a batch is in a block.

    It goes to Jito's engine again and again, and after a while to a node, which always brings it: whoever comes first.

    >>> slots_to_land(World(), Sending(tip=1_000), 100, "a"), slots_to_land(World(), Sending(), 100, "a")
    (1, 2)
    """
    by_node = sending.node_slots + (sending.after_slots if sending.tip else 0)
    if not sending.tip:
        return by_node
    micro = per_unit(sending.tip, max(sending.units, 1))
    for start in range(1, by_node, sending.again_slots):
        landed = _landed(world, Bid(f"{name}.{start}", micro, frozenset({"market"}), slot + start))
        if landed is not None:
            return min(landed - slot, by_node)
    return by_node


def _landed(world: World, bid: Bid) -> int | None:
    """Return the slot in which a bid lands, None: it doesn't; one that is pulled apart lands singly, a slot later."""
    engine, slot = Engine(world), bid.slot
    engine.take(bid)
    while True:
        ended = engine.auction(slot)
        if ended:
            (_, verdict) = ended[0]
            return {Verdict.WON: slot, Verdict.APART: slot + 1}.get(verdict)
        slot += 1


def landing_ns(world: World, sending: Sending, slot_ns: int, count: int) -> list[int]:
    """Return how long `count` batches take from the decision to the end of their block, ns, the quickest first.

    Each is decided somewhere in a slot of a leader of its own.
    """
    found = list[int]()
    for number in range(count):
        slots = slots_to_land(world, sending, number * APART_SLOTS + number % 4, str(number))
        phase = draw(world.seed, "phase", number)  # How much of its slot is over when it is decided.
        found.append(int((min(slots, NEVER_SLOTS) + 1 - phase) * slot_ns))
    return sorted(found)
