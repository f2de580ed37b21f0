"""What a journal keeps of attempts is read back as it was, and whatever else stands there is told as such."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bmv.data.journal.attempts import ATTEMPT, ENDS, FATE, Attempted, Fated, attempts_of, read_attempt, read_fate
from bmv.ports.errors import DataError
from bmv.ports.messages import Event, Intent, Kind, Verb
from bmv.ports.storage import Note

U64 = st.integers(0, 2**64 - 1)
ATTEMPTS = st.builds(
    Attempted,
    signature=st.text(min_size=1, max_size=90),
    transaction=st.binary(max_size=200),
    last_height=U64,
    ways=st.lists(st.text(max_size=20), max_size=3).map(tuple),
    epoch=U64,
    urgent=st.booleans(),
    places=st.lists(st.tuples(U64, U64), max_size=5).map(tuple),
    cancels=st.lists(U64, max_size=5).map(tuple),
    lamports=U64,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
SOME = Attempted("sig", b"\x81bytes", 900, ("rpc.example.com",), 3, True, ((3 << 32 | 1, 0),), (7, 8), 5_000)


@given(ATTEMPTS, st.integers(0, 2**62))
def test_an_attempt_is_read_back_as_it_was_kept(attempt: Attempted, ts_ns: int) -> None:
    note = attempt.note(ts_ns)

    assert (note.ts_ns, note.topic) == (ts_ns, ATTEMPT)
    assert read_attempt(note) == attempt


@given(st.text(), st.text(), st.dictionaries(st.sampled_from(["slot", "error", "sent", "refused"]), st.integers()))
def test_a_fate_is_read_back_as_it_was_kept(signature: str, state: str, more: dict[str, int]) -> None:
    fate = Fated(signature, state, more)

    assert read_fate(fate.note(1)) == fate


@given(st.text() | JSON.map(json.dumps))
@example("[" * 100_000)
@example('{"signature":["x"],"state":"sent"}')
@example('{"signature":"x","state":null}')
def test_what_is_no_attempt_and_no_fate_is_told_as_the_datas_fault(text: str) -> None:
    with pytest.raises(DataError, match="no attempt of a journal"):
        read_attempt(Note(0, ATTEMPT, text))
    with pytest.raises(DataError, match="no fate of a journal"):
        read_fate(Note(0, FATE, text))


@given(st.sampled_from(sorted(json.loads(SOME.note(0).text))), JSON)
@example("last_height", float("inf"))
@example("lamports", float("nan"))
@example("signature", ["x"])
@example("ways", [None])
def test_an_attempt_with_one_field_replaced_is_read_or_told_as_the_datas_fault(name: str, value: object) -> None:
    row = json.loads(SOME.note(0).text) | {name: value}

    try:
        read = read_attempt(Note(0, ATTEMPT, json.dumps(row)))
    except DataError:
        return

    assert read_attempt(read.note(0)) == read
    assert attempts_of([read.note(0)]).alive == [read]


@pytest.mark.parametrize("name", sorted(json.loads(SOME.note(0).text)))
def test_an_attempt_without_one_of_its_fields_is_none(name: str) -> None:
    row = json.loads(SOME.note(0).text)
    del row[name]

    with pytest.raises(DataError, match=name):
        read_attempt(Note(0, ATTEMPT, json.dumps(row)))


@given(st.integers(0, len(SOME.note(0).text) - 1))
def test_half_an_attempt_is_none(kept: int) -> None:
    with pytest.raises(DataError):
        read_attempt(Note(0, ATTEMPT, SOME.note(0).text[:kept]))


def test_bytes_that_are_no_base64_are_not_guessed() -> None:
    row = json.loads(SOME.note(0).text) | {"transaction": "gWJ5*GVz"}

    with pytest.raises(DataError):
        read_attempt(Note(0, ATTEMPT, json.dumps(row)))


def test_an_attempt_is_alive_until_a_word_tells_its_end() -> None:
    for state in ("built", "committed", "sent", "unknown", "landed"):
        told = attempts_of([SOME.note(0), Fated("sig", state, {}).note(1)])
        assert told.alive == [SOME], state
    for state in ENDS:
        assert attempts_of([SOME.note(0), Fated("sig", state, {}).note(1)]).alive == [], state
    assert attempts_of([SOME.note(0)]).alive == [SOME]


def test_of_several_fates_the_last_counts_and_other_words_do_not() -> None:
    words = [
        Intent(Verb.PLACE, 0, 1),
        SOME.note(0),
        Event(Kind.ACCEPTED, 0, order=1),
        Note(0, "why", "{"),
        Fated("sig", "landed", {"slot": 5}).note(1),
        Fated("sig", "sent", {}).note(2),
    ]

    told = attempts_of(words)

    assert told.fates == {"sig": Fated("sig", "sent", {})}
    assert told.alive == [SOME]
