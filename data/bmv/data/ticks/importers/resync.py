"""Depth of a venue that numbers its changes: what of a recording makes a whole book, and where it does not.

A venue tells what changed in its book in *updates*, each of which names the numbers of the first and the last change
in it. A recorder that joins in the middle asks for a *snapshot*, the whole book as of some number; it comes by another
way, and so perhaps after updates that are newer than it. Three rules follow:

* An update whose changes are all in what came before is old, and left out.
* Where changes are missing the book is not known: it is emptied, and updates are held back until a snapshot fills it.
  From the last good update to the snapshot lies a gap.
* A snapshot is put where it belongs: after the updates that it has, and before those that it has not.

Before the first update nothing is missing: a file may go on with the book of the day before it.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

HELD_LEVELS_MAX = 100_000  # Of updates that are kept for a snapshot which is late.
CLEAR = (0, 0.0, 0.0)

Level = tuple[int, float, float]  # Side, price, and the size that it now shows.
Change = tuple[int, int, int | None, int, float, float]  # Line, time, arrival; side, price and size.
Note = Callable[[int, int, str], None]  # Is told from when to when something is missing, and what.


class Update(NamedTuple):
    """Some changes of a book.

    Args:
        row: Line of the file.
        ts_ns: Time of the venue.
        received_ns: Time of arrival; None: not known apart from it.
        before: Number of the last change before the first of these.
        last: Number of the last.
    """

    row: int
    ts_ns: int
    received_ns: int | None
    before: int
    last: int
    levels: Sequence[Level]

    def told(self, not_before_ns: int = 0) -> Iterator[Change]:
        """Yield its changes, no earlier than that."""
        for level in self.levels:
            yield self.row, max(self.ts_ns, not_before_ns), self.received_ns, *level


class Snapshot(NamedTuple):
    """A whole book, as of the change numbered `last`; `ts_ns` is None where the venue names no time."""

    row: int
    ts_ns: int | None
    received_ns: int
    last: int
    levels: Sequence[Level]


class _Loss(NamedTuple):
    """A book that is not known: since when, when it was emptied, and what is missing."""

    from_ns: int
    emptied_ns: int
    why: str


class Numbered:
    """The book of one file as far as it is known.

    Args:
        note: Told of each gap.
    """

    def __init__(self, note: Note) -> None:
        self._note = note
        self._last: int | None = None  # Number of the newest change that an update told.
        self._last_ns = 0  # Of whatever was told last.
        self._had, self._had_ns = -1, 0  # Number of the newest change that a snapshot has, and when it held.
        self._waiting: Snapshot | None = None  # One of an unknown time, newer than what was told.
        self._recent: deque[Update] = deque()  # The newest updates, without a hole between them.
        self._levels = 0  # Of all of them.
        self._lost: _Loss | None = None  # Why the book is not known, while it is not.

    def update(self, update: Update) -> Iterator[Change]:
        """Yield what is to be told of an update."""
        if self._last is not None and update.last <= self._last:
            return
        if self._waiting is not None and update.last > self._waiting.last:
            yield from self._place(self._waiting, update.ts_ns)
        if self._last is not None and update.before > self._last:
            self._forget()
        if update.before > max(self._told(), self._had) >= 0:
            yield from self._lose(update)
        else:
            self._skip(update.before)
        self._keep(update)
        # What a snapshot has already belongs before it, or nowhere.
        if self._lost is None and (update.last > self._had or update.ts_ns < self._had_ns):
            yield from update.told()

    def snapshot(self, snapshot: Snapshot) -> Iterator[Change]:
        """Yield what is to be told of a snapshot; nothing, if it is older than what is known."""
        newer = [update for update in self._recent if update.last > snapshot.last]
        if newer and newer[0].before > snapshot.last:
            return
        if snapshot.ts_ns is None and (self._last is None or self._last < snapshot.last):
            self._waiting = snapshot  # It held after the last update, and before the next.
            return
        had = [update.ts_ns for update in self._recent if update.last <= snapshot.last]
        if snapshot.ts_ns is not None:
            had.append(snapshot.ts_ns)
        yield from self._place(snapshot, max(had) if had else newer[0].ts_ns)

    def end(self) -> Iterator[Change]:
        """Yield what still waits at the end of the file, and note what is still missing."""
        if self._waiting is not None:
            yield from self._place(self._waiting, self._last_ns or self._waiting.received_ns)
        self._skip(self._had)
        self._find(self._last_ns)

    def _place(self, snapshot: Snapshot, at_ns: int) -> Iterator[Change]:
        """Yield a snapshot as of a time, and after it newer updates that were told before it, or held back."""
        if self._lost:
            at_ns = max(at_ns, self._lost.emptied_ns)
        received_ns = None if snapshot.ts_ns is None else snapshot.received_ns
        for level in (CLEAR, *snapshot.levels):
            yield snapshot.row, at_ns, received_ns, *level
        for update in self._recent:
            if update.last > snapshot.last and (self._lost or update.ts_ns <= at_ns):
                yield from update.told(at_ns)
        self._find(at_ns)
        self._had, self._had_ns = max((self._had, self._had_ns), (snapshot.last, at_ns))
        self._waiting = None

    def _skip(self, to: int) -> None:
        """Note the gap between the last update and a snapshot that has changes up to `to`, which no update told."""
        if self._last is not None and to > self._last and self._lost is None:
            why = f"changes of depth {self._last + 1} to {to} are told by a snapshot alone"
            self._miss(self._last_ns, self._had_ns, why)

    def _told(self) -> int:
        return -1 if self._last is None else self._last

    def _lose(self, update: Update) -> Iterator[Change]:
        if self._lost is None:
            # A snapshot after which nothing was told yet does not say what came between it and the update before.
            known, known_ns = (self._had, self._had_ns) if self._last is None else (self._last, self._last_ns)
            why = f"changes of depth {known + 1} to {update.before} are missing"
            self._lost = _Loss(known_ns, update.ts_ns, why)
            yield update.row, update.ts_ns, update.received_ns, *CLEAR

    def _forget(self) -> None:
        """Let go of the updates before a hole."""
        self._recent.clear()
        self._levels = 0

    def _keep(self, update: Update) -> None:
        self._last, self._last_ns = update.last, max(self._last_ns, update.ts_ns)
        self._recent.append(update)
        self._levels += len(update.levels) + 1
        while self._levels > HELD_LEVELS_MAX:
            self._levels -= len(self._recent.popleft().levels) + 1

    def _find(self, at_ns: int) -> None:
        """Note the gap that ends here, if the book was lost."""
        if self._lost:
            self._miss(self._lost.from_ns, at_ns, self._lost.why)
            self._lost = None

    def _miss(self, from_ns: int, to_ns: int, why: str) -> None:
        self._note(from_ns, max(to_ns, from_ns + 1), why)
