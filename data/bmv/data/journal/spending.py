"""What transactions cost, by the minute: a limit over a day must hold however often whoever counts is killed.

An attempt counts from when it is kept, since it may land from then on, and no more when it is known that it never will.
A journal has each attempt with its cost, and at its beginning, in one note, what earlier sessions spent.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from bmv.data.journal.attempts import UNREADABLE
from bmv.ports.errors import DataError
from bmv.ports.storage import Note

SPENT, TIPPED = "spent", "tipped"  # Topics of what earlier sessions spent, and how much of it were tips.
MINUTE_NS = 60 * 10**9
DAY_NS = 24 * 60 * MINUTE_NS
KEPT_NS = 2 * DAY_NS  # Passed on for longer than it counts: a start by a clock a day ahead forgets nothing for good.


@dataclass(slots=True)
class Spending:
    """Lamports that attempts cost. Times are ns UTC, and are counted by the minute.

    Args:
        minutes: Lamports of each minute since 1970, of attempts that may land as well.
        alive: Of attempts whose end is not known, minute and lamports, by signature.
        tipped: How much of it were tips, counted alike; None: nothing.
    """

    minutes: dict[int, int] = field(default_factory=dict)
    alive: dict[str, tuple[int, int]] = field(default_factory=dict)
    tipped: "Spending | None" = None

    @property
    def tips(self) -> "Spending":
        """How much of it were tips."""
        if self.tipped is None:
            self.tipped = Spending()
        return self.tipped

    def keep(self, signature: str, ts_ns: int, lamports: int, tip: int = 0) -> None:
        """Count the most that an attempt can cost, its tip included: it may land from now on."""
        if tip:
            self.tips.keep(signature, ts_ns, tip)
        minute = ts_ns // MINUTE_NS
        self.alive[signature] = minute, lamports
        self.add(minute, lamports)

    def add(self, minute: int, lamports: int) -> None:
        """Count what a minute cost."""
        self.minutes[minute] = self.minutes.get(minute, 0) + lamports

    def end(self, signature: str, landed: bool, failed: bool = False) -> None:
        """Note the end of an attempt: one that never landed, and never will, cost nothing; one that failed no tip."""
        tip = 0
        if self.tipped is not None:
            tip = self.tipped.alive.get(signature, (0, 0))[1]
            self.tipped.end(signature, landed and not failed)
        minute, lamports = self.alive.pop(signature, (0, 0))
        if not landed:
            self._give_back(minute, lamports)
        elif failed:
            self._give_back(minute, tip)

    def _give_back(self, minute: int, lamports: int) -> None:
        left = self.minutes.pop(minute, 0) - lamports
        if left:
            self.minutes[minute] = left

    def since(self, ts_ns: int) -> int:
        """Return lamports from a time on, the whole of its minute and whatever is dated later."""
        first = ts_ns // MINUTE_NS
        return sum(lamports for minute, lamports in self.minutes.items() if minute >= first)

    def forget(self, before_ns: int) -> None:
        """Forget the minutes before that of a time."""
        if self.tipped is not None:
            self.tipped.forget(before_ns)
        first = before_ns // MINUTE_NS
        for minute in [minute for minute in self.minutes if minute < first]:
            del self.minutes[minute]
        for signature in [signature for signature, (minute, _) in self.alive.items() if minute < first]:
            del self.alive[signature]

    def notes(self, ts_ns: int) -> list[Note]:
        """Return what a new session begins with: all but the attempts that may land, which it keeps again by name."""
        tips = [] if self.tipped is None else [self.tipped.note(ts_ns, TIPPED)]
        return [self.note(ts_ns), *tips]

    def note(self, ts_ns: int, topic: str = SPENT) -> Note:
        """Return one of the two."""
        ended = Spending(dict(self.minutes))
        for minute, lamports in self.alive.values():
            ended._give_back(minute, lamports)
        ended.forget(ts_ns - KEPT_NS)
        rows = sorted(map(list, ended.minutes.items()))
        return Note(ts_ns, topic, json.dumps(rows, separators=(",", ":")))


def read_spent(note: Note) -> Mapping[int, int]:
    """Return lamports by the minute; `DataError` where a note does not tell them."""
    try:
        rows = [(int(minute), int(lamports)) for minute, lamports in json.loads(note.text)]
        if any(minute < 0 or lamports < 0 for minute, lamports in rows):
            raise ValueError("less than nothing")
    except UNREADABLE as error:
        raise DataError(f"no spending of a journal: {note.text[:80]} ({error})") from None
    return dict(rows)
