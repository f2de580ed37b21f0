"""Orders of either version, in the same units, and whether they are within the limits."""

from collections.abc import Sequence
from typing import NamedTuple

from bmv.adapters.openbook.policy.mandate import Limits, Moment
from bmv.adapters.openbook.policy.verdict import Code, Forbidden


class Placement(NamedTuple):
    """An order that a transaction places.

    Args:
        price: Ticks.
        lots: Base lots.
        quote_lots: Price × size.
        deadline_s: Unix second from which it does not trade or is not taken; None: never.
        takes: Whether it may trade at once.
    """

    price: int
    lots: int
    quote_lots: int
    deadline_s: int | None
    takes: bool


def check_orders(orders: Sequence[Placement], limits: Limits, moment: Moment) -> None:
    """Refuse orders beyond the limits, each for itself and all together."""
    for order in orders:
        _check_price(order, moment)
        _check_size(order, limits)
        _check_deadline(order, limits, moment)
        if order.takes and not limits.takes:
            raise Forbidden(Code.ORDER_TYPE, "an order that may trade at once, and only post-only is allowed")
    total = sum(order.quote_lots for order in orders)
    if total > limits.total_quote_lots_max:
        text = f"orders of {total} quote lots together, and {limits.total_quote_lots_max} is the most"
        raise Forbidden(Code.NOTIONAL, text)


def _check_price(order: Placement, moment: Moment) -> None:
    low, high = moment.price_min, moment.price_max
    if low is None or high is None:
        raise Forbidden(Code.PRICE, "an order, and none may be placed now")
    if not max(low, 1) <= order.price <= high:
        raise Forbidden(Code.PRICE, f"an order at {order.price} ticks, and {low} to {high} are allowed")


def _check_size(order: Placement, limits: Limits) -> None:
    if not 0 < order.lots <= limits.order_lots_max:
        raise Forbidden(Code.SIZE, f"an order of {order.lots} base lots, and 1 to {limits.order_lots_max} are allowed")
    if order.quote_lots > limits.order_quote_lots_max:
        text = f"an order of {order.quote_lots} quote lots, and {limits.order_quote_lots_max} is the most"
        raise Forbidden(Code.NOTIONAL, text)


def _check_deadline(order: Placement, limits: Limits, moment: Moment) -> None:
    most = limits.order_life_s_max
    if most is None:
        return
    if order.deadline_s is None:
        raise Forbidden(Code.EXPIRY, f"an order without a deadline, and each has one within {most} s")
    if not moment.now_s < order.deadline_s <= moment.now_s + most:
        left = order.deadline_s - moment.now_s
        raise Forbidden(Code.EXPIRY, f"an order whose deadline is {left} s away, and 1 to {most} are allowed")
