"""The reference run: the same words through the ports, one event at a time, in plain Python."""

import pytest
from conftest import Say
from loops import maker, nobody, wired
from pytest_benchmark.fixture import BenchmarkFixture
from tapes import TapeInMemory

from bmv.backtest.run import World, run
from bmv.ports.market_data import Columns

ROWS = 50_000


@pytest.mark.benchmark(group="reference")
def test_the_reference_run(benchmark: BenchmarkFixture, day: Columns, say: Say) -> None:
    """The first rows of the day."""
    tape = TapeInMemory(Columns(*(column[:ROWS] for column in day)))
    worlds: list[World] = []

    def setup() -> tuple[tuple[World], dict[str, object]]:
        worlds[:] = [wired(maker()).world()]
        return (worlds[0],), {}

    benchmark.pedantic(lambda world: run(world, tape, nobody), setup=setup, rounds=3, warmup_rounds=1)

    speed = ROWS / benchmark.stats.stats.median
    benchmark.extra_info["events_per_second"] = round(speed)
    say(f"{speed:,.0f} events/s, {worlds[0].record.orders:,} orders, {worlds[0].record.fills:,} fills")
    assert worlds[0].record.fills > 50
