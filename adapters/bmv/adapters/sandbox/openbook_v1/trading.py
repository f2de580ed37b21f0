"""Orders and cancels, account by account and check by check in the program's order.

Source: openbook-dex/program 3873f285, `dex/src/state.rs`; numbers are its lines.
"""

from collections.abc import Sequence
from typing import NamedTuple

from solders.pubkey import Pubkey
from solders.transaction_status import InstructionErrorCustom

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.v1.bodies import NewOrder
from bmv.adapters.openbook.v1.codes import DexErrorCode
from bmv.adapters.openbook.v1.layout import Record
from bmv.adapters.sandbox.openbook_v1.context import Context, or_assertion, send
from bmv.adapters.sandbox.openbook_v1.failing import NONE, Failure, Panic, check, fail
from bmv.adapters.sandbox.openbook_v1.loading import (
    Account,
    Market,
    check_signer,
    check_token_account,
    check_token_program,
)
from bmv.adapters.sandbox.openbook_v1.matching import Book, Proceeds, Taker
from bmv.adapters.sandbox.openbook_v1.orders import Orders
from bmv.adapters.sandbox.openbook_v1.queue import Party
from bmv.adapters.sandbox.openbook_v1.tree import Tree
from bmv.adapters.sandbox.transfers import amount_of

_MASK = 2**64 - 1
_CANCEL_ACCOUNTS = (0, 4, 5, 1, 7, 3)  # Of those of a replacing instruction.


# Orders.


def place(context: Context, order: NewOrder) -> None:
    """Play NewOrderV3."""
    accounts = context.accounts
    check(12 <= len(accounts) <= 14, "state", 1873)
    check(len(accounts) < 14, "state", 1899)
    (market_, open_orders_, req_q_, event_q_, bids_, asks_, payer, owner, coin_vault, pc_vault, token, _) = accounts[
        :12
    ]
    discount = accounts[12] if len(accounts) > 12 else None
    if discount is not None:
        check_token_account(discount)
    market = Market(market_, context.program_id, allow_disabled=False)
    check_signer(owner)
    tier = market.fee_tier(owner, discount)
    req_q = market.request_queue(req_q_)
    queue = market.event_queue(event_q_)
    check_token_account(payer)
    _check_payer(market, payer, order.side)
    market.vault(coin_vault, "coin")
    market.vault(pc_vault, "pc")
    check_token_program(token)
    bids, asks = _sides(market, bids_, asks_, 1927)
    orders = market.open_orders(open_orders_, owner, context.surroundings)
    if order.max_ts is not None and context.surroundings.unix_timestamp > order.max_ts:
        raise fail(DexErrorCode.ORDER_MAX_TIMESTAMP_EXCEEDED)
    check(not req_q["count"], "state", 3167)
    book = Book(market, bids, asks, queue, context.say)
    deposit = _lock(market, orders, order, payer)
    _match(book, orders, order, open_orders_.key, _next_order_id(req_q, order), tier)
    vault = pc_vault if order.side is Side.BID else coin_vault
    open_orders_.release()  # The program does so too, for an account that owns itself.
    if deposit:
        send(context, payer, vault, owner, deposit)
    context.release()


def _check_payer(market: Market, payer: Account, side: Side) -> None:
    what, line = ("pc", 1919) if side is Side.BID else ("coin", 1920)
    or_assertion(lambda: market.wallet(payer, what), line)


def _sides(market: Market, bids: Account, asks: Account, line: int) -> tuple[Tree, Tree]:
    """Load both sides of the book; whatever is wrong with them is an assertion in `line`, or in the one after."""
    loaded = []
    for number, load, account in ((line, market.bids, bids), (line + 1, market.asks, asks)):
        try:
            loaded.append(load(account))
        except Panic:
            raise
        except Failure:
            check(False, "state", number)
    return loaded[0], loaded[1]


def _lock(market: Market, orders: Orders, order: NewOrder, payer: Account) -> int:
    """Lock what an order may cost, free funds first; return what the wallet must add, in native units."""
    bid = order.side is Side.BID
    what = "pc" if bid else "coin"
    amount = order.max_native_pc_qty_including_fees if bid else order.max_coin_qty * market["coin_lot_size"]
    if amount > _MASK:
        raise fail(DexErrorCode.INSUFFICIENT_FUNDS)
    from_free = min(amount, orders[f"native_{what}_free"])
    deposit = amount - from_free
    if amount_of(payer.data) < deposit:
        raise fail(DexErrorCode.INSUFFICIENT_FUNDS)
    orders.lock_free(what, from_free)
    orders.credit_locked(what, deposit, "src/state.rs:642:83" if bid else "src/state.rs:638:14")
    total = market[f"{what}_deposits_total"] + deposit
    if total > _MASK:
        raise Panic(NONE, "src/state.rs:3189:22" if bid else "src/state.rs:3210:22")
    market[f"{what}_deposits_total"] = total
    return deposit


def _next_order_id(req_q: Record, order: NewOrder) -> int:
    seq_num = req_q["next_seq_num"]
    req_q["next_seq_num"] = seq_num + 1 & _MASK
    return order.limit_price << 64 | (seq_num ^ _MASK if order.side is Side.BID else seq_num)


def _match(book: Book, orders: Orders, order: NewOrder, address: bytes, order_id: int, tier: int) -> None:
    """Give an order a slot, match it, and book what it gained and cost."""
    slot = orders.add(order_id, order.side, order.client_order_id)
    taker = Taker(
        side=order.side,
        party=Party(order_id, address, slot, order.client_order_id),
        order_type=order.order_type,
        self_trade=order.self_trade_behavior,
        fee_tier=tier,
        coin_qty=order.max_coin_qty,
        native_pc_qty_locked=order.max_native_pc_qty_including_fees if order.side is Side.BID else 0,
    )
    proceeds = Proceeds()
    book.place(taker, proceeds, order.limit)
    lot = book.coin_lot
    for amount, where in (
        (proceeds.coin_unlocked, "3256:81"),
        (proceeds.coin_credit, "3257:77"),
        (proceeds.coin_debit, "3258:75"),
    ):
        if amount * lot > _MASK:
            raise Panic(NONE, f"src/state.rs:{where}")
    orders.credit_locked("coin", proceeds.coin_credit * lot, "src/state.rs:638:14")
    orders.unlock("coin", proceeds.coin_credit * lot)
    orders.unlock("coin", proceeds.coin_unlocked * lot)
    orders.credit_locked("pc", proceeds.native_pc_credit, "src/state.rs:642:83")
    orders.unlock("pc", proceeds.native_pc_credit)
    orders.unlock("pc", proceeds.native_pc_unlocked)
    orders.debit("coin", proceeds.coin_debit * lot, "src/state.rs:3271:18")
    orders.debit("pc", proceeds.native_pc_debit, "src/state.rs:3275:18")
    check(orders["native_coin_free"] <= orders["native_coin_total"], "state", 3276)
    check(orders["native_pc_free"] <= orders["native_pc_total"], "state", 3277)


def replace(context: Context, orders: Sequence[NewOrder]) -> None:
    """Play both forms of Replace: cancel by the orders' client ids, then place them."""
    if len(context.accounts) < 8:
        text = f"index out of bounds: the len is {len(context.accounts)} but the index is {_first_missing(context)}"
        raise Panic(text, "src/state.rs:1979:26")
    cancelling = Context(
        context.program_id,
        [context.accounts[number] for number in _CANCEL_ACCOUNTS],
        context.surroundings,
        context.say,
    )
    cancel_by_client_ids(cancelling, [order.client_order_id for order in orders])
    for order in orders:
        place(context, order)


def _first_missing(context: Context) -> int:
    return next(number for number in _CANCEL_ACCOUNTS if number >= len(context.accounts))


# Cancels.


class _Cancel(NamedTuple):
    book: Book
    orders: Orders
    address: bytes


def _start_cancel(context: Context, line: int) -> _Cancel:
    """Load the accounts of a cancel; `line` is that where its market is loaded."""
    market_, bids_, asks_, open_orders_, owner, event_q_ = context.accounts[:6]
    market = _market_or_assertion(market_, context.program_id, line)
    check_signer(owner)
    orders = market.open_orders(open_orders_, owner)
    bids, asks = _sides(market, bids_, asks_, line + 12)
    queue = market.event_queue(event_q_)
    return _Cancel(Book(market, bids, asks, queue, context.say), orders, open_orders_.key)


def _market_or_assertion(account: Account, program_id: Pubkey, line: int) -> Market:
    try:
        return Market(account, program_id, allow_disabled=True)
    except Panic:
        raise
    except Failure:
        check(False, "state", line)
        raise


def cancel_by_id(context: Context, side: Side, order_id: int) -> None:
    """Play CancelOrderV2."""
    check(len(context.accounts) >= 6, "state", 2086)
    cancel = _start_cancel(context, 2097)
    cancel.book.cancel(side, order_id, cancel.address, cancel.orders)


def cancel_by_client_id(context: Context, client_order_id: int) -> None:
    """Play CancelOrderByClientIdV2."""
    check(len(context.accounts) >= 6, "state", 2147)
    check(client_order_id != 0, "state", 2158)
    cancel = _start_cancel(context, 2160)
    for found, order_id, side in cancel.orders.with_client_ids():
        if found == client_order_id:
            return cancel.book.cancel(side, order_id, cancel.address, cancel.orders)
    raise fail(DexErrorCode.CLIENT_ID_NOT_FOUND)


def cancel_by_client_ids(context: Context, client_order_ids: Sequence[int]) -> None:
    """Play CancelOrdersByClientIds; orders that are not in the book any more are passed over."""
    check(len(context.accounts) >= 6, "state", 2210)
    cancel = _start_cancel(context, 2227)
    wanted = [
        (order_id, side) for found, order_id, side in cancel.orders.with_client_ids() if found in client_order_ids
    ]
    for order_id, side in wanted:
        try:
            cancel.book.cancel(side, order_id, cancel.address, cancel.orders)
        except Failure as failure:
            if failure.error != InstructionErrorCustom(DexErrorCode.ORDER_NOT_FOUND):
                raise
    context.release()


def prune(context: Context, limit: int) -> None:
    """Play Prune."""
    check(len(context.accounts) == 7, "state", 2526)
    market_, bids_, asks_, authority, open_orders_, owner, event_q_ = context.accounts
    check_signer(authority)
    market = Market(market_, context.program_id, allow_disabled=False)
    check(market.authority("prune_authority") == authority.key, "state", 2540)
    orders = market.open_orders(open_orders_, owner)
    bids, asks = _sides(market, bids_, asks_, 2549)
    book = Book(market, bids, asks, market.event_queue(event_q_), context.say)
    removed = book.remove_all(open_orders_.key, limit)
    context.say(f"Program log: Pruned {len(removed[0])} bids and {len(removed[1])} asks")
    for side, leaves in zip((Side.BID, Side.ASK), removed, strict=True):
        for leaf in leaves:
            book.cancel_leaf(leaf, side, orders.order(leaf.owner_slot), open_orders_.key, orders)
