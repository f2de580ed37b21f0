"""What really happened, written down as it happens: the venue's truth of orders, fills and money, and time weights.

The engine acts on what it knows; the record shows what was. Both drivers call the verbs below at the same points.
Money is whole quanta throughout, so that spread + inventory + fees add up to the change of equity exactly.
"""

from bmv.adapters.bookkeeping.ledger import (
    ASK_AT_TOUCH,
    BID_AT_TOUCH,
    E_CASH,
    E_MID2,
    E_POSITION,
    E_TS_NS,
    EQUITY_ROWS,
    F_CASH,
    F_CODE,
    F_FEE,
    F_KNOWN_NS,
    F_LEVEL,
    F_MARKOUT,
    F_MID2,
    F_ORDER,
    F_PAST,
    F_POSITION,
    F_PRICE,
    F_SIDE,
    F_SIZE,
    F_TS_NS,
    FILL_ROWS,
    NOT_PAST,
    O_ACCEPTED_NS,
    O_DECIDED_NS,
    O_DONE,
    O_DONE_NS,
    O_FILLED,
    O_LEVEL,
    O_ORDER,
    O_PRICE,
    O_REASON,
    O_SIDE,
    O_SIZE,
    ORDER_ROWS,
    PAST,
    PAST_BEFORE,
    S_FROM_NS,
    S_MET,
    S_OUTSIDE,
    S_SIDED,
    S_TO_NS,
    S_WRONG,
    STRETCH_COLUMNS,
    STRETCHES,
    Record,
)
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
    REPORTS_PER_ARRIVAL,
    REPORTS_PER_ROW,
    Venue,
)
from bmv.core.accounting import entry, gain, worth, worth_if_known
from bmv.core.engine import centre
from bmv.core.kernel import inlined, kernel
from bmv.core.params import LEVELS_MAX, Params
from bmv.core.record import Table
from bmv.core.state import (
    FAR_NS,
    FAR_TICKS,
    I_LEVEL,
    I_ORDER,
    I_PRICE,
    I_SIDE,
    I_SIZE,
    I_TS_NS,
    I_VERB,
    NEVER_NS,
    State,
)
from bmv.data.runs.columns import (
    DONE_CANCELLED,
    DONE_END,
    DONE_EXPIRED,
    DONE_FILLED,
    DONE_REJECTED,
    HORIZONS_NS,
    N_HORIZONS,
)
from bmv.ports.messages import Kind, Liquidity, Tier, Verb

_TRADE = Kind.TRADE.value
_QUOTE = Kind.QUOTE.value
_ACCEPTED = Kind.ACCEPTED.value
_FILLED = Kind.FILLED.value
_CANCELLED = Kind.CANCELLED.value
_REJECTED = Kind.REJECTED.value
_EXPIRED = Kind.EXPIRED.value
_PLACE = Verb.PLACE.value
_HALT = Tier.HALT.value
_BY_PRINT = Liquidity.MAKER.value

SAMPLES_PER_GAP = 100_000  # Equity rows of one hole in the tape; of a longer one the first, and one at its end.
STALE_NS = 10_000_000_000  # Books are polled more often.
ORDERS_PER_STEP = 2 * LEVELS_MAX + 1
ROWS_PER_ARRIVAL = 4
assert ROWS_PER_ARRIVAL * REPORTS_PER_ROW >= REPORTS_PER_ARRIVAL


@inlined
def advance(params: Params, state: State, venue: Venue, record: Record, now_ns: int) -> None:
    """Let the time until `now_ns` pass with everything as it stands; call it before anything happens at `now_ns`."""
    if record.first_ns == NEVER_NS:
        record.first_ns = now_ns
        record.last_ns = now_ns
        record.stood_ns = now_ns
        record.touch_ns = now_ns
    if now_ns > record.due_ns:
        catch_up(params, state, record, now_ns)
    touch = 0
    if venue.n_book > 0:
        if 0 < venue.best_bid >= venue.bid:
            touch = BID_AT_TOUCH
        if venue.best_ask < FAR_TICKS and (venue.best_ask <= venue.ask or venue.ask == 0):
            touch += ASK_AT_TOUCH
    if touch != record.touch:
        weigh_touch(record, touch)
    if (state.pivot != 0.0) != (record.stood_pivot != 0) or state.tier != record.stood_tier:
        weigh_standing(params, state, venue, record)  # It stands so since the last event: what comes counts to it.
    record.last_ns = now_ns


@kernel
def weigh_touch(record: Record, touch: int) -> None:
    """Weigh how long our best orders stood at the touch as they did, and remember how they stand since the last row."""
    passed = record.last_ns - record.touch_ns
    record.touch_ns = record.last_ns
    if record.touch & BID_AT_TOUCH:
        record.time_bid_at_touch += passed
    if record.touch & ASK_AT_TOUCH:
        record.time_ask_at_touch += passed
    if record.touch == BID_AT_TOUCH + ASK_AT_TOUCH:
        record.time_both_at_touch += passed
    record.touch = touch


@kernel
def catch_up(params: Params, state: State, record: Record, now_ns: int) -> None:
    """Do what has come due before `now_ns`: samples of the equity, mids at the horizons of fills."""
    if now_ns > record.next_sample_ns:
        sample(params, state, record, now_ns)
    if now_ns > record.next_markout_ns:
        look_back(record, now_ns)
    record.due_ns = min(record.next_sample_ns, record.next_markout_ns)


@kernel
def weigh_standing(params: Params, state: State, venue: Venue, record: Record) -> None:
    """Weigh how things stood since the last call, and remember how they stand now.

    What changes rarely is weighed when it changes: call this after every report of the venue. Until then the ledger's
    position and our best prices at the venue are those remembered.
    """
    passed = record.last_ns - record.stood_ns
    record.stood_ns = record.last_ns
    if record.stood_pivot != 0:
        record.time_pivot += passed
    if record.stood_tier >= _HALT:
        record.time_halted += passed
    if record.stood_bid > 0 and record.stood_ask < FAR_TICKS:
        record.time_two_sided += passed
        record.sum_quoted_spread += float(record.stood_ask - record.stood_bid) * float(passed)
    held = float(record.stood_position) * float(passed)
    record.sum_position += held
    record.sum_abs_position += abs(held)
    record.sum_position2 += held * float(record.stood_position)
    if abs(record.stood_position - params.target) >= params.max_position:
        record.time_at_limit += passed
    record.stood_pivot = 1 if state.pivot != 0.0 else 0
    record.stood_tier = state.tier
    record.stood_bid = venue.best_bid
    record.stood_ask = venue.best_ask
    record.stood_position = record.position


@kernel
def sample(params: Params, state: State, record: Record, now_ns: int) -> None:
    """Write the equity at every sampling time before `now_ns`, as it stands; of a long hole the first and the last.

    Brings `state.pivot` up to date; decides nothing (`test_how_often_the_equity_is_looked_at_decides_nothing`).
    """
    if state.behind != 0 or state.now_ns > state.expiry_ns:
        centre(params, state)
    written = 0
    while record.next_sample_ns < now_ns and written < SAMPLES_PER_GAP:
        write_sample(state, record, record.next_sample_ns)
        record.next_sample_ns += record.sample_ns
        written += 1
    if record.next_sample_ns < now_ns:
        skipped = (now_ns - 1 - record.next_sample_ns) // record.sample_ns
        record.next_sample_ns += skipped * record.sample_ns
        write_sample(state, record, record.next_sample_ns)
        record.next_sample_ns += record.sample_ns


@kernel
def write_sample(state: State, record: Record, ts_ns: int) -> None:
    """Write one row of the equity table."""
    at = record.n_equity
    record.equity_rows[at, E_TS_NS] = ts_ns
    record.equity_rows[at, E_MID2] = record.mid2
    record.equity_rows[at, E_POSITION] = record.position
    record.equity_rows[at, E_CASH] = record.cash
    record.equity_pivots[at] = state.pivot
    record.equity_volumes[at] = record.volume
    record.n_equity += 1
    record.sampled_ns = ts_ns


@kernel
def look_back(record: Record, now_ns: int) -> None:
    """Give every fill whose horizon lies before `now_ns` the mid that stood there."""
    next_ns = FAR_NS
    for h in range(N_HORIZONS):
        done = record.markout[h]
        while done < record.n_fills and record.fills_rows[done, F_TS_NS] + HORIZONS_NS[h] < now_ns:
            record.fills_rows[done, F_MARKOUT + h] = record.mid2
            done += 1
        record.markout[h] = done
        if done < record.n_fills:
            next_ns = min(next_ns, record.fills_rows[done, F_TS_NS] + HORIZONS_NS[h])
    record.next_markout_ns = next_ns


@kernel
def enter(state: State, record: Record, n: int) -> None:
    """Write down the `n` intents that the engine just said."""
    for i in range(n):
        if state.intents[i, I_VERB] != _PLACE:
            record.cancels += 1
            continue
        at = record.n_orders
        orders = record.orders_rows
        orders[at, O_ORDER] = state.intents[i, I_ORDER]
        orders[at, O_LEVEL] = state.intents[i, I_LEVEL]
        orders[at, O_SIDE] = state.intents[i, I_SIDE]
        orders[at, O_PRICE] = state.intents[i, I_PRICE]
        orders[at, O_SIZE] = state.intents[i, I_SIZE]
        orders[at, O_DECIDED_NS] = state.intents[i, I_TS_NS]
        orders[at, O_ACCEPTED_NS] = NEVER_NS
        orders[at, O_DONE_NS] = NEVER_NS
        orders[at, O_DONE] = DONE_END
        orders[at, O_FILLED] = 0
        orders[at, O_REASON] = 0
        record.order_pivots[at] = state.pivot
        record.n_orders += 1
        record.orders += 1


@kernel
def row_of(record: Record, order: int) -> int:
    """Return the row of the order with this id, which must be open."""
    if order >= record.first_order:
        return order - record.first_order
    at = ORDER_ROWS
    while record.orders_rows[at, O_ORDER] != order:
        at += 1
    return at


@kernel
def book(params: Params, state: State, venue: Venue, record: Record, first: int) -> None:
    """Write down the reports that the venue has made since its count of them was `first`."""
    if first == venue.reports_head:  # Time is weighed at the same instants, and so to the same bits, in every driver.
        return
    for k in range(first, venue.reports_head):
        row = venue.reports[k & (REPORTS_MAX - 1)]
        at = row_of(record, row[R_ORDER])
        kind = row[R_KIND]
        if kind == _ACCEPTED:
            record.orders_rows[at, O_ACCEPTED_NS] = row[R_VENUE_NS]
        elif kind == _FILLED:
            book_fill(params, venue, record, row, at)
        else:
            record.orders_rows[at, O_DONE_NS] = row[R_VENUE_NS]
            record.orders_rows[at, O_REASON] = row[R_CODE]
            if kind == _CANCELLED:
                record.orders_rows[at, O_DONE] = DONE_CANCELLED
            elif kind == _EXPIRED:
                record.orders_rows[at, O_DONE] = DONE_EXPIRED
            else:
                record.orders_rows[at, O_DONE] = DONE_REJECTED
                record.rejected += 1
    weigh_standing(params, state, venue, record)


@kernel
def book_fill(params: Params, venue: Venue, record: Record, row: Table, at: int) -> None:
    """Write down one fill, and what it does to the ledger, at the mid before the row that caused it."""
    side = row[R_SIDE]
    size = row[R_SIZE]
    price = row[R_PRICE]
    paid = side * worth(params.half, params.divisor, size, 2 * price)
    held = worth_if_known(params.half, params.divisor, record.position, record.mid2)
    record.fees -= row[R_FEE]
    record.position += side * size
    record.cash -= paid + row[R_FEE]
    record.spread += worth_if_known(params.half, params.divisor, record.position, record.mid2) - held - paid
    orders = record.orders_rows
    orders[at, O_FILLED] += size
    if orders[at, O_FILLED] == orders[at, O_SIZE]:
        orders[at, O_DONE] = DONE_FILLED
        orders[at, O_DONE_NS] = row[R_VENUE_NS]
    n = record.n_fills
    fills = record.fills_rows
    fills[n, F_TS_NS] = row[R_VENUE_NS]
    fills[n, F_KNOWN_NS] = row[R_KNOWN_NS]
    fills[n, F_ORDER] = row[R_ORDER]
    fills[n, F_LEVEL] = orders[at, O_LEVEL]
    fills[n, F_SIDE] = side
    fills[n, F_PRICE] = price
    fills[n, F_SIZE] = size
    fills[n, F_FEE] = row[R_FEE]
    fills[n, F_CODE] = row[R_CODE]
    fills[n, F_POSITION] = record.position
    fills[n, F_CASH] = record.cash
    fills[n, F_MID2] = record.mid2
    by_print = row[R_CODE] == _BY_PRINT
    if by_print and quoted_better(venue, side, price):
        fills[n, F_PAST] = PAST_BEFORE
    else:
        fills[n, F_PAST] = NOT_PAST
        if record.n_settled == n:
            record.n_settled = n + 1
    for h in range(N_HORIZONS):
        fills[n, F_MARKOUT + h] = 0
    record.n_fills += 1
    record.fills += 1
    record.next_markout_ns = min(record.next_markout_ns, row[R_VENUE_NS] + HORIZONS_NS[0])
    record.due_ns = min(record.due_ns, record.next_markout_ns)


@kernel
def mark(params: Params, state: State, record: Record, mid2: int) -> None:
    """Let the mid be `mid2` from now on: what is held gains or loses by it. The first mid starts the samples."""
    if record.mid2 != 0:
        record.inventory += gain(params.half, params.divisor, record.position, record.mid2, mid2)
        record.mid2 = mid2
        return
    if mid2 == 0:
        return
    record.mid2 = mid2
    record.start_mid2 = mid2
    record.start_position = record.position
    record.cash += entry(params.half, params.divisor, params.start_position, mid2)
    record.start_cash = record.cash
    record.spread = 0  # What was traded before there was any mid is part of the start.
    record.fees = 0
    write_sample(state, record, record.last_ns)
    record.next_sample_ns = record.last_ns + record.sample_ns
    record.due_ns = min(record.due_ns, record.next_sample_ns)


@inlined
def quoted_better(venue: Venue, side: int, price: int) -> bool:
    """Return whether the last quote that was not crossed shows a better price than `price` on our `side`."""
    return venue.shown_bid > price if side > 0 else 0 < venue.shown_ask < price


@kernel
def settle_past(venue: Venue, record: Record) -> None:
    """Let a row that shows the book say of the latest fills whether the better prices are still there.

    A print that ran through all better prices leaves none of them. One that they outlive came from elsewhere, late, or
    in an order of its own: at that instant our order would hardly have been reached.
    """
    for i in range(record.n_settled, record.n_fills):
        fill = record.fills_rows[i]
        if fill[F_PAST] == PAST_BEFORE:
            fill[F_PAST] = PAST if quoted_better(venue, fill[F_SIDE], fill[F_PRICE]) else NOT_PAST
    record.n_settled = record.n_fills


@kernel
def set_against_quote(venue: Venue, record: Record, side: int, price: int) -> None:
    """Count whether a print fits the quote before it; where many do not, the two are of two clocks or two markets."""
    bid, ask = venue.shown_bid, venue.shown_ask
    if bid == 0 or ask == 0:
        return
    stretch = record.stretches[stretch_of(record)]
    stretch[S_TO_NS] = record.last_ns
    stretch[S_MET] += 1
    if side != 0:
        stretch[S_SIDED] += 1
        if side * (2 * price - bid - ask) < 0:
            stretch[S_WRONG] += 1
    if bid <= price <= ask:
        return
    stretch[S_OUTSIDE] += 1
    if record.depths > 0:
        note_passed(venue, record, price)


@kernel
def stretch_of(record: Record) -> int:
    """Return the row of the stretch that takes the next print."""
    stretches = record.stretches
    at = record.n_stretches - 1
    if at >= 0 and stretches[at, S_MET] < record.stretch_prints:
        return at
    if record.n_stretches == STRETCHES:
        join_stretches(record)
    at = record.n_stretches
    stretches[at, S_FROM_NS] = record.last_ns
    record.n_stretches += 1
    return at


@kernel
def join_stretches(record: Record) -> None:
    """Make one stretch of every two, so that the tape may go on for as long as it likes."""
    stretches = record.stretches
    for at in range(STRETCHES // 2):
        stretches[at, S_FROM_NS] = stretches[2 * at, S_FROM_NS]
        stretches[at, S_TO_NS] = stretches[2 * at + 1, S_TO_NS]
        for column in range(S_MET, STRETCH_COLUMNS):
            stretches[at, column] = stretches[2 * at, column] + stretches[2 * at + 1, column]
    for at in range(STRETCHES // 2, STRETCHES):
        for column in range(STRETCH_COLUMNS):
            stretches[at, column] = 0
    record.n_stretches = STRETCHES // 2
    record.stretch_prints *= 2


@kernel
def note_passed(venue: Venue, record: Record, price: int) -> None:
    """Note that a print passed the best level of depth, and whether another did so long ago and it stands unchanged.

    An exchange would have had it gone with the first of them: rows were lost that removed it.
    """
    if price < venue.shown_bid:
        if record.passed_bid == 0:
            record.passed_bid = venue.shown_bid
            record.passed_bid_size = venue.shown_bid_size
            record.passed_bid_ns = record.last_ns
        elif record.last_ns - record.passed_bid_ns > STALE_NS:
            record.past_stale += 1
    elif record.passed_ask == 0:
        record.passed_ask = venue.shown_ask
        record.passed_ask_size = venue.shown_ask_size
        record.passed_ask_ns = record.last_ns
    elif record.last_ns - record.passed_ask_ns > STALE_NS:
        record.past_stale += 1


@inlined
def forget_passed(venue: Venue, record: Record) -> None:
    """Let a level that has changed since prints passed it be one that none has passed."""
    if venue.shown_bid != record.passed_bid or venue.shown_bid_size != record.passed_bid_size:
        record.passed_bid = 0
    if venue.shown_ask != record.passed_ask or venue.shown_ask_size != record.passed_ask_size:
        record.passed_ask = 0


@inlined
def count(venue: Venue, record: Record, kind: int, side: int, price: int, size: int) -> None:
    """Count one row of the tape; side, price (ticks) and size (lots) are those of a print."""
    if kind == _TRADE:
        record.trades += 1
        record.volume += float(size)
        forget_passed(venue, record)
        set_against_quote(venue, record, side, price)
        return
    forget_passed(venue, record)
    if record.n_settled < record.n_fills:
        settle_past(venue, record)
    if kind == _QUOTE:
        record.quotes += 1
    else:
        record.depths += 1


@kernel
def finish(params: Params, state: State, venue: Venue, record: Record) -> None:
    """Weigh the rest of the time; write the last sample and the markouts whose horizon the tape just reached."""
    weigh_standing(params, state, venue, record)
    weigh_touch(record, 0)
    record.levels_passed = venue.levels_passed
    record.time_crossed = venue.crossed_total_ns
    if record.mid2 == 0:
        return
    look_back(record, record.last_ns + 1)
    if record.sampled_ns < record.last_ns:
        sample(params, state, record, record.last_ns)
        write_sample(state, record, record.last_ns)


@kernel
def steps_left(record: Record) -> int:
    """Return how many rows of the tape the tables can surely take; `eviction` makes room for more.

    An arrival at the venue is worth `ROWS_PER_ARRIVAL` of them. The equity table is asked apart: :func:`sample_fits`.
    """
    return min((FILL_ROWS - record.n_fills) // REPORTS_PER_ROW, (ORDER_ROWS - record.n_orders) // ORDERS_PER_STEP)


@kernel
def sample_fits(record: Record, now_ns: int) -> bool:
    """Return whether the equity table can take what :func:`advance` to `now_ns` writes."""
    return now_ns <= record.next_sample_ns or record.n_equity <= EQUITY_ROWS - SAMPLES_PER_GAP - 2
