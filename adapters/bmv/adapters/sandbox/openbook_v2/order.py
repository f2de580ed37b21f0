"""An order as it is matched, and what it moves.

Source: `state/orderbook/order.rs`, `state/orderbook/book.rs`.
"""

from dataclasses import dataclass, replace

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.v2.bookside import FIXED, NO_PEG_LIMIT, ORACLE_PEGGED
from bmv.adapters.openbook.v2.codes import PlaceOrderType, SelfTradeBehavior

_RESTING = {PlaceOrderType.LIMIT, PlaceOrderType.POST_ONLY, PlaceOrderType.POST_ONLY_SLIDE}
_POST_ONLY = {PlaceOrderType.POST_ONLY, PlaceOrderType.POST_ONLY_SLIDE}


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it is matched.

    Args:
        price: Limit in lots; of a pegged order, its distance from the oracle.
        peg_limit: -1: the price is fixed.
    """

    side: Side
    max_base_lots: int
    max_quote_lots_including_fees: int
    client_order_id: int
    time_in_force: int
    self_trade_behavior: SelfTradeBehavior
    order_type: PlaceOrderType
    price: int
    peg_limit: int = NO_PEG_LIMIT
    pegged: bool = False

    @property
    def post_only(self) -> bool:
        return self.order_type in _POST_ONLY

    @property
    def post_target(self) -> int | None:
        """The tree it may rest in."""
        if self.order_type not in _RESTING:
            return None
        return ORACLE_PEGGED if self.pegged else FIXED


@dataclass(slots=True)
class Amounts:
    """What an order moved, in native amounts."""

    order_id: int | None = None
    posted_base: int = 0
    posted_quote: int = 0
    taken_base: int = 0
    taken_quote: int = 0
    taker_fees: int = 0
    maker_fees: int = 0
    referrer_amount: int = 0


def sized(order: Order, max_base_lots: int, max_quote_lots: int) -> Order:
    """Return the order with other limits."""
    return replace(order, max_base_lots=max_base_lots, max_quote_lots_including_fees=max_quote_lots)
