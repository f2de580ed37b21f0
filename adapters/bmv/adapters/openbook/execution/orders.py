"""Our orders, and what is known of each: pure, from what was asked, what was sent and what the final chain shows.

An order is asked for, then in an attempt, then in the book, then at its end. Each step is taken for one reason only:

* it is **in the book** if a final bank shows it there;
* it is **filled** if the venue's own record of fills says so, never because it is gone;
* it has **ended** if a final bank, read after its attempt had ended and with every fill of it known, does not show it;
  or if its attempt ended without effect. Whether its attempt landed need not be known for that, if it can't any more.

Nothing else ends an order: not a refusal, not silence, not a block that may vanish. Until then it counts as resting. A
wish to cancel stays until the order has ended, however many transactions that takes.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.fills.fill import OwnFill
from bmv.adapters.openbook.planning.orders import OwnOrder
from bmv.ports.messages import Event, Intent, Kind, Liquidity, Reason, Tif, Verb


class Stage(Enum):
    """How far an order is."""

    ASKED = "asked"  # In no transaction yet.
    PLANNED = "planned"  # In one that is not sent yet.
    FLYING = "flying"  # In one whose end is not known, or is not read back.
    RESTING = "resting"
    ENDED = "ended"


@dataclass(slots=True)
class Order:
    """One of our orders. Prices in ticks, sizes in lots.

    Args:
        number: Ours; unique as long as the account at the venue lives.
        intent: What asked for it.
        stage: How far it is.
        client_id: What it was sent with; its number unless the venue counts.
        venue_id: The venue's own; 0: not known.
        filled: Lots traded.
        attempt: Signature of what places it; "": none was sent.
        landed_slot: Slot in which that landed; None: it has not, as far as is known.
        forgotten: Whether that is only a slot after which it can't land, and nobody knows whether it did.
        dying: Whether it is to be cancelled.
        cancels: Signatures of attempts under way that cancel it.
        cancelled: Whether one of those was carried out.
        over_s: Second of the chain's clock from which it is out of the book by its own terms; None: never.
    """

    number: int
    intent: Intent
    stage: Stage = Stage.ASKED
    client_id: int = 0
    venue_id: int = 0
    filled: int = 0
    attempt: str = ""
    landed_slot: int | None = None
    forgotten: bool = False
    dying: bool = False
    cancels: set[str] = field(default_factory=set)
    cancelled: bool = False
    over_s: int | None = None

    @property
    def side(self) -> Side:
        """Its side."""
        return Side.BID if self.intent.side > 0 else Side.ASK

    @property
    def left(self) -> int:
        """Lots that have not traded."""
        return self.intent.size - self.filled

    @property
    def alive(self) -> bool:
        """Whether it may be in the book, or come to be: it counts against every limit."""
        return self.stage in (Stage.FLYING, Stage.RESTING)

    def land(self, signature: str, slot: int, known: bool = True) -> None:
        """Note that an attempt was carried out, finally, if it is one that places or cancels this order.

        Args:
            signature: Of the attempt.
            slot: Of its block.
            known: Whether it was; else it can't be after that slot, and nobody knows whether it was.
        """
        if self.attempt == signature:
            self.landed_slot, self.forgotten = slot, not known
        if signature in self.cancels:
            self.cancels.discard(signature)
            self.cancelled |= known


@dataclass(frozen=True, slots=True)
class Seen:
    """What a final bank shows of us.

    Args:
        slot: Its slot.
        second: The chain's clock in it.
        resting: Our orders in the book.
        fills: Trades of ours up to it that were not seen before, in order.
    """

    slot: int
    second: int
    resting: Sequence[OwnOrder]
    fills: Sequence[OwnFill]


class Orders:
    """All orders that have not ended, and what to tell of them."""

    def __init__(self) -> None:
        self.open: dict[int, Order] = {}  # By number.
        self.strangers: tuple[OwnOrder, ...] = ()  # In the book under our account, and known to nobody.
        self.stray: list[OwnFill] = []  # Of orders that are not open: they moved money, and nobody's position.
        self._events: list[Event] = []

    def __repr__(self) -> str:
        counts = {stage: sum(order.stage is stage for order in self.open.values()) for stage in Stage}
        told = ", ".join(f"{count} {stage.value}" for stage, count in counts.items() if count)
        return f"<Orders {told or 'none'}, {len(self.strangers)} strangers>"

    @property
    def untold(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._events)

    def take(self) -> list[Event]:
        """Return what there is to tell since the last call; times are those of the chain, or 0."""
        events, self._events = self._events, []
        return events

    def ask(self, batch: Sequence[Intent]) -> None:
        """Take in a batch; orders are known by their numbers."""
        for intent in sorted(batch, key=lambda intent: intent.verb == Verb.PLACE):
            if intent.verb == Verb.PLACE:
                assert intent.order not in self.open, f"order {intent.order} is open already"
                self.open[intent.order] = Order(intent.order, intent)
            else:
                self._wish_away(intent)

    def _wish_away(self, intent: Intent) -> None:
        numbers = list(self.open) if intent.verb == Verb.CANCEL_ALL else [intent.order]
        for number in numbers:
            order = self.open.get(number)
            if order is None:
                continue  # It has ended, and that was told.
            order.dying = True
            if order.stage is Stage.ASKED:
                self._end(order, Kind.CANCELLED)

    def restore(self, orders: Iterable[Order]) -> None:
        """Take in orders of an earlier process that may live; all are to be cancelled, and none is told of."""
        for order in orders:
            order.dying = True
            self.open[order.number] = order

    def asked(self) -> list[Order]:
        """Return the orders that are in no transaction yet, in the order in which they were asked for."""
        return [order for order in self.open.values() if order.stage is Stage.ASKED]

    def plan(self, numbers: Iterable[int]) -> None:
        """Note that orders are in a transaction that is about to be sent: a cancel is now a wish like any other."""
        for number in numbers:
            order = self.open[number]
            assert order.stage is Stage.ASKED, f"order {number} is {order.stage.value}, and was planned before"
            order.stage = Stage.PLANNED

    def dying(self) -> list[Order]:
        """Return the orders that are to be cancelled and that no attempt under way cancels."""
        return [order for order in self.open.values() if order.dying and order.alive and not order.cancels]

    def refuse(self, numbers: Iterable[int], reason: Reason = Reason.NONE) -> None:
        """Note that orders are never sent."""
        for number in numbers:
            order = self.open[number]
            assert order.stage in (Stage.ASKED, Stage.PLANNED), f"order {number} is {order.stage.value}"
            self._end(order, Kind.CANCELLED if order.dying else Kind.REJECTED, 0 if order.dying else reason)

    def send(
        self, signature: str, places: Iterable[tuple[int, int]], cancels: Iterable[int], over_s: int | None = None
    ) -> None:
        """Note what an attempt carries; call it before the attempt is committed.

        Args:
            signature: Of the attempt.
            places: Numbers of orders, each with the client id that it gets.
            cancels: Numbers of orders.
            over_s: As in `Order`, for those placed.
        """
        for number, client_id in places:
            order = self.open[number]
            assert order.stage is Stage.PLANNED, f"order {number} is {order.stage.value}, and was sent before"
            order.stage, order.client_id, order.attempt, order.over_s = Stage.FLYING, client_id, signature, over_s
        for number in cancels:
            if number in self.open:
                self.open[number].cancels.add(signature)

    def land(self, signature: str, slot: int, known: bool = True) -> None:
        """Note that an attempt was carried out, finally; or may have been, up to that slot and not after it."""
        for order in self.open.values():
            order.land(signature, slot, known)

    def release(self, signature: str) -> None:
        """Note that an attempt failed in a block that is confirmed: its cancels may be tried by another."""
        for order in self.open.values():
            order.cancels.discard(signature)

    def cancellable(self, orders: Iterable[Order], resting: Iterable[OwnOrder]) -> list[Order]:
        """Return the orders that a bank shows, or of which no cancel was carried out yet.

        One that may still come to be is cancelled unseen, once: whether it is in the book by then is not known. After
        that it waits until it is, for each further cancel would be paid for and do nothing.
        """
        shown = {order.number for one in resting if (order := self._known(one)) is not None}
        return [order for order in orders if order.number in shown or not order.cancelled]

    def found(self, resting: Iterable[OwnOrder]) -> dict[int, int]:
        """Return the venue's ids of orders that a bank shows under ids that are not their numbers, ours first."""
        seen = ((one, self._known(one)) for one in resting)
        return {
            order.number: one.order_id for one, order in seen if order is not None and order.client_id != order.number
        }

    def lose(self, signature: str) -> None:
        """Note that an attempt has ended without effect: nothing of it rests, and what it was to cancel stays."""
        for order in list(self.open.values()):
            order.cancels.discard(signature)
            if order.attempt == signature and order.stage is Stage.FLYING:
                self._end(order, Kind.CANCELLED if order.dying else Kind.REJECTED)

    def see(self, seen: Seen) -> None:
        """Take in what a final bank shows: first what rests, then what traded, then what is no more."""
        known = {id(one): order for one in seen.resting if (order := self._known(one)) is not None}
        self.strangers = tuple(one for one in seen.resting if id(one) not in known)
        present = set[int]()
        for one in seen.resting:
            if (order := known.get(id(one))) is not None:
                present.add(order.number)
                self._rest(order, one, seen)
        for fill in seen.fills:
            self._fill(fill, seen)
        for order in list(self.open.values()):
            if order.number not in present:
                self._miss(order, seen)

    def _known(self, one: OwnOrder) -> Order | None:
        """Return the order that the venue shows, by its own number if that is known, else by what we sent."""
        for order in self.open.values():
            if order.venue_id == one.order_id:
                return order
        return next((order for order in self.open.values() if _is(order, one.client_id, one.side, one.price)), None)

    def _rest(self, order: Order, one: OwnOrder, seen: Seen) -> None:
        order.venue_id = one.order_id
        if order.stage is Stage.FLYING:
            order.stage = Stage.RESTING
            self._tell(Kind.ACCEPTED, order, seen.second, size=order.intent.size)
        if order.over_s is not None and seen.second >= order.over_s:
            order.dying = True  # Out of the book by its own terms, and yet in a slot of ours.

    def _fill(self, fill: OwnFill, seen: Seen) -> None:
        order = self._traded(fill)
        if order is None or fill.size > order.left:
            self.stray.append(fill)
            return
        if order.stage is Stage.FLYING:
            order.stage = Stage.RESTING
            self._tell(Kind.ACCEPTED, order, seen.second, size=order.intent.size)
        order.filled += fill.size
        self._events.append(
            Event(
                Kind.FILLED,
                ts_ns=0,
                venue_ns=seen.second * 10**9,
                order=order.number,
                side=order.intent.side,
                price=fill.price,
                size=fill.size,
                fee=fill.fee,
                code=Liquidity.MAKER if fill.maker else Liquidity.TAKER,
            )
        )
        if not order.left:
            self._drop(order)

    def _traded(self, fill: OwnFill) -> Order | None:
        """Return the order that a fill is of: by the venue's number, or by what we sent where the source lacks that.

        Of several that it may be of, one that no cancel has taken, then the newest; planning sees to it that no two of
        ours rest at one price with one number.
        """
        for order in self.open.values():
            if fill.order_id and order.venue_id == fill.order_id:
                return order
        fits = [order for order in self.open.values() if _may_be_of(fill, order)]
        return max(fits, key=lambda order: (not order.cancelled, order.number), default=None)

    def _miss(self, order: Order, seen: Seen) -> None:
        """Decide what it means that a final bank does not show an order."""
        if order.stage is Stage.RESTING:
            gone_by_us = order.cancelled or bool(order.cancels)
            self._end(order, Kind.CANCELLED if gone_by_us else Kind.EXPIRED, second=seen.second)
        elif order.stage is Stage.FLYING and order.landed_slot is not None and order.landed_slot <= seen.slot:
            if order.cancelled or (order.forgotten and order.dying):
                self._end(order, Kind.CANCELLED, second=seen.second)
            elif order.intent.tif == Tif.POST_ONLY and not order.forgotten:
                self._end(order, Kind.REJECTED, Reason.WOULD_CROSS, seen.second)
            else:
                self._end(order, Kind.EXPIRED, second=seen.second)

    def _end(self, order: Order, kind: Kind, reason: int = Reason.NONE, second: int = 0) -> None:
        self._tell(kind, order, second, size=order.left, code=reason)
        self._drop(order)

    def _drop(self, order: Order) -> None:
        order.stage = Stage.ENDED
        del self.open[order.number]

    def _tell(self, kind: Kind, order: Order, second: int, size: int, code: int = 0) -> None:
        intent = order.intent
        self._events.append(
            Event(
                kind,
                ts_ns=0,
                venue_ns=second * 10**9,
                order=order.number,
                side=intent.side,
                price=intent.price,
                size=size,
                code=code,
            )
        )


def _is(order: Order, client_id: int, side: Side, price: int) -> bool:
    """Whether what the venue shows is an order that was sent and not seen yet."""
    return (
        order.alive
        and order.venue_id == 0
        and bool(order.attempt)
        and (order.client_id, order.side, order.intent.price) == (client_id, side, price)
    )


def _may_be_of(fill: OwnFill, order: Order) -> bool:
    """Whether a fill may be of an order: a maker's trades at its price, a taker's at that or a better one."""
    if not order.alive or not order.attempt or fill.size > order.left:
        return False
    if fill.order_id and order.venue_id not in (0, fill.order_id):
        return False
    same = (order.client_id, order.side) == (fill.client_id, fill.side)
    return same and (not fill.maker or order.intent.price == fill.price)


def exposure(orders: Collection[Order]) -> tuple[int, int]:
    """Return the lots that would be bought, and those that would be sold, if every order that may live were filled.

    Asked for and not sent counts too: it may be in the next transaction.
    """
    bought = sum(order.left for order in orders if order.side is Side.BID)
    return bought, sum(order.left for order in orders if order.side is Side.ASK)
