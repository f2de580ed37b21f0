"""The books of one run: the verbs of the recorder as things happen, for drivers that are not compiled.

The venue of a backtest or of paper trading tells its own truth. Of a session that was journalled the words tell it:
then the venue is one at which nothing rests, to which the market happens, and into whose reports ours are written.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bmv.adapters.bookkeeping import recorder
from bmv.adapters.bookkeeping.eviction import Drained, drain, drain_all
from bmv.adapters.bookkeeping.ledger import Record
from bmv.adapters.sim.venue import (
    R_CODE,
    R_FEE,
    R_KIND,
    R_KNOWN_NS,
    R_ORDER,
    R_PRICE,
    R_SIDE,
    R_SIZE,
    R_VENUE_NS,
    REPORTS_MAX,
    Venue,
)
from bmv.core.engine import Engine
from bmv.ports.messages import Event

Sink = Callable[[Drained], None]  # Takes the rows of the record that nothing will change any more.


@dataclass(frozen=True, slots=True)
class Books:
    """Writes down what happens to an engine.

    Args:
        engine: Whose decisions they are.
        venue: Where it happens.
        record: What is written into.
        sink: Takes the rows that nothing will change any more.
    """

    engine: Engine
    venue: Venue
    record: Record
    sink: Sink

    def begin(self, position: int, cash: int) -> None:
        """Write down what is held as the session begins, lots and quanta, where that is not what the parameters say."""
        record = self.record
        if not record.mid2:
            record.position = record.start_position = record.stood_position = position
            record.cash = record.start_cash = cash

    def enter(self) -> None:
        """Write down what the engine just asked for."""
        recorder.enter(self.engine.state, self.record, self.engine.said)

    def pass_time(self, now_ns: int) -> None:
        """Let time pass until `now_ns` with everything as it stands."""
        if recorder.steps_left(self.record) < recorder.ROWS_PER_ARRIVAL or not recorder.sample_fits(
            self.record, now_ns
        ):
            self.drain()
        recorder.advance(self.engine.params, self.engine.state, self.venue, self.record, now_ns)

    def book(self, first: int) -> None:
        """Write down what the venue has reported since its count of reports was `first`."""
        recorder.book(self.engine.params, self.engine.state, self.venue, self.record, first)

    def report(self, event: Event) -> None:
        """Write down what an event tells of an order of ours, which this venue has not reported itself."""
        venue = self.venue
        first = venue.reports_head
        row = venue.reports[first & (REPORTS_MAX - 1)]
        row[R_KNOWN_NS] = event.ts_ns
        row[R_KIND] = event.kind
        row[R_VENUE_NS] = event.ts_ns  # A chain tells whole seconds of a clock of its own; the market is on ours.
        row[R_ORDER] = event.order
        row[R_SIDE] = event.side
        row[R_PRICE] = event.price
        row[R_SIZE] = event.size
        row[R_FEE] = event.fee
        row[R_CODE] = event.code
        venue.reports_head = first + 1
        self.book(first)
        venue.reports_head = first  # It is heard already.

    def count(self, row: Event) -> None:
        """Count a row of the market, before the engine hears it."""
        recorder.count(self.venue, self.record, row.kind, row.side, row.price, row.size)

    def mark(self) -> None:
        """Value what is held by the mid of the row that the engine just heard."""
        recorder.mark(self.engine.params, self.engine.state, self.record, self.venue.mid2)

    def finish(self) -> None:
        """Write down how it stands at the end of the market's rows."""
        recorder.finish(self.engine.params, self.engine.state, self.venue, self.record)

    def drain(self) -> None:
        """Hand over the rows that nothing will change any more."""
        self.sink(drain(self.record))

    def close(self) -> None:
        """Hand over all that is left."""
        self.sink(drain_all(self.record))
