"""Whoever starts next reads in the journal what may still be alive, and writes it down as it read it."""

import json
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmv.adapters.openbook.execution.orders import Order, Stage
from bmv.adapters.openbook.execution.recovery import CARRIED, EPOCH, Left, carried, read_left
from bmv.adapters.openbook.execution.telling import EPOCH_BITS, MARK
from bmv.data.journal.attempts import ATTEMPT, FATE, Attempted, Fated
from bmv.data.journal.spending import DAY_NS, Spending
from bmv.ports.errors import DataError
from bmv.ports.messages import Event, Intent, Kind, Verb
from bmv.ports.storage import Note, Word

FIRST = 1 << EPOCH_BITS  # Number of the first session's orders.
SIZE = 10


def place(order: int) -> Intent:
    return Intent(Verb.PLACE, 0, order, 1, 100 + order, SIZE)


def attempt(signature: str, places: Iterable[int] = (), cancels: Iterable[int] = (), epoch: int = 1) -> Note:
    numbers = tuple((FIRST | order, FIRST | order) for order in places)
    gone = tuple(FIRST | order for order in cancels)
    return Attempted(signature, b"bytes", 900, ("rpc",), epoch, not numbers, numbers, gone, 5_000).note(0)


def fate(signature: str, state: str, slot: int | None = None) -> Note:
    return Fated(signature, state, {} if slot is None else {"slot": slot}).note(0)


def event(kind: Kind, order: int, size: int = SIZE) -> Event:
    return Event(kind, 0, order=order, side=1, price=100 + order, size=size)


BEGIN = Note(0, EPOCH, "1")


def read(*words: Word) -> Left:
    return read_left([BEGIN, *words])


def only(left: Left) -> Order:
    (order,) = left.orders
    return order


def test_nothing_is_left_of_no_words() -> None:
    assert read_left([]) == Left([], [], None, Spending())


def test_what_was_asked_for_and_never_sent_is_not_left() -> None:
    assert read(place(1)).orders == []


def test_what_was_kept_to_be_sent_may_be_alive_with_the_number_that_the_venue_knows() -> None:
    left = read(place(1), attempt("a", [1]))

    order = only(left)
    assert (order.number, order.stage, order.attempt, order.client_id) == (FIRST | 1, Stage.FLYING, "a", FIRST | 1)
    assert [each.signature for each in left.attempts] == ["a"]


@pytest.mark.parametrize("state", ["sent", "unknown", "landed", "committed"])
def test_a_state_that_is_no_end_leaves_the_attempt_alive(state: str) -> None:
    left = read(place(1), attempt("a", [1]), fate("a", state, 5))

    assert only(left).landed_slot is None
    assert len(left.attempts) == 1


def test_what_landed_finally_and_was_not_looked_at_is_left_without_its_attempt() -> None:
    left = read(place(1), attempt("a", [1]), fate("a", "finalized", 5))

    assert (only(left).stage, only(left).landed_slot) == (Stage.FLYING, 5)
    assert left.attempts == []


def test_what_nobody_remembers_is_left_to_the_next_look_at_the_chain_in_each_session_after() -> None:
    left = read(place(1), attempt("a", [1]), fate("a", "forgotten", 5))
    again = read_left(carried(left, 2, 0))

    for each in (left, again):
        assert (only(each).stage, only(each).landed_slot, only(each).forgotten) == (Stage.FLYING, 5, True)
        assert each.attempts == []


@pytest.mark.parametrize("state", ["failed", "expired"])
def test_what_ended_without_effect_leaves_nothing(state: str) -> None:
    left = read(place(1), attempt("a", [1]), fate("a", state, 5))

    assert (left.orders, left.attempts) == ([], [])


@pytest.mark.parametrize("kind", [Kind.CANCELLED, Kind.REJECTED, Kind.EXPIRED])
def test_an_order_whose_end_was_told_is_not_left(kind: Kind) -> None:
    assert read(place(1), attempt("a", [1]), event(Kind.ACCEPTED, 1), event(kind, 1)).orders == []


def test_an_order_that_was_filled_is_not_left_and_of_one_filled_in_part_the_rest_is() -> None:
    words = [place(1), attempt("a", [1]), event(Kind.ACCEPTED, 1), event(Kind.FILLED, 1, 4)]

    assert only(read(*words)).left == 6
    assert read(*words, event(Kind.FILLED, 1, 6)).orders == []


def test_a_cancel_under_way_is_left_with_its_order() -> None:
    left = read(place(1), attempt("a", [1]), event(Kind.ACCEPTED, 1), attempt("x", [], [1]))

    assert only(left).cancels == {"x"}
    assert [each.signature for each in left.attempts] == ["a", "x"]


def test_the_newest_mark_of_fills_counts() -> None:
    assert read(Note(0, MARK, "a"), Note(0, MARK, "b")).mark == "b"


def test_an_order_seen_before_its_attempt_is_known_to_be_final_stays_seen_in_the_session_after_the_next() -> None:
    left = read(place(1), attempt("a", [1]), event(Kind.ACCEPTED, 1))

    again = read_left(carried(left, 2, 0))

    assert only(left).stage is Stage.RESTING
    assert only(again).stage is Stage.RESTING


def test_an_ended_attempt_does_not_come_back() -> None:
    words = [place(1), place(2), attempt("a", [1]), attempt("b", [2]), fate("a", "finalized", 5)]
    second = carried(read(*words), 2, 0)
    assert [each.signature for each in read_left(second).attempts] == ["b"]

    third = carried(read_left([*second, fate("b", "expired")]), 3, 0)

    left = read_left(third)
    assert left.attempts == []
    assert [order.number for order in left.orders] == [FIRST | 1]


def test_orders_of_two_sessions_with_the_same_number_are_told_apart() -> None:
    second = carried(read(place(1), attempt("a", [1])), 2, 0)
    own = Attempted("b", b"", 900, (), 2, False, ((2 << EPOCH_BITS | 1, 9),), (), 0).note(0)

    left = read_left([*second, place(1), own, event(Kind.ACCEPTED, 1), event(Kind.CANCELLED, 1)])

    assert [order.number for order in left.orders] == [FIRST | 1]


@st.composite
def journals(draw: st.DrawFn) -> list[Word]:
    """Draw the words of a session: orders that are asked for, sent, cancelled, seen and ended as it comes."""
    words: list[Word] = [BEGIN]
    orders = signatures = 0
    asked = list[int]()
    for _ in range(draw(st.integers(0, 25))):
        what = draw(st.sampled_from(["place", "send", "cancel", "fate", "event", "mark"]))
        if what == "place":
            orders += 1
            asked.append(orders)
            words.append(place(orders))
        elif what == "send" and asked:
            signatures += 1
            words.append(attempt(str(signatures), asked, draw(st.lists(st.integers(1, orders), max_size=2))))
            asked = []
        elif what == "cancel" and orders:
            signatures += 1
            words.append(attempt(str(signatures), [], draw(st.lists(st.integers(1, orders), min_size=1, max_size=3))))
        elif what == "fate" and signatures:
            state = draw(st.sampled_from(["sent", "landed", "unknown", "finalized", "failed", "expired"]))
            words.append(fate(str(draw(st.integers(1, signatures))), state, draw(st.integers(1, 99))))
        elif what == "event" and orders:
            kind = draw(st.sampled_from([Kind.ACCEPTED, Kind.FILLED, Kind.CANCELLED, Kind.EXPIRED]))
            words.append(event(kind, draw(st.integers(1, orders)), draw(st.integers(1, 3))))
        elif what == "mark":
            words.append(Note(0, MARK, draw(st.text(max_size=3))))
    return words


@given(journals())
def test_what_is_left_is_carried_and_read_as_it_was_by_whoever_comes_next_and_next(words: list[Word]) -> None:
    left = read_left(words)

    second = read_left(carried(left, 2, 0))
    third = read_left(carried(second, 3, 0))

    assert second == left
    assert third == left


@given(journals())
def test_an_attempt_with_an_end_is_in_no_later_session(words: list[Word]) -> None:
    ended = {json.loads(w.text)["signature"] for w in words if isinstance(w, Note) and w.topic == FATE and _ends(w)}

    notes = carried(read_left(words), 2, 0)

    assert not ended & {json.loads(note.text)["signature"] for note in notes if note.topic == ATTEMPT}


def _ends(note: Note) -> bool:
    return json.loads(note.text)["state"] in ("finalized", "failed", "expired")


WHOLE: Sequence[Note] = [
    *carried(read(place(1), attempt("a", [1]), place(2), attempt("b", [2]), fate("b", "finalized", 5)), 2, 0),
    fate("a", "finalized", 9),
]


@pytest.mark.parametrize("note", [n for n in WHOLE if n.topic in (CARRIED, ATTEMPT, FATE)], ids=lambda note: note.topic)
def test_a_note_half_written_is_told_as_the_datas_fault(note: Note) -> None:
    for kept in range(len(note.text)):
        with pytest.raises(DataError):
            read(note._replace(text=note.text[:kept]))


@pytest.mark.parametrize(
    "note",
    [
        Note(0, EPOCH, "first"),
        Note(0, EPOCH, ""),
        Note(0, EPOCH, "-1"),
        fate("a", "finalized"),
        Note(0, FATE, '{"signature":"a","state":"finalized","slot":"soon"}'),
        Note(0, CARRIED, "[]"),
        Note(0, CARRIED, '{"intent":["x","y"]}'),
        Note(0, CARRIED, '{"intent":[1,0,1,1,1,1],"stage":"gone"}'),
    ],
    ids=lambda note: f"{note.topic} {note.text}"[:40],
)
def test_a_note_that_says_what_cannot_be_is_told_as_the_datas_fault(note: Note) -> None:
    with pytest.raises(DataError, match="of a journal"):
        read(place(1), attempt("a", [1]), note)


def test_what_sessions_spent_is_known_to_each_that_comes_after_and_counted_once() -> None:
    first = read(attempt("landed"), fate("landed", "finalized", 5), attempt("lost"), attempt("alive"))
    lost = read_left([*carried(first, 2, 7), fate("lost", "expired")])
    third = read_left([*carried(lost, 3, 8), attempt("another"), fate("another", "failed", 6)])

    assert [each.spending.since(0) for each in (first, lost, third)] == [15_000, 10_000, 15_000]
    assert third.spending.since(DAY_NS) == 0
