"""What a transaction costs, as a node tells it: the price of a signature, and what others paid to come first."""

from base64 import b64encode
from collections.abc import Sequence

from solders.pubkey import Pubkey

from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.rpc import PROCESSED, Rpc

SIGNATURE_LAMPORTS = 5_000  # What a signature has always cost; what a chain says otherwise wins (`read_fee`).
SLOTS = 50  # The newest that count: 10 s of 200 ms.
SHARE = (3, 4)  # We pay what three in four of those slots asked at most.


async def read_price(rpc: Rpc, locks: Sequence[Pubkey]) -> int:
    """Return millionths of a lamport a unit that would have been enough in most of the last slots.

    A node answers, for each slot, the least that anything paid which locked all these accounts: often nothing, where
    nobody else wanted them. Asked without accounts it would answer for the whole chain, which tells nothing.

    Args:
        rpc: The node.
        locks: Accounts that our transactions write to, the market's own.
    """
    assert locks, "without accounts the answer is of no use"
    answer = await rpc.call("getRecentPrioritizationFees", [str(key) for key in locks])
    try:
        rows = sorted((int(row["slot"]), int(row["prioritizationFee"])) for row in answer)
    except (KeyError, TypeError, ValueError):
        raise EndpointError(f"{rpc.endpoint}: answers getRecentPrioritizationFees with what can't be used") from None
    return price_of([fee for _, fee in rows])


def price_of(fees: Sequence[int]) -> int:
    """Return the price by what slots asked, oldest first; 0 where nobody paid.

    >>> price_of([0] * 30 + [1_000] * 30), price_of([0, 0, 0, 900]), price_of([])
    (1000, 0, 0)
    """
    newest = sorted(fees[-SLOTS:])
    return newest[max(-(-len(newest) * SHARE[0] // SHARE[1]) - 1, 0)] if newest else 0


async def read_fee(rpc: Rpc, message: bytes) -> int | None:
    """Return the lamports that a message costs in all, None where the node does not know its blockhash.

    Args:
        rpc: The node.
        message: As it would be signed.
    """
    answer = await rpc.call("getFeeForMessage", b64encode(message).decode(), {"commitment": PROCESSED})
    fee = answer.get("value", "") if isinstance(answer, dict) else ""
    if fee is not None and (type(fee) is not int or fee <= 0):
        raise EndpointError(f"{rpc.endpoint}: answers getFeeForMessage with what can't be used")
    return fee
