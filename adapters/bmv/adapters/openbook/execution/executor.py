"""Carries out what is asked for, turn by turn: look at the final chain, cancel, place; and tell what was.

One round at a time places: it begins by a final bank in which every earlier attempt has ended, and ends when all its
own have. What is to be cancelled meanwhile does not wait for that: it goes by itself, by what the newest bank shows.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from solders.hash import Hash

from bmv.adapters.openbook.execution.allowance import Allowance, simulate
from bmv.adapters.openbook.execution.carrier import Carrier, Load
from bmv.adapters.openbook.execution.fate import exceeds_budget
from bmv.adapters.openbook.execution.ledger import Ledger, keep_beating
from bmv.adapters.openbook.execution.orders import Order, Orders, Seen
from bmv.adapters.openbook.execution.purse import Purse
from bmv.adapters.openbook.execution.reading import Fills
from bmv.adapters.openbook.execution.tariff import NO_FEE, Tariff
from bmv.adapters.openbook.execution.telling import Herald, number_at_venue
from bmv.adapters.openbook.planning.budget import Fee
from bmv.adapters.openbook.planning.packing import Frame, TooLarge
from bmv.adapters.openbook.planning.plan import Part, Plan
from bmv.adapters.openbook.planning.routing import Course, Routing, best_course
from bmv.adapters.openbook.planning.seat import Seat, Terms
from bmv.adapters.openbook.planning.tipping import Purpose
from bmv.adapters.openbook.policy.guard import GuardedSigner
from bmv.adapters.openbook.policy.mandate import Moment
from bmv.adapters.openbook.seat.desk import AnyMarket, DeskSnapshot, locks_of, plan, read_desk, shape_of
from bmv.adapters.openbook.v1.accounts import Market as MarketV1
from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.rpc import FINALIZED, PROCESSED
from bmv.adapters.solana.sending.attempt import Attempt, Fate, State
from bmv.adapters.solana.sending.courier import Courier
from bmv.data.journal.attempts import Attempted
from bmv.data.journal.spending import Spending
from bmv.ports.errors import DataError, StorageError
from bmv.ports.messages import Event, Intent, Reason, Verb

CANT_READ = "(-32602)"  # What a node says of bytes of a version that it does not know.
ROUND_S = 2.0  # What a round is to cancel and has not got to by then goes by itself.
MADE_BEFORE = 32  # Slots by which our count of them may be ahead of the chain where an attempt was made.
SERIALS_APART = 101  # Between processes that may name the same blockhash.


@dataclass(frozen=True, slots=True)
class Manners:
    """How the execution goes about it.

    Args:
        life_s: What an order is given: on version 1 to be placed, on version 2 until it leaves the book.
        look_s: Between two looks at the final chain, while nothing is under way.
        crank_s: Events of ours wait no longer for somebody else's crank.
        settle_above: Native base and quote, free at the venue, above which they are paid out; None: never.
        fee: For priority: the least a unit, and the most in all. What others pay is asked for in between.
        price_s: Between two questions what they pay.
        version: Of transactions, to begin with.
        alone: Whether what our account shows is ours; else another process trades there: its orders are not ours to
            cancel, its fills not ours to tell, and its events not ours to crank.
    """

    life_s: int = 60
    look_s: float = 1.0
    crank_s: float = 3.0
    settle_above: tuple[int, int] | None = None
    fee: Fee = NO_FEE
    price_s: float = 10.0
    version: int = 1
    alone: bool = True


@dataclass(frozen=True, slots=True)
class House:
    """Whom the execution works with.

    Args:
        market: The market's account.
        seat: Our accounts there.
        fills: Reads our fills.
        courier: Sends.
        guard: Signs what the policy allows.
        ledger: Keeps, before anything is sent.
        purse: Says what may be paid.
        band: Between which prices orders may lie, ticks; None: none may be placed.
        now_ns: The time at which something is told or paid, ns UTC; it never goes back.
        tell: Hears what became of orders; it is journalled there.
        native: Quanta of the market in a native unit of quote, in which the venue books fees.
        routing: By which routes batches go, and what is tipped.
    """

    market: AnyMarket
    seat: Seat
    fills: Fills
    courier: Courier
    guard: GuardedSigner
    ledger: Ledger
    purse: Purse
    band: Callable[[], tuple[int, int] | None]
    now_ns: Callable[[], int]
    tell: Callable[[Event], None]
    native: int = 1
    routing: Routing = field(default_factory=Routing)


class Executor:
    """The execution port on one market.

    Args:
        house: Whom it works with.
        manners: How.
        epoch: Of the writer; orders are numbered by it, so that no two processes give the same number.
    """

    def __init__(self, house: House, manners: Manners, epoch: int) -> None:
        self.house, self.manners, self.epoch = house, manners, epoch
        self.orders = Orders()
        self.carrier = Carrier(self.orders, house.courier, house.guard, house.ledger, house.purse, epoch, house.now_ns)
        self.carrier.serial = epoch * SERIALS_APART
        self.carrier.tariff = Tariff(manners.fee, manners.price_s)
        self.herald = Herald(self.orders, house.ledger, house.tell, house.now_ns, house.native, epoch)
        self.desk: DeskSnapshot | None = None  # The newest final one with every fill up to it.
        self.trouble = ""  # Why the last turn could not look or cancel; or, from then on, that a fill is of no order.
        self.version = manners.version
        self.allowance = Allowance(shape_of(house.market), shape_of(house.market))
        self._measuring: asyncio.Task[None] | None = None  # What a transaction takes that had too little.
        self._tasks = set[asyncio.Task[None]]()
        self._round: asyncio.Task[None] | None = None
        self._cancelling = set[int]()  # Orders in a transaction that goes beside the round.
        self._wake = asyncio.Event()
        self._round_s = float("-inf")  # When it began, and
        self._round_cancels = set[int]()  # what it cancels, sooner or later.
        self._looked_s = float("-inf")
        self._waiting_s: float | None = None  # Since when events of ours wait for a crank.
        self._settling = False
        self._keeps = True  # Whether the ledger could keep what it was given last.

    def __repr__(self) -> str:
        return f"<Executor epoch {self.epoch}: {self.orders!r}, {len(self.carrier.alive)} attempts alive>"

    # The port.

    def submit(self, batch: Sequence[Intent]) -> None:
        """Ask for the intents of one step; return at once."""
        self.orders.ask([intent._replace(order=self.number(intent.order)) for intent in batch])
        self._wake.set()

    def number(self, order: int) -> int:
        """Return the number by which the venue knows an order: no other process gives it."""
        return number_at_venue(self.epoch, order)

    def settle(self) -> None:
        """Pay out what is free at the venue, with the next transactions."""
        self._settling = True
        self._wake.set()

    @property
    def idle(self) -> bool:
        """Whether nothing is asked for, under way, to be cancelled or to be told, by the newest final bank."""
        busy = self.carrier.alive or self._round is not None or self._settling or self._has_news()
        return not busy and not self._wanted() and not self.orders.untold

    def resume(self, orders: Iterable[Order], attempts: Iterable[Attempted], spending: Spending) -> None:
        """Take over from an earlier process: see its attempts to their ends, and cancel what is left of its orders.

        Of its bytes only cancels are sent again; a placement that it sent may land, and is not helped to. What it spent
        counts as ours.
        """
        self.house.purse.inherit(spending, self.house.now_ns())
        self.orders.restore(orders)
        for kept in attempts:
            attempt = Attempt(kept.signature, kept.transaction, kept.last_height, kept.urgent)
            since = max(kept.slot - MADE_BEFORE, 0) if kept.slot else None
            self._spawn(self.carrier.follow(attempt, fate=Fate(State.UNKNOWN), send=kept.urgent, since=since))
            self.carrier.alive[attempt.signature] = attempt

    async def run(self) -> None:
        """Work until cancelled.

        What raises here is to stop the trading: `Refused` where another process writes, anything else is a bug.
        """
        house = self.house
        self.herald.mark(house.fills)  # Kept before anything is sent: whoever comes next reads fills from here on.
        beating = keep_beating(house.ledger, house.now_ns, lambda: bool(self.carrier.alive))
        working = [asyncio.create_task(work) for work in (self._work(), beating)]
        try:
            done, _ = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (*working, *self._tasks):
                task.cancel()
            await asyncio.gather(*working, *self._tasks, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            await self._turn()
            for task in [task for task in self._tasks if task.done()]:
                self._tasks.discard(task)
                task.result()
            await self._pause()

    async def _pause(self) -> None:
        """Wait until something is asked for, something has ended, or it is time to look."""
        busy = self.carrier.alive or self._wanted() or self._has_news()
        wait_s = self.house.courier.habits.look_s if busy else self.manners.look_s
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        self._wake.clear()

    async def _turn(self) -> None:
        if self._round is not None and self._round.done():
            self._round = None
        if self._measuring is not None and self._measuring.done():
            self._measuring = None
        self._learn()
        troubles = [self.carrier.trouble]
        if self._keeps and not self._is_free():  # First, for a look may take long, or fail for long.
            troubles.append(await self._try(self._cancel_at_once))
        if time.monotonic() - self._looked_s >= self.manners.look_s or self._has_news():
            troubles.append(await self._try(self._look))
        self.herald.tell(self.house.fills)
        if self._keeps and self._is_free():
            troubles.append(await self._try(self._begin_round))
        self.herald.tell(self.house.fills)
        self.trouble = "; ".join(filter(None, [self.herald.trouble, *troubles]))
        self._keeps = await self._keep()

    async def _keep(self) -> bool:
        """Keep what there is to keep, and say whether that could be done.

        Nothing is sent without it, and what is kept later is not lost. Nothing is even signed until it can be done
        again: each try would be two more words to keep.
        """
        try:
            await self.house.ledger.commit()
        except StorageError:
            return False
        return True

    async def _try(self, work: Callable[[], Coroutine[None, None, None]]) -> str:
        """Do something that a node may spoil, and return how it did: another turn tries again, perhaps elsewhere."""
        try:
            await work()
        except (EndpointError, DataError, TooLarge) as error:
            return str(error)
        return ""

    def _wanted(self) -> bool:
        return bool(self.orders.asked() or self.orders.dying() or self.orders.strangers)

    def _has_news(self) -> bool:
        return self.desk is None or self.desk.slot < self.carrier.floor

    def _is_free(self) -> bool:
        """Whether a round may begin, and has something to do."""
        busy = self._round or self._measuring or self.carrier.alive or self._cancelling or self._has_news()
        return not busy and (self._wanted() or self._settling or self._cranks())

    def _cranks(self) -> bool:
        return self._waiting_s is not None and time.monotonic() - self._waiting_s > self.manners.crank_s

    def _spawn(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        """Begin work in the background, and take another turn when it is done."""
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._wake.set())
        self._tasks.add(task)
        return task

    # Looking and telling.

    async def _look(self) -> None:
        """Read a final bank, with every fill up to it; nothing is concluded from less."""
        house, rpc = self.house, self.house.courier.reader()
        tariff, locks = self.carrier.tariff, locks_of(house.market)
        self.herald.surprise(await tariff.ask(rpc, locks, house.seat.signer, self.version))
        least = max(self.carrier.floor, house.fills.slot)
        desk = await read_desk(rpc, house.seat, house.market, least_slot=least, commitment=FINALIZED)
        if desk.slot <= house.fills.slot:
            return  # Nothing new is final yet.
        if not self.manners.alone:
            self._looked_s, self.desk = time.monotonic(), desk
            return
        fills = await house.fills.read(rpc, desk)
        if fills is None:
            raise EndpointError(f"{rpc.endpoint}: does not show all of our fills up to slot {desk.slot}")
        self._looked_s = time.monotonic()
        self.desk = desk
        own = desk.own(house.seat.open_orders, {})
        self.orders.see(Seen(desk.slot, desk.unix_timestamp, own.resting, fills))
        if not desk.waiting(house.seat.open_orders):
            self._waiting_s = None
        elif self._waiting_s is None:
            self._waiting_s = time.monotonic()

    def _learn(self) -> None:
        """Learn from attempts that have ended: a version that nodes don't know, a limit that was too low."""
        for attempt, fate, part in self.carrier.ended:
            if fate.error is not None:
                self.carrier.tariff.sure = False
            if _version(attempt) and any(CANT_READ in words for _, words in fate.refused):
                self.version, self.carrier.tariff.sure = 0, False
            if part is not None and exceeds_budget(fate.error) and self._measuring is None:
                self._measuring = self._spawn(self._measure(part))
        self.carrier.ended.clear()

    async def _measure(self, part: Part) -> None:
        """Find out how much a part takes that had too little; nothing is placed until then."""
        used = await simulate(self.house.courier.reader(), part)
        self.herald.surprise(self.allowance.learn(part.head, used))

    # Placing.

    async def _begin_round(self) -> None:
        """Plan all that is asked for by the last final bank, and send it."""
        desk, asked = self.desk, self.orders.asked()
        assert desk is not None, "a round begins by a bank"
        if asked and self.house.band() is None:  # Well when it was asked, and not now: no fault of ours to be signed.
            self.orders.refuse((order.number for order in asked), Reason.GUARDED)
            asked = []
        batch = [*_cancels(self.orders.dying()), *(order.intent for order in asked)]
        strangers = {-number: one.order_id for number, one in enumerate(self.orders.strangers, 1)}
        batch += [Intent(Verb.CANCEL, 0, order=number) for number in strangers]
        named = [intent.order for intent in batch]
        terms, purpose = self._terms(desk), _purpose(batch)
        made, course = self._plan(batch, desk, terms, strangers, purpose)
        self.orders.refuse(named[at] for at in made.refused if batch[at].verb == Verb.PLACE)
        self._settling = False
        parts = self._affordable(made, desk, named)
        self.orders.plan(named[at] for part in parts for at in part.places)
        self._round_s = time.monotonic()
        self._round_cancels = {named[at] for part in parts for at, _ in part.cancels}
        if parts:
            over_s = None if isinstance(self.house.market, MarketV1) else terms.deadline
            urgent, next_tip = not any(part.places for part in parts), self.house.routing.next_tip(purpose, parts)
            load = Load(parts, named, self._moment(desk), over_s, urgent, course, purpose, next_tip)
            self._round = self._spawn(self.carrier.carry(load))

    def _affordable(self, made: Plan, desk: DeskSnapshot, named: Sequence[int]) -> list[Part]:
        """Return the parts that may be paid for; orders of the others are refused. What places nothing always may."""
        parts = list[Part]()
        for part in made.parts:
            lamports = sum(map(self.carrier.tariff.cost, (*parts, part)))
            tips = sum(each.tip for each in (*parts, part))
            if part.places and not self.house.purse.allows(self.house.now_ns(), lamports, desk.signer_lamports, tips):
                self.orders.refuse((named[at] for at in part.places), Reason.FEE_CAP)
            else:
                parts.append(part)
        return parts

    def _plan(
        self,
        batch: Sequence[Intent],
        desk: DeskSnapshot,
        terms: Terms,
        ids: Mapping[int, int],
        purpose: Purpose,
    ) -> tuple[Plan, Course]:
        """Return the transactions of a batch and the routes that they are for. Cancels tip what is left to be tipped,
        and go without where nothing is."""
        house = self.house
        room = house.purse.tip_room(house.now_ns()) if purpose is Purpose.CANCEL else None

        def made_for(course: Course) -> Plan:
            frame = Frame(course.form, house.seat.signer, self.carrier.tariff.fee, self.allowance.shape, course.tipping)
            return plan(batch, desk, house.seat, terms, frame, {**self._order_ids(), **ids})

        made, course = best_course(house.routing.courses(purpose, self.version, self.carrier.serial, room), made_for)
        if room is not None and made.tips > room:
            courses = house.routing.courses(purpose, self.version, self.carrier.serial, room=0)
            made, course = best_course(courses, made_for)
        return made, course

    def _terms(self, desk: DeskSnapshot) -> Terms:
        second = desk.unix_timestamp
        return Terms(
            now=second,
            until=second + self.manners.life_s,
            settle_above=self.manners.settle_above,
            withdraw=self._settling,
            crank=self._cranks() or self._settling,
        )

    def _moment(self, desk: DeskSnapshot) -> Moment:
        low, high = self.house.band() or (None, None)
        return Moment(Hash.default(), desk.unix_timestamp, low, high, desk.others(self.house.seat.open_orders))

    def _order_ids(self) -> Mapping[int, int]:
        """Return the venue's ids of orders whose client id is not their number."""
        orders = self.orders.open.values()
        return {order.number: order.venue_id for order in orders if order.venue_id and order.client_id != order.number}

    # Cancelling while a round is under way.

    async def _cancel_at_once(self) -> None:
        """Cancel by what the newest bank shows: that may vanish, and then the wish is still there."""
        if not self._alone():
            return
        house = self.house
        rpc = house.courier.reader()
        desk = await read_desk(rpc, house.seat, house.market, least_slot=0, commitment=PROCESSED)
        resting = desk.own(house.seat.open_orders).resting
        batch = _cancels(self.orders.cancellable(self._alone(), resting))  # Once more: a round may have got to some.
        if not batch:
            return
        shown = self.orders.found(resting)
        made, course = self._plan(batch, desk, Terms(now=desk.unix_timestamp), shown, Purpose.CANCEL)
        parts = made.parts
        if not parts:
            return  # Version 2 cancels nothing that it does not show.
        named = [intent.order for intent in batch]
        numbers = {named[at] for part in parts for at, _ in part.cancels}
        self._cancelling |= numbers
        load = Load(
            parts,
            named,
            self._moment(desk),
            urgent=True,
            course=course,
            purpose=Purpose.CANCEL,
            next_tip=house.routing.next_tip(Purpose.CANCEL, parts),
        )
        going = self._spawn(self.carrier.carry(load))
        going.add_done_callback(lambda _: self._cancelling.difference_update(numbers))

    def _alone(self) -> list[Order]:
        """Return orders to be cancelled that neither a cancel beside the round is about, nor a young round."""
        young = self._round is not None and time.monotonic() - self._round_s < ROUND_S
        busy = self._cancelling | (self._round_cancels if young else set())
        return [order for order in self.orders.dying() if order.number not in busy]


def _purpose(batch: Sequence[Intent]) -> Purpose:
    """Return what a batch is for."""
    places = any(intent.verb == Verb.PLACE for intent in batch)
    cancels = any(intent.verb != Verb.PLACE for intent in batch)
    if not places:
        return Purpose.CANCEL
    return Purpose.RECENTRE if cancels else Purpose.REFILL


def _cancels(orders: Iterable[Order]) -> list[Intent]:
    return [Intent(Verb.CANCEL, 0, order=order.number) for order in orders]


def _version(attempt: Attempt) -> int:
    """Return the version of an attempt's transaction."""
    return 1 if attempt.transaction[0] == 0x81 else 0
