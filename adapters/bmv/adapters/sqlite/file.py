"""SQLite files of ours: opened when first needed, their schema brought up to date, their errors in words.

A file is used in one of two ways: :class:`SqliteFile` keeps it open for an event loop, and :func:`transaction` opens it
for one transaction alone.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from bmv.ports.errors import ConfigError, DataError, Refused, StorageError

APPLICATION = 0x626D760A  # Of a journal, and of all that lies in its file.
STEPS = tuple(Path(__file__).parent / name for name in ("schema.sql", "runs.sql"))
PAUSE_S = 0.01
Done = TypeVar("Done")


class Busy(StorageError):
    """Another process writes to the file, for longer than anybody wants to wait."""


class Form(NamedTuple):
    """What a file is.

    Args:
        name: In words, for who reads an error.
        application: Which program a SQLite file belongs to.
        steps: The scripts, or files of them, that its schema is made of, in order; `user_version` says how many of
            them a file has. None is edited, one is added.
    """

    name: str
    application: int
    steps: Sequence[str | Path]


JOURNAL = Form("a journal", APPLICATION, STEPS)


class SqliteFile:
    """The journal at `path`, which several stores share and the first call makes; it belongs to one event loop.

    SQLite waits for its disk, so that everything happens in a thread of the file's own.

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
            with _whole(file):
                return work(file)


@contextmanager
def transaction(path: Path, form: Form, deadline_s: float = 60.0) -> Iterator[sqlite3.Connection]:
    """Open the file at `path`, made if it is not there, for one transaction that is on the disk when it ends.

    No connection outlives its transaction, so that nothing is inherited by a process that is forked.

    Args:
        path: As for :class:`SqliteFile`; folders above it are made.
        deadline_s: Longest wait for other processes that write to the same file.
    """
    with told(path, form):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{path}: its folder cannot be made: {error.strerror}") from None
        file = opened(path, deadline_s, form)
        try:
            with _whole(file):
                yield file
        finally:
            file.close()


def opened(path: Path, deadline_s: float, form: Form = JOURNAL) -> sqlite3.Connection:
    """Open the file at `path`; make it if it is not there, and bring an older one up to date."""
    file = sqlite3.connect(path, timeout=deadline_s, isolation_level=None, check_same_thread=False)
    try:
        _log_ahead(file, time.monotonic() + deadline_s)
        file.execute("pragma synchronous = full")  # A commit is on the disk when it returns.
        file.execute("pragma foreign_keys = on")
        with _whole(file):
            _prepare(file, path, form)
    except BaseException:
        file.close()
        raise
    return file


@contextmanager
def told(path: Path, form: Form = JOURNAL) -> Iterator[None]:
    """Turn what SQLite raises into what whoever can mend it should read."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_CANTOPEN:
            raise ConfigError(
                f"{path}: cannot be opened as {form.name}: is its folder there, and may it be written?"
            ) from None
        if code == sqlite3.SQLITE_BUSY:
            raise Busy(f"{path}: another process writes and does not end ({error})") from None
        raise StorageError(f"{path}: cannot be written: {error}; what was acknowledged is kept") from None
    except sqlite3.IntegrityError as error:
        raise Refused(f"{path}: {error}") from None
    except sqlite3.DatabaseError as error:
        raise DataError(f"{path}: not {form.name}, or a damaged one: {error}") from None


@contextmanager
def _whole(file: sqlite3.Connection) -> Iterator[None]:
    """Make one transaction of what is done: all of it, or nothing."""
    file.execute("begin immediate")
    try:
        yield
        file.execute("commit")
    except BaseException:
        if file.in_transaction:
            file.execute("rollback")
        raise


def _log_ahead(file: sqlite3.Connection, deadline: float) -> None:
    """Choose the write-ahead log; while two processes do so at once, SQLite refuses one of them without waiting."""
    while True:
        try:
            file.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(PAUSE_S)


def _prepare(file: sqlite3.Connection, path: Path, form: Form) -> None:
    """Take the steps of the schema that the file lacks; refuse one that is not ours."""
    (application,), (version,) = (
        file.execute(f"pragma {name}").fetchone() for name in ("application_id", "user_version")
    )
    empty = not file.execute("select count(*) from sqlite_schema").fetchone()[0]
    if not empty and application != form.application:
        raise DataError(f"{path}: expected {form.name}, found a SQLite file of another program")
    if version > len(form.steps):
        raise ConfigError(f"{path}: schema {version}, expected {len(form.steps)}: it was written by a newer bmv")
    for step in form.steps[version:]:
        for statement in _statements(step if isinstance(step, str) else step.read_text("utf-8")):
            file.execute(statement)
    if version < len(form.steps):
        file.execute(f"pragma application_id = {form.application}")
        file.execute(f"pragma user_version = {len(form.steps)}")


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of `script` one by one: `executescript` would commit in between."""
    statement = ""
    for each in script.splitlines(keepends=True):
        statement += each
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
