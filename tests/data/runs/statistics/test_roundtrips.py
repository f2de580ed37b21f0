"""Round trips, worked by hand and by the slow way."""

from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import fills

from bmv.data.runs.statistics.roundtrips import match, round_trips

ROWS = st.lists(
    st.fixed_dictionaries(
        {"side": st.sampled_from([1, -1]), "lots": st.integers(1, 50), "ticks": st.integers(9_000, 11_000)}
    ),
    max_size=60,
)


def made(rows: list[dict[str, int]]) -> Any:
    return fills(
        [
            {"s": at, "side": row["side"], "size": row["lots"] / 1000, "price": row["ticks"] / 100, "fee": 0.001}
            for at, row in enumerate(rows)
        ]
    )


def test_a_sale_closes_the_oldest_purchase_first() -> None:
    told = fills(
        [
            {"s": 0, "side": 1, "size": 1.0, "price": 100.0, "fee": 0.1},
            {"s": 10, "side": 1, "size": 2.0, "price": 101.0, "fee": 0.2},
            {"s": 30, "side": -1, "size": 2.0, "price": 103.0, "fee": 0.4},
        ]
    )

    pairs = match(told)

    assert pairs.select("bought", "sold", "size_lots").rows() == [(100.0, 103.0, 1000), (101.0, 103.0, 1000)]
    assert pairs["fee"].to_list() == pytest.approx([0.1 + 0.2, 0.1 + 0.2])
    assert pairs["profit"].to_list() == pytest.approx([3 - 0.3, 2 - 0.3])


def test_the_sum_of_round_trips_says_count_hold_profit_and_rest() -> None:
    told = fills(
        [
            {"s": 0, "side": 1, "size": 1.0, "price": 100.0},
            {"s": 10, "side": 1, "size": 2.0, "price": 101.0},
            {"s": 40, "side": -1, "size": 2.0, "price": 100.5},
        ]
    )

    found = round_trips(told)

    assert found["count"] == 2
    assert found["mean_hold_s"] == pytest.approx((40 + 30) / 2)
    assert found["profit"] == pytest.approx(0.5 - 0.5)
    assert found["won"] == 0.5
    assert found["unmatched"] == pytest.approx(1.0)


def test_a_sale_of_what_we_started_with_is_closed_by_a_later_purchase() -> None:
    told = fills([{"s": 0, "side": -1, "size": 1.0, "price": 102.0}, {"s": 5, "side": 1, "size": 1.0, "price": 100.0}])

    found = round_trips(told)

    assert found["profit"] == pytest.approx(2.0)
    assert found["mean_hold_s"] == 5
    assert found["unmatched"] == 0


def test_without_a_pair_there_is_no_profit_rather_than_a_profit_of_zero() -> None:
    found = round_trips(fills([{"s": 0, "side": 1, "size": 1.0, "price": 100.0}]))

    assert (found["count"], found["profit"], found["mean_hold_s"]) == (0, None, None)
    assert found["reason"]


@given(ROWS)
def test_no_volume_is_lost_or_matched_twice(rows: list[dict[str, int]]) -> None:
    pairs = match(made(rows))

    bought = sum(row["lots"] for row in rows if row["side"] > 0)
    sold = sum(row["lots"] for row in rows if row["side"] < 0)
    assert pairs["size_lots"].sum() == min(bought, sold)
    assert (pairs["size_lots"] > 0).all()


@given(ROWS)
def test_rulers_pair_as_a_queue_does(rows: list[dict[str, int]]) -> None:
    waiting: deque[list[int]] = deque()  # Of [side, lots, ticks], all of one side.
    profit = 0
    for row in rows:
        left = row["lots"]
        while left and waiting and waiting[0][0] != row["side"]:
            size = min(left, waiting[0][1])
            profit += size * row["side"] * (waiting[0][2] - row["ticks"])
            left -= size
            waiting[0][1] -= size
            if not waiting[0][1]:
                waiting.popleft()
        if left:
            waiting.append([row["side"], left, row["ticks"]])

    pairs = match(made(rows))

    assert float((pairs["profit"] + pairs["fee"]).sum()) == pytest.approx(profit / 100_000, abs=1e-9)
