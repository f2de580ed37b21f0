"""How transactions landed, by the words of a journal; `landing_page` says it by route, window, tip and purpose.

Which route a transaction came by is not told by the chain: the same bytes went by several. What is known is to which it
was handed before it was seen in a block, and so it is counted for those together.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from bmv.data.journal.attempts import ATTEMPT, ENDS, FATE, NUMBER, Attempted, Fated, read_attempt, read_fate
from bmv.data.journal.costs import cost_of
from bmv.data.landing.model import WINDOW_SLOTS
from bmv.data.landing.tips import per_unit
from bmv.ports.messages import Event, Kind
from bmv.ports.storage import Note, Word

LANDED = frozenset({"finalized", "failed"})


@dataclass(frozen=True, slots=True)
class Landing:
    """A transaction that has ended.

    Args:
        signature: In base58.
        routes: To which it was handed before it was seen in a block, joined by "+".
        purpose: What it was for.
        state: finalized, failed or expired.
        slot: Of its block; None: it is in none.
        window: Of the leader of that block, numbered by windows of four slots.
        slots: From the newest slot that was known when it was kept to that of its block; None: not known.
        windows: How many windows that were; None likewise.
        tip, priority, lamports: Lamports: the tip and the priority that it offered, and what it cost in the end.
        units: Compute units asked for.
        size: Bytes.
        places, cancels: How many orders it placed and cancelled, or was to.
        next_tip: What one step of the percentiles more would have cost; 0: not known.
        ts_ns: When it was kept, ns UTC.
        fills: Of the orders that it placed.
    """

    signature: str
    routes: str
    purpose: str
    state: str
    slot: int | None
    window: int | None
    slots: int | None
    windows: int | None
    tip: int
    priority: int
    lamports: int
    units: int
    size: int
    places: int
    cancels: int
    next_tip: int
    ts_ns: int
    fills: int = 0

    @property
    def landed(self) -> bool:
        """Whether it is in a final block, and did what it was to do."""
        return self.state == "finalized"

    @property
    def micro(self) -> int:
        """What it tipped for each unit asked for, millionths of a lamport."""
        return per_unit(self.tip, max(self.units, 1))


@dataclass(slots=True)
class Landings:
    """What a journal tells of landing; feed it words in their order.

    Args:
        since_ns: Transactions that were kept before do not count.
    """

    since_ns: int = 0
    ended: dict[str, Landing] = field(default_factory=dict)
    fills: int = 0
    _alive: dict[str, tuple[int, Attempted]] = field(default_factory=dict)
    _by_order: dict[tuple[int, int], str] = field(default_factory=dict)  # Who placed it, by epoch and number.
    _fills: Counter[str] = field(default_factory=Counter)
    _epoch: int = 0  # Of the session whose words come.

    @property
    def rows(self) -> list[Landing]:
        """All that have ended, each with the fills of its orders."""
        return [replace(row, fills=self._fills[row.signature]) for row in self.ended.values()]

    def take(self, words: Iterable[Word]) -> None:
        """Take in words of one session, or of one after another: what is told twice counts once."""
        for word in words:
            if isinstance(word, Event):
                if word.kind == Kind.FILLED and word.ts_ns >= self.since_ns:
                    self.fills += 1
                    self._fills[self._by_order.get((self._epoch, word.order), "")] += 1
            elif isinstance(word, Note) and word.topic == ATTEMPT and word.ts_ns >= self.since_ns:
                attempt = read_attempt(word)
                self._alive.setdefault(attempt.signature, (word.ts_ns, attempt))
                self._epoch = max(self._epoch, attempt.epoch)
                for number, _ in attempt.places:
                    self._by_order[attempt.epoch, number & NUMBER] = attempt.signature
            elif isinstance(word, Note) and word.topic == FATE:
                self._end(read_fate(word))

    def _end(self, fate: Fated) -> None:
        if fate.state in ENDS and fate.signature in self._alive:
            ts_ns, attempt = self._alive[fate.signature]
            self.ended.setdefault(fate.signature, _landing(ts_ns, attempt, fate))


def _landing(ts_ns: int, attempt: Attempted, fate: Fated) -> Landing:
    slot = fate.more.get("slot") if fate.state in LANDED else None
    cost = cost_of(attempt, fate.state)
    return Landing(
        signature=attempt.signature,
        routes="+".join(fate.more.get("handed", attempt.ways)) or "none",
        purpose=attempt.purpose,
        state=fate.state,
        slot=slot,
        window=None if slot is None else slot // WINDOW_SLOTS,
        slots=None if slot is None or not attempt.slot else slot - attempt.slot,
        windows=None if slot is None or not attempt.slot else slot // WINDOW_SLOTS - attempt.slot // WINDOW_SLOTS,
        tip=attempt.tip,
        priority=attempt.priority,
        lamports=cost.lamports,
        units=attempt.units,
        size=len(attempt.transaction),
        places=len(attempt.places),
        cancels=len(attempt.cancels),
        next_tip=attempt.next_tip,
        ts_ns=ts_ns,
    )
