"""A sweep that is killed, and gone on with, is the sweep that was never killed."""

import json
import random
import signal
import subprocess
import time
from pathlib import Path

import polars as pl
import pytest
from searches import BOTH, bmv, command, environment, lake, written

from bmv.backtest.sweep import api
from bmv.backtest.sweep.study import JOURNAL, leading
from bmv.ports.errors import DataError, StorageError

TRIALS = 60


@pytest.fixture(scope="module")
def ticks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lake(tmp_path_factory.mktemp("ticks"), 120_000)


def arguments(folder: Path, ticks: Path, sampler: str) -> list[object]:
    """Return the words of a sweep of some seconds."""
    ranges = BOTH if sampler == "grid" else ("grid.bid.first_bps,grid.ask.first_bps=2:10:0.1", "pivot.window_s=10:50")
    few = [] if sampler == "grid" else ["--sampler", sampler, "--trials", TRIALS]
    return ["sweep", folder / "maker.toml", "--data", ticks, *(w for r in ranges for w in ("--param", r)), *few]


def kill_again_and_again(folder: Path, out: Path, first: list[object], kills: int, seed: int) -> list[int]:
    """Start a sweep and kill it with -9 so many times, at random moments; return how far it was each time."""
    dice, far = random.Random(seed), list[int]()
    words = [*first, "--workers", 1, "--out", out]
    for _ in range(kills):
        process = subprocess.Popen(
            command(words), cwd=folder, env=environment(folder / "trials.sqlite"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        journal = out / JOURNAL
        lines = length(journal)
        deadline = time.monotonic() + 60
        while length(journal) <= lines + dice.randrange(6) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(dice.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        far.append(length(journal))
        if (out / "manifest.json").exists():
            words = ["sweep", "resume", out, "--workers", 1]
    return far


def length(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


@pytest.mark.parametrize(("sampler", "kills"), [("grid", 7), ("random", 7), ("sobol", 6), ("tpe", 2)])
def test_killed_at_random_moments_and_resumed_a_sweep_leaves_the_same_bytes(
    ticks: Path, tmp_path: Path, sampler: str, kills: int
) -> None:
    written(tmp_path)
    words = arguments(tmp_path, ticks, sampler)
    whole = bmv(*words, "--out", tmp_path / "whole", "--no-report", cwd=tmp_path, trials=tmp_path / "other.sqlite")
    assert whole.returncode == 0, whole.stderr

    far = kill_again_and_again(tmp_path, tmp_path / "killed", words, kills, seed=len(sampler))
    last = bmv("sweep", "resume", tmp_path / "killed", cwd=tmp_path, trials=tmp_path / "trials.sqlite")

    assert last.returncode == 0, last.stderr
    assert (tmp_path / "killed/trials.parquet").read_bytes() == (tmp_path / "whole/trials.parquet").read_bytes()
    assert far == sorted(far)
    assert len(set(far)) > 1, "every kill came before the first trial or after the last one"


def test_a_line_that_a_kill_left_half_written_is_run_again(ticks: Path, tmp_path: Path) -> None:
    written(tmp_path)
    words = [*arguments(tmp_path, ticks, "grid"), "--out", tmp_path / "s"]
    assert bmv(*words, cwd=tmp_path, trials=tmp_path / "t").returncode == 0
    before = (tmp_path / "s/trials.parquet").read_bytes()
    journal = tmp_path / "s" / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-500])

    again = bmv("sweep", "resume", tmp_path / "s", cwd=tmp_path, trials=tmp_path / "t")

    assert again.returncode == 0, again.stderr
    assert (tmp_path / "s/trials.parquet").read_bytes() == before


def test_two_processes_do_not_lead_one_sweep(tmp_path: Path) -> None:
    with leading(tmp_path), pytest.raises(StorageError, match="another process"), leading(tmp_path):
        pass


def test_a_sweep_whose_data_changed_is_not_gone_on_with(ticks: Path, tmp_path: Path) -> None:
    own = lake(tmp_path / "ticks", 20_000)
    written(tmp_path)
    words = [*arguments(tmp_path, own, "grid"), "--out", tmp_path / "s", "--no-report"]
    assert bmv(*words, cwd=tmp_path, trials=tmp_path / "t").returncode == 0
    file = next(own.rglob("*.parquet"))
    pl.read_parquet(file).head(15_000).write_parquet(file)

    refused = bmv("sweep", "resume", tmp_path / "s", cwd=tmp_path, trials=tmp_path / "t")

    assert refused.returncode == 4
    assert "Traceback" not in refused.stderr


def test_ticks_named_from_here_are_found_from_elsewhere(ticks: Path, tmp_path: Path) -> None:
    lake(tmp_path / "lake", 20_000)
    written(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    words = ["sweep", "maker.toml", "--data", "lake", "--param", "grid.bid.first_bps=0.5:8:x2", "--out", "s"]
    first = bmv(*words, cwd=tmp_path, trials=tmp_path / "t")
    before = json.loads((tmp_path / "s/summary.json").read_text())

    again = bmv("sweep", "resume", "../s", "--json", cwd=tmp_path / "elsewhere", trials=tmp_path / "t")

    assert first.returncode == 0, first.stderr
    assert again.returncode == 0, again.stderr
    after = json.loads((tmp_path / "s/summary.json").read_text())
    changing = ("speed",)
    assert {k: v for k, v in after.items() if k not in changing} == {
        k: v for k, v in before.items() if k not in changing
    }


def test_a_configuration_that_was_edited_since_is_not_gone_on_with(ticks: Path, tmp_path: Path) -> None:
    lake(tmp_path / "lake", 20_000)
    written(tmp_path)
    words = ["sweep", "maker.toml", "--data", "lake", "--param", "grid.bid.first_bps=2:4:2", "--out", "s"]
    assert bmv(*words, cwd=tmp_path, trials=tmp_path / "t").returncode == 0
    file = tmp_path / "s/config.resolved.toml"
    file.write_text(file.read_text().replace("levels = 2", "levels = 3"))

    refused = bmv("sweep", "resume", "s", cwd=tmp_path, trials=tmp_path / "t")

    assert refused.returncode == 4
    assert "its configuration changed since" in refused.stderr


def test_an_objective_that_was_edited_since_is_not_gone_on_with(ticks: Path, tmp_path: Path) -> None:
    lake(tmp_path / "lake", 20_000)
    written(tmp_path)
    (tmp_path / "mine.py").write_text("def score(summary):\n    return summary['fills']\n")
    words = ["sweep", "maker.toml", "--data", "lake", "--param", "grid.bid.first_bps=2:4:2", "--out", "s"]
    assert bmv(*words, "--objective", "mine.py:score", cwd=tmp_path, trials=tmp_path / "t").returncode == 0
    (tmp_path / "mine.py").write_text("def score(summary):\n    return -summary['fills']\n")

    refused = bmv("sweep", "resume", "s", cwd=tmp_path, trials=tmp_path / "t")

    assert refused.returncode == 4
    assert "a file that it names changed since" in refused.stderr


def test_a_record_of_other_sets_is_refused(ticks: Path, tmp_path: Path) -> None:
    written(tmp_path)
    config = tmp_path / "maker.toml"
    from bmv.adapters.config import load

    one = api.planned(load(config, ["sweep.seed=1", "sweep.sampler=random", "sweep.trials=4"]), BOTH, [str(ticks)])
    other = api.planned(load(config, ["sweep.seed=2", "sweep.sampler=random", "sweep.trials=4"]), BOTH, [str(ticks)])
    api.begin(tmp_path / "s", one)
    api.go_on(tmp_path / "s", one, report=False)

    with pytest.raises(DataError, match="is another set"):
        api.go_on(tmp_path / "s", other, report=False)
