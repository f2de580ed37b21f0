"""A queue in front of a store of ticks: who records never waits, and what the store can't take now it gets later.

What was put lies in this order, the oldest first, and goes to the store in this order:

    on its way  →  segments on the disk, by number  →  the queue in memory

One task, the *sender*, takes from the front and hands over to the store. Another, the *keeper*, moves the queue into a
new segment whenever the store is away or the queue is half full, also while the sender waits for the store. A batch
that was on its way when the store failed becomes a segment too, with the number that was set aside for it, lower than
that of any written since. Only when no segment is left does the sender take from memory again.

A busy machine may run neither task for a while, and who puts may never let the loop run. So `put` relies on none of
them: where memory is full it moves the queue into a segment itself. One thread of its own does all that is done on the
disk, and `put` waits for it: `wait_s` at most, whatever the number of segments that it needs, and no longer than that
after a segment was begun. A disk that hangs costs a trading loop no more than that, once, and nothing at all if the
keeper had begun the segment earlier, as it does when memory is half full. A recorder, which may wait but should let its
loop run meanwhile, calls `record` in place of `put`.

Nothing is kept twice: a segment goes when the store has acknowledged all of it, and what is sent again the store knows
by its numbers. Only where memory is full and the disk refuses, or has not answered within `wait_s`, are the newest rows
dropped: they are counted, and a gap names them by time and by number. What a killed process had in memory and neither
store nor disk had yet is lost; its recorder's next epoch begins after the hole.
"""

import asyncio
import fcntl
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple, TypeVar

import numpy as np

from bmv.adapters.spool import segment
from bmv.adapters.spool.segment import Entry
from bmv.ports.errors import DataError, Refused, StorageError, UsageError
from bmv.ports.market_data import UNSTAMPED, Columns, Stamps
from bmv.ports.storage import Gap, Ticks, TickStore

LOG = logging.getLogger(__name__)
BATCH_ROWS = 10_000
SEGMENT_ROWS = 100_000
LOOK_S = 0.02  # How often the keeper looks.
QUEUE_ROWS_MIN = 2  # A row, and the gap that says which were lost before it.
Done = TypeVar("Done")


class Loss(NamedTuple):
    """What one recorder of a market put and found no room: rows that follow one another by number, gaps among them.

    `first_seq` and `rows` are those of `epoch`; without rows only gaps found no room, and `epoch` is -1. `gaps` found
    no room either way, so that nobody can say how many rows are missing in all.
    """

    from_ns: int
    to_ns: int
    epoch: int
    first_seq: int
    rows: int
    why: str
    gaps: int = 0


class Spill(NamedTuple):
    """The front of the queue on its way into a segment; it stays in the queue until it is there."""

    number: int
    entries: Sequence[Entry]
    began_s: float
    work: "Future[int | Exception]"  # The size in bytes, or why there is none.


class Spool:
    """Takes ticks at once and keeps them as soon as it can; used as an asynchronous context, within one event loop.

    Args:
        store: Where they go.
        folder: Where they wait when the store is away; on a local disk, one spool's alone. What an earlier process left
            there goes to the store first.
        queue_rows: Most rows in memory (72 bytes each, stamped 88), 2 at least: enough for as long as a segment takes
            to write.
        spill_bytes: Most bytes of segments on the disk.
        linger_s: How long rows wait for company before they are sent.
        spill_s: How long rows wait in memory while the store is away; what a killed process loses. A disk that refused
            is not asked again before that.
        wait_s: How long `put` waits for the disk where memory is full, and how long that may take over a segment.
        retry_s: Pause before a store that failed is asked again; it doubles up to `retry_max_s`.
    """

    def __init__(
        self,
        store: TickStore,
        folder: str | Path,
        queue_rows: int = 500_000,
        spill_bytes: int = 8 << 30,
        linger_s: float = 0.05,
        spill_s: float = 0.5,
        wait_s: float = 2.0,
        retry_s: float = 0.1,
        retry_max_s: float = 5.0,
    ) -> None:
        if queue_rows < QUEUE_ROWS_MIN:
            raise UsageError(f"queue_rows: expected at least {QUEUE_ROWS_MIN}, found {queue_rows}")
        self.store = store
        self.folder = Path(folder)
        self.queue_rows = queue_rows
        self.spill_bytes = spill_bytes
        self.linger_s = linger_s
        self.spill_s = spill_s
        self.wait_s = wait_s
        self.retry_s = retry_s
        self.retry_max_s = retry_max_s
        self.away: str | None = None  # Why the store is not reached, None while it is.
        self.full: str | None = None  # Why the disk takes no more, None while it does.
        self.dropped = 0  # Rows that found no room anywhere.
        self._queue: deque[Entry] = deque()
        self._rows = 0  # In the queue.
        self._flight: Sequence[Entry] = ()  # On its way from memory to the store.
        self._flight_number = 0  # Of the segment that it becomes if the store fails.
        self._saving: Future[int | Exception] | None = None  # Its way into that segment.
        self._segments: dict[int, int] = {}  # Size in bytes by number.
        self._next = 0  # Number of the next segment.
        self._spilling: Spill | None = None
        self._refused_s = -math.inf  # When the disk last refused.
        self._losses: dict[tuple[str, str], Loss] = {}
        self._changed = asyncio.Event()
        self._disk: ThreadPoolExecutor | None = None  # One thread: what was begun ends before the next begins.
        self._tasks: list[asyncio.Task[None]] = []
        self._lock: IO[bytes] | None = None

    def __repr__(self) -> str:
        told = (
            f"{self._rows:,} rows in memory, {len(self._segments)} segments of {sum(self._segments.values()):,} bytes"
        )
        return f"<Spool {self.folder} | {told}, {self.dropped:,} rows dropped | {self.away or 'store reached'}>"

    async def __aenter__(self) -> "Spool":
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="bmv-spool")
        try:
            await self._on_disk(self._open)
        except BaseException:
            self._let_go()
            raise
        self._tasks = [asyncio.create_task(self._send_always()), asyncio.create_task(self._keep_always())]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def empty(self) -> bool:
        """Whether the store has everything."""
        return not (self._queue or self._flight or self._segments)

    def put(self, ticks: Ticks) -> bool:
        """Take `ticks` to be kept, at once; only where memory is full does this wait, `wait_s` at most, for the disk.

        False if some found no room there either: they are counted in `dropped`, and a gap will name them.
        """
        self._refuse_closed()
        whole, until_s = True, time.monotonic() + self.wait_s
        for part in _parts(ticks, self.queue_rows // 2):
            whole &= self._put(part, until_s)
        return whole

    async def record(self, ticks: Ticks, patience_s: float = 30.0) -> bool:
        """Do as `put` does, but let the loop run while memory is full, and be patient with a disk that is slow.

        Args:
            patience_s: How long the disk may take to make room for each half of what memory holds.
        """
        self._refuse_closed()
        whole = True
        for part in _parts(ticks, self.queue_rows // 2):
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    while self._rows + self._needed(part) > self.queue_rows:
                        if not await self._spill(LOOK_S):
                            await asyncio.sleep(LOOK_S)
            whole &= self._put(part, until_s=0.0)
        return whole

    def note_gap(self, gap: Gap) -> None:
        """Take a hole to be noted, at once; where there is no room it becomes part of the gap that will say so."""
        self._refuse_closed()
        if self._room(1, time.monotonic() + self.wait_s):
            self._append(gap)
        else:
            self._lose(gap)

    async def newest_ns(self, market: str) -> int | None:
        """Return the time of the newest rows of a market that wait on the disk; None where none do."""
        for number in sorted(self._segments, reverse=True):
            with suppress(FileNotFoundError):  # The store took it meanwhile.
                entries, _ = await self._on_disk(_read, segment.path_of(self.folder, number))
                times = [
                    int(one.columns.ts_ns[-1]) for one in entries if isinstance(one, Ticks) and one.market == market
                ]
                if times:
                    return max(times)
        return None

    async def flush(self) -> None:
        """Return when the store has everything that was put; while the store is away that is never."""
        while not self.empty:
            await asyncio.sleep(LOOK_S / 2)

    async def close(self, patience_s: float = 2.0, disk_s: float = 30.0) -> None:
        """Give the store `patience_s` to take the rest, and leave what remains in the folder, for the next to send.

        The disk gets `disk_s` for that. `StorageError` says how many rows found no room there and are lost. A disk that
        has not answered by then keeps what it was handed if it answers before this process ends: the error tells those
        rows apart, and until then no other spool opens the folder.
        """
        if self._disk is None:
            return
        for stream in list(self._losses):
            self._end_loss(stream)
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s if self.away is None else min(patience_s, self.linger_s)):
                await self.flush()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self._refused_s = -math.inf  # The disk is asked once more.
        loop = asyncio.get_running_loop()
        until_s = loop.time() + disk_s
        try:
            async with asyncio.timeout_at(until_s):
                await self._spill_flight()
                while self._queue and await self._spill():
                    pass
        except TimeoutError:
            self._no_room(f"the disk has not answered for {disk_s:g} s")
        finally:
            released = self._let_go()
        if self._queue or self._flight:
            raise StorageError(f"{self.folder}: {self._lost_at_close()}")
        await asyncio.wait([asyncio.wrap_future(released)], timeout=max(0.0, until_s - loop.time()))

    def _lost_at_close(self) -> str:
        """Say how many rows are not on the disk, and which of them it may yet keep."""
        given = [*(self._spilling.entries if self._spilling else ()), *(self._flight if self._saving else ())]
        handed, lost = {id(each) for each in given}, {True: 0, False: 0}
        for each in (*self._flight, *self._queue):
            lost[id(each) in handed] += _rows(each)
        told = [f"{lost[False]:,} rows found no room and are lost"] if lost[False] or not lost[True] else []
        told += [f"{lost[True]:,} rows are kept only if it answers before this process ends"] if lost[True] else []
        return f"{self.full}: {', '.join(told)}"

    def _let_go(self) -> "Future[None]":
        """Release the folder when the disk has done what it was handed; nobody else may write there before."""
        assert self._disk is not None, "the spool is not open"
        disk, self._disk = self._disk, None
        released = disk.submit(self._release)
        disk.shutdown(wait=False)
        return released

    async def _send_always(self) -> None:
        """Be the sender."""
        pause_s = self.retry_s
        while True:
            while self.empty:
                self._changed.clear()
                await self._changed.wait()
            if self._rows < BATCH_ROWS:
                await asyncio.sleep(self.linger_s)
            try:
                await self._send_next()
            except Exception as error:  # Whatever the store's fault is, the rows are still ours to keep.
                if self.away is None:
                    LOG.warning("ticks go to %s: %s", self.folder, error)
                self.away = str(error) or type(error).__name__
                await self._spill_flight()
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, self.retry_max_s)
            else:
                if self.away is not None:
                    LOG.warning("the store is back; ticks come from %s", self.folder)
                self.away, pause_s = None, self.retry_s

    async def _send_next(self) -> None:
        """Hand over what is at the front, whatever that is."""
        if self._spilling:  # What is at the front becomes a segment, and is sent from there, unless the disk hangs.
            await self._spill(self._left_s(self._spilling))
        if not self._flight and not self._segments:
            self._flight, self._flight_number = self._taken(), self._next
            self._next += 1
        if self._flight:
            await self._hand_over(self._flight)
            self._flight = ()
        elif self._segments:
            await self._send_segment(min(self._segments))

    async def _send_segment(self, number: int) -> None:
        path = segment.path_of(self.folder, number)
        entries, fault = await self._on_disk(_read, path)
        await self._hand_over(entries)
        if fault:
            LOG.error("%s; it is set aside", fault)
        await self._on_disk(path.replace, path.with_suffix(".damaged")) if fault else await self._on_disk(path.unlink)
        self._segments.pop(number)
        self._refused_s, self.full = -math.inf, None  # There is room again.

    async def _hand_over(self, entries: Iterable[Entry]) -> None:
        for each in merged(entries):
            try:
                await (self.store.append(each) if isinstance(each, Ticks) else self.store.note_gap(each))
            except DataError as error:  # It will never be taken, and must not stand in the way of the rest.
                LOG.error("the store refuses: %s", error)
                if isinstance(each, Ticks):
                    times = each.columns.ts_ns
                    ends = int(times.min()) - 1, int(times.max()) + 1
                    await self.store.note_gap(Gap(each.market, each.source, *ends, f"refused: {error}", len(times)))

    async def _keep_always(self) -> None:
        """Be the keeper."""
        loop = asyncio.get_running_loop()
        spilled_at = loop.time()
        while True:
            await asyncio.sleep(LOOK_S)
            waited = loop.time() - spilled_at >= self.spill_s
            if self._rows > self.queue_rows // 2 or (self.away is not None and self._queue and waited):
                await self._spill()
                spilled_at = loop.time()

    async def _spill(self, within_s: float | None = None) -> bool:
        """Move the front of the queue into a segment; tell whether it is there, after `within_s` at most."""
        spill = self._spilling or self._begun()
        if spill is None:
            return not self._queue
        done, _ = await asyncio.wait([asyncio.wrap_future(spill.work)], timeout=within_s)
        return bool(done) and self._ended(spill)

    def _spill_now(self, until_s: float) -> bool:
        """Do the same without the loop, until an instant, and give the disk no longer than `wait_s` for a segment."""
        spill = self._spilling or self._begun()
        if spill is None:
            return False
        done, _ = wait([spill.work], max(0.0, min(self._left_s(spill), until_s - time.monotonic())))
        if not done:
            self._no_room(f"the disk has not made room within {self.wait_s:g} s")
            return False
        return self._ended(spill)

    def _left_s(self, spill: Spill) -> float:
        """Return how much longer the disk may take over a segment."""
        return max(0.0, spill.began_s + self.wait_s - time.monotonic())

    def _begun(self) -> Spill | None:
        """Begin a segment of the front of the queue; None where that is empty, or the disk is not to be asked."""
        entries, rows = list[Entry](), 0
        for each in self._queue:
            if rows >= SEGMENT_ROWS:
                break
            entries.append(each)
            rows += _size(each)
        if not entries or not self._allowed():
            return None
        assert self._disk is not None, "the spool is not open"
        work = self._disk.submit(_write, self.folder, self._next, entries)
        self._spilling = Spill(self._next, entries, time.monotonic(), work)
        self._next += 1
        return self._spilling

    def _ended(self, spill: Spill) -> bool:
        """Take the rows of a segment that was written out of the queue, once; tell whether it was."""
        told = spill.work.result()
        if self._spilling is spill:
            self._spilling = None
            if self._kept(spill.number, told):
                for each in spill.entries:
                    if self._queue and self._queue[0] is each:  # Else the sender took it, since the disk was slow.
                        self._rows -= _size(self._queue.popleft())
        return isinstance(told, int)

    async def _spill_flight(self) -> None:
        """Write what was on its way into the segment set aside for it; without room it stays on its way."""
        if self._flight and self._allowed():
            assert self._disk is not None, "the spool is not open"
            self._saving = self._disk.submit(_write, self.folder, self._flight_number, self._flight)
            await asyncio.wait([asyncio.wrap_future(self._saving)])
            told, self._saving = self._saving.result(), None
            if self._kept(self._flight_number, told):
                self._flight = ()

    def _allowed(self) -> bool:
        """Tell whether the disk may be asked for a segment more."""
        if sum(self._segments.values()) >= self.spill_bytes:
            self._no_room(f"{self.spill_bytes:,} bytes of segments are there, which is the most allowed")
            return False
        return time.monotonic() - self._refused_s >= self.spill_s

    def _kept(self, number: int, told: int | Exception) -> bool:
        """Take in what came of writing a segment."""
        if isinstance(told, Exception):
            self._refused_s = time.monotonic()
            self._no_room(getattr(told, "strerror", None) or str(told) or type(told).__name__)
            return False
        self._segments[number] = told
        self._refused_s, self.full = -math.inf, None
        return True

    def _no_room(self, why: str) -> None:
        if self.full is None:
            LOG.error("%s: no room: %s", self.folder, why)
        self.full = why

    def _taken(self) -> list[Entry]:
        entries, rows = list[Entry](), 0
        while self._queue and rows < BATCH_ROWS:
            entries.append(self._queue.popleft())
            rows += _size(entries[-1])
        self._rows -= rows
        return entries

    def _put(self, ticks: Ticks, until_s: float) -> bool:
        if not self._room(self._needed(ticks), until_s):
            self._lose(ticks)
            return False
        self._end_loss((ticks.market, ticks.source))
        self._append(ticks)
        return True

    def _needed(self, ticks: Ticks) -> int:
        """Return how much room ticks take, the gap among it that says which were lost before them."""
        return _rows(ticks) + ((ticks.market, ticks.source) in self._losses)

    def _room(self, rows: int, until_s: float) -> bool:
        """Make room for so many rows where there is none, until an instant; tell whether there is."""
        while self._rows + rows > self.queue_rows:
            if not self._spill_now(until_s):
                return False
        return True

    def _append(self, entry: Entry) -> None:
        self._queue.append(entry)
        self._rows += _size(entry)
        self._changed.set()

    def _lose(self, entry: Entry) -> None:
        """Count what found no room; what follows it by number is part of the same loss."""
        key, lost = (entry.market, entry.source), self._lost(entry)
        before = self._losses.get(key)
        if before is not None and before.rows and lost.rows and not _goes_on(before, lost):
            self._end_loss(key)
            before = None
        if before is None:
            LOG.error("%s: ticks of %s by %s are dropped: %s", self.folder, *key, self.full)
        self._losses[key] = lost if before is None else _one(before, lost)
        self.dropped += lost.rows

    def _lost(self, entry: Entry) -> Loss:
        if isinstance(entry, Gap):
            return Loss(entry.from_ns, entry.to_ns, -1, 0, 0, entry.why, gaps=1)
        times, rows = entry.columns.ts_ns, _rows(entry)
        return Loss(int(times.min()) - 1, int(times.max()) + 1, entry.epoch, entry.first_seq, rows, str(self.full))

    def _end_loss(self, stream: tuple[str, str]) -> None:
        if loss := self._losses.pop(stream, None):
            rows = None if loss.gaps else loss.rows
            self._append(Gap(*stream, loss.from_ns, loss.to_ns, _why(loss), rows))

    def _refuse_closed(self) -> None:
        if self._disk is None:
            raise StorageError(f"{self.folder}: the spool is not open, and keeps nothing; use it as `async with` does")

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / "lock").open("wb")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._release()
            raise Refused(f"{self.folder}: another process keeps its ticks here; give each its own folder") from None
        for half_done in self.folder.glob("*.tmp"):
            half_done.unlink()
        there = segment.numbers(self.folder)
        self._segments = {number: segment.path_of(self.folder, number).stat().st_size for number in there}
        self._next = max(there, default=-1) + 1

    def _release(self) -> None:
        if self._lock:
            self._lock.close()
            self._lock = None

    async def _on_disk(self, work: Callable[..., Done], *arguments: object) -> Done:
        assert self._disk is not None, "the spool is not open"
        return await asyncio.get_running_loop().run_in_executor(self._disk, work, *arguments)


def merged(entries: Iterable[Entry], most_rows: int = BATCH_ROWS) -> Iterable[Entry]:
    """Join the ticks of each recorder that follow one another by number, up to `most_rows` together; gaps come last.

    The rows of one market and recorder stay in their order; those of different ones may change places.
    """
    open_runs: dict[tuple[str, str], list[Ticks]] = {}
    gaps = list[Gap]()
    for each in entries:
        if isinstance(each, Gap):
            gaps.append(each)
            continue
        run = open_runs.setdefault((each.market, each.source), [])
        if run and not (_follows(run[-1], each) and _length(run) + _rows(each) <= most_rows):
            yield _joined(run)
            run.clear()
        run.append(each)
    yield from (_joined(run) for run in open_runs.values())
    yield from gaps


def _follows(before: Ticks, after: Ticks) -> bool:
    return (
        before.epoch == after.epoch
        and before.first_seq + len(before.columns.ts_ns) == after.first_seq
        and bool(before.columns.ts_ns[-1] <= after.columns.ts_ns[0])
    )


def _joined(run: Sequence[Ticks]) -> Ticks:
    if len(run) == 1:
        return run[0]
    columns = Columns(*map(np.concatenate, zip(*(each.columns for each in run), strict=True)))
    if all(each.stamps is None for each in run):
        return run[0]._replace(columns=columns)
    stamps = Stamps(*map(np.concatenate, zip(*map(_stamps, run), strict=True)))
    return run[0]._replace(columns=columns, stamps=stamps)


def _stamps(ticks: Ticks) -> Stamps:
    nothing = np.full(_rows(ticks), UNSTAMPED, np.int64)
    return ticks.stamps or Stamps(nothing, nothing)


def _length(run: Sequence[Ticks]) -> int:
    return run[-1].first_seq + len(run[-1].columns.ts_ns) - run[0].first_seq


def _rows(entry: Entry) -> int:
    return len(entry.columns.ts_ns) if isinstance(entry, Ticks) else 0


def _size(entry: Entry) -> int:
    """Return how much of the memory an entry takes, in rows."""
    return _rows(entry) if isinstance(entry, Ticks) else 1


def _parts(ticks: Ticks, most_rows: int) -> Iterator[Ticks]:
    """Yield `ticks` in pieces that memory can hold; none for no rows."""
    for at in range(0, _rows(ticks), max(1, most_rows)):
        columns = Columns(*(column[at : at + max(1, most_rows)] for column in ticks.columns))
        stamps = ticks.stamps and Stamps(*(column[at : at + max(1, most_rows)] for column in ticks.stamps))
        yield ticks._replace(first_seq=ticks.first_seq + at, columns=columns, stamps=stamps)


def _goes_on(before: Loss, lost: Loss) -> bool:
    return before.epoch == lost.epoch and before.first_seq + before.rows == lost.first_seq


def _one(before: Loss, lost: Loss) -> Loss:
    """Join two losses of one recorder, one of which may have no rows."""
    told = lost if lost.rows and not before.rows else before
    from_ns, to_ns = min(before.from_ns, lost.from_ns), max(before.to_ns, lost.to_ns)
    return told._replace(from_ns=from_ns, to_ns=to_ns, rows=before.rows + lost.rows, gaps=before.gaps + lost.gaps)


def _why(loss: Loss) -> str:
    if not loss.rows:
        return loss.why
    numbers = f"numbers {loss.first_seq} to {loss.first_seq + loss.rows - 1} of epoch {loss.epoch}"
    return f"no room in memory nor on the disk ({loss.why}): {loss.rows:,} rows dropped, {numbers}"


def _write(folder: Path, number: int, entries: Sequence[Entry]) -> int | Exception:
    """Write a segment and return its size in bytes, or what stood in the way: whoever waits for it decides."""
    try:
        return segment.write(folder, number, list(merged(entries)))  # What was put one by one lies together there.
    except Exception as error:
        return error


def _read(path: Path) -> tuple[list[Entry], DataError | None]:
    """Return what can be read of a segment, and what can't be."""
    entries = list[Entry]()
    try:
        for each in segment.read(path):
            entries.append(each)  # What was read before a fault counts.
    except DataError as fault:
        return entries, fault
    return entries, None
