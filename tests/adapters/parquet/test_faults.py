"""Each fault a row can have: what is dropped and counted, what is told as it is, and what refuses the run."""

from decimal import Decimal
from math import inf, nan

import pytest

from bmv.adapters.parquet.tape import ParquetTape
from bmv.data.ticks.calendar import EARLIEST_NS, LATEST_NS
from bmv.data.ticks.quality import Fault
from bmv.ports.errors import DataError
from bmv.ports.market import Market

T, Q, D = 1, 2, 3

BAD_TRADES = [
    # price, size, side, fault
    (nan, 1.0, 1, Fault.NUMBER),
    (None, 1.0, 1, Fault.NUMBER),
    (inf, 1.0, 1, Fault.NUMBER),
    (100.0, nan, 1, Fault.NUMBER),
    (100.0, None, 1, Fault.NUMBER),
    (0.0, 1.0, 1, Fault.PRICE),
    (-100.0, 1.0, 1, Fault.PRICE),
    (100.0, 0.0, 1, Fault.SIZE),
    (100.0, -1.0, 1, Fault.SIZE),
    (100.0, 0.09, 1, Fault.LOT),  # Rounds down to no lot at all.
    (100.0, -0.09, 1, Fault.SIZE),
    (100.005, 1.0, 1, Fault.GRID),
    (100.0001, 1.0, 1, Fault.GRID),
    (100.0, 1.0, 2, Fault.SIDE),
]

BAD_QUOTES = [
    # bid, bid_size, ask, ask_size, fault
    (nan, 1.0, 100.01, 1.0, Fault.NUMBER),
    (99.99, nan, 100.01, 1.0, Fault.NUMBER),
    (99.99, 1.0, inf, 1.0, Fault.NUMBER),
    (-99.99, 1.0, 100.01, 1.0, Fault.PRICE),
    (0.0, 1.0, 100.01, 1.0, Fault.PRICE),
    (99.99, 1.0, 0.0, 5.0, Fault.PRICE),
    (99.99, -1.0, 100.01, 1.0, Fault.SIZE),
    (99.995, 1.0, 100.01, 1.0, Fault.GRID),
    (99.99, 1.0, 100.015, 1.0, Fault.GRID),
]

GOOD_QUOTES = [
    # bid, bid_size, ask, ask_size -> what is told of the book
    (99.99, 1.0, 100.01, 2.0, (9999, 10, 10001, 20)),
    (99.99, 0.35, 100.01, 2.0, (9999, 3, 10001, 20)),  # Off the lot grid.
    (99.99, None, 100.01, None, (9999, -1, 10001, -1)),  # Sizes not recorded.
    (99.99, 0.0, 100.01, 2.0, (0, 0, 10001, 20)),  # No bid.
    (None, 1.0, 100.01, 2.0, (0, 0, 10001, 20)),
    (None, None, 100.01, 2.0, (0, 0, 10001, 20)),
    (0.0, 0.0, 100.01, 2.0, (0, 0, 10001, 20)),
    (0.0, None, 100.01, 2.0, (0, 0, 10001, 20)),
    (-5.0, 0.0, 100.01, 2.0, (0, 0, 10001, 20)),  # An absent side's price is not looked at.
    (99.99, 1.0, None, None, (9999, 10, 0, 0)),
    (None, None, None, None, (0, 0, 0, 0)),  # An empty book is told.
    (100.01, 1.0, 100.01, 2.0, (10001, 10, 10001, 20)),  # Locked.
    (100.02, 1.0, 100.01, 2.0, (10002, 10, 10001, 20)),  # Crossed.
]


@pytest.mark.parametrize(("price", "size", "side", "fault"), BAD_TRADES)
def test_a_bad_trade_is_dropped_and_counted_under_its_fault(bench, price, size, side, fault):
    rows = [bench.trade(1), bench.trade(2, price, size, side), bench.trade(3)]
    tape = bench.tape(bench.floats(rows), max_bad_share=0.5)

    told = bench.told(tape)

    assert told.ts_ns.tolist() == [1, 3]
    assert tape.quality.bad == {fault: 1}
    assert tape.quality.rows == 3


@pytest.mark.parametrize(("bid", "bid_size", "ask", "ask_size", "fault"), BAD_QUOTES)
def test_a_bad_quote_is_dropped_and_counted_under_its_fault(bench, bid, bid_size, ask, ask_size, fault):
    rows = [bench.trade(1), bench.quote(2, bid, bid_size, ask, ask_size), bench.trade(3)]
    tape = bench.tape(bench.floats(rows), max_bad_share=0.5)

    assert bench.told(tape).ts_ns.tolist() == [1, 3]
    assert tape.quality.bad == {fault: 1}


@pytest.mark.parametrize(("bid", "bid_size", "ask", "ask_size", "book"), GOOD_QUOTES)
def test_a_quote_that_is_odd_but_true_is_told(bench, bid, bid_size, ask, ask_size, book):
    tape = bench.tape(bench.floats([bench.quote(1, bid, bid_size, ask, ask_size), bench.trade(2)]), max_bad_share=0)

    assert bench.rows(tape)[0] == (1, Q, 0, 0, 0, *book)


def test_crossed_locked_empty_and_unsized_books_and_odd_lots_are_counted(bench):
    books = [bench.quote(ts, *quote[:4]) for ts, quote in enumerate(GOOD_QUOTES)]
    tape = bench.tape(bench.floats([*books, bench.trade(99, size=0.25, side=0)]))

    bench.told(tape)

    quality = tape.quality
    assert (quality.crossed, quality.locked, quality.empty, quality.unsized) == (1, 1, 1, 1)
    assert (quality.off_lot, quality.unsided, quality.dropped) == (2, 1, 0)
    assert quality.good == quality.rows == len(GOOD_QUOTES) + 1


def test_unknown_kinds_and_missing_times_are_dropped(bench):
    strange = {**bench.trade(2), "kind": "auction"}
    nameless = {**bench.trade(2), "kind": None}
    tape = bench.tape(bench.floats([bench.trade(1), strange, nameless, bench.trade(None)]), max_bad_share=1)

    assert bench.told(tape).ts_ns.tolist() == [1]
    assert tape.quality.bad == {Fault.KIND: 2, Fault.TIME: 1}


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 100])
def test_time_running_back_is_judged_against_the_last_good_row(bench, batch_rows):
    times = [5, 5, 4, 7, 6, 7, 8]
    rows = [bench.trade(ts) for ts in times]
    rows.insert(3, bench.trade(1000, price=nan))  # A bad row's time holds nobody back.
    tape = bench.tape(bench.floats(rows), batch_rows=batch_rows, max_bad_share=0.5)

    assert bench.told(tape).ts_ns.tolist() == [5, 5, 7, 7, 8]
    assert tape.quality.bad == {Fault.BACK: 2, Fault.NUMBER: 1}


def test_a_row_of_the_distant_future_within_a_window_holds_nobody_back(bench):
    rows = [bench.trade(ts) for ts in (1, 2, 999, 3, 4, 5)]
    tape = bench.tape(bench.floats(rows), start_ns=2, end_ns=5, max_bad_share=0)

    assert bench.told(tape).ts_ns.tolist() == [2, 3, 4]
    assert tape.quality.rows == 3


def test_depth_may_remove_a_level_or_clear_the_book_but_not_without_a_side(bench):
    rows = [
        bench.depth(1, 1, 99.99, 3.0),
        bench.depth(2, -1, 100.01, 0.0),
        bench.depth(3, 0, 0.0, 0.0),
        bench.depth(4, 0, 99.99, 1.0),
        bench.depth(5, 1, 0.0, 1.0),
        bench.depth(6, 1, 99.99, -1.0),
    ]
    tape = bench.tape(bench.floats(rows), max_bad_share=1)

    assert [row[1:5] for row in bench.rows(tape)] == [(D, 1, 9999, 30), (D, -1, 10001, 0), (D, 0, 0, 0)]
    assert tape.quality.bad == {Fault.SIDE: 1, Fault.PRICE: 1, Fault.SIZE: 1}


def test_noise_of_floats_is_no_fault_even_at_nine_digits_of_ticks(bench):
    prices = [0.1 + 0.2, 1.1 * 1.1, 1234567.89, 9_999_999.99, 0.07 * 100]
    sizes = [0.3, 0.1 * 3, 1 - 0.9, 0.7, 4.35 * 100]
    tape = bench.tape(bench.floats(bench.trade(1, *pair) for pair in zip(prices, sizes, strict=True)))

    told = bench.rows(tape)

    assert [row[3] for row in told] == [30, 121, 123456789, 999999999, 700]
    assert [row[4] for row in told] == [3, 3, 1, 7, 4350]


def test_too_many_bad_rows_refuse_the_run_naming_the_first_and_a_tick_that_fits(bench):
    rows = [bench.trade(ts, 100 + ts * 0.005) for ts in range(100)]
    path = bench.floats(rows)

    with pytest.raises(DataError) as refused:
        list(bench.tape(path).batches())

    message = str(refused.value)
    assert "50 of 100 rows" in message
    assert "max_bad_share 0.01" in message
    assert f"{path}, row 1 (the first is 0): price off the grid: ts=1 kind=trade side=1 price=100.005" in message
    assert "tick_size is 0.01, 0.005 would fit" in message


def test_a_share_of_bad_rows_exactly_as_allowed_passes(bench):
    rows = [bench.trade(ts) for ts in range(99)] + [bench.trade(99, 0.0)]

    assert len(bench.told(bench.tape(bench.floats(rows), max_bad_share=0.01)).kind) == 99
    with pytest.raises(DataError):
        list(bench.tape(bench.floats(rows), max_bad_share=0.0099).batches())


def test_refusal_comes_before_the_batch_that_makes_it_certain(bench):
    path = bench.floats([bench.trade(ts, 0.0 if 10 <= ts < 20 else 100.0) for ts in range(100)])
    batches = bench.tape(path, batch_rows=10).batches()

    assert len(next(batches).kind) == 10
    with pytest.raises(DataError, match="10 of 20 rows read"):
        next(batches)


@pytest.mark.parametrize(
    "row",
    [
        {"price": 2.0**40 / 100, "size": 1.0},
        {"price": 1.0, "size": 2.0**40 / 10},
        {"price": 1e300, "size": 1.0},
    ],
)
def test_a_number_too_large_to_be_told_safely_ends_the_run(bench, row):
    path = bench.floats([bench.trade(1), bench.trade(2, **row)])

    with pytest.raises(DataError, match=r"row 1 .*out of range"):
        list(bench.tape(path, max_bad_share=1).batches())


def test_a_price_times_size_that_could_wrap_money_ends_the_run(bench):
    market = Market("X", Decimal("1"), Decimal("1"), Decimal("0.000001"))  # 500,000 quanta in half a tick times a lot.
    most = 2**61 // (2 * market.half)
    path = bench.floats([bench.trade(1, 1.0, 1.0), bench.trade(2, float(most // 2**20), 2.0**20 + 1)])

    with pytest.raises(DataError, match=r"row 1 .*price times size out of range"):
        list(bench.tape(path, market=market).batches())


def test_a_tape_without_a_single_good_row_is_refused_whatever_is_allowed(bench):
    path = bench.floats([bench.trade(1, 0.0)])

    with pytest.raises(DataError, match="no good row among 1: 1 price zero or negative"):
        list(bench.tape(path, max_bad_share=1).batches())


def test_holes_in_the_record_are_warned_of_longest_first(bench):
    minute = 60 * 10**9
    times = [0, minute, 2 * minute + 1, 2 * minute + 2, 10 * minute]
    for batch_rows in (1, 2, 10):
        tape = bench.tape(bench.floats(bench.trade(ts) for ts in times), batch_rows=batch_rows)
        bench.told(tape)

        assert tape.quality.gap_count == 2
        assert [tuple(gap) for gap in tape.quality.gaps] == [(times[3], times[4]), (times[1], times[2])]
        assert "no rows from 1970-01-01T00:02:00Z to 1970-01-01T00:10:00Z" in tape.quality.warnings


def test_a_tape_without_trades_warns(bench):
    tape = bench.tape(bench.floats([bench.quote(1), bench.quote(2)]))

    bench.told(tape)

    assert "no trades" in tape.quality.warnings[0]


def test_the_tally_is_json_and_its_repr_a_report(bench):
    tape = bench.tape(bench.floats([bench.quote(1), bench.trade(2), bench.trade(3, 0.0)]), max_bad_share=1)

    bench.told(tape)

    assert tape.quality.as_dict()["bad"] == {"price": 1}
    assert repr(tape.quality).startswith(
        "<Quality 2 of 3 rows told | 1 trades, 1 quotes, 0 depths | 1 dropped (1 price"
    )


NOW = 1756857600_000000000


@pytest.mark.parametrize("wrong", [NOW // 10**9, NOW // 1_000, EARLIEST_NS - 1, LATEST_NS, 0, 34_200_000])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_time_that_no_market_can_have_ends_the_run_by_row_and_column(bench, wrong, at):
    times = [NOW, NOW + 1, NOW + 2]
    times[at] = wrong
    path = bench.floats([bench.trade(ts) for ts in times])

    with pytest.raises(DataError) as error:
        bench.told(ParquetTape([path], bench.market, max_bad_share=1))

    message = f"{path}, row {at} (the first is 0): column 'ts' is {wrong}; it should be a time from 1998 to 2059 in ns"
    assert str(error.value).startswith(message)


def test_a_row_without_a_time_is_dropped_and_not_taken_for_one_of_1970(bench):
    path = bench.floats([bench.trade(NOW), bench.trade(None), bench.trade(NOW + 2)])
    tape = bench.tape(path, earliest_ns=EARLIEST_NS, max_bad_share=0.5)

    assert bench.told(tape).ts_ns.tolist() == [NOW, NOW + 2]
    assert tape.quality.bad == {Fault.TIME: 1}
