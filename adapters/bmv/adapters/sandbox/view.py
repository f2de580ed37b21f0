"""One node's view of the chain: at which block it stands, and the context that its answers carry."""

from collections.abc import Callable

from bmv.adapters.sandbox.auction import Auction
from bmv.adapters.sandbox.chain import Chain
from bmv.adapters.sandbox.faults import Faults
from bmv.adapters.sandbox.jsonrpc import INVALID_PARAMS, MIN_CONTEXT_SLOT, Json, RpcError
from bmv.adapters.sandbox.ledger import LAG_BLOCKS, Block

VERSION = "4.5.0"


class View:
    """What a node sees and may do.

    Args:
        chain: The chain, which nodes share.
        faults: What is wrong with this node.
        lag: By how many blocks it is late.
        auction: Where bundles are let into its blocks, the same for all nodes; None: a calm one of its own.
    """

    def __init__(self, chain: Chain, faults: Faults, lag: int = 0, auction: Auction | None = None) -> None:
        if not 0 <= lag <= LAG_BLOCKS:
            raise ValueError(f"a node may be late by 0 to {LAG_BLOCKS} blocks, found {lag}")
        self.chain, self.faults, self.lag = chain, faults, lag
        self.auction = auction or Auction(chain)

    def block(self, config: Json = None) -> Block:
        """Return the newest block at the commitment that a call's configuration names."""
        commitment = (config or {}).get("commitment")
        try:
            return self.chain.block(commitment, self.lag)
        except KeyError:
            raise RpcError(
                INVALID_PARAMS, f"Invalid params: unknown variant `{commitment}`, expected one of `processed`, …"
            ) from None

    def answer(self, config: Json, value: Json | Callable[[int], Json]) -> Json:
        """Return a value with its context; a function of the slot is asked for it once the slot is known to do."""
        slot = self.slot(config)
        shown = value(slot) if callable(value) else value
        return {"context": {"apiVersion": VERSION, "slot": slot}, "value": shown}

    def slot(self, config: Json = None) -> int:
        """Return the slot at a call's commitment, or refuse it where that is below the least it asks for."""
        slot = self.block(config).slot
        least = (config or {}).get("minContextSlot") or 0
        if least > slot:
            raise RpcError(MIN_CONTEXT_SLOT, "Minimum context slot has not been reached", {"contextSlot": slot})
        return slot
