"""Whoever trades in a rig: an execution over real connections with a journal, and a grid that is moved about."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.rigs.roads import TIP_MAX

from bmv.adapters.openbook.execution.executor import Executor, House, Manners
from bmv.adapters.openbook.execution.purse import Purse
from bmv.adapters.openbook.execution.reading import open_fills
from bmv.adapters.openbook.execution.recovery import carried, read_left
from bmv.adapters.openbook.inspection.inspect import identify
from bmv.adapters.openbook.planning.routing import Routing
from bmv.adapters.openbook.planning.seat import Seat
from bmv.adapters.openbook.policy.guard import GuardedSigner
from bmv.adapters.openbook.policy.mandate import Limits
from bmv.adapters.openbook.seat.desk import AnyMarket, DeskSnapshot, read_desk
from bmv.adapters.openbook.seat.rights import make_policy, make_seat
from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.rpc import FINALIZED, Rpc
from bmv.adapters.solana.sending.courier import Courier, Habits
from bmv.adapters.solana.wallet.key import LocalKey
from bmv.live.clock import SystemClock
from bmv.live.journal import SessionJournal, begin_session
from bmv.live.routes import Roads
from bmv.ports.messages import Event, Intent, Kind, Verb
from bmv.ports.storage import SessionStore

NAME = "live/rig"
LIFE_S = 40
LEVELS, LOTS = 10, 40  # Of each side, and of each order.
ENDS = (Kind.CANCELLED, Kind.REJECTED, Kind.EXPIRED)


def habits_of(speed: float) -> Habits:
    """Return a courier's habits on a chain that is so many times as fast as a real one."""
    plain = Habits()
    return Habits(
        resend_s=plain.resend_s / speed,
        look_s=plain.look_s / speed,
        renew_s=plain.renew_s / speed,
        stale_s=plain.stale_s / speed,
        blind_s=plain.blind_s,
        ask_s=plain.ask_s / speed,
        rate=plain.rate * speed,
        burst=plain.burst * 2,
        kept=plain.kept,
        cool_s=plain.cool_s / speed,
    )


@dataclass
class Grid:
    """A grid as its owner knows it, by what he was told.

    Args:
        dice: Say how it moves.
        middle: Says where, in ticks.
    """

    dice: Random
    middle: Callable[[], int]
    open: dict[int, Intent] = field(default_factory=dict)
    left: dict[int, int] = field(default_factory=dict)  # Lots of open orders.
    told: Counter[Kind] = field(default_factory=Counter)
    reasons: Counter[int] = field(default_factory=Counter)  # Why orders were rejected.
    position: int = 0  # Lots, from fills.
    money: int = 0  # Ticks × lots.
    fees: int = 0  # Native quote.
    _numbers: int = 0

    def hear(self, event: Event) -> None:
        """Take in what became of an order."""
        kind = Kind(event.kind)
        self.told[kind] += 1
        assert event.order in self.open, f"order {event.order} is told {kind.name}, and is not open"
        if kind is Kind.REJECTED:
            self.reasons[event.code] += 1
        if kind is Kind.FILLED:
            self.left[event.order] -= event.size
            assert self.left[event.order] >= 0, f"order {event.order} is told more fills than it has lots"
            self.position += event.side * event.size
            self.money -= event.side * event.size * event.price
            self.fees += event.fee
        if kind in ENDS or not self.left[event.order]:
            del self.open[event.order], self.left[event.order]

    def lots(self, side: int) -> int:
        """Return the lots that may yet trade on a side."""
        return sum(left for number, left in self.left.items() if self.open[number].side == side)

    def moved(self, ts_ns: int) -> list[Intent]:
        """Return what cancels all and places as much of a grid around the middle as the limit leaves room for."""
        batch = [Intent(Verb.CANCEL, ts_ns, order=number) for number in self.open]
        middle = self.middle() + self.dice.randint(-3, 3)
        for side in (1, -1):
            room = (LEVELS * LOTS - self.lots(side)) // LOTS
            for level in range(min(LEVELS, room)):
                self._numbers += 1
                price = middle - side * (1 + level + self.dice.randint(0, 1) * 2)
                batch.append(Intent(Verb.PLACE, ts_ns, self._numbers, side, price, LOTS, level))
        for intent in batch:
            if intent.verb == Verb.PLACE:
                self.open[intent.order], self.left[intent.order] = intent, intent.size
        return batch

    def nothing(self, ts_ns: int) -> list[Intent]:
        """Return what cancels all."""
        return [Intent(Verb.CANCEL_ALL, ts_ns)]


class Late:
    """A clock that is ahead.

    Args:
        more_ns: By so much.
    """

    def __init__(self, more_ns: int = 0) -> None:
        self._clock, self.more_ns = SystemClock(), more_ns

    def now_ns(self) -> int:
        """Return the time there, in ns UTC."""
        return self._clock.now_ns() + self.more_ns


@dataclass
class Trader:
    """An execution that works, its journal, and the grid that it trades."""

    executor: Executor
    journal: SessionJournal
    grid: Grid
    courier: Courier
    clock: SystemClock | Late

    def submit(self, batch: Sequence[Intent]) -> None:
        """Journal and ask, as `tell` does."""
        for intent in batch:
            self.journal.intent(intent)
        self.executor.submit(batch)

    async def until(self, done: Callable[[], bool], deadline_s: float) -> None:
        """Wait until something holds; TimeoutError says how it stands then."""
        try:
            async with asyncio.timeout(deadline_s):
                while not done():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise TimeoutError(state_of(self)) from None


async def open_trader(
    rpc: Rpc,
    courier: Courier,
    market: Pubkey,
    open_orders: Pubkey,
    key: Keypair,
    store: SessionStore,
    dice: Random,
    manners: Manners,
    roads: Roads | None = None,
    purse: Purse | None = None,
    owner: Pubkey | None = None,
    late_ns: int = 0,
) -> Trader:
    """Begin a session, take over what the one before left, and return who trades; its executor is not running yet.

    Args:
        owner: Whose account it is, where the key is a delegate's.
        late_ns: How far the clock of who trades is ahead.
    """
    identity = identify(market, (await _accounts(rpc, market))[market])
    seat = make_seat(market, identity.market, identity.program, owner or key.pubkey(), open_orders, signer=key.pubkey())
    clock = Late(late_ns)
    begun = await begin_session(store, NAME, clock.now_ns())
    left = read_left(begun.before)
    for note in carried(left, begun.epoch, clock.now_ns()):
        begun.journal.note(note)
    await begun.journal.commit()
    desk = await _desk(rpc, seat, identity.market)
    limits = Limits(
        order_lots_max=LOTS,
        order_quote_lots_max=10**9,
        total_quote_lots_max=10**11,
        order_life_s_max=LIFE_S + 10,
        priority_lamports_max=10_000,
        tip_lamports_max=TIP_MAX,
    )
    routing = roads.routing if roads else Routing()
    tips = {account for route in routing.routes for account in route.tips}
    last: list[int] = []

    def middle() -> int:
        return last[-1] if last else 15_000

    grid = Grid(dice, middle)

    def tell(event: Event) -> None:
        begun.journal.event(event)
        grid.hear(event)

    house = House(
        market=identity.market,
        seat=seat,
        fills=open_fills(seat, identity.market, desk, left.mark),
        courier=courier,
        guard=GuardedSigner(LocalKey(key), make_policy(seat, identity.market, limits, tips=tips)),
        ledger=begun.journal,
        purse=purse or Purse(),
        band=lambda: (1, 10**6),
        now_ns=clock.now_ns,
        tell=tell,
        routing=routing,
    )
    executor = Executor(house, manners, begun.epoch)
    executor.resume(left.orders, left.attempts, left.spending)
    return Trader(executor, begun.journal, grid, courier, clock)


async def _accounts(rpc: Rpc, *keys: Pubkey) -> Mapping[Pubkey, Account | None]:
    for _ in range(50):
        try:
            return (await rpc.accounts(list(keys))).accounts
        except EndpointError:
            await asyncio.sleep(0.02)
    raise EndpointError("the market can't be read")


async def _desk(rpc: Rpc, seat: Seat, account: AnyMarket) -> DeskSnapshot:
    for _ in range(50):
        try:
            return await read_desk(rpc, seat, account, least_slot=0, commitment=FINALIZED)
        except EndpointError:
            await asyncio.sleep(0.02)
    raise EndpointError("our accounts can't be read")


def state_of(trader: Trader) -> str:
    """Return how a trader stands, for whoever waits in vain."""
    executor = trader.executor
    return "\n".join(
        [
            f"{executor!r}; {trader.courier!r}; {trader.courier.failed()}; {executor.trouble}",
            f"desk at {executor.desk and executor.desk.slot}, floor {executor.carrier.floor}, round {executor._round}",
            f"fills read to {executor.house.fills.slot}; cancelling {executor._cancelling}",
            *(f"  {order}" for order in executor.orders.open.values()),
        ]
    )
