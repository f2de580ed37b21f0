"""Files that are packed, read as a stream of bounded pieces; nothing is unpacked to the disk.

What a file unpacks to is counted as it is read, whatever its header says, and refused beyond a bound
(:mod:`bmv.data.files.limits`).
"""

import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

from bmv.data.files.limits import too_large, unpacked_max
from bmv.ports.errors import DataError

EXTRAS = (".ds_store", "thumbs.db", "desktop.ini")
SHOWN = 3  # Files of a zip in a message.
STEP, FINE_STEP = 1 << 20, 1 << 12  # Of bytes that are asked of an unpacker at once.

GZIP = b"\x1f\x8b"
# How files begin that are packed or written in ways that are not read, and what they are.
BEGINNINGS = (
    (b"BZh", "packed by bzip2"),
    (b"\xfd7zXZ\0", "packed by xz"),
    (b"\x28\xb5\x2f\xfd", "packed by Zstandard"),
    (b"7z\xbc\xaf\x27\x1c", "packed by 7-Zip"),
    (b"Rar!", "packed by RAR"),
    (b"PK\3\4", "a zip"),
    (GZIP, "packed by gzip"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
)
UNPACK, ENCODE = "unpack it first; plain text, .gz and .zip are read", "write it as UTF-8"
TAR, TAR_AT = b"ustar", 257
ENCRYPTED = 1  # The bit of a member's flags.

# What the packers of the standard library raise about bytes that they did not pack.
DAMAGED = (
    zipfile.BadZipFile, zipfile.LargeZipFile, gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError, struct.error,
    NotImplementedError, RuntimeError, ValueError, IndexError,
)  # fmt: skip


class Unpacked:
    """The bytes of a packed file, no more of them than it may have.

    Args:
        step: So many bytes are asked for at once: bzip2 and LZMA unpack all of what was asked for, and a byte of theirs
            may be thousands.
    """

    def __init__(self, path: Path, stream: IO[bytes], most: int, step: int = STEP) -> None:
        self._path, self._stream, self._most, self._step = path, stream, most, step
        self._count = 0

    def read(self, count: int) -> bytes:
        """Return so many bytes, fewer at the end; `DataError` where the file unpacks to more than it may."""
        made = bytearray()
        while len(made) < count and (part := self._stream.read(min(count - len(made), self._step))):
            made += part
            self._count += len(part)
            if self._count > self._most:
                raise too_large(self._path, self._most)
        return bytes(made)


@contextmanager
def text_of(path: Path, asked: int | None = None) -> Iterator[Unpacked]:
    """Give the text of a file that is plain, gzipped, or the only member of a zip; a damaged one is a `DataError`.

    Args:
        asked: How many bytes it may unpack to, where that was said.
    """
    zipped = zipfile.is_zipfile(path)
    if not (zipped or path.suffix in (".gz", ".zip")):
        with path.open("rb") as plain:
            yield Unpacked(path, plain, path.stat().st_size)
        return
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as packed:
                yield Unpacked(path, cast(IO[bytes], packed), unpacked_max(path, asked))
            return
        with zipfile.ZipFile(path) as archive:
            names = members(archive)
            if len(names) != 1:
                shown = ", ".join(names[:SHOWN])
                raise DataError(f"{path}: expected one file inside, found {len(names)}{f': {shown}' if names else ''}")
            with member_of(path, archive, names[0], asked) as stream:
                yield stream
    except DAMAGED as error:
        raise DataError(f"{path}: damaged or cut short: {str(error) or type(error).__name__}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


@contextmanager
def member_of(path: Path, archive: zipfile.ZipFile, name: str, asked: int | None) -> Iterator[Unpacked]:
    """Give one member of a zip."""
    gentle = archive.getinfo(name).compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    with archive.open(name) as stream:
        yield Unpacked(path, stream, unpacked_max(path, asked), STEP if gentle else FINE_STEP)


def members(archive: zipfile.ZipFile) -> list[str]:
    """Return the names of the files in a zip, without folders and what systems add: a Mac's extras, Windows's marks."""
    names = [member.filename for member in archive.infolist() if not member.is_dir()]
    return [name for name in names if not _is_extra(PurePosixPath(name))]


def _is_extra(name: PurePosixPath) -> bool:
    return "__MACOSX" in name.parts or name.name.startswith("._") or name.name.lower() in EXTRAS


def unreadable(path: Path) -> str:
    """Say why a file that no form knows can't be text, as it is packed otherwise or empty; nothing where it may be."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _unreadable_member(archive)
        with path.open("rb") as file:
            beginning = file.read(TAR_AT + len(TAR))
        if not beginning.startswith(GZIP):
            return _told_by("it", beginning)
        if path.suffix != ".gz":
            return "it is packed by gzip: let its name end in .gz"
        with gzip.open(path) as packed:
            return _told_by("what is in it", packed.read(TAR_AT + len(TAR)))
    except (*DAMAGED, OSError) as error:
        return f"it is damaged or cut short: {str(error) or type(error).__name__}"


def _unreadable_member(archive: zipfile.ZipFile) -> str:
    names = members(archive)
    if len(names) != 1:
        return f"expected one file inside, found {len(names)}{': ' if names else ''}{', '.join(names[:SHOWN])}"
    if archive.getinfo(names[0]).flag_bits & ENCRYPTED:
        return f"it is encrypted: {UNPACK}"
    with archive.open(names[0]) as member:
        return _told_by(f"{names[0]} in it", member.read(TAR_AT + len(TAR)))


def _told_by(subject: str, beginning: bytes) -> str:
    """Say by the first bytes of a file why it is no text; empty if they may be of one."""
    if not beginning.strip():
        return f"{subject} holds nothing but empty lines" if beginning else f"{subject} is empty"
    if beginning[TAR_AT:] == TAR:
        return f"{subject} is an archive of tar: {UNPACK}"
    kind = next((kind for start, kind in BEGINNINGS if beginning.startswith(start)), "")
    return f"{subject} is {kind}: {ENCODE if 'UTF' in kind else UNPACK}" if kind else ""
