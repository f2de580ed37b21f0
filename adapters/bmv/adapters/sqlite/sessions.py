"""The journals of sessions in one SQLite file, as a :class:`~bmv.ports.storage.SessionStore`.

For paper trading and for a single machine: no server, one file, a write-ahead log, a commit that survives a loss of
power.
"""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from bmv.adapters.sqlite.file import SqliteFile
from bmv.data.journal.chain import Check, Link, beginning, chained, fresh, word
from bmv.ports.errors import Refused
from bmv.ports.storage import Head, Word

PAGE_WORDS = 5_000


class SqliteSessions:
    """Keeps journals in the file at `path`, which the first append makes; it belongs to one event loop.

    Args:
        path: The file; beside it lie two more while it is open (`-wal`, `-shm`). Not on a network drive.
        deadline_s: Longest wait for another process that writes to the same file.
    """

    def __init__(self, path: str | Path, deadline_s: float = 5.0) -> None:
        self.file = SqliteFile(path, deadline_s)

    def __repr__(self) -> str:
        return f"<SqliteSessions {self.file!r}>"

    async def append(self, session: str, first: int, words: Sequence[Word]) -> Head:
        """Keep `words` from number `first` on, as the port says."""
        return await self.file.run(lambda file: _append(file, session, first, words))

    async def head(self, session: str) -> Head:
        """Return how far `session` is kept."""
        return await self.file.run(lambda file: _head(file, session))

    async def read(self, session: str, first: int = 0) -> AsyncIterator[Sequence[Word]]:
        """Yield the words from number `first` on, some thousands at a time."""
        query = "select body from journal where session = ? and seq >= ? order by seq limit ?"
        while True:
            page = await self.file.fetch(query, session, first, PAGE_WORDS)
            if not page:
                return
            yield [word(body) for (body,) in page]
            first += len(page)

    async def verify(self, session: str) -> Head:
        """Read the whole chain up to its present head, which it must lead to; `DataError` where it does not."""
        return await self.file.run(lambda file: _verify(file, session))

    async def sessions(self) -> Sequence[str]:
        """Return the names of the sessions that have words, in order."""
        query = "select name from session where words > 0 order by name"
        return [name for (name,) in await self.file.fetch(query)]

    async def close(self) -> None:
        """Close the file; the log beside it goes into it."""
        await self.file.close()


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
