"""A market of OpenBook v1 played by the double, for the venue's contract."""

from collections.abc import Sequence

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.sysvar import RENT
from solders.token import ID as TOKEN_PROGRAM
from tests.rigs.desk import MAKER, TAKER, Ask

from bmv.adapters.openbook.book import RestingOrder, Side
from bmv.adapters.openbook.v1 import instructions as does
from bmv.adapters.openbook.v1 import keys as by
from bmv.adapters.openbook.v1 import layout as at
from bmv.adapters.openbook.v1.accounts import Market, OpenOrders, find_vault_signer
from bmv.adapters.openbook.v1.bodies import NewOrder, OrderType, SelfTrade
from bmv.adapters.openbook.v1.capabilities import OPENBOOK_V1
from bmv.adapters.openbook.v1.events import EventQueue
from bmv.adapters.openbook.v1.slab import Slab
from bmv.adapters.sandbox.double import AccountState, Outcome, Surroundings
from bmv.adapters.sandbox.openbook_v1.program import OpenBookV1
from bmv.adapters.sandbox.transfers import amount_of, empty_account

LAMPORTS = 10**10
SIZES = {"market": 388, "req_q": 5_132, "event_q": 262_156, "bids": 65_548, "asks": 65_548}


def key(number: int) -> Pubkey:
    return Pubkey.from_bytes(number.to_bytes(32, "big"))


class DeskV1:
    """Two rich traders on a new market of the usual sizes, unless others are given."""

    capabilities = OPENBOOK_V1

    def __init__(self, **sizes: int) -> None:
        sizes = SIZES | sizes
        self.double = OpenBookV1()
        self.now = 1_700_000_000
        self.keys = {name: key(number) for number, name in enumerate(SIZES, 1)}
        self.states = {
            self.keys[name]: AccountState(LAMPORTS, bytearray(n), does.PROGRAM_ID) for name, n in sizes.items()
        }
        coin_mint, pc_mint, coin_vault, pc_vault = map(key, range(11, 15))
        self.signer, nonce = find_vault_signer(self.keys["market"], does.PROGRAM_ID)
        for mint, vault in ((coin_mint, coin_vault), (pc_mint, pc_vault)):
            self.states[mint] = AccountState(LAMPORTS, bytearray(45) + b"\1" + bytes(36), TOKEN_PROGRAM)
            self.states[vault] = empty_account(mint, self.signer, 0, LAMPORTS)
        names = {name: self.keys[name] for name in SIZES}
        vaults = {
            "coin_vault": coin_vault,
            "pc_vault": pc_vault,
            "coin_mint": coin_mint,
            "pc_mint": pc_mint,
            "rent": RENT,
        }
        self.run(
            does.InitializeMarket(
                keys=by.InitializeMarketKeys(**names, **vaults),
                coin_lot_size=100_000,
                pc_lot_size=10,
                vault_signer_nonce=nonce,
                pc_dust_threshold=100,
            )
        )
        self.owners = [key(21 + 10 * trader) for trader in (MAKER, TAKER)]
        self.open_orders = [key(22 + 10 * trader) for trader in (MAKER, TAKER)]
        self.base = [key(23 + 10 * trader) for trader in (MAKER, TAKER)]
        self.quote = [key(24 + 10 * trader) for trader in (MAKER, TAKER)]
        for trader, owner in enumerate(self.owners):
            self.states[self.open_orders[trader]] = AccountState(
                LAMPORTS, bytearray(at.OPEN_ORDERS_BYTES), does.PROGRAM_ID
            )
            self.states[self.base[trader]] = empty_account(coin_mint, owner, 10**15, LAMPORTS)
            self.states[self.quote[trader]] = empty_account(pc_mint, owner, 10**15, LAMPORTS)
            init = by.InitKeys(open_orders=self.open_orders[trader], owner=owner, market=self.market.own_address)
            assert self.run(does.InitOpenOrders(keys=init)).error is None

    @property
    def market(self) -> Market:
        return Market.decode(bytes(self.states[self.keys["market"]].data))

    def run(self, value: does.AnyInstruction) -> Outcome:
        instruction: Instruction = does.build(value)
        for meta in instruction.accounts:
            self.states.setdefault(meta.pubkey, AccountState(0, bytearray(), Pubkey.default()))
        outcome = self.double.execute(instruction, self.states, Surroundings(self.now, 1, 6_960))
        self.states |= outcome.accounts
        return outcome

    def _try(self, value: does.AnyInstruction) -> str | None:
        error = self.run(value).error
        return None if error is None else str(error)

    def _order(self, ask: Ask) -> NewOrder:
        return NewOrder(
            side=ask.side,
            limit_price=ask.price_lots,
            max_coin_qty=ask.size_lots,
            max_native_pc_qty_including_fees=ask.price_lots * ask.size_lots * 10 * 10_005 // 10_000 + 1,
            self_trade_behavior=SelfTrade.ABORT_TRANSACTION,
            order_type=OrderType.POST_ONLY if ask.post_only else OrderType.LIMIT,
            client_order_id=ask.client_order_id,
            max_ts=ask.expiry,
        )

    def _keys(self, trader: int, side: Side) -> by.OrderKeys:
        payer = (self.quote if side is Side.BID else self.base)[trader]
        return by.OrderKeys.of(
            self.market, open_orders=self.open_orders[trader], owner=self.owners[trader], payer=payer
        )

    def place(self, trader: int, order: Ask) -> str | None:
        return self._try(does.NewOrderV3(keys=self._keys(trader, order.side), order=self._order(order)))

    def replace(self, trader: int, orders: Sequence[Ask]) -> str | None:
        keys = self._keys(trader, orders[0].side)
        return self._try(does.ReplaceOrdersByClientIds(keys=keys, orders=tuple(map(self._order, orders))))

    def cancel(self, trader: int, client_order_ids: Sequence[int]) -> str | None:
        keys = by.CancelKeys.of(self.market, open_orders=self.open_orders[trader], owner=self.owners[trader])
        return self._try(does.CancelOrdersByClientIds(keys=keys, client_order_ids=tuple(client_order_ids)))

    def crank(self, traders: Sequence[int] = (MAKER, TAKER)) -> int:
        """Crank until nothing moves; return how many events are left."""
        keys = by.CrankKeys.of(self.market, [self.open_orders[trader] for trader in traders])
        left = -1
        while left != (left := self.queue.count):
            assert self.run(does.ConsumeEvents(keys=keys, limit=self.capabilities.crank_events_max)).error is None
        return left

    @property
    def queue(self) -> EventQueue:
        return EventQueue.decode(bytes(self.states[self.keys["event_q"]].data))

    def account(self, trader: int) -> OpenOrders:
        return OpenOrders.decode(bytes(self.states[self.open_orders[trader]].data))

    def free_slots(self, trader: int) -> int:
        return self.account(trader).free_slots

    def orders(self, trader: int) -> list[RestingOrder]:
        sides = [Slab.decode(bytes(self.states[self.keys[name]].data)) for name in ("bids", "asks")]
        return [order for side in sides for order in side.orders([self.open_orders[trader]]) if order.own]

    def wallets(self, trader: int) -> tuple[int, int]:
        return amount_of(self.states[self.base[trader]].data), amount_of(self.states[self.quote[trader]].data)

    def base_total(self, trader: int) -> int:
        return self.account(trader).native_coin_total
