"""On slices of ticks that others recorded on real venues, the compiled loop says the same words as the ports."""

import os
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest
from scenarios import USUAL
from twins import outcomes_differ

from bmv.adapters.config import Config
from bmv.backtest import Backtest

TICKS = Path(os.environ.get("BMV_TICKS") or Path(__file__).resolve().parents[3] / "shared" / "ticks")
pytestmark = pytest.mark.skipif(not TICKS.is_dir(), reason=f"no recorded ticks at {TICKS}; set BMV_TICKS")


class Slice(NamedTuple):
    """Some rows of a recorded day, the steps of its market, and what to quote: lots a side, money to begin with."""

    file: str
    tick: str
    lot: str
    lots: int
    quote: int
    rows: int = 6_000


SLICES = [
    Slice("binance_usdm_BTCUSDT/2023-04-05", "0.1", "0.001", 900, 500_000),
    Slice("binance_spot_BTCUSDT/2024-08-08", "0.01", "0.00001", 40_000, 500_000),
    Slice("binance_spot_TRXUSDT/2025-10-10", "0.0001", "0.1", 50_000, 50_000),
    Slice("cme_6B-JUN23/2023-05-03", "0.0001", "1", 60, 500),
    Slice("hyperliquid_SOL-USDC-PERP/2025-09-03", "0.01", "0.01", 9_000, 500_000, 2_000),
    Slice("standx_BTC-USD-PERP/2026-01-06", "0.01", "0.0001", 3_000, 500_000),
    Slice("us_AIG/2013-10-08", "0.01", "1", 5_000, 900_000),
]


@pytest.mark.parametrize("part", SLICES, ids=lambda part: part.file)
def test_both_engines_say_the_same_words_on_recorded_ticks(part: Slice) -> None:
    file = TICKS / f"{part.file}.parquet"
    times = pl.read_parquet(file, columns=["ts"])["ts"]
    start_ns, end_ns = times[len(times) // 4], times[len(times) // 4 + part.rows]
    config = quoting(part)

    through_ports = Backtest(config, file, start_ns, end_ns, "reference").run().outcome
    compiled = Backtest(config, file, start_ns, end_ns, "fused").run().outcome

    assert "\n".join(outcomes_differ(through_ports, compiled)) == ""
    assert compiled.counts["events"] > part.rows // 2
    assert compiled.counts["fills"] > 0


def quoting(part: Slice) -> Config:
    """Return a configuration that trades on the slice."""
    side = {"levels": 3, "first_bps": 0.2, "step_bps": 0.5, "total_size": str(part.lots * Decimal(part.lot))}
    base = part.lots * 4 * Decimal(part.lot)
    market = {"symbol": part.file, "tick_size": part.tick, "lot_size": part.lot, "maker_fee_bps": 1, "taker_fee_bps": 4}
    return Config(
        **USUAL
        | {
            "market": market,
            "grid": {"bid": side, "ask": side},
            "inventory": {"start_base": str(base), "start_quote": part.quote, "max_position": str(base)},
        }
    )
