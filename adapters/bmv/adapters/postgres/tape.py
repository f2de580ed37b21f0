"""The ticks of one market of a database, copied once into Parquet files for who reads a tape from such files.

A backtest reads its tape three times, twice for the bracket of its report alone; a database that is written to
meanwhile would tell something else each time, and tells it slowly (docs/storage.md has figures). So the rows are asked
for once, and lie in a folder of temporary files, some 8 bytes a row, for as long as anybody needs them.
"""

import asyncio
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import numpy as np
import polars as pl

from bmv.adapters.postgres.dsn import checked, is_database, passwords
from bmv.adapters.postgres.load_marks import NO_ROW, SOURCE, Mark, marks, refuse_unfinished
from bmv.adapters.postgres.steps import refuse_other_steps, terms_of
from bmv.adapters.postgres.ticks import PostgresTicks, where
from bmv.data.ticks.contracts import refuse_other_contract
from bmv.data.ticks.lake.lake import DAY_NS, day_of
from bmv.data.ticks.lake.segments import words_of_gap
from bmv.data.ticks.schema import LAKE_SCHEMA, at_rest, write_rows
from bmv.ports.errors import DataError, UsageError
from bmv.ports.market import Market
from bmv.ports.market_data import Columns

FORM = "postgresql://USER@HOST/DATABASE?market=VENUE/SYMBOL"
PART_ROWS = 524_288  # Of a file; so many rows are in memory.
NAMES_TOLD = 10
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Copy:
    """The rows of a window, in the lake's form. `sha256` is that of the rows as they are told, in hexadecimal.

    For it each row is nine int64, little-endian, one row after the other; it does not depend on how they were read.
    """

    files: list[Path]
    rows: int
    first_ns: int
    last_ns: int
    sha256: str


class PostgresSource:
    """The ticks that `postgresql://USER@HOST/DATABASE?market=VENUE/SYMBOL` names; nothing is asked before `copy`.

    With `&source=NAME` they are those of one recorder, which must be said where a market has several: each tells the
    whole of it. `UsageError` for another form, and for a password: that comes from PGPASSWORD or ~/.pgpass.
    """

    def __init__(self, url: str) -> None:
        if not is_database(url):
            raise UsageError(f"expected {FORM}")
        if passwords(url):
            raise UsageError(f"a password in a URL can be read by others: give {FORM}, and PGPASSWORD or ~/.pgpass")
        parts = urlsplit(checked(url))
        words = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.market, self.source = words.pop("market", ""), words.pop("source", None)
        if "/" not in self.market:
            raise UsageError(f"{url}: names no market; expected {FORM}")
        self.url = url
        self.dsn = urlunsplit(parts._replace(query=urlencode(words, safe="/")))
        self._copies: dict[tuple[int, int], Copy] = {}

    def __repr__(self) -> str:
        return f"<Recorded {self.url}>"

    def __str__(self) -> str:
        return self.url

    def copy(self, market: Market, from_ns: int, to_ns: int) -> Copy:
        """Return the rows of `[from_ns, to_ns)`, the same ones whenever the same are asked for.

        The files are gone when this object is. `DataError` where there are none, or it is not known which are meant.
        """
        key = (from_ns, to_ns)
        if key not in self._copies:
            folder = Path(tempfile.mkdtemp(prefix="bmv-"))
            weakref.finalize(self, _remove, folder, os.getpid())
            self._copies[key] = _finished(self._copied(folder, market, from_ns, to_ns))
        return self._copies[key]

    async def _copied(self, folder: Path, market: Market, from_ns: int, to_ns: int) -> Copy:
        store = PostgresTicks(self.dsn)
        try:
            await self._refuse_mixture(store)
            await refuse_other_steps(store.pool, self.market, market)
            terms = await terms_of(store.pool, self.market)
            refuse_other_contract(self.url, terms, market.contract)
            loads = await self._loads(store, from_ns, to_ns)
            words = {**terms, "bmv.sources": json.dumps([{"gaps": await self._gaps(store, from_ns, to_ns)}])}
            files, digest, times = list[Path](), sha256(), list[tuple[int, int]]()
            rows, part = 0, list[Columns]()
            async for batch in store.read(self.market, from_ns, to_ns, self.source):
                digest.update(np.stack(batch, axis=1).astype("<i8").tobytes())
                times.append((int(batch.ts_ns[0]), int(batch.ts_ns[-1])))
                rows += len(batch.ts_ns)
                part.append(batch)
                if sum(len(each.ts_ns) for each in part) >= PART_ROWS:
                    files.append(_written(folder, len(files), part, market, words))
                    part.clear()
            if part:
                files.append(_written(folder, len(files), part, market, words))
            if loads != await self._loads(store, from_ns, to_ns):
                raise DataError(f"{self.url}: days of {self.market} were loaded while it was read; run it again")
            if not rows:
                raise await self._nothing(store)
            return Copy(files, rows, times[0][0], times[-1][1], digest.hexdigest())
        finally:
            await store.close()

    async def _loads(self, store: PostgresTicks, from_ns: int, to_ns: int) -> list[Mark]:
        """Return which days were loaded from a lake, if it is they that are asked for; `DataError` for half a day."""
        if self.source not in (None, SOURCE):
            return []
        found = await marks(store.pool, self.market, from_ns, to_ns)
        refuse_unfinished(self.url, found)
        return found

    async def _gaps(self, store: PostgresTicks, from_ns: int, to_ns: int) -> list[dict[str, Any]]:
        """Return the gaps that were noted of the record that is read, as JSON has them."""
        found = await store.gaps(self.market, from_ns, to_ns)
        ours = (gap for gap in found if self.source in (None, gap.source) and gap.why != NO_ROW)
        return [words_of_gap(gap) for gap in ours]

    async def _refuse_mixture(self, store: PostgresTicks) -> None:
        query = "select distinct source from bmv.stream where market = $1 and next_seq > 0 order by 1"
        sources = [row[0] for row in await store.pool.fetch(f"find {self.market}", query, self.market)]
        if self.source is None and len(sources) > 1:
            told = ", ".join(sources[:NAMES_TOLD])
            raise DataError(f"{self.url}: has several records of this market; add &source= and one of {told}")
        if self.source is not None and self.source not in sources:
            told = ", ".join(sources[:NAMES_TOLD]) or "none"
            raise DataError(f"{self.url}: no record of {self.market} by {self.source}; there are: {told}")

    async def _nothing(self, store: PostgresTicks) -> DataError:
        """Return what to say where there are no rows."""
        _, days = await store.pool.run(lambda c: where(c, self.market, self.source), f"find {self.market}")
        if days:
            first, last = (day_of(day * DAY_NS) for day in (days[0], days[-1]))
            return DataError(f"{self.url}: no rows in the window; there are some from {first} to {last}")
        query = "select distinct market from bmv.stream where next_seq > 0 order by 1"
        markets = [row[0] for row in await store.pool.fetch("find markets", query)]
        told = ", ".join(markets[:NAMES_TOLD]) or "none; `bmv db load` puts a lake's ticks there"
        return DataError(f"{self.url}: no ticks of {self.market}; markets with ticks: {told}")


def _remove(folder: Path, process: int) -> None:
    """Remove the files, but not in a process that was forked since, whose parent still reads them."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def _written(folder: Path, number: int, part: list[Columns], market: Market, words: Mapping[str, str]) -> Path:
    path = folder / f"{number:06d}.parquet"
    rows = pl.concat(pl.DataFrame(batch._asdict(), schema=LAKE_SCHEMA) for batch in part)
    write_rows(path, at_rest(rows).lazy(), market, words)
    return path


def _finished(work: Coroutine[Any, Any, Done]) -> Done:  # Any: a coroutine's, of which nothing is asked.
    """Return what `work` returns, also where a loop runs already, as in a notebook."""
    with ThreadPoolExecutor(1, thread_name_prefix="bmv-postgres") as thread:
        return thread.submit(asyncio.run, work).result()
