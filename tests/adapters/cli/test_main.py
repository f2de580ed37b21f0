"""The command as a user meets it: in a process of its own."""

import json
import os
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from bmv.adapters.cli.main import COMMANDS, GROUP

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("BMV_")}
FEES = ["--maker-fee-bps", "0", "--taker-fee-bps", "4"]


def bmv(*args: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bmv.adapters.cli", *args]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env={**CLEAN, **env}, stdin=subprocess.DEVNULL, check=False
    )


@pytest.fixture
def starter(tmp_path: Path) -> Path:
    assert bmv("init", *FEES, cwd=tmp_path).returncode == 0
    return tmp_path / "bmv.toml"


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from bmv.adapters.cli.main import main; code = main(['--help']);"
        "found = {'numba', 'polars', 'pydantic', 'numpy', 'plotly', 'rich'} & set(sys.modules);"
        "sys.exit(str(found) if found or code else 0)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)

    assert done.returncode == 0, done.stderr
    assert "backtest" in done.stdout


@pytest.mark.parametrize("name", [*COMMANDS, "backtesting"])
def test_every_command_explains_itself(name: str, tmp_path: Path) -> None:
    done = bmv(name, "--help", cwd=tmp_path)

    assert done.returncode == 0
    assert "Usage: bmv" in done.stdout


@pytest.mark.parametrize(
    "words",
    ["init", "config check", "config show", "config schema", "data synth", "backtest", "show", "report", "compare"],
)
def test_every_leaf_gives_an_example(words: str, tmp_path: Path) -> None:
    done = bmv(*words.split(), "--help", cwd=tmp_path)

    assert "Example" in done.stdout
    assert f"bmv {words}" in done.stdout


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("", 2, "Usage"),
        ("nope", 2, "No such command 'nope'"),
        ("config check", 2, "Missing argument 'FILE'"),
        ("config check none.toml", 3, "error: none.toml: no such file"),
        ("config check bmv.toml --set pivot.windows=3", 3, "did you mean pivot.window_s?"),
        ("config check bmv.toml --set pivot", 2, "expected key=value"),
        ("init", 2, "bmv.toml: exists; --overwrite replaces it"),
        ("init other.toml --data none.parquet", 4, "none.parquet"),
        ("init other.toml --maker-fee-bps 2000", 2, "not a fee from -1000 to 1000 bps"),
        ("config check bmv.toml --set grid.bid.typo=3", 3, "known here: levels, first_bps"),
        ("backtest bmv.toml --data none --out bmv.toml/run", 2, "no run folder can be written there"),
        ("backtest none.toml", 3, "no such file"),
        ("backtest bmv.toml", 4, "no ticks given"),
        ("backtest bmv.toml --timerange 2025", 2, "expected 20250903-20250905"),
        ("backtest bmv.toml --timerange 20250230-", 2, "expected days and times of the calendar, found 20250230"),
        ("backtest bmv.toml --timerange 20250903-20250903", 2, "expected the start before the end"),
        ("backtest bmv.toml --out .", 2, "neither empty nor a run"),
        ("backtest bmv.toml --out bmv.toml", 2, "neither empty nor a run"),
        ("backtest bmv.toml --engine magic", 2, "'magic' is not one of 'fused', 'reference'"),
        ("show none", 2, "there is no folder none"),
    ],
)
def test_a_wrong_call_ends_with_its_code_and_a_clear_line(line: str, code: int, told: str, starter: Path) -> None:
    done = bmv(*line.split(), cwd=starter.parent)

    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_the_starter_passes_its_check_and_is_not_overwritten(starter: Path) -> None:
    before = starter.read_text()

    assert bmv("config", "check", str(starter), cwd=starter.parent).returncode == 0
    assert bmv("init", str(starter.parent), cwd=starter.parent).returncode == 2
    assert starter.read_text() == before
    assert bmv("init", "--overwrite", cwd=starter.parent).returncode == 0


@pytest.mark.parametrize("words", ["init", "db backup", "data export", "data convert", "data synth"])
def test_what_writes_over_a_file_is_called_overwrite_everywhere_and_answers_to_its_old_name(
    words: str, tmp_path: Path
) -> None:
    told = bmv(*words.split(), "--help", cwd=tmp_path).stdout
    old = bmv(*words.split(), "--force", "--help", cwd=tmp_path)

    assert "--overwrite" in told
    assert "--force" not in told
    assert old.returncode == 0


def test_the_help_names_the_commands_that_a_configuration_has(tmp_path: Path) -> None:
    told = " ".join(bmv("--help", cwd=tmp_path).stdout.split())

    assert "config check|show|schema" in told
    assert [bmv("config", name, "--help", cwd=tmp_path).returncode for name in ("check", "show", "schema")] == [0, 0, 0]


def test_the_first_words_of_help_say_that_one_file_is_run_traded_on_paper_and_traded_for_real(tmp_path: Path) -> None:
    told = " ".join(bmv("--help", cwd=tmp_path).stdout.split())

    assert "The same file is run on recorded ticks, traded on paper, and traded for real" in told
    assert "nothing here sends an order" not in told


def test_show_tells_where_each_value_comes_from(starter: Path) -> None:
    env = {"BMV__PIVOT__WINDOW_S": "60", "BMV__LIVE__WEBSOCKET": "wss://rpc.example/?api-key=abc"}

    done = bmv("config", "show", "bmv.toml", "--json", "--set", "grid.bid.levels=2", cwd=starter.parent, **env)

    shown = json.loads(done.stdout)
    assert shown["grid.bid.levels"] == {"value": 2, "origin": "set"}
    assert shown["pivot.window_s"] == {"value": 60.0, "origin": "env"}
    assert shown["market.tick_size"] == {"value": "0.01", "origin": "file"}
    assert shown["simulation.seed"]["origin"] == "file"
    assert shown["risk.min_sol"] == {"value": None, "origin": "default"}
    assert "abc" not in done.stdout


def test_check_tells_problems_as_json(starter: Path) -> None:
    done = bmv("config", "check", "bmv.toml", "--json", "--set", "pivot.window_s=-1", cwd=starter.parent)

    assert done.returncode == 3
    assert json.loads(done.stdout)["ok"] is False
    assert not done.stderr


def test_the_schema_is_json_that_knows_every_table(tmp_path: Path) -> None:
    schema = json.loads(bmv("config", "schema", cwd=tmp_path).stdout)

    assert {"market", "pivot", "grid", "inventory", "requote", "risk", "simulation"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False


def test_an_unexpected_failure_is_one_line_and_a_traceback_on_demand(tmp_path: Path) -> None:
    code = (
        "import sys; from bmv.adapters.cli import main as cli;cli.GROUP = 'bmv.nowhere'; sys.exit(cli.main(['init']))"
    )
    command = [sys.executable, "-c", code]

    quiet = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=CLEAN, check=False)
    loud = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env={**CLEAN, "BMV_DEBUG": "1"}, check=False
    )

    assert (quiet.returncode, loud.returncode) == (1, 1)
    assert "BMV_DEBUG=1" in quiet.stderr
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in loud.stderr


def test_the_help_lists_the_commands_that_are_installed_and_no_other() -> None:
    installed = distribution("bmv").entry_points.select(group=GROUP)

    assert {point.name for point in installed} == set(COMMANDS)
