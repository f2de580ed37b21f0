"""Files of any form into a lake: read, turned into ticks and lots, judged, split by day, merged with what is there.

All or nothing: the lake is not touched before every file has been read and judged.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bmv.data.files.hash import sha256
from bmv.data.files.parquet import ROW, is_parquet, maker, readable
from bmv.data.ticks.importers import FORMS, Form, Options, chosen, refuse_two_markets
from bmv.data.ticks.lake.lake import (
    DAY_NS,
    Day,
    Lake,
    day_of,
    refuse_other_market,
)
from bmv.data.ticks.lake.merge import Ends
from bmv.data.ticks.lake.placing import Placing, placing
from bmv.data.ticks.lake.segments import words_of_gap
from bmv.data.ticks.lake.stage import Part, Stage, kept, spans
from bmv.data.ticks.quality import WORDS, Fault, judge_integers, judge_rows
from bmv.data.ticks.schema import LAKE, at_rest, market_of
from bmv.data.ticks.stamps import bare, stamps_among
from bmv.data.ticks.units import in_steps
from bmv.ports.errors import DataError
from bmv.ports.market import Market
from bmv.ports.messages import Kind
from bmv.ports.storage import Gap

Progress = Callable[[int], None]
WRITERS = 8  # Days of few rows that are written at once.
ROWS_AT_ONCE = 100_000  # In the days that are written at once,
DAYS_AT_ONCE = 1_000  # and so many of them: together they take their places in the lake.
FAR = 2.0  # So many times the prices that are there, or a part of them so small, is another market, or a rare day.
IN_ROWS = ("hftbacktest", "databento")  # Forms that are neither text nor Parquet.


@dataclass(slots=True)
class FileReport:
    """What became of the rows of one file. `bad` ones were dropped; `back` ones stood after a later one
    and were moved. `fresh` rows were new to the lake; the other good ones were there already. `bad_at` is where the
    first row of each kind of fault stands, `unused` the columns that nothing was taken from, `notes` what the others
    were taken for. `terms` is what the file says of its contracts; empty: its sizes are coins. `gaps` are the holes
    that it shows by itself, without the name of a market.
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
    gaps: list[Gap] = field(default_factory=list)

    def miss(self, from_ns: int, to_ns: int, why: str) -> None:
        """Hear of a gap."""
        self.gaps.append(Gap("", self.path.name, from_ns, to_ns, why))

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

    def words(self) -> list[str]:
        """Return what became of its rows, for people."""
        words = [f"{self.good:,} of {self.rows:,} rows good", f"{self.fresh:,} new", *self.faults()]
        words += [f"{self.back:,} moved to their time"] if self.back else []
        return words + ([f"{self.off_lot:,} sizes rounded down to a lot"] if self.off_lot else [])

    def as_dict(self) -> dict[str, Any]:  # Any: it is JSON.
        """Return all of it as JSON-able values."""
        return {
            "path": str(self.path), "format": self.form, "rows": self.rows, "good": self.good, "new": self.fresh,
            "moved": self.back, "off_lot": self.off_lot, "bad": self.bad, "bad_at": self.bad_at,
            "notes": list(self.notes), "not_used": list(self.unused), "warnings": self.warnings,
            "contract": dict(self.terms) or None, "gaps": [gap._asdict() for gap in self.gaps],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did: file by file, and which days of the lake it touched."""

    files: Sequence[FileReport]
    written: Sequence[Day]
    known: Sequence[Day]

    def as_dict(self) -> dict[str, Any]:  # Any: it is JSON.
        """Return all of it as JSON-able values."""
        return {
            "files": [file.as_dict() for file in self.files],
            "written": [str(day.path) for day in self.written],
            "unchanged": [str(day.path) for day in self.known],
        }


def import_files(
    paths: Sequence[Path],
    lake: Lake,
    venue: str,
    market: Market,
    form: str | None = None,
    options: Options | None = None,
    max_bad_share: float = 0.01,
    progress: Progress | None = None,
) -> ImportReport:
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
    for day in lake.days(venue, market.symbol)[-1:]:
        refuse_other_market(day.path, market)
    forms = [chosen(FORMS, path, form, options) for path in paths]
    refuse_two_markets(paths, forms, options)
    files = [
        FileReport(
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
    return ImportReport(files, written, known)


class Staged(NamedTuple):
    """The good rows of one day of a file, and the ids of its prints at both of their ends."""

    parts: list[Part]
    ends: Ends


def _stage(
    stage: Stage, taken: FileReport, form: Form, market: Market, options: Options, progress: Progress
) -> dict[int, Staged]:
    """Keep the good rows of one file, day by day; return what there is of each day (days since 1970)."""
    days: dict[int, Staged] = {}
    last_ns = -(2**63)
    for batch in form.read(taken.path, replace(options, on_gap=taken.miss)):
        told = judge(taken, batch, market, numbered=True)
        ids, good = _ids(batch, told), told.drop(ROW)
        if len(good):
            times = good["ts_ns"].to_numpy()
            latest = np.maximum.accumulate(np.maximum(times, last_ns))
            taken.back += int(np.count_nonzero(times < latest))
            last_ns = int(latest[-1])
        for day, rows in _by_day(good.with_columns(ids)):
            staged = days.setdefault(day, Staged([], Ends()))
            staged.ends.add(rows, rows["id"])
            staged.parts.append(stage.keep(bare(rows.drop("id"))))
        progress(len(batch))
    if not taken.rows:
        raise DataError(f"{taken.path}: has no rows")
    _refuse_full_times(taken, days)
    return days


def _ids(batch: pl.DataFrame, good: pl.DataFrame) -> pl.Series:
    """Return the ids of the prints among good rows, null for others."""
    if batch["id"].null_count() == len(batch):
        return pl.Series("id", [None], pl.String).new_from_index(0, len(good))
    named = batch.filter(pl.col("kind") == "trade").select(pl.col(ROW).cast(pl.Int64), "id").unique(ROW)
    found = good.select(pl.col(ROW).cast(pl.Int64), "kind").join(named, on=ROW, how="left", maintain_order="left")
    return found.select(pl.when(pl.col("kind") == Kind.TRADE).then("id").alias("id")).to_series()


def _refuse_full_times(taken: FileReport, days: Mapping[int, Staged]) -> None:
    """Raise `DataError` where a file has more rows of one time than can be put in order at once."""
    for staged in days.values():
        try:
            for _ in spans(staged.parts):
                pass
        except DataError as error:
            raise DataError(f"{taken.path}: {error}") from error


def _by_day(rows: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield the rows of each day (days since 1970); most batches are of one."""
    days = rows["ts_ns"] // DAY_NS
    if len(rows) and days.min() == days.max():
        yield int(days[0]), rows
        return
    for (day,), part in rows.group_by(days.alias("day"), maintain_order=True):
        yield int(day), part


def judge(taken: FileReport, batch: pl.DataFrame, market: Market, numbered: bool = False) -> pl.DataFrame:
    """Count the rows of a batch and return the good ones in the lake's form, with `row` if they shall be `numbered`."""
    told = judge_rows(in_steps(batch.lazy(), market), exact=False).collect(engine="in-memory")
    return _passed(taken, told, batch, numbered)


def judge_whole(taken: FileReport, batch: pl.DataFrame) -> pl.DataFrame:
    """Do as :func:`judge` does for rows of whole ticks and lots, by the rules of a run; they are numbered."""
    with readable(taken.path):
        rows = batch.select(pl.col(name).cast(pl.Int64) for name in LAKE)
    return _passed(taken, judge_integers(rows), batch.cast({ROW: pl.Int64}), numbered=True)


def _passed(taken: FileReport, told: pl.DataFrame, batch: pl.DataFrame, numbered: bool) -> pl.DataFrame:
    """Count rows and return the good ones; `batch` has their numbers and stamps."""
    faults, numbers = told["fault"].to_numpy(), batch[ROW]
    taken.rows += len(told)
    told = told.with_columns(batch[name] for name in stamps_among(bare(batch).columns))
    if faults.any():
        _drop(taken, faults, numbers)
        told, numbers = told.filter(pl.col("fault") == 0), numbers.filter(pl.Series(faults == 0))
    taken.good += len(told)
    taken.off_lot += int(told["off_lot"].sum())
    return at_rest(told).with_columns(numbers) if numbered else at_rest(told)


def _drop(
    taken: FileReport, faults: NDArray[Any], numbers: pl.Series
) -> None:  # Any: small whole numbers of some width.
    """Count the rows that are dropped, and keep where the first of each fault stands, the first in the file first."""
    kinds, first, counts = np.unique(faults, return_index=True, return_counts=True)
    for at, fault, count in sorted(zip(first.tolist(), kinds.tolist(), counts.tolist(), strict=True)):
        if fault:
            word = WORDS[Fault(fault)]
            taken.bad[word] = taken.bad.get(word, 0) + count
            taken.bad_at.setdefault(word, taken.place(numbers[at]))


def refuse_bad(taken: FileReport, max_bad_share: float) -> None:
    """Raise `DataError` where more of a file's rows are bad than may be."""
    if refusal := refusal_of(taken, max_bad_share):
        raise DataError(refusal)


def refusal_of(taken: FileReport, max_bad_share: float) -> str:
    """Return why a file can't be used, empty where it can."""
    if taken.dropped > max_bad_share * taken.rows:
        faults = ", ".join(f"{count:,} {word}" for word, count in taken.bad.items())
        return (
            f"{taken.path}: {taken.dropped:,} of {taken.rows:,} rows are bad, above max_bad_share {max_bad_share:g}: "
            f"{faults}; first in {taken.first_bad}"
        )
    return ""


def _put(
    lake: Lake, venue: str, market: Market, files: Sequence[FileReport], staged: Sequence[Mapping[int, Staged]]
) -> tuple[list[Day], list[Day]]:
    """Merge what was staged into the lake, a day at a time; return the days that grew and those that knew it all.

    Days of few rows are written several at once, and take their places together: most of their time the disk is waited
    for.
    """
    sources = [_source(taken) for taken in files]
    levels = _Levels(lake, venue, market)
    days = [
        (lake.place(venue, market.symbol, day_of(number * DAY_NS)), [each.get(number) for each in staged])
        for number in sorted({number for parts in staged for number in parts})
    ]
    written = list[tuple[Day, list[int]]]()
    for chunk in _chunks(days):
        for day, parts in chunk:
            for taken, one in zip(files, parts, strict=True):
                levels.compare(taken, day, one)
        with placing() as waiting, ThreadPoolExecutor(WRITERS) as pool:
            put = partial(_put_day, lake, market, list(zip(files, sources, strict=True)), waiting)
            written += zip((day for day, _ in chunk), pool.map(put, chunk), strict=True)
    for _, counts in written:
        for taken, count in zip(files, counts, strict=True):
            taken.fresh += count
    return [day for day, counts in written if any(counts)], [day for day, counts in written if not any(counts)]


def _chunks(days: Sequence[tuple[Day, list[Staged | None]]]) -> Iterator[list[tuple[Day, list[Staged | None]]]]:
    """Yield days that are written at once: together they have few rows, or they are one."""
    chunk, held = list[tuple[Day, list[Staged | None]]](), 0
    for day, parts in days:
        rows = sum(part.size for one in parts if one for part in one.parts)
        if chunk and (held + rows > ROWS_AT_ONCE or len(chunk) == DAYS_AT_ONCE):
            yield chunk
            chunk, held = [], 0
        chunk.append((day, parts))
        held += rows
    if chunk:
        yield chunk


def _put_day(
    lake: Lake,
    market: Market,
    files: Sequence[tuple[FileReport, dict[str, Any]]],  # Any: it is JSON.
    waiting: Placing,
    chunk: tuple[Day, list[Staged | None]],
) -> list[int]:
    """Write one day; return how many rows of each file were new. What comes of several takes its place with each."""
    day, parts = chunk
    alone = sum(one is not None for one in parts) == 1
    waits = waiting if alone else None
    return [
        lake.put(day, one.parts, market, source | _gaps(taken, day, market), one.ends.found(), waits) if one else 0
        for one, (taken, source) in zip(parts, files, strict=True)
    ]


def _gaps(taken: FileReport, day: Day, market: Market) -> dict[str, Any]:  # Any: it is JSON.
    """Return what the source of a day says of the holes of a file that touch it; nothing where there are none."""
    start_ns = (day.day - date(1970, 1, 1)).days * DAY_NS
    touching = (gap for gap in taken.gaps if gap.from_ns < start_ns + DAY_NS and gap.to_ns > start_ns)
    told = [words_of_gap(gap._replace(market=f"{day.venue}/{market.symbol}")) for gap in touching]
    return {"gaps": told} if told else {}


class _Levels:
    """The middle of the prices of the days that a lake has of a market, each asked for when it is needed."""

    def __init__(self, lake: Lake, venue: str, market: Market) -> None:
        self._lake, self._market = lake, market
        self._days = {day.day: day for day in lake.days(venue, market.symbol)}
        self._order = sorted(self._days)
        self._found = dict[date, float | None]()

    def compare(self, taken: FileReport, day: Day, staged: Staged | None) -> None:
        """Warn, once a file, where its prices are far from those of the nearest day that the lake has of the market."""
        if staged is None or (ours := _level(kept(staged.parts[0]).lazy(), self._market)) is None:
            return
        near = self._nearest(day)
        there = None if near is None or taken.warnings else self._of(near)
        if near is not None and there is not None and not 1 / FAR < (ratio := ours / there) < FAR:
            times = f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"
            taken.warnings.append(
                f"{taken.path}: prices are {times} times those already there ({near.path}): is it of {day.symbol}? "
                f"`bmv data remove {self._lake.root} {day.venue} {day.symbol} --day {day.day}` takes the day out again"
            )
        if day.day not in self._days:
            insort(self._order, day.day)
            self._days[day.day], self._found[day.day] = day, ours

    def _nearest(self, day: Day) -> Day | None:
        at = bisect_left(self._order, day.day)
        near = self._order[max(0, at - 1) : at + 1]
        return self._days[min(near, key=lambda other: abs(other - day.day))] if near else None

    def _of(self, day: Day) -> float | None:
        if day.day not in self._found:
            with readable(day.path):
                self._found[day.day] = _level(pl.scan_parquet(day.path, glob=False), market_of(day.path))
        return self._found[day.day]


def _level(rows: pl.LazyFrame, market: Market) -> float | None:
    """Return the middle of the prices of some rows, in units; None where they have none."""
    found = rows.select(pl.coalesce("price", "bid", "ask").cast(pl.Float64).alias("price"))
    level = found.filter(pl.col("price") > 0).median().collect().item()
    return None if level is None else float(level) * float(market.tick_size)


def _source(taken: FileReport) -> dict[str, Any]:  # Any: it is JSON.
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
