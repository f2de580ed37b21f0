"""What tick and lot files count in: as given, else as stated, else as their numbers tell."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bmv.data.ticks.steps import Origin, find_steps

GRIDS = ["0.01", "0.005", "0.25", "1", "10", "0.00000001", "0.5"]


@pytest.mark.parametrize("tick", GRIDS)
def test_the_tick_is_the_coarsest_grid_on_which_all_prices_lie(bench, tick):
    prices = [float(Decimal(tick) * count) for count in (1000, 1001, 1003, 1004, 1007)]
    path = bench.floats(bench.trade(ts, price, 0.3) for ts, price in enumerate(prices))

    assert find_steps([path]) == (Decimal(tick), Decimal("0.3"), Origin.NUMBERS)


def test_one_price_in_a_thousand_off_the_grid_does_not_change_the_tick(bench):
    rows = [bench.trade(ts, 100 + ts * 0.01) for ts in range(2000)]
    rows[7]["price"] = 100.00031

    assert find_steps([bench.floats(rows)]).tick == Decimal("0.01")


def test_prices_and_sizes_of_quotes_count_too(bench):
    path = bench.floats([bench.trade(1, 100.1, 1.0), bench.quote(2, 99.95, 0.25, 100.0, 1.0)])

    assert find_steps([path])[:2] == (Decimal("0.05"), Decimal("0.25"))


def test_a_lake_says_it_itself(bench):
    path = bench.lake(bench.told(bench.tape(bench.floats([bench.trade(1)]))))

    assert find_steps([path]) == (bench.market.tick_size, bench.market.lot_size, Origin.STATED)


def test_sizes_on_no_grid_get_the_finest_lot_that_can_be_counted(bench):
    path = bench.floats(bench.trade(ts, 100.01, 2000 / (ts + 3)) for ts in range(20))

    assert find_steps([path]).lot == Decimal("1E-9")


def test_prices_on_no_grid_tell_no_tick(bench):
    path = bench.floats(bench.trade(ts, 100 / (ts + 3)) for ts in range(20))

    assert find_steps([path]).tick is None


def test_a_tape_without_sizes_tells_no_lot(bench):
    assert find_steps([bench.floats([bench.quote(1, bid_size=None, ask_size=None)])]).lot is None


def test_what_is_given_wins_over_what_is_stated_and_that_over_the_numbers(bench):
    path = bench.floats([bench.trade(1, 100.1, 0.5)])
    given, stated = Decimal("0.1"), Decimal("0.25")

    assert find_steps([path], (given, None), (Decimal(1), stated)) == (given, stated, Origin.STATED)
    assert find_steps([path], (given, None)) == (given, Decimal("0.5"), Origin.NUMBERS)
    assert find_steps([path], (given, stated)) == (given, stated, Origin.GIVEN)


def test_files_that_state_different_steps_state_none(bench):
    rows = bench.told(bench.tape(bench.floats([bench.trade(1_756_857_600_000_000_000, 100.25, 0.5)])))
    finer = replace(bench.market, tick_size=bench.market.tick_size / 10)

    paths = [bench.lake(rows, "1.parquet"), bench.lake(rows, "2.parquet", finer)]

    assert find_steps(paths[:1]).origin is Origin.STATED
    assert find_steps(paths).origin is Origin.NUMBERS
