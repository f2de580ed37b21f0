"""From the words of a journal to orders and fills: what the tables of a run hold, made once more from what was said.

A journal does not tell what the chain calls an order, nor where it lies there: that is None in what is made here.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bmv.ports.errors import DataError
from bmv.ports.messages import Event, Intent, Kind, Verb
from bmv.ports.storage import Fill, Order, OrderState, Word

ENDS = {
    Kind.CANCELLED.value: OrderState.CANCELLED,
    Kind.REJECTED.value: OrderState.REJECTED,
    Kind.EXPIRED.value: OrderState.EXPIRED,
}
REPORTS = {Kind.ACCEPTED.value, Kind.FILLED.value, *ENDS}


class Open(NamedTuple):
    """An order that has not ended, and how often it has traded."""

    order: Order
    n_fills: int = 0


class Told(NamedTuple):
    """What words say of orders: each step of their ways, in order, and what traded."""

    orders: Sequence[Order]
    fills: Sequence[Fill]


def project(run: int, words: Iterable[Word], known: dict[int, Open], first: int = 0) -> Told:
    """Return what `words` say of the orders of `run`; `DataError` names the word that can't follow those before it.

    Args:
        run: Number of the run.
        words: What comes next in its journal.
        known: The open orders by number, as the words before left them; changed to how these leave them.
        first: Number of the first word.
    """
    orders: list[Order] = []
    fills: list[Fill] = []
    for number, word in enumerate(words, first):
        if isinstance(word, Intent) and word.verb == Verb.PLACE:
            if word.order in known:
                raise DataError(f"word {number} of run {run} places order {word.order}, which is open")
            known[word.order] = Open(placed(run, word))
            orders.append(known[word.order].order)
        elif isinstance(word, Event) and word.kind in REPORTS:
            before = known.pop(word.order, None)
            if before is None:
                raise DataError(f"word {number} of run {run} tells of order {word.order}, which is not open")
            steps = reported(before.order, word)
            after = steps[-1]
            if after.filled > after.size:
                raise DataError(
                    f"word {number} of run {run}: order {after.id} traded {after.filled} lots, expected {after.size}"
                )
            orders += steps
            traded = word.kind == Kind.FILLED
            if traded:
                fills.append(fill(before, word))
            if after.done_ns is None:
                known[word.order] = Open(after, before.n_fills + traded)
    return Told(orders, fills)


def rebuilt(run: int, words: Iterable[Word]) -> Told:
    """Return the orders of `run` as its whole journal leaves them, by number, and its fills, by order and number."""
    told = project(run, words, {})
    last = {order.id: order for order in told.orders}
    return Told([last[number] for number in sorted(last)], sorted(told.fills))


def placed(run: int, intent: Intent) -> Order:
    """Return the order that `intent` asks for."""
    return Order(
        run=run,
        id=intent.order,
        side=intent.side,
        price=intent.price,
        size=intent.size,
        level=intent.level,
        tif=intent.tif,
        decided_ns=intent.ts_ns,
        state=OrderState.INTENDED,
    )


def reported(order: Order, report: Event) -> list[Order]:
    """Return the steps that `order` took, as `report` tells. An order with a report was sent, journalled or not."""
    steps = []
    if order.state is OrderState.INTENDED:
        order = order._replace(state=OrderState.SENT)
        steps.append(order)
    if report.kind == Kind.ACCEPTED:
        order = order._replace(state=OrderState.RESTING, accepted_ns=report.venue_ns)
    elif report.kind == Kind.FILLED:
        order = order._replace(filled=order.filled + report.size)
        if order.filled == order.size:
            order = order._replace(state=OrderState.FILLED, done_ns=report.venue_ns)
    else:
        reason = report.code if report.kind == Kind.REJECTED else 0
        order = order._replace(state=ENDS[report.kind], reason=reason, done_ns=report.venue_ns)
    return [*steps, order]


def fill(before: Open, report: Event) -> Fill:
    """Return the trade that `report` tells of."""
    return Fill(
        run=before.order.run,
        order=before.order.id,
        seq=before.n_fills,
        venue_ns=report.venue_ns,
        known_ns=report.ts_ns,
        price=report.price,
        size=report.size,
        fee=report.fee,
        liquidity=report.code,
    )


def missing(kept: Told, told: Told) -> Told:
    """Return what of the steps and fills `told` by a journal comes after those `kept`: a process died between the two.

    Args:
        kept: Orders as a store has them, and their fills.
        told: What :func:`project` made of the whole journal.
    """
    last = {order.id: order for order in kept.orders}
    steps: list[Order] = []
    reached = set()  # Orders whose step that is kept went by.
    for order in told.orders:
        if order.id not in last or order.id in reached:
            steps.append(order)
        elif is_step(last[order.id], order):
            reached.add(order.id)
    if strange := sorted(last.keys() - reached):
        raise DataError(f"order {strange[0]} of run {kept.orders[0].run} is kept as its journal never told it")
    known = {each[:3] for each in kept.fills}
    return Told(steps, [each for each in told.fills if each[:3] not in known])


def is_step(kept: Order, told: Order) -> bool:
    """Tell whether an order is kept at the step `told`; a journal knows neither `unknown` nor the chain's numbers."""
    state = told.state if kept.state is OrderState.UNKNOWN else kept.state
    return told == kept._replace(state=state, client_id=None, venue_id=None, slot=None)
