"""One writer, whose words are kept once and in order, whatever becomes of the store."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from bmv.adapters.sqlite.sessions import SqliteSessions
from bmv.live.journal import BEGUN, ENDED, SessionJournal, begin_session, session_name
from bmv.ports.errors import Refused, StorageError
from bmv.ports.messages import Event, Intent, Kind, Verb
from bmv.ports.storage import Head, Note, Word

NAME = "live/sim/A"
Play = Callable[[SqliteSessions], Awaitable[None]]


def run(tmp_path: Path, play: Play) -> None:
    async def whole() -> None:
        store = SqliteSessions(tmp_path / "journal.sqlite")
        await play(store)

    asyncio.run(whole())


def note(text: str) -> Note:
    return Note(1, "word", text)


async def words_of(store: SqliteSessions, number: int) -> list[Word]:
    """Return the words of a session but the one that begins it."""
    first, *words = [word async for page in store.read(session_name(NAME, number)) for word in page]
    assert isinstance(first, Note)
    assert first.topic == BEGUN
    return words


class Flaky(SqliteSessions):
    """A store that loses its answers, before or after it has kept the words, as often as it is told."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.lose: list[str] = []

    async def append(self, session: str, first: int, words: Sequence[Word]) -> Head:
        how = self.lose.pop(0) if self.lose else ""
        if how == "before":
            raise StorageError("the store can't be reached")
        head = await super().append(session, first, words)
        if how == "after":
            raise StorageError("the store can't be reached")
        return head


def test_words_of_every_sort_are_kept_in_the_order_in_which_they_were_added(tmp_path: Path) -> None:
    async def play(store: SqliteSessions) -> None:
        begun = await begin_session(store, NAME, 1)
        words = [Intent(Verb.PLACE, 1, 1), note("a"), Event(Kind.ACCEPTED, 2, order=1), note("b")]
        begun.journal.intent(words[0])
        begun.journal.note(words[1])
        begun.journal.event(words[2])
        await begun.journal.commit()
        begun.journal.note(words[3])

        await begun.journal.commit()

        assert (begun.epoch, list(begun.before)) == (1, [])
        assert await words_of(store, 1) == words

    run(tmp_path, play)


def test_a_second_writer_fences_the_first_and_reads_all_that_it_kept(tmp_path: Path) -> None:
    async def play(store: SqliteSessions) -> None:
        first = await begin_session(store, NAME, 1)
        first.journal.note(note("kept"))
        await first.journal.commit()

        second = await begin_session(store, NAME, 2)
        first.journal.note(note("too late"))

        with pytest.raises(Refused):
            await first.journal.commit()
        with pytest.raises(Refused):
            await first.journal.commit()
        second.journal.note(note("mine"))
        await second.journal.commit()
        assert second.epoch == 2
        assert second.before[1:] == [note("kept"), Note(2, ENDED, "writer 2 goes on")]
        assert await words_of(store, 2) == [note("mine")]

    run(tmp_path, play)


@pytest.mark.parametrize("losses", [["before"], ["after"], ["after", "before", "after"]], ids="-".join)
def test_words_of_a_commit_that_failed_are_kept_once_by_the_next(tmp_path: Path, losses: list[str]) -> None:
    async def play(_: SqliteSessions) -> None:
        store = Flaky(tmp_path / "flaky.sqlite")
        journal = (await begin_session(store, NAME, 1)).journal
        journal.note(note("a"))
        store.lose = list(losses)

        for number in range(len(losses)):
            with pytest.raises(StorageError):
                await journal.commit()
            journal.note(note(str(number)))
        await journal.commit()
        journal.note(note("z"))
        await journal.commit()

        texts = [word.text for word in await words_of(store, 1) if isinstance(word, Note)]
        assert texts == ["a", *(str(number) for number in range(len(losses))), "z"]
        assert journal.kept == 1 + len(texts)

    run(tmp_path, play)


def test_words_added_while_others_are_being_kept_are_kept_with_the_next_commit(tmp_path: Path) -> None:
    async def play(store: SqliteSessions) -> None:
        journal = (await begin_session(store, NAME, 1)).journal

        async def add(number: int) -> None:
            journal.note(note(str(number)))
            await journal.commit()
            assert note(str(number)) in await words_of(store, 1), "kept when the commit returns"

        await asyncio.gather(*(add(number) for number in range(20)))

        assert await words_of(store, 1) == [note(str(number)) for number in range(20)]

    run(tmp_path, play)


def test_a_commit_of_nothing_asks_the_store_for_nothing(tmp_path: Path) -> None:
    async def play(_: SqliteSessions) -> None:
        store = Flaky(tmp_path / "flaky.sqlite")
        store.lose = ["before"]

        await SessionJournal(store, "s").commit()

        assert store.lose == ["before"]

    run(tmp_path, play)


def test_whoever_crashed_between_ending_a_session_and_its_first_word_is_followed_by_one_with_its_number(
    tmp_path: Path,
) -> None:
    async def play(store: SqliteSessions) -> None:
        first = await begin_session(store, NAME, 1)
        first.journal.note(note("kept"))
        await first.journal.commit()
        crashed = await begin_session(store, NAME, 2)

        third = await begin_session(store, NAME, 3)

        assert (crashed.epoch, third.epoch) == (2, 2)
        assert [word for word in third.before if word == note("kept")]
        third.journal.note(note("mine"))
        await third.journal.commit()
        crashed.journal.note(note("his"))
        with pytest.raises(Refused):
            await crashed.journal.commit()
        assert await words_of(store, 2) == [note("mine")]

    run(tmp_path, play)


def test_two_that_begin_at_once_have_one_writer_after_their_first_word(tmp_path: Path) -> None:
    async def play(store: SqliteSessions) -> None:
        first = await begin_session(store, NAME, 1)
        first.journal.note(note("kept"))
        await first.journal.commit()

        begun = await asyncio.gather(*(begin_session(store, NAME, at) for at in (2, 3)))
        for each, text in zip(begun, "ab", strict=True):
            each.journal.note(note(text))
        ends = await asyncio.gather(*(each.journal.commit() for each in begun), return_exceptions=True)

        assert [type(end) for end in ends].count(Refused) == 1
        assert len(await words_of(store, 2)) == 1

    run(tmp_path, play)


def test_two_that_begin_in_the_same_instant_with_the_same_words_are_not_both_let_in(tmp_path: Path) -> None:
    async def play(store: SqliteSessions) -> None:
        begun = await asyncio.gather(*(begin_session(store, NAME, 7) for _ in range(2)))
        for each in begun:
            each.journal.note(note("the same"))

        ends = await asyncio.gather(*(each.journal.commit() for each in begun), return_exceptions=True)

        assert [type(end) for end in ends].count(Refused) == 1
        assert await words_of(store, 1) == [note("the same")]

    run(tmp_path, play)


def test_sessions_of_another_market_are_left_alone(tmp_path: Path) -> None:
    async def play(store: SqliteSessions) -> None:
        other = await begin_session(store, "live/sim/AB", 1)
        other.journal.note(note("theirs"))
        await other.journal.commit()

        mine = await begin_session(store, NAME, 2)

        assert (mine.epoch, list(mine.before)) == (1, [])
        other.journal.note(note("still theirs"))
        await other.journal.commit()

    run(tmp_path, play)


class Busy(SqliteSessions):
    """A store whose newest session gets another word each time its head was read."""

    async def head(self, session: str) -> Head:
        head = await super().head(session)
        await super().append(session, head.words, [note("busy")])
        return head


def test_a_writer_that_never_rests_is_not_overtaken_and_the_operator_is_told(tmp_path: Path) -> None:
    async def play(_: SqliteSessions) -> None:
        store = Busy(tmp_path / "busy.sqlite")
        journal = (await begin_session(store, NAME, 1)).journal
        journal.note(note("kept"))
        await journal.commit()

        with pytest.raises(Refused, match="stop that process first"):
            await begin_session(store, NAME, 2)

    run(tmp_path, play)
