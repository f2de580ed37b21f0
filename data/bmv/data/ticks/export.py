"""Ticks out of the lake, for people and programs that read other things."""

import gzip
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, cast

import polars as pl

from bmv.data.files.parquet import ROW, maker, parquet_batches
from bmv.data.files.walk import files_below
from bmv.data.files.writing import whole_file
from bmv.data.ticks.importers import FORMS, Options, chosen
from bmv.data.ticks.lake.lake import refuse_many
from bmv.data.ticks.schema import FLOATS, market_of, writable
from bmv.data.ticks.stamps import bare, names_in, stamps_among, with_stamps
from bmv.data.ticks.units import KINDS
from bmv.ports.errors import DataError, UsageError
from bmv.ports.market import Market


def export(
    asked: Path, out: Path, whole: bool, overwrite: bool = False, progress: Callable[[int], None] | None = None
) -> int:
    """Write a day of the lake, or a folder of days of one market, as one CSV, gzipped if its name says so.

    Returns how many rows there were.

    Args:
        overwrite: Write over a file that is there.
        whole: Leave ticks and lots as they are; else prices and sizes are in units, as exact decimals, and kinds words.
            Stamps stand last, where some day has them.
        progress: Told how many rows more were written.
    """
    if not out.name.endswith((".csv", ".csv.gz")):
        raise UsageError(f"{out}: expected a name that ends in .csv or .csv.gz")
    _refuse_there(out, overwrite)
    days = files_below(asked)
    refuse_many(asked, days)
    rows, stamps = 0, stamps_among(name for day in days for name in names_in(day))
    with writable(out), whole_file(out) as half_done, _opened(half_done, out.suffix == ".gz") as file:
        for day in days:
            market = market_of(day)
            for part in parquet_batches(day, names_in(day)):
                told = with_stamps(part if whole else _in_units(part, market), stamps)
                told.write_csv(file, include_header=rows == 0)
                rows += len(part)
                if progress:
                    progress(len(part))
    return rows


def convert(
    path: Path,
    out: Path,
    form: str | None,
    options: Options,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write a file of any form as Parquet in the float form; return how many rows. Nothing is judged."""
    if out.suffix != ".parquet":
        raise UsageError(f"{out}: expected a name that ends in .parquet")
    if out.exists() and path.exists() and out.samefile(path):
        raise UsageError(f"{out}: is the file to be converted; expected another name")
    _refuse_there(out, overwrite)
    found = chosen(FORMS, path, form, options)
    words = {"bmv.source": made_by} if (made_by := maker(path)) else {}
    words |= found.terms(path)
    parts, stamps, rows = list[Path](), set[str](), 0
    # Which stamps there are is known behind the last row: until then the batches wait on the disk, not in memory.
    with writable(out), whole_file(out) as half_done, TemporaryDirectory(dir=half_done.parent) as waiting:
        for part in found.read(path, options):
            if not len(part):
                continue
            parts.append(Path(waiting) / f"{len(parts)}.parquet")
            part.drop(ROW).write_parquet(parts[-1], compression="zstd")
            stamps |= set(stamps_among(bare(part).columns))
            rows += len(part)
            if progress:
                progress(len(part))
        if not rows:
            raise DataError(f"{path}: has no rows")
        whole = pl.scan_parquet(parts).select(*FLOATS, *stamps_among(stamps))
        whole.sink_parquet(half_done, compression="zstd", metadata=words or None)
    return rows


def _refuse_there(out: Path, overwrite: bool) -> None:
    if out.exists() and not overwrite:
        raise UsageError(f"{out}: exists; --overwrite replaces it")


def _in_units(rows: pl.DataFrame, market: Market) -> pl.DataFrame:
    words = {number.value: word for word, number in KINDS.items()}
    return rows.with_columns(
        pl.col("kind").replace_strict(words, return_dtype=pl.String),
        *(_decimal(name, market.tick_size) for name in ("price", "bid", "ask")),
        *(_decimal(name, market.lot_size) for name in ("size", "bid_size", "ask_size")),
    )


def _decimal(name: str, step: Decimal) -> pl.Expr:
    """Write whole steps as an exact decimal, with a decimal point: who reads it back knows that these are no ticks."""
    digits = max(1, -cast(int, step.as_tuple().exponent))
    return (pl.col(name).cast(pl.Decimal(38, digits)) * pl.lit(step, pl.Decimal(38, digits))).cast(
        pl.Decimal(38, digits)
    )


def _opened(path: Path, packed: bool) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "wb")) if packed else path.open("wb")
