"""What a market maker wants to know after a run, as numbers that fit into JSON."""

from typing import TYPE_CHECKING

import polars as pl

from bmv.data.runs.numbers import SECOND, Json, finite, ratio
from bmv.data.runs.statistics.markouts import adverse_selection, markouts, pivot_quality, spreads
from bmv.data.runs.statistics.participation import participation
from bmv.data.runs.statistics.quoting import activity, inventory, order_fates, uptime
from bmv.data.runs.statistics.returns import drawdown, ratios
from bmv.data.runs.statistics.roundtrips import round_trips
from bmv.data.runs.statistics.tape_fit import fit
from bmv.data.runs.statistics.whynothing import why_nothing
from bmv.data.runs.wording import instant, percent
from bmv.ports.messages import Tier

if TYPE_CHECKING:
    from bmv.data.runs.outcome import Outcome


def statistics(outcome: "Outcome", config: Json) -> Json:
    """Return the statistics of a run, nested by theme; each theme's function says what its figures mean.

    A figure that can't be computed is None, never 0 and never NaN; where the cause is not plain, the theme has a
    `reason`. Units stand at the end of the names; without one it is base for inventory, quote for money (base of
    inverse contracts), and a
    fraction for ratios and shares.

    Args:
        outcome: What the run left in memory.
        config: The resolved configuration, nested as in its file, with every key that has a default.
    """
    fills, equity = _without_nan(outcome.fills), _without_nan(outcome.equity)
    return {
        "orders": order_fates(outcome.orders, fills),
        "round_trips": round_trips(fills, outcome.market.contract),
        "inventory": inventory(outcome, config),
        "uptime": uptime(outcome.times, touch_known(outcome)),
        "spread": spreads(fills, outcome.sums, outcome.times, finite(equity["mid"].mean())),
        "markouts": markouts(fills),
        "adverse_selection": adverse_selection(fills, outcome.market.contract),
        "pivot": pivot_quality(equity),
        "drawdown": drawdown(equity),
        "ratios": ratios(equity, float(config["data"]["equity_sample_s"]), len(fills)),
        "activity": activity(outcome),
        "participation": participation(outcome),
        "fit": fit(outcome),
        "refusals": refusals(outcome),
        "breaker": breaker_timeline(outcome),
        "why_nothing": why_nothing(outcome),
    }


def touch_known(outcome: "Outcome") -> bool:
    """Return whether the tape had rows that show the best prices."""
    return any(outcome.counts[name] for name in ("quotes", "depths"))


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


TRIPPED = {Tier.HALT: "halted trading", Tier.REDUCE: "let positions only be reduced"}


def breaker_warnings(outcome: "Outcome") -> list[str]:
    """Say when each tier that kept the run from quoting as configured was reached, and for how long; gravest first.

    A run that was halted for much of its time was not tried out by the rest of its tape.
    """
    ends = [*outcome.breaker["ts_ns"].to_list()[1:], outcome.last_ns]
    rows = list(zip(outcome.breaker["ts_ns"].to_list(), ends, outcome.breaker["tier"].to_list(), strict=False))
    return [_tripped(outcome, rows, tier) for tier in TRIPPED if any(each == tier for _, _, each in rows)]


def _tripped(outcome: "Outcome", rows: list[tuple[int, int, int]], tier: Tier) -> str:
    """Return the sentence about `tier`; `rows` are the changes: from, to (both ns UTC), tier."""
    spells = [(start, end) for start, end, each in rows if each == tier]
    share = ratio(sum(end - start for start, end in spells), outcome.times.get("total"))
    (start, end), *others = spells
    if others:
        when = f"{len(spells):,} times, first at {_second(start)}"
    else:
        when = f"at {_second(start)} " + ("and it stayed so" if rows[-1][2] == tier else f"until {_second(end)}")
        if end - start < SECOND and rows[-1][2] != tier:
            return f"the breaker {TRIPPED[tier]} at {_second(start)} for less than a second"
    return f"the breaker {TRIPPED[tier]} {when}" + ("" if share is None else f": {percent(share)} of the time")


def _second(ts_ns: int) -> str:
    return f"{instant(ts_ns).replace(' ', 'T')}Z"
