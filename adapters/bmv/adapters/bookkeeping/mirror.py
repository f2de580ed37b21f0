"""The books of a session on a real venue, made again from its journal.

The market happens at a simulated venue where nothing of ours rests: it says what the mid is and what stood at the
touch. What our orders did, the journal tells; each thing is booked when we learnt of it, at the mid of that moment.
"""

from bmv.adapters.bookkeeping.books import Books
from bmv.adapters.sim.exchange import SimExchange
from bmv.core.state import FAR_TICKS
from bmv.ports.messages import Event, Kind

_DEPTH, _TIMER, _BALANCE = Kind.DEPTH.value, Kind.TIMER.value, Kind.BALANCE.value
_ACCEPTED, _EXPIRED, _FILLED = Kind.ACCEPTED.value, Kind.EXPIRED.value, Kind.FILLED.value


class Mirror:
    """Writes up the books of a session, event by event.

    Args:
        exchange: A venue at which nothing of ours ever arrives.
        books: What is written up; their venue is that one.
    """

    def __init__(self, exchange: SimExchange, books: Books) -> None:
        self.exchange, self.books = exchange, books
        self._resting: dict[int, tuple[int, int]] = {}  # Side and price by order.
        self._left: dict[int, int] = {}  # Lots of orders that rest.

    def before(self, event: Event) -> None:
        """Let an event happen, before the engine hears it."""
        self._show()
        self.books.pass_time(event.ts_ns)
        if event.kind <= _DEPTH:
            self._hide()
            self.exchange.row(
                event.ts_ns,
                event.kind,
                event.side,
                event.price,
                event.size,
                event.bid,
                event.bid_size,
                event.ask,
                event.ask_size,
            )
            self.books.count(event)
        elif _ACCEPTED <= event.kind <= _EXPIRED:
            self._report(event)
        elif event.kind == _BALANCE:
            self.books.begin(event.size, event.fee)
        elif event.kind == _TIMER:
            self.books.record.timers += 1

    def after(self, event: Event) -> None:
        """Write down what the engine asked for in answer."""
        self.books.enter()
        if event.kind <= _DEPTH:
            self.books.mark()

    def _report(self, event: Event) -> None:
        self._rest(event)
        self._show()
        self.books.report(event)

    def _rest(self, event: Event) -> None:
        """Note which of our orders rest, so that what stands at the touch is known."""
        if event.kind == _ACCEPTED:
            self._resting[event.order] = event.side, event.price
            self._left[event.order] = event.size
        elif event.kind == _FILLED:
            self._left[event.order] = self._left.get(event.order, 0) - event.size
        if (_FILLED < event.kind <= _EXPIRED) or self._left.get(event.order, 0) <= 0:
            self._resting.pop(event.order, None)
            self._left.pop(event.order, None)

    def _show(self) -> None:
        """Let whoever weighs time see our best orders."""
        venue = self.books.venue
        venue.n_book = len(self._resting)
        venue.best_bid = max((price for side, price in self._resting.values() if side > 0), default=0)
        venue.best_ask = min((price for side, price in self._resting.values() if side < 0), default=FAR_TICKS)

    def _hide(self) -> None:
        """Let the market happen to nobody: what traded with us is told, and not simulated."""
        venue = self.books.venue
        venue.n_book, venue.best_bid, venue.best_ask = 0, 0, FAR_TICKS
