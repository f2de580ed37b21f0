"""Every key of the configuration, swept: no set is complete whose own backtest would be refused or come out otherwise."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from searches import configured, lake

from bmv.adapters.config import build
from bmv.adapters.config.fields import keys_of
from bmv.adapters.config.schema import Config
from bmv.backtest.api import Backtest
from bmv.backtest.result import Result
from bmv.backtest.sweep.plan import Plan, make_plan
from bmv.backtest.sweep.run.work import Task, Work
from bmv.backtest.sweep.tapes import tapes
from bmv.backtest.sweep.trials.space import parsed, trading, with_values
from bmv.data.ticks.schema import LAKE
from bmv.ports.errors import BmvError, ConfigError, UsageError

SWEPT = {
    "market.min_size": ("0.1", "0.66"),
    "market.maker_fee_bps": ("2", "3"),
    "market.taker_fee_bps": ("6", "7"),
    "pivot.window_s": ("10", "60"),
    "pivot.history_s": ("60", "1800"),
    "grid.bid.levels": ("1", "2"),
    "grid.bid.first_bps": ("2", "8"),
    "grid.bid.step_bps": ("2", "8"),
    "grid.bid.step_ratio": ("2", "3"),
    "grid.bid.total_size": ("1.5", "3"),
    "grid.bid.size_ratio": ("2", "3"),
    "grid.ask.levels": ("1", "2"),
    "grid.ask.first_bps": ("2", "8"),
    "grid.ask.step_bps": ("2", "8"),
    "grid.ask.step_ratio": ("2", "3"),
    "grid.ask.total_size": ("1.5", "3"),
    "grid.ask.size_ratio": ("2", "3"),
    "inventory.start_base": ("40", "55"),
    "inventory.start_quote": ("300", "500"),
    "inventory.target": ("45", "60"),
    "inventory.max_position": ("2", "4"),
    "inventory.price_skew_bps": ("20", "100"),
    "inventory.size_skew": ("0.5", "1"),
    "requote.threshold_bps": ("2", "9"),
    "requote.tolerance_bps": ("0.3", "3"),
    "requote.tolerance_size": ("0", "0.5"),
    "requote.min_interval_ms": ("0", "3000"),
    "requote.max_age_s": ("5", "20"),
    "requote.fill_delay_s": ("1", "10"),
    "risk.max_position": ("51", "52"),
    "risk.max_open_orders": ("6", "8"),
    "risk.max_order_notional": ("100", "150"),
    "risk.max_total_notional": ("300", "500"),
    "risk.max_orders_per_minute": ("4", "8"),
    "risk.max_cancels_per_minute": ("3", "6"),
    "risk.max_last_trade_bps": ("5", "6"),
    "risk.stale_after_s": ("0.3", "2"),
    "risk.stale_after_slots": ("1", "2"),
    "risk.min_sol": ("1", "2"),
    "risk.max_fees_sol_per_day": ("1", "2"),
    "risk.max_fees_sol_per_hour": ("1", "2"),
    "risk.breaker.warn_pct": ("0.01", "0.02"),
    "risk.breaker.reduce_pct": ("0.03", "0.15"),
    "risk.breaker.halt_pct": ("0.06", "0.1"),
    "risk.breaker.daily_pct": ("0.05", "0.1"),
    "risk.breaker.max_loss": ("5", "10"),
    "risk.breaker.on_halt": ("cancel", "flatten"),
    "risk.breaker.flatten_bps": ("0", "20"),
    "simulation.entry_latency_ms": ("0", "500"),
    "simulation.response_latency_ms": ("0", "500"),
    "simulation.queue": ("front", "power"),
    "simulation.queue_power": ("1", "8"),
    "simulation.fill_on_quotes": ("true", "false"),
    "simulation.seed": ("2", "3"),
}  # Two valid values of each, neither of them the one below.
ALIKE = {
    "risk.stale_after_slots",
    "risk.min_sol",
    "risk.max_fees_sol_per_day",
    "risk.max_fees_sol_per_hour",
    "risk.breaker.warn_pct",
}  # A backtest does not go by these.
REFERENCE = {"pivot.reference_weight": "0,0.5", "pivot.max_deviation_bps": "5,9", "risk.max_reference_bps": "5,9"}
COUNTED_IN = ("market.tick_size", "market.lot_size", "market.quote_step")
SIDE = {"levels": 3, "first_bps": 4, "step_bps": 4, "total_size": 2}
SECTIONS: dict[str, Any] = {
    "grid": {"bid": SIDE, "ask": SIDE},
    "inventory": {"start_base": 50, "start_quote": 400, "max_position": 5, "target": 51},
    "simulation": {
        "entry_latency_ms": {"model": "random", "median_ms": 50, "p99_ms": 400},
        "response_latency_ms": 50, "queue": "power", "queue_power": 3,
    },
}  # fmt: skip
HALTED = {"risk": {"breaker": {"halt_pct": "0.06", "on_halt": "flatten", "flatten_bps": 5}}}
NEAR = {**SIDE, "first_bps": 0.2, "step_bps": 0.5}
BY_PRINTS = {"simulation": {**SECTIONS["simulation"], "fill_on_quotes": False}, "grid": {"bid": NEAR, "ask": NEAR}}
BESIDE: dict[str, Any] = {  # What a key needs beside it, to change anything.
    "market.taker_fee_bps": HALTED, "risk.breaker.on_halt": HALTED, "risk.breaker.flatten_bps": HALTED,
    "simulation.queue_power": BY_PRINTS,
}  # fmt: skip
WINDOW = "20250903T0015-20250903T0045"
OVERRIDES = {
    "market.tick_size": "0.001", "market.lot_size": "0.0001", "market.quote_step": "0.0001", "pivot.history_s": 1200,
    "data.equity_sample_s": 7, "simulation.queue": "front",
}  # fmt: skip


@pytest.fixture(scope="module")
def ticks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lake(tmp_path_factory.mktemp("ticks"), 12_000)


@pytest.fixture(scope="module")
def units(ticks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same ticks in units, which any finer tick and lot may count."""
    path = tmp_path_factory.mktemp("units") / "ticks.parquet"
    whole = pl.read_parquet(next(ticks.rglob("*.parquet"))).select(list(LAKE))
    prices, sizes = pl.col("price", "bid", "ask") * 0.01, pl.col("size", "bid_size", "ask_size") * 0.001
    words = pl.col("kind").replace_strict({1: "trade", 2: "quote"}, return_dtype=pl.String)
    whole.with_columns(prices, sizes, words).rename({"ts_ns": "ts"}).write_parquet(path)
    return path


def plan_of(key: str, values: tuple[str, ...], ticks: Path) -> Plan:
    sweep = {"objective": "net", "pruning": "none", "validation": {"holdout": 0}}
    config = configured(**{**SECTIONS, **BESIDE.get(key, {})}, sweep=sweep)
    return make_plan(config, [f"{key}={','.join(values)}"], [str(ticks)], WINDOW)


def rows_of(plan: Plan) -> list[dict[str, Any]]:
    work = Work(plan.config, tapes.read(plan.config, plan.axes, plan.splits), plan.objectives, plan.periods)
    return [row for n, each in enumerate(plan.proposer().propose()) if (row := work.row(Task(n, each)))]


def alone(plan: Plan, values: dict[str, Any]) -> Result:
    """Return the backtest of a set."""
    source = plan.splits[0].source
    config = build(**with_values(with_values(trading(plan.config), values), source.overrides))
    return Backtest(config, list(source.data), *(plan.splits[0].searched or ())).run()


def differ(row: dict[str, Any], result: Result) -> dict[str, tuple[object, object]]:
    """Return in what a set is not its own backtest."""
    figures, made = row["figures"], result.outcome
    counted = ("events", "trades", "orders", "fills", "cancels", "rejected")
    both: dict[str, tuple[object, object]] = {name: (figures[name], made.counts[name]) for name in counted}
    both |= {name: (figures[name], float(made.market.money(made.pnl[name]))) for name in ("net", "spread", "inventory")}
    both["digest"] = row["digest"], result.digest
    both["max_drawdown"] = figures["max_drawdown"], made.equity["drawdown"].max()
    both["returns"] = sum(row["returns"]), made.pnl["net"]
    return {name: pair for name, pair in both.items() if pair[0] != pair[1]}


def refused(key: str) -> str:
    """Return why a key can't be swept, empty if it can."""
    try:
        parsed(f"{key}=1,2")
    except UsageError as error:
        return str(error)
    return ""


def test_a_set_is_its_own_backtest_whichever_key_is_swept_or_the_key_is_refused(ticks: Path) -> None:
    wrong, alike = dict[str, object](), set[str]()
    for key, _ in keys_of(Config):
        if refused(key) or key in REFERENCE:
            continue
        plan = plan_of(key, SWEPT[key], ticks)
        rows = rows_of(plan)
        assert [row["state"] for row in rows] == ["complete"] * 2, (key, rows[0]["reason"])
        try:
            if found := differ(rows[1], alone(plan, rows[1]["set"])):
                wrong[key] = found
        except BmvError as error:
            wrong[key] = str(error)
        if rows[0]["digest"] == rows[1]["digest"] and rows[0]["figures"] == rows[1]["figures"]:
            alike.add(key)

    assert wrong == {}
    assert alike == ALIKE, "values that change nothing show nothing"


def test_the_keys_that_are_swept_here_are_all_that_can_be() -> None:
    assert {key for key, _ in keys_of(Config) if not refused(key)} == {*SWEPT, *REFERENCE}


@pytest.mark.parametrize("key", COUNTED_IN)
def test_what_a_tape_is_counted_in_can_not_be_swept(key: str) -> None:
    with pytest.raises(UsageError, match=rf"{key} .*counted in.*\[\[sweep.tapes\]\]"):
        parsed(f"{key}=0.01,0.02")


def test_a_strategy_can_not_be_swept() -> None:
    with pytest.raises(UsageError, match="a sweep has one strategy"):
        parsed("strategy=a.py,b.py")


@pytest.mark.parametrize("key", REFERENCE)
def test_a_value_that_needs_a_reference_price_is_refused_before_anything_is_run(key: str, ticks: Path) -> None:
    with pytest.raises(ConfigError, match=f"{key}: needs a reference price"):
        plan_of(key, tuple(REFERENCE[key].split(",")), ticks)


@pytest.mark.parametrize("key", OVERRIDES)
def test_what_is_set_on_a_tape_is_as_if_its_backtest_had_it(key: str, units: Path) -> None:
    tape = {"name": "one", "data": [str(units)], "timerange": WINDOW, "set": {key: OVERRIDES[key]}}
    sweep = {"objective": "net", "pruning": "none", "validation": {"holdout": 0}, "tapes": [tape]}
    plan = make_plan(configured(**SECTIONS, sweep=sweep), ["grid.bid.levels=1,3"])

    rows = rows_of(plan)

    assert [differ(row, alone(plan, row["set"])) for row in rows] == [{}, {}]


@pytest.mark.parametrize("key", ["strategy", "sweep.objective", "storage.ticks", "live.wallet", "version"])
def test_a_key_that_no_tape_can_have_for_itself_is_refused(key: str, ticks: Path) -> None:
    tape = {"name": "one", "data": [str(ticks)], "set": {key: 1 if key == "version" else "mine.py:quote"}}

    with pytest.raises(ConfigError, match=rf"sweep.tapes.one: {key} .*no tape"):
        make_plan(configured(sweep={"tapes": [tape]}), ["grid.bid.levels=1,3"])
