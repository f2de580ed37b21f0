"""Tape rows as whole numbers, read from the raw files by the audit's own hand: nothing here is the project's code."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import polars as pl

TRADE, QUOTE = 1, 2
NEAR = 1e-6  # How far from a whole number, in ticks or lots, a float may lie and still mean it.


class Row(NamedTuple):
    """One row as told: ticks, lots, nanoseconds; `None` where a side is absent or a size was not recorded."""

    ts: int
    kind: int
    side: int
    price: int
    size: int
    bid: int | None
    bid_size: int | None
    ask: int | None
    ask_size: int | None


def read(
    paths: Sequence[Path], tick: Decimal, lot: Decimal, start_ns: int | None = None, end_ns: int | None = None
) -> tuple[list[Row], list[Row], int]:
    """Return the rows before `start_ns` (they seed the pivot), the rows told, and how many in all were dropped."""
    frames = sorted((_whole(pl.read_parquet(path), tick, lot) for path in paths), key=lambda frame: frame["ts"][0])
    rows = pl.concat(frames).with_columns(good=pl.col("good") & pl.col("ts").is_not_null())
    good = rows.filter("good").with_columns(latest=pl.col("ts").cum_max())
    good = good.filter(pl.col("ts") == pl.col("latest"))
    dropped = rows.height - good.height
    if end_ns is not None:
        good = good.filter(pl.col("ts") < end_ns)
    start = good["ts"].min() if start_ns is None else start_ns
    columns = list(Row._fields)
    seed = [Row(*row) for row in good.filter(pl.col("ts") < start).select(columns).iter_rows()]
    told = [Row(*row) for row in good.filter(pl.col("ts") >= start).select(columns).iter_rows()]
    return seed, told, dropped


def _whole(raw: pl.DataFrame, tick: Decimal, lot: Decimal) -> pl.DataFrame:
    """Return the columns of `Row` and `good`, from the float form or from the lake's whole numbers."""
    if "ts_ns" in raw.columns:
        raw, tick, lot = raw.rename({"ts_ns": "ts"}), Decimal(1), Decimal(1)
    else:
        raw = raw.with_columns(kind=pl.col("kind").replace_strict({"trade": TRADE, "quote": QUOTE}))
    if not raw["kind"].is_in([TRADE, QUOTE]).all():
        raise ValueError("the audit knows trades and tops of the book only")
    trade = pl.col("kind") == TRADE
    prices = {name: pl.col(name).cast(pl.Float64) / float(tick) for name in ("price", "bid", "ask")}
    sizes = {name: pl.col(name).cast(pl.Float64) / float(lot) for name in ("size", "bid_size", "ask_size")}
    on_grid = {name: (value - value.round()).abs() <= NEAR for name, value in prices.items()}
    good_trade = on_grid["price"] & (prices["price"] > 0) & (sizes["size"] > 0) & sizes["size"].is_finite()
    good_quote = pl.all_horizontal((on_grid[name] & (prices[name] > 0)).fill_null(True) for name in ("bid", "ask"))
    lots = {name: _floor(value) for name, value in sizes.items()}
    frame = raw.select(
        pl.col("ts").cast(pl.Int64),
        pl.col("kind").cast(pl.Int64),
        pl.col("side").cast(pl.Int64).fill_null(0),
        *(value.round().cast(pl.Int64, strict=False).alias(name) for name, value in prices.items()),
        *(value.cast(pl.Int64, strict=False).alias(name) for name, value in lots.items()),
        pl.when(trade).then(good_trade.fill_null(False)).otherwise(good_quote).alias("good"),
    )
    absent = {side: pl.col(side).is_null() | (pl.col(f"{side}_size") == 0).fill_null(False) for side in ("bid", "ask")}
    return frame.with_columns(
        *(pl.when(gone).then(None).otherwise(pl.col(side)).alias(side) for side, gone in absent.items()),
        *(
            pl.when(gone).then(None).otherwise(pl.col(f"{side}_size")).alias(f"{side}_size")
            for side, gone in absent.items()
        ),
    )


def _floor(value: pl.Expr) -> pl.Expr:
    """Return `value` rounded down, but for what is a whole number in all but its last bits."""
    return pl.when((value - value.round()).abs() <= NEAR).then(value.round()).otherwise(value.floor())
