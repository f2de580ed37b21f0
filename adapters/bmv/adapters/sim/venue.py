"""What the simulated venue remembers: the market's book, our orders in it, and what is on its way."""

from typing import Annotated, NamedTuple

from bmv.adapters.sim.params import VenueParams
from bmv.core.params import ORDERS_MAX
from bmv.core.record import FloatTable, Table, blank
from bmv.core.state import FAR_NS, FAR_TICKS, NEVER_NS

SENDS_MAX = 4096  # An order is on its way at most twice, placed and cancelled: three times ORDERS_MAX would do.
REPORTS_MAX = 1 << 16  # Reports on their way to us at once, at the most; a run that needs more is refused.
DEPTH_MAX = 2048  # Levels of one side that are kept; farther ones are forgotten.
REPORTS_PER_ROW = ORDERS_MAX + 1  # A row of the tape fills each of our orders once at the most.
REPORTS_PER_ARRIVAL = 4 * REPORTS_PER_ROW  # In whole rows, so that a driver that counts rows gives up when we do.
assert max(ORDERS_MAX, DEPTH_MAX + 2) <= REPORTS_PER_ARRIVAL  # An intent ends every order, or takes every level.

# Columns of `Venue.book`: our orders, in the order of their acceptance.
BOOK_COLUMNS = 4
B_ORDER, B_SIDE, B_PRICE, B_LEFT = range(BOOK_COLUMNS)

# Last columns of `Venue.depth`, whose rows are `BIDS` and `ASKS`.
DEPTH_COLUMNS = 2
D_PRICE, D_SIZE = range(DEPTH_COLUMNS)

# Columns of `Venue.sends`: intents on their way to the venue.
SEND_COLUMNS = 7
S_ARRIVES_NS, S_VERB, S_ORDER, S_SIDE, S_PRICE, S_SIZE, S_TIF = range(SEND_COLUMNS)

# Columns of `Venue.reports`: reports on their way to us.
REPORT_COLUMNS = 9
R_KNOWN_NS, R_KIND, R_VENUE_NS, R_ORDER, R_SIDE, R_PRICE, R_SIZE, R_FEE, R_CODE = range(REPORT_COLUMNS)


class Venue:
    """One row; see :mod:`bmv.core.record`. Prices in ticks, sizes in lots, times in ns."""

    # The market's book: the touch, the mid as the rulings define it, and what the tick rule needs.
    bid: int
    bid_size: int
    ask: int
    ask_size: int
    mid2: int
    quoted: int
    last_price: int
    last_side: int  # Side of the last change of trade price; 0: none yet.

    # The touch as the last row showed it that was neither locked nor crossed: what queues are measured by.
    shown_bid: int
    shown_bid_size: int
    shown_ask: int
    shown_ask_size: int

    # What we took of the shown touch, until its price changes.
    taken_bid_price: int
    taken_bid: int
    taken_ask_price: int
    taken_ask: int

    # Depth, where the tape has it: [bids, asks] x level x [price, size], best first.
    deep: int
    whole: int  # 1 once a row cleared the book: the levels told since are all there are.
    cleared_ns: int  # When a row last cleared it: the rows of that instant build up what was there.
    crossed_ns: int  # Since when its bids and asks meet; NEVER_NS: they don't.
    crosser: int  # The side whose row made them meet.
    crossed_total_ns: int  # How long they have met in all.
    levels_passed: int  # Levels that the other side passed, and no row had removed by the next instant.
    n_bids: int
    n_asks: int
    depth: Annotated[Table, (2, DEPTH_MAX, DEPTH_COLUMNS)]

    # Our orders, what stands before each, and what was printed at its price since its size was last shown.
    n_book: int
    best_bid: int  # Our highest bid; 0: none.
    best_ask: int  # Our lowest ask; FAR_TICKS: none.
    book: Annotated[Table, (ORDERS_MAX, BOOK_COLUMNS)]
    ahead: Annotated[FloatTable, (ORDERS_MAX,)]
    traded: Annotated[Table, (ORDERS_MAX,)]

    # On their way.
    chance: int  # Last number of the generator.
    sends_head: int
    sends_tail: int
    last_arrival_ns: int
    next_arrival_ns: int  # When the next intent reaches the venue; FAR_NS: none is on its way.
    sends: Annotated[Table, (SENDS_MAX, SEND_COLUMNS)]
    reports_head: int
    reports_tail: int
    last_report_ns: int
    next_report_ns: int  # When the next report reaches us; FAR_NS: none is on its way.
    reports: Annotated[Table, (REPORTS_MAX, REPORT_COLUMNS)]


class Sim(NamedTuple):
    """The simulated venue in the pieces that its verbs share."""

    params: VenueParams
    venue: Venue


def opened(seed: int) -> Venue:
    """Return a venue that nothing has happened at."""
    venue = blank(Venue)
    venue.best_ask = FAR_TICKS
    venue.chance = seed
    venue.cleared_ns = NEVER_NS
    venue.crossed_ns = NEVER_NS
    venue.last_arrival_ns = NEVER_NS
    venue.last_report_ns = NEVER_NS
    venue.next_arrival_ns = FAR_NS
    venue.next_report_ns = FAR_NS
    return venue
