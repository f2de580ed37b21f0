"""The kinds of values that OpenBook v2 keeps in bytes, each read and written.

Its accounts are packed C structs, its arguments and logs borsh. Both write integers little-endian and leave no gaps,
so that one description serves. Every reader raises `Malformed`, and nothing else, when bytes end early or a value can't
be.
"""

import struct
from enum import IntEnum
from math import isnan
from typing import Any, Protocol

from solders.pubkey import Pubkey

from bmv.adapters.openbook.errors import Malformed


class Kind(Protocol):
    """One way to lie in bytes. Values are `Any`: a kind knows its type, and its callers read the annotation."""

    def read(self, data: bytes, at: int) -> tuple[Any, int]:
        """Return the value at `at`, and where the next one begins."""

    def write(self, value: Any) -> bytes:
        """Return the value's bytes."""


class Number:
    """An integer of `size` bytes. One below `least` or above `most` can't be read, though its bytes could hold it."""

    def __init__(self, size: int, *, signed: bool = False, least: int | None = None, most: int | None = None) -> None:
        self.size, self.signed, self.least, self.most = size, signed, least, most

    def read(self, data: bytes, at: int) -> tuple[int, int]:
        end = at + self.size
        if end > len(data):
            raise Malformed(f"{len(data)} bytes, and a number of {self.size} at {at} needs {end}")
        value = int.from_bytes(data[at:end], "little", signed=self.signed)
        if self.least is not None and value < self.least:
            raise Malformed(f"the number at {at} is {value}, below {self.least}")
        if self.most is not None and value > self.most:
            raise Malformed(f"the number at {at} is {value}, above {self.most}")
        return value, end

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
    """A float, where the program itself keeps one: an oracle's price and its confidence.

    In an argument borsh takes no NaN: with `borsh`, it can't be read here either. In an account any may stand.
    """

    def __init__(self, size: int, *, borsh: bool = False) -> None:
        self.size, self.borsh = size, borsh
        self._packing = struct.Struct("<f" if size == 4 else "<d")

    def read(self, data: bytes, at: int) -> tuple[float, int]:
        end = at + self.size
        if end > len(data):
            raise Malformed(f"{len(data)} bytes, and a float at {at} needs {end}")
        value = self._packing.unpack_from(data, at)[0]
        if self.borsh and isnan(value):
            raise Malformed(f"the float at {at} is NaN, which no argument may be")
        return value, end

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
