"""The lake: one Parquet file a market and UTC day, and beside each a manifest that says what it holds.

A manifest that is missing, or can't be read, is made again from its file. One that does not fit its file is no accident
of ours: whoever replaces a file removes its manifest first and writes the new one last (see `placing`), so a crash
leaves none. The file was then changed by something else, say a failing disk, and is refused.
"""

import fcntl
import json
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from bmv.data.files.hash import sha256
from bmv.data.files.pages import refuse_odd_pages
from bmv.data.files.parquet import parquet_batches, readable
from bmv.data.files.path import is_url, special
from bmv.data.files.walk import NO_DAY, Folder, Stray, day_named, leads_nowhere, look, warn_of
from bmv.data.files.writing import sync_folder
from bmv.data.ticks.contracts import both_terms, terms_in
from bmv.data.ticks.delays import Stamped
from bmv.data.ticks.lake.merge import NO_IDS, Ids, Print, merged
from bmv.data.ticks.lake.placing import Draft, Placing, placing
from bmv.data.ticks.lake.stage import SLICE_ROWS, Part, part_of, spans, stamps_in, within
from bmv.data.ticks.quality import Hole
from bmv.data.ticks.schema import (
    LAKE_SCHEMA,
    beside_of,
    day_path,
    manifest_path,
    market_of,
    replacing,
    sink,
    streamed,
    words_of,
    writable,
)
from bmv.data.ticks.stamps import bare, names_in, with_stamps
from bmv.data.ticks.tally import Tally
from bmv.ports.errors import DataError, StorageError
from bmv.ports.market import Market

VERSION = 1
IDS = "bmv.ids"  # Of prints at the times where files that a day was made of begin and end.
DAY_NS = 86_400_000_000_000


class Day(NamedTuple):
    """One file of a lake: folder names and UTC day."""

    path: Path
    venue: str
    symbol: str
    day: date


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a day's file holds. Times are nanoseconds UTC.

    `bytes` and `sha256` are those of the file. `quality` counts what was found in its rows. `sources` are the files
    that it was made of, `gaps` the holes in the record: no row for longer than a minute, between two rows. `contract`
    is what the file says of its contracts (see :mod:`bmv.data.ticks.contracts`); empty: its sizes are coins. `stamps`
    counts the rows that have each stamp, `delays` those that reached their recorder so many nanoseconds after their
    time, to three digits; both are left out of a manifest where they are empty.
    """

    venue: str
    symbol: str
    day: str
    tick_size: str
    lot_size: str
    rows: int
    first_ns: int
    last_ns: int
    bytes: int
    sha256: str
    quality: Mapping[str, int]
    gaps: Sequence[Hole]
    sources: Sequence[Mapping[str, Any]] = field(default_factory=list)  # Any: it is JSON.
    contract: Mapping[str, str] = field(default_factory=dict)
    stamps: Mapping[str, int] = field(default_factory=dict)
    delays: Mapping[str, int] = field(default_factory=dict)  # Keys of JSON are texts.
    version: int = VERSION

    def __repr__(self) -> str:
        return f"<Manifest {self.venue}/{self.symbol} {self.day}: {self.rows:,} rows, {len(self.gaps)} gaps>"

    @property
    def stamped(self) -> Stamped:
        """What its rows say of slots and arrivals."""
        return Stamped(Counter(self.stamps), Counter({int(delay): rows for delay, rows in self.delays.items()}))


class Lake:
    """A folder of days; nothing is opened before it is asked for.

    Args:
        slice_rows: So many rows of a day, at most, are merged at once.
    """

    def __init__(self, root: Path, slice_rows: int = SLICE_ROWS) -> None:
        self.root = root
        self._slice_rows = slice_rows

    def __repr__(self) -> str:
        return f"<Lake {self.root}>"

    def days(self, venue: str | None = None, symbol: str | None = None) -> list[Day]:
        """Return the days there are, of all markets or of some, ordered by market and day."""
        found, strays = list[Day](), list[Stray]()
        for above in self._folders(self.root, venue, strays):
            for folder in self._folders(above, symbol, strays):
                inside = look(folder)
                strays += _strays_of(inside, top=False)
                found += [Day(path, above.name, folder.name, day_named(path) or date.min) for path in inside.days]
        warn_of(strays, self.root)
        return found

    def _folders(self, above: Path, asked: str | None, strays: list[Stray]) -> list[Path]:
        """Return the folders in another that are asked for; what else lies there that could be taken is a stray."""
        inside = look(above)
        strays += _strays_of(inside, top=True)
        return [folder for folder in inside.folders if _is(folder.name, asked)]

    def place(self, venue: str, symbol: str, day: date) -> Day:
        """Return where a day of a market lies, or would lie."""
        path = day_path(self.root, venue, symbol, day)
        return Day(path, path.parent.parent.name, path.parent.name, day)

    def manifest(self, day: Day) -> Manifest:
        """Return what a day's manifest says, made again (and written) if it is missing or can't be read.

        `DataError` where the file has another size than was written; :meth:`verified` looks at every byte.
        """
        told = _read_manifest(manifest_path(day.path))
        before = _state(day.path)
        if told is not None:
            if told.bytes == before.bytes:
                return told
            refuse_altered(day.path)  # Else the file is right, and its manifest is wrong about its size.
        made = describe(day)
        # Who replaced the file meanwhile knows better, and what is in an object store is not ours to write.
        if not is_url(day.path) and _state(day.path) == before:
            _write_manifest(manifest_path(day.path), made)
        return made

    def verified(self, day: Day) -> Manifest:
        """Return a day's manifest once its file has been read whole and has the checksum that was written.

        `DataError` where it has another; a file without a manifest gets one.
        """
        told = self.manifest(day)
        refuse_altered(day.path)
        return told

    def market(self, venue: str, symbol: str) -> Market | None:
        """Return the market as its newest day knows it; None where the lake has none."""
        days = self.days(venue, symbol)
        return market_of(days[-1].path) if days else None

    def put(
        self,
        day: Day,
        rows: pl.DataFrame | Sequence[Part],
        market: Market,
        source: Mapping[str, Any],
        ids: Ids = NO_IDS,
        waiting: Placing | None = None,
    ) -> int:
        """Let `rows` into a day, beside what is there, and return how many were new; none: nothing is written.

        Args:
            rows: In the lake's form, all of that UTC day; a frame is in order of time, parts may be of any order.
            source: Where they come from, for the manifest; what its `maker` and its `terms` say, the day says from
                then on.
            ids: Those of its prints at the times where a file may be cut.
            waiting: Where the day waits for its place beside others; None: it takes it at once.

        The caller holds :meth:`writing`.
        """
        refuse_nowhere(day.path)
        old, words = list[Part](), dict[str, str]()
        if day.path.exists():
            refuse_other_market(day.path, market)
            refuse_odd_pages(day.path)
            refuse_altered(day.path)
            with readable(day.path):
                words = pl.read_parquet_metadata(day.path)
                old = [_part_of(day.path)]
        terms = both_terms(day.path, terms_in(words), source.get("terms", {}))
        new = ([part_of(rows)] if len(rows) else []) if isinstance(rows, pl.DataFrame) else rows
        known = _ids_in(words.get(IDS, ""))
        try:
            cuts = list(spans([*old, *new], self._slice_rows))
        except DataError as error:
            beside = f" with {source['file']}" if "file" in source else ""
            raise DataError(f"{day.path}{beside}: {error}") from error
        slices = partial(_merged, old, new, cuts, known, ids)
        whole = list(slices()) if len(cuts) == 1 else None  # Most days fit into one slice.
        fresh = sum(count for _, count in whole or slices()) if old else sum(part.size for part in new)
        if fresh or terms != terms_in(words):
            sources = json.loads(words.get("bmv.sources", "[]"))
            sources += [{**source, "rows": fresh}] if fresh else []
            made = {"bmv.venue": day.venue, "bmv.sources": json.dumps(sources), **terms}
            if makers := both_makers(words.get("bmv.source", ""), source.get("maker", "")):
                made["bmv.source"] = makers
            if both := {ts: {**known.get(ts, {}), **ids.get(ts, {})} for ts in sorted({*known, *ids})}:
                made[IDS] = json.dumps([[ts, one, *row[1:]] for ts, each in both.items() for one, row in each.items()])
            frames = [bare(part) for part, _ in whole] if whole else None
            stamps = stamps_in([*old, *new])
            table = (
                frames[0].lazy() if frames else streamed((with_stamps(part, stamps) for part, _ in slices()), stamps)
            )
            with nullcontext(waiting) if waiting is not None else placing() as drafts:
                drafts.add(_draft(day, table, words_of(market, made), frames))
        return fresh

    def remove(self, days: Sequence[Day]) -> None:
        """Take days out, their manifests first: what is left of a removal that was cut off is a day without one.

        The caller holds :meth:`writing`.
        """
        for day in days:
            with writable(day.path):
                manifest_path(day.path).unlink(missing_ok=True)
                day.path.unlink(missing_ok=True)
                sync_folder(day.path.parent)
                with suppress(OSError):  # It still has other days, or ticks that are not settled.
                    day.path.parent.rmdir()

    def remove_days(self, venue: str, symbol: str, wanted: Collection[date] = ()) -> list[Day]:
        """Remove days of a market, where none are named all of them, and return them.

        `DataError` where the lake has none of them, or lacks one that is named.
        """
        days = self.days(venue, symbol)
        if not days:
            raise DataError(
                f"{self.root}: no days of {venue} {symbol} in this lake; "
                f"`bmv data list --lake {self.root}` says what it has"
            )
        if lacking := sorted(set(wanted) - {day.day for day in days}):
            raise DataError(f"{self.root}: {venue} {symbol} has no day {', '.join(map(str, lacking))}")
        gone = [day for day in days if not wanted or day.day in wanted]
        with self.writing():
            self.remove(gone)
        return gone

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """Be the only writer of this lake, and give a folder for what is half done; it is gone afterwards.

        What a killed writer left is swept first. `StorageError` while another one is at work.
        """
        with writable(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            lock = (self.root / ".lock").open("w")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise StorageError(f"{self.root}: another import is writing to this lake; wait for its end") from error
            half_done = self.root / ".half-done"
            shutil.rmtree(half_done, ignore_errors=True)
            for left in self.root.glob("*/*/.*.tmp"):
                left.unlink()
            try:
                half_done.mkdir()
                yield half_done
            finally:
                shutil.rmtree(half_done, ignore_errors=True)


def refuse_nowhere(path: Path) -> None:
    """Raise `DataError` where a day is a link that leads nowhere: what it led to may come back."""
    if nowhere := leads_nowhere(path):
        raise DataError(f"{path}: {nowhere}; bring back what it leads to, or remove the link")


def both_makers(one: str, other: str) -> str:
    """Return what two records say of their makers, for the one that they become; what is made up is said first.

    >>> both_makers("a recorder", "synthetic, seed 1")
    'synthetic, seed 1; a recorder'
    """
    told = dict.fromkeys(maker for makers in (one, other) for maker in makers.split("; ") if maker)
    return "; ".join(sorted(told, key=lambda maker: not maker.startswith("synthetic")))


def refuse_altered(path: Path, digest: str | None = None) -> None:
    """Raise `DataError` where the bytes of a file are not those that its manifest was written for.

    Args:
        digest: SHA-256 of the file; None: it is computed. A file without a manifest is not judged.
    """
    told = _read_manifest(manifest_path(path))
    if told is None:
        return
    if (found := digest or sha256(path)) == told.sha256:
        return
    if _read_manifest(manifest_path(path)) != told:  # An import has replaced both meanwhile.
        refuse_altered(path)
        return
    raise DataError(
        f"{path}: its bytes are not those that were written (checksum {found[:12]}…, its manifest has "
        f"{told.sha256[:12]}…): restore it, or remove it and import its day anew"
    )


def _draft(day: Day, rows: pl.LazyFrame, words: Mapping[str, str], frames: Sequence[pl.DataFrame] | None) -> Draft:
    """Write a day's file beside its place; `frames` are its rows where they are at hand."""
    half_done = beside_of(day.path)
    try:
        with writable(day.path):
            day.path.parent.mkdir(parents=True, exist_ok=True)
            sink(half_done, rows, words)
            return Draft(day.path, half_done, _in_json(_manifest_of(day, half_done, words, frames)))
    except BaseException:
        with suppress(OSError):
            half_done.unlink(missing_ok=True)
        raise


def describe(day: Day) -> Manifest:
    """Say what a day's file holds."""
    with readable(day.path):
        words = pl.read_parquet_metadata(str(day.path))
    return _manifest_of(day, day.path, words, None)


def _manifest_of(day: Day, file: Path, words: Mapping[str, str], rows: Iterable[pl.DataFrame] | None) -> Manifest:
    """Say what a file holds that is a day's, or will be; `rows` are those that it was written of, None: it is read."""
    tally = Tally()
    for part in parquet_batches(file, names_in(file)) if rows is None else rows:
        with readable(file):
            tally.add(part)
    if not tally.rows:
        raise DataError(f"{day.path}: has no rows")
    return Manifest(
        venue=day.venue,
        symbol=words.get("bmv.symbol", day.symbol),
        day=day.day.isoformat(),
        tick_size=words.get("bmv.tick_size", ""),
        lot_size=words.get("bmv.lot_size", ""),
        rows=tally.rows,
        first_ns=tally.first_ns,
        last_ns=tally.last_ns,
        bytes=file.stat().st_size,
        sha256=sha256(file),
        quality={"back": tally.back, **tally.counts},
        gaps=tally.gaps,
        sources=json.loads(words.get("bmv.sources", "[]")),
        contract=terms_in(words),
        stamps={name: count for name, count in tally.stamped.counts.items() if count},
        delays={str(delay): count for delay, count in sorted(tally.stamped.delays.items())},
    )


def day_of(ts_ns: int) -> date:
    """Return the UTC day of a time."""
    return datetime.fromtimestamp(ts_ns // 10**9, UTC).date()


class _State(NamedTuple):
    """By what a file is known to be still the same."""

    file: int
    bytes: int
    changed_ns: int


def _state(path: Path) -> _State:
    stat = path.stat()
    return _State(stat.st_ino, stat.st_size, getattr(stat, "st_mtime_ns", 0))  # An object store has no such time.


def _read_manifest(path: Path) -> Manifest | None:
    """Return a manifest as it stands; None where there is none that can be read, since it can be made again."""
    if special(path):
        return None
    try:
        told = json.loads(path.read_bytes())
        return Manifest(**{**told, "gaps": [Hole(**gap) for gap in told["gaps"]]})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_manifest(path: Path, manifest: Manifest) -> None:
    half_done = beside_of(path)
    with replacing(path, half_done):
        half_done.write_text(_in_json(manifest))


def _in_json(manifest: Manifest) -> str:
    told = {**asdict(manifest), "gaps": [gap._asdict() for gap in manifest.gaps]}
    told = {name: value for name, value in told.items() if value or name not in ("stamps", "delays")}
    return json.dumps(told, indent=1) + "\n"


def refuse_other_market(path: Path, market: Market) -> None:
    """Raise `DataError` where a day is of another market, or counted in other steps, than rows for it.

    Two symbols may have one folder, `BTC/USDT` and `BTC-USDT`.
    """
    known = market_of(path)
    if known.symbol != market.symbol:
        raise DataError(
            f"{path}: is of {known.symbol}; {market.symbol} would lie in the same folder, and the two would become "
            f"one market: call it {known.symbol} if it is the same, else import it under another --venue or --symbol"
        )
    if (known.tick_size, known.lot_size) != (market.tick_size, market.lot_size):
        raise DataError(
            f"{path}: holds ticks of {known.tick_size} and lots of {known.lot_size}; rows in ticks of "
            f"{market.tick_size} and lots of {market.lot_size} can't go beside them"
        )


def _part_of(path: Path) -> Part:
    """Return a day of a lake as a part."""
    times = pl.col("ts_ns")
    count, first, last = (
        pl.scan_parquet(path, glob=False)
        .select(pl.len().alias("count"), times.min(), last=times.max())
        .collect()
        .row(0)
    )
    return Part(path, first or 0, last or 0, count)


def _merged(
    old: Sequence[Part], new: Sequence[Part], cuts: Sequence[tuple[int, int]], known: Ids, ids: Ids
) -> Iterator[tuple[pl.DataFrame, int]]:
    """Yield the rows of both, slice by slice, each with how many of it are new."""
    none = pl.DataFrame(schema=LAKE_SCHEMA)
    for first, stop in cuts:
        before, rows = (within(parts, first, stop) if parts else none for parts in (old, new))
        yield merged(before, rows, known, ids)


def _ids_in(words: str) -> dict[int, dict[str, Print]]:
    """Return the ids that a day's file keeps; :meth:`Lake.put` writes them."""
    found = dict[int, dict[str, Print]]()
    for ts, one, *row in json.loads(words or "[]"):
        found.setdefault(ts, {})[one] = (ts, *row)
    return found


def refuse_many(asked: Path, files: Sequence[Path]) -> None:
    """Refuse files of several markets, named by what they say of themselves, else by the folder of a day's file.

    So a market is refused that lies in two folders, as a copy or by a link: each of its rows would be there twice.

    Args:
        asked: What the operator named.
        files: What lies in it.
    """
    markets = sorted({name for file in files if (name := _market_named(file))})
    if len(markets) > 1:
        some = ", ".join(markets[:5]) + (", …" if len(markets) > 5 else "")
        raise DataError(f"{asked}: holds {len(markets)} markets ({some}); give the folder of one")
    days = dict[str, Path]()
    for file in files:
        if day_named(file) and (first := days.setdefault(file.name, file)) is not file:
            raise DataError(f"{asked}: holds {file.stem} twice ({first}, {file}); give the folder of one market")


def _market_named(path: Path) -> str:
    with readable(path):
        words = pl.read_parquet_metadata(str(path))
    told = " ".join(words[key] for key in ("bmv.venue", "bmv.symbol") if key in words)
    return told or (path.parent.name if day_named(path) else "")


def _is(found: str, asked: str | None) -> bool:
    return asked is None or found == asked.replace("/", "-")


def _strays_of(inside: Folder, *, top: bool) -> list[Stray]:
    """Return what of a folder is passed over: above the days of markets every file, beside them every folder too."""
    others = [*inside.files, *inside.days] if top else [*inside.files, *inside.folders]
    return [*inside.strays, *(Stray(path, NO_DAY) for path in others)]
