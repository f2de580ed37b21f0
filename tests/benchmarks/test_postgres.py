"""Ticks into Postgres and out again, and words into journals, through the stores that a live process uses.

The server syncs its commits, as it does when installed.
"""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stopwatch import Stopwatch

from bmv.adapters.postgres.migrate import create, migrate
from bmv.adapters.postgres.sessions import PostgresSessions
from bmv.adapters.postgres.ticks import PostgresTicks
from bmv.adapters.spool.spool import Spool
from bmv.adapters.sqlite.sessions import SqliteSessions
from bmv.ports.market_data import Columns
from bmv.ports.messages import Event
from bmv.ports.storage import Ticks

START = 1_756_857_600 * 10**9
BATCH_ROWS = 10_000
ROWS = 1_000_000


def batches(epoch: int) -> list[Ticks]:
    """Return a million quotes, a millisecond apart, in batches of 10,000."""
    seq = np.arange(ROWS)
    zero = np.zeros_like(seq)
    whole = (
        START + seq * 10**6,
        zero + 2,
        zero,
        zero,
        zero,
        20_000 + seq % 99,
        5 + seq % 7,
        20_003 + seq % 99,
        zero + 8,
    )
    parts = ((at, Columns(*(column[at : at + BATCH_ROWS] for column in whole))) for at in range(0, ROWS, BATCH_ROWS))
    return [Ticks("sim/SOL", "bench", epoch, at, columns) for at, columns in parts]


@pytest.fixture
def database(postgres_cluster: Any) -> str:
    """A database on a server whose settings are those it is installed with, but for more room in its log."""
    postgres_cluster.stop()
    postgres_cluster.settings |= {"max_wal_size": "4GB", "shared_buffers": "256MB"}
    postgres_cluster.start()
    dsn = f"postgresql://postgres@/bmv?host={postgres_cluster.folder}"
    asyncio.run(create(dsn))
    asyncio.run(migrate(dsn))
    return dsn


async def appended(dsn: str, told: list[Ticks]) -> None:
    store = PostgresTicks(dsn)
    for batch in told:
        await store.append(batch)
    await store.close()


@pytest.mark.benchmark(group="postgres")
@pytest.mark.parametrize("sent", ["first", "again"])
def test_keeping_ticks_in_postgres(watch: Stopwatch, database: str, sent: str) -> None:
    """A million ticks in batches of 10,000, each acknowledged before the next; once new, once all known already."""
    epochs = iter(range(1, 100))

    def made() -> list[Ticks]:
        told = batches(next(epochs))
        if sent == "again":
            asyncio.run(appended(database, told))
        return told

    times = watch.time(lambda told: asyncio.run(appended(database, told)), made, rounds=3)

    watch.tell_speed(times, ROWS)


@pytest.mark.benchmark(group="postgres")
def test_keeping_ticks_in_postgres_through_the_spool(watch: Stopwatch, database: str, tmp_path: Path) -> None:
    """The same, put into the queue in front of it 100 rows at a time, as a recorder would in a burst."""
    epochs = iter(range(1, 100))

    def made() -> list[Ticks]:
        return [
            Ticks(
                whole.market,
                whole.source,
                whole.epoch,
                whole.first_seq + at,
                Columns(*(c[at : at + 100] for c in whole.columns)),
            )
            for whole in batches(next(epochs))
            for at in range(0, BATCH_ROWS, 100)
        ]

    async def put(told: list[Ticks]) -> None:
        store = PostgresTicks(database)
        async with Spool(store, tmp_path, queue_rows=2 * ROWS) as spool:
            for number, each in enumerate(told):
                assert spool.put(each)
                if number % 100 == 0:
                    await asyncio.sleep(0)
            await spool.flush()
        await store.close()

    times = watch.time(lambda told: asyncio.run(put(told)), made, rounds=3)

    watch.tell_speed(times, ROWS)


@pytest.mark.benchmark(group="postgres")
def test_reading_ticks_from_postgres(watch: Stopwatch, database: str) -> None:
    """The same million, in order, into int64 columns."""
    asyncio.run(appended(database, batches(1)))

    async def read() -> int:
        store = PostgresTicks(database)
        rows = sum([len(batch.ts_ns) async for batch in store.read("sim/SOL", 0, 2**62)])
        await store.close()
        return rows

    found = list[int]()
    times = watch.time(lambda _: found.append(asyncio.run(read())), lambda: None, rounds=3)

    watch.tell_speed(times, ROWS)
    assert set(found) == {ROWS}


@pytest.mark.benchmark(group="journal")
@pytest.mark.parametrize("store", ["postgres", "sqlite"])
@pytest.mark.parametrize("words", [4, 1_000])
def test_keeping_words_of_a_session(
    watch: Stopwatch, request: pytest.FixtureRequest, tmp_path: Path, store: str, words: int
) -> None:
    """Calls with an event and its intents, or with many, each on the disk before the next begins."""
    dsn = request.getfixturevalue("database") if store == "postgres" else ""
    sessions, calls = (f"s{number}" for number in range(100)), 200 if words < 100 else 20
    said = [Event(1, START + number, price=20_000, size=5) for number in range(words * calls)]

    async def kept(session: str) -> None:
        journal = PostgresSessions(dsn) if dsn else SqliteSessions(tmp_path / "journal.sqlite")
        for first in range(0, len(said), words):
            await journal.append(session, first, said[first : first + words])
        await journal.close()

    times = watch.time(lambda session: asyncio.run(kept(session)), lambda: next(sessions), rounds=3)

    watch.tell_speed(times, len(said), f", {1e3 * times.median / calls:.2f} ms a call of {words} words")
