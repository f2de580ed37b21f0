"""The days of a lake into a database, each exactly once, however often it is begun and wherever it was broken off.

A day's file is a stream of its own, whose rows have the numbers that they have in the file. The epoch of the stream is
the day and the beginning of the file's hash, so that a file that has changed since is noticed, for its numbers mean
other rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl

from bmv.adapters.postgres.pool import Connection, Pool
from bmv.adapters.postgres.steps import keep_steps
from bmv.adapters.postgres.ticks import PostgresTicks
from bmv.data.files import sha256
from bmv.data.lake import DAY_NS, Day, Lake
from bmv.data.parquet import readable
from bmv.data.schema import LAKE, as_told
from bmv.ports.errors import DataError
from bmv.ports.market_data import Columns
from bmv.ports.storage import Gap, Ticks

SOURCE = "lake"
BATCH_ROWS = 10_000
READ_ROWS = 500_000
REMOVED_ROWS = 50_000
HASH_BITS = 40
STREAMS = "select id, epoch, next_seq from bmv.stream where market = $1 and source = $2 and epoch >> $3 = $4"
Progress = Callable[[int], None]


@dataclass(slots=True)
class Loaded:
    """What became of the days of a market: how many rows they have, and how many of them are new to the database."""

    market: str
    days: int = 0
    rows: int = 0
    new: int = 0
    replaced: int = 0


async def load(
    dsn: str, lake: Lake, venue: str, symbol: str, replace: bool = False, progress: Progress | None = None
) -> Loaded:
    """Let all days that `lake` has of a market into the database of `dsn`, and return what came of it.

    Args:
        replace: Take a day out of the database, and load it anew, where its file has changed since it was loaded.
        progress: Told how many rows more were looked at.

    `DataError` where the lake has no such market, the database counts it in other steps, or a file has changed.
    """
    market = lake.market(venue, symbol)
    if market is None:
        raise DataError(f"{lake.root}: has no days of {venue}/{symbol}; `bmv data list` says what it has")
    done = Loaded(f"{venue}/{market.symbol}")
    store = PostgresTicks(dsn)
    try:
        await keep_steps(store.pool, done.market, market)
        for day in lake.days(venue, symbol):
            await _load_day(store, lake, day, done, replace, progress or _nobody)
    finally:
        await store.close()
    return done


async def _load_day(
    store: PostgresTicks, lake: Lake, day: Day, done: Loaded, replace: bool, progress: Progress
) -> None:
    manifest = lake.manifest(day)
    number = manifest.first_ns // DAY_NS
    epoch = number << HASH_BITS | int(sha256(day.path)[: HASH_BITS // 4], 16)
    known = 0
    for stream, other, next_seq in await store.pool.fetch(
        f"find {done.market}", STREAMS, done.market, SOURCE, HASH_BITS, number
    ):
        if other == epoch:
            known = next_seq
        elif replace:
            await _remove(store.pool, stream, next_seq)
            done.replaced += 1
        else:
            raise DataError(
                f"{day.path}: has changed since it was loaded; --replace takes the old rows of that day out of the "
                "database and loads it anew"
            )
    done.days += 1
    done.rows += manifest.rows
    progress(min(known, manifest.rows))
    for first in range(known, manifest.rows, READ_ROWS):
        columns = _read(day, first)
        for start in range(0, len(columns.ts_ns), BATCH_ROWS):
            batch = Columns(*(column[start : start + BATCH_ROWS] for column in columns))
            await store.append(Ticks(done.market, SOURCE, epoch, first + start, batch))
            done.new += len(batch.ts_ns)
            progress(len(batch.ts_ns))
    for gap in manifest.gaps:
        await store.note_gap(Gap(done.market, SOURCE, gap.from_ns, gap.to_ns, "no row in the lake"))


def _read(day: Day, first: int) -> Columns:
    with readable(day.path):
        scan = pl.scan_parquet(day.path, glob=False).select(list(LAKE))
        return as_told(scan.slice(first, READ_ROWS).collect())


async def _remove(pool: Pool, stream: int, rows: int) -> None:
    """Take a stream of so many rows out of the database, piece by piece, since each call has its deadline."""
    remove = "delete from bmv.tick where stream = $1 and seq >= $2 and seq < $3"
    for first in range(0, rows, REMOVED_ROWS):
        piece = (stream, first, first + REMOVED_ROWS)
        await pool.run(partial(_said, words=(remove, *piece)), f"remove rows of stream {stream}")
    await pool.run(partial(_said, words=("delete from bmv.stream where id = $1", stream)), f"remove stream {stream}")


async def _said(connection: Connection, words: Sequence[Any]) -> None:  # Any: a statement and what fills its places.
    await connection.execute(*words)


def _nobody(rows: int) -> None:
    """Hear of progress."""
