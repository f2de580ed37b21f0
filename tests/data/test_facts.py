"""What a record is like in numbers, worked by hand and against what made it; and a market made up after it."""

import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bmv.data.facts import Facts, facts, fitted
from bmv.data.importers import Options
from bmv.data.inspection import looked_at
from bmv.data.schema import LAKE_SCHEMA, frames
from bmv.data.synth import SOL_USDC, THIN, Shape, chunks
from bmv.ports.errors import DataError
from bmv.ports.market import Market

SECOND = 1_000_000_000
MARKET = Market("X", Decimal("0.01"), Decimal("0.1"))
TICKS = Path(os.environ.get("BMV_TICKS") or Path(__file__).resolve().parents[3] / "shared" / "ticks")


def made(shape: Shape, rows: int = 60_000) -> pl.DataFrame:
    return pl.concat(frames(chunks(1, rows, 0, SOL_USDC, shape)))


def by_hand() -> pl.DataFrame:
    """Two minutes: a quote each second, and half a second later a trade; the price rises by a tick a second."""
    rows: list[tuple[int | None, ...]] = []
    for second in range(120):
        bid = 10_000 + second
        rows.append((second * SECOND, 2, None, None, None, bid - 1, 20, bid + 1, 20))
        side = 1 if second % 4 < 2 else -1
        price = bid + side if second % 10 else bid + 2 * side
        rows.append((second * SECOND + SECOND // 2, 1, side, price, 5, None, None, None, None))
    return pl.DataFrame(rows, schema=LAKE_SCHEMA, orient="row")


def test_the_facts_are_those_counted_by_hand() -> None:
    found = facts(by_hand(), MARKET)

    assert found.rows_per_s == pytest.approx(240 / 119.5)
    assert found.clustering == pytest.approx(0.0)
    assert (found.burst_share, found.trade_share) == (0.0, 0.5)
    assert found.spread_bps == pytest.approx(np.mean([2 / (10_000 + second) * 1e4 for second in range(120)]))
    assert (found.touch_size, found.trade_size) == (2.0, 0.5)
    assert found.persistence == pytest.approx(60 / 119, abs=0.01)
    assert found.through_share == pytest.approx(12 / 120)


def test_a_price_that_turns_back_and_one_that_goes_on_are_told_apart() -> None:
    steps = np.random.default_rng(1).normal(0, 20, 3_000)
    walks = {"walk": np.cumsum(steps), "noise": steps, "trend": np.cumsum(np.convolve(steps, np.ones(6), "same"))}

    ratios = {}
    for name, walk in walks.items():
        mid = np.int64(100_000 + walk)
        quotes = pl.DataFrame(
            {"ts_ns": np.arange(3_000) * 10 * SECOND, "kind": 2, "bid": mid - 1, "ask": mid + 1},
            schema_overrides=LAKE_SCHEMA,
        )
        empty = [pl.lit(None, pl.Int64).alias(name) for name in ("side", "price", "size", "bid_size", "ask_size")]
        ratios[name] = facts(quotes.with_columns(empty).select(list(LAKE_SCHEMA)), MARKET).variance_ratio or 0

    assert ratios["noise"] < 0.3
    assert 0.8 < ratios["walk"] < 1.2
    assert ratios["trend"] > 2


def test_impact_moves_the_price_to_the_side_of_the_trades() -> None:
    without, with_it = (facts(made(Shape(impact_bps=bps)), SOL_USDC).impact_bps or 0 for bps in (0.0, 0.5))

    assert abs(without) < 0.1
    assert with_it > 0.3


def test_a_thin_market_has_a_hundredth_of_the_rows_and_a_wide_book() -> None:
    usual, thin = (facts(made(shape), SOL_USDC) for shape in (Shape(), THIN))

    assert thin.rows_per_s < usual.rows_per_s / 20
    assert (thin.spread_bps or 0) > 10 * (usual.spread_bps or 1)


@pytest.mark.parametrize(
    "shape",
    [
        Shape(),
        Shape(volatility=0.2, mean_gap_ms=500, trade_share=0.1, spread_bps=8),
        Shape(price=Decimal(30), burst_share=0.1, turn_share=0.1, impact_bps=0.3, size=Decimal(50)),
        replace(THIN, mean_gap_ms=1000.0),
    ],
)
def test_a_market_made_up_after_a_made_up_one_is_like_it(shape: Shape) -> None:
    rows = made(shape)

    again = facts(made(fitted(rows, SOL_USDC)), SOL_USDC)

    real = facts(rows, SOL_USDC)
    for name, tolerance in {
        "rows_per_s": 0.1, "trade_share": 0.02, "burst_share": 0.05, "spread_bps": 0.25, "touch_size": 0.05,
        "trade_size": 0.1, "volatility": 0.35, "persistence": 0.15,
    }.items():  # fmt: skip
        assert getattr(again, name) == pytest.approx(getattr(real, name), rel=tolerance), name


def test_too_few_rows_are_no_market() -> None:
    with pytest.raises(DataError, match="12 rows: expected at least 100"):
        facts(by_hand()[:12], MARKET)


@pytest.mark.skipif(not TICKS.is_dir(), reason=f"no recorded ticks at {TICKS}; set BMV_TICKS")
@pytest.mark.parametrize(
    "name", ["us_AIG/2013-10-08", "hyperliquid_SOL-USDC-PERP/2025-09-03", "cme_6B-JUN23/2023-05-03"]
)
def test_a_market_made_up_after_a_real_one_has_its_pace_sizes_and_impact(name: str) -> None:
    rows, market, _, _ = looked_at(TICKS / f"{name}.parquet", None, None, None, Options(), 1.0)
    real = facts(rows, market)

    shape = fitted(rows, market)

    like: Facts = facts(pl.concat(frames(chunks(2, 100_000, 0, market, shape))), market)
    for fact, tolerance in {
        "rows_per_s": 0.1, "trade_share": 0.05, "touch_size": 0.1, "persistence": 0.15, "impact_bps": 0.4, "volatility": 0.4,
    }.items():  # fmt: skip
        assert getattr(like, fact) == pytest.approx(getattr(real, fact), rel=tolerance), fact
