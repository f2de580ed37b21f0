"""What a sweep leaves: the table, the front, the best on what was held out."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from searches import TABLE, configured, lake

from bmv.adapters.config import Config
from bmv.adapters.sqlite.trials import Register
from bmv.backtest.api import Backtest
from bmv.backtest.sweep import api
from bmv.backtest.sweep.judge.verdict import CHECKS
from bmv.backtest.sweep.trials.objectives import objectives_of, unknown
from bmv.backtest.sweep.trials.ranking import front
from bmv.backtest.sweep.trials.row import TrialRow
from bmv.data.ticks.lake.lake import DAY_NS
from bmv.ports.errors import DataError

PARAMS = ["grid.bid.first_bps,grid.ask.first_bps=2:10:2", "grid.bid.levels,grid.ask.levels=1:2:1"]


@pytest.fixture(scope="module")
def ticks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lake(tmp_path_factory.mktemp("ticks"), 80_000)


def swept(
    folder: Path, ticks: Path, params: Any = PARAMS, **sweep: Any
) -> tuple[dict[str, Any], pl.DataFrame, api.Plan]:
    """Run a sweep and return its summary, its trials and its plan."""
    plan = api.make_plan(configured(sweep=sweep), params, [str(ticks)])
    api.begin(folder, plan)
    api.run(folder, plan)
    return json.loads((folder / "summary.json").read_text()), pl.read_parquet(folder / "trials.parquet"), plan


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30))
def test_a_set_is_on_the_front_unless_another_is_nowhere_worse_and_somewhere_better(points: list) -> None:
    found = front(range(len(points)), np.array(points, float), objectives_of(["net", "-max_drawdown"]))

    def beats(a: tuple[int, int], b: tuple[int, int]) -> bool:
        return a[0] >= b[0] and a[1] <= b[1] and a != b

    assert found == [n for n, point in enumerate(points) if not any(beats(other, point) for other in points)]


def test_the_best_set_is_tried_on_what_the_search_never_saw(ticks: Path, tmp_path: Path) -> None:
    summary, trials, plan = swept(tmp_path, ticks)
    best = summary["best"]
    split = plan.splits[0]
    held = Backtest(tmp_path / "best.toml", ticks, split.split_ns).run()

    assert best["net_vs_hold"] == trials["net_vs_hold"].max()
    assert best["holdout"]["digest"] == held.digest
    assert best["holdout"]["net"] == float(held.summary["pnl"]["net"])
    for figures in (best, best["holdout"], summary["validation"]["net"], summary["validation"]["holdout"]):
        assert figures["quoting"] + figures["market"] == pytest.approx(figures["net"], abs=1e-6)
    assert best["quoting"] == pytest.approx(summary["validation"]["net"]["quoting"], abs=1e-6)
    equity = pl.read_parquet(tmp_path / "best" / f"equity-{best['trial']}.parquet")
    assert equity["ts_ns"].is_sorted()
    assert equity["ts_ns"][0] < split.split_ns < equity["ts_ns"][-1]


def test_without_an_objective_sets_are_ranked_by_their_net_against_holding(ticks: Path, tmp_path: Path) -> None:
    summary, trials, plan = swept(tmp_path, ticks, ["inventory.start_base=10,50", "grid.bid.levels=1,2"])

    assert plan.config.sweep.objective == "net_vs_hold"
    assert summary["objectives"] == [{"name": "net_vs_hold", "direction": "maximize"}]
    assert summary["best"]["net_vs_hold"] == trials["net_vs_hold"].max()


def test_a_sweep_of_a_perpetual_calls_money_by_the_name_of_the_quote(ticks: Path, tmp_path: Path) -> None:
    plan = api.make_plan(named("hyperliquid_SOL-USDC-PERP"), PARAMS, [str(ticks)])
    api.begin(tmp_path, plan)

    summary = api.run(tmp_path, plan)

    told = " ".join(reason["text"] for reason in summary["verdict"]["reasons"])
    assert "USDC" in told
    assert "PERP" not in told
    assert "PERP" not in summary["verdict"]["headline"]


def named(symbol: str) -> Config:
    """Return the configuration of another market."""
    return configured(market={**TABLE["market"], "symbol": symbol})


def test_a_tape_is_told_with_the_rows_that_were_searched_and_those_held_out(ticks: Path, tmp_path: Path) -> None:
    summary, trials, _ = swept(tmp_path, ticks)

    (tape,) = summary["tapes"]
    assert tape["events"] == trials["events"][0]
    assert tape["events"] + tape["events_held_out"] == 80_000
    page = (tmp_path / "sweep.html").read_text("utf-8")
    assert f"{tape['events']:,} events of SOL/USDC" in page
    assert f"{tape['events_held_out']:,}" in page


def test_a_holdout_behind_the_close_of_the_market_is_no_evidence(ticks: Path, tmp_path: Path) -> None:
    file = next(ticks.rglob("*.parquet"))
    rows, words = pl.read_parquet(file), pl.read_parquet_metadata(file)
    first, last = rows["ts_ns"][0], rows["ts_ns"][-1]
    thinned = rows.filter((pl.col("ts_ns") < first + (last - first) * 3 // 4) | (pl.int_range(pl.len()) % 1000 == 0))
    thinned.write_parquet(tmp_path / "day.parquet", metadata={k: v for k, v in words.items() if k.startswith("bmv")})

    summary, _, _ = swept(tmp_path / "s", tmp_path / "day.parquet")

    holdout, reason = summary["validation"]["holdout"], summary["verdict"]["reasons"][CHECKS.index("holdout")]
    assert holdout["periods"] == 80
    assert holdout["fills"] < 30
    assert reason["ok"] is not True


def test_no_row_of_the_search_lies_in_what_is_held_out(ticks: Path, tmp_path: Path) -> None:
    plan = api.make_plan(configured(), PARAMS, [str(ticks)])
    from bmv.backtest.sweep.tapes import tapes

    (stretch,) = tapes.read(plan.config, plan.axes, plan.splits)
    times = stretch.prepared.rows[0]
    assert times[-1] < plan.splits[0].split_ns
    whole = plan.splits[0].last_ns - plan.splits[0].first_ns
    assert (times[-1] - times[0]) / whole == pytest.approx(0.75, abs=0.01)


def test_a_set_that_breaks_a_constraint_is_never_the_best(ticks: Path, tmp_path: Path) -> None:
    free, trials, _ = swept(tmp_path / "free", ticks)
    few = int(trials["fills"].max()) - 1
    bound, kept, _ = swept(tmp_path / "bound", ticks, constraints={"min_fills": few})

    assert bound["best"]["fills"] >= few
    assert kept["feasible"].sum() < kept.height
    assert free["trials"]["complete"] == kept.height


def test_a_sweep_in_which_nothing_keeps_the_constraints_says_so(ticks: Path, tmp_path: Path) -> None:
    summary, trials, _ = swept(tmp_path, ticks, constraints={"min_fills": 10**9})

    assert summary["best"] is None
    assert summary["verdict"]["worth"] is False
    assert any("no set keeps all constraints" in warning for warning in summary["warnings"])
    assert not trials["feasible"].any()
    assert (tmp_path / "sweep.html").stat().st_size > 0


def test_without_a_holdout_nothing_is_known_to_be_worth_trading(ticks: Path, tmp_path: Path) -> None:
    summary, _, _ = swept(tmp_path, ticks, validation={"holdout": 0})

    assert summary["verdict"]["worth"] is False
    assert any("nothing was held out" in warning for warning in summary["warnings"])


def test_a_best_set_at_the_end_of_a_range_is_told(ticks: Path, tmp_path: Path) -> None:
    summary, _, plan = swept(tmp_path, ticks, ["inventory.max_position=1:20:1"], objective="volume")

    assert summary["best"]["set"]["inventory.max_position"] in (19.0, 20.0)
    at_end = summary["best"]["set"]["inventory.max_position"] == 20.0
    assert at_end == any("at the end of a range" in warning for warning in summary["warnings"])
    assert plan.axes[0].described()["step"] == 1.0


def days(folder: Path) -> Path:
    """Make a tape of some days up, the last of them of some seconds."""
    from bmv.data.ticks.synth.synth import BENIGN, synth

    synth(folder, 4, 115_211, shape=replace(BENIGN, mean_gap_ms=3_000))
    return folder


def test_each_day_may_be_a_tape_by_itself_and_the_last_ones_are_held_out_whole(tmp_path: Path) -> None:
    ticks = days(tmp_path / "lake")
    summary, trials, plan = swept(tmp_path / "s", ticks, split="day", validation={"periods": 48, "holdout": 0.2})

    held = [split for split in plan.splits if split.searched is None]
    searched = [split for split in plan.splits if split.searched is not None]
    assert len(searched) >= 2
    assert len(held) == 1
    assert max(split.last_ns for split in searched) < min(split.first_ns for split in held)
    assert [tape["name"] for tape in summary["tapes"]] == [split.source.name for split in plan.splits]
    nets = trials.select(pl.col("^net\\..*$")).to_numpy()
    assert np.allclose(nets.sum(axis=1), trials["net"].to_numpy())
    assert trials["digest"].str.split(" ").list.len().unique().to_list() == [len(searched)]
    (own,) = held
    best = Backtest(tmp_path / "s/best.toml", ticks, own.source.start_ns, own.source.end_ns).run()
    assert summary["best"]["holdout"]["digest"] == best.digest


def test_what_runs_on_past_midnight_is_no_day(tmp_path: Path) -> None:
    ticks = days(tmp_path / "lake")
    last = max(split.last_ns for split in api.make_plan(configured(), PARAMS, [str(ticks)]).splits)
    midnight = last // DAY_NS * DAY_NS
    end = np.datetime_as_string(np.datetime64(midnight + 30 * 10**9, "ns"), "s").replace("-", "").replace(":", "")

    plan = api.make_plan(configured(sweep={"split": "day"}), PARAMS, [str(ticks)], f"-{end}")

    assert len(plan.left_out) == 1
    assert "is left out" in plan.left_out[0]
    assert all(split.last_ns < midnight for split in plan.splits)


def test_what_is_held_out_of_one_tape_is_not_searched_in_another(ticks: Path) -> None:
    first = api.make_plan(configured(), PARAMS, [str(ticks)]).splits[0].first_ns
    at = [np.datetime_as_string(np.datetime64(first + n * 10**9, "ns"), "s") for n in (0, 100, 50, 200)]
    a, b, c, d = (each.replace("-", "").replace(":", "") for each in at)
    given = [
        {"name": "one", "data": [str(ticks)], "timerange": f"{a}-{b}"},
        {"name": "two", "data": [str(ticks)], "timerange": f"{c}-{d}"},
    ]

    with pytest.raises(DataError, match="held out of the tape one is searched in two"):
        api.make_plan(configured(sweep={"tapes": given}), PARAMS)


def test_bad_rows_of_the_holdout_are_told_before_the_search(ticks: Path, tmp_path: Path) -> None:
    file = next(ticks.rglob("*.parquet"))
    rows = pl.read_parquet(file)
    bad = rows.with_columns(
        price=pl.when((pl.int_range(pl.len()) > 0.9 * pl.len()) & (pl.col("kind") == 1)).then(-5).otherwise("price")
    )
    words = pl.read_parquet_metadata(file)
    bad.write_parquet(tmp_path / "bad.parquet", metadata={k: v for k, v in words.items() if k.startswith("bmv")})
    plan = api.make_plan(configured(), PARAMS, [str(tmp_path / "bad.parquet")])
    api.begin(tmp_path / "s", plan)
    heard = list[int]()

    class Hearing(api.Monitor):
        def begun(self, planned: int, known: int, events: int) -> None:
            heard.append(planned)

    with pytest.raises(DataError, match="rows read are bad"):
        api.run(tmp_path / "s", plan, monitor=Hearing())
    assert heard == []


def test_a_function_named_as_a_column_has_a_column_of_its_own(ticks: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def net(summary):\n    return -summary['fills']\n")

    summary, trials, _ = swept(tmp_path / "s", ticks, objective=f"{file}:net")

    assert summary["objectives"] == [{"name": "objective.net", "direction": "maximize"}]
    assert (trials["objective.net"] == -trials["fills"]).all()
    assert summary["best"]["fills"] == trials["fills"].min()


def test_without_folds_a_sweep_ends_and_says_that_there_was_no_walk(ticks: Path, tmp_path: Path) -> None:
    summary, _, _ = swept(tmp_path, ticks, validation={"folds": 0})

    assert any(reason["ok"] is None and "walk-forward" in reason["text"] for reason in summary["verdict"]["reasons"])


def test_sets_without_ratios_are_said_to_have_none_and_why(ticks: Path, tmp_path: Path) -> None:
    summary, trials, _ = swept(tmp_path, ticks)

    assert trials["sharpe"].null_count() == len(trials)
    (told,) = (each for each in summary["warnings"] if "no set has a Sharpe ratio" in each)
    assert told.endswith("of tape are less than a day")


@pytest.mark.parametrize(
    ("spelling", "ratio"),
    [
        ("sharpe", True), ("-sortino", True), ("net_per_drawdown", True), ("statistics.ratios.calmar", True),
        ("net", False), ("statistics.activity.net_bps", False), ("sharpe_mine.py:score", False),
        ("statistics.ratios.py:score", False),
    ],
)  # fmt: skip
def test_a_function_of_a_users_own_is_no_ratio_whatever_its_file_is_called(
    spelling: str, ratio: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("sharpe_mine.py", "statistics.ratios.py"):
        Path(name).write_text("def score(summary):\n    return 1.0\n")

    (asked,) = objectives_of(spelling)

    assert asked.is_ratio is ratio


def test_a_set_that_trades_nothing_has_no_ratio_of_earnings_to_risk() -> None:
    (asked,) = objectives_of("net_per_drawdown")
    figures = {"net": 3.0, "max_drawdown_quote": 0.0, "no_ratio": "nothing was traded"}

    value = asked.of(figures)

    assert value is None
    assert unknown([asked], [value], figures) == "net_per_drawdown can't be told: nothing was traded"


def test_a_made_up_tape_is_told_beside_the_verdict(ticks: Path, tmp_path: Path) -> None:
    summary, _, _ = swept(tmp_path, ticks)

    assert summary["verdict"]["headline"].startswith("On a made-up tape, which means nothing")
    assert "made up" in summary["warnings"][0]


def test_runs_that_were_given_up_count_among_the_trials(ticks: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("BMV_TRIALS", str(tmp_path / "trials.sqlite"))
    ranges = ["grid.bid.first_bps,grid.ask.first_bps=1:20", "pivot.window_s=5:100:log"]

    summary, trials, _ = swept(tmp_path / "s", ticks, ranges, sampler="random", trials=64, pruning="median")

    assert (trials["state"] == "pruned").sum() > 5
    assert summary["validation"]["trials_ever"] == 64
    assert any("began badly" in warning for warning in summary["warnings"])


def test_a_sweep_that_is_broken_off_counts_as_well(ticks: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("BMV_TRIALS", str(tmp_path / "trials.sqlite"))
    plan = api.make_plan(configured(), PARAMS, [str(ticks)])
    api.begin(tmp_path / "s", plan)

    class BreakingOff(api.Monitor):
        def trial(self, row: TrialRow) -> None:
            if row["trial"] >= 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        api.run(tmp_path / "s", plan, 1, BreakingOff())

    data = [str(file["sha256"]) for file in json.loads((tmp_path / "s/manifest.json").read_text())["data"]]
    assert Register(tmp_path / "trials.sqlite").count(data) >= 3


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "nsga2", "nsga3"])
def test_a_sampler_that_learns_leaves_the_same_on_any_number_of_workers(
    ticks: Path, tmp_path: Path, sampler: str
) -> None:
    several = {"objective": ["net", "-max_drawdown"]} if sampler.startswith("nsga") else {"pruning": "median"}
    config = configured(sweep={"sampler": sampler, "trials": 24, "batch": 8, **several})
    ranges = ["grid.bid.first_bps,grid.ask.first_bps=1:20", "pivot.window_s=5:100:log"]
    plan = api.make_plan(config, ranges, [str(ticks)])
    for workers in (1, 3):
        api.begin(tmp_path / str(workers), plan)
        api.run(tmp_path / str(workers), plan, workers)

    one, other = ((tmp_path / str(workers) / "trials.parquet").read_bytes() for workers in (1, 3))
    assert one == other
    summary = json.loads((tmp_path / "3" / "summary.json").read_text())
    assert bool(summary["front"]) == sampler.startswith("nsga")


def test_a_random_2_percent_of_trials_are_the_backtests_of_their_sets(ticks: Path, tmp_path: Path) -> None:
    ranges = ["grid.bid.first_bps,grid.ask.first_bps=1:20", "pivot.window_s=5:100:log"]
    _, trials, plan = swept(tmp_path, ticks, ranges, sampler="sobol", trials=128)
    from bmv.backtest.sweep.extract import apply

    for trial in trials.sample(fraction=0.02, seed=11)["trial"]:
        apply(tmp_path, trial, tmp_path / "one.toml")
        result = Backtest(tmp_path / "one.toml", ticks, *plan.splits[0].searched).run()
        row = trials.row(by_predicate=pl.col("trial") == trial, named=True)
        assert (row["digest"], row["net"]) == (result.digest, float(result.summary["pnl"]["net"]))
