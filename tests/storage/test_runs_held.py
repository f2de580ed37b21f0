"""What each database holds to by itself, whoever writes, and what befalls a store of runs in its surroundings."""

import asyncio
import sqlite3
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kept_runs import MARKET, U128, Found, Place, begun, fill, found, of_every_sort, order
from proxy import Proxy

from bmv.adapters.postgres.inventory import inventory
from bmv.adapters.postgres.runs import PostgresRuns
from bmv.adapters.sqlite import upkeep
from bmv.adapters.sqlite.file import APPLICATION, STEPS
from bmv.adapters.sqlite.runs import SqliteRuns, _digits
from bmv.adapters.sqlite.sessions import SqliteSessions
from bmv.data.journal.chain import beginning
from bmv.data.journal.runrules import LEGAL
from bmv.ports.errors import StorageError
from bmv.ports.messages import Event
from bmv.ports.storage import Changes, OrderState, Run

Said = Callable[[str], list[Any]]
CHECKSUMS = {  # Of what files out there were made by: a change is a new step.
    "schema.sql": "14ba3ba34270e02050588cede3eef9b12bd4c99bae71932b53af90630dd0fef8",
    "runs.sql": "2a1beb2f717650cd697f56e44489f404cfeee4ace04d7da0da1e674111fa82c2",
}
SLOW_COMMIT = """
create function bmv.dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(0.6); return null; end $$;
create constraint trigger dawdle after insert on bmv.fill deferrable initially deferred
for each row execute function bmv.dawdle();
"""


@pytest.fixture
def say(runs_at: Place) -> Said:
    """Say a statement to the database itself, past the store."""

    async def to_postgres(statement: str) -> list[Any]:
        connection = await asyncpg.connect(runs_at.name, server_settings={"search_path": "bmv"})
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    def to_sqlite(statement: str) -> list[Any]:
        file = sqlite3.connect(runs_at.name, isolation_level=None)
        try:
            file.execute("pragma foreign_keys = on")
            return file.execute(statement).fetchall()
        finally:
            file.close()

    return to_sqlite if runs_at.sort == "sqlite" else lambda statement: asyncio.run(to_postgres(statement))


@pytest.fixture
def run(open_runs: Any) -> Run:
    """A run that has kept something of every sort, in a market where an older run is stale."""

    async def made() -> Run:
        async with open_runs() as store:
            await begun(store, "stale")
            run = await begun(store)
            await store.keep(run, of_every_sort(run))
            return run

    return asyncio.run(made())


@pytest.mark.parametrize(
    "change",
    [
        *(f"delete from {table}" for table in ("run", "orders", "fill", "balance", "breaker", "command")),
        "update fill set fee = 0",
        "update balance set asset = 'x'",
        "update breaker set tier = 'armed'",
        "update command set code = 2",
        "update orders set price = price + 1",
        "update orders set state = 'filled' where state = 'resting'",
        "update orders set state = 'intended' where state = 'resting'",
        "update orders set filled = filled - 1 where filled > 0",
        "update run set batches = batches + 1 where session = 'stale'",
        "update run set batches = batches - 1 where session = 's'",
        "update run set epoch = epoch + 9",
        "insert into run (session, mode, market, epoch, code, config_sha256, started_ns) "
        "select 'nowhere', mode, market, 9, code, config_sha256, started_ns from run",
    ],
)
def test_a_database_refuses_by_itself_what_would_belie_a_run(say: Said, run: Run, change: str) -> None:
    tables = ("run", "orders", "fill", "balance", "breaker", "command")
    before = [sorted(map(str, say(f"select * from {table}"))) for table in tables]

    with pytest.raises((asyncpg.PostgresError, sqlite3.IntegrityError)):
        say(change)

    assert [sorted(map(str, say(f"select * from {table}"))) for table in tables] == before
    assert all(before)


def test_a_database_holds_an_order_to_the_same_way_as_the_code(say: Said, run: Run) -> None:
    went = set()
    for number, (before, after) in enumerate(((a, b) for a in LEGAL for b in OrderState if a != b), 100):
        filled, done = "10" if after == "filled" else "0", "null" if after in LEGAL else "9"
        say(
            "insert into orders (run, id, side, level, tif, price, size, filled, state, reason, decided_ns) "
            f"values ({run.id}, {number}, 1, 0, 0, 100, 10, 0, '{before}', 0, 1)"
        )
        change = f"update orders set state = '{after}', filled = {filled}, done_ns = {done} where id = {number}"
        try:
            say(change)
        except (asyncpg.PostgresError, sqlite3.IntegrityError) as error:
            assert "cannot go" in str(error)  # noqa: PT017  # Most of these raise, some must not.
        else:
            went.add((before, after))

    assert went == {(before, after) for before, afters in LEGAL.items() for after in afters}


def test_an_order_that_has_ended_is_not_changed_in_the_database_itself(say: Said, run: Run) -> None:
    say("update orders set state = 'cancelled', done_ns = 9 where state = 'resting'")

    for change in ("state = 'resting', done_ns = null", "reason = 1", "done_ns = 10"):
        with pytest.raises((asyncpg.PostgresError, sqlite3.IntegrityError), match="has ended"):
            say(f"update orders set {change} where state = 'cancelled'")


def test_numbers_of_the_chain_sort_in_the_database_as_numbers_do(say: Said, open_runs: Any, run: Run) -> None:
    numbers = sorted([0, 9, 10, 255, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**19, 10**20, 2**127, U128 - 1])

    async def keep() -> dict[int, int | None]:
        async with open_runs() as store:
            rows = [order(run, 10 + n, venue_id=number) for n, number in enumerate(reversed(numbers))]
            await store.keep(run, Changes(1, rows))
            return {each.id: each.venue_id for each in (await found(store, run)).orders}

    kept = asyncio.run(keep())

    assert [kept[number] for (number,) in say("select id from orders where id >= 10 order by venue_id")] == numbers


@given(st.integers(0, U128), st.integers(0, U128))
def test_hexadecimal_texts_compare_as_their_numbers(one: int, other: int) -> None:
    texts = [_digits(each, 32) or "" for each in (one, other)]

    assert (texts[0] < texts[1], texts[0] == texts[1]) == (one < other, one == other)


def test_a_commit_of_a_batch_whose_reply_is_lost_counts_once_in_postgres(postgres: str) -> None:
    async def lost() -> tuple[Run, Found, list[Any]]:
        async with Proxy(postgres) as proxy:
            store = PostgresRuns(proxy.dsn, deadline_s=8, attempt_s=2)
            run = await begun(store)
            await store.pool.run(lambda connection: connection.execute(SLOW_COMMIT), "slow commits down")
            task = asyncio.create_task(store.keep(run, Changes(0, [order(run)], [fill(run)])))
            watch = PostgresRuns(postgres)
            query = "select 1 from pg_stat_activity where wait_event = 'PgSleep' and query ilike 'commit%'"
            while not await watch.pool.fetch("look", query):
                await asyncio.sleep(0.01)
            proxy.to_client = False  # The commit is under way, and nobody will hear of it.
            await asyncio.sleep(0.8)
            batches = await watch.pool.fetch("look", "select batches from bmv.run")
            assert not task.done()
            proxy.heal()
            await task
            told = await found(store, run)
            await store.close()
            await watch.close()
            return run, told, [tuple(row) for row in batches]

    run, told, batches = asyncio.run(lost())

    assert batches == [(1,)]
    assert (told.orders, told.fills) == ([order(run)], [fill(run)])


def test_who_begins_a_run_waits_for_the_batch_of_the_one_before_in_postgres(postgres: str) -> None:
    async def overlap() -> tuple[bool, list[Any]]:
        store, other = PostgresRuns(postgres), PostgresRuns(postgres)
        old = await begun(store, "old")
        await store.pool.run(lambda connection: connection.execute(SLOW_COMMIT), "slow commits down")
        task = asyncio.create_task(store.keep(old, Changes(0, [order(old)], [fill(old)])))
        query = "select 1 from pg_stat_activity where wait_event = 'PgSleep' and query ilike 'commit%'"
        while not await other.pool.fetch("look", query):
            await asyncio.sleep(0.01)
        before = await other.open_orders(MARKET, "paper")
        await begun(other, "new")
        left = await other.open_orders(MARKET, "paper")
        await task
        await store.close()
        await other.close()
        return bool(before), list(left)

    before, left = asyncio.run(overlap())

    assert not before
    assert [each.id for each in left] == [1]


def test_a_batch_cut_off_anywhere_is_kept_once_in_postgres(postgres: str) -> None:
    async def cut() -> list[tuple[Found, Found]]:
        async with Proxy(postgres) as proxy:
            store = PostgresRuns(proxy.dsn, deadline_s=8, attempt_s=0.4)
            pairs = []
            for point in (1, 300, 900, 2_000, 4_000):
                run = await begun(store, str(point))
                proxy.silent_after = proxy.spoken + point
                task = asyncio.create_task(store.keep(run, of_every_sort(run)))
                await asyncio.sleep(0.3)
                proxy.heal()
                await task
                other = await begun(store, f"like {point}", market="sim/OTHER")
                await store.keep(other, of_every_sort(other))
                pairs.append((await found(store, run), await found(store, other)))
            await store.close()
            return pairs

    for told, like in asyncio.run(cut()):
        assert [each[1:] for each in told.orders] == [each[1:] for each in like.orders]
        assert [each[1:] for each in told.fills] == [each[1:] for each in like.fills]
        assert told[2:] == like[2:]
        assert len(told.commands) == 1


def test_a_store_in_postgres_that_is_away_is_given_up_within_its_deadline() -> None:
    async def away() -> float:
        store = PostgresRuns("postgresql://nobody@127.0.0.1:1/bmv", deadline_s=0.5)
        began = asyncio.get_running_loop().time()
        with pytest.raises(StorageError, match="begin a run in sim/SOL: given up after"):
            await begun(store)
        return asyncio.get_running_loop().time() - began

    assert asyncio.run(away()) < 2


def test_runs_are_counted_in_postgres(postgres: str) -> None:
    async def counted() -> dict[str, Any]:
        store = PostgresRuns(postgres)
        run = await begun(store)
        await store.keep(run, of_every_sort(run))
        await store.close()
        return await inventory(postgres)

    figures = asyncio.run(counted())

    assert (figures["runs"], figures["open_orders"]) == (1, 2)


def test_a_journal_of_an_older_program_still_opens_and_takes_runs(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    head = beginning("s").hash
    file = sqlite3.connect(path)
    file.executescript(STEPS[0].read_text("utf-8"))
    file.executescript(f"pragma application_id = {APPLICATION}; pragma user_version = 1;")
    file.execute("insert into session (name, head) values ('s', ?)", (head,))
    file.commit()
    file.close()

    async def use() -> tuple[int, list[str], list[Any]]:
        sessions, runs = SqliteSessions(path), SqliteRuns(path)
        await sessions.append("s", 0, [Event(1, 2)])
        run = await begun(runs, "s")
        await runs.keep(run, of_every_sort(run))
        told = (await sessions.verify("s")).words, await sessions.sessions(), await runs.open_orders(MARKET, "paper")
        await sessions.close()
        await runs.close()
        return told[0], list(told[1]), list(told[2])

    words, names, left = asyncio.run(use())

    assert (words, names, len(left)) == (1, ["s"], 2)
    assert upkeep.inventory(path)["words"] == 1


def test_no_step_of_the_schema_of_a_file_was_edited() -> None:
    checksums = {step.name: sha256(step.read_bytes().replace(b"\r\n", b"\n")).hexdigest() for step in STEPS}

    assert checksums == CHECKSUMS
