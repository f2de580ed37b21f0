"""What OpenBook v2 logs: fills, positions, settlements."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, get_args

from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.logs import data_of, line_of, own_data
from bmv.adapters.openbook.v2.layout import (
    I64,
    U8,
    U32,
    U64,
    U128,
    Bool,
    Key,
    NaturalI64,
    PositiveI64,
    String,
    read_whole,
    record,
)
from bmv.adapters.openbook.v2.market import PROGRAM_ID
from bmv.adapters.openbook.v2.open_orders import Slot
from bmv.adapters.openbook.v2.primitives import Address, Maybe

EVENT_CPI = bytes.fromhex("e445a52e51cb9a1d")  # Begins what the program logs by calling itself.


@dataclass(frozen=True, slots=True)
class DepositLog:
    """Native amounts were added to an account."""

    open_orders_account: Key
    signer: Key
    base_amount: U64
    quote_amount: U64


@dataclass(frozen=True, slots=True)
class FillLog:
    """A fill was settled with its maker: at once, or by whoever consumed its event.

    Args:
        maker_fee: Native quote; rebates are not in it.
        price: Lots of quote for a lot of base.
        quantity: Lots of base.
    """

    market: Key
    taker_side: Side
    maker_slot: Slot
    maker_out: Bool
    timestamp: U64
    seq_num: U64
    maker: Key
    maker_client_order_id: U64
    maker_fee: U64
    maker_timestamp: U64
    taker: Key
    taker_client_order_id: U64
    taker_fee_ceil: U64
    price: PositiveI64
    quantity: PositiveI64


@dataclass(frozen=True, slots=True)
class TakerSignatureLog:
    """An order took from the book; its fill carries the same number (master only)."""

    market: Key
    seq_num: U64


@dataclass(frozen=True, slots=True)
class MarketMetaDataLog:
    """A market was made; not in the logs, but in the data of the program's call to itself."""

    market: Key
    name: String
    base_mint: Key
    quote_mint: Key
    base_decimals: U8
    quote_decimals: U8
    base_lot_size: PositiveI64
    quote_lot_size: PositiveI64


@dataclass(frozen=True, slots=True)
class TotalOrderFillEvent:
    """What an order took in all, in native amounts."""

    side: Side
    taker: Key
    total_quantity_paid: U64
    total_quantity_received: U64
    fees: U64


@dataclass(frozen=True, slots=True)
class SetDelegateLog:
    """Somebody else may trade for an account from now on; None: nobody."""

    open_orders_account: Key
    delegate: Annotated[Pubkey | None, Maybe(Address())]


@dataclass(frozen=True, slots=True)
class SettleFundsLog:
    """What was free was paid out."""

    open_orders_account: Key
    base_native: U64
    quote_native: U64
    referrer_rebate: U64
    referrer: Annotated[Pubkey | None, Maybe(Address())]


@dataclass(frozen=True, slots=True)
class SweepFeesLog:
    """A market's fees were paid out."""

    market: Key
    amount: U64
    receiver: Key


@dataclass(frozen=True, slots=True)
class OpenOrdersPositionLog:
    """What an account has after a fill; a maker's, or the taker's.

    Args:
        bids_quote_lots: As in `Position`: of an account of version 0 it means nothing.
    """

    owner: Key
    open_orders_account_num: U32
    market: Key
    bids_base_lots: NaturalI64
    bids_quote_lots: I64
    asks_base_lots: NaturalI64
    base_free_native: U64
    quote_free_native: U64
    locked_maker_fees: U64
    referrer_rebates_available: U64
    maker_volume: U128
    taker_volume: U128


Log = (
    DepositLog
    | FillLog
    | TakerSignatureLog
    | MarketMetaDataLog
    | TotalOrderFillEvent
    | SetDelegateLog
    | SettleFundsLog
    | SweepFeesLog
    | OpenOrdersPositionLog
)


def discriminator(name: str) -> bytes:
    """Return the first eight bytes of a log.

    >>> discriminator("FillLog").hex()
    '9617299498a2d740'
    """
    return sha256(f"event:{name}".encode()).digest()[:8]


KINDS: dict[bytes, type[Log]] = {discriminator(kind.__name__): kind for kind in get_args(Log)}


def read_log(data: bytes) -> Log:
    """Read the bytes of one log."""
    kind = KINDS.get(bytes(data[:8]))
    if kind is None:
        raise Malformed(f"no log begins with {bytes(data[:8]).hex() or 'nothing'}")
    return read_whole(kind, data, 8)


def write_log(log: Log) -> bytes:
    """Return the bytes of one log."""
    kind = type(log)
    return discriminator(kind.__name__) + record(kind).write(log)


def write_line(log: Log) -> str:
    """Return the line that the chain shows for a log."""
    return line_of(write_log(log))


def read_event_cpi(data: bytes) -> Log:
    """Read what the program logged by calling itself."""
    if data[:8] != EVENT_CPI:
        raise Malformed(f"a call that begins with {bytes(data[:8]).hex() or 'nothing'} logs nothing")
    return read_log(data[8:])


def read_lines(lines: Iterable[str], program: Pubkey = PROGRAM_ID) -> Iterator[Log]:
    """Yield what the program logged in one transaction, in order; see `own_data`."""
    return map(read_log, own_data(lines, program))


def read_line(line: str) -> Log:
    """Read one line that begins with "Program data: "."""
    return read_log(data_of(line))
