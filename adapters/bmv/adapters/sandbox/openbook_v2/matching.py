"""How an order meets the book: it is matched against the other side, and what is left of it may rest.

Source: `state/orderbook/book.rs`, `state/orderbook/order.rs`.
"""

from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.v2.codes import Build, PlaceOrderType, SelfTradeBehavior, is_better
from bmv.adapters.openbook.v2.heap import EventType, FillEvent, OutEvent
from bmv.adapters.openbook.v2.logs import TakerSignatureLog, TotalOrderFillEvent
from bmv.adapters.sandbox.openbook_v2 import fees
from bmv.adapters.sandbox.openbook_v2.allocation import KEY, PER_ORDER, PER_REMOVED
from bmv.adapters.sandbox.openbook_v2.failure import i64, occurred, panicked, thrown, u64
from bmv.adapters.sandbox.openbook_v2.frame import Frame
from bmv.adapters.sandbox.openbook_v2.order import Amounts, Order
from bmv.adapters.sandbox.openbook_v2.position import OpenOrders
from bmv.adapters.sandbox.openbook_v2.sides import Standing, State
from bmv.adapters.sandbox.openbook_v2.tree import Leaf

_DROPPED_MAX = 5  # Orders out of time that one order drops from the book.
_SETTLED_MAX = 15  # Fills that one order settles at once.
_I64_MAX = (1 << 63) - 1
_U64_MASK = (1 << 64) - 1


class Placing:
    """One order on its way.

    Args:
        owner: The taker that events name: his account, or his wallet if he has none.
        open_orders: His account; None: he only takes.
        oracle: The oracle's price in lots.
        limit: Most orders to trade with.
    """

    def __init__(
        self,
        frame: Frame,
        order: Order,
        owner: Pubkey,
        open_orders: OpenOrders | None,
        oracle: int | None,
        limit: int,
    ) -> None:
        self.frame, self.order, self.owner, self.open_orders = frame, order, owner, open_orders
        self.oracle, self.limit = oracle, limit
        self.market, self.book, self.heap = frame.market(), frame.book(), frame.heap()
        self.target = order.post_target
        self.settled = self.dropped = 0
        self.rebates = self.own_quote_lots = 0
        self.changes: list[tuple[int, int]] = []
        self.deletes: list[tuple[int, int]] = []
        self.amounts = Amounts()

    def run(self) -> Amounts:
        """Match the order, and let what is left rest."""
        order = self.order
        self.frame.memory.take(PER_ORDER)
        price, price_data = self._price()
        self.market.seq_num += 1
        number = int(self.market.seq_num)
        order_id = price_data << 64 | (number ^ _U64_MASK if order.side is Side.BID else number)
        max_quote_lots = order.max_quote_lots_including_fees
        if order.side is Side.BID and not order.post_only:
            max_quote_lots = fees.subtract_taker_fees(self.market, max_quote_lots)
        self._check_lots("base_lot_size", order.max_base_lots, "book_base_lots")
        self._check_lots("quote_lot_size", max_quote_lots, "book_quote_lots")
        base_left, quote_left = self._match(price, max_quote_lots)
        taken_quote_lots = max_quote_lots - quote_left
        self._take(order.max_base_lots - base_left, taken_quote_lots)
        quote_left = i64(order.max_quote_lots_including_fees - taken_quote_lots - self._fees_to_subtract(), "subtract")
        self._apply()
        self._rest(order_id, price, base_left, quote_left)
        return self.amounts

    def _check_lots(self, lot: str, lots: int, site: str) -> None:
        most = _I64_MAX // int(getattr(self.market, lot))
        self.frame.require_least(most, lots, "InvalidInputLotsSize", site)

    def _price(self) -> tuple[int, int]:
        """Return the order's limit, and the upper half of its key."""
        order = self.order
        if order.order_type is PlaceOrderType.MARKET:
            price = _I64_MAX if order.side is Side.BID else 1
        elif order.pegged:
            if self.oracle is None:
                raise occurred(self.frame.build, "OraclePegInvalidOracleState")
            price = self.oracle + order.price
            if not -_I64_MAX - 1 <= price <= _I64_MAX:
                raise occurred(self.frame.build, "InvalidPriceLots")
        else:
            price = order.price
        if order.order_type is PlaceOrderType.POST_ONLY_SLIDE:
            price = self._slide(price)
        self.frame.require_least(price, 1, "InvalidPriceLots", "order_price")
        return price, (price - (self.oracle or 0) + (1 << 63)) & _U64_MASK if order.pegged else price

    def _slide(self, price: int) -> int:
        best = self.book[Side(1 - self.order.side)].best_price(self.frame.now, self.oracle)
        if best is None:
            return price
        return min(price, best - 1) if self.order.side is Side.BID else max(price, i64(best + 1, "add"))

    def _match(self, price: int, quote_left: int) -> tuple[int, int]:
        """Trade with the other side; return the lots of base and quote that are left."""
        base_left, side = self.order.max_base_lots, self.order.side
        for other in self.book[Side(1 - side)].walk(self.frame.now, self.oracle):
            if base_left == 0 or quote_left == 0:
                break
            if other.state is not State.VALID:
                self._drop(other)
                continue
            if other.price > price if side is Side.BID else other.price < price:
                break
            if not self._may_trade(other, quote_left):
                self.target = None
                break
            lots = min(base_left, other.leaf.quantity, quote_left // other.price)
            quote_lots = i64(lots * other.price)
            if self._is_own(other):
                if self._cancels_own(other):
                    continue
                self.own_quote_lots += quote_lots
            else:
                native = i64(quote_lots * int(self.market.quote_lot_size))
                self.rebates += fees.maker_rebate_floor(self.market, native)
            base_left -= lots
            quote_left -= quote_lots
            self._fill(other, lots)
            self.limit -= 1
        return base_left, quote_left

    def _may_trade(self, other: Standing, quote_left: int) -> bool:
        if self.order.post_only:
            self.frame.say("Order could not be placed due to PostOnly")
            return False
        if self.limit == 0:
            self.frame.say("Order matching limit reached")
            return False
        return quote_left // other.price > 0

    def _is_own(self, other: Standing) -> bool:
        return self.open_orders is not None and other.leaf.owner == bytes(self.owner)

    def _cancels_own(self, other: Standing) -> bool:
        """Do with an own order what the order says; return whether it is out of the way."""
        if self.order.self_trade_behavior is SelfTradeBehavior.ABORT_TRANSACTION:
            raise thrown(self.frame.build, "WouldSelfTrade", "self_trade")
        if self.order.self_trade_behavior is SelfTradeBehavior.DECREMENT_TAKE:
            return False
        assert self.open_orders is not None
        self.open_orders.cancel_order(self.market, other.leaf.owner_slot, other.leaf.quantity)
        self._delete(other)
        return True

    def _drop(self, other: Standing) -> None:
        if self.dropped < _DROPPED_MAX:
            self.dropped += 1
            self._push_out(Side(1 - self.order.side), other.leaf)
            self._delete(other)

    def _delete(self, other: Standing) -> None:
        """Note an order that is to leave the book."""
        self.deletes.append((other.tree, other.leaf.key))
        if len(self.deletes) > 4:  # The first four are among what every order takes.
            self.frame.memory.push(len(self.deletes), KEY)

    def _fill(self, other: Standing, lots: int) -> None:
        leaf = other.leaf
        left = leaf.quantity - lots
        if left == 0:
            self._delete(other)
        else:
            self.changes.append((other.node, left))
        number = self.heap.header.seq_num if self.frame.build is Build.V1_7 else self.market.seq_num
        fill = FillEvent(
            event_type=EventType.FILL,
            taker_side=self.order.side,
            maker_out=left == 0,
            maker_slot=leaf.owner_slot,
            padding=bytes(4),
            timestamp=self.frame.now,
            market_seq_num=number,
            maker=Pubkey(leaf.owner),
            maker_timestamp=leaf.timestamp,
            taker=self.owner,
            taker_client_order_id=self.order.client_order_id,
            price=other.price,
            peg_limit=leaf.peg_limit,
            quantity=lots,
            maker_client_order_id=leaf.client_order_id,
            reserved=bytes(8),
        )
        if self.frame.build is not Build.V1_7:
            self.frame.emit(TakerSignatureLog(self.frame.key("market"), number))
        self._settle(fill)

    def _settle(self, fill: FillEvent) -> None:
        """Settle a fill with its maker at once, or let it wait."""
        maker = self.frame.maker(fill.maker) if self.settled < _SETTLED_MAX else None
        if maker is None:
            self.heap.push(fill)
        else:
            self.frame.emit(*maker.execute_maker(self.market, fill))
            self.settled += 1

    def _push_out(self, side: Side, leaf: Leaf) -> None:
        """Give an order's funds back at once, or let that wait."""
        owner = Pubkey(leaf.owner)
        own = self.open_orders if owner == self.owner else None
        account = own or self.frame.maker(owner)
        if account is not None:
            account.cancel_order(self.market, leaf.owner_slot, leaf.quantity)
            return
        out = OutEvent(
            event_type=EventType.OUT,
            side=side,
            owner_slot=leaf.owner_slot,
            padding0=bytes(5),
            timestamp=self.frame.now,
            seq_num=self.heap.header.seq_num,
            owner=owner,
            quantity=leaf.quantity,
            padding1=bytes(80),
        )
        self.heap.push(out)

    def _take(self, base_lots: int, quote_lots: int) -> None:
        """Account for what was taken."""
        quote_lot, amounts, side = int(self.market.quote_lot_size), self.amounts, self.order.side
        amounts.taken_base = i64(base_lots * int(self.market.base_lot_size)) & _U64_MASK
        amounts.taken_quote = i64(quote_lots * quote_lot) & _U64_MASK
        if base_lots <= 0 and quote_lots <= 0:
            return
        charged = i64((quote_lots - self.own_quote_lots) * quote_lot) & _U64_MASK
        if charged > 0:
            amounts.taker_fees = u64(fees.taker_fees_ceil(self.market, charged))
            amounts.referrer_amount = u64(amounts.taker_fees - self.rebates, "subtract")
            self.market.fees_accrued += amounts.referrer_amount
        if self.open_orders is None:
            self.market.taker_volume_wo_oo += amounts.taken_quote
        else:
            self.frame.emit(
                self.open_orders.execute_taker(
                    self.market,
                    side,
                    amounts.taken_base,
                    amounts.taken_quote,
                    amounts.taker_fees,
                    amounts.referrer_amount,
                )
            )
        bid = side is Side.BID
        self.frame.emit(
            TotalOrderFillEvent(
                side=side,
                taker=self.owner,
                total_quantity_paid=u64(amounts.taken_quote + amounts.taker_fees) if bid else amounts.taken_base,
                total_quantity_received=(
                    amounts.taken_base if bid else u64(amounts.taken_quote - amounts.taker_fees, "subtract")
                ),
                fees=amounts.taker_fees,
            )
        )

    def _fees_to_subtract(self) -> int:
        """Return what the taker's fee takes from the quote that is left; v1.7 takes native amounts for lots."""
        if self.frame.build is Build.V1_7:
            return self.amounts.taker_fees
        quote_lot = int(self.market.quote_lot_size)
        return i64(self.amounts.taker_fees + quote_lot - 1, "add") // quote_lot

    def _apply(self) -> None:
        """Write to the other side what was matched."""
        trees = self.book[Side(1 - self.order.side)].trees
        for node, left in self.changes:
            trees.set_quantity(node, left)
        for tree, key in self.deletes:
            self.frame.memory.take(PER_REMOVED)
            if trees.remove_by_key(tree, key) is None:
                raise panicked("called `Option::unwrap()` on a `None` value")

    def _rest(self, order_id: int, price: int, base_left: int, quote_left: int) -> None:
        """Let what is left rest, if it may."""
        order, build = self.order, self.frame.build
        limited = order.pegged and order.side is Side.BID
        locked_price = order.peg_limit if limited else price
        lots = self._lots_to_rest(locked_price, base_left, quote_left)
        if order.pegged and is_better(order.side, price, order.peg_limit):
            self.frame.say(f"Posting on book disallowed due to peg_limit, order price {price}, limit {order.peg_limit}")
            self.target = None
        if order.order_type is PlaceOrderType.FILL_OR_KILL and base_left > 0:
            raise thrown(build, "WouldExecutePartially", "fill_or_kill")
        if self.target is not None:
            self._post(self.target, order_id, price, locked_price, lots)

    def _lots_to_rest(self, locked_price: int, base_left: int, quote_left: int) -> int:
        quote_left -= fees.maker_fees_ceil(self.market, quote_left)
        lots = min(base_left, quote_left // locked_price)
        if lots <= 0:
            self.target = None
        return lots

    def _post(self, tree: int, order_id: int, price: int, locked_price: int, lots: int) -> None:
        market, amounts, order, open_orders = self.market, self.amounts, self.order, self.open_orders
        assert open_orders is not None, "whoever has no account never lets an order rest"
        most = _I64_MAX // int(market.quote_lot_size)
        quote_lots = i64(lots * locked_price)
        self.frame.require_least(most, quote_lots, "InvalidPostAmount", "post_amount")
        amounts.order_id = order_id
        amounts.posted_base = i64(lots * int(market.base_lot_size))
        amounts.posted_quote = i64(quote_lots * int(market.quote_lot_size))
        if order.side is Side.BID:
            amounts.maker_fees = fees.maker_fees_ceil(market, amounts.posted_quote)
            open_orders.position.locked_maker_fees += amounts.maker_fees
        self._make_room(tree, price)
        slot = open_orders.free_slot()
        if slot is None:
            raise thrown(self.frame.build, "OpenOrdersFull", "open_orders_full")
        leaf = Leaf(
            slot,
            order.time_in_force,
            order_id,
            bytes(self.owner),
            lots,
            self.frame.now,
            order.peg_limit,
            order.client_order_id,
        )
        self.book[order.side].trees.insert(tree, leaf)
        open_orders.add_order(order.side, tree, leaf, locked_price)

    def _make_room(self, tree: int, price: int) -> None:
        """Drop an order whose time is over; if the side is full all the same, its last one for a better."""
        half, now = self.book[self.order.side], self.frame.now
        expired = half.remove_one_expired(tree, now)
        if expired is not None:
            self._push_out(self.order.side, expired)
        if not half.trees.is_full():
            return
        worst = half.remove_worst(now, self.oracle)
        if worst is None:
            raise panicked("called `Option::unwrap()` on a `None` value")
        leaf, worst_price = worst
        self.frame.require(is_better(self.order.side, price, worst_price), "SomeError", "book_full")
        self._push_out(self.order.side, leaf)
