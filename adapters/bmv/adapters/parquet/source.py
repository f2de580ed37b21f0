"""What a Parquet file of ticks is, before its rows are trusted: its form, its market, its times."""

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from bmv.data.files.hash import sha256
from bmv.data.files.pages import Footer, refuse_odd_pages
from bmv.data.files.parquet import readable
from bmv.data.files.path import open_path
from bmv.data.files.walk import day_named, files_below
from bmv.data.ticks.contracts import refuse_other_contract, terms_in
from bmv.data.ticks.importers.floats import refuse_others
from bmv.data.ticks.lake.lake import refuse_altered
from bmv.data.ticks.quality import utc
from bmv.data.ticks.schema import FLOATS, LAKE, VERSION
from bmv.data.ticks.units import in_steps
from bmv.ports.errors import DataError
from bmv.ports.market import Market

VENUE_SYMBOL = re.compile(r"[a-z][\w]*_([A-Z0-9]+(?:-[A-Z0-9]+)*)")
PICKED = "; a run has no such options: give them to `bmv data convert {} OUT.parquet`, and run on OUT.parquet"


@dataclass(frozen=True, slots=True)
class Source:
    """One file: where it is, which of the two forms it has, and which times it spans (nanoseconds UTC).

    `name` is what a message calls it, where that is not its path.
    """

    path: Path
    lake: bool
    words: Mapping[str, str]
    rows: int
    first_ns: int
    last_ns: int
    name: str = ""

    @property
    def shown(self) -> str:
        return self.name or str(self.path)

    @property
    def time(self) -> str:
        return "ts_ns" if self.lake else "ts"

    def steps(self, offset: int, rows: int, market: Market) -> pl.LazyFrame:
        """Return `rows` rows from `offset` on, prices in ticks and sizes in lots, nullable and not yet judged."""
        part = pl.scan_parquet(str(self.path), glob=False).slice(offset, rows)
        if self.lake:
            return part.select(pl.col(name).cast(pl.Int64) for name in LAKE)
        return in_steps(part, market)

    def row(self, number: int) -> dict[str, object]:
        """Return one row as it stands in the file; the first is number 0."""
        names = list(LAKE if self.lake else FLOATS)
        return pl.scan_parquet(str(self.path), glob=False).select(names).slice(number, 1).collect().row(0, named=True)


@dataclass(frozen=True, slots=True)
class Paths:
    """Files, and folders of them, as the files of a tape."""

    paths: Sequence[str | Path]

    def __str__(self) -> str:
        return ", ".join(map(str, self.paths))

    def open(self, market: Market, from_ns: int, to_ns: int) -> list["Source"]:
        """Return all of them; `DataError` where they are not one tape of `market`."""
        return open_all(self.paths, market)

    def manifest(self, used: Sequence["Source"]) -> list[dict[str, Any]]:  # Any: it is JSON.
        """Return path, SHA-256, rows, first and last time of each; `DataError` where a day of a lake was altered."""
        return [
            {
                "path": str(source.path),
                "sha256": _sha256(source.path),
                "rows": source.rows,
                "first_ns": source.first_ns,
                "last_ns": source.last_ns,
            }
            for source in used
        ]


def _sha256(path: Path) -> str:
    found = sha256(path)
    refuse_altered(path, found)
    return found


def find(paths: Sequence[str | Path]) -> list[Path]:
    """Return the Parquet files that `paths` name: files as given, folders with all `*.parquet` below them, sorted."""
    found = [file for path in map(open_path, paths) for file in files_below(path)]
    if not found:
        raise DataError("no data given: name Parquet files, or folders that hold them")
    return found


def open_all(paths: Sequence[str | Path], market: Market) -> list[Source]:
    """Return the files as sources of `market`, ordered by time; `DataError` where they are not one tape of it."""
    found = find(paths)
    if twice := [path for path, count in Counter(path.resolve() for path in found).items() if count > 1]:
        raise DataError(f"{twice[0]}: given twice")
    sources = sorted(map(open_one, found), key=lambda source: source.first_ns)
    _refuse_two_markets(sources)
    for source in sources:
        _refuse_other_steps(source, market)
        refuse_other_contract(source.path, terms_in(source.words), market.contract)
    for one, other in pairwise(sources):
        if other.first_ns < one.last_ns:
            raise DataError(
                f"{other.path}: overlaps {one.path}: it begins at {utc(other.first_ns)}, before that one ends at "
                f"{utc(one.last_ns)}"
            )
    return sources


def open_one(path: Path) -> Source:
    """Read what a file says of itself, and the span of its times."""
    footer = refuse_odd_pages(path)
    with readable(path):
        words = pl.read_parquet_metadata(str(path))
        lake = form_of(path, pl.read_parquet_schema(str(path)))
        if lake:
            _refuse_other_version(path, words)
        rows, first, last = _span(path, "ts_ns" if lake else "ts", footer)
    if not rows:
        raise DataError(f"{path}: has no rows")
    refuse_others(path, tuple(LAKE if lake else FLOATS), advice=PICKED.format(shlex.quote(str(path))))
    if first is None or last is None:
        raise DataError(f"{path}: every {'ts_ns' if lake else 'ts'} is null")
    return Source(path, lake, words, rows, first, last)


def _span(path: Path, time: str, footer: Footer | None) -> tuple[int, int | None, int | None]:
    """Return how many rows there are, the time of the first that has one, and the last time.

    Where the footer tells the last time it is believed; who reads the rows finds out if it is wrong.
    """
    scan = pl.scan_parquet(str(path), glob=False)
    if footer is not None and time in footer.largest:
        first = scan.select(time).head(1).collect().item()
        if first is not None:
            return footer.rows, first, footer.largest[time]
    times = pl.col(time)
    found = scan.select(pl.len(), times.drop_nulls().first().alias("first"), times.max().alias("last"))
    rows, first, last = found.collect().row(0)
    return rows, first, last


def form_of(path: Path, schema: Mapping[str, pl.DataType]) -> bool:
    """Say whether a file has the lake's form, True, or that of floats, False."""
    lake = "ts_ns" in schema
    for name, meaning in (LAKE if lake else FLOATS).items():
        right = f"int64 {meaning}" if lake else meaning
        if name not in schema:
            either = "" if lake or name != "ts" else " (or 'ts_ns', of the lake's form)"
            raise DataError(f"{path}: column '{name}'{either} is missing; it should be {right}")
        if not _fits(name, schema[name], lake):
            raise DataError(f"{path}: column '{name}' is {schema[name]}; it should be {right}")
    return lake


def _fits(name: str, found: pl.DataType, lake: bool) -> bool:
    if found == pl.Null:
        return name not in ("ts", "ts_ns", "kind")
    if lake or name in ("ts", "side"):
        return found.is_integer() and found not in (pl.UInt64, pl.Int128, pl.UInt128)  # Those would not fit an int64.
    if name == "kind":
        return found == pl.String or found in (pl.Categorical, pl.Enum)
    return found.is_numeric()


def _refuse_other_version(path: Path, words: Mapping[str, str]) -> None:
    if (version := words.get("bmv.version")) != VERSION:
        raise DataError(f"{path}: bmv.version in its metadata is {version or 'missing'}; this program reads {VERSION}")


def _refuse_other_steps(source: Source, market: Market) -> None:
    if not source.lake:
        return
    path = source.path
    for key, step in (("bmv.tick_size", market.tick_size), ("bmv.lot_size", market.lot_size)):
        try:
            found = Decimal(source.words[key])
        except (KeyError, InvalidOperation):
            raise DataError(f"{path}: {key} is missing from its metadata, so its whole numbers mean nothing") from None
        if found != step:
            raise DataError(f"{path}: was recorded with {key} {found}; the market is configured with {step}")


def _refuse_two_markets(sources: Sequence[Source]) -> None:
    """Refuse a run over two markets, told apart by the symbol in the metadata, and by the folders of day files."""
    for name in (_symbol, _folder):
        known = {market: source.path for source in sources if (market := name(source))}
        if len(known) > 1:
            (one, first), (other, second), *_ = sorted(known.items())
            raise DataError(f"two markets in one run: {one} ({first}) and {other} ({second}); give the folder of one")


def named_otherwise(sources: Sequence[Source], market: Market) -> str:
    """Return the market that the files say they are of, where it isn't the one configured; empty where it is.

    However it is spelt: SOL-USDC is SOL/USDC. Files of floats say it by their folder, where that is VENUE_SYMBOL.
    """
    told = next(filter(None, map(_symbol, sources)), "") or next(filter(None, map(_named_by_folder, sources)), "")
    ours, theirs = (re.sub(r"[\W_]", "", name).upper() for name in (market.symbol, told))
    return "" if theirs in ours or ours in theirs else told


def _symbol(source: Source) -> str | None:
    return source.words.get("bmv.symbol")


def _named_by_folder(source: Source) -> str:
    """Return SYMBOL of a day's file in a folder VENUE_SYMBOL; empty for any other."""
    named = VENUE_SYMBOL.fullmatch(source.path.absolute().parent.name) if day_named(source.path) else None
    return named.group(1) if named else ""


def _folder(source: Source) -> str | None:
    """Return `VENUE/SYMBOL` (or `VENUE_SYMBOL`) of a file named by its day, None for a file named otherwise."""
    return "/".join(source.path.absolute().parent.parts[-2:]) if day_named(source.path) else None
