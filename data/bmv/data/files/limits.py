"""How much one file may ask of this machine, so that a small file can't take all of its memory or of its disk."""

from pathlib import Path

from bmv.ports.errors import DataError

MB, GB = 10**6, 10**9
LINE_BYTES_MAX = MB  # Of a text; a snapshot of 400 levels takes 20 kB.
COLUMNS_MAX = 4096
RECORD_BYTES_MAX = 1 << 16  # Of an array, or of a text in one cell of Parquet.
HEADER_BYTES_MAX = 1 << 16  # Of an array.
PAGE_BYTES_MAX = 64 * MB  # Of Parquet, unpacked; most writers make pages of 1 MB.
FOOTER_BYTES_MAX = 8 * MB  # Of Parquet: a thousand columns in all row groups need less.
PIECE_BYTES = 16 * MB  # So much of a text or an array is held at once.
ROW_BYTES = 72  # A row has nine numbers.
UNPACKED_MAX = 64 * GB
RATIO_MAX = 100  # Ticks are packed to a fifth up to a thirtieth; bombs to a thousandth.
RATIO_FREE = 256 * MB  # Up to here no ratio is asked.


def unpacked_max(path: Path, asked: int | None) -> int:
    """Return how many bytes a packed file may unpack to: as asked, else by its own size."""
    return asked or min(UNPACKED_MAX, max(RATIO_FREE, RATIO_MAX * path.stat().st_size))


def too_large(path: Path, most: int) -> DataError:
    """Return what refuses a file that unpacks to more than it may."""
    return DataError(
        f"{path}: unpacks to more than {in_words(most)}, the most that its {in_words(path.stat().st_size)} may; "
        f"--unpacked-max, such as --unpacked-max {in_words(4 * most, '')}, allows more"
    )


def in_words(count: int, space: str = " ") -> str:
    """Return a number of bytes as people write it.

    >>> in_words(560_000_000), in_words(64 * GB, ""), in_words(999)
    ('560 MB', '64GB', '999 bytes')
    """
    for unit, size in (("GB", GB), ("MB", MB), ("kB", 1000)):
        if count >= size:
            return f"{count / size:.3g}{space}{unit}"
    return f"{count} bytes"
