"""What a signature costs: what is known until the chain was asked, which is done at the start and after a surprise."""

from dataclasses import dataclass

from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from bmv.adapters.openbook.planning.budget import Head
from bmv.adapters.openbook.planning.plan import Part
from bmv.adapters.solana.rpc import PROCESSED, Rpc
from bmv.adapters.solana.sending.blockhash import read_blockhash
from bmv.adapters.solana.sending.fees import SIGNATURE_LAMPORTS, read_fee

UNITS, LOADED = 1_000, 32_768  # Of a message that is priced, and never signed.


@dataclass(slots=True)
class Tariff:
    """What transactions cost.

    Args:
        signature_lamports: Of each signature; ours have one.
        sure: Whether the chain said so, and nothing has happened since that we did not expect.
    """

    signature_lamports: int = SIGNATURE_LAMPORTS
    sure: bool = False

    def cost(self, part: Part) -> int:
        """Return the lamports that a part of a plan costs where it lands well; where it fails, its tip less."""
        return self.signature_lamports + part.head.lamports + part.tip

    async def ask(self, rpc: Rpc, payer: Pubkey, version: int) -> str:
        """Ask a node what a signature costs, and return what to say of it; "": it is as it was, or not known there."""
        head = Head(version, payer, UNITS, LOADED, price=0, lamports=0)
        nothing = transfer(TransferParams(from_pubkey=payer, to_pubkey=payer, lamports=0))
        young = await read_blockhash(rpc, PROCESSED, 0.0)  # Of the same node, which is to know it.
        fee = await read_fee(rpc, to_bytes_versioned(head.message([nothing], young.hash)))
        if fee is None:
            return ""
        before, self.signature_lamports, self.sure = self.signature_lamports, fee, True
        return "" if fee == before else f"a signature costs {fee} lamports, and {before} were reckoned with"
