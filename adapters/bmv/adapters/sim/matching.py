"""The simulated venue's verbs: intents arrive, rows of the tape happen, and reports go out.

What this venue leaves out, said where it is left out: our fills take nothing from the tape (a print that filled us also
filled whom it filled); nobody reacts to our orders; a quote is believed for what it shows at its own time.
"""

from math import ceil
from typing import NamedTuple

from bmv.adapters.sim.latency import draw, entry_ns, response_ns
from bmv.adapters.sim.params import LATENCY_RANDOM, VenueParams
from bmv.adapters.sim.queue import UNKNOWN, join, shrink
from bmv.adapters.sim.venue import (
    B_LEFT,
    B_ORDER,
    B_PRICE,
    B_SIDE,
    DEPTH_MAX,
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
    Venue,
)
from bmv.core.accounting import fee, notional
from bmv.core.kernel import inlined, kernel
from bmv.core.record import Table
from bmv.core.state import FAR_NS
from bmv.ports.messages import Event, Kind, Liquidity, Reason, Tif, Verb

_TRADE = Kind.TRADE.value
_QUOTE = Kind.QUOTE.value
_DEPTH = Kind.DEPTH.value
_ACCEPTED = Kind.ACCEPTED.value
_FILLED = Kind.FILLED.value
_CANCELLED = Kind.CANCELLED.value
_REJECTED = Kind.REJECTED.value
_EXPIRED = Kind.EXPIRED.value
_PLACE = Verb.PLACE.value
_CANCEL = Verb.CANCEL.value
_MAKER = Liquidity.MAKER.value
_MAKER_BY_QUOTE = Liquidity.MAKER_BY_QUOTE.value
_TAKER = Liquidity.TAKER.value
_WOULD_CROSS = Reason.WOULD_CROSS.value
_POST_ONLY = Tif.POST_ONLY.value
_IOC = Tif.IOC.value
_ALL = 2**62  # A size that was not recorded fills whatever meets it.


class Sim(NamedTuple):
    """The simulated venue in the pieces that its verbs share."""

    params: VenueParams
    venue: Venue


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
        sends[at, S_VERB] = intents[i, 0]
        sends[at, S_ORDER] = intents[i, 2]
        sends[at, S_SIDE] = intents[i, 3]
        sends[at, S_PRICE] = intents[i, 4]
        sends[at, S_SIZE] = intents[i, 5]
        sends[at, S_TIF] = intents[i, 7]
        venue.sends_head += 1
    assert venue.sends_head - venue.sends_tail <= SENDS_MAX


@kernel
def report(
    sim: Sim,
    kind: int,
    now_ns: int,
    order: int,
    side: int,
    price: int,
    size: int,
    cost: int,
    code: int,
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
    _sweep(venue)


@kernel
def _accept(
    sim: Sim,
    now_ns: int,
    order: int,
    side: int,
    price: int,
    size: int,
    tif: int,
) -> None:
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
    size of the level, as far as the levels reach.
    """
    if venue.deep != 0:
        return _depth_at(venue, side, price)
    best = venue.bid if side > 0 else venue.ask
    if best == 0:
        return -1
    if price == best:
        return venue.bid_size if side > 0 else venue.ask_size
    return 0 if side * (price - best) > 0 else -1


@kernel
def _take(
    sim: Sim,
    now_ns: int,
    order: int,
    side: int,
    price: int,
    size: int,
) -> int:
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
    row = 1 if side > 0 else 0
    levels = venue.n_asks if side > 0 else venue.n_bids
    for k in range(1, levels):
        level_price = venue.depth[row, k, 0]
        if left == 0 or side * (level_price - price) > 0:
            break
        take = min(left, venue.depth[row, k, 1])
        left -= take
        _taker_fill(sim, now_ns, order, side, level_price, take)
    return left


@kernel
def _taker_fill(
    sim: Sim,
    now_ns: int,
    order: int,
    side: int,
    price: int,
    size: int,
) -> None:
    cost = fee(notional(sim.params.half, price, size), sim.params.taker_fee_e8)
    report(sim, _FILLED, now_ns, order, side, price, size, cost, _TAKER)


@kernel
def available(venue: Venue, side: int) -> int:
    """Return the lots that an order of `side` can still take at the touch it meets: shown, less what we took there."""
    if side > 0:
        if venue.ask_size < 0:
            return _ALL
        return max(0, venue.ask_size - (venue.taken_ask if venue.taken_ask_price == venue.ask else 0))
    if venue.bid_size < 0:
        return _ALL
    return max(0, venue.bid_size - (venue.taken_bid if venue.taken_bid_price == venue.bid else 0))


@kernel
def note_taken(venue: Venue, side: int, size: int) -> None:
    """Remember that an order of `side` took `size` lots of the touch it met."""
    if side > 0:
        if venue.taken_ask_price != venue.ask:
            venue.taken_ask_price = venue.ask
            venue.taken_ask = 0
        venue.taken_ask += size
    else:
        if venue.taken_bid_price != venue.bid:
            venue.taken_bid_price = venue.bid
            venue.taken_bid = 0
        venue.taken_bid += size


@kernel
def _maker_fill(
    sim: Sim,
    now_ns: int,
    at: int,
    size: int,
    code: int,
) -> None:
    """Fill `size` lots of the order at index `at` at its own price."""
    venue = sim.venue
    price = venue.book[at, B_PRICE]
    cost = fee(notional(sim.params.half, price, size), sim.params.maker_fee_e8)
    venue.book[at, B_LEFT] -= size
    report(
        sim,
        _FILLED,
        now_ns,
        venue.book[at, B_ORDER],
        venue.book[at, B_SIDE],
        price,
        size,
        cost,
        code,
    )


@kernel
def _sweep(venue: Venue) -> None:
    """Take the orders of which nothing is left out of the book, and find our best prices again."""
    kept = 0
    best_bid = 0
    best_ask = FAR_NS
    for i in range(venue.n_book):
        if venue.book[i, B_LEFT] == 0:
            continue
        if kept != i:
            for c in range(4):
                venue.book[kept, c] = venue.book[i, c]
            venue.ahead[kept] = venue.ahead[i]
            venue.traded[kept] = venue.traded[i]
        if venue.book[kept, B_SIDE] > 0:
            best_bid = max(best_bid, venue.book[kept, B_PRICE])
        else:
            best_ask = min(best_ask, venue.book[kept, B_PRICE])
        kept += 1
    venue.n_book = kept
    venue.best_bid = best_bid
    venue.best_ask = best_ask


@kernel
def aggressor(venue: Venue, side: int, price: int) -> int:
    """Return who was the aggressor of a print: as recorded, else by the quote rule, then the tick rule.

    Lee and Ready, Inferring Trade Direction from Intraday Data, Journal of Finance 46 (1991): above the mid of the
    quote before the print a buyer, below it a seller; at the mid, or without a quote, by the last change of price.
    0 when neither tells.
    """
    if side != 0:
        return side
    if venue.quoted != 0 and 2 * price != venue.mid2:
        return 1 if 2 * price > venue.mid2 else -1
    if venue.last_price != 0 and price != venue.last_price:
        return 1 if price > venue.last_price else -1
    return venue.last_side


@kernel
def on_trade(
    sim: Sim,
    now_ns: int,
    side: int,
    price: int,
    size: int,
) -> None:
    """Let a print of the tape run through our orders.

    Through our price it fills us whatever its aggressor and whatever the queue; at our price only when the aggressor is
    on the other side, and the queue first. It fills at most its own size over all our orders, best price first.
    """
    venue = sim.venue
    if price <= venue.best_bid or price >= venue.best_ask:
        by = aggressor(venue, side, price)
        ours = 1 if price <= venue.best_bid else -1
        _print(sim, now_ns, ours, by, price, size)
        _sweep(venue)
    if venue.last_price != 0 and price != venue.last_price:
        venue.last_side = 1 if price > venue.last_price else -1
    venue.last_price = price
    if venue.quoted == 0:
        venue.mid2 = 2 * price


@kernel
def _next_price(venue: Venue, ours: int, beyond: int) -> int:
    """Return our best price of side `ours` that is worse than `beyond`; 0 when there is none."""
    best = 0
    for i in range(venue.n_book):
        price = venue.book[i, B_PRICE]
        if venue.book[i, B_SIDE] == ours and ours * (beyond - price) > 0 and (best == 0 or ours * (price - best) > 0):
            best = price
    return best


@kernel
def _print(
    sim: Sim,
    now_ns: int,
    ours: int,
    by: int,
    price: int,
    size: int,
) -> None:
    venue = sim.venue
    left = size
    level = _next_price(venue, ours, ours * FAR_NS)
    while level != 0 and left > 0 and ours * (level - price) >= 0:
        if level == price:
            if by == -ours:
                _print_at(sim, now_ns, ours, price, left)
            return
        for i in range(venue.n_book):
            if venue.book[i, B_SIDE] == ours and venue.book[i, B_PRICE] == level and left > 0:
                filled = min(left, venue.book[i, B_LEFT])
                left -= filled
                _maker_fill(sim, now_ns, i, filled, _MAKER)
        level = _next_price(venue, ours, level)


@kernel
def _print_at(
    sim: Sim,
    now_ns: int,
    ours: int,
    price: int,
    size: int,
) -> None:
    """Let `size` lots print at our price: first what stands before each order, then the order, in queue order."""
    venue = sim.venue
    filled = 0
    for i in range(venue.n_book):
        if venue.book[i, B_SIDE] != ours or venue.book[i, B_PRICE] != price or venue.ahead[i] < 0.0:
            continue
        reaching = size - filled
        mine = min(venue.book[i, B_LEFT], reaching - ceil(venue.ahead[i] - 1e-9))
        venue.ahead[i] = max(0.0, venue.ahead[i] - float(reaching))
        venue.traded[i] += size
        if mine > 0:
            filled += mine
            _maker_fill(sim, now_ns, i, mine, _MAKER)


@inlined
def on_quote(
    sim: Sim,
    now_ns: int,
    bid: int,
    bid_size: int,
    ask: int,
    ask_size: int,
) -> None:
    """Take in a new top of the book. Locked and crossed rows fill nobody and move no queue."""
    venue = sim.venue
    venue.bid = bid
    venue.bid_size = bid_size
    venue.ask = ask
    venue.ask_size = ask_size
    if venue.taken_ask_price != ask:
        venue.taken_ask_price = 0
    if venue.taken_bid_price != bid:
        venue.taken_bid_price = 0
    if bid < ask or ask == 0:
        if venue.n_book > 0:
            _meet(sim, now_ns)
        venue.shown_bid = bid
        venue.shown_bid_size = bid_size
        venue.shown_ask = ask
        venue.shown_ask_size = ask_size
    if bid > 0 and ask >= bid:
        venue.mid2 = bid + ask
        venue.quoted = 1


@kernel
def _meet(sim: Sim, now_ns: int) -> None:
    """Let our orders meet a new touch: fill those it has come to, move the queues of those at it."""
    venue = sim.venue
    if sim.params.fill_on_quotes != 0:
        if 0 < venue.ask <= venue.best_bid:
            _cross(sim, now_ns, 1)
        if venue.bid >= venue.best_ask:
            _cross(sim, now_ns, -1)
    if venue.deep == 0 and 0 < venue.bid <= venue.best_bid:
        _queue(sim, 1, venue.bid, venue.bid_size, venue.shown_bid, venue.shown_bid_size)
    if venue.deep == 0 and venue.ask >= venue.best_ask:
        _queue(sim, -1, venue.ask, venue.ask_size, venue.shown_ask, venue.shown_ask_size)


@kernel
def _cross(sim: Sim, now_ns: int, ours: int) -> None:
    """Fill our orders of side `ours` that the other side's touch has come to, up to what it shows."""
    venue = sim.venue
    touch = venue.ask if ours > 0 else venue.bid
    level = _next_price(venue, ours, ours * FAR_NS)
    while level != 0 and ours * (level - touch) >= 0:
        for i in range(venue.n_book):
            if venue.book[i, B_SIDE] == ours and venue.book[i, B_PRICE] == level:
                filled = min(venue.book[i, B_LEFT], available(venue, ours))
                if filled > 0:
                    note_taken(venue, ours, filled)
                    _maker_fill(sim, now_ns, i, filled, _MAKER_BY_QUOTE)
        level = _next_price(venue, ours, level)
    _sweep(venue)


@kernel
def _queue(sim: Sim, ours: int, best: int, shown: int, before: int, before_shown: int) -> None:
    """Let the shown best price of our side tell what stands before our orders.

    At the best price: the shown size, or less if less was before us. A best worse than ours: nobody. A best better than
    ours says nothing.
    """
    venue = sim.venue
    for i in range(venue.n_book):
        if venue.book[i, B_SIDE] != ours:
            continue
        price = venue.book[i, B_PRICE]
        if ours * (price - best) > 0:
            venue.ahead[i] = 0.0
            venue.traded[i] = 0
        elif price == best and shown >= 0:
            _reshow(sim, i, before_shown if before == best and before_shown >= 0 else shown, shown)


@kernel
def _reshow(sim: Sim, at: int, before: int, shown: int) -> None:
    """Let a price show `shown` lots, after `before`, to our order at index `at`."""
    venue = sim.venue
    if venue.ahead[at] == UNKNOWN:
        venue.ahead[at] = join(sim.params, shown)
    else:
        venue.ahead[at] = shrink(sim.params, venue.ahead[at], before, shown, venue.traded[at])
    venue.traded[at] = 0


@kernel
def _depth_at(venue: Venue, side: int, price: int) -> int:
    """Return the size that the depth shows at `price`, 0 between two levels, -1 beyond the last of a full side."""
    row = 0 if side > 0 else 1
    levels = venue.n_bids if side > 0 else venue.n_asks
    for k in range(levels):
        level_price = venue.depth[row, k, 0]
        if level_price == price:
            return int(venue.depth[row, k, 1])
        if side * (level_price - price) < 0:
            return 0
    return -1 if levels == DEPTH_MAX else 0


@kernel
def _set_level(venue: Venue, side: int, price: int, size: int) -> int:
    """Let the level at `price` show `size` lots, 0: gone; return what it showed before."""
    row = 0 if side > 0 else 1
    levels = venue.n_bids if side > 0 else venue.n_asks
    depth = venue.depth
    at = 0
    while at < levels and side * (depth[row, at, 0] - price) > 0:
        at += 1
    before = 0
    if at < levels and depth[row, at, 0] == price:
        before = depth[row, at, 1]
        depth[row, at, 1] = size
        if size == 0:
            levels -= 1
            for k in range(at, levels):
                depth[row, k, 0] = depth[row, k + 1, 0]
                depth[row, k, 1] = depth[row, k + 1, 1]
    elif size > 0 and at < DEPTH_MAX:
        levels = min(levels + 1, DEPTH_MAX)
        for k in range(levels - 1, at, -1):
            depth[row, k, 0] = depth[row, k - 1, 0]
            depth[row, k, 1] = depth[row, k - 1, 1]
        depth[row, at, 0] = price
        depth[row, at, 1] = size
    if side > 0:
        venue.n_bids = levels
    else:
        venue.n_asks = levels
    return before


@kernel
def on_depth(
    sim: Sim,
    now_ns: int,
    side: int,
    price: int,
    size: int,
) -> None:
    """Take in a change of one level of the book; side 0 clears it. The touch follows from the levels.

    Where the sizes of all levels are known, an order's queue is what its level shows when it joins, and shrinks with
    every change of that level; from the first such row on, the touch alone moves no queue.
    """
    venue = sim.venue
    if side == 0:
        venue.n_bids = 0
        venue.n_asks = 0
    else:
        before = _set_level(venue, side, price, size)
        for i in range(venue.n_book):
            if venue.book[i, B_SIDE] == side and venue.book[i, B_PRICE] == price:
                _reshow(sim, i, before, size)
    venue.deep = 1
    bid = venue.depth[0, 0, 0] if venue.n_bids > 0 else 0
    ask = venue.depth[1, 0, 0] if venue.n_asks > 0 else 0
    bid_size = venue.depth[0, 0, 1] if venue.n_bids > 0 else 0
    ask_size = venue.depth[1, 0, 1] if venue.n_asks > 0 else 0
    on_quote(sim, now_ns, bid, bid_size, ask, ask_size)


@inlined
def happen_quote(sim: Sim, now_ns: int, bid: int, bid_size: int, ask: int, ask_size: int) -> Event:
    """Let a new top of the book happen at the venue; return the event it is to the core, which hears it at once."""
    on_quote(sim, now_ns, bid, bid_size, ask, ask_size)
    return Event(_QUOTE, now_ns, now_ns, 0, 0, 0, 0, bid, bid_size, ask, ask_size, 0, 0)


@inlined
def happen_trade(sim: Sim, now_ns: int, side: int, price: int, size: int) -> Event:
    """Let a print happen at the venue; return the event it is to the core."""
    on_trade(sim, now_ns, side, price, size)
    return Event(_TRADE, now_ns, now_ns, 0, side, price, size, 0, 0, 0, 0, 0, 0)


@kernel
def happen_depth(sim: Sim, now_ns: int, side: int, price: int, size: int) -> Event:
    """Let one level of the book change at the venue; return the event it is to the core, the top after it included."""
    on_depth(sim, now_ns, side, price, size)
    v = sim.venue
    return Event(_DEPTH, now_ns, now_ns, 0, side, price, size, v.bid, v.bid_size, v.ask, v.ask_size, 0, 0)


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
