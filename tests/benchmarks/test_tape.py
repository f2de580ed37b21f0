"""Reading a day of 10 M rows from Parquet into columns, every row judged."""

from pathlib import Path

import pytest
from conftest import Say
from pytest_benchmark.fixture import BenchmarkFixture
from tapes import DAY_ROWS, floats

from bmv.adapters.parquet.tape import ParquetTape
from bmv.data.synth import SOL_USDC


@pytest.mark.benchmark(group="tape")
@pytest.mark.parametrize("form", ["lake", "floats"])
def test_reading_a_tape(benchmark: BenchmarkFixture, say: Say, day_lake: Path, form: str) -> None:
    """Either form of the tick contract, batch by batch, as a run reads it; files are in the page cache."""
    path = day_lake if form == "lake" else floats(DAY_ROWS)

    def read() -> int:
        return sum(len(batch.ts_ns) for batch in ParquetTape([path], SOL_USDC).batches())

    rows = benchmark.pedantic(read, rounds=5, warmup_rounds=1)

    speed = rows / benchmark.stats.stats.median
    benchmark.extra_info["rows_per_second"] = round(speed)
    say(f"{speed / 1e6:.1f} M rows/s, {benchmark.stats.stats.median:.2f} s for {rows:,} rows")
    assert rows == DAY_ROWS
