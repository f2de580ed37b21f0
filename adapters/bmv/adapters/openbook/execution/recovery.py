"""What an earlier process left: read from the words of its journal, and written into that of the next."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bmv.adapters.openbook.execution.orders import Order, Stage
from bmv.adapters.openbook.execution.telling import MARK, number_at_venue
from bmv.data.journal.attempts import ATTEMPT, FATE, UNREADABLE, Attempted, Fated, read_attempt, read_fate
from bmv.data.journal.attempts import ENDS as ATTEMPT_ENDS
from bmv.data.journal.legacy import LEGACY_END, LEGACY_FILL, LegacyFill, read_legacy_end, read_legacy_fill
from bmv.data.journal.spending import SPENT, TIPPED, Spending, read_spent
from bmv.ports.errors import DataError
from bmv.ports.messages import Event, Intent, Kind, Verb
from bmv.ports.storage import Note, Word

EPOCH, CARRIED = "epoch", "carried"  # Topics: whose session it is, and an order of an earlier one.
ENDS = frozenset({Kind.CANCELLED.value, Kind.REJECTED.value, Kind.EXPIRED.value})


class Left(NamedTuple):
    """What may still be alive.

    Args:
        orders: Orders that may be in the book, or come to be.
        attempts: Attempts that may land.
        mark: How far fills were read; None: they never were.
        spending: What transactions cost, those of earlier sessions too.
    """

    orders: Sequence[Order]
    attempts: Sequence[Attempted]
    mark: str | None
    spending: Spending


@dataclass
class _Reading:
    epoch: int = 0
    orders: dict[int, Order] = field(default_factory=dict)
    attempts: dict[str, Attempted] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    mark: str | None = None
    spending: Spending = field(default_factory=Spending)

    def take(self, word: Word) -> None:
        if isinstance(word, Note):
            self._note(word)
        elif isinstance(word, Intent) and word.verb == Verb.PLACE:
            number = number_at_venue(self.epoch, word.order)
            self.orders[number] = Order(number, word._replace(order=number))
        elif isinstance(word, Event) and word.order:
            self._report(word)

    def _note(self, note: Note) -> None:
        if note.topic == EPOCH:
            self.epoch = _read_number(note.text)
        elif note.topic == MARK:
            self.mark = note.text
        elif note.topic == CARRIED:
            order = _read_order(note.text)
            self.orders[order.number] = order
        elif note.topic == LEGACY_FILL:
            self._fill(read_legacy_fill(note))
        elif note.topic == LEGACY_END:
            self.orders.pop(read_legacy_end(note), None)
        elif note.topic in (SPENT, TIPPED):
            self._spend(note)
        elif note.topic == ATTEMPT:
            self._send(read_attempt(note), note.ts_ns)
        elif note.topic == FATE:
            self._end(read_fate(note))

    def _spend(self, note: Note) -> None:
        spending = self.spending if note.topic == SPENT else self.spending.tips
        for minute, lamports in read_spent(note).items():
            spending.add(minute, lamports)

    def _fill(self, fill: LegacyFill) -> None:
        if (order := self.orders.get(fill.number)) is not None:
            order.stage = Stage.RESTING
            order.filled += fill.size
            if not order.left:
                del self.orders[fill.number]

    def _send(self, attempt: Attempted, ts_ns: int) -> None:
        self.spending.keep(attempt.signature, ts_ns, attempt.lamports, attempt.tip)
        self.attempts[attempt.signature] = attempt
        for number, client_id in attempt.places:
            # An order that was seen in the book before its attempt was known to be final stays there.
            if (order := self.orders.get(number)) is not None and order.stage is Stage.ASKED:
                order.stage, order.client_id, order.attempt = Stage.FLYING, client_id, attempt.signature
        for number in attempt.cancels:
            if (order := self.orders.get(number)) is not None:
                order.cancels.add(attempt.signature)

    def _end(self, fate: Fated) -> None:
        if fate.state not in ATTEMPT_ENDS:
            return
        self.spending.end(fate.signature, fate.state != "expired", fate.state == "failed")
        if fate.state in ("finalized", "forgotten"):
            self._land(fate.signature, _read_number(fate.more.get("slot")), known=fate.state == "finalized")
        else:
            self._lose(fate.signature)

    def _land(self, signature: str, slot: int, known: bool) -> None:
        self.ended.add(signature)
        for order in self.orders.values():
            order.land(signature, slot, known)

    def _lose(self, signature: str) -> None:
        self.ended.add(signature)
        for number, order in list(self.orders.items()):
            order.cancels.discard(signature)
            if order.attempt == signature and order.stage is Stage.FLYING:
                del self.orders[number]

    def _report(self, event: Event) -> None:
        number = number_at_venue(self.epoch, event.order)
        order = self.orders.get(number)
        if order is None:
            return
        if event.kind == Kind.ACCEPTED:
            order.stage = Stage.RESTING
        elif event.kind == Kind.FILLED:
            order.filled += event.size
        if event.kind in ENDS or not order.left:
            del self.orders[number]


def read_left(words: Iterable[Word]) -> Left:
    """Return what the words of a session leave; `DataError` where one of them can't be read."""
    reading = _Reading()
    for word in words:
        reading.take(word)
    alive = [each for each in reading.attempts.values() if each.signature not in reading.ended]
    return Left([order for order in reading.orders.values() if order.alive], alive, reading.mark, reading.spending)


def carried(left: Left, epoch: int, ts_ns: int) -> list[Note]:
    """Return what a new session begins with, so that it alone tells whoever comes next all there is to know."""
    notes = [Note(ts_ns, EPOCH, str(epoch)), *left.spending.notes(ts_ns)]
    notes += [Note(ts_ns, CARRIED, _order_text(order)) for order in left.orders]
    notes += [attempt.note(ts_ns) for attempt in left.attempts]
    return notes if left.mark is None else [*notes, Note(ts_ns, MARK, left.mark)]


def _read_number(value: object) -> int:
    """Return a whole number of a note, 0 or more."""
    try:
        number = int(str(value))
    except ValueError:
        number = -1
    if number < 0:
        raise DataError(f"no number of a journal: {value!r:.80}")
    return number


def _order_text(order: Order) -> str:
    row = {
        "intent": list(map(int, order.intent)),
        "stage": order.stage.value,
        "client_id": order.client_id,
        "venue_id": order.venue_id,
        "over_s": order.over_s,
        "filled": order.filled,
        "attempt": order.attempt,
        "landed_slot": order.landed_slot,
        "forgotten": order.forgotten,
        "cancelled": order.cancelled,
    }
    return json.dumps(row, separators=(",", ":"))


def _read_order(text: str) -> Order:
    try:
        row = json.loads(text)
        intent = Intent(*map(int, row["intent"]))
        return Order(
            number=intent.order,
            intent=intent,
            stage=Stage(row["stage"]),
            client_id=int(row["client_id"]),
            venue_id=int(row["venue_id"]),
            over_s=None if row["over_s"] is None else int(row["over_s"]),
            filled=int(row["filled"]),
            attempt=str(row["attempt"]),
            landed_slot=None if row["landed_slot"] is None else int(row["landed_slot"]),
            forgotten=bool(row.get("forgotten", False)),  # Older journals don't say.
            cancelled=bool(row["cancelled"]),
        )
    except UNREADABLE as error:
        raise DataError(f"no order of a journal: {text[:80]} ({error})") from None
