"""A sweep whose trials are kept in Postgres: gone on with from there, and no password is told or left behind."""

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from searches import BOTH, bmv, command, environment, lake, written

from bmv.backtest.sweep.trials.objectives import objectives_of
from bmv.backtest.sweep.trials.study import Study
from bmv.ports.errors import StorageError, UsageError

if TYPE_CHECKING:
    from postgres import Cluster

SECRET = "hunter2pass"


@pytest.fixture(scope="module")
def ticks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lake(tmp_path_factory.mktemp("ticks"), 60_000)


def words(ticks: Path) -> Sequence[object]:
    ranges = (word for each in BOTH for word in ("--param", each))
    return ["sweep", "maker.toml", "--data", ticks, *ranges, "--no-report", "--workers", 1]


def test_a_sweep_kept_in_postgres_is_killed_and_resumed_and_leaves_the_same_bytes(
    bare_postgres: str, ticks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path)
    monkeypatch.setenv("PGPASSWORD", SECRET)
    whole = bmv(*words(ticks), "--out", "whole", cwd=tmp_path, trials=tmp_path / "whole.sqlite")
    assert whole.returncode == 0, whole.stderr

    process = subprocess.Popen(
        command([*words(ticks), "--out", "killed", "--storage", bare_postgres, "--json"]),
        cwd=tmp_path, env=environment(tmp_path / "t.sqlite"), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    begun = [process.stdout.readline() for _ in range(5)]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    last = bmv(
        "sweep", "resume", "killed", "--storage", bare_postgres, "--json", cwd=tmp_path, trials=tmp_path / "t.sqlite"
    )

    assert all(begun)
    assert last.returncode == 0, last.stderr
    assert last.stderr == ""
    assert (tmp_path / "killed/trials.parquet").read_bytes() == (tmp_path / "whole/trials.parquet").read_bytes()
    assert not (tmp_path / "killed/journal.log").exists()
    kept = b"".join(path.read_bytes() for path in (tmp_path / "killed").rglob("*") if path.is_file())
    assert SECRET.encode() not in kept
    assert SECRET not in last.stdout + "".join(begun)


def test_a_password_is_refused_where_others_can_read_it_and_not_repeated(ticks: Path, tmp_path: Path) -> None:
    written(tmp_path)
    store = f"postgresql://me:{SECRET}@127.0.0.1:9/none"

    done = bmv(*words(ticks), "--out", "out", "--storage", store, cwd=tmp_path, trials=tmp_path / "t.sqlite")

    assert done.returncode == UsageError.exit_code, done.stderr
    assert "PGPASSWORD" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_a_password_is_not_shown_when_postgres_does_not_answer(scheme: str) -> None:
    with pytest.raises(StorageError) as told:
        Study(f"{scheme}://me:{SECRET}@127.0.0.1:9/none?connect_timeout=2", "one", [], objectives_of("net"))

    assert str(told.value).startswith(f"{scheme}://me:***@127.0.0.1:9/none")
    assert SECRET not in str(told.value)
    assert told.value.__suppress_context__


def test_a_trial_that_postgres_took_is_there_when_it_comes_back(postgres_cluster: "Cluster") -> None:
    row = {"set": {}, "state": "complete", "digest": "d", "objectives": [1.5], "figures": {"net": 1.5}}
    study = Study(postgres_cluster.dsn, "one", [], objectives_of("net"))
    study.add({**row, "trial": 0})

    postgres_cluster.stop("immediate")
    with pytest.raises(StorageError, match=r"postgresql://postgres@/postgres"):
        study.add({**row, "trial": 1})
    study.close()
    postgres_cluster.start()
    again = Study(postgres_cluster.dsn, "one", [], objectives_of("net"))
    again.close()

    assert list(again.rows()) == [{**row, "trial": 0}]


def test_sweeps_over_other_data_do_not_share_trials_in_postgres(
    bare_postgres: str, ticks: Path, tmp_path: Path
) -> None:
    written(tmp_path)
    others = lake(tmp_path / "others", 60_000, seed=4)
    first, second = tmp_path / "first", tmp_path / "second"
    for place, data in ((first, ticks), (second, others)):
        place.mkdir()
        written(place)
        done = bmv(*words(data), "--out", "same", "--storage", bare_postgres, cwd=place, trials=place / "t.sqlite")
        assert done.returncode == 0, done.stderr
    alone = bmv(*words(others), "--out", "alone", cwd=second, trials=second / "alone.sqlite")

    assert alone.returncode == 0, alone.stderr
    assert (second / "same/trials.parquet").read_bytes() == (second / "alone/trials.parquet").read_bytes()
