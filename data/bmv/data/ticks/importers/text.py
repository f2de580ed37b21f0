"""Delimited text, plain or packed, read so that every cell that is not what it should be is named by its line."""

import gzip
import io
import re
import zipfile
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Literal, cast

import polars as pl
from polars.exceptions import PanicException, PolarsError

from bmv.data.files.limits import COLUMNS_MAX, LINE_BYTES_MAX, PIECE_BYTES, in_words
from bmv.data.files.parquet import BATCH_ROWS, ROW
from bmv.data.ticks.calendar import NS_PER, YEARS, impossible, meant
from bmv.data.ticks.importers.meaning import BOUGHT, SOLD
from bmv.data.ticks.importers.packed import DAMAGED, Unpacked, members, text_of
from bmv.data.ticks.importers.times import (
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
from bmv.ports.errors import DataError

TRUE, FALSE = ("true", "1", "t"), ("false", "0", "f")
UNTOLD = ("unknown", "none", "n", "0", "")
HEADER_BYTES_MAX = 1 << 16
FEW_WORDS = 16
SEPARATORS = ",;\t|"
QUOTED = re.compile(rb'"[^"]*"')
LINE = "\0line"  # No column of a file is called that.


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
    path: Path,
    names: Sequence[str] | None = None,
    separator: str = ",",
    wanted: Sequence[str] = (),
    unpacked_max: int | None = None,
) -> Generator[Cells]:
    """Yield a text, packed or not, in batches: of no more than `PIECE_BYTES`, and no more than `BATCH_ROWS` rows.

    Args:
        names: The columns where the text has no header; None: its first line names them.
        wanted: The only columns needed; none: all.
        unpacked_max: How many bytes it may unpack to; None: as is usual.
    """
    number = 1 if names else 2
    known = dict[str, str]()
    with text_of(path, unpacked_max) as text:
        found: list[str] | None = None
        for line, piece in pieces(path, text):
            rows = _parsed(path, line, piece, names, found, separator, number)
            found = [name for name in rows.columns if name != LINE]
            number += len(rows)
            rows = _without_blank(rows, found)
            rows = rows if names else rows.rename(str.strip)
            rows = rows.select(LINE, *wanted) if wanted else rows
            rows = rows.drop(ROW, strict=False).rename({LINE: ROW})
            for part in rows.iter_slices(BATCH_ROWS) if len(rows) else [rows]:
                yield Cells(path, part, known=known)


def _parsed(
    path: Path,
    line: int,
    piece: bytes,
    names: Sequence[str] | None,
    found: Sequence[str] | None,
    separator: str,
    number: int,
) -> pl.DataFrame:
    """Return the cells of some whole lines.

    Args:
        line: Which line of the text the first of them is.
        found: The columns that the lines before had; None: there are none before.
        number: By which its first row is known.
    """
    if found is None:
        refuse_many_columns(path, 1 + piece[:LINE_BYTES_MAX].split(b"\n", 1)[0].count(separator.encode()))
    else:
        _refuse_short(path, line, piece, separator, len(found) - 1)
    try:
        made = pl.scan_csv(
            io.BytesIO(piece), has_header=names is None and found is None, infer_schema=False, separator=separator,
            new_columns=names if found is None else None, schema=dict.fromkeys(found, pl.String) if found else None,
            row_index_name=LINE, row_index_offset=number, empty_string_is_null=True,
        ).collect(engine="streaming")  # fmt: skip
    except (PolarsError, PanicException) as error:
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        where = _wrong_line(piece, line, separator, None if found is None else len(found) - 1)
        raise DataError(f"{path}{where}: cannot be read as delimited text: {cause}") from error
    if found is None:
        _refuse_short(path, line, piece, separator, made.width - 2)  # Without the number of the row.
    return made


def _without_blank(rows: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Return rows without those of empty lines: they say nothing, and many texts end with one."""
    return rows.remove(pl.all_horizontal(pl.col(names).is_null())) if rows[names[0]].has_nulls() else rows


def _refuse_short(path: Path, first: int, piece: bytes, separator: str, width: int) -> None:
    """Raise `DataError` where a line has fewer cells than there are columns.

    It was cut off, and what stands in its last cell may be the beginning of a number: 1 of 1.5.

    Args:
        first: Which line of the text the first of them is.
        width: How many separators each line should have.
    """
    plain = QUOTED.sub(b"", piece) if b'"' in piece else piece
    lines = plain.count(b"\n") + (not plain.endswith(b"\n"))
    if plain.count(separator.encode()) >= lines * width:
        return
    for number, line in enumerate(io.BytesIO(plain), first):
        count = line.count(separator.encode())
        if count < width and line.strip():
            raise DataError(
                f"{path}, line {number}: has {count + 1} cells, and there are {width + 1} columns; was it cut off?"
            )


def refuse_many_columns(path: Path, count: int) -> None:
    """Raise `DataError` where a text has more columns than are read."""
    if count > COLUMNS_MAX:
        raise DataError(f"{path}, line 1: has {count:,} columns; no more than {COLUMNS_MAX:,} are read")


def pieces(path: Path, text: Unpacked, size: int = PIECE_BYTES) -> Iterator[tuple[int, bytes]]:
    """Yield a text in pieces of whole lines, each with the number of its first line.

    A line may be in quotation marks and go on in the next one, so that no piece ends within marks. `DataError` where a
    line is longer than `LINE_BYTES_MAX`.
    """
    line, rest, some = 1, b"", False
    while block := text.read(size):
        whole = rest + block
        end = _end_of_lines(whole)
        if len(whole) - end > LINE_BYTES_MAX:
            number = line + whole.count(b"\n", 0, end)
            raise DataError(
                f"{path}, line {number}: is longer than {in_words(LINE_BYTES_MAX)}, the most "
                "that a line may be; is it a text of ticks, one in each line?"
            )
        if end:
            yield line, whole[:end]
            some = True
            line += whole.count(b"\n", 0, end)
        rest = whole[end:]
    if rest or not some:
        yield line, rest


def _end_of_lines(text: bytes) -> int:
    """Return where the last line ends that is whole, 0 where none is."""
    end = text.rfind(b"\n") + 1
    marks = text.count(b'"', 0, end)
    while end and marks % 2:
        before = text.rfind(b"\n", 0, end - 1) + 1
        marks -= text.count(b'"', before, end)
        end = before
    return end


def _wrong_line(piece: bytes, first: int, separator: str, width: int | None) -> str:
    """Say which of some lines is the first that is not text, or has more cells than the first one, if any is."""
    for number, line in enumerate(io.BytesIO(piece), first):
        try:
            cells = line.decode().count(separator)
        except UnicodeDecodeError:
            return f", line {number}"
        width = cells if width is None else width
        if cells > width:
            return f", line {number}"
    return ""
