"""How we quoted: which orders filled and how soon, how long we stood where, and what we held meanwhile."""

from math import log
from typing import TYPE_CHECKING

import polars as pl

from bmv.data.runs.contracts import traded
from bmv.data.runs.numbers import BPS, SECOND, Json, finite, ratio, scaled, setting, target

if TYPE_CHECKING:
    from bmv.data.runs.outcome import Outcome


def order_fates(orders: pl.DataFrame, fills: pl.DataFrame) -> list[Json]:
    """Tell how many orders filled, and how soon.

    Only orders that the venue accepted count. `fill_ratio` is the share of them that traded at all, `volume_ratio`
    the share of their size that did. Time to fill runs from acceptance to the order's first fill, both at the venue.

    Returns:
        A row a group: `side` (1, -1, or None for both), `level` (None for all), `orders`, `filled`, `fill_ratio`,
        `volume_ratio`, `time_to_fill_s_median`, `time_to_fill_s_p90`.
    """
    first = fills.group_by("order_id").agg(pl.col("ts_ns").min().alias("first_ns"))
    accepted = (
        orders.filter(pl.col("accepted_ns").is_not_null())
        .select("order_id", "side", "level", "size", "filled_size", "accepted_ns")
        .join(first, on="order_id", how="left")
        .with_columns(wait_s=(pl.col("first_ns") - pl.col("accepted_ns")) / SECOND)
    )
    return [row for keys in ((), ("side",), ("side", "level")) for row in _fates(accepted, keys)]


def _fates(accepted: pl.DataFrame, keys: tuple[str, ...]) -> list[Json]:
    of_each = (
        pl.len().alias("orders"),
        pl.col("wait_s").count().alias("filled"),
        (pl.col("filled_size").sum() / pl.col("size").sum()).alias("volume_ratio"),
        pl.col("wait_s").median().alias("time_to_fill_s_median"),
        pl.col("wait_s").quantile(0.9, "linear").alias("time_to_fill_s_p90"),
    )
    groups = accepted.group_by(keys).agg(of_each).sort(keys) if keys else accepted.select(of_each)
    return [
        {
            "side": row.get("side"),
            "level": row.get("level"),
            "orders": row["orders"],
            "filled": row["filled"],
            "fill_ratio": ratio(row["filled"], row["orders"]),
            "volume_ratio": finite(row["volume_ratio"]),
            "time_to_fill_s_median": finite(row["time_to_fill_s_median"]),
            "time_to_fill_s_p90": finite(row["time_to_fill_s_p90"]),
        }
        for row in groups.iter_rows(named=True)
    ]


def uptime(times: dict[str, int], touch_known: bool = True) -> Json:
    """Tell what share of the tape's time (0 to 1) we had a pivot, quoted, stood at the touch, were halted.

    Where the tape never showed a touch (`touch_known` is False), how long we stood at it is None.
    """
    names, at_touch = ("pivot", "two_sided", "halted"), ("bid_at_touch", "ask_at_touch", "both_at_touch")
    total = times.get("total")
    shares = {name: ratio(times.get(name), total) for name in (*names, *at_touch)}
    unknown = {} if touch_known else dict.fromkeys(at_touch)
    return {"total_s": (total or 0) / SECOND} | shares | unknown


def inventory(outcome: "Outcome", config: Json) -> Json:
    """Describe the base held, weighted by time.

    `mean`, `sd`, `mean_abs`, `min`, `max`, `end`: base (the first three from the run's integrals, the extremes from
    the fills and the equity table); `at_limit`: share of the time at or beyond `max_position` from the target, 0 to 1;
    `mean_use`: mean distance from the target over `max_position`; `half_life_s`: time in which half a deviation from
    its mean goes, from the correlation of neighbouring samples, None where it does not go.
    """
    total, sums = outcome.times.get("total"), outcome.sums
    mean, square = ratio(sums.get("position_ns"), total), ratio(sums.get("position2_ns"), total)
    held = pl.concat([outcome.equity["position"], outcome.fills["position"]])
    limit, wanted = setting(config, "inventory.max_position"), target(config)
    away = None if wanted is None else (outcome.equity["position"] - wanted).abs().mean()
    return {
        "mean": mean,
        "sd": None if mean is None or square is None else max(square - mean * mean, 0.0) ** 0.5,
        "mean_abs": ratio(sums.get("abs_position_ns"), total),
        "min": finite(held.min()),
        "max": finite(held.max()),
        "end": finite(outcome.equity["position"][-1]) if len(outcome.equity) else None,
        "at_limit": ratio(outcome.times.get("at_limit"), total),
        "mean_use": ratio(away, limit),
        "half_life_s": _half_life_s(outcome.equity),
        "reason": None if total else "the tape has no duration",
    }


def _half_life_s(equity: pl.DataFrame) -> float | None:
    """Return `ln(1/2) / ln(rho)` samples in seconds, rho the correlation of neighbouring positions."""
    if len(equity) < 3:
        return None
    steps = equity.select(
        rho=pl.corr("position", pl.col("position").shift(1)), step_ns=pl.col("ts_ns").diff().median()
    ).row(0, named=True)
    rho = finite(steps["rho"])
    if rho is None or not 0 < rho < 1:
        return None
    return log(0.5) / log(rho) * float(steps["step_ns"]) / SECOND


def activity(outcome: "Outcome") -> Json:
    """Relate what was sent to what was traded.

    `notional`: quote traded, both sides; `turnover`: that by the mean equity; `net_bps`: net profit by notional;
    `maker_ratio` and `quote_ratio`: share of the fills that made, and that a quote alone caused, without a print;
    `messages_per_fill`: (orders + cancels) / fills; `cancel_ratio`: cancels / orders; `requotes_per_hour`.
    """
    fills, counts, times = outcome.fills, outcome.counts, outcome.times
    notional = float(traded(outcome.market.contract, fills["size"], fills["price"]).sum())
    hours = times.get("total", 0) / SECOND / 3600
    sent = counts.get("orders", 0) + counts.get("cancels", 0)
    return {
        "notional": notional,
        "turnover": ratio(notional, outcome.equity["equity"].mean()),
        "net_bps": scaled(ratio(outcome.market.money(outcome.pnl["net"]), notional), BPS),
        "maker_ratio": ratio((fills["liquidity"] == "maker").sum(), len(fills)),
        "quote_ratio": ratio((fills["cause"] == "quote").sum(), len(fills)),
        "messages_per_fill": ratio(sent, len(fills)),
        "cancel_ratio": ratio(counts.get("cancels", 0), counts.get("orders", 0)),
        "requotes_per_hour": ratio(counts.get("requotes", 0), hours),
        "rejected": counts.get("rejected", 0),
    }
