"""Accounts read and written where they lie, field by field, so that an instruction touches only what it changes."""

from typing import Any

from bmv.adapters.openbook.v2.layout import kinds, offsets
from bmv.adapters.openbook.v2.primitives import Number
from bmv.adapters.sandbox.openbook_v2.failure import checked

_PLANS: dict[type, dict[str, tuple[int, Any]]] = {}  # Any: kinds of every sort.


def _plan(kind: type) -> dict[str, tuple[int, Any]]:
    if kind not in _PLANS:
        begins = offsets(kind)
        _PLANS[kind] = {name: (begins[name], part) for name, part in kinds(kind).items()}
    return _PLANS[kind]


class View:
    """A record of fixed size in an account's bytes; its fields are attributes.

    Setting a number that does not fit fails as the program's arithmetic does.

    Args:
        kind: The record's dataclass.
        data: The account's bytes.
        at: Where the record begins.
    """

    __slots__ = ("_at", "_data", "_plan")

    def __init__(self, kind: type, data: bytearray, at: int) -> None:
        object.__setattr__(self, "_plan", _plan(kind))
        object.__setattr__(self, "_data", data)
        object.__setattr__(self, "_at", at)

    def __getattr__(self, name: str) -> Any:  # Any: an int, a key or bytes, as the record's field says.
        begin, part = self._plan[name]
        if isinstance(part, Number):
            begin += self._at
            return int.from_bytes(self._data[begin : begin + part.size], "little", signed=part.signed)
        return part.read(bytes(self._data), self._at + begin)[0]

    def __setattr__(self, name: str, value: Any) -> None:  # Any: as above.
        begin, part = self._plan[name]
        begin += self._at
        if isinstance(part, Number):
            low, high = _bounds(part)
            checked(value, low, high, "subtract" if value < low else "add")
        raw = part.write(value)
        self._data[begin : begin + len(raw)] = raw


def _bounds(part: Number) -> tuple[int, int]:
    bits = part.size * 8
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if part.signed else (0, (1 << bits) - 1)
