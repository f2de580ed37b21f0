"""The event queue: a ring of what happened; the crank takes from its front, and every watcher may read it all."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag
from typing import Self

import numpy as np
from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v1 import layout as at
from bmv.adapters.openbook.v1.accounts import IS_EVENT_QUEUE, AccountFlag, check_flags

EVENT = np.dtype(
    [
        ("event_flags", "u1"),
        ("owner_slot", "u1"),
        ("fee_tier", "u1"),
        ("_padding", "V5"),
        ("native_qty_released", "<u8"),
        ("native_qty_paid", "<u8"),
        ("native_fee_or_rebate", "<u8"),
        ("order_id_low", "<u8"),
        ("order_id_high", "<u8"),
        ("owner", "V32"),
        ("client_order_id", "<u8"),
    ]
)
EVENTS = at.BODY + at.EVENT_QUEUE.size  # Where the ring begins.


class EventFlag(IntFlag):
    FILL = 0x1
    OUT = 0x2
    BID = 0x4
    MAKER = 0x8
    RELEASE_FUNDS = 0x10


_FILL_FLAGS = EventFlag.FILL | EventFlag.BID | EventFlag.MAKER
_OUT_FLAGS = EventFlag.OUT | EventFlag.BID | EventFlag.RELEASE_FUNDS
FLAGS = [
    flags
    for flags in range(32)
    if (flags & 3 == 1 and not flags & ~_FILL_FLAGS) or (flags & 3 == 2 and not flags & ~_OUT_FLAGS)
]
_KNOWN = np.isin(np.arange(256), FLAGS)  # By what an event may say.


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One side of one match; the maker's comes first, the taker's follows. Amounts are native units.

    Args:
        side: Of the owner.
        native_qty_paid: What the owner gave, its fee included.
        native_qty_received: What it got, after its fee or with its rebate.
        native_fee_or_rebate: Quote: the taker's fee, the maker's rebate.
        order_id: Its price is the owner's limit; a taker's trade may be better.
    """

    side: Side
    maker: bool
    native_qty_paid: int
    native_qty_received: int
    native_fee_or_rebate: int
    order_id: int
    owner: Pubkey
    owner_slot: int
    fee_tier: int
    client_order_id: int

    @property
    def native_coin(self) -> int:
        """The base that changed hands."""
        return self.native_qty_received if self.side is Side.BID else self.native_qty_paid

    @property
    def native_pc(self) -> int:
        """The quote that changed hands, without fee or rebate."""
        given = self.native_qty_paid if self.side is Side.BID else self.native_qty_received
        plus = self.maker == (self.side is Side.BID)
        return given + self.native_fee_or_rebate if plus else given - self.native_fee_or_rebate

    def price_lots(self, coin_lot_size: int, pc_lot_size: int) -> int:
        """Return the price of the trade, in ticks; Malformed where it is not one."""
        lots, rest = divmod(self.native_coin, coin_lot_size)
        if rest or not lots or self.native_pc <= 0 or self.native_pc % (lots * pc_lot_size):
            raise Malformed(
                f"fill of order {self.order_id}: {self.native_pc} for {self.native_coin} is no price of lots"
            )
        return self.native_pc // (lots * pc_lot_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """An order lost size without a trade, or its slot. Amounts are native units of what it locked.

    Args:
        release_funds: Whether the crank frees the funds; otherwise they were freed at once.
        native_qty_unlocked: What is free now.
        native_qty_still_locked: What is not; 0: the slot is freed.
    """

    side: Side
    release_funds: bool
    native_qty_unlocked: int
    native_qty_still_locked: int
    order_id: int
    owner: Pubkey
    owner_slot: int
    client_order_id: int


Event = Fill | Out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EventQueue:
    """The ring of events.

    Args:
        head: Where the oldest event lies that was not cranked.
        count: Events not yet cranked.
        seq_num: Events ever pushed.
        ring: Every place of the ring, of shape `(capacity,)` and dtype `EVENT`.
        slop: What is left behind the last whole place.
    """

    account_flags: AccountFlag
    head: int
    count: int
    seq_num: int
    ring: np.ndarray[tuple[int], np.dtype[np.void]]
    slop: bytes

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read an event queue, and check the flags of every event that waits for the crank."""
        at.check_envelope(data, EVENTS + EVENT.itemsize + len(at.TAIL), "event queue")
        values = at.EVENT_QUEUE.read(data, at.BODY)
        check_flags(values["account_flags"], IS_EVENT_QUEUE, "event queue")
        values["account_flags"] = IS_EVENT_QUEUE
        capacity = (len(data) - EVENTS - len(at.TAIL)) // EVENT.itemsize
        head, count, seq_num = values["head"], values["count"], values["seq_num"]
        if head >= capacity or count > capacity or seq_num < count:
            raise Malformed(f"event queue: head {head}, count {count}, seq_num {seq_num} of {capacity} places")
        ring = np.frombuffer(data, EVENT, capacity, EVENTS)
        slop = bytes(data[EVENTS + capacity * EVENT.itemsize : -len(at.TAIL)])
        queue = cls(**values, ring=ring, slop=slop)
        waiting = ring[queue._places(head, count)]
        bad = ~_KNOWN[waiting["event_flags"]] | (waiting["owner_slot"] >= at.SLOTS)
        if bad.any():
            raise Malformed(f"event queue: event {int(bad.argmax())} behind the head is neither a fill nor an out")
        return queue

    def encode(self) -> bytes:
        """Return the account's bytes."""
        header = bytearray(EVENTS)
        header[: at.BODY] = at.HEAD
        at.EVENT_QUEUE.write(header, at.BODY, {name: getattr(self, name) for name in at.EVENT_QUEUE.fields})
        return bytes(header) + self.ring.tobytes() + self.slop + at.TAIL

    @property
    def capacity(self) -> int:
        return len(self.ring)

    def pending(self) -> Iterator[Event]:
        """Yield the events that wait for the crank, oldest first."""
        return map(self._event, self._places(self.head, self.count).tolist())

    def since(self, seq_num: int) -> tuple[list[Event], int]:
        """Return the events from number `seq_num` on, cranked or not, and how many before them were overwritten.

        An event's number is `seq_num` of the queue before it was pushed.
        """
        if seq_num > self.seq_num:
            raise Malformed(f"event queue: {self.seq_num} events were ever pushed, and {seq_num} were seen before")
        n = min(self.seq_num - seq_num, self.capacity)
        end = self.head + self.count
        return [self._event(place) for place in self._places(end - n, n).tolist()], self.seq_num - seq_num - n

    def _places(self, start: int, n: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.arange(start, start + n, dtype=np.int64) % self.capacity

    def _event(self, place: int) -> Event:
        (flags, slot, fee_tier, _, released, paid, fee, low, high, owner, client_id) = self.ring[place].item()
        if flags not in FLAGS or slot >= at.SLOTS:
            raise Malformed(f"event queue: what lies at place {place} is neither a fill nor an out")
        side = Side.BID if flags & EventFlag.BID else Side.ASK
        order_id = high << 64 | low
        owner = Pubkey.from_bytes(owner)
        if flags & EventFlag.OUT:
            return Out(
                side=side,
                release_funds=bool(flags & EventFlag.RELEASE_FUNDS),
                native_qty_unlocked=released,
                native_qty_still_locked=paid,
                order_id=order_id,
                owner=owner,
                owner_slot=slot,
                client_order_id=client_id,
            )
        return Fill(
            side=side,
            maker=bool(flags & EventFlag.MAKER),
            native_qty_paid=paid,
            native_qty_received=released,
            native_fee_or_rebate=fee,
            order_id=order_id,
            owner=owner,
            owner_slot=slot,
            fee_tier=fee_tier,
            client_order_id=client_id,
        )
