"""Packed records of little-endian numbers and keys: where each field lies, told once for reading and for writing.

Program: openbook-dex/program 3873f285, `dex/src/state.rs` and `critbit.rs`. Names are the program's. Every account is
`serum`, then its body, then `padding`, so that a body begins at byte 5 and no field is aligned.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from solders.pubkey import Pubkey

from bmv.adapters.openbook.errors import Malformed

HEAD = b"serum"
TAIL = b"padding"
BODY = len(HEAD)
ENVELOPE = len(HEAD) + len(TAIL)

KEY = 32  # Bytes of a key; every other field is a number.


@dataclass(frozen=True, slots=True)
class Field:
    """One field: where it begins in its record, and its bytes; `words` are consecutive numbers of that size."""

    offset: int
    size: int
    words: int = 1


class Layout:
    """A packed record.

    Args:
        fields: Name and bytes of each field in order; a name that begins with `_` is padding. A third number says how
            many times the field stands there.
    """

    def __init__(self, *fields: tuple[str, int] | tuple[str, int, int]) -> None:
        self.fields: dict[str, Field] = {}
        self.size = 0
        for name, size, *rest in fields:
            words = rest[0] if rest else 1
            self.fields[name] = Field(self.size, size, words)
            self.size += size * words

    def read(self, data: bytes | bytearray | memoryview, base: int) -> dict[str, Any]:
        """Return every field of the record at `base`, by name: a number, a key, or a tuple of numbers.

        The values are of as many types as fields may have, which the dataclass they are handed to names.
        """
        return {name: _read(data, base, field) for name, field in self.fields.items() if not name.startswith("_")}

    def write(self, buffer: bytearray, base: int, values: Mapping[str, Any]) -> None:
        """Write the fields that `values` names into the record at `base`."""
        for name, value in values.items():
            field = self.fields[name]
            start = base + field.offset
            buffer[start : start + field.size * field.words] = _to_bytes(value, field)


def _read(data: bytes | bytearray | memoryview, base: int, field: Field) -> Any:
    start = base + field.offset
    if field.size == KEY:
        return Pubkey.from_bytes(bytes(data[start : start + KEY]))
    if field.words == 1:
        return int.from_bytes(data[start : start + field.size], "little")
    ends = range(start + field.size, start + field.size * (field.words + 1), field.size)
    return tuple(int.from_bytes(data[end - field.size : end], "little") for end in ends)


def _to_bytes(value: Any, field: Field) -> bytes:
    if isinstance(value, int):
        return value.to_bytes(field.size, "little")
    if isinstance(value, tuple):
        return b"".join(word.to_bytes(field.size, "little") for word in value)
    return bytes(value)


class Record:
    """A record within a buffer, read and written in place; of fields that are one number.

    >>> buffer = bytearray(16)
    >>> record = Record(Layout(("head", 8), ("count", 8)), buffer, 0)
    >>> record["count"] = 258
    >>> record["count"], buffer[8:10]
    (258, bytearray(b'\\x02\\x01'))
    """

    __slots__ = ("base", "buffer", "fields")

    def __init__(self, layout: Layout, buffer: bytearray, base: int) -> None:
        self.fields = layout.fields
        self.buffer = buffer
        self.base = base

    def __getitem__(self, name: str) -> int:
        field = self.fields[name]
        start = self.base + field.offset
        return int.from_bytes(self.buffer[start : start + field.size], "little")

    def __setitem__(self, name: str, value: int) -> None:
        field = self.fields[name]
        start = self.base + field.offset
        self.buffer[start : start + field.size] = value.to_bytes(field.size, "little")

    def key(self, name: str) -> bytes:
        """Return the 32 bytes of the key `name`."""
        start = self.base + self.fields[name].offset
        return bytes(self.buffer[start : start + KEY])


MARKET = Layout(
    ("account_flags", 8),
    ("own_address", KEY),
    ("vault_signer_nonce", 8),
    ("coin_mint", KEY),
    ("pc_mint", KEY),
    ("coin_vault", KEY),
    ("coin_deposits_total", 8),
    ("coin_fees_accrued", 8),
    ("pc_vault", KEY),
    ("pc_deposits_total", 8),
    ("pc_fees_accrued", 8),
    ("pc_dust_threshold", 8),
    ("req_q", KEY),
    ("event_q", KEY),
    ("bids", KEY),
    ("asks", KEY),
    ("coin_lot_size", 8),
    ("pc_lot_size", 8),
    ("fee_rate_bps", 8),
    ("referrer_rebates_accrued", 8),
)
AUTHORITIES = Layout(  # What a permissioned market has beyond.
    ("open_orders_authority", KEY),
    ("prune_authority", KEY),
    ("consume_events_authority", KEY),
    ("_padding", 992),
)
MARKET_BYTES = MARKET.size + ENVELOPE
PERMISSIONED_MARKET_BYTES = MARKET_BYTES + AUTHORITIES.size

SLOTS = 128  # Orders of one OpenOrders account.
OPEN_ORDERS = Layout(
    ("account_flags", 8),
    ("market", KEY),
    ("owner", KEY),
    ("native_coin_free", 8),
    ("native_coin_total", 8),
    ("native_pc_free", 8),
    ("native_pc_total", 8),
    ("free_slot_bits", 16),
    ("is_bid_bits", 16),
    ("orders", 16, SLOTS),
    ("client_order_ids", 8, SLOTS),
    ("referrer_rebates_accrued", 8),
)
OPEN_ORDERS_BYTES = OPEN_ORDERS.size + ENVELOPE

REQUEST_QUEUE = Layout(("account_flags", 8), ("head", 8), ("count", 8), ("next_seq_num", 8))
REQUEST_BYTES = 80

EVENT_QUEUE = Layout(("account_flags", 8), ("head", 8), ("count", 8), ("seq_num", 8))
EVENT = Layout(
    ("event_flags", 1),
    ("owner_slot", 1),
    ("fee_tier", 1),
    ("_padding", 5),
    ("native_qty_released", 8),
    ("native_qty_paid", 8),
    ("native_fee_or_rebate", 8),
    ("order_id", 16),
    ("owner", KEY),
    ("client_order_id", 8),
)

SLAB = Layout(
    ("account_flags", 8),
    ("bump_index", 8),
    ("free_list_len", 8),
    ("free_list_head", 4),
    ("root_node", 4),
    ("leaf_count", 8),
)
NODE_BYTES = 72
NODES = BODY + SLAB.size  # Where the nodes begin.
INNER = Layout(("tag", 4), ("prefix_len", 4), ("key", 16), ("child_0", 4), ("child_1", 4), ("_padding", 40))
LEAF = Layout(
    ("tag", 4),
    ("owner_slot", 1),
    ("fee_tier", 1),
    ("_padding", 2),
    ("key", 16),
    ("owner", KEY),
    ("quantity", 8),
    ("client_order_id", 8),
)
FREE = Layout(("tag", 4), ("next", 4), ("_padding", 64))


def check_envelope(data: bytes, minimum: int, what: str) -> None:
    """Refuse `data` that is shorter than `minimum` or not wrapped as every account of the program is."""
    if len(data) < minimum:
        raise Malformed(f"{what}: {len(data)} bytes, of at least {minimum}")
    if data[: len(HEAD)] != HEAD:
        raise Malformed(f"{what}: begins with {bytes(data[: len(HEAD)])!r}, not {HEAD!r}: no account of OpenBook v1")
    if data[-len(TAIL) :] != TAIL:
        raise Malformed(f"{what}: ends with {bytes(data[-len(TAIL) :])!r}, not {TAIL!r}: cut off, or no such account")
