"""Files of any form into a lake: read, turned into ticks and lots, judged, split by day, merged with what is there.

All or nothing: the lake is not touched before every file has been read and judged.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bmv.data.files import sha256
from bmv.data.importers import FORMS, Form, Options, chosen
from bmv.data.lake import DAY_NS, Day, Lake, day_number
from bmv.data.parquet import ROW, is_parquet, maker
from bmv.data.quality import WORDS, Fault, judged
from bmv.data.schema import at_rest, writable
from bmv.data.steps import in_steps
from bmv.ports.errors import DataError
from bmv.ports.market import Market

Progress = Callable[[int], None]
Part = Path | pl.DataFrame
ROWS_HELD = 4_000_000  # 0.3 GB.
IN_ROWS = ("hftbacktest", "databento")  # Forms that are neither text nor Parquet.


@dataclass(slots=True)
class Taken:
    """What became of the rows of one file. `bad` ones were dropped; `back` ones stood after a later one
    and were moved. `fresh` rows were new to the lake; the other good ones were there already.
    """

    path: Path
    form: str
    rows: int = 0
    good: int = 0
    fresh: int = 0
    back: int = 0
    off_lot: int = 0
    bad: dict[str, int] = field(default_factory=dict)
    first_bad: str = ""

    @property
    def dropped(self) -> int:
        return sum(self.bad.values())


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
    options = options or Options()
    forms = [chosen(FORMS, path, form, options) for path in paths]
    files = [Taken(path, form.name) for path, form in zip(paths, forms, strict=True)]
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


def judge(taken: Taken, batch: pl.DataFrame, market: Market) -> pl.DataFrame:
    """Count the rows of a batch and return the good ones in the lake's form."""
    told = judged(in_steps(batch.lazy(), market), exact=False).collect(engine="in-memory")
    faults = told["fault"].to_numpy()
    taken.rows += len(told)
    if faults.any():
        for fault, count in enumerate(np.bincount(faults, minlength=len(Fault))):
            if fault and count:
                word = WORDS[Fault(fault)]
                taken.bad[word] = taken.bad.get(word, 0) + int(count)
        if not taken.first_bad:
            at = int(np.flatnonzero(faults)[0])
            taken.first_bad = f"{_place(taken, batch[ROW][at])}: {WORDS[Fault(int(faults[at]))]}"
        told = told.filter(pl.col("fault") == 0)
    taken.good += len(told)
    taken.off_lot += int(told["off_lot"].sum())
    return at_rest(told)


def _place(taken: Taken, number: int) -> str:
    """Say where a row stands as its file counts: text has lines from 1 on, everything else rows from 0 on."""
    rows = taken.form in IN_ROWS or is_parquet(taken.path)
    return f"row {number} (the first is 0)" if rows else f"line {number}"


def refuse_bad(taken: Taken, max_bad_share: float) -> None:
    if taken.dropped > max_bad_share * taken.rows:
        faults = ", ".join(f"{count:,} {word}" for word, count in taken.bad.items())
        raise DataError(
            f"{taken.path}: {taken.dropped:,} of {taken.rows:,} rows are bad, above max_bad_share {max_bad_share:g}: "
            f"{faults}; first in {taken.first_bad}"
        )


def _put(
    lake: Lake, venue: str, market: Market, files: Sequence[Taken], staged: Sequence[Mapping[int, Sequence[Part]]]
) -> tuple[list[Day], list[Day]]:
    """Merge what was staged into the lake, a day at a time; return the days that grew and those that knew it all."""
    grew, knew = list[Day](), list[Day]()
    sources = [_source(taken) for taken in files]
    for number in sorted({number for parts in staged for number in parts}):
        day = lake.place(venue, market.symbol, day_number(number * DAY_NS))
        fresh = 0
        for taken, parts, source in zip(files, staged, sources, strict=True):
            if number in parts:
                rows = pl.concat([kept(part) for part in parts[number]])
                if not rows["ts_ns"].is_sorted():
                    rows = rows.sort("ts_ns", maintain_order=True)
                new = lake.put(day, rows, market, source)
                taken.fresh += new
                fresh += new
        (grew if fresh else knew).append(day)
    return grew, knew


def _source(taken: Taken) -> dict[str, Any]:  # Any: it is JSON.
    told = {"file": taken.path.name, "sha256": sha256(taken.path), "form": taken.form, "bad": taken.bad}
    made_by = maker(taken.path)
    return {**told, "maker": made_by} if made_by else told


def _nobody(rows: int) -> None:
    """Hear of progress."""


def forms() -> Iterator[tuple[str, str]]:
    """Yield the name of each form and a line about it."""
    for form in FORMS:
        yield form.name, form.about
