"""A market's accounts read from a node, all of one bank."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from solders.account import Account
from solders.pubkey import Pubkey

from bmv.adapters.openbook.inspection.inspect import Identity, identify, keys
from bmv.adapters.solana.accounts import Snapshot
from bmv.adapters.solana.errors import EndpointError, Lagging
from bmv.adapters.solana.programs import Deployment, code_address, read_deployment
from bmv.adapters.solana.rpc import Rpc
from bmv.ports.errors import DataError

TRIES = 5
WAIT_S = 0.4  # For a node that lags.


class MarketSnapshot(NamedTuple):
    """A market, its accounts of one bank, and what is known of its program."""

    identity: Identity
    snapshot: Snapshot
    deployment: Deployment


async def read_market(rpc: Rpc, address: Pubkey) -> MarketSnapshot:
    """Read a market, and then the code of its program."""
    identity, snapshot = await read_accounts(rpc, address)
    program = snapshot.accounts[identity.program]
    return MarketSnapshot(identity, snapshot, await _deployment(rpc, program, snapshot.slot))


async def read_accounts(rpc: Rpc, address: Pubkey) -> tuple[Identity, Snapshot]:
    """Read a market without the code of its program.

    Which accounts belong to it, its own account says. So that is read first, then everything in one call, itself
    included, from a bank that is not older. If it names other accounts by then, the rest is read again.
    """
    first = await rpc.accounts([address])
    identity, slot = identify(address, first.accounts[address]), first.slot
    for _ in range(TRIES):
        asked = keys(identity)
        snapshot = await _patiently(rpc, asked, slot)
        identity, slot = identify(address, snapshot.accounts[address]), snapshot.slot
        if keys(identity) == asked:
            return identity, snapshot
    raise DataError(f"market {address}: names other accounts each of {TRIES} times that it was read")


async def _deployment(rpc: Rpc, program: Account | None, slot: int) -> Deployment:
    """Read what is known of a program; that its code can't be had is no failure, but unknown."""
    where = None if program is None else code_address(program)
    if where is None:
        return read_deployment(program, None)
    try:
        code = await _patiently(rpc, [where], slot)
    except EndpointError as error:
        return Deployment(unknown=f"its code could not be read: {error}")
    return read_deployment(program, code.accounts[where])


async def _patiently(rpc: Rpc, asked: Sequence[Pubkey], slot: int) -> Snapshot:
    """Read accounts, again after a while as long as the node lags."""
    for _ in range(TRIES - 1):
        try:
            return await rpc.accounts(asked, least_slot=slot)
        except Lagging:
            await asyncio.sleep(WAIT_S)
    return await rpc.accounts(asked, least_slot=slot)
