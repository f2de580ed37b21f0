"""Where the rows of an import wait: the first of them in memory, the others in a folder; and how they come back.

They come back in order of time and in slices of bounded size, so that a day need not fit in memory.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy import int64
from numpy.typing import NDArray

from bmv.data.files.limits import GB, in_words
from bmv.data.files.parquet import readable
from bmv.data.ticks.schema import writable
from bmv.data.ticks.stamps import names_in, stamps_among, together
from bmv.ports.errors import DataError, StorageError

ROWS_HELD = 1_500_000  # In memory: 0.1 GB.
SLICE_ROWS = 1_000_000  # That are merged at once.
BINS = 1_000
FREE_BYTES = GB  # Are left on the disk of the lake.


class Part(NamedTuple):
    """Some rows: a frame, an Arrow file of a stage, or a day of a lake; the span of their times, and how many."""

    rows: pl.DataFrame | Path
    first_ns: int
    last_ns: int
    size: int


def part_of(rows: pl.DataFrame) -> Part:
    """Return rows in memory as a part."""
    times = rows["ts_ns"]
    first, last = times.min(), times.max()
    assert isinstance(first, int)
    assert isinstance(last, int)
    return Part(rows, first, last, len(rows))


class Stage:
    """Where good rows wait until every file has been read."""

    def __init__(self, folder: Path, rows_held: int = ROWS_HELD) -> None:
        self.folder = folder
        self.rows_held = rows_held
        self.held = 0
        self.written = 0

    def keep(self, rows: pl.DataFrame) -> Part:
        """Take some rows, and return what they are found by; `StorageError` where the disk has no room to spare."""
        if self.held + len(rows) <= self.rows_held:
            self.held += len(rows)
            return part_of(rows)
        if (free := shutil.disk_usage(self.folder).free) < FREE_BYTES:
            raise StorageError(
                f"{self.folder}: {in_words(free)} are free on this disk; an import leaves {in_words(FREE_BYTES)}"
            )
        path = self.folder / f"{self.written}.arrow"
        self.written += 1
        with writable(path):
            rows.write_ipc(path, compression="lz4")
        return part_of(rows)._replace(rows=path)


def kept(part: Part, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Return the rows of a part, or some of their columns."""
    if isinstance(part.rows, pl.DataFrame):
        return part.rows if columns is None else part.rows.select(columns)
    if part.rows.suffix == ".parquet":
        with readable(part.rows):
            return pl.read_parquet(part.rows, columns=list(columns or names_in(part.rows)), glob=False)
    return pl.read_ipc(part.rows, columns=None if columns is None else list(columns))


def stamps_in(parts: Sequence[Part]) -> list[str]:
    """Return which stamps rows of any of the parts have."""
    return stamps_among(name for part in parts for name in _names(part))


def _names(part: Part) -> Sequence[str]:
    if isinstance(part.rows, pl.DataFrame):
        return part.rows.columns
    if part.rows.suffix == ".parquet":
        return names_in(part.rows)
    return list(pl.read_ipc_schema(part.rows))


def in_order(parts: Sequence[Part], most: int = SLICE_ROWS) -> Iterator[pl.DataFrame]:
    """Yield the rows of parts in order of time, `most` of them at once; those of one time stay as they were kept."""
    for first, stop in spans(parts, most):
        yield within(parts, first, stop)


def within(parts: Sequence[Part], first: int, stop: int) -> pl.DataFrame:
    """Return the rows of parts with times in `[first, stop)`, in order of time."""
    found = [_cut(part, first, stop) for part in parts if _meets(part, first, stop)]
    rows = together(found) if found else kept(parts[0])[:0]
    return rows if rows["ts_ns"].is_sorted() else rows.sort("ts_ns", maintain_order=True)


def _cut(part: Part, first: int, stop: int) -> pl.DataFrame:
    if isinstance(part.rows, Path) and part.rows.suffix == ".parquet":
        with readable(part.rows):
            scan = pl.scan_parquet(part.rows, glob=False).select(names_in(part.rows))
            return scan.filter((pl.col("ts_ns") >= first) & (pl.col("ts_ns") < stop)).collect()
    rows = kept(part)
    if first <= part.first_ns and part.last_ns < stop:
        return rows
    return rows.filter((pl.col("ts_ns") >= first) & (pl.col("ts_ns") < stop))


def spans(parts: Sequence[Part], most: int = SLICE_ROWS) -> Iterator[tuple[int, int]]:
    """Yield spans of time `[first, stop)` that hold all rows of parts, one after the other, each no more than `most`.

    `DataError` where more than that have the same time.
    """
    if not parts:
        return
    first, stop = min(part.first_ns for part in parts), max(part.last_ns for part in parts) + 1
    yield from _spans([part for part in parts if part.size], first, stop, most)


def _spans(parts: Sequence[Part], first: int, stop: int, most: int) -> Iterator[tuple[int, int]]:
    inside = [part for part in parts if _meets(part, first, stop)]
    if sum(part.size for part in inside) <= most:
        yield first, stop
        return
    width = -(-(stop - first) // BINS)
    counts = sum((_counted(part, first, stop, width) for part in inside), np.zeros(BINS, int64))
    begin, held = first, 0
    for at, count in enumerate(counts.tolist()):
        left = first + at * width
        if held and held + count > most:
            yield begin, left
            begin, held = left, 0
        held += count
        if held > most:
            if width == 1:
                raise DataError(f"{held:,} rows have the time {left}, where no more than {most:,} may have the same")
            yield from _spans(inside, left, min(left + width, stop), most)
            begin, held = left + width, 0
    if held:
        yield begin, stop


def _counted(part: Part, first: int, stop: int, width: int) -> NDArray[int64]:
    times = kept(part, ["ts_ns"])["ts_ns"].to_numpy()
    times = times[(times >= first) & (times < stop)]
    return np.bincount((times - first) // width, minlength=BINS)[:BINS]


def _meets(part: Part, first: int, stop: int) -> bool:
    return part.first_ns < stop and part.last_ns >= first
