"""What tick and lot files of ticks count in: the one answer for all who ask."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import polars as pl

from bmv.data.ticks.importers import FORMS, Form, Options, chosen
from bmv.data.ticks.infer import PRICES, SIZES, Values, coarsest_step, finest_lot
from bmv.ports.errors import DataError
from bmv.ports.market import PRICE_TICKS_MAX, SIZE_LOTS_MAX

ROWS_LOOKED_AT = 2_000_000  # For a hint or a guess; a check looks at all of them.
Pair = tuple[Decimal | None, Decimal | None]  # Tick, quote per base, and lot, base; None: not known.
UNKNOWN: Pair = (None, None)
ANY_FILE = Options()


class Origin(StrEnum):
    """Where steps are from; where the two have different ones, the weaker."""

    GIVEN = "given"
    STATED = "stated"
    NUMBERS = "numbers"


class Steps(NamedTuple):
    """Tick (quote per base) and lot (base); None where numbers tell none: prices on no grid, sizes not recorded."""

    tick: Decimal | None
    lot: Decimal | None
    origin: Origin


def find_steps(
    paths: Sequence[Path],
    given: Pair = UNKNOWN,
    stated: Pair = UNKNOWN,
    form: str | None = None,
    options: Options = ANY_FILE,
    rows_max: int | None = None,
) -> Steps:
    """Return tick and lot of files of one market: each as given, else as stated, else as the numbers tell.

    What the numbers tell are the coarsest grids on which all but one in a thousand of them lie. Sizes that lie on none
    get the finest lot that a run can count them in.

    Args:
        paths: Files of any form; at least one.
        given: By the user.
        stated: By a configuration or a lake; what neither says, the files themselves may state, if all say the same.
        form: Name of the form of the files; None: each is looked at.
        options: How they are to be read.
        rows_max: About how many rows to look at, of all files together; None: all.

    Raises:
        DataError: The files can't be read, or their numbers are asked and there are none.
    """
    tick, lot = given
    if tick and lot:
        return Steps(tick, lot, Origin.GIVEN)
    tick, lot = tick or stated[0], lot or stated[1]
    forms = [chosen(FORMS, path, form, options) for path in paths]
    if not (tick and lot) and (own := _stated_by(paths, forms)):
        tick, lot = tick or own[0], lot or own[1]
    if tick and lot:
        return Steps(tick, lot, Origin.STATED)
    batches = chain.from_iterable(
        (each.numbers or each.read)(path, options) for each, path in zip(forms, paths, strict=True)
    )
    prices, sizes = _numbers(_first(rows_max, batches))
    if not prices.rows:
        raise DataError(f"{paths[0]}: has no rows")
    return Steps(tick or coarsest_step(*prices.counted(), PRICE_TICKS_MAX), lot or _lot(sizes), Origin.NUMBERS)


def _stated_by(paths: Sequence[Path], forms: Sequence[Form]) -> tuple[Decimal, Decimal] | None:
    """Return the steps that the files state; None where one of them does not, or they differ."""
    stated = {form.steps(path) for form, path in zip(forms, paths, strict=True)}
    return stated.pop() if len(stated) == 1 else None


def _first(rows: int | None, batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Yield batches until they have `rows` rows."""
    for batch in batches:
        yield batch
        if rows is not None and (rows := rows - len(batch)) <= 0:
            return


def _numbers(batches: Iterator[pl.DataFrame]) -> tuple[Values, Values]:
    """Return the prices and the sizes in some rows."""
    prices, sizes = Values(), Values()
    for batch in batches:
        for values, names in ((prices, PRICES), (sizes, SIZES)):
            for name in names:
                values.add(batch[name])
    return prices, sizes


def _lot(sizes: Values) -> Decimal | None:
    values, counts = sizes.counted()
    if not len(values):
        return None
    return coarsest_step(values, counts, SIZE_LOTS_MAX, coarsen=False) or finest_lot(float(values.max()))
