"""The forms in which people have their keys: id.json, base58, seed and mnemonic.

Base58 of 32 bytes is refused although it could be a seed: it looks like a public key, which everybody knows.
"""

import json
import re
from hashlib import pbkdf2_hmac
from unicodedata import normalize

import base58
from solders.keypair import Keypair

from bmv.adapters.solana.wallet.key import SECRET_BYTES, LocalKey
from bmv.adapters.solana.wallet.secret import Secret
from bmv.ports.errors import DataError

PATH = "m/44'/501'/0'/0'"  # Of the first account in most wallets.
SEED_BYTES = 32
MNEMONIC_WORDS = (12, 15, 18, 21, 24)
ROUNDS = 2_048  # BIP-39.

FORMS = (
    "expected a JSON array of 64 numbers (id.json), base58 of 64 bytes, a seed of 32 bytes as JSON or 64 hexadecimal "
    "digits, or a mnemonic of 12 to 24 words"
)


def read_key(text: Secret, path: str | None = PATH) -> LocalKey:
    """Return the key that a text holds, in any of the forms; `DataError` says what is wrong, and repeats nothing of it.

    Args:
        path: By which a mnemonic's key is derived; None: its seed begins with the key's, as `solana-keygen` has it.
    """
    found = _read(text, path)
    if isinstance(found, str):
        raise DataError(f"{found} (the key is not shown)")
    return found


def _read(text: Secret, path: str | None) -> LocalKey | str:
    """Return the key, or what is wrong; nothing may be raised here, see `secret`."""
    try:
        content = text.reveal().decode().strip()
    except UnicodeDecodeError:
        return f"{FORMS}; found bytes that are no text"
    if content.startswith("["):
        return _of_json(content)
    if re.fullmatch(r"[0-9a-fA-F]{64}", content):
        return LocalKey.from_seed(bytes.fromhex(content))
    if len(content.split()) > 1:
        return _of_mnemonic(content.split(), path)
    return _of_base58(content)


def _of_json(content: str) -> LocalKey | str:
    try:
        numbers = json.loads(content)
    except (ValueError, RecursionError):
        return f"{FORMS}; found an array that is no JSON"
    if not all(type(number) is int and 0 <= number < 256 for number in numbers):
        return f"{FORMS}; found an array of something else than numbers from 0 to 255"
    return _of_bytes(bytes(numbers))


def _of_base58(content: str) -> LocalKey | str:
    try:
        data = base58.b58decode(content)
    except ValueError:
        return f"{FORMS}; found none of them"
    if len(data) == SEED_BYTES:
        return "found base58 of 32 bytes, which is a public key; " + FORMS
    return _of_bytes(data)


def _of_bytes(data: bytes) -> LocalKey | str:
    if len(data) == SEED_BYTES:
        return LocalKey.from_seed(data)
    if len(data) != SECRET_BYTES:
        return f"{FORMS}; found {len(data)} bytes"
    try:
        return LocalKey(Keypair.from_bytes(data))
    except ValueError:
        return "the last 32 of its 64 bytes are not the public key of the first 32: it is damaged, or no key"


def _of_mnemonic(words: list[str], path: str | None) -> LocalKey | str:
    """Return the key of a mnemonic; which words there are is not known here, so that a wrong one gives another key."""
    if len(words) not in MNEMONIC_WORDS:
        return f"expected a mnemonic of {', '.join(map(str, MNEMONIC_WORDS))} words, found {len(words)}"
    phrase = normalize("NFKD", " ".join(words))
    try:
        if path is None:
            return LocalKey(Keypair.from_seed_phrase_and_passphrase(phrase, ""))
        seed = pbkdf2_hmac("sha512", phrase.encode(), b"mnemonic", ROUNDS)
        return LocalKey(Keypair.from_seed_and_derivation_path(seed, path))
    except ValueError:
        return f"no key can be derived from the mnemonic by {path}"
