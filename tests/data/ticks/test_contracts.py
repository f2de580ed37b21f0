"""Coin-margined files are known for what they are, and what they say of their sizes stays with the rows."""

import gzip
import json
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from bmv.adapters.cli.main import main
from bmv.data.ticks.export import convert
from bmv.data.ticks.importers import FORMS, Options, chosen
from bmv.data.ticks.lake.intake import import_files
from bmv.data.ticks.lake.lake import Day, Lake
from bmv.ports.errors import DataError
from bmv.ports.market import Market

HEADER = "id,price,qty,base_qty,time,is_buyer_maker"
ROWS = ["0,60006.0,23,0.03832950,1756857600100,true", "1,60012.1,50,0.08331653,1756857600350,false"]
TENS = ["0,2500.5,3,0.01199760,1756857600100,true", "1,2501.0,7,0.02798881,1756857600350,false"]
QUOTES = "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time"
QUOTE = "0,60006.0,361,60006.1,859,1756857600000,1756857600003"
INVERSE, OF_100 = {"bmv.contract": "inverse"}, {"bmv.contract": "inverse", "bmv.contract_size": "100"}
CASE = Path(__file__).resolve().parents[4] / "shared" / "cases" / "inverse-contracts"
MARKET = Market("BTCUSD_PERP", Decimal("0.1"), Decimal(1))


def terms(path: Path) -> dict[str, str]:
    return dict(chosen(FORMS, path, None, Options()).terms(path))


def file(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    text = "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "lines", "told"),
    [
        ("trades.csv", [HEADER, *ROWS], OF_100),
        ("trades.csv.gz", [HEADER, *ROWS], OF_100),
        ("of-ten.csv", [HEADER, *TENS], OF_100 | {"bmv.contract_size": "10"}),
        ("no-rows-that-tell.csv", [HEADER, "0,60006.0,23,0.0,1756857600100,true"], INVERSE),
        ("BTCUSD_PERP-bookTicker-2025-09-03.csv", [QUOTES, QUOTE], INVERSE),
        ("ETHUSD_250926-bookTicker-2025-09-03.csv", [QUOTES, QUOTE], INVERSE),
        ("BTCUSDT-bookTicker-2025-09-03.csv", [QUOTES, QUOTE], {}),
        ("BTCUSDT_250926-bookTicker-2025-09-03.csv", [QUOTES, QUOTE], {}),
        ("trades-of-coins.csv", [HEADER.replace("base_qty", "quote_qty"), *ROWS], {}),
    ],
)
def test_a_coin_margined_file_is_known_by_its_header_or_its_name(
    name: str, lines: list[str], told: dict[str, str], tmp_path: Path
) -> None:
    assert terms(file(tmp_path, name, *lines)) == told


def imported(folder: Path, *files: Path) -> tuple[Lake, Day]:
    lake = Lake(folder / "lake")
    import_files(files, lake, "binance", MARKET)
    return lake, lake.days()[0]


def test_a_day_of_the_lake_keeps_what_any_of_its_files_says(tmp_path: Path) -> None:
    quotes = file(tmp_path, "BTCUSD_PERP-bookTicker-2025-09-03.csv", QUOTES, QUOTE)
    trades = file(tmp_path, "trades.csv", HEADER, *ROWS)

    lake, day = imported(tmp_path, quotes)
    before = lake.manifest(day).contract
    import_files([trades], lake, "binance", MARKET)

    words = pl.read_parquet_metadata(day.path)
    assert before == INVERSE
    assert {key: words[key] for key in OF_100} == lake.manifest(day).contract == OF_100


def test_a_day_that_was_imported_before_this_was_known_learns_it_from_the_same_file(tmp_path: Path) -> None:
    trades = file(tmp_path, "trades.csv", HEADER, *ROWS)
    lake, day = imported(tmp_path, trades)
    rows, words = pl.read_parquet(day.path), pl.read_parquet_metadata(day.path)
    day.path.with_suffix(".json").unlink()
    kept = {key: word for key, word in words.items() if key.startswith("bmv.") and key not in OF_100}
    rows.write_parquet(day.path, metadata=kept)

    done = import_files([trades], lake, "binance", MARKET)

    assert done.files[0].fresh == 0
    assert lake.manifest(day).contract == OF_100
    assert pl.read_parquet(day.path).equals(rows)


def test_contracts_of_two_sizes_do_not_go_into_one_day(tmp_path: Path) -> None:
    lake, day = imported(tmp_path, file(tmp_path, "trades.csv", HEADER, *ROWS))
    whole = day.path.read_bytes()

    with pytest.raises(DataError, match=r"holds rows with bmv\.contract_size 100; rows with 10 can't go beside them"):
        import_files([file(tmp_path, "tens.csv", HEADER, *TENS)], lake, "binance", MARKET)

    assert day.path.read_bytes() == whole


def test_what_is_converted_says_so_and_imported_again_still_does(tmp_path: Path) -> None:
    trades = file(tmp_path, "trades.csv", HEADER, *ROWS)
    convert(trades, tmp_path / "trades.parquet", None, Options())

    lake, day = imported(tmp_path, tmp_path / "trades.parquet")
    import_files([day.path], Lake(tmp_path / "other"), "binance", MARKET)

    assert terms(tmp_path / "trades.parquet") == lake.manifest(day).contract == OF_100
    assert terms(Lake(tmp_path / "other").days()[0].path) == OF_100


def test_import_check_and_convert_say_which_line_a_run_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trades, lake = str(file(tmp_path, "trades.csv", HEADER, *ROWS)), str(tmp_path / "lake")
    steps = ["--tick-size", "0.1", "--lot-size", "1"]
    into = ["--lake", lake, "--venue", "binance", "--symbol", "BTCUSD_PERP", *steps]
    said = []

    for words in (
        ["import", trades, *into], ["check", trades], ["check", lake], ["convert", trades, str(tmp_path / "t.parquet")]
    ):  # fmt: skip
        assert main(["data", *words]) == 0
        told = capsys.readouterr()
        said.append(" ".join((told.out + told.err).split()))

    assert ['contract = { size = "100", payoff = "inverse" }' in each for each in said] == [True] * 4
    main(["data", "import", trades, *into, "--json"])
    assert json.loads(capsys.readouterr().out)["files"][0]["contract"] == OF_100
    main(["data", "check", lake, "--json"])
    assert json.loads(capsys.readouterr().out)["files"][0]["contract"] == OF_100


@pytest.mark.skipif(not CASE.is_dir(), reason=f"{CASE} is not here")
def test_the_recorded_day_of_contracts_is_known(tmp_path: Path) -> None:
    lake, day = imported(tmp_path, *sorted(CASE.glob("*.csv")))

    assert lake.manifest(day).contract == OF_100


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ("{time},BTCUSD,Buy,103,60000.5,0.00171665,103", {"bmv.contract": "inverse", "bmv.contract_size": "1"}),
        ("{time},BTCUSDT,Buy,0.103,60000.5,0.103,6180.0515", {}),
    ],
)
def test_trades_of_bybit_are_contracts_where_a_size_is_its_own_quote(
    rows: str, found: dict[str, str], tmp_path: Path
) -> None:
    header = "timestamp,symbol,side,size,price,homeNotional,foreignNotional"
    path = file(tmp_path, "bybit.csv.gz", header, *(rows.format(time=1756857600 + n) for n in range(3)))

    assert terms(path) == found
