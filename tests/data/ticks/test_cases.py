"""Small files that broke other people's tools, read as they must be; they lie beside the project and may be away."""

import json
from pathlib import Path

import polars as pl
import pytest

from bmv.adapters.cli.main import main
from bmv.data.ticks.importers import FORMS, Options, chosen
from bmv.ports.errors import DataError

CASES = Path(__file__).resolve().parents[4] / "shared" / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="needs the cases beside the project")
SECOND_NS = 10**9
NOON_NS = 1756900800 * SECOND_NS
MIDNIGHT_NS = 1756857600 * SECOND_NS


def rows(name: str) -> pl.DataFrame:
    options = Options()
    return pl.concat(chosen(FORMS, CASES / name, None, options).read(CASES / name, options))


@pytest.mark.parametrize(
    ("name", "first_ns", "step_ns"),
    [
        ("postgres-csv/utc.csv", NOON_NS, SECOND_NS),
        ("postgres-csv/ny.csv", NOON_NS + SECOND_NS // 2, SECOND_NS),
        ("postgres-csv/india.csv", NOON_NS, SECOND_NS),
        ("postgres-csv/t8601.csv", NOON_NS - 7200 * SECOND_NS, SECOND_NS),
        ("postgres-csv/bool.csv", NOON_NS, SECOND_NS),
        ("spaces-before-words/a.csv", MIDNIGHT_NS, SECOND_NS // 1_000),
        ("spaces-before-words/b.csv", MIDNIGHT_NS, SECOND_NS // 1_000),
        ("spaces-before-words/c.csv", MIDNIGHT_NS, SECOND_NS // 1_000),
        ("times-in-1970/a_hhmmss.csv", MIDNIGHT_NS + 34_200 * SECOND_NS, SECOND_NS),
    ],
)
def test_a_file_of_others_is_read_to_the_instant(name: str, first_ns: int, step_ns: int) -> None:
    assert rows(name)["ts"].to_list()[:4] == [first_ns + step_ns * row for row in range(4)]


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("postgres-csv/bool.csv", -1),
        ("spaces-before-words/a.csv", 1),
        ("spaces-before-words/b.csv", -1),
        ("spaces-before-words/c.csv", -1),
    ],
)
def test_the_side_is_the_takers_whatever_stands_around_its_word(name: str, side: int) -> None:
    assert rows(name)["side"][0] == side


@pytest.mark.parametrize(
    ("name", "may_be"),
    [
        ("b_yyyymmdd.csv", "a day (YYYYMMDD) without a time of day"),
        ("c_ms_of_day.csv", "milliseconds since midnight"),
        ("d_excel.csv", "days as Excel counts them (2025-09-03 09:30:00)"),
        ("e_us_then_ms.csv", "line 62: column 'time' is '1735689600000'"),
    ],
)
def test_a_time_that_is_none_is_refused_with_what_it_may_be(name: str, may_be: str) -> None:
    with pytest.raises(DataError) as error:
        rows(f"times-in-1970/{name}")
    assert may_be in str(error.value)


@pytest.mark.parametrize(
    "name", ["BUSDT-aggTrades-2018-01", "CUSDT-aggTrades-2018-01", "DUSDT-aggTrades-2018-01", "mine"]
)
def test_an_archive_with_a_folder_or_a_macs_extras_is_its_one_file(name: str) -> None:
    assert len(rows(f"zip-folder-entry/{name}.zip")) == 50


def test_a_coarse_tick_is_no_outlier(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(CASES / "coarse-tick-outliers" / "bcn.csv")]) == 0
    assert "unlikely" not in capsys.readouterr().out


def test_a_book_that_lacks_one_removal_earns_what_the_whole_book_earns_and_says_so(tmp_path: Path) -> None:
    case, steps = CASES / "depth-one-missing-removal", ["--tick-size", "0.1", "--lot-size", "0.1"]
    gains, warnings = {}, {}
    for book in ("good", "bad"):
        into = ["--lake", str(tmp_path / book), "--venue", "x", "--symbol", "AB", *steps]
        assert main(["data", "import", str(case / f"{book}.csv"), *into]) == 0
        assert main(["data", "import", str(case / "tr.csv"), *into]) == 0
        run = tmp_path / f"run-{book}"
        assert main(["backtest", str(case / "my.toml"), "--data", str(tmp_path / book), "--out", str(run)]) == 0
        summary = json.loads((run / "summary.json").read_text())
        gains[book], warnings[book] = summary["pnl"], summary["warnings"]
    assert gains["good"] == gains["bad"]
    assert [any("the book misses rows" in warning for warning in warnings[book]) for book in gains] == [False, True]
