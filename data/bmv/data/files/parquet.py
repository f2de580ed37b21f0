"""Reading Parquet so that what is wrong with a file is said in one line that names it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from polars.exceptions import PanicException, PolarsError

from bmv.data.files.limits import PIECE_BYTES, RECORD_BYTES_MAX, in_words
from bmv.data.files.pages import refuse_odd_pages
from bmv.ports.errors import DataError

BATCH_ROWS = 500_000
MAGIC = b"PAR1"
ROW = "row"


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a file is read into a `DataError` of one line that names it."""
    try:
        yield
    except (PolarsError, OSError, PanicException) as error:
        if path.is_file() and not path.stat().st_size:
            raise DataError(f"{path}: is empty") from error
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: cannot be read as Parquet: {cause}") from error


def is_parquet(path: Path) -> bool:
    """Say whether a file begins as Parquet does, whatever it is called."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def parquet_columns(path: Path) -> list[str]:
    """Return the names of the columns of a Parquet file; `DataError` where it is none."""
    with readable(path):
        return list(pl.read_parquet_schema(str(path)))


def maker(path: Path) -> str:
    """Return what a file says of its maker (`bmv.source`), as one that is made up does; empty where it says nothing."""
    if not is_parquet(path):
        return ""
    with readable(path):
        return pl.read_parquet_metadata(path).get("bmv.source", "")


def parquet_batches(path: Path, columns: Sequence[str], unpacked_max: int | None = None) -> Iterator[pl.DataFrame]:
    """Yield some columns of a Parquet file in batches, with `row`, the first being number 0.

    Args:
        unpacked_max: How many bytes a page may unpack to; None: as is usual.
    """
    refuse_odd_pages(path, unpacked_max)
    with readable(path):
        scan = pl.scan_parquet(str(path), glob=False).select(columns)
        rows = scan.select(pl.len()).collect().item()
    for offset in range(0, rows, BATCH_ROWS):
        with readable(path):
            part = scan.slice(offset, BATCH_ROWS).collect()
        yield from _of_bounded_size(path, part.with_row_index(ROW, offset))


def _of_bounded_size(path: Path, rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield rows in slices whose texts take no more than a piece: many cells may share one long text of a dictionary.

    `DataError` where one cell is longer than a record may be.
    """
    total = 0
    for name, kind in rows.schema.items():
        if isinstance(kind, pl.String | pl.Binary):
            sizes = rows[name].str.len_bytes() if kind == pl.String else rows[name].bin.size()
            if (sizes > RECORD_BYTES_MAX).any():
                at = rows[ROW][sizes.arg_max() or 0]
                raise DataError(
                    f"{path}, row {at}: column '{name}' has more than {in_words(RECORD_BYTES_MAX)}, the most that a "
                    "cell may have"
                )
            total += int(sizes.sum())
    yield from rows.iter_slices(max(1, len(rows) // (1 + total // PIECE_BYTES))) if len(rows) else [rows]
