"""The way of every event of a living market, and a session heard again."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from tests.rigs.engine import engine_of, session

from bmv.adapters.config import load
from bmv.adapters.sandbox.wiring import Settings
from bmv.core.engine import Engine
from bmv.live.loop import Loop
from bmv.live.replay import replay
from bmv.ports.messages import Event, Intent, Kind, Verb

S = 10**9
START = 1_800_000_000 * S
CONFIG = """
version = 1
[market]
symbol = "SOL/USDC"
tick_size = "0.01"
lot_size = "0.001"
maker_fee_bps = -2
taker_fee_bps = 4
[grid.bid]
total_size = "1"
[grid.ask]
total_size = "1"
[inventory]
start_base = "10"
start_quote = "2000"
max_position = "5"
[requote]
max_age_s = 1
"""


class Clock:
    """A clock that jumps to wherever somebody sleeps until."""

    def __init__(self) -> None:
        self.now = START

    def now_ns(self) -> int:
        return self.now

    async def sleep_until(self, ts_ns: int) -> None:
        await asyncio.sleep(0)
        self.now = max(self.now, ts_ns)


class Memory:
    """An execution and a journal that remember, in one order."""

    def __init__(self) -> None:
        self.words: list[Event | Intent] = []
        self.batches: list[list[Intent]] = []

    def submit(self, batch: Sequence[Intent]) -> None:
        self.batches.append(list(batch))

    def event(self, event: Event) -> None:
        self.words.append(event)

    def intent(self, intent: Intent) -> None:
        self.words.append(intent)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    path = tmp_path / "bmv.toml"
    path.write_text(CONFIG)
    return engine_of(load(path, ()))


def quote(ts_ns: int) -> Event:
    return Event(Kind.QUOTE, ts_ns, bid=14_990, bid_size=100, ask=15_010, ask_size=100)


def trade(ts_ns: int) -> Event:
    return Event(Kind.TRADE, ts_ns, side=1, price=15_000, size=10)


def test_a_timer_that_was_due_is_told_before_the_event_that_came_after_it(engine: Engine) -> None:
    memory = Memory()
    loop = Loop(engine, memory, memory, Clock())
    loop.tell(quote(START))
    loop.tell(trade(START + 1))
    assert memory.batches, "a grid was asked for"
    due_ns = int(engine.state.wake_ns)

    loop.tell(quote(due_ns + 5))

    told = [word for word in memory.words if isinstance(word, Event)]
    assert [(word.kind, word.ts_ns) for word in told[-2:]] == [(Kind.TIMER, due_ns), (Kind.QUOTE, due_ns + 5)]


def test_time_never_runs_back_for_the_engine(engine: Engine) -> None:
    memory = Memory()
    loop = Loop(engine, memory, memory, Clock())

    for ts_ns in (START + 5, START, START + 3):
        loop.tell(quote(ts_ns))

    assert [word.ts_ns for word in memory.words] == [START + 5] * 3


def test_the_engine_is_woken_when_nothing_else_comes(engine: Engine) -> None:
    memory, clock = Memory(), Clock()
    loop = Loop(engine, memory, memory, clock)

    async def market() -> AsyncIterator[Event]:
        yield quote(START)
        yield trade(START + 1)
        for _ in range(200):
            await asyncio.sleep(0)

    asyncio.run(loop.run(market()))

    assert any(isinstance(word, Event) and word.kind == Kind.TIMER for word in memory.words)


def test_a_session_heard_again_says_the_same_and_a_word_that_was_changed_is_named(
    engine: Engine, tmp_path: Path
) -> None:
    memory = Memory()
    loop = Loop(engine, memory, memory, Clock())
    for number in range(20):
        loop.tell(quote(START + number * S))
        loop.tell(trade(START + number * S + 1))
    again = replay(engine_of(load(tmp_path / "bmv.toml", ())), memory.words)
    assert (again.equal, again.digest) == (True, engine.digest)
    assert again.decisions > 5

    at = next(n for n, word in enumerate(memory.words) if isinstance(word, Intent) and word.verb == Verb.PLACE)
    changed = memory.words[at]
    assert isinstance(changed, Intent)
    memory.words[at] = changed._replace(price=changed.price + 1)

    assert replay(engine_of(load(tmp_path / "bmv.toml", ())), memory.words).first_difference == at


@pytest.mark.parametrize("venue", ["openbook-v1", "openbook-v2"])
def test_the_engine_trades_a_living_market_and_holds_what_the_chain_says(venue: str, tmp_path: Path) -> None:
    wrong = asyncio.run(session(Settings(venue=venue, speed=8), 5, False, tmp_path))

    assert wrong == []
