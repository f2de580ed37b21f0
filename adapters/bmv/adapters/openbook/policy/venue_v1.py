"""Instructions of OpenBook version 1: which a maker needs, with which accounts, and which orders they place."""

from dataclasses import fields
from typing import Final

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.sysvar import RENT
from solders.token import ID as TOKEN_PROGRAM

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.policy.demand import Allowed, Demand, check_account, check_others, only
from bmv.adapters.openbook.policy.mandate import Moment, Ours
from bmv.adapters.openbook.policy.orders import Placement
from bmv.adapters.openbook.policy.verdict import Code, Forbidden
from bmv.adapters.openbook.v1 import instructions as does
from bmv.adapters.openbook.v1 import keys as by
from bmv.adapters.openbook.v1.accounts import Market
from bmv.adapters.openbook.v1.bodies import NewOrder, OrderType

Orders = does.NewOrderV3 | does.ReplaceOrderByClientId | does.ReplaceOrdersByClientIds
ALLOWED: Final = (
    does.InitOpenOrders
    | does.CloseOpenOrders
    | does.SettleFunds
    | Orders
    | does.CancelOrderV2
    | does.CancelOrderByClientIdV2
    | does.CancelOrdersByClientIds
    | does.ConsumeEvents
)


class VenueV1:
    """The market, as far as one owner may touch it."""

    def __init__(self, market: Market, ours: Ours, program: Pubkey = does.PROGRAM_ID) -> None:
        self.program = program
        self.mints = (market.coin_mint, market.pc_mint)
        self._ours = ours
        self._ends = only(market.own_address, market.event_q)
        self._allowed = _allowed(market, ours, market.vault_signer(program))
        self._payers = {Side.BID: only(ours.quote), Side.ASK: only(ours.base)}

    def check(self, instruction: Instruction, moment: Moment) -> Demand:
        """Return what an instruction demands, or refuse it."""
        value = self._parse(instruction)
        what = type(value).__name__
        if isinstance(value, does.ConsumeEvents):
            self._check_crank(what, value.keys, moment)
        else:
            orders = _orders(value)
            allowed = self._allowed if not orders else {**self._allowed, "payer": self._payer(what, orders)}
            for field in fields(value.keys):
                check_account(what, field.name, getattr(value.keys, field.name), allowed)
        placements = [_placement(order) for order in _orders(value)]
        return Demand(value.keys.to_metas(), placements)

    def _parse(self, instruction: Instruction) -> does.AnyInstruction:
        """Read an instruction; it must be written as we would write it, to the last byte and account."""
        try:
            value = does.parse(instruction)
            again = does.build(value, self.program)
        except (Malformed, ValueError) as error:
            raise Forbidden(Code.INSTRUCTION, f"no instruction of OpenBook v1: {error}") from None
        if not isinstance(value, ALLOWED):
            raise Forbidden(Code.INSTRUCTION, f"{type(value).__name__}, which no maker needs")
        if bytes(again.data) != bytes(instruction.data):
            raise Forbidden(Code.INSTRUCTION, f"{type(value).__name__} in other bytes than it is written with")
        return value

    def _payer(self, what: str, orders: tuple[NewOrder, ...]) -> frozenset[Pubkey | None]:
        sides = {order.side for order in orders}
        if len(sides) != 1:
            raise Forbidden(Code.INSTRUCTION, f"{what}: orders of both sides, which one account can't pay")
        return self._payers[sides.pop()]

    def _check_crank(self, what: str, keys: by.CrankKeys, moment: Moment) -> None:
        check_others(what, keys.open_orders, moment.others | {self._ours.open_orders})
        check_account(what, "market", keys.market, self._allowed)
        check_account(what, "event_q", keys.event_q, self._allowed)
        for end in keys.ends:
            check_account(what, "end", end, {"end": self._ends})


def _allowed(market: Market, ours: Ours, vault_signer: Pubkey) -> Allowed:
    """Return what each account may be, by the names of the program."""
    own = {name: only(getattr(market, name)) for name in ("req_q", "event_q", "bids", "asks", "coin_vault", "pc_vault")}
    any_of_market = frozenset[Pubkey | None]().union(*own.values(), only(market.own_address))
    return own | {
        "market": only(market.own_address),
        "open_orders": only(ours.open_orders),
        "owner": only(ours.owner),
        "destination": only(ours.owner),
        "coin_wallet": only(ours.base),
        "pc_wallet": only(ours.quote),
        "vault_signer": only(vault_signer),
        "token_program": only(TOKEN_PROGRAM),
        "rent": only(RENT, TOKEN_PROGRAM) | any_of_market,  # The program does not look at it.
        "referrer": only(ours.referrer, None),
        "discount": only(None),
        "open_orders_authority": only(None),
    }


def _orders(value: does.AnyInstruction) -> tuple[NewOrder, ...]:
    match value:
        case does.NewOrderV3() | does.ReplaceOrderByClientId():
            return (value.order,)
        case does.ReplaceOrdersByClientIds():
            return value.orders
        case _:
            return ()


def _placement(order: NewOrder) -> Placement:
    return Placement(
        price=order.limit_price,
        lots=order.max_coin_qty,
        quote_lots=order.limit_price * order.max_coin_qty,
        deadline_s=order.max_ts,
        takes=order.order_type is not OrderType.POST_ONLY,
    )
