"""The minutes of a session: its journal, in which beside the words it always stands how the breaker stands.

Whoever comes next goes on from there. A breaker that a crash would re-arm is none.
"""

from collections.abc import Callable

from bmv.core.engine import Engine
from bmv.core.standing import Standing
from bmv.live.journal import SessionJournal
from bmv.live.notes import said_note, standing_note
from bmv.ports.messages import Event, Intent
from bmv.ports.storage import Note


class Minutes:
    """Writes the words of a session, as journal of the loop and as ledger of the execution.

    Args:
        journal: Keeps them.
        engine: Whose breaker it is.
        now_ns: The time of a note.
    """

    def __init__(self, journal: SessionJournal, engine: Engine, now_ns: Callable[[], int]) -> None:
        self.journal, self._engine, self._now_ns = journal, engine, now_ns
        self._stood: Standing | None = None
        self.heard = 0
        self.said = 0

    def __repr__(self) -> str:
        return f"<Minutes {self.journal!r}>"

    def event(self, event: Event) -> None:
        """Add an event."""
        self.heard += 1
        self.journal.event(event)

    def intent(self, intent: Intent) -> None:
        """Add an intent."""
        self.said += 1
        self.journal.intent(intent)

    def note(self, note: Note) -> None:
        """Add a note."""
        self.journal.note(note)

    def say(self, topic: str, **what: object) -> None:
        """Add a note that decides nothing."""
        self.journal.note(said_note(self._now_ns(), topic, **what))

    async def commit(self) -> None:
        """Return when every word so far is kept, and with them how the breaker stands by them."""
        standing = self._engine.standing
        if standing is not None and standing != self._stood:
            self._stood = standing
            self.journal.note(standing_note(self._now_ns(), standing))
        await self.journal.commit()
