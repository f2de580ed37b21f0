"""What has arrived of one market and is not settled: small files in a hidden folder beside the days of the lake.

    LAKE/VENUE/SYMBOL/2025-09-03.parquet                        a settled day
    LAKE/VENUE/SYMBOL/.live/000000000007-000000000007.ticks     a segment: what one call brought
    LAKE/VENUE/SYMBOL/.live/000000000000-000000000006.ticks     a segment made of seven, which are gone
    LAKE/VENUE/SYMBOL/.live/known.json                          the numbers of all rows whose segments are gone
    LAKE/VENUE/SYMBOL/.live/gaps.jsonl                          the holes that were noted, a line each

Every file is there whole or not at all, so that a kill leaves one of a few states, and each is understood:

* A segment whose arrivals lie within those of another was made part of it: it is not read, and goes.
* The rows that segment 7 has of a day are in the day's file if its sources say `settled` 7 or higher, since a day takes
  all that has arrived of it, and what arrives later has a higher number. They are then not read from the segment, which
  goes when that is so of all its days.
* Before a segment goes for good, `known.json` has the numbers of its rows.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from bmv.data.files import sync_folder
from bmv.data.lake import Day, Lake, day_number, manifest_path, market_of
from bmv.data.merge import merged
from bmv.data.parquet import readable
from bmv.data.recorded import DAY_NS, Runs, joined, lacking
from bmv.data.schema import LAKE, LAKE_SCHEMA, at_rest, replacing, writable, write_rows
from bmv.ports.errors import DataError
from bmv.ports.market import Market
from bmv.ports.storage import Gap, Ticks

FOLDER, SUFFIX = ".live", ".ticks"
SMALL_ROWS = 16_384  # Segments of more rows than this stay as they are.
Stream = tuple[str, int]  # Recorder and epoch.
Known = dict[Stream, Runs]


class Segment(NamedTuple):
    """A file of rows, in order of time: those of the arrivals `first` to `last`.

    Args:
        first_ns, last_ns: Times of its first and last row.
        days: The days that it has rows of, as numbers since 1970-01-01.
        known: The numbers of its rows.
    """

    path: Path
    first: int
    last: int
    rows: int
    first_ns: int
    last_ns: int
    days: Sequence[int]
    known: Known


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
        self.gaps: list[Gap] = []
        self.next = 0  # Number of the next arrival.
        self._settled: dict[int, int] = {}  # The last arrival that a day's file has, by day.

    def __repr__(self) -> str:
        rows = sum(segment.rows for segment in self.segments)
        return f"<Live {self.name}: {rows:,} rows in {len(self.segments)} segments>"

    def load(self, writing: bool) -> "Live":
        """Find what is there; who writes sweeps what a killed writer left."""
        told = _said(self.folder / "known.json")
        self.next = told.get("next", 0)
        self.known = _known(told.get("known", []))
        paths, superseded = _listed(self.folder)
        self.segments = [self._segment(path) for path in paths]
        for segment in self.segments:
            self._know(segment.known)
            self.next = max(self.next, segment.last + 1)
        self.gaps = _gaps(self.folder / "gaps.jsonl", cut=writing)
        if writing:
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
        rows = at_rest(pl.DataFrame(ticks.columns._asdict(), schema=LAKE_SCHEMA))
        rows = pl.concat([rows.slice(first - ticks.first_seq, stop - first) for first, stop in fresh])
        self._write(self.next, self.next, rows, {stream: fresh})
        small = self._small()
        if len(small) >= self.compact_at:
            self._compact(small)

    def note_gap(self, gap: Gap) -> None:
        """Keep a hole, durably when this returns; the same one twice is one."""
        if gap in self.gaps:
            return
        path = self.folder / "gaps.jsonl"
        self._make_folder()
        with writable(path), path.open("ab") as file:
            size = file.tell()
            try:
                file.write(json.dumps(gap._asdict()).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
                sync_folder(self.folder)
            except OSError:
                with suppress(OSError):
                    os.truncate(path, size)
                raise
        self.gaps.append(gap)

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

    def settle(self, before: date | None) -> list[Day]:
        """Move what has arrived of days before `before`, of all days if it is None, into their files; return those.

        The caller holds :meth:`~bmv.data.lake.Lake.writing`. A day is in memory while it is settled.
        """
        days = sorted({day for segment in self.segments for day in segment.days})
        due = [day for day in days if before is None or day_number(day * DAY_NS) < before]
        touched = [self._day(number) for number in due if self._settle(number)]
        self.sweep()
        return touched

    def sweep(self) -> None:
        """Remove the segments of which every day is settled."""
        gone = [each for each in self.segments if all(self._settled_at(day) >= each.last for day in each.days)]
        if not gone:
            return
        told = {"next": self.next, "known": _listing(self.known)}
        path = self.folder / "known.json"
        half_done = path.with_name(f".{path.name}.tmp")
        with replacing(path, half_done), half_done.open("w") as file:
            json.dump(told, file)
            file.flush()
            os.fsync(file.fileno())
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
        fresh = pl.concat(self._rows(segment, number) for segment in segments).sort("ts_ns", maintain_order=True)
        whole, sources, maker = fresh, list[Mapping[str, Any]](), dict[str, str]()
        if day.path.exists():
            old, sources, maker = self._at_rest(day)
            # Rows that came from elsewhere may be the same ones; what has arrived is told apart by its numbers.
            ours = sources and all("settled" in source for source in sources)
            whole = pl.concat([old, fresh]).sort("ts_ns", maintain_order=True) if ours else merged(old, fresh)[0]
        source = {"recorded": _listing(_union(each.known for each in segments)), "rows": len(fresh)}
        source |= {"settled": segments[-1].last, "gaps": [gap._asdict() for gap in self.gaps if _touches(gap, number)]}
        # A manifest is believed while the size of its file fits, and the new one might have it by chance.
        with writable(manifest_path(day.path)):
            manifest_path(day.path).unlink(missing_ok=True)
        words = maker | {"bmv.venue": day.venue, "bmv.sources": json.dumps([*sources, source])}
        write_rows(day.path, whole.lazy(), self.market, words)
        self._settled[number] = segments[-1].last
        self.lake.manifest(day)
        return True

    def _at_rest(self, day: Day) -> tuple[pl.DataFrame, list[Mapping[str, Any]], dict[str, str]]:
        """Return the rows of a day, their sources, and what the file says of its maker, if it was made up."""
        known = market_of(day.path)
        if (known.tick_size, known.lot_size) != (self.market.tick_size, self.market.lot_size):
            raise DataError(
                f"{day.path}: holds ticks of {known.tick_size} and lots of {known.lot_size}; what has arrived of "
                f"{self.name} is in ticks of {self.market.tick_size} and lots of {self.market.lot_size}"
            )
        with readable(day.path):
            words = pl.read_parquet_metadata(day.path)
            maker = {key: words[key] for key in ("bmv.source",) if key in words}
            return pl.read_parquet(day.path, columns=list(LAKE), glob=False), _sources(day.path), maker

    def _head(self, number: int, from_ns: int, to_ns: int, rows: int) -> pl.DataFrame:
        """Return the first `rows` rows that a day has in `[from_ns, to_ns)`, by time and then arrival."""
        parts = list[tuple[int, pl.DataFrame]]()
        day = self._day(number)
        if day.path.exists():
            parts.append((-1, _first(day.path, from_ns, to_ns, rows)))
        for segment in sorted(self.segments, key=lambda segment: segment.first_ns):
            if not self._unsettled(segment, number) or segment.last_ns < from_ns or segment.first_ns >= to_ns:
                continue
            if sum(np.searchsorted(part["ts_ns"].to_numpy(), segment.first_ns) for _, part in parts) >= rows:
                break
            parts.append((segment.last, _first(segment.path, from_ns, to_ns, rows)))
        if not parts:
            return pl.DataFrame(schema=LAKE_SCHEMA)
        parts.sort(key=lambda part: part[0])
        return pl.concat(part for _, part in parts).sort("ts_ns", maintain_order=True).head(rows)

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
        rows = pl.concat([pl.DataFrame(schema=LAKE_SCHEMA), *parts]).sort("ts_ns", maintain_order=True)
        self.segments = self.segments[: -len(small)]
        self._write(small[0].first, small[-1].last, rows, _union(each.known for each in small))
        for segment in small:
            segment.path.unlink(missing_ok=True)

    def _write(self, first: int, last: int, rows: pl.DataFrame, known: Known) -> None:
        days = (rows["ts_ns"] // DAY_NS).unique().sort().to_list()
        first_ns, last_ns = (rows["ts_ns"][0], rows["ts_ns"][-1]) if len(rows) else (0, 0)
        path = self.folder / f"{first:012d}-{last:012d}{SUFFIX}"
        segment = Segment(path, first, last, len(rows), first_ns, last_ns, days, known)
        words = segment._asdict() | {"market": self.name, "known": _listing(known)}
        del words["path"]
        self._make_folder()
        write_rows(path, rows.lazy(), self.market, {"bmv.live": json.dumps(words)})
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

    def _segment(self, path: Path) -> Segment:
        with readable(path):
            told = pl.read_parquet_metadata(path)
        try:
            words: dict[str, Any] = json.loads(told["bmv.live"])  # Any: it is JSON.
            market = words.pop("market")
            words |= {"path": path, "known": _known(words["known"])}
            segment = Segment(**words)
        except (KeyError, ValueError, TypeError) as error:
            raise DataError(f"{path}: its metadata is not that of a segment of ticks: {error}") from error
        if market != self.name:
            raise DataError(f"{path}: holds {market}, whose folder is that of {self.name} too; rename one of them")
        steps = str(self.market.tick_size), str(self.market.lot_size)
        if (found := (told["bmv.tick_size"], told["bmv.lot_size"])) != steps:
            raise DataError(
                f"{path}: holds ticks of {found[0]} and lots of {found[1]}; {self.name} has {steps[0]} and {steps[1]}"
            )
        return segment

    def _rows(self, segment: Segment, number: int) -> pl.DataFrame:
        return _first(segment.path, number * DAY_NS, (number + 1) * DAY_NS, segment.rows)

    def _unsettled(self, segment: Segment, number: int) -> bool:
        return number in segment.days and self._settled_at(number) < segment.last

    def _settled_at(self, number: int) -> int:
        if number not in self._settled:
            path = self._day(number).path
            marks = [source.get("settled", -1) for source in _sources(path)] if path.exists() else []
            self._settled[number] = max(marks, default=-1)
        return self._settled[number]

    def _day(self, number: int) -> Day:
        return self.lake.place(self.venue, self.symbol, day_number(number * DAY_NS))

    def _days_at_rest(self) -> Iterator[int]:
        return ((day.day - date(1970, 1, 1)).days for day in self.lake.days(self.venue, self.symbol))

    def _know(self, more: Known) -> None:
        self.known = _union([self.known, more])


def named(name: str) -> tuple[str, str]:
    """Return venue and symbol of `VENUE/SYMBOL`; `DataError` where they can't name folders.

    >>> named("sim/SOL/USDC")
    ('sim', 'SOL/USDC')
    """
    venue, _, symbol = name.partition("/")
    if not venue or not symbol or "." in (venue[0], symbol[0]):
        raise DataError(f"market {name!r}: expected VENUE/SYMBOL, neither beginning with a dot")
    return venue, symbol


def unsettled_markets(lake: Lake) -> list[str]:
    """Return the names of the markets that have segments."""
    names = set[str]()
    for folder in lake.root.glob(f"*/*/{FOLDER}"):
        for segment in sorted(folder.glob(f"*{SUFFIX}"))[:1]:
            with readable(segment):
                names.add(json.loads(pl.read_parquet_metadata(segment)["bmv.live"])["market"])
    return sorted(names)


def _listed(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the segments in order of arrival, and those that have become part of another."""
    found = sorted(folder.glob(f"*{SUFFIX}"))
    # A listing is no snapshot: what is written and what goes for it while it is made may both be missing.
    while (again := sorted(folder.glob(f"*{SUFFIX}"))) != found:
        found = again
    kept, superseded = list[Path](), list[Path]()
    reach = -1
    for path in sorted(found, key=lambda path: (_range(path)[0], -_range(path)[1])):
        (kept if _range(path)[1] > reach else superseded).append(path)
        reach = max(reach, _range(path)[1])
    return kept, superseded


def _range(path: Path) -> tuple[int, int]:
    try:
        first, last = path.stem.split("-")
        return int(first), int(last)
    except ValueError as error:
        raise DataError(f"{path}: expected a name such as 000000000000-000000000006{SUFFIX}") from error


def _first(path: Path, from_ns: int, to_ns: int, rows: int) -> pl.DataFrame:
    times = pl.col("ts_ns")
    with readable(path):
        scan = pl.scan_parquet(path, glob=False).filter((times >= from_ns) & (times < to_ns))
        return scan.head(rows).select(list(LAKE)).collect()


def _sources(path: Path) -> list[Mapping[str, Any]]:  # Any: it is JSON.
    with readable(path):
        found: list[Mapping[str, Any]] = json.loads(pl.read_parquet_metadata(path).get("bmv.sources", "[]"))
    return found


def _said(path: Path) -> dict[str, Any]:  # Any: it is JSON.
    try:
        told: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    return told


def _gaps(path: Path, cut: bool) -> list[Gap]:
    """Return the gaps that were noted; the half line of a killed writer is none, and goes if `cut`."""
    try:
        told = path.read_bytes()
    except FileNotFoundError:
        return []
    whole = told.rfind(b"\n") + 1
    if cut and whole < len(told):
        with writable(path):
            os.truncate(path, whole)
    try:
        return [Gap(**json.loads(line)) for line in told[:whole].splitlines()]
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: a line is not a gap: {error}") from error


def _touches(gap: Gap, number: int) -> bool:
    return gap.from_ns < (number + 1) * DAY_NS and gap.to_ns > number * DAY_NS


def _union(parts: Iterator[Known] | Sequence[Known]) -> Known:
    made: Known = {}
    for part in parts:
        for stream, runs in part.items():
            made[stream] = joined(made.get(stream, []), runs)
    return made


def _listing(known: Known) -> list[list[Any]]:  # Any: it becomes JSON.
    return [[source, epoch, runs] for (source, epoch), runs in known.items()]


def _known(listing: Sequence[Sequence[Any]]) -> Known:  # Any: it is JSON.
    return {(source, epoch): [(first, stop) for first, stop in runs] for source, epoch, runs in listing}
