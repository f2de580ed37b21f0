"""The rulings of the simulated venue and of time (DESIGN.md), each on a tape of a few rows worked by hand.

The notation of tapes and of orders stands in `runs.py`. Unless a test says otherwise nothing is late, nothing costs,
ticks and lots are 1, and the queue is `back`.
"""

import math
from pathlib import Path

import polars as pl
import pytest
from markets import SYNTHETIC
from runs import CONFIG, FLOAT_FORM, SECOND, START, USUAL, backtest, play, result, strategy, tape

# Prints.


def test_a_print_at_our_price_of_unknown_aggressor_fills_nobody(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 5 / 101 x 5
        2 trade 100 x 9 ?
        3 trade 99 x 4 ?
        """,
        {0: ["bid 100 x 5"]},
    )

    assert played.told == ["3 bought 4 at 100"]


def test_a_print_of_unrecorded_side_below_the_mid_is_a_sale(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 101 x 1 ?
        0 quote 99 x 5 / 102 x 5
        2 trade 100 x 2 ?
        3 trade 101 x 2 ?
        """,
        {0: ["bid 100 x 5", "ask 101 x 5"]},
    )

    assert played.told == ["2 bought 2 at 100", "3 sold 2 at 101"]


def test_a_print_of_unrecorded_side_at_the_mid_takes_its_side_from_the_last_change_of_price(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 101 x 1 buy
        0 quote 99 x 5 / 101 x 5
        2 trade 100 x 2 ?
        3 trade 100 x 1 ?
        4 trade 99 x 1 sell
        5 trade 100 x 1 ?
        """,
        {0: ["bid 100 x 9"]},
        queue="front",
    )

    assert played.told == ["2 bought 2 at 100", "3 bought 1 at 100", "4 bought 1 at 100"]


def test_a_print_up_from_the_last_price_at_the_mid_is_a_purchase(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 99 x 1 sell
        0 quote 99 x 5 / 101 x 5
        2 trade 100 x 2 ?
        """,
        {0: ["bid 100 x 9"]},
    )

    assert played.told == []


def test_a_print_at_our_price_by_the_same_side_fills_nobody(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 5 / 102 x 5
        2 trade 100 x 9 buy
        3 trade 101 x 9 sell
        """,
        {0: ["bid 100 x 5", "ask 101 x 5"]},
        queue="front",
    )

    assert played.told == []


def test_a_print_through_our_price_fills_whatever_its_aggressor_and_the_queue(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 500 / 101 x 500
        2 trade 98 x 3 buy
        3 trade 102 x 4 sell
        """,
        {0: ["bid 99 x 5", "ask 101 x 5"]},
    )

    assert played.told == ["2 bought 3 at 99", "3 sold 4 at 101"]


def test_a_print_fills_at_most_its_size_over_all_our_orders_best_price_first(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 90 x 5 / 101 x 5
        2 trade 95 x 4 sell
        """,
        {0: ["bid 98 x 3", "bid 99 x 3", "bid 97 x 3"]},
    )

    assert played.told == ["2 bought 3 at 99", "2 bought 1 at 98"]


# The queue.


def test_the_queue_ahead_is_the_shown_size_and_falls_by_prints_at_the_price(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 5
        2 trade 99 x 4 sell
        3 trade 99 x 6 sell
        4 trade 99 x 2 sell
        """,
        {0: ["bid 99 x 5"]},
    )

    assert played.told == ["4 bought 2 at 99"]


def test_the_print_that_ends_the_queue_fills_us_with_what_is_left_of_it(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 5
        2 trade 99 x 13 sell
        """,
        {0: ["bid 99 x 5"]},
    )

    assert played.told == ["2 bought 3 at 99"]


def test_the_queue_never_exceeds_the_shown_size_nor_grows_with_it(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 5
        2 trade 99 x 2 sell
        3 quote 99 x 5 / 101 x 5
        4 quote 99 x 20 / 101 x 5
        5 trade 99 x 6 sell
        """,
        {0: ["bid 99 x 5"]},
    )

    assert played.told == ["5 bought 1 at 99"]


def test_purchases_at_the_bid_do_not_shorten_the_queue_of_bids(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 5
        2 trade 99 x 9 buy
        3 trade 99 x 10 sell
        """,
        {0: ["bid 99 x 5"]},
    )

    assert played.told == []


def test_a_deeper_order_is_not_filled_at_its_price_before_a_quote_has_shown_its_queue(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 5
        2 trade 98 x 100 sell
        3 quote 98 x 3 / 101 x 5
        4 trade 98 x 5 sell
        """,
        {0: ["bid 98 x 5"]},
    )

    assert played.told == ["4 bought 2 at 98"]


def test_a_deeper_order_has_nobody_ahead_once_the_best_is_worse(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 5
        2 quote 97 x 10 / 101 x 5
        3 quote 98 x 50 / 101 x 5
        4 trade 98 x 2 sell
        """,
        {0: ["bid 98 x 5"]},
    )

    assert played.told == ["4 bought 2 at 98"]


def test_an_order_inside_the_spread_has_nobody_ahead(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 102 x 10
        2 trade 100 x 1 sell
        3 trade 101 x 2 buy
        """,
        {0: ["bid 100 x 5", "ask 101 x 5"]},
    )

    assert played.told == ["2 bought 1 at 100", "3 sold 2 at 101"]


def test_where_sizes_are_not_recorded_only_prints_through_fill(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x ? / 101 x ?
        2 quote 99 x ? / 101 x ?
        3 trade 99 x 100 sell
        4 trade 98 x 2 sell
        """,
        {0: ["bid 99 x 5"]},
    )

    assert played.told == ["4 bought 2 at 99"]


def test_at_the_front_nobody_is_ahead_however_deep(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 5
        2 trade 97 x 2 sell
        """,
        {0: ["bid 97 x 5"]},
        queue="front",
    )

    assert played.told == ["2 bought 2 at 97"]


# Crossing quotes.

CROSSING = """
    0 trade 100 x 1 buy
    0 quote 99 x 10 / 101 x 5
    2 quote 97 x 5 / 98 x 3
    3 quote 97 x 9 / 98 x 3
    4 quote 97 x 9 / 98 x 4
    5 quote 97 x 9 / 99 x 2
    6 quote 97 x 9 / 98 x 2
"""


def test_a_crossing_quote_fills_up_to_the_shown_size_less_what_was_taken_at_that_price(tmp_path: Path) -> None:
    played = play(tmp_path, CROSSING, {0: ["bid 99 x 20"]})

    assert played.told == ["2 bought 3 at 99", "4 bought 1 at 99", "5 bought 2 at 99", "6 bought 2 at 99"]


def test_no_quote_fills_when_fill_on_quotes_is_off(tmp_path: Path) -> None:
    played = play(tmp_path, CROSSING, {0: ["bid 99 x 20"]}, fill_on_quotes="false")

    assert played.told == []


def test_a_crossing_bid_fills_our_asks_best_first(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 5
        2 quote 103 x 6 / 104 x 5
        """,
        {0: ["ask 102 x 4", "ask 101 x 4", "ask 104 x 4"]},
    )

    assert played.told == ["2 sold 4 at 101", "2 sold 2 at 102"]


def test_a_crossing_quote_without_sizes_fills_all(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x ? / 101 x ?
        2 quote 97 x ? / 98 x ?
        """,
        {0: ["bid 99 x 20", "bid 98 x 7", "bid 97 x 5"]},
    )

    assert played.told == ["2 bought 20 at 99", "2 bought 7 at 98"]


@pytest.mark.parametrize("row", ["98 x 5 / 98 x 5", "99 x 5 / 98 x 5", "99 x 1 / 99 x 1"])
def test_locked_and_crossed_rows_fill_nobody_and_move_no_queue(tmp_path: Path, row: str) -> None:
    played = play(
        tmp_path,
        f"""
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 5
        2 quote {row}
        3 trade 99 x 10 sell
        4 trade 99 x 1 sell
        """,
        {0: ["bid 99 x 5"]},
    )

    assert played.told == ["4 bought 1 at 99"]


# Arriving.


def test_a_post_only_order_that_arrives_at_the_touch_is_rejected(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 5
        0.2 quote 99 x 10 / 100 x 5
        3 trade 90 x 50 sell
        """,
        {0: ["bid 100 x 5", "bid 99 x 5"]},
        entry_latency_ms="500",
    )

    assert played.ends == ["rejected", "filled"]
    first = played.orders.sort("order_id").row(0, named=True)
    assert (first["accepted_ns"], first["done_ns"]) == (None, START + SECOND // 2)
    assert first["reason"] != ""


def test_an_order_that_crosses_takes_the_shown_size_at_the_touch_and_the_rest_rests(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 5
        2 quote 99 x 10 / 105 x 5
        3 trade 102 x 2 sell
        """,
        {0: ["bid 103 x 8 limit"]},
    )

    assert played.told == ["0 bought 5 at 101 taking", "3 bought 2 at 103"]


def test_what_an_immediate_or_cancel_order_does_not_take_expires(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 5
        2 trade 90 x 50 sell
        """,
        {0: ["bid 103 x 8 ioc"]},
    )

    assert played.told[:1] == ["0 bought 5 at 101 taking"]
    assert played.ends[:1] == ["expired"]
    assert played.orders["filled_size"][0] == 5.0


def test_taking_costs_the_taker_fee_and_making_the_makers(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 100 x 5
        2 quote 99 x 10 / 105 x 5
        3 trade 99 x 8 sell
        """,
        {0: ["bid 100 x 8 limit"]},
        maker_fee_bps="10",
        taker_fee_bps="20",
    )

    assert played.told == ["0 bought 5 at 100 taking", "3 bought 3 at 100"]
    assert played.fills["fee"].to_list() == [1.0, 0.3]
    assert played.fills["cash"].to_list() == [999_499.0, 999_198.7]


# Time.


def test_a_cancel_loses_the_race_to_a_print_before_it(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 5
        3 trade 102 x 1 buy
        3.5 trade 98 x 5 sell
        5 quote 99 x 10 / 101 x 5
        """,
        {0: ["bid 99 x 5", "ask 101 x 1"], 3: []},  # The sale calls for the next step: cancel the bid.
        entry_latency_ms="1000",
    )

    assert played.told == ["3 sold 1 at 101", "3.5 bought 5 at 99"]
    assert played.ends == ["filled", "filled"]


def test_a_cancel_ends_what_a_print_left(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 5
        3 trade 98 x 2 sell
        3.5 trade 98 x 1 sell
        4.5 trade 98 x 5 sell
        """,
        {0: ["bid 99 x 5"], 3: []},
        entry_latency_ms="1000",
    )

    assert played.told == ["3 bought 2 at 99", "3.5 bought 1 at 99"]
    order = played.orders.row(0, named=True)
    assert (order["done"], order["done_ns"], order["filled_size"]) == ("cancelled", START + 4 * SECOND, 3.0)


def test_at_one_instant_the_tape_comes_before_a_cancel(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 5
        3 trade 102 x 1 buy
        4 trade 98 x 2 sell
        4 trade 98 x 2 sell
        5 trade 98 x 2 sell
        """,
        {0: ["bid 99 x 5", "ask 101 x 1"], 3: []},
        entry_latency_ms="1000",
    )

    assert played.told == ["3 sold 1 at 101", "4 bought 2 at 99", "4 bought 2 at 99"]
    assert played.ends == ["cancelled", "filled"]


def test_at_one_instant_the_tape_comes_before_an_arrival(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 5
        0 trade 98 x 2 sell
        2 trade 98 x 5 sell
        """,
        {0: ["bid 99 x 9"]},
    )

    assert played.told == ["2 bought 5 at 99"]


def test_we_learn_of_a_fill_after_the_response_latency(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 5
        3 trade 98 x 2 sell
        """,
        {0: ["bid 99 x 5"]},
        entry_latency_ms="250",
        response_latency_ms="750",
    )

    assert played.orders["accepted_ns"].to_list() == [START + SECOND // 4]
    assert played.fills["known_ns"].to_list() == [START + 15 * SECOND // 4]


def test_what_is_open_after_the_last_row_ends_as_end(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 5
        3 trade 98 x 2 sell
        """,
        {0: ["bid 99 x 5"]},
    )

    assert played.ends == ["end"]
    assert played.orders["done_ns"].to_list() == [None]


# Money.


@pytest.mark.parametrize(
    ("bps", "fee"),
    [("0.0001", 0.000001), ("0.0002", 0.000002), ("-0.0001", 0.0), ("-0.0003", -0.000002)],
)
def test_a_fee_is_rounded_against_us_to_a_quantum(tmp_path: Path, bps: str, fee: float) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 5
        2 trade 98 x 1 sell
        """,
        {0: ["bid 99 x 1"]},
        maker_fee_bps=bps,
    )

    assert played.fills["fee"].to_list() == [fee]


def test_profit_is_what_was_worked_by_hand(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 10
        2 trade 98 x 4 sell
        3 quote 97 x 10 / 100 x 10
        4 trade 102 x 3 buy
        5 quote 101 x 10 / 104 x 10
        """,
        {0: ["bid 99 x 4", "ask 101 x 3"]},
        start_base="10",
        maker_fee_bps="100",
    )

    # Mids 100, 98.5, 102.5; bought 4 at 99 under a mid of 100, sold 3 at 101 over one of 98.5; held 10, 14, 11.
    spread, inventory, fees = 4 * 1.0 + 3 * 2.5, 14 * -1.5 + 11 * 4.0, -(3.96 + 3.03)
    assert played.told == ["2 bought 4 at 99", "4 sold 3 at 101"]
    pnl = {name: float(value) for name, value in played.summary["pnl"].items()}
    assert pnl == pytest.approx(
        {
            "net": spread + inventory + fees,
            "spread": spread,
            "inventory": inventory,
            "fees": fees,
            "tips": 0,
            "rounding": 0,
        }
    )
    assert float(played.summary["net_vs_hold"]) == pytest.approx(spread + inventory + fees - 10 * 2.5)
    assert played.equity["equity"].to_list()[0] == 1_000_000 + 10 * 100
    assert played.equity["equity"].to_list()[-1] == pytest.approx(1_001_000 + spread + inventory + fees)


# The mid.


def _mids(tmp_path: Path, lines: str) -> list[float]:
    return play(tmp_path, lines, {}).equity["mid"].to_list()


def test_a_one_sided_or_crossed_quote_leaves_the_mid(tmp_path: Path) -> None:
    mids = _mids(
        tmp_path,
        """
        0 trade 90 x 1 buy
        1 quote 99 x 5 / 101 x 5
        2 quote 98 x 5 / -
        3 quote 106 x 5 / 104 x 5
        4 quote 98 x 5 / 99 x 0
        5 trade 120 x 1 buy
        6 quote 103 x 5 / 103 x 5
        """,
    )

    assert mids == [90, 100, 100, 100, 100, 100, 103]


def test_before_any_quote_the_mid_is_the_last_trades_price(tmp_path: Path) -> None:
    mids = _mids(
        tmp_path,
        """
        0 quote 99 x 5 / -
        1 trade 90 x 1 buy
        2 trade 91 x 1 buy
        3 quote 99 x 5 / 101 x 5
        4 trade 90 x 1 buy
        """,
    )

    assert mids == [90, 91, 100, 100]


# The tape.


def test_bad_rows_are_dropped_and_counted(tmp_path: Path) -> None:
    rows = tape(
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 101 x 5
        2 trade 98 x 0 sell
        3 trade 98 x -3 sell
        4 trade 97.5 x 3 sell
        5 quote 90.5 x 5 / 91 x 5
        5 trade 100 x 1 buy
        4 trade 98 x 3 sell
        7 trade 98 x 3 sell
        """
    )
    nan = pl.DataFrame(
        [(START + 6 * SECOND, "trade", math.nan, 1.0, -1, None, None, None, None)], schema=FLOAT_FORM, orient="row"
    )

    played = play(tmp_path, pl.concat([rows[:8], nan, rows[8:]]), {0: ["bid 99 x 5"]}, max_bad_share="1")

    assert played.told == ["7 bought 3 at 99"]
    assert [played.summary[name] for name in ("events", "trades", "quotes")] == [4, 3, 1]


def test_more_bad_rows_than_allowed_are_refused(tmp_path: Path) -> None:
    tape("0 trade 100 x 1 buy\n1 trade 100.5 x 1 buy").write_parquet(tmp_path / "tape.parquet")
    config = CONFIG.format(**USUAL | {"strategy": strategy(tmp_path, {}), "max_bad_share": "0.49"})

    assert backtest(tmp_path, config, [tmp_path / "tape.parquet"], "--engine", "reference") == 4


def test_crossed_and_locked_rows_are_told_and_never_refused(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 10 / 99 x 5
        2 quote 99 x 10 / 98 x 5
        3 quote 99 x 10 / 98 x 5
        """,
        {},
        max_bad_share="0",
    )

    assert played.summary["quotes"] == 3


def test_sizes_off_the_grid_of_lots_round_down(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        0 trade 100 x 1 buy
        0 quote 99 x 3.9 / 101 x 5
        2 trade 99 x 5.7 sell
        """,
        {0: ["bid 99 x 9"]},
        max_bad_share="0",
    )

    assert played.told == ["2 bought 2 at 99"]


def test_overlapping_files_are_refused(tmp_path: Path) -> None:
    tape("0 trade 100 x 1 buy\n5 trade 100 x 1 buy").write_parquet(tmp_path / "a.parquet")
    tape("4 trade 100 x 1 buy\n9 trade 100 x 1 buy").write_parquet(tmp_path / "b.parquet")
    config = CONFIG.format(**USUAL | {"strategy": strategy(tmp_path, {})})

    assert backtest(tmp_path, config, [tmp_path / "a.parquet", tmp_path / "b.parquet"]) == 4


def test_files_are_ordered_by_their_first_time(tmp_path: Path) -> None:
    tape("0 trade 100 x 1 buy\n0 quote 99 x 3 / 101 x 5").write_parquet(tmp_path / "b.parquet")
    tape("4 trade 98 x 2 sell\n9 trade 100 x 1 buy").write_parquet(tmp_path / "a.parquet")
    config = CONFIG.format(**USUAL | {"strategy": strategy(tmp_path, {0: ["bid 99 x 5"]})})
    tapes = [tmp_path / "a.parquet", tmp_path / "b.parquet"]

    code = backtest(tmp_path, config, tapes, "--engine", "reference")

    assert code == 0
    played = result(tmp_path / "run", tapes)
    assert (played.told, played.findings) == (["4 bought 2 at 99"], [])


def test_the_end_of_a_time_range_is_exclusive_and_earlier_rows_are_no_events(tmp_path: Path) -> None:
    rows = "20 trade 100 x 1 buy\n40 quote 99 x 3 / 101 x 5\n60 quote 98 x 3 / 101 x 5\n100 quote 97 x 3 / 101 x 5"
    tape(rows).write_parquet(tmp_path / "tape.parquet")  # START is 22:13:20.
    config = CONFIG.format(**USUAL | {"strategy": strategy(tmp_path, {})})

    code = backtest(tmp_path, config, [tmp_path / "tape.parquet"], "--timerange", "20231114T221400-20231114T221500")

    assert code == 0
    span = START + 40 * SECOND, START + 100 * SECOND
    played = result(tmp_path / "run", [tmp_path / "tape.parquet"], *span)
    assert "\n".join(played.findings) == ""
    assert [played.summary[name] for name in ("events", "trades", "quotes")] == [2, 0, 2]
    assert played.equity["pivot"].to_list()[0] == pytest.approx(100.0, rel=1e-12)


def test_a_tape_without_trades_runs_and_quotes_nothing_and_warns(tmp_path: Path) -> None:
    tape("0 quote 99 x 3 / 101 x 5\n60 quote 98 x 3 / 101 x 5").write_parquet(tmp_path / "tape.parquet")

    code = backtest(tmp_path, SYNTHETIC.config("back"), [tmp_path / "tape.parquet"])

    assert code == 0
    played = result(tmp_path / "run", [tmp_path / "tape.parquet"])
    assert played.orders.is_empty()
    assert any("trade" in warning for warning in played.summary["warnings"])
