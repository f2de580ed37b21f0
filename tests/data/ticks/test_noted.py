"""Gaps that a recorder noted, put into words."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bmv.data.ticks.noted import in_words, noted_in
from bmv.ports.errors import DataError
from bmv.ports.market import Market
from bmv.ports.storage import Gap

NOON = 1_756_900_800 * 10**9
MARKET = Market("SOL/USDC", Decimal("0.01"), Decimal("0.1"))


def gap(first_s: int, last_s: int, rows: int | None = None, quanta: int | None = None) -> Gap:
    return Gap("sim/SOL", "one", NOON + first_s * 10**9, NOON + last_s * 10**9, "queue overran", rows, quanta)


def told(one: Gap) -> dict[str, Any]:
    return {name: value for name, value in one._asdict().items() if value is not None}


def test_a_gap_is_told_with_cause_and_size() -> None:
    assert in_words([gap(0, 9, 3, 4_000)], MARKET) == [
        "a gap from 2025-09-03T12:00:00Z to 2025-09-03T12:00:09Z, noted by one: queue overran; "
        "3 rows and 0.004 of quote are missing"
    ]


def test_of_many_gaps_the_longest_are_told_and_what_is_missing_in_all() -> None:
    gaps = [gap(at, at + 1 + at % 5, None if at == 7 else 10) for at in range(0, 100, 7)]

    lines = in_words(gaps, MARKET, most=2)

    assert len(lines) == 3
    assert "12:00:14Z to 2025-09-03T12:00:19Z" in lines[0]
    assert "12:00:49Z to 2025-09-03T12:00:54Z" in lines[1]
    assert lines[2] == (
        "in all 15 gaps were noted by who recorded: 140 rows are missing, and nobody knows how many in 1 of them"
    )


def test_a_gap_that_two_settlings_of_a_day_tell_is_one_with_what_either_knows() -> None:
    sources = [{"gaps": [told(gap(5, 9)), told(gap(0, 2))]}, {"file": "day.csv"}, {"gaps": [told(gap(5, 9, 3))]}]

    assert noted_in(Path("day.parquet"), sources) == [gap(0, 2), gap(5, 9, 3)]


@pytest.mark.parametrize("wrong", [{"why": 3}, {"from_ns": "noon"}, {"rows": 1.5}, {"size": 3}])
def test_a_gap_that_is_none_is_refused_by_the_file(wrong: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"day\.parquet: the gaps in its metadata can't be read"):
        noted_in(Path("day.parquet"), [{"gaps": [told(gap(0, 1)) | wrong]}])
