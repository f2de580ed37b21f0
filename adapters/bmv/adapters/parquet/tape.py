"""A tape from Parquet files of either form, larger than memory: every row judged, whole numbers out."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy import bool_, int64, uint8
from numpy.typing import NDArray

from bmv.adapters.parquet.infer import infer_tick
from bmv.adapters.parquet.source import Source, open_all
from bmv.data.files import sha256
from bmv.data.parquet import readable
from bmv.data.quality import WORDS, Fault, Quality, judged, judged_whole, utc
from bmv.ports.errors import DataError
from bmv.ports.market import NOTIONAL_MAX, PRICE_TICKS_MAX, Market
from bmv.ports.market_data import Columns
from bmv.ports.messages import Kind

MIN_NS, MAX_NS = -(2**63), 2**63 - 1
PART_ROWS_MIN = 32_768


class Span(NamedTuple):
    """The rows `[start, stop)` of a file; the first row of a file is number 0."""

    source: Source
    start: int
    stop: int


class ParquetTape:
    """Market data at rest, as a :class:`~bmv.ports.market_data.Tape`; no file is opened before it is first asked.

    Args:
        paths: Parquet files, or folders of which all `*.parquet` are taken, in the lake's form or that of floats.
        market: The instrument whose ticks and lots are counted.
        start_ns: First instant of the run (nanoseconds UTC, inclusive); None: that of the data. Earlier trades seed.
        end_ns: End of the run (exclusive); None: that of the data.
        max_bad_share: Fraction of the rows of the run that may be bad, 0 to 1; above it the run is refused.
        price_ticks_max: Highest price at which what may be held can still be counted; above it the run is refused.
        batch_rows: Rows read at a time; what is told does not depend on it, memory does (about 0.3 kB a row).

    A quote whose sides are both absent is told: the book was empty. `quality` is complete after `batches` has ended,
    and only then is the share of bad rows known: an outcome counts when the generator has ended without error.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        market: Market,
        start_ns: int | None = None,
        end_ns: int | None = None,
        max_bad_share: float = 0.01,
        batch_rows: int = 524_288,
        price_ticks_max: int = PRICE_TICKS_MAX,
    ) -> None:
        self.paths = paths
        self.market = market
        self.start_ns = start_ns
        self.end_ns = end_ns
        self.max_bad_share = max_bad_share
        self.batch_rows = batch_rows
        self.price_ticks_max = price_ticks_max
        self.quality = Quality()
        self.seed_quality = Quality()
        self.seeded: list[Span] = []

    def __repr__(self) -> str:
        return f"<ParquetTape {self.market.symbol} | {', '.join(map(str, self.paths))}>"

    @cached_property
    def sources(self) -> list[Source]:
        """The files, ordered by time; the first use opens them all and refuses what is not one tape."""
        return open_all(self.paths, self.market)

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

    def seed(self, history_ns: int) -> Columns:
        """Return the good trades of the `history_ns` before `start_ns`; one exactly that old still counts.

        Empty without a `start_ns`: then nothing lies before the run. Bad rows are dropped, and told of in a warning.
        """
        if not self.window or self.start_ns is None:
            return _none()
        self.seeded = self._spans(max(self.start_ns - history_ns, MIN_NS), self.start_ns)
        self.seed_quality = Quality()
        reading = Reading(self.market, self.start_ns, self.seed_quality)
        trades = [_trades(reading.take(*read)) for read in self._read(self.seeded)]
        return Columns(*map(np.concatenate, zip(*trades, strict=True))) if trades else _none()

    def batches(self) -> Iterator[Columns]:
        """Yield the good rows of the run; `DataError` as soon as too many are bad, at the latest after the last row."""
        self.quality = Quality()
        reading = Reading(
            self.market, MAX_NS if self.end_ns is None else self.end_ns, self.quality, self.price_ticks_max
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
        if not self.quality.told:
            raise DataError(f"no good row among {self.quality.rows:,}: {self.quality.faults()}")
        self.quality.warn(self.market.tick_size, self._made_up(), self.seed_quality)

    def manifest(self) -> list[dict[str, Any]]:  # Any: it is JSON.
        """Return the files that seed and run read: path, SHA-256, rows, first and last time (nanoseconds UTC).

        The hashes are computed now, at about 1 GB/s.
        """
        used = {span.source.path for span in (*self.seeded, *self.window)}
        return [
            {
                "path": str(source.path),
                "sha256": sha256(source.path),
                "rows": source.rows,
                "first_ns": source.first_ns,
                "last_ns": source.last_ns,
            }
            for source in self.sources
            if source.path in used
        ]

    def _made_up(self) -> str:
        """Return what the files that seed and run say of their maker, if they are made up; empty if none is."""
        makers = (span.source.words.get("bmv.source", "") for span in (*self.seeded, *self.window))
        return "; ".join(dict.fromkeys(maker for maker in makers if maker.startswith("synthetic")))

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
                return judged_whole(steps.collect(engine="in-memory"))
            return judged(steps, exact=False).collect(engine="in-memory")

    def _refusal(self, reading: "Reading") -> DataError:
        quality = self.quality
        source, row, fault = reading.first_bad[0]
        told = (
            f"{quality.dropped:,} of {quality.rows:,} rows read are bad, above max_bad_share {self.max_bad_share:g}: "
            f"{quality.faults()}; first {_where(source, row, WORDS[fault])}"
        )
        for source, _, fault in reading.first_bad:
            if fault == Fault.GRID and (tick := infer_tick(source.path)) not in (None, self.market.tick_size):
                told += f"; tick_size is {self.market.tick_size}, {tick} would fit"
        return DataError(told)


class Reading:
    """One passage through the rows: what must be remembered from one batch to the next.

    Args:
        market: For the largest amount of money a row may speak of.
        end_ns: Rows from this time on are not of the run, wherever they stand.
        quality: Where rows, told and dropped, are counted.
    """

    def __init__(self, market: Market, end_ns: int, quality: Quality, price_ticks_max: int = PRICE_TICKS_MAX) -> None:
        self.end_ns = end_ns
        self.quality = quality
        self.last_ns: int | None = None  # Time of the last good row.
        self.first_bad: list[tuple[Source, int, Fault]] = []  # The first row of each fault, in order of the tape.
        self.price_ticks_max = price_ticks_max
        self.notional_max = NOTIONAL_MAX / (2 * market.half)  # In ticks times lots.

    def take(self, source: Source, offset: int, frame: pl.DataFrame) -> Columns:
        """Count the rows of `frame`, row `offset` of `source` and on, and return the good ones; raise on wild ones."""
        ts_ns, faults = frame["ts_ns"].to_numpy(), frame["fault"].to_numpy()
        if ts_ns.max() > source.last_ns:
            raise DataError(
                f"{source.path}: damaged: it holds rows later than {utc(source.last_ns)}, its end by its footer"
            )
        keep = self._keep(source, offset, ts_ns, faults)
        told = Columns(*(_whole(frame[name].to_numpy(), keep) for name in Columns._fields))
        off_lot = frame["off_lot"] if keep is None else frame["off_lot"].filter(pl.Series(keep))
        self.quality.off_lot += int(off_lot.sum())
        self._refuse_wild(source, offset, told, keep)
        self.quality.tell(told, self.last_ns)
        if len(told.ts_ns):
            self.last_ns = int(told.ts_ns[-1])
        return told

    def _keep(
        self, source: Source, offset: int, ts_ns: NDArray[int64], faults: NDArray[uint8]
    ) -> NDArray[bool_] | None:
        """Count the rows and their faults, and return which rows are good, None if all are."""
        last_ns = MIN_NS if self.last_ns is None else self.last_ns
        if not faults.any() and ts_ns[0] >= last_ns and ts_ns[-1] < self.end_ns and (ts_ns[1:] >= ts_ns[:-1]).all():
            self.quality.rows += len(ts_ns)
            return None
        inside = ts_ns < self.end_ns
        latest = np.maximum.accumulate(np.where(inside & (faults == Fault.NONE), ts_ns, MIN_NS))
        back = (faults == Fault.NONE) & (ts_ns < np.maximum(latest, last_ns))
        faults = np.where(inside, np.where(back, uint8(Fault.BACK), faults), uint8(Fault.NONE))
        self.quality.rows += int(np.count_nonzero(inside))
        self.quality.drop(faults)
        self._note_first(source, offset, faults)
        good: NDArray[bool_] = inside & (faults == Fault.NONE)
        return good

    def _note_first(self, source: Source, offset: int, faults: NDArray[uint8]) -> None:
        kinds, rows = np.unique(faults, return_index=True)
        known = {fault for _, _, fault in self.first_bad} | {Fault.NONE}
        for row, fault in sorted(zip(rows.tolist(), map(Fault, kinds.tolist()), strict=True)):
            if fault == Fault.RANGE:
                raise DataError(_where(source, offset + row, f"{WORDS[fault]} (2**40 ticks or lots, or more)"))
            if fault not in known:
                self.first_bad.append((source, offset + row, fault))

    def _refuse_wild(self, source: Source, offset: int, told: Columns, keep: NDArray[bool_] | None) -> None:
        """Refuse a row whose price times size, in quanta, could wrap an int64 further on."""
        for price, size in ((told.price, told.size), (told.bid, told.bid_size), (told.ask, told.ask_size)):
            if not len(price):
                continue
            dearest = int(price.max())
            if dearest > self.price_ticks_max:
                row = np.argmax(price) if keep is None else np.flatnonzero(keep)[np.argmax(price)]
                limit = f"above {self.price_ticks_max:,} ticks the largest position allowed, times the price, is"
                raise DataError(_where(source, offset + int(row), f"{limit} too much money to count in 64 bits"))
            if float(dearest) * float(size.max()) < self.notional_max:
                continue
            wild = np.flatnonzero(price.astype(float) * size >= self.notional_max)
            if len(wild):
                row = wild[0] if keep is None else np.flatnonzero(keep)[wild[0]]
                raise DataError(_where(source, offset + int(row), "price times size out of range (2**61 quanta)"))


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


def _whole(steps: NDArray[Any], keep: NDArray[bool_] | None) -> NDArray[int64]:  # Any: whole numbers, maybe as float64.
    """Return the steps to keep as int64; what is that already is not copied, and can't be written to."""
    return (steps if keep is None else steps[keep]).astype(int64, copy=False)


def _none() -> Columns:
    return Columns(*(np.empty(0, int64) for _ in Columns._fields))


def _where(source: Source, row: int, what: str) -> str:
    values = " ".join(f"{name}={value}" for name, value in source.row(row).items() if value is not None)
    return f"{source.shown}, row {row} (the first is 0): {what}: {values}"
