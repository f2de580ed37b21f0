"""Tick and lot found from the numbers of a tape."""

from decimal import Decimal

import pytest

from bmv.adapters.parquet.infer import infer_steps
from bmv.ports.errors import DataError

GRIDS = ["0.01", "0.005", "0.25", "1", "10", "0.00000001", "0.5"]


@pytest.mark.parametrize("tick", GRIDS)
def test_the_tick_is_the_coarsest_grid_on_which_all_prices_lie(bench, tick):
    prices = [float(Decimal(tick) * count) for count in (1000, 1001, 1003, 1004, 1007)]
    path = bench.floats(bench.trade(ts, price, 0.3) for ts, price in enumerate(prices))

    assert infer_steps(path) == (Decimal(tick), Decimal("0.3"))


def test_one_price_in_a_thousand_off_the_grid_does_not_change_the_tick(bench):
    rows = [bench.trade(ts, 100 + ts * 0.01) for ts in range(2000)]
    rows[7]["price"] = 100.00031

    assert infer_steps(bench.floats(rows))[0] == Decimal("0.01")


def test_prices_and_sizes_of_quotes_count_too(bench):
    path = bench.floats([bench.trade(1, 100.1, 1.0), bench.quote(2, 99.95, 0.25, 100.0, 1.0)])

    assert infer_steps(path) == (Decimal("0.05"), Decimal("0.25"))


def test_a_lake_says_it_itself(bench):
    path = bench.lake(bench.told(bench.tape(bench.floats([bench.trade(1)]))))

    assert infer_steps(path) == (bench.market.tick_size, bench.market.lot_size)


def test_sizes_on_no_grid_get_the_finest_lot_that_can_be_counted(bench):
    path = bench.floats(bench.trade(ts, 100.01, 2000 / (ts + 3)) for ts in range(20))

    assert infer_steps(path)[1] == Decimal("1E-9")


def test_prices_on_no_grid_are_refused(bench):
    path = bench.floats(bench.trade(ts, 100 / (ts + 3)) for ts in range(20))

    with pytest.raises(DataError, match="no decimal grid"):
        infer_steps(path)


def test_a_tape_without_sizes_is_refused(bench):
    with pytest.raises(DataError, match="no sizes"):
        infer_steps(bench.floats([bench.quote(1, bid_size=None, ask_size=None)]))
