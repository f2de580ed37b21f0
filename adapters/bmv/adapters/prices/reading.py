"""JSON of other people, taken apart with distrust: numbers stay exact, and what is unexpected is a declared error."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NoReturn, TypeAlias

from bmv.adapters.prices.quote import MessageError

Json: TypeAlias = Any  # Any: whatever JSON can hold.

NS_PER_S = 1_000_000_000
DIGITS_MAX = 18  # Before the point, and behind it.
PLAIN = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?")  # No sign, no exponent, no letters: and ASCII, which \d is not.
TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z"  # RFC 3339, in UTC.
)
LARGEST = Decimal(10) ** DIGITS_MAX
FINEST = -DIGITS_MAX
TIME_S_MAX = 2**33  # Beyond the year 2200, where nanoseconds end.


def read_json(message: str | bytes) -> Json:
    """Return what a message holds, numbers with a point as `Decimal`; `MessageError` where it is no JSON.

    A name that stands twice in a table is refused: which of the two is meant nobody can say.

    >>> read_json('{"bid": 0.1}')
    {'bid': Decimal('0.1')}
    """
    try:
        return json.loads(
            message, parse_float=Decimal, parse_int=_integer, parse_constant=_refuse, object_pairs_hook=_table
        )
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise MessageError(f"no JSON: {_short(error)}") from None


def table(value: Json, what: str) -> dict[str, Json]:
    """Return a table of JSON, or refuse what is none."""
    if not isinstance(value, dict):
        raise MessageError(f"{what}: expected a table, found {_short(value)}")
    return value


def field(record: dict[str, Json], name: str) -> Json:
    """Return what a table has under `name`, or refuse one that lacks it."""
    if name not in record:
        raise MessageError(f"{name}: missing")
    return record[name]


def price(record: dict[str, Json], name: str) -> Decimal:
    """Return a price, exactly: a text of digits or a number, from 0, with at most 18 digits on either side."""
    value = field(record, name)
    written = isinstance(value, str) and PLAIN.fullmatch(value)
    if not written and (isinstance(value, bool) or not isinstance(value, Decimal | int)):
        raise MessageError(f"{name}: expected a price, found {_short(value)}")
    amount = Decimal(value)
    if not 0 <= amount < LARGEST or int(amount.as_tuple().exponent) < FINEST:
        raise MessageError(f"{name}: expected a price of at most 18 digits before and behind the point")
    return amount


def whole(record: dict[str, Json], name: str) -> int:
    """Return a whole number from 0 that 64 bits hold."""
    value = field(record, name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise MessageError(f"{name}: expected a whole number, found {_short(value)}")
    return value


def seconds_ns(record: dict[str, Json], name: str) -> int:
    """Return a time in whole seconds since 1970 as nanoseconds."""
    seconds = whole(record, name)
    if seconds > TIME_S_MAX:
        raise MessageError(f"{name}: expected seconds since 1970, found {seconds}")
    return seconds * NS_PER_S


def rfc3339_ns(record: dict[str, Json], name: str) -> int:
    """Return a time in UTC such as `2025-09-03T12:00:00.123456Z` as nanoseconds since 1970, exactly."""
    value = field(record, name)
    match = TIME.fullmatch(value) if isinstance(value, str) else None
    try:
        if match is None:
            raise ValueError
        second = int(datetime.fromisoformat(match[1]).replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise MessageError(f"{name}: expected a time such as 2025-09-03T12:00:00Z, found {_short(value)}") from None
    if not 0 <= second <= TIME_S_MAX:
        raise MessageError(f"{name}: expected a time after 1970, found {_short(value)}")
    return second * NS_PER_S + int((match[2] or "0").ljust(9, "0"))


def expect(record: dict[str, Json], name: str, wanted: str) -> None:
    """Refuse a table whose `name` is not `wanted`: say, a quote of another pair than was asked for."""
    if (value := field(record, name)) != wanted:
        raise MessageError(f"{name}: expected {wanted}, found {_short(value)}")


def words(value: Json) -> str:
    """Return what a venue says about itself, short enough to be shown."""
    return _short(value) if value is not None else "it does not say why"


def _integer(text: str) -> int:
    if len(text) > 20:
        raise ValueError("a number of more than 20 digits")
    return int(text)


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _table(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a name stands twice in a table")
    return record


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= 80 else f"{text[:79]}…"
