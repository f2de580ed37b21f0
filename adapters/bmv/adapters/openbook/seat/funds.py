"""Our money at the venue: what is free, what orders lock, and what fills will bring once they are cranked."""

from collections.abc import Iterable
from typing import NamedTuple

from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.seat.desk import DeskSnapshot
from bmv.adapters.openbook.v1.accounts import OpenOrders
from bmv.adapters.openbook.v1.events import EventQueue, Fill
from bmv.adapters.openbook.v2.heap import EventHeap, FillEvent
from bmv.adapters.openbook.v2.market import FEES_SCALE_FACTOR
from bmv.adapters.openbook.v2.market import Market as MarketV2
from bmv.adapters.openbook.v2.open_orders import OpenOrdersAccount


class Funds(NamedTuple):
    """Native amounts of one coin.

    Args:
        free: Paid out by the next settlement.
        locked: By orders, those of fills that were not cranked too: what these paid is still counted here.
        unsettled: What fills that were not cranked will bring.
    """

    free: int
    locked: int
    unsettled: int


class Held(NamedTuple):
    """What lies at the venue."""

    base: Funds
    quote: Funds

    @property
    def is_empty(self) -> bool:
        """Whether nothing of ours is there."""
        return not any((*self.base, *self.quote))


NOTHING = Held(Funds(0, 0, 0), Funds(0, 0, 0))


class Owned(NamedTuple):
    """All that is ours on a market to trade with, in wallets and at the venue, free or locked: native units."""

    base: int
    quote: int


def owned_of(desk: DeskSnapshot, address: Pubkey, *, wallets: bool = True) -> Owned:
    """Return all that is ours, as it will be when our events that wait are cranked: they say what they will move.

    Args:
        desk: What stands there by one bank.
        address: Of our account at the venue.
        wallets: Whether what lies in our wallets may be traded too; a delegate trades what was deposited.
    """
    held, account = held_of(desk, address), desk.account
    rebates = account.referrer_rebates_accrued if isinstance(account, OpenOrders) else 0
    if isinstance(account, OpenOrdersAccount):
        rebates = account.position.referrer_rebates_available
    base_wallet, quote_wallet = (desk.base_wallet or 0, desk.quote_wallet or 0) if wallets else (0, 0)
    moved = _moved_by_events(desk, address)
    return Owned(
        base_wallet + held.base.free + held.base.locked + moved.base,
        quote_wallet + held.quote.free + held.quote.locked + rebates + moved.quote,
    )


def _moved_by_events(desk: DeskSnapshot, address: Pubkey) -> Owned:
    """Return by how much our events that wait will change what is ours: of takers that is done when they trade."""
    base = quote = 0
    if isinstance(desk.queue, EventQueue):
        for one in desk.queue.pending():
            if isinstance(one, Fill) and one.maker and one.owner == address:
                sign = 1 if one.side is Side.BID else -1
                base += sign * one.native_coin
                quote += one.native_qty_received if sign < 0 else -one.native_qty_paid  # Less the rebate already.
    elif isinstance(desk.market, MarketV2):
        market = desk.market
        for _, event in desk.queue.events():
            if isinstance(event, FillEvent) and event.maker == address:
                sign = 1 if event.taker_side is Side.ASK else -1
                native = event.price * event.quantity * market.quote_lot_size
                base += sign * event.quantity * market.base_lot_size
                quote -= sign * native
                if event.maker != event.taker:
                    quote += _rebate(event, market) - native * max(market.maker_fee, 0) // FEES_SCALE_FACTOR
    return Owned(base, quote)


def held_of(desk: DeskSnapshot, address: Pubkey) -> Held:
    """Return what we have at the venue; `address` is our account's."""
    account, queue = desk.account, desk.queue
    if isinstance(account, OpenOrders) and isinstance(queue, EventQueue):
        fills = [one for one in queue.pending() if isinstance(one, Fill) and one.maker and one.owner == address]
        base, quote = _sums((one.side, one.native_qty_received) for one in fills)
        rebates = sum(one.native_fee_or_rebate for one in fills if one.side is Side.BID)
        return Held(
            Funds(account.native_coin_free, account.native_coin_total - account.native_coin_free, base),
            Funds(account.native_pc_free, account.native_pc_total - account.native_pc_free, quote + rebates),
        )
    if isinstance(account, OpenOrdersAccount) and isinstance(queue, EventHeap) and isinstance(desk.market, MarketV2):
        market, position = desk.market, account.position
        mine = [one for _, one in queue.events() if isinstance(one, FillEvent) and one.maker == address]
        base, quote = _sums((Side(1 - one.taker_side), _received(one, market)) for one in mine)
        rebates = sum(_rebate(one, market) for one in mine)
        bids = max(position.bids_quote_lots, 0) * market.quote_lot_size + position.locked_maker_fees
        return Held(
            Funds(position.base_free_native, position.asks_base_lots * market.base_lot_size, base),
            Funds(position.quote_free_native, bids, quote + rebates),
        )
    return NOTHING


def _sums(received: Iterable[tuple[Side, int]]) -> tuple[int, int]:
    """Return base that bids brought and quote that asks brought."""
    base = quote = 0
    for side, native in received:
        if side is Side.BID:
            base += native
        else:
            quote += native
    return base, quote


def _received(fill: FillEvent, market: MarketV2) -> int:
    if fill.taker_side is Side.ASK:
        return fill.quantity * market.base_lot_size
    fee = max(market.maker_fee, 0)
    native = fill.price * fill.quantity * market.quote_lot_size
    return native - -(-native * fee // FEES_SCALE_FACTOR)


def _rebate(fill: FillEvent, market: MarketV2) -> int:
    native = fill.price * fill.quantity * market.quote_lot_size
    return native * max(-market.maker_fee, 0) // FEES_SCALE_FACTOR
