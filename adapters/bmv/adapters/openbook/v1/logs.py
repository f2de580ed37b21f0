"""What the crank writes to the log: each fill, and the balances after it, as anchor events."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.logs import line_of, own_data
from bmv.adapters.openbook.v1.events import Fill
from bmv.adapters.openbook.v1.instructions import PROGRAM_ID
from bmv.adapters.openbook.v1.layout import SLOTS

FILL = bytes.fromhex("5269478b048e6b3a")  # sha256("event:FillEventLog")[:8]
BALANCE = bytes.fromhex("578a5436e382c6ac")  # sha256("event:OpenOrdersBalanceLog")[:8]


class _Reader:
    """Borsh, from the front."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 8

    def take(self, size: int) -> bytes:
        part = self.data[self.at : self.at + size]
        if len(part) != size:
            raise Malformed(f"log: {len(self.data)} bytes, cut off at {self.at}")
        self.at += size
        return part

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def key(self) -> Pubkey:
        return Pubkey.from_bytes(self.take(32))

    def flag(self) -> bool:
        value = self.number(1)
        if value > 1:
            raise Malformed(f"log: {value} at {self.at - 1}, where 0 or 1 must stand")
        return bool(value)

    def option(self) -> int | None:
        return self.number(8) if self.flag() else None

    def end(self) -> None:
        if self.at != len(self.data):
            raise Malformed(f"log: {len(self.data) - self.at} bytes too many")


def _u64(value: int) -> bytes:
    return value.to_bytes(8, "little")


def _option(value: int | None) -> bytes:
    return b"\0" if value is None else b"\1" + _u64(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class FillEventLog:
    """One side of one match, as the crank processed it; see :class:`bmv.adapters.openbook.v1.events.Fill`.

    Args:
        client_order_id: None where it is 0.
        referrer_rebate: What the taker's referrer may have, native quote; None for a maker.
    """

    market: Pubkey
    open_orders: Pubkey
    open_orders_owner: Pubkey
    bid: bool
    maker: bool
    native_qty_paid: int
    native_qty_received: int
    native_fee_or_rebate: int
    order_id: int
    owner_slot: int
    fee_tier: int
    client_order_id: int | None
    referrer_rebate: int | None

    @property
    def side(self) -> Side:
        return Side.BID if self.bid else Side.ASK

    @property
    def fill(self) -> Fill:
        """The event that the crank took from the queue, as it stood there."""
        return Fill(
            side=self.side,
            maker=self.maker,
            native_qty_paid=self.native_qty_paid,
            native_qty_received=self.native_qty_received,
            native_fee_or_rebate=self.native_fee_or_rebate,
            order_id=self.order_id,
            owner=self.open_orders,
            owner_slot=self.owner_slot,
            fee_tier=self.fee_tier,
            client_order_id=self.client_order_id or 0,
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read one, discriminator included."""
        _check_kind(data, FILL, "FillEventLog")
        read = _Reader(data)
        log = cls(
            market=read.key(),
            open_orders=read.key(),
            open_orders_owner=read.key(),
            bid=read.flag(),
            maker=read.flag(),
            native_qty_paid=read.number(8),
            native_qty_received=read.number(8),
            native_fee_or_rebate=read.number(8),
            order_id=read.number(16),
            owner_slot=read.number(1),
            fee_tier=read.number(1),
            client_order_id=read.option(),
            referrer_rebate=read.option(),
        )
        read.end()
        if log.owner_slot >= SLOTS:
            raise Malformed(f"log: an order of slot {log.owner_slot} of {SLOTS}")
        return log

    def encode(self) -> bytes:
        """Return its bytes, discriminator included."""
        keys = bytes(self.market) + bytes(self.open_orders) + bytes(self.open_orders_owner)
        amounts = map(_u64, (self.native_qty_paid, self.native_qty_received, self.native_fee_or_rebate))
        return b"".join(
            (
                FILL,
                keys,
                bytes((self.bid, self.maker)),
                *amounts,
                self.order_id.to_bytes(16, "little"),
                bytes((self.owner_slot, self.fee_tier)),
                _option(self.client_order_id),
                _option(self.referrer_rebate),
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrdersBalanceLog:
    """What an OpenOrders account held after a fill, in native units."""

    open_orders: Pubkey
    open_orders_owner: Pubkey
    market: Pubkey
    native_pc_total: int
    native_coin_total: int
    native_coin_free: int
    native_pc_free: int
    referrer_rebates_accrued: int

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read one, discriminator included."""
        _check_kind(data, BALANCE, "OpenOrdersBalanceLog")
        read = _Reader(data)
        log = cls(
            open_orders=read.key(),
            open_orders_owner=read.key(),
            market=read.key(),
            native_pc_total=read.number(8),
            native_coin_total=read.number(8),
            native_coin_free=read.number(8),
            native_pc_free=read.number(8),
            referrer_rebates_accrued=read.number(8),
        )
        read.end()
        return log

    def encode(self) -> bytes:
        """Return its bytes, discriminator included."""
        keys = bytes(self.open_orders) + bytes(self.open_orders_owner) + bytes(self.market)
        amounts = (
            self.native_pc_total,
            self.native_coin_total,
            self.native_coin_free,
            self.native_pc_free,
            self.referrer_rebates_accrued,
        )
        return BALANCE + keys + b"".join(map(_u64, amounts))


Log = FillEventLog | OpenOrdersBalanceLog


def decode(data: bytes) -> Log | None:
    """Read one event; None where it is none of this program's."""
    if data[:8] == FILL:
        return FillEventLog.decode(data)
    return OpenOrdersBalanceLog.decode(data) if data[:8] == BALANCE else None


def decode_lines(lines: Iterable[str], program_id: Pubkey = PROGRAM_ID) -> list[Log]:
    """Read the events that the program logged in one transaction; see `own_data`."""
    events = map(decode, own_data(lines, program_id))
    return [event for event in events if event is not None]


def to_line(log: Log) -> str:
    """Return the line of a transaction's log."""
    return line_of(log.encode())


def _check_kind(data: bytes, kind: bytes, name: str) -> None:
    if data[:8] != kind:
        raise Malformed(f"log: begins with {bytes(data[:8]).hex()}, not {kind.hex()} ({name})")
