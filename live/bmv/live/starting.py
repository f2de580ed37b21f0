"""What has to be right before a session begins, and what its engine knows from before."""

from collections.abc import Iterable
from pathlib import Path

from bmv.adapters.config import Config, compile
from bmv.adapters.config.compile import refuse_without_reference
from bmv.adapters.lake.ticks import LakeTicks
from bmv.core.engine import Engine
from bmv.data.files.path import is_url
from bmv.live.doctor.check import State
from bmv.live.doctor.command import examine
from bmv.live.opening import session_market
from bmv.live.tape import events_of
from bmv.ports.errors import Refused
from bmv.ports.messages import Kind


def refuse_unguarded(config: Config) -> None:
    """Raise `Refused` where a configuration bounds no loss, quotes on data of any age, or keeps nothing.

    What may be held is bounded by `inventory.max_position`, which every configuration has.
    """
    risk, missing = config.risk, list[str]()
    if (risk.breaker.max_loss, risk.breaker.halt_pct, risk.breaker.daily_pct) == (None, None, None):
        missing.append("a loss that stops it: risk.breaker.max_loss, risk.breaker.halt_pct or risk.breaker.daily_pct")
    if risk.stale_after_s is None and risk.stale_after_slots is None:
        missing.append("an age of market data: risk.stale_after_s or risk.stale_after_slots")
    if missing:
        raise Refused(f"[risk]: nothing is traded for real without limits; missing: {'; and '.join(missing)}")
    if config.storage.journal is None:
        raise Refused("storage.journal: missing; nothing is traded for real that is not kept: sqlite:sessions.sqlite")


def refuse_unpriced(config: Config) -> None:
    """Raise `ConfigError` for keys that need a reference price, where the configuration names no source of one."""
    if not config.live.prices.sources:
        refuse_without_reference(config, "live.prices.sources names none")


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
