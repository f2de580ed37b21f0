"""Fewer points, the same picture: what a screen of a thousand pixels can show of a million rows."""

import numpy as np
import polars as pl
from numpy.typing import NDArray


def thinned(table: pl.DataFrame, value: str, buckets: int) -> pl.DataFrame:
    """Keep of each stretch of time the first, lowest, highest and last row of the column `value`.

    A line through what is kept covers the same pixels as one through all rows, where the plot is no more than
    `buckets` pixels wide. Returns at most `4 * buckets` rows, in order; all of `table` where it has no more.

    Args:
        table: In order of its column `ts_ns`.
    """
    if len(table) <= 4 * buckets:
        return table
    numbered = table.select(
        pl.int_range(pl.len()).alias("row"),
        pl.col(value).alias("value"),
        _bucket(table["ts_ns"], buckets).alias("bucket"),
    )
    first, there = pl.col("row").first(), pl.col("value")
    kept = numbered.group_by("bucket").agg(
        first=first, lowest=first + there.arg_min(), highest=first + there.arg_max(), last=pl.col("row").last()
    )
    rows = pl.concat([kept[name].cast(pl.Int64) for name in ("first", "lowest", "highest", "last")])
    return table[rows.drop_nulls().unique().sort()]


def _bucket(ts: pl.Series, buckets: int) -> pl.Series:
    """Return which of `buckets` equal stretches of time each instant lies in."""
    start, end = int(ts[0]), int(ts[-1])
    width = (end - start) // buckets + 1
    return (ts - start) // width


def resting(orders: pl.DataFrame, end_ns: int, buckets: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the price of one level over time, as the corners of a line that breaks where no order rests.

    Exact, two corners and a break an order, where there are no more than `buckets` orders; else the price of the
    order that rests at each of `2 * buckets` instants.

    Args:
        orders: Of one side and level, in order of `accepted_ns`, which none lacks.
        end_ns: Orders still open at the end last until then.

    Returns:
        Times `(n,)` in ns and prices `(n,)`, NaN where the line breaks.
    """
    start = orders["accepted_ns"].to_numpy()
    done = orders["done_ns"].fill_null(end_ns).to_numpy()
    price = orders["price"].to_numpy()
    if len(orders) <= buckets:
        times = np.column_stack((start, done, done)).ravel()
        return times, np.column_stack((price, price, np.full(len(price), np.nan))).ravel()
    # Counted from the first order: a float64 of a time since 1970 may lie before it, where no order rests.
    instants = start[0] + np.linspace(0, end_ns - start[0], 2 * buckets).astype(np.int64)
    latest = np.searchsorted(start, instants, "right") - 1
    return instants, np.where(done[latest] > instants, price[latest], np.nan)
