"""Units and levels of a book."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Lots, RestingOrder, Side, to_levels

LOTS = st.builds(Lots, st.integers(1, 2**63), st.integers(1, 2**63), st.integers(0, 18), st.integers(0, 18))
NUMBER = st.integers(1, 2**64 - 1)
ORDER = st.builds(
    RestingOrder,
    NUMBER,
    st.just(Side.ASK),
    st.integers(1, 5),
    NUMBER,
    st.just(Pubkey.default()),
    st.just(0),
    st.just(0),
    st.booleans(),
)


@given(LOTS, NUMBER)
def test_prices_and_sizes_come_back_exactly(lots: Lots, number: int) -> None:
    assert lots.price_lots(lots.price(number)) == number
    assert lots.size_lots(lots.size(number)) == number


@given(LOTS, NUMBER, NUMBER)
def test_an_order_costs_its_price_times_its_size(lots: Lots, price: int, size: int) -> None:
    assert lots.price(price) * lots.size(size) * 10**lots.quote_decimals == lots.native_quote(price, size)


def test_a_price_between_two_ticks_is_told_as_a_fraction() -> None:
    lots = Lots(100_000_000, 100, 9, 6)

    assert lots.price_lots(Decimal("150.0015")) == Fraction(300_003, 2)
    assert lots.size_lots(Decimal("0.25")) == Fraction(5, 2)


@pytest.mark.parametrize(("base", "quote"), [(0, 1), (1, 0), (-1, 1)])
def test_a_market_of_no_lots_is_refused(base: int, quote: int) -> None:
    with pytest.raises(ValueError, match="lots must be above 0"):
        Lots(base, quote, 9, 6)


@given(st.lists(ORDER))
def test_levels_lose_no_order_and_no_lot(orders: list[RestingOrder]) -> None:
    orders.sort(key=lambda order: order.price_lots)

    levels = to_levels(orders)

    assert [level.price_lots for level in levels] == sorted({order.price_lots for order in orders})
    assert sum(level.size_lots for level in levels) == sum(order.size_lots for order in orders)
    assert sum(level.own_lots for level in levels) == sum(order.size_lots for order in orders if order.own)
    assert sum(level.orders for level in levels) == len(orders)
