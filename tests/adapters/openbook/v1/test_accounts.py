"""Accounts of OpenBook v1: what is refused, and that nothing is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey
from tests.rigs.golden_v1 import read

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v1 import layout as at
from bmv.adapters.openbook.v1.accounts import (
    IS_MARKET,
    IS_OPEN_ORDERS,
    AccountFlag,
    Market,
    OpenOrders,
    find_vault_signer,
    vault_signer,
)
from bmv.adapters.openbook.v1.instructions import PROGRAM_ID

U64 = st.integers(0, 2**64 - 1)
LOT = st.integers(1, 2**64 - 1)
KEY = st.binary(min_size=32, max_size=32).map(Pubkey.from_bytes)
PERMISSIONED = IS_MARKET | AccountFlag.PERMISSIONED


@pytest.fixture
def market() -> bytes:
    return read().steps[1].after["market"]


@pytest.fixture
def open_orders() -> bytes:
    return next(step.after for step in read().steps if step.name.endswith("ask #4"))["open_orders_maker"]


def changed(data: bytes, offset: int, piece: bytes) -> bytes:
    return data[:offset] + piece + data[offset + len(piece) :]


def numbers(name: str) -> bool:
    return at.MARKET.fields[name].size == 8 and name not in ("account_flags", "coin_lot_size", "pc_lot_size")


@given(st.data())
def test_any_market_comes_back_as_it_was(data: st.DataObject) -> None:
    flags = data.draw(st.sampled_from([IS_MARKET, IS_MARKET | AccountFlag.DISABLED, PERMISSIONED]))
    values = {
        name: data.draw(U64 if numbers(name) else LOT if field.size == 8 else KEY)
        for name, field in at.MARKET.fields.items()
    }
    values |= (
        {name: data.draw(KEY) for name in ("open_orders_authority", "prune_authority", "consume_events_authority")}
        if flags == PERMISSIONED
        else {}
    )
    market = Market(**values | {"account_flags": flags})

    assert Market.decode(market.encode()) == market


@given(st.data())
def test_any_open_orders_come_back_as_they_were(data: st.DataObject) -> None:
    used = data.draw(st.sets(st.integers(0, 127)))
    bids = data.draw(st.sets(st.sampled_from(sorted(used)))) if used else set()
    ids = [data.draw(st.integers(2**64, 2**128 - 1)) if slot in used else 0 for slot in range(128)]
    free, total = sorted((data.draw(U64), data.draw(U64)))
    account = OpenOrders(
        account_flags=IS_OPEN_ORDERS,
        market=data.draw(KEY),
        owner=data.draw(KEY),
        native_coin_free=free,
        native_coin_total=total,
        native_pc_free=free // 2,
        native_pc_total=total,
        free_slot_bits=2**128 - 1 - sum(1 << slot for slot in used),
        is_bid_bits=sum(1 << slot for slot in bids),
        orders=tuple(ids),
        client_order_ids=tuple(int(slot in used) * 7 for slot in range(128)),
        referrer_rebates_accrued=data.draw(U64),
    )

    assert OpenOrders.decode(account.encode()) == account
    assert {order.slot for order in account.open} == used
    assert account.free_slots == 128 - len(used)


MARKET_DAMAGE = [
    ("cut off", lambda data: data[:-1], "387 bytes"),
    ("end overwritten", lambda data: data[:-1] + b"!", "ends with"),
    ("short", lambda data: data[:100], "100 bytes"),
    ("longer", lambda data: data[:-7] + bytes(8) + data[-7:], "396 bytes, not 388"),
    ("not of the program", lambda data: b"serom" + data[5:], "begins with"),
    ("another kind", lambda data: changed(data, 5, b"\x05"), "flags"),
    ("unknown flag", lambda data: changed(data, 6, b"\x80"), "flags"),
    ("permissioned but short", lambda data: changed(data, 6, b"\x02"), "388 bytes, not 1476"),
    ("crank's authority alone", lambda data: changed(data, 6, b"\x04"), "crank"),
    ("lot of 0", lambda data: changed(data, 349, bytes(8)), "lot"),
]


@pytest.mark.parametrize(("damage", "says"), [row[1:] for row in MARKET_DAMAGE], ids=[row[0] for row in MARKET_DAMAGE])
def test_a_damaged_market_is_refused(market: bytes, damage, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        Market.decode(damage(market))


def test_a_market_that_lies_elsewhere_is_refused(market: bytes) -> None:
    address = read().keys["market"]

    assert Market.decode(market, address).own_address == address
    with pytest.raises(Malformed, match="calls itself"):
        Market.decode(market, Pubkey.default())


ORDERS_DAMAGE = [
    ("more free than there is", lambda data: changed(data, 77, b"\xff" * 8), "more is free"),
    ("bid in a free slot", lambda data: changed(data, 125 + 15, b"\xff"), "marked as a bid"),
    ("order in a free slot", lambda data: changed(data, 141 + 16 * 127 + 8, b"\x01"), "slot 127 is free"),
    ("used slot without a price", lambda data: changed(data, 141, bytes(16)), "slot 0 holds"),
    ("closed", lambda data: changed(data, 5, (256).to_bytes(8, "little")), "flags 256"),
]


@pytest.mark.parametrize(("damage", "says"), [row[1:] for row in ORDERS_DAMAGE], ids=[row[0] for row in ORDERS_DAMAGE])
def test_damaged_open_orders_are_refused(open_orders: bytes, damage, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        OpenOrders.decode(damage(open_orders))


def test_the_vaults_owner_is_the_one_of_the_tape(market: bytes) -> None:
    decoded = Market.decode(market)
    settle = next(value for value in read().parsed() if type(value).__name__ == "SettleFunds")

    assert decoded.vault_signer(PROGRAM_ID) == settle.keys.vault_signer
    assert find_vault_signer(decoded.own_address, PROGRAM_ID) == (settle.keys.vault_signer, decoded.vault_signer_nonce)


def test_a_nonce_that_gives_no_address_is_refused(market: bytes) -> None:
    decoded = Market.decode(market)

    assert decoded.vault_signer_nonce == 3
    with pytest.raises(Malformed, match="nonce 0"):
        vault_signer(decoded.own_address, 0, PROGRAM_ID)
