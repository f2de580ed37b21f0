"""Random sequences on a market of OpenBook v1: what makers, takers and cranks send, and what they should not."""

from random import Random

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.sysvar import RENT
from solders.token import ID as TOKEN_PROGRAM
from tests.rigs.against_genuine import Call, World

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.v1 import instructions as does
from bmv.adapters.openbook.v1 import keys as by
from bmv.adapters.openbook.v1 import layout as at
from bmv.adapters.openbook.v1.accounts import Market, OpenOrders, find_vault_signer
from bmv.adapters.openbook.v1.bodies import NewOrder, OrderType, SelfTrade
from bmv.adapters.openbook.v1.events import EVENT, EVENTS
from bmv.adapters.sandbox.double import AccountState
from bmv.adapters.sandbox.openbook_v1.program import OpenBookV1
from bmv.adapters.sandbox.transfers import empty_account

VARIABLE = "BMV_OPENBOOK_V1_SO"
DOUBLE = OpenBookV1

LAMPORTS = 10**10
NOW = 1_700_000_000
TRADERS = 3


def key(random: Random) -> Pubkey:
    return Pubkey.from_bytes(random.randbytes(32))


class Trader:
    """A wallet, its money, and an account at the venue; now and then one that pays rent."""

    def __init__(self, random: Random, world: World, market: Market, rich: int) -> None:
        self.owner, self.open_orders, self.base, self.quote = (key(random) for _ in range(4))
        world.accounts[self.base] = empty_account(market.coin_mint, self.owner, rich, LAMPORTS)
        world.accounts[self.quote] = empty_account(market.pc_mint, self.owner, rich, LAMPORTS)
        lamports = LAMPORTS if random.random() < 0.99 else 1_000_000
        world.accounts[self.open_orders] = AccountState(lamports, bytearray(at.OPEN_ORDERS_BYTES), does.PROGRAM_ID)
        world.accounts[self.owner] = AccountState(LAMPORTS, bytearray(), Pubkey.default())


class Sequence:
    """One market from its making on; of small accounts, so that rings wrap and books fill."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.world = World({})
        self.now = NOW
        self.mode = random.choices(["plain", "crowded", "taking"], [70, 15, 15])[0]
        self.crowded = self.mode == "crowded"
        self.permissioned = random.random() < 0.1
        self.n_calls = random.choice([20, 50, 80]) if self.mode == "plain" else 150
        self.market = self._make_market()
        rich = [10**4, 10**7, 10**12, 10**15, 2**60] if self.mode == "plain" else [2**60]
        self.traders = [
            Trader(random, self.world, self.market, random.choice(rich))
            for _ in range(random.choice([1, TRADERS, TRADERS]))
        ]
        self.first = [self._initialize_market()]
        if self.permissioned:
            self.first += [self._init(trader) for trader in self.traders]
        self.middle = random.choice([3, 50, 10_000, 2**40])

    def calls(self) -> int:
        return self.n_calls

    # The market.

    def _make_market(self) -> Market:
        random, accounts = self.random, self.world.accounts
        names = ("own_address", "coin_mint", "pc_mint", "coin_vault", "pc_vault", "req_q", "event_q", "bids", "asks")
        keys = {name: key(random) for name in names}
        signer, nonce = find_vault_signer(keys["own_address"], does.PROGRAM_ID)
        sizes = {
            "own_address": at.PERMISSIONED_MARKET_BYTES if self.permissioned else at.MARKET_BYTES,
            "req_q": 5_132,
            "event_q": (EVENTS + 7 + EVENT.itemsize * random.randrange(128, 150)) // 8 * 8 + 4,
            "bids": (at.NODES + 7 + at.NODE_BYTES * random.randrange(201, 207)) // 8 * 8 + 12,
            "asks": (at.NODES + 7 + at.NODE_BYTES * random.randrange(201, 207)) // 8 * 8 + 12,
        }
        for name, size in sizes.items():
            accounts[keys[name]] = AccountState(LAMPORTS, bytearray(size), does.PROGRAM_ID)
        for mint, vault in (("coin_mint", "coin_vault"), ("pc_mint", "pc_vault")):
            accounts[keys[mint]] = AccountState(LAMPORTS, bytearray(45) + b"\1" + bytes(36), TOKEN_PROGRAM)
            accounts[keys[vault]] = empty_account(keys[mint], signer, 0, LAMPORTS)
        self.signer = signer
        self.authority = key(random)
        zero = dict.fromkeys(
            [
                "coin_deposits_total",
                "coin_fees_accrued",
                "pc_deposits_total",
                "pc_fees_accrued",
                "pc_dust_threshold",
                "fee_rate_bps",
                "referrer_rebates_accrued",
            ],
            0,
        )
        lots = {"coin_lot_size": random.choice([1, 1_000, 10**8]), "pc_lot_size": random.choice([1, 10, 100])}
        return Market(account_flags=3, vault_signer_nonce=nonce, **keys, **zero, **lots)  # type: ignore[arg-type]

    def _initialize_market(self) -> Call:
        market = self.market
        authorities = ("open_orders_authority", "prune_authority", "consume_events_authority")
        named = dict.fromkeys(authorities[: self.random.choice([1, 2, 3])], self.authority) if self.permissioned else {}
        keys = by.InitializeMarketKeys(
            market=market.own_address,
            req_q=market.req_q,
            event_q=market.event_q,
            bids=market.bids,
            asks=market.asks,
            coin_vault=market.coin_vault,
            pc_vault=market.pc_vault,
            coin_mint=market.coin_mint,
            pc_mint=market.pc_mint,
            rent=RENT,
            **named,
        )
        return self._call(
            does.InitializeMarket(
                keys=keys,
                coin_lot_size=market.coin_lot_size,
                pc_lot_size=market.pc_lot_size,
                vault_signer_nonce=market.vault_signer_nonce,
                pc_dust_threshold=self.random.randrange(1000),
            )
        )

    # What comes next.

    def next(self) -> Call:
        if self.first:
            return self.first.pop(0)
        if self.random.random() < 0.1:
            self.now += self.random.randrange(3)
        few = {
            "crowded": [(10, self._new_order), (30, self._replace), (10, self._crank)],
            "taking": [(30, self._new_order), (10, self._replace), (1.5, self._crank), (1, self._settle)],
        }
        ways = few.get(self.mode) or [
            (40, self._new_order),
            (6, self._replace),
            (12, self._crank),
            (8, self._cancel_by_id),
            (6, self._cancel_by_client_id),
            (6, self._cancel_by_client_ids),
            (8, self._settle),
            (1, self._close),
            (2, self._init_any),
            (2, self._prune),
            (1, self._sweep),
            (0.1, self._disable),
            (1, self._dead),
        ]
        (way,) = self.random.choices([way for _, way in ways], [weight for weight, _ in ways])
        call = way()
        spoil = bool(call.instruction.accounts) and self.random.random() < (0.08 if self.mode == "plain" else 0.01)
        return self._spoil(call) if spoil else call

    def _call(self, value: does.AnyInstruction) -> Call:
        return Call(type(value).__name__, does.build(value), self.now)

    def _trader(self) -> Trader:
        return self.random.choice(self.traders)

    def _order(self, side: Side, client_order_id: int | None = None) -> NewOrder:
        random = self.random
        spread = max(self.middle // 200, 2)
        price = max(self.middle + random.randrange(-spread, spread + 1), 1)
        if self.crowded:
            price = max(price + (2 * spread if side is Side.ASK else -2 * spread), 1)
        size = random.choice([1, random.randrange(1, 30), random.randrange(1, 30), random.randrange(1, 10**5)])
        exact = price * size * self.market.pc_lot_size
        money = random.choice([exact, exact * 10_005 // 10_000 + 1, exact, random.randrange(1, exact + 2)])
        return NewOrder(
            side=side,
            limit_price=price,
            max_coin_qty=size,
            max_native_pc_qty_including_fees=max(min(money, 2**64 - 1), 1),
            self_trade_behavior=random.choice(list(SelfTrade)),
            order_type=OrderType.POST_ONLY if self.crowded else random.choice(list(OrderType)),
            client_order_id=random.randrange(6) if client_order_id is None else client_order_id,
            limit=random.choice([0, 1, 2, 3, 65_535, 65_535, 65_535]),
            max_ts=random.choice([None, None, self.now, self.now + 5, 2**63 - 1, self.now - (random.random() < 0.1)]),
        )

    def _order_keys(self, trader: Trader, side: Side) -> by.OrderKeys:
        payer = trader.quote if side is Side.BID else trader.base
        return by.OrderKeys.of(self.market, open_orders=trader.open_orders, owner=trader.owner, payer=payer)

    def _new_order(self) -> Call:
        trader, side = self._trader(), self.random.choice(list(Side))
        return self._call(does.NewOrderV3(keys=self._order_keys(trader, side), order=self._order(side)))

    def _replace(self) -> Call:
        random, trader, side = self.random, self._trader(), self.random.choice(list(Side))
        keys = self._order_keys(trader, side)
        if random.random() < 0.3:
            return self._call(does.ReplaceOrderByClientId(keys=keys, order=self._order(side)))
        ids = [None if self.mode == "plain" else random.randrange(200) for _ in range(random.randrange(9))]
        orders = tuple(self._order(side, client_id) for client_id in ids)
        return self._call(does.ReplaceOrdersByClientIds(keys=keys, orders=orders))

    def _crank(self) -> Call:
        random = self.random
        named = [trader.open_orders for trader in self.traders]
        if random.random() < 0.2:
            named = random.sample(named, random.randrange(1, len(named) + 1))
        keys = by.CrankKeys.of(self.market, named)
        if random.random() < 0.15:
            shuffled = tuple(random.sample(keys.open_orders, len(keys.open_orders)))
            keys = by.CrankKeys(open_orders=shuffled, market=keys.market, event_q=keys.event_q, ends=keys.ends)
        limit = random.choice([60, 60, 200] if self.crowded else [0, 1, 3, 8, 12, 20, 60])
        if self.permissioned and random.random() < 0.5:
            rest = {"market": keys.market, "event_q": keys.event_q, "authority": self.authority}
            permissioned = by.PermissionedCrankKeys(open_orders=keys.open_orders, **rest)
            return self._call(does.ConsumeEventsPermissioned(keys=permissioned, limit=limit))
        return self._call(does.ConsumeEvents(keys=keys, limit=limit))

    def _cancel_keys(self, trader: Trader) -> by.CancelKeys:
        return by.CancelKeys.of(self.market, open_orders=trader.open_orders, owner=trader.owner)

    def _cancel_by_id(self) -> Call:
        random, trader = self.random, self._trader()
        whose = trader if random.random() < 0.9 else self._trader()
        state = self.world.accounts[whose.open_orders]
        known = OpenOrders.decode(bytes(state.data)).open if len(state.data) > 5 and state.data[5] == 5 else []
        if known and random.random() < 0.9:
            order = random.choice(known)
            side, order_id = order.side, order.order_id
        else:
            side, order_id = random.choice(list(Side)), self.middle << 64 | random.randrange(50)
        return self._call(does.CancelOrderV2(keys=self._cancel_keys(trader), side=side, order_id=order_id))

    def _cancel_by_client_id(self) -> Call:
        keys = self._cancel_keys(self._trader())
        return self._call(does.CancelOrderByClientIdV2(keys=keys, client_order_id=self.random.randrange(7)))

    def _cancel_by_client_ids(self) -> Call:
        ids = tuple(self.random.randrange(7) for _ in range(self.random.randrange(9)))
        return self._call(does.CancelOrdersByClientIds(keys=self._cancel_keys(self._trader()), client_order_ids=ids))

    def _settle(self) -> Call:
        trader = self._trader()
        market = self.market
        keys = by.SettleKeys(
            market=market.own_address,
            open_orders=trader.open_orders,
            owner=trader.owner,
            coin_vault=market.coin_vault,
            pc_vault=market.pc_vault,
            coin_wallet=trader.base,
            pc_wallet=trader.quote,
            vault_signer=self.signer,
            token_program=TOKEN_PROGRAM,
            referrer=self.random.choice([None, None, trader.quote, self._trader().quote, trader.base]),
        )
        return self._call(does.SettleFunds(keys=keys))

    def _close(self) -> Call:
        trader = self._trader()
        where = self.random.choice([trader.owner, trader.owner, self._trader().owner, trader.open_orders])
        market = self.market.own_address
        keys = by.CloseKeys(open_orders=trader.open_orders, owner=trader.owner, destination=where, market=market)
        return self._call(does.CloseOpenOrders(keys=keys))

    def _init(self, trader: Trader) -> Call:
        authority = self.authority if self.permissioned else None
        keys = by.InitKeys(
            open_orders=trader.open_orders,
            owner=trader.owner,
            market=self.market.own_address,
            open_orders_authority=authority,
        )
        return self._call(does.InitOpenOrders(keys=keys))

    def _init_any(self) -> Call:
        return self._init(self._trader())

    def _prune(self) -> Call:
        trader, market = self._trader(), self.market
        keys = by.PruneKeys(
            market=market.own_address,
            bids=market.bids,
            asks=market.asks,
            prune_authority=self.authority,
            open_orders=trader.open_orders,
            open_orders_owner=trader.owner,
            event_q=market.event_q,
        )
        return self._call(does.Prune(keys=keys, limit=self.random.choice([0, 3, 20, 65_535])))

    def _sweep(self) -> Call:
        market = self.market
        wallet = self._trader().quote
        metas = [
            AccountMeta(market.own_address, False, True),
            AccountMeta(market.pc_vault, False, True),
            AccountMeta(does.AUTHORITY, self.random.random() < 0.9, False),
            AccountMeta(wallet, False, True),
            AccountMeta(self.signer, False, False),
            AccountMeta(TOKEN_PROGRAM, False, False),
        ]
        return Call("SweepFees", Instruction(does.PROGRAM_ID, bytes((0, 8, 0, 0, 0)), metas), self.now)

    def _disable(self) -> Call:
        metas = [AccountMeta(self.market.own_address, False, True), AccountMeta(does.AUTHORITY, True, False)]
        return Call("DisableMarket", Instruction(does.PROGRAM_ID, bytes((0, 7, 0, 0, 0)), metas), self.now)

    def _dead(self) -> Call:
        """What the program no longer plays, some of it unreadable."""
        random = self.random
        tag, size = random.choice([(1, 32), (9, 36), (4, 53), (6, 8), (2, 2)])
        order = (
            random.choice([0, 1, 2]).to_bytes(4, "little")
            + bytes([1] + [0] * 7) * 2
            + bytes([random.randrange(4), 0, 0, 0])
        )
        body = (order + bytes(29))[:size] if random.random() < 0.8 else random.randbytes(size)
        return Call("dead", Instruction(does.PROGRAM_ID, bytes((0, tag, 0, 0, 0)) + body, []), self.now)

    # What should not be sent.

    def _spoil(self, call: Call) -> Call:
        """Damage an instruction: its bytes, or the accounts it names."""
        random = self.random
        data, metas = bytearray(bytes(call.instruction.data)), list(call.instruction.accounts)
        what = random.choice(["byte", "cut", "more", "swap", "right", "sign", "drop", "other", "twice"])
        number = random.randrange(len(metas))
        if what == "byte":
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        elif what == "cut":
            del data[random.randrange(len(data)) :]
        elif what == "more":
            data += random.randbytes(random.randrange(1, 9))
        elif what == "swap":
            other = random.randrange(len(metas))
            metas[number], metas[other] = metas[other], metas[number]
        elif what == "right":
            meta = metas[number]
            metas[number] = AccountMeta(meta.pubkey, meta.is_signer, False)
        elif what == "sign":
            metas[number] = AccountMeta(metas[number].pubkey, False, metas[number].is_writable)
        elif what == "drop":
            del metas[number]
        elif what == "other":
            strange = random.choice([key(random), *self.world.accounts])
            metas[number] = AccountMeta(strange, metas[number].is_signer, metas[number].is_writable)
        else:
            metas.append(random.choice(metas))
        return Call(
            f"{call.name} spoilt: {what}", Instruction(call.instruction.program_id, bytes(data), metas), self.now
        )


SEQUENCE = Sequence
