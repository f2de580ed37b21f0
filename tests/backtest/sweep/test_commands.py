"""`bmv sweep` as a user meets it: what it prints, writes and refuses."""

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from searches import bmv, lake, written

from bmv.adapters.cli.main import main

PARAMS = ("--param", "grid.bid.first_bps,grid.ask.first_bps=2:8:2", "--param", "grid.bid.levels=1:2:1")


class Place:
    """A folder with ticks and a configuration, and a sweep that has been made there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ticks = lake(root / "lake")
        self.config = written(root)
        self.first = self.bmv("sweep", "maker.toml", "--data", "lake", *PARAMS)

    def bmv(self, *args: object) -> subprocess.CompletedProcess[str]:
        return bmv(*args, cwd=self.root, trials=self.root / "trials.sqlite")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("place"))


def test_a_sweep_prints_its_best_sets_its_verdict_and_where_it_lies(place: Place) -> None:
    told = place.first

    assert told.returncode == 0, told.stderr
    assert "grid: 8 complete" in told.stdout
    head = next(line for line in told.stdout.splitlines() if line.startswith("trial"))
    assert head.split()[3:7] == ["net_vs_hold", "net", "quoting", "market"]
    assert "Net is what quoting earned and what the market gave to the position held on average." in told.stdout
    assert "worth trading" in told.stdout.lower()
    assert "runs/sweep/" in told.stdout
    assert told.stderr == ""


def test_the_folder_holds_what_the_documentation_says(place: Place) -> None:
    folder = place.root / "runs/sweep/latest"
    trials = pl.read_parquet(folder / "trials.parquet")

    assert {path.name for path in folder.iterdir()} >= {
        "sweep.html", "trials.parquet", "summary.json", "best.toml", "best", "config.resolved.toml", "manifest.json",
        "journal.log",
    }  # fmt: skip
    assert trials["trial"].to_list() == list(range(8))
    assert trials.columns[:7] == [
        "trial", "state", "reason", "grid.bid.first_bps", "grid.ask.first_bps", "grid.bid.levels", "digest",
    ]  # fmt: skip
    assert trials.columns[-3:] == ["returns", "held", "mids"]
    assert (trials["quoting"] + trials["market"] - trials["net"]).abs().max() < 1e-6
    assert (trials["grid.bid.first_bps"] == trials["grid.ask.first_bps"]).all()


def test_the_best_set_applied_and_run_is_the_trial_word_for_word(place: Place) -> None:
    summary = json.loads((place.root / "runs/sweep/latest/summary.json").read_text())
    split = summary["tapes"][0]["split_ns"]
    stamp = pl.Series([split]).cast(pl.Datetime("ns")).dt.strftime("%Y%m%dT%H%M%S")[0]

    applied = place.bmv("sweep", "apply", "best.toml")
    run = place.bmv("backtest", "best.toml", "--data", "lake", "--timerange", f"-{stamp}", "--no-report", "--json")

    assert applied.returncode == 0, applied.stderr
    assert f"trial {summary['best']['trial']}" in applied.stdout
    assert json.loads(run.stdout)["digest"] == summary["best"]["digest"]


def test_with_json_each_trial_is_a_line_and_the_summary_the_last(place: Place) -> None:
    told = place.bmv("sweep", "maker.toml", "--data", "lake", *PARAMS, "--json", "--out", "json")

    lines = [json.loads(line) for line in told.stdout.splitlines()]
    assert sorted(line["trial"] for line in lines[:-1]) == list(range(8))
    assert lines[-1]["kind"] == "sweep"
    assert all(len(line["digest"]) == 16 for line in lines[:-1])


def test_sweeps_are_listed_shown_and_exported(place: Place) -> None:
    listed = json.loads(place.bmv("sweep", "list", "--json").stdout)
    shown = json.loads(place.bmv("sweep", "show", "--json").stdout)
    exported = place.bmv("sweep", "export", "trials.csv")

    assert [row["trials"] for row in listed] == [8]
    assert shown["kind"] == "sweep"
    assert exported.returncode == 0, exported.stderr
    assert len(pl.read_csv(place.root / "trials.csv")) == 8


def test_the_register_counts_a_set_once_however_often_it_is_swept(place: Place) -> None:
    again = place.bmv("sweep", "maker.toml", "--data", "lake", *PARAMS, "--out", "again", "--json")
    more = place.bmv(
        "sweep", "maker.toml", "--data", "lake", "--param", "pivot.window_s=10:40:10", "--out", "more", "--json"
    )

    ever = [json.loads(told.stdout.splitlines()[-1])["validation"]["trials_ever"] for told in (again, more)]
    assert ever[0] == 8
    assert ever[1] > 8


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["maker.toml", *PARAMS], 4, "no ticks given"),
        (["maker.toml", "--data", "lake"], 3, "nothing to sweep"),
        (["maker.toml", "--data", "lake", "--param", "grid.bid.frist_bps=1:2:1"], 2, "did you mean"),
        (["maker.toml", "--data", "lake", *PARAMS, "--trials", "3"], 3, "the grid has 8 sets"),
        (["maker.toml", "--data", "lake", *PARAMS, "--objective", "luck"], 3, "expected net"),
        (["maker.toml", "--data", "lake", *PARAMS, "--workers", "none"], 2, "expected a number of threads"),
        (["maker.toml", "--data", "nowhere", *PARAMS], 4, "nowhere"),
        (["maker.toml", "--data", "lake", *PARAMS, "--out", "lake"], 2, "is not empty"),
        (["maker.toml", "--data", "lake", *PARAMS, "--out", "runs/sweep/latest"], 2, "goes on with one"),
        (["maker.toml", "--data", "lake", "--param", "grid.bid.first_bps=2-20"], 3, "expected a number"),
        (["maker.toml", "--data", "lake", "--param", "simulation.queue=back,midle"], 3, "expected one of"),
        (
            ["maker.toml", "--data", "lake", "--param", "grid.bid.levels=1:2:1", "--param", "grid.bid.levels=3:4:1"],
            2,
            "twice",
        ),
        (
            ["maker.toml", "--data", "lake", "--param", "pivot.window_s=5000,6000", "--out", "odd1"],
            3,
            "could not be run",
        ),
        (
            ["maker.toml", "--data", "lake", *PARAMS, "--objective", "statistics.activity.nope", "--out", "odd2"],
            3,
            "no such figure",
        ),
        (
            ["maker.toml", "--data", "lake", *PARAMS, "--objective", "sharpe", "--set", "sweep.pruning=median"],
            3,
            "goes by net",
        ),
        (["maker.toml", "--data", "lake", *PARAMS, "--objective", "sharpe"], 3, "are less than a day"),
        (["maker.toml", "--data", "lake", *PARAMS, "--objective", "statistics.ratios.calmar"], 3, "another objective"),
        (["nothing.toml", "--data", "lake", *PARAMS], 3, "no such file"),
        (["resume", "nowhere"], 2, "is not the folder of a sweep"),
        (["apply", "maker.toml"], 2, "exists"),
        (["apply", "x.toml", "--trial", "99"], 2, "there is no trial 99"),
        (["export", "trials.xls"], 2, "expected a name that ends"),
    ],
)
def test_a_wrong_use_is_one_sentence_and_its_exit_code(
    place: Place, words: list[str], code: int, says: str, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.chdir(place.root)

    found = main(["sweep", *words])

    told = capsys.readouterr().err
    assert (found, "Traceback" in told) == (code, False), told
    assert says in told


def test_a_holdout_that_leaves_nothing_is_refused(place: Place) -> None:
    told = place.bmv(
        "sweep", "maker.toml", "--data", "lake", *PARAMS, "--timerange", "20250903-20250903T0000", "--out", "n"
    )

    assert told.returncode in (2, 4)
    assert "Traceback" not in told.stderr


def test_help_shows_how_a_sweep_is_run(place: Place) -> None:
    told = place.bmv("sweep", "--help")

    assert told.returncode == 0
    assert "--param" in told.stdout
    assert {"run", "list", "show", "resume", "export", "apply"} <= set(told.stdout.split())


def test_backtests_count_among_the_trials_of_their_ticks(place: Place) -> None:
    trials = place.root / "fresh.sqlite"
    words = ("--data", "lake", "--json")
    bmv("backtest", "maker.toml", *words, "--no-report", cwd=place.root, trials=trials)
    told = bmv("sweep", "maker.toml", *words, *PARAMS, "--out", "counted", cwd=place.root, trials=trials)

    assert json.loads(told.stdout.splitlines()[-1])["validation"]["trials_ever"] == 9


def test_a_register_that_can_not_be_written_ends_no_backtest(place: Place) -> None:
    told = bmv("backtest", "maker.toml", "--data", "lake", "--no-report", cwd=place.root, trials=place.config / "no")

    assert told.returncode == 0, told.stderr
    assert "BMV_TRIALS names another place" in told.stderr


def test_a_set_applied_is_run_with_what_is_set_on_its_tape(place: Place) -> None:
    own = written(place.root, "[[sweep.tapes]]", 'name = "one"', 'data = ["lake"]', 'set = {"pivot.history_s" = 60}')
    own.rename(place.root / "own.toml")
    written(place.root)
    told = place.bmv("sweep", "own.toml", *PARAMS, "--out", "own", "--no-report", "--json")
    assert told.returncode == 0, told.stderr
    digest = json.loads(told.stdout.splitlines()[-1])["best"]["digest"]

    place.bmv("sweep", "apply", "own-best.toml", "own")
    command = next(line for line in (place.root / "own-best.toml").read_text().splitlines() if "bmv backtest" in line)
    run = place.bmv(*shlex.split(command.removeprefix("#"))[1:], "--no-report", "--json")

    assert "--set pivot.history_s=60" in command
    assert json.loads(run.stdout)["digest"] == digest
