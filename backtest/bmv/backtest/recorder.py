"""What really happened, written down as it happens: the venue's truth of orders, fills and money, and time weights.

The engine acts on what it knows; these tables show what was. Both drivers call the verbs below at the same points.
Money is whole quanta throughout, so that spread + inventory + fees add up to the change of equity exactly.
"""

from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy import float64, int64
from numpy.typing import NDArray

from bmv.adapters.sim.matching import Sim
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
    Venue,
)
from bmv.core.accounting import notional, worth
from bmv.core.kernel import kernel
from bmv.core.params import LEVELS_MAX, Params
from bmv.core.record import Table, blank
from bmv.core.state import FAR_NS, NEVER_NS, State
from bmv.ports.messages import Kind, Verb

_ACCEPTED = Kind.ACCEPTED.value
_FILLED = Kind.FILLED.value
_CANCELLED = Kind.CANCELLED.value
_REJECTED = Kind.REJECTED.value
_EXPIRED = Kind.EXPIRED.value
_PLACE = Verb.PLACE.value

HORIZONS_NS = (100_000_000, 1_000_000_000, 5_000_000_000, 30_000_000_000, 60_000_000_000, 300_000_000_000)
_LAST_HORIZON_NS = HORIZONS_NS[-1]
SAMPLES_PER_GAP = 100_000  # Equity rows written for one hole in the tape; a longer one is left to its first rows.

# Columns of the orders, one row an order, in the order of their ids.
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
) = range(11)
DONE_END, DONE_FILLED, DONE_CANCELLED, DONE_REJECTED, DONE_EXPIRED = range(5)

# Columns of the fills; the last six are twice the mid at the horizons, 0 where the tape had ended.
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
    F_MARKOUT,
) = range(13)
FILL_COLUMNS = F_MARKOUT + len(HORIZONS_NS)

# Columns of the equity samples.
E_TS_NS, E_MID2, E_POSITION, E_CASH = range(4)


class Tally:
    """One row; see :mod:`bmv.core.record`. Sizes in lots, money in quanta, times in ns."""

    # The ledger: what is owned in truth.
    position: int
    cash: int
    mid2: int
    spread: int
    inventory: int
    fees: int
    start_mid2: int

    # Time.
    first_ns: int
    last_ns: int
    sample_ns: int
    next_sample_ns: int
    sampled_ns: int
    next_markout_ns: int
    markout: Annotated[Table, (6,)]  # How many fills have their mid at each horizon.

    # Rows in use.
    first_order: int  # Id of the order in row 0.
    n_orders: int
    n_fills: int
    n_equity: int

    # Counts.
    events: int
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


class Record(NamedTuple):
    """The tally and the tables beside it, which grow."""

    tally: Tally
    orders: Table  # (n, 11)
    order_pivots: NDArray[float64]  # (n,), ticks
    fills: Table  # (n, FILL_COLUMNS)
    equity: Table  # (n, 4)
    equity_pivots: NDArray[float64]  # (n,), ticks


def opened(params: Params, sample_ns: int, rows: int = 1 << 14) -> Record:
    """Return a record in which nothing has happened."""
    tally = blank(Tally)
    tally.position = params.start_position
    tally.cash = params.start_cash
    tally.first_ns = NEVER_NS
    tally.last_ns = NEVER_NS
    tally.sampled_ns = NEVER_NS
    tally.sample_ns = sample_ns
    tally.next_sample_ns = FAR_NS
    tally.next_markout_ns = FAR_NS
    tally.first_order = 1
    return Record(
        tally,
        np.zeros((rows, 11), int64),
        np.zeros(rows, float64),
        np.zeros((rows, FILL_COLUMNS), int64),
        np.zeros((rows, 4), int64),
        np.zeros(rows, float64),
    )


@kernel
def advance(params: Params, state: State, venue: Venue, record: Record, now_ns: int) -> None:
    """Let the time until `now_ns` pass with everything as it stands; call it before anything happens at `now_ns`."""
    tally = record.tally
    if tally.first_ns == NEVER_NS:
        tally.first_ns = now_ns
        tally.last_ns = now_ns
    if now_ns > tally.next_sample_ns:
        sample(state, record, now_ns)
    if now_ns > tally.next_markout_ns:
        look_back(record, now_ns)
    passed = now_ns - tally.last_ns
    if passed == 0:
        return
    tally.last_ns = now_ns
    weigh(params, state, venue, tally, passed)


@kernel
def weigh(params: Params, state: State, venue: Venue, tally: Tally, passed: int) -> None:
    """Add `passed` ns to the times and integrals of the state we are in."""
    if state.pivot != 0.0:
        tally.time_pivot += passed
    if state.tier >= 3:
        tally.time_halted += passed
    if venue.n_book > 0:
        bid_at_touch = venue.best_bid > 0 and venue.best_bid >= venue.bid
        ask_at_touch = venue.best_ask < FAR_NS and (venue.best_ask <= venue.ask or venue.ask == 0)
        if bid_at_touch:
            tally.time_bid_at_touch += passed
        if ask_at_touch:
            tally.time_ask_at_touch += passed
        if venue.best_bid > 0 and venue.best_ask < FAR_NS:
            tally.time_two_sided += passed
            tally.sum_quoted_spread += float(venue.best_ask - venue.best_bid) * float(passed)
            if bid_at_touch and ask_at_touch:
                tally.time_both_at_touch += passed
    if tally.position != 0:
        held = float(tally.position) * float(passed)
        tally.sum_position += held
        tally.sum_abs_position += abs(held)
        tally.sum_position2 += held * float(tally.position)
    if abs(tally.position - params.target) >= params.max_position:
        tally.time_at_limit += passed


@kernel
def sample(state: State, record: Record, now_ns: int) -> None:
    """Write the equity at every sampling time before `now_ns`, as it stands."""
    tally = record.tally
    written = 0
    while tally.next_sample_ns < now_ns and written < SAMPLES_PER_GAP:
        write_sample(state, record, tally.next_sample_ns)
        tally.next_sample_ns += tally.sample_ns
        written += 1
    if tally.next_sample_ns < now_ns:
        skipped = (now_ns - 1 - tally.next_sample_ns) // tally.sample_ns
        tally.next_sample_ns += skipped * tally.sample_ns


@kernel
def write_sample(state: State, record: Record, ts_ns: int) -> None:
    """Write one row of the equity table."""
    tally = record.tally
    at = tally.n_equity
    record.equity[at, E_TS_NS] = ts_ns
    record.equity[at, E_MID2] = tally.mid2
    record.equity[at, E_POSITION] = tally.position
    record.equity[at, E_CASH] = tally.cash
    record.equity_pivots[at] = state.pivot
    tally.n_equity += 1
    tally.sampled_ns = ts_ns


@kernel
def samples_due(tally: Tally, now_ns: int) -> int:
    """Return how many equity rows :func:`advance` to `now_ns` may write."""
    if now_ns <= tally.next_sample_ns:
        return 0
    return min(SAMPLES_PER_GAP, (now_ns - tally.next_sample_ns) // tally.sample_ns + 1) + 1


@kernel
def look_back(record: Record, now_ns: int) -> None:
    """Give every fill whose horizon lies before `now_ns` the mid that stood there."""
    tally = record.tally
    next_ns = FAR_NS
    for h in range(6):
        done = tally.markout[h]
        while done < tally.n_fills and record.fills[done, F_TS_NS] + HORIZONS_NS[h] < now_ns:
            record.fills[done, F_MARKOUT + h] = tally.mid2
            done += 1
        tally.markout[h] = done
        if done < tally.n_fills:
            next_ns = min(next_ns, record.fills[done, F_TS_NS] + HORIZONS_NS[h])
    tally.next_markout_ns = next_ns


@kernel
def enter(state: State, record: Record, n: int) -> None:
    """Write down the `n` intents that the engine just said."""
    tally = record.tally
    for i in range(n):
        if state.intents[i, 0] != _PLACE:
            tally.cancels += 1
            continue
        at = tally.n_orders
        orders = record.orders
        orders[at, O_ORDER] = state.intents[i, 2]
        orders[at, O_LEVEL] = state.intents[i, 6]
        orders[at, O_SIDE] = state.intents[i, 3]
        orders[at, O_PRICE] = state.intents[i, 4]
        orders[at, O_SIZE] = state.intents[i, 5]
        orders[at, O_DECIDED_NS] = state.intents[i, 1]
        orders[at, O_ACCEPTED_NS] = NEVER_NS
        orders[at, O_DONE_NS] = NEVER_NS
        orders[at, O_DONE] = DONE_END
        orders[at, O_FILLED] = 0
        orders[at, O_REASON] = 0
        record.order_pivots[at] = state.pivot
        tally.n_orders += 1
        tally.orders += 1


@kernel
def book(params: Params, sim: Sim, record: Record, first: int) -> None:
    """Write down the reports that the venue has made since its count of them was `first`."""
    for k in range(first, sim.venue.reports_head):
        row = sim.reports[k & (len(sim.reports) - 1)]
        at = row[R_ORDER] - record.tally.first_order
        kind = row[R_KIND]
        if kind == _ACCEPTED:
            record.orders[at, O_ACCEPTED_NS] = row[R_VENUE_NS]
        elif kind == _FILLED:
            book_fill(params, record, row, at)
        else:
            record.orders[at, O_DONE_NS] = row[R_VENUE_NS]
            record.orders[at, O_REASON] = row[R_CODE]
            if kind == _CANCELLED:
                record.orders[at, O_DONE] = DONE_CANCELLED
            elif kind == _EXPIRED:
                record.orders[at, O_DONE] = DONE_EXPIRED
            else:
                record.orders[at, O_DONE] = DONE_REJECTED
                record.tally.rejected += 1


@kernel
def book_fill(params: Params, record: Record, row: Table, at: int) -> None:
    """Write down one fill, and what it does to the ledger, at the mid before the row that caused it."""
    tally = record.tally
    side = row[R_SIDE]
    size = row[R_SIZE]
    price = row[R_PRICE]
    tally.spread += side * size * params.half * (tally.mid2 - 2 * price)
    tally.fees -= row[R_FEE]
    tally.position += side * size
    tally.cash -= side * notional(params.half, price, size) + row[R_FEE]
    orders = record.orders
    orders[at, O_FILLED] += size
    if orders[at, O_FILLED] == orders[at, O_SIZE]:
        orders[at, O_DONE] = DONE_FILLED
        orders[at, O_DONE_NS] = row[R_VENUE_NS]
    n = tally.n_fills
    fills = record.fills
    fills[n, F_TS_NS] = row[R_VENUE_NS]
    fills[n, F_KNOWN_NS] = row[R_KNOWN_NS]
    fills[n, F_ORDER] = row[R_ORDER]
    fills[n, F_LEVEL] = orders[at, O_LEVEL]
    fills[n, F_SIDE] = side
    fills[n, F_PRICE] = price
    fills[n, F_SIZE] = size
    fills[n, F_FEE] = row[R_FEE]
    fills[n, F_CODE] = row[R_CODE]
    fills[n, F_POSITION] = tally.position
    fills[n, F_CASH] = tally.cash
    fills[n, F_MID2] = tally.mid2
    for h in range(6):
        fills[n, F_MARKOUT + h] = 0
    tally.n_fills += 1
    tally.fills += 1
    tally.next_markout_ns = min(tally.next_markout_ns, row[R_VENUE_NS] + HORIZONS_NS[0])


@kernel
def mark(params: Params, state: State, record: Record, mid2: int) -> None:
    """Let the mid be `mid2` from now on: what is held gains or loses by the change. The first mid starts the samples."""
    tally = record.tally
    if mid2 == tally.mid2:
        return
    if tally.mid2 != 0:
        tally.inventory += worth(params.half, tally.position, mid2 - tally.mid2)
        tally.mid2 = mid2
        return
    tally.mid2 = mid2
    tally.start_mid2 = mid2
    write_sample(state, record, tally.last_ns)
    tally.next_sample_ns = tally.last_ns + tally.sample_ns


@kernel
def count(tally: Tally, kind: int) -> None:
    """Count one row of the tape."""
    tally.events += 1
    if kind == 1:
        tally.trades += 1
    elif kind == 2:
        tally.quotes += 1
    else:
        tally.depths += 1


@kernel
def finish(state: State, record: Record) -> None:
    """Write the last sample, at the last row, and the markouts whose horizon the tape just reached."""
    tally = record.tally
    if tally.mid2 == 0:
        return
    look_back(record, tally.last_ns + 1)
    if tally.sampled_ns < tally.last_ns:
        sample(state, record, tally.last_ns)
        write_sample(state, record, tally.last_ns)


ORDERS_PER_STEP = 2 * LEVELS_MAX + 1


@kernel
def has_room(record: Record, fills: int, now_ns: int) -> bool:
    """Return whether the tables can take whatever the next step, at `now_ns`, writes; `fills` at the most."""
    tally = record.tally
    return (
        len(record.orders) - tally.n_orders >= ORDERS_PER_STEP
        and len(record.fills) - tally.n_fills >= fills
        and len(record.equity) - tally.n_equity >= samples_due(tally, now_ns) + 2
    )


def widen(record: Record, fills: int, now_ns: int) -> Record:
    """Return the record with tables that have room for the next step, at least half as long again."""
    t = record.tally
    return Record(
        t,
        _longer(record.orders, t.n_orders + ORDERS_PER_STEP),
        _longer(record.order_pivots, t.n_orders + ORDERS_PER_STEP),
        _longer(record.fills, t.n_fills + fills),
        _longer(record.equity, t.n_equity + int(samples_due(t, now_ns)) + 2),
        _longer(record.equity_pivots, t.n_equity + int(samples_due(t, now_ns)) + 2),
    )


def _longer(table: NDArray[Any], rows: int) -> NDArray[Any]:
    if len(table) >= rows:
        return table
    longer = np.zeros((max(rows, len(table) * 3 // 2), *table.shape[1:]), table.dtype)
    longer[: len(table)] = table
    return longer


class Settled(NamedTuple):
    """Rows that nothing will change any more, copied out of the record."""

    orders: Table
    order_pivots: NDArray[float64]
    fills: Table
    equity: Table
    equity_pivots: NDArray[float64]


def first_open(state: State) -> int:
    """Return the id of the oldest order whose end the engine does not know, or the next id."""
    n = int(state.n_orders)
    return int(state.orders[:n, 0].min()) if n else int(state.next_order)


def settle(record: Record, first_open: int) -> Settled:
    """Take out of the record the orders before id `first_open`, the fills with all their horizons, the equity rows."""
    t = record.tally
    orders = int(min(t.n_orders, first_open - t.first_order))
    fills = int(t.markout[-1])
    rows = Settled(
        record.orders[:orders].copy(),
        record.order_pivots[:orders].copy(),
        record.fills[:fills].copy(),
        record.equity[: t.n_equity].copy(),
        record.equity_pivots[: t.n_equity].copy(),
    )
    _drop(record.orders, orders, t.n_orders)
    _drop(record.order_pivots, orders, t.n_orders)
    _drop(record.fills, fills, t.n_fills)
    t.n_orders -= orders
    t.first_order += orders
    t.n_fills -= fills
    t.markout[:] -= fills
    t.n_equity = 0
    return rows


def _drop(table: NDArray[Any], rows: int, used: int) -> None:
    table[: used - rows] = table[rows:used].copy()
