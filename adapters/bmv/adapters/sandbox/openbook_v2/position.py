"""An owner's account while orders are placed, matched and cancelled: its slots and its funds.

Source: `state/open_orders_account.rs`.
"""

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.v2.heap import FillEvent
from bmv.adapters.openbook.v2.layout import offsets, size
from bmv.adapters.openbook.v2.logs import FillLog, OpenOrdersPositionLog
from bmv.adapters.openbook.v2.open_orders import MAX_OPEN_ORDERS, OpenOrder, OpenOrdersAccount, Position
from bmv.adapters.sandbox.openbook_v2 import fees
from bmv.adapters.sandbox.openbook_v2.failure import i64, panicked, u64
from bmv.adapters.sandbox.openbook_v2.memory import View
from bmv.adapters.sandbox.openbook_v2.tree import Leaf

_POSITION_AT = 8 + offsets(OpenOrdersAccount)["position"]
_ORDERS_AT = 8 + offsets(OpenOrdersAccount)["open_orders"]
_ORDER_SIZE = size(OpenOrder)
_FREE_SLOT = bytes(32) + b"\1" + bytes(7)
_U64_MASK = (1 << 64) - 1


class OpenOrders:
    """An OpenOrdersAccount.

    Args:
        data: The account's bytes, changed in place.
    """

    def __init__(self, data: bytearray) -> None:
        self.data = data
        self.account = View(OpenOrdersAccount, data, 8)
        self.position = View(Position, data, _POSITION_AT)

    def slot(self, number: int) -> View:
        """Return one of the 24 slots."""
        if number >= MAX_OPEN_ORDERS:
            raise panicked(f"index out of bounds: the len is {MAX_OPEN_ORDERS} but the index is {number}")
        return View(OpenOrder, self.data, _ORDERS_AT + number * _ORDER_SIZE)

    def is_free(self, number: int) -> bool:
        """Whether a slot holds no order."""
        return self.data[_ORDERS_AT + number * _ORDER_SIZE + 32] == 1

    def set_up(self) -> None:
        """Free all slots."""
        self.data[_ORDERS_AT:] = _FREE_SLOT * MAX_OPEN_ORDERS

    def free_slot(self) -> int | None:
        """Return the first slot that holds no order."""
        return next((slot for slot in range(MAX_OPEN_ORDERS) if self.is_free(slot)), None)

    def orders(self) -> list[tuple[int, View]]:
        """Return the slots that hold an order."""
        return [(slot, self.slot(slot)) for slot in range(MAX_OPEN_ORDERS) if not self.is_free(slot)]

    def add_order(self, side: Side, tree: int, leaf: Leaf, locked_price: int) -> None:
        """Note an order that rests now."""
        if side is Side.BID:
            self.position.bids_base_lots += leaf.quantity
            locked = int(self.position.bids_quote_lots) + i64(leaf.quantity * locked_price)
            self.position.bids_quote_lots = i64(locked, "add", "state/open_orders_account.rs:291:17")
        else:
            self.position.asks_base_lots += leaf.quantity
        slot = self.slot(leaf.owner_slot)
        slot.id, slot.client_id, slot.locked_price = leaf.key, leaf.client_order_id, locked_price
        self._write_kind(leaf.owner_slot, side + 2 * tree)

    def _write_kind(self, number: int, side_and_tree: int) -> None:
        at = _ORDERS_AT + number * _ORDER_SIZE + 32
        self.data[at : at + 2] = bytes([0, side_and_tree])

    def remove_order(self, number: int, quantity: int, locked_price: int) -> None:
        """Free a slot, with what its order had locked."""
        if self.is_free(number):
            raise panicked("assertion failed: !oo.is_free()")
        self._unlock(self._side(number), quantity, locked_price)
        at = _ORDERS_AT + number * _ORDER_SIZE
        self.data[at : at + _ORDER_SIZE] = _FREE_SLOT

    def cancel_order(self, market: View, number: int, quantity: int) -> None:
        """Give back what an order had locked, and free its slot."""
        price = int(self.slot(number).locked_price)
        quote = i64(i64(quantity * price) * int(market.quote_lot_size)) & _U64_MASK
        base = i64(quantity * int(market.base_lot_size)) & _U64_MASK
        maker_fees = fees.maker_fees_ceil(market, quote)
        if self._side(number) is Side.BID:
            self.position.quote_free_native += u64(quote + maker_fees)
            self.position.locked_maker_fees -= maker_fees
        else:
            self.position.base_free_native += base
        self.remove_order(number, quantity, price)

    def execute_maker(self, market: View, fill: FillEvent) -> list[FillLog | OpenOrdersPositionLog]:
        """Settle a fill with its maker; return what is logged."""
        side = Side(1 - fill.taker_side)
        quote_lot = int(market.quote_lot_size)
        quote = i64(i64(fill.quantity * fill.price) * quote_lot) & _U64_MASK
        own = fill.maker == fill.taker
        maker_fees = 0 if own else fees.maker_fees_floor(market, quote)
        rebate = 0 if own else fees.maker_rebate_floor(market, quote)
        locked_price, freed, locked_fees = fill.price, 0, maker_fees
        if fill.peg_limit != -1 and side is Side.BID:
            locked_price = fill.peg_limit
            locked = i64(i64(fill.quantity * fill.peg_limit) * quote_lot) & _U64_MASK
            locked_fees = fees.maker_fees_floor(market, locked)
            freed = u64(locked - quote, "subtract") + u64(locked_fees - maker_fees, "subtract")
        if side is Side.BID:
            self.position.base_free_native += i64(fill.quantity * int(market.base_lot_size)) & _U64_MASK
            self.position.quote_free_native += u64(rebate + freed)
            self.position.locked_maker_fees -= locked_fees
        else:
            self.position.quote_free_native += u64(quote + rebate) - maker_fees
        self.position.maker_volume += quote
        self.position.referrer_rebates_available += maker_fees
        market.referrer_rebates_accrued += maker_fees
        market.maker_volume += quote
        market.fees_accrued += maker_fees
        if fill.maker_out:
            self.remove_order(fill.maker_slot, fill.quantity, locked_price)
        else:
            self._unlock(side, fill.quantity, locked_price)
        taker_fee = fees.taker_fees_ceil(market, quote) if not own and quote > 0 else 0
        return [self._fill_log(fill, maker_fees, taker_fee), self.position_log()]

    def execute_taker(
        self, market: View, side: Side, base: int, quote: int, taker_fees: int, referrer_amount: int
    ) -> OpenOrdersPositionLog:
        """Add what a taker received; return what is logged."""
        if side is Side.BID:
            self.position.base_free_native += base
        else:
            self.position.quote_free_native += u64(quote - taker_fees, "subtract")
        self.position.taker_volume += quote
        self.position.referrer_rebates_available += referrer_amount
        market.referrer_rebates_accrued += referrer_amount
        return self.position_log()

    def position_log(self) -> OpenOrdersPositionLog:
        """Return the account's funds as they are logged."""
        position = self.position
        return OpenOrdersPositionLog(
            owner=self.account.owner,
            open_orders_account_num=self.account.account_num,
            market=self.account.market,
            bids_base_lots=position.bids_base_lots,
            bids_quote_lots=position.bids_quote_lots,
            asks_base_lots=position.asks_base_lots,
            base_free_native=position.base_free_native,
            quote_free_native=position.quote_free_native,
            locked_maker_fees=position.locked_maker_fees,
            referrer_rebates_available=position.referrer_rebates_available,
            maker_volume=position.maker_volume,
            taker_volume=position.taker_volume,
        )

    def _fill_log(self, fill: FillEvent, maker_fee: int, taker_fee: int) -> FillLog:
        return FillLog(
            market=self.account.market,
            taker_side=fill.taker_side,
            maker_slot=fill.maker_slot,
            maker_out=fill.maker_out,
            timestamp=fill.timestamp,
            seq_num=fill.market_seq_num,
            maker=fill.maker,
            maker_client_order_id=fill.maker_client_order_id,
            maker_fee=maker_fee,
            maker_timestamp=fill.maker_timestamp,
            taker=fill.taker,
            taker_client_order_id=fill.taker_client_order_id,
            taker_fee_ceil=taker_fee,
            price=fill.price,
            quantity=fill.quantity,
        )

    def _unlock(self, side: Side, quantity: int, locked_price: int) -> None:
        if side is Side.BID:
            self.position.bids_base_lots -= quantity
            self.position.bids_quote_lots -= i64(quantity * locked_price)
        else:
            self.position.asks_base_lots -= quantity

    def _side(self, number: int) -> Side:
        return Side(self.data[_ORDERS_AT + number * _ORDER_SIZE + 33] & 1)
