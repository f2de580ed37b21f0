"""A record whose depth misses rows, or whose trades and quotes are not of one clock, is told from one that is whole."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from bmv.data.ticks.book import Book
from bmv.data.ticks.check.check import Findings, check
from bmv.data.ticks.schema import LAKE, LAKE_SCHEMA

SECOND = 1_000_000_000
START_NS = 1_756_857_600 * SECOND
TRADE, QUOTE, DEPTH = 1, 2, 3
BUY, SELL, CLEAR = 1, -1, 0
Row = tuple[int, int, int, int, int]  # Second, kind, side, price, size.


def record(rows: Sequence[Row]) -> pl.DataFrame:
    """Return rows of prints and depth as a lake keeps them."""
    table = pl.DataFrame(rows, schema=["ts_ns", "kind", "side", "price", "size"], orient="row")
    table = table.with_columns(pl.col("ts_ns") * SECOND + START_NS)
    return pl.concat([pl.DataFrame(schema=LAKE_SCHEMA), table], how="diagonal_relaxed").select(list(LAKE))


def found(rows: Sequence[Row]) -> Findings:
    whole, cut = check([record(rows)]), check(record(rows).iter_slices(1))
    assert whole == cut
    return whole


BOOK: list[Row] = [(0, DEPTH, CLEAR, 0, 0), (0, DEPTH, BUY, 99, 5), (0, DEPTH, BUY, 98, 5), (0, DEPTH, SELL, 101, 5)]


def test_a_book_whose_levels_are_removed_misses_nothing() -> None:
    rows = [*BOOK, (1, DEPTH, BUY, 101, 5), (1, DEPTH, SELL, 101, 0), (1, DEPTH, SELL, 103, 5), (2, TRADE, BUY, 103, 1)]

    made = found(rows)

    assert (made.levels_passed, made.crossed_ns, made.outside) == (0, 0, 0)


def test_a_level_that_nobody_removed_is_counted_and_prints_are_judged_without_it() -> None:
    rows = [*BOOK, (1, DEPTH, SELL, 98, 5), (3, DEPTH, BUY, 97, 1), (4, TRADE, SELL, 97, 1), (5, TRADE, BUY, 105, 1)]

    made = found(rows)

    assert (made.levels_passed, made.crossed_ns) == (2, 2 * SECOND)
    assert (made.outside, made.wrong_side) == (1, 0)


def test_a_snapshot_of_one_side_leaves_levels_that_are_passed() -> None:
    rows = [*BOOK, (5, DEPTH, BUY, 104, 5), (5, DEPTH, BUY, 103, 5), (6, DEPTH, BUY, 90, 1)]

    assert found(rows).levels_passed == 1


def two_clocks(shift_ms: int, side: int = 1, swap: bool = False) -> Findings:
    """Return what is found of a market whose trades are late by `shift_ms`; `side` -1 names the makers' sides."""
    dice = np.random.default_rng(4)
    n = 40_000
    ts_ns = START_NS + np.arange(n) * SECOND
    mid = 10_000 + np.cumsum(dice.integers(-2, 3, n))
    aggressor = dice.choice([-1, 1], n)
    quotes = pl.DataFrame({"ts_ns": ts_ns, "kind": QUOTE, "bid": mid - 1, "ask": mid + 1, "bid_size": 5, "ask_size": 5})
    if swap:
        quotes = quotes.rename({"bid": "ask", "ask": "bid"})
    trades = pl.DataFrame(
        {"ts_ns": ts_ns + SECOND // 2 + shift_ms * 1_000_000, "kind": TRADE, "side": side * aggressor,
         "price": mid + aggressor, "size": 1}
    )  # fmt: skip
    rows = pl.concat([pl.DataFrame(schema=LAKE_SCHEMA), quotes, trades], how="diagonal_relaxed").select(list(LAKE))
    return check([rows.sort("ts_ns", maintain_order=True)])


# Quotes come every second, trades between two of them: the smallest shift that puts a trade after its quote is found.
@pytest.mark.parametrize(("shift_ms", "skew_ms"), [(0, 0), (2_000, 1_500), (-5_000, -5_000), (3_600_000, 3_600_000)])
def test_trades_on_another_clock_are_found_by_how_much_quotes_must_move(shift_ms: int, skew_ms: int) -> None:
    assert two_clocks(shift_ms).skew_ms == skew_ms


def test_the_makers_sides_and_swapped_quotes_are_counted() -> None:
    assert two_clocks(0).wrong_side == 0
    assert two_clocks(0, side=-1).wrong_side == 40_000
    assert two_clocks(0, swap=True).crossed == 40_000


@pytest.mark.parametrize(("lacking", "unmet"), [("", 1), ("bid", 101), ("ask", 101)])
def test_prints_that_no_bid_and_ask_stand_before_are_counted(lacking: str, unmet: int) -> None:
    ts_ns = START_NS + np.arange(101) * SECOND
    quotes = pl.DataFrame({"ts_ns": ts_ns + 1, "kind": QUOTE, "bid": 99, "ask": 101, "bid_size": 5, "ask_size": 5})
    trades = pl.DataFrame({"ts_ns": ts_ns, "kind": TRADE, "side": 1, "price": 101, "size": 1})
    rows = pl.concat([pl.DataFrame(schema=LAKE_SCHEMA), quotes, trades], how="diagonal_relaxed").sort("ts_ns")
    rows = rows.with_columns(pl.lit(None, pl.Int64).alias(f"{lacking}{size}") for size in ("", "_size") if lacking)

    whole, cut = (check(parts) for parts in ([rows.select(list(LAKE))], rows.select(list(LAKE)).iter_slices(1)))

    assert whole == cut
    assert (whole.unmet, whole.outside, whole.wrong_side) == (unmet, 0, 0)
    assert check([trades_alone(rows)]).unmet == 0


def trades_alone(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("kind") == TRADE).select(list(LAKE))


def test_a_price_that_comes_and_goes_does_not_fill_the_memory() -> None:
    book = Book()
    book.add(record(BOOK))

    book.add(record([(1 + n, DEPTH, BUY, 90, n % 2) for n in range(2_000)]))

    assert sum(map(len, book._heaps.values())) <= 5
