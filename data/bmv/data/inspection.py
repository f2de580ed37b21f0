"""One file looked at, whatever its form: its steps, its bad rows, and what its good ones say together."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from bmv.data.check import FAR_NS, Findings, checked
from bmv.data.importers import FORMS, Form, Options, chosen
from bmv.data.infer import PRICES, SIZES, Values, coarsest_step, finest_lot
from bmv.data.intake import Taken, judge, refuse_bad
from bmv.data.lake import market_of
from bmv.data.parquet import ROW, parquet_batches, parquet_columns, readable
from bmv.data.quality import utc
from bmv.data.schema import LAKE, LAKE_SCHEMA
from bmv.ports.errors import DataError
from bmv.ports.market import PRICE_TICKS_MAX, SIZE_LOTS_MAX, Market

ROWS_LOOKED_AT = 2_000_000  # For a hint; a check looks at all of them.


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in one file; `taken` counts its bad rows, `findings` speak of the good ones."""

    form: str
    tick_size: Decimal
    lot_size: Decimal
    inferred: bool
    taken: Taken
    findings: Findings

    def as_dict(self) -> dict[str, Any]:  # Any: it is JSON.
        """Return all of it as JSON-able values."""
        return {
            "format": self.form,
            "tick_size": str(self.tick_size),
            "lot_size": str(self.lot_size),
            "inferred": self.inferred,
            "bad": self.taken.bad,
            "first_bad": self.taken.first_bad or None,
            "back": self.taken.back,
            "off_lot": self.taken.off_lot,
            **self.findings.as_dict(),
        }

    def words(self) -> list[str]:
        """Return what a trader should know, a line each; what was not found is not told."""
        found = self.findings
        lines = [
            f"tick {self.tick_size}, lot {self.lot_size}{' (found from its numbers)' if self.inferred else ''}",
            f"{found.trades:,} trades, {found.quotes:,} quotes, {found.depths:,} depth changes",
        ]
        lines += [f"{count:,} bad: {word}" for word, count in self.taken.bad.items()]
        lines += [f"first bad row in {self.taken.first_bad}"] if self.taken.first_bad else []
        counts = (
            (self.taken.back, "rows stand after a later one"),
            (self.taken.off_lot, "sizes off the lot grid"),
            (found.duplicates, "rows equal an earlier one of the same time"),
            (found.crossed, "crossed quotes"),
            (found.locked, "locked quotes"),
            (found.unsided, "prints without an aggressor"),
            (found.unsized, "rows with a book side whose size was not recorded"),
            (found.outside, "prints outside the quote before"),
            (found.wrong_side, "prints on the wrong side of the quote before"),
            (found.outliers, "prints more than 2 % from those around them"),
            (found.gap_count, "holes longer than a minute"),
        )
        lines += [f"{count:,} {word}" for count, word in counts if count]
        lines += [f"no rows from {utc(gap.from_ns)} to {utc(gap.to_ns)}" for gap in found.gaps]
        if found.skew_ms:
            when = "later" if found.skew_ms > 0 else "earlier"
            lines.append(f"clock skew: prints lie at the quote most often if quotes are {abs(found.skew_ms)} ms {when}")
        return lines


class Look(NamedTuple):
    """The good rows of one file, in order of time, what they are counted in, and what became of the others."""

    rows: pl.DataFrame
    market: Market
    inferred: bool
    taken: Taken


def inspected(
    path: Path,
    tick_size: Decimal | None,
    lot_size: Decimal | None,
    form: str | None,
    options: Options,
    max_bad_share: float,
) -> Inspection:
    """Look at one file, batch by batch if it is in order of time, else at once. `DataError` when it is unusable."""
    opened = _opened(path, tick_size, lot_size, form, options)
    taken = Taken(path, opened.form)
    try:
        findings = checked(_in_order(opened.read(taken)))
    except _OutOfOrderError:
        rows, _, _, taken = _whole(path, opened, max_bad_share)
        findings = checked([rows])
    refuse_bad(taken, max_bad_share)
    if not taken.good:
        raise DataError(f"{path}: has no rows")
    return Inspection(opened.form, opened.market.tick_size, opened.market.lot_size, opened.inferred, taken, findings)


def looked_at(
    path: Path,
    tick_size: Decimal | None,
    lot_size: Decimal | None,
    form: str | None,
    options: Options,
    max_bad_share: float,
) -> Look:
    """Read one file whole, of the lake or of any form, with the steps given, else its own, else those that fit."""
    return _whole(path, _opened(path, tick_size, lot_size, form, options), max_bad_share)


class Opened(NamedTuple):
    """A file whose form and steps are known; `read` yields its good rows and counts what became of the others."""

    form: str
    market: Market
    inferred: bool
    read: Callable[[Taken], Iterator[pl.DataFrame]]


class _OutOfOrderError(Exception):
    """A row stands after a later one."""


def _opened(
    path: Path, tick_size: Decimal | None, lot_size: Decimal | None, form: str | None, options: Options
) -> Opened:
    if form is None and path.suffix == ".parquet" and path.is_file() and "ts_ns" in parquet_columns(path):
        return Opened("lake", market_of(path), False, _lake_rows)
    read = chosen(FORMS, path, form, options)
    market = Market(path.stem, *_steps(path, read, options, tick_size, lot_size))

    def rows(taken: Taken) -> Iterator[pl.DataFrame]:
        for batch in read.read(path, options):
            yield judge(taken, batch, market)

    return Opened(read.name, market, tick_size is None or lot_size is None, rows)


def _lake_rows(taken: Taken) -> Iterator[pl.DataFrame]:
    for part in parquet_batches(taken.path, list(LAKE)):
        taken.rows += len(part)
        taken.good += len(part)
        with readable(taken.path):
            rows = part.select(list(LAKE)).cast(LAKE_SCHEMA)
        if rows["ts_ns"].has_nulls():
            row = part.filter(rows["ts_ns"].is_null())[ROW][0]
            raise DataError(f"{taken.path}, row {row} (the first is 0): ts_ns is null; it should be {LAKE['ts_ns']}")
        yield rows


def _in_order(batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Yield rows as they come; raise as soon as one stands after a later one."""
    last_ns = -FAR_NS
    for rows in batches:
        if len(rows):
            if rows["ts_ns"][0] < last_ns or not rows["ts_ns"].is_sorted():
                raise _OutOfOrderError
            last_ns = rows["ts_ns"][-1]
            yield rows


def _whole(path: Path, opened: Opened, max_bad_share: float) -> Look:
    """Read a file at once; its rows are sorted by time where they were not."""
    taken = Taken(path, opened.form)
    rows = pl.concat([pl.DataFrame(schema=LAKE_SCHEMA), *opened.read(taken)])
    refuse_bad(taken, max_bad_share)
    if not len(rows):
        raise DataError(f"{path}: has no rows")
    return Look(_sorted(taken, rows), opened.market, opened.inferred, taken)


def _sorted(taken: Taken, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows in order of time, and count those that were not."""
    taken.back = int((rows["ts_ns"] < rows["ts_ns"].cum_max()).sum())
    return rows.sort("ts_ns", maintain_order=True) if taken.back else rows


def _steps(
    path: Path, form: Form, options: Options, tick_size: Decimal | None, lot_size: Decimal | None
) -> tuple[Decimal, Decimal]:
    """Return tick and lot as given, else as the numbers of the file tell."""
    if tick_size is not None and lot_size is not None:
        return tick_size, lot_size
    prices, sizes = _values(form.read(path, options))
    if tick_size is None:
        tick_size = coarsest_step(*prices.counted(), PRICE_TICKS_MAX)
        if tick_size is None:
            raise DataError(f"{path}: its prices lie on no decimal grid; give --tick-size")
    if lot_size is None:
        lot_size = _lot(sizes) or Decimal(1)  # Where no size is recorded, a lot can't be wrong about any.
    return tick_size, lot_size


def steps_told(path: Path, form: str | None, options: Options) -> tuple[Decimal | None, Decimal | None]:
    """Return tick and lot as the first `ROWS_LOOKED_AT` rows of a file of any form tell them; None what they don't."""
    prices, sizes = _values(_first(ROWS_LOOKED_AT, chosen(FORMS, path, form, options).read(path, options)))
    return coarsest_step(*prices.counted(), PRICE_TICKS_MAX), _lot(sizes)


def _first(rows: int, batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    for batch in batches:
        yield batch
        rows -= len(batch)
        if rows <= 0:
            return


def _values(batches: Iterator[pl.DataFrame]) -> tuple[Values, Values]:
    """Return the prices and the sizes in some rows."""
    prices, sizes = Values(), Values()
    for batch in batches:
        for values, names in ((prices, PRICES), (sizes, SIZES)):
            for name in names:
                values.add(batch[name])
    return prices, sizes


def _lot(sizes: Values) -> Decimal | None:
    found, counts = sizes.counted()
    if not len(found):
        return None
    return coarsest_step(found, counts, SIZE_LOTS_MAX, coarsen=False) or finest_lot(float(found.max()))
