"""A seat on the sandbox's market, planned for and traded from: what tests of planning and `tests.rigs.shapes` use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from solders.account import Account
from solders.pubkey import Pubkey
from solders.token import ID as TOKEN
from solders.transaction import VersionedTransaction

from bmv.adapters.openbook.book import RestingOrder, Side
from bmv.adapters.openbook.planning import v1, v2
from bmv.adapters.openbook.planning.budget import Fee, size_of
from bmv.adapters.openbook.planning.orders import Own
from bmv.adapters.openbook.planning.packing import Frame
from bmv.adapters.openbook.planning.plan import Part, Plan
from bmv.adapters.openbook.planning.routes import Form
from bmv.adapters.openbook.planning.seat import Seat, Terms
from bmv.adapters.openbook.v1.accounts import OpenOrders
from bmv.adapters.openbook.v1.events import EventQueue
from bmv.adapters.openbook.v2.heap import EventHeap
from bmv.adapters.openbook.v2.open_orders import OpenOrdersAccount
from bmv.adapters.sandbox.jsonrpc import Json
from bmv.adapters.sandbox.market import Order
from bmv.adapters.sandbox.programs import PROGRAMS
from bmv.adapters.sandbox.runtime import Result
from bmv.adapters.sandbox.transfers import amount_of
from bmv.adapters.sandbox.wallets import Trader, seeded_key, send, trader_of
from bmv.adapters.sandbox.wiring import MAKERS, TAKERS, Settings, World, make_world
from bmv.ports.messages import Intent, Tif, Verb

VENUES = ("openbook-v1", "openbook-v2")
FORMS = {1: Form(1, 4096), 0: Form(0, 1232)}


def place(number: int, side: Side, price: int, size: int, tif: Tif = Tif.POST_ONLY) -> Intent:
    """Return the intent to place an order."""
    return Intent(Verb.PLACE, 0, number, 1 if side is Side.BID else -1, price, size, tif=tif)


def cancel(number: int) -> Intent:
    """Return the intent to cancel an order."""
    return Intent(Verb.CANCEL, 0, number)


CANCEL_ALL = Intent(Verb.CANCEL_ALL, 0)


@dataclass
class Stage:
    """The user of a sandbox with his account on the market, and nobody who acts by himself."""

    venue: str
    world: World
    seat: Seat
    takers: Sequence[Trader]
    order_ids: dict[int, int] = field(default_factory=dict)

    @property
    def user(self) -> Trader:
        return self.world.user

    def data(self, key: Pubkey) -> bytes:
        account = self.world.chain.account(key)
        assert account is not None
        return bytes(account.data)

    def account(self) -> OpenOrders | OpenOrdersAccount:
        """Return our account at the venue."""
        data = self.data(self.seat.open_orders)
        return OpenOrders.decode(data) if self.venue == "openbook-v1" else OpenOrdersAccount.decode(data)

    def events(self) -> EventQueue | EventHeap:
        """Return the queue or the heap."""
        state = self.world.market.state  # type: ignore[attr-defined]  # Both markets have it.
        if self.venue == "openbook-v1":
            return EventQueue.decode(self.data(state.event_q))
        return EventHeap.decode(self.data(state.event_heap))

    def own(self) -> Own:
        """Return what we have."""
        of = v1.own_of if self.venue == "openbook-v1" else v2.own_of
        return of(self.account(), self.events(), self.seat.open_orders, self.order_ids)  # type: ignore[operator]

    def frame(self, form: Form, fee: Fee | None = None) -> Frame:
        """Return a frame of the venue's own shape."""
        shape = v1.SHAPE if self.venue == "openbook-v1" else v2.SHAPE
        return Frame(form, self.user.address, fee or Fee(), shape)

    def plan(
        self, batch: Sequence[Intent], version: int = 1, terms: Terms | None = None, fee: Fee | None = None
    ) -> Plan:
        """Return the plan of a batch."""
        planner = (v1.PlannerV1 if self.venue == "openbook-v1" else v2.PlannerV2)(self.state, self.seat)
        return planner.plan(batch, self.own(), self.events(), terms or self.terms(), self.frame(FORMS[version], fee))

    @property
    def state(self):  # type: ignore[no-untyped-def]  # Of either version.
        return self.world.market.state  # type: ignore[attr-defined]

    def terms(self, **more: object) -> Terms:
        """Return terms at the chain's time."""
        return Terms(now=self.world.chain.unix_timestamp, **more)  # type: ignore[arg-type]

    def transaction(self, part: Part) -> VersionedTransaction:
        """Return a part, signed."""
        message = part.message(self.world.chain.ledger.open.newest_hash)
        transaction = VersionedTransaction(message, [self.user.key])
        assert len(bytes(transaction)) == size_of(message) == part.size
        return transaction

    def land(self, part: Part) -> Json:
        """Land a part, in a block of its own; return why it failed."""
        error = self.world.chain.land(self.transaction(part))
        self.world.chain.advance()
        return error

    def simulate(self, part: Part) -> Result:
        """Return what would become of a part."""
        return self.world.chain.simulate(self.transaction(part))[0]

    def do(self, batch: Sequence[Intent], version: int = 1, **terms: object) -> Plan:
        """Plan a batch and land all of it."""
        plan = self.plan(batch, version, self.terms(**terms))
        for part in plan.parts:
            error = self.land(part)
            assert error is None, (error, part)
        self.learn(batch, plan)
        return plan

    def learn(self, batch: Sequence[Intent], plan: Plan) -> None:
        """Read back which order of the venue is which of ours, where ids are by index."""
        ids = {at: client_id for part in plan.parts for at, client_id in part.places.items()}
        resting = {(one.side, one.client_id): one.order_id for one in self.own().resting}
        for at, client_id in ids.items():
            side = Side.BID if batch[at].side > 0 else Side.ASK
            if client_id != batch[at].order and (side, client_id) in resting:
                self.order_ids[batch[at].order] = resting[side, client_id]

    def resting(self) -> list[RestingOrder]:
        """Return our orders as the book has them."""
        return [
            order for side in Side for order in self.world.market.book(side) if order.owner == self.seat.open_orders
        ]

    def take(self, side: Side, price: int, size: int, by: int = 0) -> None:
        """Let a taker trade."""
        taker = self.takers[by]
        send(self.world.chain, [taker.key], self.world.market.take(taker, Order(side, price, size), 1, False))
        self.world.chain.advance()

    def crank(self) -> None:
        """Let somebody else crank, once."""
        instructions = self.world.market.crank()
        if instructions:
            send(self.world.chain, [self.world.chain.faucet], instructions)
            self.world.chain.advance()

    def money(self) -> tuple[int, int, int]:
        """Return lamports, base and quote of our wallets."""
        account = self.world.chain.account(self.user.address)
        assert account is not None
        return account.lamports, amount_of(self.data(self.user.base)), amount_of(self.data(self.user.quote))

    def snapshot(self) -> Mapping[Pubkey, Account]:
        """Return every account that trading changes."""
        svm = self.world.chain.runtime.svm
        rows = [row for owner in (PROGRAMS[self.venue], TOKEN) for row in svm.get_program_accounts(owner)]
        user = self.world.chain.account(self.user.address)
        assert user is not None
        return {**dict(rows), self.user.address: user}

    def restore(self, accounts: Mapping[Pubkey, Account]) -> None:
        """Put everything back, and go on in another block."""
        for key, account in accounts.items():
            self.world.chain.put(key, account)
        self.order_ids.clear()
        self.world.chain.advance()


def staged(venue: str, settings: Settings | None = None, empty: bool = True) -> Stage:
    """Return a stage; `empty`: the makers of the sandbox have gone."""
    settings = settings or Settings(venue=venue)
    world = make_world(settings)
    market, user = world.market, world.user
    signers, instructions = market.accounts_of(user)
    send(world.chain, [user.key, *signers], instructions)
    makers, takers = (_known(world, settings.seed, name, n) for name, n in (("maker", MAKERS), ("taker", TAKERS)))
    if empty:
        for maker in makers:
            Stage(venue, replace(world, user=maker), _seat(venue, world, maker), []).do([CANCEL_ALL])
    for _ in range(8):
        cranks = market.crank()
        if cranks:
            send(world.chain, [world.chain.faucet], cranks)
        world.chain.advance()
    return Stage(venue, world, _seat(venue, world, user), takers)


def _known(world: World, seed: int, name: str, n: int) -> list[Trader]:
    """Return those who trade on the sandbox by themselves."""
    names = [f"{name} {number}" for number in range(n)]
    return [trader_of(seeded_key(seed, one), one, world.base, world.quote) for one in names]


def _seat(venue: str, world: World, trader: Trader) -> Seat:
    return Seat(
        market=world.market.address,
        owner=trader.address,
        open_orders=world.market.account_of(trader),
        base_wallet=trader.base,
        quote_wallet=trader.quote,
        program=PROGRAMS[venue],
    )
