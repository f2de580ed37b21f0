"""Delimited text, plain or packed, read so that every cell that is not what it should be is named by its line."""

import errno
import gzip
import lzma
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl
from polars.exceptions import PanicException, PolarsError

from bmv.data.parquet import BATCH_ROWS, ROW
from bmv.ports.errors import DataError, StorageError

TRUE, FALSE = ("true", "1"), ("false", "0")
BOUGHT = ("buy", "bid", "b", "1", "bids", "buyer", "bought")
SOLD = ("sell", "ask", "s", "a", "-1", "asks", "offer", "offers", "seller", "sold")
UNTOLD = ("unknown", "none", "n", "0", "")
NS_PER = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
OFFSET = r"(?:Z|[+-]\d\d:?\d\d)$"
HEADER_BYTES_MAX = 1 << 16
FEW_WORDS = 16
SEPARATORS = ",;\t|"
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
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) != 1:
                raise DataError(f"{path}: expected one file inside, found {len(members)}")
            with archive.open(members[0]) as packed:
                shutil.copyfileobj(packed, out, 1 << 20)


def first_line(path: Path) -> str:
    """Return the first line of a text, unpacked if need be; empty where it can't be read as text."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive, archive.open(archive.infolist()[0]) as member:
                return member.readline(HEADER_BYTES_MAX).decode("utf-8-sig").strip()
        if path.suffix == ".zip":
            return ""  # Of a zip cut short, a byte of its time may be the end of a line.
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return file.readline(HEADER_BYTES_MAX).decode("utf-8-sig").strip()
    except (*DAMAGED, OSError):
        return ""


def separator_of(line: str) -> str:
    """Return what stands between the cells of a text, told by its first line.

    >>> separator_of("time;price;size"), separator_of("price")
    (';', ',')
    """
    return max(SEPARATORS, key=line.count)


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows as they stand, all cells strings; `origin` is the file that people know it by.

    Text is counted in lines, the first being 1; what was no text before in rows, the first being 0.
    """

    origin: Path
    rows: pl.DataFrame
    counted: Literal["line", "row"] = "line"

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

    def whole(self, name: str) -> pl.Series:
        """Return a column as whole numbers."""
        return self._cast(name, pl.Int64(), "a whole number", False)

    def times(self, name: str, unit: str = "auto") -> pl.Series:
        """Return a column as nanoseconds UTC.

        Args:
            unit: Of numbers, which may have a decimal point; `auto` tells it by size, and reads ISO 8601 as well,
                UTC where it names no offset.
        """
        text, rest = self.column(name), None
        numbers = text.cast(pl.Int64, strict=False)
        if numbers.has_nulls():
            text = text.str.strip_chars()
            if unit == "auto" and "-" in (text[0] or "")[1:]:
                return self._iso(name, text)
            parts = text.str.splitn(".", 2).struct.unnest()
            text, rest = parts["field_0"], parts["field_1"].fill_null("")
            numbers = text.cast(pl.Int64, strict=False)
            self.refuse(name, numbers.is_null(), "a time in whole numbers")
        made = in_ns(numbers, unit)
        if rest is not None:
            made += self._fraction(name, text, rest, unit_of(numbers, unit))
        if made.has_nulls():
            self.refuse(name, made.is_null(), f"a time between 1678 and 2262 in {unit_of(numbers, unit)}")
        return made

    def _fraction(self, name: str, number: pl.Series, rest: pl.Series, unit: str) -> pl.Series:
        """Return what stands behind the decimal point in nanoseconds; what is finer is cut off."""
        wrong = ~rest.str.contains(r"^\d*$") | number.str.starts_with("-")
        self.refuse(name, wrong, "a time in decimal digits")
        digits = len(str(NS_PER[unit])) - 1
        return rest.str.pad_end(digits + 1, "0").str.slice(0, digits).str.pad_start(1, "0").cast(pl.Int64)

    def _iso(self, name: str, text: pl.Series) -> pl.Series:
        text = text.str.replace(" ", "T", literal=True)
        if not text.str.ends_with("Z").all():
            frame = pl.DataFrame({"text": text, "at": text.str.replace(OFFSET, "")})
            at, offset = pl.col("at"), pl.col("text").str.extract(f"({OFFSET})").fill_null("Z")
            day, minute = at.str.len_bytes() == 10, at.str.len_bytes() == 16
            rest = pl.when(day).then(pl.lit("T00:00:00")).when(minute).then(pl.lit(":00")).otherwise(pl.lit(""))
            text = frame.select(pl.concat_str(at, rest, offset)).to_series()
        made = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="ns", strict=False)
        # A year that 64 bits of nanoseconds can't hold would come out as another one.
        off = (made.dt.year() - text.str.slice(0, 4).cast(pl.Int32, strict=False)).abs() > 1
        self.refuse(name, made.is_null() | off.fill_null(True), "a time such as 2025-09-03T12:00:00.123Z")
        return made.cast(pl.Int64)

    def words(self, name: str, meanings: dict[Sequence[str], int]) -> pl.Series:
        """Return a column of words as the numbers they mean, whatever their case."""
        table = {word: number for words, number in meanings.items() for word in words}
        text = self.column(name).fill_null("")
        found = {word: table[word.lower()] for word in text.unique().to_list() if word.lower() in table}
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

    def refuse(self, name: str, wrong: pl.Series, meaning: str) -> None:
        """Raise `DataError` naming the first line where `wrong` is true, if any."""
        if not wrong.any():
            return
        at = wrong.arg_max()
        assert at is not None
        found = self.rows[name][at]
        told = "empty" if found in (None, "") else repr(found)
        raise DataError(
            f"{self.origin}, {self.counted} {self.lines[at]}: column '{name}' is {told}; it should be {meaning}"
        )


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
        for rows in scan.collect_batches(chunk_size=BATCH_ROWS):
            yield Cells(origin, rows.drop(ROW, strict=False).rename({LINE: ROW}))
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


def in_ns(numbers: pl.Series, unit: str) -> pl.Series:
    """Return times as nanoseconds; null where that is more than 64 bits hold.

    Args:
        numbers: Whole numbers since 1970 UTC.
        unit: `s`, `ms`, `us`, `ns`, or `auto`: told by the first of them.
    """
    per = NS_PER[unit_of(numbers, unit)]
    if per == 1:
        return numbers
    largest = (2**63 - 1) // per
    return numbers.set(~numbers.is_between(-largest, largest), None) * per


def unit_of(numbers: pl.Series, unit: str) -> str:
    """Return `unit`, or the one that the first of `numbers` seems to be in, if it is `auto`."""
    if unit != "auto":
        return unit
    return _unit(int(numbers[0] or 0)) if len(numbers) else "ns"


def _unit(number: int) -> str:
    """Tell the unit of a time since 1970 by its size: seconds have ten digits from 2001 to 2286.

    >>> _unit(1756857600), _unit(1756857600000), _unit(1756857600000000), _unit(1756857600000000000)
    ('s', 'ms', 'us', 'ns')
    """
    for unit, above in (("ns", 10**17), ("us", 10**14), ("ms", 10**11)):
        if abs(number) >= above:
            return unit
    return "s"
