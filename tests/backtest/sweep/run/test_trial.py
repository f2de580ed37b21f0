"""One set of a sweep: the same run as a backtest of that set, and figures that are those of its summary."""

import random
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from searches import TABLE, configured, lake

from bmv.adapters.bookkeeping.tables import equity_table
from bmv.adapters.config import Config, build
from bmv.adapters.strategy.plugin import StrategyError
from bmv.backtest.api import Backtest
from bmv.backtest.sweep.api import make_plan
from bmv.backtest.sweep.run.periods import Periods, _lots
from bmv.backtest.sweep.run.pool import Threads
from bmv.backtest.sweep.run.trial import Stopped, quoted, run
from bmv.backtest.sweep.run.work import Task, Work
from bmv.backtest.sweep.tapes import tapes
from bmv.backtest.sweep.trials.objectives import objectives_of
from bmv.backtest.sweep.trials.space import trading, with_values
from bmv.data.runs.statistics.stats import markouts
from bmv.data.ticks.synth.synth import synth
from bmv.ports.errors import ConfigError
from bmv.ports.market import Market

SETS = [
    {"grid.bid.first_bps": first, "grid.ask.first_bps": first, "pivot.window_s": window, "simulation.queue": queue}
    for first in (1.0, 3.0, 9.0)
    for window in (5.0, 60.0)
    for queue in ("front", "back")
]


@pytest.fixture(scope="module")
def ticks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lake(tmp_path_factory.mktemp("ticks"))


def worked(ticks: Path, objective: Any = "net", timerange: str | None = None, **sections: Any) -> tuple[Work, Any]:
    """Return what workers have, and the plan."""
    sweep = {"objective": objective, **sections.pop("sweep", {})}
    config = configured(sweep=sweep, **sections)
    plan = make_plan(config, ["grid.bid.levels=1:2:1"], [str(ticks)], timerange)
    return Work(plan.config, tapes.read(plan.config, plan.axes, plan.splits), plan.objectives, plan.periods), plan


def of_set(values: dict[str, Any]) -> Config:
    return build(**with_values(trading(configured()), values))


def test_every_set_is_word_for_word_the_backtest_of_that_set(ticks: Path) -> None:
    work, plan = worked(ticks)
    start_ns, end_ns = plan.splits[0].searched

    rows = [work.row(Task(n, values)) for n, values in enumerate(SETS)]

    for values, row in zip(SETS, rows, strict=True):
        assert row is not None
        result = Backtest(of_set(values), ticks, start_ns, end_ns).run()
        assert row["digest"] == result.digest
        assert row["figures"]["net"] == float(result.summary["pnl"]["net"])
    assert len({row["digest"] for row in rows if row}) == len(SETS)


def test_a_window_amid_the_tape_is_seeded_as_a_backtest_is(ticks: Path) -> None:
    first = int(make_plan(configured(), ["grid.bid.levels=1:2:1"], [str(ticks)]).splits[0].first_ns)
    stamp = np.datetime_as_string(np.datetime64(first + 90 * 10**9, "ns"), "s").replace("-", "").replace(":", "")
    work, plan = worked(ticks, timerange=f"{stamp}-", sweep={"validation": {"holdout": 0}})

    row = work.row(Task(0, SETS[3]))

    start_ns, _ = plan.splits[0].searched
    assert start_ns is not None
    result = Backtest(of_set(SETS[3]), ticks, start_ns).run()
    assert row is not None
    assert row["digest"] == result.digest


def test_the_figures_of_a_trial_are_those_of_its_summary(ticks: Path) -> None:
    work, plan = worked(ticks, sweep={"validation": {"holdout": 0}})
    row = work.row(Task(0, SETS[0]))
    result = Backtest(of_set(SETS[0]), ticks).run()
    summary, stats = result.summary, result.summary["statistics"]
    after = {each["horizon_s"]: each["mean_bps"] for each in markouts(result.fills) if each["side"] is None}

    assert row is not None
    found = row["figures"]
    assert {name: found[name] for name in ("events", "orders", "fills", "cancels")} == {
        name: summary[name] for name in ("events", "orders", "fills", "cancels")
    }
    assert found["max_drawdown"] == summary["max_drawdown"]
    assert found["no_ratio"] == stats["ratios"]["reason"]
    assert found["net_vs_hold"] == float(summary["net_vs_hold"])
    assert found["uptime"] == stats["uptime"]["two_sided"]
    assert found["turnover"] == pytest.approx(stats["activity"]["turnover"], rel=1e-12)
    assert found["notional"] == pytest.approx(stats["activity"]["notional"], rel=1e-12)
    assert found["end_position"] == pytest.approx(stats["inventory"]["end"], rel=1e-12)
    assert found["markout_bps_5s"] == pytest.approx(after[5.0], rel=1e-9)
    assert found["markout_bps_60s"] == pytest.approx(after[60.0], rel=1e-9)
    quantum = float(plan.config.market.quote_step)
    assert sum(row["returns"]) * quantum == pytest.approx(found["net"], abs=quantum / 2)
    assert len(row["returns"]) == 240


def test_what_the_market_gave_is_the_average_position_times_the_way_of_the_mid(ticks: Path) -> None:
    work, _ = worked(ticks, sweep={"validation": {"holdout": 0}})
    row = work.row(Task(0, SETS[0]))
    result = Backtest(of_set(SETS[0]), ticks).run()
    mid, quantum = result.equity["mid"], 1e-6

    assert row is not None
    found = row["figures"]
    average = result.summary["statistics"]["inventory"]["mean"]
    assert abs(found["market"]) > 1, "a market that does not move tells nothing"
    assert found["market"] == pytest.approx(average * (mid[-1] - mid[0]), rel=1e-6)
    assert round((found["quoting"] + found["market"] - found["net"]) / quantum) == 0
    assert (len(row["held"]), len(row["mids"])) == (240, 241)
    assert np.mean(row["held"]) * quantum == pytest.approx(average * mid[0], rel=1e-6)


def test_ratios_of_a_trial_are_of_the_equity_that_quoting_made() -> None:
    mids = 40_000 + 10 * np.arange(6)
    samples = np.stack([np.arange(6) * 10**9, mids, np.full(6, 3_000), np.full(6, 7_000)], axis=1)
    market = Market("SOL/USDC", Decimal("0.01"), Decimal("0.001"))
    account = Periods((0,) * 5, (market.half * 3_000 * 40_000,) * 5, tuple(mids.tolist()))

    equity = equity_table(market, samples, np.zeros(6))
    found = quoted(equity, samples, account, market)

    assert np.diff(equity["equity"].to_numpy()).min() > 0
    assert found["equity"].to_numpy() == pytest.approx(np.full(6, equity["equity"][0]), rel=1e-12)


def test_the_average_position_is_weighted_by_time_and_not_by_fills_or_samples() -> None:
    edges, fills = [0, 100, 200, 300], np.array([10, 150, 150, 290, 400])

    lots = _lots(edges, 4, fills, np.array([8, 0, 6, -100, 1_000]))

    assert lots.tolist() == [(4 * 10 + 8 * 90) / 100, (8 * 50 + 6 * 50) / 100, (6 * 90 - 100 * 10) / 100]


def test_a_figure_of_the_summary_and_a_function_of_it_are_objectives(ticks: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def calm(summary):\n    return float(summary['pnl']['net']) / (1 + summary['fills'])\n")
    work, _ = worked(ticks, ["statistics.activity.net_bps", f"{file}:calm", "-max_drawdown"])
    row = work.row(Task(0, SETS[0]))
    assert row is not None

    result = Backtest(of_set(SETS[0]), ticks, None, planned_end(ticks)).run()
    net, fills = float(result.summary["pnl"]["net"]), result.summary["fills"]
    assert row["objectives"] == pytest.approx(
        [result.summary["statistics"]["activity"]["net_bps"], net / (1 + fills), result.summary["max_drawdown"]]
    )


def planned_end(ticks: Path) -> int | None:
    return make_plan(configured(), ["grid.bid.levels=1:2:1"], [str(ticks)]).splits[0].split_ns


def test_a_plain_python_strategy_remembers_nothing_of_another_trial(ticks: Path, tmp_path: Path) -> None:
    file = tmp_path / "plain.py"
    file.write_text(
        "seen = []\n"
        "def quote(params, state, memory, wanted):\n"
        "    seen.append(1)\n"
        "    wanted[0] = (1, 0, int(state.pivot) - 2 - len(seen) % 3, 1000, 0)[:5] + tuple(wanted[0][5:])\n"
        "    return 1\n"
    )
    work, plan = worked(ticks, strategy=f"{file}:quote")
    rows = [work.row(Task(n, {"inventory.max_position": 20})) for n in range(2)]

    assert rows[0] is not None
    assert rows[1] is not None
    assert rows[0]["digest"] == rows[1]["digest"]
    config = build(**{**TABLE, "strategy": f"{file}:quote"})
    assert rows[0]["digest"] == Backtest(config, ticks, *plan.splits[0].searched).run().digest


def test_a_strategy_in_machine_code_is_compiled_once_and_is_the_same_run(ticks: Path, tmp_path: Path) -> None:
    file = tmp_path / "marked.py"
    file.write_text(
        "from bmv.core.kernel import kernel\n"
        "@kernel\n"
        "def quote(params, state, memory, wanted):\n"
        "    wanted[0, 0], wanted[0, 1], wanted[0, 2], wanted[0, 3], wanted[0, 4] = 1, 0, int(state.pivot) - 3, 1000, 0\n"
        "    return 1\n"
    )
    work, plan = worked(ticks, strategy=f"{file}:quote")
    row = work.row(Task(0, {"inventory.max_position": 10}))

    config = build(**with_values({**TABLE, "strategy": f"{file}:quote"}, {"inventory.max_position": 10}))
    assert row is not None
    assert row["digest"] == Backtest(config, ticks, *plan.splits[0].searched).run().digest
    assert work._verb is not None


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("None", "None"),
        ("'12'", "'12'"),
        ("float('inf')", "inf"),
        ("[1.0]", r"\[1.0\]"),
        ("10**400", "1000"),
        ("True", "True"),
        ("1j", "1j"),
        ("__import__('decimal').Decimal('sNaN')", r"Decimal\('sNaN'\)"),
    ],
)
def test_an_objective_that_answers_no_finite_number_is_named_with_its_answer(
    answer: str, told: str, ticks: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(f"def score(summary):\n    return {answer}\n")
    work, _ = worked(ticks, f"{tmp_path / 'mine.py'}:score")

    with pytest.raises(StrategyError, match=rf"mine\.py:score returned {told}.*; expected a finite number"):
        work.row(Task(0, SETS[0]))


@pytest.mark.parametrize("answer", ["Decimal('0.5')", "Fraction(1, 2)", "float64(0.5)"])
def test_a_number_of_any_kind_is_an_objective(answer: str, ticks: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from decimal import Decimal\nfrom fractions import Fraction\nfrom numpy import float64\n"
        f"def score(summary):\n    return {answer}\n"
    )
    work, _ = worked(ticks, f"{tmp_path / 'mine.py'}:score")

    row = work.row(Task(0, SETS[0]))

    assert row is not None
    assert row["objectives"] == [0.5]


@pytest.mark.parametrize("whose", ["strategy", "objective"])
def test_what_ends_the_program_in_a_worker_fails_the_sweep(whose: str, ticks: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import sys\ndef mine(*words):\n    sys.exit()\n")
    named = f"{tmp_path / 'mine.py'}:mine"
    work, _ = worked(ticks, named) if whose == "objective" else worked(ticks, strategy=named)
    pool = Threads(work, 1)

    with pytest.raises(StrategyError, match=r"failed: SystemExit \(mine\.py, line 3\)"):
        list(pool.rows([Task(0, SETS[0])]))
    pool.close()


def test_a_set_that_is_no_configuration_is_told_and_not_run(ticks: Path) -> None:
    work, _ = worked(ticks)

    row = work.row(Task(4, {"pivot.window_s": 5000.0}))

    assert row is not None
    assert (row["state"], row["trial"]) == ("invalid", 4)
    assert "expected at most pivot.history_s" in row["reason"]


def test_several_tapes_add_up_what_is_money_and_keep_what_is_deepest(ticks: Path, tmp_path: Path) -> None:
    other = lake(tmp_path / "other", 40_000, seed=9)
    given = [{"name": "a", "data": [str(ticks)]}, {"name": "b", "data": [str(other)], "set": {"pivot.window_s": 7}}]
    config = configured(sweep={"tapes": given, "across": "worst"})
    plan = make_plan(config, ["grid.bid.levels=1:2:1"])
    work = Work(plan.config, tapes.read(plan.config, plan.axes, plan.splits), plan.objectives, plan.periods)

    row = work.row(Task(0, {"grid.bid.levels": 2}))

    assert row is not None
    runs = {"a": ({"grid.bid.levels": 2}, ticks), "b": ({"grid.bid.levels": 2, "pivot.window_s": 7}, other)}
    alone = [Backtest(of_set(runs[s.source.name][0]), runs[s.source.name][1], *s.searched).run() for s in plan.splits]
    nets = [float(each.summary["pnl"]["net"]) for each in alone]
    assert row["digest"] == " ".join(each.digest for each in alone)
    assert row["net_of"] == nets
    assert row["figures"]["net"] == pytest.approx(sum(nets))
    assert row["figures"]["max_drawdown"] == max(each.summary["max_drawdown"] for each in alone)
    assert row["objectives"] == [min(float(each.summary["net_vs_hold"]) for each in alone)]
    assert len(row["returns"]) == 240, "both are of one day: their periods are those of one portfolio"
    assert sum(row["returns"]) * 1e-6 == pytest.approx(sum(nets), abs=1e-5)


def test_tapes_one_after_another_have_their_periods_one_after_another(ticks: Path, tmp_path: Path) -> None:
    later = tmp_path / "later"
    synth(later, 9, 40_000, start=date(2025, 9, 10))
    given = [{"name": "later", "data": [str(later)]}, {"name": "first", "data": [str(ticks)]}]
    plan = make_plan(configured(sweep={"tapes": given}), ["grid.bid.levels=1:2:1"])
    work = Work(plan.config, tapes.read(plan.config, plan.axes, plan.splits), plan.objectives, plan.periods)

    row = work.row(Task(0, {"grid.bid.levels": 2}))

    assert row is not None
    assert plan.names() == ["first", "later"]
    assert len(row["returns"]) == 480
    assert sum(row["returns"][:240]) * 1e-6 == pytest.approx(row["net_of"][0], abs=1e-5)


def test_markets_whose_money_has_other_steps_are_added_up_in_a_common_one(ticks: Path, tmp_path: Path) -> None:
    fine = {"market.tick_size": "0.00001", "market.lot_size": "0.00001", "market.quote_step": "0.0000000001"}
    given = [{"name": "a", "data": [str(ticks)]}, {"name": "b", "data": [str(floats(tmp_path))], "set": fine}]
    plan = make_plan(configured(sweep={"tapes": given}), ["grid.bid.levels=1:2:1"])
    work = Work(plan.config, tapes.read(plan.config, plan.axes, plan.splits), plan.objectives, plan.periods)

    row = work.row(Task(0, {"grid.bid.levels": 2}))

    assert row is not None
    quanta = {each.prepared.market.quantum for each in work.stretches}
    assert len(quanta) == 2
    assert sum(row["returns"]) * float(work.quantum) == pytest.approx(sum(row["net_of"]), rel=1e-9)


def floats(folder: Path) -> Path:
    """Return a tape in units, which any tick size that divides its prices fits."""
    lake(folder / "other", 30_000, seed=5)
    file = folder / "floats.parquet"
    words = {1: "trade", 2: "quote", 3: "depth"}
    pl.scan_parquet(folder / "other/**/*.parquet").select(
        pl.col("ts_ns").alias("ts"),
        pl.col("kind").replace_strict(words, return_dtype=pl.String),
        *(pl.col(name) / 100 for name in ("price", "bid", "ask")),
        *(pl.col(name) / 1000 for name in ("size", "bid_size", "ask_size")),
        pl.col("side").cast(pl.Int8),
    ).sink_parquet(file)
    return file


def test_the_worst_of_what_is_to_be_small_is_the_largest(ticks: Path, tmp_path: Path) -> None:
    other = lake(tmp_path / "other", 40_000, seed=9)
    given = [{"name": "a", "data": [str(ticks)]}, {"name": "b", "data": [str(other)]}]
    config = configured(sweep={"tapes": given, "across": "worst", "objective": "-max_drawdown"})
    plan = make_plan(config, ["grid.bid.levels=1:2:1"])
    work = Work(plan.config, tapes.read(plan.config, plan.axes, plan.splits), plan.objectives, plan.periods)

    row = work.row(Task(0, {"grid.bid.levels": 2}))

    assert row is not None
    assert row["objectives"] == [row["figures"]["max_drawdown"]]


def test_an_objective_that_raises_ends_the_sweep_and_is_no_invalid_set(ticks: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def odd(summary):\n    return summary['nothing']\n\ndef wild(summary):\n    return float('nan')\n")

    for objective in (f"{file}:odd", "statistics.activity.nope"):
        work, _ = worked(ticks, objective)
        with pytest.raises(ConfigError, match=r"sweep\.objective"):
            work.row(Task(0, SETS[0]))
    work, _ = worked(ticks, f"{file}:wild")
    row = work.row(Task(0, SETS[0]))
    assert row is not None
    assert (row["state"], row["reason"]) == ("invalid", "wild can't be told: too little happened")


def test_a_run_that_breaks_a_constraint_for_good_is_given_up_on_its_way(ticks: Path) -> None:
    work, _ = worked(ticks, sweep={"constraints": {"max_drawdown": 1e-6}})
    hopeful, _ = worked(ticks, sweep={"constraints": {"max_drawdown": 1e-6}, "pruning": "none"})

    pruned, whole = work.row(Task(0, SETS[0])), hopeful.row(Task(0, SETS[0]))

    assert pruned is not None
    assert whole is not None
    assert (pruned["state"], pruned["digest"]) == ("pruned", "")
    assert "more than constraints.max_drawdown" in pruned["reason"]
    assert whole["state"] == "complete"
    assert whole["violations"][0] > 0


def test_who_looks_at_a_run_sees_it_at_most_eight_times_and_may_end_it(ticks: Path) -> None:
    work, _ = worked(ticks)
    looks = list[int]()

    def look(check: int, net: int, fallen: float) -> str:
        looks.append(check)
        return "enough" if check == 0 else ""

    with pytest.raises(Stopped, match="enough"):
        run(of_set(SETS[0]), work.stretches[0].prepared, objectives_of("net"), 240, look=look)
    assert looks == [0]


def test_the_tape_of_a_sweep_can_not_be_changed_and_is_not_copied(ticks: Path) -> None:
    work, _ = worked(ticks)
    prepared = work.stretches[0].prepared

    with pytest.raises(ValueError, match="read-only"):
        prepared.rows[0, 0] = 1
    assert prepared.rows.nbytes == prepared.events * 48


def test_rows_come_out_alike_from_any_number_of_threads(ticks: Path) -> None:
    work, _ = worked(ticks)
    tasks = [Task(n, values) for n, values in enumerate(SETS)]
    random.Random(4).shuffle(tasks)

    alone, many = Threads(work, 1), Threads(work, 4)
    one = {row["trial"]: row for row in alone.rows(tasks)}
    other = {row["trial"]: row for row in many.rows(reversed(tasks))}
    many.close()

    assert one == other
    assert len(one) == len(SETS)
