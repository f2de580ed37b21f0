"""What every store of ticks owes to recorders and readers, whichever it is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from kept_ticks import (
    DAY_NS,
    NOON,
    columns,
    read,
    read_stamped,
    row,
    rows,
    stamps,
    tape,
    ticks,
    with_stamps,
)

from bmv.ports.errors import DataError
from bmv.ports.storage import Gap, Ticks, TickStore

MIDNIGHT = NOON + DAY_NS // 2


def using(open_ticks: Any, *acts: Callable[[TickStore], Awaitable[Any]]) -> list[Any]:
    """Do each act on a store opened anew, so that only what is kept joins them, and return their results."""

    async def each() -> list[Any]:
        results = []
        for act in acts:
            async with open_ticks() as store:
                results.append(await act(store))
        return results

    return asyncio.run(each())


def test_what_was_kept_is_read_back_field_by_field_after_a_restart(open_ticks: Any) -> None:
    kept = ticks(range(NOON, NOON + 100))

    _, found = using(open_ticks, lambda s: s.append(kept), read)

    assert found == rows(kept.columns)
    assert len({each[1] for each in found}) == 3


def test_an_empty_store_has_no_rows_and_no_gaps(open_ticks: Any) -> None:
    found, gaps = using(open_ticks, read, lambda s: s.gaps("sim/SOL", 0, 2**62))

    assert (found, list(gaps)) == ([], [])


def test_no_rows_at_all_are_kept_without_complaint(open_ticks: Any) -> None:
    _, found = using(open_ticks, lambda s: s.append(ticks([])), read)

    assert found == []


def test_a_batch_that_is_sent_again_is_kept_once(open_ticks: Any) -> None:
    batch = ticks(range(NOON, NOON + 20))

    *_, found = using(open_ticks, lambda s: s.append(batch), lambda s: s.append(batch), read)

    assert found == rows(batch.columns)


@pytest.mark.parametrize(("first", "last"), [(10, 30), (5, 12), (0, 40), (19, 21), (20, 25)])
def test_of_a_batch_that_overlaps_only_the_new_rows_are_kept(open_ticks: Any, first: int, last: int) -> None:
    whole = ticks(range(NOON, NOON + 40))
    part = Ticks("sim/SOL", "one", 1, first, columns(rows(whole.columns)[first:last]))
    start = Ticks("sim/SOL", "one", 1, 0, columns(rows(whole.columns)[:20]))

    *_, found = using(open_ticks, lambda s: s.append(start), lambda s: s.append(part), read)

    assert found == rows(whole.columns)[: max(20, last)]


def test_a_new_epoch_of_a_recorder_counts_from_0_again(open_ticks: Any) -> None:
    first, second = ticks([NOON, NOON + 1]), ticks([NOON + 2, NOON + 3], epoch=2)

    *_, found = using(open_ticks, lambda s: s.append(first), lambda s: s.append(second), read)

    assert found == rows(first.columns) + rows(second.columns)


def test_rows_of_one_time_stay_in_the_order_of_their_arrival(open_ticks: Any) -> None:
    batches = [ticks([NOON] * 5, source=source, first=first) for first in (0, 5) for source in ("zebra", "ant")]

    *_, found = using(open_ticks, *(lambda s, batch=batch: s.append(batch) for batch in batches), read)

    assert found == [each for batch in batches for each in rows(batch.columns)]


def test_two_recorders_of_a_market_are_told_in_the_order_of_time(open_ticks: Any) -> None:
    even, odd = ticks(range(NOON, NOON + 20, 2)), ticks(range(NOON + 1, NOON + 21, 2), source="two")

    *_, found = using(open_ticks, lambda s: s.append(odd), lambda s: s.append(even), read)

    assert [each[0] for each in found] == list(range(NOON, NOON + 20))


def test_a_window_holds_its_start_and_not_its_end(open_ticks: Any) -> None:
    _, found = using(
        open_ticks,
        lambda s: s.append(ticks(range(NOON, NOON + 30))),
        lambda s: read(s, from_ns=NOON + 3, to_ns=NOON + 25),
    )

    assert [each[0] for each in found] == list(range(NOON + 3, NOON + 25))


def test_rows_on_both_sides_of_midnight_are_kept_and_read_as_one(open_ticks: Any) -> None:
    times = [MIDNIGHT - 2, MIDNIGHT - 1, MIDNIGHT, MIDNIGHT, MIDNIGHT + 1, MIDNIGHT + 3 * DAY_NS]

    _, found = using(open_ticks, lambda s: s.append(ticks(times)), read)

    assert [each[0] for each in found] == times


def test_a_market_does_not_hear_of_another(open_ticks: Any) -> None:
    ours, theirs = ticks([NOON]), ticks([NOON], market="sim/BONK", first=7)

    *_, found = using(open_ticks, lambda s: s.append(ours), lambda s: s.append(theirs), read)

    assert found == rows(ours.columns)


def test_a_reading_is_told_in_batches_of_bounded_size_of_int64(open_ticks: Any) -> None:
    async def sizes(store: TickStore) -> list[int]:
        batches = [batch async for batch in store.read("sim/SOL", 0, 2**62)]
        assert {column.dtype for batch in batches for column in batch} == {np.dtype(np.int64)}
        return [len(batch.ts_ns) for batch in batches]

    times = sorted(NOON + at // 30 for at in range(100))
    _, found = using(open_ticks, lambda s: s.append(ticks(times)), sizes)

    assert sum(found) == 100
    assert len(found) > 3
    assert min(found) > 0


def test_a_hole_in_the_numbers_is_no_hindrance(open_ticks: Any) -> None:
    early, late = ticks([NOON]), ticks([NOON + 5], first=1_000)

    *_, found = using(open_ticks, lambda s: s.append(early), lambda s: s.append(late), read)

    assert len(found) == 2


def test_stamps_come_back_with_their_rows_and_rows_without_them_beside(open_ticks: Any) -> None:
    stamped, plain = ticks(range(NOON, NOON + 40, 2)), ticks(range(NOON + 1, NOON + 41, 2), source="two")
    stamped = stamped._replace(stamps=stamps(rows(stamped.columns)))

    *_, found, told = using(
        open_ticks,
        lambda s: s.append(stamped),
        lambda s: s.append(plain),
        lambda s: s.append(stamped),
        read_stamped,
        read,
    )

    assert [each for each in found if each[0][0] % 2 == 0] == with_stamps(rows(stamped.columns))
    assert [each for each in found if each[0][0] % 2 == 1] == [(each, 0, 0) for each in rows(plain.columns)]
    assert told == [each for each, _, _ in found]


def test_of_a_batch_that_overlaps_the_new_rows_keep_their_stamps(open_ticks: Any) -> None:
    whole = rows(tape(range(NOON, NOON + 40)))
    start, again = (
        Ticks("sim/SOL", "one", 1, first, columns(part), stamps(part))
        for first, part in ((0, whole[:20]), (10, whole[10:]))
    )

    *_, found = using(open_ticks, lambda s: s.append(start), lambda s: s.append(again), read_stamped)

    assert found == with_stamps(whole)


@pytest.mark.parametrize("wrong", [-1, -(2**62)])
def test_a_stamp_that_no_clock_shows_is_refused_by_its_row(open_ticks: Any, wrong: int) -> None:
    part = ticks([NOON, NOON + 1], first=7)
    beside = stamps(rows(part.columns))._replace(slot=np.array([3, wrong]))

    with pytest.raises(DataError, match=f"slot {wrong} of row 8 is negative; where it is not known it is 0"):
        using(open_ticks, lambda s: s.append(part._replace(stamps=beside)))


def test_the_size_of_a_gap_is_kept_and_may_be_learnt_later(open_ticks: Any) -> None:
    gap = Gap("sim/SOL", "one", NOON, NOON + 9, "queue overran", rows=3)
    told = [gap._replace(rows=None), gap, gap._replace(rows=5, quanta=70), gap._replace(quanta=71), gap]

    *_, found = using(
        open_ticks,
        *(lambda s, gap=gap: s.note_gap(gap) for gap in told),
        lambda s: s.gaps("sim/SOL", 0, 2**62),
    )

    assert list(found) == [gap._replace(quanta=70)]


@pytest.mark.parametrize("size", [{"rows": -1}, {"quanta": -1}])
def test_a_gap_in_which_less_than_nothing_is_missing_is_refused(open_ticks: Any, size: dict[str, int]) -> None:
    with pytest.raises(DataError, match="expected none of them negative"):
        using(open_ticks, lambda s: s.note_gap(Gap("sim/SOL", "one", NOON, NOON + 9, "away", **size)))


def test_the_same_gap_twice_is_one_and_gaps_are_told_oldest_first(open_ticks: Any) -> None:
    late, early = Gap("sim/SOL", "one", NOON + 50, NOON + 60, "away"), Gap("sim/SOL", "one", NOON, NOON + 9, "full")
    other = Gap("sim/BONK", "one", NOON, NOON + 9, "away")

    *_, found = using(
        open_ticks,
        *(lambda s, gap=gap: s.note_gap(gap) for gap in (late, early, late, other)),
        lambda s: s.gaps("sim/SOL", 0, 2**62),
    )

    assert list(found) == [early, late]


@pytest.mark.parametrize(
    ("from_ns", "to_ns", "touches"), [(0, 10, False), (0, 11, True), (19, 99, True), (20, 99, False), (12, 13, True)]
)
def test_a_gap_is_found_by_a_window_that_it_touches(open_ticks: Any, from_ns: int, to_ns: int, touches: bool) -> None:
    gap = Gap("sim/SOL", "one", 10, 20, "away")

    _, found = using(open_ticks, lambda s: s.note_gap(gap), lambda s: s.gaps("sim/SOL", from_ns, to_ns))

    assert list(found) == [gap] * touches


def test_rows_whose_time_falls_are_refused_by_number_and_none_is_kept(open_ticks: Any) -> None:
    async def refused(store: TickStore) -> None:
        with pytest.raises(DataError, match="time falls at row 12"):
            await store.append(ticks([NOON, NOON + 5, NOON + 4], first=10))

    _, found = using(open_ticks, refused, read)

    assert found == []


def test_many_rows_in_one_call_are_all_kept(open_ticks: Any) -> None:
    many = Ticks("sim/SOL", "one", 1, 0, tape(range(NOON, NOON + 25_000)))

    async def ends(store: TickStore) -> tuple[int, int]:
        told = [batch async for batch in store.read("sim/SOL", NOON + 24_900, NOON + 25_000)]
        return sum(len(batch.ts_ns) for batch in told), int(told[-1].ts_ns[-1])

    _, found = using(open_ticks, lambda s: s.append(many), ends)

    assert found == (100, NOON + 24_999)


def test_two_who_send_the_same_at_once_keep_it_once(open_ticks: Any) -> None:
    batch = ticks(range(NOON, NOON + 50))

    async def both(store: TickStore) -> None:
        await asyncio.gather(*(store.append(batch) for _ in range(4)))

    _, found = using(open_ticks, both, read)

    assert found == rows(batch.columns)


def test_rows_of_all_kinds_are_in_these_tests() -> None:
    assert {row(NOON, mark)[1] for mark in range(3)} == {1, 2, 3}
