"""Accounts put together slot by slot: frames are whole, of one slot and of one fork, or they are in doubt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.account import Account
from solders.pubkey import Pubkey

from bmv.adapters.solana.accounts import Snapshot
from bmv.adapters.solana.clock import CLOCK
from bmv.adapters.solana.frames import Doubted, Frame, Frames, LateLogs, Made, Undone, WentBack
from bmv.adapters.solana.lineage import Lineage
from bmv.adapters.solana.pubsub import Logs

BIDS, ASKS, OWNER = (Pubkey([n] * 32) for n in (1, 2, 3))


def account(value: int) -> Account:
    return Account(1, value.to_bytes(8, "little"), OWNER)


def value(frame: Frame, key: Pubkey) -> int:
    found = frame.accounts[key]
    assert found is not None
    return int.from_bytes(found.data, "little")


class Node:
    """A node that tells frames what they are told."""

    def __init__(self) -> None:
        self.lineage = Lineage()
        self.frames = Frames([BIDS, ASKS], self.lineage)

    def slot(self, slot: int, parent: int | None = None, root: int = 0) -> "Node":
        self.frames.slot(slot, slot - 1 if parent is None else parent, root)
        return self

    def tell(self, slot: int, bids: int | None = None, asks: int | None = None) -> "Node":
        for key, number in ((BIDS, bids), (ASKS, asks)):
            if number is not None:
                self.frames.account(key, slot, account(number), slot)
        return self

    def clock(self, slot: int) -> "Node":
        self.frames.account(CLOCK, slot, account(slot), slot)
        return self

    def read(self, slot: int, bids: int, asks: int) -> "Node":
        self.frames.snapshot(Snapshot(slot, {BIDS: account(bids), ASKS: account(asks)}))
        return self

    def made(self) -> list[Made]:
        return list(self.frames.take())


def begun() -> Node:
    node = Node().slot(10).clock(10).read(10, 1, 1).slot(11).clock(11)
    assert [type(one) for one in node.made()] == [Frame]
    return node


def test_nothing_is_told_before_the_accounts_were_read() -> None:
    node = Node().slot(10).tell(10, bids=5).clock(10).slot(11).clock(11)

    assert node.made() == []
    assert node.frames.wants_snapshot


def test_a_frame_is_whole_when_the_clock_of_a_later_slot_has_come() -> None:
    node = begun().slot(12).tell(12, bids=2, asks=3)
    assert node.made() == []

    node.clock(12).slot(13).clock(13)

    *_, frame = node.made()
    assert isinstance(frame, Frame)
    assert (frame.slot, frame.parent, value(frame, BIDS), value(frame, ASKS)) == (12, 11, 2, 3)


def test_what_came_of_the_next_slot_is_not_in_the_frame_of_this_one() -> None:
    node = begun().slot(12).clock(12).slot(13).tell(13, bids=9).clock(13)

    frame = node.made()[-1]

    assert isinstance(frame, Frame)
    assert (frame.slot, value(frame, BIDS)) == (12, 1)


def test_a_lower_slot_never_overwrites_a_higher_one() -> None:
    node = begun().slot(12).tell(12, bids=7).tell(11, bids=6).clock(12).slot(13).clock(13)

    frame = node.made()[-1]

    assert isinstance(frame, Frame)
    assert value(frame, BIDS) == 7


def test_a_fork_takes_back_what_was_told_and_what_accounts_were() -> None:
    node = begun().slot(12).tell(12, bids=7).clock(12).slot(13).clock(13)
    assert value(node.made()[-1], BIDS) == 7  # type: ignore[arg-type]

    node.slot(14, parent=11).clock(14).slot(15, parent=14).clock(15)

    undone, frame = node.made()
    assert undone == Undone(11, "a fork")
    assert isinstance(frame, Frame)
    assert (frame.slot, frame.parent, value(frame, BIDS)) == (14, 11, 1)


def test_a_notification_that_was_lost_is_found_when_the_accounts_are_read() -> None:
    node = begun().slot(12).clock(12).read(12, bids=4, asks=1).slot(13).clock(13)

    _, doubted, frame = node.made()

    assert isinstance(doubted, Doubted)
    assert (doubted.after, doubted.until) == (9, 12)
    assert isinstance(frame, Frame)
    assert value(frame, BIDS) == 4


def test_a_reading_that_is_ahead_of_the_notifications_is_no_loss() -> None:
    node = begun().slot(12).read(13, bids=4, asks=1).clock(12).slot(13).tell(13, bids=4).clock(13).slot(14).clock(14)

    assert [type(one) for one in node.made()] == [Frame, Frame, Frame]


def test_a_notification_that_comes_after_its_slot_was_told_puts_it_in_doubt() -> None:
    node = begun().slot(12).clock(12).slot(13).clock(13)
    node.made()

    node.tell(12, bids=5)

    (doubted,) = node.made()
    assert doubted == Doubted(11, 12, "a notification came after its slot was over")


def test_a_slot_whose_clock_was_lost_leaves_the_next_one_fresh() -> None:
    node = begun().slot(12).tell(12, bids=2).slot(13).clock(13).slot(14).clock(14)

    frames = [one for one in node.made() if isinstance(one, Frame)]

    assert [(frame.slot, frame.fresh) for frame in frames] == [(11, False), (13, True)]


def test_slots_that_are_used_again_are_told() -> None:
    node = begun()
    for slot in (12, 13, 14, 15):
        node.slot(slot).clock(slot)

    with pytest.raises(WentBack, match="from slot 15 to 12"):
        node.slot(12, parent=11).clock(12).slot(13).clock(13).slot(14).clock(14)


def test_one_late_clock_is_no_chain_that_went_back() -> None:
    node = begun().slot(12).clock(12).clock(11).clock(12).clock(11).slot(13).clock(13)

    assert isinstance(node.made()[-1], Frame)


def test_logs_told_twice_count_once_and_late_ones_are_told_late() -> None:
    node = begun().slot(12)
    one, late = Logs("one", False, ("a",)), Logs("late", False, ("b",))
    node.frames.logs(12, one, 0)
    node.frames.logs(12, one, 0)
    node.clock(12).slot(13).clock(13)
    frame = node.made()[-1]
    assert isinstance(frame, Frame)
    assert frame.logs == (one,)

    node.frames.logs(12, late, 0)
    node.frames.logs(12, one, 0)

    assert node.made() == [LateLogs(12, late)]


def test_no_frame_is_made_of_accounts_that_are_known_to_be_wrong() -> None:
    node = begun()
    node.frames.distrust(12)

    node.slot(12).clock(12).slot(13).clock(13).read(14, 8, 8).slot(14).clock(14).slot(15).clock(15)

    frames = [one for one in node.made() if isinstance(one, Frame)]
    assert [(frame.slot, frame.fresh, value(frame, BIDS)) for frame in frames] == [(14, True, 8)]


@given(st.lists(st.integers(0, 3), min_size=5, max_size=40), st.randoms(use_true_random=False))
def test_frames_show_the_state_of_their_slot_whatever_the_order_of_its_notifications(
    changes: list[int], dice: object
) -> None:
    node, bids, asks = begun(), 1, 1
    true = {}
    for slot, change in enumerate(changes, 12):
        told = []
        if change & 1:
            bids += 1
            told.append((BIDS, bids))
        if change & 2:
            asks += 1
            told.append((ASKS, asks))
        dice.shuffle(told)  # type: ignore[attr-defined]
        node.slot(slot)
        for key, number in told:
            node.frames.account(key, slot, account(number), slot)
        node.clock(slot)
        true[slot] = (bids, asks)
    frames = [one for one in node.made() if isinstance(one, Frame) and one.slot > 11]

    assert [frame.slot for frame in frames] == list(true)[:-1]
    assert all((value(frame, BIDS), value(frame, ASKS)) == true[frame.slot] for frame in frames)


def test_a_fork_whose_link_comes_after_its_clock_takes_back_what_was_told() -> None:
    key = Pubkey.new_unique()
    frames = Frames([key], Lineage())
    for slot, parent in ((10, 9), (11, 10)):
        frames.slot(slot, parent, 9)
        frames.account(key, slot, Account(slot, b"", key), 1)
        frames.account(CLOCK, slot, Account(slot, b"", key), 1)
        if slot == 10:
            frames.snapshot(Snapshot(10, {key: Account(10, b"", key), CLOCK: Account(10, b"", key)}))

    frames.account(CLOCK, 12, Account(12, b"", key), 1)
    frames.slot(12, 10, 9)

    assert [type(made).__name__ for made in frames.take()] == ["Frame", "Frame", "Undone"]
