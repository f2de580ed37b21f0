"""A venue on which a test plays rows and orders, one call a line, and reads what it reported as tuples.

The units are the simplest: money is `half` = 1, so that a fill's notional in quanta is twice ticks times lots. Nothing
is late unless the params say so, and time only moves when a test says so.
"""

from typing import NamedTuple

from bmv.adapters.sim.clock import SimClock
from bmv.adapters.sim.exchange import SimExchange, open_venue
from bmv.adapters.sim.params import QUEUE_BACK, VenueParams
from bmv.core.record import blank
from bmv.core.state import FAR_NS
from bmv.ports.messages import UNRECORDED, Event, Intent, Kind, Liquidity, Tif, Verb

BUY, SELL = 1, -1
POST_ONLY, LIMIT, IOC = Tif.POST_ONLY.value, Tif.LIMIT.value, Tif.IOC.value
MAKER, BY_QUOTE, TAKER = Liquidity.MAKER.name, Liquidity.MAKER_BY_QUOTE.name, Liquidity.TAKER.name
UNKNOWN_SIZE = UNRECORDED


class Fill(NamedTuple):
    """A fill, as a test wants to see it: ticks, lots, quanta, and which side of it we were."""

    order: int
    price: int
    size: int
    liquidity: str


def params(**told: float) -> VenueParams:
    """Return the params of a venue without delays and fees, `told` apart; its queue is `back`."""
    row = blank(VenueParams)
    usual: dict[str, float] = {
        "half": 1,
        "queue": QUEUE_BACK,
        "queue_power": 1,
        "lot": 1.0,
        "fill_on_quotes": 1,
        "seed": 1,
    }
    for name, value in (usual | told).items():
        setattr(row, name, value)
    return row


class Floor:
    """The simulated venue with a clock; every report that comes back is kept in `reports`."""

    def __init__(self, venue_params: VenueParams | None = None) -> None:
        self.clock = SimClock()
        self.clock.advance(0)
        self.exchange = SimExchange(open_venue(venue_params or params()), self.clock)
        self.reports: list[Event] = []

    # What happens at the market.

    def quote(self, bid: int, bid_size: int, ask: int, ask_size: int) -> None:
        """Let a new top of the book happen."""
        self._row(Kind.QUOTE, 0, 0, 0, bid, bid_size, ask, ask_size)

    def trade(self, side: int, price: int, size: int) -> None:
        """Let a print happen; `side` is the aggressor's."""
        self._row(Kind.TRADE, side, price, size, 0, 0, 0, 0)

    def depth(self, side: int, price: int, size: int) -> None:
        """Let one level of the book show `size`."""
        self._row(Kind.DEPTH, side, price, size, 0, 0, 0, 0)

    def clear(self) -> None:
        """Let the whole book be empty."""
        self._row(Kind.DEPTH, 0, 0, 0, 0, 0, 0, 0)

    def wait(self, ns: int) -> None:
        """Let some time pass."""
        self.clock.advance(self.clock.now_ns() + ns)

    # What we ask for.

    def send(self, *batch: Intent) -> None:
        """Put a batch on its way, and leave it there."""
        self.exchange.submit(batch)

    def place(self, order: int, side: int, price: int, size: int, tif: int = POST_ONLY) -> None:
        """Place one order and let it arrive."""
        self.send(placed(order, side, price, size, tif))
        self.flush()

    def cancel(self, order: int) -> None:
        """Cancel one order and let the cancel arrive."""
        self.send(cancelled(order))
        self.flush()

    # What comes of it.

    def flush(self) -> None:
        """Let everything on its way arrive, intents first, then reports."""
        while self.exchange.next_arrival_ns != FAR_NS:
            self.exchange.arrive()
        self.listen()

    def listen(self) -> None:
        """Take every report that is on its way to us."""
        while self.exchange.next_report_ns != FAR_NS:
            self.reports.append(self.exchange.deliver())

    @property
    def words(self) -> list[tuple[str, int, int]]:
        """What was reported since the beginning, as (kind, order, size)."""
        return [(Kind(r.kind).name, r.order, r.size) for r in self.reports]

    @property
    def fills(self) -> list[Fill]:
        """The fills since the beginning."""
        fills = (r for r in self.reports if r.kind == Kind.FILLED)
        return [Fill(r.order, r.price, r.size, Liquidity(r.code).name) for r in fills]

    @property
    def ahead(self) -> list[float]:
        """What stands before each of our orders, lots, in the order of their acceptance; below 0: not known."""
        venue = self.exchange.sim.venue
        return [float(lots) for lots in venue.ahead[: venue.n_book]]

    def _row(self, kind: Kind, *fields: int) -> None:
        side, price, size, bid, bid_size, ask, ask_size = fields
        self.exchange.row(self.clock.now_ns(), kind.value, side, price, size, bid, bid_size, ask, ask_size)
        self.listen()


def placed(order: int, side: int, price: int, size: int, tif: int = POST_ONLY) -> Intent:
    """Return the intent that places an order."""
    return Intent(Verb.PLACE.value, 0, order, side, price, size, -1, tif)


def cancelled(order: int) -> Intent:
    """Return the intent that cancels an order."""
    return Intent(Verb.CANCEL.value, 0, order)


def all_cancelled() -> Intent:
    """Return the intent that cancels everything."""
    return Intent(Verb.CANCEL_ALL.value, 0)
