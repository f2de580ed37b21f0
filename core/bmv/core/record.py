"""Structured records: one block of named 64-bit numbers and tables that Python and compiled loops share in place.

A record is described by a class that has only annotations: `int`, `float`, or a `Table`/`FloatTable` with its shape.
:func:`blank` returns a zeroed row in the shape that plain Python likes (attributes over a memoryview, forty times as
fast as `np.record`, and strict: no float lands in a whole field, nothing wraps); :func:`compiled` returns the same
memory in the shape that Numba likes.
"""

from functools import cache
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Table = NDArray[np.int64]
FloatTable = NDArray[np.float64]


@cache
def layout(description: type) -> np.dtype[np.void]:
    """Return the dtype: `i8` for an `int`, `f8` for a `float`, a nested block for an annotated table.

    The plain numbers come first, so that what every event touches lies in a few neighbouring cache lines.
    """
    hints = get_type_hints(description, include_extras=True).items()
    plain = [_field(name, hint) for name, hint in hints if get_origin(hint) is not Annotated]
    tables = [_field(name, hint) for name, hint in hints if get_origin(hint) is Annotated]
    return np.dtype(plain + tables)


def blank(description: type[T]) -> T:
    """Return a row of zeros laid out as `description` says.

    >>> class Point:
    ...     x: int
    >>> point = blank(Point)
    >>> point.x += 3
    >>> int(compiled(point).x)
    3
    """
    kind: type = description
    return cast(T, _view(kind)(np.zeros(1, dtype=layout(kind)).view(np.recarray)))


def compiled(row: Any) -> Any:
    """Return the memory of `row` as the `np.record` that a compiled function takes."""
    return row.memory_block[0]


def fields(row: Any) -> dict[str, int | float]:
    """Return the plain numbers of `row` by name, without its tables."""
    return {name: getattr(row, name) for name, (kind, *_) in row.memory_block.dtype.fields.items() if not kind.shape}


def _field(name: str, hint: Any) -> Any:
    if get_origin(hint) is not Annotated:
        return (name, {int: "i8", float: "f8"}[hint])
    table, shape = get_args(hint)
    return (name, "f8" if table == FloatTable else "i8", shape)


@cache
def _view(description: type) -> type:
    """Make the class whose attributes read and write one row of `description`."""
    names: dict[str, Any] = {"__slots__": ("_floats", "_tables", "_wholes", "memory_block"), "__init__": _attach}
    names["__doc__"] = description.__doc__
    names["__repr__"] = lambda row: f"<{description.__name__} {fields(row)}>"
    for name, (kind, offset, *_) in (layout(description).fields or {}).items():
        if kind.shape:
            names[name] = _table(name)
        else:
            names[name] = _number("_wholes" if kind.kind == "i" else "_floats", offset // 8)
    return type(description.__name__, (), names)


def _attach(row: Any, block: Any) -> None:
    memory = memoryview(block.view(np.uint8)).cast("B")
    row.memory_block = block
    row._wholes = memory.cast("q")
    row._floats = memory.cast("d")
    row._tables = {name: block[name][0] for name, (kind, *_) in block.dtype.fields.items() if kind.shape}


def _table(name: str) -> property:
    """Return the property of the table called `name`."""
    return property(lambda row: row._tables[name])


def _number(store: str, at: int) -> property:
    """Return the property of the 64-bit number at index `at`."""
    names: dict[str, Any] = {}
    # Spelled out for each index: a closure over `at` would cost a third more on the hottest path of the interpreter.
    exec(f"def get(row): return row.{store}[{at}]\ndef put(row, value): row.{store}[{at}] = value", names)
    return property(names["get"], names["put"])
