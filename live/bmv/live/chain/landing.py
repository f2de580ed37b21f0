"""How our transactions landed, by the journal of a configuration."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from bmv.adapters.config import load
from bmv.adapters.postgres.dsn import checked
from bmv.adapters.report.tables import Column, say, say_table
from bmv.data.journal.landing_page import SAMPLES_MIN, Json, groups_of, landings_json
from bmv.data.journal.landings import Landings
from bmv.ports.errors import ConfigError, DataError
from bmv.ports.storage import SessionStore

SQLITE = "sqlite:"
LIVE = "live/"  # Sessions that send begin so.
GROUPS = {"by_route": "route", "by_window": "leader window", "by_tip": "tip a unit", "by_purpose": "purpose"}
FIGURES = {
    "sent": "sent",
    "landed": "landed",
    "failed": "failed",
    "expired": "expired",
    "forgotten": "forgotten",
    "share": "share",
    "slots_median": "slots, median",
    "slots_p90": "9 in 10",
    "lamports": "lamports",
    "lamports_per_fill": "a fill",
    "tip_per_unit_median": "tip a unit",
    "priority_per_unit_median": "priority a unit",
}


def read_landings(
    path: Path, sets: tuple[str, ...], session: str | None, since_ns: int | None, *, rows: bool
) -> tuple[str, Json]:
    """Return which sessions were read, and what they tell of landing."""
    journal = load(path, sets).storage.journal
    if journal is None:
        raise ConfigError(f"{path}: storage.journal is not set; expected postgresql:… or sqlite:…")
    return asyncio.run(_read(path, journal, session, since_ns, rows))


async def _read(path: Path, journal: str, session: str | None, since_ns: int | None, rows: bool) -> tuple[str, Json]:
    store = _store(path, journal)
    try:
        names = [name for name in await store.sessions() if name.startswith(LIVE)]
        chosen = _choose(names, session, since_ns)
        landings = Landings(since_ns or 0)
        for name in chosen:
            async for page in store.read(name):
                landings.take(page)
        return ", ".join(chosen) if len(chosen) < 3 else f"{len(chosen)} sessions", landings_json(landings, rows=rows)
    finally:
        await store.close()


def _choose(names: Sequence[str], session: str | None, since_ns: int | None) -> Sequence[str]:
    """Return the sessions to read; `DataError` where there are none."""
    if session is not None and session not in names:
        raise DataError(f"no session {session}; there are {', '.join(names[-3:]) or 'none'}")
    if not names:
        raise DataError("no session has traded yet")
    if session is not None:
        return [session]
    return names if since_ns is not None else names[-1:]


class _Store(SessionStore, Protocol):
    async def close(self) -> None: ...


def _store(path: Path, journal: str) -> _Store:
    if journal.startswith(SQLITE):
        from bmv.adapters.sqlite.sessions import SqliteSessions

        file = path.parent / journal.removeprefix(SQLITE)
        if not file.exists():
            raise DataError(f"{file}: no journal there yet")
        return SqliteSessions(file)
    from bmv.adapters.postgres.sessions import PostgresSessions

    return PostgresSessions(checked(journal))


def say_landings(name: str, page: Json) -> None:
    """Show it on a terminal."""
    say(f"{name}: {page['sent']} transactions, {page['landed']} landed, {page['fills']} fills")
    per_fill = page["lamports_per_fill"]
    say(f"{page['lamports']} lamports in all, {page['tips']} of them tips; {_cell(per_fill)} a fill")
    for title, words in GROUPS.items():
        rows = [[key, *(_cell(group[column]) for column in FIGURES)] for key, group in groups_of(page[title])]
        say_table([Column(words, "left"), *map(Column, FIGURES.values())], rows)
    say(_next_step(page["next_step"]))


def _next_step(step: Json | None) -> str:
    if step is None:
        return "the next higher tip: not known, for nothing was tipped, or nobody said what others tip"
    cost = f"the next higher tip, {step['tip_per_unit']:g} lamports a unit, costs {step['more_lamports']} more"
    if step["share_then"] is None:
        return f"{cost}; what it buys is not known: {step['samples']} tipped so much, and {SAMPLES_MIN} are needed"
    now, then = (
        f"{step[f'share_{when}']:.1%} land, in {_cell(step[f'slots_{when}'])} slots" for when in ("now", "then")
    )
    return f"{cost}: below it {now}; from it on {then}"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:g}" if isinstance(value, float) else str(value)
