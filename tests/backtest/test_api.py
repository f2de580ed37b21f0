"""What the library takes: a configuration of any form, data of any form, and a sentence for everything else."""

import datetime
import subprocess
import sys
import tomllib
from collections.abc import Callable
from os import environ
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
import pytest

from bmv.adapters.config import load
from bmv.backtest import Backtest
from bmv.backtest.sweep import api
from bmv.data.ticks.synth.synth import synth
from bmv.ports.errors import ConfigError, UsageError

DEMO = Path(__file__).parents[2] / "docs" / "examples" / "demo.toml"
TABLE: dict[str, Any] = tomllib.loads(DEMO.read_text("utf-8"))
AXIS = "grid.bid.first_bps=2:4:1"


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synth(tmp_path_factory.mktemp("lake"), seed=3, rows=2_000)[0]


def changed(**sections: Any) -> dict[str, Any]:
    """Return the demo's tables, with keys of some of them replaced."""
    return TABLE | {name: TABLE[name] | keys for name, keys in sections.items()}


def test_a_mapping_is_the_run_of_its_file(tape: Path) -> None:
    by_file = Backtest(DEMO, tape).run()
    frozen = MappingProxyType({name: MappingProxyType(t) if isinstance(t, dict) else t for name, t in TABLE.items()})

    by_mapping = [Backtest(table, tape).run() for table in (TABLE, frozen)]

    assert [made.digest for made in by_mapping] == [by_file.digest] * 2
    assert by_mapping[0].manifest()["config"] == by_file.manifest()["config"]


def test_a_mapping_is_left_as_it_was(tape: Path) -> None:
    before = repr(TABLE)

    Backtest(TABLE, tape, strategy="mine.py:mine")

    assert repr(TABLE) == before


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ("pivot", {"windw_s": 3}),
        ("pivot", {"window_s": -3}),
        ("market", {"tick_size": "dear"}),
        ("inventory", {"max_position": None}),
        ("requote", {"min_interval_ms": [1]}),
    ],
)
def test_a_mapping_is_refused_in_the_words_of_a_file(
    section: str, keys: dict[str, Any], tape: Path, tmp_path: Path
) -> None:
    file = tmp_path / "maker.toml"
    lines = [f"{name} = {value!r}".replace("'", '"') for name, value in keys.items() if value is not None]
    texts = DEMO.read_text("utf-8").splitlines()
    kept = [line for line in texts if not line.startswith(tuple(f"{name} =" for name in keys))]
    at = kept.index(f"[{section}]") + 1
    file.write_text("\n".join([*kept[:at], *lines, *kept[at:]]))
    table = changed(**{section: keys})
    table[section] = {name: value for name, value in table[section].items() if value is not None}

    with pytest.raises(ConfigError) as by_mapping:
        Backtest(table, tape)
    with pytest.raises(ConfigError) as by_file:
        load(file, (), {})

    assert str(by_mapping.value) == str(by_file.value).replace(str(file), "configuration")


def test_numbers_of_numpy_and_paths_are_taken_for_what_they_are(tape: Path, tmp_path: Path) -> None:
    table = changed(pivot={"window_s": np.float64(5), "history_s": np.int64(60)}) | {"storage": {"ticks": tmp_path}}

    config = Backtest(table, tape).config

    assert (config.pivot.window_s, config.pivot.history_s) == (5, 60)
    assert config.storage.ticks == str(tmp_path)


def test_a_path_in_a_mapping_is_relative_to_the_working_directory(
    tape: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text("def mine(params, state, memory, wanted):\n    return 0\n")
    monkeypatch.chdir(tmp_path)

    result = Backtest(TABLE | {"strategy": "mine.py:mine"}, tape).run()

    assert result.summary["orders"] == 0
    assert result.manifest()["strategy"]["file"] == "mine.py"


def test_data_are_taken_as_a_search_for_files_gives_them(tape: Path) -> None:
    found = Backtest(TABLE, tape.parent.rglob("*.parquet"))

    assert found.paths == [tape]


WRONG: list[tuple[Callable[[Path], object], str]] = [
    (lambda tape: Backtest(None, tape), "config: expected a Config, the path of a TOML file, or a mapping"),  # type: ignore[arg-type]
    (lambda tape: Backtest([TABLE], tape), "found a list"),  # type: ignore[arg-type]
    (lambda tape: Backtest(TABLE, None), "data: expected the path of a Parquet file"),  # type: ignore[arg-type]
    (lambda tape: Backtest(TABLE, {}), "found a dict"),  # type: ignore[arg-type]
    (lambda tape: Backtest(TABLE, [tape, 5]), "found an int"),  # type: ignore[list-item]
    (lambda tape: Backtest(TABLE, pl.DataFrame()), "found a DataFrame; write it to a file first"),  # type: ignore[arg-type]
    (lambda tape: Backtest(TABLE, tape, start_ns="2025"), "start_ns: expected a whole number of nanoseconds"),  # type: ignore[arg-type]
    (lambda tape: Backtest(TABLE, tape, end_ns=datetime.datetime.now(datetime.UTC)), "found a datetime"),  # type: ignore[arg-type]
    (lambda tape: Backtest(TABLE, tape, 5, 4), "expected the start before the end, found 5 and 4"),
    (lambda tape: Backtest(TABLE, tape, engine=None), "expected 'fused' or 'reference'"),  # type: ignore[arg-type]
    (lambda tape: Backtest(TABLE, tape).run(5), "progress: expected a function"),  # type: ignore[arg-type]
    (lambda tape: load(TABLE), "path: expected that of a TOML file, found a dict"),  # type: ignore[arg-type]
    (lambda tape: api.make_plan(None), "config: expected a Config"),  # type: ignore[arg-type]
    (lambda tape: api.make_plan(TABLE, 5, tape), "params: expected text such as"),  # type: ignore[arg-type]
    (lambda tape: api.make_plan(TABLE, AXIS, 5), "data: expected the path"),  # type: ignore[arg-type]
    (lambda tape: api.make_plan(TABLE, AXIS, tape, 5), "timerange: expected text"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "told"), WRONG, ids=[told[:30] for _, told in WRONG])
def test_a_wrong_argument_gets_a_sentence(call: Callable[[Path], object], told: str, tape: Path) -> None:
    with pytest.raises(UsageError) as refused:
        call(tape)

    assert told in str(refused.value)


def test_a_key_that_is_no_text_is_refused(tape: Path) -> None:
    with pytest.raises(ConfigError, match="configuration: pivot has the key 3: expected a string"):
        Backtest(changed(pivot={3: 4}), tape)


def test_a_sweep_takes_a_mapping_and_a_path(tape: Path) -> None:
    plan = api.make_plan(TABLE, AXIS, tape)

    assert [axis.key for axis in plan.axes] == ["grid.bid.first_bps"]
    assert plan.names() == ["tape"]


def test_the_compiled_engine_without_a_compiler_says_which_engine_needs_none(tape: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "bmv.adapters.cli"]
    env = {**environ, "NUMBA_DISABLE_JIT": "1"}

    def bmv(*more: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*words, *map(str, more)], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )

    fused = bmv("backtest", DEMO, "--data", tape)
    sweep = bmv("sweep", DEMO, "--data", tape, "--param", AXIS)
    reference = bmv("backtest", DEMO, "--data", tape, "--engine", "reference", "--out", "run", "--json")

    assert (fused.returncode, sweep.returncode) == (2, 2)
    assert "NUMBA_DISABLE_JIT is set" in fused.stderr
    assert "reference" in fused.stderr
    assert "NUMBA_DISABLE_JIT is set, and a sweep needs" in sweep.stderr
    assert reference.returncode == 0, reference.stderr
    assert (tmp_path / "run" / "report.html").is_file()
