"""What rows of the tape do to our orders at the simulated venue: prints fill them, quotes meet them, levels change.

What this venue leaves out, said where it is left out: our fills take nothing from the tape (a print that filled us also
filled whom it filled); a quote is believed for what it shows at its own time.
"""

from math import ceil

from bmv.adapters.sim.depth import drop_passed, note_crossing, set_level
from bmv.adapters.sim.in_flight import report
from bmv.adapters.sim.queue import UNKNOWN, join, shrink
from bmv.adapters.sim.venue import (
    B_LEFT,
    B_ORDER,
    B_PRICE,
    B_SIDE,
    BOOK_COLUMNS,
    D_PRICE,
    D_SIZE,
    Sim,
    Venue,
)
from bmv.core.accounting import fee, notional
from bmv.core.kernel import inlined, kernel
from bmv.core.mid import mark_quote, mark_trade
from bmv.core.params import ASKS, BIDS
from bmv.core.state import BOUNDLESS_LOTS, FAR_TICKS
from bmv.ports.messages import Event, Kind, Liquidity

_TRADE = Kind.TRADE.value
_QUOTE = Kind.QUOTE.value
_DEPTH = Kind.DEPTH.value
_FILLED = Kind.FILLED.value
_MAKER = Liquidity.MAKER.value
_MAKER_BY_QUOTE = Liquidity.MAKER_BY_QUOTE.value
_ROUNDING = 1e-9  # Lots that the estimate of a queue, a sum of floats, may be off by.


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
def on_trade(sim: Sim, now_ns: int, side: int, price: int, size: int) -> None:
    """Let a print of the tape run through our orders.

    Through our price it fills us whatever its aggressor and whatever the queue; at our price only when the aggressor is
    on the other side, and the queue first. It fills at most its own size over all our orders, best price first.
    """
    venue = sim.venue
    if price <= venue.best_bid or price >= venue.best_ask:
        by = aggressor(venue, side, price)
        ours = 1 if price <= venue.best_bid else -1
        _print(sim, now_ns, ours, by, price, size)
        drop_filled(venue)
    if venue.last_price != 0 and price != venue.last_price:
        venue.last_side = 1 if price > venue.last_price else -1
    venue.last_price = price
    mark_trade(venue, price)


@kernel
def _print(sim: Sim, now_ns: int, ours: int, by: int, price: int, size: int) -> None:
    """Fill our orders of side `ours` that a print goes through, best price first, then those at its price."""
    venue = sim.venue
    left = size
    level = _next_price(venue, ours, ours * FAR_TICKS)
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
def _print_at(sim: Sim, now_ns: int, ours: int, price: int, size: int) -> None:
    """Let `size` lots print at our price: first what stands before each order, then the order, in queue order."""
    venue = sim.venue
    filled = 0
    for i in range(venue.n_book):
        if venue.book[i, B_SIDE] != ours or venue.book[i, B_PRICE] != price or venue.ahead[i] < 0.0:
            continue
        reaching = size - filled
        mine = min(venue.book[i, B_LEFT], reaching - ceil(venue.ahead[i] - _ROUNDING))
        venue.ahead[i] = max(0.0, venue.ahead[i] - float(reaching))
        venue.traded[i] += size
        if mine > 0:
            filled += mine
            _maker_fill(sim, now_ns, i, mine, _MAKER)


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
def _next_price(venue: Venue, ours: int, beyond: int) -> int:
    """Return our best price of side `ours` that is worse than `beyond`; 0 when there is none."""
    best = 0
    for i in range(venue.n_book):
        price = venue.book[i, B_PRICE]
        if venue.book[i, B_SIDE] == ours and ours * (beyond - price) > 0 and (best == 0 or ours * (price - best) > 0):
            best = price
    return best


@inlined
def on_quote(sim: Sim, now_ns: int, bid: int, bid_size: int, ask: int, ask_size: int) -> None:
    """Take in a new top of the book. Locked and crossed rows fill nobody and move no queue."""
    venue = sim.venue
    venue.bid = bid
    venue.bid_size = bid_size
    venue.ask = ask
    venue.ask_size = ask_size
    if now_ns != venue.cleared_ns:  # A snapshot that shows the same touch again brings nothing new to trade with.
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
    mark_quote(venue, bid, ask)


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
    level = _next_price(venue, ours, ours * FAR_TICKS)
    while level != 0 and ours * (level - touch) >= 0:
        for i in range(venue.n_book):
            if venue.book[i, B_SIDE] == ours and venue.book[i, B_PRICE] == level:
                filled = min(venue.book[i, B_LEFT], available(venue, ours))
                if filled > 0:
                    note_taken(venue, ours, filled)
                    _maker_fill(sim, now_ns, i, filled, _MAKER_BY_QUOTE)
        level = _next_price(venue, ours, level)
    drop_filled(venue)


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
def on_depth(sim: Sim, now_ns: int, side: int, price: int, size: int) -> None:
    """Take in a change of one level of the book; side 0 clears it. The touch follows from the levels.

    An order's queue is what its level shows when it joins, and shrinks with every change of that level; from the first
    such row on, the touch alone moves no queue. Until a row has cleared the book, the touch is the best of the levels
    named so far, which may be worse than the market's.
    """
    venue = sim.venue
    if side == 0:
        venue.n_bids = 0
        venue.n_asks = 0
        venue.whole = 1
        venue.cleared_ns = now_ns
    else:
        if size > 0:
            drop_passed(venue, now_ns)
        before = set_level(venue, side, price, size)
        for i in range(venue.n_book):
            if venue.book[i, B_SIDE] == side and venue.book[i, B_PRICE] == price:
                _reshow(sim, i, before, size)
    note_crossing(venue, now_ns, side)
    venue.deep = 1
    bid = venue.depth[BIDS, 0, D_PRICE] if venue.n_bids > 0 else 0
    ask = venue.depth[ASKS, 0, D_PRICE] if venue.n_asks > 0 else 0
    bid_size = venue.depth[BIDS, 0, D_SIZE] if venue.n_bids > 0 else 0
    ask_size = venue.depth[ASKS, 0, D_SIZE] if venue.n_asks > 0 else 0
    on_quote(sim, now_ns, bid, bid_size, ask, ask_size)


@kernel
def available(venue: Venue, side: int) -> int:
    """Return the lots that an order of `side` can still take at the touch it meets: shown, less what we took there.

    A size that was not recorded fills whatever meets it.
    """
    if side > 0:
        if venue.ask_size < 0:
            return BOUNDLESS_LOTS
        return max(0, venue.ask_size - (venue.taken_ask if venue.taken_ask_price == venue.ask else 0))
    if venue.bid_size < 0:
        return BOUNDLESS_LOTS
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
def _maker_fill(sim: Sim, now_ns: int, at: int, size: int, code: int) -> None:
    """Fill `size` lots of the order at index `at` at its own price."""
    venue = sim.venue
    price = venue.book[at, B_PRICE]
    cost = fee(notional(sim.params.half, sim.params.divisor, price, size), sim.params.maker_fee_e8)
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
def drop_filled(venue: Venue) -> None:
    """Take the orders of which nothing is left out of the book, and find our best prices again."""
    kept = 0
    best_bid = 0
    best_ask = FAR_TICKS
    for i in range(venue.n_book):
        if venue.book[i, B_LEFT] == 0:
            continue
        if kept != i:
            for c in range(BOOK_COLUMNS):
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
