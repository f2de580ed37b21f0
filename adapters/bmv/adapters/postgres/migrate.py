"""The schema, brought up to date step by step: one file a step, each applied once, whole or not at all.

A step runs in one transaction together with the note that it ran, under a lock that lets one process at a time in. A
step that was applied is never edited: its checksum is kept, and a schema that comes from other steps than ours is
refused rather than guessed at.
"""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import asyncpg

from bmv.adapters.postgres.dsn import database, elsewhere
from bmv.adapters.postgres.pool import Connection, Pool
from bmv.ports.errors import ConfigError

FOLDER = Path(__file__).parent / "migrations"
LOCK = 0x626D765F  # Ours alone among the advisory locks of the database.
DEADLINE_S = 600.0
MAINTENANCE = "postgres"
LEDGER = """
create schema if not exists bmv;
create table if not exists bmv.migration (
    version    integer primary key,
    name       text not null,
    checksum   text not null,
    applied_at timestamptz not null default now()
);
"""


class Migration(NamedTuple):
    """A step of the schema: `0001_ticks.sql` is number 1; `checksum` is the SHA-256 of its text, in hexadecimal."""

    version: int
    name: str
    checksum: str
    sql: str = ""


class Status(NamedTuple):
    """Which steps a database has, and which it still needs."""

    applied: Sequence[Migration]
    pending: Sequence[Migration]


def migrations(folder: Path = FOLDER) -> list[Migration]:
    """Return the steps that lie in `folder`, in order; they are numbered from 1 without a hole.

    >>> [each.name for each in migrations()][:2]
    ['0001_ticks', '0002_journal']
    """
    found = [_migration(file) for file in sorted(folder.glob("*.sql"))]
    numbers = [each.version for each in found]
    if not found or numbers != list(range(1, len(found) + 1)):
        raise ConfigError(f"{folder}: expected migrations 0001_….sql, 0002_….sql and so on, found {numbers}")
    return found


async def create(dsn: str, deadline_s: float = 30.0) -> bool:
    """Make the database of `dsn` if it is not there; tell whether it was made."""
    name = database(dsn)
    pool = Pool(elsewhere(dsn, MAINTENANCE), size=1, deadline_s=deadline_s, attempt_s=deadline_s)

    async def work(connection: Connection) -> bool:
        if await connection.fetchval("select 1 from pg_database where datname = $1", name):
            return False
        try:
            quoted = name.replace('"', '""')
            await connection.execute(f"create database \"{quoted}\" encoding 'UTF8' template template0")
        except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):  # Somebody else was as quick.
            return False
        return True

    try:
        return await pool.run(work, f"create the database {name}")
    finally:
        await pool.close()


async def migrate(dsn: str, folder: Path = FOLDER, deadline_s: float = DEADLINE_S) -> list[Migration]:
    """Apply the steps that the database lacks and return them; `deadline_s` holds for each of them.

    `ConfigError` where the database has a step that we do not know, or one that was edited since.
    """
    steps, done = migrations(folder), list[Migration]()
    pool = Pool(dsn, size=1, deadline_s=deadline_s, attempt_s=deadline_s)
    try:
        for step in steps:
            if await pool.run(partial(_apply, step=step, steps=steps), f"migrate {step.name}"):
                done.append(step)
    finally:
        await pool.close()
    return done


async def status(dsn: str, folder: Path = FOLDER, deadline_s: float = 15.0) -> Status:
    """Return which steps the database has and lacks; `ConfigError` as :func:`migrate` does."""
    steps = migrations(folder)
    pool = Pool(dsn, size=1, deadline_s=deadline_s)
    try:
        applied = await pool.run(_applied, "read the schema's version")
    finally:
        await pool.close()
    compared(applied, steps)
    return Status(applied, steps[len(applied) :])


def compared(applied: Sequence[Migration], steps: Sequence[Migration]) -> None:
    """Raise `ConfigError` unless `applied` is how `steps` begin."""
    for known, step in zip(applied, steps, strict=False):
        if (known.version, known.name) != (step.version, step.name):
            raise ConfigError(
                f"the database has migration {known.name}, expected {step.name}: it is of another program"
            )
        if known.checksum != step.checksum:
            raise ConfigError(
                f"migration {known.name} was edited after it was applied: applied was {known.checksum[:12]}…, "
                f"the file is {step.checksum[:12]}…; put the file back and write the change as a new migration"
            )
    if len(applied) > len(steps):
        missing = ", ".join(each.name for each in applied[len(steps) :])
        raise ConfigError(
            f"the database has migrations that this program lacks: {missing}; it was written by a newer bmv"
        )


async def _apply(connection: Connection, step: Migration, steps: Sequence[Migration]) -> bool:
    async with connection.transaction():
        await connection.execute(f"select pg_advisory_xact_lock({LOCK})")
        applied = await _applied(connection)
        compared(applied, steps)
        if len(applied) >= step.version:
            return False
        await connection.execute(LEDGER)
        await connection.execute(step.sql)
        await connection.execute(
            "insert into bmv.migration (version, name, checksum) values ($1, $2, $3)",
            step.version,
            step.name,
            step.checksum,
        )
    return True


async def _applied(connection: Connection) -> list[Migration]:
    if await connection.fetchval("select to_regclass('bmv.migration')") is None:
        return []
    rows = await connection.fetch("select version, name, checksum from bmv.migration order by version")
    return [Migration(*row) for row in rows]


def _migration(file: Path) -> Migration:
    version, _, _ = file.stem.partition("_")
    if not version.isdecimal():
        raise ConfigError(f"{file}: the name of a migration begins with its number, as in 0001_ticks.sql")
    # The line ends of a checkout on another system change nothing.
    sql = file.read_text("utf-8").replace("\r\n", "\n")
    return Migration(int(version), file.stem, hashlib.sha256(sql.encode()).hexdigest(), sql)
