"""Instructions of OpenBook v2: which a maker needs, with which accounts, and which orders they place."""

from typing import Final

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.policy.demand import Allowed, Demand, check_account, check_others, only
from bmv.adapters.openbook.policy.mandate import Moment, Ours
from bmv.adapters.openbook.policy.orders import Placement
from bmv.adapters.openbook.policy.verdict import Code, Forbidden
from bmv.adapters.openbook.v2 import funds, orders
from bmv.adapters.openbook.v2.codes import Build, PlaceOrderType
from bmv.adapters.openbook.v2.instructions import Known, build, kind_of, parse
from bmv.adapters.openbook.v2.market import PROGRAM_ID, Market
from bmv.adapters.openbook.v2.metas import SYSTEM_PROGRAM, TOKEN_PROGRAM, accounts
from bmv.adapters.openbook.v2.open_orders import indexer_address

ALLOWED: Final = (
    funds.CreateOpenOrdersIndexer,
    funds.CloseOpenOrdersIndexer,
    funds.CreateOpenOrdersAccount,
    funds.CloseOpenOrdersAccount,
    funds.SetDelegate,
    funds.Deposit,
    funds.SettleFunds,
    orders.PlaceOrder,
    orders.PlaceOrders,
    orders.CancelAllAndPlaceOrders,
    orders.CancelOrder,
    orders.CancelOrderByClientOrderId,
    orders.CancelAllOrders,
    orders.ConsumeEvents,
    orders.ConsumeGivenEvents,
)
NOT_DELEGATED: Final = (
    funds.CreateOpenOrdersIndexer,
    funds.CloseOpenOrdersIndexer,
    funds.CreateOpenOrdersAccount,
    funds.CloseOpenOrdersAccount,
    funds.SetDelegate,
    funds.Deposit,
)
POST_ONLY: Final = (PlaceOrderType.POST_ONLY, PlaceOrderType.POST_ONLY_SLIDE)


class VenueV2:
    """The market, as far as one owner may touch it.

    Args:
        address: The market's.
        version: Which build of the program: they differ in who is written to.
    """

    def __init__(
        self,
        market: Market,
        address: Pubkey,
        ours: Ours,
        version: Build = Build.V1_7,
        program: Pubkey = PROGRAM_ID,
    ) -> None:
        self.program = program
        self.mints = (market.base_mint, market.quote_mint)
        self._ours, self._version = ours, version
        self._allowed = _allowed(market, address, ours, program)
        own = ours.of_signer()
        self._paying = {"user_base_account": only(own.base), "user_quote_account": only(own.quote)}
        self._sided: dict[Side, Allowed] = {
            Side.BID: {"user_token_account": only(own.quote), "market_vault": only(market.market_quote_vault)},
            Side.ASK: {"user_token_account": only(own.base), "market_vault": only(market.market_base_vault)},
        }

    def check(self, instruction: Instruction, moment: Moment) -> Demand:
        """Return what an instruction demands, or refuse it."""
        value, metas = self._parse(instruction)
        what = type(value).__name__
        allowed = {**self._allowed, **self._payers(value)}
        for name in accounts(type(value)):
            check_account(what, name, getattr(value, name), allowed)
        cranks = isinstance(value, orders.ConsumeEvents | orders.ConsumeGivenEvents)
        check_others(what, value.remaining, moment.others | ({self._ours.open_orders} if cranks else set()))
        deposit = (value.base_amount, value.quote_amount) if isinstance(value, funds.Deposit) else (0, 0)
        if isinstance(value, funds.Deposit) and not any(deposit):
            raise Forbidden(Code.DEPOSIT, "a deposit of nothing")
        return Demand(metas.accounts, _placements(value), deposit=deposit)

    def _payers(self, value: Known) -> Allowed:
        """Return what orders may be paid from: the signer's own, where settlement pays to the owner's."""
        match value:
            case orders.PlaceOrder():
                return self._sided[value.args.side]
            case orders.PlaceOrders() | orders.CancelAllAndPlaceOrders():
                return self._paying
            case _:
                return {}

    def _parse(self, instruction: Instruction) -> tuple[Known, Instruction]:
        """Read an instruction; it must be written as we would write it, to the last byte."""
        try:
            kind = kind_of(bytes(instruction.data))
            if kind not in ALLOWED:
                raise Forbidden(Code.INSTRUCTION, f"{kind.__name__}, which no maker needs")
            if self._ours.delegate is not None and kind in NOT_DELEGATED:
                raise Forbidden(Code.INSTRUCTION, f"{kind.__name__}, which a delegate may not sign")
            value = parse(instruction)
            again = build(value, self.program, self._version)
        except (Malformed, ValueError, OverflowError) as error:
            raise Forbidden(Code.INSTRUCTION, f"no instruction of OpenBook v2: {error}") from None
        if bytes(again.data) != bytes(instruction.data):
            raise Forbidden(Code.INSTRUCTION, f"{kind.__name__} in other bytes than it is written with")
        return value, again


def _allowed(market: Market, address: Pubkey, ours: Ours, program: Pubkey) -> Allowed:
    """Return what each account may be, by the names of the program."""
    signer, delegates = only(ours.signer), frozenset[Pubkey | None](ours.delegates)
    same = ("bids", "asks", "event_heap", "oracle_a", "oracle_b", "market_authority")
    vaults = ("market_base_vault", "market_quote_vault")
    return {name: only(getattr(market, name)) for name in (*same, *vaults)} | {
        "market": only(address),
        "signer": signer,
        "owner": signer,
        "payer": signer,
        "penalty_payer": signer,
        "sol_destination": signer,
        "open_orders_account": only(ours.open_orders),
        "open_orders_indexer": only(indexer_address(ours.owner, program)[0]),
        "open_orders_admin": only(None),
        "consume_events_admin": only(None),
        "user_base_account": only(ours.base),
        "user_quote_account": only(ours.quote),
        "referrer_account": only(ours.referrer, None),
        "delegate_account": only(None) | delegates,
        "token_program": only(TOKEN_PROGRAM),
        "system_program": only(SYSTEM_PROGRAM),
    }


def _placements(value: Known) -> list[Placement]:
    match value:
        case orders.PlaceOrder():
            return [_one(value.args)]
        case orders.PlaceOrders() | orders.CancelAllAndPlaceOrders():
            takes = _may_take(value.orders_type)
            return [_of_batch(order, takes) for order in (*value.bid_orders, *value.ask_orders)]
        case _:
            return []


def _one(args: orders.PlaceOrderArgs) -> Placement:
    if args.max_quote_lots_including_fees <= 0:
        raise Forbidden(Code.NOTIONAL, f"PlaceOrder of {args.max_quote_lots_including_fees} quote lots")
    return Placement(
        price=args.price_lots,
        lots=args.max_base_lots,
        quote_lots=args.price_lots * args.max_base_lots,
        deadline_s=args.expiry_timestamp or None,
        takes=_may_take(args.order_type),
    )


def _of_batch(order: orders.PlaceMultipleOrdersArgs, takes: bool) -> Placement:
    """Return an order of a batch, whose size is what its quote makes at its price."""
    quote = order.max_quote_lots_including_fees
    return Placement(
        price=order.price_lots,
        lots=quote // order.price_lots if order.price_lots > 0 else 0,
        quote_lots=quote,
        deadline_s=order.expiry_timestamp or None,
        takes=takes,
    )


def _may_take(kind: PlaceOrderType) -> bool:
    """Say whether an order may trade at once; one without a price of its own is refused."""
    if kind is PlaceOrderType.MARKET:
        raise Forbidden(Code.ORDER_TYPE, "a market order, which has no price to be held to")
    return kind not in POST_ONLY
