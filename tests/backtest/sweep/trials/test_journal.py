"""The journal of a sweep: Optuna's own tools read it, and nothing of its trials stays in memory."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from bmv.backtest.sweep.trials.journal import Lines
from bmv.backtest.sweep.trials.objectives import objectives_of
from bmv.backtest.sweep.trials.space import parsed
from bmv.backtest.sweep.trials.study import Study

AXES = [parsed("grid.bid.levels=1:9:1"), parsed("simulation.queue=front,back")]


def row(trial: int, state: str = "complete") -> dict[str, Any]:
    values = {"grid.bid.levels": 1 + trial % 9, "simulation.queue": "back"}
    found = {"trial": trial, "set": values, "state": state, "digest": f"{trial:016x}", "figures": {"net": 0.5}}
    return {**found, "objectives": [0.5] if state == "complete" else []}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.log"


def opened(path: Path) -> Study:
    return Study(str(path), "one", AXES, objectives_of("net"))


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_the_tools_of_optuna_read_every_trial(path: Path) -> None:
    study, states = opened(path), ("complete", "pruned", "invalid")
    for trial in range(9):
        study.add(row(trial, states[trial % 3]))
    study.close()

    trials = optuna.load_study(study_name="one", storage=JournalStorage(JournalFileBackend(str(path)))).trials

    assert [trial.user_attrs["trial"] for trial in trials] == list(range(9))
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED", "FAIL"] * 3
    assert trials[3].params == {"grid.bid.levels": 4, "simulation.queue": "back"}
    assert trials[3].values == [0.5]


def test_trials_are_read_back_in_the_order_of_their_numbers_by_whoever_opens_the_journal(path: Path) -> None:
    study = opened(path)
    for trial in (2, 0, 1):
        study.add(row(trial))
    study.add({**row(1), "digest": "another"})

    seen = list(study.rows())
    study.close()
    again = opened(path)
    again.add(row(3))

    assert seen == [row(trial) for trial in range(3)]
    assert list(again.rows()) == [row(trial) for trial in range(4)]
    assert (len(again), 3 in again, 4 in again) == (4, True, False)
    again.close()


def test_optuna_hears_of_one_trial_only(path: Path) -> None:
    lines = Lines(str(path))
    logs = [{"user_attrs": {"trial": n, "row": "x"}} for n in range(3)]
    heard = list[Any]()

    for log in logs:
        lines.append_logs([log])
        heard += lines.read_logs(len(heard))

    assert heard == logs[:1]
    assert list(lines) == [0, 1, 2]
    lines.close()


def test_a_trial_is_in_the_file_before_the_next_one_is_asked_for(path: Path) -> None:
    study = opened(path)
    for trial in range(20):
        study.add(row(trial))
        assert path.read_bytes().count(b"\n") == trial + 2  # The first line is the study's.
    study.close()
