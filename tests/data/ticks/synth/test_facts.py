"""What a record is like in numbers, worked by hand and against what made it."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from bmv.data.ticks.schema import LAKE_SCHEMA, frames
from bmv.data.ticks.synth.facts import facts
from bmv.data.ticks.synth.synth import BENIGN, SOL_USDC, THIN, Shape, chunks
from bmv.ports.errors import DataError
from bmv.ports.market import Market

SECOND = 1_000_000_000
MARKET = Market("X", Decimal("0.01"), Decimal("0.1"))


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
    assert found.through_bps == pytest.approx(1e4 / 10_060, rel=0.01)  # One tick.
    assert found.sweep_share == 0.0


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
    without, with_it = (facts(made(replace(BENIGN, impact_bps=bps)), SOL_USDC).impact_bps or 0 for bps in (0.0, 0.5))

    assert abs(without) < 0.1
    assert with_it > 0.3


def test_a_thin_market_has_a_hundredth_of_the_rows_and_a_wide_book() -> None:
    usual, thin = (facts(made(shape), SOL_USDC) for shape in (Shape(), THIN))

    assert thin.rows_per_s < usual.rows_per_s / 20
    assert (thin.spread_bps or 0) > 10 * (usual.spread_bps or 1)


def test_trades_at_one_instant_and_on_one_side_are_a_sweep() -> None:
    rows = by_hand()
    doubled = pl.concat([rows, rows.filter(kind=1)]).sort("ts_ns", maintain_order=True)

    assert facts(doubled, MARKET).sweep_share == pytest.approx(0.5)


def test_pace_and_volatility_leave_a_hole_out() -> None:
    rows = by_hand()
    later = rows.with_columns(pl.col("ts_ns") + 3_600 * SECOND)

    found, whole = facts(pl.concat([rows, later]), MARKET), facts(rows, MARKET)

    assert found.rows_per_s == pytest.approx(whole.rows_per_s, rel=0.01)
    assert found.volatility == pytest.approx(whole.volatility, rel=0.1)


def test_rows_between_which_time_passes_in_a_hole_alone_are_no_market() -> None:
    rows = by_hand()
    instant = rows.with_columns(ts_ns=pl.when(pl.int_range(len(rows)) < 239).then(0).otherwise(25 * 3_600 * SECOND))

    with pytest.raises(DataError, match="240 rows, between which time passes in holes alone"):
        facts(instant, MARKET)


def test_too_few_rows_are_no_market() -> None:
    with pytest.raises(DataError, match="12 rows: expected at least 100"):
        facts(by_hand()[:12], MARKET)
