"""Which chain a node is of: the hash that its first block was built on, which no other chain has."""

from collections.abc import Iterable

from bmv.adapters.solana.endpoints import Endpoint
from bmv.adapters.solana.errors import EndpointError, NodeError
from bmv.adapters.solana.rpc import Rpc, make_client

METHOD = "getGenesisHash"


async def read_genesis(rpc: Rpc) -> str | None:
    """Return the genesis hash of a node's chain, None where the node does not serve the call."""
    try:
        found = await rpc.call(METHOD)
    except NodeError:
        return None
    if not isinstance(found, str):
        raise EndpointError(f"{rpc.endpoint}: answers {METHOD} with what is no hash")
    return found


async def genesis_of(endpoints: Iterable[Endpoint]) -> str | None:
    """Return the genesis hash that the first endpoint to say one says, None where none does."""
    async with make_client() as client:
        for endpoint in endpoints:
            try:
                found = await read_genesis(Rpc(client, endpoint.url, health=endpoint.health))
            except EndpointError:
                continue
            if found is not None:
                return found
    return None
