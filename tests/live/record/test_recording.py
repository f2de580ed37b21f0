"""A recorder beside a sandbox: what it kept and what it says it missed is what the chain did."""

import asyncio
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from tests.rigs import hostile, recording

from bmv.adapters.sandbox.wiring import Settings
from bmv.backtest.api import Backtest
from bmv.data.ticks.schema import day_path, write_day
from bmv.ports.market import Market
from bmv.ports.market_data import Columns


@pytest.mark.parametrize("venue", ["openbook-v1", "openbook-v2"])
def test_every_slot_is_recorded_row_for_row_and_the_trades_are_the_markets_own_count(
    venue: str, tmp_path: Path
) -> None:
    result = asyncio.run(recording.run(Settings(venue=venue, speed=10), 150, 1, False, tmp_path))

    assert result.wrong == []
    assert result.trades > 5
    assert result.rows > 100
    assert digest(result.recorded, tmp_path / "recorded") == digest(result.happened, tmp_path / "happened")


def digest(rows: list[tuple[int, ...]], lake: Path) -> str:
    """Return the digest of a backtest on these rows, which quotes and trades on them."""
    market = Market("SOL/USDC", Decimal("0.01"), Decimal("0.001"))
    columns = Columns(*(np.array(column, np.int64) for column in zip(*rows, strict=True)))
    write_day(day_path(lake, "openbook", "SOL/USDC", date(2026, 11, 1)), columns, market)
    result = Backtest(CONFIG, data=lake).run()
    assert result.summary["orders"] > 10
    return str(result.digest)


CONFIG = {
    "version": 1,
    "market": {"symbol": "SOL/USDC", "tick_size": 0.01, "lot_size": 0.001, "maker_fee_bps": -2, "taker_fee_bps": 4},
    "grid": {
        "bid": {"levels": 3, "first_bps": 2, "step_bps": 2, "total_size": 3},
        "ask": {"levels": 3, "first_bps": 2, "step_bps": 2, "total_size": 3},
    },
    "inventory": {"start_base": 10, "start_quote": 2000, "max_position": 20},
    "requote": {"threshold_bps": 1, "min_interval_ms": 200},
}


@pytest.mark.parametrize(("venue", "consensus"), [("openbook-v1", "tower"), ("openbook-v2", "alpenglow")])
def test_with_every_fault_on_what_is_not_recorded_lies_in_a_gap(venue: str, consensus: str, tmp_path: Path) -> None:
    settings = Settings(venue=venue, speed=10, consensus=consensus, seed=5)

    result = asyncio.run(recording.run(settings, 500, 5, True, tmp_path))

    assert result.wrong == []
    assert result.faults
    assert result.rows > 100


@pytest.mark.parametrize("venue", ["openbook-v1", "openbook-v2"])
def test_whatever_a_node_sends_the_feed_goes_down_by_name_and_no_wrong_row_is_recorded(
    venue: str, tmp_path: Path
) -> None:
    result, changed = asyncio.run(hostile.run(venue, 60, 7, tmp_path))

    assert result.wrong == []
    assert changed >= 60
    assert result.rows > 50
    assert result.downs["unreadable"] > 10
