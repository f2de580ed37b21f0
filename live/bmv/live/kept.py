"""What a session did, at a glance: orders, fills, breaker and commands in the run store, made from its journal."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

from bmv.adapters.postgres.dsn import is_database
from bmv.core.standing import Standing
from bmv.data.journal.tradelog import Open, project
from bmv.live.notes import COMMANDED, STANDING, read_opening, read_said
from bmv.live.stores import sqlite_path
from bmv.ports.messages import Command, Tier
from bmv.ports.storage import BreakerChange, Changes, Note, OperatorCommand, RunStore, Word

WORDS_AT_ONCE = 5_000


@asynccontextmanager
async def open_runs(place: str, folder: Path) -> AsyncIterator[RunStore]:
    """Open the run store at the place of a journal, and close it at the end; arguments as of `open_sessions`."""
    if is_database(place):
        from bmv.adapters.postgres.runs import PostgresRuns  # Its library takes a while to import.

        database = PostgresRuns(place)
        try:
            yield database
        finally:
            await database.pool.close()
        return
    from bmv.adapters.sqlite.runs import SqliteRuns

    file = SqliteRuns(sqlite_path(place, folder))
    try:
        yield file
    finally:
        await file.close()


async def keep_run(store: RunStore, session: str, words: Sequence[Word], exit_code: int) -> None:
    """Keep what a session did; its words are all there is of it, so that the same call again changes nothing.

    Args:
        session: Its name.
        words: From the first to the last.
        exit_code: What its process ended with.
    """
    opening = read_opening(words)
    digest = sha256(opening.config.encode()).digest()
    run = await store.begin(session, opening.mode, opening.market, opening.code, digest, words[0].ts_ns)
    known = dict[int, Open]()
    tier = 0 if opening.standing is None else opening.standing.tier
    for number, first in enumerate(range(0, len(words), WORDS_AT_ONCE)):
        page = words[first : first + WORDS_AT_ONCE]
        told = project(run.id, page, known, first)
        await store.keep(
            run,
            Changes(
                number=number,
                orders=told.orders,
                fills=told.fills,
                breaker=list(_breaker(page, tier)),
                commands=list(_commands(page)),
            ),
        )
        tier = _tier_after(page, tier)
    await store.end(run, words[-1].ts_ns, exit_code)


def _tier_after(words: Iterable[Word], tier: int) -> int:
    """Return how far the breaker has gone after these words."""
    for word in words:
        if isinstance(word, Note) and word.topic == STANDING:
            tier = Standing(*map(int, json.loads(word.text))).tier
    return tier


def _breaker(words: Iterable[Word], tier: int) -> Iterator[BreakerChange]:
    """Yield the changes of the breaker's tier."""
    for word in words:
        if isinstance(word, Note) and word.topic == STANDING:
            stood = Standing(*map(int, json.loads(word.text)))
            if stood.tier != tier:
                tier = stood.tier
                yield BreakerChange(
                    word.ts_ns, Tier(tier).name.lower(), stood.peak, stood.start_equity, "by the engine"
                )


def _commands(words: Iterable[Word]) -> Iterator[OperatorCommand]:
    """Yield what operators said, and guards in their stead."""
    for word in words:
        if isinstance(word, Note) and word.topic == COMMANDED:
            said = read_said(word)
            code = Command[str(said.get("command", "")).upper()]
            yield OperatorCommand(word.ts_ns, str(said.get("by", "")), code, "")
