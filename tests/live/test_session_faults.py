"""What becomes of a session when something of it fails, and of what an operator and guards have said to it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bmv.adapters.config import load
from bmv.core.standing import Standing, moved
from bmv.live.control.place import hold, session_place
from bmv.live.decider import decider_of
from bmv.live.folder import LIVE, outcome_of
from bmv.live.guard import Guard, Limits
from bmv.live.helm import Helm
from bmv.live.journal import begin_session
from bmv.live.limits import guard_limits
from bmv.live.minutes import UNTOUCHED
from bmv.live.notes import CLOSED, GUARD, RECEIPT, read_chain, read_said, read_standing
from bmv.live.onchain import ChainVenue
from bmv.live.opening import open_minutes
from bmv.live.reconciling import accept
from bmv.live.recovering import heed_restart
from bmv.live.replay import replay
from bmv.live.session import Session
from bmv.live.starting import refuse_unguarded
from bmv.live.stores import open_sessions, words_of
from bmv.live.watch import Act, Condition, Orders, Watch
from bmv.live.wiring import SessionContainer, trade_on_paper
from bmv.ports.errors import Refused
from bmv.ports.messages import Command, Event, Intent, Kind, Reason, Tier
from bmv.ports.storage import Note, Word

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
[simulation]
entry_latency_ms = 30
[risk]
max_order_notional = "1000"
min_sol = "0.1"
[risk.breaker]
max_loss = "100"
"""


@dataclass
class Room:
    """A session on paper with all that it is made of."""

    c: Any
    session: Session
    words: Callable[[], Awaitable[Sequence[Word]]]

    async def market(self) -> None:
        """Tell of a market until our orders lie there, and then of nothing more."""
        await self.rows()
        await asyncio.Event().wait()

    async def rows(self) -> None:
        """Tell of a market until our orders lie there."""
        c, now_ns = self.c, self.c.clock().now_ns
        c.loop().tell(Event(Kind.TRADE, now_ns(), side=1, price=20_000, size=1_000))
        while not c.stage().exchange.sim.venue.n_book:
            c.loop().tell(Event(Kind.QUOTE, now_ns(), bid=19_999, bid_size=9_000, ask=20_001, ask_size=9_000))
            await asyncio.sleep(0.01)

    async def timers(self) -> None:
        """Let the engine and the venue have their time, whatever becomes of the market."""
        await self.c.loop().run(_nothing())

    async def trade(
        self, telling: Callable[[], Awaitable[None]] | None = None, *beside: Callable[[], Awaitable[None]]
    ) -> None:
        """Trade on a market that falls silent, or on what is told."""
        await self.session.trade(telling or self.market, [self.timers, *beside])


async def _nothing() -> AsyncIterator[Event]:
    await asyncio.Event().wait()
    yield Event(Kind.TIMER, 0)


@asynccontextmanager
async def room(
    folder: Path, mode: str = "paper", stop_s: float = 60.0, heard_ns: Callable[[], int] | None = None
) -> AsyncIterator[Room]:
    path = folder / "bmv.toml"
    path.write_text(CONFIG)
    config = load(path)
    async with open_sessions("sqlite:sessions.sqlite", folder) as store:
        begun = await begin_session(store, f"{mode}/sim/SOL-USDC", 1)
        standing = read_standing(begun.before)
        c = SessionContainer(mode=mode, config=config, journal=begun.journal, standing=standing, stop_s=stop_s)
        trade_on_paper(c, heard_ns)
        open_minutes(begun, mode, "sim/SOL-USDC", config, standing, "feed", [], 1)
        yield Room(c, c.session(), lambda: words_of(store, begun.journal.session))


def test_what_fails_beside_a_session_does_not_keep_it_from_cancelling(tmp_path: Path) -> None:
    async def falls(here: Room) -> None:
        while not here.c.stage().exchange.sim.venue.n_book:
            await asyncio.sleep(0.01)
        raise RuntimeError("a bystander fell over")

    async def work() -> dict[str, Any]:
        async with room(tmp_path) as here:
            with pytest.raises(RuntimeError, match="a bystander fell over"):
                await here.trade(None, lambda: falls(here))
            return here.session.receipt

    receipt = asyncio.run(work())

    assert receipt["cleared"] is True
    assert receipt["resting"] == 0


def test_what_returns_beside_a_session_ends_it_with_all_cancelled(tmp_path: Path) -> None:
    async def returns(here: Room) -> None:
        while not here.c.stage().exchange.sim.venue.n_book:
            await asyncio.sleep(0.01)

    async def work() -> dict[str, Any]:
        async with room(tmp_path) as here:
            await here.trade(None, lambda: returns(here))
            return here.session.receipt

    receipt = asyncio.run(work())

    assert receipt["cleared"] is True


def test_a_living_market_that_ends_leaves_no_order_of_ours(tmp_path: Path) -> None:
    async def work() -> dict[str, Any]:
        async with room(tmp_path, mode="live") as here:
            await here.trade(here.rows)
            return here.session.receipt

    receipt = asyncio.run(work())

    assert (receipt["cleared"], receipt["why"]) == (True, "the market ended")


def test_a_stop_ends_a_session_that_can_not_even_be_told_of_it(tmp_path: Path) -> None:
    def deaf(event: Event) -> None:
        if event.kind == Kind.COMMAND:
            raise RuntimeError("deaf")

    async def work() -> Sequence[Word]:
        async with room(tmp_path, stop_s=1.0) as here:
            here.c.minutes().listeners.append(deaf)
            asyncio.get_running_loop().call_later(0.3, here.session.ask_stop)
            with pytest.raises(RuntimeError, match="deaf"):
                await here.trade()
            assert here.session.receipt["resting"] == 0
            return await here.words()

    words = asyncio.run(work())

    assert [word.topic for word in words if isinstance(word, Note)][-1] == RECEIPT


def test_the_run_of_a_paper_session_that_went_on_begins_with_what_it_held(tmp_path: Path) -> None:
    async def work() -> Sequence[Word]:
        async with room(tmp_path) as here:
            here.c.loop().tell(Event(Kind.BALANCE, here.c.clock().now_ns(), size=12_000, fee=10**9))
            asyncio.get_running_loop().call_later(0.5, here.session.ask_stop)
            await here.trade()
            return await here.words()

    words = asyncio.run(work())

    _, _, made = outcome_of(words)
    assert set(made.equity["position"]) == {12.0}


def test_what_the_guard_keeps_in_never_reaches_the_simulated_venue_nor_its_run_folder(tmp_path: Path) -> None:
    async def work() -> tuple[Sequence[Word], str]:
        async with room(tmp_path, heard_ns=time.time_ns) as here:
            guard = here.c.execution()
            guard.blocked = "clock: it was set"
            asyncio.get_running_loop().call_later(1.0, setattr, guard, "blocked", "")
            asyncio.get_running_loop().call_later(4.0, here.session.ask_stop)
            await here.trade()
            return await here.words(), here.c.engine().digest

    words, digest = asyncio.run(work())

    _, decider, made = outcome_of(words)
    kept_in = [word.order for word in words if isinstance(word, Event) and word.code == Reason.GUARDED]
    done = dict(made.orders.select("order_id", "done").iter_rows())
    assert kept_in
    assert {done[order] for order in kept_in} == {"rejected"}
    assert "cancelled" in done.values(), "what was let out rested, and was cancelled by the stop"
    assert made.digest == digest
    assert replay(decider.engine(), words).equal


def test_a_replay_misses_the_last_words_of_a_session_that_was_stopped(tmp_path: Path) -> None:
    async def work() -> Sequence[Word]:
        async with room(tmp_path) as here:
            asyncio.get_running_loop().call_later(0.5, here.session.ask_stop)
            await here.trade()
            return await here.words()

    words = asyncio.run(work())
    closed = next(n for n, word in enumerate(words) if isinstance(word, Note) and word.topic == CLOSED)
    last = max(n for n, word in enumerate(words[:closed]) if isinstance(word, Intent))
    cut = [word for n, word in enumerate(words) if n < last or not isinstance(word, Event | Intent)]

    whole, without = (replay(decider_of(load(tmp_path / "bmv.toml")).engine(), each) for each in (words, cut))

    assert whole.equal
    assert without.first_difference is not None


@pytest.mark.parametrize("word", ["resume", "rearm"])
def test_nobody_lets_a_session_that_stops_place_again(word: str, tmp_path: Path) -> None:
    async def talks(here: Room) -> None:
        helm = Helm(here.session, dict, lambda: None, may_take=False)
        while not here.c.stage().exchange.sim.venue.n_book:
            await asyncio.sleep(0.01)
        here.session.ask_stop()
        with pytest.raises(Refused, match="stopping"):
            await (helm.resume() if word == "resume" else helm.rearm())
        await asyncio.Event().wait()

    async def work() -> dict[str, Any]:
        async with room(tmp_path) as here:
            await here.trade(None, lambda: talks(here))
            return here.session.receipt

    assert asyncio.run(work())["cleared"] is True


def test_what_a_guard_does_is_read_by_whoever_counts_it(tmp_path: Path) -> None:
    read: list[Note] = []

    async def work() -> None:
        async with room(tmp_path) as here:
            here.c.minutes().readers.append(read.append)
            here.c.minutes().say(GUARD, why="stale", order=1)

    asyncio.run(work())

    assert [read_said(note)["why"] for note in read if note.topic == GUARD] == ["stale"]


@pytest.mark.parametrize("command", [Command.PAUSE, Command.HALT])
def test_what_was_said_before_any_price_outlives_a_kill(command: Command, tmp_path: Path) -> None:
    async def first() -> None:
        async with room(tmp_path) as here:
            here.session.command(command, "operator")
            await here.c.minutes().commit()

    async def second() -> tuple[int, int, int]:
        async with room(tmp_path) as here:
            state = here.c.engine().state
            return int(state.paused), int(state.tier), int(state.valued)

    asyncio.run(first())

    paused, tier, valued = asyncio.run(second())

    assert (paused, tier) == ((1, Tier.ARMED) if command is Command.PAUSE else (0, Tier.HALT))
    assert valued == 0, "what max_loss counts from is the first equity that is known"


def test_a_pause_before_any_price_that_was_taken_back_does_not_come_back(tmp_path: Path) -> None:
    async def first() -> None:
        async with room(tmp_path) as here:
            for command in (Command.PAUSE, Command.RESUME):
                here.session.command(command, "operator")
                await here.c.minutes().commit()

    async def second() -> int:
        async with room(tmp_path) as here:
            return int(here.c.engine().state.paused)

    asyncio.run(first())

    assert asyncio.run(second()) == 0


def test_a_pause_that_a_guard_has_latched_outlives_a_kill(tmp_path: Path) -> None:
    async def first() -> None:
        async with room(tmp_path) as here:
            here.session.guarded(Command.PAUSE, "policy", lasting=True)
            here.session.guarded(Command.RESUME, "dark is over")
            await here.c.minutes().commit()

    async def second() -> int:
        async with room(tmp_path) as here:
            return int(here.c.engine().state.paused)

    asyncio.run(first())

    assert asyncio.run(second()) == 1


def test_a_breaker_is_not_armed_before_a_price_says_what_its_loss_counts_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bmv.live.helm.PATIENCE_S", 0.0)

    async def work() -> None:
        async with room(tmp_path) as here:
            helm = Helm(here.session, dict, lambda: None, may_take=False)
            with pytest.raises(Refused, match="no price was heard yet"):
                await helm.rearm()

    asyncio.run(work())


@dataclass
class Said:
    """What a watch asked for, in order."""

    words: list[str] = field(default_factory=list)

    def orders(self) -> Orders:
        return Orders(*(lambda why, name=name: self.words.append(name) for name in Orders._fields))


def test_a_resume_that_was_refused_leaves_what_is_wrong_latched() -> None:
    wrong = {"restart": "the chain went back", "dark": "nothing lands"}
    conditions = [
        Condition("dark", Act.CANCEL, lambda: wrong.get("dark", "")),
        Condition("restart", Act.PAUSE, lambda: wrong.get("restart", "")),
    ]
    limits = Limits(0.05, 0, 1, None, None, 1, 1)
    guard = Guard(None, limits, lambda: 0, lambda: 0, print, lambda why, order: None)  # type: ignore[arg-type]
    said = Said()
    watch = Watch(conditions, guard, said.orders(), lambda code, act, begins, why: None)
    watch.look()

    watch.forgive()  # An operator says it may go on, and hears that the chain is still back.
    del wrong["dark"]
    watch.look()

    assert said.words == ["pause", "latch"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("risk.breaker.max_loss ", "1000000"),
        ("risk.max_order_notional", "1001"),
        ("risk.min_sol", "0.01"),
        ("risk.max_fees_sol_per_day", "1"),
        ("risk.breaker", "{}"),
        ("risk", "{max_position = 1}"),
    ],
)
def test_a_limit_that_would_be_wider_or_have_no_effect_is_refused(key: str, value: str, tmp_path: Path) -> None:
    path = tmp_path / "bmv.toml"
    path.write_text(CONFIG)
    decider = decider_of(load(path))
    before = decider.config

    with pytest.raises(Refused):
        decider.change(key, value)

    assert decider.config == before


def test_the_guard_follows_what_an_operator_narrows(tmp_path: Path) -> None:
    path = tmp_path / "bmv.toml"
    path.write_text(CONFIG)
    decider = decider_of(load(path))
    before = guard_limits(decider.config)

    decider.change("risk.max_order_notional", "500")

    assert guard_limits(decider.config).notional_max == (before.notional_max or 0) // 2


@pytest.mark.parametrize(
    ("limits", "missing"),
    [
        ("", ["max_loss", "stale_after_s"]),
        ("[risk]\nmax_position = 12", ["max_loss", "stale_after_s"]),
        ("[risk]\nstale_after_slots = 9", ["max_loss"]),
        ("[risk.breaker]\ndaily_pct = 5", ["stale_after_s"]),
        ("[risk]\nstale_after_s = 9\n[risk.breaker]\nhalt_pct = 5", []),
    ],
)
def test_nothing_is_traded_for_real_without_a_limit_of_loss_and_of_age(
    limits: str, missing: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "bmv.toml"
    path.write_text(CONFIG[: CONFIG.index("[risk]")] + limits + '\n[storage]\njournal = "sqlite:sessions.sqlite"\n')
    said = ""

    try:
        refuse_unguarded(load(path))
    except Refused as error:
        said = str(error)

    assert [name for name in ("max_loss", "stale_after_s") if name in said] == missing
    assert bool(said) is bool(missing)


def test_a_status_says_the_gravest_first(tmp_path: Path) -> None:
    async def work() -> list[str]:
        async with room(tmp_path) as here:
            return list(await Helm(here.session, lambda: {"dark": "so it is"}, lambda: None, may_take=False).status())

    assert asyncio.run(work())[:4] == ["state", "why", "wrong", "market"]


def test_a_node_that_lags_clears_no_book_in_which_we_know_an_order() -> None:
    async def desk(commitment: str) -> SimpleNamespace:
        empty = SimpleNamespace(resting=[])
        return SimpleNamespace(own=lambda account: empty, slot=5, unix_timestamp=0, signer_lamports=1)

    place = SimpleNamespace(market="m", open_orders="o", owner="w")
    seat = SimpleNamespace(seated=SimpleNamespace(seat=place, desk=desk))
    executor = SimpleNamespace(carrier=SimpleNamespace(alive={}), orders=SimpleNamespace(open={7: "rests"}))
    venue = ChainVenue(seat, executor, None)  # type: ignore[arg-type]

    known = asyncio.run(venue.receipt())
    executor.orders.open.clear()
    none = asyncio.run(venue.receipt())

    assert (known["cleared"], none["cleared"]) == (False, True)


def test_nobody_accepts_what_the_chain_shows_while_a_session_trades(tmp_path: Path) -> None:
    path = tmp_path / "bmv.toml"
    path.write_text(CONFIG)
    config = load(path)

    with hold(session_place(path, config, LIVE)), pytest.raises(Refused):
        asyncio.run(accept(path, config))


@pytest.mark.parametrize(("was", "restarts"), [(None, False), (5, False), (4, True)])
def test_a_restart_of_the_cluster_while_no_session_ran_is_said_and_kept(
    was: int | None, restarts: bool, tmp_path: Path
) -> None:
    said, read = list[str](), list[Note]()

    async def ask(job: Callable[[Any], Awaitable[int | None]]) -> int | None:
        return await job(SimpleNamespace(accounts=accounts))

    async def accounts(keys: Sequence[Any]) -> SimpleNamespace:
        return SimpleNamespace(accounts={key: SimpleNamespace(data=(5).to_bytes(8, "little")) for key in keys})

    async def work() -> None:
        async with room(tmp_path) as here:
            minutes, seated = here.c.minutes(), SimpleNamespace(readers=SimpleNamespace(ask=ask))
            minutes.readers.append(read.append)
            await heed_restart(seated, was, minutes, 1, said.append)  # type: ignore[arg-type]

    asyncio.run(work())

    assert read_chain(read) == 5
    assert len(said) == sum(note.topic == GUARD for note in read) == int(restarts)
    assert all("restarted at slot 5" in line for line in said)


def test_a_deposit_moves_what_the_breaker_counts_from_and_a_breaker_that_counts_from_nothing_stays() -> None:
    stood = Standing(tier=1, peak=100, start_equity=90, day_equity=95, day_end_ns=7, paused=1)

    assert moved(stood, 50) == Standing(1, 150, 140, 145, 7, 1)
    assert moved(stood, -50) == Standing(1, 50, 40, 45, 7, 1)
    assert moved(UNTOUCHED, 50) == UNTOUCHED
