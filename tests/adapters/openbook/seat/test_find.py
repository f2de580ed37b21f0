"""Our account at the venue is found where it lies, and never guessed at."""

import asyncio
from collections.abc import Sequence

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, TransferParams, create_account, transfer
from wires import rpc_of

from bmv.adapters.openbook.inspection.inspect import Identity, identify
from bmv.adapters.openbook.seat.find import Spot, find_spot, seed_of, usual_address
from bmv.adapters.openbook.v1 import instructions as v1
from bmv.adapters.openbook.v1 import keys as by
from bmv.adapters.openbook.v2 import funds
from bmv.adapters.openbook.v2.instructions import build
from bmv.adapters.openbook.v2.open_orders import indexer_address, open_orders_address
from bmv.adapters.sandbox.wallets import new_account, seeded_key, send, trader_of
from bmv.adapters.sandbox.wiring import Settings, World, make_world
from bmv.adapters.solana.errors import EndpointError
from bmv.ports.errors import ConfigError, DataError


def identity_of(world: World) -> Identity:
    return identify(world.market.address, world.chain.account(world.market.address))


def spot_of(world: World, named: Pubkey | None = None, refused: frozenset[str] = frozenset()) -> Spot:
    return asyncio.run(find_spot(rpc_of(world, refused), identity_of(world), world.user.address, named))


def land(world: World, instructions: Sequence[Instruction], *signers: Keypair) -> None:
    send(world.chain, [world.user.key, *signers], instructions)
    world.chain.advance(2)


def make_v1(world: World, name: str) -> Pubkey:
    """Make an account of the user's at an address of any kind."""
    key = seeded_key(7, name)
    account = new_account(world.chain, world.user.address, key.pubkey(), 3_228, v1.PROGRAM_ID)
    keys = by.InitKeys(open_orders=key.pubkey(), owner=world.user.address, market=world.market.address)
    land(world, [account, v1.build(v1.InitOpenOrders(keys=keys))], key)
    return key.pubkey()


def make_v2(world: World, number: int, indexer: bool) -> Pubkey:
    owner = world.user.address
    listed, account = indexer_address(owner)[0], open_orders_address(owner, number)[0]
    made = funds.CreateOpenOrdersAccount(
        name="maker",
        payer=owner,
        owner=owner,
        open_orders_indexer=listed,
        open_orders_account=account,
        market=world.market.address,
    )
    first = funds.CreateOpenOrdersIndexer(payer=owner, owner=owner, open_orders_indexer=listed)
    land(world, [*([build(first)] if indexer else []), build(made)])
    return account


@pytest.fixture
def one() -> World:
    return make_world(Settings(venue="openbook-v1"))


@pytest.fixture
def two() -> World:
    return make_world(Settings(venue="openbook-v2"))


def test_where_none_is_the_usual_address_of_version_1_is_said(one: World) -> None:
    usual = usual_address(one.user.address, one.market.address, v1.PROGRAM_ID)

    assert spot_of(one) == Spot(usual, exists=False)
    assert len(seed_of(one.market.address)) == 32


def test_an_account_of_version_1_that_another_tool_made_is_found(one: World) -> None:
    made = make_v1(one, "elsewhere")

    assert spot_of(one) == Spot(made, exists=True)


def test_several_accounts_are_named_and_never_chosen_from(one: World) -> None:
    made = sorted(str(make_v1(one, name)) for name in ("first", "second"))

    with pytest.raises(ConfigError, match=r"live\.open_orders: missing; .* has 2 accounts on this market") as refused:
        spot_of(one)

    assert f"{made[0]}, {made[1]}" in str(refused.value)
    assert spot_of(one, Pubkey.from_string(made[1])).address == Pubkey.from_string(made[1])


def test_an_account_of_others_is_none_of_ours(one: World, two: World) -> None:
    for world in (one, two):
        theirs = world.market.account_of(trader_of(seeded_key(1, "maker 0"), "maker 0", world.base, world.quote))

        with pytest.raises(ConfigError, match=rf"live\.open_orders: {theirs} is no account of"):
            spot_of(world, theirs)


def test_a_node_that_does_not_search_is_no_proof_that_there_is_none(one: World) -> None:
    with pytest.raises(EndpointError, match=r"does not search for accounts: name yours as live\.open_orders"):
        spot_of(one, refused=frozenset({"getProgramAccounts"}))


def test_an_account_from_before_is_said_and_not_used(one: World) -> None:
    key, payer = seeded_key(7, "old"), one.chain.faucet
    data = bytearray(3_220)
    account = one.chain.account(make_v1(one, "new"))
    assert account is not None
    data[:3_213], data[3_213:] = account.data[:3_213], account.data[-7:]
    made = CreateAccountParams(
        from_pubkey=payer.pubkey(), to_pubkey=key.pubkey(), lamports=10**9, space=3_220, owner=v1.PROGRAM_ID
    )
    send(one.chain, [payer, key], [create_account(made)])
    one.chain.put(key.pubkey(), type(account)(10**9, bytes(data), v1.PROGRAM_ID))
    one.chain.put(seeded_key(7, "new").pubkey(), None)
    one.chain.advance(2)

    with pytest.raises(DataError, match=f"{key.pubkey()}: of .*, from before Serum v2"):
        spot_of(one)


def test_lamports_of_others_at_the_usual_address_are_noticed(one: World) -> None:
    usual = usual_address(one.user.address, one.market.address, v1.PROGRAM_ID)
    sent = TransferParams(from_pubkey=one.user.address, to_pubkey=usual, lamports=10**7)

    land(one, [transfer(sent)])

    assert spot_of(one) == Spot(usual, exists=False, blocked_by=10**7)


def test_version_2_is_found_by_the_indexer_and_its_next_number_said(two: World) -> None:
    owner = two.user.address
    assert spot_of(two) == Spot(open_orders_address(owner, 1)[0], exists=False, number=1)

    made = make_v2(two, 1, indexer=True)

    spot = spot_of(two)
    assert (spot.address, spot.exists, spot.indexed, spot.number, spot.listed) == (made, True, True, 2, 1)
    assert spot.indexer_lamports > 0
    again = make_v2(two, 2, indexer=False)
    with pytest.raises(ConfigError, match="has 2 accounts on this market"):
        spot_of(two)
    assert spot_of(two, again).address == again
