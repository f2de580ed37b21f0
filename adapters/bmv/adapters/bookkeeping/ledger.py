"""What is written down of a run: what is owned in truth, how long things stood, and a row for each order, fill, sample.

The verbs that write it are in `recorder`, what takes rows out of it in `eviction`.
"""

from typing import Annotated

from bmv.core.params import ORDERS_MAX, Params
from bmv.core.record import FloatTable, Table, blank
from bmv.core.state import FAR_NS, FAR_TICKS, NEVER_NS
from bmv.data.runs.columns import N_HORIZONS

ORDER_ROWS = 1 << 16  # Rows of the tables between two calls of `drain`; orders that outlive many lie behind them.
FILL_ROWS = 1 << 17
EQUITY_ROWS = 1 << 18

# Columns of the orders, one row an order, in the order of their ids.
ORDER_COLUMNS = 11
(
    O_ORDER,
    O_LEVEL,
    O_SIDE,
    O_PRICE,
    O_SIZE,
    O_DECIDED_NS,
    O_ACCEPTED_NS,
    O_DONE_NS,
    O_DONE,
    O_FILLED,
    O_REASON,
) = range(ORDER_COLUMNS)
BID_AT_TOUCH, ASK_AT_TOUCH = 1, 2  # Of `Record.touch`.

# Columns of the fills; the last six are twice the mid at the horizons, 0 where the tape had ended. `F_PAST` says
# whether a print filled us although better prices than ours stood on our side of the book.
(
    F_TS_NS,
    F_KNOWN_NS,
    F_ORDER,
    F_LEVEL,
    F_SIDE,
    F_PRICE,
    F_SIZE,
    F_FEE,
    F_CODE,
    F_POSITION,
    F_CASH,
    F_MID2,
    F_PAST,
    F_MARKOUT,
) = range(14)
NOT_PAST, PAST_BEFORE, PAST = range(3)  # Of `F_PAST`: no; before the print, the next quote is awaited; and after it.
FILL_COLUMNS = F_MARKOUT + N_HORIZONS

# Columns of the stretches of the tape, in order: when the first and last print were, and their counts; see `Record`.
STRETCHES = 64  # At most.
STRETCH_PRINTS = 32  # Of each; doubled when all are full.
STRETCH_COLUMNS = 6
S_FROM_NS, S_TO_NS, S_MET, S_SIDED, S_OUTSIDE, S_WRONG = range(STRETCH_COLUMNS)

# Columns of the equity samples.
EQUITY_COLUMNS = 4
E_TS_NS, E_MID2, E_POSITION, E_CASH = range(EQUITY_COLUMNS)


class Record:
    """One row: the ledger, the weights of time, and tables. Sizes in lots, money in quanta, times in ns."""

    # The ledger: what is owned in truth.
    position: int
    cash: int
    mid2: int
    spread: int
    inventory: int
    fees: int
    start_mid2: int  # What was owned, and its mid, at the first sample: what profit is counted from.
    start_position: int
    start_cash: int

    # Time.
    first_ns: int
    last_ns: int
    sample_ns: int
    next_sample_ns: int
    sampled_ns: int
    next_markout_ns: int
    due_ns: int  # The earlier of the two.
    markout: Annotated[Table, (N_HORIZONS,)]  # How many fills have their mid at each horizon.

    # How things stood since `stood_ns`, for what changes rarely; see `recorder.weigh_standing`.
    stood_ns: int
    stood_pivot: int  # 1: there was one.
    stood_tier: int
    stood_bid: int
    stood_ask: int  # FAR_TICKS: none.
    stood_position: int
    touch_ns: int  # The same for whether our best orders are at the touch.
    touch: int

    # Rows in use.
    first_order: int  # Id of the order in row 0.
    n_orders: int
    n_fills: int
    n_equity: int
    blind_fills: int  # Fills handed over before all was known of them: their horizons, or the quote after them.
    n_settled: int  # Fills, from row 0 on, whose `F_PAST` no later quote can change.
    n_survivors: int  # Orders older than row 0, in the rows from `ORDER_ROWS` on.
    orders_rows: Annotated[Table, (ORDER_ROWS + ORDERS_MAX, ORDER_COLUMNS)]
    order_pivots: Annotated[FloatTable, (ORDER_ROWS + ORDERS_MAX,)]  # Ticks.
    fills_rows: Annotated[Table, (FILL_ROWS, FILL_COLUMNS)]
    equity_rows: Annotated[Table, (EQUITY_ROWS, EQUITY_COLUMNS)]
    equity_pivots: Annotated[FloatTable, (EQUITY_ROWS,)]  # Ticks.
    equity_volumes: Annotated[FloatTable, (EQUITY_ROWS,)]  # Lots that the tape had traded by then.

    # Counts.
    trades: int
    quotes: int
    depths: int
    timers: int
    orders: int
    fills: int
    cancels: int
    rejected: int

    # Time spent, ns.
    time_pivot: int
    time_two_sided: int
    time_bid_at_touch: int
    time_ask_at_touch: int
    time_both_at_touch: int
    time_at_limit: int
    time_halted: int

    # Integrals over time, in lots, ticks and ns.
    sum_position: float
    sum_position2: float
    sum_abs_position: float
    sum_quoted_spread: float

    # Prints against the last quote before them that was neither locked nor crossed, by stretches of as many prints: how
    # many there were, had a recorded aggressor, lay above its ask or below its bid, were bought below its mid or sold
    # above it. Where the last stretch is full, each takes in its neighbour.
    n_stretches: int
    stretch_prints: int
    stretches: Annotated[Table, (STRETCHES, STRETCH_COLUMNS)]

    # The best level of each side as depth shows it, if a print has passed it, and when one first did; how many prints
    # did when it had stood so for long.
    passed_bid: int  # Ticks, 0: none.
    passed_bid_size: int
    passed_bid_ns: int
    passed_ask: int
    passed_ask_size: int
    passed_ask_ns: int
    past_stale: int

    # Of the book that depth makes up, at the end: levels that the other side passed, and how long the two met.
    levels_passed: int
    time_crossed: int

    volume: float  # Lots that the tape traded so far; whole numbers could wrap on a cheap token.


def opened(params: Params, sample_ns: int) -> Record:
    """Return a record in which nothing has happened."""
    record = blank(Record)
    record.position = params.start_position
    record.cash = params.start_cash
    record.start_position = params.start_position
    record.start_cash = params.start_cash
    record.first_ns = NEVER_NS
    record.last_ns = NEVER_NS
    record.sampled_ns = NEVER_NS
    record.sample_ns = sample_ns
    record.next_sample_ns = FAR_NS
    record.next_markout_ns = FAR_NS
    record.due_ns = FAR_NS
    record.first_order = 1
    record.stood_ask = FAR_TICKS
    record.stood_position = params.start_position
    record.stretch_prints = STRETCH_PRINTS
    return record
