"""Whose wallet is configured: its address, read without touching the secret beside it."""

import json
from pathlib import Path

from solders.pubkey import Pubkey

from bmv.ports.errors import ConfigError

KEYPAIR_BYTES, ADDRESS_AT = 64, 32  # A key file is a list of these; the latter half is the address.
FORM = "expected a list of 64 numbers from 0 to 255, as `solana-keygen` writes it"


def read_address(path: str) -> Pubkey:
    """Return the address of the wallet in a key file; `ConfigError` says what is wrong with that."""
    try:
        numbers = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"live.wallet: {path} can't be read: {error.strerror}") from None
    except ValueError:  # Its text may repeat what stands in the file.
        raise ConfigError(f"live.wallet: {path}: {FORM}, found no JSON") from None
    if not isinstance(numbers, list) or len(numbers) != KEYPAIR_BYTES:
        raise ConfigError(f"live.wallet: {path}: {FORM}, found something else")
    try:
        return Pubkey(bytes(numbers[ADDRESS_AT:]))
    except (TypeError, ValueError):
        raise ConfigError(f"live.wallet: {path}: {FORM}, found something else") from None
