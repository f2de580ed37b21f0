"""Whether a configuration is for this market."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from bmv.adapters.openbook.inspection.records import Finding, Inspection
from bmv.ports.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a configuration says of its market, by the names of its keys."""

    venue: str
    address: str | None
    tick_size: Decimal
    lot_size: Decimal
    min_size: Decimal | None
    quote_step: Decimal
    maker_fee_bps: Decimal
    taker_fee_bps: Decimal
    contracts: bool


def exact(value: Fraction) -> str:
    """Return a number as a decimal without end zeros, or as a fraction where it has no end.

    >>> exact(Fraction(1, 1000)), exact(Fraction(15_000)), exact(Fraction(1, 3))
    ('0.001', '15000', '1/3')
    """
    rest, places = value.denominator, 0
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest, power = rest // prime, power + 1
        places = max(places, power)
    if rest != 1:
        return str(value)
    whole = value.numerator * 10**places // value.denominator
    return f"{Decimal((whole < 0, tuple(map(int, str(abs(whole)))), -places)):f}"


def check_fit(inspection: Inspection, expected: Expected) -> tuple[Finding, ...]:
    """Return what a configuration says that is not so; what is unknown of the market is not held against it."""
    return tuple(Finding(ConfigError, text) for text in _differences(inspection, expected))


def _differences(inspection: Inspection, expected: Expected) -> Iterator[str]:
    if expected.venue != inspection.venue:
        yield f'market.venue: is "{expected.venue}", and the market is of "{inspection.venue}"'
    if expected.address != str(inspection.address):
        yield f"market.address: is {expected.address or 'absent'}, and the market lies at {inspection.address}"
    if expected.contracts:
        yield "market.contract: is given, and OpenBook trades coins only"
    for name, has, true in (
        ("maker_fee_bps", expected.maker_fee_bps, inspection.maker_fee_bps),
        ("taker_fee_bps", expected.taker_fee_bps, inspection.taker_fee_bps),
    ):
        if has != true:
            yield f"market.{name}: is {has}, and the market's is {exact(Fraction(true))}"
    yield from _units(inspection, expected)


def _units(inspection: Inspection, expected: Expected) -> Iterator[str]:
    lots = inspection.lots
    if lots is None:
        return
    for name, has, true in (
        ("tick_size", expected.tick_size, lots.tick),
        ("lot_size", expected.lot_size, lots.lot),
        ("quote_step", expected.quote_step, Fraction(1, 10**lots.quote_decimals)),
    ):
        if Fraction(has) != true:
            yield f"market.{name}: is {has}, and the market's is {exact(true)}"
    least = expected.min_size
    if least is not None and Fraction(least) < lots.lot:
        yield f"market.min_size: is {least}, and the market takes nothing below {exact(lots.lot)}"
