"""A delegate's key on version 2: what the program takes from it, and what our own policy never lets it sign.

With BMV_OPENBOOK_V2_SO the genuine program is asked, and else the sandbox's double.
"""

from dataclasses import dataclass, replace

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.rigs.policy_scene import LIFE_S, TIP, compiled
from tests.rigs.trading import DEPOSIT_BASE, DEPOSIT_QUOTE, appoint, user_account

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.delegate import delegate_of
from bmv.adapters.openbook.planning.budget import Fee
from bmv.adapters.openbook.planning.orders import Own
from bmv.adapters.openbook.planning.packing import Frame
from bmv.adapters.openbook.planning.routes import LARGE_BYTES, Form
from bmv.adapters.openbook.planning.seat import Seat, Terms
from bmv.adapters.openbook.planning.v2 import SHAPE, PlannerV2
from bmv.adapters.openbook.policy.mandate import Limits, Moment
from bmv.adapters.openbook.policy.policy import Policy
from bmv.adapters.openbook.policy.verdict import Approved, Code, Refusal
from bmv.adapters.openbook.seat.rights import make_policy, make_seat
from bmv.adapters.openbook.v2 import codes, funds, orders
from bmv.adapters.openbook.v2.heap import EventHeap
from bmv.adapters.openbook.v2.instructions import build
from bmv.adapters.openbook.v2.market import PROGRAM_ID
from bmv.adapters.openbook.v2.open_orders import indexer_address
from bmv.adapters.sandbox.market_v2 import MarketV2
from bmv.adapters.sandbox.wallets import signed_by
from bmv.adapters.sandbox.wiring import Sandbox, Settings, make_sandbox
from bmv.adapters.solana.tokens import (
    associated_account,
    close_token_account,
    create_associated_account,
    read_token_account,
    transfer_tokens,
)

WRONG_OWNER, CONSTRAINT_RAW = 4, 2003
LIMITS = Limits(
    order_lots_max=10**9,
    order_quote_lots_max=10**15,
    total_quote_lots_max=10**16,
    order_life_s_max=LIFE_S,
    priority_lamports_max=10_000,
    deposit_max=(10**12, 10**12),
)


@dataclass
class Hot:
    """A delegate's key on a living market, and the owner's accounts that it may not reach."""

    box: Sandbox
    seat: Seat
    key: Keypair
    policy: Policy

    @property
    def state(self) -> MarketV2:
        market = self.box.world.market
        assert isinstance(market, MarketV2)
        return market

    def moment(self) -> Moment:
        chain = self.box.chain
        return Moment(chain.ledger.open.newest_hash, chain.unix_timestamp, 1, 10**6)

    def judge(self, *instructions: Instruction) -> Approved | Refusal:
        """Ask our policy."""
        moment = self.moment()
        return self.policy.judge(compiled(list(instructions), "v0", self.key.pubkey(), moment.blockhash, 0), moment)

    def land(self, *instructions: Instruction) -> object:
        """Let the program answer, without any policy; None: it did it."""
        chain = self.box.chain
        error = chain.land(signed_by([self.key], list(instructions), chain.ledger.open.newest_hash))
        chain.advance(2)
        return error

    def place(self, side: Side, lots: int, payer: Pubkey) -> Instruction:
        """Return an order far from the market, whose rest is paid from some token account."""
        market, bid = self.state.state, side is Side.BID
        price = 5_000 if bid else 50_000
        return build(
            orders.PlaceOrder(
                args=orders.PlaceOrderArgs(
                    side=side,
                    price_lots=price,
                    max_base_lots=lots,
                    max_quote_lots_including_fees=lots * price,
                    client_order_id=7,
                    order_type=codes.PlaceOrderType.POST_ONLY,
                    expiry_timestamp=self.moment().now_s + 30,
                    self_trade_behavior=codes.SelfTradeBehavior.CANCEL_PROVIDE,
                    limit=10,
                ),
                signer=self.key.pubkey(),
                open_orders_account=self.seat.open_orders,
                user_token_account=payer,
                market=self.seat.market,
                bids=market.bids,
                asks=market.asks,
                event_heap=market.event_heap,
                market_vault=market.market_quote_vault if bid else market.market_base_vault,
            )
        )

    def settle(self, base: Pubkey, quote: Pubkey) -> Instruction:
        """Return the settlement to some token accounts."""
        market, own = self.state.state, self.key.pubkey()
        return build(
            funds.SettleFunds(
                owner=own,
                penalty_payer=own,
                open_orders_account=self.seat.open_orders,
                market=self.seat.market,
                market_authority=market.market_authority,
                market_base_vault=market.market_base_vault,
                market_quote_vault=market.market_quote_vault,
                user_base_account=base,
                user_quote_account=quote,
                referrer_account=self.seat.quote_wallet,
            )
        )

    def held(self, *accounts: Pubkey) -> list[int]:
        """Return native amounts of token accounts."""
        found = [self.box.chain.account(account) for account in accounts]
        return [read_token_account(one).amount for one in found if one is not None]

    def deposited_lots(self, side: Side) -> int:
        """Return lots that the deposit pays for, at the prices of `place`."""
        lots = self.state.lots
        return DEPOSIT_QUOTE // (5_000 * lots.quote_lot) if side is Side.BID else DEPOSIT_BASE // lots.base_lot


@pytest.fixture
def hot() -> Hot:
    box = make_sandbox(Settings(seed=11))
    account = user_account(box)
    key = appoint(box, account)
    market = box.world.market
    assert isinstance(market, MarketV2)
    seat = make_seat(market.address, market.state, PROGRAM_ID, box.world.user.address, account, signer=key.pubkey())
    return Hot(box, seat, key, make_policy(seat, market.state, LIMITS))


def own(hot: Hot) -> tuple[Pubkey, Pubkey]:
    assert hot.seat.delegate is not None
    return hot.seat.delegate.base, hot.seat.delegate.quote


@pytest.mark.parametrize("side", list(Side))
def test_an_order_within_the_deposit_rests(hot: Hot, side: Side) -> None:
    payer = hot.seat.quote_payer if side is Side.BID else hot.seat.base_payer
    order = hot.place(side, hot.deposited_lots(side), payer)

    assert isinstance(hot.judge(order), Approved)
    assert hot.land(order) is None
    assert [one.owner for one in hot.state.book(side) if one.owner == hot.seat.open_orders] == [hot.seat.open_orders]


@pytest.mark.parametrize("side", list(Side))
def test_nothing_is_taken_from_the_owners_wallet(hot: Hot, side: Side) -> None:
    wallet = hot.seat.quote_wallet if side is Side.BID else hot.seat.base_wallet
    before = hot.held(hot.seat.base_wallet, hot.seat.quote_wallet)
    order = hot.place(side, hot.deposited_lots(side) + 1, wallet)

    verdict = hot.judge(order)
    answer = hot.land(order)

    assert isinstance(verdict, Refusal)
    assert (verdict.code, "user_token_account" in verdict.text) == (Code.ACCOUNT, True)
    assert answer == {"InstructionError": [0, {"Custom": WRONG_OWNER}]}
    assert hot.held(hot.seat.base_wallet, hot.seat.quote_wallet) == before


def test_settlement_pays_the_owner_and_nobody_else(hot: Hot) -> None:
    theirs, ours = own(hot), (hot.seat.base_wallet, hot.seat.quote_wallet)
    before = hot.held(*ours)
    for base, quote in (theirs, (ours[0], theirs[1]), (theirs[0], ours[1])):
        taken = hot.settle(base, quote)

        verdict = hot.judge(taken)
        answer = hot.land(taken)

        assert isinstance(verdict, Refusal)
        assert verdict.code is Code.ACCOUNT
        assert answer == {"InstructionError": [0, {"Custom": CONSTRAINT_RAW}]}
    assert hot.held(*theirs) == [0, 0]
    paid = hot.settle(*ours)
    assert isinstance(hot.judge(paid), Approved)
    assert hot.land(paid) is None
    assert hot.held(*ours) == [before[0] + DEPOSIT_BASE, before[1] + DEPOSIT_QUOTE]


def _forbidden(hot: Hot) -> dict[str, Instruction]:
    """Return what a stolen delegate's key would like to do."""
    thief, seat, market = hot.key.pubkey(), hot.seat, hot.state.state
    base, quote = own(hot)
    return {
        "moves the owner's tokens": transfer_tokens(seat.base_wallet, base, thief, 1),
        "moves its own tokens on": transfer_tokens(base, associated_account(TIP, hot.state.state.base_mint), thief, 1),
        "closes the owner's wallet": close_token_account(seat.quote_wallet, thief),
        "names another delegate": build(
            funds.SetDelegate(owner=thief, open_orders_account=seat.open_orders, delegate_account=TIP)
        ),
        "closes the account": build(
            funds.CloseOpenOrdersAccount(
                owner=thief,
                open_orders_indexer=indexer_address(seat.owner)[0],
                open_orders_account=seat.open_orders,
                sol_destination=thief,
            )
        ),
        "deposits": build(
            funds.Deposit(
                base_amount=1,
                quote_amount=0,
                owner=thief,
                user_base_account=base,
                user_quote_account=quote,
                open_orders_account=seat.open_orders,
                market=seat.market,
                market_base_vault=market.market_base_vault,
                market_quote_vault=market.market_quote_vault,
            )
        ),
    }


def test_whatever_is_not_trading_is_refused_before_it_is_signed(hot: Hot) -> None:
    refused = {name: hot.judge(one) for name, one in _forbidden(hot).items()}

    assert {name for name, verdict in refused.items() if isinstance(verdict, Refusal)} == set(_forbidden(hot))


def test_the_owners_own_key_is_not_asked_for_what_a_delegate_does(hot: Hot) -> None:
    """A policy for the delegate signs for the delegate alone: a message that the owner pays for is refused."""
    order = hot.place(Side.BID, 1, hot.seat.quote_payer)
    moment = hot.moment()

    verdict = hot.policy.judge(compiled([order], "v0", hot.seat.owner, moment.blockhash, 0), moment)

    assert isinstance(verdict, Refusal)
    assert verdict.code is Code.PAYER
    assert hot.policy.signer == hot.key.pubkey()


def test_the_owner_deposits_no_more_than_is_asked_and_makes_his_delegates_wallets(hot: Hot) -> None:
    market, mints = hot.state.state, (hot.state.state.base_mint, hot.state.state.quote_mint)
    seat = replace(hot.seat, delegate=None)
    named = frozenset({hot.key.pubkey()})

    def judge(limits: Limits, *instructions: Instruction, delegates: frozenset[Pubkey] = named) -> Code | None:
        policy, moment = make_policy(seat, market, limits, delegates=delegates), hot.moment()
        verdict = policy.judge(compiled(list(instructions), "v0", seat.owner, moment.blockhash, 0), moment)
        return verdict.code if isinstance(verdict, Refusal) else None

    def deposit(base: int, quote: int) -> Instruction:
        return build(
            funds.Deposit(
                base_amount=base,
                quote_amount=quote,
                owner=seat.owner,
                user_base_account=seat.base_wallet,
                user_quote_account=seat.quote_wallet,
                open_orders_account=seat.open_orders,
                market=seat.market,
                market_base_vault=market.market_base_vault,
                market_quote_vault=market.market_quote_vault,
            )
        )

    few = replace(LIMITS, deposit_max=(10, 20))
    made = create_associated_account(seat.owner, hot.key.pubkey(), mints[0])
    assert judge(few, deposit(10, 20)) is None
    assert judge(few, deposit(11, 0)) is Code.DEPOSIT
    assert judge(few, deposit(5, 0), deposit(6, 0)) is Code.DEPOSIT
    assert judge(replace(few, deposit_max=(0, 0)), deposit(0, 1)) is Code.DEPOSIT
    assert judge(few, deposit(0, 0)) is Code.DEPOSIT
    assert judge(few, made) is None
    assert judge(few, made, delegates=frozenset()) is Code.INSTRUCTION
    assert delegate_of(hot.key.pubkey(), mints) == hot.seat.delegate


def test_a_settlement_is_never_planned_for_a_delegate_unless_it_is_asked_for(hot: Hot) -> None:
    """What is paid out can't be traded with: a threshold that suits an owner would end a delegate's trading."""

    own_now = Own(resting=(), slots_free=24, slots_waiting=0, base_free=10**9, quote_free=10**9)
    account = hot.box.chain.account(hot.state.state.event_heap)
    assert account is not None
    heap = EventHeap.decode(account.data)

    def settles(seat: Seat, terms: Terms) -> bool:
        frame = Frame(Form(1, LARGE_BYTES), seat.signer, Fee(), SHAPE)
        planned = PlannerV2(hot.state.state, seat).plan([], own_now, heap, terms, frame)
        return any(part.settles for part in planned.parts)

    lazy, asked = Terms(now=1, settle_above=(0, 0)), Terms(now=1, withdraw=True)
    assert settles(replace(hot.seat, delegate=None), lazy)
    assert not settles(hot.seat, lazy)
    assert settles(hot.seat, asked)
