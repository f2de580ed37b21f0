"""Delays that were recorded at another time than the ticks are refused; those that cover a part say how large a part."""

import json
from pathlib import Path
from typing import Any

import pytest
from synthetic import SECOND

from bmv.adapters.cli.main import main
from bmv.adapters.config import Config, load
from bmv.backtest import Backtest
from bmv.backtest.delays import delay_warnings
from bmv.data.ticks.synth.synth import synth
from bmv.ports.errors import DataError

DEMO = Path(__file__).parents[2] / "docs" / "examples" / "demo.toml"
FIRST_NS, LAST_NS = 1_756_857_600 * SECOND, 1_756_861_200 * SECOND  # An hour of 2025-09-03.
BOTH = ("entry_latency_ms", "response_latency_ms")


def recording(folder: Path, *times: int) -> Path:
    path = folder / "delays.csv"
    path.write_text("ts_ns,latency_ms\n" + "".join(f"{time},{50 + n}\n" for n, time in enumerate(times)))
    return path


def told(file: Path, key: str = BOTH[0]) -> Config:
    return load(DEMO, [f'simulation.{key}={{model="recorded", file="{file}"}}'], {})


@pytest.mark.parametrize("key", BOTH)
def test_delays_of_another_day_are_refused_with_both_times(key: str, tmp_path: Path) -> None:
    day = 86_400 * SECOND
    config = told(recording(tmp_path, FIRST_NS + day, LAST_NS + day), key)

    with pytest.raises(DataError) as refused:
        delay_warnings(config, FIRST_NS, LAST_NS)

    said = str(refused.value)
    assert f"delays.csv (simulation.{key})" in said
    assert "recorded from 2025-09-04T00:00:00Z to 2025-09-04T01:00:00Z" in said
    assert "the ticks are from 2025-09-03T00:00:00Z to 2025-09-03T01:00:00Z" in said


def test_delays_in_milliseconds_are_refused_with_what_they_may_be(tmp_path: Path) -> None:
    config = told(recording(tmp_path, FIRST_NS // 10**6, LAST_NS // 10**6))

    with pytest.raises(DataError, match="should be in ns; it may be a time in ms"):
        delay_warnings(config, FIRST_NS, LAST_NS)


@pytest.mark.parametrize(
    ("from_s", "to_s", "covered"),
    [(0, 900, "25.0 %"), (2700, 3600, "25.0 %"), (-900, 900, "25.0 %"), (900, 2700, "50.0 %"), (3600, 9000, "0.0 %")],
)
def test_delays_that_cover_a_part_say_how_large_a_part(from_s: int, to_s: int, covered: str, tmp_path: Path) -> None:
    config = told(recording(tmp_path, FIRST_NS + from_s * SECOND, FIRST_NS + to_s * SECOND))

    (warning,) = delay_warnings(config, FIRST_NS, LAST_NS)

    assert f"covers {covered} of the time of the ticks" in warning


def test_a_hole_within_a_recording_of_delays_is_told_with_how_much_of_the_tape_lies_in_it(tmp_path: Path) -> None:
    seconds = [second for second in range(0, 3601, 5) if not (600 < second < 1500 or 3000 < second < 3180)]
    config = told(recording(tmp_path, *(FIRST_NS + second * SECOND for second in seconds)))

    (warning,) = delay_warnings(config, FIRST_NS, LAST_NS)

    assert "has no delay within 30.0 % of the time of the ticks, in 2 holes" in warning
    assert "the longest from 2025-09-03T00:10:00Z to 2025-09-03T00:25:00Z" in warning


@pytest.mark.parametrize("step_s", [1, 59, 300])
def test_a_recording_without_a_hole_says_nothing_however_seldom_its_delays_are(step_s: int, tmp_path: Path) -> None:
    seconds = [*range(0, 3600, step_s), 3600]
    config = told(recording(tmp_path, *(FIRST_NS + second * SECOND for second in seconds)))

    assert delay_warnings(config, FIRST_NS, LAST_NS) == []


def test_a_hole_beyond_the_ticks_says_nothing(tmp_path: Path) -> None:
    seconds = [-9000, *range(-10, 3611, 10), 9000]
    config = told(recording(tmp_path, *(FIRST_NS + second * SECOND for second in seconds)))

    (inside,) = [delay_warnings(config, FIRST_NS, LAST_NS)]

    assert inside == []


@pytest.mark.parametrize("beyond_s", [-60, 0, 1])
def test_delays_that_cover_the_tape_but_for_a_moment_say_nothing(beyond_s: int, tmp_path: Path) -> None:
    config = told(recording(tmp_path, FIRST_NS + beyond_s * SECOND, LAST_NS - beyond_s * SECOND))

    assert delay_warnings(config, FIRST_NS, LAST_NS) == []


def test_a_key_that_a_sweep_sets_otherwise_is_not_looked_at(tmp_path: Path) -> None:
    config = told(recording(tmp_path, 1, 2))

    assert delay_warnings(config, FIRST_NS, LAST_NS, {"simulation.entry_latency_ms"}) == []


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synth(tmp_path_factory.mktemp("lake"), seed=3, rows=8_000)[0]


def test_a_run_says_what_part_of_its_ticks_the_delays_cover(tape: Path, tmp_path: Path) -> None:
    config = told(recording(tmp_path, FIRST_NS - SECOND, FIRST_NS + 600 * SECOND))

    warnings = Backtest(config, tape).run().summary["warnings"]

    assert any("delays.csv (simulation.entry_latency_ms) covers " in each for each in warnings)


@pytest.mark.parametrize("command", ["backtest", "sweep"])
def test_the_commands_refuse_delays_of_another_time_as_bad_data(
    command: str, tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = recording(tmp_path, 1, 2)
    more = ["--param", "grid.bid.levels=1,2"] if command == "sweep" else []
    delays = f'simulation.entry_latency_ms={{model="recorded", file="{file}"}}'

    code = main([command, str(DEMO), "--data", str(tape), "--set", delays, "--out", str(tmp_path / "out"), *more])

    assert code == 4
    assert "none of the one lies in the other" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_sweep_says_of_each_part_of_its_tape_what_the_delays_cover(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setenv("BMV_TRIALS", str(tmp_path / "trials.sqlite"))
    file = recording(tmp_path, FIRST_NS + 60 * SECOND, FIRST_NS + 10**6 * SECOND)  # The tape is of one day.
    delays = f'simulation.entry_latency_ms={{model="recorded", file="{file}"}}'
    words = ["sweep", str(DEMO), "--data", str(tape), "--set", delays, "--param", "grid.bid.levels=1,2", "--json"]

    code = main([*words, "--out", str(tmp_path / "out"), "--no-report"])

    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert code == 0
    found = [each for each in summary["warnings"] if "of the time of the ticks" in each]
    assert [each.split(":")[0] for each in found] == ["what is searched of tape"]
