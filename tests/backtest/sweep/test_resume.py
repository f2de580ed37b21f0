"""A sweep that is killed, and gone on with, is the sweep that was never killed."""

import json
import random
import signal
import subprocess
import time
from pathlib import Path

import polars as pl
import pytest
from searches import BOTH, bmv, command, configured, environment, lake, written

from bmv.adapters.cli.main import main
from bmv.adapters.config import load
from bmv.backtest.sweep import api
from bmv.backtest.sweep.origin import changed_since, origin_of
from bmv.backtest.sweep.trials.reading import TRIALS
from bmv.backtest.sweep.trials.study import JOURNAL, leading
from bmv.ports.errors import DataError, StorageError

SETS = 60
GRID = 25  # Sets of `BOTH`.


@pytest.fixture(scope="module")
def ticks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lake(tmp_path_factory.mktemp("ticks"), 120_000)


def arguments(folder: Path, ticks: Path, sampler: str) -> list[object]:
    """Return the words of a sweep of some seconds."""
    ranges = BOTH if sampler == "grid" else ("grid.bid.first_bps,grid.ask.first_bps=2:10:0.1", "pivot.window_s=10:50")
    few = [] if sampler == "grid" else ["--sampler", sampler, "--trials", SETS]
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


@pytest.mark.parametrize(
    ("asked", "code", "word"), [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")]
)
def test_a_sweep_that_is_asked_to_end_says_what_is_kept_and_how_to_go_on(
    asked: signal.Signals, code: int, word: str, ticks: Path, tmp_path: Path
) -> None:
    written(tmp_path)
    words = [*arguments(tmp_path, ticks, "grid"), "--out", "s", "--json", "--no-report", "--workers", 1]
    process = subprocess.Popen(
        command(words), cwd=tmp_path, env=environment(tmp_path / "t"), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()

    process.send_signal(asked)
    _, told = process.communicate(timeout=60)

    kept = length(tmp_path / "s" / JOURNAL) - 1  # The first line is the study's.
    assert process.returncode == code, told
    assert 0 < kept < GRID
    assert f"broken off; {kept} set" in told
    assert "`bmv sweep resume s` goes on with it" in told
    assert told.endswith(f"{word}\n")


# Once, in one of two tries, a sweep of 533 sets (first_bps of both sides 2:8:0.5 by pivot.window_s 20:60:1, on the demo)
# that was killed after 8 s and whose journal then lost 20 bytes was gone on with to a table of other bytes. It was not
# seen again. Looked for in vain: in 8 such kills, in 7 more after 50 to 110 s of a slow machine with 1 to 4,000 bytes lost
# (32 to 440 sets were left), and in those of the test above; in cuts at every byte of the last lines
# (below); in 900 writings of that table with 1, 2 and 7 threads of Polars, all of the same bytes; and by reading what a row
# is made of, for sums or groups whose order hangs on threads: a row is whole numbers and means of NumPy, in the order of
# the tape, and takes the same way through the journal whether it was just run or is read back.


def test_a_journal_cut_at_any_byte_of_its_last_lines_is_gone_on_with_to_the_same_bytes(tmp_path: Path) -> None:
    small = lake(tmp_path / "ticks", 8_000)
    sweep = {"validation": {"periods": 16, "blocks": 4, "folds": 0}}  # Short lines.
    plan = api.make_plan(configured(sweep=sweep), ["grid.bid.first_bps=1:6:1"], [str(small)])
    folder, journal = tmp_path / "s", tmp_path / "s" / JOURNAL
    api.begin(folder, plan)
    api.run(folder, plan, workers=1, report=False)
    whole, trials = journal.read_bytes(), (folder / TRIALS).read_bytes()
    ends = [0, *(at + 1 for at, byte in enumerate(whole) if byte == ord("\n"))]

    left = set[bytes]()
    for cut in range(ends[-4], len(whole)):
        journal.write_bytes(whole[:cut])
        with leading(folder):
            pass
        left.add(journal.read_bytes())

    assert left == {whole[:end] for end in ends[-4:-1]}, "a trial is there whole, or not at all"
    for kept in left:
        journal.write_bytes(kept)
        (folder / TRIALS).unlink()
        api.run(folder, plan, workers=2, report=False)
        assert (folder / TRIALS).read_bytes() == trials


def test_what_a_configuration_file_says_by_now_is_told_when_its_sweep_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BMV_TRIALS", str(tmp_path / "t"))
    lake(tmp_path / "lake", 8_000)
    file, folder = written(tmp_path), tmp_path / "s"
    text = file.read_text()
    words = ["sweep", "maker.toml", "--data", "lake", "--param", "grid.bid.first_bps=2:4:2", "--out", "s"]
    assert main([*words, "--set", "pivot.window_s=20", "--no-report"]) == 0
    before = (folder / TRIALS).read_bytes()
    capsys.readouterr()

    unchanged = changed_since(folder)
    file.write_text(
        "# A thought.\n" + text.replace("levels = 2", "levels = 3", 1).replace("window_s = 30", "window_s = 40")
    )
    code, told = main(["sweep", "resume", "s"]), capsys.readouterr().err
    file.unlink()
    gone = changed_since(folder)

    assert unchanged == ""
    assert code == 0
    assert f"note: {file} is otherwise now: grid.bid.levels is 3, not 2; the sweep goes on with {folder}" in told
    assert (folder / TRIALS).read_bytes() == before
    assert gone.startswith(f"{file}: no such file")


def test_axes_that_were_edited_since_are_told_too(ticks: Path, tmp_path: Path) -> None:
    file = written(tmp_path, "[sweep.parameters]", '"grid.bid.levels" = [1, 2]')
    config = load(file)
    api.begin(tmp_path / "s", api.make_plan(config, (), [str(ticks)]), origin_of(file, (), config))

    file.write_text(file.read_text().replace("[1, 2]", "[1, 2, 3]"))

    assert "is otherwise now: sweep.parameters; the sweep goes on" in changed_since(tmp_path / "s")


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
    one = api.make_plan(load(config, ["sweep.seed=1", "sweep.sampler=random", "sweep.trials=4"]), BOTH, [str(ticks)])
    other = api.make_plan(load(config, ["sweep.seed=2", "sweep.sampler=random", "sweep.trials=4"]), BOTH, [str(ticks)])
    api.begin(tmp_path / "s", one)
    api.run(tmp_path / "s", one, report=False)

    with pytest.raises(DataError, match="is another set"):
        api.run(tmp_path / "s", other, report=False)
