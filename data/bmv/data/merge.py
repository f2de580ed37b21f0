"""Two records of one stretch of time into one: what both have is kept once, what either has is kept.

Rows are told apart by all their columns and by how many equal ones came before: two equal prints in one record are two
prints, the same two in another record are the same two.
"""

import polars as pl

from bmv.data.schema import LAKE
from bmv.ports.messages import Kind

_COLUMNS = list(LAKE)


def merged(old: pl.DataFrame, new: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Return the rows of both in order of time, and how many of `new` were not in `old`.

    Rows of equal time in one record keep their order. Where both have rows of a time, prints that only `new` has go
    before those of `old`, its quotes and depth changes after: a print happened against the book that stood before it.

    Args:
        old: Rows in the lake's form, in order.
        new: The same.
    """
    if not len(old):
        return new, len(new)
    fresh = _only_new(old, new)
    if not len(fresh):
        return old, 0
    met = pl.col("ts_ns").is_in(old["ts_ns"].implode())
    rank = pl.when(~met).then(1).when(pl.col("kind") == Kind.TRADE).then(0).otherwise(2)
    parts = [old.with_columns(rank=pl.lit(1, pl.Int32)), fresh.with_columns(rank=rank.cast(pl.Int32))]
    whole = pl.concat(parts).sort("ts_ns", "rank", maintain_order=True).drop("rank")
    return whole, len(fresh)


def _only_new(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of `new` that `old` lacks, in order; only where their times overlap need anything be compared."""
    if not len(old) or not len(new):
        return new
    common = pl.col("ts_ns").is_between(max(old["ts_ns"][0], new["ts_ns"][0]), min(old["ts_ns"][-1], new["ts_ns"][-1]))
    ours, theirs = old.filter(common), new.filter(common)
    if ours.equals(theirs):
        return new.filter(~common)
    number = pl.int_range(pl.len()).over(_COLUMNS).alias("number")
    lacking = theirs.with_columns(number).join(
        ours.with_columns(number), on=[*_COLUMNS, "number"], how="anti", nulls_equal=True, maintain_order="left"
    )
    outside = new.filter(~common)
    return pl.concat([outside, lacking.select(_COLUMNS)]).sort("ts_ns", maintain_order=True)
