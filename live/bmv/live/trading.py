"""A whole session, from its first word to its run folder."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

from solders.pubkey import Pubkey

from bmv.adapters.cli.named_market import endpoints_of, look
from bmv.adapters.config import Config, compile
from bmv.adapters.config.compile import refuse_without_reference
from bmv.adapters.openbook.feed.feed import Feed
from bmv.adapters.openbook.inspection.records import Inspection, worst
from bmv.adapters.parquet.tape import ParquetTape
from bmv.adapters.solana.rpc import make_client
from bmv.adapters.solana.sending.courier import Courier
from bmv.adapters.telemetry.meters import Meters
from bmv.data.files.path import is_url
from bmv.live.beside import LOG, Gauges, attended
from bmv.live.clock import SystemClock
from bmv.live.control.place import hold, session_place
from bmv.live.folder import LIVE, PAPER, SHADOW, save_session
from bmv.live.helm import Helm
from bmv.live.journal import Begun, begin_session
from bmv.live.kept import keep_run, open_runs
from bmv.live.market_data import MarketEvents
from bmv.live.minutes import Minutes
from bmv.live.notes import Holding, read_holding
from bmv.live.onchain import Seat, couriered, take_place
from bmv.live.opening import before_of, open_minutes, session_market
from bmv.live.record.wiring import open_prices, open_recorder
from bmv.live.recovering import ALONE, Inherited, heed_restart, inherit, recover
from bmv.live.session import Session, merged
from bmv.live.shadow import SENT_ONLY, Mute
from bmv.live.starting import refuse_unguarded, refuse_unpriced, refuse_unwell, sow, stored_trades
from bmv.live.stores import journal_of, open_sessions, words_of
from bmv.live.tape import TapeClock, events_of, play, rows_of
from bmv.live.watch import ChainConditions, Watch
from bmv.live.watch import Orders as WatchOrders
from bmv.live.wiring import SessionContainer, trade_on_chain, trade_on_paper
from bmv.ports.errors import BmvError, DataError
from bmv.ports.messages import Command, Event, Kind
from bmv.ports.storage import SessionStore

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
            return await kept(asked, session, store, session.trade(telling, ends=True))


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
        shadow: Whether to decide and sign, and send nothing: beside a session that trades, and apart from it.
        accept: Whether the chain is right where the journal says otherwise.
        dice: For all that is left to chance; None: those of the system. None of it decides an order.
    """
    config, clock, mode = asked.config, SystemClock(), SHADOW if shadow else LIVE
    dice = dice or SystemRandom()
    refuse_unguarded(config)
    refuse_unpriced(config)
    async with (
        AsyncExitStack() as opened,
        make_client() as client,
        open_sessions(journal_of(asked.path, config), asked.path.parent) as store,
    ):
        opened.enter_context(hold(session_place(asked.path, config, mode)))  # Before another's session is ended.
        await refuse_unwell(asked.path, config)
        seat = await take_place(asked.path, config, client, passphrase_file)
        name = f"{mode}/{session_market(config)}"
        begun = await begin_session(store, name, clock.now_ns(), partial(_drawn, dice))
        say(f"session {begun.journal.session}")
        had = ALONE if shadow else inherit(begun, seat, config, clock.now_ns())
        c = SessionContainer(mode=mode, config=config, journal=begun.journal, standing=had.standing, clock=clock)
        await open_engine(c, begun, LIVE, SHADOW if shadow else "feed")
        courier, routing = await opened.enter_async_context(couriered(seat, client, Mute if shadow else Courier))
        own = None if shadow else seat.seated.seat.open_orders
        feed = Feed(seat.seated.seat.market, seat.seated.readers.endpoints, dice=dice, own=own)
        rows = MarketEvents(feed, clock.now_ns)
        trade_on_chain(c, seat, courier, routing, had.left, begun.epoch, rows, shadow=shadow)
        told = Beside(c, rows, asked, opened, gauged(c), watching(c, rows, shadow=shadow))
        if isinstance(courier, Mute):
            told.jobs.append(partial(hush, c.session(), courier))
        await hold_unsure(c.minutes(), had.expected)
        with signals(c.session()):
            return await kept(asked, c.session(), store, trade_seated(told, seat, had, say, accept=accept))


async def trade_seated(
    beside: "Beside", seat: Seat, had: Inherited, say: Callable[[str], None], *, accept: bool
) -> None:
    """See what an earlier process left to its end, and trade from there; arguments as of `trade_live`."""
    c, minutes = beside.c, beside.c.minutes()
    if had.left.orders or had.left.attempts:
        orders, attempts = len(had.left.orders), len(had.left.attempts)
        say(f"seeing to their end {orders} orders and {attempts} transactions of the one before")
    c.venue().start()
    await heed_restart(seat.seated, had.restart_slot, minutes, c.clock().now_ns(), say)
    await recover(c, had.expected, accept=accept)
    await recording(c.config(), seat.seated.seat.market, seat.inspection, beside.opened, beside.jobs)
    await hear_market(beside)


async def hold_unsure(minutes: Minutes, expected: Holding | None) -> None:
    """Keep what the session before held; whether that is so nobody knows before journal and chain were compared."""
    if expected is not None:
        minutes.hold(expected)
    await minutes.commit()
    minutes.knows = False


async def hush(session: Session, courier: Mute) -> None:
    """Let what a shadow would have sent have ended when it stops: nobody waits for what can't land."""
    await session.asked()
    courier.hush()
    await asyncio.Event().wait()


async def open_engine(c: Any, begun: Begun, mode: str, source: str) -> None:  # Any: as of `recover`.
    """Write down how a session begins, and let its engine know the trades that a lake has kept.

    Args:
        mode: How it is kept.
        source: Where the market's rows come from.
    """
    config, now_ns = c.config(), c.clock().now_ns()
    seed = await stored_trades(config, now_ns, int(c.engine().params.history_ns))
    open_minutes(begun, mode, session_market(config), config, c.standing(), source, seed, now_ns)
    sow(c.engine(), seed)


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
        rows = MarketEvents(Feed(address, endpoints), clock.now_ns)
        trade_on_paper(c, lambda: rows.heard_ns)
        await open_engine(c, begun, PAPER, "feed")
        if held is not None:
            say("the session before was killed: going on with what it held")
            c.minutes().hold(held)
            c.loop().tell(Event(Kind.BALANCE, clock.now_ns(), size=held.position, fee=held.cash))
        await c.minutes().commit()
        beside = Beside(c, rows, asked, opened, gauged(c))
        await recording(config, address, inspection, opened, beside.jobs)
        with signals(c.session()):
            return await kept(asked, c.session(), store, hear_market(beside))


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


@dataclass(frozen=True, slots=True)
class Beside:
    """A session on a living market, and what works beside it.

    Args:
        c: The container.
        rows: What is heard of the market.
        asked: What somebody asked for.
        opened: Closes what is opened, at the end.
        gauges: Its numbers.
        watch: What watches the world; None: nothing does.
        jobs: What else works until it has ended.
    """

    c: Any  # Any: as of `recover`.
    rows: MarketEvents
    asked: Asked
    opened: AsyncExitStack
    gauges: Gauges
    watch: Watch | None = None
    jobs: list[Job] = field(default_factory=list)


def gauged(c: Any) -> Gauges:  # Any: as of `recover`.
    """Return the numbers of a session, which are counted from now on."""
    meters = Meters(c.mode(), session_market(c.config()), c.journal().session)
    gauges = Gauges(meters, c.engine(), c.market())
    c.minutes().listeners.append(gauges.hear)
    c.minutes().readers.append(gauges.read)
    c.loop().timed = gauges.timed
    return gauges


async def hear_market(beside: Beside) -> None:
    """Trade on what a feed and outside prices tell, with all that works beside it, until stopped."""
    c, config, watch, mode = beside.c, beside.asked.config, beside.watch, beside.c.mode()
    streams = [beside.rows.events()]
    if (prices := await open_prices(config, beside.opened)) is not None:
        streams.append(prices.events())
    session = c.session()
    may_take = mode == PAPER or config.strategy is not None or config.risk.breaker.on_halt == "flatten"
    wrong, forgive = (dict, lambda: None) if watch is None else (lambda: dict(watch.wrong), watch.forgive)
    helm = Helm(session, wrong, forgive, may_take)
    c.minutes().listeners.append(helm.hear)

    async def telling() -> None:
        await c.loop().run(merged(*streams))

    async with attended(beside.asked.path, config, mode, session, helm, beside.gauges) as beat:
        jobs = [beat, *beside.jobs] if watch is None else [beat, watch.run, *beside.jobs]
        limit(session, beside.asked.seconds)
        await session.trade(telling, jobs)


def _drawn(dice: Random) -> str:
    return f"{dice.getrandbits(128):032x}"


def limit(session: Session, seconds: float | None) -> None:
    """Let a session end after so many seconds from now."""
    if seconds is not None:
        asyncio.get_running_loop().call_later(seconds, partial(session.ask_stop, why="its time was over"))


def watching(c: Any, rows: MarketEvents, *, shadow: bool) -> Watch:  # Any: as of `recover`.
    """Return what watches the chain for a session; what is about what was sent, not for a shadow."""
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

    orders = WatchOrders(
        pause=lambda why: session.guarded(Command.PAUSE, why),
        latch=lambda why: session.guarded(Command.PAUSE, why, lasting=True),
        resume=lambda why: session.guarded(Command.RESUME, why),
        halt=lambda why: session.guarded(Command.HALT, why),
    )
    watched = [one for one in conditions.all() if not (shadow and one.code in SENT_ONLY)]
    return Watch(watched, c.execution(), orders, minutes.note_condition, conditions.acknowledge)


async def kept(
    asked: Asked, session: Session, store: SessionStore, work: Coroutine[Any, Any, None]
) -> dict[str, Any]:  # Any: it is JSON.
    """Let a session trade, keep what it did however it ends, and return how that was."""
    try:
        await work
    except Exception as error:
        try:
            await ended(asked, session, store, error)
        except Exception as second:
            LOG.warning("what the session did can't be shown: %s", second)
        raise
    return await ended(asked, session, store)


async def ended(
    asked: Asked, session: Session, store: SessionStore, error: Exception | None = None
) -> dict[str, Any]:  # Any: it is JSON.
    """Keep what a session did, write its run folder, and return how it ended.

    Args:
        error: What it failed with; None: it did not.
    """
    name, mode = session.parts.name, session.parts.mode
    words = await words_of(store, name)
    run: str | None = str(asked.folder)
    failed = None if error is None else str(error) or type(error).__name__
    try:
        digest = save_session(name, words, asked.folder, report=asked.report, failed=failed)
    except DataError:  # Nothing of the market was heard.
        digest, run = session.parts.engine.digest, None
    if mode != SHADOW:  # What was never sent is no order in the books of anybody.
        code = 0 if session.receipt.get("cleared") or mode == PAPER else 1
        if error is not None:
            code = error.exit_code if isinstance(error, BmvError) else 1
        async with open_runs(journal_of(asked.path, asked.config), asked.path.parent) as runs:
            await keep_run(runs, name, words, code)
    return {"session": name, "digest": digest, "run": run, "receipt": session.receipt}
