"""Commands from their start to their end: wall time and the most memory they held, as a user sees them."""

import json
import os
from pathlib import Path
from statistics import median

import pytest
from commands import BMV, Launcher, Spent
from conftest import Say
from loops import MAKER
from pytest_benchmark.fixture import BenchmarkFixture
from tapes import DAY_ROWS, lake


def _measure(benchmark: BenchmarkFixture, say: Say, launcher: Launcher, rounds: int, *words: str) -> None:
    """Run a command once for the caches and then `rounds` times; say what it took."""
    spent: list[Spent] = []
    benchmark.pedantic(lambda: spent.append(launcher.run(BMV, *words)), rounds=rounds, warmup_rounds=1)
    peak_mb = max(each.peak_mb for each in spent)
    benchmark.extra_info["peak_mb"] = round(peak_mb)
    say(f"{median(each.seconds for each in spent[1:]):.3f} s, peak {peak_mb:.0f} MB")


def _tell_parts(benchmark: BenchmarkFixture, say: Say, run: Path) -> None:
    """Say which part of the last run was reading, and which the engine's."""
    summary = json.loads((run / "summary.json").read_bytes())
    parts = {name: summary[name] for name in ("load_seconds", "engine_seconds", "events", "orders", "fills")}
    benchmark.extra_info.update(parts)
    say(", ".join(f"{name} {value:,}" for name, value in parts.items()))


@pytest.mark.benchmark(group="start")
def test_help(benchmark: BenchmarkFixture, say: Say, launcher: Launcher) -> None:
    """The shortest thing the command can be asked."""
    _measure(benchmark, say, launcher, 10, "--help")


@pytest.mark.benchmark(group="start")
@pytest.mark.parametrize("options", [["--no-report"], []], ids=["without report", "with report"])
def test_a_second_backtest(
    benchmark: BenchmarkFixture, say: Say, launcher: Launcher, tmp_path: Path, options: list[str]
) -> None:
    """1 M events, the machine code being there from the run before."""
    run = tmp_path / "run"
    words = ["backtest", str(MAKER), "--data", str(lake(1_000_000)), "--out", str(run), *options]

    _measure(benchmark, say, launcher, 5, *words)

    _tell_parts(benchmark, say, run)


@pytest.mark.benchmark(group="from Parquet to run folder")
@pytest.mark.parametrize(
    "rows",
    [
        DAY_ROWS,
        pytest.param(
            10 * DAY_ROWS,
            marks=pytest.mark.skipif(
                os.environ.get("BMV_BENCH_100M") != "1", reason="takes minutes and 1 GB of disk: BMV_BENCH_100M=1"
            ),
        ),
    ],
)
def test_from_parquet_to_run_folder(
    benchmark: BenchmarkFixture, say: Say, launcher: Launcher, tmp_path: Path, rows: int
) -> None:
    """A whole run without its HTML: a day of 10 M events, or ten days of 100 M."""
    run = tmp_path / "run"
    words = ["backtest", str(MAKER), "--data", str(lake(rows)), "--out", str(run), "--no-report"]

    _measure(benchmark, say, launcher, 3 if rows == DAY_ROWS else 1, *words)

    _tell_parts(benchmark, say, run)
