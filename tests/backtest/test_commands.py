"""What the command line makes of its words before a run, and of a folder after it."""

from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from bmv.adapters.cli.places import link_latest, new_folder, refuse_strange_folder
from bmv.adapters.cli.timerange import span_ns
from bmv.adapters.config import build
from bmv.adapters.report.bars import share_bar
from bmv.backtest.commands import RUNS, backtest
from bmv.backtest.sweep.commands import refuse_strange_folder as refuse_strange_folder_of_sweep
from bmv.data.files.writing import whole_folder
from bmv.data.runs.folder import FILES, writing
from bmv.ports.errors import UsageError

DAY = 86_400_000_000_000
THIRD = 1_756_857_600_000_000_000  # 2025-09-03, midnight UTC.


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("20250903-20250905", (THIRD, THIRD + 2 * DAY)),
        ("20250903-", (THIRD, None)),
        ("-20250903", (None, THIRD)),
        ("20250903T1200-20250904", (THIRD + DAY // 2, THIRD + DAY)),
        ("20250903T000001-", (THIRD + 1_000_000_000, None)),
        (None, (None, None)),
    ],
)
def test_a_time_range_is_utc_and_may_be_open(text: str | None, span: tuple[int | None, int | None]) -> None:
    assert span_ns(text) == span


@pytest.mark.parametrize(
    "text",
    ["", "-", "2025", "20250903", "20251301-", "20250903T2500-", "20250904-20250903", "20250903-20250903", "a-b"],
)
def test_a_time_range_that_is_none_is_wrong_use(text: str) -> None:
    with pytest.raises(UsageError, match="--timerange"):
        span_ns(text)


@pytest.mark.parametrize(
    "line",
    [
        "my.toml --data a b c",
        "--data a b c my.toml",
        "my.toml --data a --data b c",
        "--data a b --no-report my.toml --data c",
        "--data=a my.toml --data b c --timerange -20250903",
    ],
)
def test_data_takes_all_the_paths_that_a_shell_writes(line: str) -> None:
    with backtest.make_context("backtest", line.split()) as ctx:
        assert ctx.params["config"] == Path("my.toml")
        assert ctx.params["data"] == ("a", "b", "c")


def test_a_command_without_a_configuration_is_wrong_use() -> None:
    with pytest.raises(click.UsageError):
        backtest.make_context("backtest", ["--data", "a"])


def test_only_an_absent_or_empty_folder_or_a_run_is_written_to(tmp_path: Path) -> None:
    refuse_strange_folder(tmp_path / "absent")
    refuse_strange_folder(tmp_path)
    (tmp_path / "precious.txt").write_text("x")
    with pytest.raises(UsageError, match="neither empty nor a run"):
        refuse_strange_folder(tmp_path)
    with pytest.raises(UsageError, match="neither empty nor a run"):
        refuse_strange_folder(tmp_path / "precious.txt")
    (tmp_path / "manifest.json").write_text("{}")

    refuse_strange_folder(tmp_path)


@pytest.mark.parametrize("below", ["file/run", "file/a/b/run", "x" * 300])
def test_a_place_where_no_folder_can_be_is_wrong_use_before_and_after_the_run(below: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    def write(folder: Path) -> None:
        with writing(folder), whole_folder(folder, FILES):
            pass

    for touch in (refuse_strange_folder, write):
        with pytest.raises(UsageError, match="no run folder can be written there") as told:
            touch(tmp_path / below)
        assert "\n" not in str(told.value)


def test_a_sweep_is_not_written_over_by_a_run(tmp_path: Path) -> None:
    for name in ("manifest.json", "journal.log"):
        (tmp_path / name).write_text("{}")

    with pytest.raises(UsageError, match="holds a sweep; nothing was written"):
        refuse_strange_folder(tmp_path)


def test_what_a_killed_writer_left_in_a_folder_does_not_make_it_a_strange_one(tmp_path: Path) -> None:
    (tmp_path / ".bmv-draft-x").mkdir()

    refuse_strange_folder(tmp_path)
    refuse_strange_folder_of_sweep(tmp_path)


def test_each_run_has_its_own_folder_and_latest_is_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    side = {"levels": 1, "total_size": 1}
    market = {"symbol": "SOL/USDC", "tick_size": "0.01", "lot_size": 1, "maker_fee_bps": 0, "taker_fee_bps": 0}
    config = build(
        version=1, market=market, grid={"bid": side, "ask": side}, inventory={"start_base": 1, "max_position": 1}
    )
    now = datetime(2025, 9, 3, 12, tzinfo=UTC)

    for _ in range(2):
        folder = new_folder(config, RUNS, now)
        folder.mkdir(parents=True)
        link_latest(folder)

    first, second = sorted(p.name for p in Path("runs/backtest").iterdir() if not p.is_symlink())
    assert first.startswith("20250903T120000Z-SOL-USDC-")
    assert second == f"{first}-2"
    assert Path("runs/backtest/latest").resolve().name == second


def test_a_pipe_gets_no_progress_bar() -> None:
    with share_bar(False, "backtest") as progress:
        assert progress is None
