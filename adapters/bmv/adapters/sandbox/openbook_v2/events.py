"""The heap of events that wait to be settled, changed in place."""

from bmv.adapters.openbook.v2.heap import EVENT_SIZE, MAX_NUM_EVENTS, NO_NODE, NODES_AT, Event, Header, write_event
from bmv.adapters.sandbox.openbook_v2.failure import panicked
from bmv.adapters.sandbox.openbook_v2.memory import View

_NODE_SIZE = 8 + EVENT_SIZE


class Heap:
    """A market's events.

    Args:
        data: The account's bytes, changed in place.
    """

    def __init__(self, data: bytearray) -> None:
        self.data = data
        self.header = View(Header, data, 8)

    def __len__(self) -> int:
        return int(self.header.count)

    def set_up(self) -> None:
        """Chain all nodes as free ones."""
        self.header.free_head, self.header.used_head = 0, NO_NODE
        for slot in range(MAX_NUM_EVENTS):
            self._link(slot, slot + 1 if slot + 1 < MAX_NUM_EVENTS else NO_NODE, NO_NODE)

    def push(self, event: Event) -> None:
        """Add an event behind the others."""
        if len(self) == MAX_NUM_EVENTS:
            raise panicked("assertion failed: !self.is_full()", "state/orderbook/heap.rs:77:9")
        slot = int(self.header.free_head)
        self.header.free_head = self._next(slot)
        following = int(self.header.used_head) if len(self) else slot
        preceding = self._prev(following) if len(self) else slot
        if len(self) == 0:
            self.header.used_head = slot
        else:
            self._set(preceding, 0, slot)
            self._set(following, 2, slot)
        self.header.count += 1
        self.header.seq_num += 1
        self._event(slot, write_event(event))
        self._link(slot, following, preceding)

    def slots(self) -> list[int]:
        """Return the nodes in use, oldest event first."""
        slots, slot = [], int(self.header.used_head)
        for _ in range(len(self)):
            slots.append(slot)
            slot = self._next(slot)
        return slots

    def is_free(self, slot: int) -> bool:
        """Whether a node is not in use."""
        return self._prev(slot) == NO_NODE

    def event(self, slot: int) -> bytes:
        """Return the event's bytes of a node."""
        at = NODES_AT + slot * _NODE_SIZE + 8
        return bytes(self.data[at : at + EVENT_SIZE])

    def delete(self, slot: int) -> None:
        """Take a node out of the ring; its bytes stay."""
        preceding, following = self._prev(slot), self._next(slot)
        self._set(preceding, 0, following)
        self._set(following, 2, preceding)
        if len(self) == 1:
            self.header.used_head = NO_NODE
        elif self.header.used_head == slot:
            self.header.used_head = following
        self.header.count -= 1
        self._link(slot, int(self.header.free_head), NO_NODE)
        self.header.free_head = slot

    def _next(self, slot: int) -> int:
        return self._get(slot, 0)

    def _prev(self, slot: int) -> int:
        return self._get(slot, 2)

    def _get(self, slot: int, offset: int) -> int:
        at = NODES_AT + slot * _NODE_SIZE + offset
        return int.from_bytes(self.data[at : at + 2], "little")

    def _set(self, slot: int, offset: int, value: int) -> None:
        at = NODES_AT + slot * _NODE_SIZE + offset
        self.data[at : at + 2] = value.to_bytes(2, "little")

    def _link(self, slot: int, following: int, preceding: int) -> None:
        self._set(slot, 0, following)
        self._set(slot, 2, preceding)

    def _event(self, slot: int, raw: bytes) -> None:
        at = NODES_AT + slot * _NODE_SIZE + 8
        self.data[at : at + EVENT_SIZE] = raw
