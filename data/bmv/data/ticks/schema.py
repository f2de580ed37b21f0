"""Ticks at rest: what the columns of a tape are called, what they hold, and how a day of them is written.

A *lake* holds one Parquet file a market and UTC day, `LAKE/VENUE/SYMBOL/2025-09-03.parquet`, in whole ticks and lots.
The other form, of floats, is what recorders of other people write (`ts`, prices and sizes in units).
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError
from polars.io.plugins import register_io_source

from bmv.data.files.parquet import readable
from bmv.data.files.path import is_url
from bmv.data.files.writing import sync, sync_folder
from bmv.ports.errors import DataError, StorageError, UsageError
from bmv.ports.market import Market
from bmv.ports.market_data import UNSTAMPED, Columns
from bmv.ports.messages import UNRECORDED, Kind

VERSION = "1"
ROW_GROUP_ROWS = 131_072

LAKE = {
    "ts_ns": "nanoseconds since 1970 UTC, never falling",
    "kind": "1 trade, 2 quote, 3 depth",
    "side": "1 bought or bid, -1 sold or ask, 0 or null not recorded",
    "price": "ticks; of a trade or a depth level",
    "size": "lots; of a trade, or what a depth level now shows",
    "bid": "ticks; best bid after the change, null when there is none",
    "bid_size": "lots; null when not recorded",
    "ask": "ticks; best ask after the change, null when there is none",
    "ask_size": "lots; null when not recorded",
}
LAKE_SCHEMA = pl.Schema(dict.fromkeys(LAKE, pl.Int64()))
STAMPS = {  # After the columns of `LAKE`, each only in files of which some row has it.
    "slot": "slot of the chain that the row is of, null when not known",
    "received_ns": "nanoseconds since 1970 UTC at which the row reached its recorder, null when not known",
}

FLOATS = {
    "ts": "int64 nanoseconds since 1970 UTC",
    "kind": "string 'trade', 'quote' or 'depth'",
    "side": "int8 1, -1 or 0",
    "price": "float64 quote per base",
    "size": "float64 base",
    "bid": "float64 quote per base",
    "bid_size": "float64 base",
    "ask": "float64 quote per base",
    "ask_size": "float64 base",
}


def day_path(lake: Path, venue: str, symbol: str, day: date) -> Path:
    """Return where a lake keeps a day; a slash in a symbol becomes a dash, so that it stays one folder.

    `UsageError` for a name that would lead out of the lake, or to where it does not look.

    >>> day_path(Path("lake"), "sim", "SOL/USDC", date(2025, 9, 3)).as_posix()
    'lake/sim/SOL-USDC/2025-09-03.parquet'
    """
    return lake / _folder("venue", venue) / _folder("symbol", symbol) / f"{day.isoformat()}.parquet"


def _folder(what: str, name: str) -> str:
    folder = name.replace("/", "-")
    if is_url(name):
        raise UsageError(f"{what}: expected a name such as SOL/USDC, found a URL (not shown: it may hold a secret)")
    if not folder or folder != folder.strip() or folder[0] == "." or "\\" in folder or not folder.isprintable():
        raise UsageError(
            f"{what} {name!r}: expected a name of a folder of the lake: not empty, no dot at its beginning, "
            "no space at either end, no backslash, no control character"
        )
    return folder


def manifest_path(path: Path) -> Path:
    """Return where the manifest of a day's file lies."""
    return path.with_suffix(".json")


def write_day(
    path: Path, columns: Columns | Iterable[Columns], market: Market, metadata: Mapping[str, str] | None = None
) -> Path:
    """Write one day of `market` in the lake's form: whole or not at all, and streamed, so a day need not fit in memory.

    Args:
        path: The file; its folders are made. An older file of that name is replaced in one step.
        columns: Good rows in ticks and lots, at once or in batches.
        market: Its tick and lot go into the file, without which the numbers mean nothing.
        metadata: More keys for the file, such as `bmv.source`.
    """
    batches = [columns] if isinstance(columns, Columns) else columns
    write_rows(path, streamed(frames(batches)), market, metadata)
    return path


def write_rows(path: Path, rows: pl.LazyFrame, market: Market, metadata: Mapping[str, str] | None = None) -> None:
    """Write rows that have the lake's form already, as :func:`write_day` does.

    `StorageError` when they can't be written, say for want of room; what was there before is then untouched.
    """
    half_done = beside_of(path)
    with replacing(path, half_done):
        sink(half_done, rows, words_of(market, metadata))
        _forget(manifest_path(path))


def words_of(market: Market, metadata: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what the metadata of a file of `market` say: version, symbol, tick and lot size, and `metadata`."""
    return {
        "bmv.version": VERSION,
        "bmv.symbol": market.symbol,
        "bmv.tick_size": str(market.tick_size),
        "bmv.lot_size": str(market.lot_size),
        **(metadata or {}),
    }


def sink(file: Path, rows: pl.LazyFrame, words: Mapping[str, str]) -> None:
    """Write rows that have the lake's form into a file, whose metadata say `words`; nothing is synced."""
    rows.sink_parquet(file, compression="zstd", row_group_size=ROW_GROUP_ROWS, metadata=dict(words))


def beside_of(path: Path) -> Path:
    """Return the name under which a file is written before it takes its place. A killed writer's file is removed."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _forget(manifest: Path) -> None:
    """Remove the manifest of a file that is about to be replaced, durably.

    So no file of ours ever stands beside the manifest of another: whoever dies between the two leaves none, which is
    then made anew, and a manifest that does not fit means that somebody else changed the file.
    """
    if manifest.exists():
        manifest.unlink()
        sync_folder(manifest.parent)


@contextmanager
def replacing(path: Path, half_done: Path) -> Iterator[None]:
    """Let a file be written beside `path` and take its place in one step when it is whole, else be gone."""
    try:
        with writable(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield
            sync(half_done)
            half_done.replace(path)
            sync_folder(path.parent)
    finally:
        with suppress(OSError):
            half_done.unlink(missing_ok=True)


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Turn what keeps `path` from being written, such as a full disk, into a `StorageError` of one line."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error
    except PolarsError as error:
        if (cause := of_system(error)) is None:
            raise
        raise StorageError(f"{path}: cannot be written: {cause}") from error


def of_system(error: PolarsError) -> str | None:
    """Return what the system said to who writes, as Polars hands it on; None where it said nothing."""
    text = str(error)
    if "transport error" in text:  # Of the end of a Parquet file no more is told than that it could not be written.
        return "the disk takes no more"
    return text.rsplit(": ", 1)[-1] if "os error" in text else None


def frames(batches: Iterable[Columns]) -> Iterator[pl.DataFrame]:
    """Turn columns as they are told into frames as they rest."""
    for batch in batches:
        yield at_rest(pl.DataFrame(batch._asdict(), schema=LAKE_SCHEMA))


def at_rest(told: pl.DataFrame) -> pl.DataFrame:
    """Turn rows as they are told into rows as they rest: what does not belong to a kind, or is absent, is null.

    Stamps go with them where `told` has any.
    """
    prints, books = pl.col("kind") != Kind.QUOTE, pl.col("kind") != Kind.TRADE
    stamps = [name for name in STAMPS if name in told.columns]
    return told.select(pl.col(name).cast(pl.Int64) for name in (*LAKE, *stamps)).with_columns(
        *(pl.when(pl.col(name) > UNSTAMPED).then(pl.col(name)) for name in stamps),
        *(pl.when(prints).then(pl.col(name)) for name in ("side", "price", "size")),
        *(pl.when(books & (pl.col(name) != 0)).then(pl.col(name)) for name in ("bid", "ask")),
        *(
            pl.when(books & (pl.col(name) != 0) & (pl.col(f"{name}_size") != UNRECORDED))
            .then(pl.col(f"{name}_size"))
            .alias(f"{name}_size")
            for name in ("bid", "ask")
        ),
    )


def as_told(resting: pl.DataFrame) -> Columns:
    """Turn rows as they rest into columns as they are told, the way back from :func:`at_rest`; nothing is judged."""
    told = resting.select(
        pl.when(pl.col(name.removesuffix("_size")).is_not_null())
        .then(pl.col(name).fill_null(UNRECORDED))
        .otherwise(0)
        .alias(name)
        if name in ("bid_size", "ask_size")
        else pl.col(name).fill_null(0)
        for name in LAKE
    )
    return Columns(*(told[name].to_numpy(writable=True) for name in Columns._fields))


def streamed(source: Iterator[pl.DataFrame], stamps: Sequence[str] = ()) -> pl.LazyFrame:
    """Return frames that are made one after the other as rows to be written; each has `stamps` beside its columns."""
    # Nothing is pushed down into the source: the sink takes every column and every row.
    schema = pl.Schema({**LAKE_SCHEMA, **dict.fromkeys(stamps, pl.Int64())})
    return register_io_source(lambda columns, predicate, rows, batch: source, schema=schema)


def market_of(path: Path) -> Market:
    with readable(path):
        words = pl.read_parquet_metadata(str(path))
    try:
        return Market(words["bmv.symbol"], Decimal(words["bmv.tick_size"]), Decimal(words["bmv.lot_size"]))
    except (KeyError, ArithmeticError) as error:
        raise DataError(f"{path}: its metadata lacks bmv.symbol, bmv.tick_size or bmv.lot_size") from error
