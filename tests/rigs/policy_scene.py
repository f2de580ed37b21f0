"""One owner on a market of the sandbox: what he may do, and the honest messages of every kind that he sends."""

from dataclasses import dataclass

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import Message, MessageV0, MessageV1, TransactionConfig, from_bytes_versioned, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import CreateAccountWithSeedParams, TransferParams, create_account_with_seed, transfer
from solders.token import ID as TOKEN
from solders.transaction import VersionedTransaction

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.policy.guard import GuardedSigner
from bmv.adapters.openbook.policy.mandate import Limits, Moment, Ours
from bmv.adapters.openbook.policy.policy import Policy
from bmv.adapters.openbook.policy.venue_v1 import VenueV1
from bmv.adapters.openbook.policy.venue_v2 import VenueV2
from bmv.adapters.openbook.v1 import bodies
from bmv.adapters.openbook.v1 import instructions as v1
from bmv.adapters.openbook.v1 import keys as by
from bmv.adapters.openbook.v1.events import EventQueue
from bmv.adapters.openbook.v1.layout import OPEN_ORDERS_BYTES
from bmv.adapters.openbook.v2 import codes, funds, orders
from bmv.adapters.openbook.v2.heap import EventHeap
from bmv.adapters.openbook.v2.instructions import build
from bmv.adapters.openbook.v2.open_orders import indexer_address
from bmv.adapters.sandbox.market import Market, Order
from bmv.adapters.sandbox.market_v1 import MarketV1
from bmv.adapters.sandbox.market_v2 import MarketV2
from bmv.adapters.sandbox.wallets import seeded_key, send, trader_of
from bmv.adapters.sandbox.wiring import Settings, World, make_world
from bmv.adapters.solana.tokens import create_associated_account
from bmv.adapters.solana.wallet.key import LocalKey

VERSIONS = ("legacy", "v0", "v1")
SEED = "open orders"
UNITS, LOADED, PRIORITY = 1_000_000, 32 << 20, 5_000
LIFE_S = 60
TIP = Pubkey(bytes([77]) * 32)

Honest = dict[str, list[Instruction]]  # By name, in an order in which they land one after the other.


@dataclass
class Scene:
    """A living market, its owner without an account on it yet, and the policy in front of his key."""

    world: World
    ours: Ours
    limits: Limits
    policy: Policy
    guard: GuardedSigner
    others: frozenset[Pubkey]  # Whose events waited at the beginning.

    @property
    def moment(self) -> Moment:
        """What is known now; the blockhash is the chain's newest."""
        chain = self.world.chain
        mid = self.mid
        return Moment(chain.ledger.open.newest_hash, chain.unix_timestamp, mid // 2, mid * 2, self.others)

    @property
    def mid(self) -> int:
        return (self.world.market.book(Side.BID)[0].price_lots + self.world.market.book(Side.ASK)[0].price_lots) // 2

    def compiled(self, instructions: list[Instruction], version: str, blockhash: Hash, fee: int = PRIORITY) -> bytes:
        """Return the message of some instructions in a version, with a budget."""
        return compiled(instructions, version, self.ours.owner, blockhash, fee)


def compiled(instructions: list[Instruction], version: str, payer: Pubkey, blockhash: Hash, fee: int) -> bytes:
    """Return a message in a version; `fee` is its priority fee in lamports."""
    if version == "v1":
        config = TransactionConfig(priority_fee=fee, compute_unit_limit=UNITS, loaded_accounts_data_size_limit=LOADED)
        return to_bytes_versioned(MessageV1.try_compile(payer, instructions, blockhash, config))
    budget = [set_compute_unit_limit(UNITS), set_compute_unit_price(fee * 1_000_000 // UNITS)]
    if version == "v0":
        return to_bytes_versioned(MessageV0.try_compile(payer, [*budget, *instructions], [], blockhash))
    return to_bytes_versioned(Message.new_with_blockhash([*budget, *instructions], payer, blockhash))


def signed(message: bytes, signature: bytes) -> VersionedTransaction:
    """Return the transaction of a message and its one signature."""
    return VersionedTransaction.populate(from_bytes_versioned(message), [Signature(signature)])


def make_scene(venue: str) -> Scene:
    """Make a market that lives, where events of others wait, and the policy of its user."""
    world = make_world(Settings(venue=venue))
    _take(world)
    user, market = world.user, world.market
    program = v1.PROGRAM_ID
    account = (
        Pubkey.create_with_seed(user.address, SEED, program)
        if isinstance(market, MarketV1)
        else market.account_of(user)
    )
    ours = Ours(
        owner=user.address,
        open_orders=account,
        base=user.base,
        quote=user.quote,
        referrer=user.quote,
        tips=frozenset({TIP}),
    )
    limits = Limits(
        order_lots_max=10_000,
        order_quote_lots_max=300_000_000,
        total_quote_lots_max=1_000_000_000,
        order_life_s_max=LIFE_S,
        priority_lamports_max=10_000,
        tip_lamports_max=2_000_000,
        rent_lamports_max=50_000_000,
    )
    seat = VenueV1(market.state, ours) if isinstance(market, MarketV1) else VenueV2(market.state, market.address, ours)
    policy = Policy(seat, ours, limits)
    return Scene(world, ours, limits, policy, GuardedSigner(LocalKey(user.key), policy), _waiting(market))


def _waiting(market: Market) -> frozenset[Pubkey]:
    """Return the accounts whose events wait to be settled."""
    if isinstance(market, MarketV1):
        return frozenset(each.owner for each in EventQueue.decode(market._data(market.state.event_q)).pending())
    assert isinstance(market, MarketV2)
    return frozenset(each.account for _, each in EventHeap.decode(market._data(market.state.event_heap)).events())


def _take(world: World) -> None:
    """Let somebody take from the book, and nobody settle it."""
    taker = trader_of(seeded_key(1, "taker 0"), "taker 0", world.base, world.quote)
    best = world.market.book(Side.ASK)[0]
    taken = world.market.take(taker, Order(Side.BID, best.price_lots, 10), 1, direct=False)
    send(world.chain, [taker.key], taken)


def honest(scene: Scene) -> Honest:
    """Return messages of every kind that a maker sends, in an order in which they land."""
    user, chain = scene.world.user, scene.world.chain
    tokens = (scene.world.base, scene.world.quote)
    first: Honest = {
        "token accounts": [create_associated_account(user.address, user.address, each.mint) for each in tokens],
    }
    tip = transfer(TransferParams(from_pubkey=user.address, to_pubkey=TIP, lamports=1_000_000))
    if isinstance(scene.world.market, MarketV1):
        rent = chain.runtime.svm.minimum_balance_for_rent_exemption(OPEN_ORDERS_BYTES)
        first |= _honest_v1(scene, rent)
    else:
        first |= _honest_v2(scene)
    return {name: [*deed, tip] if name == "settle" else deed for name, deed in first.items()}


def _honest_v1(scene: Scene, rent: int) -> Honest:
    ours, market = scene.ours, scene.world.market
    assert isinstance(market, MarketV1)
    state = market.state
    low, high = scene.mid * 9 // 10, scene.mid * 11 // 10
    create = create_account_with_seed(
        CreateAccountWithSeedParams(
            from_pubkey=ours.owner,
            to_pubkey=ours.open_orders,
            base=ours.owner,
            seed=SEED,
            lamports=rent,
            space=OPEN_ORDERS_BYTES,
            owner=v1.PROGRAM_ID,
        )
    )
    init = by.InitKeys(open_orders=ours.open_orders, owner=ours.owner, market=market.address)
    bid_keys, ask_keys = (
        by.OrderKeys.of(state, open_orders=ours.open_orders, owner=ours.owner, payer=payer)
        for payer in (ours.quote, ours.base)
    )
    cancel = by.CancelKeys.of(state, open_orders=ours.open_orders, owner=ours.owner)

    def order(side: Side, price: int, number: int) -> bodies.NewOrder:
        cost = price * 100 * state.pc_lot_size
        return bodies.NewOrder(
            side=side,
            limit_price=price,
            max_coin_qty=100,
            max_native_pc_qty_including_fees=cost + cost // 1000 + 1,
            order_type=bodies.OrderType.POST_ONLY,
            client_order_id=number,
            max_ts=scene.moment.now_s + 30,
        )

    def settle(referrer: Pubkey | None) -> Instruction:
        keys = by.SettleKeys(
            market=market.address,
            open_orders=ours.open_orders,
            owner=ours.owner,
            coin_vault=state.coin_vault,
            pc_vault=state.pc_vault,
            coin_wallet=ours.base,
            pc_wallet=ours.quote,
            vault_signer=state.vault_signer(v1.PROGRAM_ID),
            token_program=TOKEN,
            referrer=referrer,
        )
        return v1.build(v1.SettleFunds(keys=keys))

    close = by.CloseKeys(open_orders=ours.open_orders, owner=ours.owner, destination=ours.owner, market=market.address)
    bids = tuple(order(Side.BID, low - step, 10 + step) for step in range(4))
    asks = tuple(order(Side.ASK, high + step, 20 + step) for step in range(4))
    crank = by.CrankKeys.of(state, [ours.open_orders, *scene.others])
    return {
        "open": [create, v1.build(v1.InitOpenOrders(keys=init))],
        "bid": [v1.build(v1.NewOrderV3(keys=bid_keys, order=order(Side.BID, low, 1)))],
        "ask": [v1.build(v1.NewOrderV3(keys=ask_keys, order=order(Side.ASK, high, 2)))],
        "replace": [v1.build(v1.ReplaceOrderByClientId(keys=bid_keys, order=order(Side.BID, low + 1, 1)))],
        "crank": [v1.build(v1.ConsumeEvents(keys=crank, limit=20))],
        "grid": [
            v1.build(v1.ReplaceOrdersByClientIds(keys=bid_keys, orders=bids)),
            v1.build(v1.ReplaceOrdersByClientIds(keys=ask_keys, orders=asks)),
        ],
        "cancel one": [v1.build(v1.CancelOrderByClientIdV2(keys=cancel, client_order_id=1))],
        "cancel some": [v1.build(v1.CancelOrdersByClientIds(keys=cancel, client_order_ids=(10, 11, 12, 13, 20)))],
        "cancel others": [v1.build(v1.CancelOrdersByClientIds(keys=cancel, client_order_ids=(2, 21, 22, 23)))],
        "crank again": [v1.build(v1.ConsumeEvents(keys=crank, limit=50))],
        "settle": [settle(ours.referrer)],
        "settle without referrer": [settle(None)],
        "close": [v1.build(v1.CloseOpenOrders(keys=close))],
    }


def _honest_v2(scene: Scene) -> Honest:
    ours, market = scene.ours, scene.world.market
    assert isinstance(market, MarketV2)
    state = market.state
    low, high, until = scene.mid * 9 // 10, scene.mid * 11 // 10, scene.moment.now_s + 30
    indexer = indexer_address(ours.owner)[0]
    books = {"bids": state.bids, "asks": state.asks}
    common = {"signer": ours.owner, "open_orders_account": ours.open_orders, "market": market.address, **books}

    def place(side: Side, price: int, number: int) -> Instruction:
        bid = side == Side.BID
        args = orders.PlaceOrderArgs(
            side=side,
            price_lots=price,
            max_base_lots=100,
            max_quote_lots_including_fees=price * 101,
            client_order_id=number,
            order_type=codes.PlaceOrderType.POST_ONLY,
            expiry_timestamp=until,
            self_trade_behavior=codes.SelfTradeBehavior.ABORT_TRANSACTION,
            limit=10,
        )
        return build(
            orders.PlaceOrder(
                **common,
                user_token_account=ours.quote if bid else ours.base,
                event_heap=state.event_heap,
                market_vault=state.market_quote_vault if bid else state.market_base_vault,
                args=args,
            )
        )

    def batch(kind: type[orders.PlaceOrders] | type[orders.CancelAllAndPlaceOrders], count: int) -> Instruction:
        return build(
            kind(
                **common,
                orders_type=codes.PlaceOrderType.POST_ONLY,
                bid_orders=tuple(orders.PlaceMultipleOrdersArgs(low - i, (low - i) * 100, until) for i in range(count)),
                ask_orders=tuple(
                    orders.PlaceMultipleOrdersArgs(high + i, (high + i) * 100, until) for i in range(count)
                ),
                limit=255,
                user_quote_account=ours.quote,
                user_base_account=ours.base,
                event_heap=state.event_heap,
                market_quote_vault=state.market_quote_vault,
                market_base_vault=state.market_base_vault,
            )
        )

    def settle(referrer: Pubkey | None) -> Instruction:
        return build(
            funds.SettleFunds(
                owner=ours.owner,
                penalty_payer=ours.owner,
                open_orders_account=ours.open_orders,
                market=market.address,
                market_authority=state.market_authority,
                market_base_vault=state.market_base_vault,
                market_quote_vault=state.market_quote_vault,
                user_base_account=ours.base,
                user_quote_account=ours.quote,
                referrer_account=referrer,
            )
        )

    opened = funds.CreateOpenOrdersAccount(
        name="maker",
        payer=ours.owner,
        owner=ours.owner,
        open_orders_indexer=indexer,
        open_orders_account=ours.open_orders,
        market=market.address,
    )
    consume = {"market": market.address, "event_heap": state.event_heap, "remaining": tuple(scene.others)}
    return {
        "open": [
            build(funds.CreateOpenOrdersIndexer(payer=ours.owner, owner=ours.owner, open_orders_indexer=indexer)),
            build(opened),
        ],
        "delegate": [build(funds.SetDelegate(owner=ours.owner, open_orders_account=ours.open_orders))],
        "bid": [place(Side.BID, low, 1)],
        "ask": [place(Side.ASK, high, 2)],
        "orders": [batch(orders.PlaceOrders, 2)],
        "grid": [batch(orders.CancelAllAndPlaceOrders, 5)],
        "cancel one": [build(orders.CancelOrderByClientOrderId(**common, client_order_id=0))],
        "crank": [build(orders.ConsumeEvents(**consume, limit=8))],
        "crank given": [build(orders.ConsumeGivenEvents(**consume, slots=(0, 1)))],
        "cancel all": [build(orders.CancelAllOrders(**common, side_option=None, limit=255))],
        "cancel a side": [build(orders.CancelAllOrders(**common, side_option=Side.ASK, limit=255))],
        "settle": [settle(ours.referrer)],
        "settle without referrer": [settle(None)],
        "close": [
            build(
                funds.CloseOpenOrdersAccount(
                    owner=ours.owner,
                    open_orders_indexer=indexer,
                    open_orders_account=ours.open_orders,
                    sol_destination=ours.owner,
                )
            )
        ],
        "close indexer": [
            build(
                funds.CloseOpenOrdersIndexer(owner=ours.owner, open_orders_indexer=indexer, sol_destination=ours.owner)
            )
        ],
    }
