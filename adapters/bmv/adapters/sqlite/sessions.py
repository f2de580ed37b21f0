"""The journals of sessions in one SQLite file, as a :class:`~bmv.ports.storage.SessionStore`.

For paper trading and for a single machine: no server, one file, a write-ahead log, a commit that survives a loss of
power. SQLite waits for its disk, so that everything happens in a thread of the store's own.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from bmv.adapters.chain import Check, Link, beginning, chained, fresh, word
from bmv.ports.errors import ConfigError, DataError, Refused, StorageError
from bmv.ports.storage import Head, Word

SCHEMA = Path(__file__).parent / "schema.sql"
VERSION = 1
APPLICATION = 0x626D760A  # Which program a SQLite file belongs to.
PAGE_WORDS = 5_000
Done = TypeVar("Done")


class SqliteSessions:
    """Keeps journals in the file at `path`, which the first append makes; it belongs to one event loop.

    Args:
        path: The file; beside it lie two more while it is open (`-wal`, `-shm`). Not on a network drive.
        deadline_s: Longest wait for another process that writes to the same file.
    """

    def __init__(self, path: str | Path, deadline_s: float = 5.0) -> None:
        self.path = Path(path)
        self.deadline_s = deadline_s
        self._thread: ThreadPoolExecutor | None = None
        self._opened: sqlite3.Connection | None = None

    def __repr__(self) -> str:
        return f"<SqliteSessions {self.path} | {'open' if self._opened else 'closed'}>"

    async def append(self, session: str, first: int, words: Sequence[Word]) -> Head:
        """Keep `words` from number `first` on, as the port says."""
        return await self._run(lambda file: _append(file, session, first, words))

    async def head(self, session: str) -> Head:
        """Return how far `session` is kept."""
        return await self._run(lambda file: _head(file, session))

    async def read(self, session: str, first: int = 0) -> AsyncIterator[Sequence[Word]]:
        """Yield the words from number `first` on, some thousands at a time."""
        query = "select body from journal where session = ? and seq >= ? order by seq limit ?"
        while True:
            page = await self._fetch(query, session, first, PAGE_WORDS)
            if not page:
                return
            yield [word(body) for (body,) in page]
            first += len(page)

    async def verify(self, session: str) -> Head:
        """Read the whole chain up to its present head, which it must lead to; `DataError` where it does not."""
        return await self._run(lambda file: _verify(file, session))

    async def sessions(self) -> Sequence[str]:
        """Return the names of the sessions that have words, in order."""
        query = "select name from session where words > 0 order by name"
        return [name for (name,) in await self._fetch(query)]

    async def close(self) -> None:
        """Close the file; the log beside it goes into it."""
        thread, opened, self._thread, self._opened = self._thread, self._opened, None, None
        if thread:
            if opened:
                await asyncio.get_running_loop().run_in_executor(thread, opened.close)
            thread.shutdown()

    async def _fetch(self, query: str, *arguments: object) -> list[Any]:  # Any: rows of the query.
        return await self._run(lambda file: file.execute(query, arguments).fetchall())

    async def _run(self, work: Callable[[sqlite3.Connection], Done]) -> Done:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="bmv-sqlite")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._done, work)

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
    """Open the journal at `path`, and make it if it is not there."""
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
        if empty:
            for statement in _statements(SCHEMA.read_text("utf-8")):
                file.execute(statement)
            file.execute(f"pragma application_id = {APPLICATION}")
            file.execute(f"pragma user_version = {VERSION}")
        elif application != APPLICATION:
            raise DataError(f"{path}: a SQLite file of another program")
        elif version != VERSION:
            raise ConfigError(f"{path}: schema {version}, expected {VERSION}: it was written by a newer bmv")
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


def _append(file: sqlite3.Connection, session: str, first: int, words: Sequence[Word]) -> Head:
    head = _head(file, session)
    if first > head.words:
        raise Refused(f"session {session}: word {first} was sent, expected word {head.words}: some are missing")
    query = "select body from journal where session = ? and seq >= ? and seq < ? order by seq"
    kept = [body for (body,) in file.execute(query, (session, first, first + len(words)))]
    new = fresh(kept, words)
    if new is None:
        raise Refused(f"session {session}: another word is kept with a number from {first} on: somebody else writes")
    if not new:
        return head
    if not head.words:
        file.execute("insert into session (name, head) values (?, ?) on conflict do nothing", (session, head.hash))
    links = chained(new, head.hash)
    rows = ((session, seq, *link) for seq, link in enumerate(links, head.words))
    file.executemany("insert into journal (session, seq, body, prev, hash) values (?, ?, ?, ?, ?)", rows)
    return Head(head.words + len(links), links[-1].hash)


def _head(file: sqlite3.Connection, session: str) -> Head:
    row = file.execute("select words, head from session where name = ?", (session,)).fetchone()
    return Head(*row) if row else beginning(session)


def _verify(file: sqlite3.Connection, session: str) -> Head:
    check = Check(session)
    for seq, *link in file.execute(
        "select seq, body, prev, hash from journal where session = ? order by seq", (session,)
    ):
        check.take(seq, Link(*link))
    return check.end(_head(file, session))
