"""Instructions: any value comes back from its bytes, and bytes that the program would not take are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from tests.rigs.golden_v1 import read

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v1 import instructions as does
from bmv.adapters.openbook.v1 import keys as by
from bmv.adapters.openbook.v1.accounts import Market
from bmv.adapters.openbook.v1.bodies import NewOrder, OrderType, SelfTrade

U64 = st.integers(0, 2**64 - 1)
KEY = st.binary(min_size=32, max_size=32).map(Pubkey.from_bytes)
MORE = st.integers(1, 2**64 - 1)
LIMIT = st.integers(0, 65_535)


def orders(deadlines: st.SearchStrategy) -> st.SearchStrategy[NewOrder]:
    return st.builds(
        NewOrder,
        side=st.sampled_from(Side),
        limit_price=MORE,
        max_coin_qty=MORE,
        max_native_pc_qty_including_fees=MORE,
        self_trade_behavior=st.sampled_from(SelfTrade),
        order_type=st.sampled_from(OrderType),
        client_order_id=U64,
        limit=LIMIT,
        max_ts=deadlines,
    )


ANY_TIME = st.none() | st.integers(-(2**63), 2**63 - 1)
NOT_THE_END = st.none() | st.integers(-(2**63), 2**63 - 2)  # Where a deadline always stands, the end of time is none.


def keys(kind: type, optional: tuple[str, ...] = ()) -> st.SearchStrategy:
    """Accounts of a kind; of those that may be left out, some from the front."""
    names = [name for name in kind.__dataclass_fields__ if name not in optional]
    some = [dict.fromkeys(names + list(optional[:n]), KEY) for n in range(len(optional) + 1)]
    return st.one_of([st.builds(kind, **each) for each in some])


ORDER_KEYS = keys(by.OrderKeys, ("discount",))
CANCEL_KEYS = keys(by.CancelKeys)
AUTHORITIES = ("open_orders_authority", "prune_authority", "consume_events_authority")
CRANK_KEYS = st.builds(
    by.CrankKeys,
    open_orders=st.lists(KEY, min_size=1, max_size=5).map(tuple),
    market=KEY,
    event_q=KEY,
    ends=st.tuples(KEY, KEY),
)
PERMISSIONED = st.builds(
    by.PermissionedCrankKeys,
    open_orders=st.lists(KEY, min_size=1, max_size=5).map(tuple),
    market=KEY,
    event_q=KEY,
    authority=KEY,
)
VALUES = st.one_of(
    st.builds(
        does.InitializeMarket,
        keys=keys(by.InitializeMarketKeys, AUTHORITIES),
        coin_lot_size=U64,
        pc_lot_size=U64,
        vault_signer_nonce=U64,
        pc_dust_threshold=U64,
        fee_rate_bps=LIMIT,
    ),
    st.builds(does.InitOpenOrders, keys=keys(by.InitKeys, ("open_orders_authority",))),
    st.builds(does.CloseOpenOrders, keys=keys(by.CloseKeys)),
    st.builds(does.SettleFunds, keys=keys(by.SettleKeys, ("referrer",))),
    st.builds(does.NewOrderV3, keys=ORDER_KEYS, order=orders(ANY_TIME)),
    st.builds(does.ReplaceOrderByClientId, keys=ORDER_KEYS, order=orders(NOT_THE_END)),
    st.builds(
        does.ReplaceOrdersByClientIds, keys=ORDER_KEYS, orders=st.lists(orders(NOT_THE_END), max_size=8).map(tuple)
    ),
    st.builds(does.CancelOrderV2, keys=CANCEL_KEYS, side=st.sampled_from(Side), order_id=st.integers(0, 2**128 - 1)),
    st.builds(does.CancelOrderByClientIdV2, keys=CANCEL_KEYS, client_order_id=U64),
    st.builds(does.CancelOrdersByClientIds, keys=CANCEL_KEYS, client_order_ids=st.lists(U64, max_size=8).map(tuple)),
    st.builds(does.ConsumeEvents, keys=CRANK_KEYS, limit=LIMIT),
    st.builds(does.ConsumeEventsPermissioned, keys=PERMISSIONED, limit=LIMIT),
    st.builds(does.Prune, keys=keys(by.PruneKeys), limit=LIMIT),
)


@given(VALUES)
def test_any_instruction_comes_back_from_its_bytes(value: does.AnyInstruction) -> None:
    assert does.parse(does.build(value)) == value


def of_tape(kind: str) -> Instruction:
    return next(
        step.instruction
        for step, value in zip(read().steps, read().parsed(), strict=True)
        if type(value).__name__ == kind
    )


@pytest.mark.parametrize("tag", [1, 2, 4, 6, 7, 8, 9, 13, 21, 2**32 - 1])
def test_what_the_program_no_longer_plays_is_refused(tag: int) -> None:
    given_ = Instruction(does.PROGRAM_ID, b"\0" + tag.to_bytes(4, "little"), [])

    with pytest.raises(Malformed, match="tag"):
        does.parse(given_)


@pytest.mark.parametrize("kind", sorted({type(value).__name__ for value in read().parsed()}))
def test_a_byte_or_an_account_too_many_or_too_few_is_refused(kind: str) -> None:
    whole = of_tape(kind)
    data, metas = bytes(whole.data), list(whole.accounts)
    damaged = [(data + b"\0", metas), (data[:4], metas), (b"\1" + data[1:], metas), (data, metas[:3])]
    if kind != "ConsumeEvents":
        damaged.append((data, metas + metas))
    if len(data) > 5:
        damaged.append((data[:-1], metas))

    for bytes_, accounts in damaged:
        with pytest.raises(Malformed):
            does.parse(Instruction(does.PROGRAM_ID, bytes_, accounts))


def test_a_missing_signature_is_refused() -> None:
    order = of_tape("NewOrderV3")
    unsigned = [AccountMeta(meta.pubkey, False, meta.is_writable) for meta in order.accounts]

    with pytest.raises(Malformed, match="account 7 must sign"):
        does.parse(Instruction(does.PROGRAM_ID, bytes(order.data), unsigned))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"limit_price": 0}, "limit_price"),
        ({"max_coin_qty": 2**64}, "max_coin_qty"),
        ({"max_native_pc_qty_including_fees": 0}, "max_native"),
        ({"client_order_id": -1}, "client_order_id"),
        ({"limit": 65_536}, "limit"),
        ({"max_ts": 2**63}, "max_ts"),
    ],
)
def test_an_order_that_the_program_could_not_read_can_not_be_made(wrong: dict[str, int], says: str) -> None:
    good = {"side": Side.BID, "limit_price": 1, "max_coin_qty": 1, "max_native_pc_qty_including_fees": 1}

    with pytest.raises(ValueError, match=says):
        NewOrder(**good | wrong)


def test_a_crank_of_nobody_can_not_be_made() -> None:
    with pytest.raises(ValueError, match="at least one"):
        by.CrankKeys.of(Market.decode(read().steps[1].after["market"]), [])


def test_a_crank_names_accounts_sorted_as_the_program_searches_them() -> None:
    market = Market.decode(read().steps[1].after["market"])
    low, high = bytes([9, 0]) + bytes(30), bytes([0, 1]) + bytes(30)

    named = by.CrankKeys.of(market, map(Pubkey.from_bytes, (high, low, high)))

    assert [bytes(key) for key in named.open_orders] == [low, high]
    assert len(named.to_metas()) == 6
