"""The days of a lake into a database, each exactly once, however often it is begun and wherever it was broken off.

A day's file is a stream of its own, whose rows have the numbers that they have in the file. The epoch of the stream is
the day and the beginning of the file's hash, so that a file that has changed since is noticed, for its numbers mean
other rows.

All days are marked before the first row of any, and each as done after its last: until then no backtest takes what
there is of them for the whole.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import polars as pl

from bmv.adapters.postgres.load_marks import NO_ROW, SOURCE, ask, begin, finish
from bmv.adapters.postgres.pool import Connection, Pool
from bmv.adapters.postgres.steps import keep_steps, keep_terms
from bmv.adapters.postgres.ticks import PostgresTicks
from bmv.data.files.parquet import readable
from bmv.data.ticks.contracts import both_terms
from bmv.data.ticks.lake.lake import DAY_NS, Day, Lake
from bmv.data.ticks.noted import noted_in
from bmv.data.ticks.schema import as_told
from bmv.data.ticks.stamps import names_in, stamps_of
from bmv.ports.errors import DataError
from bmv.ports.market_data import Columns, Stamps
from bmv.ports.storage import Gap, Ticks

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

    `DataError` where the lake has no such market, the database counts it in other steps or contracts, or a file has
    changed.
    """
    market = lake.market(venue, symbol)
    if market is None:
        raise DataError(f"{lake.root}: has no days of {venue}/{symbol}; `bmv data list` says what it has")
    days = lake.days(venue, symbol)
    terms = _terms(lake, days)
    done = Loaded(f"{venue}/{market.symbol}")
    store = PostgresTicks(dsn)
    try:
        await keep_steps(store.pool, done.market, market)
        await keep_terms(store.pool, done.market, terms)
        await ask(store.pool, done.market, {_number(day): lake.manifest(day).rows for day in days})
        for day in days:
            await _load_day(store, lake, day, done, replace, progress or _nobody)
    finally:
        await store.close()
    return done


def _terms(lake: Lake, days: Sequence[Day]) -> dict[str, str]:
    """Return what the days of a market say together of its contracts; empty where sizes are coins."""
    terms = dict[str, str]()
    for day in days:
        terms = both_terms(day.path, terms, lake.manifest(day).contract)
    return terms


async def _load_day(
    store: PostgresTicks, lake: Lake, day: Day, done: Loaded, replace: bool, progress: Progress
) -> None:
    manifest = lake.verified(day)
    epoch = manifest.first_ns // DAY_NS << HASH_BITS | int(manifest.sha256[: HASH_BITS // 4], 16)
    known, others = await _loaded_before(store.pool, day, epoch, done.market, replace)
    done.days += 1
    done.rows += manifest.rows
    progress(min(known, manifest.rows))
    if await begin(store.pool, done.market, _number(day), epoch, manifest.rows, known):
        return
    for stream, rows in others:
        await _remove(store.pool, stream, rows)
        done.replaced += 1
    for first in range(known, manifest.rows, READ_ROWS):
        columns, stamps = _read(day, first)
        for start in range(0, len(columns.ts_ns), BATCH_ROWS):
            batch = Columns(*(column[start : start + BATCH_ROWS] for column in columns))
            beside = Stamps(*(column[start : start + BATCH_ROWS] for column in stamps))
            await store.append(Ticks(done.market, SOURCE, epoch, first + start, batch, beside))
            done.new += len(batch.ts_ns)
            progress(len(batch.ts_ns))
    for gap in manifest.gaps:
        await store.note_gap(Gap(done.market, SOURCE, gap.from_ns, gap.to_ns, NO_ROW))
    for noted in noted_in(day.path, manifest.sources):
        await store.note_gap(noted._replace(market=done.market, source=SOURCE))
    await finish(store.pool, done.market, _number(day), epoch)


async def _loaded_before(
    pool: Pool, day: Day, epoch: int, market: str, replace: bool
) -> tuple[int, list[tuple[int, int]]]:
    """Return how many rows of a day the database has, and the streams, with their rows, of other files of that day.

    `DataError` where there are such and they are not to be replaced.
    """
    found = await pool.fetch(f"find {market}", STREAMS, market, SOURCE, HASH_BITS, epoch >> HASH_BITS)
    known = sum(next_seq for _, other, next_seq in found if other == epoch)
    others = [(stream, next_seq) for stream, other, next_seq in found if other != epoch]
    if others and not replace:
        raise DataError(
            f"{day.path}: has changed since it was loaded; --replace takes the old rows of that day out of the "
            "database and loads it anew"
        )
    return known, others


def _number(day: Day) -> int:
    return (day.day - date(1970, 1, 1)).days


def _read(day: Day, first: int) -> tuple[Columns, Stamps]:
    with readable(day.path):
        scan = pl.scan_parquet(day.path, glob=False).select(names_in(day.path))
        rows = scan.slice(first, READ_ROWS).collect()
    return as_told(rows), stamps_of(rows)


async def _remove(pool: Pool, stream: int, rows: int) -> None:
    """Take a stream of so many rows out of the database, piece by piece, since each call has its deadline."""
    remove = "delete from bmv.tick where stream = $1 and seq >= $2 and seq < $3"
    for first in range(0, rows, REMOVED_ROWS):
        piece = (stream, first, first + REMOVED_ROWS)
        await pool.run(partial(_execute, statement=remove, arguments=piece), f"remove rows of stream {stream}")
    remove = "delete from bmv.stream where id = $1"
    await pool.run(partial(_execute, statement=remove, arguments=(stream,)), f"remove stream {stream}")


async def _execute(connection: Connection, statement: str, arguments: Sequence[int]) -> None:
    await connection.execute(statement, *arguments)


def _nobody(rows: int) -> None:
    """Hear of progress."""
