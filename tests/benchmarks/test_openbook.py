"""How long a full book takes to decode, and the sandbox's double for an order."""

from random import Random

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from solders.instruction import Instruction
from tests.rigs.fuzz_v1 import small_slab
from tests.rigs.golden_v1 import accounts_before, read

from bmv.adapters.openbook.v1.slab import Slab
from bmv.adapters.sandbox.double import Surroundings
from bmv.adapters.sandbox.openbook_v1.program import OpenBookV1


@pytest.fixture(scope="module")
def full_side() -> bytes:
    """A side of the usual 65,548 bytes with the 455 orders that fit."""
    side = small_slab(Random(1), 455, nodes=909)
    assert Slab.decode(side).leaf_count == 455
    return side + b""


@pytest.mark.benchmark(group="openbook")
def test_decoding_a_full_side_of_a_book(benchmark: BenchmarkFixture, full_side: bytes) -> None:
    slab = benchmark(Slab.decode, full_side)

    assert len(slab.leaves) == 455


@pytest.mark.benchmark(group="openbook")
def test_levels_of_a_full_side_of_a_book(benchmark: BenchmarkFixture, full_side: bytes) -> None:
    levels = benchmark(Slab.decode(full_side).levels)

    assert sum(level.orders for level in levels) == 455


@pytest.mark.benchmark(group="openbook")
def test_orders_of_a_full_side_of_a_book(benchmark: BenchmarkFixture, full_side: bytes) -> None:
    orders = benchmark(Slab.decode(full_side).orders)

    assert len(orders) == 455


@pytest.mark.benchmark(group="openbook")
def test_an_order_played_by_the_double(benchmark: BenchmarkFixture) -> None:
    tape, double = read(), OpenBookV1()
    states, around = accounts_before(tape), Surroundings(0, 1, 6_960)
    for step in tape.steps[:2]:
        states |= double.execute(step.instruction, states, around).accounts
    order: Instruction = tape.steps[2].instruction

    outcome = benchmark(double.execute, order, states, around)

    assert outcome.error is None
