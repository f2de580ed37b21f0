"""Numbers as people read them: thousands apart, a true minus, units beside them, and a dash for what is not known."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from bmv.data.runs.numbers import SECOND, finite

UNKNOWN = "–"
MINUS = "−"
CONTRACTS = ("PERP", "PERPETUAL", "SWAP", "FUTURE", "FUTURES", "SPOT")  # What stands in symbols and is no currency.


EXACT_MAX = 1e15  # From here on a float does not hold every whole number, and more digits would mean nothing.
SMALL = 1e-9  # Below it, zeros after the point are counted, not read.
ROOM = 13  # Characters that a figure may take where it stands in a column: those of `1,000,000,000`.


def plain(value: float, decimals: int = 2, *, sign: bool = False) -> str:
    """Return `value` with thousands apart; beyond what a float holds to the unit, with an exponent.

    >>> plain(-12345.678), plain(3, 0, sign=True), plain(-0.001), plain(-4.1e17)
    ('−12,345.68', '+3', '0.00', '−410e15')
    """
    if abs(value) >= EXACT_MAX:
        return engineering(value, sign=sign)
    rounded = round(value, decimals) + 0.0
    return f"{rounded:{'+' if sign and rounded else ''},.{decimals}f}".replace("-", MINUS)


def engineering(value: float, *, sign: bool = False) -> str:
    """Return `value` in six digits with an exponent of three, six, nine …

    >>> engineering(410e9), engineering(-1234567890.0), engineering(2e-12), engineering(999_999_900)
    ('410e9', '−1.23457e9', '2e−12', '1e9')
    """
    digits, _, exponent = f"{value:{'+' if sign else ''}.5e}".partition("e")
    shift = int(exponent) % 3
    mantissa = f"{Decimal(digits).scaleb(shift):{'+' if sign else ''}f}"
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{int(exponent) - shift}".replace("-", MINUS)


def brief(text: str, value: float, *, sign: bool = False) -> str:
    """Return `text`, which says `value`, or a shorter way to say it where that is longer than `ROOM`.

    >>> brief("410,000,000,000", 410e9), brief("2,569.1", 2569.1)
    ('410e9', '2,569.1')
    """
    return text if len(text) <= ROOM else engineering(value, sign=sign)


def significant(value: float, digits: int = 6) -> str:
    """Return `value` with at most so many digits that mean something.

    >>> significant(0.00012345678), significant(61234.5678), significant(1234567.0), significant(1e-12)
    ('0.000123457', '61,234.6', '1,234,567', '1e−12')
    """
    if value and not SMALL <= abs(value) < EXACT_MAX:
        return engineering(value)
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    leading = 0 if whole or not value else max(0, -int(f"{value:e}".split("e")[1]) - 1)
    text = plain(value, min(max(digits - whole, 0) + leading, 15))
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(fraction: float) -> str:
    """Return a fraction in percent.

    >>> percent(0.1234), percent(0.00012)
    ('12.3 %', '0.012 %')
    """
    value = fraction * 100
    return f"{brief(plain(value, 1), value) if abs(value) >= 1 or not value else significant(value, 2)} %"


def span(seconds: float) -> str:
    """Return a time span in its fitting units.

    >>> span(0.25), span(95), span(4000), span(200_000)
    ('250 ms', '1 min 35 s', '1 h 6 min', '2 d 7 h')
    >>> span(60), span(-7200)
    ('1 min', '−2 h')
    """
    if seconds < 0:
        return MINUS + span(-seconds)
    if 0 < seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    for large, small, name, lesser in ((86_400, 3600, "d", "h"), (3600, 60, "h", "min"), (60, 1, "min", "s")):
        if seconds >= large:
            whole, rest = divmod(seconds, large)
            return f"{plain(whole, 0)} {name} {rest // small:.0f} {lesser}".removesuffix(f" 0 {lesser}")
    return f"{seconds:.3g} s"


def moneys(amounts: Mapping[str, object]) -> dict[str, str]:
    """Return amounts of quote with one number of decimals for all of them, so that a sum can be checked by eye.

    >>> moneys({"net": "1.5", "fees": "-0.25"})
    {'net': '+1.5000', 'fees': '−0.2500'}
    """
    values = {name: finite(amount) for name, amount in amounts.items()}
    decimals = money_decimals(max((abs(value) for value in values.values() if value is not None), default=0.0))
    return {name: UNKNOWN if value is None else plain(value, decimals, sign=True) for name, value in values.items()}


def money_decimals(largest: float) -> int:
    """Return how many decimals of quote to show beside an amount of `largest`."""
    return 2 if largest >= 1000 or not largest else 4 if largest >= 1 else 6 if largest >= 0.0001 else 8


def base_decimals(largest: float) -> int:
    """Return how many decimals of base to show beside an amount of `largest`.

    >>> base_decimals(12345.0), base_decimals(12.3), base_decimals(0.0123), base_decimals(0)
    (0, 3, 6, 0)
    """
    return min(max(0, 4 - int(f"{largest:e}".split("e")[1])), 8) if largest else 0


def instant(ts_ns: int) -> str:
    """Return an instant in UTC to the second.

    >>> instant(1_756_857_600_000_000_000)
    '2025-09-03 00:00:00'
    """
    return datetime.fromtimestamp(ts_ns / SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S")


def currencies(symbol: str) -> tuple[str, str]:
    """Return base and quote where the symbol tells them beyond doubt, and the plain words `base` and `quote` elsewhere.

    A venue before the last underscore is no currency, nor is what a contract is called (`SOL-PERP`) or when it ends.

    >>> currencies("SOL/USDC"), currencies("standx_BTC-USD-PERP"), currencies("us_AIG")
    (('SOL', 'USDC'), ('BTC', 'USD'), ('base', 'quote'))
    """
    base, quote, *_ = [*re.split("[/-]", symbol.rpartition("_")[2]), ""]
    told = base.isalnum() and quote.isalnum() and not quote[0].isdigit() and quote.upper() not in CONTRACTS
    return (base, quote) if told else ("base", "quote")
