"""A quoter around the microprice: one bid and one ask, equally far from where the book leans.

The mid says where the middle of the spread is. The microprice says where the next trade is likely to be: it lies nearer
to the side that shows less, because that side is used up first,

    microprice = (bid · ask_size + ask · bid_size) / (bid_size + ask_size).

Gatheral and Oomen use it under this name (Zero-intelligence realized variance estimation, Finance and Stochastics 14,
2010); Stoikov calls it the weighted mid and refines it (The micro-price: a high-frequency estimator of future prices,
Quantitative Finance 18, 2018).

The file is an example to copy. It is marked `@kernel`, so the fused loop runs it as machine code; take the mark away
and it runs as plain Python, with the same result. Its settings are those of the grid's nearest level (`first_bps` and,
with one level, `total_size`), so that the configuration file holds them and `--set` changes them.
"""

from math import ceil, floor

from bmv.core.kernel import kernel
from bmv.core.params import Params
from bmv.core.record import FloatTable, Table
from bmv.core.state import State

BID, ASK = 0, 1  # Rows of `params.rungs`,
DISTANCE, SIZE = 0, 1  # and what stands in each of its levels: a fraction of the centre, lots.
POST_ONLY = 0


@kernel
def price_between(state: State) -> float:
    """Return the microprice in ticks; the mid where the source did not record the sizes (they are -1 then)."""
    bid_size, ask_size = state.bid_size, state.ask_size
    if bid_size <= 0 or ask_size <= 0:
        return 0.5 * float(state.bid + state.ask)
    return float(state.bid * ask_size + state.ask * bid_size) / float(bid_size + ask_size)


@kernel
def write(wanted: Table, row: int, side: int, price: int, size: int) -> None:
    """Want an order at `price` ticks for `size` lots; all five columns, because a row still holds what stood there."""
    wanted[row, 0] = side
    wanted[row, 1] = 0  # The level: the quoter keeps an order for the wanted row of its side and level.
    wanted[row, 2] = price
    wanted[row, 3] = size
    wanted[row, 4] = POST_ONLY


@kernel
def microprice(params: Params, state: State, memory: FloatTable, wanted: Table) -> int:
    """Want a bid and an ask around the microprice; return how many rows were written."""
    if state.bid == 0 or state.ask == 0:
        return 0  # A book of one side has no middle. No rows: whatever rests is cancelled.
    # `lean` is below 1 while we hold more than the target and above 1 while we hold less: it moves both quotes to
    # where the market brings us back (inventory.price_skew_bps).
    centre = price_between(state) * state.lean
    bid, ask = params.rungs[BID, 0], params.rungs[ASK, 0]
    write(wanted, 0, 1, floor(centre * (1.0 - bid[DISTANCE])), int(bid[SIZE]))
    write(wanted, 1, -1, ceil(centre * (1.0 + ask[DISTANCE])), int(ask[SIZE]))
    return 2
