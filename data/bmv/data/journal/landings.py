"""How transactions landed, by the words of a journal: by route, tip, purpose, and what the next tip would have bought.

Which route a transaction came by is not told by the chain: the same bytes went by several. What is known is to which it
was handed before it was seen in a block, and so it is counted for those together.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from bmv.data.journal.attempts import ATTEMPT, ENDS, FATE, Attempted, Fated, read_attempt, read_fate
from bmv.data.journal.costs import cost_of
from bmv.data.landing.model import WINDOW_SLOTS
from bmv.data.landing.tips import per_unit
from bmv.ports.messages import Event, Kind
from bmv.ports.storage import Note, Word

SAMPLES_MIN = 20  # Of fewer transactions no share is told as what a tip buys.
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
        tip, priority, lamports: Lamports: the tip and the priority that it offered, and what it cost in the end.
        units: Compute units asked for.
        size: Bytes.
        places, cancels: How many orders it placed and cancelled, or was to.
        next_tip: What one step of the percentiles more would have cost; 0: not known.
        ts_ns: When it was kept, ns UTC.
    """

    signature: str
    routes: str
    purpose: str
    state: str
    slot: int | None
    window: int | None
    slots: int | None
    tip: int
    priority: int
    lamports: int
    units: int
    size: int
    places: int
    cancels: int
    next_tip: int
    ts_ns: int

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

    def take(self, words: Iterable[Word]) -> None:
        """Take in words of one session, or of one after another: what is told twice counts once."""
        for word in words:
            if isinstance(word, Event):
                self.fills += word.kind == Kind.FILLED and word.ts_ns >= self.since_ns
            elif isinstance(word, Note) and word.topic == ATTEMPT and word.ts_ns >= self.since_ns:
                attempt = read_attempt(word)
                self._alive.setdefault(attempt.signature, (word.ts_ns, attempt))
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


Json = dict[str, Any]  # Any: JSON.


def group_json(rows: Sequence[Landing]) -> Json:
    """Return the figures of some transactions: share landed, slots to land, what they cost."""
    slots = sorted(row.slots for row in rows if row.landed and row.slots is not None)
    landed = [row for row in rows if row.landed]
    return {
        "sent": len(rows),
        "landed": len(landed),
        "failed": sum(row.state == "failed" for row in rows),
        "expired": sum(row.state == "expired" for row in rows),
        "forgotten": sum(row.state == "forgotten" for row in rows),
        "share": round(len(landed) / len(rows), 4) if rows else None,
        "slots_median": median(slots) if slots else None,
        "slots_p90": slots[int(0.9 * (len(slots) - 1))] if slots else None,
        "lamports": sum(row.lamports for row in rows),
        "tips": sum(row.tip for row in landed),
        "tip_per_unit_median": median(row.micro for row in landed) / 1e6 if landed else None,
        "priority_per_unit_median": median(per_unit(row.priority, max(row.units, 1)) for row in landed) / 1e6
        if landed
        else None,
    }


def next_step_json(rows: Sequence[Landing]) -> Json | None:
    """Return what the next higher tip would have cost, and how those landed that tipped so much a unit.

    None where nothing was tipped, or nobody said what others tip. Where fewer than `SAMPLES_MIN` tipped so much, what
    it would have bought is not known, and told as null.
    """
    tipped = [row for row in rows if row.tip and row.next_tip]
    if not tipped:
        return None
    micro = int(median(per_unit(row.next_tip, max(row.units, 1)) for row in tipped))
    below = [row for row in tipped if row.micro < micro]
    above = [row for row in tipped if row.micro >= micro]
    more = sum(max(row.next_tip - row.tip, 0) for row in below if row.landed)
    known = len(above) >= SAMPLES_MIN and len(below) >= SAMPLES_MIN
    return {
        "tip_per_unit": micro / 1e6,
        "more_lamports": more,
        "samples": len(above),
        "share_now": group_json(below)["share"],
        "share_then": group_json(above)["share"] if known else None,
        "slots_now": group_json(below)["slots_median"],
        "slots_then": group_json(above)["slots_median"] if known else None,
    }


def landings_json(landings: Landings, *, rows: bool = False) -> Json:
    """Return everything as one page of JSON; with `rows` each transaction too."""
    each = list(landings.ended.values())
    whole = group_json(each)
    page: Json = {
        **whole,
        "fills": landings.fills,
        "lamports_per_fill": round(whole["lamports"] / landings.fills, 1) if landings.fills else None,
        "by_route": _by(each, lambda row: row.routes),
        "by_purpose": _by(each, lambda row: row.purpose),
        "next_step": next_step_json(each),
    }
    return {**page, "transactions": [asdict(row) for row in each]} if rows else page


def _by(rows: Iterable[Landing], key: Callable[[Landing], str]) -> Json:
    groups = defaultdict[str, list[Landing]](list)
    for row in rows:
        groups[key(row)].append(row)
    return {name: group_json(group) for name, group in sorted(groups.items())}
