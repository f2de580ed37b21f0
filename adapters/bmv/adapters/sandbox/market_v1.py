"""A market of OpenBook version 1 on the sandbox: how it is made, and traded on."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.sysvar import RENT
from solders.token import ID as TOKEN

from bmv.adapters.openbook.book import Lots, RestingOrder, Side
from bmv.adapters.openbook.v1 import instructions as does
from bmv.adapters.openbook.v1 import keys as by
from bmv.adapters.openbook.v1.accounts import Market as State
from bmv.adapters.openbook.v1.accounts import find_vault_signer
from bmv.adapters.openbook.v1.bodies import NewOrder, OrderType, SelfTrade
from bmv.adapters.openbook.v1.events import EventQueue
from bmv.adapters.openbook.v1.instructions import PROGRAM_ID, build
from bmv.adapters.openbook.v1.layout import MARKET_BYTES, OPEN_ORDERS_BYTES
from bmv.adapters.openbook.v1.slab import Slab
from bmv.adapters.sandbox import tokens
from bmv.adapters.sandbox.chain import Chain
from bmv.adapters.sandbox.market import BASE_DECIMALS, QUOTE_DECIMALS, Order
from bmv.adapters.sandbox.wallets import Token, Trader, new_account, seeded_key, send

SIZES = {"market": MARKET_BYTES, "req_q": 5_132, "event_q": 262_156, "bids": 65_548, "asks": 65_548}  # The usual ones.
DUST = 100
EVENTS_EACH, CRANKS = 12, 5  # A crank takes 12 events; 13 fills in one would use up its memory, for good.
OWNERS_MAX = 16  # Accounts that one crank names.
NO_LIMIT = 2**63  # Of an ask, which costs no quote.


@dataclass(frozen=True, slots=True)
class MarketV1:
    """A market of version 1. See :class:`bmv.adapters.sandbox.market.Market`."""

    chain: Chain
    address: Pubkey
    seed: int

    @property
    def state(self) -> State:
        """The market's account."""
        return State.decode(self._data(self.address), self.address)

    @property
    def lots(self) -> Lots:
        return self.state.lots(BASE_DECIMALS, QUOTE_DECIMALS)

    def _data(self, key: Pubkey) -> bytes:
        account = self.chain.account(key)
        assert account is not None, f"there is no account {key}"
        return bytes(account.data)

    def open_orders(self, trader: Trader) -> Keypair:
        """Return the key of a trader's account here."""
        return seeded_key(self.seed, f"open orders of {trader.address}")

    @property
    def sides(self) -> frozenset[Pubkey]:
        """Accounts of the two sides of the book."""
        return frozenset((self.state.bids, self.state.asks))

    def account_of(self, trader: Trader) -> Pubkey:
        return self.open_orders(trader).pubkey()

    def accounts_of(self, trader: Trader) -> tuple[Sequence[Keypair], Sequence[Instruction]]:
        key = self.open_orders(trader)
        account = new_account(self.chain, trader.address, key.pubkey(), OPEN_ORDERS_BYTES, PROGRAM_ID)
        keys = by.InitKeys(open_orders=key.pubkey(), owner=trader.address, market=self.address)
        return [key], [account, build(does.InitOpenOrders(keys=keys))]

    def book(self, side: Side) -> list[RestingOrder]:
        state = self.state
        return Slab.decode(self._data(state.bids if side == Side.BID else state.asks)).orders()

    def requote(self, trader: Trader, orders: Sequence[Order], number: int) -> Sequence[Instruction]:
        """Replace both sides. Client ids are 1, 2, 3, …, always the same, so that replacing cancels what is there."""
        sent = [self._order(order, at + 1, OrderType.POST_ONLY) for at, order in enumerate(orders)]
        by_side = [[one for one in sent if one.side == side] for side in Side]
        return [
            build(does.ReplaceOrdersByClientIds(keys=self._keys(trader, side[0].side), orders=tuple(side)))
            for side in by_side
            if side
        ]

    def _keys(self, trader: Trader, side: Side) -> by.OrderKeys:
        payer = trader.quote if side == Side.BID else trader.base
        account = self.account_of(trader)
        return by.OrderKeys.of(self.state, open_orders=account, owner=trader.address, payer=payer)

    def _order(self, order: Order, client_id: int, kind: OrderType) -> NewOrder:
        cost = order.price * order.size * self.state.pc_lot_size
        return NewOrder(
            side=order.side,
            limit_price=order.price,
            max_coin_qty=order.size,
            max_native_pc_qty_including_fees=cost + cost // 1_000 + 1 if order.side == Side.BID else NO_LIMIT,
            self_trade_behavior=SelfTrade.CANCEL_PROVIDE,
            order_type=kind,
            client_order_id=client_id,
        )

    def take(self, trader: Trader, order: Order, number: int, direct: bool) -> Sequence[Instruction]:
        sent = self._order(order, number, OrderType.IMMEDIATE_OR_CANCEL)
        return [build(does.NewOrderV3(keys=self._keys(trader, order.side), order=sent))]

    def settle(self, trader: Trader) -> Sequence[Instruction]:
        state = self.state
        keys = by.SettleKeys(
            market=self.address,
            open_orders=self.account_of(trader),
            owner=trader.address,
            coin_vault=state.coin_vault,
            pc_vault=state.pc_vault,
            coin_wallet=trader.base,
            pc_wallet=trader.quote,
            vault_signer=state.vault_signer(PROGRAM_ID),
            token_program=TOKEN,
        )
        return [build(does.SettleFunds(keys=keys))]

    def crank(self) -> Sequence[Instruction]:
        state = self.state
        queue = EventQueue.decode(self._data(state.event_q))
        pending = list(islice(queue.pending(), EVENTS_EACH * CRANKS))
        cranks = []
        for at in range(0, len(pending), EVENTS_EACH):
            owners = {event.owner for event in pending[at : at + EVENTS_EACH]}
            keys = by.CrankKeys.of(state, sorted(owners, key=bytes)[:OWNERS_MAX])
            cranks.append(build(does.ConsumeEvents(keys=keys, limit=EVENTS_EACH)))
        return cranks


def make_market(chain: Chain, seed: int, base: Token, quote: Token, lots: Lots) -> MarketV1:
    """Make a market of version 1: its accounts, its vaults, itself."""
    keys = {name: seeded_key(seed, f"v1 {name}") for name in (*SIZES, "coin vault", "pc vault")}
    address = keys["market"].pubkey()
    owner, nonce = find_vault_signer(address, PROGRAM_ID)
    payer = chain.faucet.pubkey()
    for name, size in SIZES.items():
        account = new_account(chain, payer, keys[name].pubkey(), size, PROGRAM_ID)
        send(chain, [chain.faucet, keys[name]], [account])
    for name, token in (("coin vault", base), ("pc vault", quote)):
        send(chain, [chain.faucet, keys[name]], _vault(chain, keys[name].pubkey(), token, owner))
    made = does.InitializeMarket(
        keys=by.InitializeMarketKeys(
            market=address,
            req_q=keys["req_q"].pubkey(),
            event_q=keys["event_q"].pubkey(),
            bids=keys["bids"].pubkey(),
            asks=keys["asks"].pubkey(),
            coin_vault=keys["coin vault"].pubkey(),
            pc_vault=keys["pc vault"].pubkey(),
            coin_mint=base.mint,
            pc_mint=quote.mint,
            rent=RENT,
        ),
        coin_lot_size=lots.base_lot,
        pc_lot_size=lots.quote_lot,
        vault_signer_nonce=nonce,
        pc_dust_threshold=DUST,
    )
    send(chain, [chain.faucet], [build(made)])
    return MarketV1(chain, address, seed)


def _vault(chain: Chain, key: Pubkey, token: Token, owner: Pubkey) -> list[Instruction]:
    account = new_account(chain, chain.faucet.pubkey(), key, tokens.ACCOUNT_BYTES, TOKEN)
    return [account, tokens.initialize_account(key, token.mint, owner)]
