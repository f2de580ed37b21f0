"""The files in which one market's ticks lie until they are settled: how each is named, written whole, and read back.

What they mean together is said in :mod:`bmv.data.ticks.lake.live`.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from bmv.data.files.parquet import readable
from bmv.data.files.writing import sync_folder
from bmv.data.ticks.lake.lake import DAY_NS, Day, Lake
from bmv.data.ticks.lake.numbering import Runs, joined, lacking
from bmv.data.ticks.schema import replacing, writable, write_rows
from bmv.data.ticks.stamps import names_among, names_in
from bmv.ports.errors import DataError
from bmv.ports.market import Market
from bmv.ports.storage import Gap

FOLDER, SUFFIX, RECORDED = ".live", ".ticks", ".recorded"
KNOWN, GAPS = "known.json", "gaps.jsonl"
KNOWN_FORM = (
    'expected {"next": NUMBER, "known": [[RECORDER, EPOCH, [[FIRST, STOP], …]], …]}; take it from a backup, since '
    "without it rows that are sent again are kept again"
)
Stream = tuple[str, int]  # Recorder and epoch.
Known = dict[Stream, Runs]  # Numbers of rows.
Gaps = dict[tuple[str, str, int, int, str], Gap]  # By what makes each the one it is, in the order of their arrival.


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


def write(
    folder: Path, arrivals: tuple[int, int], rows: pl.DataFrame, known: Known, name: str, market: Market
) -> Segment:
    """Write a segment durably, and return it.

    Args:
        arrivals: The first and the last that it is made of.
        rows: In the lake's form, in order of time.
        known: Their numbers.
        name: `VENUE/SYMBOL`.
    """
    days = (rows["ts_ns"] // DAY_NS).unique().sort().to_list()
    first_ns, last_ns = (rows["ts_ns"][0], rows["ts_ns"][-1]) if len(rows) else (0, 0)
    path = folder / f"{arrivals[0]:012d}-{arrivals[1]:012d}{SUFFIX}"
    segment = Segment(path, *arrivals, len(rows), first_ns, last_ns, days, known)
    words = segment._asdict() | {"market": name, "known": listing(known)}
    del words["path"]
    write_rows(path, rows.lazy(), market, {"bmv.live": json.dumps(words)})
    return segment


def segment_at(path: Path, name: str, market: Market) -> Segment:
    """Return the segment at `path`; `DataError` where it is none, or one of another market than `name`."""
    with readable(path):
        told = pl.read_parquet_metadata(path)
    try:
        words: dict[str, Any] = json.loads(told["bmv.live"])  # Any: it is JSON.
        found = words.pop("market")
        words |= {"path": path, "known": _known(words["known"])}
        segment = Segment(**words)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: its metadata is not that of a segment of ticks: {error}") from error
    if found != name:
        raise DataError(f"{path}: holds {found}, whose folder is that of {name} too; rename one of them")
    steps, kept = (str(market.tick_size), str(market.lot_size)), (told["bmv.tick_size"], told["bmv.lot_size"])
    if kept != steps:
        raise DataError(f"{path}: holds ticks of {kept[0]} and lots of {kept[1]}; {name} has {steps[0]} and {steps[1]}")
    return segment


def listed(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the segments in order of arrival, and those that have become part of another."""
    found = _segments(folder)
    # A listing is no snapshot: what is written and what goes for it while it is made may both be missing.
    while (again := _segments(folder)) != found:
        found = again
    kept, superseded = list[Path](), list[Path]()
    reach = -1
    for path in sorted(found, key=lambda path: (_arrivals(path)[0], -_arrivals(path)[1])):
        (kept if _arrivals(path)[1] > reach else superseded).append(path)
        reach = max(reach, _arrivals(path)[1])
    return kept, superseded


def _segments(folder: Path) -> list[Path]:
    """Return the files of a folder that are named as segments, but for what a file manager leaves beside them."""
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if not path.name.startswith("._"))


def _arrivals(path: Path) -> tuple[int, int]:
    try:
        first, last = path.stem.split("-")
        return int(first), int(last)
    except ValueError as error:
        raise DataError(f"{path}: expected a name such as 000000000000-000000000006{SUFFIX}") from error


def unsettled(lake: Lake) -> list[Path]:
    """Return the first segment of each market that has any, in the order of their folders."""
    folders = sorted(lake.root.glob(f"*/*/{FOLDER}"))
    return [segment for folder in folders for segment in _segments(folder)[:1]]


def market_in(path: Path) -> str:
    """Return the name of the market of a segment, `VENUE/SYMBOL`."""
    with readable(path):
        told = pl.read_parquet_metadata(path)
    try:
        return str(json.loads(told["bmv.live"])["market"])
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path}: its metadata is not that of a segment of ticks: {error}") from error


def first_rows(path: Path, from_ns: int, to_ns: int, rows: int) -> pl.DataFrame:
    """Return the first `rows` rows of a file in `[from_ns, to_ns)`."""
    times = pl.col("ts_ns")
    with readable(path):
        scan = pl.scan_parquet(path, glob=False)
        found = scan.filter((times >= from_ns) & (times < to_ns)).head(rows)
        return found.select(names_among(scan.collect_schema())).collect()


def write_known(folder: Path, following: int, known: Known) -> None:
    """Keep the numbers of all rows, and the number of the arrival that comes next, durably."""
    path = folder / KNOWN
    half_done = path.with_name(f".{path.name}.tmp")
    with replacing(path, half_done), half_done.open("w") as file:
        json.dump({"next": following, "known": listing(known)}, file)
        file.flush()
        os.fsync(file.fileno())


def known_in(folder: Path) -> tuple[int, Known]:
    """Return what `write_known` kept."""
    path = folder / KNOWN
    try:
        told = json.loads(path.read_bytes())
    except FileNotFoundError:
        return 0, {}
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}; {KNOWN_FORM}") from error
    try:
        following, known = told["next"], _known(told["known"])
        if type(following) is not int or following < 0:
            raise ValueError(f"next is {following!r}")
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path}: does not say which rows were kept: {error}; {KNOWN_FORM}") from error
    return following, known


def add_gap(folder: Path, gap: Gap) -> None:
    """Keep a hole durably; what a full disk takes of its line goes again."""
    path = folder / GAPS
    with writable(path), path.open("ab") as file:
        size = file.tell()
        try:
            file.write(json.dumps(words_of_gap(gap)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
            sync_folder(folder)
        except OSError:
            with suppress(OSError):
                os.truncate(path, size)
            raise


def gaps_in(folder: Path, cut: bool) -> Gaps:
    """Return the holes that were noted; the half line of a killed writer is none, and goes if `cut`."""
    path = folder / GAPS
    try:
        told = path.read_bytes()
    except FileNotFoundError:
        return {}
    whole = told.rfind(b"\n") + 1
    if cut and whole < len(told):
        with writable(path):
            os.truncate(path, whole)
    try:
        found: Gaps = {}
        for line in told[:whole].splitlines():
            learn(found, gap_in(json.loads(line)))
        return found
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: a line is not a gap: {error}") from error


def gap_in(told: Any) -> Gap:  # Any: it is JSON.
    """Return a gap from what JSON has of it; `TypeError` where it is none."""
    gap = Gap(**told)
    sizes = {type(value) for value in (gap.rows, gap.quanta)}
    if [type(value) for value in gap[:5]] != [str, str, int, int, str] or not sizes <= {int, type(None)}:
        raise TypeError(
            f"{told}: expected market, source and why as texts, from_ns and to_ns as whole numbers, and rows and "
            "quanta as such or not at all"
        )
    return gap


def learn(gaps: Gaps, gap: Gap) -> bool:
    """Put a gap among others, or what it tells of the size of one that is there; tell whether it was news.

    >>> gaps = {}
    >>> [learn(gaps, Gap("sim/SOL", "one", 1, 9, "away", *size)) for size in [(3,), (4,), (None, 7)]]
    [True, False, True]
    >>> [(gap.rows, gap.quanta) for gap in gaps.values()]
    [(3, 7)]
    """
    known = gaps.get(gap[:5])
    after = (
        gap
        if known is None
        else known._replace(
            rows=gap.rows if known.rows is None else known.rows,
            quanta=gap.quanta if known.quanta is None else known.quanta,
        )
    )
    gaps[gap[:5]] = after
    return after != known


def words_of_gap(gap: Gap) -> dict[str, Any]:  # Any: it becomes JSON.
    """Return a gap as JSON has it: what is not known of its size is not said."""
    return {name: value for name, value in gap._asdict().items() if value is not None}


def recorded_path(folder: Path, day: Day, settled: int) -> Path:
    """Return where the rows of a day lie that arrived here, up to arrival `settled`, whatever came from elsewhere."""
    return folder / f"{day.day.isoformat()}-{settled:012d}{RECORDED}"


def recorded_rows(path: Path, sources: Sequence[Mapping[str, Any]]) -> pl.DataFrame | None:  # Any: it is JSON.
    """Return the rows that lie there; None where they are not those that `sources` tell of."""
    if not path.exists() or sources_of(path) != list(sources):
        return None
    with readable(path):
        return pl.read_parquet(path, columns=names_in(path), glob=False)


def link_recorded(day: Path, path: Path) -> None:
    """Let `path` be the file of a day as it now is; that takes no room until an import replaces the day."""
    with suppress(OSError):  # Not every file system can: then nobody knows which rows of a merged day were recorded.
        path.unlink(missing_ok=True)
        path.hardlink_to(day)
        sync_folder(path.parent)


def sources_of(path: Path) -> list[Mapping[str, Any]]:  # Any: it is JSON.
    """Return of what the file of a day was made."""
    with readable(path):
        found: list[Mapping[str, Any]] = json.loads(pl.read_parquet_metadata(str(path)).get("bmv.sources", "[]"))
    return found


def settled_in(path: Path) -> tuple[int, Known]:
    """Return the last arrival that the file of a day has, -1 if none, and the numbers of all that were taken in."""
    settled = [source for source in sources_of(path) if "settled" in source]
    try:
        marks = [int(source["settled"]) for source in settled]
        return max(marks, default=-1), union(_known(source["recorded"]) for source in settled)
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path}: its sources are not those of a day of ticks: {error}") from error


def union(parts: Iterable[Known]) -> Known:
    """Return the numbers that are in any of `parts`."""
    made: Known = {}
    for part in parts:
        for stream, runs in part.items():
            made[stream] = joined(made.get(stream, []), runs)
    return made


def listing(known: Known) -> list[list[Any]]:  # Any: it becomes JSON.
    """Return numbers as JSON has them."""
    return [[source, epoch, runs] for (source, epoch), runs in known.items()]


def holds(known: Known, other: Known) -> bool:
    """Tell whether all the numbers of `other` are in `known`."""
    return not any(
        lacking(known.get(stream, []), first, stop) for stream, runs in other.items() for first, stop in runs
    )


def _known(told: Any) -> Known:  # Any: it is JSON.
    known: Known = {(source, epoch): [(first, stop) for first, stop in runs] for source, epoch, runs in told}
    for (source, epoch), runs in known.items():
        ends = [number for run in runs for number in run]
        if type(source) is not str or {type(number) for number in (epoch, *ends)} != {int} or ends != sorted(ends):
            raise ValueError(f"{source!r}, {epoch!r}: {runs} are no rows")
    return known
