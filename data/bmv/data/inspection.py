"""One file looked at, whatever its form: its steps, its bad rows, and what its good ones say together."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from bmv.data.check import Findings, checked
from bmv.data.importers import FORMS, Options, chosen
from bmv.data.infer import PRICES, SIZES, coarsest_step, counted, finest_lot
from bmv.data.intake import Taken, judge, refuse_bad
from bmv.data.lake import market_of
from bmv.data.parquet import parquet_columns, readable
from bmv.data.quality import utc
from bmv.data.schema import LAKE
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
    """Look at one file; it must fit in memory. `DataError` when it is unusable."""
    rows, market, inferred, taken = looked_at(path, tick_size, lot_size, form, options, max_bad_share)
    return Inspection(taken.form, market.tick_size, market.lot_size, inferred, taken, checked(rows))


def looked_at(
    path: Path,
    tick_size: Decimal | None,
    lot_size: Decimal | None,
    form: str | None,
    options: Options,
    max_bad_share: float,
) -> Look:
    """Read one file whole, of the lake or of any form, with the steps given, else its own, else those that fit."""
    if form is None and path.suffix == ".parquet" and path.is_file() and "ts_ns" in parquet_columns(path):
        market = market_of(path)
        with readable(path):
            rows = pl.read_parquet(path, columns=list(LAKE), glob=False)
        taken = Taken(path, "lake", rows=len(rows), good=len(rows))
        inferred = False
    else:
        read = chosen(FORMS, path, form, options)
        batches = list(read.read(path, options))
        market = Market(path.stem, *_steps(path, batches, tick_size, lot_size))
        taken = Taken(path, read.name)
        rows = pl.concat([judge(taken, batch, market) for batch in batches] or [pl.DataFrame()])
        inferred = tick_size is None or lot_size is None
        refuse_bad(taken, max_bad_share)
    if not len(rows):
        raise DataError(f"{path}: has no rows")
    return Look(_sorted(taken, rows), market, inferred, taken)


def _sorted(taken: Taken, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows in order of time, and count those that were not."""
    taken.back = int((rows["ts_ns"] < rows["ts_ns"].cum_max()).sum())
    return rows.sort("ts_ns", maintain_order=True) if taken.back else rows


def _steps(
    path: Path, batches: list[pl.DataFrame], tick_size: Decimal | None, lot_size: Decimal | None
) -> tuple[Decimal, Decimal]:
    """Return tick and lot as given, else as the numbers of the file tell."""
    if tick_size is None:
        tick_size = coarsest_step(*counted(_columns(batches, PRICES)), PRICE_TICKS_MAX)
        if tick_size is None:
            raise DataError(f"{path}: its prices lie on no decimal grid; give --tick-size")
    if lot_size is None:
        lot_size = _lot(batches) or Decimal(1)  # Where no size is recorded, a lot can't be wrong about any.
    return tick_size, lot_size


def steps_told(path: Path, form: str | None, options: Options) -> tuple[Decimal | None, Decimal | None]:
    """Return tick and lot as the first `ROWS_LOOKED_AT` rows of a file of any form tell them; None what they don't."""
    batches, rows = list[pl.DataFrame](), 0
    for batch in chosen(FORMS, path, form, options).read(path, options):
        batches.append(batch)
        rows += len(batch)
        if rows >= ROWS_LOOKED_AT:
            break
    return coarsest_step(*counted(_columns(batches, PRICES)), PRICE_TICKS_MAX), _lot(batches)


def _lot(batches: list[pl.DataFrame]) -> Decimal | None:
    sizes, counts = counted(_columns(batches, SIZES))
    if not len(sizes):
        return None
    return coarsest_step(sizes, counts, SIZE_LOTS_MAX, coarsen=False) or finest_lot(float(sizes.max()))


def _columns(batches: list[pl.DataFrame], names: tuple[str, ...]) -> Iterator[pl.DataFrame]:
    yield pl.DataFrame(schema={"value": pl.Float64})
    for batch in batches:
        for name in names:
            yield batch.select(value=pl.col(name)).drop_nulls()
