"""Placing, editing and taking: what the instructions do around the matching of each order.

Source: `lib.rs`, `instructions/{place_order,edit_order,cancel_all_and_place_orders,place_take_order}.rs`.
"""

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.v2 import orders
from bmv.adapters.openbook.v2.codes import PlaceOrderType, SelfTradeBehavior
from bmv.adapters.openbook.v2.orders import PlaceMultipleOrdersArgs, PlaceOrderArgs, PlaceOrderPeggedArgs
from bmv.adapters.openbook.v2.returned import write_order_id, write_order_ids
from bmv.adapters.sandbox.openbook_v2.allocation import BATCH_ARGS, BATCH_ORDER, BOXES, KEY
from bmv.adapters.sandbox.openbook_v2.cancelling import cancel_all, cancel_by_client_id
from bmv.adapters.sandbox.openbook_v2.failure import i64, occurred, u64
from bmv.adapters.sandbox.openbook_v2.frame import PENALTY_EVENT_HEAP, Frame
from bmv.adapters.sandbox.openbook_v2.matching import Placing
from bmv.adapters.sandbox.openbook_v2.memory import View
from bmv.adapters.sandbox.openbook_v2.oracles import oracle_price_lots
from bmv.adapters.sandbox.openbook_v2.order import Amounts, Order, sized
from bmv.adapters.sandbox.transfers import amount_of

_SECONDS_MAX = 65_535
_I64_MAX = (1 << 63) - 1


def place_order(frame: Frame, instruction: orders.PlaceOrder) -> bytes:
    args = instruction.args
    frame.require_least(args.price_lots, 1, "InvalidInputPriceLots", "place_order")
    order = _fixed(frame, args)
    return write_order_id(None if order is None else _place(frame, order, args.limit))


def place_order_pegged(frame: Frame, instruction: orders.PlaceOrderPegged) -> bytes:
    args = instruction.args
    order = _pegged(frame, args, "place_pegged_oracle", "place_pegged_limit")
    return write_order_id(None if order is None else _place(frame, order, args.limit))


def edit_order(frame: Frame, instruction: orders.EditOrder) -> bytes:
    args = instruction.place_order
    frame.require_least(args.price_lots, 1, "InvalidInputPriceLots", "edit_order")
    return _edit(frame, instruction.client_order_id, instruction.expected_cancel_size, _fixed(frame, args), args.limit)


def edit_order_pegged(frame: Frame, instruction: orders.EditOrderPegged) -> bytes:
    args = instruction.place_order
    order = _pegged(frame, args, "edit_pegged_oracle", "edit_pegged_limit")
    return _edit(frame, instruction.client_order_id, instruction.expected_cancel_size, order, args.limit)


def _edit(frame: Frame, client_order_id: int, expected: int, order: Order | None, limit: int) -> bytes:
    if order is None:
        return write_order_id(None)
    frame.require_least(expected, 0, "InvalidInputCancelSize", "edit_cancel_size")
    filled = i64(expected - cancel_by_client_id(frame, client_order_id), "subtract")
    if filled <= 0 or order.max_base_lots <= filled:
        return write_order_id(None)
    less = sized(order, order.max_base_lots - filled, order.max_quote_lots_including_fees)
    return write_order_id(_place(frame, less, limit))


def _fixed(frame: Frame, args: PlaceOrderArgs) -> Order | None:
    seconds = _time_in_force(frame, args.expiry_timestamp)
    if seconds is None:
        return None
    return Order(
        side=args.side,
        max_base_lots=args.max_base_lots,
        max_quote_lots_including_fees=args.max_quote_lots_including_fees,
        client_order_id=args.client_order_id,
        time_in_force=seconds,
        self_trade_behavior=args.self_trade_behavior,
        order_type=args.order_type,
        price=args.price_lots,
    )


def _pegged(frame: Frame, args: PlaceOrderPeggedArgs, oracle_site: str, limit_site: str) -> Order | None:
    frame.require(frame.given("oracle_a") is not None, "DisabledOraclePeg", oracle_site)
    frame.require(args.peg_limit > 0, "InvalidInputPegLimit", limit_site, (args.peg_limit, 0))
    seconds = _time_in_force(frame, args.expiry_timestamp)
    if seconds is None:
        return None
    if args.order_type is PlaceOrderType.MARKET:
        raise occurred(frame.build, "InvalidOrderPostMarket")
    if args.order_type in (PlaceOrderType.IMMEDIATE_OR_CANCEL, PlaceOrderType.FILL_OR_KILL):
        raise occurred(frame.build, "InvalidOrderPostIOC")
    return Order(
        side=args.side,
        max_base_lots=args.max_base_lots,
        max_quote_lots_including_fees=args.max_quote_lots_including_fees,
        client_order_id=args.client_order_id,
        time_in_force=seconds,
        self_trade_behavior=args.self_trade_behavior,
        order_type=args.order_type,
        price=args.price_offset_lots,
        peg_limit=args.peg_limit,
        pegged=True,
    )


def _time_in_force(frame: Frame, expiry: int) -> int | None:
    """Return the seconds an order may rest, 0: for ever; None: its time is over."""
    if expiry == 0:
        return 0
    if expiry <= frame.now:
        frame.say("Order is already expired")
        return None
    return min(expiry - frame.now, _SECONDS_MAX)


def _place(frame: Frame, order: Order, limit: int) -> int | None:
    frame.require_least(order.max_base_lots, 0, "InvalidInputLots", "place_base_lots")
    frame.require_least(order.max_quote_lots_including_fees, 0, "InvalidInputLots", "place_quote_lots")
    market = frame.market()
    vault = market.market_quote_vault if order.side is Side.BID else market.market_base_vault
    compared = (vault, frame.key("market_vault"))
    frame.require(vault == frame.key("market_vault"), "InvalidMarketVault", "place_vault", compared)
    _check_open(frame, "place_expired")
    before = len(frame.heap())
    amounts = _run(frame, order, oracle_price_lots(frame), limit)
    position = frame.open_orders().position
    wanted = _wanted(order.side, amounts)
    if order.side is Side.BID:
        free = min(wanted, position.quote_free_native)
        position.quote_free_native -= free
        market.quote_deposit_total += wanted - free
    else:
        free = min(wanted, position.base_free_native)
        position.base_free_native -= free
        market.base_deposit_total += wanted - free
    _count_penalty(frame, position, before)
    frame.transfer_tokens(wanted - free, "user_token_account", "market_vault", "signer")
    return amounts.order_id


def _run(frame: Frame, order: Order, oracle: int | None, limit: int) -> Amounts:
    return Placing(frame, order, frame.key("open_orders_account"), frame.open_orders(), oracle, limit).run()


def _wanted(side: Side, amounts: Amounts) -> int:
    if side is Side.BID:
        return u64(amounts.taken_quote + amounts.posted_quote + amounts.taker_fees + amounts.maker_fees)
    return u64(amounts.taken_base + amounts.posted_base)


def _check_open(frame: Frame, site: str) -> None:
    frame.require(not frame.is_expired(), "MarketHasExpired", site)


def _count_penalty(frame: Frame, position: View, before: int) -> None:
    if len(frame.heap()) > before:
        position.penalty_heap_count += 1


def place_orders(frame: Frame, instruction: orders.PlaceOrders) -> bytes:
    return _place_many(frame, _many(frame, instruction, "place_orders"), instruction.limit, cancel=False)


def cancel_all_and_place_orders(frame: Frame, instruction: orders.CancelAllAndPlaceOrders) -> bytes:
    many = _many(frame, instruction, "cancel_all_and_place_orders")
    return _place_many(frame, many, instruction.limit, cancel=True)


def _many(frame: Frame, instruction: orders.PlaceOrders | orders.CancelAllAndPlaceOrders, site: str) -> list[Order]:
    many = []
    bids, asks = instruction.bid_orders, instruction.ask_orders
    frame.memory.take(BOXES + (len(bids) + len(asks)) * BATCH_ARGS)
    for index, args in enumerate((*bids, *asks)):
        frame.require_least(args.price_lots, 1, "InvalidInputPriceLots", site)
        seconds = _time_in_force(frame, args.expiry_timestamp)
        if seconds is not None:
            side = Side.BID if index < len(bids) else Side.ASK
            many.append(_one_of_many(side, args, index, seconds, instruction.orders_type))
            frame.memory.push(len(many), BATCH_ORDER)
    return many


def _one_of_many(
    side: Side, args: PlaceMultipleOrdersArgs, index: int, seconds: int, order_type: PlaceOrderType
) -> Order:
    return Order(
        side=side,
        max_base_lots=0,  # Set when its turn comes.
        max_quote_lots_including_fees=args.max_quote_lots_including_fees,
        client_order_id=index,
        time_in_force=seconds,
        self_trade_behavior=SelfTradeBehavior.CANCEL_PROVIDE,
        order_type=order_type,
        price=args.price_lots,
    )


def _place_many(frame: Frame, many: list[Order], limit: int, *, cancel: bool) -> bytes:
    market = frame.market()
    _check_open(frame, "batch_expired")
    before = len(frame.heap())
    oracle = oracle_price_lots(frame)
    if cancel:
        cancel_all(frame, 255)
    wallets = {Side.BID: _held(frame, "user_quote_account"), Side.ASK: _held(frame, "user_base_account")}
    spent = {Side.BID: 0, Side.ASK: 0}
    order_ids = []
    for order in many:
        least = order.max_quote_lots_including_fees
        frame.require_least(least, 0, "InvalidInputLots", "batch_quote_lots")
        amounts = _run(frame, _afforded(frame, market, order, wallets, spent), oracle, limit)
        spent[order.side] += _wanted(order.side, amounts)
        if spent[order.side] >= 1 << 64:
            raise occurred(frame.build, "InvalidInputOrdersAmounts")
        order_ids.append(amounts.order_id)
        frame.memory.push(len(order_ids), KEY)
    _pay_many(frame, market, spent, before)
    return write_order_ids(tuple(order_ids))


def _held(frame: Frame, name: str) -> int:
    return amount_of(frame.state(name).data)


def _afforded(frame: Frame, market: View, order: Order, wallets: dict[Side, int], spent: dict[Side, int]) -> Order:
    """Return the order, cut to what wallet and account can pay for."""
    position = frame.open_orders().position
    free = position.quote_free_native if order.side is Side.BID else position.base_free_native
    available = u64(u64(wallets[order.side] + free) - spent[order.side], "subtract")
    base_lot, quote_lot = int(market.base_lot_size), int(market.quote_lot_size)
    base_lots, quote_lots = _I64_MAX // base_lot, order.max_quote_lots_including_fees
    if order.side is Side.ASK:
        base_lots = min(base_lots, available // base_lot)
    else:
        quote_lots = min(quote_lots, available // quote_lot, _I64_MAX // quote_lot)
    return sized(order, base_lots, quote_lots)


def _pay_many(frame: Frame, market: View, spent: dict[Side, int], before: int) -> None:
    position = frame.open_orders().position
    free_base = min(spent[Side.ASK], position.base_free_native)
    free_quote = min(spent[Side.BID], position.quote_free_native)
    base, quote = spent[Side.ASK] - free_base, spent[Side.BID] - free_quote
    position.base_free_native -= free_base
    position.quote_free_native -= free_quote
    market.base_deposit_total += base
    market.quote_deposit_total += quote
    _count_penalty(frame, position, before)
    frame.transfer_tokens(quote, "user_quote_account", "market_quote_vault", "signer")
    frame.transfer_tokens(base, "user_base_account", "market_base_vault", "signer")


def place_take_order(frame: Frame, instruction: orders.PlaceTakeOrder) -> bytes:
    args = instruction.args
    frame.require_least(args.price_lots, 1, "InvalidInputPriceLots", "place_take_order")
    if args.order_type in (PlaceOrderType.LIMIT, PlaceOrderType.POST_ONLY, PlaceOrderType.POST_ONLY_SLIDE):
        raise occurred(frame.build, "InvalidInputOrderType")
    frame.require_least(args.max_base_lots, 0, "InvalidInputLots", "take_base_lots")
    frame.require_least(args.max_quote_lots_including_fees, 0, "InvalidInputLots", "take_quote_lots")
    market = frame.market()
    _check_open(frame, "take_expired")
    before = len(frame.heap())
    amounts = Placing(frame, _taking(args), frame.key("signer"), None, oracle_price_lots(frame), args.limit).run()
    _pay_taken(frame, market, args.side, amounts, grew=len(frame.heap()) > before)
    return b""


def _taking(args: orders.PlaceTakeOrderArgs) -> Order:
    return Order(
        side=args.side,
        max_base_lots=args.max_base_lots,
        max_quote_lots_including_fees=args.max_quote_lots_including_fees,
        client_order_id=0,
        time_in_force=0,
        self_trade_behavior=SelfTradeBehavior.DECREMENT_TAKE,
        order_type=args.order_type,
        price=args.price_lots,
    )


def _pay_taken(frame: Frame, market: View, side: Side, amounts: Amounts, *, grew: bool) -> None:
    """Exchange with the wallets what was taken; the taker pays the makers' rebates, and no referrer."""
    rebates = u64(amounts.taker_fees - amounts.referrer_amount, "subtract")
    if side is Side.BID:
        paid, received = u64(amounts.taken_quote + rebates), amounts.taken_base
        market.base_deposit_total -= received
        market.quote_deposit_total += paid
        wallets = ("user_quote_account", "market_quote_vault", "market_base_vault", "user_base_account")
    else:
        paid, received = amounts.taken_base, u64(amounts.taken_quote - rebates, "subtract")
        market.base_deposit_total += paid
        market.quote_deposit_total -= received
        wallets = ("user_base_account", "market_base_vault", "market_quote_vault", "user_quote_account")
    if grew:
        frame.transfer_lamports(PENALTY_EVENT_HEAP[frame.build], "penalty_payer", "market")
    frame.transfer_tokens(paid, wallets[0], wallets[1], "signer")
    frame.transfer_tokens(received, wallets[2], wallets[3], "market_authority")
