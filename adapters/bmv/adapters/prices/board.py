"""The last quote of every line, and whether one that arrives is newer than it."""

from bmv.adapters.prices.consensus import Reading
from bmv.adapters.prices.quote import Quote


class Board:
    """What was heard last, by the name of the line."""

    def __init__(self) -> None:
        self.readings: dict[str, Reading] = {}
        self._begun: set[str] = set()  # Lines of which a connection has begun, and no quote come yet.

    def begin(self, name: str) -> None:
        """Note that a line was opened anew: its venue may have begun to number from the start."""
        self._begun.add(name)

    def put(self, name: str, quote: Quote, received_ns: int) -> bool:
        """Keep a quote if it is newer than the one before; return whether it is.

        One that only repeats what was known is not: a venue that stands still while its line goes on grows old.
        """
        before = self.readings.get(name)
        if before is not None and not _newer(quote, before.quote, name in self._begun):
            return False
        self._begun.discard(name)
        self.readings[name] = Reading(quote, received_ns)
        return True

    def drop(self, name: str) -> None:
        """Forget what a line said: it said something that can't be believed since."""
        self.readings.pop(name, None)


def _newer(quote: Quote, before: Quote, begun: bool) -> bool:
    if quote.sequence is not None and before.sequence is not None:
        return quote.sequence != before.sequence if begun else quote.sequence > before.sequence
    if quote.venue_ns is not None and before.venue_ns is not None:
        return quote.venue_ns >= before.venue_ns
    return True
