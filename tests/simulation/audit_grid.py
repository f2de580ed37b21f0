"""The grid's prices, level by level, from the pivot that each order carries."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from audit_run import Order, Run
from audit_tape import QUOTE, Row


def check_grid(run: Run, rows: Sequence[Row]) -> list[str]:
    """Each grid order's price is its level's, or one tick from the opposite touch where that moved it; none too big."""
    if run.settings.get("strategy"):
        return []
    quotes = [row for row in rows if row.kind == QUOTE]
    times = [row.ts for row in quotes]
    found = []
    for order in run.orders.values():
        if order.level < 0 or order.pivot is None:
            continue
        before = bisect_left(times, order.decided)
        touches: list[Row | None] = [quotes[before - 1] if before else None]
        touches += quotes[before : bisect_right(times, order.decided)]
        allowed = {price for i in _inventories(run, order) for price in _prices(run, order, i, touches)}
        if order.price not in allowed:
            found.append(f"order {order.id}: price {order.price} of level {order.level}, the grid says {allowed}")
        most = max(_most(run, order, i) for i in _inventories(run, order))
        if order.size > most + 1e-6:
            found.append(f"order {order.id}: {order.size} lots, levels {order.level} and beyond make {most}")
        least = run.settings.exact("market.min_size") / run.settings.lot
        if order.size < least:
            found.append(f"order {order.id}: {order.size} lots is under the least, {least}")
    return found


def _inventories(run: Run, order: Order) -> set[float]:
    """Return the inventory fractions at the decision, whichever reports of its instant had come."""
    settings = run.settings
    target = settings.target
    position, fractions = settings.start[0], set[float]()
    for fill in sorted(run.fills, key=lambda fill: fill.known):
        if fill.known > order.decided:
            break
        if fill.known == order.decided:
            fractions.add(_fraction(run, position - float(target)))
        position += fill.side * fill.size
    return fractions | {_fraction(run, position - float(target))}


def _fraction(run: Run, away: float) -> float:
    return max(-1.0, min(1.0, away / float(run.settings.exact("inventory.max_position") / run.settings.lot)))


def _prices(run: Run, order: Order, inventory: float, touches: Sequence[Row | None]) -> set[int]:
    side = "bid" if order.side == 1 else "ask"
    first, step, ratio = (float(run.settings.exact(f"grid.{side}.{key}", default)) for key, default in (
        ("first_bps", "0"), ("step_bps", "0"), ("step_ratio", "1")))  # fmt: skip
    offset = first + step * sum(ratio**j for j in range(order.level))
    assert order.pivot is not None
    skew = float(run.settings.exact("inventory.price_skew_bps"))
    centre = order.pivot / float(run.settings.tick) * (1 - skew * inventory / 1e4)
    exact = centre * (1 - order.side * offset / 1e4)
    nudge = 2e-9 * max(1.0, exact * 1e-3)  # What floats may lose on the way.
    prices = set[int]()
    for near in (exact - nudge, exact, exact + nudge):
        price = math.floor(near + 1e-9) if order.side == 1 else math.ceil(near - 1e-9)
        for row in touches:
            opposite = None if row is None else row.ask if order.side == 1 else row.bid
            moved = price if opposite is None else (opposite - order.side)
            prices.add(min(price, moved) if order.side == 1 else max(price, moved))
    return prices


def _most(run: Run, order: Order, inventory: float) -> float:
    """Return the lots of this level and, as levels may merge into it, of those beyond."""
    side = "bid" if order.side == 1 else "ask"
    settings = run.settings
    levels, growth = int(settings.get(f"grid.{side}.levels", 0)), float(settings.exact(f"grid.{side}.size_ratio", "1"))
    total = float(settings.exact(f"grid.{side}.total_size") / settings.lot)
    skew = max(0.0, 1 - order.side * float(settings.exact("inventory.size_skew")) * inventory)
    shares = [growth**k for k in range(levels)]
    return total * skew * sum(shares[order.level :]) / sum(shares) * (1 + 1e-12)
