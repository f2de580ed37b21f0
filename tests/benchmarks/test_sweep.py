"""A sweep of 64 sets over a day of 10 M events: how fast on one core and on two, and how much memory it takes."""

import os
import re
import sys
from pathlib import Path

import pytest
from commands import Launcher
from loops import MAKER, maker
from stopwatch import Stopwatch

from bmv.backtest.sweep.api import make_plan
from bmv.backtest.sweep.run.pool import Threads
from bmv.backtest.sweep.run.work import Task, Work
from bmv.backtest.sweep.tapes import tapes
from bmv.data.ticks.synth.synth import BENIGN, synth

PARAMS = (
    "grid.bid.first_bps,grid.ask.first_bps=4:18:2",
    "requote.threshold_bps=2.5:20:2.5",
)
WHOLE = "sweep.validation.holdout=0"
SMALL_ROWS, MANY, FEW = 20_000, 2_000, 100
SCRIPT = Path(__file__).with_name("many_runs.py")
SHORT_ROWS, SETS = 3_000, 100_000 if os.environ.get("BMV_BENCH_100K") else 10_000


@pytest.fixture(scope="module")
def work(day_lake: Path) -> Work:
    plan = make_plan(maker([WHOLE]), PARAMS, [str(day_lake)])
    return Work(plan.config, tapes.read(plan.config, plan.axes, plan.splits), plan.objectives, plan.periods)


def tasks(day_lake: Path) -> list[Task]:
    proposer, found = make_plan(maker([WHOLE]), PARAMS, [str(day_lake)]).proposer(), list[Task]()
    while sets := proposer.propose():
        found += [Task(len(found) + n, each) for n, each in enumerate(sets)]
    return found


@pytest.mark.benchmark(group="sweep")
@pytest.mark.parametrize("workers", [1, 2])
def test_sets_on_a_day(watch: Stopwatch, work: Work, day_lake: Path, workers: int) -> None:
    """The tape is in memory; each set is run, summed up, and its row made."""
    sets = tasks(day_lake)
    assert len(sets) == 64

    times = watch.time(lambda pool: list(pool.rows(sets)), lambda: Threads(work, workers), rounds=3)

    watch.tell_speed(times, work.stretches[0].prepared.events * len(sets), f" x sets, {workers} threads")


@pytest.mark.benchmark(group="sweep")
def test_memory_of_a_sweep(watch: Stopwatch, launcher: Launcher, day_lake: Path, tmp_path: Path) -> None:
    """The whole command, from the lake to its folder; peak of the resident memory."""
    peaks = list[float]()
    params = [word for param in PARAMS for word in ("--param", param)]

    def command(out: Path) -> None:
        words = ("sweep", str(MAKER), "--data", str(day_lake), *params, "--set", WHOLE, "--out", str(out))
        peaks.append(launcher.run(str(Path(sys.executable).with_name("bmv")), *words).peak_mb)

    folders = iter(range(10))
    watch.time(command, lambda: tmp_path / str(next(folders)), rounds=1)

    watch.note(peak_mb=peaks[-1])
    watch.say(f"peak {peaks[-1]:,.0f} MB")


@pytest.mark.benchmark(group="sweep")
def test_memory_after_many_runs(watch: Stopwatch, tmp_path: Path) -> None:
    """Resident memory after 2,000 runs of a small tape, beside that after 100."""
    import subprocess

    told = list[str]()
    folders = iter(range(10))

    def script(folder: Path) -> None:
        words = [sys.executable, str(SCRIPT), str(MAKER), str(folder), str(SMALL_ROWS), str(FEW), str(MANY)]
        told.append(subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ).stdout)

    watch.time(script, lambda: tmp_path / str(next(folders)), rounds=1)

    few, many = (float(number) for number in re.findall(r"[\d.]+", told[-1]))
    watch.note(few_mb=few, many_mb=many)
    watch.say(f"{few:,.1f} MB after {FEW}, {many:,.1f} MB after {MANY:,}: {many / few - 1:+.1%}")


@pytest.mark.benchmark(group="sweep")
def test_many_sets_on_a_short_tape(watch: Stopwatch, launcher: Launcher, tmp_path: Path) -> None:
    """The whole command on 3,000 rows, a quarter of them held out: time, peak of the memory, size of the page."""
    synth(tmp_path / "lake", 5, SHORT_ROWS, shape=BENIGN)
    words = ["sweep", str(MAKER), "--data", str(tmp_path / "lake"), "--sampler", "random", "--trials", str(SETS)]
    words += [word for side in ("bid", "ask") for word in ("--param", f"grid.{side}.first_bps=0.5:4")]
    peaks, folders = list[float](), iter(range(10))

    def command(out: Path) -> None:
        peaks.append(launcher.run(str(Path(sys.executable).with_name("bmv")), *words, "--out", str(out)).peak_mb)

    watch.time(command, lambda: tmp_path / str(next(folders)), rounds=1)

    page_mb = (tmp_path / "0/sweep.html").stat().st_size / 1e6
    watch.note(peak_mb=peaks[-1], page_mb=page_mb)
    watch.say(f"{SETS:,} sets, peak {peaks[-1]:,.0f} MB, page {page_mb:.2f} MB")
