"""Settling the events that wait on the heap.

Source: `instructions/consume_events.rs`.
"""

from bmv.adapters.openbook.v2 import orders
from bmv.adapters.openbook.v2.heap import MAX_NUM_EVENTS, FillEvent, read_event
from bmv.adapters.sandbox.openbook_v2.frame import Frame

_EVENTS_MAX = 8


def consume_events(frame: Frame, instruction: orders.ConsumeEvents) -> bytes:
    _consume(frame, instruction.limit, [])
    return b""


def consume_given_events(frame: Frame, instruction: orders.ConsumeGivenEvents) -> bytes:
    known = all(slot < MAX_NUM_EVENTS for slot in instruction.slots)
    frame.require(known, "InvalidInputHeapSlots", "consume_given_events")
    _consume(frame, len(instruction.slots), list(instruction.slots))
    return b""


def _consume(frame: Frame, limit: int, first: list[int]) -> None:
    """Settle the events of the nodes `first`, then the oldest, at most 8 in all."""
    heap = frame.heap()
    wanted = [slot for slot in first if not heap.is_free(slot)] + heap.slots()
    for slot in list(dict.fromkeys(wanted))[: min(limit, _EVENTS_MAX)]:
        event = read_event(heap.event(slot))
        account = frame.maker(event.account)
        if account is None:
            name = "maker" if isinstance(event, FillEvent) else "owner"
            frame.say(f"Unable to find {name} account {event.account}, skipping")
            continue
        if isinstance(event, FillEvent):
            frame.emit(*account.execute_maker(frame.market(), event))
        else:
            account.cancel_order(frame.market(), event.owner_slot, event.quantity)
        heap.delete(slot)
