"""A market made up after another one, made up or recorded: as it is in numbers, and as hard on a maker."""

import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from bmv.data.ticks.check.inspection import read_whole
from bmv.data.ticks.importers import Options
from bmv.data.ticks.schema import frames
from bmv.data.ticks.synth.facts import facts
from bmv.data.ticks.synth.fit import fit
from bmv.data.ticks.synth.markouts import HORIZONS_S, markouts
from bmv.data.ticks.synth.synth import BENIGN, SOL_USDC, THIN, Shape, chunks
from bmv.ports.market import Market

TICKS = Path(os.environ.get("BMV_TICKS") or Path(__file__).resolve().parents[5] / "shared" / "ticks")


def made(shape: Shape, rows: int = 60_000, seed: int = 1, market: Market = SOL_USDC) -> pl.DataFrame:
    return pl.concat(frames(chunks(seed, rows, 0, market, shape)))


def strays(record: pl.DataFrame, like: pl.DataFrame) -> list[str]:
    """Name the markouts of `like` that lie outside the band of the record."""
    span_ns = int(like["ts_ns"][-1] - like["ts_ns"][0])
    told = markouts(record)
    return [
        f"{horizon_s} s: {mean} of {real}, outside {band}"
        for horizon_s, mean, real, band in zip(
            HORIZONS_S, markouts(like).means(), told.means(), told.bands(span_ns), strict=True
        )
        if band is None or mean is None or not band.low <= mean <= band.high
    ]


@pytest.mark.parametrize(
    "shape",
    [
        Shape(),
        replace(BENIGN, volatility=0.2, mean_gap_ms=500, trade_share=0.1, spread_bps=8),
        Shape(price=Decimal(30), burst_share=0.1, turn_share=0.1, impact_bps=0.2, late_bps=0.1, size=Decimal(50)),
        replace(THIN, mean_gap_ms=1000.0),
    ],
    ids=["usual", "benign", "cheap", "thin"],
)
def test_a_market_made_up_after_a_made_up_one_is_like_it(shape: Shape) -> None:
    rows = made(shape)

    again = made(fit(rows, SOL_USDC), seed=2)

    real, like = facts(rows, SOL_USDC), facts(again, SOL_USDC)
    for name, tolerance in {
        "rows_per_s": 0.15, "trade_share": 0.05, "burst_share": 0.1, "spread_bps": 0.25, "touch_size": 0.05,
        "trade_size": 0.1, "volatility": 0.35, "persistence": 0.15, "through_share": 0.2,
    }.items():  # fmt: skip
        assert getattr(like, name) == pytest.approx(getattr(real, name), rel=tolerance), name
    assert like.sweep_share == pytest.approx(real.sweep_share, abs=0.03)
    assert strays(rows, again) == []


@pytest.mark.skipif(not TICKS.is_dir(), reason=f"no recorded ticks at {TICKS}; set BMV_TICKS")
@pytest.mark.parametrize(
    "name", ["us_AIG/2013-10-08", "hyperliquid_SOL-USDC-PERP/2025-09-03", "binance_coinm_BTCUSD_PERP/2024-08-08"]
)
def test_a_market_made_up_after_a_real_one_has_its_pace_and_sizes_and_is_as_hard(name: str) -> None:
    rows, market, _, _ = read_whole(TICKS / f"{name}.parquet", None, None, None, Options(), 1.0)

    like = made(fit(rows, market), 200_000, 2, market)

    real, numbers = facts(rows, market), facts(like, market)
    for fact, tolerance in {
        "rows_per_s": 0.15, "trade_share": 0.05, "touch_size": 0.1, "persistence": 0.15, "sweep_share": 0.05,
        "volatility": 0.5,
    }.items():  # fmt: skip
        assert getattr(numbers, fact) == pytest.approx(getattr(real, fact), rel=tolerance), fact
    assert strays(rows, like) == []


@pytest.mark.skipif(not TICKS.is_dir(), reason=f"no recorded ticks at {TICKS}; set BMV_TICKS")
def test_the_usual_market_is_as_hard_as_the_record_that_it_was_made_after() -> None:
    path = TICKS / "hyperliquid_SOL-USDC-PERP" / "2025-09-03.parquet"
    record = read_whole(path, None, None, None, Options(), 1.0).rows

    assert strays(record, made(Shape(), 200_000)) == []
    assert len(strays(record, made(BENIGN, 200_000))) >= 2


def test_of_a_record_without_quotes_the_usual_hardness_is_kept() -> None:
    trades = made(Shape()).filter(kind=1)

    shape = fit(trades, SOL_USDC)

    assert [shape.impact_bps, shape.soon_bps] == [Shape().impact_bps, Shape().soon_bps]


def test_a_handful_of_prints_says_nothing_of_how_hard_a_market_is() -> None:
    rows = made(Shape())
    first = rows.with_row_index().filter((pl.col("kind") == 2) | (pl.col("index") < 100)).drop("index")

    shape = fit(first, SOL_USDC)

    assert shape.impact_bps == Shape().impact_bps


def test_a_market_of_a_hundred_ticks_can_be_fitted() -> None:
    cheap = Market("X", Decimal("0.01"), Decimal("1"))
    rows = made(Shape(price=Decimal(1), spread_bps=100.0, impact_bps=1.0), market=cheap)

    shape = fit(rows, cheap)

    assert abs(shape.impact_bps) < 10  # A tick is 100 bps: its prints say no more than that.
    assert shape.spread_bps == pytest.approx(100.0, rel=0.02)
