"""A starter made from a tape knows its tick and its lot."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from bmv.adapters.cli.main import main
from bmv.adapters.cli.starter import EXAMPLE, Guess, guess, text
from bmv.adapters.config import load
from bmv.data.ticks.synth.synth import SOL_USDC, synth
from bmv.ports.errors import ConfigError, DataError
from bmv.ports.market import Market

ABSENT = pl.Series([None], dtype=pl.Float64)


def test_a_tape_of_floats_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "SOL" / "2025-09-03.parquet"
    file.parent.mkdir()
    rows = {
        "ts": [1, 2],
        "kind": ["trade", "quote"],
        "price": [200.05, None],
        "size": [1.5, None],
        "side": pl.Series([1, None], dtype=pl.Int8),
        "bid": [None, 200.0],
        "bid_size": [None, 1.5],
        "ask": [None, 200.1],
        "ask_size": [None, 3.0],
    }
    pl.DataFrame(rows).write_parquet(file)

    found = guess(file)

    assert (found.symbol, found.tick, found.lot) == ("SOL", Decimal("0.05"), Decimal("1.5"))


def test_a_tape_of_the_lake_tells_its_symbol_and_its_steps(tmp_path: Path) -> None:
    (file,) = synth(tmp_path, rows=1000)

    found = guess(tmp_path)

    assert (found.symbol, file.parent.name) == ("SOL/USDC", "SOL-USDC")
    assert (found.tick, found.lot) == (Decimal("0.01"), Decimal("0.001"))
    assert 150 < found.price < 250
    assert file.name in found.source


@pytest.mark.parametrize(("words", "symbol"), [({"bmv.symbol": "SOL/USDC"}, "SOL/USDC"), ({}, "SOL")])
def test_the_folder_names_the_market_only_where_the_file_does_not(
    words: dict[str, str], symbol: str, tmp_path: Path
) -> None:
    file = tmp_path / "SOL" / "2025-09-03.parquet"
    file.parent.mkdir()
    row = {"ts": [1], "kind": ["trade"], "price": [200.05], "size": [1.5], "side": [1]}
    absent = dict.fromkeys(("bid", "bid_size", "ask", "ask_size"), ABSENT)
    pl.DataFrame({**row, **absent}).write_parquet(file, metadata=words)

    assert guess(file).symbol == symbol


@pytest.mark.parametrize(
    "market",
    [
        EXAMPLE,
        Guess('a"b\\c', Decimal("0.00000001"), Decimal(1), Decimal("0.00000012"), "odd\nname"),
        Guess("BTC", Decimal("0.5"), Decimal("0.00001"), Decimal(111_000), "x"),
        Guess("CHEAP", Decimal("0.0001"), Decimal(1000), Decimal("0.3"), "x"),
    ],
)
def test_a_starter_is_good_and_keeps_the_steps(market: Guess, tmp_path: Path) -> None:
    file = tmp_path / "bmv.toml"
    file.write_text(text(market.charging(Decimal("-0.5"), Decimal(4))), encoding="utf-8")

    config = load(file, (), {})

    assert (config.market.symbol, config.market.tick_size) == (market.symbol, market.tick)
    assert config.market.lot_size == market.lot
    assert (config.market.maker_fee_bps, config.market.taker_fee_bps) == (Decimal("-0.5"), 4)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ([], ["maker_fee_bps", "taker_fee_bps"]),
        (["--taker-fee-bps", "4"], ["maker_fee_bps"]),
        (["--maker-fee-bps", "-1.5", "--taker-fee-bps", "4"], []),
    ],
)
def test_no_fee_is_made_up_for_a_real_market(
    given: list[str], asked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "my.toml"

    assert main(["init", str(file), *given]) == 0
    code = main(["config", "check", str(file)])

    said = capsys.readouterr()
    assert code == (3 if asked else 0)
    assert [line.split(": ")[2] for line in said.err.splitlines()] == [f"market.{key}" for key in asked]
    assert all(key in said.out for key in asked)


def test_a_made_up_market_has_made_up_fees(tmp_path: Path) -> None:
    synth(tmp_path, rows=1000)

    found = guess(tmp_path)

    assert (found.maker_fee, found.taker_fee) == (0, 4)


def test_a_lake_of_several_markets_is_refused_with_their_names_and_one_of_them_is_taken(tmp_path: Path) -> None:
    synth(tmp_path, rows=1000)
    synth(tmp_path, rows=1000, market=Market("BTC/USDC", Decimal("0.01"), Decimal("0.001")))

    with pytest.raises(DataError, match=r"holds 2 markets \(synthetic BTC/USDC, synthetic SOL/USDC\); give the folder"):
        guess(tmp_path)

    assert guess(tmp_path / "synthetic" / "BTC-USDC").symbol == "BTC/USDC"


def test_days_of_one_market_are_one_market(tmp_path: Path) -> None:
    for day in (3, 4):
        synth(tmp_path, rows=100, start=date(2025, 9, day))

    assert guess(tmp_path).symbol == SOL_USDC.symbol


def test_a_tape_without_sizes_asks_for_the_lot_and_takes_it(tmp_path: Path) -> None:
    file = tmp_path / "SOL" / "2025-09-03.parquet"
    file.parent.mkdir()
    row = {"ts": [1], "kind": ["quote"], "bid": [200.05], "ask": [200.1], "side": pl.Series([None], dtype=pl.Int8)}
    pl.DataFrame({**row, **dict.fromkeys(("price", "size", "bid_size", "ask_size"), ABSENT)}).write_parquet(file)

    with pytest.raises(DataError, match="records no sizes, so they can't tell the lot size; give --lot-size"):
        guess(file)

    found = guess(file, lot=Decimal("0.1"))
    assert (found.tick, found.lot) == (Decimal("0.05"), Decimal("0.1"))


def test_what_is_no_tape_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    file.write_text("no parquet")

    with pytest.raises(DataError, match=r"x\.parquet"):
        guess(file)
    file.unlink()
    with pytest.raises(DataError, match="parquet"):
        guess(tmp_path)


def test_a_tape_of_contracts_makes_a_starter_that_counts_them(tmp_path: Path) -> None:
    words = {"bmv.contract": "inverse", "bmv.contract_size": "100"}
    market = Guess("BTC-USD", Decimal("0.1"), Decimal(1), Decimal(60_000), "x", Decimal(1), Decimal(5), words)
    file = tmp_path / "bmv.toml"
    file.write_text(text(market), encoding="utf-8")

    config = load(file, (), {})

    assert config.market.contract is not None
    assert (config.market.contract.size, config.market.contract.payoff) == (100, "inverse")
    assert config.grid.bid.total_size == 10  # 1000 quote a side.
    assert config.inventory.start_quote == Decimal("0.084")  # Five times that, in base.
    assert "contracts, all levels together" in file.read_text("utf-8")


def test_a_starter_asks_for_the_size_of_contracts_that_the_tape_does_not_tell(tmp_path: Path) -> None:
    words = {"bmv.contract": "inverse"}
    market = Guess("BTC-USD", Decimal("0.1"), Decimal(1), Decimal(60_000), "x", Decimal(1), Decimal(5), words)
    file = tmp_path / "bmv.toml"
    file.write_text(text(market), encoding="utf-8")

    with pytest.raises(ConfigError, match=r'market\.contract\.size = "QUOTE IN ONE CONTRACT": expected a number'):
        load(file, (), {})
