"""Runs made so that what seldom happens by chance happens in them for certain."""

from random import Random
from typing import Any, NamedTuple

from chance import LATENCIES, rows, seeds
from restless import COMPILED_STRATEGIES, PLAIN_STRATEGIES, Verb
from twins import Case

Settings = dict[str, Any]

USUAL: Settings = {
    "version": 1,
    "market": {
        "symbol": "SCENE", "tick_size": "0.01", "lot_size": "0.1", "maker_fee_bps": "-0.5", "taker_fee_bps": 4,
    },
    "pivot": {"window_s": 5, "history_s": 60},
    "grid": {
        "bid": {"levels": 3, "first_bps": 1, "step_bps": 2, "step_ratio": 1.4, "total_size": 6, "size_ratio": 1.5},
        "ask": {"levels": 2, "first_bps": 1, "step_bps": 3, "total_size": 5},
    },
    "inventory": {"start_base": 50, "start_quote": 5000, "max_position": 40, "price_skew_bps": 8, "size_skew": 0.5},
    "requote": {"threshold_bps": 1, "min_interval_ms": 50, "fill_delay_s": 0.1},
    "simulation": {"entry_latency_ms": 30, "response_latency_ms": 20, "queue": "back"},
}  # fmt: skip


class Scene(NamedTuple):
    """Settings beside the usual ones, by their dotted keys, and what must occur in the run."""

    changes: Settings
    occurs: set[str]
    strategy: Verb | None = None
    deep: bool = False
    calm: bool = False  # Hardly any moves, and prints at the touch: queues decide.


def queueing(model: str) -> Scene:
    """Return a scene at the touch, where queues decide."""
    changes = {"simulation.queue": model, "requote.threshold_bps": 0, "requote.tolerance_size": 1}
    return Scene(changes, {"filled by print"}, COMPILED_STRATEGIES[1], calm=True)


SCENES = {
    "prints and quotes fill": Scene({}, {"filled by print", "filled by quote", "filled in part", "done filled"}),
    "queue front": queueing("front"),
    "queue back": queueing("back"),
    "queue power": queueing("power"),
    "queue log": queueing("log"),
    "quotes do not fill": Scene({"simulation.fill_on_quotes": False}, {"filled by print"}),
    "depth": Scene({"simulation.queue": "power"}, {"depth"}, deep=True),
    "late": Scene(
        {"simulation.entry_latency_ms": 400, "simulation.response_latency_ms": 900},
        {"done rejected", "a cancel lost its race", "done cancelled", "done end"},
    ),
    "late by chance": Scene(
        {
            "simulation.entry_latency_ms": {"model": "random", "median_ms": 60, "p99_ms": 900},
            "simulation.response_latency_ms": {"model": "recorded", "file": str(LATENCIES)},
        },
        {"done cancelled", "woken by a timer"},
    ),
    "a breaker that halts and flattens": Scene(
        {
            "risk.breaker.warn_pct": "0.005", "risk.breaker.reduce_pct": "0.02", "risk.breaker.halt_pct": "0.06",
            "risk.breaker.on_halt": "flatten", "risk.max_order_notional": 150, "inventory.target": 30,
        },
        {"warned", "reduced", "halted", "tripped by drawdown", "flattened", "all cancelled with one word"},
    ),
    "a bad day": Scene({"risk.breaker.daily_pct": "0.02"}, {"tripped by daily", "refused halted"}),
    "a loss": Scene({"risk.breaker.max_loss": "0.5"}, {"tripped by max_loss"}),
    "only reducing": Scene({"risk.breaker.reduce_pct": "0.001"}, {"reduced", "refused reduce_only"}),
    "a small purse": Scene(
        {"inventory.start_base": "1.5", "inventory.start_quote": 120, "risk.max_position": 2},
        {"refused balance", "refused position"},
    ),
    "limits": Scene(
        {
            "risk.max_order_notional": 220, "risk.max_total_notional": 300, "risk.max_last_trade_bps": 5,
            "risk.stale_after_s": 1,
        },
        {"refused order_notional", "refused total_notional", "refused last_trade_distance", "refused stale"},
    ),
    "slow permission": Scene(
        {"risk.max_orders_per_minute": 9, "risk.max_cancels_per_minute": 3, "requote.max_age_s": 2},
        {"refused order_rate", "refused cancel_rate"},
    ),
    "few places": Scene(
        {"risk.max_open_orders": 5, "simulation.entry_latency_ms": 400, "requote.tolerance_bps": 0},
        {"refused open_orders"},
    ),
    "dying orders in the way": Scene(
        {"simulation.entry_latency_ms": 900, "requote.tolerance_bps": 0, "pivot.window_s": 0.1},
        {"refused own_order"},
    ),
    "history that runs out": Scene({"pivot.window_s": 0.1, "pivot.history_s": 2}, {"refused no_pivot"}),
    "a strategy in machine code": Scene(
        {}, {"a compiled strategy traded", "filled by take", "done expired"}, COMPILED_STRATEGIES[0]
    ),
    "a strategy in plain Python": Scene({}, {"a plain strategy traded", "filled by take"}, PLAIN_STRATEGIES[0]),
    "a strategy at the touch": Scene(
        {"requote.threshold_bps": 0, "requote.max_age_s": 20}, {"a compiled strategy traded"}, COMPILED_STRATEGIES[1]
    ),
    "a strategy over depth": Scene({}, {"depth", "filled by take"}, COMPILED_STRATEGIES[0], deep=True),
}  # fmt: skip


def case(name: str, seed: int = 1, length: int = 500, batch_rows: int = 1 << 20) -> Case:
    """Return the run called `name`."""
    scene = SCENES[name]
    dice = Random(seed)
    numbers = [_calm_row(dice) if scene.calm else _any_row(dice) for _ in range(length)]
    told = rows(numbers, scene.deep)
    return Case(_settings(scene), seeds([dice.randrange(1 << 20) for _ in range(5)]), told, scene.strategy, batch_rows)


def _any_row(dice: Random) -> tuple[int, int]:
    return dice.randrange(16**4), dice.randrange(16 * 8**4 * 3)


def _calm_row(dice: Random) -> tuple[int, int]:
    gap, kind, move, size = dice.randrange(9), dice.randrange(13), dice.randrange(16) // 15 * dice.choice([4, 6]), 0
    offset, bid, ask, bid_size, ask_size = dice.choice([4, 7]), 0, 0, dice.randrange(7), dice.randrange(7)
    size, side = dice.randrange(6), dice.randrange(2)
    one = gap + 16 * (kind + 16 * (move + 16 * size))
    return one, offset + 16 * (bid + 8 * (ask + 8 * (bid_size + 8 * (ask_size + 8 * side))))


def _settings(scene: Scene) -> Settings:
    told: Settings = {section: dict(table) if isinstance(table, dict) else table for section, table in USUAL.items()}
    for dotted, value in scene.changes.items():
        *sections, key = dotted.split(".")
        table = told
        for section in sections:
            table = table.setdefault(section, {})
        table[key] = value
    if scene.strategy is not None:
        told["strategy"] = "restless.py:any"
    return told
