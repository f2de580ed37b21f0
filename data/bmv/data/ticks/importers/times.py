"""Times as texts write them, turned into nanoseconds UTC: exactly, or not at all.

Three sorts are known apart by the first cell of a column: numbers since 1970; ISO 8601 and what is close to it, as
Postgres writes it; and the customs of other programs: `01.01.2019 23:00:00.123 GMT+0100`, `2019.01.01 23:00:00`,
`20190101 230000123`, `1/5/2026 9:30 AM`.
"""

import re
from typing import NamedTuple

import polars as pl

from bmv.data.ticks.calendar import NS_PER, may_be, unit_of_number

# A day in one of three orders, then perhaps a clock with or without colons, half of the day, and an offset from UTC.
_DAY = (
    r"(?:(?P<y>\d{4})[-./](?P<m>\d{1,2})[-./](?P<d>\d{1,2})"
    r"|(?P<first>\d{1,2})(?P<between>[-./])(?P<second>\d{1,2})[-./](?P<year>\d{4})"
    r"|(?P<yyyy>\d{4})(?P<mm>\d{2})(?P<dd>\d{2}))"
)
_CLOCK = (
    r"(?:(?:[T\s]\s*(?P<h>\d{1,2}):(?P<min>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<rest>\d+))?)?"
    r"|[T\s]?(?P<hh>\d{2})(?P<mi>\d{2})(?P<ss>\d{2})(?:[.,]?(?P<more>\d+))?)"
    r"\s*(?P<half>[AaPp][Mm])?\s*(?:Z|UTC|GMT)?\s*(?P<offset>[+-]\d{2}(?::?\d{2})?)?)?"
)
_TIME = f"^{_DAY}{_CLOCK}$"
_NUMBER = re.compile(r"^[+-]?\d+(?:\.\d*)?$")
_COMPACT = (14, 17, 20, 23)  # Digits of YYYYMMDDHHMMSS, and of it with ms, us, ns: too many or few to count from 1970.
CLOCK_ALONE = r"^(?:\d{1,2}:\d{2}.*|\d{6}(?:\d{3}){0,3}(?:\.\d+)?)$"
_SHORT = re.compile(r"^\d{1,12}(?:\.\d+)?$")
ISO = "%Y-%m-%dT%H:%M:%S%.f%#z"
CLOCK_WRITTEN = "written with its zeros, 09:30:00.123 or 093000123"


class Read(NamedTuple):
    """Times of some cells, null where one is none; which cells are days alone; which could be read in two ways.

    `day_first` says what was given, or else what the cells show.
    """

    ts_ns: pl.Series
    bare: pl.Series
    unclear: pl.Series
    day_first: bool | None


def not_written(cell: str) -> str:
    """Say what a cell that can't be read as a time should be, and what it may be."""
    guesses = list(may_be(cell))
    if is_clock(cell) and not guesses:
        guesses = ["a clock without its day (a column of days beside it is named by --column date=NAME)"]
    more = f"; it may be {' or '.join(guesses)}" if guesses else ""
    return f"it should be a time such as 2025-09-03T12:00:00.123Z{more}"


def two_readings(cell: str) -> str:
    """Say in which two ways a day may be read, and which option says the right one."""
    found = re.match(r"(\d{1,2})[-/](\d{1,2})[-/](\d{4})", cell.strip())
    assert found
    first, second, year = (part.zfill(2) for part in found.groups())
    return (
        f"it may be {year}-{second}-{first} or {year}-{first}-{second}: "
        "--day-first means the former, --month-first the latter"
    )


def is_number(cell: str) -> bool:
    """Say whether a cell is to be read as a number since 1970.

    >>> is_number("1756857600.5"), is_number("20250903093000"), is_number("2025-09-03")
    (True, False, False)
    """
    return _NUMBER.match(cell) is not None and len(cell.partition(".")[0]) not in _COMPACT


def is_clock(cell: str) -> bool:
    """Say whether a cell is a time of a day that is told elsewhere.

    >>> is_clock("09:30:00.123"), is_clock("093000"), is_clock("2025-09-03 09:30:00")
    (True, True, False)
    """
    return re.match(CLOCK_ALONE, cell) is not None


def is_short(cell: str) -> bool:
    """Say whether a cell is a number too small to count from 1970, and may be a clock or a count from midnight."""
    return _SHORT.match(cell) is not None and unit_of_number(int(cell.partition(".")[0])) is None


def iso_times(text: pl.Series) -> pl.Series:
    """Return ISO 8601 that ends in `Z` in nanoseconds UTC, which is quickly done; null where it is another."""
    made = text.str.to_datetime(ISO, time_unit="ns", strict=False)
    # A year that 64 bits of nanoseconds can't hold would come out as another one.
    off = (made.dt.year() - text.str.slice(0, 4).cast(pl.Int32, strict=False)).abs() > 1
    return made.cast(pl.Int64).set(off.fill_null(True), None)


def times(text: pl.Series, day_first: bool | None) -> Read:
    """Return times in nanoseconds UTC; UTC is meant where none says another offset.

    Args:
        text: Without spaces around.
        day_first: How `01/05/2026` is to be read; None: as the others of them show. Dots always mean day first.
    """
    if (made := _plain_iso(text)) is not None:
        return Read(made, none := pl.repeat(False, len(text), eager=True), none, day_first)
    part = text.alias("text").to_frame().select(pl.col("text").str.extract_groups(_TIME)).unnest("text")
    day_first = _shown_order(part) if day_first is None else day_first
    day, month = _day_and_month(part, day_first)
    hour = pl.coalesce("h", "hh")
    clock = pl.coalesce("rest", "more").fill_null("").str.slice(0, 9)
    twelve = hour.cast(pl.Int64) % 12 + pl.when(pl.col("half").str.to_lowercase() == "pm").then(12).otherwise(0)
    whole = part.with_columns(day=day, month=month).select(
        pl.concat_str(
            pl.coalesce("y", "year", "yyyy"),
            pl.lit("-"),
            pl.coalesce("m", "month", "mm").str.zfill(2),
            pl.lit("-"),
            pl.coalesce("d", "day", "dd").str.zfill(2),
            pl.lit("T"),
            pl.when(pl.col("half").is_null()).then(hour).otherwise(twelve.cast(pl.String)).fill_null("00").str.zfill(2),
            pl.lit(":"),
            pl.coalesce("min", "mi").fill_null("00"),
            pl.lit(":"),
            pl.coalesce("s", "ss").fill_null("00"),
            pl.when(clock == "").then(pl.lit("")).otherwise(pl.lit(".") + clock),
            pl.col("offset").fill_null("Z"),
        )
    )
    bare = part.select(hour.is_null()).to_series() & ~_unmatched(part)
    unclear = part["first"].is_not_null() & day.is_null()
    return Read(iso_times(whole.to_series()), bare, unclear, day_first)


def _plain_iso(text: pl.Series) -> pl.Series | None:
    """Return times where all are ISO 8601 with a clock of the same sort, ten times as fast as any; None where not."""
    plain = text.str.replace(" ", "T", literal=True)
    for end in ("", "Z"):
        if iso_times(plain.head(1) + end).null_count() == 0:
            made = iso_times(plain + end)
            return None if made.has_nulls() else made
    return None


def _unmatched(part: pl.DataFrame) -> pl.Series:
    return part.select(pl.all_horizontal(pl.col("y", "year", "yyyy").is_null())).to_series()


def _day_and_month(part: pl.DataFrame, day_first: bool | None) -> tuple[pl.Series, pl.Series]:
    """Return day and month of cells that begin with either of them; null where nothing says which."""
    by_day = pl.when(pl.col("between") == ".").then(True).otherwise(pl.lit(day_first, pl.Boolean))
    day = pl.when(by_day).then("first").when(~by_day).then("second")
    month = pl.when(by_day).then("second").when(~by_day).then("first")
    return part.select(day).to_series(), part.select(month).to_series()


def _shown_order(part: pl.DataFrame) -> bool | None:
    """Return whether days stand first, as one above 12 shows; None where none does, or some say this and some that."""
    slashed = part.filter(pl.col("between") != ".")
    over = [bool((slashed[name].cast(pl.Int64) > 12).any()) for name in ("first", "second")]
    return over[0] if over[0] != over[1] else None


def in_ns(numbers: pl.Series, unit: str) -> pl.Series:
    """Return times as nanoseconds; null where that is more than 64 bits hold.

    Args:
        numbers: Whole numbers since 1970 UTC.
        unit: `s`, `ms`, `us`, `ns`.
    """
    per = NS_PER[unit]
    if per == 1:
        return numbers
    largest = (2**63 - 1) // per
    return numbers.set(~numbers.is_between(-largest, largest), None) * per


def unit_of(numbers: pl.Series, unit: str) -> str:
    """Return `unit`, or the one that the first of `numbers` is in, if it is `auto`; seconds where it is in none."""
    if unit != "auto":
        return unit
    first = numbers.drop_nulls().head(1)
    return (unit_of_number(int(first[0])) if len(first) else None) or "s"
