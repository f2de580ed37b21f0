"""An order of a run folder, a backtest's too, as its tables tell it."""

from pathlib import Path
from typing import Any

import polars as pl

from bmv.data.runs.folder import read
from bmv.live.why.session import Step
from bmv.ports.errors import DataError

ENDS = ("filled", "cancelled", "rejected", "expired", "end")


def why_of_run(run: Path, order: int) -> list[Step]:
    """Return the way of an order; `DataError` where the run asked for none of that number."""
    kept = read(run)
    rows = kept.orders.filter(pl.col("order_id") == order).to_dicts()
    if not rows:
        raise DataError(f"order {order}: {run} has none of that number; its orders are 1 to {len(kept.orders)}")
    (row,) = rows
    steps = [
        Step(row["decided_ns"], "pivot", {"pivot": row["pivot"]}),
        Step(row["decided_ns"], "wanted", _wanted(row, kept.config)),
    ]
    if row["accepted_ns"] is not None:
        steps.append(Step(row["accepted_ns"], "accepted", {"size": row["size"]}))
    for fill in kept.fills.filter(pl.col("order_id") == order).to_dicts():
        facts = {name: fill[name] for name in ("price", "size", "fee", "liquidity", "position")}
        steps.append(Step(fill["ts_ns"], "filled", facts))
    if row["done"] != "filled":
        reason = {"reason": row["reason"]} if row["reason"] else {}
        steps.append(Step(row["done_ns"] or kept.summary["last_ns"], row["done"], reason))
    return steps


def _wanted(row: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:  # Any: of the table, and of TOML.
    """Return what was wanted, beside what the configuration says of that level."""
    name = "bid" if row["side"] > 0 else "ask"
    facts = {"side": name, "level": row["level"], "price": row["price"], "size": row["size"]}
    if row["pivot"]:
        facts["bps_from_pivot"] = round((row["price"] / row["pivot"] - 1) * 10_000, 3)
    side = config.get("grid", {}).get(name, {})
    if row["level"] >= 0 and not config.get("strategy"):
        facts["grid"] = {key: side[key] for key in ("first_bps", "step_bps", "step_ratio", "total_size") if key in side}
    return facts
