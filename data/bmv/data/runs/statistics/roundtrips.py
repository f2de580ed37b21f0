"""Round trips: which bought volume was sold again, first in, first out."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bmv.data.runs.contracts import gained, traded
from bmv.data.runs.numbers import BPS, SECOND, Json, mean, ratio, scaled
from bmv.ports.market import SPOT, Contract


def match(fills: pl.DataFrame, contract: Contract = SPOT) -> pl.DataFrame:
    """Pair buys with sells, first in, first out.

    The n-th lot bought meets the n-th lot sold, whichever came first. Laid end to end, buys and sells are two rulers
    of the same length scale; every mark on either of them, up to where the shorter one ends, closes one pair. No
    queue is walked, and no lot is matched twice. What we held at the start takes no part: a first sale waits for the
    purchase that buys it back.

    Args:
        fills: In time order, columns as `fills.parquet`.
        contract: What a unit of size is.

    Returns:
        A row a pair: `bought_ns`, `sold_ns`, `size_lots`, `size` (base), `bought`, `sold` (prices), `fee` (quote, the
        pair's share of both fills' fees) and `profit` (quote, after fees).
    """
    side, lots = fills["side"].to_numpy(), fills["size_lots"].to_numpy()
    buys, sells = np.flatnonzero(side > 0), np.flatnonzero(side < 0)
    bought, sold = np.cumsum(lots[buys]), np.cumsum(lots[sells])
    marks, needed = _marks(bought, sold), fills.select("ts_ns", "price", "size", "size_lots", "fee")
    buy = needed[buys[np.searchsorted(bought, marks)]]
    sell = needed[sells[np.searchsorted(sold, marks)]]
    size_lots = pl.Series("size_lots", np.diff(marks, prepend=0))
    size = buy["size"] * size_lots / buy["size_lots"]
    fee = buy["fee"] * size_lots / buy["size_lots"] + sell["fee"] * size_lots / sell["size_lots"]
    return pl.DataFrame(
        {
            "bought_ns": buy["ts_ns"],
            "sold_ns": sell["ts_ns"],
            "size_lots": size_lots,
            "size": size,
            "bought": buy["price"],
            "sold": sell["price"],
            "fee": fee,
            "profit": gained(contract, size, buy["price"], sell["price"]) - fee,
        }
    )


def _marks(bought: NDArray[np.int64], sold: NDArray[np.int64]) -> NDArray[np.int64]:
    """Merge the marks of two rulers, each ascending, up to the end of the shorter; stable sort merges in one pass."""
    if not len(bought) or not len(sold):
        return np.empty(0, np.int64)
    marks: NDArray[np.int64] = np.sort(np.concatenate((bought, sold)), kind="stable")
    marks = marks[marks <= min(bought[-1], sold[-1])]
    return marks[np.diff(marks, prepend=0) > 0]


def round_trips(fills: pl.DataFrame, contract: Contract = SPOT) -> Json:
    """Sum up the round trips of a run.

    * `count`: pairs of :func:`match`; a large fill closed by three small ones counts three.
    * `mean_hold_s`: between purchase and sale, either first; weighted by size.
    * `mean_profit`, `profit`: quote, after the fees of both sides; `profit_bps`: of the money that bought them.
    * `won`: share of the pairs with a profit above 0.
    * `size`: base that went round; `unmatched`: base bought and not sold (negative: sold and not bought back).
    """
    pairs = match(fills, contract)
    size = pairs["size"].to_numpy()
    held = np.abs((pairs["sold_ns"] - pairs["bought_ns"]).to_numpy()) / SECOND
    paid = float(traded(contract, pairs["size"], pairs["bought"]).sum())
    profit = float(pairs["profit"].sum())
    any_pair = len(pairs) > 0
    return {
        "count": len(pairs),
        "size": float(size.sum()),
        "mean_hold_s": mean(held, size),
        "mean_profit": ratio(profit, len(pairs)),
        "profit": profit if any_pair else None,
        "profit_bps": scaled(ratio(profit, paid), BPS),
        "won": ratio(float((pairs["profit"] > 0).sum()), len(pairs)),
        "unmatched": float((fills["side"] * fills["size"]).sum()),
        "reason": None if any_pair else "nothing was both bought and sold",
    }
