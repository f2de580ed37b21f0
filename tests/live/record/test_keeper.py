"""What a feed told is kept when it is final and whole; what is missing becomes a hole that says how much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.feed.words import Cause, Doubted, Down, Late, Print, Traded, Undone, Update, Word
from bmv.adapters.solana.lineage import Lineage
from bmv.live.record.keeper import WAIT_SLOTS, Hole, Keeper, Mark, Rows
from bmv.live.record.times import SECOND_NS, SlotTimes
from bmv.ports.errors import DataError
from bmv.ports.messages import Kind

QUOTE_LOT = 10
A_DAY = 86_400


class Tape:
    """A feed whose words are written by hand: slots of 200 ms, all of them final two slots later."""

    def __init__(self, since: Mark | None = None) -> None:
        self.lineage = Lineage()
        self.keeper = Keeper(self.lineage, QUOTE_LOT, since)
        self.made: list[Rows | Hole] = []
        self.traded = self.lost = 0

    def hear(self, word: Word) -> None:
        self.made += self.keeper.hear(word)

    def slot(
        self,
        slot: int,
        prints: tuple[Print, ...] = (),
        *,
        parent: int | None = None,
        fresh: bool = False,
        bid: int = 100,
        unseen: int = 0,
        final: bool = True,
    ) -> None:
        parent = slot - 1 if parent is None else parent
        self.lineage.note(slot, parent)
        if final:
            self.lineage.note_root(slot)
        self.traded += sum(one.price * one.size for one in prints) * QUOTE_LOT + unseen
        self.hear(
            Update(
                slot=slot,
                parent=parent,
                fresh=fresh,
                unix_timestamp=1_000_000 + slot // 5,
                received_ns=slot,
                bids=((bid, 5),),
                asks=((bid + 2, 5),),
                traded=Traded(prints, self.traded, self.lost),
            )
        )

    def run(self, start: int, stop: int) -> None:
        for slot in range(start, stop):
            self.slot(slot)

    @property
    def kept(self) -> list[int]:
        return [one.slot for one in self.made if isinstance(one, Rows)]

    @property
    def holes(self) -> list[Hole]:
        return [one for one in self.made if isinstance(one, Hole)]


BUY = Print(Side.BID, 102, 3)


def begun() -> Tape:
    tape = Tape()
    tape.run(0, 40)
    return tape


def test_every_slot_of_an_undisturbed_feed_is_kept_without_a_hole() -> None:
    tape = begun()

    assert tape.holes == []
    assert tape.kept == list(range(tape.kept[0], 40 - WAIT_SLOTS))
    assert tape.kept[0] <= 10


def test_a_slot_that_is_not_final_is_not_kept() -> None:
    tape = begun()
    last = tape.kept[-1]

    for slot in range(40, 60):
        tape.slot(slot, final=False)

    assert tape.kept[-1] <= max(39, last)


def test_a_slot_that_was_taken_back_is_not_kept() -> None:
    tape = begun()
    tape.slot(40, (BUY,), final=False)
    tape.traded -= 102 * 3 * QUOTE_LOT

    tape.hear(Undone(39, "a fork"))
    tape.slot(41, parent=39)
    tape.run(42, 60)

    assert 40 not in tape.kept
    assert 41 in tape.kept
    assert tape.holes == []


def test_a_trade_whose_log_came_late_is_kept_in_its_slot() -> None:
    tape = begun()
    tape.slot(40, unseen=102 * 3 * QUOTE_LOT)
    tape.slot(41)
    tape.hear(Late(40, (BUY,)))
    tape.run(42, 60)

    assert tape.holes == []
    (trade,) = [event for one in tape.made if isinstance(one, Rows) for event in one.events if event.kind == Kind.TRADE]
    assert (trade.price, trade.size, trade.side) == (102, 3, 1)


def test_a_trade_that_was_never_told_is_a_hole_of_its_amount() -> None:
    tape = begun()

    tape.slot(40, unseen=777)
    tape.run(41, 60)

    (hole,) = tape.holes
    assert (hole.quote, hole.why) == (777, "trades were not told")
    assert hole.from_ns < hole.to_ns


def test_slots_in_doubt_are_a_hole_with_what_was_traded_in_them() -> None:
    tape = begun()
    tape.slot(40)
    tape.slot(41, (BUY,))
    tape.hear(Doubted(39, 41, "a notification was lost"))
    tape.run(42, 60)

    (hole,) = tape.holes
    assert hole.quote == 102 * 3 * QUOTE_LOT
    assert hole.why == "a notification was lost"
    assert not {40, 41} & set(tape.kept)


def test_a_feed_that_was_down_leaves_a_hole_that_names_the_cause() -> None:
    tape = begun()
    tape.hear(Down(Cause.SILENT, "it told nothing"))
    tape.slot(60, fresh=True, unseen=500)
    tape.run(61, 90)

    (hole,) = tape.holes
    assert hole.why == "feed down: silent"
    assert hole.quote == 500


def test_a_count_that_is_too_old_is_waited_with() -> None:
    tape = begun()
    tape.slot(40, (BUY,))
    tape.traded -= 102 * 3 * QUOTE_LOT  # As if the market's account had been told a slot too late.
    update = tape.keeper.held[-1]
    tape.keeper.held[-1] = Update(
        slot=update.slot,
        parent=update.parent,
        fresh=False,
        unix_timestamp=update.unix_timestamp,
        received_ns=0,
        bids=update.bids,
        asks=update.asks,
        traded=update.traded._replace(quote=tape.traded),
    )
    tape.traded += 102 * 3 * QUOTE_LOT
    tape.run(41, 60)

    (hole,) = tape.holes
    assert hole.quote == 102 * 3 * QUOTE_LOT


def test_what_the_chain_took_back_though_it_was_final_lies_in_a_hole_of_unknown_amount() -> None:
    tape = begun()
    tape.hear(Down(Cause.WENT_BACK, "the chain went back"))
    tape.traded, tape.lost = 0, 1  # A count that began again.
    tape.slot(60, fresh=True)
    tape.run(61, 90)

    (hole,) = tape.holes
    assert (hole.why, hole.quote) == ("feed down: went back", None)
    assert tape.kept[-1] > 70


def test_what_an_earlier_start_kept_is_gone_on_from() -> None:
    first = begun()
    mark = first.keeper.mark
    assert mark is not None

    second = Tape(mark)
    second.traded = 4_000
    second.run(100, 140)

    (hole,) = second.holes
    assert (hole.from_ns, hole.why, hole.quote) == (mark.ts_ns, "nobody recorded", 4_000)
    assert isinstance(second.made[1], Rows)
    assert second.made[1].events[0].side == 0  # The book begins anew.


def test_the_clock_of_another_chain_is_refused() -> None:
    tape = Tape(Mark(2_000_000 * SECOND_NS, 5, Traded((), 0)))

    with pytest.raises(DataError, match="is it another chain"):
        tape.run(0, 60)


def test_the_slots_of_another_chain_are_refused_though_its_clock_is_later() -> None:
    tape = Tape(Mark(900_000 * SECOND_NS, 5_000, Traded((), 4_000)))

    with pytest.raises(DataError, match=r"at slot \d+, .* kept up to slot 5000, .* another chain"):
        tape.run(0, 60)


def test_the_book_is_whole_at_the_beginning_of_each_day() -> None:
    tape = Tape()
    midnight = (A_DAY - 1_000_000 % A_DAY) * 5  # Slots until then.
    tape.run(midnight - 40, midnight + 40)

    emptied = [one.slot for one in tape.made if isinstance(one, Rows) and any(event.side == 0 for event in one.events)]

    assert emptied == [tape.kept[0], midnight]


@given(st.lists(st.sampled_from([1, 1, 1, 2, 7]), min_size=5, max_size=200), st.integers(1, 12))
def test_times_of_slots_rise_and_lie_in_their_second(steps: list[int], a_second: int) -> None:
    times, slot, last = SlotTimes(), 0, -1
    told = 0
    for step in steps:
        slot += step
        second = 1_000 + slot // a_second
        ts_ns = times.note(slot, second, follows=True)
        if ts_ns is not None:
            assert ts_ns // SECOND_NS == second
            assert ts_ns > last
            last = ts_ns
            told += 1
    assert told or slot < 3 * a_second + 14


def test_slots_that_come_in_doubt_after_they_were_kept_lie_in_a_hole() -> None:
    tape = begun()
    first, last = tape.kept[-5], tape.kept[-1]
    times = {one.slot: one.events[0].ts_ns for one in tape.made if isinstance(one, Rows) and one.events}

    tape.hear(Doubted(first, last, "a notification was lost"))

    (hole,) = tape.holes
    assert (hole.why, hole.quote) == ("a notification was lost", 0)
    assert hole.from_ns < hole.to_ns
    assert all(ts_ns <= hole.to_ns for ts_ns in times.values())
