"""What `live/` may reach: all that a run folder and its report are made of, and nothing of the backtest."""

import subprocess
import sys
from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "samples"
SESSION = """
import sys
from pathlib import Path

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("bmv.backtest"):
            raise AssertionError(f"{name} was imported")

sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[1])

from synthetic import CONFIG, CONFIG_TEXT, day

from bmv.adapters.report import report, show
from bmv.adapters.strategy import identity, plugin
from bmv.data.journal import chain, runrules, tradelog
from bmv.data.runs.folder import RunFiles, save
from bmv.data.runs.summary import Quality, summary_of

outcome = day()
summary = summary_of(outcome, CONFIG, "live", Quality({}, (), 0))
files = RunFiles({"version": 1}, CONFIG_TEXT, summary, outcome.orders, outcome.fills, outcome.equity)
save(Path(sys.argv[2]), files, report.render)
show.show(Path(sys.argv[2]), as_json=False)
"""


def test_a_run_folder_and_its_report_are_written_without_the_backtest(tmp_path: Path) -> None:
    folder = tmp_path / "session"

    done = subprocess.run(
        [sys.executable, "-c", SESSION, SAMPLES, folder], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder.iterdir()} == {
        "config.resolved.toml", "equity.parquet", "fills.parquet", "manifest.json", "orders.parquet", "report.html",
        "summary.json",
    }  # fmt: skip
    assert "SOL" in done.stdout
