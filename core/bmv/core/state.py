"""What the engine remembers: one record, tables included.

A copy of its bytes and of the ring of trades at `history_at` is a snapshot of the engine. A user's strategy reads this
record: the names that docs/strategies.md lists are stable, the others are the engine's own.
"""

from typing import Annotated

from bmv.core.params import LEVELS_MAX, ORDERS_MAX, RATE_MAX
from bmv.core.record import FloatTable, Table, blank

FAR_NS = 2**62  # A time that never comes.
NEVER_NS = -(2**62)  # A time long before any other.
FAR_TICKS = 2**62  # A price above any, its negative one below any: where the best ask stands when there is none.
BOUNDLESS_LOTS = 2**62  # A size that is never used up.
NO_TRIP = -(2**62)  # An equity, in quanta, to which nothing falls.
ANYWHERE = 1e300  # A leeway, in ticks, that no centre ever leaves.
MEMORY = 256  # Numbers that a user's strategy may keep between its calls.
TRIPS_MAX = 256  # Transitions of the breaker that are kept.

# Columns of the ring of trades at `State.history_at`.
HISTORY_COLUMNS = 3
H_TS_NS, H_PRICE, H_SIZE = range(HISTORY_COLUMNS)

# Columns of `State.orders`: what we believe is open, in the order it was asked for.
ORDER_COLUMNS = 8
ORDER, SIDE, LEVEL, PRICE, LEFT, DECIDED_NS, STAGE, TIF = range(ORDER_COLUMNS)
# Values of STAGE. Those below DYING are live. A dying order counts as open until its end is known; an
# immediate-or-cancel one is born dying. LEAVING is added to the stage of a live order while a plan is made that cancels
# it: it becomes dying if the plan is carried out, and what it was before if the plan is dropped.
SENT, OPEN, DYING, LEAVING = range(4)

# Columns of `State.wanted`. A strategy writes the first five; the others are the engine's: the size before any limit
# cut it, 1 once an order is kept for the row, the lots to be placed for it, and why none are, as a `Refusal`.
WRITTEN_COLUMNS = 5
WANTED_COLUMNS = 9
W_SIDE, W_LEVEL, W_PRICE, W_SIZE, W_TIF, W_FULL, W_KEPT, W_PLACE, W_REFUSED = range(WANTED_COLUMNS)

# Values of `State.lacks`, by side (bids, asks) and level plus one (a strategy may want orders of level -1): whether the
# last grid wanted more there than rests, or an order stayed that should have gone, for want of a cancel.
SERVED, LACKING, HELD = range(3)
# Values of `State.stirred`: what may let in a level that is absent; what may also let a level have more than it has.
AN_END, NEWS = 1, 2

# Columns of `State.intents`: the fields of an :class:`~bmv.ports.messages.Intent`, in their order.
INTENT_COLUMNS = 8
I_VERB, I_TS_NS, I_ORDER, I_SIDE, I_PRICE, I_SIZE, I_LEVEL, I_TIF = range(INTENT_COLUMNS)

# Columns of `State.trips`.
TRIP_COLUMNS = 4
TRIP_NS, TRIP_TIER, TRIP_CAUSE, TRIP_EQUITY = range(TRIP_COLUMNS)


class State:
    """One row; see :mod:`bmv.core.record`. Prices in ticks, sizes in lots, times in ns, money in quanta.

    What makes a decision due is spread over the parts below; :mod:`bmv.core.due` has it in one table.
    """

    now_ns: int  # Time of the event being heard.
    calm: int  # 1: until `wake_ns` only a move of more than `leeway` makes anything due.
    leeway: float  # Ticks that the centre may be away from `grid_centre`.
    doze_ns: int  # Before this, and for `slack` more lots of trades, the pivot can make nothing due; see `doze`.
    slack: int
    behind: int  # 1: trades were heard, and no one has asked for the pivot since.
    digest: int
    wake_ns: int  # When the engine wants to be woken if nothing else comes first.

    # The market as we know it. A side that is absent has price 0; a size that was not recorded is -1.
    bid: int
    bid_size: int
    ask: int
    ask_size: int
    mid2: int  # Twice the mid, in ticks: bid + ask of the last quote that was not crossed. 0: none yet.
    quoted: int  # 1 once `mid2` comes from a quote, 0 while it comes from trades.
    last_price: int  # Of the last trade; 0: none yet.
    market_ns: int  # Time of the last market data.
    reference: int  # Price from elsewhere; 0: none.
    feed_up: int

    # The pivot's windows over a ring of trades `(history_rows, 3)` of (time, price, size), which grows and so lies at
    # an address: how many trades were ever written, the first of each window, the sums.
    history_at: int
    history_rows: int
    head: int
    summed: int  # The trades before this one are in the sums; see `roll`.
    short_tail: int
    long_tail: int
    short_volume: int
    short_high: int  # Price times size, summed in two limbs of 32 bits, so that no day of no token wraps.
    short_low: int
    long_volume: int
    long_high: int
    long_low: int
    expiry_ns: int  # After this time a trade has left one of the windows.
    low: int  # No trade in the windows was below this price, none above `high`.
    high: int
    range_due_ns: int  # When the two are to be found anew.
    pivot: float  # Ticks; 0.0: none.

    # The account as we know it.
    position: int
    cash: int
    equity: int
    peak: int
    valued: int  # 1 once there was a mid to value the position at.
    start_equity: int
    day_equity: int  # First equity of the UTC day.
    day_end_ns: int
    trip_at: int  # Equity at or below which the breaker's next tier trips; NO_TRIP: none is left.

    # Orders.
    n_orders: int
    n_live: int  # Of these, not dying.
    next_order: int
    oldest_ns: int  # Decision time of the oldest live order.
    orders: Annotated[Table, (ORDERS_MAX, ORDER_COLUMNS)]

    # The grid we want, and what we asked for.
    centre: float  # Ticks; 0.0: none.
    lean: float  # What the inventory makes of the pivot: centre = pivot x lean.
    grid_centre: float  # The centre of the last grid.
    grid_pivot: float  # The pivot when it was laid.
    grid_ns: int  # When it was laid.
    fill_due_ns: int  # No grid before this, after a fill.
    filled: int  # 1: a fill waits for its grid.
    missing: int  # 1: a wanted level does not rest in full; `lacks` says which.
    lacks: Annotated[Table, (2, 2 * LEVELS_MAX + 1)]  # SERVED, LACKING, or HELD: its order stays for want of a cancel.
    stirred: int  # AN_END or NEWS: something happened that may allow it now.
    retry_ns: int  # A rate limit frees at this time.
    blocked: int  # 1: it waits for the market to move, for one of the next three reasons.
    far: int  # 1: it is too far from the last trade or from the reference.
    low_bid: int  # The lowest bid and the highest ask that gave way to a nearer one slid to the same tick; 0: none.
    high_ask: int
    drawn_centre: float  # The centre when these were found.
    n_wanted: int
    wanted: Annotated[Table, (2 * LEVELS_MAX, WANTED_COLUMNS)]
    want_size: Annotated[FloatTable, (2 * LEVELS_MAX,)]
    n_owed: int
    owed: Annotated[Table, (ORDERS_MAX + 2 * LEVELS_MAX, 3)]  # Side, level and value for `lacks`, of the plan in hand.
    n_written: int
    written: Annotated[Table, (2 * LEVELS_MAX, WRITTEN_COLUMNS)]  # The orders that a user's strategy wanted last.
    intents: Annotated[Table, (ORDERS_MAX + 2 * LEVELS_MAX, INTENT_COLUMNS)]

    # Risk.
    tier: int
    shed: int  # 1 once the orders that a reduce-only tier forbids are cancelled.
    withdrawn: int  # Why nothing may rest, as a `Refusal`; 0: quoting.
    paused: int
    flattening: int  # 1: while it is paused it trades back to the target.
    closed: int  # 1: the tape is over; hear, but ask for nothing more.
    n_trips: int
    trips: Annotated[Table, (TRIPS_MAX, TRIP_COLUMNS)]
    placed: int  # Orders and cancels ever sent, and the times of the latest.
    placed_ns: Annotated[Table, (RATE_MAX,)]
    cancelled: int
    cancelled_ns: Annotated[Table, (RATE_MAX,)]
    refusals: Annotated[Table, (32,)]

    requotes: int
    memory: Annotated[FloatTable, (MEMORY,)]


def fresh() -> State:
    """Return the state of an engine that has heard nothing."""
    state = blank(State)
    state.now_ns = NEVER_NS
    state.wake_ns = FAR_NS
    state.expiry_ns = FAR_NS
    state.range_due_ns = NEVER_NS
    state.day_end_ns = NEVER_NS
    state.trip_at = NO_TRIP
    state.market_ns = NEVER_NS
    state.oldest_ns = FAR_NS
    state.grid_ns = NEVER_NS
    state.fill_due_ns = NEVER_NS
    state.retry_ns = FAR_NS
    state.feed_up = 1
    state.next_order = 1
    state.lean = 1.0
    return state
