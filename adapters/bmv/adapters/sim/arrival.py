"""What becomes of an intent that reaches the venue: it rests, takes, is rejected, or ends what rests.

Nobody reacts to our orders: the book is what the tape shows, whatever we do in it.
"""

from bmv.adapters.sim.depth import shown_at
from bmv.adapters.sim.in_flight import report
from bmv.adapters.sim.matching import available, drop_filled, note_taken
from bmv.adapters.sim.queue import join
from bmv.adapters.sim.venue import (
    B_LEFT,
    B_ORDER,
    B_PRICE,
    B_SIDE,
    D_PRICE,
    D_SIZE,
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
from bmv.core.accounting import fee, notional
from bmv.core.kernel import kernel
from bmv.core.params import ASKS, BIDS
from bmv.core.state import FAR_NS
from bmv.ports.messages import Kind, Liquidity, Reason, Tif, Verb

_ACCEPTED = Kind.ACCEPTED.value
_FILLED = Kind.FILLED.value
_CANCELLED = Kind.CANCELLED.value
_REJECTED = Kind.REJECTED.value
_EXPIRED = Kind.EXPIRED.value
_PLACE = Verb.PLACE.value
_CANCEL = Verb.CANCEL.value
_TAKER = Liquidity.TAKER.value
_WOULD_CROSS = Reason.WOULD_CROSS.value
_POST_ONLY = Tif.POST_ONLY.value
_IOC = Tif.IOC.value


@kernel
def arrive(sim: Sim) -> None:
    """Let the next intent reach the venue. A cancel of an order that has ended says nothing: its end is on its way."""
    venue = sim.venue
    at = venue.sends_tail & (SENDS_MAX - 1)
    venue.sends_tail += 1
    if venue.sends_tail == venue.sends_head:
        venue.next_arrival_ns = FAR_NS
    else:
        venue.next_arrival_ns = venue.sends[venue.sends_tail & (SENDS_MAX - 1), S_ARRIVES_NS]
    now_ns = venue.sends[at, S_ARRIVES_NS]
    verb = venue.sends[at, S_VERB]
    if verb == _PLACE:
        _accept(
            sim,
            now_ns,
            venue.sends[at, S_ORDER],
            venue.sends[at, S_SIDE],
            venue.sends[at, S_PRICE],
            venue.sends[at, S_SIZE],
            venue.sends[at, S_TIF],
        )
        return
    for i in range(venue.n_book):
        if verb != _CANCEL or venue.book[i, B_ORDER] == venue.sends[at, S_ORDER]:
            report(
                sim,
                _CANCELLED,
                now_ns,
                venue.book[i, B_ORDER],
                venue.book[i, B_SIDE],
                venue.book[i, B_PRICE],
                venue.book[i, B_LEFT],
                0,
                0,
            )
            venue.book[i, B_LEFT] = 0
    drop_filled(venue)


@kernel
def _accept(sim: Sim, now_ns: int, order: int, side: int, price: int, size: int, tif: int) -> None:
    """Take, rest, reject or expire an order that arrives, by the book as it stands."""
    venue = sim.venue
    crosses = (side > 0 and 0 < venue.ask <= price) or (side < 0 and venue.bid >= price)
    if crosses and tif == _POST_ONLY:
        report(sim, _REJECTED, now_ns, order, side, price, size, 0, _WOULD_CROSS)
        return
    report(sim, _ACCEPTED, now_ns, order, side, price, size, 0, 0)
    left = size
    if crosses:
        left = _take(sim, now_ns, order, side, price, size)
    if left == 0:
        return
    if tif == _IOC:
        report(sim, _EXPIRED, now_ns, order, side, price, left, 0, 0)
        return
    at = venue.n_book
    venue.book[at, B_ORDER] = order
    venue.book[at, B_SIDE] = side
    venue.book[at, B_PRICE] = price
    venue.book[at, B_LEFT] = left
    venue.ahead[at] = join(sim.params, _shown(venue, side, price))
    venue.traded[at] = 0
    venue.n_book += 1
    if side > 0:
        venue.best_bid = max(venue.best_bid, price)
    else:
        venue.best_ask = min(venue.best_ask, price)


@kernel
def _shown(venue: Venue, side: int, price: int) -> int:
    """Return the lots that the book shows at our side's `price`, -1 where it does not say.

    With the touch alone: the shown size at the best price, none inside the spread, unknown deeper. With depth: the
    size of the level, as far as the levels reach; at the best price, the size in the last row, quotes included.
    """
    best = venue.bid if side > 0 else venue.ask
    if best != 0 and price == best:
        return venue.bid_size if side > 0 else venue.ask_size
    if venue.deep != 0:
        return shown_at(venue, side, price)
    if best == 0:
        return -1
    return 0 if side * (price - best) > 0 else -1


@kernel
def _take(sim: Sim, now_ns: int, order: int, side: int, price: int, size: int) -> int:
    """Trade an order that crosses with what is shown, at the taker fee; return what is left of it.

    With the touch alone it takes what the touch shows and we have not taken before; with depth it walks the levels.
    What we took of the deeper levels is not remembered: a later order meets them whole.
    """
    venue = sim.venue
    left = size
    touch = venue.ask if side > 0 else venue.bid
    take = min(left, available(venue, side))
    if take > 0:
        note_taken(venue, side, take)
        left -= take
        _taker_fill(sim, now_ns, order, side, touch, take)
    if venue.deep == 0:
        return left
    row = ASKS if side > 0 else BIDS
    levels = venue.n_asks if side > 0 else venue.n_bids
    for k in range(levels):
        level_price = venue.depth[row, k, D_PRICE]
        if side * (level_price - touch) <= 0:
            continue  # The touch is taken, and a quote may have said since that it is farther than the levels say.
        if left == 0 or side * (level_price - price) > 0:
            break
        take = min(left, venue.depth[row, k, D_SIZE])
        left -= take
        _taker_fill(sim, now_ns, order, side, level_price, take)
    return left


@kernel
def _taker_fill(sim: Sim, now_ns: int, order: int, side: int, price: int, size: int) -> None:
    cost = fee(notional(sim.params.half, sim.params.divisor, price, size), sim.params.taker_fee_e8)
    report(sim, _FILLED, now_ns, order, side, price, size, cost, _TAKER)
