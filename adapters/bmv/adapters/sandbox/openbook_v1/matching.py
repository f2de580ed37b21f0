"""An order meets the book: what it takes, what rests of it, and the events of both, in the program's own order.

Source: openbook-dex/program 3873f285, `dex/src/matching.rs`. One iteration matches one resting order. Products wrap at
2**64, as the program was built without checks of overflow.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.v1.bodies import OrderType, SelfTrade
from bmv.adapters.openbook.v1.codes import DexErrorCode
from bmv.adapters.openbook.v1.events import EventFlag
from bmv.adapters.openbook.v1.layout import Record
from bmv.adapters.sandbox.openbook_v1 import fees
from bmv.adapters.sandbox.openbook_v1.failing import NONE, Panic, check, fail
from bmv.adapters.sandbox.openbook_v1.orders import Orders
from bmv.adapters.sandbox.openbook_v1.queue import Party, Ring
from bmv.adapters.sandbox.openbook_v1.tree import Leaf, Tree

_MASK = 2**64 - 1
_BID, _ASK = EventFlag.BID, 0  # Flags of an event.
_FLAG = {Side.BID: _BID, Side.ASK: _ASK}


@dataclass(slots=True)
class Proceeds:
    """What an order frees, gains and costs its owner: coin in lots, pc in native units."""

    coin_unlocked: int = 0
    native_pc_unlocked: int = 0
    coin_credit: int = 0
    native_pc_credit: int = 0
    coin_debit: int = 0
    native_pc_debit: int = 0

    def add(self, name: str, amount: int) -> None:
        total = getattr(self, name) + amount
        if total > _MASK:
            raise Panic(NONE, "src/matching.rs:184:53")
        setattr(self, name, total)


@dataclass(slots=True, kw_only=True)
class Taker:
    """An order on its way: what is left of it changes with each iteration.

    Args:
        coin_qty: Base lots left.
        native_pc_qty_locked: Native quote left of a bid.
    """

    side: Side
    party: Party
    order_type: OrderType
    self_trade: SelfTrade
    fee_tier: int
    coin_qty: int
    native_pc_qty_locked: int = 0
    post_only: bool = False
    post_allowed: bool = True

    @property
    def limit_price(self) -> int:
        return self.party.order_id >> 64


class Book:
    """Both sides of a market, its queue and its books of account."""

    def __init__(self, market: Record, bids: Tree, asks: Tree, queue: Ring, say: Callable[[str], None]) -> None:
        self.market = market
        self.sides = {Side.BID: bids, Side.ASK: asks}
        self.queue = queue
        self.say = say
        self.pc_lot = market["pc_lot_size"]
        self.coin_lot = market["coin_lot_size"]

    # Taking and resting.

    def place(self, taker: Taker, proceeds: Proceeds, limit: int) -> None:
        """Match an order until it is done or `limit` iterations were made; what is left then rests or goes."""
        taker.post_only = taker.order_type is OrderType.POST_ONLY
        taker.post_allowed = taker.order_type is not OrderType.IMMEDIATE_OR_CANCEL
        step = self._bid if taker.side is Side.BID else self._ask
        for left in range(limit, -1, -1):
            if not left:
                taker.post_only = taker.post_allowed = True
            if not step(taker, proceeds):
                return
        raise AssertionError("an order that may only rest goes on taking")  # It ended in the iteration before.

    def _ask(self, taker: Taker, proceeds: Proceeds) -> bool:
        """Make one iteration of an ask; say whether it goes on."""
        bids, queue, max_qty = self.sides[Side.BID], self.queue, taker.coin_qty
        best, crossed, traded = self._best(Side.BID, taker)
        if best is not None and traded:
            resting = bids.leaf(best)
            if resting.owner == taker.party.owner:
                return self._self_trade_ask(taker, proceeds, best, resting)
            pc = self._match(Side.BID, best, resting, traded)
        else:
            pc, traded = 0, 0
        fee = fees.taker_fee(taker.fee_tier, pc)
        proceeds.add("native_pc_credit", pc - fee)
        proceeds.add("coin_debit", traded)
        if pc:
            queue.fill(_ASK, False, traded * self.coin_lot, pc - fee, fee, taker.party, taker.fee_tier)
        self._collect(fee, fees.maker_rebate(resting.fee_tier, pc) if traded else 0)
        left = max_qty - traded
        if traded and left:
            taker.coin_qty = left
            return True
        if taker.post_allowed and not crossed and left:
            self._rest(Side.ASK, taker, left)
        else:
            proceeds.add("coin_unlocked", left)
            queue.out(_ASK, False, left * self.coin_lot, 0, taker.party)
        return False

    def _bid(self, taker: Taker, proceeds: Proceeds) -> bool:
        """Make one iteration of a bid; say whether it goes on."""
        queue, locked = self.queue, taker.native_pc_qty_locked
        best, crossed, traded = self._best(Side.ASK, taker)
        pc = 0
        rebate = 0
        if best is not None and traded:
            resting = self.sides[Side.ASK].leaf(best)
            if resting.owner == taker.party.owner:
                return self._self_trade_bid(taker, proceeds, best, resting, traded)
            pc = self._match(Side.ASK, best, resting, traded)
            rebate = fees.maker_rebate(resting.fee_tier, pc)
        fee = fees.taker_fee(taker.fee_tier, pc)
        left_pc = locked - pc - fee
        proceeds.add("coin_credit", traded)
        proceeds.add("native_pc_debit", pc + fee)
        if pc:
            queue.fill(_BID, False, pc + fee, traded * self.coin_lot, fee, taker.party, taker.fee_tier)
        self._collect(fee, rebate)
        left = taker.coin_qty - traded
        if traded and left and left_pc:
            taker.coin_qty, taker.native_pc_qty_locked = left, left_pc
            return True
        price = taker.limit_price
        posted = min(left, left_pc // self.pc_lot // price) if taker.post_allowed and not crossed else 0
        kept = posted * price * self.pc_lot
        proceeds.add("native_pc_unlocked", left_pc - kept)
        queue.out(_BID, False, left_pc - kept, kept, taker.party)
        if posted:
            self._rest(Side.BID, taker, posted)
        return False

    def _best(self, side: Side, taker: Taker) -> tuple[int | None, bool, int]:
        """Return the best node of the other side, whether the order crosses it, and the lots it takes of it."""
        best = self.sides[side].best(largest=side is Side.BID)
        if best is None:
            return None, False, 0
        leaf = self.sides[side].leaf(best)
        price, limit = leaf.price, taker.limit_price
        crossed = limit <= price if side is Side.BID else limit >= price
        if not crossed or taker.post_only:
            return best, crossed, 0
        size = min(leaf.quantity, taker.coin_qty)
        if side is Side.ASK:
            affordable = fees.remove_taker_fee(taker.fee_tier, taker.native_pc_qty_locked) // self.pc_lot
            size = min(size, affordable // price)
        return best, crossed, size

    def _match(self, side: Side, node: int, resting: Leaf, traded: int) -> int:
        """Let the resting order of `side` trade; return the quote that changes hands, in native units."""
        queue, flag = self.queue, _FLAG[side]
        pc = traded * resting.price * self.pc_lot & _MASK
        coin = traded * self.coin_lot & _MASK
        rebate = fees.maker_rebate(resting.fee_tier, pc)
        paid, received = (pc - rebate, coin) if side is Side.BID else (coin, pc + rebate)
        party = Party.of(resting)
        queue.fill(flag, True, paid, received, rebate, party, resting.fee_tier)
        left = resting.quantity - traded
        self.sides[side].set_quantity(node, left)
        if not left:
            queue.out(flag, True, 0, 0, party)
            self.sides[side].remove(resting.key)
        return pc

    def _collect(self, taker_fee: int, maker_rebate: int) -> None:
        before_referrer = taker_fee - maker_rebate
        referrer = fees.referrer_rebate(taker_fee)
        market = self.market
        market["referrer_rebates_accrued"] = market["referrer_rebates_accrued"] + referrer & _MASK
        market["pc_fees_accrued"] = market["pc_fees_accrued"] + before_referrer - referrer & _MASK
        market["pc_deposits_total"] = market["pc_deposits_total"] - before_referrer & _MASK

    def _rest(self, side: Side, taker: Taker, quantity: int) -> None:
        """Put what is left into the book; where that is full, the least aggressive order goes."""
        party, tree = taker.party, self.sides[side]
        leaf = Leaf.make(party.order_id, party.owner, party.owner_slot, quantity, taker.fee_tier, party.client_order_id)
        if tree.insert(leaf):
            return
        self.say(f"Program log: {'bids' if side is Side.BID else 'offers'} full! booting...")
        worst = tree.best(largest=side is Side.ASK)
        assert worst is not None
        booted = tree.remove(tree.leaf(worst).key)
        assert booted is not None
        self.queue.out(_FLAG[side], True, self._locked(side, booted), 0, Party.of(booted))
        assert tree.insert(leaf)

    def _locked(self, side: Side, leaf: Leaf) -> int:
        lot = leaf.price * self.pc_lot if side is Side.BID else self.coin_lot
        return leaf.quantity * lot & _MASK

    # Meeting oneself.

    def _provide(self, taker: Taker, side: Side, node: int, resting: Leaf, traded: int) -> int:
        """Shrink our own resting order; return by how much the taker shrinks."""
        if taker.self_trade is SelfTrade.ABORT_TRANSACTION:
            raise fail(DexErrorCode.WOULD_SELF_TRADE)
        decrement = taker.self_trade is SelfTrade.DECREMENT_TAKE
        cancelled = traded if decrement else resting.quantity
        left = resting.quantity - cancelled
        lot = resting.price * self.pc_lot if side is Side.BID else self.coin_lot
        self.queue.out(_FLAG[side], True, cancelled * lot, left * lot, Party.of(resting))
        if left:
            self.sides[side].set_quantity(node, left)
        else:
            self.sides[side].remove(resting.key)
        return traded if decrement else 0

    def _self_trade_ask(self, taker: Taker, proceeds: Proceeds, node: int, resting: Leaf) -> bool:
        traded = min(resting.quantity, taker.coin_qty)
        taken = self._provide(taker, Side.BID, node, resting, traded)
        left = taker.coin_qty - taken
        # What is still locked is told in lots here, not in native units: so does the program.
        self.queue.out(_ASK, False, taken * self.coin_lot, left, taker.party)
        proceeds.add("coin_unlocked", taken)
        taker.coin_qty = left
        return bool(left)

    def _self_trade_bid(self, taker: Taker, proceeds: Proceeds, node: int, resting: Leaf, traded: int) -> bool:
        taken = self._provide(taker, Side.ASK, node, resting, traded)
        unlocked = taken * resting.price * self.pc_lot & _MASK
        left, locked = taker.coin_qty - taken, taker.native_pc_qty_locked - unlocked & _MASK
        if not (left and locked):
            unlocked, locked = taker.native_pc_qty_locked, 0
        proceeds.add("native_pc_unlocked", unlocked)
        self.queue.out(_BID, False, unlocked, locked, taker.party)
        taker.coin_qty, taker.native_pc_qty_locked = left, locked
        return bool(locked)

    # Cancelling.

    def cancel(self, side: Side, order_id: int, address: bytes, orders: Orders) -> None:
        """Take an order of `address` off the book and free its funds; its slot is the crank's to free."""
        leaf = self.sides[side].remove(order_id)
        if leaf is None:
            raise fail(DexErrorCode.ORDER_NOT_FOUND)
        self.cancel_leaf(leaf, side, order_id, address, orders)

    def cancel_leaf(self, leaf: Leaf, side: Side, order_id: int, address: bytes, orders: Orders) -> None:
        """Free the funds of an order that was taken off the book."""
        if leaf.owner != address:
            raise fail(DexErrorCode.ORDER_NOT_YOURS)
        check(order_id == orders.order(leaf.owner_slot), "matching", 965)
        check(orders.side(leaf.owner_slot) is side, "matching", 966)
        unlocked = self._locked(side, leaf)
        orders.unlock("pc" if side is Side.BID else "coin", unlocked)
        self.queue.out(_FLAG[side], False, unlocked, 0, Party.of(leaf))

    def remove_all(self, address: bytes, limit: int) -> tuple[list[Leaf], list[Leaf]]:
        """Take the orders of `address` off the book, looking at `limit` nodes; return its bids and its asks."""
        found = {}
        for side in (Side.ASK, Side.BID):  # The program looks at the asks first, and removes the bids first.
            found[side], limit = self.sides[side].find(lambda leaf: leaf.owner == address, limit)
        removed = {side: [self.sides[side].remove(key) for key in found[side]] for side in (Side.BID, Side.ASK)}
        bids, asks = ([leaf for leaf in removed[side] if leaf is not None] for side in (Side.BID, Side.ASK))
        return bids, asks
