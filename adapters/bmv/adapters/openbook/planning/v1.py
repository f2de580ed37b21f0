"""Planning on OpenBook version 1.

Orders are placed by Replace with ids of their own, eight of a side to an instruction: what it cancels first are orders
of the very same ids, so that an order which landed twice would still stand once. What is to go is cancelled by client
id, eight to an instruction, and what is gone already is passed over. An order that is cancelled keeps its slot until
somebody cranks, so we crank where slots run out.

Orders meet our own with CANCEL_PROVIDE, as version 2's batches do and nothing else can: the resting one goes, nothing
is traded with ourselves, and the cancels of the same transaction stand.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from solders.pubkey import Pubkey
from solders.token import ID as TOKEN_PROGRAM

from bmv.adapters.openbook.book import Lots, Side
from bmv.adapters.openbook.planning.budget import Shape
from bmv.adapters.openbook.planning.orders import Cancel, Own, OwnOrder, Place, read_batch, with_slots
from bmv.adapters.openbook.planning.packing import Frame, Rendered, Step, pack, together
from bmv.adapters.openbook.planning.plan import Plan
from bmv.adapters.openbook.planning.seat import Seat, Terms
from bmv.adapters.openbook.v1 import instructions as does
from bmv.adapters.openbook.v1 import keys as by
from bmv.adapters.openbook.v1.accounts import AccountFlag, Market, OpenOrders
from bmv.adapters.openbook.v1.bodies import NewOrder, OrderType, SelfTrade
from bmv.adapters.openbook.v1.capabilities import OPENBOOK_V1
from bmv.adapters.openbook.v1.events import Event, EventQueue, Out
from bmv.adapters.openbook.v1.fees import fees_bps
from bmv.ports.messages import Intent, Tif

# Measured with the genuine program; see docs/planning.md.
SHAPE = Shape(
    base=500,
    crank=30_000,
    cancel=11_000,
    cancel_each=2_500,
    place=9_000,
    place_each=10_000,
    take=50_000,
    settle=12_000,
    loaded=1_700_000,
    loaded_each=3_292,
)
T = TypeVar("T")

SETTLING_CALLS = 3  # Transfers of base, quote and the referrer's share.
CRANKS_MAX = 8  # Cranking instructions of one plan.
_TYPES = {Tif.POST_ONLY: OrderType.POST_ONLY, Tif.LIMIT: OrderType.LIMIT, Tif.IOC: OrderType.IMMEDIATE_OR_CANCEL}
_ANY_MONEY = 2**63  # Of an ask, which costs no quote; 0 is refused.
_ROUNDINGS = 64  # The fee is rounded up match by match.


def own_of(account: OpenOrders, queue: EventQueue, address: Pubkey, order_ids: Mapping[int, int] | None = None) -> Own:
    """Return what we have, by our account and the events that wait for the crank, both of one bank.

    Args:
        address: Of our account.
        order_ids: As in `Own`.
    """
    gone = {event.order_id for event in queue.pending() if event.owner == address and frees(event)}
    slots = account.open
    resting = [order for order in slots if order.order_id not in gone]
    return Own(
        resting=tuple(OwnOrder(one.order_id, one.side, one.price_lots, one.client_order_id) for one in resting),
        slots_free=account.free_slots,
        slots_waiting=len(slots) - len(resting),
        base_free=account.native_coin_free,
        quote_free=account.native_pc_free,
        order_ids=order_ids or {},
    )


def frees(event: Event) -> bool:
    """Whether cranking an event frees a slot."""
    return isinstance(event, Out) and event.native_qty_still_locked == 0


@dataclass(frozen=True, slots=True)
class PlannerV1:
    """Plans for one seat on one market.

    Args:
        market: The market's account; it never changes in what is looked at.
        seat: Our accounts.
    """

    market: Market
    seat: Seat

    def plan(self, batch: Sequence[Intent], own: Own, queue: EventQueue, terms: Terms, frame: Frame) -> Plan:
        """Return the transactions of a batch; `own` and `queue` are of one bank, in which earlier attempts ended."""
        wanted = read_batch(
            batch,
            own,
            cancels_blind=OPENBOOK_V1.cancel_skips_missing,
            late=terms.late,
            lots=Lots(self.market.coin_lot_size, self.market.pc_lot_size, 0, 0),
        )
        settles = terms.settles(own)
        blocked = len(wanted.places) > own.slots_free
        cranked = self._reach(queue) if blocked or settles or terms.crank else []
        places, refused = with_slots(wanted, own.slots_free + sum(map(self._frees_ours, cranked)))
        steps = [
            *(self._crank(events, frame.shape) for events in _cut(cranked, OPENBOOK_V1.crank_events_max)),
            *(Step(cancels=(cancel,)) for cancel in wanted.cancels),
            *(Step(places=((place, place.number),)) for place in places),
            *([self._settlement(frame.shape)] if settles else []),
        ]
        return Plan(tuple(pack(steps, lambda some: self._render(some, terms, frame.shape), frame)), refused)

    def _reach(self, queue: EventQueue) -> list[Event]:
        """Return the events from the queue's head to the last of ours, as far as one plan cranks; none if only a
        market's own crank may."""
        if self.market.account_flags & AccountFlag.CRANK_AUTHORITY_REQUIRED:
            return []
        events = list(islice(queue.pending(), CRANKS_MAX * OPENBOOK_V1.crank_events_max))
        ours = [at for at, event in enumerate(events) if event.owner == self.seat.open_orders]
        return events[: ours[-1] + 1] if ours else []

    def _frees_ours(self, event: Event) -> bool:
        return event.owner == self.seat.open_orders and frees(event)

    def _crank(self, events: Sequence[Event], shape: Shape) -> Step:
        """Return one crank; an event whose account is not named would stop it, so others' are named too."""
        owners = {event.owner for event in events} | {self.seat.open_orders}
        keys = by.CrankKeys.of(self.market, owners)
        crank = does.ConsumeEvents(keys=keys, limit=len(events))
        return Step(cranks=len(events), owners=tuple(owners), rendered=self._rendered(crank, shape.crank))

    def _settlement(self, shape: Shape) -> Step:
        seat, market = self.seat, self.market
        keys = by.SettleKeys(
            market=market.own_address,
            open_orders=seat.open_orders,
            owner=seat.owner,
            coin_vault=market.coin_vault,
            pc_vault=market.pc_vault,
            coin_wallet=seat.base_wallet,
            pc_wallet=seat.quote_wallet,
            vault_signer=market.vault_signer(seat.program),
            token_program=TOKEN_PROGRAM,
            referrer=seat.quote_wallet,
        )
        settle = self._rendered(does.SettleFunds(keys=keys), shape.settle, calls=SETTLING_CALLS)
        return Step(settles=True, rendered=settle)

    def _render(self, steps: Sequence[Step], terms: Terms, shape: Shape) -> Rendered:
        cancels = [cancel for step in steps for cancel in step.cancels]
        places = [place for step in steps for place, _ in step.places]
        return together(
            [
                *(step.rendered for step in steps if step.rendered and step.cranks),
                *self._cancelling(cancels, shape),
                *self._placing(places, terms, shape),
                *(step.rendered for step in steps if step.rendered and step.settles),
            ]
        )

    def _cancelling(self, cancels: Sequence[Cancel], shape: Shape) -> Iterator[Rendered]:
        """Yield cancels by client id, which skip what is gone; an order without one is cancelled by the venue's id."""
        keys = by.CancelKeys.of(self.market, open_orders=self.seat.open_orders, owner=self.seat.owner)
        ids = list(dict.fromkeys(cancel.client_id for cancel in cancels if cancel.client_id))
        for some in _cut(ids, OPENBOOK_V1.cancel_ids_max):
            several = does.CancelOrdersByClientIds(keys=keys, client_order_ids=tuple(some))
            yield self._rendered(several, shape.cancel + shape.cancel_each * len(some))
        for cancel in cancels:
            if cancel.client_id == 0 and cancel.order is not None:
                one = does.CancelOrderV2(keys=keys, side=cancel.order.side, order_id=cancel.order.order_id)
                yield self._rendered(one, shape.cancel + shape.cancel_each)

    def _placing(self, places: Sequence[Place], terms: Terms, shape: Shape) -> Iterator[Rendered]:
        for side in Side:
            payer = self.seat.quote_wallet if side is Side.BID else self.seat.base_wallet
            keys = by.OrderKeys.of(self.market, open_orders=self.seat.open_orders, owner=self.seat.owner, payer=payer)
            of_side = [place for place in places if place.side is side]
            for some in _cut(of_side, OPENBOOK_V1.replace_orders_max):
                orders = tuple(self._order(place, terms) for place in some)
                taking = sum(place.tif is not Tif.POST_ONLY for place in some)
                units = shape.place + shape.place_each * len(some) + shape.take * taking
                yield self._rendered(does.ReplaceOrdersByClientIds(keys=keys, orders=orders), units, calls=len(some))

    def _rendered(self, value: does.AnyInstruction, units: int, calls: int = 0) -> Rendered:
        return Rendered((does.build(value, self.seat.program),), units, calls)

    def _order(self, place: Place, terms: Terms) -> NewOrder:
        return NewOrder(
            side=place.side,
            limit_price=place.price,
            max_coin_qty=place.size,
            max_native_pc_qty_including_fees=self._money(place),
            self_trade_behavior=SelfTrade.CANCEL_PROVIDE,
            order_type=_TYPES[place.tif],
            client_order_id=place.number,
            max_ts=terms.deadline,
        )

    def _money(self, place: Place) -> int:
        """Return the native quote that an order may cost: of a post-only bid exactly what it locks."""
        if place.side is Side.ASK:
            return _ANY_MONEY
        money = place.price * place.size * self.market.pc_lot_size
        if place.tif is Tif.POST_ONLY:
            return money
        bps = fees_bps(self.market.own_address)[1]
        return money + -(-money * int(bps * 100) // 1_000_000) + _ROUNDINGS


def _cut(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    for at in range(0, len(items), most):
        yield items[at : at + most]
