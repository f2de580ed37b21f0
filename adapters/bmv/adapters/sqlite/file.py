"""One SQLite file that several stores share: opened when first needed, its schema brought up to date.

SQLite waits for its disk, so that everything happens in a thread of the file's own.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from bmv.ports.errors import ConfigError, DataError, Refused, StorageError

# The schema is made of these, in order; `user_version` says how many of them a file has. None is edited, one is added.
STEPS = tuple(Path(__file__).parent / name for name in ("schema.sql", "runs.sql"))
APPLICATION = 0x626D760A  # Which program a SQLite file belongs to.
Done = TypeVar("Done")


class SqliteFile:
    """The file at `path`, which the first call makes; it belongs to one event loop.

    Args:
        path: The file; beside it lie two more while it is open (`-wal`, `-shm`). Not on a network drive.
        deadline_s: Longest wait for another process that writes to the same file.
    """

    def __init__(self, path: str | Path, deadline_s: float) -> None:
        self.path = Path(path)
        self.deadline_s = deadline_s
        self._thread: ThreadPoolExecutor | None = None
        self._opened: sqlite3.Connection | None = None

    def __repr__(self) -> str:
        return f"<SqliteFile {self.path} | {'open' if self._opened else 'closed'}>"

    async def run(self, work: Callable[[sqlite3.Connection], Done]) -> Done:
        """Return what `work` returns, done in one transaction."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="bmv-sqlite")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._done, work)

    async def fetch(self, query: str, *arguments: object) -> list[Any]:  # Any: rows of the query.
        """Return the rows of a query that changes nothing."""
        return await self.run(lambda file: file.execute(query, arguments).fetchall())

    async def close(self) -> None:
        """Close the file; the log beside it goes into it."""
        thread, opened, self._thread, self._opened = self._thread, self._opened, None, None
        if thread:
            if opened:
                await asyncio.get_running_loop().run_in_executor(thread, opened.close)
            thread.shutdown()

    def _done(self, work: Callable[[sqlite3.Connection], Done]) -> Done:
        """Do `work` in one transaction; its thread alone comes here."""
        with told(self.path):
            file = self._opened = self._opened or opened(self.path, self.deadline_s)
            file.execute("begin immediate")
            try:
                result = work(file)
                file.execute("commit")
            except BaseException:
                if file.in_transaction:
                    file.execute("rollback")
                raise
            return result


def opened(path: Path, deadline_s: float) -> sqlite3.Connection:
    """Open the file at `path`; make it if it is not there, and bring an older one up to date."""
    file = sqlite3.connect(path, timeout=deadline_s, isolation_level=None, check_same_thread=False)
    try:
        file.execute("pragma journal_mode = wal")
        file.execute("pragma synchronous = full")  # A commit is on the disk when it returns.
        file.execute("pragma foreign_keys = on")
        _prepare(file, path)
    except BaseException:
        file.close()
        raise
    return file


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into what whoever can mend it should read."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_CANTOPEN:
            raise ConfigError(f"{path}: cannot be opened: is its folder there, and may it be written?") from None
        if code == sqlite3.SQLITE_BUSY:
            raise StorageError(f"{path}: another process writes and does not end ({error})") from None
        raise StorageError(f"{path}: cannot be written: {error}; what was acknowledged is kept") from None
    except sqlite3.IntegrityError as error:
        raise Refused(f"{path}: {error}") from None
    except sqlite3.DatabaseError as error:
        raise DataError(f"{path}: not a journal, or a damaged one: {error}") from None


def _prepare(file: sqlite3.Connection, path: Path) -> None:
    file.execute("begin immediate")
    try:
        (application,), (version,) = (
            file.execute(f"pragma {name}").fetchone() for name in ("application_id", "user_version")
        )
        empty = not file.execute("select count(*) from sqlite_schema").fetchone()[0]
        if not empty and application != APPLICATION:
            raise DataError(f"{path}: a SQLite file of another program")
        if version > len(STEPS):
            raise ConfigError(f"{path}: schema {version}, expected {len(STEPS)}: it was written by a newer bmv")
        for step in STEPS[version:]:
            for statement in _statements(step.read_text("utf-8")):
                file.execute(statement)
        if version < len(STEPS):
            file.execute(f"pragma application_id = {APPLICATION}")
            file.execute(f"pragma user_version = {len(STEPS)}")
        file.execute("commit")
    except BaseException:
        if file.in_transaction:
            file.execute("rollback")
        raise


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of `script` one by one: `executescript` would commit in between."""
    statement = ""
    for each in script.splitlines(keepends=True):
        statement += each
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
