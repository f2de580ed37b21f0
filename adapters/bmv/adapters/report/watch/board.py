"""What is known of a market while its feed tells of it; what the feed takes back is gone from here too."""

from collections import deque
from typing import NamedTuple

from bmv.adapters.openbook.feed.words import Doubted, Down, Late, Notice, Print, Undone, Up, Update, Word
from bmv.adapters.openbook.inspection.records import Inspection

TRADES_KEPT = 200


class Shown(NamedTuple):
    """A trade, with its slot and the second that the chain's clock said there."""

    slot: int
    unix_timestamp: int
    print: Print


class Board:
    """What there is to show.

    Args:
        inspection: The market as it was read at last; its units never change.
        read_ns: When that was.
    """

    def __init__(self, inspection: Inspection, read_ns: int) -> None:
        self.inspection, self.read_ns = inspection, read_ns
        self.update: Update | None = None  # The newest that was not taken back; of a feed that is down, the last.
        self.up: Up | None = None
        self.down: Down | None = None
        self.trades: deque[Shown] = deque(maxlen=TRADES_KEPT)
        self.root = 0  # The newest slot that is final.
        self.note = ""  # The last thing that an operator should know,
        self.note_second: int | None = None  # and when it was told, by the chain's clock.
        self.ups = self.forks = self.doubts = 0

    def __repr__(self) -> str:
        slot = None if self.update is None else self.update.slot
        return f"<Board: {'up' if self.up else 'down'} at slot {slot}, {len(self.trades)} trades>"

    def look(self, inspection: Inspection, read_ns: int) -> None:
        """Take in the market as it was read again."""
        self.inspection, self.read_ns = inspection, read_ns

    def hear(self, word: Word, root: int) -> None:
        """Take in what the feed says; `root` is the newest slot that is final."""
        self.root = root
        if isinstance(word, Update):
            self.update = word
            self._add(word.slot, word.unix_timestamp, word.traded.prints)
        elif isinstance(word, Late):
            second = self.update.unix_timestamp if self.update else 0
            known = {trade.slot: trade.unix_timestamp for trade in self.trades}
            self._add(word.slot, known.get(word.slot, second), word.prints)
        elif isinstance(word, Undone):
            self.forks += 1
            self._note(f"what came after slot {word.after:,} is taken back: {word.why}")
            self._take_back(word.after)
        elif isinstance(word, Doubted):
            self.doubts += 1
            several = word.until > word.after + 1
            which = f"slots {word.after + 1:,} to {word.until:,} are" if several else f"slot {word.until:,} is"
            self._note(f"{which} in doubt: {word.why}")
        elif isinstance(word, Up):
            self.ups += 1
            self.up, self.down = word, None
        elif isinstance(word, Down):
            self.up, self.down = None, word
            self._take_back(root)
        elif isinstance(word, Notice):
            self._note(word.text)

    def _note(self, text: str) -> None:
        self.note, self.note_second = text, None if self.update is None else self.update.unix_timestamp

    def _add(self, slot: int, second: int, prints: tuple[Print, ...]) -> None:
        self.trades.extendleft(Shown(slot, second, one) for one in prints)

    def _take_back(self, after: int) -> None:
        kept = [trade for trade in self.trades if trade.slot <= after]
        self.trades = deque(kept, maxlen=TRADES_KEPT)
