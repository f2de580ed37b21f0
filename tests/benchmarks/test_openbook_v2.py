"""How long a full side of an OpenBook v2 market takes to be decoded: under a millisecond is asked for."""

from random import Random

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.v2.bookside import BOOK_SIDE_SIZE, DISCRIMINATOR, BookSide
from bmv.adapters.sandbox.openbook_v2.tree import Leaf, Trees

ORDERS = 512  # Each but the first takes two of the 1,024 nodes.


@pytest.fixture(scope="module", params=Side, ids=["bids", "asks"])
def full_side(request: pytest.FixtureRequest) -> bytes:
    random = Random(1)
    data = bytearray(BOOK_SIDE_SIZE)
    data[:8], data[312] = DISCRIMINATOR, request.param
    trees = Trees(data)
    for number in range(ORDERS):
        low = number if request.param is Side.ASK else 2**64 - 1 - number
        key = random.randrange(14_000, 16_000) << 64 | low
        trees.insert(0, Leaf(number % 24, 0, key, random.randbytes(32), 1_000, 1_800_000_000, -1, number))
    return bytes(data)


def test_a_full_side_is_decoded(benchmark: BenchmarkFixture, full_side: bytes) -> None:
    decoded = benchmark(BookSide.decode, full_side)

    assert decoded.head.roots[0].leaf_count == ORDERS
    assert decoded.head.bump_index == 1_023
