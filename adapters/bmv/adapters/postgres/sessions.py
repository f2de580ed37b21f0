"""The journals of sessions in Postgres, as a :class:`~bmv.ports.storage.SessionStore`.

What may be added, and that nothing may be changed, the database itself sees to (`migrations/0002_journal.sql`); here
the words are chained, and what was lost on the way is sent again.
"""

from collections.abc import AsyncIterator, Sequence

import asyncpg

from bmv.adapters.postgres.pool import Connection, Pool
from bmv.data.journal.chain import Check, Link, beginning, chained, fresh, word
from bmv.ports.errors import Refused
from bmv.ports.storage import Head, Word

PAGE_WORDS = 5_000
NOT_THE_NEXT = "BM001"  # Raised by the trigger `continue_session`.
INSERT = """
insert into bmv.journal (session, seq, body, prev, hash)
select $1, * from unnest($2::bigint[], $3::text[], $4::bytea[], $5::bytea[])
"""


class PostgresSessions:
    """Keeps journals in the table `bmv.journal`; a call waits for one fsync, so say many words in one.

    Args:
        dsn: The database, with the schema that `bmv db migrate` makes.
        pool_size: Most connections.
        deadline_s: Longest time of any call, trying again included.
        attempt_s: Longest time of one attempt of it.
    """

    def __init__(self, dsn: str, pool_size: int = 2, deadline_s: float = 10.0, attempt_s: float = 3.0) -> None:
        self.pool = Pool(dsn, pool_size, deadline_s, attempt_s)
        self._heads: dict[str, Head] = {}  # As this process left them; the database knows better.

    def __repr__(self) -> str:
        return f"<PostgresSessions {self.pool!r}>"

    async def append(self, session: str, first: int, words: Sequence[Word]) -> Head:
        """Keep `words` from number `first` on, as the port says."""

        async def work(connection: Connection) -> Head:
            # Forgotten until it is known to be right again: a failure leaves open how far the session is kept.
            known = self._heads.pop(session, None)
            try:
                head = await _append(connection, session, first, words, known)
            except asyncpg.PostgresError as error:
                if error.sqlstate != NOT_THE_NEXT and not isinstance(error, asyncpg.UniqueViolationError):
                    raise
                # Somebody else wrote: a second look decides whether it was the same.
                head = await _append(connection, session, first, words, None)
            self._heads[session] = head
            return head

        return await self.pool.run(work, f"keep words {first:,} and on of session {session}")

    async def head(self, session: str) -> Head:
        """Return how far `session` is kept."""
        return await self.pool.run(lambda connection: _head(connection, session), f"find session {session}")

    async def read(self, session: str, first: int = 0) -> AsyncIterator[Sequence[Word]]:
        """Yield the words from number `first` on, some thousands at a time."""
        query = "select body from bmv.journal where session = $1 and seq >= $2 order by seq limit $3"
        while True:
            page = await self.pool.fetch(f"read session {session}", query, session, first, PAGE_WORDS)
            if not page:
                return
            yield [word(body) for (body,) in page]
            first += len(page)

    async def verify(self, session: str) -> Head:
        """Read the whole chain up to its present head, which it must lead to; `DataError` where it does not."""
        kept, check = await self.head(session), Check(session)
        query = (
            "select seq, body, prev, hash from bmv.journal "
            "where session = $1 and seq >= $2 and seq < $3 order by seq limit $4"
        )
        while check.head.words < kept.words:
            page = await self.pool.fetch(
                f"verify session {session}", query, session, check.head.words, kept.words, PAGE_WORDS
            )
            if not page:
                break
            for seq, body, prev, digest in page:
                check.take(seq, Link(body, prev, digest))
        return check.end(kept)

    async def sessions(self) -> Sequence[str]:
        """Return the names of the sessions that have words, in order."""
        query = 'select name from bmv.session where words > 0 order by name collate "C"'
        return [name for (name,) in await self.pool.fetch("list the sessions", query)]

    async def close(self) -> None:
        """Close the connections."""
        await self.pool.close()


async def _append(connection: Connection, session: str, first: int, words: Sequence[Word], known: Head | None) -> Head:
    head = known if known and known.words == first else await _head(connection, session)
    if first > head.words:
        raise Refused(f"session {session}: word {first} was sent, expected word {head.words}: some are missing")
    query = "select body from bmv.journal where session = $1 and seq >= $2 and seq < $3 order by seq"
    kept = await connection.fetch(query, session, first, first + len(words)) if first < head.words else []
    new = fresh([body for (body,) in kept], words)
    if new is None:
        raise Refused(f"session {session}: another word is kept with a number from {first} on: somebody else writes")
    if not new:
        return head
    if not head.words:
        insert = "insert into bmv.session (name, head) values ($1, $2) on conflict do nothing"
        await connection.execute(insert, session, head.hash)
    links = chained(new, head.hash)
    end = Head(head.words + len(links), links[-1].hash)
    bodies, before, hashes = zip(*links, strict=True)
    await connection.execute(INSERT, session, range(head.words, end.words), bodies, before, hashes)
    return end


async def _head(connection: Connection, session: str) -> Head:
    row = await connection.fetchrow("select words, head from bmv.session where name = $1", session)
    return Head(*row) if row else beginning(session)
