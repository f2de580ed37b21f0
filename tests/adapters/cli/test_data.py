"""`bmv data synth`, as a person calls it."""

import json
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from bmv.adapters.cli.main import main
from bmv.data.ticks.steps import find_steps
from bmv.data.ticks.synth.synth import BENIGN, THIN, Shape, synth


def test_a_made_up_tape_is_said_to_be_made_up_and_its_files_are_printed_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["data", "synth", str(tmp_path), "--seed", "7", "--rows", "1000", "--start", "2025-01-31"])

    path = tmp_path / "synthetic" / "SOL-USDC" / "2025-01-31.parquet"
    said = capsys.readouterr()
    assert (code, said.out.splitlines()) == (0, [str(path)])
    assert said.err.startswith("made up: seed 7, 1,000 rows of SOL/USDC from 2025-01-31; ")
    assert pl.read_parquet_metadata(path)["bmv.source"] == "synthetic, seed 7"
    assert pl.read_parquet(path).height == 1000


def test_json_says_that_the_tape_is_made_up_and_nothing_stands_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["data", "synth", str(tmp_path), "--rows", "10", "--json"])

    said = capsys.readouterr()
    told = json.loads(said.out)
    assert (told["synthetic"], told["seed"], told["rows"], told["symbol"]) == (True, 1, 10, "SOL/USDC")
    assert [Path(file).is_file() for file in told["files"]] == [True]
    assert not said.err


def test_without_options_the_tape_is_that_of_the_library(tmp_path: Path) -> None:
    (ours,) = synth(tmp_path / "library")

    main(["data", "synth", str(tmp_path / "command")])

    theirs = tmp_path / "command" / ours.relative_to(tmp_path / "library")
    assert pl.read_parquet_metadata(theirs) == pl.read_parquet_metadata(ours)
    assert pl.read_parquet(theirs).equals(pl.read_parquet(ours))


@pytest.mark.parametrize(("option", "shape"), [("--benign", BENIGN), ("--thin", THIN)])
def test_another_kind_of_market_is_that_of_the_library(option: str, shape: Shape, tmp_path: Path) -> None:
    (ours,) = synth(tmp_path / "library", rows=5_000, shape=shape)

    assert main(["data", "synth", str(tmp_path / "command"), "--rows", "5000", option]) == 0

    theirs = tmp_path / "command" / ours.relative_to(tmp_path / "library")
    assert pl.read_parquet(theirs).equals(pl.read_parquet(ours))


def test_two_kinds_of_market_at_once_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "synth", str(tmp_path), "--thin", "--benign"]) == 2

    assert "--thin and --benign: expected one of them" in capsys.readouterr().err


def test_a_day_that_holds_another_tape_stays_unless_it_may_be_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["data", "synth", str(tmp_path), "--rows", "1000"]
    assert main(command) == 0
    (path,) = tmp_path.rglob("*.parquet")
    before = path.read_bytes()

    for other in (["--seed", "2"], ["--rows", "999"], ["--rows", "1001"], ["--tick-size", "0.02"], ["--thin"]):
        assert main([*command, *other]) == 2
        assert f"{path}: exists and holds another tape; --overwrite replaces it" in capsys.readouterr().err
        assert path.read_bytes() == before

    assert main([*command, "--seed", "2", "--overwrite"]) == 0
    assert path.read_bytes() != before


def test_the_same_tape_made_twice_is_no_conflict(tmp_path: Path) -> None:
    for _ in range(2):
        assert main(["data", "synth", str(tmp_path), "--rows", "1000"]) == 0


def test_of_several_days_none_is_written_where_one_holds_another_tape(tmp_path: Path) -> None:
    thin = ["data", "synth", str(tmp_path), "--rows", "60000", "--thin"]
    assert main([*thin, "--start", "2025-09-04", "--rows", "100"]) == 0

    assert main([*thin, "--start", "2025-09-03"]) == 2

    assert [path.name for path in tmp_path.rglob("*.parquet")] == ["2025-09-04.parquet"]


def test_what_is_no_tape_is_not_overwritten_either(tmp_path: Path) -> None:
    path = tmp_path / "synthetic" / "SOL-USDC" / "2025-09-03.parquet"
    path.parent.mkdir(parents=True)
    path.write_text("precious")

    assert main(["data", "synth", str(tmp_path), "--rows", "10"]) == 2

    assert path.read_text() == "precious"


def test_another_market_can_be_made_up(tmp_path: Path) -> None:
    steps = ["--tick-size", "0.00000001", "--lot-size", "1000"]
    scale = ["--price", "0.00002", "--size", "5000000"]

    code = main(["data", "synth", str(tmp_path), "--rows", "100", "--symbol", "BONK/USDC", *steps, *scale])

    (path,) = tmp_path.rglob("*.parquet")
    first = pl.read_parquet(path).row(0, named=True)
    assert code == 0
    assert path.parent.name == "BONK-USDC"
    assert find_steps([path])[:2] == (Decimal("0.00000001"), Decimal(1000))
    assert abs(first["bid"] - 2000) < 20
    assert 100 < first["bid_size"] < 200_000


@pytest.mark.parametrize(
    ("option", "wrong"),
    [
        *(("--price", wrong) for wrong in ("0", "-1", "nan", "cheap")),
        ("--start", "yesterday"),
        ("--start", "1969-12-31"),
        ("--start", "2300-01-01"),
        ("--rows", "0"),
        ("--seed", "-1"),
        ("--price", "0.5"),
    ],
)
def test_what_cannot_be_made_up_is_wrong_use(
    option: str, wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["data", "synth", str(tmp_path), option, wrong])

    assert code == 2
    assert option.removeprefix("--").rstrip("s") in capsys.readouterr().err
    assert list(tmp_path.rglob("*.parquet")) == []


def test_a_market_made_up_after_a_record_has_its_name_and_its_spread_and_what_is_far_off_is_marked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second_ns, quotes = 1_000_000_000, 5_000
    rows = [
        (1_756_857_600 * second_ns + row * second_ns // 4, 2, 4_850 + row // 500, 4_851 + row // 500 + (row % 20 == 0))
        for row in range(quotes)
    ]
    rows[-1] = (rows[-1][0] + 20_000 * second_ns, *rows[-1][1:])  # A night.
    told = pl.DataFrame(rows, schema=["ts_ns", "kind", "bid", "ask"], orient="row")
    record = told.select(
        "ts_ns", "kind", *(pl.lit(None, pl.Int64).alias(name) for name in ("side", "price", "size")),
        "bid", pl.lit(1_000).alias("bid_size"), "ask", pl.lit(1_000).alias("ask_size"),
    )  # fmt: skip
    words = {"bmv.version": "1", "bmv.symbol": "AIG", "bmv.tick_size": "0.01", "bmv.lot_size": "1"}
    record.write_parquet(tmp_path / "record.parquet", metadata=words)
    like = ["data", "synth", str(tmp_path), "--like", str(tmp_path / "record.parquet"), "--rows", "20000"]

    assert main([*like, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)["facts"]
    assert main(like) == 0
    table = capsys.readouterr().err.splitlines()

    assert list((tmp_path / "synthetic" / "AIG").glob("*.parquet"))
    assert facts["spread_bps"]["made_up"] == pytest.approx(facts["spread_bps"]["record"], rel=0.03)
    assert (facts["clustering"]["off"], facts["spread_bps"]["off"]) == (True, False)
    assert [line.split()[0] for line in table if line.endswith("more than 50 % off")] == [
        name.split("_")[0] for name, fact in facts.items() if fact["off"]
    ]


def test_what_is_like_a_record_says_whether_a_maker_fares_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (record,) = synth(tmp_path / "record", seed=5, rows=30_000)
    like = ["data", "synth", str(tmp_path / "like"), "--like", str(record), "--rows", "30000", "--seed", "2"]

    assert main([*like, "--json"]) == 0
    markouts = json.loads(capsys.readouterr().out)["markouts"]
    assert main(like) == 0
    table = capsys.readouterr().err.splitlines()

    assert [row["horizon_s"] for row in markouts] == [1, 5, 30]
    for row in markouts:
        assert row["low"] < row["record"] < row["high"]
        assert row["within"] == (row["low"] <= row["made_up"] <= row["high"])
    assert all(row["within"] for row in markouts[:2])
    assert [line.split()[-4] for line in table if line.startswith("markout")] == [
        "within" if row["within"] else "OUTSIDE" for row in markouts
    ]


@pytest.mark.parametrize("symbol", ["..", "", ".hid"])
def test_a_market_is_not_made_up_where_no_lake_has_it(
    symbol: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["data", "synth", str(tmp_path / "lake"), "--rows", "10", f"--symbol={symbol}"])

    assert code == 2
    assert "expected a name of a folder of the lake" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.parquet"))
