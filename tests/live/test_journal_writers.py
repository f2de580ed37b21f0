"""One writer only: whoever begins a session ends the one before, and its writer can't get past that."""

import asyncio
from pathlib import Path

import pytest

from bmv.adapters.sqlite.sessions import SqliteSessions
from bmv.live.journal import BEGUN, ENDED, TRIES, Begun, begin_session
from bmv.ports.errors import Refused
from bmv.ports.storage import Note

NAME = "live/openbook-v2/SOL-USDC"


async def begin(store: SqliteSessions, ts_ns: int) -> Begun:
    """Begin a session whose first word says when."""
    begun = await begin_session(store, NAME, ts_ns)
    begun.journal.note(Note(ts_ns, "epoch", str(begun.epoch)))
    return begun


def test_a_writer_that_slept_while_another_took_over_keeps_nothing_more(tmp_path: Path) -> None:
    async def play() -> None:
        store = SqliteSessions(tmp_path / "journal.sqlite")
        first = await begin(store, 1)
        first.journal.note(Note(2, "attempt", "kept"))
        await first.journal.commit()

        second = await begin(store, 3)
        first.journal.note(Note(4, "attempt", "too late"))

        for _ in range(2):  # Nor when it tries again.
            with pytest.raises(Refused):
                await first.journal.commit()
        assert [word.text for word in second.before if isinstance(word, Note) and word.topic == "attempt"] == ["kept"]
        assert second.epoch == 2
        await second.journal.commit()
        assert await store.sessions() == [f"{NAME}/00000001", f"{NAME}/00000002"]
        await store.close()

    asyncio.run(play())


def test_of_two_that_begin_at_once_only_one_writes(tmp_path: Path) -> None:
    async def play() -> None:
        store = SqliteSessions(tmp_path / "journal.sqlite")
        await (await begin(store, 1)).journal.commit()
        first, second = await begin(store, 2), await begin(store, 3)

        await second.journal.commit()
        with pytest.raises(Refused):
            await first.journal.commit()

        assert (first.epoch, second.epoch) == (2, 2)
        assert (await store.head(second.journal.session)).words == 2
        await store.close()

    asyncio.run(play())


def test_one_that_was_killed_while_it_began_is_no_hindrance(tmp_path: Path) -> None:
    async def play() -> None:
        store = SqliteSessions(tmp_path / "journal.sqlite")
        await (await begin(store, 1)).journal.commit()
        await begin(store, 2)  # It has ended the one before, and kept no word of its own.

        third = await begin(store, 3)
        await third.journal.commit()

        assert third.epoch == 2
        assert [word.topic for word in third.before if isinstance(word, Note)] == [
            BEGUN,
            "epoch",
            ENDED,
            ENDED,
        ]
        await store.close()

    asyncio.run(play())


def test_a_writer_that_writes_all_the_time_is_overtaken(tmp_path: Path) -> None:
    async def play() -> int:
        store, other = SqliteSessions(tmp_path / "journal.sqlite"), SqliteSessions(tmp_path / "journal.sqlite")
        first = await begin(store, 1)

        async def write() -> None:
            while True:
                first.journal.note(Note(1, "fate", "busy"))
                await first.journal.commit()

        writing = asyncio.create_task(write())
        while first.journal.kept < TRIES // 10:
            await asyncio.sleep(0.001)
        second = await begin_session(other, NAME, 2)
        with pytest.raises(Refused):
            await writing
        await store.close()
        await other.close()
        return len(second.before)

    assert asyncio.run(play()) > TRIES // 10
