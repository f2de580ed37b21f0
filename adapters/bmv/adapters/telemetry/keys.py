"""Keys that sign, hidden wherever they stand in a text, in any of the forms in which people have them.

An address, a signature and a blockhash look like keys in base58 and must stay readable: of 64 bytes in base58 a key is
told from a signature by reckoning, since its second half follows from its first. Base58 of 32 bytes is taken for the
address that it nearly always is; no wallet of ours reads a key in that form.
"""

import re

import base58
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MASK = "***"
ARRAY = re.compile(r"(?:\d{1,3}\s*,\s*){31,}\d{1,3}")  # Of 32 numbers or more, as in id.json.
HEX = re.compile(r"(?<![0-9A-Za-z])(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{128})(?![0-9A-Za-z])")
BASE58 = re.compile(r"(?<![0-9A-Za-z])[1-9A-HJ-NP-Za-km-z]{64,90}(?![0-9A-Za-z])")
WORDS = re.compile(r"(?<![A-Za-z])(?:[a-z]{3,8}\s+){11,}[a-z]{3,8}(?![A-Za-z])")  # Of BIP-39 each has 3 to 8 letters.
SEED_BYTES = 32


def mask_keys(text: str) -> str:
    """Return `text` with everything masked that is a key, or may be a seed or a mnemonic.

    >>> mask_keys(f"read {list(range(64))} of id.json")
    'read [***] of id.json'
    >>> mask_keys("2jg9GmzPrNVjPUQFmUZtUFsfR6ZBqxYzsmYQmNBRCXA9 holds 3 SOL")
    '2jg9GmzPrNVjPUQFmUZtUFsfR6ZBqxYzsmYQmNBRCXA9 holds 3 SOL'
    """
    if len(text) < 2 * SEED_BYTES - 1 and text.count(" ") < 11:  # No form is shorter.
        return text
    text = WORDS.sub(MASK, HEX.sub(MASK, ARRAY.sub(MASK, text)))
    return BASE58.sub(lambda found: MASK if _is_key(found.group()) else found.group(), text)


def _is_key(text: str) -> bool:
    """Tell whether base58 is a pair of keys: a seed, and behind it the public key that follows from it."""
    data = base58.b58decode(text)
    if len(data) != 2 * SEED_BYTES:
        return False
    public = Ed25519PrivateKey.from_private_bytes(data[:SEED_BYTES]).public_key()
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw) == data[SEED_BYTES:]
