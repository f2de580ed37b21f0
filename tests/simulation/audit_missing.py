"""What asks for a grid: DESIGN's causes, and of a level that is missing only that it is now placed, or more of it.

A grid that changes nothing leaves no trace in a run folder, so the last one may be any instant since the last that
did: what is demanded is only what holds whichever it was.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

from audit_pivot import Pivot
from audit_run import NS, Order, Run
from audit_tape import Row

TIERS = ("warn_pct", "reduce_pct", "halt_pct", "daily_pct", "max_loss")
IN_A_ROW = 8  # More than the grids that it takes to make room for a level and to place it.
# Where one of these is set, a grid may have a cause that no run folder shows.
HIDING = ("strategy", "risk.max_cancels_per_minute", "pivot.max_deviation_bps", *(f"risk.breaker.{t}" for t in TIERS))


def check_missing(run: Run, rows: Sequence[Row], pivot: Pivot) -> list[str]:
    """Each grid has a cause, or places a level of which nothing rested, or more of one than rested.

    A grid may make room for that level first, by cancels, and what it cancelled may come back before it as their ends
    become known one by one: so of `IN_A_ROW` grids without a cause one must place such a level, by what rested before
    the first of them. Not looked at: a user's strategy, and runs in which the cause may stand where no folder shows it
    (latencies that are drawn, a limit on cancels, a breaker).
    """
    settings = run.settings
    if settings.latency is None or any(settings.get(key) for key in HIDING):
        return []
    grids, causes = _grids(run.orders.values(), settings.latency[0]), _Causes(run, rows, pivot)
    found: list[str] = []
    vain: list[int] = []  # The grids without a cause that have served no level, up to now.
    for last, now in pairwise(sorted(grids)):
        if causes.any(last, now):
            vain = []
            continue
        vain.append(now)
        if any(_serves(run, order, vain[0], *settings.latency) for order in grids[now]):
            vain = []
        elif len(vain) == IN_A_ROW:
            found.append(f"{len(vain)} grids from {vain[0]} to {now}: nothing asked for them, and no level was missing")
            vain = []
    return found


def _grids(orders: Iterable[Order], entry: int) -> dict[int, list[Order]]:
    """Return what each grid placed, by its time; nothing where it has only cancelled."""
    grids: dict[int, list[Order]] = {}
    for order in orders:
        if order.level < 0:
            continue
        grids.setdefault(order.decided, []).append(order)
        if order.done == "cancelled" and order.done_ns is not None:
            grids.setdefault(order.done_ns - entry, [])
    return grids


def _serves(run: Run, placed: Order, before: int, entry: int, response: int) -> bool:
    """Return whether less of this level rested before that instant, as far as we knew, than is placed."""
    rested = 0
    for order in run.orders.values():
        if (order.side, order.level) != (placed.side, placed.level) or order.decided >= before:
            continue
        known = order.done_ns is not None and order.done_ns + response <= before
        dying = order.done == "cancelled" and order.done_ns is not None and order.done_ns - entry < before
        rested += 0 if known or dying else order.left(before)
    return placed.size > rested


class _Causes:
    """Whatever asks for a grid by itself: a move of the centre, a fill, age, and the first grid after a withdrawal."""

    def __init__(self, run: Run, rows: Sequence[Row], pivot: Pivot) -> None:
        settings = run.settings
        self.run = run
        self.pivot = pivot
        self.events = sorted({row.ts for row in rows})
        self.known = sorted(fill.known for fill in run.fills)
        self.threshold = float(settings.exact("requote.threshold_bps")) / 1e4
        self.age = int(settings.exact("requote.max_age_s") * NS)
        self.stale = int(settings.exact("risk.stale_after_s") * NS)
        self.response = settings.latency[1] if settings.latency else 0

    def any(self, last: int, now: int) -> bool:
        """Return whether a grid at `now`, after one at `last`, has a cause that no level's absence is needed for."""
        return self.filled(last, now) or self.aged(now) or self.moved(last, now) or self.withdrawn(last, now)

    def filled(self, last: int, now: int) -> bool:
        return bisect_left(self.known, last) < bisect_right(self.known, now)

    def aged(self, now: int) -> bool:
        return self.age > 0 and any(
            order.level >= 0
            and order.decided + self.age <= now
            and (order.done_ns is None or order.done_ns + self.response >= now)
            for order in self.run.orders.values()
        )

    def moved(self, last: int, now: int) -> bool:
        """Without a fill the centre moves as the pivot does."""
        here = [value for value in self.pivot.possible(now) if value is not None]
        return any(
            abs(value - then) > self.threshold * then * (1 - 1e-9)
            for at in (last, *self._between(last, now))
            for then in self.pivot.possible(at)
            if then is not None
            for value in here
        )

    def withdrawn(self, last: int, now: int) -> bool:
        """Return whether at some instant since `last` nothing might rest: no pivot, or data that are stale."""
        instants = (last, *self._between(last, now), now)
        return any(None in self.pivot.possible(at) or self._is_stale(at) for at in instants)

    def _between(self, last: int, now: int) -> Sequence[int]:
        return self.events[bisect_right(self.events, last) : bisect_left(self.events, now)]

    def _is_stale(self, now: int) -> bool:
        """Return whether the last row before `now` was so long ago that nothing might rest until the next."""
        if self.stale == 0:
            return False
        before = self.events[max(0, bisect_left(self.events, now) - 1)]
        return now - before >= self.stale
