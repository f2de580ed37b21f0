"""A simulated venue and its books, as whoever drives a run moves them through time.

What comes next is the earliest of four: a row of the market, intents that arrive at the venue, a report that reaches
us, the engine's own wake. At equal time in that order. The driver knows the first and the last, the stage the others.
"""

from collections.abc import Sequence

from bmv.adapters.bookkeeping.books import Books
from bmv.adapters.sim.clock import SimClock
from bmv.adapters.sim.exchange import SimExchange
from bmv.core.state import FAR_NS
from bmv.ports.messages import Event, Intent, Kind

_DEPTH, _TIMER = Kind.DEPTH.value, Kind.TIMER.value


class Stage:
    """The execution port of backtests and of paper trading.

    Args:
        exchange: The venue.
        clock: Its time, which is moved here.
        books: Written up as things happen; None: nobody keeps any.
    """

    def __init__(self, exchange: SimExchange, clock: SimClock, books: Books | None = None) -> None:
        self.exchange, self.clock, self.books = exchange, clock, books

    def __repr__(self) -> str:
        return f"<Stage {self.exchange!r} at {self.clock!r}>"

    def submit(self, batch: Sequence[Intent]) -> None:
        """Put a batch on its way to the venue."""
        self.exchange.submit(batch)

    @property
    def due_ns(self) -> int:
        """When something happens next that is neither a row nor the engine's wake."""
        return min(self.exchange.next_arrival_ns, self.exchange.next_report_ns)

    def pass_time(self, now_ns: int) -> None:
        """Let time pass until `now_ns` with everything as it stands."""
        self.clock.advance(now_ns)
        if self.books is not None:
            self.books.pass_time(now_ns)

    def happen(self) -> Event | None:
        """Let happen what is due next; return the report that the engine is to hear, None after an arrival."""
        exchange = self.exchange
        if exchange.next_arrival_ns > exchange.next_report_ns:
            return exchange.deliver()
        first = exchange.reports_made
        exchange.arrive()
        if self.books is not None:
            self.books.book(first)
        return None

    def row(self, *row: int) -> Event:
        """Let a row of the market, in the order of `Columns`, happen there; return what the engine is to hear of it."""
        first = self.exchange.reports_made
        event = self.exchange.row(*row)
        if self.books is not None:
            self.books.book(first)
            self.books.count(event)
        return event

    def heard(self, event: Event) -> None:
        """Write down what the engine asked for in answer to an event, and what that made of the mid."""
        if self.books is not None:
            if event.kind == _TIMER:
                self.books.record.timers += 1
            self.books.enter()
            if event.kind <= _DEPTH:
                self.books.mark()

    @property
    def reporting(self) -> bool:
        """Whether reports are on their way to us."""
        return self.exchange.next_report_ns != FAR_NS

    def deliver_next(self) -> Event:
        """Let the next report reach us at its time, after the market's last row: nothing arrives any more."""
        self.clock.advance(self.exchange.next_report_ns)
        return self.exchange.deliver()
