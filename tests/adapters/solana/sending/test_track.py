"""What becomes of an attempt, by what nodes say."""

import pytest

from bmv.adapters.solana.sending.attempt import Attempt, Fate, State
from bmv.adapters.solana.sending.lane import Lane
from bmv.adapters.solana.sending.track import LOOKS, Look, Status, Track

LAST = 1_000
AT = Look(final_height=900, final_slot=1_900, slot=1_901)
OVER = Look(final_height=LAST + 1, final_slot=2_001, slot=2_001)
NOT_OVER = Look(final_height=LAST, final_slot=2_000, slot=2_031)
LAGS = Look(final_height=LAST + 1, final_slot=2_001, slot=2_000)
LONG_OVER = Look(final_height=LAST + 101, final_slot=2_101, slot=2_101, first=None)


def track(state: State = State.SENT, sent: int = 1) -> Track:
    return Track(Attempt("s", b"", LAST), Fate(state, sent=sent))


@pytest.mark.parametrize(
    ("look", "status", "state"),
    [
        (AT, None, State.SENT),
        (AT, Status(1_901, "processed", None), State.LANDED),
        (AT, Status(1_901, "confirmed", None), State.LANDED),
        (AT, Status(1_901, "processed", {"InstructionError": [0, {"Custom": 1}]}), State.LANDED),
        (AT, Status(1_899, "finalized", None), State.FINALIZED),
        (AT, Status(1_899, "finalized", "AccountNotFound"), State.FAILED),
        (NOT_OVER, None, State.SENT),  # A block of the last valid height may yet become final.
        (OVER, None, State.EXPIRED),
        (LAGS, None, State.SENT),  # Its statuses are older than the height.
        (LONG_OVER, None, State.SENT),  # It has forgotten by now what landed.
        (LONG_OVER._replace(final_height=LAST + 100), None, State.EXPIRED),
        (LONG_OVER._replace(first=0), None, State.EXPIRED),
        (LONG_OVER._replace(first=2_101 - 2 * 251), None, State.EXPIRED),
        (LONG_OVER._replace(first=2_101 - 2 * 251 + 1), None, State.SENT),  # It may have landed before that.
        (OVER, Status(1_999, "processed", None), State.LANDED),
    ],
)
def test_an_attempt_ends_only_in_a_final_block_or_past_its_last_height(
    look: Look, status: Status | None, state: State
) -> None:
    one = track()

    one.hear(look, status)

    assert one.fate.state is state


def test_what_landed_and_vanished_is_on_its_way_again() -> None:
    one = track()
    one.hear(AT, Status(1_901, "confirmed", None))

    assert one.hear(AT._replace(slot=1_905), None)

    assert (one.fate.state, one.fate.slot) == (State.SENT, None)
    assert one.wants_sending(900)


def test_what_has_ended_hears_nothing_more() -> None:
    one = track()
    one.hear(AT, Status(1_899, "finalized", None))

    assert not one.hear(OVER, None)
    assert not one.lose_sight()
    assert one.fate.state is State.FINALIZED


def test_an_attempt_that_was_never_sent_is_not_told_as_sent_but_may_expire() -> None:
    one = track(State.COMMITTED, sent=0)

    one.hear(AT, None)
    assert one.fate.state is State.COMMITTED

    one.hear(OVER, None)
    assert one.fate.state is State.EXPIRED


def test_what_no_node_remembers_look_after_look_is_over_and_nobody_says_how() -> None:
    one = track()

    for _ in range(LOOKS):
        one.hear(LONG_OVER, None)
    assert one.fate.state is State.SENT
    one.hear(LONG_OVER, None)

    assert (one.fate.state, one.fate.slot) == (State.FORGOTTEN, LONG_OVER.final_slot)
    assert one.fate.ended


def test_one_node_that_remembers_is_believed_after_many_that_do_not() -> None:
    one = track()
    for _ in range(LOOKS):
        one.hear(LONG_OVER, None)

    one.hear(LONG_OVER, Status(1_899, "finalized", None))

    assert one.fate.state is State.FINALIZED


def test_a_history_need_not_reach_further_back_than_when_the_attempt_was_made() -> None:
    one = Track(Attempt("s", b"", LAST), Fate(State.UNKNOWN), since=1_850)

    one.hear(LONG_OVER._replace(first=1_850), None)

    assert one.fate.state is State.EXPIRED


def test_nobody_to_ask_is_unknown_and_ends_nothing() -> None:
    one = track()

    assert one.lose_sight()
    assert one.fate.state is State.UNKNOWN
    assert one.wants_sending(900)

    one.hear(AT, None)
    assert one.fate.state is State.SENT


def test_nothing_is_sent_past_its_last_height() -> None:
    assert track().wants_sending(LAST)
    assert not track().wants_sending(LAST + 1)


def test_a_refusal_ends_nothing() -> None:
    fate = Fate(State.SENT).refusing("a", "no").refusing("a", "no version 1").refusing("b", "busy")

    assert (fate.state, fate.refused) == (State.SENT, (("a", "no version 1"), ("b", "busy")))


def test_placements_leave_tokens_for_cancels() -> None:
    lane = Lane(rate=1, burst=5, kept=2)

    assert [lane.take(0, urgent=False) for _ in range(4)] == [True, True, True, False]
    assert [lane.take(0, urgent=True) for _ in range(3)] == [True, True, False]


def test_a_refused_placement_holds_no_cancel_back_and_a_refused_cancel_a_second_at_most() -> None:
    lane = Lane(rate=10, burst=5, kept=2)

    lane.refuse(0, urgent=False, retry_after_s=60)
    assert not lane.take(1, urgent=False)
    assert lane.take(1, urgent=True)

    lane.refuse(1, urgent=True, retry_after_s=60)
    assert not lane.take(1.9, urgent=True)
    assert lane.take(2, urgent=True)
    assert not lane.take(60.9, urgent=False)
    assert lane.take(61.1, urgent=False)
