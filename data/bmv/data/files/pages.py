"""Whether the pages of a Parquet file can hold as many values as they name, asked before a reader believes it.

Polars makes room for the number that a damaged page names, be it a quintillion, and the process ends there: no
exception can be caught. So footer and page headers are looked at first (Thrift's compact protocol and `parquet.thrift`
of the Apache Parquet format 2.10); what is in the pages is left to the reader.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from bmv.data.files.limits import FOOTER_BYTES_MAX, PAGE_BYTES_MAX, in_words
from bmv.data.files.path import is_url
from bmv.ports.errors import DataError

MAGIC = b"PAR1"
HEADER_BYTES = 256  # Most headers are shorter.
HEADER_BYTES_MAX = 1 << 16  # More than a header with statistics takes.
DEPTH_MAX = 16
INT64 = 2  # As the footer numbers the types of columns.
Struct = dict[int, Any]  # Any: a field is a number, bytes, a list or another struct.


class Footer(NamedTuple):
    """What a file says of itself at its end.

    `largest` has the largest number of each column of int64 of which all row groups tell it, nulls aside.
    """

    rows: int
    largest: dict[str, int]


def refuse_odd_pages(path: Path, page_max: int | None = None) -> Footer | None:
    """Raise `DataError` where a page of a Parquet file says that it holds what it can't; return what the footer says.

    None, and nothing is looked at, for a file in an object store: each page would be asked for by itself.

    Args:
        page_max: How many bytes a page may unpack to; None: `PAGE_BYTES_MAX`.
    """
    if is_url(path):
        return None
    try:
        with path.open("rb") as file:
            groups = _groups(file)
            for group in groups:
                for column in group[1]:
                    if 3 in column:  # Else it is encrypted, which the reader refuses.
                        _refuse_odd_chunk(path, file, column[3], page_max or PAGE_BYTES_MAX)
            return Footer(sum(group[3] for group in groups), _largest(groups))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: damaged: {str(error) or type(error).__name__}") from error


def _groups(file: IO[bytes]) -> list[Struct]:
    """Return what the footer says of each row group."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 8))
    end = file.read(8)
    length = int.from_bytes(end[:4], "little")
    if end[4:] != MAGIC or length + 12 > size:
        raise ValueError("it does not end as Parquet does")
    if length > FOOTER_BYTES_MAX:
        raise ValueError(f"its footer takes {in_words(length)}, where {in_words(FOOTER_BYTES_MAX)} is the most")
    file.seek(size - 8 - length)
    footer, _ = _struct(file.read(length), 0)
    groups: list[Struct] = footer.get(4, [])
    if footer[3] != sum(group[3] for group in groups) or any(group[3] < 0 for group in groups):
        raise ValueError(f"{footer[3]} rows are not the sum of its row groups")
    return groups


def _largest(groups: Sequence[Struct]) -> dict[str, int]:
    found = dict[str, list[bytes | None]]()
    for group in groups:
        for chunk in (column[3] for column in group[1] if 3 in column):
            if chunk[1] == INT64 and len(chunk[3]) == 1:
                found.setdefault(chunk[3][0].decode(), []).append(chunk.get(12, {}).get(5))
    return {
        name: max(int.from_bytes(most, "little", signed=True) for most in told if most is not None)
        for name, told in found.items()
        if len(told) == len(groups) and all(most is not None and len(most) == 8 for most in told)
    }


def _refuse_odd_chunk(path: Path, file: IO[bytes], chunk: Struct, page_max: int) -> None:
    at = min(offset for offset in (chunk.get(11), chunk[9]) if offset)
    left = chunk[5]
    while left > 0:
        header, length = _header(file, at)
        values = (header.get(5) or header.get(8) or {1: 0})[1]
        words = (header.get(7) or {1: 0})[1]
        if not (0 <= values <= left and 0 <= words <= header[2] and header[3] >= 0 and (values or 7 in header)):
            raise ValueError(f"the page at byte {at} names {values or words} values, where {left} are left")
        if header[2] > page_max:
            raise DataError(
                f"{path}: its page at byte {at} unpacks to {in_words(header[2])}, where a page may be no more than "
                f"{in_words(page_max)}; --unpacked-max {in_words(2 * header[2], '')} allows it, or write the file anew "
                "with pages of the usual size, 1 MB"
            )
        left -= values
        at += length + header[3]
    if left:
        raise ValueError(f"a column names {chunk[5]} values")


def _header(file: IO[bytes], at: int) -> tuple[Struct, int]:
    """Return the header of the page at a byte of the file, and how long it is."""
    file.seek(at)
    read = file.read(HEADER_BYTES)
    try:
        return _struct(read, 0)
    except IndexError:
        return _struct(read + file.read(HEADER_BYTES_MAX), 0)


def _struct(read: bytes, at: int, depth: int = 0) -> tuple[Struct, int]:
    """Return the fields of a struct by their numbers, and where it ends."""
    if depth > DEPTH_MAX:
        raise ValueError("a struct within too many others")
    fields, number = Struct(), 0
    while head := read[at]:
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            number, at = _number(read, at)
        if head & 15 in (1, 2):
            fields[number] = head & 15 == 1
        else:
            fields[number], at = _value(read, at, head & 15, depth)
    return fields, at + 1


def _value(read: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:  # Any: as for `Struct`.
    match kind:
        case 1 | 2 | 3:
            return read[at], at + 1
        case 4 | 5 | 6:
            return _number(read, at)
        case 7:
            return read[at : at + 8], at + 8
        case 8:
            length, at = _varint(read, at)
            return read[at : at + length], at + length
        case 9 | 10:
            return _list(read, at, depth)
        case 12:
            return _struct(read, at, depth + 1)
    raise ValueError(f"a field of kind {kind}")


def _list(read: bytes, at: int, depth: int) -> tuple[list[Any], int]:  # Any: as for `Struct`.
    size, kind = read[at] >> 4, read[at] & 15
    at += 1
    if size == 15:
        size, at = _varint(read, at)
    made = []
    for _ in range(size):
        value, at = _value(read, at, kind, depth)
        made.append(value)
    return made, at


def _varint(read: bytes, at: int) -> tuple[int, int]:
    made = shift = 0
    while True:
        made |= (read[at] & 127) << shift
        shift += 7
        at += 1
        if read[at - 1] < 128:
            return made, at


def _number(read: bytes, at: int) -> tuple[int, int]:
    made, at = _varint(read, at)
    return made >> 1 ^ -(made & 1), at
