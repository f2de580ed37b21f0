"""All endpoints tried at the same time: whether each answers, where it stands, what it can."""

import asyncio
from collections.abc import Sequence

import httpx
from solders.pubkey import Pubkey

from bmv.adapters.solana.consensus import Consensus, read_consensus
from bmv.adapters.solana.endpoints import READ, Endpoint
from bmv.adapters.solana.errors import EndpointError, NodeError
from bmv.adapters.solana.genesis import read_genesis
from bmv.adapters.solana.rpc import FINALIZED, PROCESSED, Rpc
from bmv.live.doctor.probe.socket import try_socket
from bmv.live.doctor.seen import EndpointSeen, Taken, VersionOne
from bmv.live.doctor.version_one import SIMULATION, encoded, read_refusal, read_simulation

ROUNDS = 3  # Of asking all for their slot; one answer may have been slow on its way.


async def try_endpoints(
    client: httpx.AsyncClient, endpoints: Sequence[Endpoint], payer: Pubkey
) -> tuple[EndpointSeen, ...]:
    """Try each endpoint; `payer` would pay for the transaction that is simulated."""
    rpcs = [Rpc(client, endpoint.url, health=endpoint.health) for endpoint in endpoints]
    rounds = [await asyncio.gather(*map(_slot, rpcs)) for _ in range(ROUNDS)]
    slots = list(zip(*rounds, strict=True))
    jobs = [_try(*each, payer) for each in zip(rpcs, endpoints, slots, strict=True)]
    return tuple(await asyncio.gather(*jobs))


async def _slot(rpc: Rpc, commitment: str = PROCESSED) -> int | None:
    try:
        return await rpc.slot(commitment)
    except EndpointError:
        return None


async def _final_lag(rpc: Rpc) -> int | None:
    newest, final = await asyncio.gather(_slot(rpc), _slot(rpc, FINALIZED))
    return None if newest is None or final is None else max(newest - final, 0)


async def _try(rpc: Rpc, endpoint: Endpoint, slots: tuple[int | None, ...], payer: Pubkey) -> EndpointSeen:
    version, failure = await _version(rpc)
    if failure and all(slot is None for slot in slots):
        limited = endpoint.health.limited
        return EndpointSeen(name=endpoint.name, roles=endpoint.roles, failure=failure, limited=limited)
    reads = READ in endpoint.roles
    return EndpointSeen(
        name=endpoint.name,
        roles=endpoint.roles,
        version=version,
        genesis=await _genesis(rpc),
        consensus=await read_consensus(rpc) if reads else Consensus.UNKNOWN,
        slots=slots,
        final_lag=await _final_lag(rpc) if reads else None,
        version_one=await _version_one(rpc, payer),
        socket=await try_socket(endpoint) if reads else None,
        limited=endpoint.health.limited,
    )


async def _version(rpc: Rpc) -> tuple[str | None, str]:
    """Return the version of a node's software, and why it does not answer; one that does not know the call answers."""
    try:
        return str((await rpc.call("getVersion"))["solana-core"]), ""
    except NodeError:
        return None, ""
    except EndpointError as error:
        return None, str(error)
    except (KeyError, TypeError):
        return None, ""


async def _genesis(rpc: Rpc) -> str | None:
    try:
        return await read_genesis(rpc)
    except EndpointError:
        return None


async def _version_one(rpc: Rpc, payer: Pubkey) -> VersionOne:
    try:
        return read_simulation(await rpc.call("simulateTransaction", encoded(payer), SIMULATION))
    except NodeError as error:
        return read_refusal(error)
    except EndpointError as error:
        return VersionOne(Taken.UNKNOWN, str(error))
