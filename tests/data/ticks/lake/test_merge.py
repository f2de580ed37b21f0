"""Two records of one time: what is in both is kept once, what is in either is kept, and order is that of time."""

from collections import Counter
from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmv.data.ticks.lake.merge import Ends, Ids, merged
from bmv.data.ticks.schema import LAKE, LAKE_SCHEMA

Row = tuple[int, int, int | None]  # Time, kind, price or bid.


def frame(rows: Sequence[Row]) -> pl.DataFrame:
    whole = [
        (ts, kind, 1, value, 5, None, None, None, None)
        if kind == 1
        else (ts, kind, None, None, None, value, 7, 200, None)
        for ts, kind, value in rows
    ]
    return pl.DataFrame(whole, schema=LAKE_SCHEMA, orient="row")


def short(rows: pl.DataFrame) -> list[Row]:
    return [(row[0], row[1], row[3] if row[1] == 1 else row[5]) for row in rows.rows()]


rows_of_one_record = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from([1, 2]), st.sampled_from([100, 101, 102])), max_size=25
).map(sorted)


@pytest.mark.parametrize(
    ("old", "new", "whole"),
    [
        ([], [(1, 1, 100)], [(1, 1, 100)]),
        ([(1, 1, 100)], [], [(1, 1, 100)]),
        ([(1, 1, 100)], [(1, 1, 100)], [(1, 1, 100)]),
        ([(1, 1, 100)], [(1, 1, 100), (1, 1, 100)], [(1, 1, 100), (1, 1, 100)]),  # Two equal prints are two prints.
        ([(1, 1, 100), (1, 1, 100)], [(1, 1, 100)], [(1, 1, 100), (1, 1, 100)]),
        ([(1, 2, 99), (5, 2, 98)], [(3, 1, 100)], [(1, 2, 99), (3, 1, 100), (5, 2, 98)]),
        ([(3, 2, 99)], [(3, 1, 100)], [(3, 1, 100), (3, 2, 99)]),  # The print met the book that stood before.
        ([(3, 1, 100)], [(3, 2, 99)], [(3, 1, 100), (3, 2, 99)]),
        ([(3, 2, 99), (3, 1, 100)], [(3, 1, 100), (3, 2, 99)], [(3, 2, 99), (3, 1, 100)]),  # As the first one had it.
        ([(9, 1, 100)], [(1, 1, 100)], [(1, 1, 100), (9, 1, 100)]),
        ([], [(3, 2, 99), (3, 1, 100)], [(3, 2, 99), (3, 1, 100)]),  # A record keeps its order.
        ([(1, 1, 100)], [(3, 2, 99), (3, 1, 100)], [(1, 1, 100), (3, 2, 99), (3, 1, 100)]),
    ],
)
def test_a_row_of_both_records_is_kept_once_and_prints_go_before_quotes_of_their_time(
    old: list[Row], new: list[Row], whole: list[Row]
) -> None:
    together, fresh = merged(frame(old), frame(new))

    assert short(together) == whole
    assert fresh == len(whole) - len(old)


@settings(deadline=None)
@given(rows_of_one_record, rows_of_one_record)
def test_each_row_is_there_as_often_as_in_the_record_that_has_it_most_often(old: list[Row], new: list[Row]) -> None:
    together, fresh = merged(frame(old), frame(new))

    assert Counter(short(together)) == Counter(old) | Counter(new)
    assert fresh == (Counter(new) - Counter(old)).total()
    times = together["ts_ns"].to_list()
    assert times == sorted(times)


@settings(deadline=None)
@given(rows_of_one_record, rows_of_one_record)
def test_what_is_there_keeps_its_order_and_the_same_again_changes_nothing(old: list[Row], new: list[Row]) -> None:
    together, _ = merged(frame(old), frame(new))

    again, fresh = merged(together, frame(new))

    assert fresh == 0
    assert again.equals(together)
    rows = iter(short(together))
    assert all(row in rows for row in old)  # One after the other: `in` uses up what it passes.


def test_equal_prints_of_a_file_cut_within_an_instant_are_kept_by_their_ids_and_the_same_again_changes_nothing() -> (
    None
):
    first, second = frame([(1, 1, 100), *[(3, 1, 100)] * 2]), frame([*[(3, 1, 100)] * 3, (5, 1, 100)])
    ours, theirs = ends(first, ["a", "b", "c"]), ends(second, ["d", "e", "f", "g"])

    whole, fresh = merged(first, second, ours, theirs)
    both = {ts: {**ours.get(ts, {}), **theirs.get(ts, {})} for ts in {*ours, *theirs}}

    assert fresh == 4
    assert short(whole) == [(1, 1, 100), *[(3, 1, 100)] * 5, (5, 1, 100)]
    assert merged(whole, first, both, ours)[1] == merged(whole, second, both, theirs)[1] == 0
    assert merged(whole, whole, both, ends(whole, list("abcdefg")))[1] == 0


def test_the_part_of_a_file_that_is_there_whole_is_known_without_the_ids_of_its_cut() -> None:
    whole, second = frame([(1, 1, 100), *[(3, 1, 100)] * 5, (5, 1, 100)]), frame([*[(3, 1, 100)] * 3, (5, 1, 100)])

    assert merged(whole, second, ends(whole, list("abcdefg")), ends(second, list("defg")))[1] == 0


def ends(rows: pl.DataFrame, ids: list[str]) -> Ids:
    found = Ends()
    found.add(rows, pl.Series("id", ids, pl.String))
    return found.found()


@settings(deadline=None)
@given(rows_of_one_record, rows_of_one_record, st.booleans(), st.booleans())
def test_stamps_change_nothing_of_a_merge_and_those_of_the_first_record_stay(
    old: list[Row], new: list[Row], old_too: bool, new_too: bool
) -> None:
    plain, fresh = merged(frame(old), frame(new))

    whole, stamped_fresh = merged(
        stamped(old, 100) if old_too else frame(old), stamped(new, 200) if new_too else frame(new)
    )

    assert whole.select(list(LAKE)).equals(plain)
    assert stamped_fresh == fresh
    counts = Counter(whole["slot"].to_list() if "slot" in whole.columns else [])
    assert [counts[slot] for slot in range(100, 100 + len(old))] == [int(old_too)] * len(old)
    assert sum(counts[slot] for slot in range(200, 200 + len(new))) == fresh * new_too


def test_prints_that_are_others_by_their_ids_bring_their_stamps() -> None:
    old, new = stamped([(5, 1, 100), (5, 1, 100)], 100), stamped([(5, 1, 100), (5, 1, 100), (5, 1, 100)], 200)
    ids: list[Ids] = []
    for rows, names in ((old, ["a", "b"]), (new, ["b", "c", "d"])):
        ends = Ends()
        ends.add(rows, pl.Series(names))
        ids.append(ends.found())

    whole, fresh = merged(old, new, *ids)

    assert fresh == 2
    assert sorted(whole["slot"].to_list()) == [100, 101, 201, 202]


def stamped(rows: list[Row], first: int) -> pl.DataFrame:
    """Give each row a slot of its own."""
    return frame(rows).with_columns(slot=pl.int_range(first, first + pl.len(), dtype=pl.Int64))
