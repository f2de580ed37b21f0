"""Counts of rows in the lake's form, kept while they pass by."""

import polars as pl

from bmv.data.ticks.delays import Stamped
from bmv.data.ticks.quality import GAP_NS, Hole
from bmv.ports.messages import Kind

FAR_NS = 2**63 - 1

_KIND, _BOTH = pl.col("kind"), (pl.col("bid") > 0) & (pl.col("ask") > 0)

# What is counted of rows in the lake's form, wherever it is.
COUNTS = {
    "trades": (_KIND == Kind.TRADE).sum(),
    "quotes": (_KIND == Kind.QUOTE).sum(),
    "depths": (_KIND == Kind.DEPTH).sum(),
    "crossed": (_BOTH & (pl.col("bid") > pl.col("ask"))).sum(),
    "locked": (_BOTH & (pl.col("bid") == pl.col("ask"))).sum(),
    "unsided": ((_KIND == Kind.TRADE) & (pl.col("side").fill_null(0) == 0)).sum(),
}

UNSIZED = pl.any_horizontal(
    pl.col(name).is_not_null() & pl.col(f"{name}_size").is_null() for name in ("bid", "ask")
).sum()

SEEN = ("kind", "side", "price", "bid", "ask")


class Tally:
    """What is counted of rows as they pass, and the holes between them that are longer than `GAP_NS`, in order."""

    def __init__(self) -> None:
        self.rows = 0
        self.first_ns, self.last_ns = FAR_NS, -FAR_NS
        self.back = 0
        self.counts = dict.fromkeys(COUNTS, 0)
        self.gaps = list[Hole]()
        self.stamped = Stamped()
        self._before_ns: int | None = None

    def add(self, rows: pl.DataFrame) -> None:
        """Count some rows, which come after those before."""
        if not len(rows):
            return
        times, before = rows["ts_ns"], pl.col("ts_ns").shift(1, fill_value=self._before_ns)
        step = pl.col("ts_ns") - before
        found = rows.select((step < 0).sum().alias("back"), (step > GAP_NS).sum().alias("holes"), **COUNTS)
        back, holes, *counts = found.row(0)
        self.back += back
        if holes:
            self.gaps += [
                Hole(*hole) for hole in rows.select(before.alias("from"), "ts_ns").filter(step > GAP_NS).rows()
            ]
        self.stamped.add(rows)
        self.rows += len(rows)
        self.first_ns = min(self.first_ns, _whole(times.min(), FAR_NS))
        self.last_ns = max(self.last_ns, _whole(times.max(), -FAR_NS))
        self._before_ns = times[-1]
        for name, count in zip(COUNTS, counts, strict=True):
            self.counts[name] += count


def _whole(found: object, otherwise: int) -> int:
    return found if isinstance(found, int) else otherwise
