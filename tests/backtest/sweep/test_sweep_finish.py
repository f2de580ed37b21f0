"""What a sweep leaves: the table, the front, the best on what was held out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from searches import configured, lake

from bmv.backtest.api import Backtest
from bmv.backtest.sweep import api
from bmv.backtest.sweep.finish import front
from bmv.backtest.sweep.objectives import objectives_of

PARAMS = ["grid.bid.first_bps,grid.ask.first_bps=2:10:2", "grid.bid.levels,grid.ask.levels=1:2:1"]


@pytest.fixture(scope="module")
def ticks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lake(tmp_path_factory.mktemp("ticks"), 80_000)


def swept(
    folder: Path, ticks: Path, params: Any = PARAMS, **sweep: Any
) -> tuple[dict[str, Any], pl.DataFrame, api.Plan]:
    """Run a sweep and return its summary, its trials and its plan."""
    plan = api.planned(configured(sweep=sweep), params, [str(ticks)])
    api.begin(folder, plan)
    api.go_on(folder, plan)
    return json.loads((folder / "summary.json").read_text()), pl.read_parquet(folder / "trials.parquet"), plan


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30))
def test_a_set_is_on_the_front_unless_another_is_nowhere_worse_and_somewhere_better(points: list) -> None:
    rows = {n: {"objectives": list(point)} for n, point in enumerate(points)}
    found = front(rows, list(rows), objectives_of(["net", "-max_drawdown"]))

    def beats(a: tuple[int, int], b: tuple[int, int]) -> bool:
        return a[0] >= b[0] and a[1] <= b[1] and a != b

    assert found == [n for n, point in enumerate(points) if not any(beats(other, point) for other in points)]


def test_the_best_set_is_tried_on_what_the_search_never_saw(ticks: Path, tmp_path: Path) -> None:
    summary, trials, plan = swept(tmp_path, ticks)
    best = summary["best"]
    split = plan.splits[0]
    held = Backtest(tmp_path / "best.toml", ticks, split.split_ns).run()

    assert best["net"] == trials["net"].max()
    assert best["holdout"]["digest"] == held.digest
    assert best["holdout"]["net"] == float(held.summary["pnl"]["net"])
    equity = pl.read_parquet(tmp_path / "best" / f"equity-{best['trial']}.parquet")
    assert equity["ts_ns"].is_sorted()
    assert equity["ts_ns"][0] < split.split_ns < equity["ts_ns"][-1]


def test_no_row_of_the_search_lies_in_what_is_held_out(ticks: Path, tmp_path: Path) -> None:
    plan = api.planned(configured(), PARAMS, [str(ticks)])
    from bmv.backtest.sweep import tapes

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


def test_each_day_may_be_a_tape_by_itself(tmp_path: Path) -> None:
    from bmv.data.synth import Shape, synth

    synth(tmp_path / "lake", 4, 60_000, shape=Shape(mean_gap_ms=3_000))
    summary, trials, plan = swept(tmp_path / "s", tmp_path / "lake", split="day", validation={"periods": 48})

    assert len(plan.splits) >= 2
    assert [tape["name"] for tape in summary["tapes"]] == plan.names()
    nets = trials.select(pl.col("^net\\..*$")).to_numpy()
    assert np.allclose(nets.sum(axis=1), trials["net"].to_numpy())
    assert trials["digest"].str.split(" ").list.len().unique().to_list() == [len(plan.splits)]


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "nsga2", "nsga3"])
def test_a_sampler_that_learns_leaves_the_same_on_any_number_of_workers(
    ticks: Path, tmp_path: Path, sampler: str
) -> None:
    objective = ["net", "-max_drawdown"] if sampler.startswith("nsga") else "net"
    config = configured(
        sweep={"sampler": sampler, "trials": 24, "batch": 8, "objective": objective, "pruning": "median"}
    )
    ranges = ["grid.bid.first_bps,grid.ask.first_bps=1:20", "pivot.window_s=5:100:log"]
    plan = api.planned(config, ranges, [str(ticks)])
    for workers in (1, 3):
        api.begin(tmp_path / str(workers), plan)
        api.go_on(tmp_path / str(workers), plan, workers)

    one, other = ((tmp_path / str(workers) / "trials.parquet").read_bytes() for workers in (1, 3))
    assert one == other
    summary = json.loads((tmp_path / "3" / "summary.json").read_text())
    assert bool(summary["front"]) == sampler.startswith("nsga")


def test_a_random_2_percent_of_trials_are_the_backtests_of_their_sets(ticks: Path, tmp_path: Path) -> None:
    ranges = ["grid.bid.first_bps,grid.ask.first_bps=1:20", "pivot.window_s=5:100:log"]
    _, trials, plan = swept(tmp_path, ticks, ranges, sampler="sobol", trials=128)
    from bmv.backtest.sweep.view import apply

    for trial in trials.sample(fraction=0.02, seed=11)["trial"]:
        apply(tmp_path, trial, tmp_path / "one.toml")
        result = Backtest(tmp_path / "one.toml", ticks, *plan.splits[0].searched).run()
        row = trials.row(by_predicate=pl.col("trial") == trial, named=True)
        assert (row["digest"], row["net"]) == (result.digest, float(result.summary["pnl"]["net"]))
