"""Whose wallet is configured: its address, read without opening the secret beside it."""

from pathlib import Path

from solders.pubkey import Pubkey

from bmv.adapters.solana.wallet.keyfile import describe
from bmv.ports.errors import BmvError, ConfigError


def read_address(path: str) -> Pubkey:
    """Return the address of the wallet in a key file, encrypted or not; `ConfigError` says what is wrong with that."""
    try:
        return Pubkey.from_string(describe(Path(path)).public_key)
    except BmvError as error:
        raise ConfigError(f"live.wallet: {error}") from None
    except ValueError:
        raise ConfigError(f"live.wallet: {path}: expected a public key in base58, found other text") from None
