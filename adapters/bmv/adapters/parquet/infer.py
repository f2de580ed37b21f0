"""What tick and lot a tape was recorded with, found from the numbers in it."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

import polars as pl
from numpy import float64, int64
from numpy.typing import NDArray

from bmv.adapters.parquet.source import find, form_of
from bmv.data.files.pages import refuse_odd_pages
from bmv.data.files.parquet import readable
from bmv.data.ticks.infer import PRICES, SIZES, coarsest_step, counted, finest_lot
from bmv.ports.errors import DataError
from bmv.ports.market import PRICE_TICKS_MAX, SIZE_LOTS_MAX

ROWS_LOOKED_AT = 2_000_000  # Of each file.


def infer_steps(path: str | Path) -> tuple[Decimal, Decimal]:
    """Return tick size and lot size of a file or folder: from a lake's metadata, else the coarsest grids that fit.

    `DataError` where no decimal grid fits the prices, or no size was recorded. Sizes that lie on no grid of whole
    lots below 2**40 get the finest lot that a run can count them in; they are rounded down to it, and counted.
    """
    files = find([path])
    refuse_odd_pages(files[0])
    with readable(files[0]):
        words = pl.read_parquet_metadata(str(files[0]))
        lake = form_of(files[0], pl.read_parquet_schema(str(files[0])))
    if lake:
        try:
            return Decimal(words["bmv.tick_size"]), Decimal(words["bmv.lot_size"])
        except (KeyError, InvalidOperation):
            what = "bmv.tick_size or bmv.lot_size is missing from its metadata, so its whole numbers mean nothing"
            raise DataError(f"{files[0]}: {what}") from None
    if (tick := coarsest_step(*_values(files, PRICES), PRICE_TICKS_MAX)) is None:
        raise DataError(
            f"{path}: expected prices on a decimal grid, to find the tick size; they lie on no decimal grid"
        )
    sizes, counts = _values(files, SIZES)
    if not len(sizes):
        raise DataError(f"{path}: expected sizes, to find the lot size; found no sizes")
    return tick, coarsest_step(sizes, counts, SIZE_LOTS_MAX, coarsen=False) or finest_lot(float(sizes.max()))


def infer_tick(path: Path) -> Decimal | None:
    """Return the tick size that fits the prices of one file in the form of floats, None if there is none."""
    return coarsest_step(*_values([path], PRICES), PRICE_TICKS_MAX)


def _values(files: Sequence[Path], names: Sequence[str]) -> tuple[NDArray[float64], NDArray[int64]]:
    """Return the positive numbers in some columns, each once, and how often each occurs."""
    columns = []
    for path in files:
        refuse_odd_pages(path)
        with readable(path):
            form_of(path, pl.read_parquet_schema(str(path)))
            part = pl.scan_parquet(str(path), glob=False).head(ROWS_LOOKED_AT)
            columns += [part.select(value=pl.col(name).cast(pl.Float64)).drop_nulls().collect() for name in names]
    return counted(columns)
