"""Delimited text, plain or packed, read so that every cell that is not what it should be is named by its line."""

import gzip
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from bmv.data.parquet import BATCH_ROWS, ROW
from bmv.ports.errors import DataError

TRUE, FALSE = ("true", "1"), ("false", "0")
BOUGHT, SOLD, UNTOLD = ("buy", "bid", "b", "1"), ("sell", "ask", "s", "a", "-1"), ("unknown", "none", "n", "0", "")
NS_PER = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


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
        except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
            raise DataError(f"{path}: damaged or cut short: {error}") from error
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
                return member.readline(4096).decode().strip()
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return file.readline(4096).decode().strip()
    except (OSError, EOFError, UnicodeDecodeError, zipfile.BadZipFile, zlib.error, IndexError, NotImplementedError):
        return ""


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows of a text as it stands, all cells strings; `origin` is the file that people know it by."""

    origin: Path
    rows: pl.DataFrame

    @property
    def lines(self) -> pl.Series:
        return self.rows[ROW]

    def has(self, name: str) -> bool:
        """Say whether the text has such a column."""
        return name in self.rows.columns

    def floats(self, name: str, empty: bool = False) -> pl.Series:
        """Return a column as decimal numbers; an empty cell is null if `empty`, else refused."""
        return self._cast(name, pl.Float64(), "a decimal number", empty)

    def whole(self, name: str) -> pl.Series:
        """Return a column as whole numbers."""
        return self._cast(name, pl.Int64(), "a whole number", False)

    def times(self, name: str, unit: str = "auto") -> pl.Series:
        """Return a column as nanoseconds UTC; `auto` tells the unit by size, and reads ISO 8601 as well."""
        text = self.rows[name]
        if unit == "auto" and len(text) and "-" in (text[0] or "")[1:]:
            return self._iso(name)
        numbers = self.whole(name)
        if unit == "auto":
            unit = _unit(int(numbers[0] or 0)) if len(numbers) else "ns"
        return numbers * NS_PER[unit]

    def _iso(self, name: str) -> pl.Series:
        text = self.rows[name].str.replace(" ", "T", literal=True).str.strip_suffix("Z")
        text = text.str.replace(r"\+00:?00$", "")
        made = text.str.to_datetime(time_unit="ns", strict=False)
        self._refuse(name, made.is_null(), "a time such as 2025-09-03T12:00:00.123Z")
        return made.cast(pl.Int64)

    def words(self, name: str, meanings: dict[Sequence[str], int]) -> pl.Series:
        """Return a column of words as the numbers they mean, whatever their case."""
        table = {word: number for words, number in meanings.items() for word in words}
        made = (
            self.rows[name].fill_null("").str.to_lowercase().replace_strict(table, default=None, return_dtype=pl.Int64)
        )
        self._refuse(name, made.is_null(), "one of " + ", ".join(word for word in table if word))
        return made

    def sides(self, name: str) -> pl.Series:
        """Return a column of sides: 1 bought or bid, -1 sold or ask, 0 not told."""
        return self.words(name, {BOUGHT: 1, SOLD: -1, UNTOLD: 0})

    def _cast(self, name: str, kind: pl.DataType, meaning: str, empty: bool) -> pl.Series:
        made = self.rows[name].str.strip_chars().cast(kind, strict=False)
        wrong = made.is_null()
        if empty:
            wrong &= self.rows[name].fill_null("").str.strip_chars() != ""
        self._refuse(name, wrong, meaning)
        return made

    def _refuse(self, name: str, wrong: pl.Series, meaning: str) -> None:
        if not wrong.any():
            return
        at = wrong.arg_max()
        assert at is not None
        found = self.rows[name][at]
        told = "empty" if found in (None, "") else repr(found)
        raise DataError(f"{self.origin}, line {self.lines[at]}: column '{name}' is {told}; it should be {meaning}")


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
            row_index_name=ROW, row_index_offset=first, empty_string_is_null=True,
        )  # fmt: skip
        if wanted:
            scan = scan.select(ROW, *wanted)
        for rows in scan.collect_batches(chunk_size=BATCH_ROWS):
            yield Cells(origin, rows)
    except PolarsError as error:
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{origin}: cannot be read as delimited text: {cause}") from error


def _unit(number: int) -> str:
    """Tell the unit of a time since 1970 by its size: seconds have ten digits from 2001 to 2286.

    >>> _unit(1756857600), _unit(1756857600000), _unit(1756857600000000), _unit(1756857600000000000)
    ('s', 'ms', 'us', 'ns')
    """
    for unit, above in (("ns", 10**17), ("us", 10**14), ("ms", 10**11)):
        if abs(number) >= above:
            return unit
    return "s"
