"""What every journal of sessions owes to its driver, whichever store it lies in."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kept_words import WORDS, counted, told

from bmv.data.journal.chain import beginning, line, word
from bmv.ports.errors import DataError, Refused
from bmv.ports.messages import Event
from bmv.ports.storage import Head, SessionStore, Word


def using(open_sessions: Any, *acts: Callable[[SessionStore], Awaitable[Any]]) -> list[Any]:
    """Do each act on a store opened anew, so that only what is kept joins them, and return their results."""

    async def each() -> list[Any]:
        results = []
        for act in acts:
            async with open_sessions() as store:
                results.append(await act(store))
        return results

    return asyncio.run(each())


def test_what_was_kept_is_read_back_word_for_word_after_a_restart(open_sessions: Any) -> None:
    head, found, verified = using(
        open_sessions, lambda s: s.append("s", 0, counted(0, 30)), told, lambda s: s.verify("s")
    )

    assert found == counted(0, 30)
    assert head.words == 30
    assert verified == head


def test_a_session_that_is_not_known_has_no_words_and_its_own_beginning(open_sessions: Any) -> None:
    head, found, verified, names = using(
        open_sessions, lambda s: s.head("s"), told, lambda s: s.verify("s"), lambda s: s.sessions()
    )

    assert head == verified == beginning("s") != beginning("t")
    assert (found, list(names)) == ([], [])


def test_a_session_is_read_from_any_of_its_words(open_sessions: Any) -> None:
    _, *found = using(
        open_sessions,
        lambda s: s.append("s", 0, counted(0, 10)),
        *(lambda s, first=first: told(s, first=first) for first in (0, 4, 9, 10, 99)),
    )

    assert found == [counted(0, 10), counted(4, 10), counted(9, 10), [], []]


def test_the_head_does_not_depend_on_how_words_were_cut_into_calls(open_sessions: Any) -> None:
    async def piecewise(store: SessionStore) -> Head:
        await store.append("s", 0, counted(0, 1))
        await store.append("s", 1, counted(1, 7))
        return await store.append("s", 7, counted(7, 20))

    async def at_once(store: SessionStore) -> Head:
        return await store.append("s", 0, counted(0, 20))

    head, again = using(open_sessions, piecewise, at_once)

    assert head == again


def test_the_same_words_in_another_session_have_another_hash(open_sessions: Any) -> None:
    first, second = using(open_sessions, *(lambda s, name=name: s.append(name, 0, counted(0, 3)) for name in "st"))

    assert first.hash != second.hash


@pytest.mark.parametrize(("start", "stop"), [(0, 10), (0, 4), (3, 7), (3, 14), (9, 12), (10, 12), (10, 10), (0, 0)])
def test_words_that_are_sent_again_are_kept_once(open_sessions: Any, start: int, stop: int) -> None:
    _, head, found, verified = using(
        open_sessions,
        lambda s: s.append("s", 0, counted(0, 10)),
        lambda s: s.append("s", start, counted(start, stop)),
        told,
        lambda s: s.verify("s"),
    )

    assert found == counted(0, max(10, stop))
    assert head == verified


@pytest.mark.parametrize(("first", "other"), [(10, 99), (9, 99), (0, 99), (4, 99)])
def test_of_two_writers_who_differ_the_second_is_refused_and_keeps_nothing(
    open_sessions: Any, first: int, other: int
) -> None:
    async def second(store: SessionStore) -> None:
        with pytest.raises(Refused, match="somebody else writes"):
            await store.append("s", first, counted(other, other + 5))

    _, _, found = using(open_sessions, lambda s: s.append("s", 0, counted(0, 11)), second, told)

    assert found == counted(0, 11)


def test_a_word_after_the_end_is_refused_because_some_are_missing(open_sessions: Any) -> None:
    async def leap(store: SessionStore) -> None:
        with pytest.raises(Refused, match="word 12 was sent, expected word 10: some are missing"):
            await store.append("s", 12, counted(12, 13))

    _, _, found = using(open_sessions, lambda s: s.append("s", 0, counted(0, 10)), leap, told)

    assert found == counted(0, 10)


def test_a_writer_whose_store_was_overtaken_is_refused(open_sessions: Any) -> None:
    async def overtaken(store: SessionStore) -> list[Word]:
        await store.append("s", 0, counted(0, 5))
        async with open_sessions() as other:
            await other.append("s", 5, counted(50, 53))
        with pytest.raises(Refused, match="somebody else writes"):
            await store.append("s", 5, counted(5, 6))
        return await told(store)

    (found,) = using(open_sessions, overtaken)

    assert found == counted(0, 5) + counted(50, 53)


def test_of_many_who_write_at_once_one_wins_whole(open_sessions: Any) -> None:
    async def race(store: SessionStore) -> list[Any]:
        tries = (store.append("s", 0, counted(100 * n, 100 * n + 9)) for n in range(6))
        return await asyncio.gather(*tries, return_exceptions=True)

    results, found, _ = using(open_sessions, race, told, lambda s: s.verify("s"))

    assert sum(isinstance(each, Head) for each in results) == 1
    assert {type(each) for each in results} == {Head, Refused}
    assert found in [counted(100 * n, 100 * n + 9) for n in range(6)]


def test_more_words_than_a_page_holds_are_read_in_order(open_sessions: Any) -> None:
    async def pages(store: SessionStore) -> list[int]:
        return [len(page) async for page in store.read("s")]

    _, sizes, found = using(open_sessions, lambda s: s.append("s", 0, counted(0, 12_001)), pages, told)

    assert found == counted(0, 12_001)
    assert len(sizes) > 1


def test_sessions_are_listed_by_name(open_sessions: Any) -> None:
    *_, names = using(
        open_sessions,
        *(lambda s, name=name: s.append(name, 0, counted(0, 1)) for name in ("b", "a/1", "B", "é")),
        lambda s: s.sessions(),
    )

    assert list(names) == ["B", "a/1", "b", "é"]


@settings(deadline=None, max_examples=200)
@given(WORDS)
def test_every_word_is_written_down_and_read_as_it_was(each: Word) -> None:
    assert word(line(each)) == each
    assert type(word(line(each))) is type(each)


@pytest.mark.parametrize("body", ["", "[]", '["x",1]', '["i"]', "7", '["e",1,2,3,4,5,6,7,8,9,10,11,12,13,14]', "{}"])
def test_what_is_no_word_is_refused(body: str) -> None:
    with pytest.raises(DataError, match="no word of a journal"):
        word(body)


def test_a_float_is_no_field_of_a_word() -> None:
    with pytest.raises(TypeError):
        line(Event(1, 2, price=1.5))  # type: ignore[arg-type]  # That is the point.


@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(words=st.lists(WORDS, max_size=30))
def test_any_words_come_back_as_they_were(open_sessions: Any, words: list[Word]) -> None:
    name = f"session {line(words[0]) if words else 'empty'} {len(words)}"[:60]

    async def kept(store: SessionStore) -> list[Word]:
        before = (await store.head(name)).words
        await store.append(name, before, words)
        await store.verify(name)
        return await told(store, name, before)

    (found,) = using(open_sessions, kept)

    assert found == words
