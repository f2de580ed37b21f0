"""What step the numbers of a record lie on: a tick for prices, a lot for sizes."""

from decimal import Decimal
from math import floor, log10

import numpy as np
import polars as pl
from numpy import float64, int64
from numpy.typing import NDArray

from bmv.data.ticks.quality import noise
from bmv.ports.market import SIZE_LOTS_MAX

DIGITS_MAX = 12
ENOUGH = 0.999  # Share of the rows that must lie on a grid; the rest may be bad rows, which a run drops and counts.
PRICES, SIZES = ("price", "bid", "ask"), ("size", "bid_size", "ask_size")


class Values:
    """The positive numbers of columns that pass, each held once; `rows` says how many passed, of every sort."""

    def __init__(self) -> None:
        self.rows = 0
        self._found = pl.DataFrame(schema={"value": pl.Float64, "len": pl.Int64})

    def add(self, column: pl.Series) -> None:
        """Count some numbers; nulls and what is not finite are passed over."""
        self.rows += len(column)
        value, number = pl.col("value"), pl.len().cast(pl.Int64)
        some = column.cast(pl.Float64).alias("value").to_frame().filter(value.is_finite() & (value > 0))
        parts = [self._found, some.group_by("value").agg(len=number)]
        self._found = pl.concat(parts).group_by("value").agg(pl.col("len").sum())

    def counted(self) -> tuple[NDArray[float64], NDArray[int64]]:
        """Return each number once, and how often each occurred."""
        return self._found["value"].to_numpy(), self._found["len"].to_numpy()


def coarsest_step(
    values: NDArray[float64], counts: NDArray[int64], steps_max: int, coarsen: bool = True
) -> Decimal | None:
    """Return the largest step of which `ENOUGH` of the values are whole multiples, fewer than `steps_max` of them.

    Without `coarsen`, those that have few enough digits are multiples of it without exception: an odd lot among a
    thousand round ones is no fault, as a price off the grid is.
    """
    for digits in range(DIGITS_MAX + 1):
        scaled = values * 10.0**digits
        if not len(values) or scaled.max() >= steps_max:
            return None
        whole = np.rint(scaled).astype(int64)
        fits = (np.abs(scaled - whole) <= _noise(scaled)) & (whole > 0)
        if counts[fits].sum() >= ENOUGH * counts.sum():
            step = _coarsest(whole[fits], counts[fits]) if coarsen else int(np.gcd.reduce(whole[fits]))
            return Decimal(format(Decimal(step).scaleb(-digits).normalize(), "f"))
    return None


def _noise(steps: NDArray[float64]) -> NDArray[float64]:
    """Return how far from a whole number each of `steps` may lie and still be it, as when a tape is read."""
    return pl.DataFrame({"steps": steps}).select(noise(pl.col("steps"))).to_series().to_numpy()


def _coarsest(whole: NDArray[int64], counts: NDArray[int64]) -> int:
    """Return the greatest common divisor, and twice and five times that for as long as `ENOUGH` are multiples."""
    step = int(np.gcd.reduce(whole))
    for factor in (5, 2):
        while counts[whole % (step * factor) == 0].sum() >= ENOUGH * counts.sum():
            step *= factor
            if step > int(whole.max()):
                break
    return step


def finest_lot(largest: float) -> Decimal:
    """Return the finest decimal lot in which sizes up to `largest` can be counted."""
    return Decimal(1).scaleb(-min(9, floor(log10((SIZE_LOTS_MAX - 1) / largest))))
