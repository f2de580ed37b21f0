"""A market of OpenBook v2 played by the double, for the venue's contract."""

from collections.abc import Sequence
from typing import Any

from solders.pubkey import Pubkey
from tests.rigs.desk import MAKER, TAKER, Ask

from bmv.adapters.openbook.book import RestingOrder, Side
from bmv.adapters.openbook.v2 import funds, orders
from bmv.adapters.openbook.v2.bookside import BOOK_SIDE_SIZE, BookSide
from bmv.adapters.openbook.v2.capabilities import OPENBOOK_V2
from bmv.adapters.openbook.v2.codes import Build, PlaceOrderType, SelfTradeBehavior
from bmv.adapters.openbook.v2.heap import EVENT_HEAP_SIZE, EventHeap
from bmv.adapters.openbook.v2.instructions import Known, build
from bmv.adapters.openbook.v2.levels import matchable
from bmv.adapters.openbook.v2.market import PROGRAM_ID, Market, event_authority, market_authority
from bmv.adapters.openbook.v2.metas import ASSOCIATED_TOKEN_PROGRAM, SYSTEM_PROGRAM, TOKEN_PROGRAM
from bmv.adapters.openbook.v2.open_orders import OpenOrdersAccount, indexer_address, open_orders_address
from bmv.adapters.openbook.v2.oracle import stub_oracle_address
from bmv.adapters.sandbox.double import AccountState, Outcome, Surroundings
from bmv.adapters.sandbox.openbook_v2.program import OpenBookV2
from bmv.adapters.sandbox.transfers import amount_of, empty_account

LAMPORTS = 10**12
RICH = 10**15


def key(number: int) -> Pubkey:
    return Pubkey.from_bytes(number.to_bytes(32, "big"))


def mint(decimals: int) -> AccountState:
    data = bytearray(36) + RICH.to_bytes(8, "little") + bytes([decimals, 1]) + bytes(36)
    return AccountState(LAMPORTS, data, TOKEN_PROGRAM)


class DeskV2:
    """Rich traders on a new market, without fees unless given; with an oracle if it is to have one."""

    capabilities = OPENBOOK_V2

    def __init__(
        self,
        version: Build = Build.V1_7,
        traders: int = 2,
        oracle: float | None = None,
        staleness: int | None = None,
        **market: Any,
    ) -> None:
        self.double = OpenBookV2(version)
        self.version = version
        self.now, self.slot = 1_700_000_000, 1
        self.market, self.bids, self.asks, self.heap = map(key, range(1, 5))
        self.base_mint, self.quote_mint, self.admin = map(key, range(5, 8))
        self.authority, _ = market_authority(self.market)
        self.base_vault, self.quote_vault = self._vault(self.base_mint), self._vault(self.quote_mint)
        self.oracle = stub_oracle_address(self.admin, self.base_mint)[0] if oracle is not None else None
        self.states = {self.base_mint: mint(9), self.quote_mint: mint(6)}
        for program in (SYSTEM_PROGRAM, TOKEN_PROGRAM, ASSOCIATED_TOKEN_PROGRAM, PROGRAM_ID):
            self.states[program] = AccountState(1, bytearray(), SYSTEM_PROGRAM, executable=True)
        for place, size in ((self.bids, BOOK_SIDE_SIZE), (self.asks, BOOK_SIDE_SIZE), (self.heap, EVENT_HEAP_SIZE)):
            self.states[place] = AccountState(LAMPORTS, bytearray(size), PROGRAM_ID)
        self.states[self.admin] = AccountState(LAMPORTS, bytearray(), SYSTEM_PROGRAM)
        if self.oracle is not None and oracle is not None:
            self.must(self._create_oracle(oracle))
        self.must(self._create(staleness, market))
        self.owners = [key(100 + 10 * trader) for trader in range(traders)]
        self.base = [key(101 + 10 * trader) for trader in range(traders)]
        self.quote = [key(102 + 10 * trader) for trader in range(traders)]
        self.open_orders = [open_orders_address(owner, 1)[0] for owner in self.owners]
        for trader in range(traders):
            self._open(trader)

    def _vault(self, of_mint: Pubkey) -> Pubkey:
        seeds = [bytes(self.authority), bytes(TOKEN_PROGRAM), bytes(of_mint)]
        return Pubkey.find_program_address(seeds, ASSOCIATED_TOKEN_PROGRAM)[0]

    def _create_oracle(self, price: float) -> Known:
        assert self.oracle is not None
        return funds.StubOracleCreate(
            price=price, payer=self.admin, owner=self.admin, oracle=self.oracle, mint=self.base_mint
        )

    def _create(self, staleness: int | None, market: dict[str, Any]) -> Known:
        settings: dict[str, Any] = {"maker_fee": 0, "taker_fee": 0, "base_lot_size": 100, "quote_lot_size": 10}
        settings |= {"time_expiry": 0, "close_market_admin": self.admin} | market
        return funds.CreateMarket(
            name="X-Y",
            conf_filter=0.1,
            max_staleness_slots=staleness,
            market=self.market,
            market_authority=self.authority,
            bids=self.bids,
            asks=self.asks,
            event_heap=self.heap,
            payer=self.admin,
            market_base_vault=self.base_vault,
            market_quote_vault=self.quote_vault,
            base_mint=self.base_mint,
            quote_mint=self.quote_mint,
            oracle_a=self.oracle,
            collect_fee_admin=self.admin,
            event_authority=event_authority(),
            **settings,
        )

    def _open(self, trader: int) -> None:
        owner = self.owners[trader]
        self.states[owner] = AccountState(LAMPORTS, bytearray(), SYSTEM_PROGRAM)
        self.states[self.base[trader]] = empty_account(self.base_mint, owner, RICH, LAMPORTS)
        self.states[self.quote[trader]] = empty_account(self.quote_mint, owner, RICH, LAMPORTS)
        indexer = indexer_address(owner)[0]
        self.must(funds.CreateOpenOrdersIndexer(payer=owner, owner=owner, open_orders_indexer=indexer))
        self.must(
            funds.CreateOpenOrdersAccount(
                name="",
                payer=owner,
                owner=owner,
                open_orders_indexer=indexer,
                open_orders_account=self.open_orders[trader],
                market=self.market,
            )
        )

    def run(self, known: Known) -> Outcome:
        instruction = build(known, version=self.version)
        for meta in instruction.accounts:
            self.states.setdefault(meta.pubkey, AccountState(0, bytearray(), SYSTEM_PROGRAM))
        outcome = self.double.execute(instruction, self.states, Surroundings(self.now, self.slot, 6_960))
        self.states |= outcome.accounts
        return outcome

    def must(self, known: Known) -> Outcome:
        outcome = self.run(known)
        assert outcome.error is None, outcome
        return outcome

    def _try(self, known: Known) -> str | None:
        error = self.run(known).error
        return None if error is None else str(error)

    # Instructions.

    def placing(self, trader: int, side: Side, makers: Sequence[int] = ()) -> dict[str, Any]:
        bid = side is Side.BID
        return {
            "signer": self.owners[trader],
            "open_orders_account": self.open_orders[trader],
            "user_token_account": (self.quote if bid else self.base)[trader],
            "market": self.market,
            "bids": self.bids,
            "asks": self.asks,
            "event_heap": self.heap,
            "market_vault": self.quote_vault if bid else self.base_vault,
            "oracle_a": self.oracle,
            "remaining": tuple(self.open_orders[maker] for maker in makers),
        }

    def order(self, trader: int, args: orders.PlaceOrderArgs, makers: Sequence[int] = ()) -> Known:
        return orders.PlaceOrder(args=args, **self.placing(trader, args.side, makers))

    def args(self, ask: Ask, **changes: Any) -> orders.PlaceOrderArgs:
        settings: dict[str, Any] = {
            "side": ask.side,
            "price_lots": ask.price_lots,
            "max_base_lots": ask.size_lots,
            "max_quote_lots_including_fees": 2 * ask.price_lots * ask.size_lots + 10,
            "client_order_id": ask.client_order_id,
            "order_type": PlaceOrderType.POST_ONLY if ask.post_only else PlaceOrderType.LIMIT,
            "expiry_timestamp": ask.expiry or 0,
            "self_trade_behavior": SelfTradeBehavior.ABORT_TRANSACTION,
            "limit": 255,
        }
        return orders.PlaceOrderArgs(**settings | changes)

    def cancelling(self, trader: int) -> dict[str, Any]:
        return {
            "signer": self.owners[trader],
            "open_orders_account": self.open_orders[trader],
            "market": self.market,
            "bids": self.bids,
            "asks": self.asks,
        }

    def batch(self, trader: int, asked: Sequence[Ask], order_type: PlaceOrderType = PlaceOrderType.POST_ONLY) -> Known:
        def sided(side: Side) -> tuple[orders.PlaceMultipleOrdersArgs, ...]:
            return tuple(
                orders.PlaceMultipleOrdersArgs(ask.price_lots, ask.price_lots * ask.size_lots, ask.expiry or 0)
                for ask in asked
                if ask.side is side
            )

        return orders.CancelAllAndPlaceOrders(
            orders_type=order_type,
            bid_orders=sided(Side.BID),
            ask_orders=sided(Side.ASK),
            limit=255,
            signer=self.owners[trader],
            open_orders_account=self.open_orders[trader],
            user_quote_account=self.quote[trader],
            user_base_account=self.base[trader],
            market=self.market,
            bids=self.bids,
            asks=self.asks,
            event_heap=self.heap,
            market_quote_vault=self.quote_vault,
            market_base_vault=self.base_vault,
            oracle_a=self.oracle,
        )

    def settling(self, trader: int, **changes: Any) -> Known:
        settings: dict[str, Any] = {
            "owner": self.owners[trader],
            "penalty_payer": self.owners[trader],
            "open_orders_account": self.open_orders[trader],
            "market": self.market,
            "market_authority": self.authority,
            "market_base_vault": self.base_vault,
            "market_quote_vault": self.quote_vault,
            "user_base_account": self.base[trader],
            "user_quote_account": self.quote[trader],
        }
        return funds.SettleFunds(**settings | changes)

    def consuming(self, traders: Sequence[int], limit: int = 8) -> Known:
        return orders.ConsumeEvents(
            limit=limit,
            market=self.market,
            event_heap=self.heap,
            remaining=tuple(self.open_orders[trader] for trader in traders),
        )

    # The contract.

    def place(self, trader: int, order: Ask) -> str | None:
        return self._try(self.order(trader, self.args(order)))

    def replace(self, trader: int, orders: Sequence[Ask]) -> str | None:
        return self._try(self.batch(trader, orders))

    def cancel(self, trader: int, client_order_ids: Sequence[int]) -> str | None:
        for client_order_id in client_order_ids:
            known = orders.CancelOrderByClientOrderId(client_order_id=client_order_id, **self.cancelling(trader))
            if (error := self._try(known)) is not None:
                return error
        return None

    def crank(self, traders: Sequence[int] = (MAKER, TAKER)) -> int:
        """Crank until nothing moves; return how many events are left."""
        left = -1
        while left != (left := len(self.events())):
            self.must(self.consuming(traders, self.capabilities.crank_events_max))
        return left

    def events(self) -> list[Any]:
        return [event for _, event in EventHeap.decode(bytes(self.states[self.heap].data)).events()]

    def account(self, trader: int) -> OpenOrdersAccount:
        return OpenOrdersAccount.decode(bytes(self.states[self.open_orders[trader]].data))

    def read_market(self) -> Market:
        return Market.decode(bytes(self.states[self.market].data))

    def side(self, side: Side) -> BookSide:
        return BookSide.decode(bytes(self.states[self.bids if side is Side.BID else self.asks].data))

    def free_slots(self, trader: int) -> int:
        return self.capabilities.order_slots - len(self.account(trader).orders())

    def orders(self, trader: int) -> list[RestingOrder]:
        own = [self.open_orders[trader]]
        return [order for side in Side for order in matchable(self.side(side), self.now, own=own) if order.own]

    def wallets(self, trader: int) -> tuple[int, int]:
        return amount_of(self.states[self.base[trader]].data), amount_of(self.states[self.quote[trader]].data)

    def base_total(self, trader: int) -> int:
        position, market = self.account(trader).position, self.read_market()
        return position.base_free_native + position.asks_base_lots * market.base_lot_size
