"""Ticks in the lake as they arrive, as a :class:`~bmv.ports.storage.TickStore`: kept exactly once, settled by day."""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import date
from pathlib import Path
from threading import Lock
from typing import IO, TypeVar

import polars as pl

from bmv.data.ticks.lake.lake import Day, Lake
from bmv.data.ticks.lake.live import Live
from bmv.data.ticks.lake.numbering import refuse_wrong, refuse_wrong_gap
from bmv.data.ticks.lake.segments import market_in, unsettled
from bmv.data.ticks.schema import as_told, writable
from bmv.data.ticks.stamps import stamps_of
from bmv.ports.errors import BmvError, DataError, StorageError
from bmv.ports.market import Market
from bmv.ports.market_data import Columns, Stamps
from bmv.ports.storage import Gap, Ticks

LOOKS = 10  # At what another process changes meanwhile.
Done = TypeVar("Done")


class LakeTicks:
    """Keeps ticks beside the days of a lake until a day is over, then among them.

    One store at a time writes; it is that from its first writing call until it is closed. Others may read, in other
    processes too. Files are dealt with in a thread, one call at a time.

    Args:
        root: The lake, on a local disk.
        market_of: Tick and lot of each market, asked by its name, `VENUE/SYMBOL`.
        read_rows: Most rows of a batch that is read.
        compact_at: So many small files of a market in a row are made into one.
    """

    def __init__(
        self, root: str | Path, market_of: Callable[[str], Market], read_rows: int = 65_536, compact_at: int = 64
    ) -> None:
        self.lake = Lake(Path(root))
        self.market_of = market_of
        self.read_rows = read_rows
        self.compact_at = compact_at
        self._turn = Lock()
        self._lock: IO[str] | None = None  # Held by the store that writes.
        self._markets: dict[str, Live] = {}  # As the store that writes knows them.

    def __repr__(self) -> str:
        told = "writes" if self._lock else "reads"
        return f"<LakeTicks {self.lake.root} | {told}, {len(self._markets)} markets>"

    async def append(self, ticks: Ticks) -> None:
        """Keep `ticks`, durably when it returns; what was kept before, by number, is not kept twice.

        `DataError` for rows that no tape may have; `StorageError` where the disk is full, or another store writes.
        """
        refuse_wrong(ticks)
        if len(ticks.columns.ts_ns):
            await self._change(ticks.market, lambda live: live.append(ticks))

    async def note_gap(self, gap: Gap) -> None:
        """Keep that something is missing; the same gap twice is one, and of its size what is known first stays."""
        refuse_wrong_gap(gap)
        await self._change(gap.market, lambda live: live.note_gap(gap))

    async def read(self, market: str, from_ns: int, to_ns: int) -> AsyncIterator[Columns]:
        """Yield the rows of `[from_ns, to_ns)`, in order of time, then of their arrival, `read_rows` at most at a time.

        Settled days and what has arrived since are told as one. Each batch is looked for by itself, so that a slow
        reader holds nothing; rows that are kept meanwhile are told where they come after what was told already.
        Of a settled day, rows that were imported or merged come where the import put them.
        """
        async for rows in self._pages(market, from_ns, to_ns):
            yield as_told(rows)

    async def read_stamped(self, market: str, from_ns: int, to_ns: int) -> AsyncIterator[tuple[Columns, Stamps]]:
        """Do as `read` does, each batch with the stamps of its rows."""
        async for rows in self._pages(market, from_ns, to_ns):
            yield as_told(rows), stamps_of(rows)

    async def gaps(self, market: str, from_ns: int, to_ns: int) -> Sequence[Gap]:
        """Return the holes that touch `[from_ns, to_ns)`, oldest first."""
        found = await self._done(self._look, market, lambda live: list(live.gaps.values()))
        touching = (gap for gap in found if gap.from_ns < to_ns and gap.to_ns > from_ns)
        return sorted(touching, key=lambda gap: (gap.from_ns, gap.to_ns, gap.source, gap.why))

    async def _pages(self, market: str, from_ns: int, to_ns: int) -> AsyncIterator[pl.DataFrame]:
        start_ns, skip = from_ns, 0
        while len(found := await self._done(self._page, market, start_ns, skip, to_ns)):
            last_ns = int(found["ts_ns"][-1])
            skip = int((found["ts_ns"] == last_ns).sum()) + (skip if last_ns == start_ns else 0)
            start_ns = last_ns
            yield found

    async def settle(self, before: date | None = None) -> list[Day]:
        """Move what has arrived of the UTC days before `before` into their files, and return those that changed.

        Whoever knows what day it is calls it when a day is over; what arrives afterwards the next call moves. None:
        all days, whether they are over or not. Each is moved exactly once, also by a process that is killed meanwhile.
        `StorageError` where the disk is full, or an import is at work in the lake: then call again later. A day that
        can't be settled, say because its file is in other steps, keeps no other from it: it is told when all are done.
        """
        return await self._done(self._settle, before)

    async def close(self) -> None:
        """Let another store write."""
        await self._done(self._release)

    async def _done(self, work: Callable[..., Done], *arguments: object) -> Done:
        def in_turn() -> Done:
            with self._turn:
                return work(*arguments)

        return await asyncio.to_thread(in_turn)

    async def _change(self, market: str, work: Callable[[Live], None]) -> None:
        def change() -> None:
            self._own()
            try:
                work(self._live(market))
            except BaseException:
                self._markets.pop(market, None)  # What is on the disk counts, and is looked at anew.
                raise

        await self._done(change)

    def _settle(self, before: date | None) -> list[Day]:
        self._own()
        changed, errors = list[Day](), list[BmvError]()
        with self.lake.writing():
            for segment in unsettled(self.lake):
                name = ""
                try:
                    name = market_in(segment)
                    days, failed = self._live(name).settle(before)
                except BmvError as error:
                    days, failed = [], [error]
                except BaseException:
                    self._markets.pop(name, None)
                    raise
                if failed:
                    self._markets.pop(name, None)  # What is on the disk counts, and is looked at anew.
                changed += days
                errors += failed
        if errors:
            raise errors[0] if len(errors) == 1 else type(errors[0])("; ".join(map(str, errors)))
        return changed

    def _page(self, market: str, start_ns: int, skip: int, end_ns: int) -> pl.DataFrame:
        return self._look(market, lambda live: live.page(start_ns, skip, end_ns, self.read_rows))

    def _look(self, market: str, work: Callable[[Live], Done]) -> Done:
        """Return what `work` finds; where another process writes, of one state of the files and not of two."""
        if self._lock:
            return work(self._live(market))
        for look in range(LOOKS):
            live = Live(self.lake, market, self.market_of(market))
            seen = live.days_seen()
            try:
                found = work(live.load(writing=False))
            except DataError:
                if look == LOOKS - 1:
                    raise
                continue
            if live.days_seen() == seen:
                return found
        raise StorageError(f"{self.lake.root}: {market} changes faster than it can be read")

    def _live(self, market: str) -> Live:
        if market not in self._markets:
            live = Live(self.lake, market, self.market_of(market), self.compact_at)
            self._markets[market] = live.load(writing=True)
        return self._markets[market]

    def _own(self) -> None:
        """Be the one that writes."""
        if self._lock:
            return
        path = self.lake.root / ".live.lock"
        with writable(path):
            self.lake.root.mkdir(parents=True, exist_ok=True)
            lock = path.open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise StorageError(
                f"{self.lake.root}: another process keeps ticks in this lake; one may at a time"
            ) from error
        self._lock = lock

    def _release(self) -> None:
        self._markets.clear()
        if self._lock:
            self._lock.close()
            self._lock = None
