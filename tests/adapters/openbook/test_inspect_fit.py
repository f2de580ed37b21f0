"""A configuration fits its market, or each key that does not is named with what would be right."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Lots
from bmv.adapters.openbook.inspection.fit import Expected, check_fit
from bmv.adapters.openbook.inspection.records import Asset, Finding, Inspection, worst
from bmv.ports.errors import ConfigError, DataError, Refused

ADDRESS = Pubkey(bytes(range(32)))
COIN = Asset(mint=ADDRESS, decimals=9, vault=ADDRESS, held=1, owed=1, freezer=None)
MARKET = Inspection(
    venue="openbook-v2",
    program=ADDRESS,
    address=ADDRESS,
    name="SOL-USDC",
    slot=1,
    unix_timestamp=1,
    base=COIN,
    quote=replace(COIN, decimals=6),
    lots=Lots(10**6, 10, 9, 6),
    maker_fee_bps=Decimal(-2),
    taker_fee_bps=Decimal(4),
    bids=None,
    asks=None,
    trades=None,
    trades_note="",
    volume=None,
    backlog=None,
    notes=(),
    findings=(),
)
FITTING = Expected(
    venue="openbook-v2",
    address=str(ADDRESS),
    tick_size=Decimal("0.010"),
    lot_size=Decimal("0.001"),
    min_size=None,
    quote_step=Decimal("0.000001"),
    maker_fee_bps=Decimal("-2.0"),
    taker_fee_bps=Decimal(4),
    contracts=False,
)


@pytest.mark.parametrize("min_size", [None, Decimal("0.001"), Decimal(5)])
def test_a_configuration_that_fits_gives_no_finding(min_size: Decimal | None) -> None:
    assert check_fit(MARKET, replace(FITTING, min_size=min_size)) == ()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"venue": "sim"}, 'market.venue: is "sim", and the market is of "openbook-v2"'),
        ({"address": None}, f"market.address: is absent, and the market lies at {ADDRESS}"),
        ({"tick_size": Decimal("0.02")}, "market.tick_size: is 0.02, and the market's is 0.01"),
        ({"lot_size": Decimal("0.0015")}, "market.lot_size: is 0.0015, and the market's is 0.001"),
        ({"min_size": Decimal("0.0005")}, "market.min_size: is 0.0005, and the market takes nothing below 0.001"),
        ({"quote_step": Decimal("0.01")}, "market.quote_step: is 0.01, and the market's is 0.000001"),
        ({"maker_fee_bps": Decimal(0)}, "market.maker_fee_bps: is 0, and the market's is -2"),
        ({"taker_fee_bps": Decimal(5)}, "market.taker_fee_bps: is 5, and the market's is 4"),
        ({"contracts": True}, "market.contract: is given, and OpenBook trades coins only"),
    ],
)
def test_each_key_that_does_not_fit_is_named(change: dict[str, Any], sentence: str) -> None:
    assert check_fit(MARKET, replace(FITTING, **change)) == (Finding(ConfigError, sentence),)


def test_a_tick_without_a_decimal_form_is_said_as_a_fraction() -> None:
    odd = replace(MARKET, lots=Lots(3_000_000, 10, 9, 6))

    (tick, lot) = check_fit(odd, FITTING)

    assert tick.text == "market.tick_size: is 0.010, and the market's is 1/300"
    assert lot.text.endswith("the market's is 0.003")


def test_units_that_are_unknown_are_not_held_against_it() -> None:
    assert check_fit(replace(MARKET, lots=None), FITTING) == ()


def test_safety_comes_before_data_and_data_before_the_configuration() -> None:
    findings = [Finding(kind, "x") for kind in (ConfigError, DataError, Refused)]

    assert [worst(tuple(findings[:n])) for n in (1, 2, 3)] == [ConfigError, DataError, Refused]
