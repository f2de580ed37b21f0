"""Cancelling orders.

Source: `instructions/cancel_*.rs`, `state/orderbook/book.rs`.
"""

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.v2 import funds, orders
from bmv.adapters.openbook.v2.codes import Build
from bmv.adapters.openbook.v2.returned import write_cancelled_lots
from bmv.adapters.sandbox.openbook_v2.allocation import PER_MISSING
from bmv.adapters.sandbox.openbook_v2.failure import i64, thrown
from bmv.adapters.sandbox.openbook_v2.frame import Frame
from bmv.adapters.sandbox.openbook_v2.memory import View
from bmv.adapters.sandbox.openbook_v2.tree import Leaf

_SIDES = {Side.BID: "Bid", Side.ASK: "Ask"}
_TREES = ("Fixed", "OraclePegged")


def cancel_order(frame: Frame, instruction: orders.CancelOrder) -> bytes:
    order_id = instruction.order_id
    frame.require(order_id > 0, "InvalidInputOrderId", "cancel_order_id", (order_id, 0))
    found = next((order for _, order in frame.open_orders().orders() if order.id == order_id), None)
    if found is None:
        raise thrown(frame.build, "OpenOrdersOrderNotFound", "cancel_order_find", context=f"id = {order_id}")
    _cancel_own(frame, found)
    return b""


def cancel_order_by_client_order_id(frame: Frame, instruction: orders.CancelOrderByClientOrderId) -> bytes:
    return write_cancelled_lots(cancel_by_client_id(frame, instruction.client_order_id))


def cancel_by_client_id(frame: Frame, client_order_id: int) -> int:
    """Cancel the first order of that client id (v1.7), or all of them; return the base lots they had left."""
    if frame.build is not Build.V1_7:
        return cancel_all(frame, 255, client_order_id=client_order_id)
    slots = frame.open_orders().orders()
    found = next((order for _, order in slots if order.client_id == client_order_id), None)
    if found is None:
        context = f"client order id = {client_order_id}"
        raise thrown(frame.build, "OpenOrdersOrderNotFound", "cancel_client_id", context=context)
    return _cancel_own(frame, found)


def cancel_all_orders(frame: Frame, instruction: orders.CancelAllOrders) -> bytes:
    cancel_all(frame, instruction.limit, side=instruction.side_option)
    return b""


def prune_orders(frame: Frame, instruction: funds.PruneOrders) -> bytes:
    frame.require(frame.is_expired(), "MarketHasNotExpired", "prune_not_expired")
    cancel_all(frame, instruction.limit)
    return b""


def cancel_all(frame: Frame, limit: int, side: Side | None = None, client_order_id: int | None = None) -> int:
    """Cancel orders, at most `limit`, of one side or of one client id if given; return the base lots they had left.

    An order that is no longer on the book keeps its slot: its event is still to be settled.
    """
    lots = 0
    for _, order in frame.open_orders().orders():
        if side is not None and order.side_and_tree & 1 != side:
            continue
        if client_order_id is not None and order.client_id != client_order_id:
            continue
        if limit == 0:
            frame.say("Cancel orders limit reached")
            break
        leaf = _cancel(frame, order)
        if leaf is None:
            frame.memory.take(PER_MISSING)
            frame.say(f"order {order.id} was not found on orderbook, expired or filled already")
        else:
            lots = i64(lots + leaf.quantity, "add")
        limit -= 1
    return lots


def _cancel_own(frame: Frame, order: View) -> int:
    """Cancel an order that must be on the book; return the base lots it had left."""
    kind, order_id = int(order.side_and_tree), int(order.id)
    leaf = _cancel(frame, order)
    if leaf is None:
        where = f"side {_SIDES[Side(kind & 1)]}, component {_TREES[kind >> 1]}"
        context = f"no order with id {order_id}, {where} found on the orderbook"
        raise thrown(frame.build, "OrderIdNotFound", "order_not_found", context=context)
    return leaf.quantity


def _cancel(frame: Frame, order: View) -> Leaf | None:
    kind = int(order.side_and_tree)
    trees = frame.book()[Side(kind & 1)].trees
    leaf = trees.remove_by_key(kind >> 1, int(order.id))
    if leaf is not None:
        frame.open_orders().cancel_order(frame.market(), leaf.owner_slot, leaf.quantity)
    return leaf
