"""A market of OpenBook version 2 on the sandbox: how it is made, and traded on."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Lots, RestingOrder, Side
from bmv.adapters.openbook.v2 import funds, orders
from bmv.adapters.openbook.v2.bookside import BOOK_SIDE_SIZE, BookSide
from bmv.adapters.openbook.v2.codes import PlaceOrderType, SelfTradeBehavior
from bmv.adapters.openbook.v2.heap import EVENT_HEAP_SIZE, EventHeap
from bmv.adapters.openbook.v2.instructions import build
from bmv.adapters.openbook.v2.levels import matchable
from bmv.adapters.openbook.v2.market import MARKET_SIZE, PROGRAM_ID, event_authority, market_authority
from bmv.adapters.openbook.v2.market import Market as State
from bmv.adapters.openbook.v2.open_orders import indexer_address, open_orders_address
from bmv.adapters.sandbox.chain import Chain
from bmv.adapters.sandbox.market import MAKER_FEE_BPS, TAKER_FEE_BPS, Order
from bmv.adapters.sandbox.wallets import Token, Trader, new_account, seeded_key, send
from bmv.adapters.solana.tokens import associated_account

NAME = "SOL-USDC"
BPS = 100  # Millionths.
EVENTS_EACH = 8
MATCHES_MAX = 15  # Makers that a taker passes along, at most.
LIMIT = 255


@dataclass(frozen=True, slots=True)
class MarketV2:
    """A market of version 2. See :class:`bmv.adapters.sandbox.market.Market`."""

    chain: Chain
    address: Pubkey

    @property
    def state(self) -> State:
        """The market's account."""
        return State.decode(self._data(self.address))

    @property
    def lots(self) -> Lots:
        return self.state.lots()

    def _data(self, key: Pubkey) -> bytes:
        account = self.chain.account(key)
        assert account is not None, f"there is no account {key}"
        return bytes(account.data)

    @property
    def sides(self) -> frozenset[Pubkey]:
        """Accounts of the two sides of the book."""
        return frozenset((self.state.bids, self.state.asks))

    def account_of(self, trader: Trader) -> Pubkey:
        """Return the address of a trader's account here."""
        return open_orders_address(trader.address, 1)[0]

    def accounts_of(self, trader: Trader) -> tuple[Sequence[Keypair], Sequence[Instruction]]:
        indexer = indexer_address(trader.address)[0]
        listed = funds.CreateOpenOrdersIndexer(payer=trader.address, owner=trader.address, open_orders_indexer=indexer)
        opened = funds.CreateOpenOrdersAccount(
            name=trader.name[:32],
            payer=trader.address,
            owner=trader.address,
            open_orders_indexer=indexer,
            open_orders_account=self.account_of(trader),
            market=self.address,
        )
        return [], [build(listed), build(opened)]

    def book(self, side: Side) -> list[RestingOrder]:
        state = self.state
        data = self._data(state.bids if side == Side.BID else state.asks)
        return matchable(BookSide.decode(data), self.chain.unix_timestamp)

    def requote(self, trader: Trader, orders_: Sequence[Order], number: int) -> Sequence[Instruction]:
        """Cancel all and place in one instruction; `number` goes into no client id, for the program numbers them."""
        state = self.state
        batch = {
            side: tuple(
                orders.PlaceMultipleOrdersArgs(order.price, order.price * order.size, 0)
                for order in orders_
                if order.side == side
            )
            for side in Side
        }
        placed = orders.CancelAllAndPlaceOrders(
            orders_type=PlaceOrderType.POST_ONLY,
            bid_orders=batch[Side.BID],
            ask_orders=batch[Side.ASK],
            limit=LIMIT,
            signer=trader.address,
            open_orders_account=self.account_of(trader),
            user_quote_account=trader.quote,
            user_base_account=trader.base,
            market=self.address,
            bids=state.bids,
            asks=state.asks,
            event_heap=state.event_heap,
            market_quote_vault=state.market_quote_vault,
            market_base_vault=state.market_base_vault,
        )
        return [build(placed)]

    def take(self, trader: Trader, order: Order, number: int, direct: bool) -> Sequence[Instruction]:
        state = self.state
        bids = order.side == Side.BID
        cost = order.price * order.size
        placed = orders.PlaceOrder(
            signer=trader.address,
            open_orders_account=self.account_of(trader),
            user_token_account=trader.quote if bids else trader.base,
            market=self.address,
            bids=state.bids,
            asks=state.asks,
            event_heap=state.event_heap,
            market_vault=state.market_quote_vault if bids else state.market_base_vault,
            args=orders.PlaceOrderArgs(
                side=order.side,
                price_lots=order.price,
                max_base_lots=order.size,
                max_quote_lots_including_fees=cost + cost // 1_000 + 1,
                client_order_id=number,
                order_type=PlaceOrderType.IMMEDIATE_OR_CANCEL,
                expiry_timestamp=0,
                self_trade_behavior=SelfTradeBehavior.CANCEL_PROVIDE,
                limit=MATCHES_MAX,
            ),
            remaining=self._makers(order, self.account_of(trader)) if direct else (),
        )
        return [build(placed)]

    def _makers(self, order: Order, own: Pubkey) -> tuple[Pubkey, ...]:
        """Return the accounts whose orders an order would take, its own left out."""
        against = Side.ASK if order.side == Side.BID else Side.BID
        owners: list[Pubkey] = []
        left = order.size
        for resting in self.book(against):
            crosses = resting.price_lots <= order.price if against == Side.ASK else resting.price_lots >= order.price
            if left <= 0 or not crosses or len(owners) == MATCHES_MAX:
                break
            left -= resting.size_lots
            if resting.owner != own and resting.owner not in owners:
                owners.append(resting.owner)
        return tuple(owners)

    def settle(self, trader: Trader) -> Sequence[Instruction]:
        state = self.state
        settled = funds.SettleFunds(
            owner=trader.address,
            penalty_payer=trader.address,
            open_orders_account=self.account_of(trader),
            market=self.address,
            market_authority=state.market_authority,
            market_base_vault=state.market_base_vault,
            market_quote_vault=state.market_quote_vault,
            user_base_account=trader.base,
            user_quote_account=trader.quote,
        )
        return [build(settled)]

    def crank(self) -> Sequence[Instruction]:
        state = self.state
        events = [event for _, event in islice(EventHeap.decode(self._data(state.event_heap)).events(), EVENTS_EACH)]
        if not events:
            return []
        owners = tuple(dict.fromkeys(event.account for event in events))
        consumed = orders.ConsumeEvents(
            limit=EVENTS_EACH, market=self.address, event_heap=state.event_heap, remaining=owners
        )
        return [build(consumed)]


def make_market(chain: Chain, seed: int, base: Token, quote: Token, lots: Lots) -> MarketV2:
    """Make a market of version 2 without oracles, admins of its own and an end; its fees are version 1's."""
    keys = {name: seeded_key(seed, f"v2 {name}") for name in ("market", "bids", "asks", "event heap")}
    payer, address = chain.faucet.pubkey(), keys["market"].pubkey()
    authority = market_authority(address)[0]
    for name, size in (("bids", BOOK_SIDE_SIZE), ("asks", BOOK_SIDE_SIZE), ("event heap", EVENT_HEAP_SIZE)):
        send(chain, [chain.faucet, keys[name]], [new_account(chain, payer, keys[name].pubkey(), size, PROGRAM_ID)])
    made = funds.CreateMarket(
        name=NAME,
        conf_filter=0.1,
        max_staleness_slots=None,
        quote_lot_size=lots.quote_lot,
        base_lot_size=lots.base_lot,
        maker_fee=MAKER_FEE_BPS * BPS,
        taker_fee=TAKER_FEE_BPS * BPS,
        time_expiry=0,
        market=address,
        market_authority=authority,
        bids=keys["bids"].pubkey(),
        asks=keys["asks"].pubkey(),
        event_heap=keys["event heap"].pubkey(),
        payer=payer,
        market_base_vault=associated_account(authority, base.mint),
        market_quote_vault=associated_account(authority, quote.mint),
        base_mint=base.mint,
        quote_mint=quote.mint,
        collect_fee_admin=payer,
        event_authority=event_authority(),
    )
    send(chain, [chain.faucet, keys["market"]], [build(made)])
    market = MarketV2(chain, address)
    assert len(market._data(address)) == MARKET_SIZE
    return market
