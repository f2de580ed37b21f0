"""A whole session, from its first word to its run folder."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bmv.adapters.config import Config, compile
from bmv.adapters.config.compile import refuse_without_reference
from bmv.adapters.parquet.tape import ParquetTape
from bmv.core.engine import Engine
from bmv.live.folder import PAPER, save_session
from bmv.live.journal import begin_session
from bmv.live.opening import open_minutes
from bmv.live.session import Session
from bmv.live.stores import journal_of, open_sessions, words_of
from bmv.live.tape import TapeClock, events_of, play, rows_of
from bmv.live.wiring import SessionContainer, trade_on_paper
from bmv.ports.errors import DataError
from bmv.ports.storage import SessionStore

Signals = Callable[[Session], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asked for.

    Args:
        path: Of the configuration.
        config: What stands there.
        folder: Where the run goes.
        report: Whether a page is written.
    """

    path: Path
    config: Config
    folder: Path
    report: bool = True


def session_market(config: Config) -> str:
    """Return what a session's market is called: `VENUE/SYMBOL`."""
    return f"{config.market.venue}/{config.market.symbol.replace('/', '-')}"


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
        begun = await begin_session(store, f"paper/{session_market(config)}", first_ns)
        c = SessionContainer(mode=PAPER, config=config, journal=begun.journal, clock=TapeClock(first_ns, speed))
        trade_on_paper(c)
        seed = [(e.ts_ns, e.price, e.size) for e in events_of(tape.seed(int(c.engine().params.history_ns)))]
        open_minutes(begun, PAPER, session_market(config), config, None, ", ".join(data), seed, first_ns)
        sow(c.engine(), seed)
        session = c.session()

        async def telling() -> None:
            await play(c.loop(), rows_of(tape), c.clock(), c.minutes().commit)

        with signals(session):
            await session.trade(telling)
        return await ended(asked, session, store)


def sow(engine: Engine, seed: Iterable[tuple[int, int, int]]) -> None:
    """Let an engine know trades from before its session."""
    for trade in seed:
        engine.seed(*trade)


async def ended(
    asked: Asked, session: Session, store: SessionStore, extra: dict[str, Any] | None = None
) -> dict[str, Any]:  # Any: it is JSON.
    """Write the run folder of a session that has ended, and return how it did."""
    name = session.parts.name
    run: str | None = str(asked.folder)
    try:
        digest = save_session(name, await words_of(store, name), asked.folder, report=asked.report, extra=extra or {})
    except DataError:  # Nothing of the market was heard.
        digest, run = session.parts.engine.digest, None
    return {"session": name, "digest": digest, "run": run, "receipt": session.receipt}
