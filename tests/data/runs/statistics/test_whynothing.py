"""Each cause of an empty run is told, and only where it is the cause."""

from typing import Any

import pytest
from synthetic import SECOND, day, fills, nothing, orders

from bmv.data.runs.statistics.whynothing import why_nothing

HAD_PIVOT = {"total": 60 * SECOND, "pivot": 60 * SECOND}
FAR = orders([{"order_id": 1, "side": 1, "size": 1.0, "price": 99.0, "accepted_ns": 1, "decided_ns": 0}])
CROSSED = orders([{"order_id": 1, "side": 1, "size": 1.0, "done": "rejected", "reason": "would_cross"}])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"counts": {"events": 5, "trades": 0}}, "no trades"),
        ({"times": {"total": 60 * SECOND, "pivot": 0}}, "never was a pivot"),
        ({"refusals": {"position": 1200, "balance": 7}}, "1,207 intents: position (1,200), balance (7)"),
        ({"times": HAD_PIVOT | {"halted": 30 * SECOND}}, "halted for 30 s"),
        ({"orders": CROSSED}, "rejected 1 of 1 orders, most often as would_cross"),
        ({"orders": FAR}, "nearest order stood 100.0 bps"),
        ({"orders": FAR, "times": HAD_PIVOT | {"bid_at_touch": SECOND}}, "at the touch for 1 s"),
        ({"counts": {"trades": 5, "requotes": 12}}, "Nothing was refused: in 12 decisions nothing of market.min_size"),
        ({}, "No decision was ever due"),
    ],
)
def test_the_cause_of_an_empty_run_is_told(changes: dict[str, Any], said: str) -> None:
    found = why_nothing(nothing(**changes))

    assert any(said in sentence for sentence in found), found


def test_a_run_with_fills_needs_no_excuse() -> None:
    assert why_nothing(day(fills_wanted=5)) == []


def test_an_order_never_placed_is_told_apart_from_one_never_filled() -> None:
    assert why_nothing(nothing())[0] == "No order was placed."
    assert why_nothing(nothing(orders=FAR, fills=fills([])))[0] == "Orders were placed, but none filled."
