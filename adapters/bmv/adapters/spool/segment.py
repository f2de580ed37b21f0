"""Ticks and gaps in a file of their own, until a store takes them: whole or not there, and known to be undamaged.

A segment is a line that says what it is, then entries. An entry is a line of JSON, with the SHA-256 of what follows it,
then, for ticks, their columns one after the other, int64 little-endian: the nine, and behind them slot and time of
arrival where ticks are stamped. The file is written under another name, brought to the disk, and renamed, so that after
a crash it is there whole or not at all.

Form 1 knew neither stamps nor sizes of gaps; what an older program left in it is read.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy import int64

from bmv.data.files.writing import sync_folder
from bmv.ports.errors import DataError
from bmv.ports.market_data import Columns, Stamps
from bmv.ports.storage import Gap, Ticks

SUFFIX = ".segment"
HEAD = b"bmv segment 2\n"
HEADS = (b"bmv segment 1\n", HEAD)
PLAIN, STAMPED = len(Columns._fields), len(Columns._fields) + len(Stamps._fields)  # Columns of an entry.
Entry = Ticks | Gap  # Of the first never an empty one.


def path_of(folder: Path, number: int) -> Path:
    """Return where segment `number` of a folder lies; the names are in the order of the numbers."""
    return folder / f"{number:012d}{SUFFIX}"


def numbers(folder: Path) -> list[int]:
    """Return the numbers of the segments in `folder`, lowest first."""
    return sorted(int(file.stem) for file in folder.glob(f"*{SUFFIX}") if file.stem.isdecimal())


def write(folder: Path, number: int, entries: Sequence[Entry]) -> int:
    """Write a segment, durably when this returns, and return its size in bytes; `OSError` leaves nothing behind."""
    path = path_of(folder, number)
    half_done = path.with_suffix(".tmp")
    try:
        with half_done.open("wb") as file:
            file.write(HEAD)
            for entry in entries:
                file.writelines(_written(entry))
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        half_done.replace(path)
    except BaseException:
        half_done.unlink(missing_ok=True)
        raise
    sync_folder(folder)
    return size


def read(path: Path) -> Iterator[Entry]:
    """Yield the entries of a segment; rows that are damaged are told as the gap that they leave.

    `DataError` where a line is damaged: nobody knows then what comes after it.
    """
    with path.open("rb") as file:
        if file.readline() not in HEADS:
            raise DataError(f"{path}: not a segment of ticks that this program reads")
        while line := file.readline():
            try:
                said = _said(line)
                if said.pop("sort") == "ticks":
                    yield _ticks(said, file.read(said.get("width", PLAIN) * 8 * said["rows"]))
                else:
                    yield Gap(**said)
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{path}: damaged before byte {file.tell()}: {error}") from None


def _written(entry: Entry) -> Iterator[bytes]:
    said: dict[str, Any] = entry._asdict()  # Any: it becomes JSON.
    if isinstance(entry, Gap):
        yield _line({"sort": "gap", **said})
        return
    parts = [*said.pop("columns"), *(said.pop("stamps") or ())]
    columns = np.stack(parts).astype("<i8").tobytes()
    times = entry.columns.ts_ns
    said |= {"rows": len(times), "width": len(parts), "from_ns": int(times[0]) - 1, "to_ns": int(times[-1]) + 1}
    yield _line({"sort": "ticks", **said, "sha256": hashlib.sha256(columns).hexdigest()})
    yield columns


def _line(said: dict[str, Any]) -> bytes:
    """Return a line of JSON behind its own checksum."""
    text = json.dumps(said, separators=(",", ":")).encode()
    return hashlib.sha256(text).hexdigest().encode() + b" " + text + b"\n"


def _said(line: bytes) -> dict[str, Any]:
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    if hashlib.sha256(text).hexdigest().encode() != checksum or not line.endswith(b"\n"):
        raise ValueError("a line does not fit its checksum")
    said: dict[str, Any] = json.loads(text)
    return said


def _ticks(said: dict[str, Any], columns: bytes) -> Entry:
    checksum, from_ns, to_ns = said.pop("sha256"), said.pop("from_ns"), said.pop("to_ns")
    rows, width = said.pop("rows"), said.pop("width", PLAIN)
    if width not in (PLAIN, STAMPED):
        raise ValueError(f"expected {PLAIN} or {STAMPED} columns, found {width}")
    if hashlib.sha256(columns).hexdigest() != checksum:
        why = "damaged on the disk on the way to the store"
        return Gap(said["market"], said["source"], from_ns, to_ns, why, rows=rows)
    parts = np.frombuffer(columns, "<i8").reshape(width, -1).astype(int64)
    stamps = Stamps(*parts[PLAIN:]) if width == STAMPED else None
    return Ticks(**said, columns=Columns(*parts[:PLAIN]), stamps=stamps)
