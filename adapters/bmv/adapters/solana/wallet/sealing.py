"""A key at rest: scrypt makes a key of the passphrase, AES-GCM encrypts the wallet's key with it.

Everything that stands beside the encrypted bytes is authenticated with them: whoever changes the public key or the cost
changes the file into one that does not open. OWASP's least for scrypt is n = 2**17, r = 8, p = 1: 128 MiB, 0.4 s.
"""

import binascii
import json
import os
from base64 import b64decode, b64encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from bmv.adapters.solana.wallet.key import LocalKey
from bmv.adapters.solana.wallet.secret import Secret
from bmv.ports.errors import DataError

VERSION = 1
COST = 2**17
COST_MIN, COST_MAX = 2**14, 2**20  # 16 MiB to 1 GiB; beyond it a file could take a machine down.
SALT_BYTES, NONCE_BYTES, KEY_BYTES = 16, 12, 32


class SealedKey(BaseModel):
    """The file of an encrypted key. Bytes stand in base64.

    Args:
        n, r, p: Cost, block size and parallelism of scrypt.
        pubkey: The public key in base58; believed only once the file is opened.
        ct: The encrypted 64 bytes of the key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, strict=True)

    v: int = Field(ge=VERSION, le=VERSION)
    kdf: str = Field(pattern="^scrypt$")
    n: int = Field(ge=COST_MIN, le=COST_MAX)
    r: int = Field(ge=8, le=8)
    p: int = Field(ge=1, le=4)
    salt: str = Field(max_length=64)
    nonce: str = Field(max_length=64)
    pubkey: str = Field(max_length=44)
    ct: str = Field(max_length=256)

    def header(self) -> bytes:
        """Return what is authenticated and not encrypted."""
        return json.dumps(self.model_dump(exclude={"ct"}), sort_keys=True, separators=(",", ":")).encode()

    def text(self) -> str:
        """Return the file."""
        return json.dumps(self.model_dump(), indent=1) + "\n"


def seal(key: LocalKey, passphrase: Secret, cost: int = COST) -> SealedKey:
    """Encrypt a key.

    Args:
        cost: scrypt's n, a power of two.
    """
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    blank = SealedKey(
        v=VERSION,
        kdf="scrypt",
        n=cost,
        r=8,
        p=1,
        salt=_text(salt),
        nonce=_text(nonce),
        pubkey=key.address,
        ct="",
    )
    encrypted = _cipher(blank, salt, passphrase).encrypt(nonce, key.reveal(), blank.header())
    return blank.model_copy(update={"ct": _text(encrypted)})


def read_sealed(text: Secret) -> SealedKey:
    """Read the file of an encrypted key without opening it; `DataError` says what is wrong with it."""
    found = _sealed(text)
    if isinstance(found, str):
        raise DataError(f"is no encrypted key of version {VERSION}: {found}")
    return found


def _sealed(text: Secret) -> SealedKey | str:
    """Return the file, or which fields are wrong; it may hold anything, so nothing may be raised here, see `secret`."""
    try:
        found = SealedKey.model_validate(json.loads(text.reveal()))
    except ValidationError as error:
        known = {str(each["loc"][0]) for each in error.errors() if each["loc"]} & set(SealedKey.model_fields)
        return f"{', '.join(sorted(known)) or 'fields'} missing, unknown or out of range"
    except (ValueError, RecursionError):
        return "no JSON"
    return found if _is_whole(found) else "n, salt, nonce, ct or pubkey out of range"


def unseal(sealed: SealedKey, passphrase: Secret) -> LocalKey:
    """Decrypt a key; `DataError` if the passphrase is another one, or the file was changed: nobody can tell which."""
    key = _open(sealed, passphrase)
    if key is None:
        raise DataError("does not open: the passphrase is another one, or the file was changed")
    return key


def _open(sealed: SealedKey, passphrase: Secret) -> LocalKey | None:
    """Return the key, or None; nothing may be raised here, see `secret`."""
    try:
        cipher = _cipher(sealed, b64decode(sealed.salt), passphrase)
        plain = cipher.decrypt(b64decode(sealed.nonce), b64decode(sealed.ct), sealed.header())
        key = LocalKey(Keypair.from_bytes(plain))
    except (InvalidTag, ValueError):
        return None
    return key if key.address == sealed.pubkey else None


def _cipher(sealed: SealedKey, salt: bytes, passphrase: Secret) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=KEY_BYTES, n=sealed.n, r=sealed.r, p=sealed.p).derive(passphrase.reveal()))


def _is_whole(sealed: SealedKey) -> bool:
    try:
        sizes = [len(b64decode(part, validate=True)) for part in (sealed.salt, sealed.nonce, sealed.ct)]
        Pubkey.from_string(sealed.pubkey)
    except (binascii.Error, ValueError):
        return False
    return sizes == [SALT_BYTES, NONCE_BYTES, 64 + 16] and sealed.n & (sealed.n - 1) == 0


def _text(data: bytes) -> str:
    return b64encode(data).decode()
