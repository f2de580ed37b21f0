"""What transactions cost: a signature, asked of the chain at the start and after a surprise; priority, asked often."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from bmv.adapters.openbook.planning.budget import Fee, Head
from bmv.adapters.openbook.planning.plan import Part
from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.rpc import PROCESSED, Rpc
from bmv.adapters.solana.sending.blockhash import read_blockhash
from bmv.adapters.solana.sending.fees import SIGNATURE_LAMPORTS, read_fee, read_price

NO_FEE = Fee()
UNITS, LOADED = 1_000, 32_768  # Of a message that is priced, and never signed.


@dataclass(slots=True)
class Tariff:
    """What transactions cost.

    Args:
        least: For priority: the least a unit, and the most in all.
        every_s: Between two questions.
        fee: For priority, by what others pay.
        signature_lamports: Of each signature; ours have one.
        sure: Whether the chain said so, and nothing has happened since that we did not expect.
    """

    least: Fee = NO_FEE
    every_s: float = 10.0
    fee: Fee = NO_FEE
    signature_lamports: int = SIGNATURE_LAMPORTS
    sure: bool = False
    _asked_s: float = float("-inf")

    def __post_init__(self) -> None:
        self.fee = self.least

    def cost(self, part: Part) -> int:
        """Return the lamports that a part of a plan costs where it lands well; where it fails, its tip less."""
        return self.signature_lamports + part.head.lamports + part.tip

    async def ask(self, rpc: Rpc, locks: Sequence[Pubkey], payer: Pubkey, version: int) -> str:
        """Ask a node, if it is time to, and return what to say of it; "": nothing.

        Where it does not say, things stay as they were, and it is asked again.

        Args:
            rpc: The node.
            locks: As of `read_price`.
            payer: Of our transactions.
            version: Theirs.
        """
        if time.monotonic() - self._asked_s < self.every_s:
            return ""
        self._asked_s = time.monotonic()
        with suppress(EndpointError):
            self.fee = replace(self.least, micro=max(await read_price(rpc, locks), self.least.micro))
        with suppress(EndpointError):
            return "" if self.sure else await self._ask_signature(rpc, payer, version)
        return ""

    async def _ask_signature(self, rpc: Rpc, payer: Pubkey, version: int) -> str:
        head = Head(version, payer, UNITS, LOADED, price=0, lamports=0)
        nothing = transfer(TransferParams(from_pubkey=payer, to_pubkey=payer, lamports=0))
        young = await read_blockhash(rpc, PROCESSED, 0.0)  # Of the same node, which is to know it.
        fee = await read_fee(rpc, to_bytes_versioned(head.message([nothing], young.hash)))
        if fee is None:
            return ""
        before, self.signature_lamports, self.sure = self.signature_lamports, fee, True
        return "" if fee == before else f"a signature costs {fee} lamports, and {before} were reckoned with"
