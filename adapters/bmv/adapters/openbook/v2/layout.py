"""How a record's fields lie in bytes: one annotation a field, read and written by the same table.

    @dataclass(frozen=True, slots=True)
    class SweepFeesLog:
        market: Key
        amount: U64

What may be annotated stands below, made of the kinds in `primitives`.
"""

from dataclasses import fields, is_dataclass
from enum import IntEnum
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from solders.pubkey import Pubkey

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v2.primitives import Address, Choice, Fixed, Flag, Float, Kind, Number, Text

T = TypeVar("T")


class Record(Generic[T]):
    """A dataclass whose fields are annotated with kinds."""

    def __init__(self, kind: type[T]) -> None:
        self.kind = kind
        self.parts = tuple(kinds(kind).items())

    def read(self, data: bytes, at: int) -> tuple[T, int]:
        values = []
        for _, part in self.parts:
            value, at = part.read(data, at)
            values.append(value)
        return self.kind(*values), at

    def write(self, value: T) -> bytes:
        return b"".join(part.write(getattr(value, name)) for name, part in self.parts)


U8 = Annotated[int, Number(1)]
U16 = Annotated[int, Number(2)]
U32 = Annotated[int, Number(4)]
U64 = Annotated[int, Number(8)]
U128 = Annotated[int, Number(16)]
I64 = Annotated[int, Number(8, signed=True)]
NaturalI64 = Annotated[int, Number(8, signed=True, least=0)]
PositiveI64 = Annotated[int, Number(8, signed=True, least=1)]
F64 = Annotated[float, Float(8)]
ArgumentF32 = Annotated[float, Float(4, borsh=True)]
ArgumentF64 = Annotated[float, Float(8, borsh=True)]
Bool = Annotated[bool, Flag()]
String = Annotated[str, Text()]
Key = Annotated[Pubkey, Address()]
OptionalKey = Annotated[Pubkey | None, Address(optional=True)]


_KINDS: dict[type, dict[str, Kind]] = {}  # What annotations say is read once.
_RECORDS: dict[type, "Record[Any]"] = {}  # Any: of every type.


def kinds(kind: type) -> dict[str, Kind]:
    """Return the kinds of a record's fields by name, in order; fields without one are passed over."""
    if kind not in _KINDS:
        hints = get_type_hints(kind, include_extras=True)
        parts = {field.name: _kind(hints[field.name]) for field in fields(kind)}
        _KINDS[kind] = {name: part for name, part in parts.items() if part is not None}
    return _KINDS[kind]


def _kind(hint: Any) -> Kind | None:  # Any: an annotation may be of any form.
    if get_origin(hint) is Annotated:
        inner, *marks = get_args(hint)
        return next((mark for mark in marks if hasattr(mark, "read")), None) or _kind(inner)
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return Choice(hint)
    return record(hint) if is_dataclass(hint) and isinstance(hint, type) and kinds(hint) else None


def record(kind: type[T]) -> Record[T]:
    """Return the codec of a dataclass."""
    if kind not in _RECORDS:
        _RECORDS[kind] = Record(kind)
    return _RECORDS[kind]


def size(kind: type) -> int:
    """Return how many bytes a record of fixed size has.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Pair:
    ...     small: U8
    ...     large: U128
    >>> size(Pair)
    17
    """
    return sum(_size(part) for part in kinds(kind).values())


def _size(part: Any) -> int:  # Any: not every kind has a size, and one without is our mistake.
    if isinstance(part, Record):
        return size(part.kind)
    if isinstance(part, Fixed):
        return _size(part.kind) * part.count
    return int(part.size)


def offsets(kind: type) -> dict[str, int]:
    """Return where each field of a record of fixed size begins."""
    begins, at = {}, 0
    for name, part in kinds(kind).items():
        begins[name] = at
        at += _size(part)
    return begins


def read_whole(kind: type[T], data: bytes, at: int = 0) -> T:
    """Read a record that must end where the bytes end."""
    value, end = record(kind).read(data, at)
    if end != len(data):
        raise Malformed(f"{len(data)} bytes, and {kind.__name__} ends at {end}")
    return value


def read_account(kind: type[T], discriminator: bytes, data: bytes) -> T:
    """Read an account: its discriminator, then a record of fixed size and nothing else."""
    check_account(kind.__name__, discriminator, 8 + size(kind), data)
    return record(kind).read(data, 8)[0]


def check_account(name: str, discriminator: bytes, length: int, data: bytes) -> None:
    """Raise unless `data` has that length and begins with that discriminator."""
    if len(data) != length:
        raise Malformed(f"{name} has {length} bytes, not {len(data)}")
    if data[:8] != discriminator:
        raise Malformed(f"{name} begins with {discriminator.hex()}, not {data[:8].hex()}")
