"""The journal of a process that trades: words behind one another, kept before anything is sent, with one writer only.

Sessions of one market have a name and a number. Whoever starts writes a last word into the session before, which its
writer, should it still live, can't get past; then it begins the next. So the number of the session is the writer's
epoch, and there is never a second one that may send. A session begins with a word that nobody else can say: a store
takes the same words twice for one, and two that start in the same instant would both be let in.
"""

import asyncio
from collections.abc import Callable, Sequence
from secrets import token_hex
from typing import NamedTuple

from bmv.ports.errors import Refused
from bmv.ports.messages import Event, Intent
from bmv.ports.storage import Note, SessionStore, Word

BEGUN, ENDED = "begun", "ended"  # Topics of the words that begin and end a session.
TRIES = 100  # To get in front of a writer that still writes.


class SessionJournal:
    """Writes one session.

    Args:
        store: Where it is kept.
        session: Its name.
        first: Number of the next word.
    """

    def __init__(self, store: SessionStore, session: str, first: int = 0) -> None:
        self.store, self.session, self.kept = store, session, first
        self._words: list[Word] = []
        self._busy = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<SessionJournal {self.session}: {self.kept} words kept, {len(self._words)} waiting>"

    def event(self, event: Event) -> None:
        """Add an event."""
        self._words.append(event)

    def intent(self, intent: Intent) -> None:
        """Add an intent."""
        self._words.append(intent)

    def note(self, note: Note) -> None:
        """Add a note."""
        self._words.append(note)

    async def commit(self) -> None:
        """Return when every word added before is kept; `StorageError` or `Refused` where it is not, as the port says.

        After a `StorageError` the same words are kept by the next call, each once.
        """
        async with self._busy:
            words = list(self._words)
            if words:
                await self.store.append(self.session, self.kept, words)
                self.kept += len(words)
                del self._words[: len(words)]


class Begun(NamedTuple):
    """A session that was begun.

    Args:
        journal: Writes it.
        epoch: Its number, from 1.
        before: The words of the session before, to its end; none for the first.
    """

    journal: SessionJournal
    epoch: int
    before: Sequence[Word]


def _draw() -> str:
    return token_hex(16)


async def begin_session(store: SessionStore, name: str, ts_ns: int, draw: Callable[[], str] = _draw) -> Begun:
    """End the newest session of a name, and return the next; its first word waits to be kept with what follows.

    Args:
        store: Where sessions are kept.
        name: What they have in common, such as `live/openbook-v2/SOL-USDC`.
        ts_ns: Now, ns UTC.
        draw: Returns a word that no other process says.
    """
    numbers = [number for each in await store.sessions() if (number := number_of(each, name)) is not None]
    newest = max(numbers, default=0)
    before = [] if not newest else await _end(store, session_name(name, newest), newest + 1, ts_ns)
    journal = SessionJournal(store, session_name(name, newest + 1))
    journal.note(Note(ts_ns, BEGUN, draw()))
    return Begun(journal, newest + 1, before)


def session_name(name: str, number: int) -> str:
    """Return the name of a session.

    >>> session_name("live/openbook-v2/SOL-USDC", 7)
    'live/openbook-v2/SOL-USDC/00000007'
    """
    return f"{name}/{number:08d}"


def number_of(session: str, name: str) -> int | None:
    """Return the number of a session of a name, None where it is of another.

    >>> number_of("live/sim/A/00000007", "live/sim/A"), number_of("live/sim/A/x", "live/sim/A")
    (7, None)
    """
    head, _, number = session.rpartition("/")
    return int(number) if head == name and number.isdecimal() else None


async def _end(store: SessionStore, session: str, epoch: int, ts_ns: int) -> Sequence[Word]:
    """Put an end to a session, and return its words."""
    for _ in range(TRIES):
        head = await store.head(session)
        try:
            await store.append(session, head.words, [Note(ts_ns, ENDED, f"writer {epoch} goes on")])
            break
        except Refused:
            continue  # Its writer was quicker.
    else:
        raise Refused(f"session {session}: somebody writes to it all the time; stop that process first")
    return [word async for page in store.read(session) for word in page]
