"""Fees are rounded against us, and what is owned changes by what was traded."""

from fractions import Fraction
from itertools import pairwise
from math import ceil

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bmv.core.accounting import countable, entry, fee, gain, notional, worth

E8 = 100_000_000


def inverse() -> st.SearchStrategy[tuple[int, int]]:
    """Return `half` and `divisor` of inverse markets."""
    return st.tuples(st.integers(2**30, 2**40), st.sampled_from([1, 3, 7]))


@pytest.mark.parametrize(
    ("amount", "fee_e8", "expected"),
    [
        # A fee of one basis point: 10_000 of 10^8.
        (0, 10_000, 0),
        (1, 10_000, 1),
        (10_000, 10_000, 1),
        (10_001, 10_000, 2),
        (20_000, 10_000, 2),
        # A rebate of one basis point.
        (0, -10_000, 0),
        (1, -10_000, 0),
        (9_999, -10_000, 0),
        (10_000, -10_000, -1),
        (19_999, -10_000, -1),
        # Nothing, everything, and more than fits a product of 64 bits.
        (123_456, 0, 0),
        (123_456, E8, 123_456),
        (123_456, -E8, -123_456),
        (2**61, E8 // 10, ceil(Fraction(2**61, 10))),
        (2**61, -E8 // 10, -(2**61 // 10)),
    ],
)
def test_a_fee_is_rounded_up_against_us(amount: int, fee_e8: int, expected: int) -> None:
    assert fee(amount, fee_e8) == expected


@given(st.integers(0, 2**61), st.integers(-E8, E8))
def test_a_fee_is_the_ceiling_of_the_exact_one(amount: int, fee_e8: int) -> None:
    assert fee(amount, fee_e8) == ceil(Fraction(amount * fee_e8, E8))


@given(st.integers(1, 2**30), st.integers(-(2**30), 2**30), st.integers(1, 2**20), st.integers(2, 2**21))
def test_a_purchase_at_the_mid_changes_nothing_that_is_owned(half: int, position: int, size: int, mid2: int) -> None:
    price = mid2 // 2
    before = worth(half, 0, position, 2 * price)

    after = worth(half, 0, position + size, 2 * price) - notional(half, 0, price, size)

    assert after == before


@given(st.integers(1, 9), st.integers(-99, 99), st.integers(2, 999), st.integers(2, 999))
def test_a_change_of_the_mid_changes_what_is_owned_by_the_position(
    half: int, position: int, one: int, two: int
) -> None:
    assert worth(half, 0, position, two) - worth(half, 0, position, one) == gain(half, 0, position, one, two)


@given(inverse(), st.integers(0, 2**20), st.integers(2, 2**21))
def test_inverse_contracts_are_worth_the_nearest_quantum(market: tuple[int, int], position: int, mid2: int) -> None:
    half, divisor = market

    exact = Fraction(half * position, divisor * mid2)

    assert abs(worth(half, divisor, position, mid2) + exact) <= Fraction(1, 2)
    assert notional(half, divisor, mid2, position) == -worth(half, divisor, position, 2 * mid2)


@given(inverse(), st.integers(0, 2**20), st.integers(1, 2**20), st.integers(1, 2**20))
def test_a_purchase_of_inverse_contracts_at_the_mid_changes_what_is_owned_by_a_quantum_at_the_most(
    market: tuple[int, int], position: int, size: int, price: int
) -> None:
    held, paid = (worth(*market, lots, 2 * price) for lots in (position, size))

    after = worth(*market, position + size, 2 * price) - paid

    assert abs(after - held) <= 1


@given(inverse(), st.integers(0, 2**20), st.lists(st.integers(2, 2**21), min_size=2, max_size=9))
def test_gains_of_inverse_contracts_add_up_over_any_way_of_the_mid(
    market: tuple[int, int], position: int, mids: list[int]
) -> None:
    gains = [gain(*market, position, before, after) for before, after in pairwise(mids)]

    assert sum(gains) == gain(*market, position, mids[0], mids[-1])
    assert entry(*market, position, mids[0]) + worth(*market, position, mids[0]) == 0


@given(inverse(), st.integers(1, 2**40), st.integers(1, 2**40))
def test_what_is_countable_stays_within_64_bits(market: tuple[int, int], price: int, size: int) -> None:
    half, divisor = market
    assume(countable(half, divisor, price, size))

    assert 2 * half * size + 2 * divisor * price < 2**63
    assert notional(half, divisor, price, 1) >= 1
