"""Commands from their start to their end: wall time and the most memory they held, as a user sees them."""

import json
import os
from pathlib import Path

import pytest
from commands import BMV, Launcher, Spent
from loops import MAKER
from stopwatch import Stopwatch
from tapes import DAY_ROWS, lake

LONG = pytest.mark.skipif(
    os.environ.get("BMV_BENCH_100M") != "1", reason="takes minutes and 1 GB of disk; BMV_BENCH_100M=1 runs it"
)


def measure(watch: Stopwatch, launcher: Launcher, rounds: int, *words: str) -> None:
    """Run a command once for the caches and then `rounds` times; say what it took."""
    spent = list[Spent]()
    times = watch.time(lambda _: spent.append(launcher.run(BMV, *words)), lambda: None, rounds)
    peak_mb = max(each.peak_mb for each in spent)
    watch.note(peak_mb=round(peak_mb))
    watch.say(f"{times.median:.3f} s (best {times.best:.3f}), peak {peak_mb:.0f} MB")


def tell_parts(watch: Stopwatch, run: Path) -> None:
    """Say which part of the last run was reading, and which the engine's."""
    summary = json.loads((run / "summary.json").read_bytes())
    parts = {name: summary[name] for name in ("load_seconds", "engine_seconds", "events", "orders", "fills")}
    watch.note(**parts)
    watch.say(", ".join(f"{name} {value:,}" for name, value in parts.items()))


@pytest.mark.benchmark(group="start")
def test_help(watch: Stopwatch, launcher: Launcher) -> None:
    """The shortest thing the command can be asked."""
    measure(watch, launcher, 10, "--help")


@pytest.mark.benchmark(group="start")
@pytest.mark.parametrize("options", [["--no-report"], []], ids=["without report", "with report"])
def test_a_second_backtest(watch: Stopwatch, launcher: Launcher, tmp_path: Path, options: list[str]) -> None:
    """1 M events, the machine code being there from the run before."""
    run = tmp_path / "run"
    words = ["backtest", str(MAKER), "--data", str(lake(1_000_000)), "--out", str(run), *options]

    measure(watch, launcher, 5, *words)

    tell_parts(watch, run)


@pytest.mark.benchmark(group="from Parquet to run folder")
@pytest.mark.parametrize("rows", [DAY_ROWS, pytest.param(10 * DAY_ROWS, marks=LONG)])
def test_from_parquet_to_run_folder(watch: Stopwatch, launcher: Launcher, tmp_path: Path, rows: int) -> None:
    """A whole run without its HTML: a day of 10 M events, or ten days of 100 M."""
    run = tmp_path / "run"
    words = ["backtest", str(MAKER), "--data", str(lake(rows)), "--out", str(run), "--no-report"]

    measure(watch, launcher, 3 if rows == DAY_ROWS else 1, *words)

    tell_parts(watch, run)
