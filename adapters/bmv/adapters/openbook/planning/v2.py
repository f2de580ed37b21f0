"""Planning on OpenBook version 2.

Orders are cancelled by the venue's id or a side at once, and placed one by one with ids of their own, exact sizes and
an expiry each. Where that needs more transactions, and nothing of ours stays, the batch instruction takes its place: it
cancels all and places up to 24 orders in half the bytes and less than half the units, but numbers them by their place
in the batch. It is not taken where one of those numbers could be mistaken for that of an order which it cancels.

Orders meet our own with CANCEL_PROVIDE, since the batch knows nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.planning.budget import Shape
from bmv.adapters.openbook.planning.orders import Own, OwnOrder, read_batch, with_slots
from bmv.adapters.openbook.planning.packing import Frame, Rendered, Step, TooLarge, pack, together
from bmv.adapters.openbook.planning.plan import Part, Plan
from bmv.adapters.openbook.planning.seat import Seat, Terms
from bmv.adapters.openbook.planning.v2_steps import StepsV2
from bmv.adapters.openbook.v2.capabilities import OPENBOOK_V2
from bmv.adapters.openbook.v2.heap import Event, EventHeap, FillEvent
from bmv.adapters.openbook.v2.market import Market
from bmv.adapters.openbook.v2.open_orders import OpenOrdersAccount, SideAndOrderTree
from bmv.ports.messages import Intent, Tif

# Measured with the genuine programs; see docs/planning.md.
SHAPE = Shape(
    base=500,
    crank=40_000,
    cancel=8_500,
    cancel_each=2_500,
    place=16_000,
    place_each=9_000,
    take=60_000,
    settle=22_000,
    loaded=2_450_000,
    loaded_each=1_328,
)
HEADROOM = 4  # Slots that fills which happen on the way may hold; with fewer left, we crank on the spot.
_FIXED = {SideAndOrderTree.BID_FIXED, SideAndOrderTree.ASK_FIXED}


def own_of(
    account: OpenOrdersAccount, heap: EventHeap, address: Pubkey, order_ids: Mapping[int, int] | None = None
) -> Own:
    """Return what we have, by our account and the events on the heap, both of one bank.

    Args:
        address: Of our account.
        order_ids: As in `Own`.
    """
    gone = {event.slot for event in _events(heap, address).values() if _frees(event)}
    slots = account.orders()
    position = account.position
    return Own(
        resting=tuple(
            OwnOrder(
                order.id,
                Side(order.side_and_tree & 1),
                order.id >> 64 if order.side_and_tree in _FIXED else 0,
                order.client_id,
            )
            for slot, order in slots.items()
            if slot not in gone
        ),
        slots_free=OPENBOOK_V2.order_slots - len(slots),
        slots_waiting=len(gone & slots.keys()),
        base_free=position.base_free_native,
        quote_free=position.quote_free_native,
        order_ids=order_ids or {},
    )


def _events(heap: EventHeap, address: Pubkey) -> dict[int, Event]:
    """Return the events of an account by their nodes, oldest first."""
    return {node: event for node, event in heap.events() if event.account == address}


def _frees(event: Event) -> bool:
    return event.maker_out if isinstance(event, FillEvent) else True


@dataclass(frozen=True, slots=True)
class PlannerV2:
    """Plans for one seat on one market.

    Args:
        market: The market's account; it never changes in what is looked at.
        seat: Our accounts.
    """

    market: Market
    seat: Seat

    def plan(self, batch: Sequence[Intent], own: Own, heap: EventHeap, terms: Terms, frame: Frame) -> Plan:
        """Return the transactions of a batch; `own` and `heap` are of one bank, in which earlier attempts ended."""
        wanted = read_batch(
            batch, own, cancels_blind=OPENBOOK_V2.cancel_skips_missing, late=terms.late, lots=self.market.lots()
        )
        # What is paid out a delegate can't trade with any more: only whoever asks for it takes it away.
        settles = terms.withdraw if self.seat.delegate else terms.settles(own)
        nodes = [] if self.market.consume_events_admin else list(_events(heap, self.seat.open_orders))
        slots = OPENBOOK_V2.order_slots - len(wanted.kept)
        blocked = len(wanted.places) > slots - own.slots_waiting
        places, refused = with_slots(wanted, slots if nodes else slots - own.slots_waiting)
        steps = StepsV2(self.market, self.seat, frame.shape)
        before = steps.cranks_of(nodes) if blocked or settles or terms.crank else []
        if len(places) > slots - HEADROOM and not self.market.consume_events_admin:
            before.append(steps.crank_newest())
        after = [steps.settlement()] if settles else []
        single = [*steps.cancels(wanted.cancels, own), *(steps.place(place, terms) for place in places)]
        ways = [[*before, *single, *after]]
        if places and not wanted.kept and all(place.tif is Tif.POST_ONLY for place in places):
            batched = steps.batch(wanted.cancels, places, own, terms)
            if not _has_twin(batched, own.resting):
                ways.append([*before, batched, *after])
        return Plan(tuple(_best(ways, frame, terms.save_units)), refused)


def _has_twin(step: Step, resting: Sequence[OwnOrder]) -> bool:
    """Whether an order would get number, side and price of one that it takes the place of.

    A log names the maker's order by number and price alone. One that trades just before the batch and one just after it
    would be told apart by nothing.
    """
    known = {(one.side, one.price, one.client_id) for one in resting}
    return any((place.side, place.price, client_id) in known for place, client_id in step.places)


def _render(steps: Sequence[Step]) -> Rendered:
    return together(step.rendered for step in steps if step.rendered is not None)


def _best(ways: Sequence[Sequence[Step]], frame: Frame, save_units: bool) -> list[Part]:
    """Return the way of fewest transactions; of two with as many the first, or that of fewest units."""
    packed, failed = [], None
    for way in ways:
        try:
            packed.append(pack(way, _render, frame))
        except TooLarge as error:
            failed = error
    if not packed:
        assert failed is not None
        raise failed
    return min(packed, key=lambda parts: (len(parts), sum(part.head.units for part in parts) if save_units else 0))
