"""Two runs side by side."""

import shutil
from pathlib import Path

import orjson
import pytest

from bmv.adapters.report.compare import compare, differences, flat
from bmv.ports.errors import DataError, UsageError


@pytest.fixture
def changed(run_dir: Path, tmp_path: Path) -> Path:
    """A copy of the run with another threshold, another net and another digest."""
    copy = shutil.copytree(run_dir, tmp_path / "other")
    summary = orjson.loads((copy / "summary.json").read_bytes())
    summary["pnl"]["net"], summary["digest"] = "80.331133", "f" * 16
    (copy / "summary.json").write_bytes(orjson.dumps(summary))
    config = copy / "config.resolved.toml"
    config.write_text(config.read_text().replace("entry_latency_ms = 60", "entry_latency_ms = 5\nseed = 4"))
    return copy


def test_a_run_is_equal_to_itself(run_dir: Path) -> None:
    found = differences(run_dir, run_dir)

    assert (found["same_digest"], found["same_data"], found["config"], found["warnings"]) == (True, True, {}, [])
    assert all(not row["difference"] for row in found["figures"])


def test_differences_are_b_less_a_and_by_dotted_key(run_dir: Path, changed: Path) -> None:
    found = differences(run_dir, changed)

    net = next(row for row in found["figures"] if row["label"] == "Net profit")
    assert net["difference"] == pytest.approx(7)
    assert found["config"] == {"simulation.entry_latency_ms": [60, 5], "simulation.seed": [None, 4]}
    assert found["same_data"]
    assert not found["same_digest"]


def test_runs_on_different_files_are_warned_about(run_dir: Path, changed: Path) -> None:
    (changed / "manifest.json").write_text('{"data": [{"path": "SOL.parquet", "sha256": "cd"}]}')

    found = differences(run_dir, changed)

    assert not found["same_data"]
    assert found["warnings"]


def test_runs_of_two_strategies_are_told_apart_though_their_configurations_are_equal(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quote = {"name": "quote", "module": "research", "file": None, "sha256": "ab" * 32}
    grid, other = (shutil.copytree(run_dir, tmp_path / name) for name in ("grid", "other"))
    for folder, strategy in ((grid, None), (other, quote)):
        (folder / "manifest.json").write_bytes(orjson.dumps({"strategy": strategy}))

    compare(grid, other, as_json=False)

    said = capsys.readouterr().out
    assert "strategies: the pivot grid | quote of research (abababab)" in said
    assert "The configurations are equal." in said
    assert differences(grid, other)["strategies"] == [None, quote]


def test_json_is_nothing_but_json(run_dir: Path, changed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare(run_dir, changed, as_json=True)

    assert orjson.loads(capsys.readouterr().out)["same_digest"] is False


def test_the_table_names_the_key_that_differs(run_dir: Path, changed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare(run_dir, changed, as_json=False)

    said = capsys.readouterr().out
    assert "simulation.entry_latency_ms" in said
    assert "+7.0000" in said


def test_a_run_without_ratios_is_told_beside_one_that_has_them(
    run_dir: Path, changed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = orjson.loads((changed / "summary.json").read_bytes())
    summary["statistics"]["ratios"] |= dict.fromkeys(("sharpe", "sortino", "calmar")) | {"reason": "nothing was traded"}
    (changed / "summary.json").write_bytes(orjson.dumps(summary))

    compare(run_dir, changed, as_json=False)

    assert "b: no Sharpe, Sortino or Calmar ratio: nothing was traded" in capsys.readouterr().out
    assert differences(run_dir, changed)["no_ratios"][0] is None


def test_a_folder_that_is_no_run_is_refused(run_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        compare(run_dir, tmp_path / "nowhere", as_json=True)


def test_a_table_of_tables_is_told_by_dotted_key() -> None:
    assert flat({"a": {"b": {"c": 1}}, "d": 2}) == {"a.b.c": 1, "d": 2}


def test_a_torn_manifest_is_bad_data_and_not_a_fault_of_ours(run_dir: Path, changed: Path) -> None:
    (changed / "manifest.json").write_text('{"data": [')

    with pytest.raises(DataError, match=r"manifest\.json"):
        differences(run_dir, changed)
