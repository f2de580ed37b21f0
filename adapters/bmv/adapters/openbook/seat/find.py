"""Which account at the venue is ours.

On version 1 it is any account of the program. We make ours at an address that follows from owner and market, as
`getDerivedOoAccountPubkey` of Serum's TypeScript library does: it is found again without a search, and can't be made
twice. Only where none is there a node is asked to search.

On version 2 the owner's indexer lists his accounts on all markets.
"""

from collections.abc import Sequence
from typing import NamedTuple

from solders.account import Account
from solders.pubkey import Pubkey

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.inspection.inspect import Identity
from bmv.adapters.openbook.v1.accounts import Market as MarketV1
from bmv.adapters.openbook.v1.accounts import OpenOrders
from bmv.adapters.openbook.v1.layout import OPEN_ORDERS_BYTES
from bmv.adapters.openbook.v2.open_orders import (
    OpenOrdersAccount,
    OpenOrdersIndexer,
    indexer_address,
    open_orders_address,
)
from bmv.adapters.solana.errors import EndpointError, Json, NodeError
from bmv.adapters.solana.rpc import ACCOUNTS_MAX, CONFIRMED, Rpc
from bmv.ports.errors import ConfigError, DataError

KEY = "live.open_orders"
SEED_LETTERS = 32  # A seed has no more.
OLD_BYTES = 3_220  # Of an account made before Serum v2; the program does not take it any more.
MARKET_AT, OWNER_AT = 13, 45


class Spot(NamedTuple):
    """Where our account at the venue lies, or will.

    Args:
        exists: Whether it is there.
        indexed: Whether the owner's indexer is there; version 1 has none.
        number: Of the account that would be made, on version 2.
        listed: Accounts of the owner that the indexer lists, on all markets.
        indexer_lamports: What the indexer holds.
        blocked_by: Lamports that somebody sent to the usual address of version 1: none can be made there any more.
    """

    address: Pubkey
    exists: bool
    indexed: bool = False
    number: int = 0
    listed: int = 0
    indexer_lamports: int = 0
    blocked_by: int = 0


def seed_of(market: Pubkey) -> str:
    """Return the seed of our account on a market of version 1."""
    return str(market)[:SEED_LETTERS]


def usual_address(owner: Pubkey, market: Pubkey, program: Pubkey) -> Pubkey:
    """Return where our account on a market of version 1 lies, unless another is named."""
    return Pubkey.create_with_seed(owner, seed_of(market), program)


async def find_spot(
    rpc: Rpc,
    identity: Identity,
    owner: Pubkey,
    named: Pubkey | None = None,
    *,
    least_slot: int = 0,
    commitment: str = CONFIRMED,
) -> Spot:
    """Return where our account on a market lies.

    Args:
        named: The account that the configuration names.
        least_slot: As of `Rpc.accounts`.

    Raises:
        ConfigError: Several are ours, or the one that is named is none of ours.
        EndpointError: The node does not say.
    """
    search = _search_v1 if isinstance(identity.market, MarketV1) else _search_v2
    spot, found = await search(rpc, identity, owner, named, least_slot, commitment)
    if named is not None:
        if named not in found:
            raise ConfigError(f"{KEY}: {named} is no account of {owner} on market {identity.address}; take it out")
        return spot._replace(address=named, exists=True)
    if len(found) > 1:
        names = ", ".join(sorted(map(str, found)))
        raise ConfigError(f"{KEY}: missing; {owner} has {len(found)} accounts on this market: {names}; name one")
    return spot._replace(address=found[0], exists=True) if found else spot


async def _search_v1(
    rpc: Rpc, identity: Identity, owner: Pubkey, named: Pubkey | None, least_slot: int, commitment: str
) -> tuple[Spot, Sequence[Pubkey]]:
    usual = usual_address(owner, identity.address, identity.program)
    asked = usual if named is None else named
    account = (await rpc.accounts([asked], least_slot=least_slot, commitment=commitment)).accounts[asked]
    if _is_ours_v1(account, identity, owner):
        return Spot(usual, exists=False), [asked]
    if named is not None:
        return Spot(usual, exists=False), []
    blocked_by = 0 if account is None else account.lamports
    return Spot(usual, exists=False, blocked_by=blocked_by), await _scan(rpc, identity, owner, commitment)


def _is_ours_v1(account: Account | None, identity: Identity, owner: Pubkey) -> bool:
    if account is None or account.owner != identity.program:
        return False
    try:
        decoded = OpenOrders.decode(account.data)
    except Malformed:
        return False
    return (decoded.market, decoded.owner) == (identity.address, owner)


async def _scan(rpc: Rpc, identity: Identity, owner: Pubkey, commitment: str) -> list[Pubkey]:
    """Let the node look through all accounts of the program."""
    filters = [
        {"memcmp": {"offset": MARKET_AT, "bytes": str(identity.address)}},
        {"memcmp": {"offset": OWNER_AT, "bytes": str(owner)}},
    ]
    found = [await _scan_size(rpc, identity, size, filters, commitment) for size in (OPEN_ORDERS_BYTES, OLD_BYTES)]
    if found[1] and not found[0]:
        old = ", ".join(map(str, found[1]))
        raise DataError(
            f"{old}: of {owner}, from before Serum v2; the program does not take it, and funds may lie in it"
        )
    return found[0]


async def _scan_size(rpc: Rpc, identity: Identity, size: int, filters: Sequence[Json], commitment: str) -> list[Pubkey]:
    options = {
        "commitment": commitment,
        "encoding": "base64",
        "dataSlice": {"offset": 0, "length": 0},
        "filters": [{"dataSize": size}, *filters],
    }
    try:
        rows = await rpc.call("getProgramAccounts", str(identity.program), options)
        return [Pubkey.from_string(row["pubkey"]) for row in rows]
    except NodeError as error:
        raise EndpointError(f"{error}; it does not search for accounts: name yours as {KEY}, or ask another") from None
    except (TypeError, KeyError, ValueError):
        raise EndpointError(f"{rpc.endpoint}: answers getProgramAccounts with what can't be used") from None


async def _search_v2(
    rpc: Rpc, identity: Identity, owner: Pubkey, named: Pubkey | None, least_slot: int, commitment: str
) -> tuple[Spot, Sequence[Pubkey]]:
    where = indexer_address(owner, identity.program)[0]
    snapshot = await rpc.accounts([where], least_slot=least_slot, commitment=commitment)
    listed = snapshot.accounts[where]
    if listed is None or listed.owner != identity.program:
        return Spot(open_orders_address(owner, 1, identity.program)[0], exists=False, number=1), []
    indexer = OpenOrdersIndexer.decode(listed.data)
    found = list[Pubkey]()
    for at in range(0, len(indexer.addresses), ACCOUNTS_MAX):
        some = indexer.addresses[at : at + ACCOUNTS_MAX]
        read = await rpc.accounts(some, least_slot=snapshot.slot, commitment=commitment)
        found += [key for key in some if _is_ours_v2(read.accounts[key], identity, owner)]
    number = indexer.created_counter + 1
    new = open_orders_address(owner, number, identity.program)[0]
    return Spot(new, False, True, number, len(indexer.addresses), listed.lamports), found


def _is_ours_v2(account: Account | None, identity: Identity, owner: Pubkey) -> bool:
    if account is None or account.owner != identity.program:
        return False
    decoded = OpenOrdersAccount.decode(account.data)
    return (decoded.market, decoded.owner) == (identity.address, owner)
