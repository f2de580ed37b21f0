"""What a live session paid to the chain, as its report says it."""

from fractions import Fraction

from bmv.adapters.report.sheet import headline
from bmv.data.journal.costs import ChainCosts


def test_what_was_paid_to_the_chain_stands_beside_the_profit_in_lamports_and_at_its_rate() -> None:
    costs = ChainCosts(base=130_000, priority=70, tips=146_648, rent_out=10, rent_in=3)

    (row,) = [row for row in headline({"chain": costs.to_json(Fraction(150))}) if row.label == "Lamports to the chain"]

    assert row.value == 276_725
    assert "tips 146,648, rent 7" in row.means
    assert "0.041508750 of quote, at 150 a SOL" in row.means


def test_a_run_that_paid_nothing_to_a_chain_says_nothing_of_it() -> None:
    assert not [row for row in headline({}) if "chain" in row.label]
