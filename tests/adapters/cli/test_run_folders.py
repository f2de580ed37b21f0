"""Which run folder a command means: a path, the name of a session, or the newest."""

import json
import os
from pathlib import Path

import pytest

from bmv.adapters.cli.places import LATEST, RunFolder, last_run, link_latest


def left(mode: str, folder: str, session: str | None, second: int) -> Path:
    """Make what a run leaves, as far as it is looked at."""
    place = Path("runs") / mode / folder
    place.mkdir(parents=True)
    manifest = place / "manifest.json"
    manifest.write_text(json.dumps({"session": {"name": session}} if session else {}))
    os.utime(manifest, (second, second))
    link_latest(place)
    return place


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.chdir(tmp_path)
    return [
        left("live", "a", "live/sim/SOL-USDC/00000001", 10),
        left("live", "b", "live/sim/SOL-USDC/00000002", 20),
        left("paper", "c", "paper/sim/SOL-USDC/00000001", 30),
        left("backtest", "d", None, 25),
    ]


def test_without_a_name_the_newest_run_of_any_world_is_meant(runs: list[Path]) -> None:
    assert last_run() == Path("runs/paper") / LATEST


def test_where_nothing_ran_it_is_where_a_backtest_would_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert last_run() == Path("runs/backtest") / LATEST


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("live/sim/SOL-USDC/00000001", 0),
        ("live/sim/SOL-USDC", 1),
        ("live", 1),
        ("paper", 2),
        ("runs/backtest/d", 3),
    ],
)
def test_a_session_is_found_by_its_name_and_a_folder_by_its_path(name: str, at: int, runs: list[Path]) -> None:
    assert RunFolder().convert(name, None, None) == runs[at]


def test_a_name_that_no_session_has_stays_the_path_that_it_is(runs: list[Path]) -> None:
    assert RunFolder().convert("liv", None, None) == Path("liv")
