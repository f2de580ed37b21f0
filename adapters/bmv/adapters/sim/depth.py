"""The levels of the market's book, where the tape has them: one changes, and what one shows."""

from bmv.adapters.sim.venue import D_PRICE, D_SIZE, DEPTH_MAX, Venue
from bmv.core.kernel import kernel
from bmv.core.params import ASKS, BIDS


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
