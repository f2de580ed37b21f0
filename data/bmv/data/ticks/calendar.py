"""Which times a tick may have, and what a number that can't be one may be instead.

A market whose ticks are read here opened in 1998 or later: the archives of Lean begin then, those of crypto ten years
after. What is not a time since 1970 nearly always comes out as one outside these years: the range from its first year
to its last is less than a factor of five wide in seconds since 1970, so a unit that is wrong by a thousand leaves it;
clocks, days and counts from midnight end in 1970 to 1972, counts of 100 ns from the year 1 in 1990, counts from 2000 or
2001 before 1998. The last year is no later than it must be: what a wrong word or a wrong unit puts into 2091 is no tick
either, and a limit that moves with our clock would read the same file differently tomorrow.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import polars as pl

from bmv.ports.errors import DataError

EARLIEST_NS = 883_612_800 * 10**9  # 1998-01-01T00:00:00Z.
LATEST_NS = 2_840_140_800 * 10**9  # 2060-01-01T00:00:00Z.
YEARS = "from 1998 to 2059"
YEARS_OF_TICKS = range(1998, 2060)
NS_PER = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}

_DAY_S = 86_400
# What else is counted in whole numbers: since when, and how many of them a second has.
_OTHER_COUNTS = (
    ("100 ns since the year 1 (.NET)", datetime(1, 1, 1, tzinfo=UTC), 10**7),
    ("100 ns since 1601 (Windows)", datetime(1601, 1, 1, tzinfo=UTC), 10**7),
    ("nanoseconds since 2000 (kdb+)", datetime(2000, 1, 1, tzinfo=UTC), 10**9),
    ("seconds since 2001 (Apple)", datetime(2001, 1, 1, tzinfo=UTC), 1),
)
_EXCEL = datetime(1899, 12, 30, tzinfo=UTC)
# A count from elsewhere is believed within these years only: more guesses than one would help nobody.
_RECENT = datetime(2005, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)


def impossible(ts_ns: pl.Series) -> pl.Series:
    """Return which times (nanoseconds UTC) no tick can have; one that is missing is another fault."""
    return ~ts_ns.is_between(EARLIEST_NS, LATEST_NS, closed="left").fill_null(True)


def refuse_impossible(origin: object, rows: pl.Series, times: pl.Series, column: str, unit: str = "ns") -> None:
    """Raise `DataError` where a number can't be the time of a tick; one that is missing is another fault.

    Args:
        origin: The file.
        rows: Number of each row in the file, the first being 0.
        times: Whole numbers in `unit` since 1970 UTC.
        column: Where they stand in the file.
    """
    first, last = EARLIEST_NS // NS_PER[unit], LATEST_NS // NS_PER[unit]
    if _inside(times.min(), first, last) and _inside(times.max(), first, last):
        return
    at = (~times.is_between(first, last, closed="left").fill_null(True)).arg_max()
    assert at is not None
    number = times[at]
    raise DataError(f"{origin}, row {rows[at]} (the first is 0): column '{column}' is {number}; {meant(number, unit)}")


def _inside(number: object, first: int, last: int) -> bool:
    return number is None or (isinstance(number, int) and first <= number < last)


def meant(number: object, unit: str) -> str:
    """Say what a time should be, and what one that isn't may be.

    >>> meant(20250903, "s")
    'it should be a time from 1998 to 2059 in s; it may be a day (YYYYMMDD) without a time of day'
    """
    guesses = " or ".join(may_be(str(number)))
    return f"it should be a time {YEARS} in {unit}" + (f"; it may be {guesses}" if guesses else "")


def may_be(text: str) -> Iterator[str]:
    """Yield what a number that was taken for a time may be."""
    whole, _, rest = text.strip().partition(".")
    if not whole.isdecimal() or (rest and not rest.isdecimal()):
        return
    number, digits = int(whole), len(whole)
    if (unit := unit_of_number(number)) is not None:
        yield f"a time in {unit}"
        return
    if number == 0:
        yield "a time that is missing"
        return
    if digits == 8 and _is_day(whole):
        yield "a day (YYYYMMDD) without a time of day"
        return
    yield from _may_be_counted(number, float(text), digits)
    yield from _may_be_clock(number, digits, bool(rest))


def _may_be_clock(number: int, digits: int, fraction: bool) -> Iterator[str]:
    """Yield which clock of a day a number may show."""
    if 3 <= digits <= 6 and _is_clock(number):
        yield "a clock (HHMMSS) without its day"
    if 7 <= digits <= 9 and _is_clock(number // 1_000):
        yield "a clock (HHMMSS and milliseconds) without its day"
    for name, per_s in (("seconds", 1), ("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9)):
        if 600 * per_s <= number < _DAY_S * per_s and (digits < 6 or per_s > 1 or fraction):
            yield f"{name} since midnight without their day"
            return


def _may_be_counted(number: int, exact: float, digits: int) -> Iterator[str]:
    if 35_796 <= number < 58_441:  # 1998 to 2059.
        moment = _EXCEL + timedelta(seconds=round(exact * _DAY_S))
        yield f"days as Excel counts them ({moment:%Y-%m-%d %H:%M:%S})"
    for name, first, per_s in _OTHER_COUNTS:
        if digits >= 9 and number // per_s < 10**11:
            moment = first + timedelta(seconds=number // per_s)
            if _RECENT[0] <= moment < _RECENT[1]:
                yield f"{name}: {moment:%Y-%m-%d}"


def _is_clock(number: int) -> bool:
    """Say whether a number shows a clock, 93000 for half past nine."""
    return number // 10_000 < 24 and number // 100 % 100 < 60 and number % 100 < 60


def _is_day(text: str) -> bool:
    try:
        return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).year in YEARS_OF_TICKS
    except ValueError:
        return False


def unit_of_number(number: int) -> str | None:
    """Tell the unit of a time since 1970 by its size; None where it is a time of a tick in none.

    >>> unit_of_number(1756857600), unit_of_number(1756857600000), unit_of_number(20250903)
    ('s', 'ms', None)
    """
    return next((unit for unit, per in NS_PER.items() if EARLIEST_NS <= number * per < LATEST_NS), None)
