"""Contracts by chance: both engines agree to the last number, and money is what exact fractions make of the fills."""

from dataclasses import replace
from fractions import Fraction

import pytest
from chance import cases
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from twins import Case, Remains, differences, fused, reference

from bmv.adapters.config import Config
from bmv.adapters.config.check import check

EXAMPLES = 80
CONTRACTS = [  # At a price of 100 a lot is worth about as much as a lot of coins is in the other random runs.
    {"size": "0.7", "payoff": "linear"},
    {"size": "62500", "payoff": "linear"},
    {"size": "10000", "payoff": "inverse"},
    {"size": "0.03", "payoff": "inverse"},
    {"size": "7", "payoff": "inverse"},
]
TICKS = ["0.01", "0.03", "0.25"]  # A tick of 0.03 has a lot's value divided by 3.
RUN: list[Remains] = []
ENOUGH = 20  # Random runs, of either payoff, of which one trades; twenty of one payoff once did not.


@st.composite
def of_contracts(draw: st.DrawFn) -> Case:
    case = draw(cases())
    contract, tick = draw(st.sampled_from(CONTRACTS)), draw(st.sampled_from(TICKS))
    told = case.settings | {"market": case.settings["market"] | {"contract": contract, "tick_size": tick}}
    assume(not check(Config(**told)))
    return replace(case, settings=told)


@settings(max_examples=EXAMPLES, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
@given(of_contracts())
def test_both_engines_say_the_same_words_of_contracts(case: Case) -> None:
    through_ports, _ = reference(case.config, case.tape, case.strategy)

    compiled = fused(case.config, case.tape, case.strategy)

    assert "\n".join(differences(through_ports, compiled)) == ""
    assert_money_is_exact(case, through_ports)
    RUN.append(through_ports)


def assert_money_is_exact(case: Case, made: Remains) -> None:
    """Check profit against fractions, and the engine's cash against the venue's."""
    record, pnl, market = made.record, made.outcome.pnl, made.outcome.market
    assert pnl["net"] == pnl["spread"] + pnl["inventory"] + pnl["fees"]
    assert (made.engine["position"], made.engine["cash"]) == (record["position"], record["cash"])
    fills = made.outcome.fills.select("side", "size_lots", "price_ticks").rows()
    if not record["mid2"] or made.outcome.fills["mid"].null_count():
        return
    lot = Fraction(market.lot_size) * Fraction(market.contract.size)
    half_tick = Fraction(market.tick_size) / 2

    def worth(lots: int, halves: int) -> Fraction:
        price = halves * half_tick
        return lots * lot * (-1 / price if market.contract.inverse else price) / market.quantum

    start, end = int(record["start_mid2"]), int(record["mid2"])
    gained = worth(int(record["start_position"]), end) - worth(int(record["start_position"]), start)
    gained += sum(side * (worth(lots, end) - worth(lots, 2 * price)) for side, lots, price in fills)
    amounts = len(fills) + 2 if market.contract.inverse else 0  # Each rounded once, by half a quantum at the most.
    assert abs(pnl["net"] - pnl["fees"] - gained) <= Fraction(amounts, 2)


def test_the_random_contracts_were_traded() -> None:
    if len(RUN) < ENOUGH:
        pytest.skip(f"{len(RUN)} random runs took place")

    assert any(len(made.outcome.fills) for made in RUN)
