"""A tape on which no time passes: every share of time is of nothing, and every page stands all the same."""

from pathlib import Path

import numpy as np
import pytest

from bmv.adapters.config import load
from bmv.adapters.report.report import write
from bmv.adapters.report.show import show
from bmv.backtest import Backtest, Result
from bmv.data.ticks.schema import write_day
from bmv.data.ticks.synth.synth import SOL_USDC
from bmv.ports.market_data import Columns

DEMO = Path(__file__).parents[2] / "docs" / "examples" / "demo.toml"
MIDNIGHT_NS = 1_756_857_600_000_000_000


@pytest.fixture(params=["fused", "reference"])
def result(request: pytest.FixtureRequest, tmp_path: Path) -> Result:
    """A run on a quote, a trade and a quote of the same nanosecond."""
    book, print_ = np.array([1, 0, 1]), np.array([0, 1, 0])
    rows = Columns(
        ts_ns=np.full(3, MIDNIGHT_NS), kind=1 + book, side=print_, price=print_ * 20_000, size=print_ * 5_000,
        bid=book * 19_990, bid_size=book * 5_000, ask=book * 20_010, ask_size=book * 5_000,
    )  # fmt: skip
    tape = write_day(tmp_path / "2025-09-03.parquet", rows, SOL_USDC)
    return Backtest(load(DEMO, (), {}), tape, engine=request.param).run()


def test_a_tape_of_one_instant_has_one_row_of_equity_and_no_ratios(result: Result) -> None:
    summary = result.summary

    assert (summary["events"], len(result.equity), len(result.fills)) == (3, 1, 0)
    assert summary["orders"] > 0
    assert (summary["pnl"]["net"], summary["max_drawdown"]) == ("0", 0)
    assert [summary["statistics"]["ratios"][name] for name in ("sharpe", "sortino", "calmar")] == [None] * 3


def test_a_tape_of_one_instant_is_reported_and_shown(
    result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = result.save(tmp_path / "run")

    page = write(folder).read_text("utf-8")
    show(folder, as_json=False)

    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "The data is a single instant: no time passes in which an order could fill." in said
    assert "never was a pivot" not in said
    assert "nan" not in said.lower()
    assert "Why nothing happened" in page
