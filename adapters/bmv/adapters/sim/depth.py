"""The levels of the market's book, where the tape has them: one changes, and what one shows."""

from bmv.adapters.sim.venue import D_PRICE, D_SIZE, DEPTH_MAX, Venue
from bmv.core.kernel import kernel
from bmv.core.params import ASKS, BIDS
from bmv.core.state import NEVER_NS


@kernel
def shown_at(venue: Venue, side: int, price: int) -> int:
    """Return the size that the depth shows at `price`; at one that it does not name 0, or -1 where that says nothing.

    Levels that were never named are empty only if a row cleared the book before: a tape that begins in the middle of a
    book, or a window of one, says nothing of them. Beyond the last level of a full side nothing is known either.
    """
    row = BIDS if side > 0 else ASKS
    levels = venue.n_bids if side > 0 else venue.n_asks
    for k in range(levels):
        level_price = venue.depth[row, k, D_PRICE]
        if level_price == price:
            return int(venue.depth[row, k, D_SIZE])
        if side * (level_price - price) < 0:
            return 0 if venue.whole != 0 else -1
    return 0 if venue.whole != 0 and levels < DEPTH_MAX else -1


@kernel
def set_level(venue: Venue, side: int, price: int, size: int) -> int:
    """Let the level at `price` show `size` lots, 0: gone; return what it showed before."""
    row = BIDS if side > 0 else ASKS
    levels = venue.n_bids if side > 0 else venue.n_asks
    depth = venue.depth
    at = 0
    while at < levels and side * (depth[row, at, D_PRICE] - price) > 0:
        at += 1
    before = 0
    if at < levels and depth[row, at, D_PRICE] == price:
        before = depth[row, at, D_SIZE]
        depth[row, at, D_SIZE] = size
        if size == 0:
            levels -= 1
            for k in range(at, levels):
                depth[row, k, D_PRICE] = depth[row, k + 1, D_PRICE]
                depth[row, k, D_SIZE] = depth[row, k + 1, D_SIZE]
    elif size > 0 and at < DEPTH_MAX:
        levels = min(levels + 1, DEPTH_MAX)
        for k in range(levels - 1, at, -1):
            depth[row, k, D_PRICE] = depth[row, k - 1, D_PRICE]
            depth[row, k, D_SIZE] = depth[row, k - 1, D_SIZE]
        depth[row, at, D_PRICE] = price
        depth[row, at, D_SIZE] = size
    if side > 0:
        venue.n_bids = levels
    else:
        venue.n_asks = levels
    return before


@kernel
def drop_passed(venue: Venue, now_ns: int) -> None:
    """Take out the levels that a price of the other side has passed, and that no row of that instant removed.

    A feed may name the new best price before it removes what that price traded with: within one instant bids and asks
    may meet. Where they still do when a later row names a level, a removal is missing: rows were lost, or a recorder
    came back without a snapshot. An exchange would have matched the two, so the older levels go. Call it before the
    level of such a row is set; a row that removes a level may be the missing one.
    """
    if venue.crossed_ns != NEVER_NS and now_ns > venue.crossed_ns:
        venue.levels_passed += _drop_levels(venue, -venue.crosser)
        _uncross(venue, now_ns)


@kernel
def note_crossing(venue: Venue, now_ns: int, side: int) -> None:
    """Note whether bids and asks meet after a row of `side`; 0 for a row that cleared the book."""
    meets = _meets(venue)
    if venue.crossed_ns == NEVER_NS and meets:
        venue.crossed_ns = now_ns
        venue.crosser = side
    elif venue.crossed_ns != NEVER_NS and not meets:
        _uncross(venue, now_ns)


@kernel
def _uncross(venue: Venue, now_ns: int) -> None:
    venue.crossed_total_ns += now_ns - venue.crossed_ns
    venue.crossed_ns = NEVER_NS


@kernel
def _meets(venue: Venue) -> bool:
    """Return whether the best bid is at the best ask or beyond."""
    if venue.n_bids == 0 or venue.n_asks == 0:
        return False
    return bool(venue.depth[BIDS, 0, D_PRICE] >= venue.depth[ASKS, 0, D_PRICE])


@kernel
def _drop_levels(venue: Venue, side: int) -> int:
    """Take out the levels of `side` at the other side's best price or beyond; return how many."""
    row, other = (BIDS, ASKS) if side > 0 else (ASKS, BIDS)
    levels = venue.n_bids if side > 0 else venue.n_asks
    best = venue.depth[other, 0, D_PRICE]
    passed = 0
    while passed < levels and side * (venue.depth[row, passed, D_PRICE] - best) >= 0:
        passed += 1
    levels -= passed
    for k in range(levels):
        venue.depth[row, k, D_PRICE] = venue.depth[row, k + passed, D_PRICE]
        venue.depth[row, k, D_SIZE] = venue.depth[row, k + passed, D_SIZE]
    if side > 0:
        venue.n_bids = levels
    else:
        venue.n_asks = levels
    return passed
