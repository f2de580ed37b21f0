"""The accounts of a market and of its traders; book and events have modules of their own."""

from dataclasses import dataclass, fields
from enum import IntFlag
from typing import Any, Self

from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Lots, Side
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v1 import layout as at

ALL_FREE = (1 << at.SLOTS) - 1


class AccountFlag(IntFlag):
    """What an account is; the first word of its body."""

    INITIALIZED = 1 << 0
    MARKET = 1 << 1
    OPEN_ORDERS = 1 << 2
    REQUEST_QUEUE = 1 << 3
    EVENT_QUEUE = 1 << 4
    BIDS = 1 << 5
    ASKS = 1 << 6
    DISABLED = 1 << 7
    CLOSED = 1 << 8
    PERMISSIONED = 1 << 9
    CRANK_AUTHORITY_REQUIRED = 1 << 10


IS_MARKET = AccountFlag.INITIALIZED | AccountFlag.MARKET
IS_OPEN_ORDERS = AccountFlag.INITIALIZED | AccountFlag.OPEN_ORDERS
IS_REQUEST_QUEUE = AccountFlag.INITIALIZED | AccountFlag.REQUEST_QUEUE
IS_EVENT_QUEUE = AccountFlag.INITIALIZED | AccountFlag.EVENT_QUEUE
IS_BIDS = AccountFlag.INITIALIZED | AccountFlag.BIDS
IS_ASKS = AccountFlag.INITIALIZED | AccountFlag.ASKS

_PERMISSIONED = AccountFlag.PERMISSIONED | AccountFlag.CRANK_AUTHORITY_REQUIRED


def check_flags(flags: int, wanted: AccountFlag, what: str) -> None:
    """Refuse an account that is not exactly `wanted`."""
    if flags != wanted:
        raise Malformed(f"{what}: flags {flags}, not {int(wanted)} ({wanted!r})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """A market: its mints, vaults and books, its lots, and what it owes.

    Amounts are native units, of coin (base) or pc (quote). The mints' decimals are not in it.
    """

    account_flags: AccountFlag
    own_address: Pubkey
    vault_signer_nonce: int
    coin_mint: Pubkey
    pc_mint: Pubkey
    coin_vault: Pubkey
    coin_deposits_total: int
    coin_fees_accrued: int
    pc_vault: Pubkey
    pc_deposits_total: int
    pc_fees_accrued: int
    pc_dust_threshold: int
    req_q: Pubkey
    event_q: Pubkey
    bids: Pubkey
    asks: Pubkey
    coin_lot_size: int
    pc_lot_size: int
    fee_rate_bps: int
    referrer_rebates_accrued: int
    open_orders_authority: Pubkey | None = None
    prune_authority: Pubkey | None = None
    consume_events_authority: Pubkey | None = None

    @classmethod
    def decode(cls, data: bytes, address: Pubkey | None = None) -> Self:
        """Read a market account; with `address`, refuse one that calls itself by another."""
        at.check_envelope(data, at.MARKET_BYTES, "market")
        values = at.MARKET.read(data, at.BODY)
        flags = _market_flags(values["account_flags"], len(data))
        values["account_flags"] = flags
        if flags & AccountFlag.PERMISSIONED:
            values |= at.AUTHORITIES.read(data, at.BODY + at.MARKET.size)
            if any(data[at.BODY + at.MARKET.size + 3 * at.KEY : -len(at.TAIL)]):
                raise Malformed("market: bytes that no version of the program uses are not zero")
        if not values["coin_lot_size"] or not values["pc_lot_size"]:
            raise Malformed("market: a lot of size 0")
        if address is not None and values["own_address"] != address:
            raise Malformed(f"market: calls itself {values['own_address']}, but lies at {address}")
        return cls(**values)

    def encode(self) -> bytes:
        """Return the account's bytes."""
        permissioned = bool(self.account_flags & AccountFlag.PERMISSIONED)
        data = bytearray(at.PERMISSIONED_MARKET_BYTES if permissioned else at.MARKET_BYTES)
        _wrap(data)
        at.MARKET.write(data, at.BODY, _values(self, at.MARKET))
        if permissioned:
            at.AUTHORITIES.write(data, at.BODY + at.MARKET.size, _values(self, at.AUTHORITIES))
        return bytes(data)

    @property
    def disabled(self) -> bool:
        return bool(self.account_flags & AccountFlag.DISABLED)

    def lots(self, base_decimals: int, quote_decimals: int) -> Lots:
        """Return the market's units; the decimals stand in the mints."""
        return Lots(self.coin_lot_size, self.pc_lot_size, base_decimals, quote_decimals)

    def vault_signer(self, program_id: Pubkey) -> Pubkey:
        """Return whose the vaults are."""
        return vault_signer(self.own_address, self.vault_signer_nonce, program_id)


def vault_signer(market: Pubkey, nonce: int, program_id: Pubkey) -> Pubkey:
    """Return the address that owns the vaults of `market`; Malformed where the nonce gives none."""
    try:
        return Pubkey.create_program_address([bytes(market), nonce.to_bytes(8, "little")], program_id)
    except Exception as error:  # What solders raises has no public name.
        raise Malformed(f"market: nonce {nonce} gives no address of the vaults' owner") from error


def find_vault_signer(market: Pubkey, program_id: Pubkey) -> tuple[Pubkey, int]:
    """Return the owner of the vaults of a new market, and the smallest nonce that gives one."""
    for nonce in range(256):
        try:
            return vault_signer(market, nonce, program_id), nonce
        except Malformed:
            continue
    raise AssertionError("256 nonces in a row that give no address")  # Each fails every second time.


def _market_flags(flags: int, size: int) -> AccountFlag:
    kind = flags & ~int(AccountFlag.DISABLED | _PERMISSIONED)  # Of a flag, ~ would drop unknown bits too.
    check_flags(kind, IS_MARKET, "market")
    permissioned = bool(flags & AccountFlag.PERMISSIONED)
    if flags & AccountFlag.CRANK_AUTHORITY_REQUIRED and not permissioned:
        raise Malformed(f"market: flags {flags} ask for a crank's authority without being permissioned")
    wanted = at.PERMISSIONED_MARKET_BYTES if permissioned else at.MARKET_BYTES
    if size != wanted:
        raise Malformed(f"market: {size} bytes, not {wanted}")
    return AccountFlag(flags)


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order as its owner's account knows it: it may be in the book, or gone and not yet cranked."""

    slot: int
    side: Side
    order_id: int
    client_order_id: int

    @property
    def price_lots(self) -> int:
        """The limit it was sent with, in ticks."""
        return self.order_id >> 64


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrders:
    """What one trader has on one market: money, free and locked, and up to 128 orders.

    Amounts are native units; what is locked is total − free.
    """

    account_flags: AccountFlag
    market: Pubkey
    owner: Pubkey
    native_coin_free: int
    native_coin_total: int
    native_pc_free: int
    native_pc_total: int
    free_slot_bits: int
    is_bid_bits: int
    orders: tuple[int, ...]
    client_order_ids: tuple[int, ...]
    referrer_rebates_accrued: int

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read an OpenOrders account; one that was never initialised, or was closed, is refused."""
        at.check_envelope(data, at.OPEN_ORDERS_BYTES, "open orders")
        if len(data) != at.OPEN_ORDERS_BYTES:
            raise Malformed(f"open orders: {len(data)} bytes, not {at.OPEN_ORDERS_BYTES}")
        values = at.OPEN_ORDERS.read(data, at.BODY)
        check_flags(values["account_flags"], IS_OPEN_ORDERS, "open orders")
        values["account_flags"] = IS_OPEN_ORDERS
        account = cls(**values)
        account._check()
        return account

    def encode(self) -> bytes:
        """Return the account's bytes."""
        data = bytearray(at.OPEN_ORDERS_BYTES)
        _wrap(data)
        at.OPEN_ORDERS.write(data, at.BODY, _values(self, at.OPEN_ORDERS))
        return bytes(data)

    @property
    def open(self) -> list[OpenOrder]:
        """Its orders, by slot."""
        used = ~self.free_slot_bits & ALL_FREE
        return [
            OpenOrder(
                slot,
                Side.BID if self.is_bid_bits >> slot & 1 else Side.ASK,
                self.orders[slot],
                self.client_order_ids[slot],
            )
            for slot in range(at.SLOTS)
            if used >> slot & 1
        ]

    @property
    def free_slots(self) -> int:
        """How many more orders fit before a crank."""
        return self.free_slot_bits.bit_count()

    def _check(self) -> None:
        if self.native_coin_free > self.native_coin_total or self.native_pc_free > self.native_pc_total:
            raise Malformed("open orders: more is free than there is")
        if self.is_bid_bits & self.free_slot_bits:
            raise Malformed("open orders: a free slot is marked as a bid's")
        for slot, order_id in enumerate(self.orders):
            free = self.free_slot_bits >> slot & 1
            if free and (order_id or self.client_order_ids[slot]):
                raise Malformed(f"open orders: slot {slot} is free and holds an order")
            if not free and not order_id >> 64:
                raise Malformed(f"open orders: slot {slot} holds an order without a price")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestQueue:
    """What is left of the request queue: the counter of orders; it holds no requests since NewOrderV3.

    Args:
        items: The bytes of its ring, which nobody reads.
    """

    account_flags: AccountFlag
    head: int
    count: int
    next_seq_num: int
    items: bytes

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a request queue."""
        start = at.BODY + at.REQUEST_QUEUE.size
        at.check_envelope(data, start + at.REQUEST_BYTES + len(at.TAIL), "request queue")
        values = at.REQUEST_QUEUE.read(data, at.BODY)
        check_flags(values["account_flags"], IS_REQUEST_QUEUE, "request queue")
        values["account_flags"] = IS_REQUEST_QUEUE
        items = bytes(data[start : -len(at.TAIL)])
        capacity = len(items) // at.REQUEST_BYTES
        if values["head"] >= capacity or values["count"] > capacity:
            raise Malformed(f"request queue: head {values['head']}, count {values['count']} of {capacity}")
        return cls(**values, items=items)

    def encode(self) -> bytes:
        """Return the account's bytes."""
        data = bytearray(at.BODY + at.REQUEST_QUEUE.size) + self.items + bytes(len(at.TAIL))
        _wrap(data)
        at.REQUEST_QUEUE.write(data, at.BODY, _values(self, at.REQUEST_QUEUE))
        return bytes(data)


def _wrap(data: bytearray) -> None:
    data[: len(at.HEAD)] = at.HEAD
    data[-len(at.TAIL) :] = at.TAIL


def _values(account: Any, layout: at.Layout) -> dict[str, Any]:  # Any: of as many types as there are fields.
    names = {field.name for field in fields(account)}
    return {name: getattr(account, name) for name in layout.fields if name in names}
