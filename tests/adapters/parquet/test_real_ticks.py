"""Tapes that others recorded on real venues: each is read sensibly, or refused with a message that helps."""

import os
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from bmv.adapters.parquet.source import find
from bmv.adapters.parquet.tape import ParquetTape
from bmv.data.ticks.steps import Origin, find_steps
from bmv.ports.errors import DataError
from bmv.ports.market import Market

TICKS = Path(os.environ.get("BMV_TICKS") or Path(__file__).resolve().parents[4] / "shared" / "ticks")
pytestmark = pytest.mark.skipif(not TICKS.is_dir(), reason=f"no recorded ticks at {TICKS}; set BMV_TICKS")

# folder, tick size, lot size, trades, quotes, crossed, locked; as the README beside the files counts them
RECORDED = [
    ("binance_coinm_BTCUSD_PERP", "0.1", "1", 2285 + 2950, 19097 + 29258, 0, 0),
    ("binance_spot_BTCUSDT", "0.01", "0.00001", 9757 + 10147, 28040 + 45134, 0, 0),
    ("binance_spot_TRXUSDT", "0.0001", "0.1", 282021, 0, 0, 0),
    ("binance_usdm_BTCUSDT", "0.1", "0.001", 10737 + 9727, 37440 + 45147, 0, 0),
    ("cme_6B-JUN23", "0.0001", "1", 25599, 228703, 0, 159),
    ("hyperliquid_BTC-USDC-PERP", "1", "0.00001", 1438, 1793, 0, 0),
    ("hyperliquid_ETH-USDC-PERP", "0.1", "0.0001", 755, 1795, 0, 0),
    ("hyperliquid_SOL-USDC-PERP", "0.01", "0.01", 998, 1807, 0, 0),
    ("oanda_XAUUSD", "0.001", "1", 0, 129744 + 265015, 0, 0),
    ("standx_BTC-USD-PERP", "0.01", "0.0001", 2802 + 165660, 12083 + 261470, 0, 5789 + 122598),
    ("us_AIG", "0.01", "1", 19002 + 33589 + 39553, 539967 + 559070 + 712006, 95 + 188 + 54, 13882 + 24606 + 29287),
]


@pytest.mark.parametrize(("folder", "tick", "lot", "trades", "quotes", "crossed", "locked"), RECORDED)
def test_a_recorded_tape_is_told_whole_and_counted_as_its_readme_says(
    folder, tick, lot, trades, quotes, crossed, locked
):
    tape = ParquetTape([TICKS / folder], Market(folder, Decimal(tick), Decimal(lot)))

    rows = sum(len(told.kind) for told in tape.batches())

    quality = tape.quality
    assert (quality.trades, quality.quotes, quality.crossed, quality.locked) == (trades, quotes, crossed, locked)
    assert rows == trades + quotes
    assert quality.dropped == 0


@pytest.mark.parametrize(("folder", "tick", "lot"), [row[:3] for row in RECORDED if row[0] != "oanda_XAUUSD"])
def test_the_steps_inferred_from_a_recorded_tape_are_those_it_was_recorded_with(folder, tick, lot):
    assert find_steps(find([TICKS / folder])) == (Decimal(tick), Decimal(lot), Origin.NUMBERS)


@pytest.mark.parametrize(
    ("folder", "coarse", "fits"),
    [
        ("standx_BTC-USD-PERP", "0.1", "0.01"),
        ("oanda_XAUUSD", "0.005", "0.001"),  # Whatever the README says.
        ("hyperliquid_ETH-USDC-PERP", "1", "0.1"),
    ],
)
def test_a_tick_too_coarse_for_the_file_is_refused_with_one_that_fits(folder, coarse, fits):
    market = Market("X", Decimal(coarse), Decimal("0.0001"))

    with pytest.raises(DataError, match=rf"off the grid.*tick_size is {coarse}, {fits} would fit"):
        list(ParquetTape([TICKS / folder], market).batches())


def test_the_whole_folder_is_more_than_one_market():
    with pytest.raises(DataError, match=r"two markets in one run|overlaps"):
        list(ParquetTape([TICKS], Market("X", Decimal("0.01"), Decimal("0.001"))).batches())


def test_every_recorded_folder_is_in_the_table():
    assert {path.parent.name for path in TICKS.rglob("*.parquet")} == {row[0] for row in RECORDED}
    assert pl.scan_parquet(TICKS / "us_AIG").select(pl.len()).collect().item() > 0
