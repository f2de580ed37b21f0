"""What a live session paid to the chain, in its money, its tables and its report."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from synthetic import nothing

from bmv.adapters.bookkeeping.chain import LAMPORTS, charged
from bmv.adapters.report.figures import attributed, figures
from bmv.adapters.report.report import render
from bmv.adapters.report.sheet import headline, profit_parts
from bmv.data.journal.costs import ChainCosts
from bmv.data.journal.landing_page import landings_json
from bmv.data.journal.landings import Landing, Landings
from bmv.data.runs.folder import Run, read

EPOCH = 3


def landed(number: int) -> Landing:
    tip, late = 1_000 * (number % 5), number % 7
    state = "expired" if number % 11 == 0 else "finalized"
    slot = None if state == "expired" else 1_000 + number + late
    return Landing(str(number), "jito", "refill", state, slot, None if slot is None else slot // 4, late, late // 4, tip,
                   0, 5_000 + tip, 100_000, 900, 1, 0, 9_000, number, fills=1)  # fmt: skip


def live(run: Run) -> Run:
    """Return a run as if it had been one on a chain."""
    landings = Landings(ended={str(number): landed(number) for number in range(200)}, fills=3)
    costs = ChainCosts(base=130_000, tips=146_648, paid=[(0, 276_648)])
    equity = run.equity.with_columns(pl.lit(276_648).alias(LAMPORTS))
    summary = {
        **run.summary,
        "engine": "live",
        "chain": costs.to_json(Fraction(150)),
        "landing": landings_json(landings),
    }
    return replace(run, summary=summary, equity=equity)


def test_what_was_paid_is_said_in_lamports_and_at_its_rate() -> None:
    costs = ChainCosts(base=130_000, priority=70, tips=146_648, rent_out=10, rent_in=3)

    (row,) = [
        row
        for row in headline({"symbol": "SOL/USDC", "chain": costs.to_json(Fraction(150))})
        if row.label == "Lamports to the chain"
    ]

    assert row.value == 276_725
    assert "tips 146,648, rent 10, 3 of it back" in row.means
    assert "in the profit as 0.041508750 USDC, at 150 a SOL" in row.means


def test_a_run_that_paid_nothing_to_a_chain_says_nothing_of_it(run_dir: Path) -> None:
    assert not [row for row in headline({}) if "chain" in row.label]
    assert 'class="card landing"' not in render(read(run_dir))


def test_what_was_paid_is_a_part_of_the_profit_which_still_adds_up() -> None:
    base, costs = nothing(), ChainCosts(base=10_000_000, priority=3, tips=1_000_000, rent_out=7_000_000, rent_in=500)

    made = charged(base, costs, EPOCH, Fraction(150))
    unpriced = charged(base, costs, EPOCH, None)

    parts = {name: part for name, part in made.pnl.items() if name != "net"}
    assert sum(parts.values()) == made.pnl["net"]
    assert float(made.market.money(base.pnl["net"] - made.pnl["net"])) == pytest.approx(
        costs.lamports * 150 / 1e9, abs=1e-6
    )
    assert made.net_vs_hold - base.net_vs_hold == made.pnl["net"] - base.pnl["net"]
    assert profit_parts({name: str(part) for name, part in made.pnl.items()})[3:] == [
        "base_fees", "priority", "tips", "rent_out", "rent_in"
    ]  # fmt: skip
    assert unpriced.pnl == base.pnl


def test_orders_and_fills_have_what_they_cost_to_the_lamport() -> None:
    orders = pl.DataFrame({"order_id": [1, 2, 3]})
    fills = pl.DataFrame({"order_id": [1, 2, 1, 1], "size_lots": [5, 9, 3, 1]})
    costs = ChainCosts(base=10_009, by_order={EPOCH << 32 | 1: 5_002, EPOCH << 32 | 2: 5_000, 2 << 32 | 3: 7},
                       paid=[(10, 5_000), (30, 5_009)])  # fmt: skip
    base = replace(nothing(), orders=orders, fills=fills, equity=pl.DataFrame({"ts_ns": [5, 10, 20]}))

    made = charged(base, costs, EPOCH, None)

    assert made.orders[LAMPORTS].to_list() == [5_002, 5_000, 0], "an order of an earlier session is not of this one"
    assert made.fills.group_by("order_id").agg(pl.col(LAMPORTS).sum()).sort("order_id").rows() == [
        (1, 5_002),
        (2, 5_000),
    ]
    assert made.equity[LAMPORTS].to_list() == [0, 5_000, 10_009], "all that was paid in the last"


def test_the_page_of_a_live_run_shows_how_it_landed_and_its_parts_add_up(run_dir: Path) -> None:
    run = live(read(run_dir))

    page, parts = render(run), attributed(run)

    assert {"landing_slots", "landing_tips", "landing_spans"} <= set(figures(run))
    assert page.count('id="chart-landing_') == 3
    assert all(f"By {head}" in page for head in ("route", "leader window", "tip a unit", "purpose"))
    assert "The next higher tip" in page
    sums = parts["spread"] + parts["inventory"] + parts["fees"] + parts["chain"]
    assert (sums - parts["net"]).abs().max() == pytest.approx(0, abs=1e-9)
