"""A signer that signs what its policy has approved, and nothing else."""

from solders.pubkey import Pubkey

from bmv.adapters.openbook.policy.mandate import Moment
from bmv.adapters.openbook.policy.policy import Policy
from bmv.adapters.openbook.policy.verdict import Approved, Refusal
from bmv.ports.errors import ConfigError
from bmv.ports.signer import SIGNATURE_BYTES, Signer, SignerError


class GuardedSigner:
    """A key with a policy in front of it; whoever sends transactions holds this, and never the key.

    Args:
        signer: The key.
        policy: For the same key; `ConfigError` if it is for another.
    """

    def __init__(self, signer: Signer, policy: Policy) -> None:
        if signer.public_key != bytes(policy.signer):
            raise ConfigError(f"live.wallet: is the key of {Pubkey(signer.public_key)}, and {policy.signer} is to sign")
        self._signer, self._policy = signer, policy

    def __repr__(self) -> str:
        return f"<GuardedSigner of {self._policy.signer}>"

    def judge(self, message: bytes, moment: Moment) -> Approved | Refusal:
        """Say whether a message may be signed; see :meth:`Policy.judge`."""
        return self._policy.judge(message, moment)

    async def sign(self, approved: Approved) -> bytes:
        """Return the 64 bytes of the signature of an approved message; `SignerError` where the key can't sign."""
        assert isinstance(approved, Approved), "only what a policy approved is signed"
        assert approved.policy is self._policy, "another policy's approval is none"
        signature = await self._signer.sign(approved.message)
        if len(signature) != SIGNATURE_BYTES:
            raise SignerError(f"the key of {self._policy.signer} answers with what is no signature")
        return signature
