"""What waits to be settled on a market of OpenBook v2: fills and drops of makers whose accounts were not at hand."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v2.layout import (
    I64,
    U16,
    U64,
    Bool,
    Key,
    NaturalI64,
    PositiveI64,
    check_account,
    record,
    size,
)
from bmv.adapters.openbook.v2.open_orders import Slot
from bmv.adapters.openbook.v2.primitives import Raw

DISCRIMINATOR = bytes.fromhex("773b3d13a55439af")
MAX_NUM_EVENTS = 600
NO_NODE = 0xFFFF
EVENT_SIZE = 144
NODES_AT = 24
NODE = np.dtype([("next", "<u2"), ("prev", "<u2"), ("_pad", "V4"), ("event", f"V{EVENT_SIZE}")])
EVENT_HEAP_SIZE = NODES_AT + MAX_NUM_EVENTS * NODE.itemsize + 64


class EventType(IntEnum):
    """What an event says."""

    FILL = 0
    OUT = 1


@dataclass(frozen=True, slots=True)
class FillEvent:
    """A maker's order was matched.

    Args:
        taker_side: What the taker did.
        maker_out: Whether the maker's order is used up.
        maker_slot: Its slot in the maker's account.
        market_seq_num: On v1.7 the heap's own count of events; on master the taker's order.
        price: Lots of quote for a lot of base.
        peg_limit: Of a maker whose order was pegged; -1: its price was fixed, or had no limit.
        quantity: Lots of base.
    """

    event_type: EventType
    taker_side: Side
    maker_out: Bool
    maker_slot: Slot
    padding: Annotated[bytes, Raw(4)]
    timestamp: U64
    market_seq_num: U64
    maker: Key
    maker_timestamp: U64
    taker: Key
    taker_client_order_id: U64
    price: PositiveI64
    peg_limit: I64
    quantity: PositiveI64
    maker_client_order_id: U64
    reserved: Annotated[bytes, Raw(8)]

    @property
    def slot(self) -> int:
        """Of the order, in the account of `account`."""
        return self.maker_slot

    @property
    def account(self) -> Pubkey:
        """Which account the event is for."""
        return self.maker


@dataclass(frozen=True, slots=True)
class OutEvent:
    """An order was dropped: it had expired, was beyond its limit, or a better one needed its place."""

    event_type: EventType
    side: Side
    owner_slot: Slot
    padding0: Annotated[bytes, Raw(5)]
    timestamp: U64
    seq_num: U64
    owner: Key
    quantity: NaturalI64
    padding1: Annotated[bytes, Raw(80)]

    @property
    def slot(self) -> int:
        """Of the order, in the account of `account`."""
        return self.owner_slot

    @property
    def account(self) -> Pubkey:
        """Which account the event is for."""
        return self.owner


Event = FillEvent | OutEvent


@dataclass(frozen=True, slots=True)
class Header:
    """Where the rings of free and used nodes begin."""

    free_head: U16
    used_head: U16
    count: U16
    _padd: U16
    seq_num: U64


@dataclass(frozen=True, slots=True, eq=False)
class EventHeap:
    """The account of a market's events, 91,288 bytes.

    Args:
        nodes: 600 rows of `NODE`. Those in use form a ring from `header.used_head`; the others, a chain from
            `header.free_head`, with `prev` 0xFFFF.
        used: Numbers of the nodes in use, oldest first.
    """

    header: Header
    nodes: NDArray[np.void]
    reserved: bytes
    used: tuple[int, ...]

    @classmethod
    def decode(cls, data: bytes) -> "EventHeap":
        """Read an account's bytes; a ring or a chain that does not close is refused."""
        check_account("EventHeap", DISCRIMINATOR, EVENT_HEAP_SIZE, data)
        header = record(Header).read(data, 8)[0]
        nodes = np.frombuffer(data, NODE, MAX_NUM_EVENTS, NODES_AT)
        used = _walk_used(header, nodes)
        _check_free(header, nodes, set(used))
        for slot in used:
            read_event(nodes["event"][slot].tobytes())  # So that none of them surprises later.
        return cls(header, nodes, data[-64:], used)

    def encode(self) -> bytes:
        """Return the account's bytes."""
        return DISCRIMINATOR + record(Header).write(self.header) + self.nodes.tobytes() + self.reserved

    def events(self) -> Iterator[tuple[int, Event]]:
        """Yield each event with the number of its node, oldest first."""
        for slot in self.used:
            yield slot, read_event(self.nodes["event"][slot].tobytes())


def read_event(data: bytes) -> Event:
    """Read one event of 144 bytes."""
    if data[:1] == b"\0":
        return record(FillEvent).read(data, 0)[0]
    if data[:1] == b"\1":
        return record(OutEvent).read(data, 0)[0]
    raise Malformed(f"an event of type {data[:1].hex()} is neither a fill nor an out")


def write_event(event: Event) -> bytes:
    """Return an event's 144 bytes."""
    return record(type(event)).write(event)


def _walk_used(header: Header, nodes: NDArray[np.void]) -> tuple[int, ...]:
    following, preceding = nodes["next"].tolist(), nodes["prev"].tolist()
    if header.count > MAX_NUM_EVENTS:
        raise Malformed(f"{header.count} events in a heap of {MAX_NUM_EVENTS}")
    if header.count == 0:
        if header.used_head != NO_NODE:
            raise Malformed(f"an empty heap whose first event is {header.used_head}")
        return ()
    used, node = [], header.used_head
    for _ in range(header.count):
        if node >= MAX_NUM_EVENTS:
            raise Malformed(f"the ring of events leads to node {node} of {MAX_NUM_EVENTS}")
        used.append(node)
        after = following[node]
        if after >= MAX_NUM_EVENTS or preceding[after] != node:
            raise Malformed(f"nodes {node} and {after} of the ring of events do not know each other")
        node = after
    if node != header.used_head or len(set(used)) != header.count:
        raise Malformed(f"the ring of {header.count} events does not close")
    return tuple(used)


def _check_free(header: Header, nodes: NDArray[np.void], used: set[int]) -> None:
    following, preceding = nodes["next"].tolist(), nodes["prev"].tolist()
    node, seen = header.free_head, set(used)
    for _ in range(MAX_NUM_EVENTS - header.count):
        if node >= MAX_NUM_EVENTS or node in seen or preceding[node] != NO_NODE:
            raise Malformed(f"the chain of free nodes leads to node {node}, which is none")
        seen.add(node)
        node = following[node]
    if node != NO_NODE:
        raise Malformed(f"the chain of free nodes does not end, but leads to node {node}")


assert size(FillEvent) == size(OutEvent) == EVENT_SIZE
