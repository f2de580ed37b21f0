"""What planning speaks of: our orders as the venue has them, what a batch wants of them, and what it may not have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from bmv.adapters.openbook.book import Lots, Side
from bmv.ports.messages import Intent, Tif, Verb

NATIVE_MAX = (
    2**60
)  # Native units that one order may move: fees and roundings on top still fit into what programs count.


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """One of our orders that may be in the book.

    Args:
        order_id: The venue's.
        price: In ticks; 0: it follows an oracle, and is none of the framework's.
        client_id: What it was sent with; 0: nothing.
    """

    order_id: int
    side: Side
    price: int
    client_id: int


@dataclass(frozen=True, slots=True)
class Own:
    """What we have on a market, read from one bank.

    Args:
        resting: Our orders that were neither filled nor cancelled.
        slots_free: How many orders fit beside all that hold a slot.
        slots_waiting: Slots of orders that are gone, and that a crank frees.
        base_free: Native base in our account at the venue that no order holds.
        quote_free: Native quote likewise.
        order_ids: The venue's id by our number, for orders whose client id is another (those of a batch).
    """

    resting: tuple[OwnOrder, ...]
    slots_free: int
    slots_waiting: int
    base_free: int
    quote_free: int
    order_ids: Mapping[int, int] = field(default_factory=dict)


class Refused(Enum):
    """Why an intent is not carried; a value, for it is part of the trade."""

    NOT_RESTING = "the order is not in the book any more"
    CROSSES_OWN = "it would trade with an order of ours that stays, or with one of the same batch"
    SAME_ID = "an order of ours that stays, or one of the same batch, has its number"
    NO_ID = "its number is not from 1 to 2**64 - 1"
    TOO_LATE = "its time is over, or will be before it lands"
    TOO_LARGE = "its price or its size is none, or price times size is beyond what the venue can count"
    NO_SLOT = "the account at the venue has no place for it"


@dataclass(frozen=True, slots=True)
class Cancel:
    """An order to cancel.

    Args:
        intent: Number of the intent in the batch that asks for it.
        client_id: Of the order.
        order: As the venue has it; None: it is not known to be there.
    """

    intent: int
    client_id: int
    order: OwnOrder | None


@dataclass(frozen=True, slots=True)
class Place:
    """An order to place: price in ticks, size in lots.

    Args:
        intent: Number of the intent in the batch.
        number: Ours, and its client id where the venue leaves that to us.
    """

    intent: int
    number: int
    side: Side
    price: int
    size: int
    tif: Tif


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is left of a batch once it is laid beside what we have.

    Args:
        cancels: Each order once.
        places: In the batch's order.
        kept: Our orders that stay.
        refused: Intents that are not carried, by their number in the batch.
    """

    cancels: tuple[Cancel, ...]
    places: tuple[Place, ...]
    kept: tuple[OwnOrder, ...]
    refused: Mapping[int, Refused]


def read_batch(batch: Sequence[Intent], own: Own, *, cancels_blind: bool, late: bool, lots: Lots) -> Wanted:
    """Lay a batch beside what we have.

    Args:
        batch: Of one step, in any order; it is cancels first that we do.
        own: What we have.
        cancels_blind: Whether to cancel an order that is not known to be in the book: it may have landed since.
        late: Whether it is too late to place.
        lots: The market's.
    """
    refused: dict[int, Refused] = {}
    cancels = _cancels(batch, own, cancels_blind, refused)
    gone = {cancel.order for cancel in cancels}
    kept = tuple(order for order in own.resting if order not in gone)
    wishes = {at: intent for at, intent in enumerate(batch) if intent.verb == Verb.PLACE}
    for at, intent in wishes.items():
        if late or not _countable(intent, lots):
            refused[at] = Refused.TOO_LATE if late else Refused.TOO_LARGE
    places = _places({at: intent for at, intent in wishes.items() if at not in refused}, kept, refused)
    return Wanted(tuple(cancels), tuple(places), kept, refused)


def _countable(intent: Intent, lots: Lots) -> bool:
    money = lots.native_quote(intent.price, intent.size)
    return intent.price > 0 and intent.size > 0 and max(money, intent.size * lots.base_lot) <= NATIVE_MAX


def _cancels(batch: Sequence[Intent], own: Own, blind: bool, refused: dict[int, Refused]) -> list[Cancel]:
    cancels: dict[tuple[str, int], Cancel] = {}
    for at, intent in enumerate(batch):
        if intent.verb not in (Verb.CANCEL, Verb.CANCEL_ALL):
            continue
        orders = own.resting if intent.verb == Verb.CANCEL_ALL else _named(own, intent.order)
        for order in orders:
            cancels.setdefault(("known", order.order_id), Cancel(at, order.client_id, order))
        if orders or intent.verb == Verb.CANCEL_ALL:
            continue
        if blind and 0 < intent.order < 2**64 and intent.order not in own.order_ids:
            cancels.setdefault(("blind", intent.order), Cancel(at, intent.order, None))
        else:
            refused[at] = Refused.NOT_RESTING
    return list(cancels.values())


def _named(own: Own, number: int) -> tuple[OwnOrder, ...]:
    """Return our orders of a number: one, or twins where an id was used again."""
    order_id = own.order_ids.get(number)
    if order_id is None:
        return tuple(order for order in own.resting if order.client_id == number and number)
    return tuple(order for order in own.resting if order.order_id == order_id)


def _places(wishes: Mapping[int, Intent], kept: Sequence[OwnOrder], refused: dict[int, Refused]) -> list[Place]:
    """Return the orders to place; none crosses one of ours that stays, or one of the same batch."""
    best = {side: [_worth(side, order.price) for order in kept if order.side is side and order.price] for side in Side}
    top = {side: max(prices, default=-(2**63)) for side, prices in best.items()}
    numbers = {order.client_id for order in kept}
    places = []
    for at, intent in wishes.items():
        side = Side.BID if intent.side > 0 else Side.ASK
        wrong = _wrong(intent, numbers)
        if wrong is None and _worth(side, intent.price) + top[Side(1 - side)] >= 0:
            wrong = Refused.CROSSES_OWN
        if wrong is not None:
            refused[at] = wrong
            continue
        places.append(Place(at, intent.order, side, intent.price, intent.size, Tif(intent.tif)))
        numbers.add(intent.order)
        top[side] = max(top[side], _worth(side, intent.price))
    return places


def _worth(side: Side, price: int) -> int:
    """Return a number that is larger for the better price of a side; a bid's and an ask's cross where they add up."""
    return price if side is Side.BID else -price


def _wrong(intent: Intent, numbers: set[int]) -> Refused | None:
    if not 0 < intent.order < 2**64:
        return Refused.NO_ID
    return Refused.SAME_ID if intent.order in numbers else None


def with_slots(wanted: Wanted, slots: int) -> tuple[tuple[Place, ...], Mapping[int, Refused]]:
    """Return the orders that have a slot, the first ones, and why the others and all refused before are not carried."""
    left_out = {place.intent: Refused.NO_SLOT for place in wanted.places[max(slots, 0) :]}
    return wanted.places[: max(slots, 0)], {**wanted.refused, **left_out}
