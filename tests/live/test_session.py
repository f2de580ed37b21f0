"""A session and its parts, with venues, clocks and journals that remember."""

import asyncio
import selectors
import tomllib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dependency_injector import providers
from tests.live.test_paper import CONFIG, STRATEGY, place, run
from tests.rigs.trading import Sessions

from bmv.adapters.cli.main import main
from bmv.adapters.config import configured
from bmv.adapters.openbook.feed.words import Cause, Down
from bmv.core.standing import Standing
from bmv.data.journal.attempts import FATE
from bmv.live.control.steered import StopMode
from bmv.live.decider import decider_of
from bmv.live.guard import Guard, Limits, Stopped
from bmv.live.helm import Helm
from bmv.live.journal import SessionJournal
from bmv.live.notes import CLOSED, RECEIPT, Holding, read_said, read_standing
from bmv.live.opening import before_of
from bmv.live.replay import replay
from bmv.live.session import Session
from bmv.live.watch import COMPARE_S, DARK_ATTEMPTS, DARK_S, TROUBLE_S, Act, ChainConditions, Condition, Orders, Watch
from bmv.live.wiring import SessionContainer, trade_on_paper
from bmv.ports.errors import Refused, StorageError
from bmv.ports.market import Market
from bmv.ports.messages import Command, Event, Intent, Kind, Tier, Verb
from bmv.ports.storage import Note, Word

__all__ = ["place"]  # A fixture.

S = 10**9
NOW = 1_800_000_000 * S
NAME = "live/sim/SOL-USDC/00000001"


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop whose time jumps to the next thing that is due as soon as nothing else happens."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return super().time() + self.ahead_s


class _Jumping(selectors.DefaultSelector):
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self._loop.ahead_s += timeout
        return ready


def ran(work: Coroutine[Any, Any, None]) -> float:
    """Run something in jumping time, and return how many seconds it took there."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        loop = runner.get_loop()
        began_s = loop.time()
        runner.run(work)
        return loop.time() - began_s


class Clock:
    """A clock that stands until somebody moves it."""

    now = NOW

    def now_ns(self) -> int:
        return self.now

    async def sleep_until(self, ts_ns: int) -> None:
        await asyncio.Event().wait()


@dataclass
class Venue:
    """A venue that carries out what it is asked for a second later, unless it hangs; it remembers all batches."""

    tell: Callable[[Event], None] = lambda event: None
    hangs: bool = False
    fails: asyncio.Event = field(default_factory=asyncio.Event)
    batches: list[list[Intent]] = field(default_factory=list)
    open: dict[int, Intent] = field(default_factory=dict)
    settled: int = 0

    def submit(self, batch: Sequence[Intent]) -> None:
        self.batches.append(list(batch))
        asyncio.get_running_loop().call_later(1.0, self._carry_out, list(batch))

    def _carry_out(self, batch: list[Intent]) -> None:
        for intent in batch:
            if intent.verb == Verb.PLACE:
                self.open[intent.order] = intent
                self.tell(Event(Kind.ACCEPTED, NOW, order=intent.order))
            elif not self.hangs:
                going = [intent.order] if intent.verb == Verb.CANCEL else list(self.open)
                for order in going:
                    del self.open[order]
                    self.tell(Event(Kind.CANCELLED, NOW, order=order))

    async def run(self) -> None:
        await self.fails.wait()
        raise RuntimeError("the venue failed")

    @property
    def idle(self) -> bool:
        return not self.open

    def drain(self) -> None:
        pass

    async def settle(self) -> None:
        self.settled += 1

    async def receipt(self) -> dict[str, Any]:
        return {"cleared": self.idle, "resting": len(self.open)}

    def status(self) -> dict[str, Any]:
        return {}

    def orders(self) -> list[dict[str, Any]]:
        return []

    @property
    def placed(self) -> int:
        return sum(intent.verb == Verb.PLACE for batch in self.batches for intent in batch)


@dataclass
class Desk:
    """A session at a venue that remembers, whose journal remembers too."""

    c: Any = field(default_factory=SessionContainer)
    venue: Venue = field(default_factory=Venue)
    store: Sessions = field(default_factory=Sessions)

    def __post_init__(self) -> None:
        self.c.mode.override("live")
        self.c.config.override(configured(tomllib.loads(CONFIG)))
        self.c.journal.override(SessionJournal(self.store, NAME))
        self.c.clock.override(providers.Object(Clock()))
        self.c.execution.override(providers.Object(self.venue))
        self.c.venue.override(providers.Object(self.venue))
        self.venue.tell = self.tell

    def tell(self, event: Event) -> None:
        self.c.loop().tell(event)

    @property
    def session(self) -> Session:
        found: Session = self.c.session()
        return found

    @property
    def words(self) -> list[Word]:
        return self.store.words[NAME]

    def receipts(self) -> list[dict[str, Any]]:
        return [read_said(word) for word in self.words if isinstance(word, Note) and word.topic == RECEIPT]

    async def market(self, *, ends: bool = False) -> None:
        """Tell a market on which a grid can be laid, and let time pass."""
        self.tell(Event(Kind.FEED, NOW, code=1))
        self.tell(Event(Kind.TRADE, NOW, side=1, price=15_000, size=1_000))
        self.tell(Event(Kind.QUOTE, NOW, bid=14_999, bid_size=1_000, ask=15_001, ask_size=1_000))
        if not ends:
            await asyncio.Event().wait()

    async def trade(self, *asked: Callable[[], None], beside: Sequence[Callable[[], Awaitable[None]]] = ()) -> None:
        """Trade, and ask for each of these things, three seconds after one another."""
        for number, ask in enumerate(asked, 1):
            asyncio.get_running_loop().call_later(3.0 * number, ask)
        await self.session.trade(self.market, beside)


# Stopping.


def test_a_stop_cancels_all_places_nothing_more_and_keeps_its_receipt() -> None:
    desk = Desk()

    async def play() -> None:
        placed = list[int]()
        await desk.trade(lambda: (placed.append(desk.venue.placed), desk.session.ask_stop(why="asked"))[1])
        assert placed == [desk.venue.placed] != [0]

    ran(play())

    assert desk.venue.open == {}
    assert desk.venue.settled == 1
    assert [(each["mode"], each["why"], each["cleared"]) for each in desk.receipts()] == [("cancel", "asked", True)]


def test_a_stop_that_keeps_leaves_orders_where_they_are_and_pays_nothing_out() -> None:
    desk = Desk()

    ran(desk.trade(lambda: desk.session.ask_stop(StopMode.KEEP)))

    assert len(desk.venue.open) == desk.venue.placed > 0
    assert desk.venue.settled == 0
    assert desk.receipts()[0]["mode"] == "keep"
    assert any(isinstance(word, Note) and word.topic == CLOSED for word in desk.words)


def test_a_stop_that_flattens_ends_only_when_the_target_is_held() -> None:
    desk, ended = Desk(), list[bool]()
    off = Event(Kind.BALANCE, NOW, size=101_000, fee=0)
    on = Event(Kind.BALANCE, NOW, size=100_000, fee=0)

    async def play() -> None:
        asyncio.get_running_loop().call_later(20.0, lambda: (ended.append(bool(desk.receipts())), desk.tell(on)))
        await desk.trade(lambda: desk.tell(off), lambda: desk.session.ask_stop(StopMode.FLATTEN))

    assert 20 < ran(play()) < 30
    assert ended == [False]
    assert desk.receipts()[0]["mode"] == "flatten"


def test_a_stop_of_orders_that_do_not_go_says_so_after_its_time() -> None:
    desk = Desk(venue=Venue(hangs=True))

    took_s = ran(desk.trade(desk.session.ask_stop))

    assert 60 < took_s < 70
    assert desk.receipts()[0]["cleared"] is False
    assert desk.venue.settled == 0


def test_a_second_stop_hurries_and_keeps_the_receipt_all_the_same() -> None:
    desk = Desk(venue=Venue(hangs=True))

    took_s = ran(desk.trade(desk.session.ask_stop, desk.session.ask_stop))

    assert took_s < 15
    assert [each["cleared"] for each in desk.receipts()] == [False]


def test_what_fails_beside_a_session_stops_it_and_its_orders_are_cancelled_and_its_receipt_kept() -> None:
    desk = Desk()

    async def fails() -> None:
        await asyncio.sleep(3)
        raise OSError("no port is free")

    with pytest.raises(OSError, match="no port is free"):
        ran(desk.trade(beside=[fails]))

    assert desk.venue.placed > 0
    assert desk.venue.open == {}
    assert [(each["cleared"], "no port is free" in each["why"]) for each in desk.receipts()] == [(True, True)]


def test_a_venue_that_fails_ends_a_session_at_once_and_its_receipt_says_what_may_rest() -> None:
    desk = Desk()

    with pytest.raises(RuntimeError, match="the venue failed"):
        assert ran(desk.trade(desk.venue.fails.set)) < 10

    assert desk.receipts()[0]["cleared"] is False


def test_a_market_that_ends_ends_its_session() -> None:
    desk = Desk()

    ran(desk.session.trade(partial(desk.market, ends=True), ends=True))

    assert desk.receipts()[0]["why"] == "the market ended"


# What outlives a session.


def paused(words: Sequence[Word]) -> int:
    standing = read_standing(words)
    assert standing is not None, "the engine has valued nothing"
    return standing.paused


@pytest.mark.parametrize(
    ("told", "outlives"),
    [
        (lambda session: session.command(Command.PAUSE, "operator"), 1),
        (lambda session: session.command(Command.FLATTEN, "operator"), 1),
        (lambda session: session.guarded(Command.PAUSE, "restart", lasting=True), 1),
        (lambda session: session.guarded(Command.PAUSE, "dark"), 0),
        (lambda session: session.ask_stop(), 0),
    ],
    ids=["operator", "flatten", "latched", "guard", "stop"],
)
def test_a_pause_outlives_its_session_where_an_operator_must_take_it_back(
    told: Callable[[Session], None], outlives: int
) -> None:
    desk = Desk()

    async def play() -> None:
        trading = asyncio.ensure_future(desk.trade(lambda: told(desk.session)))
        await asyncio.sleep(5)
        trading.cancel()
        await asyncio.gather(trading, return_exceptions=True)

    ran(play())

    assert paused(desk.words) == outlives


def test_an_operator_who_resumes_ends_a_pause_that_was_to_outlive_the_session() -> None:
    desk = Desk()
    pause, resume = (partial(desk.session.command, each, "operator") for each in (Command.PAUSE, Command.RESUME))

    ran(desk.trade(pause, resume, desk.session.ask_stop))

    assert paused(desk.words) == 0


def test_an_operator_hears_that_it_is_done_when_it_is_kept() -> None:
    desk = Desk()
    helm = Helm(desk.session, dict, lambda: None, may_take=False)

    async def play() -> None:
        trading = asyncio.ensure_future(desk.trade())
        await asyncio.sleep(3)
        for say, kept in ((helm.pause, 1), (helm.resume, 0), (helm.pause, 1), (helm.rearm, 0)):
            await say()
            assert paused(desk.words) == kept
        trading.cancel()
        await asyncio.gather(trading, return_exceptions=True)

    ran(play())


def test_a_session_that_wrote_its_receipt_was_stopped_and_one_without_was_killed() -> None:
    desk = Desk()
    assert before_of([]).stopped

    ran(desk.trade(desk.session.ask_stop))

    assert before_of(desk.words).stopped
    assert not before_of(
        [word for word in desk.words if not (isinstance(word, Note) and word.topic == RECEIPT)]
    ).stopped


# Keys that change.


def test_a_session_whose_keys_changed_comes_out_the_same_when_it_is_heard_again() -> None:
    desk = Desk()
    changes = [
        partial(desk.session.set, *each) for each in (("grid.bid.first_bps", "40"), ("requote.threshold_bps", "9"))
    ]

    def look() -> None:
        desk.tell(Event(Kind.QUOTE, NOW + 9 * S, bid=15_099, bid_size=900, ask=15_101, ask_size=900))

    ran(desk.trade(*changes, look, desk.session.ask_stop))

    decider = decider_of(configured(tomllib.loads(CONFIG)))
    heard = replay(decider.engine(), desk.words, decider.change)
    assert heard.decisions > 6
    assert heard.equal
    deaf = [word for word in desk.words if not (isinstance(word, Note) and word.topic == "set")]
    assert not replay(decider_of(configured(tomllib.loads(CONFIG))).engine(), deaf).equal


def test_a_limit_that_may_not_change_is_refused_and_nothing_of_it_is_kept() -> None:
    desk = Desk()

    with pytest.raises(Refused, match=r"inventory\.max_position: limits may only become narrower"):
        desk.session.set("inventory.max_position", "50")

    assert str(desk.c.decider().config.inventory.max_position) == "5"
    assert "waiting" in repr(desk.c.journal())
    assert "0 waiting" in repr(desk.c.journal())


def test_who_listens_to_a_decider_hears_of_a_limit_that_became_narrower() -> None:
    desk, heard = Desk(), list[str]()
    desk.c.decider().listeners.append(lambda config: heard.append(str(config.inventory.max_position)))

    desk.session.set("inventory.max_position", "2")

    assert heard == ["2"]


def test_a_replay_by_a_strategy_that_was_changed_since_says_so(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "quote.py").write_text(STRATEGY)
    own = ["--set", "strategy=quote.py:quote"]
    run(capsys, "paper", "bmv.toml", "--data", "lake", *own, "--out", "run", "--no-report")
    (place / "quote.py").write_text(STRATEGY.replace("3 * side", "4 * side"))

    assert main(["replay"]) == 4

    assert "is not the file that decided in the session" in capsys.readouterr().err


# The guard.

LIMITS = Limits(
    collar=0.05,
    position_min=0,
    position_max=100,
    notional_max=1_000_000,
    orders_per_minute=3,
    open_max=2,
    stale_ns=10 * S,
)


@dataclass
class Gate:
    """A guard, and what it lets out, refuses and notes."""

    now: int = NOW
    heard: int = NOW
    out: list[Intent] = field(default_factory=list)
    refused: list[Event] = field(default_factory=list)
    notes: list[tuple[Stopped, int]] = field(default_factory=list)
    limits: Limits = LIMITS

    def __post_init__(self) -> None:
        self.guard = Guard(
            SimpleNamespace(submit=self.out.extend),
            self.limits,
            lambda: self.now,
            lambda: self.heard,
            self.refused.append,
            lambda why, order: self.notes.append((why, order)),
        )

    def place(self, order: int = 1, side: int = 1, price: int = 1_000, size: int = 10) -> Stopped | None:
        """Ask for an order, and return why it was not let out."""
        before = len(self.notes)
        self.guard.submit([Intent(Verb.PLACE, self.now, order, side, price, size)])
        return self.notes[-1][0] if len(self.notes) > before else None


def quoted(gate: Gate) -> None:
    gate.guard.hear(Event(Kind.QUOTE, NOW, bid=999, bid_size=1, ask=1_001, ask_size=1))


GUARDED: dict[Stopped, Callable[[Gate], Stopped | None]] = {
    Stopped.NO_MARKET: lambda gate: gate.place(),
    Stopped.BLOCKED: lambda gate: (quoted(gate), setattr(gate.guard, "blocked", "dark"), gate.place())[-1],
    Stopped.STALE: lambda gate: (quoted(gate), setattr(gate, "now", NOW + 10 * S + 1), gate.place())[-1],
    Stopped.COLLAR: lambda gate: (quoted(gate), gate.place(price=1_052))[-1],
    Stopped.NOTIONAL: lambda gate: (quoted(gate), gate.place(size=1_001))[-1],
    Stopped.POSITION: lambda gate: (quoted(gate), gate.place(size=60), gate.place(2, size=41))[-1],
    Stopped.OPEN: lambda gate: (quoted(gate), gate.place(1), gate.place(2), gate.place(3))[-1],
    Stopped.RATE: lambda gate: (
        quoted(gate),
        [(gate.place(n), gate.guard.hear(Event(Kind.CANCELLED, NOW, order=n))) for n in (1, 2, 3)],
        gate.place(4),
    )[-1],
}


def test_every_reason_of_the_guard_is_tried_below() -> None:
    assert set(GUARDED) == set(Stopped)


@pytest.mark.parametrize("why", list(Stopped))
def test_an_order_beyond_a_limit_stays_in_and_the_engine_hears_of_it_as_rejected(why: Stopped) -> None:
    gate = Gate()

    assert GUARDED[why](gate) is why

    kept_in = gate.notes[-1][1]
    assert [event.order for event in gate.refused if event.kind == Kind.REJECTED] == [kept_in]
    assert kept_in not in [intent.order for intent in gate.out]
    assert gate.guard.stopped == {why: 1}


def test_an_order_at_each_limit_is_let_out() -> None:
    gate = Gate()
    quoted(gate)

    assert gate.place(1, price=1_051, size=50) is None
    assert gate.place(2, size=50) is None


def test_a_sale_of_more_than_is_held_stays_in() -> None:
    gate = Gate()
    quoted(gate)
    gate.guard.hear(Event(Kind.BALANCE, NOW, size=30))

    assert gate.place(1, side=-1, size=30) is None
    assert gate.place(2, side=-1, size=1) is Stopped.POSITION


def test_a_fill_moves_the_position_and_makes_room_for_no_more_than_it_took() -> None:
    gate = Gate()
    quoted(gate)
    gate.place(1, size=60)

    gate.guard.hear(Event(Kind.FILLED, NOW, order=1, side=1, size=60))

    assert gate.guard.position == 60
    assert gate.place(2, size=41) is Stopped.POSITION
    assert gate.place(3, size=40) is None


def test_a_cancel_passes_whatever_is_wrong() -> None:
    gate = Gate(now=NOW + 100 * S)
    gate.guard.blocked = "another"

    gate.guard.submit([Intent(Verb.CANCEL, NOW, 7), Intent(Verb.CANCEL_ALL, NOW)])

    assert [intent.verb for intent in gate.out] == [Verb.CANCEL, Verb.CANCEL_ALL]


def test_the_rate_is_of_any_minute() -> None:
    gate = Gate()
    quoted(gate)
    GUARDED[Stopped.RATE](gate)

    gate.now = gate.heard = NOW + 60 * S

    assert gate.place(5) is None


# The watch.


@dataclass
class Lookout:
    """A watch on conditions that a test sets, and what it asked for."""

    acts: Sequence[Act]
    asked: list[str] = field(default_factory=list)
    notes: list[tuple[str, bool]] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gate = Gate()
        conditions = [Condition(act, act, partial(self.why.get, act, "")) for act in self.acts]
        orders = Orders(
            *(lambda why, name=name: self.asked.append(name) for name in ("pause", "latch", "resume", "halt"))
        )
        self.watch = Watch(conditions, self.gate.guard, orders, lambda code, act, begins, why: self.note(code, begins))

    def note(self, code: str, begins: bool) -> None:
        self.notes.append((code, begins))

    def look(self, **why: str) -> None:
        self.why.clear()
        self.why.update(why)
        self.watch.look()


@pytest.mark.parametrize(
    ("act", "begins", "ends"),
    [
        (Act.HOLD, [], []),
        (Act.CANCEL, ["pause"], ["resume"]),
        (Act.PAUSE, ["latch"], []),
        (Act.HALT, ["halt"], []),
    ],
)
def test_what_is_wrong_lets_no_order_out_and_does_what_its_act_says_once(
    act: Act, begins: list[str], ends: list[str]
) -> None:
    lookout = Lookout([act])

    lookout.look(**{act: "it is"})
    lookout.look(**{act: "it is still"})

    assert lookout.gate.guard.blocked == f"{act}: it is still"
    assert lookout.asked == begins
    lookout.look()
    lookout.look()
    assert lookout.gate.guard.blocked == ""
    assert lookout.asked == begins + ends
    assert lookout.notes == [(act, True), (act, False)]


@pytest.mark.parametrize("other", [Act.PAUSE, Act.HALT])
def test_what_ends_resumes_nothing_where_an_operator_has_to_look_first(other: Act) -> None:
    lookout = Lookout([Act.CANCEL, other])
    lookout.look(**{Act.CANCEL: "dark", other: "it is"})

    lookout.look()

    assert "resume" not in lookout.asked


def test_a_session_that_an_operator_resumed_resumes_by_itself_after_the_next_trouble() -> None:
    desk, lookout = Desk(), Lookout([Act.CANCEL, Act.PAUSE])
    helm = Helm(desk.session, lambda: dict(lookout.watch.wrong), lookout.watch.latched.clear, may_take=False)
    lookout.look(**{Act.PAUSE: "the chain went back"})
    lookout.look()
    asyncio.run(_resumed(helm))

    lookout.look(**{Act.CANCEL: "dark"})
    lookout.look()

    assert lookout.asked[-1] == "resume"


async def _resumed(helm: Helm) -> None:
    assert (await helm.resume()).done


def test_nobody_resumes_while_something_is_wrong_still() -> None:
    lookout = Lookout([Act.PAUSE])
    helm = Helm(Desk().session, lambda: dict(lookout.watch.wrong), lookout.watch.latched.clear, may_take=False)
    lookout.look(**{Act.PAUSE: "the chain went back"})

    with pytest.raises(Refused, match="the chain went back"):
        asyncio.run(_resumed(helm))


@dataclass
class World:
    """A chain as the conditions see it, with nothing wrong, and times that a test sets."""

    seconds: float = 0.0
    wall: int = NOW
    unkept: str = ""
    held: Holding = field(default_factory=lambda: Holding(1_000, 0))

    def __post_init__(self) -> None:
        house = SimpleNamespace(purse=SimpleNamespace(floor=5), courier=SimpleNamespace(slot=100))
        orders = SimpleNamespace(stray=[], untold=[])
        carrier = SimpleNamespace(refusals=[])
        self.executor = SimpleNamespace(trouble="", desk=None, house=house, orders=orders, carrier=carrier)
        self.rows = SimpleNamespace(down=None, slot=100, unix_timestamp=None, fell={})
        self.conditions = ChainConditions(
            SimpleNamespace(executor=self.executor),
            self.rows,
            Clock(),
            lambda: self.held,
            decider_of(configured(tomllib.loads(CONFIG))).market,
            unkept=lambda: self.unkept,
            slots_max=10,
            monotonic=lambda: self.seconds,
            wall_ns=lambda: self.wall,
        )

    def fate(self, state: str, sent: int = 1) -> None:
        text = f'{{"signature":"{"1" * 64}","state":"{state}","sent":{sent}}}'
        self.conditions.heard(Note(NOW, FATE, text))

    def wrong(self) -> list[str]:
        return [condition.code for condition in self.conditions.all() if condition.why()]


def _slots(world: World, on: bool) -> None:
    world.rows.slot = 89 if on else 90


def _journal(world: World, on: bool) -> None:
    world.unkept = "the database is away" if on else ""


def _clock(world: World, on: bool) -> None:
    world.wall = NOW + (31 * S if on else 30 * S)


def _sol(world: World, on: bool) -> None:
    world.executor.orders.untold = [1]  # Funds are looked at by another condition.
    world.executor.desk = SimpleNamespace(signer_lamports=4 if on else 5, slot=1)


def _dark(world: World, on: bool) -> None:
    if on:
        for _ in range(DARK_ATTEMPTS):
            world.fate("expired")
    else:
        world.seconds += DARK_S


def test_transactions_that_could_not_be_kept_and_were_never_sent_are_no_sign_of_a_dark_chain() -> None:
    world = World()

    for _ in range(DARK_ATTEMPTS):
        world.fate("expired", sent=0)

    assert world.wrong() == []


def _lands(world: World, on: bool) -> None:
    if on:
        _dark(world, True)
    else:
        world.fate("landed")


def _compared(world: World, on: bool) -> None:
    if on:
        world.seconds += COMPARE_S + 1
    else:
        world.conditions._compared_s = world.seconds


def _trouble(world: World, on: bool) -> None:
    world.conditions._compared_s = world.seconds + TROUBLE_S + 1
    world.executor.trouble = "no endpoint answers" if on else ""
    world.conditions.execution_fails()
    world.seconds += TROUBLE_S + 1


def _policy(world: World, on: bool) -> None:
    world.executor.carrier.refusals = ["too much"] if on else []


def _down(cause: Cause, world: World, on: bool) -> None:
    world.rows.down = Down(cause, "so it is") if on else None


def _stray(world: World, on: bool) -> None:
    world.executor.orders.stray = [1] if on else []


CONDITIONS: list[tuple[str, Act, Callable[[World, bool], None]]] = [
    ("clock", Act.HOLD, _clock),
    ("sol", Act.HOLD, _sol),
    ("slots", Act.CANCEL, _slots),
    ("journal", Act.CANCEL, _journal),
    ("dark", Act.CANCEL, _dark),
    ("dark", Act.CANCEL, _lands),
    ("trouble", Act.CANCEL, _trouble),
    ("policy", Act.PAUSE, _policy),
    ("restart", Act.PAUSE, partial(_down, Cause.RESTARTED)),
    ("restart", Act.PAUSE, partial(_down, Cause.WENT_BACK)),
    ("another", Act.HALT, partial(_down, Cause.ANOTHER_CHAIN)),
    ("another", Act.HALT, partial(_down, Cause.PROGRAM)),
    ("stray", Act.HALT, _stray),
    ("unreconciled", Act.CANCEL, _compared),
]


@pytest.mark.parametrize(("code", "act", "change"), CONDITIONS)
def test_a_condition_of_the_chain_begins_and_ends_as_its_table_says(
    code: str, act: Act, change: Callable[[World, bool], None]
) -> None:
    world = World()
    assert world.wrong() == []

    change(world, True)

    assert world.wrong() == [code]
    assert {each.code: each.act for each in world.conditions.all()}[code] is act
    change(world, False)
    assert world.wrong() == []


def test_a_feed_that_is_down_for_an_everyday_reason_is_nothing_for_the_watch() -> None:
    world = World()
    world.rows.down = Down(Cause.START, "it has not been up yet")

    assert world.wrong() == []


def test_a_feed_that_fell_and_is_up_again_before_anybody_looked_is_seen_all_the_same() -> None:
    world = World()
    world.rows.fell[Cause.RESTARTED] = Down(Cause.RESTARTED, "the cluster restarted")

    assert world.wrong() == ["restart"]
    assert world.wrong() == []


def test_trouble_that_is_over_soon_does_not_count() -> None:
    world = World()
    world.executor.trouble = "no endpoint answers"
    assert world.wrong() == []

    world.seconds += TROUBLE_S

    assert world.wrong() == []


# The container.

FAKED: dict[str, Callable[[Any, object], object]] = {  # Where a part of the container is found again.
    "mode": lambda c, fake: c.parts().mode,
    "config": lambda c, fake: c.decider().config,
    "journal": lambda c, fake: c.minutes().journal,
    "standing": lambda c, fake: c.engine().standing,
    "stop_s": lambda c, fake: c.session().stop_s,
    "clock": lambda c, fake: c.loop().clock if c.parts().clock is fake else None,
    "decider": lambda c, fake: c.parts().decider,
    "market": lambda c, fake: (trade_on_paper(c), c.venue()._market)[-1],
    "engine": lambda c, fake: c.parts().engine if c.loop().engine is fake else None,
    "minutes": lambda c, fake: c.parts().minutes if c.loop().journal is fake else None,
    "execution": lambda c, fake: c.loop().execution,
    "stage": lambda c, fake: c.loop().stage,
    "venue": lambda c, fake: c.parts().venue,
    "loop": lambda c, fake: c.parts().loop,
    "parts": lambda c, fake: c.session().parts,
    "session": lambda c, fake: c.session(),
}


def test_every_part_of_the_container_is_swapped_below() -> None:
    assert set(FAKED) == set(SessionContainer.providers)


def _fake(name: str) -> object:
    plain: dict[str, object] = {
        "mode": "another",
        "config": configured(tomllib.loads(CONFIG.replace("levels = 3", "levels = 4"))),
        "journal": SessionJournal(Sessions(), "another"),
        "standing": Standing(int(Tier.HALT), 5, 4, 3, 2, 1),
        "stop_s": 7.0,
        "clock": Clock(),
        "engine": decider_of(configured(tomllib.loads(CONFIG))).engine(),
    }
    if name == "decider":
        return decider_of(configured(tomllib.loads(CONFIG.replace("levels = 3", "levels = 4"))))
    if name == "market":
        return Market("another", Decimal("0.5"), Decimal("0.01"))
    return plain.get(name, SimpleNamespace(name=name))


@pytest.mark.parametrize("name", sorted(FAKED))
def test_a_part_of_the_container_that_is_swapped_is_the_one_that_is_used(name: str) -> None:
    c, fake = Desk().c, _fake(name)

    getattr(c, name).override(providers.Object(fake))

    assert FAKED[name](c, fake) == fake
    assert FAKED[name](Desk().c, fake) != fake


# A journal that is lost.


class Lost(Sessions):
    """A store that is gone from some word on."""

    gone = False

    async def append(self, session: str, first: int, words: Sequence[Word]) -> Any:
        if self.gone:
            raise StorageError("the database is gone")
        return await super().append(session, first, words)


def test_a_session_that_stops_while_its_journal_is_away_says_so_and_has_no_receipt() -> None:
    store = Lost()
    desk = Desk(store=store)

    def lose() -> None:
        store.gone = True
        desk.tell(Event(Kind.TRADE, NOW + S, side=1, price=15_000, size=1))
        desk.session.ask_stop()

    with pytest.raises(StorageError, match="the database is gone"):
        ran(desk.trade(lose))

    assert desk.receipts() == []
    assert not before_of(desk.words).stopped


def test_a_session_bears_a_journal_that_is_away_for_a_while_and_keeps_all_when_it_is_back() -> None:
    store = Lost()
    desk = Desk(store=store)

    def lose() -> None:
        store.gone = True
        desk.tell(Event(Kind.TRADE, NOW + S, side=1, price=15_000, size=1))
        loop = asyncio.get_running_loop()
        loop.call_later(0.2, setattr, store, "gone", False)
        loop.call_later(0.4, desk.session.ask_stop)

    ran(desk.trade(lose))

    assert desk.session.parts.minutes.trouble == ""
    assert len(desk.receipts()) == 1
    assert any(isinstance(word, Event) and word.ts_ns == NOW + S for word in desk.words)
