"""Why a run quoted or traded nothing, in sentences for the person who expected it to."""

from typing import TYPE_CHECKING

import polars as pl

from bmv.data.runs.numbers import BPS, SECOND, finite

if TYPE_CHECKING:
    from bmv.data.runs.outcome import Outcome


def why_nothing(outcome: "Outcome") -> list[str]:
    """Return the reasons why there were no orders, or no fills; empty when there were fills.

    The causes are looked for in the order in which the strategy needs things: trades, a pivot, risk's consent, an
    order worth placing, the venue's acceptance, and a market that comes to our price. What the configuration and the
    tape are refused for (no balance, a level under the smallest order, no rows) can't be among them.
    """
    if len(outcome.fills):
        return []
    found = [*_no_time(outcome), *_no_trades(outcome), *_no_pivot(outcome)]
    if len(outcome.orders):
        return ["Orders were placed, but none filled.", *found, *_rejected(outcome), *_far_away(outcome)]
    found += [*_refused(outcome), *_halted(outcome)]
    return ["No order was placed.", *(found or [_nothing_to_place(outcome)])]


def _no_time(outcome: "Outcome") -> list[str]:
    passed = outcome.first_ns != outcome.last_ns
    return [] if passed else ["The data is a single instant: no time passes in which an order could fill."]


def _no_trades(outcome: "Outcome") -> list[str]:
    return [] if outcome.counts.get("trades") else ["The data has no trades in this time range."]


def _no_pivot(outcome: "Outcome") -> list[str]:
    if outcome.times.get("pivot") or outcome.orders["pivot"].is_finite().any():  # One may last for no time at all.
        return []
    return ["There never was a pivot: no trade lies within pivot.history_s before any row, nor in the data before."]


def _refused(outcome: "Outcome") -> list[str]:
    refused = sorted(outcome.refusals.items(), key=lambda item: -item[1])
    by_code = ", ".join(f"{code} ({count:,})" for code, count in refused if count)
    return [f"Risk refused {sum(outcome.refusals.values()):,} intents: {by_code}."] if by_code else []


def _halted(outcome: "Outcome") -> list[str]:
    halted = outcome.times.get("halted", 0)
    return [f"The circuit breaker kept it halted for {halted / SECOND:,.0f} s."] if halted else []


def _nothing_to_place(outcome: "Outcome") -> str:
    decisions = outcome.counts.get("requotes", 0)
    if not decisions:
        return "No decision was ever due, though there was a pivot."
    if outcome.counts.get("wanted_sides") == 0:
        return f"The strategy wanted nothing in {decisions:,} decisions."
    return f"Nothing was refused: in {decisions:,} decisions nothing of market.min_size or more was left to place."


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
