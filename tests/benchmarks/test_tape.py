"""Reading a day of 10 M rows from Parquet into columns, every row judged."""

from pathlib import Path

import pytest
from stopwatch import Stopwatch
from tapes import DAY_ROWS, floats

from bmv.adapters.parquet.tape import ParquetTape
from bmv.data.ticks.synth.synth import SOL_USDC


@pytest.mark.benchmark(group="tape")
@pytest.mark.parametrize("form", ["lake", "floats"])
def test_reading_a_tape(watch: Stopwatch, day_lake: Path, form: str) -> None:
    """Either form of the tick contract, batch by batch, as a run reads it; files are in the page cache."""
    path = day_lake if form == "lake" else floats(DAY_ROWS)
    tapes = list[ParquetTape]()

    def made() -> ParquetTape:
        tapes[:] = [ParquetTape([path], SOL_USDC)]
        return tapes[0]

    times = watch.time(lambda tape: [len(batch.ts_ns) for batch in tape.batches()], made, rounds=5)

    watch.tell_speed(times, DAY_ROWS)
    assert tapes[0].quality.good == DAY_ROWS
