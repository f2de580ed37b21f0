"""About how many compute units the genuine program takes, so that a limit that is far too low is noticed.

Measured on the build that behaves as v1.7 (`cu` of the golden tape); master takes some ten in a hundred less.
"""

from bmv.adapters.openbook.v2 import funds, orders
from bmv.adapters.openbook.v2.instructions import Known

_BASE: dict[type[Known], int] = {
    funds.CreateMarket: 85_000,
    funds.CreateOpenOrdersIndexer: 11_000,
    funds.CreateOpenOrdersAccount: 19_000,
    funds.SettleFunds: 20_000,
    funds.SettleFundsExpired: 20_000,
    orders.PlaceOrder: 24_000,
    orders.PlaceOrderPegged: 26_000,
    orders.EditOrder: 30_000,
    orders.EditOrderPegged: 30_000,
    orders.PlaceTakeOrder: 25_000,
    orders.PlaceOrders: 15_000,
    orders.CancelAllAndPlaceOrders: 15_000,
    orders.CancelOrder: 8_500,
    orders.CancelOrderByClientOrderId: 9_000,
    orders.CancelAllOrders: 5_000,
    orders.ConsumeEvents: 5_000,
    orders.ConsumeGivenEvents: 5_000,
}
_OTHER = 12_000
FAILED = 12_000  # Most fail when their accounts have been looked at.
_PER_LOG = 2_600  # A fill that is settled at once is logged twice.
_PER_EVENT = 2_600  # One that waits.
_PER_PLACED = 8_800
_PER_CANCELLED = 2_400


def estimate(kind: type[Known], logs: int, events: int, placed: int, cancelled: int) -> int:
    """Return about how many units an instruction takes.

    Args:
        logs: Events that it logs.
        events: Events that it adds to the heap.
        placed: Orders of a batch.
        cancelled: Orders that it takes from its owner's account.
    """
    units = _BASE.get(kind, _OTHER) + logs * _PER_LOG + events * _PER_EVENT
    return units + placed * _PER_PLACED + cancelled * _PER_CANCELLED
