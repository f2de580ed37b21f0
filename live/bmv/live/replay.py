"""A session heard again: the same engine, told the same events, must ask for the same, word for word."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from bmv.core.engine import Engine
from bmv.core.params import Params
from bmv.live.notes import CLOSED, RECEIPT, SEED, SETTING, read_seed, read_setting
from bmv.ports.errors import BmvError
from bmv.ports.messages import Event, Intent
from bmv.ports.storage import Note, Word

Reparameter = Callable[[str, str], Params]  # What the engine decides by once a key has another value.


@dataclass(frozen=True, slots=True)
class Replay:
    """How a session compares with its journal.

    Args:
        words: Events and intents of the journal.
        decisions: Intents among them.
        first_difference: Number of the first word, of all in the journal, that the engine says otherwise; None: none.
        digest: Of every event heard and every intent said.
    """

    words: int
    decisions: int
    first_difference: int | None
    digest: str

    @property
    def equal(self) -> bool:
        """Whether every word is the same."""
        return self.first_difference is None

    def to_json(self) -> dict[str, Any]:  # Any: it is JSON.
        """Return it as `bmv replay --json` prints it."""
        return asdict(self) | {"equal": self.equal}


class Retelling:
    """An engine that is told a session's words again; it begins as that session's did.

    Args:
        engine: A fresh one, standing as the opening says.
        reparameter: Says what it decides by after a key was changed.
    """

    def __init__(self, engine: Engine, reparameter: Reparameter | None = None) -> None:
        self.engine = engine
        self._reparameter = reparameter

    def hear(self, event: Event) -> list[Intent]:
        """Hear an event, and return what is asked for; nothing where the strategy fails by it, as it did then."""
        try:
            return self.engine.on(event)
        except BmvError:
            return []

    def obey(self, note: Note) -> None:
        """Do what a note of the session says; most say nothing to the engine."""
        if note.topic == SEED:
            for trade in read_seed(note):
                self.engine.seed(*trade)
        elif note.topic == CLOSED:
            self.engine.state.closed = 1
        elif note.topic == SETTING:
            assert self._reparameter is not None, "the session changed its configuration"
            self.engine.adopt(self._reparameter(*read_setting(note)))


def replay(engine: Engine, words: Iterable[Word], reparameter: Reparameter | None = None) -> Replay:
    """Tell a fresh engine the events of a journal, and compare what it asks for with what was asked for then.

    The journal of a process that was killed may end between an event and what was asked for in answer: what is missing
    at its end is no difference.
    """
    retelling = Retelling(engine, reparameter)
    said: list[Intent] = []
    count = decisions = 0
    first: int | None = None
    for number, word in enumerate(words):
        if isinstance(word, Event):
            if said and first is None:
                first = number  # Something was to be asked for, and another event came.
            said = retelling.hear(word)
            count += 1
        elif isinstance(word, Intent):
            expected = said.pop(0) if said else None
            if expected != word and first is None:
                first = number
            count += 1
            decisions += 1
        else:
            if said and first is None and word.topic in (CLOSED, SETTING, RECEIPT):
                first = number  # Something was to be asked for, and the session went on without.
            retelling.obey(word)
    return Replay(count, decisions, first, engine.digest)
