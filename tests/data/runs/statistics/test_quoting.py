"""Fill ratios, uptime, inventory and activity, worked by hand."""

from dataclasses import replace
from decimal import Decimal

import pytest
from synthetic import CONFIG, MARKET, SECOND, equity, fills, nothing, orders

from bmv.data.runs.statistics.quoting import activity, inventory, order_fates, uptime


def test_fill_ratio_counts_orders_that_the_venue_accepted() -> None:
    sent = orders(
        [
            {"order_id": 1, "side": 1, "size": 2.0, "filled_size": 1.0, "accepted_ns": 0},
            {"order_id": 2, "side": 1, "size": 2.0, "accepted_ns": 0},
            {"order_id": 3, "side": -1, "size": 4.0, "filled_size": 4.0, "accepted_ns": 2 * SECOND, "level": 1},
            {"order_id": 4, "side": -1, "size": 9.0, "done": "rejected"},
        ]
    )
    done = fills(
        [
            {"s": 3, "order_id": 1, "side": 1, "size": 1.0, "price": 100.0},
            {"s": 7, "order_id": 3, "side": -1, "size": 3.0, "price": 100.0},
            {"s": 9, "order_id": 3, "side": -1, "size": 1.0, "price": 100.0},
        ]
    )

    found = {(row["side"], row["level"]): row for row in order_fates(sent, done)}

    assert found[None, None]["fill_ratio"] == pytest.approx(2 / 3)
    assert found[None, None]["volume_ratio"] == pytest.approx(5 / 8)
    assert found[1, 0]["fill_ratio"] == 0.5
    assert found[-1, 1]["time_to_fill_s_median"] == 5
    assert found[None, None]["time_to_fill_s_median"] == pytest.approx(4)
    assert found[None, None]["time_to_fill_s_p90"] == pytest.approx(3 + 0.9 * 2)


def test_without_an_order_there_is_no_fill_ratio() -> None:
    (row,) = order_fates(orders([]), fills([]))

    assert (row["orders"], row["fill_ratio"], row["time_to_fill_s_median"]) == (0, None, None)


def test_uptime_is_a_share_of_the_tape() -> None:
    found = uptime({"total": 8 * SECOND, "two_sided": 4 * SECOND, "bid_at_touch": SECOND})

    assert (found["total_s"], found["two_sided"], found["bid_at_touch"]) == (8, 0.5, 0.125)
    assert found["ask_at_touch"] is None


def test_inventory_is_weighted_by_time() -> None:
    sums = {"position_ns": 10.0 * SECOND * 2 + 20.0 * SECOND * 2, "position2_ns": (100 + 400) * 2.0 * SECOND}
    outcome = nothing(times={"total": 4 * SECOND, "at_limit": SECOND}, sums=sums)

    found = inventory(outcome, CONFIG)

    assert (found["mean"], found["sd"], found["at_limit"]) == (15, 5, 0.25)


def test_activity_sets_messages_and_profit_beside_what_was_traded() -> None:
    done = fills(
        [
            {"s": 0, "side": 1, "size": 1.0, "price": 100.0, "cause": "quote"},
            {"s": 1, "side": -1, "size": 1.0, "price": 300.0, "liquidity": "taker", "cause": "take"},
        ]
    )
    base = nothing(fills=done, equity=equity([{"s": 0, "equity": 100.0}, {"s": 1, "equity": 300.0}]))
    outcome = replace(
        base,
        pnl=base.pnl | {"net": MARKET.to_quanta(Decimal("0.2"))},
        counts=base.counts | {"orders": 8, "cancels": 6},
    )

    found = activity(outcome)

    assert found["notional"] == 400
    assert found["turnover"] == 2
    assert found["net_bps"] == pytest.approx(5)
    assert (found["maker_ratio"], found["quote_ratio"]) == (0.5, 0.5)
    assert (found["messages_per_fill"], found["cancel_ratio"]) == (7, 0.75)
