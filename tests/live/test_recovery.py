"""A session on the sandbox that begins by what another left, in this process."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.rigs.sessions import Kept, Play, playing

from bmv.adapters.config import compile, load
from bmv.adapters.sandbox.wallets import fund
from bmv.adapters.sandbox.wiring import Settings
from bmv.data.journal.attempts import ATTEMPT
from bmv.data.journal.legacy import LEGACY_END, LEGACY_FILL
from bmv.live.control.place import hold, session_place
from bmv.live.notes import HOLDING, Holding, read_holding
from bmv.live.session import Session
from bmv.live.trading import Asked, trade_live
from bmv.ports.errors import Refused
from bmv.ports.messages import Event, Kind
from bmv.ports.storage import Note, Word

SENT = 5 * 10**9  # Native base.


@contextmanager
def stopped(session: Session) -> Iterator[None]:
    """Stop a session as soon as it knows what is held."""

    async def stop() -> None:
        while not session.parts.minutes.knows:
            await asyncio.sleep(0.02)
        session.ask_stop()

    stopping = asyncio.ensure_future(stop())
    try:
        yield
    finally:
        stopping.cancel()


@contextmanager
def killed(session: Session) -> Iterator[None]:
    """End a session as a kill does, without a word, when orders of it are on their way."""
    task = asyncio.current_task()
    assert task is not None

    async def dies() -> None:
        while not session.parts.minutes.said:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        task.cancel()

    dying = asyncio.ensure_future(dies())
    try:
        yield
    finally:
        dying.cancel()


async def session(
    play: Play,
    signals: Callable[[Session], AbstractContextManager[None]] = stopped,
    accept: bool = False,
    shadow: bool = False,
) -> dict[str, Any]:
    """Run a session, and return how it ended; {}: it died."""
    asked = Asked(play.config, load(play.config), play.folder / f"run-{len(play.kept.words)}", report=False)
    try:
        return await trade_live(asked, None, signals, lambda line: None, shadow=shadow, accept=accept)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()
        return {}
    finally:
        play.kept.read()


def holding(play: Play) -> Holding | None:
    return read_holding(play.kept.words[play.kept.newest], compile.market(load(play.config)).half)


def topics(words: list[Word]) -> list[str]:
    return [word.topic for word in words if isinstance(word, Note)]


def test_a_recovery_that_is_run_again_finds_nothing_more_to_do_and_holds_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BMV_RUNTIME_DIR", str(_private(tmp_path)))
    asyncio.run(recovered_twice())


async def recovered_twice() -> None:
    async with playing(Settings(seed=4, speed=4), "sqlite") as play:
        await session(play, killed)
        assert play.kept.placed > 0, "the first was to leave something"

        first = await session(play)
        once = holding(play)
        second = await session(play)

        words = play.kept.words[play.kept.newest]
        assert first["receipt"]["cleared"]
        assert second["receipt"]["cleared"]
        assert holding(play) == once
        assert not {ATTEMPT, LEGACY_FILL, LEGACY_END} & set(topics(words)[: topics(words).index(HOLDING) + 1])
        told = [word for word in words if isinstance(word, Event) and word.kind == Kind.BALANCE]
        assert [Holding(event.size, event.fee) for event in told] == [once]


@contextmanager
def signed(session: Session) -> Iterator[None]:
    """Stop a session when something of it was signed."""
    made = asyncio.Event()

    async def stop() -> None:
        await made.wait()
        session.ask_stop()

    session.parts.minutes.readers.append(lambda note: made.set() if note.topic == ATTEMPT else None)
    stopping = asyncio.ensure_future(stop())
    try:
        yield
    finally:
        stopping.cancel()


def test_a_session_in_the_shadow_sends_nothing_and_takes_nothing_from_one_that_trades(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BMV_RUNTIME_DIR", str(_private(tmp_path)))
    asyncio.run(shadowed())


async def shadowed() -> None:
    async with playing(Settings(seed=4, speed=4), "sqlite") as play:
        await session(play)
        lamports, lives = play.lamports(), len(play.kept.words[play.kept.newest])

        with hold(session_place(play.config, load(play.config), "live")):
            page = await session(play, signed, shadow=True)

        assert page["session"] == "shadow/openbook-v2/SOL-USDC/00000001"
        assert page["receipt"]["cleared"]
        assert ATTEMPT in topics(play.kept.words[page["session"]])
        assert play.lamports() == lamports
        again = Kept(play.kept.journal)
        again.read()
        assert [len(words) for name, words in again.words.items() if name.startswith("live/")] == [lives]
        made = json.loads((Path(page["run"]) / "summary.json").read_text())
        assert "sent nothing" in made["warnings"][0]


def test_coins_that_nobody_knows_of_are_refused_until_somebody_says_that_the_chain_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BMV_RUNTIME_DIR", str(_private(tmp_path)))
    asyncio.run(sent_behind())


async def sent_behind() -> None:
    async with playing(Settings(seed=4, speed=4), "sqlite") as play:
        await session(play)
        before = holding(play)
        world = play.box.world
        fund(world.chain, [world.user], 0, {world.base: SENT})
        await asyncio.sleep(1)

        with pytest.raises(
            Refused, match=r"base: the journal says 1000(\.0*)?, the chain 1005(\.0*)? \(5(\.0*)? more\)"
        ):
            await session(play)
        assert play.kept.placed == 0
        page = await session(play, accept=True)

        assert page["receipt"]["cleared"]
        assert before is not None
        assert holding(play) == before._replace(position=before.position + SENT // world.market.lots.base_lot)
        assert (await session(play))["receipt"]["cleared"]


def _private(folder: Path) -> Path:
    made = folder / "sockets"
    made.mkdir(mode=0o700)
    return made


def test_a_limit_that_is_narrowed_while_a_session_runs_holds_in_front_of_the_wire_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BMV_RUNTIME_DIR", str(_private(tmp_path)))

    assert asyncio.run(narrowed()) == [1_001_200, 1_000_500]


async def narrowed() -> list[int]:
    found = list[int]()

    @contextmanager
    def signals(session: Session) -> Iterator[None]:
        guard: Any = session.parts.loop.execution
        found.append(guard.limits.position_max)
        session.set("inventory.max_position", "0.5")
        found.append(guard.limits.position_max)
        session.ask_stop()
        yield

    async with playing(Settings(seed=4, speed=4), "sqlite") as play:
        await session(play, signals)
    return found


def test_a_session_that_is_stopped_while_it_begins_ends_with_a_receipt_and_leaves_what_is_held_as_it_stood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BMV_RUNTIME_DIR", str(_private(tmp_path)))

    asyncio.run(stopped_at_once())


async def stopped_at_once() -> None:
    @contextmanager
    def at_once(session: Session) -> Iterator[None]:
        session.ask_stop(why="SIGTERM")
        yield

    async with playing(Settings(seed=4, speed=4), "sqlite") as play:
        await session(play)
        once = holding(play)

        ended = await session(play, at_once)

        assert ended["receipt"]["cleared"]
        assert ended["receipt"]["why"] == "SIGTERM"
        assert holding(play) == once
        assert (await session(play))["receipt"]["cleared"], "journal and chain agree still"


def test_a_second_start_on_a_machine_is_refused_before_it_ends_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BMV_RUNTIME_DIR", str(_private(tmp_path)))

    asyncio.run(started_beside())


async def started_beside() -> None:
    async with playing(Settings(seed=4, speed=4), "sqlite") as play:
        with hold(session_place(play.config, load(play.config), "live")), pytest.raises(Refused, match="already runs"):
            await session(play)

        assert play.kept.words == {}
