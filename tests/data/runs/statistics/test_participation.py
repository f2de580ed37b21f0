"""Our share of the tape's volume, worked by hand."""

from dataclasses import replace
from typing import Any

import pytest
from synthetic import SECOND, equity, fills, nothing

from bmv.data.runs.statistics.participation import participation, participation_warnings

HOUR = 3600


def traded(volumes: dict[int, float], ours: list[dict[str, Any]], hours: float = 2) -> dict[str, Any]:
    """Return the figures of a run in which the tape had traded `volumes` (base) by the second that is their key."""
    marks = [{"s": second, "equity": 1.0, "tape_volume": volume} for second, volume in volumes.items()]
    run = replace(nothing(), equity=equity(marks), fills=fills(ours), first_ns=0, last_ns=int(hours * HOUR * SECOND))
    return participation(run)


def test_our_share_is_told_by_prints_by_quotes_and_by_taking_apart() -> None:
    ours = [
        {"s": 10, "side": 1, "size": 3.0, "cause": "print"},
        {"s": 20, "side": -1, "size": 4.0, "cause": "quote"},
        {"s": 30, "side": 1, "size": 1.0, "cause": "take", "liquidity": "taker"},
    ]

    found = traded({0: 0.0, HOUR: 100.0, 2 * HOUR: 200.0}, ours)

    assert found["tape_volume"] == 200
    assert (found["share"], found["by_prints"], found["by_quotes"], found["by_taking"]) == (0.04, 0.015, 0.02, 0.005)
    assert found["reason"] is None


def test_the_hour_of_our_largest_share_is_found_and_warned_of() -> None:
    ours = [
        {"s": 10, "side": 1, "size": 9.0, "cause": "print"},
        {"s": HOUR, "side": 1, "size": 1.0, "cause": "print"},
        {"s": HOUR + 1, "side": 1, "size": 11.0, "cause": "quote"},
    ]

    found = traded({0: 0.0, HOUR: 100.0, 2 * HOUR: 200.0}, ours)

    assert (found["hours"], found["hours_above"]) == (2, 1)
    assert (found["largest"]["start_ns"], found["largest"]["by_quotes"]) == (HOUR * SECOND, 0.11)
    (warning,) = participation_warnings(found)
    assert "11.0 % of what the tape traded" in warning
    assert "by quotes alone" in warning


def test_a_tenth_of_an_hour_is_not_warned_of() -> None:
    found = traded({0: 0.0, HOUR: 100.0}, [{"s": 5, "side": 1, "size": 10.0}], hours=1)

    assert participation_warnings(found) == []


def test_a_last_piece_of_an_hour_belongs_to_the_hour_before_it() -> None:
    found = traded(
        {0: 0.0, HOUR: 100.0, HOUR + 60: 101.0}, [{"s": HOUR + 30, "side": 1, "size": 1.0}], hours=1 + 1 / 60
    )

    assert (found["hours"], found["hours_above"]) == (1, 0)
    assert found["largest"]["share"] == pytest.approx(1 / 101)


def test_an_hour_in_which_only_we_traded_has_no_share_and_is_warned_of_most() -> None:
    ours = [{"s": 10, "side": 1, "size": 50.0}, {"s": HOUR + 9, "side": 1, "size": 0.1, "cause": "quote"}]

    found = traded({0: 0.0, HOUR: 100.0, 2 * HOUR: 100.0}, ours)

    assert (found["largest"]["start_ns"], found["largest"]["share"]) == (HOUR * SECOND, None)
    (warning,) = participation_warnings(found)
    assert "while the tape traded nothing" in warning


def test_a_tape_without_trades_has_no_share_and_says_why() -> None:
    found = traded({0: 0.0, HOUR: 0.0}, [])

    assert (found["share"], found["largest"]) == (None, None)
    assert found["reason"] == "the tape has no trades"
    assert participation_warnings(found) == []


def test_fills_past_better_quotes_have_markouts_beside_those_of_the_others() -> None:
    ours = [
        {"s": 1, "side": 1, "size": 1.0, "price": 99.0, "mid": 100.0, "mid_5s": 100.0, "past_quote": True},
        {"s": 2, "side": 1, "size": 1.0, "price": 100.0, "mid": 100.0, "mid_5s": 99.0},
        {"s": 3, "side": 1, "size": 1.0, "price": 100.0, "mid": 100.0, "mid_5s": 98.0},
        {"s": 4, "side": 1, "size": 1.0, "price": 100.0, "mid": 100.0, "mid_5s": 99.0},
    ]

    past = traded({0: 0.0, HOUR: 100.0}, ours)["past_quote"]

    at_5s = {name: next(row for row in past[name] if row["horizon_s"] == 5) for name in ("theirs", "others")}
    assert (past["fills"], past["share"]) == (1, 0.25)
    assert (at_5s["theirs"]["mean_bps"], at_5s["theirs"]["n"]) == (pytest.approx(100), 1)
    assert (at_5s["others"]["mean_bps"], at_5s["others"]["n"]) == (pytest.approx(-400 / 3), 3)
