"""Instructions of OpenBook v2 about orders: placing, editing, taking, cancelling, and settling what was matched.

`remaining` are the accounts of makers whose fills are to be settled at once; one's own account never belongs there.
"""

from dataclasses import dataclass
from typing import Annotated

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.v2.codes import PlaceOrderType, SelfTradeBehavior
from bmv.adapters.openbook.v2.layout import I64, U8, U64, U128, Record
from bmv.adapters.openbook.v2.metas import (
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    MaybeRead,
    MaybeSign,
    ProgramCall,
    Read,
    Sign,
    SignWrite,
    Write,
)
from bmv.adapters.openbook.v2.primitives import Choice, Many, Maybe, Number


@dataclass(frozen=True, slots=True)
class PlaceOrderArgs:
    """One order at a fixed price.

    Args:
        max_quote_lots_including_fees: Most quote to pay or to be paid, fees included.
        expiry_timestamp: Second from which it can't be matched; 0: none. At most 65,535 s from now, or it is cut.
        limit: Most orders to trade with; what is left then is dropped.
    """

    side: Side
    price_lots: I64
    max_base_lots: I64
    max_quote_lots_including_fees: I64
    client_order_id: U64
    order_type: PlaceOrderType
    expiry_timestamp: U64
    self_trade_behavior: SelfTradeBehavior
    limit: U8


@dataclass(frozen=True, slots=True)
class PlaceOrderPeggedArgs:
    """One order whose price follows the oracle.

    Args:
        price_offset_lots: Distance from the oracle's price.
        peg_limit: Price beyond which it is dropped; above 0.
    """

    side: Side
    price_offset_lots: I64
    peg_limit: I64
    max_base_lots: I64
    max_quote_lots_including_fees: I64
    client_order_id: U64
    order_type: PlaceOrderType
    expiry_timestamp: U64
    self_trade_behavior: SelfTradeBehavior
    limit: U8


@dataclass(frozen=True, slots=True)
class PlaceMultipleOrdersArgs:
    """One order of a batch; its size is what its quote buys, or sells for, at its price."""

    price_lots: I64
    max_quote_lots_including_fees: I64
    expiry_timestamp: U64


@dataclass(frozen=True, slots=True)
class PlaceTakeOrderArgs:
    """An order that takes and never rests, without an OpenOrdersAccount."""

    side: Side
    price_lots: I64
    max_base_lots: I64
    max_quote_lots_including_fees: I64
    order_type: PlaceOrderType
    limit: U8


_Batch = Annotated[tuple[PlaceMultipleOrdersArgs, ...], Many(Record(PlaceMultipleOrdersArgs), least=24)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placing(ProgramCall):
    """The accounts of whoever places one order."""

    signer: Sign
    open_orders_account: Write
    open_orders_admin: MaybeSign = None
    user_token_account: Write
    market: Write
    bids: Write
    asks: Write
    event_heap: Write
    market_vault: Write
    oracle_a: MaybeRead = None
    oracle_b: MaybeRead = None
    token_program: Read = TOKEN_PROGRAM


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder(_Placing):
    """Place one order. The wallet and the vault are those of quote for a bid, of base for an ask."""

    args: PlaceOrderArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrderPegged(_Placing):
    """Place one order pegged to the oracle."""

    args: PlaceOrderPeggedArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class EditOrder(_Placing):
    """Cancel an order by its client id, and place another only if less of it was left than expected."""

    client_order_id: U64
    expected_cancel_size: I64
    place_order: PlaceOrderArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class EditOrderPegged(_Placing):
    """As `EditOrder`, and the other one is pegged to the oracle."""

    client_order_id: U64
    expected_cancel_size: I64
    place_order: PlaceOrderPeggedArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class _PlacingMany(ProgramCall):
    """What whoever places orders on both sides says, and names.

    Args:
        bid_orders: The program calls them `bids`, as it calls the account.
    """

    orders_type: PlaceOrderType
    bid_orders: _Batch
    ask_orders: _Batch
    limit: U8
    signer: Sign
    open_orders_account: Write
    open_orders_admin: MaybeSign = None
    user_quote_account: Write
    user_base_account: Write
    market: Write
    bids: Write
    asks: Write
    event_heap: Write
    market_quote_vault: Write
    market_base_vault: Write
    oracle_a: MaybeRead = None
    oracle_b: MaybeRead = None
    token_program: Read = TOKEN_PROGRAM


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrders(_PlacingMany):
    """Place orders on both sides; their client ids are 0, 1, 2, …, bids first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAllAndPlaceOrders(_PlacingMany):
    """Cancel all orders of the account, then place others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceTakeOrder(ProgramCall):
    """Take from the book and settle with the wallets at once."""

    args: PlaceTakeOrderArgs
    signer: SignWrite
    penalty_payer: SignWrite
    market: Write
    market_authority: Read
    bids: Write
    asks: Write
    market_base_vault: Write
    market_quote_vault: Write
    event_heap: Write
    user_base_account: Write
    user_quote_account: Write
    oracle_a: MaybeRead = None
    oracle_b: MaybeRead = None
    token_program: Read = TOKEN_PROGRAM
    system_program: Read = SYSTEM_PROGRAM
    open_orders_admin: MaybeSign = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Consuming(ProgramCall):
    """The accounts of whoever settles events."""

    consume_events_admin: MaybeSign = None
    market: Write
    event_heap: Write


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumeEvents(_Consuming):
    """Settle the oldest events, at most 8; those whose accounts are not in `remaining` are passed over."""

    limit: U64


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumeGivenEvents(_Consuming):
    """Settle the events of these nodes of the heap first."""

    slots: Annotated[tuple[int, ...], Many(Number(8), least=8)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cancelling(ProgramCall):
    """The accounts of whoever cancels."""

    signer: Sign
    open_orders_account: Write
    market: Read
    bids: Write
    asks: Write


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder(_Cancelling):
    """Cancel one order."""

    order_id: U128


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrderByClientOrderId(_Cancelling):
    """Cancel the first order of that client id (v1.7), or all of them (master)."""

    client_order_id: U64


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAllOrders(_Cancelling):
    """Cancel orders of one side or both, at most `limit`."""

    side_option: Annotated[Side | None, Maybe(Choice(Side))]
    limit: U8
