"""What a market maker wants to know after a run, as numbers that fit into JSON."""

from typing import TYPE_CHECKING

import polars as pl

from bmv.backtest.markouts import adverse_selection, markouts, pivot_quality, spreads
from bmv.backtest.numbers import Json, finite, ratio
from bmv.backtest.quoting import activity, inventory, order_fates, uptime
from bmv.backtest.returns import drawdown, ratios
from bmv.backtest.roundtrips import round_trips
from bmv.backtest.whynothing import why_nothing
from bmv.core.breaker import Tier

if TYPE_CHECKING:
    from bmv.backtest.outcome import Outcome


def statistics(outcome: "Outcome", config: Json) -> Json:
    """Return the statistics of a run, nested by theme; each theme's function says what its figures mean.

    A figure that can't be computed is None, never 0 and never NaN; where the cause is not plain, the theme has a
    `reason`. Units stand at the end of the names; without one it is base for inventory, quote for money, and a
    fraction for ratios and shares.

    Args:
        outcome: What the run left in memory.
        config: The resolved configuration, nested as in its file, with every key that has a default.
    """
    fills, equity = _without_nan(outcome.fills), _without_nan(outcome.equity)
    return {
        "orders": order_fates(outcome.orders, fills),
        "round_trips": round_trips(fills),
        "inventory": inventory(outcome, config),
        "uptime": uptime(outcome.times),
        "spread": spreads(fills, outcome.sums, outcome.times, finite(equity["mid"].mean())),
        "markouts": markouts(fills),
        "adverse_selection": adverse_selection(fills),
        "pivot": pivot_quality(equity),
        "drawdown": drawdown(equity),
        "ratios": ratios(equity, float(config["data"]["equity_sample_s"])),
        "activity": activity(outcome),
        "refusals": refusals(outcome),
        "breaker": breaker_timeline(outcome),
        "why_nothing": why_nothing(outcome),
    }


def _without_nan(table: pl.DataFrame) -> pl.DataFrame:
    """Return `table` with one word for what is missing: null."""
    return table.with_columns(pl.selectors.float().fill_nan(None))


def refusals(outcome: "Outcome") -> Json:
    """Count the intents that risk refused: `total`, `by_code`, and their `share` of all intents to place."""
    by_code = {code: count for code, count in outcome.refusals.items() if count}
    total = sum(by_code.values())
    return {"total": total, "by_code": by_code, "share": ratio(total, total + outcome.counts.get("orders", 0))}


def breaker_timeline(outcome: "Outcome") -> list[Json]:
    """Return each change of the circuit breaker: `ts_ns`, `tier` (a word), `cause`, `equity` (quote)."""
    return [
        {
            "ts_ns": row["ts_ns"],
            "tier": Tier(row["tier"]).name.lower(),
            "cause": row["cause"],
            "equity": finite(row["equity"]),
        }
        for row in outcome.breaker.iter_rows(named=True)
    ]
