"""The minutes of a session: its journal, in which beside the words always stand the breaker, and what is held.

Whoever comes next goes on from there. A breaker that a crash would re-arm is none.
"""

from collections.abc import Callable

from bmv.core.engine import Engine
from bmv.core.standing import Standing
from bmv.data.journal.legacy import LEGACY_FILL, LegacyFill, read_legacy_fill
from bmv.live.guard import Stopped
from bmv.live.journal import SessionJournal
from bmv.live.notes import GUARD, Holding, said_note, standing_note
from bmv.ports.errors import StorageError
from bmv.ports.messages import Event, Intent
from bmv.ports.storage import Note

UNTOUCHED = Standing(tier=0, peak=0, start_equity=0, day_equity=0, day_end_ns=0)  # Of an engine that valued nothing.


class Minutes:
    """Writes the words of a session, as journal of the loop and as ledger of the execution.

    Args:
        journal: Keeps them.
        engine: Whose breaker it is.
        now_ns: The time of a note.
    """

    def __init__(self, journal: SessionJournal, engine: Engine, now_ns: Callable[[], int]) -> None:
        self.journal, self._engine, self._now_ns = journal, engine, now_ns
        self._stood: Standing | None = engine.standing  # As the opening says.
        self._held: Holding | None = None
        self.legacy: list[LegacyFill] = []  # Fills of orders of earlier sessions that this one has learnt of.
        self.listeners: list[Callable[[Event], None]] = []  # Hear each event before the engine does.
        self.readers: list[Callable[[Note], None]] = []  # Read each note.
        self.paused = bool(engine.state.paused)  # By an operator: that outlives the session, a stop's pause does not.
        self.trouble = ""  # Why the last commit failed; "": it did not. What it was to keep the next one keeps.
        self.knows = True  # Whether what the engine takes for held is what the chain shows.
        self.heard = 0
        self.said = 0

    def __repr__(self) -> str:
        return f"<Minutes {self.journal!r}>"

    def event(self, event: Event) -> None:
        """Add an event."""
        self.heard += 1
        self.journal.event(event)
        for listen in self.listeners:
            listen(event)

    def intent(self, intent: Intent) -> None:
        """Add an intent."""
        self.said += 1
        self.journal.intent(intent)

    def note(self, note: Note) -> None:
        """Add a note."""
        self.journal.note(note)
        for read in self.readers:
            read(note)
        if note.topic == LEGACY_FILL:
            self.legacy.append(read_legacy_fill(note))

    def hold(self, holding: Holding) -> None:
        """Note what is held before the engine knows of it."""
        self._held = holding
        self.journal.note(holding.note(self._now_ns()))

    def say(self, topic: str, **what: object) -> None:
        """Add a note that decides nothing."""
        self.note(said_note(self._now_ns(), topic, **what))

    def note_guard(self, why: Stopped, order: int) -> None:
        """Add a note of an order that was not let out."""
        self.say(GUARD, why=str(why), order=order)

    def note_condition(self, code: str, act: str, begins: bool, why: str) -> None:
        """Add a note of something that is wrong with the world, or is over."""
        self.say(GUARD, code=code, act=str(act), begins=begins, why=why)

    async def commit(self) -> None:
        """Return when every word so far is kept, and with them how the breaker stands by them."""
        standing = self._engine.standing
        if standing is None and self._stood is not None:
            standing = UNTOUCHED  # It was paused, and is not any more.
        if standing is not None:
            standing = standing._replace(paused=int(self.paused))
        if standing is not None and standing != self._stood:
            self._stood = standing
            self.journal.note(standing_note(self._now_ns(), standing))
        state = self._engine.state
        holding = Holding(int(state.position), int(state.cash))
        if self.heard and self.knows and holding != self._held:
            self._held = holding
            self.journal.note(holding.note(self._now_ns()))
        try:
            await self.journal.commit()
        except StorageError as error:
            self.trouble = str(error)
            raise
        self.trouble = ""
