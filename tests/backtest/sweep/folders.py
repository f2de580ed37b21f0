"""A made-up sweep folder: sets whose profit is a hill over their keys, with noise, judged by the real validation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from bmv.backtest.sweep.judge.verdict import judge

SECOND = 1_000_000_000
START_NS = 1_756_857_600 * SECOND  # 2025-09-03 00:00 UTC.
DAY_NS = 86_400 * SECOND
PERIODS = 240
QUANTUM = 1e-6

FIRST = {"key": "grid.bid.first_bps", "kind": "float", "low": 2, "high": 20, "step": 2, "log": False, "values": None,
         "also": ["grid.ask.first_bps"]}  # fmt: skip
WINDOW = {"key": "pivot.window_s", "kind": "float", "low": 5.0, "high": 600.0, "step": None, "log": True,
          "values": None, "also": []}  # fmt: skip
QUEUE = {"key": "simulation.queue", "kind": "choice", "low": None, "high": None, "step": None, "log": False,
         "values": ["front", "power", "back"], "also": []}  # fmt: skip
KEYS = (FIRST, WINDOW, QUEUE)
CONFIG_TEXT = """\
version = 1

[market]
symbol = "SOL/USDC"

[sweep]
sampler = "random"
across = "mean"
pruning = "hopeless"

[sweep.constraints]
max_drawdown = 0.3
min_fills = 30

[sweep.validation]
holdout = 0.25
periods = 240
"""


def trials(
    n: int, keys: Sequence[dict[str, Any]] = KEYS, *, edge: float = 1.0, objectives: Sequence[str] = ("net",),
    tapes: int = 1, seed: int = 5,
) -> pl.DataFrame:  # fmt: skip
    """Return `n` trials of a random search, one in 25 pruned; `edge` is how high the hill stands above the noise."""
    dice = np.random.default_rng(seed)
    drawn = {told["key"]: _draw(told, n, dice) for told in keys}
    hill = sum((_height(told, drawn[told["key"]]) for told in keys), np.zeros(n)) / max(len(keys), 1)
    market = dice.normal(0, 40_000, PERIODS * tapes)  # What all sets share.
    own = dice.normal(0, 60_000, (n, PERIODS * tapes)) + market
    returns = (own + (edge * hill[:, None] - 0.3) * 30_000).astype(np.int64)
    net = returns.sum(axis=1) * QUANTUM
    fills = dice.integers(40, 900, n)
    rows: dict[str, Any] = {
        "trial": np.arange(n),
        "state": ["pruned" if k % 25 == 24 else "complete" for k in range(n)],
    }
    rows["reason"] = ["below the median at half of the tape" if k % 25 == 24 else "" for k in range(n)]
    for told in keys:
        rows |= dict.fromkeys((told["key"], *told["also"]), drawn[told["key"]])
    rows |= {"digest": [f"{k:016x}" for k in range(n)], "net": net}
    rows |= {name: 0.3 * net + dice.normal(0, 1, n) for name in objectives if name != "net"}
    rows["feasible"] = fills > 60
    rows |= {
        "events": np.full(n, 900_000), "orders": fills * 5, "fills": fills, "cancels": fills * 4,
        "volume": fills * 0.4, "spread": net * 1.4, "inventory": net * -0.3, "fees": net * -0.1, "net_vs_hold": net - 1,
        "max_drawdown": dice.uniform(0.01, 0.2, n), "sharpe": net / 3, "sampling_s": np.full(n, 60.0),
        "markout_bps_5s": dice.normal(0.2, 1, n), "markout_bps_60s": dice.normal(0, 2, n),
        "adverse_share": [None] * n, "uptime": dice.uniform(0.5, 1, n), "turnover": fills / 100,
        "end_position": dice.normal(0, 3, n), "halted_share": np.zeros(n),
    }  # fmt: skip
    for tape in range(tapes if tapes > 1 else 0):
        rows[f"net.day {tape}"] = returns[:, tape * PERIODS : (tape + 1) * PERIODS].sum(axis=1) * QUANTUM
    rows |= {"quoting": net, "market": np.zeros(n), "returns": returns.tolist()}
    rows |= {"held": [[0] * PERIODS * tapes] * n, "mids": [[1] * (PERIODS + 1) * tapes] * n}
    lists = dict.fromkeys(("returns", "held", "mids"), pl.List(pl.Int64))
    schema = {"adverse_share": pl.Float64, **lists, "state": pl.String, "reason": pl.String,
              "digest": pl.String}  # fmt: skip
    table = pl.DataFrame(rows, schema_overrides=schema)
    if not n:
        return table
    ran = pl.col("state") == "complete"
    left_out = ["net", "quoting", "market", "feasible", *lists, *(name for name in objectives if name != "net")]
    return table.with_columns(pl.when(ran).then(pl.col(name)).alias(name) for name in left_out)


def _draw(told: dict[str, Any], n: int, dice: np.random.Generator) -> Any:
    if told["values"]:
        return np.array(told["values"])[dice.integers(0, len(told["values"]), n)]
    if told["step"]:
        return dice.integers(0, round((told["high"] - told["low"]) / told["step"]) + 1, n) * told["step"] + told["low"]
    drawn = np.exp(dice.uniform(np.log(told["low"]), np.log(told["high"]), n))
    return drawn if told["log"] else dice.uniform(told["low"], told["high"], n)


def _height(told: dict[str, Any], values: Any) -> Any:
    """Return 1 at a third of the range, falling to about 0 at its ends; the later of words are the lower."""
    if told["values"]:
        return 1 - 0.3 * np.array([told["values"].index(value) for value in values.tolist()])
    place = (np.log(values / told["low"]) / np.log(told["high"] / told["low"])) if told["log"] else (
        (values - told["low"]) / (told["high"] - told["low"]))  # fmt: skip
    return 1.2 - 4 * (place - 0.35) ** 2


def write_sweep(
    folder: Path, table: pl.DataFrame, keys: Sequence[dict[str, Any]] = KEYS, *, objectives: Sequence[str] = ("net",),
    directions: Sequence[str] = ("maximize", "minimize"), tapes: int = 1, edge: float = 1.0, config: str = CONFIG_TEXT,
    **changes: Any,
) -> Path:  # fmt: skip
    """Write the folder of a sweep whose trials are `table`, as `bmv sweep` does; `changes` are of its summary."""
    (folder / "best").mkdir(parents=True)
    ranked = table.filter(pl.col("feasible").fill_null(False)).sort(
        objectives[0], descending=directions[0] == "maximize"
    )
    validation, verdict = judge(
        table, list(keys), objectives[0], _holdout(ranked, edge), len(table) + 7, np.zeros(0), {},
        direction=directions[0],
    )  # fmt: skip
    counts = {state: int((table["state"] == state).sum()) for state in ("complete", "pruned", "invalid")}
    summary = {
        "version": 1, "kind": "sweep", "symbol": "SOL/USDC", "name": "first", "sampler": "random", "seed": 5,
        "trials": {"planned": len(table), **counts},
        "objectives": [{"name": name, "direction": way} for name, way in zip(objectives, directions, strict=False)],
        "parameters": list(keys), "best": _best(ranked, keys, objectives[0]),
        "front": _front(ranked, objectives, directions) if len(objectives) > 1 else [],
        "validation": validation, "verdict": verdict, "warnings": ["3 bad rows dropped"],
        "tapes": [_tape(number) for number in range(tapes)],
        "speed": {"seconds": 61.2, "events_sets_per_second": 81_234_567.0, "workers": 2}, "quantum": "0.000001",
    }  # fmt: skip
    for trial in ranked["trial"].head(5).to_list():
        _equity(trial, tapes, edge).write_parquet(folder / "best" / f"equity-{trial}.parquet")
    table.write_parquet(folder / "trials.parquet")
    (folder / "summary.json").write_bytes(orjson.dumps(summary | changes, option=orjson.OPT_INDENT_2))
    (folder / "manifest.json").write_bytes(orjson.dumps({"kind": "sweep", "versions": {"bmv": "0.1.0"}, "seed": 5}))
    (folder / "config.resolved.toml").write_text(config, "utf-8")
    return folder


def _best(ranked: pl.DataFrame, keys: Sequence[dict[str, Any]], objective: str) -> dict[str, Any] | None:
    if not len(ranked):
        return None
    row = ranked.drop("returns", "held", "mids").row(0, named=True)
    chosen = {key: row[key] for told in keys for key in (told["key"], *told["also"])}
    return {"trial": row["trial"], "set": chosen, "objective": row[objective], **row}


def _front(ranked: pl.DataFrame, objectives: Sequence[str], directions: Sequence[str]) -> list[int]:
    """Return the trials that no other beats in every objective."""
    signs = [1 if way == "maximize" else -1 for way in directions]
    worth = np.column_stack([ranked[name].to_numpy() * sign for name, sign in zip(objectives, signs, strict=False)])
    alone = [not (worth > row).all(axis=1).any() for row in worth]
    return ranked.filter(pl.Series(alone, dtype=pl.Boolean))["trial"].to_list()


def _holdout(ranked: pl.DataFrame, edge: float) -> dict[str, Any] | None:
    if not len(ranked):
        return None
    returns = (np.random.default_rng(9).normal(edge - 0.3, 2, 80) * 30_000).astype(np.int64)
    nothing = {"held": [0] * 80, "mids": [1] * 81}
    return {"net": int(returns.sum()) * QUANTUM, "returns": returns.tolist(), "fills": 120, **nothing}


def _tape(number: int) -> dict[str, Any]:
    first = START_NS + number * DAY_NS
    return {"name": f"day {number}", "first_ns": first, "last_ns": first + DAY_NS - SECOND,
            "split_ns": first + 3 * DAY_NS // 4, "events": 900_000, "events_held_out": 300_000, "symbol": "SOL/USDC"}  # fmt: skip


def _equity(trial: int, tapes: int, edge: float) -> pl.DataFrame:
    """Return the account of a set every ten seconds; each run begins with the same balances."""
    dice = np.random.default_rng(trial)
    parts = []
    for told in map(_tape, range(tapes)):
        for start, end in ((told["first_ns"], told["split_ns"]), (told["split_ns"], told["last_ns"])):
            ts = np.arange(start, end, 10 * SECOND)
            equity = 10_000 + np.cumsum(dice.normal((edge - 0.3) * 0.0008, 0.02, len(ts)))
            fallen = 1 - equity / np.maximum.accumulate(equity)
            parts.append(pl.DataFrame({"ts_ns": ts, "equity": equity, "drawdown": fallen, "position": 0 * equity}))
    return pl.concat(parts)
