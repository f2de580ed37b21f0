"""How late rows reached their recorder, and what share of them says so."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmv.data.ticks.delays import Stamped, all_of

DELAYS = st.lists(st.integers(-(10**12), 10**15), min_size=1, max_size=200)


def rows(delays: list[int | None]) -> pl.DataFrame:
    times = pl.Series("ts_ns", range(10**15, 10**15 + len(delays)))
    return pl.DataFrame({"ts_ns": times, "received_ns": times + pl.Series(delays, dtype=pl.Int64)})


@given(delays=DELAYS)
def test_the_delays_told_are_those_of_the_rows_to_half_a_percent(delays: list[int]) -> None:
    stamped = Stamped()
    stamped.add(rows(list(delays)))

    found = stamped.delay()

    assert found is not None
    exact = [np.sort(delays)[int(np.ceil(share * len(delays))) - 1] for share in (0.5, 0.99)]
    assert list(found) == pytest.approx(exact, rel=0.006, abs=1)


@given(delays=DELAYS, cut=st.integers(0, 200))
def test_parts_of_a_record_tell_together_what_the_whole_tells(delays: list[int], cut: int) -> None:
    whole, one, other = Stamped(), Stamped(), Stamped()
    whole.add(rows(list(delays)))
    one.add(rows(list(delays[:cut])))
    other.add(rows(list(delays[cut:])))

    both = all_of([one, other])

    assert (both.counts, both.delays) == (whole.counts, whole.delays)


def test_rows_that_do_not_say_when_they_arrived_have_no_delay() -> None:
    stamped = Stamped()
    stamped.add(rows([None, None]))

    assert stamped.as_dict() == {"stamps": {"slot": 0, "received_ns": 0}, "delay_ns": None}
    assert stamped.words(2) == []


def test_a_share_and_a_delay_are_told_in_words() -> None:
    stamped = Stamped()
    stamped.add(rows([12_340_000, None, -80, 20_000_000_000]))

    assert stamped.words(4) == [
        "of the rows 75.0% have received_ns",
        "they arrived 12.3 ms after their time (median; 99 % of them within 20 s)",
    ]
