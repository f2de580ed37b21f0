"""A strategy that does not do the same twice is found out, by a backtest and by a sweep, and said first of all."""

import json
from pathlib import Path
from typing import Any

import pytest

from bmv.adapters.cli.main import main
from bmv.adapters.config import load
from bmv.backtest import Backtest
from bmv.data.ticks.synth.synth import synth

DEMO = Path(__file__).parents[2] / "docs" / "examples" / "demo.toml"
TOLD = "the strategy is not reproducible: "
PLAIN = "import random\n{dice}\ndef quote(params, state, memory, wanted):\n    price = int(state.pivot) - dice.randrange(2, 60)\n    wanted[0, :5] = 1, 0, price, 1000, 0\n    return 1\n"
MARKED = "import numpy as np\nfrom bmv.core.kernel import kernel\n@kernel\ndef quote(params, state, memory, wanted):\n    wanted[0, 0], wanted[0, 1] = 1, 0\n    wanted[0, 2] = int(state.pivot) - np.random.randint(2, 60)\n    wanted[0, 3], wanted[0, 4] = 1000, 0\n    return 1\n"
UNSEEDED, SEEDED = PLAIN.format(dice="dice = random.Random()"), PLAIN.format(dice="dice = random.Random(7)")


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synth(tmp_path_factory.mktemp("lake"), seed=3, rows=8_000)[0]


def saved(folder: Path, tape: Path, text: str, *, report: bool) -> list[str]:
    """Return the warnings that a run of a strategy leaves in its folder."""
    (folder / "mine.py").write_text(text)
    run = Backtest(load(DEMO, [f"strategy={folder / 'mine.py'}:quote"], {}), tape).run()
    run.save(folder / "run", report=report)
    warnings: list[str] = json.loads((folder / "run/summary.json").read_text())["warnings"]
    return warnings


@pytest.mark.parametrize("text", [UNSEEDED, MARKED], ids=["plain", "marked"])
def test_a_strategy_that_draws_without_a_seed_is_said_to_be_not_reproducible(
    text: str, tape: Path, tmp_path: Path
) -> None:
    warnings = saved(tmp_path, tape, text, report=False)

    assert warnings[0].startswith(f"{TOLD}the beginning of the ticks, run twice, came out otherwise")


def test_a_strategy_with_a_seed_is_not_doubted(tape: Path, tmp_path: Path) -> None:
    assert not any(TOLD in warning for warning in saved(tmp_path, tape, SEEDED, report=False))


def test_a_function_that_remembers_another_run_is_doubted_where_a_report_runs_it_again(
    tape: Path, tmp_path: Path
) -> None:
    runs = list[int]()

    def quote(params: Any, state: Any, memory: Any, wanted: Any) -> int:
        runs.append(1)
        wanted[0, :5] = 1, 0, int(state.pivot) - 2 - len(runs) % 7, 1000, 0
        return 1

    run = Backtest(load(DEMO, (), {}), tape, strategy=quote).run()
    called = len(runs)
    run.save(tmp_path / "alone", report=False)

    assert len(runs) == called, "without a report a function is not called again"
    run.save(tmp_path / "run")
    assert json.loads((tmp_path / "run/summary.json").read_text())["warnings"][0].startswith(TOLD)


def test_a_sweep_of_such_a_strategy_says_so(
    tape: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BMV_TRIALS", str(tmp_path / "trials.sqlite"))
    (tmp_path / "mine.py").write_text(UNSEEDED)
    words = ["sweep", str(DEMO), "--data", str(tape), "--set", f"strategy={tmp_path / 'mine.py'}:quote"]

    code = main([*words, "--param", "inventory.max_position=50,100", "--json", "--out", str(tmp_path / "s")])

    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert code == 0
    assert summary["warnings"][0].startswith(f"{TOLD}trial ")
