"""Connections end at their deadline, come back after a fall, and never show a password."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bmv.adapters.postgres.dsn import elsewhere
from bmv.adapters.postgres.pool import Pool
from bmv.ports.errors import ConfigError, StorageError

SECRET = "s3cr3t/Wört"
QUOTED = "s3cr3t%2FW%C3%B6rt"


async def done(pool: Pool, work: Callable[[Any], Awaitable[Any]], what: str = "ask") -> Any:
    try:
        return await pool.run(work, what)
    finally:
        await pool.close()


async def used(pool: Pool, *statements: str) -> list[Any]:
    try:
        return [await pool.run(lambda c, s=statement: c.fetchval(s), "ask") for statement in statements]
    finally:
        await pool.close()


def test_a_connection_to_postgres_is_used_again(postgres: str) -> None:
    first, second = asyncio.run(used(Pool(postgres), *["select pg_backend_pid()"] * 2))

    assert first == second


def test_no_more_connections_to_postgres_than_were_asked_for(postgres: str) -> None:
    pool = Pool(postgres, size=2)
    query = "select count(*) from pg_stat_activity, pg_sleep(0.02) where datname = current_database()"

    async def many() -> list[int]:
        counts = await asyncio.gather(*(pool.run(lambda c: c.fetchval(query), "count") for _ in range(10)))
        assert repr(pool).endswith("connections: 0 busy, 2 idle, at most 2>")
        await pool.close()
        return counts

    assert max(asyncio.run(many())) <= 2


def test_work_on_a_connection_that_postgres_ends_is_done_again(postgres: str) -> None:
    attempts = []

    async def work(connection: Any) -> int:
        attempts.append(await connection.fetchval("select pg_backend_pid()"))
        if len(attempts) < 3:
            await connection.fetchval("select pg_terminate_backend(pg_backend_pid())")
        return len(attempts)

    assert asyncio.run(done(Pool(postgres), work)) == 3
    assert len(set(attempts)) == 3


def test_a_statement_of_postgres_that_does_not_end_is_given_up_within_the_deadline(postgres: str) -> None:
    began = time.monotonic()

    with pytest.raises(StorageError, match="ask: given up after 1 s"):
        asyncio.run(done(Pool(postgres, deadline_s=1, attempt_s=0.4), sleep))

    assert 0.5 < time.monotonic() - began < 2


async def sleep(connection: Any) -> None:
    await connection.execute("select pg_sleep(60)")


def test_whoever_is_cancelled_does_not_wait_for_postgres(postgres: str) -> None:
    async def cancelled() -> float:
        task = asyncio.create_task(done(Pool(postgres), sleep))
        await asyncio.sleep(0.3)
        began = time.monotonic()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        return time.monotonic() - began

    assert asyncio.run(cancelled()) < 0.2


def test_a_server_of_postgres_that_is_not_there_is_given_up_within_the_deadline() -> None:
    began = time.monotonic()

    with pytest.raises(StorageError, match=r"given up after 0\.5 s") as told:
        asyncio.run(used(Pool(f"postgresql://me:{QUOTED}@127.0.0.1:1/bmv", deadline_s=0.5), "select 1"))

    assert time.monotonic() - began < 1.5
    assert "postgresql://me:***@127.0.0.1:1/bmv" in str(told.value)
    assert not [word for word in (SECRET, QUOTED) if word in str(told.value)]


@pytest.mark.parametrize(
    ("dsn", "told"),
    [
        ("mysql://me:s3cr3t@db/x", "expected postgresql://"),
        ("postgresql://me:s3cr3t@db:many/x", "expected postgresql://"),
        ("me:s3cr3t", "expected postgresql://"),
    ],
)
def test_what_is_no_address_of_postgres_is_refused_without_being_shown(dsn: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as refusal:
        Pool(dsn)

    assert "s3cr3t" not in str(refusal.value)


def test_a_database_that_postgres_lacks_is_the_operators_to_make(postgres: str) -> None:
    with pytest.raises(ConfigError, match="there is no database nowhere; `bmv db init` makes it"):
        asyncio.run(used(Pool(elsewhere(postgres, "nowhere")), "select 1"))


def test_a_schema_that_postgres_lacks_is_the_operators_to_make(bare_postgres: str) -> None:
    with pytest.raises(ConfigError, match="the schema is missing"):
        asyncio.run(used(Pool(bare_postgres), "select count(*) from bmv.tick"))


def test_what_postgres_refuses_for_its_own_reasons_is_not_tried_again(postgres: str) -> None:
    attempts = []

    async def work(connection: Any) -> None:
        attempts.append(1)
        await connection.execute("select 1 / 0")

    with pytest.raises(Exception, match="division by zero"):
        asyncio.run(done(Pool(postgres), work))
    assert len(attempts) == 1
