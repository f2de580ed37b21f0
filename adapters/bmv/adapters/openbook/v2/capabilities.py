"""What OpenBook version 2 can, for planner, risk and tests."""

from bmv.adapters.openbook.v2.bookside import BOOK_SIDE_SIZE
from bmv.adapters.openbook.v2.heap import EVENT_HEAP_SIZE
from bmv.adapters.openbook.v2.open_orders import MAX_OPEN_ORDERS
from bmv.ports.venue import (
    Capabilities,
    ClientIds,
    Crossing,
    Deposit,
    Expiry,
    ExpiryUnit,
    FillsShown,
    Replace,
    SlotFreed,
)

OPENBOOK_V2 = Capabilities(
    name="openbook-v2",
    order_slots=MAX_OPEN_ORDERS,
    slot_freed=SlotFreed.BY_CANCEL,
    client_ids=ClientIds.BY_INDEX_IN_BATCH,
    replace=Replace.WHOLE,
    replace_orders_max=MAX_OPEN_ORDERS,
    cancel_ids_max=1,
    cancel_skips_missing=False,  # v1.7, the release, fails on an unknown client id; master does not.
    expiry=Expiry.REMOVAL,
    expiry_unit=ExpiryUnit.SECONDS,
    post_only_cross=Crossing.DROPPED,
    fills_shown=frozenset({FillsShown.EVENT_QUEUE, FillsShown.LOG_OF_CRANK, FillsShown.LOG_OF_TAKER}),
    needs_crank=True,
    crank_blocked_by_stranger=False,
    crank_events_max=8,
    deposit=Deposit.WITH_ORDER,
    order_bytes=24,
    accounts_bytes_max=max(BOOK_SIDE_SIZE, EVENT_HEAP_SIZE),
    taker_settles_makers=True,
)
