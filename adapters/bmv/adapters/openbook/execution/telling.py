"""What is told: events to whoever trades, and notes in the journal beside them; both survive, or neither."""

import json
from collections.abc import Callable

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.execution.ledger import Ledger
from bmv.adapters.openbook.execution.orders import Orders
from bmv.adapters.openbook.execution.reading import Fills
from bmv.data.journal.legacy import legacy_note
from bmv.ports.messages import Event
from bmv.ports.storage import Note

MARK = "fills"  # Topic of the note that says how far fills were read.
STRAY = "stray"  # Topic of a fill of ours that is of no open order: its money is in no event.
SURPRISE = "surprise"  # Topic of a note of what the chain does otherwise than was reckoned with.
EPOCH_BITS = 32


def number_at_venue(epoch: int, order: int) -> int:
    """Return the number by which the venue knows a writer's order: no other writer gives it.

    >>> number_at_venue(2, 7) == 2 * 2**32 + 7
    True
    """
    return epoch << EPOCH_BITS | order


class Herald:
    """Tells what became of orders.

    Args:
        orders: Ours.
        ledger: Keeps.
        hear: Hears events of this writer's orders, by the numbers that it was asked for with.
        now_ns: The time at which something is told, ns UTC.
        native: Quanta of the market in a native unit of quote.
        epoch: Of the writer.
    """

    def __init__(
        self,
        orders: Orders,
        ledger: Ledger,
        hear: Callable[[Event], None],
        now_ns: Callable[[], int],
        native: int,
        epoch: int,
    ) -> None:
        self._orders, self._ledger, self._hear, self._now_ns = orders, ledger, hear, now_ns
        self._native, self._epoch = native, epoch
        self._strays_kept = 0

    def tell(self, fills: Fills) -> None:
        """Tell what is new, and keep with it how far fills were read."""
        events = self._orders.take()
        for event in events:
            self._tell(event._replace(fee=event.fee * self._native))
        if self._keep_strays() or events:
            self.mark(fills)

    def _tell(self, event: Event) -> None:
        if event.order >> EPOCH_BITS == self._epoch:
            own = event.order - number_at_venue(self._epoch, 0)
            self._hear(event._replace(ts_ns=self._now_ns(), order=own))
        elif (note := legacy_note(event, self._now_ns())) is not None:
            self._ledger.note(note)  # Nobody is told of it, and its money is there all the same.

    def _keep_strays(self) -> bool:
        """Keep fills of no open order, and return whether there are new ones."""
        strays = self._orders.stray
        new, self._strays_kept = strays[self._strays_kept :], len(strays)
        for fill in new:
            row = fill._asdict() | {"fee": fill.fee * self._native}
            self._keep(STRAY, json.dumps(row, separators=(",", ":")))
        return bool(new)

    def mark(self, fills: Fills) -> None:
        """Keep how far fills were read."""
        self._keep(MARK, fills.mark())

    def surprise(self, words: str) -> None:
        """Keep something that is otherwise than was reckoned with; "": nothing is."""
        if words:
            self._keep(SURPRISE, words)

    def _keep(self, topic: str, text: str) -> None:
        self._ledger.note(Note(self._now_ns(), topic, text))

    @property
    def trouble(self) -> str:
        """What is wrong with the position that was told; "": nothing is known to be."""
        strays = self._orders.stray
        if not strays:
            return ""
        lots = sum(fill.size if fill.side is Side.BID else -fill.size for fill in strays)
        return f"{len(strays)} fills of ours are of no open order: the position is {lots:+d} lots off what was told"
