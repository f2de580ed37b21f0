"""Landing as a model: leaders by windows of four slots, auctions, engines that drop, blocks that are skipped.

One auction is held for each block of a leader who runs Jito's software; the real one holds one each 50 ms. Who bids
most for each compute unit asked for comes first, and of those that write to the same accounts only the first lands. Of
others who want the same accounts there is one or none in a slot; what he bids is drawn from the tip floor. Nothing here
has I/O or a memory of dice: a slot has the same leader and the same rival whoever asks, so that the sandbox, paper and
a backtest draw their landing from the same world.

Sources: solana.md, section 3.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bmv.data.landing.dice import draw
from bmv.data.landing.tips import MICRO, TipFloor

WINDOW_SLOTS = 4  # Of one leader.
UNITS = 250_000  # That a rival asks for, when the tip floor is read as what he bids a unit.
FLOOR = TipFloor((1_000, 10_000, 36_000, 1_400_000, 10_000_000))


@dataclass(frozen=True, slots=True)
class World:
    """What landing is like. As it stands it is a calm one: every leader runs Jito's, and nobody bids against us.

    Args:
        seed: Of all dice.
        jito_share: Of the leader windows, those that run Jito's software.
        crowd: Of the slots, those in which somebody else wants the same accounts.
        floor: What others bid.
        units: That those others ask for.
        dropped: Of what the engine takes, what it forgets.
        apart: Of the bundles that won, those whose block is skipped, so that their transactions go about singly.
        patience: Slots for which the engine keeps a bundle until a leader of Jito's comes.
        relay_dropped: Of what a relay takes, what never reaches a leader.
    """

    seed: int = 1
    jito_share: float = 1.0
    crowd: float = 0.0
    floor: TipFloor = FLOOR
    units: int = UNITS
    dropped: float = 0.0
    apart: float = 0.0
    patience: int = 8
    relay_dropped: float = 0.0

    def has_jito(self, slot: int) -> bool:
        """Whether the leader of a slot runs Jito's software."""
        return draw(self.seed, "leader", slot // WINDOW_SLOTS) < self.jito_share

    def rival(self, slot: int) -> int | None:
        """Return what somebody else bids in a slot for the accounts that we want, millionths a unit; None: nobody."""
        if draw(self.seed, "crowd", slot) >= self.crowd:
            return None
        return int(self.floor.tip(100 * draw(self.seed, "rival", slot)) * MICRO / self.units)

    def wins(self, slot: int, micro: int) -> bool:
        """Whether a bid, millionths of a lamport a unit, is above the rival's of a slot."""
        rival = self.rival(slot)
        return rival is None or micro > rival

    def win_share(self, micro: int) -> float:
        """Return in which share of the auctions such a bid comes first: the curve that a tip is chosen by."""
        return 1 - self.crowd * (1 - self.floor.share_below(micro * self.units / MICRO))

    def leader_share(self) -> float:
        """Return for which share of what is sent at any slot a leader of Jito's comes while the engine is patient."""
        windows = [(phase + self.patience - 1) // WINDOW_SLOTS + 1 for phase in range(WINDOW_SLOTS)]
        return sum(1 - (1 - self.jito_share) ** count for count in windows) / WINDOW_SLOTS

    def land_share(self, micro: int) -> float:
        """Return which share of bundles that are sent once lands, whole."""
        return (1 - self.dropped) * self.leader_share() * self.win_share(micro) * (1 - self.apart)


class Verdict(StrEnum):
    """What became of a bid."""

    WON = "won"
    APART = "apart"  # It won, and its block was skipped: its transactions go about singly.
    OUTBID = "outbid"
    NO_LEADER = "no leader"  # None of Jito's came while the engine was patient.
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Bid:
    """What asks to be let into a block.

    Args:
        number: Of the bundle.
        micro: What it pays for each compute unit asked for, millionths of a lamport.
        locks: The accounts that it writes to, as numbers or names; two bids that share one can't both win.
        slot: When it can take part first.
        contested: Whether it writes to accounts that the rivals of this world want.
    """

    number: str
    micro: int
    locks: frozenset[object]
    slot: int
    contested: bool = True


@dataclass(slots=True)
class Engine:
    """Keeps bids until an auction takes or refuses them.

    Args:
        world: What landing is like.
    """

    world: World
    _waiting: list[Bid] = field(default_factory=list)

    def take(self, bid: Bid) -> None:
        """Take a bid; a taken one may be dropped all the same."""
        self._waiting.append(bid)

    def __len__(self) -> int:
        return len(self._waiting)

    def auction(self, slot: int) -> list[tuple[Bid, Verdict]]:
        """Return what becomes of bids in a slot; the winners come first, best first."""
        ready = [bid for bid in self._waiting if bid.slot <= slot]
        self._waiting = [bid for bid in self._waiting if bid.slot > slot]
        kept, gone = self._kept(ready)
        if not self.world.has_jito(slot):
            late = [bid for bid in kept if slot - bid.slot + 1 >= self.world.patience]
            self._waiting = [bid for bid in kept if bid not in late] + self._waiting
            return [*gone, *((bid, Verdict.NO_LEADER) for bid in late)]
        won, lost = self._ranked(slot, kept)
        return [*((bid, self._end(bid)) for bid in won), *((bid, Verdict.OUTBID) for bid in lost), *gone]

    def _kept(self, bids: Iterable[Bid]) -> tuple[list[Bid], list[tuple[Bid, Verdict]]]:
        kept, gone = list[Bid](), list[tuple[Bid, Verdict]]()
        for bid in bids:
            if self._draw("drop", bid) < self.world.dropped:
                gone.append((bid, Verdict.DROPPED))
            else:
                kept.append(bid)
        return kept, gone

    def _ranked(self, slot: int, bids: Sequence[Bid]) -> tuple[list[Bid], list[Bid]]:
        """Part bids into winners and losers."""
        taken, won, lost = set[object](), list[Bid](), list[Bid]()
        for bid in sorted(bids, key=lambda bid: (-bid.micro, bid.slot)):
            if taken & bid.locks or (bid.contested and not self.world.wins(slot, bid.micro)):
                lost.append(bid)
            else:
                won.append(bid)
                taken |= bid.locks
        return won, lost

    def _end(self, bid: Bid) -> Verdict:
        return Verdict.APART if self._draw("apart", bid) < self.world.apart else Verdict.WON

    def _draw(self, what: str, bid: Bid) -> float:
        """Draw for one bid: the same bundle sent at another slot is another draw."""
        return draw(self.world.seed, f"{what} {bid.number}", bid.slot)
