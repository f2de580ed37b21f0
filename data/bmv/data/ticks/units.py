"""From a recording in units to whole ticks and lots: the float form of `bmv.data.ticks.schema`, many rows at a time."""

import polars as pl

from bmv.ports.market import Market
from bmv.ports.messages import Kind

KINDS = {"trade": Kind.TRADE, "quote": Kind.QUOTE, "depth": Kind.DEPTH}


def in_steps(rows: pl.LazyFrame, market: Market) -> pl.LazyFrame:
    """Return the nine columns of the lake with prices in ticks and sizes in lots: float64, nullable, not yet judged.

    Args:
        rows: The columns of :data:`bmv.data.ticks.schema.FLOATS`.
    """
    # Times the inverse and not by the step: the inverse of 0.01 is a float64, 0.01 is not.
    per_tick, per_lot = float(1 / market.tick_size), float(1 / market.lot_size)
    return rows.select(
        pl.col("ts").cast(pl.Int64).alias("ts_ns"),
        pl.col("kind").cast(pl.String).replace_strict(KINDS, default=0, return_dtype=pl.Int64),
        pl.col("side").cast(pl.Int64),
        *(pl.col(name).cast(pl.Float64) * per_tick for name in ("price", "bid", "ask")),
        *(pl.col(name).cast(pl.Float64) * per_lot for name in ("size", "bid_size", "ask_size")),
    )
