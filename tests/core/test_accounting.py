"""Fees are rounded against us, and what is owned changes by what was traded."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmv.core.accounting import fee, gain, notional, worth

E8 = 100_000_000


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
