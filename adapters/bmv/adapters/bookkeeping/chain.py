"""What was paid to the chain, put into the money of a run: terms of its profit, and a column in each of its tables."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import polars as pl
from numpy import int64
from numpy.typing import NDArray

from bmv.data.journal.attempts import NUMBER
from bmv.data.journal.costs import ChainCosts
from bmv.data.runs.outcome import Outcome

LAMPORTS = "lamports"  # The column.


def charged(result: Outcome, costs: ChainCosts, epoch: int, quote_per_sol: Fraction | None) -> Outcome:
    """Return a run with what it paid to the chain in its profit and in its tables.

    Its orders cost what `ChainCosts.by_order` says, and the fills of an order share what that has cost by their size,
    to the lamport. The samples of equity say how much was paid so far; the last of them all of it. What is in the
    wallet is not what is owned at the venue: `equity` stays as it is, and the profit is its change and these terms.

    Args:
        epoch: Of the session, by which its orders are numbered.
        quote_per_sol: The rate; None: it is not known, and the profit stays without what was paid.
    """
    by_order = {number & NUMBER: paid for number, paid in costs.by_order.items() if number & ~NUMBER == epoch << 32}
    orders = result.orders.with_columns(_of_orders(result.orders["order_id"], by_order))
    fills = result.fills.with_columns(_of_fills(result.fills, by_order))
    equity = result.equity.with_columns(_so_far(result.equity["ts_ns"].to_numpy(), costs))
    made = replace(result, orders=orders, fills=fills, equity=equity)
    if quote_per_sol is None:
        return made
    terms = costs.terms(quote_per_sol / result.market.quantum)
    pnl, paid = result.pnl, sum(terms.values())
    parts = {name: pnl[name] for name in pnl if name not in ("net", "tips", "rounding")}
    return replace(
        made,
        pnl={"net": pnl["net"] + paid, **parts, **terms, "rounding": pnl["rounding"]},
        net_vs_hold=result.net_vs_hold + paid,
    )


def _of_orders(numbers: pl.Series, by_order: dict[int, int]) -> pl.Series:
    return pl.Series(LAMPORTS, [by_order.get(number, 0) for number in numbers], pl.Int64)


def _of_fills(fills: pl.DataFrame, by_order: dict[int, int]) -> pl.Series:
    """Return the share of each fill: what its order cost, by what of its lots had traded before and after it."""
    traded: dict[int, int] = dict(fills.group_by("order_id").agg(pl.col("size_lots").sum()).iter_rows())
    before, shares = dict.fromkeys(traded, 0), list[int]()
    for number, lots in fills.select("order_id", "size_lots").iter_rows():
        cost, whole, first = by_order.get(number, 0), traded[number], before[number]
        shares.append(cost * (first + lots) // whole - cost * first // whole)
        before[number] += lots
    return pl.Series(LAMPORTS, shares, pl.Int64)


def _so_far(ts_ns: NDArray[int64], costs: ChainCosts) -> pl.Series:
    paid = sorted(costs.paid)
    sums = np.concatenate(([0], np.cumsum([lamports for _, lamports in paid], dtype=int64)))
    so_far = sums[np.searchsorted([at for at, _ in paid], ts_ns, "right")] if len(paid) else np.zeros_like(ts_ns)
    if len(so_far):
        so_far[-1] = sums[-1]
    return pl.Series(LAMPORTS, so_far, pl.Int64)
