"""Why a run quoted or traded nothing, in sentences for the person who expected it to."""

from typing import TYPE_CHECKING

import polars as pl

from bmv.backtest.numbers import BPS, SECOND, Json, finite, setting

if TYPE_CHECKING:
    from bmv.backtest.outcome import Outcome


def why_nothing(outcome: "Outcome", config: Json) -> list[str]:
    """Return the reasons why there were no orders, or no fills; empty when there were fills.

    The causes are looked for in the order in which the strategy needs things: data, a pivot, a balance, risk's
    consent, the venue's acceptance, and a market that comes to our price.
    """
    if len(outcome.fills):
        return []
    found = [*_no_data(outcome), *_no_pivot(outcome)]
    if len(outcome.orders):
        return ["Orders were placed, but none filled.", *found, *_rejected(outcome), *_far_away(outcome)]
    found += [*_no_balance(config), *_too_small(config), *_refused(outcome), *_halted(outcome)]
    return ["No order was placed.", *(found or ["No cause is known: there was a pivot, and nothing was refused."])]


def _no_data(outcome: "Outcome") -> list[str]:
    counts = outcome.counts
    if not counts.get("events"):
        return ["The data has no rows in this time range."]
    if not counts.get("trades"):
        return ["The data has no trades in this time range."]
    return []


def _no_pivot(outcome: "Outcome") -> list[str]:
    if outcome.times.get("pivot"):
        return []
    return ["There never was a pivot: no trade lies within pivot.history_s before any row, nor in the data before."]


def _no_balance(config: Json) -> list[str]:
    base, quote = setting(config, "inventory.start_base"), setting(config, "inventory.start_quote")
    if base == 0 and quote == 0:
        return ["Both balances are zero (inventory.start_base, inventory.start_quote): nothing to sell or to pay."]
    if setting(config, "inventory.max_position") == 0:
        return ["inventory.max_position is zero: no order fits within it."]
    return []


def _too_small(config: Json) -> list[str]:
    smallest = setting(config, "market.min_size") or setting(config, "market.lot_size")
    sizes = {side: setting(config, f"grid.{side}.total_size") for side in ("bid", "ask")}
    return [
        f"grid.{side}.total_size is {size:g}, less than the smallest order of {smallest:g}."
        for side, size in sizes.items()
        if size is not None and smallest is not None and size < smallest
    ]


def _refused(outcome: "Outcome") -> list[str]:
    refused = sorted(outcome.refusals.items(), key=lambda item: -item[1])
    told = ", ".join(f"{code} ({count:,})" for code, count in refused if count)
    return [f"Risk refused {sum(outcome.refusals.values()):,} intents: {told}."] if told else []


def _halted(outcome: "Outcome") -> list[str]:
    halted = outcome.times.get("halted", 0)
    return [f"The circuit breaker kept it halted for {halted / SECOND:,.0f} s."] if halted else []


def _rejected(outcome: "Outcome") -> list[str]:
    rejected = outcome.orders.filter(pl.col("done") == "rejected")
    if not len(rejected):
        return []
    reason = str(rejected["reason"].mode().first())
    return [f"The venue rejected {len(rejected):,} of {len(outcome.orders):,} orders, most often as {reason}."]


def _far_away(outcome: "Outcome") -> list[str]:
    at_touch = max(outcome.times.get(name, 0) for name in ("bid_at_touch", "ask_at_touch"))
    if at_touch:
        return [f"A quote of ours was at the touch for {at_touch / SECOND:,.0f} s, and nothing got through the queue."]
    return ["No quote of ours was ever at the touch.", *_distance(outcome)]


def _distance(outcome: "Outcome") -> list[str]:
    """Set the distance of our nearest order beside the distance that the market went."""
    mids = outcome.equity.select("ts_ns", "mid").drop_nulls().set_sorted("ts_ns")
    decided = outcome.orders.select("decided_ns", "price").sort("decided_ns")
    near = decided.join_asof(mids, left_on="decided_ns", right_on="ts_ns")
    nearest = finite(((near["price"] / near["mid"] - 1).abs() * BPS).min())
    if nearest is None:
        return []
    moved = mids.select((pl.col("mid").max() / pl.col("mid").min() - 1) * BPS).item()
    return [f"The nearest order stood {nearest:.1f} bps from the mid, whose whole range was {moved:.1f} bps."]
