"""What a configuration implies for signing: every order of its grid passes, and nothing much larger."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmv.adapters.config import build, load
from bmv.adapters.config.compile import market as units
from bmv.adapters.config.compile import sizes_lots
from bmv.adapters.config.mandate import Extra, delegates_of, fees_lamports_per_day, limits_of, named_account, owner_of
from bmv.adapters.openbook.policy.mandate import Limits
from bmv.ports.errors import ConfigError

ADDRESS = "8BnEgHoWFysVcuFFX7QztDmzuH8r5ZFvyP3sYwn1XTh6"
PRICE = 15_000


def limits(good: Path, *sets: str) -> Limits:
    return limits_of(load(good, sets, {}), PRICE)


def test_a_whole_side_on_one_tick_with_a_full_lean_passes_and_little_more(good: Path) -> None:
    largest = 7_000 * 3 // 2  # Bids of 7 in lots of 0.001, half as much again where inventory leans.

    found = limits(good, "inventory.size_skew=0.5")

    assert largest <= found.order_lots_max <= largest * 1.2
    assert found.order_quote_lots_max == found.order_lots_max * PRICE * 4
    assert largest + 1_500 * 3 // 2 <= found.total_quote_lots_max / PRICE / 4 <= (largest + 2_250) * 1.2


@given(
    total=st.decimals("0.001", "50", places=3),
    levels=st.integers(1, 8),
    ratio=st.floats(0.5, 3),
    skew=st.floats(0, 1),
)
def test_no_order_of_a_grid_is_too_large(total: Decimal, levels: int, ratio: float, skew: float) -> None:
    side = {"levels": levels, "total_size": total, "size_ratio": ratio}
    market = {"symbol": "SOL/USDC", "tick_size": "0.01", "lot_size": "0.000001"}
    config = build(
        version=1,
        market={**market, "maker_fee_bps": 0, "taker_fee_bps": 4},
        grid={"bid": side, "ask": side},
        inventory={"start_quote": 1000, "max_position": 5, "size_skew": skew},
    )

    found = limits_of(config, PRICE)

    sizes = [size * (1 + skew) for size in sizes_lots(config.grid.bid, units(config))]
    assert max(sizes) <= sum(sizes) <= found.order_lots_max
    assert 2 * sum(sizes) * PRICE <= found.total_quote_lots_max


def test_limits_of_risk_come_first_and_keep_their_unit(good: Path) -> None:
    found = limits(good, "risk.max_order_notional=100", "risk.max_total_notional=250")

    assert found.order_quote_lots_max == 11_000_000  # A quote lot is 0.01 times 0.001, and a tenth comes on top.
    assert found.total_quote_lots_max == 27_500_000


def test_orders_may_trade_at_once_only_where_flattening_or_a_strategy_needs_it(good: Path) -> None:
    assert not limits(good).takes

    flattening = limits(good, "risk.breaker.on_halt=flatten")

    assert flattening.takes
    assert flattening.order_lots_max >= 15_000  # From what was held at the start, and beyond the furthest.
    assert limits(good, "strategy=mine.py:quote").takes


def test_fees_life_and_extras_are_those_of_the_configuration(good: Path) -> None:
    config = load(good, ["live.max_priority_fee_lamports=700", "live.order_life_s=30"], {})

    found = limits_of(config, PRICE, Extra(rent_lamports=5, wrap_lamports=6))

    assert found.priority_lamports_max == 700
    assert found.order_life_s_max is not None
    assert 30 <= found.order_life_s_max <= 45
    assert (found.rent_lamports_max, found.wrap_lamports_max) == (5, 6)
    assert (limits(good).rent_lamports_max, limits(good).wrap_lamports_max, limits(good).tip_lamports_max) == (0, 0, 0)


def test_without_a_price_no_order_passes(good: Path) -> None:
    found = limits_of(load(good, (), {}))

    assert found.order_quote_lots_max == 0
    assert found.total_quote_lots_max == 0


def test_a_budget_of_fees_is_said_in_lamports(good: Path) -> None:
    assert fees_lamports_per_day(load(good, ["risk.max_fees_sol_per_day=0.05"], {})) == 50_000_000
    assert fees_lamports_per_day(load(good, (), {})) is None


def test_addresses_are_read_or_named_with_their_key(good: Path) -> None:
    config = load(good, [f"live.delegate={ADDRESS}", f"live.open_orders={ADDRESS}", "market.venue=openbook-v2"], {})

    assert {str(one) for one in delegates_of(config)} == {ADDRESS}
    assert str(named_account(config)) == ADDRESS
    assert delegates_of(load(good, (), {})) == frozenset()
    assert str(owner_of(load(good, [f"live.owner={ADDRESS}", "market.venue=openbook-v2"], {}))) == ADDRESS
    assert owner_of(load(good, (), {})) is None
    with pytest.raises(ConfigError, match=r"live\.open_orders: expected 32 bytes in base58"):
        named_account(load(good, [f"live.open_orders={'z' * 44}"], {}))
