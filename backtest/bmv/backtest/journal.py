"""Journals for worlds that have already happened: one that remembers every word, one that forgets."""

from bmv.ports.messages import Event, Intent


class MemoryJournal:
    """A journal that remembers every word, for tests and for looking closely."""

    def __init__(self) -> None:
        self.words: list[Event | Intent] = []

    def event(self, event: Event) -> None:
        """Keep `event`."""
        self.words.append(event)

    def intent(self, intent: Intent) -> None:
        """Keep `intent`."""
        self.words.append(intent)

    def __repr__(self) -> str:
        return f"<MemoryJournal {len(self.words)} words>"


class NoJournal:
    """A journal that forgets: a backtest can be run again."""

    def event(self, event: Event) -> None:
        """Forget `event`."""

    def intent(self, intent: Intent) -> None:
        """Forget `intent`."""
