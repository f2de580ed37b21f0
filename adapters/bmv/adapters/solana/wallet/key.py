"""A key pair in this process's memory, which signs and is never shown."""

from collections.abc import Callable
from typing import Self

from solders.keypair import Keypair

from bmv.adapters.solana.wallet.secret import Sealed

SECRET_BYTES = 64  # The seed's 32, then the public key's.


class LocalKey(Sealed):
    """A key pair, and the signer of it.

    solders prints the secret of its Keypair for `str` and in f-strings, and pickles it. So none is an attribute of
    ours or of anybody's: what is kept of it are two functions.

    >>> key = LocalKey.from_seed(bytes(32))
    >>> print(f"{key}")
    <LocalKey 4zvwRjXUKGfvwnParsHAS3HuSVzV5cA4McphgmoCtajS>
    """

    __slots__ = ("_address", "_public_key", "_sign", "reveal")

    reveal: Callable[[], bytes]
    _sign: Callable[[bytes], bytes]

    def __init__(self, keypair: Keypair) -> None:
        self._public_key = bytes(keypair.pubkey())
        self._address = str(keypair.pubkey())
        self._sign = lambda message: bytes(keypair.sign_message(message))
        self.reveal = lambda: bytes(keypair)  # For what writes it encrypted, and for nothing else.

    @classmethod
    def new(cls) -> Self:
        """Return a key that nobody has, of the operating system's own dice."""
        return cls(Keypair())

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Return the key of 32 bytes."""
        return cls(Keypair.from_seed(seed))

    @property
    def public_key(self) -> bytes:
        return self._public_key

    @property
    def address(self) -> str:
        """The public key in base58: the wallet's address."""
        return self._address

    async def sign(self, message: bytes) -> bytes:
        return self._sign(message)

    def __repr__(self) -> str:
        return f"<LocalKey {self._address}>"
