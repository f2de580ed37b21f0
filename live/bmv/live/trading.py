"""A whole session, from its first word to its run folder."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

from solders.pubkey import Pubkey

from bmv.adapters.cli.named_market import endpoints_of, look
from bmv.adapters.config import Config, compile
from bmv.adapters.config.compile import refuse_without_reference
from bmv.adapters.lake.ticks import LakeTicks
from bmv.adapters.openbook.execution.recovery import Left, carried, read_left
from bmv.adapters.openbook.feed.feed import Feed
from bmv.adapters.openbook.inspection.records import Inspection, worst
from bmv.adapters.parquet.tape import ParquetTape
from bmv.adapters.solana.rpc import make_client
from bmv.adapters.telemetry.meters import Meters
from bmv.core.engine import Engine
from bmv.data.files.path import is_url
from bmv.live.beside import LOG, Gauges, attended
from bmv.live.clock import SystemClock
from bmv.live.control.place import hold, session_place
from bmv.live.doctor.check import State
from bmv.live.doctor.command import examine
from bmv.live.folder import LIVE, PAPER, save_session
from bmv.live.helm import Helm
from bmv.live.journal import begin_session
from bmv.live.kept import keep_run, open_runs
from bmv.live.market_data import MarketEvents
from bmv.live.notes import GUARD, Holding, account_note, read_account, read_holding
from bmv.live.onchain import RECOVER_S, Seat, couriered, holding_in, refuse_left, refuse_unlike, take_place
from bmv.live.opening import before_of, open_minutes, session_market
from bmv.live.record.wiring import open_prices, open_recorder
from bmv.live.session import Session, merged
from bmv.live.stores import journal_of, open_sessions, words_of
from bmv.live.tape import TapeClock, events_of, play, rows_of
from bmv.live.watch import Act, ChainConditions, Watch
from bmv.live.watch import Orders as WatchOrders
from bmv.live.wiring import SessionContainer, trade_on_chain, trade_on_paper
from bmv.ports.errors import BmvError, DataError, Refused
from bmv.ports.messages import Command, Event, Kind
from bmv.ports.storage import SessionStore

CRANKS_MAX = 5  # Times that our events are cranked before what is held is said to be unknown.
TAPE = "tape"  # How sessions on stored ticks are called: they never go on from one another.
Job = Callable[[], Awaitable[None]]
Signals = Callable[[Session], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asked for.

    Args:
        path: Of the configuration.
        config: What stands there.
        folder: Where the run goes.
        report: Whether a page is written.
        seconds: How long it trades; None: until it is stopped.
    """

    path: Path
    config: Config
    folder: Path
    report: bool = True
    seconds: float | None = None


async def trade_tape(
    asked: Asked, data: list[str], speed: float, start_ns: int | None, end_ns: int | None, signals: Signals
) -> dict[str, Any]:  # Any: it is JSON.
    """Trade stored ticks on paper, and return how it ended; see `bmv paper --data`."""
    config = asked.config
    refuse_without_reference(config)
    market = compile.market(config)
    tape = ParquetTape(
        [Path(each) for each in data],
        market,
        start_ns,
        end_ns,
        max_bad_share=config.data.max_bad_share,
        price_ticks_max=compile.price_ticks_max(config, market),
    )
    first_ns, _ = tape.ends()
    async with open_sessions(journal_of(asked.path, config), asked.path.parent) as store:
        begun = await begin_session(store, f"{TAPE}/{session_market(config)}", first_ns)
        c = SessionContainer(mode=PAPER, config=config, journal=begun.journal, clock=TapeClock(first_ns, speed))
        trade_on_paper(c)
        seed = [(e.ts_ns, e.price, e.size) for e in events_of(tape.seed(int(c.engine().params.history_ns)))]
        open_minutes(begun, PAPER, session_market(config), config, None, ", ".join(data), seed, first_ns)
        sow(c.engine(), seed)
        session = c.session()

        async def telling() -> None:
            await play(c.loop(), rows_of(tape), c.clock(), c.minutes().commit)

        with signals(session):
            limit(session, asked.seconds)
            await session.trade(telling, ends=True)
        return await ended(asked, session, store)


async def trade_live(
    asked: Asked,
    passphrase_file: Path | None,
    signals: Signals,
    say: Callable[[str], None],
    *,
    shadow: bool,
    accept: bool,
    dice: Random | None = None,
) -> dict[str, Any]:  # Any: it is JSON.
    """Trade on the chain until stopped, and return how it ended; see `bmv live`.

    Args:
        passphrase_file: Of the key.
        say: Hears how the start goes on.
        shadow: Whether to decide and sign, and send nothing.
        accept: Whether the chain is right where the journal says otherwise.
        dice: For all that is left to chance; None: those of the system. None of it decides an order.
    """
    config, clock, dice = asked.config, SystemClock(), dice or SystemRandom()
    refuse_unguarded(config)
    refuse_unpriced(config)
    async with (
        AsyncExitStack() as opened,
        make_client() as client,
        open_sessions(journal_of(asked.path, config), asked.path.parent) as store,
    ):
        opened.enter_context(hold(session_place(asked.path, config, LIVE)))  # Before another's session is ended.
        await refuse_unwell(asked.path, config)
        seat = await take_place(asked.path, config, client, passphrase_file)
        name = f"{LIVE}/{session_market(config)}"
        begun = await begin_session(store, name, clock.now_ns(), partial(_drawn, dice))
        say(f"session {begun.journal.session}")
        before, left = before_of(begun.before), read_left(begun.before)
        expected = read_holding(begun.before, compile.market(config).half)
        account = str(seat.seated.seat.open_orders)
        if (was := read_account(begun.before)) not in (None, account):  # The keys were rotated.
            refuse_orders_of(was, left)
            left, expected = left._replace(mark=None), None
        for note in carried(left, begun.epoch, clock.now_ns()):
            begun.journal.note(note)
        c = SessionContainer(mode=LIVE, config=config, journal=begun.journal, standing=before.standing, clock=clock)
        seed = await stored_trades(config, clock.now_ns(), int(c.engine().params.history_ns))
        source = "shadow" if shadow else "feed"
        open_minutes(begun, LIVE, session_market(config), config, before.standing, source, seed, clock.now_ns())
        begun.journal.note(account_note(clock.now_ns(), account))
        sow(c.engine(), seed)
        minutes = c.minutes()
        if expected is not None:
            minutes.hold(expected)
        courier, routing = await opened.enter_async_context(couriered(seat, client, shadow))
        own = None if shadow else seat.seated.seat.open_orders
        feed = Feed(seat.seated.seat.market, seat.seated.readers.endpoints, dice=dice, own=own)
        rows = MarketEvents(feed, clock.now_ns)
        trade_on_chain(c, seat, courier, routing, left, begun.epoch, rows)
        await minutes.commit()
        minutes.knows = False  # What is held, before journal and chain were compared.
        venue, session = c.venue(), c.session()
        if left.orders or left.attempts:
            say(
                f"seeing to their end {len(left.orders)} orders and {len(left.attempts)} transactions of the one before"
            )
        with signals(session):
            venue.start()
            await recover(c, seat, expected, accept=accept)
            beside = list[Job]()
            await recording(config, seat.seated.seat.market, seat.inspection, opened, beside)
            await hear_market(c, rows, asked, opened, watching(c, rows), beside)
        return await ended(asked, session, store)


async def trade_paper(asked: Asked, signals: Signals, say: Callable[[str], None]) -> dict[str, Any]:  # Any: it is JSON.
    """Trade the live market on paper until stopped, and return how it ended; see `bmv paper`.

    A session that was stopped is over, and the next begins with what the configuration gives it. One that was killed
    goes on with what it had; its orders at the simulated venue died with it.
    """
    config, clock = asked.config, SystemClock()
    refuse_unpriced(config)
    endpoints = endpoints_of(config)
    address, inspection, findings = await look(asked.path, config, endpoints)
    if findings:
        raise worst(findings)("\n".join(finding.text for finding in findings))
    async with (
        AsyncExitStack() as opened,
        open_sessions(journal_of(asked.path, config), asked.path.parent) as store,
    ):
        opened.enter_context(hold(session_place(asked.path, config, PAPER)))  # Before another's session is ended.
        begun = await begin_session(store, f"{PAPER}/{session_market(config)}", clock.now_ns())
        say(f"session {begun.journal.session}")
        before = before_of(begun.before)
        standing = None if before.stopped else before.standing
        held = None if before.stopped else read_holding(begun.before, compile.market(config).half)
        c = SessionContainer(mode=PAPER, config=config, journal=begun.journal, standing=standing, clock=clock)
        trade_on_paper(c)
        seed = await stored_trades(config, clock.now_ns(), int(c.engine().params.history_ns))
        open_minutes(begun, PAPER, session_market(config), config, standing, "feed", seed, clock.now_ns())
        sow(c.engine(), seed)
        if held is not None:
            say("the session before was killed: going on with what it held")
            c.minutes().hold(held)
            c.loop().tell(Event(Kind.BALANCE, clock.now_ns(), size=held.position, fee=held.cash))
        await c.minutes().commit()
        rows = MarketEvents(Feed(address, endpoints), clock.now_ns)
        beside = list[Job]()
        await recording(config, address, inspection, opened, beside)
        with signals(c.session()):
            await hear_market(c, rows, asked, opened, None, beside)
        return await ended(asked, c.session(), store)


async def recording(
    config: Config, market: Pubkey, inspection: Inspection, opened: AsyncExitStack, beside: list[Job]
) -> None:
    """Keep the market's ticks in the lake that the configuration names, if any: the next session's pivot learns them.

    It is no reason to stop trading that they can't be kept, such as where `bmv record` does so already: that is said.
    """
    place = config.storage.ticks
    if place is None or is_url(place):
        return
    try:
        recorder = await opened.enter_async_context(open_recorder(config, market, inspection, (place,), None))
    except BmvError as error:
        LOG.warning("ticks are not recorded: %s", error)
        return

    async def record() -> None:
        try:
            await recorder.run()
        except BmvError as error:
            LOG.warning("ticks are not recorded any more: %s", error)
        await asyncio.Event().wait()

    beside.append(record)


async def hear_market(
    c: Any,  # Any: as of `recover`.
    rows: MarketEvents,
    asked: Asked,
    opened: AsyncExitStack,
    watch: Watch | None,
    beside: list[Job],
) -> None:
    """Trade on what a feed and outside prices tell, with all that works beside it, until stopped."""
    config, mode, streams = asked.config, c.mode(), [rows.events()]
    if (prices := await open_prices(config, opened)) is not None:
        streams.append(prices.events())
    session = c.session()
    may_take = mode == PAPER or config.strategy is not None or config.risk.breaker.on_halt == "flatten"
    wrong, forgive = (dict, lambda: None) if watch is None else (lambda: dict(watch.wrong), watch.forgive)
    helm = Helm(session, wrong, forgive, may_take)
    gauges = Gauges(Meters(mode, session_market(config), session.parts.name), c.engine(), c.market())
    c.minutes().listeners += [helm.hear, gauges.hear]
    c.minutes().readers.append(gauges.read)
    c.loop().timed = gauges.timed

    async def telling() -> None:
        await c.loop().run(merged(*streams))

    async with attended(asked.path, config, mode, session, helm, gauges) as beat:
        jobs = [beat, *beside] if watch is None else [beat, watch.run, *beside]
        limit(session, asked.seconds)
        await session.trade(telling, jobs)


def _drawn(dice: Random) -> str:
    return f"{dice.getrandbits(128):032x}"


def limit(session: Session, seconds: float | None) -> None:
    """Let a session end after so many seconds from now."""
    if seconds is not None:
        asyncio.get_running_loop().call_later(seconds, partial(session.ask_stop, why="its time was over"))


def watching(c: Any, rows: MarketEvents) -> Watch:  # Any: as of `recover`.
    """Return what watches the chain for a session."""
    state, minutes, session = c.engine().state, c.minutes(), c.session()
    conditions = ChainConditions(
        c.venue(),
        rows,
        c.clock(),
        lambda: Holding(int(state.position), int(state.cash)),
        c.market(),
        lambda: minutes.trouble,
        c.config().risk.stale_after_slots,
        time.monotonic,
        time.time_ns,
    )
    minutes.readers.append(conditions.heard)

    def note(code: str, act: Act, begins: bool, why: str) -> None:
        minutes.say(GUARD, code=code, act=str(act), begins=begins, why=why)
        (LOG.error if begins else LOG.info)("guard %s: %s", code, why if begins else "is well again")

    orders = WatchOrders(
        pause=lambda why: session.guarded(Command.PAUSE, why),
        latch=lambda why: session.guarded(Command.PAUSE, why, lasting=True),
        resume=lambda why: session.guarded(Command.RESUME, why),
        halt=lambda why: session.guarded(Command.HALT, why),
    )
    return Watch(conditions.all(), c.execution(), orders, note, conditions.acknowledge)


def refuse_unpriced(config: Config) -> None:
    """Raise `ConfigError` for keys that need a reference price, where the configuration names no source of one."""
    if not config.live.prices.sources:
        refuse_without_reference(config, "live.prices.sources names none")


async def recover(
    c: Any, seat: Seat, expected: Holding | None, *, accept: bool
) -> None:  # Any: a container's attributes are known to it alone.
    """See what an earlier process left to its end, compare journal and chain, and tell the engine what is held.

    Somebody may want it stopped meanwhile: then nothing is compared, and the session ends as it would later on.
    """
    venue, minutes, market, session = c.venue(), c.minutes(), c.market(), c.session()
    waiting = asyncio.ensure_future(venue.until_idle(RECOVER_S))
    asked = asyncio.ensure_future(session.asked())
    await asyncio.wait({waiting, asked}, return_when=asyncio.FIRST_COMPLETED)
    stopped = session.stopping is not None
    for task in (asked, waiting) if stopped else (asked,):
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if stopped:
        return
    if not await waiting:
        refuse_left(venue)
    for _ in range(CRANKS_MAX):
        if (owned := await venue.owned()) is not None:
            break
        await venue.settle()  # Events of ours wait for the crank.
    if owned is None:
        raise DataError("events of ours wait for the crank, and what is held can't be told; try again")
    for fill in minutes.legacy:
        expected = None if expected is None else expected.after(fill, market.half)
    found = holding_in(owned, seat.seated.lots, market)
    refuse_unlike(expected, found, market, accept)
    minutes.hold(found)
    c.loop().tell(Event(Kind.BALANCE, c.clock().now_ns(), size=found.position, fee=found.cash))
    minutes.knows = True
    await minutes.commit()


def refuse_unguarded(config: Config) -> None:
    """Raise `Refused` where a configuration has no limits, or nowhere to keep what was done."""
    if not config.risk.model_fields_set:
        raise Refused("[risk]: missing; nothing is traded for real without limits")
    if config.storage.journal is None:
        raise Refused("storage.journal: missing; nothing is traded for real that is not kept: sqlite:sessions.sqlite")


def refuse_orders_of(account: str | None, left: Left) -> None:
    """Raise `Refused` where orders of another account of ours than today's may rest."""
    if left.orders or left.attempts:
        raise Refused(
            f"the session before traded for account {account}, and {len(left.orders)} orders and {len(left.attempts)} "
            "transactions of it may live; `bmv chain cancel-all` with live.open_orders naming it clears its book"
        )


async def refuse_unwell(path: Path, config: Config) -> None:
    """Raise what the doctor finds wrong."""
    checks = await examine(path, config)
    wrong = [check for check in checks if check.state is State.WRONG]
    if wrong:
        raise wrong[0].error("\n".join(f"{check.name}: {check.found} {check.advice}".strip() for check in wrong))


async def stored_trades(config: Config, now_ns: int, history_ns: int) -> list[tuple[int, int, int]]:
    """Return the trades of the last history that a lake has kept of a market; none where there is no lake."""
    place = config.storage.ticks
    if place is None or is_url(place) or not Path(place).is_dir():
        return []
    market, found = compile.market(config), list[tuple[int, int, int]]()
    lake = LakeTicks(place, lambda _: market)
    try:
        async for columns in lake.read(session_market(config), now_ns - history_ns, now_ns):
            found += [(e.ts_ns, e.price, e.size) for e in events_of(columns) if e.kind == Kind.TRADE]
    finally:
        await lake.close()
    return found


def sow(engine: Engine, seed: Iterable[tuple[int, int, int]]) -> None:
    """Let an engine know trades from before its session."""
    for trade in seed:
        engine.seed(*trade)


async def ended(asked: Asked, session: Session, store: SessionStore) -> dict[str, Any]:  # Any: it is JSON.
    """Keep what a session did, write its run folder, and return how it ended."""
    name, config = session.parts.name, asked.config
    words = await words_of(store, name)
    async with open_runs(journal_of(asked.path, config), asked.path.parent) as runs:
        await keep_run(runs, name, words, 0 if session.receipt.get("cleared") or session.parts.mode == PAPER else 1)
    run: str | None = str(asked.folder)
    try:
        digest = save_session(name, words, asked.folder, report=asked.report)
    except DataError:  # Nothing of the market was heard.
        digest, run = session.parts.engine.digest, None
    return {"session": name, "digest": digest, "run": run, "receipt": session.receipt}
