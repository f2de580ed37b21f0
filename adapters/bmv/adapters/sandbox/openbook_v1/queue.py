"""The event queue's ring, written in place."""

from bmv.adapters.openbook.v1 import layout as at
from bmv.adapters.openbook.v1.codes import DexErrorCode
from bmv.adapters.openbook.v1.events import EVENTS, EventFlag
from bmv.adapters.openbook.v1.layout import Record
from bmv.adapters.sandbox.openbook_v1.failing import fail
from bmv.adapters.sandbox.openbook_v1.tree import Leaf

_SIZE = at.EVENT.size
U64 = 2**64 - 1


class Party:
    """Whose an event is: an order's id, its owner's account and slot, and what the owner calls it."""

    __slots__ = ("client_order_id", "order_id", "owner", "owner_slot")

    def __init__(self, order_id: int, owner: bytes, owner_slot: int, client_order_id: int) -> None:
        self.order_id = order_id
        self.owner = owner
        self.owner_slot = owner_slot
        self.client_order_id = client_order_id

    @classmethod
    def of(cls, leaf: Leaf) -> "Party":
        return cls(leaf.key, leaf.owner, leaf.owner_slot, leaf.client_order_id)


class Ring:
    """The queue within its account's bytes."""

    def __init__(self, data: bytearray) -> None:
        self.data = data
        self.header = Record(at.EVENT_QUEUE, data, at.BODY)
        self.capacity = (len(data) - EVENTS - len(at.TAIL)) // _SIZE

    def front(self) -> Record | None:
        """Return the oldest event."""
        if not self.header["count"]:
            return None
        return Record(at.EVENT, self.data, EVENTS + self.header["head"] * _SIZE)

    def pop(self) -> None:
        """Take the oldest event off; its bytes stay."""
        header = self.header
        header["count"] -= 1
        header["head"] = (header["head"] + 1) % self.capacity

    def fill(
        self, side_flag: int, maker: bool, paid: int, received: int, fee: int, party: Party, fee_tier: int
    ) -> None:
        """Push one side of a match."""
        flags = EventFlag.FILL | side_flag | (EventFlag.MAKER if maker else 0)
        self._push(flags, party, fee_tier, received, paid, fee)

    def out(self, side_flag: int, release_funds: bool, unlocked: int, still_locked: int, party: Party) -> None:
        """Push an order's loss of size, or of its slot."""
        flags = EventFlag.OUT | side_flag | (EventFlag.RELEASE_FUNDS if release_funds else 0)
        self._push(flags, party, 0, unlocked, still_locked, 0)

    def _push(self, flags: int, party: Party, fee_tier: int, released: int, paid: int, fee: int) -> None:
        header = self.header
        count = header["count"]
        if count == self.capacity:
            raise fail(DexErrorCode.EVENT_QUEUE_FULL)
        start = EVENTS + (header["head"] + count) % self.capacity * _SIZE
        amounts = b"".join((amount & U64).to_bytes(8, "little") for amount in (released, paid, fee))
        self.data[start : start + _SIZE] = (
            bytes((flags, party.owner_slot, fee_tier, 0, 0, 0, 0, 0))
            + amounts
            + party.order_id.to_bytes(16, "little")
            + party.owner
            + party.client_order_id.to_bytes(8, "little")
        )
        header["count"] = count + 1
        header["seq_num"] += 1
