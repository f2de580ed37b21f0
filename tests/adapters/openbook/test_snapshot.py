"""A market's accounts are of one bank, and belong to the market as it is in that bank."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from solders.account import Account
from solders.pubkey import Pubkey

from bmv.adapters.openbook.inspection.inspect import identify, inspect
from bmv.adapters.openbook.snapshot import TRIES, MarketSnapshot, read_market
from bmv.adapters.openbook.v2.market import Market
from bmv.adapters.sandbox.wiring import Settings, World, make_world
from bmv.adapters.solana.accounts import Snapshot
from bmv.adapters.solana.errors import EndpointError, Lagging
from bmv.adapters.solana.rpc import Rpc
from bmv.ports.errors import DataError


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(Settings(venue="openbook-v2"))


class Reader:
    """An endpoint that remembers what it was asked, and whose market moves, lags or fails when told to."""

    def __init__(self, world: World, moves: int = 0, lags: int = 0, code_fails: bool = False) -> None:
        self.world, self.moves, self.lags, self.code_fails = world, moves, lags, code_fails
        self.asked: list[tuple[list[Pubkey], int]] = []

    async def accounts(self, keys: Sequence[Pubkey], *, least_slot: int = 0) -> Snapshot:
        self.asked.append((list(keys), least_slot))
        if len(self.asked) > 1 and self.lags:
            self.lags -= 1
            raise Lagging("here", -32016, "not yet")
        market = self.world.market.address
        if market not in keys and self.code_fails:
            raise EndpointError("here: answers 413")
        accounts = {key: self.world.chain.account(key) for key in keys}
        if market in keys:
            accounts[market] = self._market(accounts[market])
        return Snapshot(100 + len(self.asked), accounts)

    def _market(self, account: Account | None) -> Account:
        """Return the market's account, whose bids lie elsewhere for some readings."""
        assert account is not None
        if len(self.asked) > self.moves:
            return account
        moved = replace(Market.decode(account.data), bids=Pubkey(bytes([len(self.asked)]) * 32))
        return Account(account.lamports, moved.encode(), account.owner, account.executable)

    def read(self) -> MarketSnapshot:
        return asyncio.run(read_market(cast(Rpc, self), self.world.market.address))


def slots(reader: Reader) -> list[int]:
    return [least for _, least in reader.asked]


def test_everything_is_read_in_one_call_after_the_addresses_are_known(world: World) -> None:
    reader = Reader(world)

    seen = reader.read()

    assert [len(keys) for keys, _ in reader.asked] == [1, 10, 1]
    assert slots(reader) == [0, 101, 102]
    assert seen.snapshot.slot == 102
    assert inspect(seen.identity, seen.snapshot).findings == ()
    assert seen.deployment.code_sha256 is not None


def test_a_market_that_moved_in_between_is_read_again(world: World) -> None:
    reader = Reader(world, moves=1)

    seen = reader.read()

    assert [len(keys) for keys, _ in reader.asked] == [1, 10, 10, 1]
    assert seen.identity == identify(world.market.address, world.chain.account(world.market.address))
    assert inspect(seen.identity, seen.snapshot).findings == ()


def test_a_market_that_never_rests_is_given_up(world: World) -> None:
    reader = Reader(world, moves=1_000)

    with pytest.raises(DataError, match=f"names other accounts each of {TRIES} times"):
        reader.read()


def test_a_node_that_lags_is_waited_for(world: World) -> None:
    reader = Reader(world, lags=1)

    seen = reader.read()

    assert slots(reader) == [0, 101, 101, 103]
    assert seen.snapshot.slot == 103


def test_code_that_can_not_be_read_is_unknown(world: World) -> None:
    seen: Any = Reader(world, code_fails=True).read()

    assert seen.deployment.unknown == "its code could not be read: here: answers 413"
    assert seen.deployment.code_sha256 is None
