"""The compiled loop on a day of 10 M events in memory, beside a loop that only reads them."""

from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter

import ladders
import pytest
from conftest import Say
from loops import SECOND_NS, bare, maker, nobody, prepared
from pytest_benchmark.fixture import BenchmarkFixture
from tapes import TapeInMemory

from bmv.backtest.fused import Fused
from bmv.core.engine import Strategy
from bmv.ports.market_data import Columns

WINDOW_NS = round(maker().pivot.window_s * SECOND_NS)
BUSY = ("requote.threshold_bps=0.5", "requote.min_interval_ms=100", "requote.fill_delay_s=0.1")
Measure = Callable[..., Fused]


@pytest.fixture
def measure(benchmark: BenchmarkFixture, day: Columns, say: Say) -> Measure:
    """Return a function that times the loop on the day, says what it found, and returns the last loop."""

    def measure(sets: Sequence[str] = (), strategy: Strategy | None = None, rounds: int = 5) -> Fused:
        loops: list[Fused] = []

        def setup() -> tuple[tuple[Fused], dict[str, object]]:
            loops[:] = [prepared(maker(sets), strategy)]
            return (loops[0],), {}

        def run(loop: Fused) -> None:
            loop.run(TapeInMemory(day), nobody)

        benchmark.pedantic(run, setup=setup, rounds=rounds, warmup_rounds=1)
        _tell(benchmark, say, len(day.ts_ns), loops[0])
        assert loops[0].record.fills > 1000
        assert loops[0].state.n_trips == 0, "the breaker tripped: the rest of the day was quiet"
        return loops[0]

    return measure


def _tell(benchmark: BenchmarkFixture, say: Say, rows: int, loop: Fused | None = None) -> None:
    stats = benchmark.stats.stats
    benchmark.extra_info["events_per_second"] = round(rows / stats.median)
    line = f"{rows / stats.median / 1e6:.1f} M events/s (best {rows / stats.min / 1e6:.1f})"
    if loop is not None:
        record = loop.record
        counts = {name: int(getattr(record, name)) for name in ("orders", "cancels", "fills", "timers")}
        counts["requotes"] = int(loop.state.requotes)
        benchmark.extra_info.update(counts)
        line += ", " + ", ".join(f"{count:,} {name}" for name, count in counts.items())
    say(line)


@pytest.mark.benchmark(group="loop")
def test_the_fused_loop(measure: Measure) -> None:
    """The strategy as configured: the benchmark that the promise of events a second is about."""
    measure()


@pytest.mark.benchmark(group="loop")
def test_a_bare_loop(benchmark: BenchmarkFixture, day: Columns, say: Say) -> None:
    """The same columns, read and averaged, with nothing decided: what any loop pays."""
    benchmark.pedantic(lambda: bare(*day, WINDOW_NS), rounds=5, warmup_rounds=1)

    _tell(benchmark, say, len(day.ts_ns))


@pytest.mark.benchmark(group="loop, in turns")
def test_the_fused_and_the_bare_loop_in_turns(benchmark: BenchmarkFixture, day: Columns, say: Say) -> None:
    """One after the other, again and again, so that both see the same machine: their ratio is what can be compared."""
    took: dict[str, list[float]] = {"fused": [], "bare": []}

    def both(loop: Fused) -> None:
        started = perf_counter()
        loop.run(TapeInMemory(day), nobody)
        between = perf_counter()
        bare(*day, WINDOW_NS)
        took["fused"].append(between - started)
        took["bare"].append(perf_counter() - between)

    benchmark.pedantic(both, setup=lambda: ((prepared(maker()),), {}), rounds=7, warmup_rounds=1)

    speeds = {name: len(day.ts_ns) / median(seconds[1:]) for name, seconds in took.items()}
    benchmark.extra_info.update({f"{name}_events_per_second": round(speed) for name, speed in speeds.items()})
    ratio = median(b / a for a, b in zip(took["fused"][1:], took["bare"][1:], strict=True))
    benchmark.extra_info["fused_over_bare"] = round(ratio, 3)
    say(f"fused {speeds['fused'] / 1e6:.1f}, bare {speeds['bare'] / 1e6:.1f} M events/s, ratio {ratio:.2f}")


@pytest.mark.benchmark(group="strategies")
@pytest.mark.parametrize("strategy", [ladders.marked, ladders.plain], ids=["compiled", "plain Python"])
def test_a_strategy_of_ones_own(measure: Measure, strategy: Strategy) -> None:
    """The same ladder around the mid, as machine code and called back from the loop."""
    measure(strategy=strategy)


@pytest.mark.benchmark(group="queues")
@pytest.mark.parametrize("queue", ["front", "back", "power", "log"])
def test_a_queue_model(measure: Measure, queue: str) -> None:
    """What the model of the queue ahead of us costs."""
    measure([f"simulation.queue={queue}"])


@pytest.mark.benchmark(group="busy")
def test_a_busy_grid(measure: Measure) -> None:
    """A grid moved with every half basis point, ten times a second at the most: what requotes cost."""
    measure(BUSY)


@pytest.mark.benchmark(group="busy")
@pytest.mark.parametrize("strategy", [ladders.marked, ladders.plain], ids=["compiled", "plain Python"])
def test_a_busy_strategy_of_ones_own(measure: Measure, strategy: Strategy) -> None:
    """The same with a user's strategy: what its calls cost."""
    measure(BUSY, strategy, rounds=3)
