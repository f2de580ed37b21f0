"""The pivot, from exact sums over the raw trades."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

from audit_run import NS, Run, Settings
from audit_tape import TRADE, Row

CLOSE = 1e-9


class Pivot:
    """Dynamic VWAP after any number of trades, at any instant; in ticks."""

    def __init__(self, settings: Settings, seed: Sequence[Row], rows: Sequence[Row]) -> None:
        trades = [row for row in (*seed, *rows) if row.kind == TRADE]
        self.times = [row.ts for row in trades]
        self.volume = [0, *accumulate(row.size for row in trades)]
        self.money = [0, *accumulate(row.size * row.price for row in trades)]
        self.window = int(settings.exact("pivot.window_s") * NS)
        self.history = int(settings.exact("pivot.history_s") * NS)

    def at(self, now: int, trades: int) -> float | None:
        """Return the pivot at `now` when the first `trades` trades have been told; `None` when there is none."""
        long, long_volume = self._mean(trades, now - self.history)
        short, short_volume = self._mean(trades, now - self.window)
        if long is None:
            return None
        if short is None:
            return long
        weight = short_volume / (short_volume + long_volume * self.window / self.history)
        return weight * short + (1 - weight) * long

    def _mean(self, end: int, since: int) -> tuple[float | None, int]:
        first = min(bisect_left(self.times, since), end)
        volume = self.volume[end] - self.volume[first]
        return ((self.money[end] - self.money[first]) / volume if volume else None), volume

    def possible(self, now: int) -> list[float | None]:
        """Return what the pivot may have been at an event of instant `now`."""
        counts = range(bisect_left(self.times, now), bisect_right(self.times, now) + 1)
        return [self.at(now, count) for count in counts]

    def check(self, run: Run, rows: Sequence[Row]) -> list[str]:
        """Compare the pivots in the tables of orders and equity."""
        tick = float(run.settings.tick)
        found = [
            f"order {order.id}: pivot {order.pivot} at {order.decided}, should be of {values}"
            for order in run.orders.values()
            if not _one_of(order.pivot, values := self.possible(order.decided), tick)
            and (order.level >= 0 or order.pivot is not None)
        ]
        events = sorted({row.ts for row in rows})
        for sample in run.samples:
            values = self.possible(sample.ts)
            for event in self._since(events, sample.ts):
                values += self.possible(event)
            if not _one_of(sample.pivot, values, tick):
                found.append(f"equity at {sample.ts}: pivot {sample.pivot} is none of {values}")
        return found

    def _since(self, events: Sequence[int], ts: int) -> Iterable[int]:
        """Yield instants up to `ts`, since the last event, at which the pivot may last have been evaluated."""
        index = bisect_right(events, ts) - 1
        if index < 0:
            return
        yield events[index]
        for width in (self.window, self.history):
            leaving = slice(bisect_left(self.times, events[index] - width), bisect_right(self.times, ts - width))
            yield from (time + width + 1 for time in self.times[leaving] if time + width + 1 <= ts)


def _one_of(recorded: float | None, values: Sequence[float | None], tick: float) -> bool:
    if recorded is None:
        return None in values
    return any(value is not None and abs(recorded - value * tick) <= CLOSE * recorded for value in values)
