"""What is kept: the journal of a session, and ticks as they are recorded."""

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple, Protocol

from bmv.ports.market_data import Columns
from bmv.ports.messages import Event, Intent


class Journal(Protocol):
    """Append-only: every event and every intent, in the order the engine heard and said them."""

    def event(self, event: Event) -> None:
        """Called before the engine hears `event`."""
        ...

    def intent(self, intent: Intent) -> None:
        """Called before `intent` is submitted: no order without a kept intent."""
        ...


class Ticks(NamedTuple):
    """Rows of one market as one recorder wrote them, numbered one by one, so that each is kept exactly once.

    Args:
        market: `VENUE/SYMBOL`.
        source: Name of the recorder; a name has one writer at a time.
        epoch: Grows with every start of that recorder.
        first_seq: Number of the first row within the epoch; the rows after it have the numbers after it.
        columns: The rows, in ticks and lots; times never fall within an epoch.
    """

    market: str
    source: str
    epoch: int
    first_seq: int
    columns: Columns


class Gap(NamedTuple):
    """A hole in the record of a market: nothing was recorded after `from_ns` and before `to_ns` (nanoseconds UTC)."""

    market: str
    source: str
    from_ns: int
    to_ns: int
    why: str


class TickStore(Protocol):
    """Ticks that arrive are kept; recorders and readers of a live process call it, off the trading loop."""

    async def append(self, ticks: Ticks) -> None:
        """Keep `ticks`; when it returns they survive a crash. What was kept before, by number, is not kept twice.

        `StorageError` where the store can't be reached within its deadline: nothing or all of it was kept, and the
        same call again is right in either case.
        """
        ...

    async def note_gap(self, gap: Gap) -> None:
        """Keep that something is missing. The same gap twice is one."""
        ...

    def read(self, market: str, from_ns: int, to_ns: int) -> AsyncIterator[Columns]:
        """Yield the rows of `[from_ns, to_ns)`, in order of time, then of their arrival, in batches of bounded size."""
        ...

    async def gaps(self, market: str, from_ns: int, to_ns: int) -> Sequence[Gap]:
        """Return the holes that touch `[from_ns, to_ns)`, oldest first."""
        ...


class Note(NamedTuple):
    """What a session's record should have beside events and intents: a configuration, a signature, a reason.

    Args:
        ts_ns: When it was written (nanoseconds UTC).
        topic: What it is about, one word.
        text: The note itself; never a secret.
    """

    ts_ns: int
    topic: str
    text: str


Word = Event | Intent | Note


class Head(NamedTuple):
    """How far a session is kept: `words` of it, the last of which has this `hash` (32 bytes)."""

    words: int
    hash: bytes


class SessionStore(Protocol):
    """The journals of live sessions at rest, word by word, each chained to the one before it by a hash.

    A driver keeps what it heard and is about to say, and says it when `append` has returned. Of two writers who both
    believe that a session is theirs one is refused at the first word in which they differ.
    """

    async def append(self, session: str, first: int, words: Sequence[Word]) -> Head:
        """Keep `words`, of which the first is number `first` of the session; when it returns they survive a crash.

        Words that are kept already, with the same numbers, are not kept twice, so that the same call again is right
        when nobody knows what became of the first. A session begins with its word 0. `Refused` where a number is kept
        with another word, or lies beyond the end: somebody else writes, or words are missing; nothing was kept then.
        `StorageError` where the store can't be reached within its deadline, or is full.
        """
        ...

    async def head(self, session: str) -> Head:
        """Return how far `session` is kept; no words and the hash that the chain begins with, if it is not known."""
        ...

    def read(self, session: str, first: int = 0) -> AsyncIterator[Sequence[Word]]:
        """Yield the words from number `first` on, in order, in batches of bounded size."""
        ...

    async def verify(self, session: str) -> Head:
        """Read the whole of `session` and return its head; `DataError` names the first word that the chain belies."""
        ...

    async def sessions(self) -> Sequence[str]:
        """Return the names of the sessions that have words, in order."""
        ...
