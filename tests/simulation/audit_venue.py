"""The venue walked a second time: given when our orders came and went, what may each raw row have filled?

Each row allows each of our orders a least and a most it may fill. The two are equal wherever the rulings of DESIGN
decide, and differ where they leave something open (`power` and `log` queues, one-sided books): then the audit
demands only what is certain. The walk follows the recorded fills, so that one wrong fill is one finding and not a
thousand.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

from audit_run import Fill, Order, Run, Sample, Settings, same
from audit_tape import QUOTE, TRADE, Row

ATTEMPTS = 64  # Ways to give the fills of one instant to its rows.
FAR = 2**62  # More lots than any queue: an unknown queue, which no print at the price gets through.


@dataclass(slots=True)
class Resting:
    """An order at the venue; the queue ahead of it lies between `low` and `high` lots."""

    order: Order
    left: int
    low: int
    high: int

    @property
    def side(self) -> int:
        return self.order.side

    @property
    def price(self) -> int:
        return self.order.price


@dataclass(slots=True)
class Taken:
    """What we took from the shown size at `price`, until that price changes."""

    price: int | None = None
    by_quotes: int = 0
    by_taking: int = 0
    doubtful: bool = False  # Only rows that fill nobody have changed the price since.

    def see(self, price: int | None, fills: bool) -> None:
        if price == self.price:
            return
        if fills:
            self.price, self.by_quotes, self.by_taking, self.doubtful = price, 0, 0, False
        else:
            self.doubtful = True

    def left(self, shown: int) -> tuple[int, int]:
        least = max(0, shown - self.by_quotes - self.by_taking)
        return least, shown if self.doubtful else max(0, shown - self.by_quotes)


class Tape:
    """What the rows told so far say: the touch, the mid, and who was the aggressor of a print."""

    def __init__(self, seeded: bool) -> None:
        self.touch: Row | None = None
        self.twice_mid: int | None = None
        self._quoted = False
        self._last: int | None = None
        self._direction = 0
        self._seeded = seeded  # Trades before the start may or may not have taught the tick rule.

    @property
    def normal(self) -> bool:
        """The standing quote has two sides and a spread."""
        return self.touch is not None and is_normal(self.touch)

    def best(self, side: int) -> tuple[int | None, int | None]:
        if self.touch is None:
            return None, None
        return (self.touch.bid, self.touch.bid_size) if side == 1 else (self.touch.ask, self.touch.ask_size)

    def aggressors(self, row: Row) -> set[int]:
        """Return who may have been the aggressor: one side, or several where the rulings leave it open."""
        if row.side:
            return {row.side}
        by_tick = self._tick_rule(row.price)
        if self.touch is None:
            return by_tick
        bid, ask = self.touch.bid, self.touch.ask
        if bid is not None and ask is not None and bid <= ask:
            return _versus(2 * row.price, bid + ask) or by_tick
        by_mid = set() if self.twice_mid is None else _versus(2 * row.price, self.twice_mid)
        return by_mid | by_tick | {0}

    def _tick_rule(self, price: int) -> set[int]:
        if self._last is None or (price == self._last and self._direction == 0):
            return {-1, 0, 1} if self._seeded else {0}
        return _versus(price, self._last) or {self._direction}

    def learn(self, row: Row) -> None:
        if row.kind == TRADE:
            if self._last is not None and row.price != self._last:
                self._direction = 1 if row.price > self._last else -1
            self._last = row.price
            if not self._quoted:
                self.twice_mid = 2 * row.price
        elif row.kind == QUOTE:
            self.touch = row
            if row.bid is not None and row.ask is not None and row.bid <= row.ask:
                self.twice_mid, self._quoted = row.bid + row.ask, True


def _crossed(side: int, price: int, each: Resting) -> bool:
    return each.side == side and (each.price - price) * side >= 0


def is_normal(row: Row) -> bool:
    return row.bid is not None and row.ask is not None and row.bid < row.ask


def _versus(value: int, middle: int) -> set[int]:
    return {1} if value > middle else {-1} if value < middle else set()


class Venue:
    """Our orders at the venue, and the account of their fills, row by row."""

    def __init__(self, run: Run, rows: Sequence[Row], seeded: bool) -> None:
        self.run = run
        self.settings: Settings = run.settings
        self.findings: list[str] = []
        self.tape = Tape(seeded)
        self.live: list[Resting] = []
        self.taken = {1: Taken(), -1: Taken()}  # Of bids shown, of asks shown.
        self.position, self.cash = run.settings.start
        self.spread = self.inventory = self.fees = 0
        self.first: tuple[int, int, int] | None = None  # Twice the mid, position, cash at the first mid.
        self.peak: int | None = None
        self.worst = 0.0
        self.mids: list[tuple[int, int]] = []  # Time, twice the mid from then on.
        self.by_quotes = 0
        self._rows = rows
        self._now: deque[Fill] = deque()
        self._before: int | None = None
        self._states: list[tuple[int | None, int, int]] = []
        self._choices: list[bool] = []
        self._choice = 0

    # The order of time: rows, then arrivals; samples see any state of their instant.

    def walk(self) -> None:
        fills = deque(sorted(self.run.fills, key=lambda fill: fill.ts))
        samples = deque(self.run.samples)
        for ts, rows, arrivals in self._instants():
            while fills and fills[0].ts < ts:
                self._unjustified(fills.popleft())
            while samples and samples[0].ts < ts:
                self._sample(samples.popleft(), [self._state()])
            self._now = deque()
            while fills and fills[0].ts == ts:
                self._now.append(fills.popleft())
            self._attribute(rows, arrivals)
            self.live = [each for each in self.live if each.left and not _gone(each.order, ts)]
            while samples and samples[0].ts == ts:
                self._sample(samples.popleft(), self._states)
        for fill in fills:
            self._unjustified(fill)
        for sample in samples:
            self._sample(sample, [self._state()])

    def _attribute(self, rows: Sequence[Row], arrivals: Sequence[Order]) -> None:
        """Give the fills of one instant to its rows; where a row may or may not have filled, try both."""
        before = self._save() if self._now else None
        best: tuple[int, list[bool]] | None = None
        doubts = 0
        for attempt in range(ATTEMPTS):
            self._choices = [attempt >> k & 1 == 0 for k in range(ATTEMPTS.bit_length())]
            self._choice = 0
            known = len(self.findings)
            self._instant(rows, arrivals)
            wrong = len(self.findings) - known
            if best is None or wrong < best[0]:
                best = wrong, self._choices
            if before is None or wrong == 0:
                return
            doubts = max(doubts, self._choice)
            self._load(before)
            if (attempt + 1) >> doubts:
                break
        assert best is not None
        self._choices, self._choice = best[1], 0
        self._instant(rows, arrivals)

    def _instant(self, rows: Sequence[Row], arrivals: Sequence[Order]) -> None:
        self._states = [self._state()]
        for row in rows:
            self._row(row)
        for order in arrivals:
            self._arrive(order)
        while self._now:
            self._unjustified(self._now.popleft())

    def _save(self) -> dict[str, object]:
        """Return a copy of all that an instant may change."""
        saved = {name: value for name, value in vars(self).items() if isinstance(value, int | float | tuple | None)}
        return saved | {
            "live": [replace(each) for each in self.live],
            "taken": {side: replace(taken) for side, taken in self.taken.items()},
            "tape": copy(self.tape),
            "findings": list(self.findings),
            "mids": list(self.mids),
            "_now": deque(self._now),
        }

    def _load(self, saved: dict[str, object]) -> None:
        vars(self).update(saved)
        vars(self).update(self._save())

    def _instants(self) -> Iterator[tuple[int, list[Row], list[Order]]]:
        """Yield each instant at which a row is told, an order arrives or one is taken away."""
        arrivals: dict[int, list[Order]] = {}
        for order in sorted(self.run.orders.values(), key=lambda order: (order.decided, order.id)):
            at = arrival(order)
            if at is not None:
                arrivals.setdefault(at, []).append(order)
            if order.done == "cancelled" and order.done_ns is not None:
                arrivals.setdefault(order.done_ns, [])
        at_venue = deque(sorted(arrivals))
        group: list[Row] = []
        for row in self._rows:
            if group and row.ts != group[0].ts:
                yield from self._until(group, at_venue, arrivals)
                group = []
            group.append(row)
        if group:
            yield from self._until(group, at_venue, arrivals)
        while at_venue:
            yield at_venue[0], [], arrivals[at_venue.popleft()]

    @staticmethod
    def _until(
        group: list[Row], at_venue: deque[int], arrivals: dict[int, list[Order]]
    ) -> Iterator[tuple[int, list[Row], list[Order]]]:
        ts = group[0].ts
        while at_venue and at_venue[0] < ts:
            yield at_venue[0], [], arrivals[at_venue.popleft()]
        if at_venue and at_venue[0] == ts:
            yield ts, group, arrivals[at_venue.popleft()]
        else:
            yield ts, group, []

    # What one row does.

    def _row(self, row: Row) -> None:
        self._before = self.tape.twice_mid
        if row.kind == TRADE:
            self._print(row)
        else:
            self._quote(row)
        self.tape.learn(row)
        self._revalue(row.ts)
        self._states.append(self._state())

    def _print(self, row: Row) -> None:
        budget, aggressors = row.size, self.tape.aggressors(row)
        for each in self._best_first(lambda each: (each.price - row.price) * each.side > 0):
            size = min(each.left, budget)
            budget -= self._expect(each, size, size, "print", f"a print of {row.size} through {each.price}")
            each.low = 0
        for each in self._best_first(lambda each: each.price == row.price):
            if -each.side not in aggressors:
                continue
            certain = aggressors == {-each.side}
            most = min(each.left, budget, max(0, row.size - each.low))
            least = min(each.left, max(0, budget - each.high)) if certain else 0
            if certain and each.high < FAR:
                each.high = max(0, each.high - budget)
            budget -= self._expect(each, least, most, "print", f"a print of {row.size} at {each.price}")
            each.low = max(0, each.low - row.size) if each.low < FAR else FAR

    def _quote(self, row: Row) -> None:
        for side, price in ((1, row.bid), (-1, row.ask)):
            self.taken[side].see(price, is_normal(row))
        if row.bid is None or row.ask is None or row.bid < row.ask:
            if self.settings.fill_on_quotes:
                self._cross(row)
            for each in self.live:
                self._requeue(each, *((row.bid, row.bid_size) if each.side == 1 else (row.ask, row.ask_size)))

    def _cross(self, row: Row) -> None:
        """Fill what the row crosses; whether a row without the other side does, is not said: it may."""
        for side, price, shown in ((1, row.ask, row.ask_size), (-1, row.bid, row.bid_size)):
            if price is None:
                continue
            for each in self._best_first(partial(_crossed, side, price)):
                taken = self.taken[-side]
                least, most = (each.left, each.left) if shown is None else taken.left(shown)
                least = min(least, each.left) if is_normal(row) else 0
                size = self._expect(each, least, min(most, each.left), "quote", f"a quote of {shown} at {price}")
                taken.by_quotes += size
                self.by_quotes += size
                each.low = 0

    def _requeue(self, each: Resting, best: int | None, shown: int | None) -> None:
        if self.settings.queue != "back":
            return
        if best is None:
            each.low = 0
        elif best == each.price and shown is not None:
            each.low, each.high = min(each.low, shown), min(each.high, shown)
        elif (each.price - best) * each.side > 0:
            each.low = each.high = 0

    def _best_first(self, wanted: Callable[[Resting], bool]) -> list[Resting]:
        return sorted((each for each in self.live if each.left and wanted(each)), key=lambda e: -e.price * e.side)

    def _expect(self, each: Resting, least: int, most: int, cause: str, why: str) -> int:
        """Match the next recorded fill of this instant against what `each` may get; return what was recorded."""
        fill = self._now[0] if self._now else None
        ours = fill is not None and fill.order == each.order.id and not fill.taker and fill.cause in (None, cause)
        if ours and least == 0 < most:
            ours = self._choices[min(self._choice, len(self._choices) - 1)]
            self._choice += 1
        if not ours or most == 0:
            if least > 0:
                self.findings.append(f"order {each.order.id}: {why} must fill {least} lots and filled none")
            return 0
        assert fill is not None
        self._now.popleft()
        if not least <= fill.size <= most:
            self.findings.append(f"fill {fill.index}: {why} allows {least} to {most} lots, not {fill.size}")
        if fill.price != each.price:
            self.findings.append(f"fill {fill.index}: a maker's price is its own, {each.price}, not {fill.price}")
        self._book(fill, self._before)
        each.left = max(0, each.left - fill.size)
        return fill.size

    # Arrivals.

    def _arrive(self, order: Order) -> None:
        opposite, shown = self.tape.best(-order.side)
        crosses = opposite is not None and (order.price - opposite) * order.side >= 0
        each = Resting(order, order.size, *self._queue(order))
        if order.done == "rejected":
            if not crosses:
                self.findings.append(f"order {order.id}: rejected, but {order.price} did not cross {opposite}")
            return
        while self._now and self._now[0].order == order.id and self._now[0].taker:
            fill = self._now.popleft()
            self._take(each, fill, opposite if crosses else None, shown)
        if crosses and each.left == order.size and order.done != "expired":
            self.findings.append(f"order {order.id}: rests at {order.price}, at or through the touch {opposite}")
        if order.done != "expired":
            self.live.append(each)

    def _take(self, each: Resting, fill: Fill, touch: int | None, shown: int | None) -> None:
        if touch is None:
            self.findings.append(f"fill {fill.index}: taken, but order {each.order.id} crossed nothing")
        else:
            if fill.price != touch:
                self.findings.append(f"fill {fill.index}: taken at {fill.price}, the touch was {touch}")
            if shown is not None and fill.size > shown:
                self.findings.append(f"fill {fill.index}: took {fill.size} lots of {shown} shown")
            self.taken[-each.side].by_taking += fill.size
        self._book(fill, self.tape.twice_mid)
        each.left -= fill.size
        self._fall()
        self._states.append(self._state())

    def _queue(self, order: Order) -> tuple[int, int]:
        """Return the least and the most that may be ahead of an order which arrives now."""
        if self.settings.queue == "front":
            return 0, 0
        if self.settings.queue != "back":
            return 0, FAR
        best, shown = self.tape.best(order.side)
        if self.tape.touch is None:
            return FAR, FAR
        if best is None:
            return 0, FAR
        if best == order.price:
            return (FAR, FAR) if shown is None else (shown, shown)
        return (0, 0) if (order.price - best) * order.side > 0 else (FAR, FAR)

    # The account.

    def _book(self, fill: Fill, before: int | None) -> None:
        settings, order = self.settings, self.run.orders.get(fill.order)
        notional = 2 * fill.price * fill.size * settings.half
        fee = settings.fee(notional, fill.taker)
        self.position += fill.side * fill.size
        self.cash -= fill.side * notional + fee
        self.fees -= fee
        if before is None:
            self.findings.append(f"fill {fill.index}: before any mid")
        else:
            self.spread += fill.side * fill.size * (before - 2 * fill.price) * settings.half
            if fill.mid is not None and not same(fill.mid, before * settings.tick / 2):
                self.findings.append(f"fill {fill.index}: mid {fill.mid} was {float(before * settings.tick / 2)}")
        for name, recorded, expected in (
            ("fee", fill.fee, fee * settings.quantum),
            ("position", fill.position, self.position * settings.lot),
            ("cash", fill.cash, self.cash * settings.quantum),
        ):
            if not same(recorded, expected):
                self.findings.append(f"fill {fill.index}: {name} {recorded} should be {float(expected)}")
        if self.position < 0 or self.cash < 0:
            self.findings.append(f"fill {fill.index}: leaves {self.position} lots and {self.cash} quanta")
        if order is not None and order.level != fill.level:
            self.findings.append(f"fill {fill.index}: level {fill.level} of an order of level {order.level}")

    def _unjustified(self, fill: Fill) -> None:
        self.findings.append(f"fill {fill.index}: nothing in the tape at {fill.ts} fills order {fill.order}")
        self._book(fill, self.tape.twice_mid)
        for each in self.live:
            if each.order.id == fill.order:
                each.left = max(0, each.left - fill.size)

    def _revalue(self, ts: int) -> None:
        after = self.tape.twice_mid
        if after is None:
            return
        if self._before is None or self.first is None:
            self.first = (after, self.position, self.cash)
        else:
            self.inventory += self.position * (after - self._before) * self.settings.half
        if self._before != after:
            self.mids.append((ts, after))
        self._fall()

    def _fall(self) -> None:
        equity = self.equity(*self._state())
        if equity is None:
            return
        self.peak = equity if self.peak is None else max(self.peak, equity)
        if self.peak > 0:
            self.worst = max(self.worst, (self.peak - equity) / self.peak)

    def _state(self) -> tuple[int | None, int, int]:
        return self.tape.twice_mid, self.position, self.cash

    def equity(self, twice_mid: int | None, position: int, cash: int) -> int | None:
        """Return cash and position at the mid, in quanta."""
        return None if twice_mid is None else cash + position * twice_mid * self.settings.half

    def _sample(self, sample: Sample, states: list[tuple[int | None, int, int]]) -> None:
        settings = self.settings
        for twice_mid, position, cash in states:
            if twice_mid is None:
                continue
            equity = Fraction(self.equity(twice_mid, position, cash) or 0) * settings.quantum
            if (
                same(sample.mid, twice_mid * settings.tick / 2)
                and same(sample.position, position * settings.lot)
                and same(sample.cash, cash * settings.quantum)
                and same(sample.equity, equity)
            ):
                return
        self.findings.append(f"equity at {sample.ts}: {sample} is none of the states {states} of that instant")


def arrival(order: Order) -> int | None:
    """Return when the order reached the venue, if it did."""
    if order.accepted is not None or order.done == "end":
        return order.accepted
    return order.done_ns


def _gone(order: Order, ts: int) -> bool:
    return order.done == "cancelled" and order.done_ns is not None and order.done_ns <= ts
