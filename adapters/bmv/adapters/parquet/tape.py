"""A tape from Parquet files of either form, larger than memory: every row judged, whole numbers out."""

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import polars as pl
from numpy import int64

from bmv.adapters.parquet.reading import MAX_NS, MIN_NS, Reading, where
from bmv.adapters.parquet.source import Paths, Source, named_otherwise
from bmv.data.files.parquet import readable
from bmv.data.ticks.calendar import EARLIEST_NS
from bmv.data.ticks.noted import in_order, in_words, noted_in
from bmv.data.ticks.quality import WORDS, Fault, Quality, judge_integers, judge_rows, utc
from bmv.data.ticks.steps import ROWS_LOOKED_AT, find_steps
from bmv.ports.errors import DataError
from bmv.ports.market import PRICE_TICKS_MAX, Market
from bmv.ports.market_data import Columns
from bmv.ports.messages import Kind

PART_ROWS_MIN = 32_768


class Span(NamedTuple):
    """The rows `[start, stop)` of a file; the first row of a file is number 0."""

    source: Source
    start: int
    stop: int


class Files(Protocol):
    """Where the files of a tape come from; asked when the tape is first used."""

    def open(self, market: Market, from_ns: int, to_ns: int) -> list[Source]:
        """Return the files with all there is of `market` in `[from_ns, to_ns)` or more, ordered by time."""

    def manifest(self, used: Sequence[Source]) -> list[dict[str, Any]]:  # Any: it is JSON.
        """Return what identifies the files that were read; see :meth:`ParquetTape.manifest`."""


class ParquetTape:
    """Market data at rest, as a :class:`~bmv.ports.market_data.Tape`; no file is opened before it is first asked.

    Args:
        files: Parquet files, or folders of which all `*.parquet` are taken, in the lake's form or that of floats; or
            what gives them when it is asked.
        market: The instrument whose ticks and lots are counted.
        start_ns: First instant of the run (nanoseconds UTC, inclusive); None: that of the data. Earlier trades seed.
        end_ns: End of the run (exclusive); None: that of the data.
        max_bad_share: Fraction of the rows of the run that may be bad, 0 to 1; above it the run is refused.
        price_ticks_max: Highest price at which what may be held can still be counted; above it the run is refused.
        earliest_ns: A row before this time (nanoseconds UTC) can't be of a market, and ends the run.
        batch_rows: Rows read at a time; what is told does not depend on it, memory does (about 0.3 kB a row).

    A quote whose sides are both absent is told: the book was empty. `quality` is complete after `batches` has ended,
    and only then is the share of bad rows known: an outcome counts when the generator has ended without error.
    """

    def __init__(
        self,
        files: Sequence[str | Path] | Files,
        market: Market,
        start_ns: int | None = None,
        end_ns: int | None = None,
        max_bad_share: float = 0.01,
        batch_rows: int = 524_288,
        price_ticks_max: int = PRICE_TICKS_MAX,
        earliest_ns: int = EARLIEST_NS,
    ) -> None:
        self.files: Files = Paths(tuple(files)) if isinstance(files, Sequence) else files
        self.market = market
        self.start_ns = start_ns
        self.end_ns = end_ns
        self.max_bad_share = max_bad_share
        self.batch_rows = batch_rows
        self.price_ticks_max = price_ticks_max
        self.earliest_ns = earliest_ns
        self.quality = Quality()
        self.seed_quality = Quality()
        self.seeded: list[Span] = []
        self._history_ns = 0

    def __repr__(self) -> str:
        return f"<ParquetTape {self.market.symbol} | {self.files}>"

    @cached_property
    def sources(self) -> list[Source]:
        """The files, ordered by time; the first use opens them all and refuses what is not one tape."""
        from_ns = MIN_NS if self.start_ns is None else max(self.start_ns - self._history_ns, MIN_NS)
        return self.files.open(self.market, from_ns, MAX_NS if self.end_ns is None else self.end_ns)

    @cached_property
    def window(self) -> list[Span]:
        """The rows of the run; `DataError` if there are none."""
        start_ns = MIN_NS if self.start_ns is None else self.start_ns
        spans = self._spans(start_ns, MAX_NS if self.end_ns is None else self.end_ns)
        if not spans:
            ends = {"from": self.start_ns, "up to": self.end_ns}
            asked = " ".join(f"{word} {utc(ns)}" for word, ns in ends.items() if ns is not None)
            first, last = self.sources[0].first_ns, max(source.last_ns for source in self.sources)
            raise DataError(f"no rows in the window {asked}; the data runs from {utc(first)} to {utc(last)}")
        return spans

    def ends(self) -> tuple[int, int]:
        """Return the times of the first and the last row of the run (nanoseconds UTC), as its files tell them."""
        files = [span.source for span in self.window]
        first_ns, last_ns = min(file.first_ns for file in files), max(file.last_ns for file in files)
        if self.start_ns is not None:
            first_ns = max(first_ns, self.start_ns)
        if self.end_ns is not None:
            last_ns = min(last_ns, self.end_ns - 1)
        return first_ns, last_ns

    def seed(self, history_ns: int) -> Columns:
        """Return the good trades of the `history_ns` before `start_ns`; one exactly that old still counts.

        Empty without a `start_ns`: then nothing lies before the run. Bad rows are dropped, and told of in a warning.
        Where rows are copied from a database this comes before all else, as what is asked first is what is copied.
        """
        self._history_ns = history_ns
        if not self.window or self.start_ns is None:
            return _none()
        self.seeded = self._spans(max(self.start_ns - history_ns, MIN_NS), self.start_ns)
        self.seed_quality = Quality()
        reading = Reading(self.market, self.start_ns, self.seed_quality, earliest_ns=self.earliest_ns)
        trades = [_trades(reading.take(*read)) for read in self._read(self.seeded)]
        return Columns(*map(np.concatenate, zip(*trades, strict=True))) if trades else _none()

    def batches(self) -> Iterator[Columns]:
        """Yield the good rows of the run; `DataError` as soon as too many are bad, at the latest after the last row."""
        self.quality = Quality()
        reading = Reading(
            self.market,
            MAX_NS if self.end_ns is None else self.end_ns,
            self.quality,
            self.price_ticks_max,
            self.earliest_ns,
        )
        rows = sum(stop - start for _, start, stop in self.window)
        for read in self._read(self.window):
            told = reading.take(*read)
            if self.quality.dropped > self.max_bad_share * rows:
                raise self._refusal(reading)
            if len(told.kind):
                yield told
        if self.quality.dropped > self.max_bad_share * self.quality.rows:
            raise self._refusal(reading)
        if not self.quality.good:
            raise DataError(f"no good row among {self.quality.rows:,}: {self.quality.faults()}")
        other = named_otherwise(self.sources, self.market)
        other = f"{other}, not of {self.market.symbol}, which the configuration names" if other else ""
        self.quality.warn(self.market.tick_size, self._made_up(), self.seed_quality, other, self._noted())

    def manifest(self) -> list[dict[str, Any]]:  # Any: it is JSON.
        """Return the files that seed and run read: path, SHA-256, rows, first and last time (nanoseconds UTC).

        The hashes are computed now, at about 1 GB/s. `DataError` where one is not that of the file's manifest in the
        lake: what was read was then never recorded.
        """
        used = {span.source.path for span in (*self.seeded, *self.window)}
        return self.files.manifest([source for source in self.sources if source.path in used])

    def _made_up(self) -> str:
        """Return what the files that seed and run say of their maker, if they are made up; empty if none is."""
        makers = (span.source.words.get("bmv.source", "") for span in (*self.seeded, *self.window))
        return "; ".join(dict.fromkeys(maker for maker in makers if maker.startswith("synthetic")))

    def _noted(self) -> list[str]:
        """Return what who recorded the run's files noted of gaps that touch the run, in words."""
        files = {span.source.path: span.source.words for span in self.window}
        first_ns, last_ns = self.ends()
        sources = {path: json.loads(words.get("bmv.sources", "[]")) for path, words in files.items()}
        touching = (gap for path, told in sources.items() for gap in noted_in(path, told))
        touching = (gap for gap in touching if gap.from_ns < last_ns and gap.to_ns > first_ns)
        return in_words(in_order(touching), self.market)

    def _spans(self, from_ns: int, to_ns: int) -> list[Span]:
        """Return, file by file, from the first to the last row whose time lies in `[from_ns, to_ns)`."""
        spans = (_span(source, from_ns, to_ns) for source in self.sources)
        return [span for span in spans if span.start < span.stop]

    def _read(self, spans: Sequence[Span]) -> Iterator[tuple[Source, int, pl.DataFrame]]:
        """Yield judged rows with their file and first row number.

        A thread that reads ahead was measured: it gains on idle cores, and nothing where runs share them.
        """
        for source, start, stop in spans:
            for offset in range(start, stop, self.batch_rows):
                at = offset
                for part in _parts(self._judged(source, offset, min(self.batch_rows, stop - offset))):
                    yield source, at, part
                    at += len(part)

    def _judged(self, source: Source, offset: int, rows: int) -> pl.DataFrame:
        with readable(source.path):
            steps = source.steps(offset, rows, self.market)
            if source.lake:
                return judge_integers(steps.collect(engine="in-memory"))
            return judge_rows(steps, exact=False).collect(engine="in-memory")

    def _refusal(self, reading: Reading) -> DataError:
        quality = self.quality
        source, row, fault = reading.first_bad[0]
        told = (
            f"{quality.dropped:,} of {quality.rows:,} rows read are bad, above max_bad_share {self.max_bad_share:g}: "
            f"{quality.faults()}; first {where(source, row, WORDS[fault])}"
        )
        for source, _, fault in reading.first_bad:
            if fault == Fault.GRID and (tick := _fitting_tick(source)) not in (None, self.market.tick_size):
                told += f"; tick_size is {self.market.tick_size}, {tick} would fit"
        return DataError(told)


def _fitting_tick(source: Source) -> Decimal | None:
    form = "lake" if source.lake else "floats"
    return find_steps([source.path], form=form, rows_max=ROWS_LOOKED_AT).tick


def _span(source: Source, from_ns: int, to_ns: int) -> Span:
    if from_ns <= source.first_ns and source.last_ns < to_ns:
        return Span(source, 0, source.rows)
    if source.last_ns < from_ns:
        return Span(source, 0, 0)
    times = pl.col(source.time)
    inside = pl.arg_where((times >= from_ns) & (times < to_ns))
    with readable(source.path):
        scan = pl.scan_parquet(str(source.path), glob=False).select(start=inside.min(), stop=inside.max() + 1)
        start, stop = scan.collect().row(0)
    return Span(source, start or 0, stop or 0)


def _trades(told: Columns) -> Columns:
    trades = told.kind == Kind.TRADE
    return Columns(*(column[trades] for column in told))


def _parts(read: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield rows as they lie in memory, a row group at a time: so none is copied, and a core's cache holds a part.

    Groups that are small on average are laid together first, for each part has its price too.
    """
    lengths = read["ts_ns"].chunk_lengths()
    if len(lengths) * PART_ROWS_MIN > len(read):
        lengths, read = [len(read)], read.rechunk()
    start = 0
    for rows in lengths:
        yield read.slice(start, rows)
        start += rows


def _none() -> Columns:
    return Columns(*(np.empty(0, int64) for _ in Columns._fields))
