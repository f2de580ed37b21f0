"""Markouts, spreads, adverse selection and the pivot, worked by hand."""

import pytest
from synthetic import equity, fills

from bmv.data.runs.statistics.markouts import adverse_selection, markouts, pivot_quality, spreads

TWO = [
    {"side": 1, "size": 1.0, "price": 99.0, "mid": 100.0, "mid_5s": 99.5, "level": 0},
    {"side": -1, "size": 3.0, "price": 101.0, "mid": 100.0, "mid_5s": 100.0, "level": 2},
]


def test_a_markout_is_what_the_fill_was_worth_later_in_bps_of_the_mid() -> None:
    rows = {(row["side"], row["level"]): row for row in markouts(fills(TWO)) if row["horizon_s"] == 5}

    assert rows[None, None]["mean_bps"] == pytest.approx((50 + 100) / 2)
    assert rows[1, None]["mean_bps"] == pytest.approx(50)
    assert rows[-1, 2]["mean_bps"] == pytest.approx(100)


def test_the_band_is_two_standard_errors_either_way() -> None:
    row = next(row for row in markouts(fills(TWO)) if row["horizon_s"] == 5 and row["side"] is None)

    half = 1.96 * 35.355339059 / 2**0.5  # The sample deviation of 50 and 100.
    assert (row["low_bps"], row["high_bps"]) == pytest.approx((75 - half, 75 + half))
    assert row["n"] == 2


def test_a_single_fill_has_no_band_and_one_near_the_end_no_markout() -> None:
    found = markouts(fills(TWO[:1]))

    at_5s = next(row for row in found if row["horizon_s"] == 5)
    at_60s = next(row for row in found if row["horizon_s"] == 60)
    assert (at_5s["low_bps"], at_5s["high_bps"]) == (None, None)
    assert (at_60s["mean_bps"], at_60s["n"]) == (None, 0)


def test_spreads_are_twice_the_distance_weighted_by_size() -> None:
    found = spreads(fills(TWO), {"quoted_spread_ns": 30.0}, {"two_sided": 10}, 100.0)

    assert (found["quoted"], found["quoted_bps"]) == pytest.approx((3.0, 300.0))
    assert (found["effective"], found["effective_bps"]) == pytest.approx((2.0, 200.0))
    assert found["realised"] == pytest.approx((1 * 1.0 + 3 * 2.0) / 4)
    assert found["impact_bps"] == pytest.approx(200 - 175)


def test_a_spread_never_quoted_is_not_a_spread_of_zero() -> None:
    found = spreads(fills([]), {"quoted_spread_ns": 0.0}, {"two_sided": 0}, None)

    assert (found["quoted"], found["effective"], found["realised"]) == (None, None, None)


def test_adverse_selection_is_the_part_of_the_capture_given_back() -> None:
    found = adverse_selection(fills(TWO))

    assert found["captured"] == pytest.approx(1 + 3)
    assert found["kept"] == pytest.approx(0.5 + 3)
    assert found["share"] == pytest.approx(0.125)


def test_without_a_capture_there_is_no_share_to_give_back() -> None:
    loss = [{"side": 1, "size": 1.0, "price": 101.0, "mid": 100.0, "mid_5s": 100.0}]

    found = adverse_selection(fills(loss))

    assert found["share"] is None
    assert found["reason"]


def test_the_pivot_is_measured_against_the_mid_that_came() -> None:
    table = equity(
        [
            {"s": 0, "mid": 100.0, "pivot": 101.0, "equity": 1.0},
            {"s": 1, "mid": 101.0, "pivot": None, "equity": 1.0},
            {"s": 2, "mid": 100.0, "pivot": 99.0, "equity": 1.0},
        ]
    )

    now, in_1s, in_5s, _ = pivot_quality(table)

    assert (now["abs_bps"], now["n"]) == (pytest.approx(100), 2)
    assert now["bias_bps"] == pytest.approx(0)
    assert (in_1s["abs_bps"], in_1s["n"]) == (pytest.approx(0), 1)
    assert (in_5s["abs_bps"], in_5s["n"]) == (None, 0)
