"""A session heard again: the same engine, told the same events, must ask for the same, word for word."""

from collections.abc import Iterable
from dataclasses import dataclass

from bmv.core.engine import Engine
from bmv.ports.messages import Event, Intent
from bmv.ports.storage import Word


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


def replay(engine: Engine, words: Iterable[Word]) -> Replay:
    """Tell a fresh engine the events of a journal, and compare what it asks for with what was asked for then.

    The journal of a process that was killed may end between an event and what was asked for in answer: what is missing
    at its end is no difference.
    """
    said: list[Intent] = []
    count = decisions = 0
    first: int | None = None
    for number, word in enumerate(words):
        if isinstance(word, Event):
            if said and first is None:
                first = number  # Something was to be asked for, and another event came.
            said = engine.on(word)
            count += 1
        elif isinstance(word, Intent):
            expected = said.pop(0) if said else None
            if expected != word and first is None:
                first = number
            count += 1
            decisions += 1
    return Replay(count, decisions, first, engine.digest)
