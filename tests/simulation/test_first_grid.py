"""The pivot at the first quoting event and the first grid, computed anew in a few lines of Polars."""

from pathlib import Path

import polars as pl
import pytest
from markets import RECORDED, SYNTHETIC, Recorded, synthetic
from runs import SECOND, backtest, result

HISTORY_S, WINDOW_S, LEVELS = 600, 30, {1: 4, -1: 3}
STEP_RATIO, SIZE_RATIO = {1: 1.3, -1: 1.0}, {1: 1.5, -1: 1.0}


def first_grid(rows: pl.DataFrame, market: Recorded, start_ns: int, limit: str) -> tuple[float, pl.DataFrame]:
    """Return the pivot (quote per base) and the orders (side, level, price_ticks, size_lots) of the first grid."""
    tick, lot, bps = float(market.tick), float(market.lot), float(market.first_bps)
    rows = rows.with_row_index()
    seeded = rows.filter(
        (pl.col("ts") < start_ns) & (pl.col("kind") == "trade") & (pl.col("ts") >= start_ns - HISTORY_S * SECOND)
    )
    quoting = rows.filter((pl.col("ts") >= start_ns) & ((pl.col("kind") == "trade") | (seeded.height > 0))).head(1)
    at, now = quoting["index"][0], quoting["ts"][0]
    known = rows.filter(pl.col("index") <= at)
    trades = known.filter((pl.col("kind") == "trade") & (pl.col("ts") >= now - HISTORY_S * SECOND))
    vwap = (pl.col("price") * pl.col("size")).sum() / pl.col("size").sum()
    long, short = (each.select(vwap.alias("p"), pl.col("size").sum().alias("v")).row(0) for each in (
        trades, trades.filter(pl.col("ts") >= now - WINDOW_S * SECOND)))  # fmt: skip
    weight = short[1] / (short[1] + long[1] * WINDOW_S / HISTORY_S)
    pivot = weight * short[0] + (1 - weight) * long[0] if short[1] > 0 else long[0]
    touch = known.filter((pl.col("kind") == "quote") & (pl.col("ts") >= start_ns)).tail(1)
    sides = []
    for side, levels in LEVELS.items():
        offset = [bps + bps * sum(STEP_RATIO[side] ** j for j in range(k)) for k in range(levels)]
        share = [SIZE_RATIO[side] ** k / sum(SIZE_RATIO[side] ** j for j in range(levels)) for k in range(levels)]
        exact = pl.col("offset").mul(-side / 1e4).add(1).mul(pivot / tick)
        price = (exact + 1e-9).floor() if side == 1 else (exact - 1e-9).ceil()
        opposite = touch["ask" if side == 1 else "bid"]
        safe = round(opposite[0] / tick) - side if len(opposite) else side * 2**52
        grid = pl.DataFrame(
            {"level": range(levels), "offset": offset, "lots": [float(market.total) / lot * s for s in share]}
        )
        grid = grid.with_columns(price=price).group_by("price").agg(pl.min("level"), pl.sum("lots")).sort("level")
        moved = pl.min_horizontal("price", pl.lit(safe)) if side == 1 else pl.max_horizontal("price", pl.lit(safe))
        grid = grid.with_columns(price=moved, moved=pl.col("price") != moved)
        grid = grid.filter(~pl.col("moved") | (pl.col("moved").cum_sum() == 1))
        room = float(limit) / lot - (pl.col("lots").cum_sum() - pl.col("lots"))
        grid = grid.with_columns(lots=(pl.col("lots") + 1e-9).floor())
        grid = grid.with_columns(lots=pl.min_horizontal("lots", room.clip(0))).filter(pl.col("lots") >= 1)
        sides.append(grid.select(side=pl.lit(side, pl.Int64), level="level", price_ticks=pl.col("price").cast(pl.Int64),
                                 size_lots=pl.col("lots").cast(pl.Int64)))  # fmt: skip
    return pivot, pl.concat(sides).sort("side", "level")


def check(folder: Path, market: Recorded, tape: Path, span_ns: tuple[int, int], *options: str, limit: str) -> None:
    """Run, and compare pivot and orders of the first decision with what the few lines above say."""
    code = backtest(folder, market.config("back", max_position=f'"{limit}"'), [tape], *options)

    assert code == 0
    pivot, expected = first_grid(pl.read_parquet(tape), market, span_ns[0], limit)
    orders = result(folder / "run", [tape], *span_ns).orders
    first = orders.filter(pl.col("decided_ns") == pl.col("decided_ns").min()).sort("side", "level")
    assert first["pivot"].to_list() == pytest.approx([pivot] * first.height, rel=1e-12)
    assert first.select("side", "level", "price_ticks", "size_lots").equals(expected)
    assert first.height >= 4


@pytest.mark.parametrize("name", ["binance_usdm_BTCUSDT/2023-04-05", "cme_6B-JUN23/2023-05-03", "us_AIG/2013-10-08"])
def test_the_first_grid_on_recorded_ticks_is_that_of_the_formulas(tmp_path: Path, ticks: Path, name: str) -> None:
    market = next(each for each in RECORDED if each.file == name)

    check(
        tmp_path,
        market,
        ticks / f"{name}.parquet",
        market.span_ns,
        "--timerange",
        market.timerange,
        limit=market.total,
    )


@pytest.mark.parametrize("limit", ["200", "41.7"])
def test_the_first_grid_on_a_synthetic_tape_is_that_of_the_formulas(tmp_path: Path, limit: str) -> None:
    tape = synthetic(tmp_path / "tape.parquet", seed=3)

    check(tmp_path, SYNTHETIC, tape, (0, 2**62), limit=limit)
