"""The schema comes into being step by step, and from our steps only."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bmv.adapters.postgres.dsn import database, elsewhere
from bmv.adapters.postgres.migrate import FOLDER, create, migrate, migrations, status
from bmv.adapters.postgres.pool import Pool
from bmv.adapters.postgres.ticks import PostgresTicks
from bmv.ports.errors import ConfigError
from bmv.ports.storage import Gap


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Our migrations, to be tampered with."""
    return Path(shutil.copytree(FOLDER, tmp_path / "migrations"))


def test_every_step_is_applied_once_to_postgres(bare_postgres: str) -> None:
    before = asyncio.run(status(bare_postgres))

    done, again = asyncio.run(migrate(bare_postgres)), asyncio.run(migrate(bare_postgres))

    after = asyncio.run(status(bare_postgres))
    assert (before.applied, before.pending) == ([], migrations())
    assert (done, again) == (migrations(), [])
    assert [each.checksum for each in after.applied] == [each.checksum for each in migrations()]
    assert after.pending == []


def test_many_who_migrate_postgres_at_once_apply_every_step_once(bare_postgres: str) -> None:
    async def at_once() -> list[Any]:
        return await asyncio.gather(*(migrate(bare_postgres) for _ in range(5)))

    done = asyncio.run(at_once())

    assert sorted(step.version for each in done for step in each) == [step.version for step in migrations()]


def test_an_edited_step_is_refused_by_postgres(bare_postgres: str, folder: Path) -> None:
    asyncio.run(migrate(bare_postgres))
    edited = folder / "0002_journal.sql"
    edited.write_text(edited.read_text() + "\n-- Another word.\n")

    with pytest.raises(ConfigError, match="migration 0002_journal was edited after it was applied"):
        asyncio.run(migrate(bare_postgres, folder))
    with pytest.raises(ConfigError, match="0002_journal was edited"):
        asyncio.run(status(bare_postgres, folder))


def test_a_database_of_a_newer_program_is_refused_by_postgres(bare_postgres: str, folder: Path) -> None:
    asyncio.run(migrate(bare_postgres))
    last = migrations()[-1].name
    (folder / f"{last}.sql").unlink()

    with pytest.raises(ConfigError, match=f"lacks: {last}; it was written by a newer bmv"):
        asyncio.run(migrate(bare_postgres, folder))


def test_a_step_that_fails_leaves_postgres_as_it_was(bare_postgres: str, folder: Path) -> None:
    wrong = f"{len(migrations()) + 1:04}_wrong"
    (folder / f"{wrong}.sql").write_text("create table bmv.half (a int); select 1 / 0;")

    with pytest.raises(Exception, match="division by zero"):
        asyncio.run(migrate(bare_postgres, folder))

    found = asyncio.run(status(bare_postgres, folder))
    assert [step.name for step in found.pending] == [wrong]
    assert asyncio.run(_fetched(bare_postgres, "select to_regclass('bmv.half')")) is None


def test_ticks_and_gaps_of_before_there_were_stamps_and_sizes_are_read_from_postgres(
    bare_postgres: str, folder: Path
) -> None:
    for step in folder.glob("*.sql"):
        if step.name >= "0008":
            step.unlink()
    asyncio.run(migrate(bare_postgres, folder))
    stream = "insert into bmv.stream (market, source, epoch, next_seq) values ('sim/SOL', 'one', 1, 1)"
    row = "insert into bmv.tick values (1756900800000000000, 1, 0, 1, 1, 1, 5, 6, 0, 0, 0, 0)"
    gap = "insert into bmv.gap values ('sim/SOL', 'one', 1, 2, 'away')"
    for statement in (stream, "select bmv.make_days(20334, 1)", row, gap):
        asyncio.run(_fetched(bare_postgres, statement))
    asyncio.run(migrate(bare_postgres))

    async def read() -> tuple[list[Any], Any]:
        store = PostgresTicks(bare_postgres)
        try:
            return [part async for part in store.read_stamped("sim/SOL", 0, 2**62)], await store.gaps("sim/SOL", 0, 9)
        finally:
            await store.close()

    ((columns, stamps),), gaps = asyncio.run(read())
    assert (columns.price.tolist(), stamps.slot.tolist(), stamps.received_ns.tolist()) == ([5], [0], [0])
    assert list(gaps) == [Gap("sim/SOL", "one", 1, 2, "away")]


def test_line_ends_of_another_system_do_not_count_as_an_edit_in_postgres(bare_postgres: str, folder: Path) -> None:
    asyncio.run(migrate(bare_postgres))
    for file in folder.glob("*.sql"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))

    assert asyncio.run(migrate(bare_postgres, folder)) == []


@pytest.mark.parametrize("names", [[], ["0002_two.sql"], ["0001_one.sql", "0003_three.sql"], ["one.sql"]])
def test_migrations_that_are_not_numbered_from_1_are_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("select 1")

    with pytest.raises(ConfigError, match=r"migration"):
        migrations(tmp_path)


def test_a_database_that_is_not_there_is_made_once_in_postgres(bare_postgres: str) -> None:
    dsn = elsewhere(bare_postgres, f'{database(bare_postgres)}_"odd" name')

    try:
        assert asyncio.run(create(dsn)) is True
        assert asyncio.run(create(dsn)) is False
        assert len(asyncio.run(migrate(dsn))) == len(migrations())
    finally:
        name = database(dsn).replace('"', '""')
        asyncio.run(_fetched(bare_postgres, f'drop database "{name}" with (force)'))


def test_postgres_tells_an_order_its_way_whoever_writes(ask: Callable[..., Any]) -> None:
    head = "decode(repeat('00', 32), 'hex')"
    ask(
        f"insert into bmv.session (name, head) values ('s', {head})",
        "insert into bmv.run (session, mode, market, epoch, code, config_sha256, started_ns) "
        f"values ('s', 'paper', 'm', 1, '0.1', {head}, 1)",
        "insert into bmv.orders (run, id, venue_id, client_id, side, level, tif, price, size, decided_ns) "
        "values (1, 1, 340282366920938463463374607431768211455, 18446744073709551615, 1, 0, 0, 100, 10, 1)",
        "update bmv.orders set state = 'sent'",
        "update bmv.orders set state = 'resting', accepted_ns = 2, filled = 4",
    )

    for wrong, told in {
        "state = 'intended'": "cannot go from resting to intended",
        "filled = 3": "filled fell from 4 to 3",
        "filled = 11": "violates check constraint",
        "price = 101": "side, price and size stay",
        "state = 'filled', done_ns = 3": "violates check constraint",
        "state = 'cancelled'": "violates check constraint",
        "venue_id = 340282366920938463463374607431768211456": "violates check constraint",
        "client_id = -1": "violates check constraint",
    }.items():
        with pytest.raises(Exception, match=told):
            ask(f"update bmv.orders set {wrong}")
    ask("update bmv.orders set state = 'filled', filled = 10, done_ns = 3")
    with pytest.raises(Exception, match="has ended: filled"):
        ask("update bmv.orders set reason = 1")

    assert ask("select venue_id::text, client_id::text, state from bmv.orders") == [
        (str(2**128 - 1), str(2**64 - 1), "filled")
    ]


@pytest.mark.parametrize("table", ["breaker", "command", "fill", "balance", "journal"])
@pytest.mark.parametrize("change", ["delete from bmv.{}", "truncate bmv.{}", "update bmv.{} set {} = {}"])
def test_postgres_changes_no_row_of_what_is_append_only(ask: Callable[..., Any], table: str, change: str) -> None:
    column = {"breaker": "why", "command": "operator", "fill": "fee", "balance": "raw", "journal": "body"}[table]

    with pytest.raises(Exception, match=f"{table} is append-only"):
        ask(change.format(table, column, column))


async def _fetched(dsn: str, statement: str) -> Any:
    pool = Pool(dsn, size=1)
    try:
        return await pool.run(lambda connection: connection.fetchval(statement), "ask")
    finally:
        await pool.close()
