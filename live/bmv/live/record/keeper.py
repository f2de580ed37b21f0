"""What a feed told, held until it is final and whole, then passed on as rows; what is missing becomes a hole.

A slot may vanish until it is final, and logs may come late. So a slot waits until both are over. Then it is kept if it
follows the slot that was kept before, if nothing of it is in doubt, and if what was traded in it is what the market
counted. Of anything else a hole remains, from the last slot that was kept to the next, with how much was traded unseen:
the market's own count says.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from bmv.adapters.openbook.feed.words import Doubted, Down, Late, Traded, Undone, Update, Word
from bmv.adapters.solana.lineage import Fate, Lineage
from bmv.data.ticks.quality import utc
from bmv.live.record.rows import rows_of
from bmv.live.record.times import SECOND_NS, SlotTimes
from bmv.ports.errors import DataError
from bmv.ports.messages import Event

WAIT_SLOTS = 8  # How long logs may come late.
HELD_MAX = 4_096  # Slots that are not final; a chain that finalizes nothing for so long has other troubles.
COUNT_SLOTS = 64  # For how long a count that is too low is waited with.
DAY_NS = 86_400 * SECOND_NS
EARLIER_NS = 60 * SECOND_NS  # What is so far from what was kept, by one of slot and time before it, is another chain.


class Rows(NamedTuple):
    """The rows of a slot that is final, in order, all of one time."""

    slot: int
    received_ns: int
    events: list[Event]


class Hole(NamedTuple):
    """What is missing between two slots that were kept.

    Args:
        from_ns, to_ns: Times of these.
        why: What happened.
        quote: Native quote that was traded unseen; None: nobody knows.
    """

    from_ns: int
    to_ns: int
    why: str
    quote: int | None


class Mark(NamedTuple):
    """How far a market was kept: time of the last slot, its number, and what was traded by then."""

    ts_ns: int
    slot: int
    traded: Traded


class Keeper:
    """Holds what a feed tells of one market.

    Args:
        lineage: The feed's.
        quote_lot: Native quote in a tick of one lot.
        since: How far an earlier process came; None: there was none.
    """

    def __init__(self, lineage: Lineage, quote_lot: int, since: Mark | None = None) -> None:
        self.mark = since
        self.held: deque[Update] = deque()
        self._lineage, self._quote_lot = lineage, quote_lot
        self._times = SlotTimes()
        self._last: Update | None = None  # The last slot that is final, kept or not.
        self._kept: Update | None = None
        self._why: dict[str, None] = {}  # What happened since the last slot that was kept; in order, each once.
        self._doubts: list[Doubted] = []
        self._recent: deque[tuple[int, int]] = deque(maxlen=HELD_MAX)  # Slot and time of what was kept last.
        if since is not None:
            self._note("nobody recorded")

    def __repr__(self) -> str:
        return f"<Keeper: {len(self.held)} slots held, last kept {self.mark and self.mark.slot}>"

    @property
    def kept_slot(self) -> int:
        """The newest slot that this process has kept; 0: none."""
        return 0 if self._kept is None else self._kept.slot

    def hear(self, word: Word) -> Iterator[Rows | Hole]:
        """Take in what the feed says, and yield what can be kept by now.

        `DataError` where slot or time are before those of what was kept by an earlier process.
        """
        if isinstance(word, Update):
            self._hold(word)
        elif isinstance(word, Late):
            self._complete(word)
        elif isinstance(word, Undone):
            self._take_back(word.after)
        elif isinstance(word, Doubted):
            self._doubts.append(word)
            yield from self._doubt_kept(word)
        elif isinstance(word, Down):
            yield from self._settle(patiently=False)
            self._take_back(self._lineage.root)
            self._note(f"feed down: {word.cause}")
        yield from self._settle()

    def _doubt_kept(self, doubt: Doubted) -> Iterator[Hole]:
        """Yield the hole over slots that were kept before they came in doubt; what the market counted was told."""
        before = [ts_ns for slot, ts_ns in self._recent if slot <= doubt.after]
        doubted = [ts_ns for slot, ts_ns in self._recent if doubt.after < slot <= doubt.until]
        if doubted:
            yield Hole(before[-1] if before else doubted[0] - 1, doubted[-1], doubt.why, 0)

    def close(self) -> Iterator[Rows | Hole]:
        """Yield what is final by now; the rest is for the next start to find missing."""
        yield from self._settle(patiently=False)

    def _hold(self, update: Update) -> None:
        self.held.append(update)
        if len(self.held) > HELD_MAX:
            self.held.popleft()
            self._note("slots did not become final")

    def _complete(self, late: Late) -> None:
        for place, update in enumerate(self.held):
            if update.slot == late.slot and not update.fresh:
                traded = update.traded._replace(prints=(*update.traded.prints, *late.prints))
                self.held[place] = replace(update, traded=traded)

    def _take_back(self, after: int) -> None:
        while self.held and self.held[-1].slot > after:
            self.held.pop()

    def _note(self, why: str) -> None:
        self._why[why] = None

    def _settle(self, patiently: bool = True) -> Iterator[Rows | Hole]:
        """Yield what waits no longer; what is final does not wait for its logs unless `patiently`."""
        while self.held:
            update = self.held[0]
            fate = self._lineage.fate(update.slot)
            if fate is Fate.PENDING or (patiently and self.held[-1].slot - update.slot < WAIT_SLOTS):
                return
            self.held.popleft()
            if fate is Fate.UNKNOWN:
                self._note("it was not told which slot follows which")
            elif fate is Fate.FINAL:
                yield from self._final(update)

    def _final(self, update: Update) -> Iterator[Rows | Hole]:
        last, self._last = self._last, update
        follows = last is not None and update.parent == last.slot
        ts_ns = self._times.note(update.slot, update.unix_timestamp, follows)
        doubts = [doubt.why for doubt in self._doubts if doubt.after < update.slot <= doubt.until]
        self._doubts = [doubt for doubt in self._doubts if doubt.until >= update.slot]
        if doubts:
            self._why |= dict.fromkeys(doubts)
        elif ts_ns is not None:
            yield from self._keep(update, ts_ns)
        elif self.mark is not None and not self._why:
            self._note("the chain's clock was not followed")

    def _keep(self, update: Update, ts_ns: int) -> Iterator[Rows | Hole]:
        kept, mark = self._kept, self.mark
        if mark is not None and (ts_ns <= mark.ts_ns or update.slot <= mark.slot):
            if abs(ts_ns - mark.ts_ns) > EARLIER_NS:
                raise DataError(_another_chain(update.slot, ts_ns, mark))
            return
        whole = kept is not None and update.parent == kept.slot and not update.fresh and not self._why
        if not whole:
            update = replace(update, traded=update.traded._replace(prints=()))
        if mark is not None:
            unseen = self._unseen(mark, update)
            same = update.traded.lost == mark.traded.lost
            if same and unseen < 0 and update.slot - mark.slot < COUNT_SLOTS:
                self._note("the market's count was not told")
                return
            if not whole or unseen or update.traded.lost > mark.traded.lost:
                yield self._hole(mark, update, ts_ns, whole, unseen)
        new_day = mark is None or mark.ts_ns // DAY_NS != ts_ns // DAY_NS
        yield Rows(update.slot, update.received_ns, rows_of(None if new_day else kept, update, ts_ns))
        self._kept, self.mark = update, Mark(ts_ns, update.slot, update.traded)
        self._recent.append((update.slot, ts_ns))
        self._why.clear()

    def _unseen(self, mark: Mark, update: Update) -> int:
        """Return the native quote that was traded since `mark` and not told; negative where its count is too old."""
        told = sum(one.price * one.size for one in update.traded.prints) * self._quote_lot
        return update.traded.quote - mark.traded.quote - told

    def _hole(self, mark: Mark, update: Update, ts_ns: int, whole: bool, unseen: int) -> Hole:
        why = ", ".join(self._why) or ("trades were not told" if whole else "slots were not told")
        known = unseen >= 0 and update.traded.lost == mark.traded.lost
        return Hole(mark.ts_ns, ts_ns, why, unseen if known else None)


def _another_chain(slot: int, ts_ns: int, mark: Mark) -> str:
    return (
        f"the chain is at slot {slot}, {utc(ts_ns)} by its clock, and ticks of this market are kept up to slot "
        f"{mark.slot}, {utc(mark.ts_ns)}: is it another chain, such as a sandbox started anew? "
        "Give another lake: --to FOLDER"
    )
