"""How a record's fields lie in bytes: one annotation a field, read and written by the same table.

OpenBook v2 keeps its accounts as packed C structs, and its arguments and logs as borsh. Both write integers
little-endian and leave no gaps, so that one description serves: a frozen dataclass whose fields are annotated with the
kinds below.

    @dataclass(frozen=True, slots=True)
    class SweepFeesLog:
        market: Key
        amount: U64

Every reader raises `Malformed`, and nothing else, when bytes end early or a value can't be.
"""

import struct
from dataclasses import fields, is_dataclass
from enum import IntEnum
from typing import Annotated, Any, Generic, Protocol, TypeVar, get_args, get_origin, get_type_hints

from solders.pubkey import Pubkey

from bmv.adapters.openbook.errors import Malformed

T = TypeVar("T")


class Kind(Protocol):
    """One way to lie in bytes. Values are `Any`: a kind knows its type, and its callers read the annotation."""

    def read(self, data: bytes, at: int) -> tuple[Any, int]:
        """Return the value at `at`, and where the next one begins."""

    def write(self, value: Any) -> bytes:
        """Return the value's bytes."""


class Number:
    """An integer of `size` bytes."""

    def __init__(self, size: int, *, signed: bool = False) -> None:
        self.size, self.signed = size, signed

    def read(self, data: bytes, at: int) -> tuple[int, int]:
        end = at + self.size
        if end > len(data):
            raise Malformed(f"{len(data)} bytes, and a number of {self.size} at {at} needs {end}")
        return int.from_bytes(data[at:end], "little", signed=self.signed), end

    def write(self, value: int) -> bytes:
        try:
            return value.to_bytes(self.size, "little", signed=self.signed)
        except OverflowError:
            sign = "i" if self.signed else "u"
            raise Malformed(f"{value} is no {sign}{self.size * 8}") from None


class Raw:
    """Bytes of a fixed number, as they are."""

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, data: bytes, at: int) -> tuple[bytes, int]:
        end = at + self.size
        if end > len(data):
            raise Malformed(f"{len(data)} bytes, and {self.size} at {at} need {end}")
        return data[at:end], end

    def write(self, value: bytes) -> bytes:
        if len(value) != self.size:
            raise Malformed(f"{len(value)} bytes where {self.size} belong")
        return value


class Address:
    """A public key; with `optional`, 32 zero bytes mean that there is none."""

    size = 32

    def __init__(self, *, optional: bool = False) -> None:
        self.optional = optional

    def read(self, data: bytes, at: int) -> tuple[Pubkey | None, int]:
        end = at + 32
        if end > len(data):
            raise Malformed(f"{len(data)} bytes, and a key at {at} needs {end}")
        raw = data[at:end]
        return (None if self.optional and not any(raw) else Pubkey(raw)), end

    def write(self, value: Pubkey | None) -> bytes:
        return bytes(32) if value is None else bytes(value)


class Float:
    """A float, where the program itself keeps one: an oracle's price and its confidence."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._packing = struct.Struct("<f" if size == 4 else "<d")

    def read(self, data: bytes, at: int) -> tuple[float, int]:
        end = at + self.size
        if end > len(data):
            raise Malformed(f"{len(data)} bytes, and a float at {at} needs {end}")
        return self._packing.unpack_from(data, at)[0], end

    def write(self, value: float) -> bytes:
        try:
            return self._packing.pack(value)
        except OverflowError:
            raise Malformed(f"{value} is no float of {self.size} bytes") from None


class Flag:
    """A byte that is 0 or 1."""

    size = 1

    def read(self, data: bytes, at: int) -> tuple[bool, int]:
        value, end = Number(1).read(data, at)
        if value > 1:
            raise Malformed(f"the flag at {at} is {value}, neither 0 nor 1")
        return bool(value), end

    def write(self, value: bool) -> bytes:
        return bytes([value])


class Choice:
    """A byte that names one of an enumeration."""

    size = 1

    def __init__(self, kind: type[IntEnum]) -> None:
        self.kind = kind

    def read(self, data: bytes, at: int) -> tuple[IntEnum, int]:
        value, end = Number(1).read(data, at)
        try:
            return self.kind(value), end
        except ValueError:
            raise Malformed(f"the byte at {at} is {value}, no {self.kind.__name__}") from None

    def write(self, value: IntEnum) -> bytes:
        return bytes([value])


class Maybe:
    """Borsh's Option: a flag, and the value if there is one."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def read(self, data: bytes, at: int) -> tuple[Any, int]:
        present, end = Flag().read(data, at)
        return self.kind.read(data, end) if present else (None, end)

    def write(self, value: Any) -> bytes:
        return b"\0" if value is None else b"\1" + self.kind.write(value)


class Many:
    """Borsh's Vec: a count, and so many values; `least` is the fewest bytes of one, which bounds the count."""

    def __init__(self, kind: Kind, least: int) -> None:
        self.kind, self.least = kind, least

    def read(self, data: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        count, end = Number(4).read(data, at)
        if count * self.least > len(data) - end:
            raise Malformed(f"{count} items at {at} do not fit into {len(data)} bytes")
        items = []
        for _ in range(count):
            item, end = self.kind.read(data, end)
            items.append(item)
        return tuple(items), end

    def write(self, value: tuple[Any, ...]) -> bytes:
        return Number(4).write(len(value)) + b"".join(map(self.kind.write, value))


class Text:
    """Borsh's String: a count of bytes, and UTF-8."""

    def read(self, data: bytes, at: int) -> tuple[str, int]:
        size, start = Number(4).read(data, at)
        raw, end = Raw(size).read(data, start)
        try:
            return raw.decode(), end
        except UnicodeDecodeError:
            raise Malformed(f"the text at {start} is no UTF-8") from None

    def write(self, value: str) -> bytes:
        raw = value.encode()
        return Number(4).write(len(raw)) + raw


class Fixed:
    """So many values of one kind, one after the other."""

    def __init__(self, kind: Kind, count: int) -> None:
        self.kind, self.count = kind, count

    def read(self, data: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        items = []
        for _ in range(self.count):
            item, at = self.kind.read(data, at)
            items.append(item)
        return tuple(items), at

    def write(self, value: tuple[Any, ...]) -> bytes:
        if len(value) != self.count:
            raise Malformed(f"{len(value)} items where {self.count} belong")
        return b"".join(map(self.kind.write, value))


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
F32 = Annotated[float, Float(4)]
F64 = Annotated[float, Float(8)]
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
