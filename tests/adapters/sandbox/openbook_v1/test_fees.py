"""Fees: the program's fixed point, and the reference's rates."""

from fractions import Fraction
from math import ceil, floor

from hypothesis import given
from hypothesis import strategies as st

from bmv.adapters.sandbox.openbook_v1 import fees

AMOUNT = st.integers(0, 2**60)
TIER = st.sampled_from([fees.BASE, fees.STABLE])
MAKER = {fees.BASE: Fraction(2, 10_000), fees.STABLE: Fraction(5, 100_000)}


@given(TIER, AMOUNT)
def test_the_maker_gets_its_rate_rounded_down_by_at_most_a_unit(tier: int, amount: int) -> None:
    assert floor(amount * MAKER[tier]) - fees.maker_rebate(tier, amount) in (0, 1)


@given(TIER, AMOUNT)
def test_the_taker_pays_twice_that_rounded_up_by_at_most_a_unit(tier: int, amount: int) -> None:
    assert ceil(amount * 2 * MAKER[tier]) - fees.taker_fee(tier, amount) in (0, 1)


@given(TIER, AMOUNT)
def test_the_takers_fee_pays_for_maker_and_referrer(tier: int, amount: int) -> None:
    fee = fees.taker_fee(tier, amount)

    assert fee >= fees.maker_rebate(tier, amount) + fees.referrer_rebate(fee)


@given(TIER, AMOUNT)
def test_what_is_left_without_the_fee_can_pay_it(tier: int, amount: int) -> None:
    trade = fees.remove_taker_fee(tier, amount)

    assert amount - trade - fees.taker_fee(tier, trade) in (0, 1)
