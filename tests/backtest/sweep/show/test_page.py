"""The report of a sweep: one file that opens without a network, says what was found, or why nothing was."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import pytest
from folders import CONFIG_TEXT, FIRST, KEYS, QUEUE, WINDOW, trials, write_sweep

from bmv.backtest.sweep.judge.overfitting import cscv
from bmv.backtest.sweep.show.cells import axes, importance, near
from bmv.backtest.sweep.show.drawing import Search, figures
from bmv.backtest.sweep.show.equity import earned, runs
from bmv.backtest.sweep.show.marks import visible
from bmv.backtest.sweep.show.page import render
from bmv.backtest.sweep.show.trust import halves
from bmv.backtest.sweep.trials.accounts import Accounts
from bmv.backtest.sweep.trials.reading import TRIALS, read
from bmv.ports.errors import DataError, UsageError

EVIL = "</script><script>alert(1)</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep over three keys; read only."""
    return write_sweep(tmp_path_factory.mktemp("sweeps") / "hill", trials(150))


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return render(read(folder))


def without_program(page: str) -> str:
    """Return the page without its scripts."""
    return re.sub(r"<script.*?</script>", "", page, flags=re.S)


def drawn(page: str) -> dict[str, Any]:
    told = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, flags=re.S)
    assert told
    return dict(orjson.loads(told[1]))


def of(table: pl.DataFrame, tmp_path: Path, *args: Any, **more: Any) -> tuple[str, dict[str, Any]]:
    """Return what the page of a sweep with these trials says, and its figures."""
    page = render(read(write_sweep(tmp_path / "sweep", table, *args, **more)))
    shell = without_program(page)
    places = set(re.findall(r'id="chart-([a-z0-9-]+)"', shell))
    assert places == set(drawn(page))  # The program stops at a figure that has no place.
    return shell, drawn(page)


def test_the_page_loads_nothing_from_anywhere(page: str) -> None:
    shell = without_program(page)

    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:)""", shell)
    assert "@import" not in shell
    assert "url(" not in shell
    assert "plotly.js v" in page
    assert "showSendToCloud: false" in page


def test_a_sweep_over_three_keys_has_every_figure_and_each_its_place(page: str) -> None:
    names = [
        "surface-0", "surface-1", "surface-2", "parallel", "importance", "history", "plateau", "walk", "logits",
        "degradation", "equity",
    ]  # fmt: skip

    assert list(drawn(page)) == names
    assert all(page.count(f'id="chart-{name}"') == 1 for name in names)


@pytest.mark.parametrize(
    "said",
    [
        "Worth trading: trial", "passes all 7 checks", "Net in search", "By quoting", "By the market", "Quoting in holdout", "of the 157 sets ever tried",
        "PBO", "144 complete, 6 pruned", "81.2</b>|81.2 M/s", "grid.ask.first_bps", "3 bad rows dropped",
        "2 … 20, step 2", "5 … 600, log", "front, power, back", "max drawdown at most 0.3", "2025-09-03 18:00:00",
        "Which keys matter", "What each fold chose", "max_drawdown = 0.3", "2 workers",
    ],
)  # fmt: skip
def test_the_page_tells_what_a_trader_looks_for(page: str, said: str) -> None:
    assert re.search(said.replace(".", r"\."), without_program(page))


def test_the_verdict_stands_before_everything_else(page: str) -> None:
    shell = without_program(page)
    heads = ["Worth trading", "Warnings", "Where the good sets lie", "All keys at once", "Which keys matter"]
    heads += [
        "Walk-forward",
        "Probability of overfitting",
        "Around the best set",
        "Equity of the best",
        "The best sets",
    ]

    places = [shell.index(head) for head in heads]

    assert places == sorted(places)


def test_every_reason_has_its_mark_and_a_sweep_of_noise_is_not_worth_trading(tmp_path: Path) -> None:
    shell, _ = of(trials(80, edge=0.0), tmp_path, edge=0.0)

    assert "Not worth trading" in shell
    assert "bad-news" in shell
    assert shell.count('<li class="bad">') >= 2
    assert 'title="does not hold">✗</i>' in shell


def test_a_text_from_outside_cannot_become_markup(tmp_path: Path) -> None:
    choice = QUEUE | {"values": [EVIL, "<b>bold</b>", "%{x}"]}
    table = trials(60, (FIRST, choice))
    broken = table.with_columns(reason=pl.lit(EVIL), digest=pl.lit(EVIL)).rename({"net": EVIL}).with_columns(net=EVIL)

    folder = write_sweep(
        tmp_path / "sweep", broken, (FIRST, choice), objectives=(EVIL,), symbol=EVIL, name=EVIL, warnings=[EVIL],
        sampler=EVIL, verdict={"worth": True, "headline": EVIL, "reasons": [{"ok": True, "text": EVIL}]},
    )  # fmt: skip

    page = render(read(folder))

    assert EVIL not in page
    assert "&lt;script&gt;alert(1)" in page
    told = orjson.dumps(drawn(page)).decode()
    assert "<b>bold" not in told  # Plotly would set it in bold, and follow a link.
    assert "<script" not in told
    assert "‹b›bold" in told


def test_one_key_is_drawn_as_a_curve_with_a_dot_for_every_trial(tmp_path: Path) -> None:
    shell, made = of(trials(60, (WINDOW,)), tmp_path, (WINDOW,))

    assert "surface-0" not in made
    assert "parallel" not in made
    assert len(made["curve"]["data"]) == 3
    assert "Parallel coordinates: one key alone was varied." in shell


def test_one_trial_makes_a_page_that_says_what_one_trial_cannot_tell(tmp_path: Path) -> None:
    table = trials(1).with_columns(feasible=pl.lit(True))

    shell, made = of(table, tmp_path)

    assert "surface-0" not in made
    assert "no key differs between the complete trials" in shell
    assert "Probability of overfitting: one set alone was run to the end." in shell


def test_a_sweep_whose_trials_were_all_pruned_says_so_first(tmp_path: Path) -> None:
    gone = [pl.lit(None, pl.Float64).alias("net"), pl.lit(None, pl.Boolean).alias("feasible")]
    table = trials(30).with_columns(
        *gone,
        state=pl.lit("pruned"),
        reason=pl.lit("too deep"),
        **dict.fromkeys(("returns", "held", "mids"), pl.lit(None, pl.List(pl.Int64))),
    )

    shell, made = of(table, tmp_path)

    assert made == {}
    assert "None of 30 trials ran to its end" in shell
    assert "30 pruned: too deep" in shell
    assert shell.index("30 pruned: too deep") < shell.index("How it was searched")


def test_a_sweep_without_a_set_that_keeps_the_constraints_names_them_and_shows_the_trials(tmp_path: Path) -> None:
    shell, made = of(trials(60).with_columns(feasible=pl.lit(False)), tmp_path)

    assert "None of 58 complete trials keeps the constraints: max drawdown at most 0.3, fills at least 30." in shell
    assert {"surface-0", "parallel", "history"} <= set(made)
    assert "Equity: the folder holds none of a best set." in shell
    assert "broken" in shell


def test_a_sweep_without_any_trial_is_a_page_too(tmp_path: Path) -> None:
    shell, made = of(trials(0), tmp_path)

    assert made == {}
    assert "No trial was run." in shell


def test_several_objectives_have_a_front_that_says_which_way_is_better(tmp_path: Path) -> None:
    shell, made = of(trials(80, objectives=("net", "risk")), tmp_path, objectives=("net", "risk"))

    assert made["front"]["layout"]["yaxis"]["title"]["text"] == "risk, less is better"
    assert made["front"]["data"][1]["name"] == "front"
    assert "risk, made small" in shell


def test_a_set_is_best_where_the_objective_is_smallest_if_it_is_made_small(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "sweep", trials(80), directions=("minimize",))

    sweep = read(folder)

    kept = sweep.complete.filter(pl.col("feasible"))
    assert sweep.ranked()["net"][0] == kept["net"].min()
    assert render(sweep)


def test_several_tapes_have_their_nets_and_each_its_shaded_end(tmp_path: Path) -> None:
    shell, made = of(trials(50, tapes=3), tmp_path, tapes=3)

    assert "Net, day 2" in shell
    assert len(made["equity"]["layout"]["shapes"]) == 3 * 2  # Of each tape one for equity, one for drawdown.


def test_equity_of_tapes_that_go_back_in_time_is_drawn_sample_behind_sample(folder: Path, tmp_path: Path) -> None:
    twice = write_sweep(tmp_path / "sweep", trials(50))
    for path in (twice / "best").glob("equity-*.parquet"):
        table = pl.read_parquet(path)
        pl.concat([table, table]).write_parquet(path)

    made = drawn(render(read(twice)))

    assert made["equity"]["layout"]["xaxis"]["type"] == "linear"
    assert drawn(render(read(folder)))["equity"]["layout"]["xaxis"]["type"] == "date"


def test_what_is_earned_adds_up_over_runs_that_each_begin_with_the_same_balances() -> None:
    tapes = [{"first_ns": 0, "split_ns": 3, "last_ns": 4}, {"first_ns": 10, "split_ns": None, "last_ns": 12}]
    table = pl.DataFrame(
        {"ts_ns": [0, 1, 2, 3, 4, 10, 12], "equity": [100.0, 101, 105, 90, 92, 80, 79], "drawdown": [0.0] * 7}
    )

    assert runs(table["ts_ns"].to_numpy(), tapes) == [(0, 3, False), (3, 5, True), (5, 7, False)]
    assert earned(table, tapes)["earned"].to_list() == [0, 1, 5, 5, 7, 7, 6]


def test_two_markets_of_one_day_are_four_runs() -> None:
    market = {"first_ns": 0, "split_ns": 3, "last_ns": 4}
    ts = np.array([0, 1, 2, 3, 4, 0, 1, 3, 4])

    assert runs(ts, [market, market]) == [(0, 3, False), (3, 5, True), (5, 7, False), (7, 9, True)]


def test_ten_thousand_trials_make_a_page_below_ten_megabytes(tmp_path: Path) -> None:
    few = trials(10_000).with_columns(pl.col("returns", "held").list.head(20), pl.col("mids").list.head(21))

    page = render(read(write_sweep(tmp_path / "sweep", few)))

    assert len(page.encode()) < 10_000_000
    assert len(drawn(page)["history"]["data"][0]["x"]) < 30_000


def test_a_folder_that_contradicts_itself_is_not_to_be_trusted(tmp_path: Path) -> None:
    shell, _ = of(trials(50), tmp_path, trials={"planned": 50, "complete": 50, "pruned": 0, "invalid": 0})

    assert "trials.parquet has 48 complete trials, but the summary counts 50: do not trust this folder." in shell


def test_a_summary_without_validation_still_makes_a_page(tmp_path: Path) -> None:
    shell, _ = of(trials(30), tmp_path, validation={}, verdict={}, speed={}, warnings=[])

    assert "No verdict: the sweep was not judged." in shell


@pytest.mark.parametrize("name", ["trials.parquet", "config.resolved.toml"])
def test_a_missing_file_is_told_by_name(name: str, tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "sweep", trials(10))
    (folder / name).unlink()

    with pytest.raises(DataError, match=re.escape(name)):
        render(read(folder))


def test_a_table_that_lacks_a_column_is_told_by_file_and_column(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "sweep", trials(10))
    path = next((folder / "best").glob("equity-*.parquet"))
    pl.read_parquet(path).drop("drawdown").write_parquet(path)

    with pytest.raises(DataError, match=rf"{path.name} lacks the column drawdown"):
        render(read(folder))


@pytest.mark.parametrize("wrong", [None, float("nan"), float("inf")])
def test_a_figure_or_a_value_that_is_missing_is_left_out_of_the_pictures(wrong: float | None, tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "sweep", trials(60))
    third = pl.col("trial") % 3 == 0
    keys = [
        pl.when(third).then(pl.lit(wrong, pl.Float64)).otherwise(name).alias(name) for name in ("net", "pivot.window_s")
    ]
    pl.read_parquet(folder / "trials.parquet").with_columns(keys).write_parquet(folder / "trials.parquet")

    made = drawn(render(read(folder)))

    assert len(made["history"]["data"][0]["x"]) < 40
    assert "surface-0" in made


def test_a_folder_that_is_no_sweep_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no summary\.json"):
        read(tmp_path)
    with pytest.raises(UsageError, match="there is no folder"):
        read(tmp_path / "nowhere")


def test_the_summary_of_a_backtest_is_refused(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "sweep", trials(10), kind="backtest")

    with pytest.raises(DataError, match="its kind backtest"):
        render(read(folder))


def test_a_key_that_decides_takes_the_variance_and_one_that_does_nothing_takes_none() -> None:
    table = trials(2000)
    first, window, queue = axes(list(KEYS), table)
    values = table["grid.bid.first_bps"].to_numpy().astype(np.float64) ** 2

    assert importance(values, first) == pytest.approx(1)
    assert importance(values, window) < 0.01
    assert importance(values, queue) < 0.01


def test_the_sets_near_the_best_differ_from_it_in_one_key_where_a_grid_has_such() -> None:
    grid = pl.DataFrame({"a": [1, 2, 3, 4] * 4, "b": sorted([1, 2, 3, 4] * 4)})
    along = axes([{"key": "a"}, {"key": "b"}], grid)

    line = near(along, 0, 5)

    assert grid.filter(pl.Series(line))["b"].to_list() == [2, 2, 2, 2]


def test_a_range_drawn_by_its_logarithm_is_cut_by_it() -> None:
    (axis,) = axes([WINDOW], trials(500, (WINDOW,)))

    assert np.bincount(axis.cell).min() > 20
    assert axis.ticks[0][1] == "5"
    assert axis.ticks[-1][1] == "600"


def test_the_halves_that_are_drawn_are_those_of_the_cross_validation(folder: Path) -> None:
    sweep = read(folder)
    choice = pl.read_parquet(folder / TRIALS).filter((pl.col("state") == "complete") & pl.col("feasible"))
    matrix = np.array(choice["returns"].to_list()).T

    drawn_halves, told = halves(sweep, 8), cscv(Accounts(matrix), 8)

    assert drawn_halves
    assert told
    own, other = drawn_halves
    assert len(own) == told.n_combinations == 70
    assert np.polyfit(own, other, 1) == pytest.approx([told.slope, told.intercept], rel=1e-6)
    assert (other < 0).mean() == pytest.approx(told.prob_loss)


def test_a_picture_of_many_trials_has_no_more_dots_than_one_of_a_thousand() -> None:
    dice, some = np.random.default_rng(3), np.arange(60_000)
    for x in (some.astype(float), dice.normal(size=len(some)), np.zeros(len(some))):
        for most in (1000, 40):
            shown = visible(x, dice.normal(size=len(x)), most)
            assert 0 < len(shown) <= most
            assert len(np.unique(shown)) == len(shown)
    assert visible(np.arange(900.0), np.zeros(900), 1000).tolist() == list(range(900))


def test_maps_hold_the_mean_and_the_best_of_their_cells(folder: Path) -> None:
    search = Search(read(folder))
    x, y = search.pairs()[0]

    mean, best, _ = figures(search)["surface-0"].data

    inside = search.values[(x.cell == x.cell[0]) & (y.cell == y.cell[0])]
    assert mean.z[y.cell[0]][x.cell[0]] == pytest.approx(inside.mean())
    assert best.z[y.cell[0]][x.cell[0]] == inside.max()


def test_plotly_and_optuna_are_not_loaded_with_the_module() -> None:
    asked = (
        f"import sys; sys.path[:] = {sys.path}; import bmv.backtest.sweep.show.page; "
        "sys.exit(any(name in sys.modules for name in ('plotly', 'optuna', 'ray', 'scipy')))"
    )

    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


def test_the_configuration_stands_in_the_page_as_it_is(page: str) -> None:
    assert CONFIG_TEXT.splitlines()[-1] in page
