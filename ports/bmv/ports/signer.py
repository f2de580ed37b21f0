"""Who signs: a public key, and signatures of whatever bytes it is given.

A signer looks at nothing that it signs. What may be signed is decided in front of it, by a policy.
"""

from typing import Protocol

from bmv.ports.errors import BmvError

SIGNATURE_BYTES = 64


class SignerError(BmvError):
    """No signature was made. It says which key, never why in another's words: those may hold what is secret."""


class Signer(Protocol):
    """A key, wherever it lies: in this process, or behind a service that answers over a network."""

    @property
    def public_key(self) -> bytes:
        """Its 32 bytes; asked for at any time, and always the same."""
        ...

    async def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature of a transaction's message.

        Called once for each transaction, by what stands behind the policy. It raises `SignerError` and nothing else;
        no error carries a detail, a cause, or a part of what was to be signed.
        """
        ...
