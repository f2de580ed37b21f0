"""What works beside a session: the socket of its operator, metrics and health, the service manager, the log."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

from bmv.adapters.config import Config
from bmv.adapters.config.masking import Masked
from bmv.adapters.telemetry.exposition import Exposition
from bmv.adapters.telemetry.logs import Logs
from bmv.adapters.telemetry.meters import Meters
from bmv.adapters.telemetry.notify import Notify
from bmv.adapters.telemetry.pulse import Pulse
from bmv.core.engine import Engine
from bmv.data.journal.attempts import ATTEMPT, ENDS, FATE, Attempted, read_attempt, read_fate
from bmv.data.journal.costs import cost_of
from bmv.live.control.place import session_place
from bmv.live.control.server import Control
from bmv.live.folder import SHADOW
from bmv.live.helm import Helm
from bmv.live.notes import GUARD, read_said
from bmv.live.session import Session
from bmv.ports.market import Market
from bmv.ports.messages import Command, Event, Kind, Liquidity, Refusal, Tier, Verb
from bmv.ports.storage import Note

LOG = logging.getLogger("bmv.session")
BEAT_S = 0.5
LAMPORTS = 10**9
Form = Literal["json", "console"]


@contextmanager
def logged(form: Form | None) -> Iterator[None]:
    """Write the log to the error stream while this is open; None: nobody reads one."""
    if form is None:
        yield
        return
    with Logs(sys.stderr, Masked(os.environ.values()), form):
        yield


class Gauges:
    """Keeps the numbers of a session as Prometheus reads them, and tells the log what a person would want to know.

    Args:
        meters: The numbers.
        engine: Whose they are.
        market: In whose units.
    """

    def __init__(self, meters: Meters, engine: Engine, market: Market) -> None:
        self.meters, self._engine, self._market = meters, engine, market
        self._refused: dict[int, int] = {}
        self._tier = 0
        self._alive: dict[str, Attempted] = {}  # Transactions whose end is not known.

    def hear(self, event: Event) -> None:
        """Take in what the engine is about to hear."""
        kind = Kind(event.kind)
        self.meters.event(kind.name.lower())
        if kind is Kind.FILLED:
            side = "bid" if event.side > 0 else "ask"
            self.meters.fill(side, "taker" if event.code == Liquidity.TAKER else "maker")
            price, size = self._market.tick_size * event.price, self._market.lot_size * event.size
            LOG.info("filled: order %d %s %s at %s", event.order, "bought" if event.side > 0 else "sold", size, price)
        elif kind is Kind.FEED:
            (LOG.info if event.code else LOG.warning)("market data are %s", "up" if event.code else "down")
        elif kind is Kind.COMMAND:
            LOG.warning("command: %s", Command(event.code).name.lower())

    def read(self, note: Note) -> None:
        """Take in a note of the journal: what became of transactions, and what guards did."""
        if note.topic == ATTEMPT:
            attempt = read_attempt(note)
            self._alive[attempt.signature] = attempt
        elif note.topic == FATE:
            fate = read_fate(note)
            self.meters.attempt(fate.state)
            if fate.state in ENDS and (ended := self._alive.pop(fate.signature, None)) is not None:
                cost = cost_of(ended, fate.state)
                for kind, lamports in (("base", cost.base), ("priority", cost.priority), ("tip", cost.tip)):
                    self.meters.fee(kind, lamports)
        elif note.topic == GUARD:
            self._tell_guard(read_said(note))
        self.meters.unknown.set(len(self._alive))

    def _tell_guard(self, said: Mapping[str, Any]) -> None:  # Any: it is JSON.
        """Count what a guard did, and log it: an order was kept in, something is wrong with the world, or is over."""
        code, why = str(said.get("code") or said.get("why")), said.get("why")
        if not said.get("begins", True):
            LOG.info("guard %s: is well again", code)
            return
        self.meters.trip(code)
        if "order" in said:
            LOG.warning("guard %s: order %s stays in", code, said["order"])
        else:
            LOG.error("guard %s: %s", code, why)

    def timed(self, seconds: float, intents: int) -> None:
        """Take in how long it took from an event to the intents that answer it."""
        if intents:
            self.meters.event_to_intent.observe(seconds)
            self.meters.intents(Verb(row[0]).name.lower() for row in self._engine.state.intents[:intents].tolist())

    def look(self, session: Session, why: str) -> None:
        """Set what is measured now and then."""
        state, meters = self._engine.state, self.meters
        meters.position.set(float(self._market.lot_size * int(state.position)))
        if state.valued:
            meters.equity.set(float(self._market.money(int(state.equity))))
        meters.breaker.set(int(state.tier))
        meters.quoting.set(not why)
        meters.feed_up.set(int(state.feed_up))
        if state.market_ns > 0:
            meters.data_age.set(max(0.0, (session.parts.clock.now_ns() - int(state.market_ns)) / 1e9))
        rows = session.parts.venue.orders()
        lamports = session.parts.venue.status().get("lamports")
        if lamports is not None:
            meters.sol.set(lamports / LAMPORTS)
        if state.valued:
            meters.pnl(net=float(self._market.money(int(state.equity) - int(state.start_equity))))
        bids = sum(row["side"] == "bid" for row in rows)
        meters.orders(bids, len(rows) - bids)
        self._count_refused()
        if (tier := int(state.tier)) != self._tier:
            self._tier = tier
            LOG.warning("the breaker is at %s", Tier(tier).name.lower())

    def _count_refused(self) -> None:
        for code, count in enumerate(self._engine.state.refusals.tolist()):
            for _ in range(count - self._refused.get(code, 0)):
                self.meters.refusal(Refusal(code).name.lower())
            self._refused[code] = count


@asynccontextmanager
async def attended(
    path: Path, config: Config, mode: str, session: Session, helm: Helm, gauges: Gauges
) -> AsyncIterator[Callable[[], "asyncio.Future[None]"]]:
    """Open the socket, metrics and the way to the service manager; give what keeps them going beside the session."""
    notify, pulse = Notify.of_environment(), Pulse()

    async def beat() -> None:
        last_why = "it is starting"
        while True:
            why = helm.why()
            pulse.beat()
            pulse.say(why)
            notify.watchdog()
            if why != last_why:
                last_why = why
                notify.status(why or "quoting")
            gauges.look(session, why)
            await asyncio.sleep(BEAT_S)

    port = None if mode == SHADOW else config.live.metrics_port  # That of the session that trades by the same file.
    page = nullcontext() if port is None else Exposition(port, gauges.meters.text, pulse)
    async with Control(session_place(path, config, mode), helm, held=True):
        with page:
            notify.ready(session.parts.name)
            yield lambda: asyncio.ensure_future(beat())
        notify.stopping(session.why)
