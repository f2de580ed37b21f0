"""The reference run: the same words through the ports, one event at a time, in plain Python."""

import pytest
from loops import maker, nobody, wired
from stopwatch import Stopwatch
from tapes import TapeInMemory

from bmv.backtest.run import World, run
from bmv.ports.market_data import Columns

ROWS = 50_000


@pytest.mark.benchmark(group="reference")
def test_the_reference_run(watch: Stopwatch, day: Columns) -> None:
    """The first rows of the day."""
    tape = TapeInMemory(Columns(*(column[:ROWS] for column in day)))
    worlds = list[World]()

    def made() -> World:
        worlds[:] = [wired(maker()).world()]
        return worlds[0]

    times = watch.time(lambda world: run(world, tape, nobody), made, rounds=3)

    record = worlds[0].record
    watch.tell_speed(times, ROWS, f", {record.orders:,} orders, {record.fills:,} fills")
    assert record.fills > 50
