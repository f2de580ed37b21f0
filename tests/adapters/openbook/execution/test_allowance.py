"""What limits are reckoned by after a transaction had too little: a simulation, or growth that ends."""

from dataclasses import replace

import pytest
from solders.pubkey import Pubkey

from bmv.adapters.openbook.execution.allowance import GROWTHS_MAX, WIDEST, Allowance, Used, read_used
from bmv.adapters.openbook.planning.budget import Head, Shape, loaded_limit, units_limit
from bmv.adapters.solana.errors import Json

TABLE = Shape(1_000, 20_000, 5_000, 3_000, 8_000, 4_000, 9_000, 7_000, loaded=900_000, loaded_each=1_000)
UNITS, LOADED = TABLE.base + TABLE.place + TABLE.place_each, TABLE.loaded + TABLE.loaded_each


def head(version: int = 1) -> Head:
    """Return the head of a transaction that places one order, with the limits of the table."""
    return Head(version, Pubkey.default(), units_limit(UNITS), loaded_limit(LOADED), 0, 0)


def allowance() -> Allowance:
    return Allowance(TABLE, TABLE)


def limits(one: Allowance) -> tuple[int, int]:
    """Return the limits that the next such transaction gets."""
    shape = one.shape
    return units_limit(shape.base + shape.place + shape.place_each), loaded_limit(shape.loaded + shape.loaded_each)


@pytest.mark.parametrize("units", [17_000, 25_000, 40_000])
def test_the_next_limit_of_units_is_that_of_the_simulation_with_the_usual_margin(units: int) -> None:
    one = allowance()

    words = one.learn(head(), Used(units, LOADED // 2))

    assert units_limit(units) <= limits(one)[0] <= units_limit(units) * 11 // 10
    assert limits(one)[1] == loaded_limit(LOADED)
    assert (f"takes {units}" in words, one.growths) == (True, 0)


def test_the_next_limit_of_bytes_is_that_of_the_simulation_with_the_usual_margin() -> None:
    one = allowance()

    one.learn(head(), Used(UNITS // 2, 1_500_000))

    assert limits(one)[0] == units_limit(UNITS)
    assert loaded_limit(1_500_000) <= limits(one)[1] <= loaded_limit(1_500_000) * 11 // 10


def test_no_node_makes_limits_wider_than_what_still_fits_a_transaction() -> None:
    one = allowance()

    one.learn(head(), Used(1_400_000, 64 * 1024 * 1024))
    one.learn(head(), Used(1_400_000, 64 * 1024 * 1024))

    assert one.shape == Shape(*(getattr(TABLE, name) * WIDEST for name in Shape.__slots__))


@pytest.mark.parametrize("used", [None, Used(UNITS, LOADED)])
def test_without_a_simulation_that_explains_it_limits_grow_by_half_and_not_for_ever(used: Used | None) -> None:
    one = allowance()

    words = [one.learn(head(), used) for _ in range(GROWTHS_MAX + 1)]

    assert one.shape.place == TABLE.place * 9 // 4
    assert [bool(each) for each in words] == [True, True, False]


def test_version_0_has_no_limit_of_bytes_that_could_be_too_low() -> None:
    one = allowance()

    one.learn(replace(head(), version=0), Used(UNITS // 2, 10_000_000))

    assert one.growths == 1


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        {"value": None},
        {"value": {"err": "AccountNotFound", "unitsConsumed": 5}},
        {"value": {"err": None}},
        {"value": {"err": None, "unitsConsumed": "5"}},
        {"value": {"err": None, "unitsConsumed": 0}},
        {"value": {"err": None, "unitsConsumed": 2_000_000}},
        {"value": {"err": None, "unitsConsumed": 5, "loadedAccountsDataSize": -1}},
        {"value": {"err": None, "unitsConsumed": 5, "loadedAccountsDataSize": None}},
    ],
)
def test_what_is_no_measurement_is_none(answer: Json) -> None:
    assert read_used(answer) is None
