"""The container of the present: a session is a set of providers; modes differ by the way to a venue alone."""

from collections.abc import Callable
from functools import partial
from typing import Any

from dependency_injector import containers, providers

from bmv.adapters.bookkeeping.stage import Stage
from bmv.adapters.config import Config, compile
from bmv.adapters.openbook.execution.recovery import Left
from bmv.adapters.openbook.planning.routing import Routing
from bmv.adapters.sim.clock import SimClock
from bmv.adapters.sim.exchange import SimExchange, open_venue
from bmv.adapters.solana.sending.courier import Courier
from bmv.core.engine import Engine
from bmv.core.standing import Standing
from bmv.live.clock import SystemClock
from bmv.live.decider import Decider, decider_of
from bmv.live.guard import Guard
from bmv.live.journal import SessionJournal
from bmv.live.limits import guard_limits
from bmv.live.loop import Loop
from bmv.live.market_data import MarketEvents
from bmv.live.minutes import Minutes
from bmv.live.notes import GUARD
from bmv.live.onchain import ChainVenue, Seat, limits_for, make_executor, refuse_unsigned
from bmv.live.paper import PaperVenue
from bmv.live.refusals import Refusals
from bmv.live.session import Parts, Session
from bmv.live.shadow import ShadowVenue
from bmv.ports.messages import Event, Kind, Reason

FEE_BUDGET = "fee_budget"  # The guard that keeps in what may not be paid for: see `Purse`.


def _engine(decider: Decider, standing: Standing | None) -> Engine:
    return decider.engine(standing)


class SessionContainer(containers.DeclarativeContainer):
    """What every session is made of. `execution`, `stage` and `venue` are where modes differ; see below."""

    mode = providers.Dependency[str]()
    config = providers.Dependency[Config](instance_of=Config)
    journal = providers.Dependency[SessionJournal](instance_of=SessionJournal)
    standing = providers.Object[Standing | None](None)
    stop_s = providers.Object(60.0)

    clock: Any = providers.Singleton(SystemClock)  # Any: of the port's shape; a tape has another.
    decider = providers.Singleton(decider_of, config)
    market = providers.Singleton(compile.market, config)
    engine = providers.Singleton(_engine, decider, standing)
    minutes = providers.Singleton(Minutes, journal, engine, clock.provided.now_ns)

    execution: Any = providers.Dependency()  # Any: of the port's shape, as the next two.
    stage: Any = providers.Object(None)
    venue: Any = providers.Dependency()

    loop = providers.Singleton(Loop, engine, execution, minutes, clock, stage)
    parts = providers.Factory(Parts, journal.provided.session, mode, decider, engine, minutes, loop, venue, clock)
    session = providers.Singleton(Session, parts, stop_s)


def trade_on_paper(
    c: Any, heard_ns: Callable[[], int] | None = None
) -> None:  # Any: a container's attributes are known to it alone.
    """Let a session trade at the simulated venue.

    Args:
        heard_ns: When the living market was heard of last, ns UTC: the guard stands in front as it does for real. None:
            stored ticks are the market, of which a backtest without a guard has to say the same.
    """
    sim_clock = providers.Singleton(SimClock)
    sim = providers.Singleton(open_venue, providers.Singleton(compile.venue, c.config, c.market))
    stage = providers.Singleton(Stage, providers.Singleton(SimExchange, sim, sim_clock), sim_clock)
    c.stage.override(stage)
    c.venue.override(providers.Singleton(PaperVenue, stage, c.engine, c.market, c.loop))
    if heard_ns is None:
        c.execution.override(stage)
    else:
        guard_orders(c, stage, heard_ns)


def trade_on_chain(
    c: Any,
    seat: Seat,
    courier: Courier,
    routing: Routing,
    left: Left,
    epoch: int,
    rows: MarketEvents,
    *,
    shadow: bool = False,
) -> None:
    """Let a session trade on the chain, with the guard in front of it; arguments as of `make_executor`.

    Args:
        shadow: Whether nothing is sent, and what the chain shows is of another session.
    """
    refusals = _refusals(c)

    def tell(event: Event) -> None:
        if event.kind == Kind.REJECTED and not event.venue_ns:  # It was never sent.
            if event.code == Reason.FEE_CAP:
                c.minutes().say(GUARD, why=FEE_BUDGET, order=event.order)
            refusals.refuse(event)
        else:
            c.loop().tell(event)

    def band() -> tuple[int, int] | None:
        found: tuple[int, int] | None = c.execution().band()
        return found

    now_ns, venue = c.clock().now_ns, ShadowVenue if shadow else ChainVenue
    executor = providers.Singleton(
        make_executor, seat, courier, routing, c.minutes, left, epoch, band, now_ns, tell, alone=not shadow
    )
    guard_orders(c, executor, lambda: rows.heard_ns, refusals)
    c.venue.override(providers.Singleton(venue, seat, executor, c.market))
    c.decider().checks.append(partial(refuse_unsigned, seat, limits_for(seat, c.config())))


def guard_orders(c: Any, inner: Any, heard_ns: Callable[[], int], refusals: Refusals | None = None) -> None:
    """Let the guard stand in front of where orders go.

    Args:
        c: The container.
        inner: Provides the execution behind it.
        heard_ns: When the market was heard of last, ns UTC.
        refusals: Tells what stays in; one of its own if absent.
    """
    refusals = refusals or _refusals(c)
    limits, note = providers.Singleton(guard_limits, c.config), c.minutes().note_guard
    waits = providers.Object(heard_ns)
    c.execution.override(
        providers.Singleton(Guard, inner, limits, c.clock().now_ns, waits, refusals.refuse, note, refusals.hurry)
    )
    c.execution().position = int(c.engine().state.position)
    c.minutes().listeners += [c.execution().hear, refusals.hear]

    def narrow(config: Config) -> None:
        c.execution().limits = guard_limits(config)

    c.decider().listeners.append(narrow)


def _refusals(c: Any) -> Refusals:
    """Return what tells the session's engine of orders that were never sent."""
    return Refusals(lambda event: c.loop().tell(event), lambda error: c.session().fail(error), c.clock().now_ns)
