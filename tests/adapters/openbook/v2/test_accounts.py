"""Markets, owners' accounts, indexers and oracles: what is refused, and an oracle's price in lots."""

from dataclasses import replace

import pytest
from hypothesis import given
from tests.rigs.golden_v2 import read_tape
from tests.rigs.strategies_v2 import values

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v2.codes import Build
from bmv.adapters.openbook.v2.layout import Record
from bmv.adapters.openbook.v2.market import MARKET_SIZE, Market
from bmv.adapters.openbook.v2.open_orders import OPEN_ORDERS_SIZE, OpenOrdersAccount, OpenOrdersIndexer
from bmv.adapters.openbook.v2.oracle import STUB_ORACLE_SIZE, StubOracle, oracle_price_lots


@pytest.fixture
def market() -> Market:
    return Market.decode(read_tape(Build.V1_7).steps[1].accounts_after["market"])


def test_accounts_have_the_sizes_of_the_reference() -> None:
    assert (MARKET_SIZE, OPEN_ORDERS_SIZE, STUB_ORACLE_SIZE) == (848, 1_264, 208)


@pytest.mark.parametrize(
    "change",
    [
        {"base_lot_size": 0},
        {"quote_lot_size": -1},
        {"taker_fee": -1},
        {"taker_fee": 1_000_001},
        {"maker_fee": -401},
        {"maker_fee": 1_000_001},
    ],
    ids=str,
)
def test_a_market_that_the_program_never_makes_is_refused(market: Market, change: dict[str, int]) -> None:
    with pytest.raises(Malformed):
        Market.decode(replace(market, **change).encode())


def test_a_market_ends_after_its_last_second(market: Market) -> None:
    ending = replace(market, time_expiry=1_000)

    assert not ending.is_expired(1_000)
    assert ending.is_expired(1_001)


@given(values(Record(OpenOrdersAccount)))
def test_any_account_of_an_owner_is_read_as_it_was_written(account: OpenOrdersAccount) -> None:
    decoded = OpenOrdersAccount.decode(account.encode())

    assert decoded.encode() == account.encode()
    assert len(decoded.orders()) == sum(not order.is_free for order in account.open_orders)


@pytest.fixture
def account() -> OpenOrdersAccount:
    """An account with orders on the book."""
    for step in reversed(read_tape(Build.V1_7).steps):
        data = step.accounts_after.get("open_orders_maker")
        if data and OpenOrdersAccount.decode(data).orders():
            return OpenOrdersAccount.decode(data)
    raise AssertionError("the tape has no order")


@pytest.mark.parametrize("field", ["bids_base_lots", "asks_base_lots", "bids_quote_lots"])
def test_an_account_with_less_than_no_lots_is_refused(account: OpenOrdersAccount, field: str) -> None:
    damaged = replace(account, position=replace(account.position, **{field: -5}))

    with pytest.raises(Malformed, match="-5"):
        OpenOrdersAccount.decode(damaged.encode())


def test_quote_lots_of_an_account_from_before_they_were_counted_may_be_anything(account: OpenOrdersAccount) -> None:
    old = replace(account, version=0, position=replace(account.position, bids_quote_lots=-5))

    assert OpenOrdersAccount.decode(old.encode()) == old


@pytest.mark.parametrize("change", [{"locked_price": 0}, {"locked_price": -7}, {"id": 7}, {"id": 1 << 127}], ids=str)
def test_an_order_without_a_price_is_refused(account: OpenOrdersAccount, change: dict[str, int]) -> None:
    slot = min(account.orders())
    orders = [replace(order, **change) if n == slot else order for n, order in enumerate(account.open_orders)]

    with pytest.raises(Malformed, match=f"the order in slot {slot}"):
        OpenOrdersAccount.decode(replace(account, open_orders=tuple(orders)).encode())


@given(values(Record(OpenOrdersIndexer)))
def test_any_indexer_is_read_as_it_was_written(indexer: OpenOrdersIndexer) -> None:
    assert OpenOrdersIndexer.decode(indexer.encode()) == indexer


def test_an_indexer_that_does_not_end_where_its_list_ends_is_refused() -> None:
    good = OpenOrdersIndexer(1, 2, ()).encode()

    for data in (good + b"\0", good[:-1], b"", good[:13] + b"\1\0\0\0"):
        with pytest.raises(Malformed):
            OpenOrdersIndexer.decode(data)


def test_an_oracle_is_read_as_it_was_written() -> None:
    market = read_tape(Build.V1_7).tracked["market"]
    oracle = StubOracle(market, market, 150.25, 1_800_000_000, 5, 0.5, bytes(104))

    assert StubOracle.decode(oracle.encode()) == oracle


def test_an_oracles_price_is_that_of_so_many_lots(market: Market) -> None:
    """A SOL of 150 USDC is 0.15 native quote for a native base, or 15,000 lots of 100,000 base and 1 quote."""
    assert oracle_price_lots(market, 150.0) in (14_999, 15_000)  # 0.15 has no exact place among 2^-48ths.
    assert oracle_price_lots(replace(market, base_decimals=6), 1.0) == 100_000
    assert oracle_price_lots(replace(market, base_decimals=6, quote_lot_size=3), 1.0) == 33_333


@pytest.mark.parametrize("price", [float("nan"), float("inf"), 1e300, -1e300])
def test_an_oracle_without_a_price_has_none(market: Market, price: float) -> None:
    assert oracle_price_lots(market, price) is None
