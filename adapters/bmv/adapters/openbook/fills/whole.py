"""Whole numbers out of JSON, each where it must stand."""

from collections.abc import Sequence

from bmv.ports.errors import DataError


def row(value: object, size: int) -> Sequence[object]:
    """Return a list of so many things."""
    if not isinstance(value, list | tuple) or len(value) != size:
        raise DataError(f"a mark of fills: expected a list of {size}, found {value!r:.80}")
    return value


def rows(value: object) -> Sequence[object]:
    """Return a list of any length."""
    if not isinstance(value, list | tuple):
        raise DataError(f"a mark of fills: expected a list, found {value!r:.80}")
    return value


def number(value: object) -> int:
    """Return a whole number."""
    if type(value) is not int:
        raise DataError(f"a mark of fills: expected a whole number, found {value!r:.80}")
    return value


def numbers(value: object, size: int) -> list[int]:
    """Return so many whole numbers."""
    return [number(one) for one in row(value, size)]
