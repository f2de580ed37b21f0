"""Accounts as RPC writes them, and several of one moment together."""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass

import zstandard
from solders.account import Account
from solders.pubkey import Pubkey

from bmv.adapters.solana.errors import Json

ENCODING = "base64+zstd"
ACCOUNT_BYTES_MAX = 10 << 20  # No account of the chain is larger.
PIECE = 256  # Bytes of a packed account that are unpacked at once; they become 8 MiB at most.


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Accounts as one bank had them.

    Args:
        slot: Of the bank.
        accounts: By address; None: there is none.
    """

    slot: int
    accounts: Mapping[Pubkey, Account | None]


def read_account(value: Json) -> Account | None:
    """Return an account from what RPC writes in `base64+zstd` or `base64`; ValueError says what is wrong with it."""
    if value is None:
        return None
    try:
        text, encoding = value["data"]
        data = unpack(text, encoding, value.get("space"))
        owner = Pubkey.from_string(value["owner"])
        account = Account(value["lamports"], data, owner, value["executable"])
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"an account lacks a field, or has one of another type: {error}") from None
    if value.get("space", len(data)) != len(data):
        raise ValueError(f"an account of {value['space']} bytes came with {len(data)}")
    return account


def unpack(text: str, encoding: str, size: object = None) -> bytes:
    """Return an account's bytes; ValueError where they can't be unpacked, or are more than an account can have.

    Args:
        size: How many there should be, as the node says; what it says only makes it quicker.
    """
    try:
        packed = b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"an account's bytes are no base64: {error}") from None
    if encoding == "base64":
        data = packed
    elif encoding == ENCODING:
        data = _decompress_sized(packed, size) or _decompress(packed)
    else:
        raise ValueError(f"an account's bytes came in {encoding!r}, and {ENCODING} was asked for")
    if len(data) > ACCOUNT_BYTES_MAX:
        raise ValueError(f"an account of more than {ACCOUNT_BYTES_MAX} bytes")
    return data


def _decompress_sized(packed: bytes, size: object) -> bytes | None:
    """Return what is in a frame in one go, where it is no more than `size`; None: it is not, or nobody knows."""
    if type(size) is not int or not 0 < size <= ACCOUNT_BYTES_MAX:
        return None
    try:
        if zstandard.frame_content_size(packed) in (-1, size):  # -1: it says nothing, as of a node.
            return zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
    except zstandard.ZstdError:
        return None
    return None


def _decompress(packed: bytes) -> bytes:
    """Return what is in a frame, a little at a time: its own word of how much there is in it is not trusted."""
    reader, data = zstandard.ZstdDecompressor().decompressobj(), bytearray()
    try:
        for start in range(0, len(packed), PIECE):
            data += reader.decompress(packed[start : start + PIECE])
            if len(data) > ACCOUNT_BYTES_MAX or reader.eof:
                break
    except zstandard.ZstdError as error:
        raise ValueError(f"an account's bytes can't be unpacked: {error}") from None
    if len(data) <= ACCOUNT_BYTES_MAX and not reader.eof:
        raise ValueError("an account's bytes are cut off")
    return bytes(data)
