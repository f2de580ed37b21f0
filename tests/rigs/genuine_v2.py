"""Random sequences on a market of OpenBook v2: what owners, makers, takers and cranks send, and what they should not."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from tests.rigs.against_genuine import Call, World

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.v2 import funds, orders
from bmv.adapters.openbook.v2.bookside import BOOK_SIDE_SIZE
from bmv.adapters.openbook.v2.codes import Build, PlaceOrderType, SelfTradeBehavior
from bmv.adapters.openbook.v2.heap import EVENT_HEAP_SIZE
from bmv.adapters.openbook.v2.instructions import Known, build
from bmv.adapters.openbook.v2.market import PROGRAM_ID, event_authority, market_authority
from bmv.adapters.openbook.v2.metas import ASSOCIATED_TOKEN_PROGRAM, TOKEN_PROGRAM
from bmv.adapters.openbook.v2.open_orders import OpenOrdersAccount, indexer_address, open_orders_address
from bmv.adapters.openbook.v2.oracle import stub_oracle_address
from bmv.adapters.sandbox.double import AccountState
from bmv.adapters.sandbox.openbook_v2.program import OpenBookV2

VARIABLE = "BMV_OPENBOOK_V2_SO"
SYSTEM = Pubkey.default()
PROGRAMS = {SYSTEM, PROGRAM_ID, TOKEN_PROGRAM, ASSOCIATED_TOKEN_PROGRAM}
LAMPORTS = 10**10
NOW = 1_700_000_000
TRADERS = 3
CROWD = 22  # Owners whose 24 orders each fill a side.
_BUILDS = {  # Two that lie in public repositories, as fixtures of tests.
    "9f724b3d9c207307c3bcb4ed308900af33a325f081126ea1b740fbb74a9f3642": Build.V1_7,
    "ba0c576f355006291711cfa12cbcade0dbcbbe1107720c81440b112562ed3f8a": Build.MASTER_2024_04,
}


def genuine_build() -> Build:
    """Which build the genuine program is that the variable names, by its hash; the release if it names none."""
    if VARIABLE not in os.environ:
        return Build.V1_7
    digest = sha256(Path(os.environ[VARIABLE]).read_bytes()).hexdigest()
    if digest not in _BUILDS:
        raise SystemExit(f"{VARIABLE} names a program of SHA-256 {digest}, which is neither of {list(_BUILDS)}")
    return _BUILDS[digest]


def DOUBLE() -> OpenBookV2:
    return OpenBookV2(genuine_build())


def key(random: Random) -> Pubkey:
    return Pubkey.from_bytes(random.randbytes(32))


def mint(decimals: int) -> AccountState:
    data = bytearray(36) + (10**18).to_bytes(8, "little") + bytes([decimals, 1]) + bytes(36)
    return AccountState(LAMPORTS, data, TOKEN_PROGRAM)


def wallet(of_mint: Pubkey, owner: Pubkey, amount: int) -> AccountState:
    data = bytearray(bytes(of_mint) + bytes(owner) + amount.to_bytes(8, "little") + bytes(36) + b"\1" + bytes(56))
    return AccountState(LAMPORTS, data, TOKEN_PROGRAM)


@dataclass
class Trader:
    """An owner, his wallets, and his account at the venue."""

    owner: Pubkey
    delegate: Pubkey
    base: Pubkey
    quote: Pubkey
    indexer: Pubkey
    open_orders: Pubkey


class Sequence:
    """One market from its making on."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.build = genuine_build()
        self.world = World({}, NOW)
        self.now = NOW
        self.crowded = random.random() < 0.01  # Begins with a side so full that a worse order must go.
        self.n_calls = 150 if self.crowded else random.choice([20, 40, 60, 100])
        self.middle = 1_000 if self.crowded else random.choice([3, 20, 1_000, 2**40])
        self.clean = random.random() < 0.5  # Nothing is sent that is wrong on purpose.
        self._choose_market()
        self.traders = [self._make_trader() for _ in range(CROWD if self.crowded else TRADERS)]
        self.first = self._openings() + (self._crowd() if self.crowded else [])
        self.order_ids: list[int] = []
        self.admin_signs = True

    def calls(self) -> int:
        return self.n_calls

    def next(self) -> Call:
        self.now += self.random.choice([0, 0, 0, 1, 5, 40])
        known = self.first.pop(0) if self.first else self._choose()
        instruction = build(known, version=self.build)
        name = type(known).__name__
        if not self.first and not self.clean and self.random.random() < 0.08:
            name, instruction = f"{name} (spoilt)", self._spoil(instruction)
        return Call(name, instruction, self.now)

    # The market.

    def _choose_market(self) -> None:
        random = self.random
        self.market, self.bids, self.asks, self.heap = (key(random) for _ in range(4))
        self.base_mint, self.quote_mint, self.payer, self.admin = (key(random) for _ in range(4))
        self.authority, _ = market_authority(self.market)
        self.base_vault, self.quote_vault = self._vault(self.base_mint), self._vault(self.quote_mint)
        self.base_decimals, self.quote_decimals = random.choice([(9, 6), (6, 6), (0, 0), (8, 2)])
        accounts = self.world.accounts
        accounts[self.base_mint], accounts[self.quote_mint] = mint(self.base_decimals), mint(self.quote_decimals)
        for side, size in ((self.bids, BOOK_SIDE_SIZE), (self.asks, BOOK_SIDE_SIZE), (self.heap, EVENT_HEAP_SIZE)):
            accounts[side] = AccountState(LAMPORTS, bytearray(size), PROGRAM_ID)
        for somebody in (self.payer, self.admin):
            accounts[somebody] = AccountState(10**11, bytearray(), SYSTEM)
        self.base_lot, self.quote_lot = random.choice([(1, 1), (100, 10), (10**5, 100), (10**6, 1), (7, 3)])
        self.taker_fee = random.choice([0, 400, 1_000, 100_000])
        self.maker_fee = random.choice([0, -min(200, self.taker_fee), 200, 50_000])
        self.oracle = stub_oracle_address(self.admin, self.base_mint)[0] if random.random() < 0.5 else None
        self.oracle_b: Pubkey | None = None
        if self.oracle and random.random() < 0.3:
            self.oracle_b = stub_oracle_address(self.admin, self.quote_mint)[0]
        self.orders_admin = self.admin if random.random() < 0.1 else None
        self.events_admin = self.admin if random.random() < 0.1 else None
        self.closer = self.admin if random.random() < 0.6 else None

    def _vault(self, of_mint: Pubkey) -> Pubkey:
        seeds = [bytes(self.authority), bytes(TOKEN_PROGRAM), bytes(of_mint)]
        return Pubkey.find_program_address(seeds, ASSOCIATED_TOKEN_PROGRAM)[0]

    def _make_trader(self) -> Trader:
        random = self.random
        owner, delegate, base, quote = (key(random) for _ in range(4))
        rich = 10**16 if self.crowded else random.choice([10**4, 10**8, 10**12, 10**16])
        accounts = self.world.accounts
        accounts[base], accounts[quote] = wallet(self.base_mint, owner, rich), wallet(self.quote_mint, owner, rich)
        for somebody in (owner, delegate):
            accounts[somebody] = AccountState(LAMPORTS, bytearray(), SYSTEM)
        return Trader(owner, delegate, base, quote, indexer_address(owner)[0], open_orders_address(owner, 1)[0])

    def _openings(self) -> list[Known]:
        first: list[Known] = []
        if self.oracle:
            first.append(self._make_oracle(self.base_mint, self.oracle))
        if self.oracle_b:
            first.append(self._make_oracle(self.quote_mint, self.oracle_b))
        if self.random.random() < 0.2:
            first.append(self._bad_market())
        first.append(self._create_market())
        for trader in self.traders:
            made = funds.CreateOpenOrdersIndexer(
                payer=self.payer, owner=trader.owner, open_orders_indexer=trader.indexer
            )
            first += [made, self._create_account(trader, 1)]
        return first

    def _crowd(self) -> list[Known]:
        """Return what fills one side: 24 orders of each trader."""
        side = self._side()
        batches = []
        for trader in self.traders:
            prices = [self.middle + (-1 if side is Side.BID else 1) * self.random.randint(1, 20) for _ in range(24)]
            lots = self.random.randint(1, 3)
            batch = tuple(
                orders.PlaceMultipleOrdersArgs(price, 2 * price * lots, self.random.choice([0, 0, 0, NOW + 10**6]))
                for price in prices
            )
            batches.append(self._batches(trader, PlaceOrderType.POST_ONLY, side, batch))
        return batches

    def _batches(
        self,
        trader: Trader,
        order_type: PlaceOrderType,
        side: Side,
        batch: tuple[orders.PlaceMultipleOrdersArgs, ...],
    ) -> Known:
        bids, asks = (batch, ()) if side is Side.BID else ((), batch)
        return orders.PlaceOrders(
            orders_type=order_type, bid_orders=bids, ask_orders=asks, limit=10, **self._placing_many(trader)
        )

    def _make_oracle(self, of_mint: Pubkey, oracle: Pubkey) -> Known:
        return funds.StubOracleCreate(
            price=self._price(), payer=self.payer, owner=self.admin, oracle=oracle, mint=of_mint
        )

    def _price(self) -> float:
        lots = max(1, self.middle + self.random.randint(-3, 3))
        native = lots * self.quote_lot / self.base_lot
        whole = native * 10.0 ** (self.base_decimals - self.quote_decimals)
        return self.random.choice([whole, whole, whole, whole * 1.01, whole / 3, 0.0, 1e300, -whole, 1.5])

    def _create_market(self) -> Known:
        return funds.CreateMarket(
            name="X-Y",
            conf_filter=self.random.choice([0.1, 0.0]),
            max_staleness_slots=self.random.choice([None, 0, 100]),
            quote_lot_size=self.quote_lot,
            base_lot_size=self.base_lot,
            maker_fee=self.maker_fee,
            taker_fee=self.taker_fee,
            time_expiry=self.random.choice([0, 0, 0, NOW + 10_000]),
            market=self.market,
            market_authority=self.authority,
            bids=self.bids,
            asks=self.asks,
            event_heap=self.heap,
            payer=self.payer,
            market_base_vault=self.base_vault,
            market_quote_vault=self.quote_vault,
            base_mint=self.base_mint,
            quote_mint=self.quote_mint,
            oracle_a=self.oracle,
            oracle_b=self.oracle_b,
            collect_fee_admin=self.admin,
            open_orders_admin=self.orders_admin,
            consume_events_admin=self.events_admin,
            close_market_admin=self.closer,
            event_authority=event_authority(),
        )

    def _bad_market(self) -> Known:
        """A market that can't be, in one way or two."""
        good = self._create_market()
        assert isinstance(good, funds.CreateMarket)
        ways: list[dict[str, Any]] = [
            {"maker_fee": 10**6 + 1},
            {"taker_fee": 10**6 + 1},
            {"taker_fee": -1},
            {"maker_fee": -self.taker_fee - 1},
            {"time_expiry": NOW - 1},
            {"quote_lot_size": 0},
            {"base_lot_size": -5},
            {"name": "x" * 17},
            {"name": "x" * 16, "oracle_a": None, "oracle_b": self.oracle or self.admin},
            {"oracle_a": self.base_mint},
            {"oracle_a": self.oracle, "oracle_b": self.oracle},
            {"quote_mint": self.base_mint, "market_quote_vault": self.base_vault},
            {"bids": self.base_mint},
            {"asks": self.bids},
            {"conf_filter": float("nan")},
        ]
        return replace(good, **self.random.choice(ways))

    def _again(self, trader: Trader) -> Known:
        """Make what is there already."""
        if self.random.random() < 0.3:
            return self._create_market()
        if self.oracle and self.random.random() < 0.3:
            return self._make_oracle(self.base_mint, self.oracle)
        return funds.CreateOpenOrdersIndexer(payer=self.payer, owner=trader.owner, open_orders_indexer=trader.indexer)

    def _create_account(self, trader: Trader, number: int) -> Known:
        return funds.CreateOpenOrdersAccount(
            name=self.random.choice(["", "maker", "x" * 32]),
            payer=self.payer,
            owner=trader.owner,
            delegate_account=self.random.choice([None, trader.delegate]),
            open_orders_indexer=trader.indexer,
            open_orders_account=open_orders_address(trader.owner, number)[0],
            market=self.market,
        )

    # What is sent.

    def _choose(self) -> Known:
        trader = self.random.choice(self.traders)
        choices: list[tuple[int, Callable[[Trader], Known]]] = [
            (30, self._place),
            (10, self._place_many),
            (8, self._take),
            (8, self._cancel),
            (5, self._cancel_by_client_id),
            (4, self._cancel_all),
            (6, self._consume),
            (4, self._consume_given),
            (6, self._settle),
            (3, self._deposit),
            (4, self._edit),
            (10 if self.oracle else 1, self._place_pegged),
            (3 if self.oracle else 1, self._edit_pegged),
            (6 if self.oracle else 0, self._set_oracle),
            (1, self._sweep),
            (1, self._set_delegate),
            (1, self._close_account),
            (1, self._end),
            (1, self._again),
        ]
        weights, makers = zip(*choices, strict=True)
        return self.random.choices(makers, weights)[0](trader)

    def _signer(self, trader: Trader) -> Pubkey:
        return trader.owner if self.clean or self.random.random() < 0.93 else trader.delegate

    def _remaining(self, trader: Trader) -> tuple[Pubkey, ...]:
        others = [other.open_orders for other in self.traders if other is not trader]
        if self.random.random() < 0.04:
            others.append(trader.open_orders)
        return tuple(self.random.sample(others, self.random.randint(0, min(4, len(others)))))

    def _lots(self) -> int:
        return self.random.choice([1, 2, 3, 10, 1_000, 1_000, 0 if not self.clean else 5, 2**40, 2**62])

    def _at(self) -> int:
        spread = self.random.choice([1, 2, 5, 10])
        price = self.middle + self.random.randint(-spread, spread)
        return price if not self.clean else max(1, price)

    def _quote(self, lots: int, price: int) -> int:
        exact = min(abs(lots * price), 2**62)
        quote = self.random.choice([exact, exact + exact // 1_000 + 1, 2 * exact, exact // 2, 2**62, 2**40, 10])
        return min(quote, 2**63 - 1)

    def _expiry(self) -> int:
        return self.random.choice([0, 0, 0, self.now + 1, self.now + 30, self.now, self.now + 10**6])

    def _order_args(self, side: Side) -> orders.PlaceOrderArgs:
        lots, price = self._lots(), self._at()
        return orders.PlaceOrderArgs(
            side=side,
            price_lots=price,
            max_base_lots=lots,
            max_quote_lots_including_fees=self._quote(lots, price),
            client_order_id=self.random.randint(0, 5),
            order_type=self._order_type(),
            expiry_timestamp=self._expiry(),
            self_trade_behavior=self.random.choice(list(SelfTradeBehavior)),
            limit=self.random.choice([10, 10, 10, 0, 1, 100]),
        )

    def _order_type(self) -> PlaceOrderType:
        kinds = list(PlaceOrderType)
        return self.random.choices(kinds, [8, 3, 5, 2, 3, 2])[0]

    def _placing(self, trader: Trader, side: Side) -> dict[str, Any]:
        bid = side is Side.BID
        if not self.clean and self.random.random() < 0.02:
            bid = not bid
        return {
            "signer": self._signer(trader),
            "open_orders_account": trader.open_orders,
            "open_orders_admin": self.orders_admin,
            "user_token_account": trader.quote if bid else trader.base,
            "market": self.market,
            "bids": self.bids,
            "asks": self.asks,
            "event_heap": self.heap,
            "market_vault": self.quote_vault if bid else self.base_vault,
            "oracle_a": self.oracle,
            "oracle_b": self.oracle_b,
            "remaining": self._remaining(trader),
        }

    def _side(self) -> Side:
        return self.random.choice(list(Side))

    def _place(self, trader: Trader) -> Known:
        side = self._side()
        return orders.PlaceOrder(args=self._order_args(side), **self._placing(trader, side))

    def _edit(self, trader: Trader) -> Known:
        side = self._side()
        return orders.EditOrder(
            client_order_id=self.random.randint(0, 5),
            expected_cancel_size=self.random.choice([0, 1, 5, 1_001, 2**41, -1]),
            place_order=self._order_args(side),
            **self._placing(trader, side),
        )

    def _pegged_args(self, side: Side) -> orders.PlaceOrderPeggedArgs:
        lots, price = self._lots(), self._at()
        limit = price + self.random.choice([0, 1, 5, 100, -1, -5])
        return orders.PlaceOrderPeggedArgs(
            side=side,
            price_offset_lots=self.random.choice([price - self.middle, -2, 2, -self.middle, 2**62]),
            peg_limit=limit if not self.clean else max(1, limit),
            max_base_lots=lots,
            max_quote_lots_including_fees=self._quote(lots, price),
            client_order_id=self.random.randint(0, 5),
            order_type=self._order_type(),
            expiry_timestamp=self._expiry(),
            self_trade_behavior=self.random.choice(list(SelfTradeBehavior)),
            limit=self.random.choice([10, 10, 0, 1]),
        )

    def _place_pegged(self, trader: Trader) -> Known:
        side = self._side()
        return orders.PlaceOrderPegged(args=self._pegged_args(side), **self._placing(trader, side))

    def _edit_pegged(self, trader: Trader) -> Known:
        side = self._side()
        return orders.EditOrderPegged(
            client_order_id=self.random.randint(0, 5),
            expected_cancel_size=self.random.choice([0, 5, 1_001, 2**41]),
            place_order=self._pegged_args(side),
            **self._placing(trader, side),
        )

    def _place_many(self, trader: Trader) -> Known:
        kind = self.random.choice([orders.PlaceOrders, orders.CancelAllAndPlaceOrders])
        order_type = self._order_type()
        rests = order_type in (PlaceOrderType.POST_ONLY, PlaceOrderType.POST_ONLY_SLIDE)
        most = 10 if rests else 3  # More that take come close to the end of v1.7's memory, which is known roughly.
        fills = 2 if self.build is Build.V1_7 else 4
        return kind(
            orders_type=order_type,
            bid_orders=self._batch(most),
            ask_orders=self._batch(most),
            limit=self.random.choice([10, 10, 0, 1] if rests else [fills, fills, 0, 1]),
            **self._placing_many(trader),
        )

    def _placing_many(self, trader: Trader) -> dict[str, Any]:
        return {
            "signer": self._signer(trader),
            "open_orders_account": trader.open_orders,
            "open_orders_admin": self.orders_admin,
            "user_quote_account": trader.quote,
            "user_base_account": trader.base,
            "market": self.market,
            "bids": self.bids,
            "asks": self.asks,
            "event_heap": self.heap,
            "market_quote_vault": self.quote_vault,
            "market_base_vault": self.base_vault,
            "oracle_a": self.oracle,
            "oracle_b": self.oracle_b,
            "remaining": self._remaining(trader),
        }

    def _batch(self, most: int) -> tuple[orders.PlaceMultipleOrdersArgs, ...]:
        batch = []
        for _ in range(min(most, self.random.choice([0, 1, 2, 5, 10]))):
            price = self._at()
            batch.append(
                orders.PlaceMultipleOrdersArgs(price, self._quote(self.random.randint(1, 50), price), self._expiry())
            )
        return tuple(batch)

    def _take(self, trader: Trader) -> Known:
        args = self._order_args(self._side())
        return orders.PlaceTakeOrder(
            args=orders.PlaceTakeOrderArgs(
                args.side,
                args.price_lots,
                args.max_base_lots,
                args.max_quote_lots_including_fees,
                self.random.choices(list(PlaceOrderType), [1, 5, 1, 5, 1, 3])[0],
                args.limit,
            ),
            signer=trader.owner,
            penalty_payer=self.random.choice([trader.owner, self.payer]),
            market=self.market,
            market_authority=self.authority,
            bids=self.bids,
            asks=self.asks,
            market_base_vault=self.base_vault,
            market_quote_vault=self.quote_vault,
            event_heap=self.heap,
            user_base_account=trader.base,
            user_quote_account=trader.quote,
            oracle_a=self.oracle,
            oracle_b=self.oracle_b,
            open_orders_admin=self.orders_admin,
            remaining=self._remaining(trader),
        )

    def _cancelling(self, trader: Trader) -> dict[str, Any]:
        return {
            "signer": self._signer(trader),
            "open_orders_account": trader.open_orders,
            "market": self.market,
            "bids": self.bids,
            "asks": self.asks,
        }

    def _cancel(self, trader: Trader) -> Known:
        data = bytes(self.world.accounts[trader.open_orders].data)
        used = [order.id for order in OpenOrdersAccount.decode(data).orders().values()] if len(data) > 8 else []
        order_id = self.random.choice(used) if used and self.random.random() < 0.9 else self.random.choice([0, 77])
        return orders.CancelOrder(order_id=order_id, **self._cancelling(trader))

    def _cancel_by_client_id(self, trader: Trader) -> Known:
        return orders.CancelOrderByClientOrderId(client_order_id=self.random.randint(0, 6), **self._cancelling(trader))

    def _cancel_all(self, trader: Trader) -> Known:
        return orders.CancelAllOrders(
            side_option=self.random.choice([None, None, *Side]),
            limit=self.random.choice([255, 24, 3, 1, 0]),
            **self._cancelling(trader),
        )

    def _consuming(self) -> dict[str, Any]:
        everybody = [trader.open_orders for trader in self.traders]
        return {
            "consume_events_admin": self.events_admin,
            "market": self.market,
            "event_heap": self.heap,
            "remaining": tuple(self.random.sample(everybody, self.random.randint(1, min(4, len(everybody))))),
        }

    def _consume(self, trader: Trader) -> Known:
        return orders.ConsumeEvents(limit=self.random.choice([8, 8, 1, 2, 0, 2**63]), **self._consuming())

    def _consume_given(self, trader: Trader) -> Known:
        slots = tuple(self.random.choice([0, 1, 2, 3, 5, 599, 600]) for _ in range(self.random.randint(0, 4)))
        if self.clean:
            slots = tuple(min(slot, 599) for slot in slots)
        return orders.ConsumeGivenEvents(slots=slots, **self._consuming())

    def _settle(self, trader: Trader) -> Known:
        other = self.random.choice(self.traders)
        common: dict[str, Any] = {
            "penalty_payer": self.random.choice([trader.owner, self.payer]),
            "open_orders_account": trader.open_orders,
            "market": self.market,
            "market_authority": self.authority,
            "market_base_vault": self.base_vault,
            "market_quote_vault": self.quote_vault,
            "user_base_account": self.random.choice([trader.base, trader.base, other.base]),
            "user_quote_account": trader.quote,
            "referrer_account": self.random.choice([None, trader.quote, other.quote]),
        }
        if self.closer and self.random.random() < 0.1:
            return funds.SettleFundsExpired(close_market_admin=self.closer, owner=trader.owner, **common)
        return funds.SettleFunds(owner=self._signer(trader), **common)

    def _deposit(self, trader: Trader) -> Known:
        kind = self.random.choice([funds.Deposit, funds.Refill])
        return kind(
            base_amount=self.random.choice([0, 1, 10_000, 10**9, 2**63]),
            quote_amount=self.random.choice([0, 1, 10_000, 10**9]),
            owner=trader.owner,
            user_base_account=trader.base,
            user_quote_account=trader.quote,
            open_orders_account=trader.open_orders,
            market=self.market,
            market_base_vault=self.base_vault,
            market_quote_vault=self.quote_vault,
        )

    def _set_oracle(self, trader: Trader) -> Known:
        oracle = self.oracle_b if self.oracle_b and self.random.random() < 0.3 else self.oracle
        assert oracle is not None
        return funds.StubOracleSet(price=self._price(), owner=self.admin, oracle=oracle)

    def _sweep(self, trader: Trader) -> Known:
        return funds.SweepFees(
            collect_fee_admin=self.admin,
            market=self.market,
            market_authority=self.authority,
            market_quote_vault=self.quote_vault,
            token_receiver_account=trader.quote,
        )

    def _set_delegate(self, trader: Trader) -> Known:
        return funds.SetDelegate(
            owner=trader.owner,
            open_orders_account=trader.open_orders,
            delegate_account=self.random.choice([None, trader.delegate, SYSTEM]),
        )

    def _close_account(self, trader: Trader) -> Known:
        if self.random.random() < 0.3:
            return funds.CloseOpenOrdersIndexer(
                owner=trader.owner, open_orders_indexer=trader.indexer, sol_destination=self.payer
            )
        if self.random.random() < 0.3:
            return self._create_account(trader, self.random.choice([2, 3]))
        number = self.random.choice([1, 2])
        return funds.CloseOpenOrdersAccount(
            owner=trader.owner,
            open_orders_indexer=trader.indexer,
            open_orders_account=open_orders_address(trader.owner, number)[0],
            sol_destination=self.payer,
        )

    def _end(self, trader: Trader) -> Known:
        """End the market, or try what only an ended market allows."""
        if self.oracle and self.random.random() < 0.05:
            return funds.StubOracleClose(owner=self.admin, oracle=self.oracle, sol_destination=self.payer)
        if self.random.random() < 0.2:
            return funds.SetMarketExpired(close_market_admin=self.admin, market=self.market)
        if self.random.random() < 0.5:
            return funds.PruneOrders(
                limit=self.random.choice([255, 2]),
                close_market_admin=self.admin,
                open_orders_account=trader.open_orders,
                market=self.market,
                bids=self.bids,
                asks=self.asks,
            )
        return funds.CloseMarket(
            close_market_admin=self.admin,
            market=self.market,
            bids=self.bids,
            asks=self.asks,
            event_heap=self.heap,
            sol_destination=self.payer,
        )

    def _spoil(self, instruction: Instruction) -> Instruction:
        """Return the instruction with one thing wrong."""
        data, metas = bytearray(instruction.data), list(instruction.accounts)
        place = self.random.randrange(len(metas))
        meta = metas[place]
        way = self.random.choice(["cut", "flip", "short", "swap", "read-only", "unsigned"])
        if way == "cut":
            del data[self.random.randrange(len(data)) :]
        elif way == "flip":
            at = self.random.randrange(len(data))
            data[at] ^= 1 << self.random.randrange(8)
        elif way == "short":
            del metas[place:]
        elif way == "swap":
            other = self.random.choice(metas).pubkey
            account = other not in PROGRAMS  # The chain takes a program's signature and its place for writing away.
            metas[place] = AccountMeta(other, meta.is_signer and account, meta.is_writable and account)
        elif way == "read-only":
            metas[place] = AccountMeta(meta.pubkey, meta.is_signer, False)
        else:
            metas[place] = AccountMeta(meta.pubkey, False, meta.is_writable)
        return Instruction(instruction.program_id, bytes(data), metas)


SEQUENCE = Sequence
