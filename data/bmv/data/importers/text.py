"""Delimited text, plain or packed, read so that every cell that is not what it should be is named by its line."""

import errno
import gzip
import lzma
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Literal, cast

import polars as pl
from polars.exceptions import PanicException, PolarsError

from bmv.data.calendar import NS_PER, YEARS, impossible, meant
from bmv.data.importers.meaning import BOUGHT, SOLD
from bmv.data.importers.times import (
    CLOCK_ALONE,
    CLOCK_WRITTEN,
    Read,
    in_ns,
    is_clock,
    is_number,
    is_short,
    not_written,
    times,
    two_readings,
    unit_of,
)
from bmv.data.parquet import BATCH_ROWS, ROW
from bmv.ports.errors import DataError, StorageError

TRUE, FALSE = ("true", "1", "t"), ("false", "0", "f")
UNTOLD = ("unknown", "none", "n", "0", "")
HEADER_BYTES_MAX = 1 << 16
FEW_WORDS = 16
SEPARATORS = ",;\t|"
EXTRAS = (".ds_store", "thumbs.db", "desktop.ini")
LINE = "\0line"  # No column of a file is called that.

# What the packers of the standard library raise about bytes that they did not pack.
DAMAGED = (
    zipfile.BadZipFile, zipfile.LargeZipFile, gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError, struct.error,
    NotImplementedError, RuntimeError, ValueError, IndexError,
)  # fmt: skip


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Give the text of a file that is plain, gzipped, or the only member of a zip; a damaged one is a `DataError`."""
    if not (zipfile.is_zipfile(path) or path.suffix in (".gz", ".zip")):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="bmv-") as folder:
        plain = Path(folder) / "plain"
        try:
            _unpack(path, plain)
        except DAMAGED as error:
            raise DataError(f"{path}: damaged or cut short: {str(error) or type(error).__name__}") from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageError(f"{path}: no room in {folder} to unpack it") from error
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
        yield plain


def _unpack(path: Path, plain: Path) -> None:
    with plain.open("wb") as out:
        if path.suffix == ".gz":
            with gzip.open(path) as packed:
                shutil.copyfileobj(packed, out, 1 << 20)
            return
        with zipfile.ZipFile(path) as archive:
            names = members(archive)
            if len(names) != 1:
                raise DataError(f"{path}: expected one file inside, found {len(names)}")
            with archive.open(names[0]) as packed:
                shutil.copyfileobj(packed, out, 1 << 20)


def members(archive: zipfile.ZipFile) -> list[str]:
    """Return the names of the files in a zip, without folders and what systems add: a Mac's extras, Windows's marks."""
    names = [member.filename for member in archive.infolist() if not member.is_dir()]
    return [name for name in names if not _is_extra(PurePosixPath(name))]


def _is_extra(name: PurePosixPath) -> bool:
    return "__MACOSX" in name.parts or name.name.startswith("._") or name.name.lower() in EXTRAS


def first_line(path: Path) -> str:
    """Return the first line of a text, unpacked if need be; empty where it can't be read as text."""
    return next(iter(first_lines(path, 1)), "")


def first_lines(path: Path, count: int) -> list[str]:
    """Return the first lines of a text, unpacked if need be; none where it can't be read as text."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive, archive.open(members(archive)[0]) as member:
                return _lines(member, count)
        if path.suffix == ".zip":
            return []  # Of a zip cut short, a byte of its time may be the end of a line.
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _lines(cast(IO[bytes], file), count)
    except (*DAMAGED, OSError):
        return []


def _lines(file: IO[bytes], count: int) -> list[str]:
    lines = (file.readline(HEADER_BYTES_MAX) for _ in range(count))
    return [line.decode("utf-8-sig").strip() for line in lines if line]


def separator_of(line: str) -> str:
    """Return what stands between the cells of a text, told by its first line.

    >>> separator_of("time;price;size"), separator_of("price")
    (';', ',')
    """
    return max(SEPARATORS, key=line.count)


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows as they stand, all cells strings; `origin` is the file that people know it by.

    Text is counted in lines, the first being 1; what was no text before in rows, the first being 0. `known` is what the
    batches before have shown of the file, such as the unit of its times; all batches of a file share it.
    """

    origin: Path
    rows: pl.DataFrame
    counted: Literal["line", "row"] = "line"
    known: dict[str, str] = field(default_factory=dict)

    @property
    def lines(self) -> pl.Series:
        return self.rows[ROW]

    def has(self, name: str) -> bool:
        """Say whether the text has such a column."""
        return name in self.rows.columns

    def column(self, name: str) -> pl.Series:
        """Return a column as it stands."""
        if not self.has(name):
            raise DataError(f"{self.origin}, line 1: expected a column '{name}'")
        return self.rows[name]

    def floats(self, name: str, empty: bool = False) -> pl.Series:
        """Return a column as decimal numbers; an empty cell is null if `empty`, else refused."""
        return self._cast(name, pl.Float64(), "a decimal number", empty)

    def whole(self, name: str, empty: bool = False) -> pl.Series:
        """Return a column as whole numbers; an empty cell is null if `empty`, else refused."""
        return self._cast(name, pl.Int64(), "a whole number", empty)

    def times(self, name: str, unit: str = "auto", day: str | None = None, day_first: bool | None = None) -> pl.Series:
        """Return a column as nanoseconds UTC, every one of them a time that a tick can have.

        Args:
            unit: Of numbers, which may have a decimal point; `auto` tells it by size, once a file, and reads texts as
                well, UTC where they name no offset.
            day: Another column with the days, where this one has clocks alone.
            day_first: How `01/05/2026` is to be read; None: as the file shows, else it is refused.
        """
        text = self.column(name).str.strip_chars()
        some = text.drop_nulls().head(1)
        first = some[0] if len(some) else ""
        if day is not None and (is_clock(first) or is_short(first)):
            return self._clocks(name, text, day, day_first)
        if is_number(first) or unit != "auto":
            made, unit = self._numbers(name, text, unit)
            self.refuse(name, impossible(made) | made.is_null(), partial(meant, unit=unit))
            return made
        return self._written(name, text, day_first)

    def since_midnight(self, name: str, unit: str) -> pl.Series:
        """Return a column of times of a day as nanoseconds."""
        return self._numbers(name, self.column(name).str.strip_chars(), unit)[0]

    def _numbers(self, name: str, text: pl.Series, unit: str) -> tuple[pl.Series, str]:
        """Return numbers as nanoseconds, null where those are too many, and their unit."""
        rest = None
        numbers = text.cast(pl.Int64, strict=False)
        if numbers.has_nulls():
            parts = text.str.splitn(".", 2).struct.unnest()
            text, rest = parts["field_0"], parts["field_1"].fill_null("")
            numbers = text.cast(pl.Int64, strict=False)
            self.refuse(name, numbers.is_null(), "a time in whole numbers")
        if unit == "auto":
            unit = self.known.get(f"unit of {name}") or unit_of(numbers, unit)
        if len(numbers):
            self.known[f"unit of {name}"] = unit
        made = in_ns(numbers, unit)
        if rest is not None:
            made += self._fraction(name, text, rest, unit)
        return made, unit

    def _fraction(self, name: str, number: pl.Series, rest: pl.Series, unit: str) -> pl.Series:
        """Return what stands behind the decimal point in nanoseconds; what is finer is cut off."""
        wrong = ~rest.str.contains(r"^\d*$") | number.str.starts_with("-")
        self.refuse(name, wrong, "a time in decimal digits")
        digits = len(str(NS_PER[unit])) - 1
        return rest.str.pad_end(digits + 1, "0").str.slice(0, digits).str.pad_start(1, "0").cast(pl.Int64)

    def _clocks(self, name: str, clock: pl.Series, day: str, day_first: bool | None) -> pl.Series:
        """Return clocks, with the days that stand in another column, as nanoseconds UTC."""
        wrong = ~clock.str.contains(CLOCK_ALONE).fill_null(False)
        self.refuse(name, wrong, f"a clock {CLOCK_WRITTEN}, as its day stands in column '{day}'")
        days = self.column(day).str.strip_chars()
        alone = self._read(day, days, day_first)
        self.refuse(day, alone.ts_ns.is_null() | ~alone.bare, "the day of the clock beside it, such as 2025-09-03")
        read = times(days + " " + clock, alone.day_first)
        self.refuse(name, read.ts_ns.is_null(), "a clock such as 09:30:00.123")
        self.refuse(day, impossible(read.ts_ns), f"a day {YEARS}")
        return read.ts_ns

    def _written(self, name: str, text: pl.Series, day_first: bool | None) -> pl.Series:
        """Return times that are written out as nanoseconds UTC."""
        read = self._read(name, text, day_first)
        self.refuse(name, read.ts_ns.is_null(), not_written)
        if len(text) and read.bare.all():
            self.refuse(name, read.bare, "a time of day too: these are days alone")
        self.refuse(name, impossible(read.ts_ns), f"a time {YEARS}")
        return read.ts_ns

    def _read(self, name: str, text: pl.Series, day_first: bool | None) -> Read:
        """Return times that are written out; refuse those that may be read in two ways."""
        order = f"order of {name}"
        if day_first is None and order in self.known:
            day_first = self.known[order] == "day first"
        read = times(text, day_first)
        if read.day_first is not None:
            self.known[order] = "day first" if read.day_first else "month first"
        self.refuse(name, read.unclear, two_readings)
        return read

    def words(self, name: str, meanings: dict[Sequence[str], int]) -> pl.Series:
        """Return a column of words as the numbers they mean, whatever their case."""
        table = {word: number for words, number in meanings.items() for word in words}
        text = self.column(name).fill_null("")
        plain = {word: word.strip().lower() for word in text.unique().to_list()}
        found = {word: table[known] for word, known in plain.items() if known in table}
        made = _replaced(text, found)
        self.refuse(name, made.is_null(), "one of " + ", ".join(word for word in table if word))
        return made

    def sides(self, name: str) -> pl.Series:
        """Return a column of sides: 1 bought or bid, -1 sold or ask, 0 not told."""
        return self.words(name, {BOUGHT: 1, SOLD: -1, UNTOLD: 0})

    def _cast(self, name: str, kind: pl.DataType, meaning: str, empty: bool) -> pl.Series:
        text = self.column(name)
        made = text.cast(kind, strict=False)
        if made.null_count() == (text.null_count() if empty else 0):
            return made
        text = text.str.strip_chars()
        made = text.cast(kind, strict=False)
        wrong = made.is_null()
        if empty:
            wrong &= text.fill_null("") != ""
        self.refuse(name, wrong, meaning)
        return made

    def refuse(self, name: str, wrong: pl.Series, meaning: str | Callable[[str], str]) -> None:
        """Raise `DataError` naming the first line where `wrong` is true, if any.

        Args:
            meaning: What the cell should be; or what says it, asked with the cell, in a sentence that begins with "it".
        """
        if not wrong.any():
            return
        at = wrong.arg_max()
        assert at is not None
        found = self.rows[name][at]
        cell = "empty" if found in (None, "") else repr(found)
        should = f"it should be {meaning}" if isinstance(meaning, str) else meaning(found or "")
        raise DataError(f"{self.origin}, {self.counted} {self.lines[at]}: column '{name}' is {cell}; {should}")


def _replaced(text: pl.Series, found: dict[str, int]) -> pl.Series:
    """Return the numbers that words mean, null for others; a few words are compared faster than they are looked up."""
    if len(found) > FEW_WORDS:
        return text.replace_strict(found, default=None, return_dtype=pl.Int64)
    made = pl.repeat(None, pl.len(), dtype=pl.Int64)
    for word, number in found.items():
        made = pl.when(pl.col("text") == word).then(pl.lit(number, pl.Int64)).otherwise(made)
    return pl.DataFrame({"text": text}).select(made).to_series()


def cells(
    path: Path, origin: Path, names: Sequence[str] | None = None, separator: str = ",", wanted: Sequence[str] = ()
) -> Iterator[Cells]:
    """Yield a text in batches.

    Args:
        path: The unpacked text.
        origin: The file that the user named.
        names: The columns where the text has no header; None: its first line names them.
        wanted: The only columns needed; none: all.
    """
    first = 1 if names else 2
    try:
        scan = pl.scan_csv(
            path, has_header=names is None, new_columns=names, infer_schema=False, separator=separator, glob=False,
            row_index_name=LINE, row_index_offset=first, empty_string_is_null=True,
        )  # fmt: skip
        scan = scan if names else scan.rename(str.strip)
        scan = scan.select(LINE, *wanted) if wanted else scan
        known = dict[str, str]()
        for rows in scan.collect_batches(chunk_size=BATCH_ROWS):
            yield Cells(origin, rows.drop(ROW, strict=False).rename({LINE: ROW}), known=known)
    except (PolarsError, PanicException) as error:
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{origin}{_wrong_line(path, separator)}: cannot be read as delimited text: {cause}") from error


def _wrong_line(path: Path, separator: str) -> str:
    """Say which line of a text is the first that is not text, or is longer than the first one, if any is."""
    width = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                cells = line.decode().count(separator)
            except UnicodeDecodeError:
                return f", line {number}"
            width = width or cells
            if cells > width:
                return f", line {number}"
    return ""
