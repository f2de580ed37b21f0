"""What a journal keeps of orders of earlier writers, of which nobody is told any more: each fill once, and the end."""

import json
from typing import NamedTuple

from bmv.ports.errors import DataError
from bmv.ports.messages import Event, Kind
from bmv.ports.storage import Note

LEGACY_FILL, LEGACY_END = "legacy-fill", "legacy-end"  # Topics.
ENDS = frozenset({Kind.CANCELLED, Kind.REJECTED, Kind.EXPIRED})  # One that was filled has its fills.


class LegacyFill(NamedTuple):
    """A trade of an order that an earlier writer has placed.

    Args:
        number: Of the order, its writer's epoch included.
        side: 1 bought, -1 sold.
        price: Ticks.
        size: Lots.
        fee: As that of an event: quanta of quote, positive when we pay.
    """

    number: int
    side: int
    price: int
    size: int
    fee: int

    def note(self, ts_ns: int) -> Note:
        """Return it as it is kept."""
        return Note(ts_ns, LEGACY_FILL, json.dumps(self._asdict(), separators=(",", ":")))


def legacy_note(event: Event, ts_ns: int) -> Note | None:
    """Return what is kept of an event of such an order, which goes by its whole number; None: nothing."""
    if event.kind == Kind.FILLED:
        return LegacyFill(event.order, event.side, event.price, event.size, event.fee).note(ts_ns)
    return Note(ts_ns, LEGACY_END, str(event.order)) if event.kind in ENDS else None


def read_legacy_fill(note: Note) -> LegacyFill:
    """Return the fill of a note; `DataError` where it is none.

    >>> read_legacy_fill(LegacyFill(1 << 32 | 7, 1, 15000, 40, -12).note(0)).size
    40
    """
    try:
        row = json.loads(note.text)
        return LegacyFill(*(int(row[name]) for name in LegacyFill._fields))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"no fill of a journal: {note.text[:80]} ({error})") from None


def read_legacy_end(note: Note) -> int:
    """Return the number of the order that a note ends; `DataError` where it is none."""
    if not note.text.isdecimal():
        raise DataError(f"no order's number of a journal: {note.text[:80]}")
    return int(note.text)
