"""Each cause of an empty run is told, and only where it is the cause."""

from typing import Any

import pytest
from synthetic import CONFIG, SECOND, day, fills, nothing, orders

from bmv.backtest.whynothing import why_nothing

NO_BALANCE = CONFIG | {"inventory": {"start_base": "0", "start_quote": "0"}}
SMALL = CONFIG | {"grid": {"bid": {"total_size": "0.01"}, "ask": {"total_size": "5"}}}
HAD_PIVOT = {"total": 60 * SECOND, "pivot": 60 * SECOND}
FAR = orders([{"order_id": 1, "side": 1, "size": 1.0, "price": 99.0, "accepted_ns": 1, "decided_ns": 0}])
CROSSED = orders([{"order_id": 1, "side": 1, "size": 1.0, "done": "rejected", "reason": "would_cross"}])


@pytest.mark.parametrize(
    ("changes", "config", "said"),
    [
        ({"counts": {"events": 0}}, CONFIG, "no rows"),
        ({"counts": {"events": 5, "trades": 0}}, CONFIG, "no trades"),
        ({"times": {"total": 60 * SECOND, "pivot": 0}}, CONFIG, "never was a pivot"),
        ({}, NO_BALANCE, "balances are zero"),
        ({}, SMALL, "grid.bid.total_size is 0.01"),
        ({"refusals": {"position": 1200, "balance": 7}}, CONFIG, "1,207 intents: position (1,200), balance (7)"),
        ({"times": HAD_PIVOT | {"halted": 30 * SECOND}}, CONFIG, "halted for 30 s"),
        ({"orders": CROSSED}, CONFIG, "rejected 1 of 1 orders, most often as would_cross"),
        ({"orders": FAR}, CONFIG, "nearest order stood 100.0 bps"),
        ({"orders": FAR, "times": HAD_PIVOT | {"bid_at_touch": SECOND}}, CONFIG, "at the touch for 1 s"),
        ({}, CONFIG, "No cause is known"),
    ],
)
def test_the_cause_of_an_empty_run_is_told(changes: dict[str, Any], config: dict[str, Any], said: str) -> None:
    found = why_nothing(nothing(**changes), config)

    assert any(said in sentence for sentence in found), found


def test_a_run_with_fills_needs_no_excuse() -> None:
    assert why_nothing(day(fills_wanted=5), CONFIG) == []


def test_a_balance_of_one_side_is_a_balance() -> None:
    found = why_nothing(nothing(), CONFIG | {"inventory": {"start_base": "0", "start_quote": "10"}})

    assert not any("zero" in sentence for sentence in found)


def test_an_order_never_placed_is_told_apart_from_one_never_filled() -> None:
    assert why_nothing(nothing(), CONFIG)[0] == "No order was placed."
    assert why_nothing(nothing(orders=FAR, fills=fills([])), CONFIG)[0] == "Orders were placed, but none filled."
