"""What tick and lot a tape was recorded with, found from the numbers in it."""

from collections.abc import Sequence
from decimal import Decimal
from math import floor, log10
from pathlib import Path

import numpy as np
import polars as pl
from numpy import float64, int64
from numpy.typing import NDArray

from bmv.adapters.parquet.source import find, form_of, readable
from bmv.ports.errors import DataError
from bmv.ports.market import PRICE_TICKS_MAX, SIZE_LOTS_MAX

ROWS_LOOKED_AT = 2_000_000  # Of each file.
DIGITS_MAX = 12
ENOUGH = 0.999  # Share of the rows that must lie on a grid; the rest may be bad rows, which a run drops and counts.
PRICES, SIZES = ("price", "bid", "ask"), ("size", "bid_size", "ask_size")


def infer_steps(path: str | Path) -> tuple[Decimal, Decimal]:
    """Return tick size and lot size of a file or folder: from a lake's metadata, else the coarsest grids that fit.

    `DataError` where no decimal grid fits the prices, or no size was recorded. Sizes that lie on no grid of whole
    lots below 2**40 get the finest lot that a run can count them in; they are rounded down to it, and counted.
    """
    files = find([path])
    with readable(files[0]):
        words = pl.read_parquet_metadata(files[0])
        lake = form_of(files[0], pl.read_parquet_schema(files[0]))
    if lake:
        return Decimal(words["bmv.tick_size"]), Decimal(words["bmv.lot_size"])
    if (tick := _step(*_values(files, PRICES), PRICE_TICKS_MAX)) is None:
        raise DataError(f"{path}: its prices lie on no decimal grid, so no tick size can be found")
    sizes, counts = _values(files, SIZES)
    if not len(sizes):
        raise DataError(f"{path}: has no sizes, so no lot size can be found")
    return tick, _step(sizes, counts, SIZE_LOTS_MAX, coarsen=False) or _finest(float(sizes.max()))


def infer_tick(path: Path) -> Decimal | None:
    """Return the tick size that fits the prices of one file in the form of floats, None if there is none."""
    return _step(*_values([path], PRICES), PRICE_TICKS_MAX)


def _values(files: Sequence[Path], names: Sequence[str]) -> tuple[NDArray[float64], NDArray[int64]]:
    """Return the positive numbers in some columns, each once, and how often each occurs."""
    columns = []
    for path in files:
        with readable(path):
            form_of(path, pl.read_parquet_schema(path))
            part = pl.scan_parquet(path, glob=False).head(ROWS_LOOKED_AT)
            columns += [part.select(value=pl.col(name).cast(pl.Float64)).drop_nulls().collect() for name in names]
    value = pl.col("value")
    counted = pl.concat(columns).filter(value.is_finite() & (value > 0)).group_by("value").len()
    return counted["value"].to_numpy(), counted["len"].cast(pl.Int64).to_numpy()


def _step(values: NDArray[float64], counts: NDArray[int64], steps_max: int, coarsen: bool = True) -> Decimal | None:
    """Return the largest step of which `ENOUGH` of the values are whole multiples, fewer than `steps_max` of them.

    Without `coarsen`, those that have few enough digits are multiples of it without exception: an odd lot among a
    thousand round ones is no fault, as a price off the grid is.
    """
    for digits in range(DIGITS_MAX + 1):
        scaled = values * 10.0**digits
        if not len(values) or scaled.max() >= steps_max:
            return None
        whole = np.rint(scaled).astype(int64)
        fits = (np.abs(scaled - whole) <= 1e-6 + 1e-15 * scaled) & (whole > 0)
        if counts[fits].sum() >= ENOUGH * counts.sum():
            step = _coarsest(whole[fits], counts[fits]) if coarsen else int(np.gcd.reduce(whole[fits]))
            return Decimal(format(Decimal(step).scaleb(-digits).normalize(), "f"))
    return None


def _coarsest(whole: NDArray[int64], counts: NDArray[int64]) -> int:
    """Return the greatest common divisor, and twice and five times that for as long as `ENOUGH` are multiples."""
    step = int(np.gcd.reduce(whole))
    for factor in (5, 2):
        while counts[whole % (step * factor) == 0].sum() >= ENOUGH * counts.sum():
            step *= factor
            if step > int(whole.max()):
                break
    return step


def _finest(largest: float) -> Decimal:
    return Decimal(1).scaleb(-min(9, floor(log10((SIZE_LOTS_MAX - 1) / largest))))
