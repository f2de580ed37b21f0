"""How long it takes from a venue's message to the reference price."""

import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

sys.path.insert(0, str(Path(__file__).parents[1] / "adapters" / "prices"))

from price_messages import CASES, Case

from bmv.adapters.prices.consensus import Good, Reading, ReferencePrice, combine
from bmv.adapters.prices.quote import Pair, Quote
from bmv.adapters.prices.settings import Leg, Rules, Source

S = 1_000_000_000
NOW = 1_795_953_600 * S
USD, USDC = Pair("SOL", "USD"), Pair("SOL", "USDC")


def reading(bid: str, ask: str) -> Reading:
    return Reading(Quote("-", USD, Decimal(bid), Decimal(ask), NOW), NOW)


@pytest.mark.benchmark(group="prices")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.venue)
def test_reading_a_message(benchmark: BenchmarkFixture, case: Case) -> None:
    assert benchmark(case.decode, case.message) == case.quote


@pytest.mark.benchmark(group="prices")
def test_combining_three_sources_two_legs_and_a_veto(benchmark: BenchmarkFixture) -> None:
    leg = Leg("kraken", Pair("USDC", "USD"))
    sources = [
        Source("binance", USDC, 10 * S),
        Source("coinbase", USD, 10 * S, leg),
        Source("kraken", USD, 10 * S, leg),
        Source("coingecko", USD, 180 * S, par=Fraction(1, 200)),
    ]
    names = [*(source.name for source in sources), leg.name]
    quotes = [("150.10", "150.11"), ("150.12", "150.13"), ("150.09", "150.12"), ("150.2", "150.2"), ("0.9999", "1")]
    readings = {name: reading(*quote) for name, quote in zip(names, quotes, strict=True)}

    answer = benchmark(combine, Rules(USDC, 2), sources, readings, NOW, Good(Fraction(150), NOW - S))

    assert isinstance(answer.price, ReferencePrice)
    assert len(answer.price.sources) == 3
