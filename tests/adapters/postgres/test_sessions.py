"""What the table of journals is like, beyond what every store owes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from bmv.adapters.postgres.sessions import PostgresSessions
from bmv.data.journal.chain import beginning, chained
from bmv.ports.errors import ConfigError, DataError
from bmv.ports.messages import Event
from bmv.ports.storage import Head, SessionStore

INSERT = "insert into bmv.journal (session, seq, body, prev, hash) values ('s', {}, '{}', '\\x{}', '\\x{}')"


def events(start: int, stop: int) -> list[Event]:
    return [Event(1, number) for number in range(start, stop)]


def using(dsn: str, *acts: Callable[[SessionStore], Awaitable[Any]]) -> list[Any]:
    async def each() -> list[Any]:
        store = PostgresSessions(dsn)
        try:
            return [await act(store) for act in acts]
        finally:
            await store.close()

    return asyncio.run(each())


@pytest.fixture
def head(postgres: str) -> Head:
    """Of a session of 20 words."""
    found: Head = using(postgres, lambda s: s.append("s", 0, events(0, 20)))[0]
    return found


def test_postgres_takes_the_next_word_from_whoever_chains_it_right(
    postgres: str, head: Head, ask: Callable[..., Any]
) -> None:
    (link,) = chained(events(20, 21), head.hash)

    ask(INSERT.format(20, link.body, link.prev.hex(), link.hash.hex()))

    assert using(postgres, lambda s: s.verify("s")) == [Head(21, link.hash)]


@pytest.mark.parametrize(
    ("seq", "told"),
    [(19, "duplicate key"), (21, "session s does not continue at word 20"), (-1, "violates check constraint")],
)
def test_postgres_refuses_a_word_with_another_number_than_the_next(
    head: Head, ask: Callable[..., Any], seq: int, told: str
) -> None:
    (link,) = chained(events(20, 21), head.hash)

    with pytest.raises(asyncpg.PostgresError, match=told):
        ask(INSERT.format(seq, link.body, link.prev.hex(), link.hash.hex()))


def test_postgres_refuses_a_word_that_is_chained_to_another(head: Head, ask: Callable[..., Any]) -> None:
    (link,) = chained(events(20, 21), beginning("s").hash)

    with pytest.raises(asyncpg.PostgresError, match="session s does not continue at word 20"):
        ask(INSERT.format(20, link.body, link.prev.hex(), link.hash.hex()))


def test_postgres_refuses_a_hash_that_is_not_that_of_the_word(head: Head, ask: Callable[..., Any]) -> None:
    (link,) = chained(events(20, 21), head.hash)

    with pytest.raises(asyncpg.CheckViolationError, match="journal_hash"):
        ask(INSERT.format(20, link.body + " ", link.prev.hex(), link.hash.hex()))


def test_postgres_refuses_words_of_a_session_that_has_not_begun(ask: Callable[..., Any]) -> None:
    (link,) = chained(events(0, 1), beginning("s").hash)

    with pytest.raises(asyncpg.PostgresError):
        ask(INSERT.format(0, link.body, link.prev.hex(), link.hash.hex()))


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("update bmv.journal set body = '[\"e\",1,99]' where seq = 7", "word 7 was changed"),
        ("update bmv.journal set body = 'x', hash = sha256(prev || 'x') where seq = 7", "word 8 was changed"),
        ("delete from bmv.journal where seq = 7", "after word 6 comes word 8"),
        ("delete from bmv.journal where seq >= 18", "18 words are there, expected 20: some were cut off"),
        ("truncate bmv.journal", "0 words are there, expected 20"),
        ("update bmv.session set head = sha256('x')", "20 words are there, expected 20"),
    ],
)
def test_whoever_changes_a_journal_in_postgres_is_found_out(
    postgres: str, head: Head, ask: Callable[..., Any], statement: str, told: str
) -> None:
    ask(
        "alter table bmv.journal disable trigger user",
        "alter table bmv.journal drop constraint journal_hash",
        statement,
    )

    with pytest.raises(DataError, match=told):
        using(postgres, lambda s: s.verify("s"))


def test_an_empty_database_tells_how_it_is_made_ready_for_postgres_journals(bare_postgres: str) -> None:
    with pytest.raises(ConfigError, match="the schema is missing"):
        using(bare_postgres, lambda s: s.append("s", 0, events(0, 1)))


def test_a_journal_in_postgres_is_read_while_it_is_written(postgres: str, head: Head) -> None:
    async def both(store: SessionStore) -> list[int]:
        done = asyncio.Event()

        async def write() -> None:
            for first in range(20, 120):
                await store.append("s", first, events(first, first + 1))
            done.set()

        writer = asyncio.create_task(write())
        heads = [(await store.verify("s")).words]
        while not done.is_set():
            heads.append((await store.verify("s")).words)
        await writer
        return [*heads, (await store.verify("s")).words]

    (heads,) = using(postgres, both)

    assert heads == sorted(heads)
    assert (len(heads) > 2, heads[-1]) == (True, 120)
