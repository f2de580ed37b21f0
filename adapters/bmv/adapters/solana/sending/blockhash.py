"""A young blockhash: what every transaction names, and what limits its life."""

from typing import NamedTuple

from solders.hash import Hash

from bmv.adapters.solana.consensus import Consensus
from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.rpc import CONFIRMED, FINALIZED, Rpc

LIFE_BLOCKS = 150


class Young(NamedTuple):
    """A blockhash as a node gave it.

    Args:
        hash: The blockhash.
        last_height: The last block height at which a transaction that names it is valid.
        read_s: When it was asked for, seconds of a clock that never goes back.
    """

    hash: Hash
    last_height: int
    read_s: float


def commitment_for(consensus: Consensus) -> str:
    """Return how firm the block of a blockhash should be.

    Under Alpenglow a final one is one slot old. Under Tower it would be 13 s old, a fifth of its life; and a confirmed
    one that vanished would only let the transaction expire.
    """
    return FINALIZED if consensus is Consensus.ALPENGLOW else CONFIRMED


async def read_blockhash(rpc: Rpc, commitment: str, now_s: float, least_slot: int = 0) -> Young:
    """Ask a node for its newest blockhash; `EndpointError` where it gives none."""
    answer = await rpc.call("getLatestBlockhash", {"commitment": commitment, "minContextSlot": least_slot})
    try:
        value = answer["value"]
        return Young(Hash.from_string(value["blockhash"]), int(value["lastValidBlockHeight"]), now_s)
    except (KeyError, TypeError, ValueError):
        raise EndpointError(f"{rpc.endpoint}: answers getLatestBlockhash with what can't be used") from None
