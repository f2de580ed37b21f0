"""A trader's account, written in place; with the checks that stop the program."""

from collections.abc import Iterator

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.v1 import layout as at
from bmv.adapters.openbook.v1.accounts import ALL_FREE, IS_OPEN_ORDERS
from bmv.adapters.openbook.v1.codes import DexErrorCode
from bmv.adapters.openbook.v1.layout import Record
from bmv.adapters.sandbox.openbook_v1.failing import NONE, Panic, check, fail

_U64 = 2**64
_ORDERS = at.OPEN_ORDERS.fields["orders"].offset + at.BODY
_CLIENT_IDS = at.OPEN_ORDERS.fields["client_order_ids"].offset + at.BODY


class Orders(Record):
    """An OpenOrders account within its bytes."""

    def __init__(self, data: bytearray) -> None:
        super().__init__(at.OPEN_ORDERS, data, at.BODY)

    def initialize(self, market: bytes, owner: bytes) -> None:
        self["account_flags"] = IS_OPEN_ORDERS
        for name, key in (("market", market), ("owner", owner)):
            start = self.base + self.fields[name].offset
            self.buffer[start : start + at.KEY] = key
        for name in ("native_coin_free", "native_coin_total", "native_pc_free", "native_pc_total"):
            self[name] = 0
        self["free_slot_bits"] = ALL_FREE

    # Money.

    def credit_locked(self, what: str, amount: int, where: str) -> None:
        """Add to what is locked of `what` (`coin` or `pc`)."""
        total = self[f"native_{what}_total"] + amount
        if total >= _U64:
            raise Panic(NONE, where)
        self[f"native_{what}_total"] = total

    def lock_free(self, what: str, amount: int) -> None:
        self[f"native_{what}_free"] -= amount  # The caller takes no more than is free.

    def unlock(self, what: str, amount: int) -> None:
        free = self[f"native_{what}_free"] + amount
        if free >= _U64:
            raise Panic(NONE, "src/state.rs:660:14" if what == "coin" else "src/state.rs:665:81")
        self[f"native_{what}_free"] = free
        if free > self[f"native_{what}_total"]:
            text = f"assertion failed: self.native_{what}_free <= self.native_{what}_total"
            raise Panic(text, "src/state.rs:661:9" if what == "coin" else "src/state.rs:666:9")

    def debit(self, what: str, amount: int, where: str) -> None:
        """Take from the total of `what`."""
        total = self[f"native_{what}_total"] - amount
        if total < 0:
            raise Panic(NONE, where)
        self[f"native_{what}_total"] = total

    # Slots.

    def side(self, slot: int) -> Side | None:
        """Return the side of the order in `slot`, one of 128; None: it is free."""
        if self["free_slot_bits"] >> slot & 1:
            return None
        return Side.BID if self["is_bid_bits"] >> slot & 1 else Side.ASK

    def order(self, slot: int) -> int:
        start = _ORDERS + 16 * slot
        return int.from_bytes(self.buffer[start : start + 16], "little")

    def client_id(self, slot: int) -> int:
        start = _CLIENT_IDS + 8 * slot
        return int.from_bytes(self.buffer[start : start + 8], "little")

    def add(self, order_id: int, side: Side, client_order_id: int) -> int:
        """Give an order the lowest free slot."""
        free = self["free_slot_bits"]
        if not free:
            raise fail(DexErrorCode.TOO_MANY_OPEN_ORDERS)
        bit = free & -free
        self["free_slot_bits"] = free & ~bit
        bids = self["is_bid_bits"]
        self["is_bid_bits"] = bids | bit if side is Side.BID else bids & ~bit
        slot = bit.bit_length() - 1
        self._set(slot, order_id, client_order_id)
        return slot

    def remove(self, slot: int) -> None:
        check(slot < at.SLOTS, "state", 720)
        check(not self["free_slot_bits"] >> slot & 1, "state", 721)
        self._set(slot, 0, 0)
        self["free_slot_bits"] |= 1 << slot
        self["is_bid_bits"] &= ~(1 << slot)

    def with_client_ids(self) -> Iterator[tuple[int, int, Side]]:
        """Yield client id, order id and side of every order that has a client id, by slot."""
        used = ~self["free_slot_bits"] & ALL_FREE
        bids = self["is_bid_bits"]
        while used:
            bit = used & -used
            used ^= bit
            slot = bit.bit_length() - 1
            if client_id := self.client_id(slot):
                yield client_id, self.order(slot), Side.BID if bids & bit else Side.ASK

    def _set(self, slot: int, order_id: int, client_order_id: int) -> None:
        start = _ORDERS + 16 * slot
        self.buffer[start : start + 16] = order_id.to_bytes(16, "little")
        start = _CLIENT_IDS + 8 * slot
        self.buffer[start : start + 8] = client_order_id.to_bytes(8, "little")
