"""What an owner has on a market of OpenBook v2: orders, free and locked funds; and the list of his accounts."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

from solders.pubkey import Pubkey

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v2.layout import (
    I64,
    U8,
    U32,
    U64,
    U128,
    Bool,
    Key,
    NaturalI64,
    OptionalKey,
    Record,
    read_account,
    record,
    size,
)
from bmv.adapters.openbook.v2.market import PROGRAM_ID
from bmv.adapters.openbook.v2.primitives import Address, Fixed, Many, Number, Raw

DISCRIMINATOR = bytes.fromhex("ffc24e7b1069d0a5")
INDEXER_DISCRIMINATOR = bytes.fromhex("c35380d5cc5b1396")
MAX_OPEN_ORDERS = 24
Slot = Annotated[int, Number(1, most=MAX_OPEN_ORDERS - 1)]
MAX_ACCOUNTS = 256  # An indexer lists no more.


class SideAndOrderTree(IntEnum):
    """Which tree of which side of the book an order stands in."""

    BID_FIXED = 0
    ASK_FIXED = 1
    BID_ORACLE_PEGGED = 2
    ASK_ORACLE_PEGGED = 3


@dataclass(frozen=True, slots=True)
class Position:
    """An owner's funds: lots in open orders, native amounts that are free or owed.

    Args:
        bids_quote_lots: Of an account of version 0 it means nothing, and may be below 0: orders that rested when the
            field came were not counted, and are taken off it all the same.
    """

    bids_base_lots: NaturalI64
    asks_base_lots: NaturalI64
    base_free_native: U64
    quote_free_native: U64
    locked_maker_fees: U64
    referrer_rebates_available: U64
    penalty_heap_count: U64
    maker_volume: U128
    taker_volume: U128
    bids_quote_lots: I64
    reserved: Annotated[bytes, Raw(64)]


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """One of the 24 slots.

    Args:
        locked_price: Lots of quote locked for a lot of base; of a pegged bid, its limit.
    """

    id: U128
    client_id: U64
    locked_price: I64
    is_free: Bool
    side_and_tree: SideAndOrderTree
    padding: Annotated[bytes, Raw(6)]


@dataclass(frozen=True, slots=True)
class OpenOrdersAccount:
    """The account of an owner on one market, 1,264 bytes."""

    owner: Key
    market: Key
    name: Annotated[bytes, Raw(32)]
    delegate: OptionalKey
    account_num: U32
    bump: U8
    version: U8
    padding: Annotated[bytes, Raw(2)]
    position: Position
    open_orders: Annotated[tuple[OpenOrder, ...], Fixed(Record(OpenOrder), MAX_OPEN_ORDERS)]

    @classmethod
    def decode(cls, data: bytes) -> "OpenOrdersAccount":
        """Read an account's bytes; orders without a price and less than no lots are refused."""
        account = read_account(cls, DISCRIMINATOR, data)
        if account.version > 0 and account.position.bids_quote_lots < 0:
            raise Malformed(f"{account.position.bids_quote_lots} lots of quote are in open bids")
        for slot, order in account.orders().items():
            _check_order(slot, order)
        return account

    def encode(self) -> bytes:
        """Return the account's bytes."""
        return DISCRIMINATOR + record(OpenOrdersAccount).write(self)

    def orders(self) -> dict[int, OpenOrder]:
        """Return the slots in use. A filled order keeps its slot until its fill is consumed."""
        return {slot: order for slot, order in enumerate(self.open_orders) if not order.is_free}


def _check_order(slot: int, order: OpenOrder) -> None:
    if order.locked_price < 1:
        raise Malformed(f"the order in slot {slot} locks {order.locked_price} lots of quote for a lot of base")
    is_fixed = order.side_and_tree in (SideAndOrderTree.BID_FIXED, SideAndOrderTree.ASK_FIXED)
    if is_fixed and not 1 <= order.id >> 64 < 1 << 63:
        raise Malformed(f"the order in slot {slot} has a price of {order.id >> 64} lots")


@dataclass(frozen=True, slots=True)
class OpenOrdersIndexer:
    """The accounts that an owner has, on all markets.

    Args:
        created_counter: Accounts ever created; the next one's number is one more.
    """

    bump: U8
    created_counter: U32
    addresses: Annotated[tuple[Pubkey, ...], Many(Address(), least=32)]

    @classmethod
    def decode(cls, data: bytes) -> "OpenOrdersIndexer":
        """Read an account's bytes, which are as many as its addresses need."""
        if len(data) < 17 or data[:8] != INDEXER_DISCRIMINATOR:
            raise Malformed(f"{len(data)} bytes beginning with {data[:8].hex()} are no OpenOrdersIndexer")
        indexer, end = record(cls).read(data, 8)
        if end != len(data) or len(indexer.addresses) > MAX_ACCOUNTS:
            raise Malformed(f"{len(indexer.addresses)} addresses in an OpenOrdersIndexer of {len(data)} bytes")
        return indexer

    def encode(self) -> bytes:
        """Return the account's bytes."""
        return INDEXER_DISCRIMINATOR + record(OpenOrdersIndexer).write(self)


OPEN_ORDERS_SIZE = 8 + size(OpenOrdersAccount)


def indexer_size(addresses: int) -> int:
    """Return how many bytes an indexer of so many addresses has."""
    return 17 + 32 * addresses


def indexer_address(owner: Pubkey, program: Pubkey = PROGRAM_ID) -> tuple[Pubkey, int]:
    """Return where an owner's indexer lies, and its bump."""
    return Pubkey.find_program_address([b"OpenOrdersIndexer", bytes(owner)], program)


def open_orders_address(owner: Pubkey, account_num: int, program: Pubkey = PROGRAM_ID) -> tuple[Pubkey, int]:
    """Return where an owner's account of that number lies (the first is 1), and its bump."""
    return Pubkey.find_program_address([b"OpenOrders", bytes(owner), account_num.to_bytes(4, "little")], program)
