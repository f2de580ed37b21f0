"""What a journal leaves to whoever comes next: orders and attempts that may live, as far as is known of them."""

from collections.abc import Sequence

import pytest

from bmv.adapters.openbook.execution.orders import Stage
from bmv.adapters.openbook.execution.recovery import EPOCH, Left, carried, read_left
from bmv.adapters.openbook.execution.telling import EPOCH_BITS, MARK
from bmv.data.journal.attempts import Attempted, Fated
from bmv.data.journal.legacy import legacy_note
from bmv.ports.errors import DataError
from bmv.ports.messages import Event, Intent, Kind, Verb
from bmv.ports.storage import Note, Word

OLD, NEW = 1 << EPOCH_BITS | 1, 1 << EPOCH_BITS | 2
PLACES = Attempted("one", b"\0", 100, ("node",), 1, False, ((OLD, OLD), (NEW, NEW)), (), 5_000)
TRADED: list[Word] = [
    Note(0, EPOCH, "1"),
    Intent(Verb.PLACE, 0, 1, 1, 15_000, 40, 0),
    Intent(Verb.PLACE, 0, 2, -1, 15_010, 40, 0),
    PLACES.note(0),
]


def passed_on(left: Left, *words: Word) -> Left:
    """Return what a next session leaves, in which so much was kept."""
    return read_left([*carried(left, 2, 1), *words])


def legacy(kind: Kind, number: int, size: int) -> Note:
    """Return the note of an event of an earlier writer's order."""
    note = legacy_note(Event(kind, 0, order=number, side=1, price=15_000, size=size, fee=-3), 2)
    assert note is not None
    return note


def stages(left: Left) -> dict[int, tuple[Stage, int]]:
    """Return how far orders are, and how much of them may trade."""
    return {order.number: (order.stage, order.left) for order in left.orders}


def test_an_attempt_without_an_end_is_passed_on_with_its_orders() -> None:
    left = read_left(TRADED)

    again = passed_on(passed_on(left))

    assert again.attempts == left.attempts == [PLACES]
    assert stages(again) == {OLD: (Stage.FLYING, 40), NEW: (Stage.FLYING, 40)}


def test_what_was_asked_for_and_not_sent_is_not_passed_on() -> None:
    assert read_left(TRADED[:-1]).orders == []


@pytest.mark.parametrize(
    ("notes", "found"),
    [
        ([legacy(Kind.FILLED, OLD, 15)], {OLD: (Stage.RESTING, 25), NEW: (Stage.FLYING, 40)}),
        ([legacy(Kind.FILLED, OLD, 15), legacy(Kind.FILLED, OLD, 25)], {NEW: (Stage.FLYING, 40)}),
        ([legacy(Kind.CANCELLED, OLD, 40)], {NEW: (Stage.FLYING, 40)}),
        ([legacy(Kind.REJECTED, OLD, 40), legacy(Kind.EXPIRED, NEW, 40)], {}),
        ([Fated("one", "expired", {}).note(2)], {}),
    ],
)
def test_what_became_of_an_earlier_writers_order_is_known_to_the_next_but_one(
    notes: Sequence[Note], found: dict[int, tuple[Stage, int]]
) -> None:
    left = passed_on(read_left(TRADED), *notes)

    assert stages(left) == found
    assert stages(passed_on(left)) == found


def test_that_an_earlier_writers_order_rests_is_not_kept() -> None:
    assert legacy_note(Event(Kind.ACCEPTED, 0, order=OLD, size=40), 2) is None


def test_the_newest_mark_is_passed_on() -> None:
    left = passed_on(read_left([*TRADED, Note(0, MARK, "a")]), Note(2, MARK, "b"))

    assert passed_on(left).mark == "b"


@pytest.mark.parametrize(
    "note", [Note(0, "legacy-fill", "{}"), Note(0, "legacy-fill", "x"), Note(0, "legacy-end", "-1")]
)
def test_a_note_that_is_none_is_refused_by_name(note: Note) -> None:
    with pytest.raises(DataError, match="of a journal"):
        read_left([*TRADED, note])
