"""`bmv data import|list|check|export|convert`, as a person calls them; and a run on what they made."""

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bmv.adapters.cli.main import main
from bmv.data.lake import Lake
from bmv.data.synth import synth
from bmv.ports.market import Market

Said = pytest.CaptureFixture[str]
MARKET = Market("SOL/USDC", Decimal("0.01"), Decimal("0.001"))
IMPORT = ("--venue", "test", "--symbol", "SOL/USDC", "--tick-size", "0.01", "--lot-size", "0.001")


def called(said: Said, *words: object) -> tuple[int, str, str]:
    code = main(["data", *map(str, words)])
    told = said.readouterr()
    return code, told.out, told.err


@pytest.fixture(scope="module")
def floats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up hour in units, as CSV that says `timestamp`, `price`, `size`, …"""
    folder = tmp_path_factory.mktemp("floats")
    (day,) = synth(folder / "lake", seed=3, rows=5_000)
    assert main(["data", "export", str(day), str(folder / "ticks.csv")]) == 0
    return folder / "ticks.csv"


def test_what_was_exported_and_imported_again_is_the_same(tmp_path: Path, floats: Path, capsys: Said) -> None:
    (day,) = synth(tmp_path / "made", seed=3, rows=5_000)

    code, out, _ = called(capsys, "import", floats, "--lake", tmp_path / "lake", *IMPORT)

    assert code == 0
    assert "5,000 of 5,000 rows good, 5,000 new" in out
    (kept,) = Lake(tmp_path / "lake").days()
    assert pl.read_parquet(kept.path).equals(pl.read_parquet(day))


def test_a_second_import_says_that_nothing_is_new(tmp_path: Path, floats: Path, capsys: Said) -> None:
    called(capsys, "import", floats, "--lake", tmp_path, *IMPORT)

    code, out, _ = called(capsys, "import", floats, "--lake", tmp_path, *IMPORT)

    assert code == 0
    assert out.splitlines()[-1] == "nothing new: the lake is as it was"


def test_the_lake_knows_the_steps_of_a_market_it_has(tmp_path: Path, floats: Path, capsys: Said) -> None:
    called(capsys, "import", floats, "--lake", tmp_path, *IMPORT)

    code, out, _ = called(
        capsys, "import", floats, "--lake", tmp_path, "--venue", "test", "--symbol", "SOL/USDC", "--json"
    )

    told = json.loads(out)
    assert code == 0
    assert [file["new"] for file in told["files"]] == [0]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--symbol", "A"], "give --tick-size and --lot-size, or --config"),
        ([], "which market is it? Give --symbol, or --config"),
        (
            ["--symbol", "A", "--tick-size", "1", "--lot-size", "1", "--column", "size"],
            "--column size: expected OURS=THEIRS",
        ),
        (
            ["--symbol", "A", "--tick-size", "1", "--lot-size", "1", "--column", "sise=x"],
            "--column sise=…: expected one of ts,",
        ),
        (
            ["--symbol", "A", "--tick-size", "1", "--lot-size", "1", "--format", "bimance"],
            "no format is called 'bimance'",
        ),
    ],
)
def test_what_is_not_said_is_asked_for(
    tmp_path: Path, floats: Path, capsys: Said, words: list[str], error: str
) -> None:
    code, out, err = called(capsys, "import", floats, "--lake", tmp_path / "lake", "--venue", "test", *words)

    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert error in err


def test_the_list_says_what_there_is_and_since_when(tmp_path: Path, floats: Path, capsys: Said) -> None:
    called(capsys, "import", floats, "--lake", tmp_path, *IMPORT)

    _, table, _ = called(capsys, "list", "--lake", tmp_path, "--show-timerange")
    code, out, _ = called(capsys, "list", "--lake", tmp_path, "--json")

    assert code == 0
    (market,) = json.loads(out)["markets"]
    assert (market["venue"], market["symbol"], market["days"], market["rows"]) == ("test", "SOL/USDC", 1, 5_000)
    assert (market["first_day"], market["tick_size"]) == ("2025-09-03", "0.01")
    assert "2025-09-03T00:00:00" in table


def test_an_empty_lake_has_nothing_to_list(tmp_path: Path, capsys: Said) -> None:
    code, _, err = called(capsys, "list", "--lake", tmp_path / "nowhere")

    assert code == 4
    assert "no days in this lake" in err


def test_a_check_finds_the_steps_of_a_file_that_does_not_say_them(floats: Path, capsys: Said) -> None:
    code, out, _ = called(capsys, "check", floats, "--json")

    (told,) = json.loads(out)["files"]
    assert code == 0
    assert (told["usable"], told["tick_size"], told["inferred"]) == (True, "0.01", True)
    assert told["trades"] + told["quotes"] == told["rows"] == 5_000


def test_a_check_of_an_unusable_file_says_why_and_ends_with_4(tmp_path: Path, floats: Path, capsys: Said) -> None:
    broken = tmp_path / "broken.csv"
    broken.write_text(floats.read_text().replace(",trade,", ",trude,"))

    code, out, err = called(capsys, "check", floats, broken, "--json")

    assert code == 4
    assert [file["usable"] for file in json.loads(out)["files"]] == [True, False]
    assert "unknown kind" in err


FINDINGS: list[tuple[str, str, int]] = [
    # What is done to a clean hour, where it shows, how often.
    ("duplicates", "2025-09-03T01:00:00Z,trade,1,100,1,,,,\n" * 3, 2),
    ("crossed", "2025-09-03T01:00:00Z,quote,,,,101,1,100,1\n", 1),
    ("locked", "2025-09-03T01:00:00Z,quote,,,,100,1,100,1\n", 1),
    ("gap_count", "2025-09-03T01:01:01Z,quote,,,,99,1,100,1\n", 1),
    ("back", "2025-09-03T00:00:30Z,trade,1,100,1,,,,\n", 1),
    ("outside", "2025-09-03T01:00:00Z,trade,1,100.03,1,,,,\n", 1),
    ("wrong_side", "2025-09-03T01:00:00Z,trade,1,99.99,1,,,,\n", 1),
    ("unsided", "2025-09-03T01:00:00Z,trade,,100,1,,,,\n", 1),
    ("outliers", "2025-09-03T01:00:00Z,trade,1,103,1,,,,\n", 1),
]


@pytest.mark.parametrize(("name", "more", "count"), FINDINGS)
def test_a_check_counts_what_is_wrong_and_only_that(
    tmp_path: Path, capsys: Said, name: str, more: str, count: int
) -> None:
    header = "ts,kind,side,price,size,bid,bid_size,ask,ask_size\n"
    calm = [
        f"2025-09-03T00:{minute:02}:{second:02}Z,{'quote,,,,99.99,1,100.01,1' if second % 2 else 'trade,1,100.01,1,,,,'}"
        for minute in range(60)
        for second in range(0, 60, 5)
    ]
    clean, path = tmp_path / "clean.csv", tmp_path / "ticks.csv"
    clean.write_text(header + "\n".join(calm) + "\n")
    path.write_text(header + "\n".join(calm) + "\n" + more)

    before, after = (
        json.loads(called(capsys, "check", file, "--json", "--tick-size", "0.01", "--lot-size", "1")[1])["files"][0]
        for file in (clean, path)
    )

    assert before[name] == 0
    assert after[name] == count


def test_prints_that_run_late_are_told_as_clock_skew(tmp_path: Path, capsys: Said) -> None:
    rows = []
    for second in range(600):
        mid = 100 + second % 7
        rows.append((second * 1000, f"quote,,,,{mid - 1},1,{mid + 1},1"))
        rows.append((second * 1000 + 20, f"trade,1,{mid + 1},1,,,,"))
        rows.append((second * 1000 + 30, f"quote,,,,{mid + 8},1,{mid + 9},1"))
    late = [(ms + 50 if "trade" in text else ms, text) for ms, text in rows]
    path = tmp_path / "late.csv"
    lines = [f"{1_756_857_600_000 + ms},{text}" for ms, text in sorted(late)]
    path.write_text("ts,kind,side,price,size,bid,bid_size,ask,ask_size\n" + "\n".join(lines) + "\n")

    _, out, _ = called(capsys, "check", path, "--json")

    assert json.loads(out)["files"][0]["skew_ms"] == 50


def test_an_export_is_in_exact_units_unless_whole_numbers_are_asked_for(tmp_path: Path, capsys: Said) -> None:
    (day,) = synth(tmp_path / "lake", seed=1, rows=100)

    called(capsys, "export", day, tmp_path / "units.csv")
    called(capsys, "export", day, tmp_path / "whole.csv", "--whole")

    units, whole = (
        list(csv.DictReader((tmp_path / f"{name}.csv").read_text().splitlines())) for name in ("units", "whole")
    )
    assert len(units) == len(whole) == 100
    for one, other in zip(units, whole, strict=True):
        for name, step in (("price", MARKET.tick_size), ("bid", MARKET.tick_size), ("size", MARKET.lot_size)):
            assert (one[name] == "") == (other[name] == "")
            assert not one[name] or Decimal(one[name]) == Decimal(other[name]) * step


def test_a_converted_file_is_one_that_a_backtest_reads(tmp_path: Path, floats: Path, capsys: Said) -> None:
    code, out, _ = called(capsys, "convert", floats, tmp_path / "ticks.parquet")

    assert (code, out) == (0, f"wrote {tmp_path / 'ticks.parquet'}: 5,000 rows\n")
    assert pl.read_parquet(tmp_path / "ticks.parquet").height == 5_000


def test_a_run_on_the_lake_and_a_run_on_the_file_it_was_made_of_have_one_digest(
    tmp_path: Path, floats: Path, capsys: Said
) -> None:
    called(capsys, "convert", floats, tmp_path / "ticks.parquet")
    called(capsys, "import", floats, "--lake", tmp_path / "lake", *IMPORT)
    config = Path(__file__).parents[3] / "docs" / "examples" / "demo.toml"
    told = list[dict[str, Any]]()

    for data in ("ticks.parquet", "lake"):
        words = ["backtest", str(config), "--data", str(tmp_path / data), "--json", "--no-report"]
        assert main([*words, "--out", str(tmp_path / f"run-{data}")]) == 0
        told.append(json.loads(capsys.readouterr().out))

    assert told[0]["digest"] == told[1]["digest"]
    assert told[0]["orders"] > 10
