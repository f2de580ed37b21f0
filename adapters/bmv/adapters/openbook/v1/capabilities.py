"""What OpenBook version 1 can, for planner, risk and tests."""

from bmv.adapters.openbook.v1.bodies import CLIENT_IDS_MAX, REPLACE_MAX
from bmv.adapters.openbook.v1.layout import SLOTS
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

OPENBOOK_V1 = Capabilities(
    name="openbook-v1",
    order_slots=SLOTS,
    slot_freed=SlotFreed.BY_CRANK,
    client_ids=ClientIds.FREE,
    replace=Replace.BY_CLIENT_ID_PER_SIDE,
    replace_orders_max=REPLACE_MAX,
    cancel_ids_max=CLIENT_IDS_MAX,
    cancel_skips_missing=True,
    expiry=Expiry.PLACING_DEADLINE,
    expiry_unit=ExpiryUnit.SECONDS,
    post_only_cross=Crossing.DROPPED_FUNDS_MOVED,
    fills_shown=frozenset({FillsShown.EVENT_QUEUE, FillsShown.LOG_OF_CRANK}),
    needs_crank=True,
    crank_blocked_by_stranger=True,
    crank_events_max=13,  # Fills fill the program's memory; with outs between them it takes up to 20.
    deposit=Deposit.WITH_ORDER,
    order_bytes=54,
    accounts_bytes_max=1_048_588,  # The event queue of an old market; 262,156 on newer ones.
    taker_settles_makers=False,
)
