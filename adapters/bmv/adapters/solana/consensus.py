"""By which rule the chain agrees, asked and not assumed: it decides how far behind the newest slot a final one is.

Alpenglow answers `getAgGenesisCert` with a certificate, TowerBFT with null. A node that does not know the method, or
does not serve it, leaves it unknown: then the slower rule is reckoned with. Source: SIMD-0326, agave #13751.
"""

from enum import Enum

from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.rpc import Rpc

METHOD = "getAgGenesisCert"


class Consensus(Enum):
    """How blocks become final. `final_slots` is how far behind the newest they usually are then."""

    ALPENGLOW = ("alpenglow", 1)
    TOWER = ("tower", 31)
    UNKNOWN = ("unknown", 31)

    def __init__(self, label: str, final_slots: int) -> None:
        self.label, self.final_slots = label, final_slots


async def read_consensus(rpc: Rpc) -> Consensus:
    """Ask a node which rule holds."""
    try:
        certificate = await rpc.call(METHOD)
    except EndpointError:
        return Consensus.UNKNOWN
    return Consensus.TOWER if certificate is None else Consensus.ALPENGLOW
