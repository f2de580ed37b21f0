"""One file looked at, whatever its form: its steps, its bad rows, and what its good ones say together."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import polars as pl

from bmv.data.files.parquet import ROW, parquet_columns
from bmv.data.files.path import is_url
from bmv.data.ticks.check.check import Findings, Outlier, check
from bmv.data.ticks.contracts import Terms, in_words, terms_of
from bmv.data.ticks.importers import FORMS, Options, chosen
from bmv.data.ticks.importers.floats import own_batches
from bmv.data.ticks.lake.intake import FileReport, Progress, judge, judge_whole, refusal_of, refuse_bad
from bmv.data.ticks.lake.lake import refuse_altered
from bmv.data.ticks.lake.segments import sources_of
from bmv.data.ticks.lake.stage import Part, Stage, in_order
from bmv.data.ticks.noted import in_words as gaps_in_words
from bmv.data.ticks.noted import noted_in
from bmv.data.ticks.quality import CROSSED_MAX, GAPS_KEPT, utc
from bmv.data.ticks.schema import LAKE, market_of
from bmv.data.ticks.stamps import names_in
from bmv.data.ticks.steps import Origin, find_steps
from bmv.data.ticks.tally import FAR_NS
from bmv.ports.errors import DataError, UsageError
from bmv.ports.market import Market
from bmv.ports.storage import Gap

Read = Callable[[FileReport], Iterator[pl.DataFrame]]
UNMET, UNMET_TOLD = 0.5, 20  # As a run warns of it: share of the prints, and so many at least.
MAKERS_SIDES = 0.75  # Share of the prints on the wrong side: where the clocks are off up to 70 %, rarely more.


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in one file; `taken` counts its bad rows, `findings` speak of the good ones.

    `noted` are the gaps that who recorded it noted. `refusal` says why it can't be used: too many of its rows are bad;
    empty where it can.
    """

    form: str
    tick_size: Decimal
    lot_size: Decimal
    inferred: bool
    taken: FileReport
    findings: Findings
    noted: Sequence[Gap] = ()
    refusal: str = ""

    def as_dict(self) -> dict[str, Any]:  # Any: it is JSON.
        """Return all of it as JSON-able values."""
        return {
            "format": self.form,
            "tick_size": str(self.tick_size),
            "lot_size": str(self.lot_size),
            "inferred": self.inferred,
            "bad": self.taken.bad,
            "first_bad": self.taken.first_bad or None,
            "bad_at": self.taken.bad_at,
            "notes": list(self.taken.notes),
            "not_used": list(self.taken.unused),
            "contract": dict(self.taken.terms) or None,
            "back": self.taken.back,
            "off_lot": self.taken.off_lot,
            **self.findings.as_dict(),
            "noted_gaps": [gap._asdict() for gap in self.noted],
            "first_outliers": [self._outlier(outlier) for outlier in self.findings.first_outliers],
        }

    def _outlier(self, outlier: Outlier) -> dict[str, Any]:  # Any: it is JSON.
        price, around = (f"{Decimal(ticks) * self.tick_size:f}" for ticks in (outlier.price, round(outlier.around)))
        return {"row": outlier.row, "ts_ns": outlier.ts_ns, "price": price, "around": around}

    def words(self) -> list[str]:
        """Return what a trader should know, a line each; what was not found is not told."""
        found = self.findings
        lines = [
            f"tick {self.tick_size}, lot {self.lot_size}{' (found from its numbers)' if self.inferred else ''}",
            f"{found.trades:,} trades, {found.quotes:,} quotes, {found.depths:,} depth changes",
            *found.stamped.words(found.rows),
        ]
        lines += [in_words(self.taken.terms)] if self.taken.terms else []
        lines += self.taken.notes
        lines += [f"not used: {', '.join(self.taken.unused)}"] if self.taken.unused else []
        lines += [f"bad: {fault}" for fault in self.taken.faults()]
        lines += _doubts(found)
        counts = (
            (
                found.levels_passed,
                "level",
                "levels",
                "of the book passed by the other side and never removed: rows are missing",
            ),
            (self.taken.back, "row stands", "rows stand", "after a later one"),
            (self.taken.off_lot, "size", "sizes", "off the lot grid"),
            (found.duplicates, "row equals", "rows equal", "an earlier one of the same time"),
            (found.crossed, "crossed quote", "crossed quotes", ""),
            (found.locked, "locked quote", "locked quotes", ""),
            (found.unsided, "print", "prints", "without an aggressor"),
            (found.unsized, "row", "rows", "with a book side whose size was not recorded"),
            (found.outside, "print", "prints", "outside the quote before"),
            (found.wrong_side, "print", "prints", "on the wrong side of the quote before"),
            (found.outliers, "print", "prints", "more than 2 % from those around"),
            (found.gap_count, "hole", "holes", "longer than a minute"),
        )
        lines += [
            f"{count:,} {one if count == 1 else many} {rest}".rstrip() for count, one, many, rest in counts if count
        ]
        if found.looks_like_a_book:
            lines.append(
                f"prints stand on two prices with nothing between at {found.paired:,} of the {found.crowded:,} times "
                "that have several: quotes, or two markets, taken for prints?"
            )
        lines += [self._strange(outlier) for outlier in found.first_outliers]
        if found.outliers > len(found.first_outliers):
            lines.append(f"and {found.outliers - len(found.first_outliers):,} more such prints")
        lines += [f"no rows from {utc(gap.from_ns)} to {utc(gap.to_ns)}" for gap in found.gaps]
        # What a quantum is of contracts the file does not say.
        market = None if self.taken.terms else Market("", self.tick_size, self.lot_size)
        lines += gaps_in_words(self.noted, market, GAPS_KEPT)
        if found.skew_ms:
            when = "later" if found.skew_ms > 0 else "earlier"
            lines.append(f"clock skew: prints lie at the quote most often if quotes are {_shift(found.skew_ms)} {when}")
        return lines

    def _strange(self, outlier: Outlier) -> str:
        told = self._outlier(outlier)
        where = self.taken.place(outlier.row)
        return f"a print at {told['price']} where others are near {told['around']}: {utc(outlier.ts_ns)}, {where}"


def _doubts(found: Findings) -> list[str]:
    """Return what makes the record as a whole hard to believe, with what it may be."""
    doubts = []
    sided = found.trades - found.unsided
    if found.quotes and found.crossed > CROSSED_MAX * found.rows:
        doubts.append("are bid and ask swapped? so many of the quotes are crossed")
    if found.unmet >= UNMET_TOLD and found.unmet > UNMET * found.trades:
        doubts.append("is a side of the book missing? so many of the prints had no bid and ask before them")
    if sided and found.wrong_side > MAKERS_SIDES * sided:
        doubts.append(
            "are the sides those of the maker? so many of the prints are on the wrong side of the quote before"
        )
    return doubts


def _shift(ms: int) -> str:
    """Return a shift in its fitting unit.

    >>> _shift(-50), _shift(1500), _shift(3_600_000)
    ('50 ms', '1.5 s', '1 h')
    """
    for per, unit in ((3_600_000, "h"), (1_000, "s")):
        if abs(ms) >= per:
            return f"{abs(ms) / per:g} {unit}"
    return f"{abs(ms)} ms"


class Look(NamedTuple):
    """The good rows of one file, in order of time, what they are counted in, and what became of the others."""

    rows: pl.DataFrame
    market: Market
    inferred: bool
    taken: FileReport


def inspect(
    path: Path,
    tick_size: Decimal | None,
    lot_size: Decimal | None,
    form: str | None,
    options: Options,
    max_bad_share: float,
    progress: Progress | None = None,
) -> Inspection:
    """Look at one file, batch by batch if it is in order of time, else at once.

    `DataError` when there is nothing to say of it: it can't be read, its bytes are not those that were written, or it
    has no good row.
    """
    opened = _opened(path, tick_size, lot_size, form, options)
    if progress:
        opened = opened._replace(read=partial(_told, opened.read, progress))
    taken = FileReport(path, opened.form, unused=opened.unused, notes=opened.notes, terms=opened.terms)
    try:
        findings = check(_in_order(opened.read(taken)))
    except _OutOfOrderError:
        taken = FileReport(path, opened.form, unused=opened.unused, notes=opened.notes, terms=opened.terms)
        with TemporaryDirectory(prefix="bmv-") as folder:
            findings = check(_put_in_order(Stage(Path(folder)), opened.read(taken), taken))
    refusal = refusal_of(taken, max_bad_share)
    if not taken.good:
        raise DataError(refusal or f"{path}: has no rows")
    steps = opened.market.tick_size, opened.market.lot_size
    noted = [*opened.noted, *taken.gaps]
    return Inspection(opened.form, *steps, opened.inferred, taken, findings, noted, refusal)


def read_whole(
    path: Path,
    tick_size: Decimal | None,
    lot_size: Decimal | None,
    form: str | None,
    options: Options,
    max_bad_share: float,
) -> Look:
    """Read one file whole, of the lake or of any form, with the steps given, else its own, else those that fit."""
    look = _whole(path, _opened(path, tick_size, lot_size, form, options))
    refuse_bad(look.taken, max_bad_share)
    if not len(look.rows):
        raise DataError(f"{path}: has no rows")
    return look._replace(rows=look.rows.drop(ROW))


class Opened(NamedTuple):
    """A file whose form and steps are known; `read` yields its good rows and counts what became of the others."""

    form: str
    market: Market
    inferred: bool
    read: Read
    unused: Sequence[str]
    notes: Sequence[str]
    terms: Terms
    noted: Sequence[Gap] = ()


class _OutOfOrderError(Exception):
    """A row stands after a later one."""


def _opened(
    path: Path, tick_size: Decimal | None, lot_size: Decimal | None, form: str | None, options: Options
) -> Opened:
    if form is None and path.suffix == ".parquet" and path.is_file() and "ts_ns" in parquet_columns(path):
        noted = noted_in(path, sources_of(path))
        return Opened("lake", market_of(path), False, partial(_lake_rows, options), (), (), terms_of(path), noted)
    if is_url(path) and path.suffix != ".parquet":
        raise UsageError(f"{path}: expected Parquet; other forms are read from this machine")
    read = chosen(FORMS, path, form, options)
    if tick_size is not None and lot_size is not None:
        options = replace(options, steps=(tick_size, lot_size))
    tick, lot, origin = find_steps([path], (tick_size, lot_size), form=read.name, options=options)
    if tick is None:
        raise DataError(f"{path}: its prices lie on no decimal grid; give --tick-size")
    market = Market(path.stem, tick, lot or Decimal(1))  # Where no size is recorded, a lot can't be wrong about any.

    def rows(taken: FileReport) -> Iterator[pl.DataFrame]:
        for batch in read.read(path, replace(options, on_gap=taken.miss)):
            yield judge(taken, batch, market, numbered=True)

    notes, terms = read.notes(path, options), read.terms(path)
    return Opened(read.name, market, origin is Origin.NUMBERS, rows, read.unused(path, options), notes, terms)


def _lake_rows(options: Options, taken: FileReport) -> Iterator[pl.DataFrame]:
    refuse_altered(taken.path)
    for part in own_batches(taken.path, options, names_in(taken.path)):
        yield judge_whole(taken, part)


def _told(read: Read, progress: Progress, taken: FileReport) -> Iterator[pl.DataFrame]:
    """Yield what `read` yields, and tell how many rows more of the file were read."""
    before = 0
    for rows in read(taken):
        progress(taken.rows - before)
        before = taken.rows
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


def _put_in_order(stage: Stage, batches: Iterator[pl.DataFrame], taken: FileReport) -> Iterator[pl.DataFrame]:
    """Yield rows in order of time, and count those that stood after a later one; a few are held at once."""
    parts, last_ns = list[Part](), -FAR_NS
    for rows in batches:
        if len(rows):
            times = pl.Series([last_ns]).append(rows["ts_ns"])
            latest = times.cum_max()
            taken.back += int((times < latest).sum())
            last_ns = latest[-1]
            parts.append(stage.keep(rows))
    yield from in_order(parts)


def _whole(path: Path, opened: Opened) -> Look:
    """Read a file at once; its rows are sorted by time where they were not."""
    taken = FileReport(path, opened.form, unused=opened.unused, notes=opened.notes, terms=opened.terms)
    none = pl.DataFrame(schema=dict.fromkeys((ROW, *LAKE), pl.Int64))
    rows = pl.concat([none, *(part.select(none.columns) for part in opened.read(taken))])
    return Look(_sorted(taken, rows), opened.market, opened.inferred, taken)


def _sorted(taken: FileReport, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows in order of time, and count those that were not."""
    taken.back = int((rows["ts_ns"] < rows["ts_ns"].cum_max()).sum())
    return rows.sort("ts_ns", maintain_order=True) if taken.back else rows
