"""The pictures: complete, small, and true to the numbers beside them."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from synthetic import ORDERS, SECOND, fills

from bmv.adapters.report.figures import attributed, figures, levels
from bmv.adapters.report.thin import resting, thinned
from bmv.data.runs.folder import read


def test_a_busy_run_has_every_figure(run_dir: Path) -> None:
    assert list(figures(read(run_dir))) == ["price", "attribution", "markouts", "levels", "inventory", "breaker"]


@pytest.mark.parametrize(
    ("first", "hours", "shown"),
    [(22.5, 3, ["22", "23", "00", "01"]), (0, 0.5, ["00"]), (5, 40, [f"{hour:02d}" for hour in range(24)])],
)
def test_the_map_of_fills_has_the_hours_of_the_run_and_no_others(
    first: float, hours: float, shown: list[str], run_dir: Path
) -> None:
    run = read(run_dir)
    start_ns, hour_ns = 20_334 * 86_400 * SECOND + int(first * 3600) * SECOND, 3600 * SECOND
    ends = [start_ns, start_ns + int(hours * hour_ns)]
    short = replace(
        run,
        equity=run.equity.head(2).with_columns(ts_ns=pl.Series(ends)),
        fills=run.fills.head(2).with_columns(ts_ns=pl.Series(ends)),
    )

    drawn = levels(short)

    assert drawn is not None
    assert list(drawn.data[0].x) == shown
    assert np.nansum(drawn.data[0].z) == 2


def test_the_parts_add_up_to_net_at_every_instant_and_end_where_the_summary_does(run_dir: Path) -> None:
    run = read(run_dir)

    parts = attributed(run)

    assert np.allclose(parts["spread"] + parts["inventory"] + parts["fees"], parts["net"], atol=1e-9)
    for name in ("net", "spread", "inventory", "fees"):
        assert parts[name][-1] == pytest.approx(float(run.summary["pnl"][name]), abs=1e-5)


def test_thinning_keeps_the_extremes_of_every_stretch() -> None:
    dice = np.random.default_rng(3)
    table = pl.DataFrame({"ts_ns": np.arange(100_000), "y": dice.normal(size=100_000)})

    shown = thinned(table, "y", 100)

    assert len(shown) <= 400
    assert shown["ts_ns"].is_sorted()
    stretch = pl.col("ts_ns") // 1000
    for extreme in (pl.col("y").min(), pl.col("y").max()):
        whole, part = (each.group_by(stretch.alias("at")).agg(extreme).sort("at") for each in (table, shown))
        assert whole.equals(part)


def test_thinning_keeps_the_gap_of_a_pivot_that_was_not_there() -> None:
    table = pl.DataFrame({"ts_ns": range(10_000), "y": [1.0] * 4000 + [None] * 2000 + [2.0] * 4000})

    assert thinned(table, "y", 20)["y"].null_count() > 0


def test_a_few_rows_are_shown_as_they_are() -> None:
    table = fills([{"s": 1, "side": 1, "size": 1.0, "price": 5.0}])

    assert thinned(table, "price", 100) is table


@pytest.mark.parametrize("buckets", [10, 2])
def test_a_resting_order_is_drawn_while_it_rests_and_not_between(buckets: int) -> None:
    level = pl.DataFrame(
        {
            "order_id": [1, 2, 3],
            "price": [10.0, 11.0, 12.0],
            "accepted_ns": [0, 40 * SECOND, 60 * SECOND],
            "done_ns": [20 * SECOND, 60 * SECOND, None],
        },
        schema={name: ORDERS[name] for name in ("order_id", "price", "accepted_ns", "done_ns")},
    )

    ts, price = resting(level, 90 * SECOND, buckets)

    drawn = dict(zip((ts // SECOND).tolist(), price.tolist(), strict=True))
    assert drawn[0] == 10.0
    assert np.isnan(price).any()
    assert set(price[~np.isnan(price)].tolist()) <= {10.0, 11.0, 12.0}


def test_a_line_of_many_orders_begins_with_the_first_of_them() -> None:
    first_ns = 1_756_857_600_000_000_123  # Rounded to a float64 it would lie before itself.
    accepted = [first_ns + n * SECOND for n in range(100)]
    level = pl.DataFrame(
        {"price": [float(n) for n in range(100)], "accepted_ns": accepted, "done_ns": accepted[1:] + [None]}
    )

    ts, price = resting(level, accepted[-1] + SECOND, 10)

    assert (ts[0], price[0]) == (first_ns, 0.0)


def test_plotly_is_not_loaded_before_a_figure_is_made() -> None:
    modules = "bmv.adapters.report.report, bmv.adapters.report.show, bmv.adapters.report.compare"
    asked = f"import sys; sys.path[:] = {sys.path}; import {modules}; sys.exit('plotly' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


@pytest.mark.parametrize(("symbol", "size", "money"), [("SOL/USDC", "SOL", "USDC"), ("us_AIG", "base", "quote")])
def test_axes_name_the_currencies_of_the_market_where_its_symbol_tells_them(
    symbol: str, size: str, money: str, run_dir: Path
) -> None:
    run = read(run_dir)

    drawn = figures(replace(run, summary={**run.summary, "symbol": symbol}))

    assert drawn["inventory"].layout.xaxis.title.text == f"inventory, {size}"
    assert drawn["attribution"].layout.yaxis.title.text == f"profit, {money}"
    assert {f"inventory, {size}", f"equity, {money}"} <= {each.text for each in drawn["price"].layout.annotations}
