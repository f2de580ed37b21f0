"""An independent audit of a backtest's run folder: from the files and the raw tape alone, what is wrong with it?

It shares no code with the project. Everything is recomputed in whole numbers (ticks, lots, quanta) from DESIGN's
formulas and rulings; the pivot and the grid, which are floats there, are recomputed from exact sums.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from audit_grid import check_grid
from audit_missing import check_missing
from audit_pivot import Pivot
from audit_run import NS, Order, Run, load, same
from audit_tape import QUOTE, TRADE, Row, read
from audit_venue import Venue, arrival

DONE = ("filled", "cancelled", "rejected", "expired", "end")


def audit(
    run_dir: Path, tape_paths: Sequence[Path], start_ns: int | None = None, end_ns: int | None = None
) -> list[str]:
    """Return everything found wrong with the run in `run_dir`; an empty list is a clean bill.

    Args:
        run_dir: Folder that `bmv backtest` wrote.
        tape_paths: The raw rows it ran on, in the float form or from the lake.
        start_ns: First instant of the run's time range; earlier rows seeded the pivot.
        end_ns: End of the time range, exclusive.
    """
    run = load(run_dir)
    tick, lot = (Decimal(str(run.settings.get(f"market.{key}"))) for key in ("tick_size", "lot_size"))
    seed, rows, _ = read(tape_paths, tick, lot, start_ns, end_ns)
    venue = Venue(run, rows, seeded=bool(seed))
    venue.walk()
    pivot = Pivot(run.settings, seed, rows)
    return (
        run.findings
        + check_orders(run, rows)
        + check_fills(run)
        + check_latency(run)
        + check_worst_case(run)
        + check_interval(run)
        + venue.findings
        + check_halt(run, venue)
        + check_marks(run, venue, rows)
        + check_equity(run, venue, rows)
        + check_pnl(run, venue)
        + check_counts(run, rows)
        + pivot.check(run, rows)
        + check_grid(run, rows)
        + check_missing(run, rows, pivot)
    )


def check_orders(run: Run, rows: Sequence[Row]) -> list[str]:
    """Each order's life makes sense in itself, and its fills are its own."""
    found: list[str] = []
    for order in run.orders.values():
        wrong = [
            (order.done not in DONE, f"ends as {order.done!r}"),
            (order.size <= 0 or order.price <= 0, f"is {order.size} lots at {order.price} ticks"),
            (order.side not in (1, -1), f"has side {order.side}"),
            (
                order.filled != sum(fill.size for fill in order.fills),
                f"says {order.filled} lots filled, its fills differ",
            ),
            (order.filled > order.size, f"filled {order.filled} of {order.size} lots"),
            ((order.done == "filled") != (order.filled == order.size), f"is {order.done} with {order.filled} filled"),
            ((order.done == "end") != (order.done_ns is None), f"ends as {order.done} at {order.done_ns}"),
            (order.done == "rejected" and (order.accepted is not None or order.filled > 0), "rejected after a life"),
            (order.done == "rejected" and not order.reason, "rejected without a reason"),
            (order.done == "cancelled" and order.accepted is None, "cancelled, but never accepted"),
            (order.accepted is not None and order.accepted < order.decided, "accepted before it was decided"),
            (_before(order.done_ns, order.accepted) or _before(order.done_ns, order.decided), "done before it began"),
            (not rows or order.decided > rows[-1].ts, "decided after the last row"),
            (bool(rows) and order.decided < rows[0].ts, "decided before the first row"),
        ]
        found += [f"order {order.id}: {what}" for is_wrong, what in wrong if is_wrong]
        if order.done == "filled" and order.fills and order.done_ns != max(fill.ts for fill in order.fills):
            found.append(f"order {order.id}: filled, but done at {order.done_ns}, not at its last fill")
    return found


def _before(a: int | None, b: int | None) -> bool:
    return a is not None and b is not None and a < b


def check_fills(run: Run) -> list[str]:
    """Each fill belongs to an order, in its life, on its side, at a price it allows; venue time goes on."""
    found: list[str] = []
    for fill in run.fills:
        order = run.orders.get(fill.order)
        if order is None:
            found.append(f"fill {fill.index}: order {fill.order} does not exist")
            continue
        began = arrival(order)
        wrong = [
            (fill.size <= 0, f"has size {fill.size}"),
            (fill.side != order.side, f"is on side {fill.side} of an order of side {order.side}"),
            (began is None or fill.ts < began, f"at {fill.ts} comes before its order, {began}"),
            (not fill.taker and fill.ts == began, "makes at the instant of its order's arrival, which rows precede"),
            (_before(order.done_ns, fill.ts), f"at {fill.ts} comes after its order's end, {order.done_ns}"),
            (fill.taker and fill.ts != began, f"takes at {fill.ts}, not when its order came, {began}"),
            (fill.known < fill.ts, f"is known at {fill.known}, before {fill.ts}"),
            (not fill.taker and fill.price != order.price, f"makes at {fill.price}, its order is at {order.price}"),
            ((fill.price - order.price) * order.side > 0, f"at {fill.price} is beyond its limit {order.price}"),
        ]
        found += [f"fill {fill.index}: {what}" for is_wrong, what in wrong if is_wrong]
    for earlier, later in pairwise(run.fills):
        if later.ts < earlier.ts or later.known < earlier.known:
            found.append(f"fill {later.index}: goes back in venue time, or its report overtook the one before")
    return found


def check_latency(run: Run) -> list[str]:
    """Batches do not overtake one another; constant latencies are kept to the nanosecond."""
    arrivals = sorted((order.decided, at) for order in run.orders.values() if (at := arrival(order)) is not None)
    found = [f"what was decided at {b[0]} overtook what was at {a[0]}" for a, b in pairwise(arrivals) if b[1] < a[1]]
    if run.settings.latency is None:
        return found
    entry, response = run.settings.latency
    found += [
        f"order {order.id}: decided at {order.decided}, arrived at {at}, the entry latency is {entry}"
        for order in run.orders.values()
        if (at := arrival(order)) is not None and at != order.decided + entry
    ]
    found += [
        f"order {order.id}: cancelled at {order.done_ns}, before a cancel could arrive"
        for order in run.orders.values()
        if order.done == "cancelled" and order.done_ns is not None and order.done_ns < order.decided + entry
    ]
    return found + [
        f"fill {fill.index}: known after {fill.known - fill.ts} ns, the response latency is {response}"
        for fill in run.fills
        if fill.known != fill.ts + response
    ]


def check_worst_case(run: Run) -> list[str]:
    """At every decision, all open orders together keep within position, balances and count; none crosses another.

    An order counts from its decision until its end is known to us. What becomes known at the instant of a decision
    is taken as known, the more lenient reading.
    """
    settings, found = run.settings, []
    response = settings.latency[1] if settings.latency else 0
    limit = settings.exact("inventory.max_position") / settings.lot
    target = settings.target
    most = int(settings.get("risk.max_open_orders", 0)) or 10**9
    orders = sorted(run.orders.values(), key=lambda order: (order.decided, order.id))
    known = sorted(run.fills, key=lambda fill: fill.known)
    position, cash = settings.start
    live: list[Order] = []
    by_time: dict[int, list[Order]] = {}
    for order in orders:
        by_time.setdefault(order.decided, []).append(order)
    next_fill = 0
    for now, new in by_time.items():
        while next_fill < len(known) and known[next_fill].known <= now:
            fill = known[next_fill]
            notional = 2 * fill.price * fill.size * settings.half
            position += fill.side * fill.size
            cash -= fill.side * notional + settings.fee(notional, fill.taker)
            next_fill += 1
        live = [each for each in live + new if not _known_done(each, now, response)]
        bids, asks = ([each for each in live if each.side == side] for side in (1, -1))
        held, offered = (sum(each.left(now) for each in side) for side in (bids, asks))
        notionals = [2 * each.price * each.left(now) * settings.half for each in bids]
        needed = sum(notional + settings.fee(notional, False) for notional in notionals)
        grid = {each.side for each in new if each.level >= 0 and not settings.get("strategy")}
        wrong = [
            (1 in grid and position + held - target > limit, f"all bids filled: {position} + {held} lots"),
            (-1 in grid and position - offered - target < -limit, f"all asks filled: {position} - {offered} lots"),
            (any(each.side == 1 for each in new) and needed > cash, f"bids need {needed} of {cash} quanta"),
            (any(each.side == -1 for each in new) and offered > position, f"asks offer {offered} of {position} lots"),
            (len(live) > most, f"{len(live)} open orders, at most {most}"),
            (bool(bids and asks) and max(b.price for b in bids) >= min(a.price for a in asks), "we cross ourselves"),
        ]
        found += [f"decided at {now}: {what}" for is_wrong, what in wrong if is_wrong]
    return found


def _known_done(order: Order, now: int, response: int) -> bool:
    return order.done_ns is not None and order.done_ns + response <= now


def check_interval(run: Run) -> list[str]:
    """New grids come no more often than `min_interval_ms`, and none after the breaker's halt."""
    interval = int(run.settings.exact("requote.min_interval_ms") * 1_000_000)
    times = sorted({order.decided for order in run.orders.values() if order.level >= 0})
    return [
        f"grids decided at {a} and {b}: {b - a} ns apart, at least {interval} wanted"
        for a, b in pairwise(times)
        if b - a < interval
    ]


def check_halt(run: Run, venue: Venue) -> list[str]:
    """Once the equity we know of has fallen to where the breaker halts, the grid places nothing more."""
    settings = run.settings
    falls = [settings.exact(f"risk.breaker.{key}_pct", "101") / 100 for key in ("halt", "daily")]
    loss = settings.exact("risk.breaker.max_loss", "1e30") / settings.quantum
    position, cash = settings.start
    twice_mid, start, peak, day, today = 0, 0, 0, 0, -1
    events = [(ts, 0, mid, 0, 0) for ts, mid in venue.mids]
    for fill in run.fills:
        notional = 2 * fill.price * fill.size * settings.half
        paid = fill.side * notional + settings.fee(notional, fill.taker)
        events.append((fill.known, 1, 0, fill.side * fill.size, paid))
    for ts, _, mid, bought, paid in sorted(events, key=lambda event: event[:2]):
        position, cash, twice_mid = position + bought, cash - paid, mid or twice_mid
        equity = cash + position * twice_mid * settings.half
        start, peak = start or equity, max(peak, equity)
        if ts // (86_400 * NS) != today:
            today, day = ts // (86_400 * NS), equity
        if peak - equity > falls[0] * peak or day - equity > falls[1] * day or start - equity > loss:
            late = [order for order in run.orders.values() if order.level >= 0 and order.decided > ts]
            return [f"order {order.id}: decided at {order.decided}, after the halt at {ts}" for order in late]
    return []


def check_equity(run: Run, venue: Venue, rows: Sequence[Row]) -> list[str]:
    """The samples stand where they should, and the drawdown is from the running peak."""
    samples, found = run.samples, []
    if venue.first is None:
        return ["equity has rows, the tape has no mid"] if samples else []
    if not samples:
        return ["equity has no rows, the tape has a mid"]
    every = int(run.settings.exact("data.equity_sample_s", "1") * NS)
    if samples[0].ts != venue.mids[0][0]:
        found.append(f"equity begins at {samples[0].ts}, the first mid is at {venue.mids[0][0]}")
    last = max([rows[-1].ts, *(fill.ts for fill in run.fills)])
    if samples[-1].ts < last:
        found.append(f"equity ends at {samples[-1].ts}, the run at {last}")
    times, events = [sample.ts for sample in samples], [row.ts for row in rows]
    found += [f"equity at {b}: not after {a}" for a, b in pairwise(times) if b <= a]
    for due in range(times[0], last, every):
        first, reached = bisect_left(times, due), bisect_left(events, due)
        if first == len(times) or times[first] > max(due, events[min(reached, len(events) - 1)]):
            found.append(f"equity has no sample for {due}")
    if len(samples) > (samples[-1].ts - samples[0].ts) // every + 2:
        found.append(f"equity has {len(samples)} samples, more than one every {every} ns")
    peak = 0.0
    for sample in samples:
        peak = max(peak, sample.equity)
        least = (peak - sample.equity) / peak if peak > 0 else 0.0
        if not least - 1e-12 <= sample.drawdown <= venue.worst + 1e-12:
            found.append(f"equity at {sample.ts}: drawdown {sample.drawdown}, {least} below the samples' peak")
    return found


def check_pnl(run: Run, venue: Venue) -> list[str]:
    """Profit by its causes, from fills and raw quotes, adds up to the change of equity, to the last quantum."""
    if venue.first is None:
        return []
    twice_mid, position, cash = venue.first
    start = venue.equity(twice_mid, position, cash)
    end = venue.equity(venue.tape.twice_mid, venue.position, venue.cash)
    assert start is not None
    assert end is not None
    assert venue.tape.twice_mid is not None
    held = run.settings.start[0] * (venue.tape.twice_mid - twice_mid) * run.settings.half
    expected = {
        "net": end - start, "spread": venue.spread, "inventory": venue.inventory, "fees": venue.fees,
        "tips": 0, "rounding": 0,
    }  # fmt: skip
    found = []
    if venue.spread + venue.inventory + venue.fees != end - start:
        found.append("the audit's own account does not add up: a fill stands where no row put it")
    recorded = run.summary["pnl"] | {"net_vs_hold": run.summary["net_vs_hold"]}
    for name, quanta in (expected | {"net_vs_hold": end - start - held}).items():
        value = recorded.get(name)
        if name != "net_vs_hold" and not isinstance(value, str):
            found.append(f"pnl.{name} is {value!r}, not a decimal string")
        amount = quanta * run.settings.quantum
        if not (same(value, amount) if isinstance(value, float) else Fraction(Decimal(str(value))) == amount):
            found.append(f"pnl.{name} is {value}, should be {float(amount)}")
    if run.samples:
        change = run.samples[-1].equity - run.samples[0].equity
        if abs(change - float((end - start) * run.settings.quantum)) > 1e-9 * max(1.0, abs(run.samples[0].equity)):
            found.append(f"equity changed by {change}, first row to last, net is {recorded['net']}")
        drawdown, least = float(run.summary["max_drawdown"]), max(sample.drawdown for sample in run.samples)
        if min(abs(drawdown - least), abs(drawdown - venue.worst)) > 1e-12:
            found.append(f"max_drawdown is {drawdown}: samples say {least}, all events {venue.worst}")
    return found


def check_counts(run: Run, rows: Sequence[Row]) -> list[str]:
    """What the summary counts is what the tape and the tables hold."""
    expected = {
        "events": len(rows),
        "trades": sum(row.kind == TRADE for row in rows),
        "quotes": sum(row.kind == QUOTE for row in rows),
        "orders": len(run.orders),
        "fills": len(run.fills),
    }
    return [
        f"summary: {name} is {run.summary.get(name)}, should be {count}"
        for name, count in expected.items()
        if run.summary.get(name) != count
    ]


def check_marks(run: Run, venue: Venue, rows: Sequence[Row]) -> list[str]:
    """The mids after each fill are those of the tape at that time, and absent once it has ended."""
    found = []
    for fill in run.fills:
        for after, recorded in fill.marks.items():
            index = bisect_right(venue.mids, (fill.ts + after, 2**62))
            ended = fill.ts + after > rows[-1].ts
            right = recorded is None if ended else same(recorded, venue.mids[index - 1][1] * run.settings.tick / 2)
            if not right:
                found.append(f"fill {fill.index}: mid after {after} ns is {recorded}")
    return found
