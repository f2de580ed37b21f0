"""What has arrived of one market and is not settled: small files in a hidden folder beside the days of the lake.

    LAKE/VENUE/SYMBOL/2025-09-03.parquet                        a settled day
    LAKE/VENUE/SYMBOL/.live/000000000007-000000000007.ticks     a segment: what one call brought
    LAKE/VENUE/SYMBOL/.live/000000000000-000000000006.ticks     a segment made of seven, which are gone
    LAKE/VENUE/SYMBOL/.live/known.json                          the numbers of all rows whose segments are gone
    LAKE/VENUE/SYMBOL/.live/gaps.jsonl                          the holes that were noted, a line each
    LAKE/VENUE/SYMBOL/.live/2025-09-03-000000000006.recorded    what of a settled day was recorded, not imported

Every file is there whole or not at all, so that a kill leaves one of a few states, and each is understood:

* A segment whose arrivals lie within those of another was made part of it: it is not read, and goes.
* The rows that segment 7 has of a day are in the day's file if its sources say `settled` 7 or higher, since a day takes
  all that has arrived of it, and what arrives later has a higher number; and if they name the numbers of its rows too,
  since a day may have been copied from another lake. They are then not read from the segment, which goes when that is
  so of all its days.
* Before a segment goes for good, `known.json` has the numbers of its rows.
* What was recorded of a day is the day's own file, by another name, until an import puts rows beside it. Rows of the
  day that arrive after that are the import's if it has them, and never those that were recorded before: those have
  other numbers, however equal they look. Where nobody knows any more what was recorded, they are all taken in.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from bmv.data.files.parquet import readable
from bmv.data.files.writing import sync_folder
from bmv.data.ticks.contracts import terms_in
from bmv.data.ticks.lake.lake import (
    DAY_NS,
    IDS,
    Day,
    Lake,
    day_of,
    refuse_altered,
    refuse_nowhere,
    refuse_other_market,
)
from bmv.data.ticks.lake.merge import merged
from bmv.data.ticks.lake.numbering import lacking
from bmv.data.ticks.lake.segments import (
    FOLDER,
    RECORDED,
    Gaps,
    Known,
    Segment,
    add_gap,
    first_rows,
    gaps_in,
    holds,
    known_in,
    learn,
    link_recorded,
    listed,
    listing,
    recorded_path,
    recorded_rows,
    segment_at,
    settled_in,
    sources_of,
    union,
    words_of_gap,
    write,
    write_known,
)
from bmv.data.ticks.schema import LAKE_SCHEMA, writable, write_rows
from bmv.data.ticks.stamps import bare, names_in, resting, together
from bmv.ports.errors import BmvError, DataError
from bmv.ports.market import Market
from bmv.ports.storage import Gap, Ticks

SMALL_ROWS = 16_384  # Segments of more rows than this stay as they are.


class Live:
    """The unsettled rows of one market, and the way from there into its days; no two threads may use one at once.

    Args:
        name: `VENUE/SYMBOL`.
        market: Its tick and lot, for the metadata of its files.
        compact_at: So many small segments in a row are made into one.
    """

    def __init__(self, lake: Lake, name: str, market: Market, compact_at: int = 64) -> None:
        self.lake = lake
        self.name = name
        self.market = market
        self.compact_at = compact_at
        self.venue, self.symbol = named(name)
        self.folder = lake.place(self.venue, self.symbol, date.min).path.parent / FOLDER
        self.segments: list[Segment] = []  # In order of arrival.
        self.known: Known = {}
        self.gaps: Gaps = {}
        self.next = 0  # Number of the next arrival.
        self._settled: dict[int, tuple[int, Known]] = {}  # By day: the last arrival that its file has, and numbers.

    def __repr__(self) -> str:
        rows = sum(segment.rows for segment in self.segments)
        return f"<Live {self.name}: {rows:,} rows in {len(self.segments)} segments>"

    def load(self, writing: bool) -> "Live":
        """Find what is there. A writer also removes what a killed writer left."""
        self.next, self.known = known_in(self.folder)
        paths, superseded = listed(self.folder)
        self.segments = [segment_at(path, self.name, self.market) for path in paths]
        for segment in self.segments:
            self._know(segment.known)
            self.next = max(self.next, segment.last + 1)
        self.gaps = gaps_in(self.folder, cut=writing)
        if writing:
            for number in self._days_at_rest():
                with suppress(DataError):  # A damaged day is told by who reads it; what arrives is kept meanwhile.
                    self.next = max(self.next, self._settled_in(number)[0] + 1)
            for left in [*superseded, *self.folder.glob(".*.tmp")]:
                left.unlink(missing_ok=True)
            self.sweep()
        return self

    def append(self, ticks: Ticks) -> None:
        """Keep the rows whose numbers are new, durably when this returns."""
        stream, count = (ticks.source, ticks.epoch), len(ticks.columns.ts_ns)
        fresh = lacking(self.known.get(stream, []), ticks.first_seq, ticks.first_seq + count)
        if not fresh:
            return
        rows = resting(ticks)
        rows = pl.concat([rows.slice(first - ticks.first_seq, stop - first) for first, stop in fresh])
        self._write(self.next, self.next, rows, {stream: fresh})
        small = self._small()
        if len(small) >= self.compact_at:
            self._compact(small)

    def note_gap(self, gap: Gap) -> None:
        """Keep a hole, durably when this returns; the same one twice is one, and may tell more of its size."""
        if not learn(after := dict(self.gaps), gap):
            return
        self._make_folder()
        add_gap(self.folder, gap)
        self.gaps = after

    def page(self, start_ns: int, skip: int, end_ns: int, rows: int) -> pl.DataFrame:
        """Return the next rows of `[start_ns, end_ns)`, `rows` at most, after `skip` of those at `start_ns` itself.

        Such a place stays right when rows arrive meanwhile or a day is settled: among rows of one time, those that
        arrive later come last. Beside the page itself, as many rows of each segment of that time are in memory.
        """
        for number in sorted({*self._days_at_rest(), *(day for segment in self.segments for day in segment.days)}):
            from_ns, to_ns = max(number * DAY_NS, start_ns), min((number + 1) * DAY_NS, end_ns)
            if from_ns >= to_ns:
                continue
            found = self._head(number, from_ns, to_ns, skip + rows)
            if len(found) > skip:
                return found.slice(skip)
            skip = 0
        return pl.DataFrame(schema=LAKE_SCHEMA)

    def settle(self, before: date | None) -> tuple[list[Day], list[BmvError]]:
        """Move what has arrived of days before `before`, of all days if it is None, into their files.

        The days that changed come back, and what kept others from it: each is settled by itself. The caller holds
        :meth:`~bmv.data.ticks.lake.lake.Lake.writing`. A day is in memory while it is settled.
        """
        days = sorted({day for segment in self.segments for day in segment.days})
        touched, errors = list[Day](), list[BmvError]()
        for number in days:
            if before is None or day_of(number * DAY_NS) < before:
                try:
                    touched += [self._day(number)] if self._settle(number) else []
                except BmvError as error:
                    errors.append(error)
        try:
            self.sweep()
        except BmvError as error:
            errors.append(error)
        return touched, errors

    def sweep(self) -> None:
        """Remove the segments of which every day is settled."""
        gone = [each for each in self.segments if not any(self._unsettled(each, day) for day in each.days)]
        if not gone:
            return
        write_known(self.folder, self.next, self.known)
        for segment in gone:
            segment.path.unlink(missing_ok=True)
        self.segments = [segment for segment in self.segments if segment not in gone]

    def days_seen(self) -> list[tuple[str, int, int, int]]:
        """Return what tells that a day's file was replaced: name, inode, size and time of each."""
        seen = []
        for day in self.lake.days(self.venue, self.symbol):
            with suppress(FileNotFoundError):
                stat = day.path.stat()
                seen.append((day.path.name, stat.st_ino, stat.st_size, stat.st_mtime_ns))
        return seen

    def _settle(self, number: int) -> bool:
        """Move what has arrived of a day into its file; tell whether there was anything."""
        segments = [segment for segment in self.segments if self._unsettled(segment, number)]
        if not segments:
            return False
        day = self._day(number)
        fresh = together(self._rows(segment, number) for segment in segments).sort("ts_ns", maintain_order=True)
        whole, recorded, sources, kept = fresh, None, list[Mapping[str, Any]](), dict[str, str]()
        refuse_nowhere(day.path)
        if day.path.exists():
            old, sources, kept = self._at_rest(day)
            whole, recorded = self._together(day, old, sources, fresh)
        last = segments[-1].last
        source = {"recorded": listing(union(each.known for each in segments)), "rows": len(fresh), "settled": last}
        source["gaps"] = [words_of_gap(gap) for gap in self.gaps.values() if _touches(gap, number)]
        sources = [*sources, source]
        beside = recorded_path(self.folder, day, last)
        if recorded is not None:
            write_rows(beside, bare(recorded).lazy(), self.market, {"bmv.sources": json.dumps(_ours(sources))})
        words = kept | {"bmv.venue": day.venue, "bmv.sources": json.dumps(sources)}
        write_rows(day.path, bare(whole).lazy(), self.market, words)
        self._settled.pop(number, None)
        if len(_ours(sources)) == len(sources):
            link_recorded(day.path, beside)
        for older in self.folder.glob(f"{day.day.isoformat()}-*{RECORDED}"):
            if older != beside:
                older.unlink(missing_ok=True)
        self.lake.manifest(day)
        return True

    def _together(
        self, day: Day, old: pl.DataFrame, sources: Sequence[Mapping[str, Any]], fresh: pl.DataFrame
    ) -> tuple[pl.DataFrame, pl.DataFrame | None]:
        """Return the rows of a day and what has arrived since, and which were recorded; None: all, or nobody knows.

        Rows that came from elsewhere may be the same ones; what has arrived is told apart by its numbers.
        """
        ours = _ours(sources)
        if sources and len(ours) == len(sources):
            return _in_order(old, fresh), None
        before: pl.DataFrame | None = old.clear()
        if ours:
            last = max(source["settled"] for source in ours)
            before = recorded_rows(recorded_path(self.folder, day, last), ours)
        if before is None:
            return _in_order(old, fresh), None  # A row too many rather than one too few.
        recorded = _in_order(before, fresh)
        return merged(old, recorded)[0], recorded

    def _at_rest(self, day: Day) -> tuple[pl.DataFrame, list[Mapping[str, Any]], dict[str, str]]:
        """Return the rows of a day, their sources, and what else its file says: its maker, its contracts, its ids."""
        refuse_other_market(day.path, self.market)
        refuse_altered(day.path)
        with readable(day.path):
            words = pl.read_parquet_metadata(day.path)
            kept = {key: words[key] for key in ("bmv.source", IDS) if key in words} | terms_in(words)
            return pl.read_parquet(day.path, columns=names_in(day.path), glob=False), sources_of(day.path), kept

    def _head(self, number: int, from_ns: int, to_ns: int, rows: int) -> pl.DataFrame:
        """Return the first `rows` rows that a day has in `[from_ns, to_ns)`, by time and then arrival."""
        parts = list[tuple[int, pl.DataFrame]]()
        day = self._day(number)
        if day.path.exists():
            refuse_other_market(day.path, self.market)
            parts.append((-1, first_rows(day.path, from_ns, to_ns, rows)))
        for segment in sorted(self.segments, key=lambda segment: segment.first_ns):
            if not self._unsettled(segment, number) or segment.last_ns < from_ns or segment.first_ns >= to_ns:
                continue
            if sum(np.searchsorted(part["ts_ns"].to_numpy(), segment.first_ns) for _, part in parts) >= rows:
                break
            parts.append((segment.last, first_rows(segment.path, from_ns, to_ns, rows)))
        if not parts:
            return pl.DataFrame(schema=LAKE_SCHEMA)
        parts.sort(key=lambda part: part[0])
        return together(part for _, part in parts).sort("ts_ns", maintain_order=True).head(rows)

    def _small(self) -> list[Segment]:
        """Return the small segments at the end of the row."""
        small = list[Segment]()
        for segment in reversed(self.segments):
            if segment.rows > SMALL_ROWS:
                break
            small.insert(0, segment)
        return small

    def _compact(self, small: Sequence[Segment]) -> None:
        """Make one segment of some that follow one another; rows that are settled already stay behind."""
        parts = [self._rows(each, day) for each in small for day in each.days if self._unsettled(each, day)]
        rows = together([pl.DataFrame(schema=LAKE_SCHEMA), *parts]).sort("ts_ns", maintain_order=True)
        self.segments = self.segments[: -len(small)]
        self._write(small[0].first, small[-1].last, rows, union(each.known for each in small))
        for segment in small:
            segment.path.unlink(missing_ok=True)

    def _write(self, first: int, last: int, rows: pl.DataFrame, known: Known) -> None:
        self._make_folder()
        segment = write(self.folder, (first, last), bare(rows), known, self.name, self.market)
        self.segments.append(segment)
        self._know(known)
        self.next = max(self.next, last + 1)

    def _make_folder(self) -> None:
        """Make the folder so that it, and those above it, last through a loss of power."""
        if self.folder.is_dir():
            return
        with writable(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for above in (*self.folder.parents[:3], self.lake.root.parent):
                sync_folder(above)

    def _rows(self, segment: Segment, number: int) -> pl.DataFrame:
        return first_rows(segment.path, number * DAY_NS, (number + 1) * DAY_NS, segment.rows)

    def _unsettled(self, segment: Segment, number: int) -> bool:
        if number not in segment.days:
            return False
        last, known = self._settled_in(number)
        return last < segment.last or not holds(known, segment.known)

    def _settled_in(self, number: int) -> tuple[int, Known]:
        if number not in self._settled:
            path = self._day(number).path
            self._settled[number] = settled_in(path) if path.exists() else (-1, {})
        return self._settled[number]

    def _day(self, number: int) -> Day:
        return self.lake.place(self.venue, self.symbol, day_of(number * DAY_NS))

    def _days_at_rest(self) -> Iterator[int]:
        return ((day.day - date(1970, 1, 1)).days for day in self.lake.days(self.venue, self.symbol))

    def _know(self, more: Known) -> None:
        self.known = union([self.known, more])


def named(name: str) -> tuple[str, str]:
    """Return venue and symbol of `VENUE/SYMBOL`; `DataError` where they can't name folders.

    >>> named("sim/SOL/USDC")
    ('sim', 'SOL/USDC')
    """
    venue, _, symbol = name.partition("/")
    if not venue or not symbol or "." in (venue[0], symbol[0]):
        raise DataError(f"market {name!r}: expected VENUE/SYMBOL, neither beginning with a dot")
    return venue, symbol


def _ours(sources: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:  # Any: it is JSON.
    """Return those of the sources of a day that were recorded here."""
    return [source for source in sources if "settled" in source]


def _in_order(old: pl.DataFrame, fresh: pl.DataFrame) -> pl.DataFrame:
    return together([old, fresh]).sort("ts_ns", maintain_order=True)


def _touches(gap: Gap, number: int) -> bool:
    return gap.from_ns < (number + 1) * DAY_NS and gap.to_ns > number * DAY_NS
