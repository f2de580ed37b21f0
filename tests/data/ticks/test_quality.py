"""The short cut past the rules for whole numbers comes out where the rules do."""

from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmv.data.ticks import quality
from bmv.data.ticks.quality import judge_integers, judge_rows
from bmv.data.ticks.schema import LAKE_SCHEMA

Row = tuple[int | None, ...]
SEEN: Counter[str] = Counter()
GOOD_TRADE = (1, 1, 1, 100, 5, None, None, None, None)
GOOD_QUOTE = (2, 2, None, None, None, 99, 7, 101, None)

numbers = st.sampled_from([None, 0, 1, 2, 99, 101, -1, 2**40 - 1, 2**40, -(2**62)])
trades = st.tuples(
    st.integers(0, 9), st.just(1), st.sampled_from([None, -1, 0, 1]), st.integers(1, 2**40 - 1), st.integers(1, 99),
    *([st.none()] * 4),
)  # fmt: skip
quotes = st.tuples(
    st.integers(0, 9), st.just(2), *([st.none()] * 3), st.integers(1, 99), st.sampled_from([None, 1, 7]),
    st.integers(1, 99), st.sampled_from([None, 1, 7]),
)  # fmt: skip
anything = st.tuples(numbers, st.sampled_from([None, 0, 1, 2, 3, 4]), *([numbers] * 7))


def frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=LAKE_SCHEMA, orient="row")


@settings(deadline=None, max_examples=300)
@given(st.lists(st.one_of(trades, quotes), max_size=8), st.lists(anything, max_size=1))
def _same(good: list[Row], other: list[Row]) -> None:
    rows = frame([*good, *other])

    one, all_rules = judge_integers(rows), judge_rows(rows.lazy(), exact=True).collect()

    assert one.equals(all_rules)
    assert one.schema == all_rules.schema
    SEEN.update(plain=quality._plainly_good(rows), bad=bool((all_rules["fault"] != 0).any()))


def test_the_short_cut_for_whole_numbers_says_what_the_rules_say() -> None:
    SEEN.clear()

    _same()

    assert SEEN["plain"] > 30, SEEN
    assert SEEN["bad"] > 30, SEEN


CHANGES: list[tuple[str, Any]] = [
    ("ts_ns", None), ("kind", None), ("kind", 0), ("kind", 3), ("side", 2), ("price", None), ("price", 0), ("price", 2**40),
    ("size", None), ("size", 0), ("size", -5), ("bid", 5), ("ask_size", 5),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), CHANGES)
def test_nothing_but_plainly_good_rows_takes_the_short_cut(name: str, value: int | None) -> None:
    good = frame([GOOD_TRADE, GOOD_QUOTE])
    changed = good.with_columns(
        pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(value, pl.Int64)).otherwise(pl.col(name)).alias(name)
    )

    assert quality._plainly_good(good)
    assert not quality._plainly_good(changed)
