"""Instructions of every kind, both ways."""

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from tests.rigs.strategies_v2 import KEYS, values

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v2 import funds, orders
from bmv.adapters.openbook.v2.codes import Build, error_code, error_name
from bmv.adapters.openbook.v2.instructions import KINDS, Known, build, parse
from bmv.adapters.openbook.v2.layout import kinds
from bmv.adapters.openbook.v2.market import PROGRAM_ID
from bmv.adapters.openbook.v2.metas import accounts
from bmv.adapters.openbook.v2.returned import read_cancelled_lots, read_order_id, read_order_ids


@st.composite
def instructions(draw: st.DrawFn) -> Known:
    kind = draw(st.sampled_from(list(KINDS.values())))
    chosen: dict[str, Any] = {name: draw(values(part)) for name, part in kinds(kind).items()}
    for name, meta in accounts(kind).items():
        chosen[name] = draw(st.none() | KEYS if meta.optional else KEYS)
    chosen["remaining"] = tuple(draw(st.lists(KEYS, max_size=3)))
    assert chosen.keys() == {field.name for field in fields(kind)}
    return kind(**chosen)


@given(instructions(), st.sampled_from(Build))
def test_any_instruction_is_parsed_as_it_was_built(known: Known, version: Build) -> None:
    built = build(known, version=version)

    assert parse(built) == known
    assert build(parse(built), version=version) == built


def test_every_instruction_of_the_reference_is_known() -> None:
    stated = """67e261ebc8bcfbfe 404099ffd947f985 ccb5afde287dbc47 b04a73d236b35b67 33c29baf6d82606a 8db9fb3f4a55d291
    fed0761dadf8c846 3c3f327b0cc53cbe 809bde3cba28e132 032c47031ac7cb55 dd91b1341f2f3fc9 d1e336046dac2947
    5f81edf00831df84 73b2c908afb77b77 c453f3ab1164a08f f223c68952e1f2b6 80cf8e0b36e826c9 ee40a3604bab1021
    589af8ba300e7bf4 67f9e5e7f7fdc588 3ebb7d451add9d85 6b123845e43837a4 afe1624776422294 f21e2e4c6ceb80b5
    db52dbec3c73c540 1bd59fbf0c747079 ac3f65538d4cc7d8 5c892d032d3c75e0 6dc64f7941caa18e"""

    assert {discriminator.hex() for discriminator in KINDS} == set(stated.split())


def cancel() -> Instruction:
    keys = [Pubkey.from_bytes(bytes([n]) * 32) for n in range(1, 6)]
    names = ("signer", "open_orders_account", "market", "bids", "asks")
    return build(orders.CancelOrder(order_id=1, **dict(zip(names, keys, strict=True))))


def test_data_with_bytes_after_the_arguments_are_refused() -> None:
    good = cancel()

    with pytest.raises(Malformed, match="25 bytes, and CancelOrder ends at 24"):
        parse(Instruction(PROGRAM_ID, bytes(good.data) + b"\0", good.accounts))


def test_an_instruction_with_too_few_accounts_is_refused() -> None:
    good = cancel()

    with pytest.raises(Malformed, match="CancelOrder names 5 accounts, not 4"):
        parse(Instruction(PROGRAM_ID, bytes(good.data), good.accounts[:4]))


@pytest.mark.parametrize("data", [b"", b"\x5f", bytes(8), bytes.fromhex("5f81edf00831df84")])
def test_data_that_are_no_instruction_are_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse(Instruction(PROGRAM_ID, data, cancel().accounts))


def test_a_list_that_claims_more_than_there_is_is_refused_at_once() -> None:
    data = bytes.fromhex("d1e336046dac2947") + b"\xff\xff\xff\xff"
    metas = [AccountMeta(PROGRAM_ID, False, False)] * 3

    with pytest.raises(Malformed, match="4294967295 items"):
        parse(Instruction(PROGRAM_ID, data, metas))


def test_only_the_release_has_the_owner_writable_who_settles() -> None:
    keys = {name: Pubkey.default() for name in accounts(funds.SettleFunds)}
    settle = funds.SettleFunds(**keys)

    release, master = (build(settle, version=version).accounts[0] for version in Build)

    assert (release.is_signer, release.is_writable) == (True, True)
    assert (master.is_signer, master.is_writable) == (True, False)


def test_an_account_that_is_absent_is_the_program_read_only() -> None:
    keys = {name: Pubkey.default() for name in accounts(funds.SettleFunds)} | {"referrer_account": None}

    meta = build(funds.SettleFunds(**keys)).accounts[list(keys).index("referrer_account")]

    assert meta == AccountMeta(PROGRAM_ID, False, False)


def test_a_number_that_does_not_fit_its_field_is_refused() -> None:
    with pytest.raises(Malformed, match="is no u128"):
        build(orders.CancelOrder(order_id=2**128, **dict.fromkeys(accounts(orders.CancelOrder), PROGRAM_ID)))


@pytest.mark.parametrize("bits", [0x7FC0_0000, 0xFFC1_2345, 0x7F80_0001], ids=hex)
def test_an_argument_that_is_no_number_is_refused_as_the_program_refuses_it(bits: int) -> None:
    keys = dict.fromkeys(accounts(funds.CreateMarket), PROGRAM_ID)
    terms = {"quote_lot_size": 1, "base_lot_size": 1, "maker_fee": 0, "taker_fee": 0, "time_expiry": 0}
    known = funds.CreateMarket(name="", conf_filter=0.5, max_staleness_slots=None, **terms, **keys)
    good = build(known)
    nan = bytes(good.data)[:12] + bits.to_bytes(4, "little") + bytes(good.data)[16:]

    with pytest.raises(Malformed, match="NaN"):
        parse(Instruction(PROGRAM_ID, nan, good.accounts))


def test_errors_have_the_names_of_their_build() -> None:
    assert error_name(6041, Build.V1_7) == "NonEmptyMarket"
    assert error_name(6041, Build.MASTER_2024_04) == "WouldExecutePartially"
    assert error_code("OpenOrdersFull") == 6036
    assert error_code("AccountNotSigner") == 3010
    assert error_name(5999) is None


@pytest.mark.parametrize("data", [b"", b"\2", b"\1", b"\0\0", b"\1" + bytes(15)])
def test_a_returned_value_that_is_no_order_id_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_order_id(data)


def test_fewer_than_no_lots_can_not_have_been_cancelled() -> None:
    assert read_cancelled_lots(b"\7" + bytes(7)) == 7

    with pytest.raises(Malformed, match="is -1, below 0"):
        read_cancelled_lots(b"\xff" * 8)


def test_returned_ids_that_claim_more_than_there_are_are_refused() -> None:
    assert read_order_ids(b"\2\0\0\0\0\0") == (None, None)

    with pytest.raises(Malformed):
        read_order_ids(b"\3\0\0\0\0\0")
