"""Files into a lake, whole way: read, judged, cut by day, merged, written; and how much room a day takes there."""

import os
import shutil
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest
from stopwatch import Stopwatch
from tapes import DAY_ROWS, lake

from bmv.data.ticks.lake.intake import import_files
from bmv.data.ticks.lake.lake import Lake
from bmv.data.ticks.synth.synth import SOL_USDC
from bmv.ports.market import Market

ROWS = 2_000_000
AIG = Path(os.environ.get("BMV_TICKS") or Path(__file__).resolve().parents[3] / "shared" / "ticks") / "us_AIG"


class Job(NamedTuple):
    """One import into a lake of its own."""

    file: Path
    lake: Lake
    market: Market

    def run(self) -> None:
        import_files([self.file], self.lake, "venue", self.market)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where files and lakes of this module lie; emptied at its end, for they are large."""
    path = tmp_path_factory.mktemp("imports")
    yield path
    shutil.rmtree(path)


def generic(folder: Path) -> Path:
    """Trades and quotes as CSV by well-known names, times in nanoseconds."""
    tick, lot = float(1 / SOL_USDC.tick_size), float(1 / SOL_USDC.lot_size)
    rows = pl.scan_parquet(lake(DAY_ROWS) / "**/*.parquet").head(ROWS)
    rows.select(
        pl.col("ts_ns").alias("ts"),
        "side",
        *(pl.col(name) / tick for name in ("price", "bid", "ask")),
        *(pl.col(name) / lot for name in ("size", "bid_size", "ask_size")),
    ).sink_csv(folder / "generic.csv")
    return folder / "generic.csv"


def binance(folder: Path) -> Path:
    """Trades as Binance's spot archive has them, unpacked."""
    trades = pl.scan_parquet(lake(DAY_ROWS) / "**/*.parquet").filter(pl.col("kind") == 1).head(ROWS).collect()
    price, size = trades["price"] / float(1 / SOL_USDC.tick_size), trades["size"] / float(1 / SOL_USDC.lot_size)
    maker = trades["side"].replace_strict({1: "False", -1: "True"}, return_dtype=pl.String)
    columns = [pl.int_range(len(trades), eager=True) + 4_000_000_000, price, size, (price * size).round(8)]
    columns += [trades["ts_ns"] // 1000, maker, pl.repeat("True", len(trades), eager=True)]
    path = folder / "SOLUSDC-trades-2025-01-01.csv"
    pl.DataFrame([column.alias(str(at)) for at, column in enumerate(columns)]).write_csv(path, include_header=False)
    return path


@pytest.mark.benchmark(group="import")
@pytest.mark.parametrize("made", [generic, binance])
def test_importing_csv(watch: Stopwatch, folder: Path, made) -> None:
    """Two million rows into an empty lake; what a core does is counted by the time that the processor was at it."""
    file = made(folder)
    cores = list[float]()

    def job() -> Job:
        shutil.rmtree(folder / "lake", ignore_errors=True)
        return Job(file, Lake(folder / "lake"), SOL_USDC)

    def run(job: Job) -> None:
        before = time.process_time()
        job.run()
        cores.append(ROWS / (time.process_time() - before))

    times = watch.time(run, job, rounds=5)

    assert sum(Lake(folder / "lake").manifest(day).rows for day in Lake(folder / "lake").days()) == ROWS
    rate = sorted(cores)[len(cores) // 2]
    watch.note(rows_per_second_of_a_core=round(rate))
    watch.tell_speed(times, ROWS, f", {rate / 1e6:.2f} M a second of one core (best {max(cores) / 1e6:.2f} M)")


@pytest.mark.benchmark(group="import")
@pytest.mark.skipif(not AIG.is_dir(), reason=f"no recorded ticks at {AIG}; set BMV_TICKS")
def test_room_on_disk(watch: Stopwatch, folder: Path) -> None:
    """Three days of quotes and trades of a share, as recorded, in the lake's form."""
    files = sorted(AIG.glob("*.parquet"))
    market = Market("AIG", Decimal("0.01"), Decimal(1))

    def job() -> Lake:
        shutil.rmtree(folder / "aig", ignore_errors=True)
        return Lake(folder / "aig")

    times = watch.time(lambda lake: import_files(files, lake, "us", market, max_bad_share=0.05), job, rounds=3)

    days = [Lake(folder / "aig").manifest(day) for day in Lake(folder / "aig").days()]
    rows, room = sum(day.rows for day in days), sum(day.bytes for day in days)
    watch.note(bytes_per_row=room / rows)
    watch.tell_speed(times, rows, f", {room / rows:.2f} bytes a row")
    assert room / rows <= 8
