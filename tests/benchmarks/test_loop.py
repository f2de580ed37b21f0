"""The compiled loop on a day of 10 M events in memory, beside a loop that only reads them."""

from collections.abc import Sequence
from statistics import median
from time import perf_counter

import ladders
import pytest
from loops import SECOND_NS, bare, maker, nobody, prepared
from stopwatch import Stopwatch
from tapes import TapeInMemory

from bmv.backtest.fused import Fused
from bmv.core.engine import Strategy
from bmv.ports.market_data import Columns

WINDOW_NS = round(maker().pivot.window_s * SECOND_NS)
BUSY = ("requote.threshold_bps=0.5", "requote.min_interval_ms=100", "requote.fill_delay_s=0.1")
STRATEGIES = pytest.mark.parametrize("strategy", [ladders.marked, ladders.plain], ids=["compiled", "plain"])


def measure(
    watch: Stopwatch, day: Columns, sets: Sequence[str] = (), strategy: Strategy | None = None, rounds: int = 5
) -> None:
    """Time the loop on the day; it must have traded, and the breaker must not have ended the day."""
    loops = list[Fused]()

    def made() -> Fused:
        loops[:] = [prepared(maker(sets), strategy)]
        return loops[0]

    times = watch.time(lambda loop: loop.run(TapeInMemory(day), nobody), made, rounds)

    record, state = loops[0].record, loops[0].state
    counts = {name: int(getattr(record, name)) for name in ("orders", "cancels", "fills", "timers")}
    counts["requotes"] = int(state.requotes)
    watch.note(**counts)
    watch.tell_speed(times, len(day.ts_ns), "".join(f", {count:,} {name}" for name, count in counts.items()))
    assert record.fills > 1000
    assert state.n_trips == 0, "the breaker tripped: the rest of the day was quiet"


@pytest.mark.benchmark(group="loop")
def test_the_fused_loop(watch: Stopwatch, day: Columns) -> None:
    """The strategy as configured: the benchmark that the promise of events a second is about."""
    measure(watch, day)


@pytest.mark.benchmark(group="loop")
def test_a_bare_loop(watch: Stopwatch, day: Columns) -> None:
    """The same columns, read and averaged, with nothing decided: what any loop pays."""
    times = watch.time(lambda told: bare(*told, WINDOW_NS), lambda: day, rounds=5)

    watch.tell_speed(times, len(day.ts_ns))


@pytest.mark.benchmark(group="loop, in turns")
def test_the_fused_and_the_bare_loop_in_turns(watch: Stopwatch, day: Columns) -> None:
    """One after the other, again and again, so that both see the same machine: their ratio is what can be compared."""
    fused_s, bare_s = list[float](), list[float]()

    def both(loop: Fused) -> None:
        started = perf_counter()
        loop.run(TapeInMemory(day), nobody)
        between = perf_counter()
        bare(*day, WINDOW_NS)
        fused_s.append(between - started)
        bare_s.append(perf_counter() - between)

    watch.time(both, lambda: prepared(maker()), rounds=9)

    ratio = median(b / f for f, b in zip(fused_s[1:], bare_s[1:], strict=True))  # The first round warmed up.
    speeds = [len(day.ts_ns) / median(seconds[1:]) for seconds in (fused_s, bare_s)]
    watch.note(fused_events_per_second=speeds[0], bare_events_per_second=speeds[1], fused_over_bare=ratio)
    watch.say(f"fused {speeds[0] / 1e6:.1f}, bare {speeds[1] / 1e6:.1f} M events/s, ratio {ratio:.3f}")


@pytest.mark.benchmark(group="strategies")
@STRATEGIES
def test_a_strategy_of_ones_own(watch: Stopwatch, day: Columns, strategy: Strategy) -> None:
    """The same ladder around the mid, as machine code and called back from the loop."""
    measure(watch, day, strategy=strategy)


@pytest.mark.benchmark(group="queues")
@pytest.mark.parametrize("queue", ["front", "back", "power", "log"])
def test_a_queue_model(watch: Stopwatch, day: Columns, queue: str) -> None:
    """What the model of the queue ahead of us costs."""
    measure(watch, day, [f"simulation.queue={queue}"])


@pytest.mark.benchmark(group="busy")
def test_a_busy_grid(watch: Stopwatch, day: Columns) -> None:
    """A grid moved with every half basis point, ten times a second at the most: what requotes cost."""
    measure(watch, day, BUSY)


@pytest.mark.benchmark(group="busy")
@STRATEGIES
def test_a_busy_strategy_of_ones_own(watch: Stopwatch, day: Columns, strategy: Strategy) -> None:
    """The same with a user's strategy: what its calls cost."""
    measure(watch, day, BUSY, strategy, rounds=3)
