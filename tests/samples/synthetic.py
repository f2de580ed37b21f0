"""A made-up outcome of a run: a market that wanders for a day, and a grid of three levels that fills now and then."""

import tomllib
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from bmv.data.runs.outcome import Outcome
from bmv.ports.market import Market

SECOND = 1_000_000_000
START_NS = 1_756_857_600 * SECOND  # 2025-09-03 00:00 UTC.
HORIZONS = {"mid_0_1s": 0.1, "mid_1s": 1, "mid_5s": 5, "mid_30s": 30, "mid_60s": 60, "mid_300s": 300}
MARKET = Market("SOL/USDC", Decimal("0.01"), Decimal("0.001"))
START_BASE, START_QUOTE = 50.0, 10_000.0

CONFIG_TEXT = """\
version = 1

[market]
venue = "sim"
symbol = "SOL/USDC"
tick_size = "0.01"
lot_size = "0.001"
min_size = "0.1"
maker_fee_bps = 0.2
taker_fee_bps = 0.6

[grid.bid]
levels = 3
first_bps = 4
step_bps = 6
total_size = "6"

[grid.ask]
levels = 3
first_bps = 4
step_bps = 6
total_size = "6"

[inventory]
start_base = "50"
start_quote = "10000"
target = "50"
max_position = "20"

[simulation]
queue = "back"
entry_latency_ms = 60
response_latency_ms = 40
fill_on_quotes = true

[data]
equity_sample_s = 1
"""
CONFIG: dict[str, Any] = tomllib.loads(CONFIG_TEXT)

FILLS = {
    "ts_ns": pl.Int64, "known_ns": pl.Int64, "order_id": pl.Int64, "level": pl.Int64, "side": pl.Int64,
    "price": pl.Float64, "size": pl.Float64, "price_ticks": pl.Int64, "size_lots": pl.Int64, "fee": pl.Float64,
    "liquidity": pl.String, "position": pl.Float64, "cash": pl.Float64, "cause": pl.String, "mid": pl.Float64,
    "past_quote": pl.Boolean, **dict.fromkeys(HORIZONS, pl.Float64),
}  # fmt: skip
ORDERS = {
    "order_id": pl.Int64, "level": pl.Int64, "side": pl.Int64, "price": pl.Float64, "size": pl.Float64,
    "price_ticks": pl.Int64, "size_lots": pl.Int64, "pivot": pl.Float64, "decided_ns": pl.Int64,
    "accepted_ns": pl.Int64, "done_ns": pl.Int64, "done": pl.String, "filled_size": pl.Float64,
    "filled_lots": pl.Int64, "reason": pl.String,
}  # fmt: skip
EQUITY = {
    "ts_ns": pl.Int64, "mid": pl.Float64, "pivot": pl.Float64, "position": pl.Float64, "cash": pl.Float64,
    "equity": pl.Float64, "drawdown": pl.Float64, "tape_volume": pl.Float64,
}  # fmt: skip
BREAKER = {"ts_ns": pl.Int64, "tier": pl.Int64, "cause": pl.String, "equity": pl.Float64}


def fills(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Return fills with what `rows` say; sizes in lots of 0.001, times in seconds (`s`), the rest neutral."""
    neutral = {"order_id": 1, "level": 0, "fee": 0.0, "liquidity": "maker", "cause": "print", "past_quote": False}
    told = [neutral | row | {"ts_ns": int(row.get("s", 0) * SECOND)} for row in rows]
    for row in told:
        row["size_lots"] = round(row["size"] * 1000)
    return pl.DataFrame([{name: row.get(name) for name in FILLS} for row in told], schema=FILLS)


def equity(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Return an equity table; times in seconds (`s`); the fall from the peak is worked out."""
    told = [{"position": 0.0, "cash": 0.0, "mid": 100.0} | row | {"ts_ns": int(row["s"] * SECOND)} for row in rows]
    table = pl.DataFrame([{name: row.get(name) for name in EQUITY} for row in told], schema=EQUITY)
    return table.with_columns(drawdown=1 - pl.col("equity") / pl.col("equity").cum_max())


def orders(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Return orders with what `rows` say; `size` and `filled_size` in base, `accepted_ns` as given."""
    neutral = {"level": 0, "filled_size": 0.0, "price": 100.0, "done": "cancelled", "reason": "", "decided_ns": 0}
    return pl.DataFrame([{name: (neutral | row).get(name) for name in ORDERS} for row in rows], schema=ORDERS)


def stretches(*counts: tuple[int, int, int, int]) -> pl.DataFrame:
    """Return a table of stretches of a minute each: how many prints there were, had a side, lay outside, on the wrong side."""
    names = ("prints", "sided", "outside", "wrong_side")
    rows = [{"from_ns": n * 60 * SECOND, "to_ns": (n * 60 + 59) * SECOND} | dict(zip(names, each, strict=True))
            for n, each in enumerate(counts)]  # fmt: skip
    return pl.DataFrame(rows, schema=dict.fromkeys(("from_ns", "to_ns", *names), pl.Int64))


def nothing(**changes: Any) -> Outcome:
    """Return the outcome of a run that saw ten trades in a minute and did nothing, but for `changes`."""
    total = 60 * SECOND
    blank = Outcome(
        market=MARKET,
        orders=pl.DataFrame(schema=ORDERS),
        fills=pl.DataFrame(schema=FILLS),
        equity=equity([{"s": 0, "equity": 1000.0, "pivot": 100.0, "tape_volume": 0.0},
                       {"s": 60, "equity": 1000.0, "pivot": 100.0, "tape_volume": 100.0}]),
        breaker=pl.DataFrame(schema=BREAKER),
        counts={"events": 10, "trades": 10, "quotes": 0, "depths": 0, "orders": 0, "fills": 0, "cancels": 0,
                "rejected": 0, "timers": 0, "requotes": 0},
        refusals={},
        pnl=dict.fromkeys(("net", "spread", "inventory", "fees", "tips", "rounding"), 0),
        net_vs_hold=0,
        digest="0123456789abcdef",
        times={"total": total, "pivot": total, "two_sided": 0, "bid_at_touch": 0, "ask_at_touch": 0,
               "both_at_touch": 0, "at_limit": 0, "halted": 0, "crossed": 0},
        fit={"levels_passed": 0, "past_stale": 0},
        stretches=stretches((10, 10, 0, 0)),
        sums=dict.fromkeys(("position_ns", "position2_ns", "abs_position_ns", "quoted_spread_ns"), 0.0),
        first_ns=0,
        last_ns=total,
        load_seconds=0.1,
        engine_seconds=0.1,
    )  # fmt: skip
    return replace(blank, **changes)


def day(seed: int = 7, fills_wanted: int = 3000, seconds: int = 86_400) -> Outcome:
    """Return the outcome of a day: a mid that wanders, fills at the levels, money that adds up to the quantum."""
    dice = np.random.default_rng(seed)
    mids = np.round(200 + np.cumsum(dice.normal(0, 0.008, seconds + 1)), 3)
    second = np.sort(dice.integers(1, seconds, fills_wanted))
    level = dice.choice(3, fills_wanted, p=[0.7, 0.2, 0.1])
    position_lots, cash = round(START_BASE * 1000), START_QUOTE
    rows: list[dict[str, Any]] = []
    for number, (at, step) in enumerate(zip(second.tolist(), level.tolist(), strict=True)):
        lean = (position_lots / 1000 - START_BASE) / 20
        side = 1 if dice.random() < 0.5 - 0.45 * lean else -1
        mid, ticks = mids[at], round((mids[at] - side * 0.02 * (1 + 3 * step)) * 100)
        lots = int(dice.integers(100, 900)) * (step + 1)
        fee = round(ticks / 100 * lots / 1000 * 2e-5, 6)
        position_lots += side * lots
        cash -= side * ticks / 100 * lots / 1000 + fee
        ts_ns = START_NS + at * SECOND + 137_000_000
        ahead = {name: mids[int(at + h)] if at + h <= seconds else None for name, h in HORIZONS.items()}
        rows.append(
            {"ts_ns": ts_ns, "known_ns": ts_ns + 60_000_000, "order_id": number, "level": step, "side": side,
             "price": ticks / 100, "size": lots / 1000, "price_ticks": ticks, "size_lots": lots, "fee": fee,
             "liquidity": "maker", "position": position_lots / 1000, "cash": cash,
             "cause": "quote" if dice.random() < 0.12 else "print", "mid": mid,
             "past_quote": False, **ahead}
        )  # fmt: skip
    done = pl.DataFrame(rows, schema=FILLS)
    sheet = _equity_of(done, mids)
    sent = _orders_of(done, sheet, dice)
    return replace(
        nothing(),
        orders=sent,
        fills=done,
        equity=sheet,
        breaker=pl.DataFrame(
            {"ts_ns": [START_NS + 30_000 * SECOND, START_NS + 42_000 * SECOND], "tier": [1, 0],
             "cause": ["drawdown", "rearm"], "equity": [19_900.0, 20_010.0]}, schema=BREAKER),
        counts={"events": 900_000, "trades": 200_000, "quotes": 700_000, "depths": 0, "orders": len(sent),
                "fills": fills_wanted, "cancels": len(sent) - fills_wanted, "rejected": 4, "timers": 11,
                "requotes": 4000},
        refusals={"position": 12, "balance": 3},
        pnl=_pnl_of(done, sheet),
        net_vs_hold=MARKET.to_quanta(Decimal(str(round(_change(sheet) - START_BASE * (mids[-1] - mids[0]), 6)))),
        times={"total": seconds * SECOND, "pivot": seconds * SECOND, "two_sided": int(0.93 * seconds) * SECOND,
               "bid_at_touch": int(0.31 * seconds) * SECOND, "ask_at_touch": int(0.28 * seconds) * SECOND,
               "both_at_touch": int(0.11 * seconds) * SECOND, "at_limit": int(0.02 * seconds) * SECOND, "halted": 0,
               "crossed": 0},
        sums={"position_ns": float(sheet["position"].sum() * SECOND),
              "position2_ns": float((sheet["position"] ** 2).sum() * SECOND),
              "abs_position_ns": float(sheet["position"].abs().sum() * SECOND),
              "quoted_spread_ns": 0.09 * 0.93 * seconds * SECOND},
        first_ns=START_NS,
        last_ns=START_NS + seconds * SECOND,
        load_seconds=0.41,
        engine_seconds=0.03,
    )  # fmt: skip


def _equity_of(done: pl.DataFrame, mids: Any) -> pl.DataFrame:
    """Return the account every second, after the fills up to it."""
    clock = pl.DataFrame({"ts_ns": START_NS + np.arange(len(mids)) * SECOND, "mid": mids}).set_sorted("ts_ns")
    slow = pl.col("mid").rolling_mean(600, min_samples=1).alias("pivot")
    after = done.select("ts_ns", "position", "cash").set_sorted("ts_ns")
    return (
        clock.with_columns(slow, tape_volume=pl.int_range(pl.len()) * 0.4)
        .join_asof(after, on="ts_ns")
        .with_columns(pl.col("position").fill_null(START_BASE), pl.col("cash").fill_null(START_QUOTE))
        .with_columns(equity=pl.col("cash") + pl.col("position") * pl.col("mid"))
        .with_columns(drawdown=1 - pl.col("equity") / pl.col("equity").cum_max())
        .select(EQUITY.keys())
    )


def _orders_of(done: pl.DataFrame, sheet: pl.DataFrame, dice: np.random.Generator) -> pl.DataFrame:
    """Return the orders behind the fills, and of each level a cancelled one a minute that hugs the mid."""
    filled = done.select(
        "order_id", "level", "side", "price", "size", "price_ticks", "size_lots",
        pivot=pl.lit(None, pl.Float64),
        decided_ns=pl.col("ts_ns") - pl.Series(dice.integers(1, 60, len(done))) * SECOND - 60_000_000,
        done_ns="ts_ns", done=pl.lit("filled"), filled_size="size", filled_lots="size_lots", reason=pl.lit(""),
    )  # fmt: skip
    minutes = sheet.gather_every(60).select(decided_ns="ts_ns", pivot="pivot", mid="mid")
    quiet = pl.concat(
        [
            minutes.select(
                order_id=pl.int_range(pl.len()) + 1_000_000 * (1 + step) * (2 + side), level=pl.lit(step, pl.Int64),
                side=pl.lit(side, pl.Int64), price=(pl.col("mid") - side * 0.02 * (1 + 3 * step)).round(2),
                size=pl.lit(1.0 + step), size_lots=pl.lit(1000 * (1 + step), pl.Int64), pivot="pivot",
                decided_ns="decided_ns", done_ns=pl.col("decided_ns") + 60 * SECOND, done=pl.lit("cancelled"),
                filled_size=pl.lit(0.0), filled_lots=pl.lit(0, pl.Int64), reason=pl.lit(""),
            )
            for side in (1, -1)
            for step in (0, 1, 2)
        ]
    ).with_columns(price_ticks=(pl.col("price") * 100).round().cast(pl.Int64))  # fmt: skip
    both = pl.concat([filled, quiet], how="diagonal")
    return both.with_columns(accepted_ns=pl.col("decided_ns") + 60_000_000).select(ORDERS.keys()).sort("decided_ns")


def _change(sheet: pl.DataFrame) -> float:
    return float(sheet["equity"][-1] - sheet["equity"][0])


def _pnl_of(done: pl.DataFrame, sheet: pl.DataFrame) -> dict[str, int]:
    """Return the money in quanta, so that the parts add up to the change of equity."""

    def quanta(money: float) -> int:
        return round(money / float(MARKET.quantum))

    net, fees = quanta(_change(sheet)), -quanta(float(done["fee"].sum()))
    spread = quanta(float((done["side"] * done["size"] * (done["mid"] - done["price"])).sum()))
    return {"net": net, "spread": spread, "inventory": net - fees - spread, "fees": fees, "tips": 0, "rounding": 0}


def summary_of(outcome: Outcome, statistics: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the summary that the backtest writes of `outcome`."""
    money = outcome.market.money
    told = {
        "version": 1, "symbol": outcome.market.symbol, "venue": "sim", "engine": "fused",
        **{name: outcome.counts[name] for name in ("events", "trades", "quotes", "orders", "fills")},
        "digest": outcome.digest, "pnl": {name: str(money(amount)) for name, amount in outcome.pnl.items()},
        "net_vs_hold": str(money(outcome.net_vs_hold)), "max_drawdown": statistics["drawdown"]["max"],
        "first_ns": outcome.first_ns, "last_ns": outcome.last_ns, "load_seconds": outcome.load_seconds,
        "engine_seconds": outcome.engine_seconds, "events_per_second": 3e7, "statistics": statistics,
        "quality": {"rows": 900_120, "told": 900_000, "crossed": 3, "locked": 122, "off_lot": 0,
                    "bad": {"grid": 120}, "gaps": []},
        "warnings": ["120 bad rows dropped"],
    }  # fmt: skip
    return told | changes


def write_run(run_dir: Path, outcome: Outcome, statistics: dict[str, Any], **changes: Any) -> Path:
    """Write the folder of a run as `bmv backtest` does, `changes` being of its summary."""
    run_dir.mkdir(parents=True, exist_ok=True)
    summary = summary_of(outcome, statistics, **changes)
    (run_dir / "summary.json").write_bytes(orjson.dumps(summary, option=orjson.OPT_INDENT_2))
    manifest = {"data": [{"path": "SOL.parquet", "sha256": "ab" * 32, "rows": 900_120}], "versions": {"bmv": "0.1.0"}}
    (run_dir / "manifest.json").write_bytes(orjson.dumps(manifest))
    (run_dir / "config.resolved.toml").write_text(CONFIG_TEXT, "utf-8")
    for name in ("orders", "fills", "equity"):
        getattr(outcome, name).write_parquet(run_dir / f"{name}.parquet")
    return run_dir
