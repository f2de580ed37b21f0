"""Files of any form into a lake: read, turned into ticks and lots, judged, split by day, merged with what is there.

All or nothing: the lake is not touched before every file has been read and judged.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bmv.data.files import sha256
from bmv.data.importers import FORMS, Form, Options, chosen, refuse_two_markets
from bmv.data.lake import DAY_NS, Day, Lake, day_of, market_of
from bmv.data.parquet import ROW, is_parquet, maker, readable
from bmv.data.quality import WORDS, Fault, judged, judged_whole
from bmv.data.schema import LAKE, at_rest, writable
from bmv.data.steps import in_steps
from bmv.ports.errors import DataError
from bmv.ports.market import Market

Progress = Callable[[int], None]
Part = Path | pl.DataFrame
ROWS_HELD = 4_000_000  # 0.3 GB.
FAR = 2.0  # So many times the prices that are there, or a part of them so small, is another market, or a rare day.
IN_ROWS = ("hftbacktest", "databento")  # Forms that are neither text nor Parquet.


@dataclass(slots=True)
class Taken:
    """What became of the rows of one file. `bad` ones were dropped; `back` ones stood after a later one
    and were moved. `fresh` rows were new to the lake; the other good ones were there already. `bad_at` is where the
    first row of each kind of fault stands, `unused` the columns that nothing was taken from, `notes` what the others
    were taken for. `terms` is what the file says of its contracts; empty: its sizes are coins.
    """

    path: Path
    form: str
    rows: int = 0
    good: int = 0
    fresh: int = 0
    back: int = 0
    off_lot: int = 0
    bad: dict[str, int] = field(default_factory=dict)
    bad_at: dict[str, str] = field(default_factory=dict)
    unused: Sequence[str] = ()
    notes: Sequence[str] = ()
    terms: Mapping[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def dropped(self) -> int:
        return sum(self.bad.values())

    @property
    def first_bad(self) -> str:
        """Where the first bad row stands, and what is wrong with it; empty where none is."""
        return next((f"{place}: {word}" for word, place in self.bad_at.items()), "")

    def place(self, number: int) -> str:
        """Say where a row stands as its file counts: text has lines from 1 on, everything else rows from 0 on."""
        rows = self.form in IN_ROWS or is_parquet(self.path)
        return f"row {number} (the first is 0)" if rows else f"line {number}"

    def faults(self) -> list[str]:
        """Return how many rows were dropped for each fault, and where the first of them stands, in words."""
        return [f"{count:,} {word} (first in {self.bad_at[word]})" for word, count in self.bad.items()]


@dataclass(frozen=True, slots=True)
class Intake:
    """What an import did: file by file, and which days of the lake it touched."""

    files: Sequence[Taken]
    written: Sequence[Day]
    known: Sequence[Day]


def take_in(
    paths: Sequence[Path],
    lake: Lake,
    venue: str,
    market: Market,
    form: str | None = None,
    options: Options | None = None,
    max_bad_share: float = 0.01,
    progress: Progress | None = None,
) -> Intake:
    """Let files into a lake.

    Args:
        paths: Files of one market, each of a form that is known.
        form: Name of their form; None: each is looked at.
        max_bad_share: Fraction of a file's rows that may be bad, 0 to 1.
        progress: Told how many rows more were read.

    `DataError` names file and line where something is not what it should be; the lake is then as it was.
    """
    options = replace(options or Options(), steps=(market.tick_size, market.lot_size))
    lake.place(venue, market.symbol, date.min)  # Refuses names that the lake can't have, before anything is read.
    forms = [chosen(FORMS, path, form, options) for path in paths]
    refuse_two_markets(paths, forms, options)
    files = [
        Taken(
            path,
            form.name,
            unused=form.unused(path, options),
            notes=form.notes(path, options),
            terms=form.terms(path),
        )
        for path, form in zip(paths, forms, strict=True)
    ]
    with lake.writing() as half_done:
        stage = Stage(half_done)
        staged = [
            _stage(stage, taken, form, market, options, progress or _nobody)
            for taken, form in zip(files, forms, strict=True)
        ]
        for taken in files:
            refuse_bad(taken, max_bad_share)
        written, known = _put(lake, venue, market, files, staged)
    return Intake(files, written, known)


class Stage:
    """Where good rows wait until every file has been read: the first of them in memory, the others in a folder."""

    def __init__(self, folder: Path, rows_held: int = ROWS_HELD) -> None:
        self.folder = folder
        self.rows_held = rows_held
        self.held = 0
        self.written = 0

    def keep(self, rows: pl.DataFrame) -> Part:
        """Take some rows, and return what they are found by."""
        if self.held + len(rows) <= self.rows_held:
            self.held += len(rows)
            return rows
        part = self.folder / f"{self.written}.arrow"
        self.written += 1
        with writable(part):
            rows.write_ipc(part, compression="lz4")
        return part


def kept(part: Part) -> pl.DataFrame:
    """Return the rows that a stage took."""
    return pl.read_ipc(part) if isinstance(part, Path) else part


def _stage(
    stage: Stage, taken: Taken, form: Form, market: Market, options: Options, progress: Progress
) -> dict[int, list[Part]]:
    """Keep the good rows of one file, day by day; return the parts of each day (days since 1970)."""
    parts: dict[int, list[Part]] = {}
    last_ns = -(2**63)
    for batch in form.read(taken.path, options):
        good = judge(taken, batch, market)
        if len(good):
            times = good["ts_ns"].to_numpy()
            latest = np.maximum.accumulate(np.maximum(times, last_ns))
            taken.back += int(np.count_nonzero(times < latest))
            last_ns = int(latest[-1])
        for day, rows in _by_day(good):
            parts.setdefault(day, []).append(stage.keep(rows))
        progress(len(batch))
    if not taken.rows:
        raise DataError(f"{taken.path}: has no rows")
    return parts


def _by_day(rows: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield the rows of each day (days since 1970); most batches are of one."""
    days = rows["ts_ns"] // DAY_NS
    if len(rows) and days.min() == days.max():
        yield int(days[0]), rows
        return
    for (day,), part in rows.group_by(days.alias("day"), maintain_order=True):
        yield int(day), part


def judge(taken: Taken, batch: pl.DataFrame, market: Market, numbered: bool = False) -> pl.DataFrame:
    """Count the rows of a batch and return the good ones in the lake's form, with `row` if they shall be `numbered`."""
    told = judged(in_steps(batch.lazy(), market), exact=False).collect(engine="in-memory")
    return _passed(taken, told, batch[ROW], numbered)


def judge_whole(taken: Taken, batch: pl.DataFrame) -> pl.DataFrame:
    """Do as :func:`judge` does for rows of whole ticks and lots, by the rules of a run; they are numbered."""
    with readable(taken.path):
        rows = batch.select(pl.col(name).cast(pl.Int64) for name in LAKE)
    return _passed(taken, judged_whole(rows), batch[ROW].cast(pl.Int64), numbered=True)


def _passed(taken: Taken, told: pl.DataFrame, numbers: pl.Series, numbered: bool) -> pl.DataFrame:
    faults = told["fault"].to_numpy()
    taken.rows += len(told)
    if faults.any():
        _drop(taken, faults, numbers)
        told, numbers = told.filter(pl.col("fault") == 0), numbers.filter(pl.Series(faults == 0))
    taken.good += len(told)
    taken.off_lot += int(told["off_lot"].sum())
    return at_rest(told).with_columns(numbers) if numbered else at_rest(told)


def _drop(taken: Taken, faults: NDArray[Any], numbers: pl.Series) -> None:  # Any: small whole numbers of some width.
    """Count the rows that are dropped, and keep where the first of each fault stands, the first in the file first."""
    kinds, first, counts = np.unique(faults, return_index=True, return_counts=True)
    for at, fault, count in sorted(zip(first.tolist(), kinds.tolist(), counts.tolist(), strict=True)):
        if fault:
            word = WORDS[Fault(fault)]
            taken.bad[word] = taken.bad.get(word, 0) + count
            taken.bad_at.setdefault(word, taken.place(numbers[at]))


def refuse_bad(taken: Taken, max_bad_share: float) -> None:
    """Raise `DataError` where more of a file's rows are bad than may be."""
    if refusal := refusal_of(taken, max_bad_share):
        raise DataError(refusal)


def refusal_of(taken: Taken, max_bad_share: float) -> str:
    """Return why a file can't be used, empty where it can."""
    if taken.dropped > max_bad_share * taken.rows:
        faults = ", ".join(f"{count:,} {word}" for word, count in taken.bad.items())
        return (
            f"{taken.path}: {taken.dropped:,} of {taken.rows:,} rows are bad, above max_bad_share {max_bad_share:g}: "
            f"{faults}; first in {taken.first_bad}"
        )
    return ""


def _put(
    lake: Lake, venue: str, market: Market, files: Sequence[Taken], staged: Sequence[Mapping[int, Sequence[Part]]]
) -> tuple[list[Day], list[Day]]:
    """Merge what was staged into the lake, a day at a time; return the days that grew and those that knew it all."""
    grew, knew = list[Day](), list[Day]()
    sources = [_source(taken) for taken in files]
    for number in sorted({number for parts in staged for number in parts}):
        day = lake.place(venue, market.symbol, day_of(number * DAY_NS))
        fresh = 0
        for taken, parts, source in zip(files, staged, sources, strict=True):
            if number in parts:
                rows = pl.concat([kept(part) for part in parts[number]])
                if not rows["ts_ns"].is_sorted():
                    rows = rows.sort("ts_ns", maintain_order=True)
                _compare(taken, lake, day, rows, market)
                new = lake.put(day, rows, market, source)
                taken.fresh += new
                fresh += new
        (grew if fresh else knew).append(day)
    return grew, knew


def _compare(taken: Taken, lake: Lake, day: Day, rows: pl.DataFrame, market: Market) -> None:
    """Warn, once a file, where its prices are far from those that the lake has of the market, at the nearest day."""
    days = lake.days(day.venue, day.symbol)
    if taken.warnings or not days or (ours := _level(rows.lazy())) is None:
        return
    near = min(days, key=lambda other: abs(other.day - day.day))
    with readable(near.path):
        there = _level(pl.scan_parquet(near.path, glob=False))
    if there is None:
        return
    ratio = float(market.tick_size) * ours / (float(market_of(near.path).tick_size) * there)
    if not 1 / FAR < ratio < FAR:
        times = f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"
        taken.warnings.append(
            f"{taken.path}: prices are {times} times those already there ({near.path}): is it of {market.symbol}? "
            f"`bmv data remove {lake.root} {day.venue} {day.symbol} --day {day.day}` takes the day out again"
        )


def _level(rows: pl.LazyFrame) -> float | None:
    """Return the middle of the prices of some rows, in ticks; None where they have none."""
    found = rows.select(pl.coalesce("price", "bid", "ask").cast(pl.Float64).alias("price"))
    level = found.filter(pl.col("price") > 0).median().collect().item()
    return None if level is None else float(level)


def _source(taken: Taken) -> dict[str, Any]:  # Any: it is JSON.
    told = {"file": taken.path.name, "sha256": sha256(taken.path), "form": taken.form, "bad": taken.bad}
    made_by = maker(taken.path)
    told |= {"terms": dict(taken.terms)} if taken.terms else {}
    return {**told, "maker": made_by} if made_by else told


def _nobody(rows: int) -> None:
    """Hear of progress."""


def forms() -> Iterator[tuple[str, str]]:
    """Yield the name of each form and a line about it."""
    for form in FORMS:
        yield form.name, form.about
