"""What the report's tests share; their made-up outcome stands beside them, so that this folder must be on the path."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a made-up day of trading; read only."""
    from synthetic import CONFIG, day, write_run

    from bmv.backtest.stats import statistics

    outcome = day()
    bracket = {"front": {"net": "104.1", "fills": 4120, "max_drawdown": 0.007, "digest": "f" * 16}}
    return write_run(tmp_path_factory.mktemp("runs") / "day", outcome, statistics(outcome, CONFIG), bracket=bracket)
