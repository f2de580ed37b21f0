"""What becomes of orders that never reach the venue: the engine hears of them, and does not spin."""

import asyncio
import tomllib
from dataclasses import dataclass, field

import pytest
from dependency_injector import providers
from tests.live.test_paper import CONFIG
from tests.live.test_session import NOW, Desk, S, ran

from bmv.adapters.config import configured
from bmv.live.refusals import PAUSE_MAX_S, Refusals
from bmv.live.wiring import guard_orders
from bmv.ports.messages import Event, Intent, Kind, Reason, Verb

HASTY = CONFIG.replace("[requote]", "[requote]\nmin_interval_ms = 0")
ASKED_MAX = 2_000  # Orders after which a session is taken to spin.


@dataclass
class Going:
    """The time of the running loop since it was asked first, as a clock."""

    began_s: float | None = None

    def now_ns(self) -> int:
        now_s = asyncio.get_running_loop().time()
        self.began_s = now_s if self.began_s is None else self.began_s
        return NOW + int((now_s - self.began_s) * S)

    async def sleep_until(self, ts_ns: int) -> None:
        await asyncio.sleep(max(0, ts_ns - self.now_ns()) / S)


def hasty() -> Desk:
    """A session in a hurry, behind a guard, on a market that goes on."""
    desk = Desk()
    desk.c.config.override(configured(tomllib.loads(HASTY)))
    desk.c.clock.override(providers.Object(Going()))
    guard_orders(desk.c, providers.Object(desk.venue), lambda: desk.c.clock().now_ns())
    return desk


async def trade(desk: Desk, seconds: float, why: str) -> int:
    """Trade while the guard lets no order out, and return how many orders were asked for."""
    asked = [0]

    def count(event: Event) -> None:
        asked[0] += event.kind == Kind.REJECTED
        if asked[0] > ASKED_MAX:
            raise AssertionError("the session spins")

    async def market() -> None:
        now_ns = desk.c.clock().now_ns
        desk.tell(Event(Kind.FEED, now_ns(), code=1))
        desk.tell(Event(Kind.TRADE, now_ns(), side=1, price=15_000, size=1_000))
        desk.tell(Event(Kind.QUOTE, now_ns(), bid=14_999, bid_size=1_000, ask=15_001, ask_size=1_000))
        await desk.c.loop().run(_silence())

    desk.c.minutes().listeners.append(count)
    desk.c.execution().blocked = why
    asyncio.get_running_loop().call_later(seconds, desk.session.ask_stop)
    await desk.session.trade(market)
    return asked[0]


async def _silence():  # type: ignore[no-untyped-def]  # An iterator of events that never come.
    await asyncio.Event().wait()
    yield Event(Kind.TIMER, 0)


def test_a_session_whose_orders_are_all_kept_in_does_not_spin() -> None:
    async def work() -> None:
        assert 6 < await trade(hasty(), 60.0, "sol: too little") < 6 * 25

    ran(work())


def test_a_session_that_stops_hears_at_once_of_what_was_kept_in() -> None:
    async def work() -> float:
        desk = hasty()
        await trade(desk, 58.0, "sol: too little")
        assert desk.receipts()[0]["cleared"] is True
        return asyncio.get_running_loop().time()

    began = ran(work())

    assert began < 58 + 1.5


@dataclass
class Told:
    """Refusals, what they told and with what they failed."""

    told: list[Event] = field(default_factory=list)
    failed: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.refusals = Refusals(self.told.append, self.failed.append, lambda: NOW + 7)

    def refuse(self, order: int) -> None:
        self.refusals.refuse(Event(Kind.REJECTED, NOW, order=order, code=Reason.GUARDED))


def test_what_is_refused_again_and_again_is_told_ever_later_and_an_order_that_rests_ends_the_row() -> None:
    waits = list[float]()

    async def work() -> None:
        it, loop = Told(), asyncio.get_running_loop()
        for number in range(12):
            began = loop.time()
            it.refuse(number)
            assert len(it.told) == number, "the engine is still speaking"
            while len(it.told) == number:
                await asyncio.sleep(0.01)
            waits.append(loop.time() - began)
        it.refusals.hear(Event(Kind.ACCEPTED, NOW, order=99))
        it.refuse(12)
        await asyncio.sleep(0.01)
        assert [event.order for event in it.told] == list(range(13))
        assert {event.ts_ns for event in it.told} == {NOW + 7}

    ran(work())

    assert waits[0] < 0.05 < waits[1]
    assert [round(wait, 1) for wait in waits] == sorted(round(wait, 1) for wait in waits)
    assert PAUSE_MAX_S <= waits[-1] < PAUSE_MAX_S + 1


def test_a_refusal_that_can_not_be_told_fails_the_session() -> None:
    failed = list[Exception]()

    def deaf(event: Event) -> None:
        raise RuntimeError("deaf")

    async def work() -> None:
        refusals = Refusals(deaf, failed.append, lambda: NOW)
        refusals.refuse(Event(Kind.REJECTED, NOW, order=1))
        await asyncio.sleep(0.01)

    ran(work())

    assert [str(error) for error in failed] == ["deaf"]


@pytest.mark.parametrize("verb", [Verb.CANCEL, Verb.CANCEL_ALL])
def test_a_cancel_hurries_what_was_refused(verb: Verb) -> None:
    async def work() -> None:
        desk, loop = hasty(), asyncio.get_running_loop()
        desk.c.execution().blocked = "dark"
        told = list[float]()
        desk.c.minutes().listeners.append(lambda event: told.append(loop.time()))
        guard, began = desk.c.execution(), loop.time()
        for number in range(1, 8):
            guard.submit([Intent(Verb.PLACE, NOW, number, 1, 100, 1)])
            await asyncio.sleep(2)
        guard.submit([Intent(Verb.PLACE, NOW, 8, 1, 100, 1)])
        guard.submit([Intent(verb, NOW, 8)])
        await asyncio.sleep(0.05)
        assert told[-1] - began < 14.1

    ran(work())
