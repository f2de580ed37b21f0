"""A starter made from a tape knows its tick and its lot."""

from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from bmv.adapters.cli.starter import EXAMPLE, Guess, guess, text
from bmv.adapters.config import load
from bmv.data.synth import synth
from bmv.ports.errors import DataError


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
    absent = dict.fromkeys(("bid", "bid_size", "ask", "ask_size"), pl.Series([None], dtype=pl.Float64))
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
    file.write_text(text(market), encoding="utf-8")

    config = load(file, (), {})

    assert (config.market.symbol, config.market.tick_size) == (market.symbol, market.tick)
    assert config.market.lot_size == market.lot


def test_what_is_no_tape_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    file.write_text("no parquet")

    with pytest.raises(DataError, match=r"x\.parquet"):
        guess(file)
    file.unlink()
    with pytest.raises(DataError, match="parquet"):
        guess(tmp_path)
