"""`bmv data import|list|check|export|convert`, as a person calls them; and a run on what they made."""

import asyncio
import csv
import json
import os
import re
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bmv.adapters.cli.main import main
from bmv.adapters.lake.ticks import LakeTicks
from bmv.data.ticks.lake.lake import Lake
from bmv.data.ticks.schema import as_told
from bmv.data.ticks.synth.synth import synth
from bmv.ports.market import Market
from bmv.ports.market_data import Stamps
from bmv.ports.storage import Gap, Ticks

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


def test_the_lake_of_a_configuration_is_listed(tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    synth(tmp_path / "ticks", seed=3, rows=500)
    config = tmp_path / "my.toml"
    assert main(["init", str(config)]) == 0
    config.write_text(config.read_text() + '[storage]\nticks = "ticks"\n')
    for fee in ("MAKER", "TAKER"):
        monkeypatch.setenv(f"BMV__MARKET__{fee}_FEE_BPS", "1")
    capsys.readouterr()

    code, out, _ = called(capsys, "list", config, "--json")

    assert code == 0
    assert [market["rows"] for market in json.loads(out)["markets"]] == [500]
    monkeypatch.chdir(tmp_path)
    code, _, err = called(capsys, "list")
    assert code == 4
    assert "lake: no days in this lake; another is named by --lake FOLDER, or by a configuration" in err


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


def recorded(lake: Path, rows: pl.DataFrame, stamped: bool) -> Path:
    """Keep rows at rest as a recorder does that notes a gap, and settle their day."""

    async def record() -> None:
        store = LakeTicks(lake, lambda name: MARKET)
        columns = as_told(rows)
        stamps = Stamps(columns.ts_ns // 400_000_000, columns.ts_ns + 12_340_000) if stamped else None
        await store.append(Ticks("sim/SOL/USDC", "one", 1, 0, columns, stamps))
        from_ns, to_ns = (int(columns.ts_ns[at]) for at in (100, 110))
        await store.note_gap(Gap("sim/SOL/USDC", "one", from_ns, to_ns, "queue overran", 3, 4_000_000))
        await store.settle()
        await store.close()

    asyncio.run(record())
    return lake


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One made-up hour as a recorder kept it, its rows stamped and not."""
    folder = tmp_path_factory.mktemp("recordings")
    (day,) = synth(folder / "made", seed=3, rows=5_000)
    rows = pl.read_parquet(day)
    return {name: recorded(folder / name, rows, name == "stamped") for name in ("plain", "stamped")}


def test_a_backtest_has_the_same_digest_whether_rows_are_stamped_or_not(
    tmp_path: Path, recordings: dict[str, Path], capsys: Said
) -> None:
    config = Path(__file__).parents[3] / "docs" / "examples" / "demo.toml"
    told = list[dict[str, Any]]()

    for name, lake in recordings.items():
        words = ["backtest", str(config), "--data", str(lake), "--json", "--no-report", "--out", str(tmp_path / name)]
        assert main(words) == 0
        told.append(json.loads(capsys.readouterr().out))

    assert told[0]["digest"] == told[1]["digest"]
    assert told[0]["orders"] > 10
    (warning,) = [line for line in told[1]["warnings"] if "noted by" in line]
    assert "noted by one: queue overran; 3 rows and 4 of quote are missing" in warning


def test_list_and_check_say_how_late_rows_reached_their_recorder_and_what_it_missed(
    recordings: dict[str, Path], capsys: Said
) -> None:
    _, table, _ = called(capsys, "list", "--lake", recordings["stamped"])
    _, listed, _ = called(capsys, "list", "--lake", recordings["stamped"], "--json")
    _, words, _ = called(capsys, "check", recordings["stamped"])
    _, checked, _ = called(capsys, "check", recordings["stamped"], "--json")

    assert re.search(r"received +delay +99 %\n.* 100\.0% +12\.3 ms +12\.3 ms", table)
    assert "of the rows 100.0% have slot and 100.0% have received_ns" in words
    assert "they arrived 12.3 ms after their time (median; 99 % of them within 12.3 ms)" in words
    for text in (table, words):
        assert "noted by one: queue overran; 3 rows and 4 of quote are missing" in " ".join(text.split())
    for told in (json.loads(listed)["markets"][0], json.loads(checked)["files"][0]):
        assert told["stamps"] == {"slot": 5_000, "received_ns": 5_000}
        assert told["delay_ns"] == {"median_ns": 12_300_000, "p99_ns": 12_300_000}
        assert [(gap["why"], gap["rows"], gap["quanta"]) for gap in told["noted_gaps"]] == [
            ("queue overran", 3, 4_000_000)
        ]


def test_a_list_of_days_without_stamps_has_no_columns_for_them(recordings: dict[str, Path], capsys: Said) -> None:
    _, table, _ = called(capsys, "list", "--lake", recordings["plain"])
    _, listed, _ = called(capsys, "list", "--lake", recordings["plain"], "--json")

    assert "delay" not in table
    assert json.loads(listed)["markets"][0]["delay_ns"] is None
    (manifest,) = recordings["plain"].rglob("2025-*.json")
    assert not {"stamps", "delays"} & set(json.loads(manifest.read_text()))


def prints(path: Path, first: str, last: str) -> Path:
    path.write_text(f"time,price,size\n{first},100,1\n{last},100,1\n")
    return path


def three_days(folder: Path, said: Said) -> Path:
    """Make a lake of three days: between the first two nothing is missing, and of the fourth to the eighth all is."""
    days = [
        ("2025-09-03T23:59:00Z", "2025-09-03T23:59:59Z"),
        ("2025-09-04T00:00:01Z", "2025-09-04T00:00:59Z"),
        ("2025-09-09T12:00:00Z", "2025-09-09T12:00:30Z"),
    ]
    files = [prints(folder / f"{number}.csv", *times) for number, times in enumerate(days)]
    assert called(said, "import", *files, "--lake", folder / "lake", *IMPORT)[0] == 0
    return folder / "lake"


def test_a_hole_between_two_days_is_told_by_the_list_and_by_a_check(tmp_path: Path, capsys: Said) -> None:
    lake = three_days(tmp_path, capsys)

    _, table, _ = called(capsys, "list", "--lake", lake, "--show-timerange")
    _, listed, _ = called(capsys, "list", "--lake", lake, "--json")
    _, told, _ = called(capsys, "check", lake)
    _, checked, _ = called(capsys, "check", lake, "--json")

    (market,) = json.loads(listed)["markets"]
    (hole,) = market["between_days"]
    assert (market["gaps"], hole["to_ns"] - hole["from_ns"]) == (0, 475_141_000_000_000)
    assert [{name: gap[name] for name in hole} for gap in json.loads(checked)["between_days"]] == [hole]
    line = "no rows between days from 2025-09-04T00:00:59Z to 2025-09-09T12:00:00Z"
    assert f"test/SOL-USDC: {line}" in table
    assert line in told


def test_days_that_were_removed_are_gone_and_can_be_imported_anew(tmp_path: Path, capsys: Said) -> None:
    lake = three_days(tmp_path, capsys)

    wrong = called(capsys, "remove", lake, "test", "SOL/USDC", "--day", "2025-09-05")
    one = called(capsys, "remove", lake, "test", "SOL/USDC", "--day", "2025-09-04")
    left = [day.day.day for day in Lake(lake).days()]
    again = called(capsys, "import", tmp_path / "1.csv", "--lake", lake, *IMPORT)
    _, all_of_it, _ = called(capsys, "remove", lake, "test", "SOL-USDC", "--json")

    assert (wrong[0], one[0], again[0]) == (4, 0, 0)
    assert "test SOL/USDC has no day 2025-09-05" in wrong[2]
    assert left == [3, 9]
    assert len(json.loads(all_of_it)["removed"]) == 3
    assert not list(lake.rglob("*.parquet")) + list(lake.rglob("*.json"))


def test_several_markets_are_not_mixed_into_one_file(tmp_path: Path, capsys: Said) -> None:
    synth(tmp_path / "lake", rows=100)
    synth(tmp_path / "lake", rows=100, market=Market("BTC/USDC", Decimal("0.01"), Decimal("0.001")))

    code, _, err = called(capsys, "export", tmp_path / "lake", tmp_path / "all.csv")

    assert code == 4
    assert "holds 2 markets (synthetic BTC/USDC, synthetic SOL/USDC); give the folder of one" in err
    assert not (tmp_path / "all.csv").exists()


@pytest.mark.parametrize(("command", "name"), [("export", "out.csv"), ("convert", "out.parquet")])
def test_a_file_that_is_there_is_replaced_only_when_asked(
    command: str, name: str, tmp_path: Path, capsys: Said
) -> None:
    (day,) = synth(tmp_path / "lake", rows=100)
    (tmp_path / name).write_text("mine")

    code, _, err = called(capsys, command, day, tmp_path / name)
    kept = (tmp_path / name).read_text()
    replaced, _, _ = called(capsys, command, day, tmp_path / name, "--overwrite")

    assert (code, kept, replaced) == (2, "mine", 0)
    assert "out." in err
    assert "exists; --overwrite replaces it" in err
    assert (tmp_path / name).read_bytes() != b"mine"


def test_parquet_is_not_written_into_a_file_called_csv(tmp_path: Path, floats: Path, capsys: Said) -> None:
    code, _, err = called(capsys, "convert", floats, tmp_path / "trades.csv")

    assert code == 2
    assert "trades.csv: expected a name that ends in .parquet" in err
    assert not (tmp_path / "trades.csv").exists()


def test_a_wild_print_is_told_with_its_time_its_price_and_its_row(tmp_path: Path, capsys: Said) -> None:
    lines = [
        f"2025-09-03T00:0{at // 60}:{at % 60:02}Z,{'1.00' if at == 150 else 105_000 + at % 7},1" for at in range(300)
    ]
    lines[20] = "2025-09-03T00:00:20Z,0,1"  # A bad row before it does not shift what is told.
    path = tmp_path / "trades.csv"
    path.write_text("time,price,size\n" + "\n".join(lines) + "\n")

    _, out, _ = called(capsys, "check", path)
    _, told, _ = called(capsys, "check", path, "--json")

    (outlier,) = json.loads(told)["files"][0]["first_outliers"]
    assert (outlier["row"], outlier["price"]) == (152, "1")
    assert "1 print more than 2 % from those around\n" in out
    assert "a print at 1 where others are near 105003: 2025-09-03T00:02:30Z, line 152\n" in out


def test_a_check_says_that_the_bytes_of_a_day_changed_and_ends_with_4(
    tmp_path: Path, floats: Path, capsys: Said
) -> None:
    called(capsys, "import", floats, "--lake", tmp_path, *IMPORT)
    (day,) = Lake(tmp_path).days()
    whole = bytearray(day.path.read_bytes())
    whole[len(whole) // 2] ^= 1
    day.path.write_bytes(whole)

    code, out, err = called(capsys, "check", tmp_path, "--json")

    assert code == 4
    assert not json.loads(out)["files"][0]["usable"]
    assert "its bytes are not those that were written" in err


def test_a_check_judges_the_rows_of_a_day_as_a_run_does_and_tells_the_figures_of_an_unusable_one(
    tmp_path: Path, capsys: Said
) -> None:
    (day,) = synth(tmp_path, seed=1, rows=1_000)
    rows = pl.read_parquet(day).with_row_index("row")
    bad = rows.with_columns(kind=pl.when(pl.col("row") < 599).then(9).otherwise(pl.col("kind"))).drop("row")
    bad.write_parquet(day, metadata=pl.read_parquet_metadata(day))

    code, out, err = called(capsys, "check", day, "--json")

    (told,) = json.loads(out)["files"]
    assert code == 4
    assert (told["usable"], told["bad"], told["rows"]) == (False, {"unknown kind": 599}, 401)
    assert "599 of 1,000 rows are bad, above max_bad_share 0.01" in told["error"]
    assert told["error"] in err


@pytest.mark.parametrize(
    ("venue", "symbol"), [("..", "X"), ("", "X"), (".hid", "X"), ("v", ".."), ("v", ""), ("v", "a\\..\\b")]
)
def test_an_import_to_a_place_that_the_lake_does_not_have_is_wrong_use(
    tmp_path: Path, floats: Path, capsys: Said, venue: str, symbol: str
) -> None:
    steps = ("--tick-size", "0.01", "--lot-size", "0.001")
    lake = tmp_path / "deep" / "lake"

    code, _, err = called(capsys, "import", floats, "--lake", lake, "--venue", venue, f"--symbol={symbol}", *steps)

    assert code == 2
    assert "expected a name of a folder of the lake" in err
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.parametrize(
    "words",
    [
        ("import", "ticks.csv", "--lake", "s3://bucket/lake", *IMPORT),
        ("import", "s3://bucket/ticks.csv", "--lake", "lake", *IMPORT),
        ("export", "lake", "s3://bucket/day.csv"),
        ("convert", "ticks.csv", "s3://bucket/ticks.parquet"),
        ("synth", "s3://bucket/lake"),
    ],
)
def test_nothing_is_written_to_an_object_store_nor_to_a_folder_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)

    code, _, err = called(capsys, *words)

    assert code == 2
    assert "expected a path of this machine" in err
    assert not list(tmp_path.iterdir())


def test_a_day_of_another_lake_is_counted_in_the_steps_that_it_states(tmp_path: Path, capsys: Said) -> None:
    (day,) = synth(tmp_path / "made", seed=3, rows=500, market=Market("X", Decimal("0.05"), Decimal("0.25")))

    code, out, _ = called(capsys, "import", day, "--lake", tmp_path / "lake", "--venue", "v", "--symbol", "X")

    assert (code, out.splitlines()[0]) == (0, f"{day} (lake): 500 of 500 rows good, 500 new")
    assert Lake(tmp_path / "lake").market("v", "X") == Market("X", Decimal("0.05"), Decimal("0.25"))


def test_a_file_without_rows_can_not_be_converted(tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "ticks.csv").write_text("ts,price,size\n")

    code, _, err = called(capsys, "convert", tmp_path / "ticks.csv", tmp_path / "out.parquet")

    assert (code, err) == (4, f"error: {tmp_path / 'ticks.csv'}: has no rows\n")
    assert not (tmp_path / "out.parquet").exists()


def test_a_file_is_not_converted_onto_itself_whatever_it_is_called(tmp_path: Path, floats: Path, capsys: Said) -> None:
    path, link = tmp_path / "ticks.parquet", tmp_path / "link.parquet"
    called(capsys, "convert", floats, path)
    link.symlink_to(path)
    before = path.read_bytes()

    for out in (path, link):
        code, _, err = called(capsys, "convert", path, out, "--overwrite")

        assert code == 2
        assert "is the file to be converted" in err
    assert path.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of Unix")
@pytest.mark.parametrize(
    "words",
    [
        ("check", "ticks.csv"),
        ("export", "lake", "out.csv"),
        ("convert", "ticks.csv", "out.parquet"),
        ("synth", "made", "--rows", "1000"),
    ],
)
def test_long_work_shows_on_a_terminal_how_far_it_is_and_nothing_in_a_pipe(
    tmp_path: Path, floats: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "ticks.csv").write_bytes(floats.read_bytes())
    synth(tmp_path / "lake", seed=3, rows=100)
    command = [sys.executable, "-m", "bmv.adapters.cli", "data", *words]

    seen, terminal = os.openpty()
    on_terminal = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=terminal, check=False)
    os.close(terminal)
    shown = os.read(seen, 65_536).decode()
    os.close(seen)
    shutil.rmtree(tmp_path / "made", ignore_errors=True)
    for name in ("out.csv", "out.parquet"):
        (tmp_path / name).unlink(missing_ok=True)
    in_pipe = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)

    assert (on_terminal.returncode, in_pipe.returncode) == (0, 0)
    assert re.search(r"[\d,]+ rows \S*0:00:", re.sub(r"\x1b\[[\d;?]*\w", "", shown))
    assert b"0:00:" not in in_pipe.stderr
