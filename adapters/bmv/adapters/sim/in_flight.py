"""What is on its way: our intents to the venue, and its reports to us. Nothing overtakes what was sent before it."""

from bmv.adapters.sim.latency import draw, entry_ns, response_ns
from bmv.adapters.sim.params import LATENCY_RANDOM
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
    S_ARRIVES_NS,
    S_ORDER,
    S_PRICE,
    S_SIDE,
    S_SIZE,
    S_TIF,
    S_VERB,
    SENDS_MAX,
    Sim,
    Venue,
)
from bmv.core.kernel import kernel
from bmv.core.record import Table
from bmv.core.state import FAR_NS, I_ORDER, I_PRICE, I_SIDE, I_SIZE, I_TIF, I_VERB
from bmv.ports.messages import Event


@kernel
def send(sim: Sim, intents: Table, n: int, now_ns: int) -> None:
    """Put the `n` intents of one step on their way, as one batch with one draw of the entry latency.

    No batch overtakes an earlier one.
    """
    venue = sim.venue
    if sim.params.entry_model == LATENCY_RANDOM:
        venue.chance = draw(venue.chance)
    arrives_ns = now_ns + entry_ns(sim.params, venue.chance, now_ns)
    arrives_ns = max(arrives_ns, venue.last_arrival_ns)
    venue.last_arrival_ns = arrives_ns
    venue.next_arrival_ns = min(venue.next_arrival_ns, arrives_ns)
    sends = venue.sends
    for i in range(n):
        at = venue.sends_head & (SENDS_MAX - 1)
        sends[at, S_ARRIVES_NS] = arrives_ns
        sends[at, S_VERB] = intents[i, I_VERB]
        sends[at, S_ORDER] = intents[i, I_ORDER]
        sends[at, S_SIDE] = intents[i, I_SIDE]
        sends[at, S_PRICE] = intents[i, I_PRICE]
        sends[at, S_SIZE] = intents[i, I_SIZE]
        sends[at, S_TIF] = intents[i, I_TIF]
        venue.sends_head += 1
    assert venue.sends_head - venue.sends_tail <= SENDS_MAX


@kernel
def report(
    sim: Sim, kind: int, now_ns: int, order: int, side: int, price: int, size: int, cost: int, code: int
) -> None:
    """Put a report on its way to us; it does not overtake an earlier one. The ring must have room."""
    venue = sim.venue
    reports = venue.reports
    if sim.params.response_model == LATENCY_RANDOM:
        venue.chance = draw(venue.chance)
    known_ns = now_ns + response_ns(sim.params, venue.chance, now_ns)
    venue.last_report_ns = max(known_ns, venue.last_report_ns)
    venue.next_report_ns = min(venue.next_report_ns, venue.last_report_ns)
    at = venue.reports_head & (REPORTS_MAX - 1)
    reports[at, R_KNOWN_NS] = venue.last_report_ns
    reports[at, R_KIND] = kind
    reports[at, R_VENUE_NS] = now_ns
    reports[at, R_ORDER] = order
    reports[at, R_SIDE] = side
    reports[at, R_PRICE] = price
    reports[at, R_SIZE] = size
    reports[at, R_FEE] = cost
    reports[at, R_CODE] = code
    venue.reports_head += 1


@kernel
def deliver(venue: Venue) -> Event:
    """Take the next report off its way and return it as the event it is to the core."""
    row = venue.reports[venue.reports_tail & (REPORTS_MAX - 1)]
    venue.reports_tail += 1
    if venue.reports_tail == venue.reports_head:  # An empty ring starts again at its first rows, warm in the cache.
        venue.reports_tail = 0
        venue.reports_head = 0
        venue.next_report_ns = FAR_NS
    else:
        venue.next_report_ns = venue.reports[venue.reports_tail & (REPORTS_MAX - 1), R_KNOWN_NS]
    return Event(
        row[R_KIND],
        row[R_KNOWN_NS],
        row[R_VENUE_NS],
        row[R_ORDER],
        row[R_SIDE],
        row[R_PRICE],
        row[R_SIZE],
        0,
        0,
        0,
        0,
        row[R_FEE],
        row[R_CODE],
    )


@kernel
def report_room(venue: Venue) -> int:
    """Return how many more reports the ring can take."""
    return REPORTS_MAX - (venue.reports_head - venue.reports_tail)
