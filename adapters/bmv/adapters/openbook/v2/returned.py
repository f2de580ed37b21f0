"""What OpenBook v2's instructions return: ids of the orders that rest, and lots that were cancelled."""

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v2.primitives import Many, Maybe, Number

_ORDER_ID = Maybe(Number(16))
_ORDER_IDS = Many(_ORDER_ID, least=1)
_LOTS = Number(8, signed=True, least=0)


def read_order_id(data: bytes) -> int | None:
    """Return what placing or editing one order returned: its id, or None if nothing of it rests.

    >>> read_order_id(bytes.fromhex("01feffffffffffffff983a000000000000")) >> 64
    15000
    >>> read_order_id(b"\\0")
    """
    order_id: int | None
    order_id, end = _ORDER_ID.read(data, 0)
    _check_end(data, end)
    return order_id


def read_order_ids(data: bytes) -> tuple[int | None, ...]:
    """Return what placing several orders returned: an id or None for each.

    An order whose time was over is missing, so that those after it stand one place earlier.
    """
    order_ids: tuple[int | None, ...]
    order_ids, end = _ORDER_IDS.read(data, 0)
    _check_end(data, end)
    return order_ids


def read_cancelled_lots(data: bytes) -> int:
    """Return what cancelling by client id returned: the base lots that were left of the orders."""
    lots, end = _LOTS.read(data, 0)
    _check_end(data, end)
    return lots


def write_order_id(order_id: int | None) -> bytes:
    """Return the bytes that `read_order_id` reads."""
    return _ORDER_ID.write(order_id)


def write_order_ids(order_ids: tuple[int | None, ...]) -> bytes:
    """Return the bytes that `read_order_ids` reads."""
    return _ORDER_IDS.write(order_ids)


def write_cancelled_lots(lots: int) -> bytes:
    """Return the bytes that `read_cancelled_lots` reads."""
    return _LOTS.write(lots)


def _check_end(data: bytes, end: int) -> None:
    if end != len(data):
        raise Malformed(f"{len(data)} bytes were returned, and {end} of them are understood")
