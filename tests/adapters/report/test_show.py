"""A run on a terminal."""

import re
from decimal import Decimal
from io import StringIO
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from synthetic import CONFIG, nothing, summary_of

from bmv.adapters.report.sheet import headline, in_words, sections
from bmv.adapters.report.show import show, summary_table
from bmv.backtest.sweep.show.sheets import FIGURES
from bmv.data.runs.statistics.stats import statistics
from bmv.data.runs.wording import UNKNOWN
from bmv.ports.errors import BmvError, DataError, UsageError


def test_json_is_nothing_but_the_summary(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show(run_dir, as_json=True)

    assert orjson.loads(capsys.readouterr().out) == orjson.loads((run_dir / "summary.json").read_bytes())


def test_the_table_tells_the_sum_and_the_statistics(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show(run_dir, as_json=False)

    said = capsys.readouterr().out
    for part in ("+73.3311", "spread +133.8274", "3,000", "Two-sided", "93.0 %", "front", "0123456789abcdef"):
        assert part in said, part


def test_holding_is_set_against_the_net_in_plain_words_and_the_digest_has_its_name(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show(run_dir, as_json=False)

    said = capsys.readouterr().out
    assert "net above holding" in said
    assert "that is net less what the first position made" in said
    assert "compared with holding" not in said
    assert "digest 0123456789abcdef" in said


def test_net_above_holding_has_one_name_in_runs_and_sweeps_and_stands_beside_the_notional_it_is_of(
    run_dir: Path,
) -> None:
    summary = orjson.loads((run_dir / "summary.json").read_bytes())

    rows = {section.title: [row.label for row in section.rows] for section in sections(summary)}

    assert "Net per notional" not in rows["Spread"]
    assert "Net per notional" in rows["Risk"]
    assert [row.label for row in headline(summary)][1] == FIGURES["net_vs_hold"][0] == "Net above holding"


def test_the_table_fits_into_eighty_columns_and_one_screen(run_dir: Path) -> None:
    console = Console(width=80, record=True, file=StringIO())

    console.print(summary_table(orjson.loads((run_dir / "summary.json").read_bytes())))

    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 55


@pytest.mark.parametrize("width", [40, 80, 200])
@given(amount=st.floats(0, 1e19), money=st.integers(-(2**63), 2**63))
@settings(max_examples=15)
def test_no_number_of_a_summary_is_cut(width: int, amount: float, money: int, run_dir: Path) -> None:
    summary = orjson.loads((run_dir / "summary.json").read_bytes()) | {"symbol": "MEMECOIN/USDC"}
    summary["statistics"]["inventory"] |= {"max": amount, "min": -amount}
    summary["statistics"]["round_trips"] |= {"profit": money / 1e6, "unmatched": amount}
    summary["pnl"]["net"] = summary["bracket"]["front"]["net"] = f"{Decimal(money) / 10**6:f}"
    summary["bracket"]["front"]["volume"] = amount
    console = Console(width=width, file=StringIO(), record=True)

    console.print(summary_table(summary))

    shown = console.export_text()
    words = [in_words(row, "MEMECOIN/USDC") for section in sections(summary) for row in section.rows]
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= width
    assert all(word in shown.split() for each in words if each != UNKNOWN for word in each.split())


def test_a_token_of_a_hundred_millionth_is_shown_whole(run_dir: Path) -> None:
    summary = orjson.loads((run_dir / "summary.json").read_bytes())
    summary["statistics"]["inventory"] |= {"max": 410e9, "min": 409e9, "mean": 4.095e11}
    console = Console(width=80, file=StringIO(), record=True)

    console.print(summary_table(summary))

    assert re.search(r"Largest +410e9 SOL", console.export_text())


def test_a_run_without_ratios_says_so_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = nothing()

    Console().print(summary_table(summary_of(outcome, statistics(outcome, CONFIG))))

    assert "no Sharpe, Sortino or Calmar ratio: nothing was traded" in capsys.readouterr().out


def test_a_run_that_did_nothing_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = nothing(times=nothing().times | {"pivot": 0})

    Console().print(summary_table(summary_of(outcome, statistics(outcome, CONFIG))))

    assert "There never was a pivot" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (None, UsageError, "no folder"),
        ({}, UsageError, "it has no summary.json"),
        ({"summary.json": "{"}, DataError, "can't read"),
        ({"summary.json": "[1]"}, DataError, "expected an object"),
        ({"summary.json": '{"version": 7}'}, DataError, "its version is 7"),
    ],
)
def test_a_folder_that_is_no_run_is_named(
    tmp_path: Path, content: dict[str, str] | None, error: type[BmvError], said: str
) -> None:
    run_dir = tmp_path / "run"
    if content is not None:
        run_dir.mkdir()
        for name, text in content.items():
            (run_dir / name).write_text(text)

    with pytest.raises(error, match=said):
        show(run_dir, as_json=True)
