"""Ticks reach their store once and in order, whatever befalls it, and who records never waits."""

import asyncio
import json
import os
import random
import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bmv.adapters.spool import segment
from bmv.adapters.spool.spool import Spool, merged
from bmv.ports.errors import DataError, Refused, StorageError, UsageError
from bmv.ports.market_data import Stamps
from bmv.ports.storage import Gap, Ticks

QUICK: dict[str, Any] = {"linger_s": 0.01, "spill_s": 0.02, "retry_s": 0.02, "retry_max_s": 0.05}
Batch = Callable[..., Ticks]
RECORDER = """
import asyncio, sys
import numpy as np
from bmv.adapters.spool.spool import Spool
from bmv.ports.errors import StorageError
from bmv.ports.market_data import Columns
from bmv.ports.storage import Ticks

class Away:
    async def append(self, ticks):
        raise StorageError("away")
    note_gap = append

async def record(folder, first):
    async with Spool(Away(), folder, linger_s=0.005, spill_s=0.01, retry_s=0.01, retry_max_s=0.02) as spool:
        while True:
            seq = np.arange(first, first + 10)
            one, zero = np.ones_like(seq), np.zeros_like(seq)
            spool.put(Ticks("sim/SOL", "one", 1, first, Columns(seq, one, one, seq + 1, one, zero, zero, zero, zero)))
            first += 10
            if first % 200 == 0:
                while spool._queue or spool._flight:
                    await asyncio.sleep(0.001)
                print(first, flush=True)

asyncio.run(record(sys.argv[1], int(sys.argv[2])))
"""


async def until(true: Callable[[], bool], within_s: float = 5.0) -> None:
    """Return when `true()`; fail when that takes too long."""
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.005)


def named(gaps: Sequence[Gap], epoch: int = 1) -> list[int]:
    """Return the numbers of the rows that gaps say were dropped, each as often as it is named."""
    numbers = list[int]()
    for gap in gaps:
        found = re.search(r"([\d,]+) rows dropped, numbers (\d+) to (\d+) of epoch (\d+)$", gap.why)
        assert found, gap
        rows, first, last, of = (int(word.replace(",", "")) for word in found.groups())
        assert rows == last - first + 1
        numbers += range(first, last + 1) if of == epoch else ()
    return sorted(numbers)


@contextmanager
def no_file_beyond(most_bytes: int) -> Iterator[None]:
    """Let the disk refuse what is larger."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def hanging_disk(folder: Path, number: int = 0) -> Iterator[None]:
    """Let the disk not answer who writes a segment; in the end it refuses that one."""
    pipe = segment.path_of(folder, number).with_suffix(".tmp")
    os.mkfifo(pipe)  # Whoever opens it to write waits for a reader.
    try:
        yield
    finally:
        if pipe.exists():
            os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))


@contextmanager
def busy_disk(spool: Spool) -> Iterator[None]:
    """Let the disk of an open spool do nothing meanwhile, and then all that it was asked for."""
    assert spool._disk is not None
    done = threading.Event()
    spool._disk.submit(done.wait)
    try:
        yield
    finally:
        done.set()


class SlowDisk(ThreadPoolExecutor):
    """Does one thing after another, and rests before each."""

    def __init__(self, rest_s: float) -> None:
        super().__init__(1)
        self.rest_s = rest_s

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Do `work` after a rest."""

        def rested() -> Any:
            time.sleep(self.rest_s)
            return work(*arguments, **named)

        return super().submit(rested)


def segments(folder: Path) -> list[int]:
    return segment.numbers(folder)


def test_what_is_put_reaches_the_store_in_order_and_leaves_no_file(tmp_path: Path, store: Any, batch: Batch) -> None:
    async def record() -> None:
        async with Spool(store, tmp_path, **QUICK) as spool:
            for first in range(0, 1_000, 10):
                assert spool.put(batch(first, 10))
            await spool.flush()

    asyncio.run(record())

    assert store.seqs == list(range(1_000))
    assert store.calls < 20
    assert segments(tmp_path) == []


def test_while_the_store_is_away_ticks_lie_on_the_disk_and_come_back_in_order(
    tmp_path: Path, store: Any, batch: Batch
) -> None:
    async def record() -> None:
        async with Spool(store, tmp_path, **QUICK) as spool:
            spool.put(batch(0, 10))
            await spool.flush()
            store.away = True
            for first in range(10, 500, 10):
                spool.put(batch(first, 10))
                await asyncio.sleep(0.002)
            await until(lambda: len(segments(tmp_path)) > 1)
            assert "segments of" in repr(spool)
            assert repr(spool).endswith("| away>")
            store.away = False
            spool.put(batch(500, 10))
            await spool.flush()
            assert repr(spool).endswith("| store reached>")

    asyncio.run(record())

    assert store.seqs == list(range(510))
    assert segments(tmp_path) == []


def test_a_store_that_keeps_and_then_fails_keeps_nothing_twice(tmp_path: Path, store: Any, batch: Batch) -> None:
    async def record() -> None:
        async with Spool(store, tmp_path, **QUICK) as spool:
            store.forgets_to_answer = True
            for first in range(0, 200, 10):
                spool.put(batch(first, 10))
                await asyncio.sleep(0.002)
            store.forgets_to_answer = False
            await spool.flush()

    asyncio.run(record())

    assert sorted(store.seqs) == list(range(200))


def test_what_an_earlier_process_left_goes_to_the_store_first(tmp_path: Path, store: Any, batch: Batch) -> None:
    async def leave() -> None:
        async with Spool(store, tmp_path, **QUICK) as spool:
            spool.put(batch(0, 50))

    async def take_over() -> None:
        async with Spool(store, tmp_path, **QUICK) as spool:
            spool.put(batch(0, 50, epoch=2))
            await spool.flush()

    store.away = True
    asyncio.run(leave())
    assert len(segments(tmp_path)) == 1
    store.away = False
    asyncio.run(take_over())

    assert [epoch for _, _, epoch, _ in store.rows] == [1] * 50 + [2] * 50


def test_who_records_does_not_wait_for_a_store_that_hangs_and_memory_stays_bounded(
    tmp_path: Path, store: Any, batch: Batch
) -> None:
    store.hangs = True
    longest_s = 0.0

    async def record() -> None:
        nonlocal longest_s
        spool = Spool(store, tmp_path, queue_rows=1_000, wait_s=60, **QUICK)
        async with spool:
            for first in range(0, 20_000, 100):
                began = time.perf_counter()
                assert spool.put(batch(first, 100))
                longest_s = max(longest_s, time.perf_counter() - began)
                await asyncio.sleep(0.005)
                assert spool._rows <= 1_000
            await spool.close(0)

    asyncio.run(record())
    store.hangs = False
    asyncio.run(_drained(store, tmp_path))

    assert longest_s < 60, "a store that hangs does so for ever: who waited for it would not have come here"
    assert store.seqs == list(range(20_000))


def test_a_full_memory_goes_to_the_disk_though_nobody_ever_lets_the_loop_run(
    tmp_path: Path, store: Any, batch: Batch
) -> None:
    store.hangs = True

    async def record() -> int:
        async with Spool(store, tmp_path, queue_rows=1_000, wait_s=60, **QUICK) as spool:
            for first in range(0, 20_000, 100):
                assert spool.put(batch(first, 100))
                assert spool._rows <= 1_000
            there = len(segments(tmp_path))
            await spool.close(0)
            return there

    there = asyncio.run(record())
    store.hangs = False
    asyncio.run(_drained(store, tmp_path))

    assert there == 19
    assert store.seqs == list(range(20_000))


def test_ticks_of_more_rows_than_memory_takes_are_kept_whole(tmp_path: Path, store: Any, batch: Batch) -> None:
    async def record() -> None:
        async with Spool(store, tmp_path, queue_rows=100, wait_s=60, **QUICK) as spool:
            assert spool.put(batch(0, 1_234))
            assert spool._rows <= 100
            await spool.flush()

    asyncio.run(record())

    assert store.seqs == list(range(1_234))


def test_a_disk_that_hangs_is_waited_for_once_and_what_it_costs_is_named_row_by_row(
    tmp_path: Path, store: Any, batch: Batch
) -> None:
    store.hangs = True

    async def record() -> int:
        async with Spool(store, tmp_path, queue_rows=1_000, wait_s=0.3, **QUICK) as spool:
            await asyncio.sleep(0.05)
            with hanging_disk(tmp_path):
                for first in range(0, 3_000, 100):
                    spool.put(batch(first, 100))
                    assert spool._rows <= 1_000
                assert "has not made room within 0.3 s" in str(spool.full)
                assert spool._next == 1, "a segment more was begun, and waited for"
            await until(lambda: spool._rows == 0)
            assert spool.put(batch(3_000, 100))
            await spool.close(0)
            return spool.dropped

    dropped = asyncio.run(record())
    store.hangs = False
    asyncio.run(_drained(store, tmp_path))

    assert dropped == 2_000
    assert named(store.noted) == list(range(1_000, 3_000))
    assert store.seqs == [*range(1_000), *range(3_000, 3_100)]


def test_ticks_of_many_parts_wait_for_a_slow_disk_no_longer_than_those_of_one(
    tmp_path: Path, store: Any, batch: Batch
) -> None:
    store.hangs = True

    async def record() -> tuple[bool, int]:
        async with Spool(store, tmp_path, queue_rows=100, wait_s=0.5, **QUICK) as spool:
            assert spool._disk is not None
            spool._disk.shutdown()
            spool._disk = SlowDisk(0.2)
            kept = spool.put(batch(0, 1_000))  # Ten segments, each of which the disk writes in time.
            await spool.close(0)
            return kept, spool.dropped

    kept, dropped = asyncio.run(record())
    store.hangs = False
    asyncio.run(_drained(store, tmp_path))

    assert not kept
    assert dropped >= 1_000 - 3 * 100
    assert len(store.seqs) == 1_000 - dropped


def test_who_may_wait_is_never_held_by_the_disk_itself(tmp_path: Path, store: Any, batch: Batch) -> None:
    store.hangs = True

    async def record() -> bool:
        async with Spool(store, tmp_path, queue_rows=100, wait_s=3600, **QUICK) as spool:
            with busy_disk(spool):
                assert spool.put(batch(0, 100))
                kept = await spool.record(batch(100, 10), patience_s=0.05)
            await spool.close(0)
            return kept

    assert not asyncio.run(record())


@pytest.mark.parametrize("rows", [1, 0, -1])
def test_a_memory_of_less_than_a_row_and_its_gap_is_refused(rows: int, tmp_path: Path, store: Any) -> None:
    with pytest.raises(UsageError, match=f"queue_rows: expected at least 2, found {rows}"):
        Spool(store, tmp_path, queue_rows=rows)


def test_the_least_memory_takes_rows_again_after_a_loss(tmp_path: Path, store: Any, batch: Batch) -> None:
    async def record() -> None:
        async with Spool(store, tmp_path, queue_rows=2, spill_bytes=0, **QUICK) as spool:
            assert not spool.put(batch(0, 5))
            await until(lambda: spool._rows == 0)
            assert await spool.record(batch(5, 5))
            await spool.flush()

    asyncio.run(record())

    assert store.seqs == [0, 1, *range(5, 10)]
    assert named(store.noted) == [2, 3, 4]


def test_who_closes_is_not_held_by_a_disk_that_hangs_and_what_that_was_handed_is_kept_if_it_answers(
    tmp_path: Path, store: Any, batch: Batch
) -> None:
    store.away = True

    async def close() -> None:
        spool = await Spool(store, tmp_path, spill_s=3600, linger_s=3600).__aenter__()
        with busy_disk(spool):
            spool.put(batch(0, 100))
            with pytest.raises(StorageError, match=r"not answered for 0\.1 s: 100 rows are kept only if it answers"):
                await spool.close(0, disk_s=0.1)
            with pytest.raises(Refused, match="another process keeps its ticks here"):
                await Spool(store, tmp_path, **QUICK).__aenter__()
        await until(lambda: bool(segments(tmp_path)))

    asyncio.run(close())
    store.away = False
    asyncio.run(_drained(store, tmp_path))

    assert store.seqs == list(range(100))


def test_a_disk_that_hangs_keeps_nothing_from_a_store_that_is_there(tmp_path: Path, store: Any, batch: Batch) -> None:
    async def record() -> None:
        async with Spool(store, tmp_path, queue_rows=1_000, wait_s=0.1, **QUICK) as spool:
            with hanging_disk(tmp_path):
                for first in range(0, 1_000, 100):
                    assert spool.put(batch(first, 100))
                for first in range(1_000, 3_000, 100):
                    assert await spool.record(batch(first, 100))
                assert "has not made room" in str(spool.full) or spool._spilling
                await until(lambda: len(store.seqs) == 3_000)
            assert not spool.dropped

    asyncio.run(record())

    assert store.seqs == list(range(3_000))
    assert store.noted == []


def test_where_the_disk_refuses_a_gap_names_the_rows_of_each_recorder_and_epoch(
    tmp_path: Path, store: Any, batch: Batch
) -> None:
    store.away = True
    put = [batch(0, 60), batch(60, 60), batch(120, 60), batch(0, 60, epoch=2), batch(0, 60, source="two")]
    kept = dict[tuple[str, int], list[int]]()

    async def record() -> int:
        async with Spool(store, tmp_path, queue_rows=100, **QUICK) as spool:
            with no_file_beyond(1_000):
                assert [spool.put(each) for each in put] == [True] + [False] * 4
            await until(lambda: spool._rows == 0 and spool.full is None)
            store.away = False
            await spool.flush()
            return spool.dropped

    dropped = asyncio.run(record())
    for _, source, epoch, seq in store.rows:
        kept.setdefault((source, epoch), []).append(seq)

    by_one, by_two = ([gap for gap in store.noted if gap.source == source] for source in ("one", "two"))
    assert dropped == 300 - len(store.rows) > 0
    assert named(by_one) == sorted({*range(180)} - {*kept["one", 1]})
    assert named(by_one, 2) == sorted({*range(60)} - {*kept.get(("one", 2), [])})
    assert named(by_two) == sorted({*range(60)} - {*kept.get(("two", 1), [])})


def test_who_may_wait_loses_nothing_to_a_disk_that_refuses_for_a_while_and_its_loop_goes_on(
    tmp_path: Path, store: Any, batch: Batch
) -> None:
    store.away = True
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0.005)

    async def record() -> None:
        async with Spool(store, tmp_path, queue_rows=100, **QUICK) as spool:
            heart = asyncio.create_task(beat())
            with no_file_beyond(1_000):
                recorded = asyncio.create_task(spool.record(batch(0, 500)))
                await asyncio.sleep(0.2)
                assert not recorded.done()
            assert await recorded
            heart.cancel()
            assert not spool.dropped

    asyncio.run(record())
    store.away = False
    asyncio.run(_drained(store, tmp_path))

    assert beats > 5
    assert store.seqs == list(range(500))


def test_a_hole_that_finds_no_room_is_part_of_the_gap_that_does(tmp_path: Path, store: Any, batch: Batch) -> None:
    store.away = True
    holes = [Gap("sim/SOL", "one", at, at + 10, "the feed was down") for at in range(0, 2_000, 20)]

    async def record() -> None:
        async with Spool(store, tmp_path, queue_rows=50, spill_bytes=1, **QUICK) as spool:
            spool.put(batch(0, 20))
            for hole in holes:
                spool.note_gap(hole)
            assert spool._rows <= 50
            store.away = False
            await until(lambda: spool._rows == 0)
            assert spool.put(batch(20, 1))
            await spool.flush()

    asyncio.run(record())

    assert all(any(gap.from_ns <= hole.from_ns and hole.to_ns <= gap.to_ns for gap in store.noted) for hole in holes)


def test_a_spool_that_is_not_open_takes_nothing(tmp_path: Path, store: Any, batch: Batch) -> None:
    async def record() -> Spool:
        async with Spool(store, tmp_path, **QUICK) as spool:
            pass
        return spool

    spool = asyncio.run(record())

    with pytest.raises(StorageError, match="is not open, and keeps nothing"):
        spool.put(batch(0, 1))
    with pytest.raises(StorageError, match="is not open, and keeps nothing"):
        spool.note_gap(Gap("sim/SOL", "one", 1, 2, "away"))


async def _drained(store: Any, folder: Path) -> None:
    async with Spool(store, folder, **QUICK) as spool:
        await spool.flush()


def test_where_no_room_is_left_anywhere_a_gap_says_which_rows_are_missing(
    tmp_path: Path, store: Any, batch: Batch
) -> None:
    async def record() -> int:
        store.away = True
        async with Spool(store, tmp_path, queue_rows=100, spill_bytes=1_000, **QUICK) as spool:
            for first in range(0, 2_000, 10):
                spool.put(batch(first, 10))
                await asyncio.sleep(0.001)
            await until(lambda: spool.full is not None)
            store.away = False
            await until(lambda: spool._rows == 0)
            assert spool.put(batch(2_000, 10))
            await spool.flush()
            return spool.dropped

    dropped = asyncio.run(record())

    times = {batch(0, 2_010).columns.ts_ns[seq] for seq in set(range(2_010)) - set(store.seqs)}
    assert dropped == len(times) > 0
    assert all(any(gap.from_ns < ts_ns < gap.to_ns for gap in store.noted) for ts_ns in times)
    assert not [ts for ts in store.rows.values() if any(gap.from_ns < ts < gap.to_ns for gap in store.noted)]
    assert named(store.noted) == sorted(set(range(2_010)) - set(store.seqs))
    assert store.seqs == sorted(store.seqs)


def test_a_full_disk_is_survived_and_what_lies_there_stays_whole(tmp_path: Path, store: Any, batch: Batch) -> None:
    async def record() -> None:
        store.away = True
        async with Spool(store, tmp_path, queue_rows=60_000, **QUICK) as spool:
            spool.put(batch(0, 100))
            await until(lambda: bool(segments(tmp_path)))
            limits = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
            try:
                spool.put(batch(100, 50_000))
                await until(lambda: spool.full is not None)
                assert "File too large" in str(spool.full)
                assert segments(tmp_path) == [0]
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            store.away = False
            await spool.flush()

    asyncio.run(record())

    assert store.seqs == list(range(50_100))


def test_whoever_closes_without_room_anywhere_is_told_what_is_lost(tmp_path: Path, store: Any, batch: Batch) -> None:
    async def record() -> None:
        store.away = True
        spool = await Spool(store, tmp_path, spill_bytes=0, **QUICK).__aenter__()
        spool.put(batch(0, 30))
        with pytest.raises(StorageError, match="30 rows found no room and are lost"):
            await spool.close(0.1)

    asyncio.run(record())


def test_a_folder_is_one_spools_alone(tmp_path: Path, store: Any) -> None:
    async def two() -> None:
        async with Spool(store, tmp_path, **QUICK):
            with pytest.raises(Refused, match="another process keeps its ticks here"):
                await Spool(store, tmp_path, **QUICK).__aenter__()
        async with Spool(store, tmp_path, **QUICK) as again:
            assert again.empty

    asyncio.run(two())


def test_rows_that_the_store_refuses_do_not_hold_up_the_rest(tmp_path: Path, store: Any, batch: Batch) -> None:
    bad = batch(10, 5)
    store.refuses = int(bad.columns.ts_ns[2])

    async def record() -> None:
        async with Spool(store, tmp_path, **QUICK) as spool:
            spool.put(bad)
            spool.put(batch(100, 5))
            await spool.flush()

    asyncio.run(record())

    assert store.seqs == list(range(100, 105))
    assert [gap.why for gap in store.noted] == ["refused: of no kind"]


def test_what_was_on_the_disk_of_a_killed_recorder_reaches_the_store_whole_and_in_order(
    tmp_path: Path, store: Any
) -> None:
    dice, first, spilled = random.Random(1), 0, list[int]()
    for _ in range(5):
        command = [sys.executable, "-c", RECORDER, str(tmp_path), str(first)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as recorder:
            assert recorder.stdout
            for _ in range(5):
                first = int(recorder.stdout.readline())
            time.sleep(dice.uniform(0, 0.05))
            recorder.kill()
            spilled.append(max([first, *(int(line) for line in recorder.stdout if line.endswith("\n"))]))
        first = spilled[-1]

    asyncio.run(_drained(store, tmp_path))

    assert set(range(spilled[-1])) <= set(store.seqs)
    assert store.seqs == sorted(store.seqs)
    assert spilled == sorted(set(spilled))


def test_damaged_rows_on_the_disk_become_a_gap_and_the_rest_is_sent(tmp_path: Path, store: Any, batch: Batch) -> None:
    first, second = batch(0, 40), batch(40, 40, source="two")
    segment.write(tmp_path, 3, [first, second])
    path = segment.path_of(tmp_path, 3)
    whole = path.read_bytes()
    at = whole.index(first.columns.price.tobytes())
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])

    asyncio.run(_drained(store, tmp_path))

    times = first.columns.ts_ns
    assert store.seqs == list(range(40, 80))
    assert [gap[:4] for gap in store.noted] == [("sim/SOL", "one", times[0] - 1, times[-1] + 1)]
    assert list(tmp_path.glob("*.segment")) == []


def test_a_segment_with_a_damaged_line_is_set_aside(tmp_path: Path, store: Any, batch: Batch) -> None:
    segment.write(tmp_path, 0, [batch(0, 40), batch(40, 40, source="two")])
    path = segment.path_of(tmp_path, 0)
    path.write_bytes(path.read_bytes().replace(b'"two"', b'"tow"'))

    asyncio.run(_drained(store, tmp_path))

    assert store.seqs == list(range(40))
    assert [file.name for file in tmp_path.glob("0*")] == ["000000000000.damaged"]


def test_a_half_written_file_of_a_killed_process_is_removed(tmp_path: Path, store: Any) -> None:
    (tmp_path / "000000000000.tmp").write_bytes(b"half")

    asyncio.run(_drained(store, tmp_path))

    assert list(tmp_path.glob("*.tmp")) == []


@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_flipped_byte_of_a_segment_is_believed(tmp_path: Path, batch: Batch, data: st.DataObject) -> None:
    entries = [batch(0, 3), Gap("sim/SOL", "one", 1, 2, "away"), batch(3, 2)]
    segment.write(tmp_path, 0, entries)
    path = segment.path_of(tmp_path, 0)
    whole = bytearray(path.read_bytes())
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)

    found: list[Any] = []
    try:
        for each in segment.read(path):
            found.append(each)  # noqa: PERF402  # What was read before the fault counts.
    except DataError:
        found.append(None)

    assert not all(_same(*pair) for pair in zip(found, entries, strict=False)) or len(found) != len(entries)
    assert all(_same(a, b) or a is None or isinstance(a, Gap) for a, b in zip(found, entries, strict=False))


@pytest.mark.parametrize("cut", [1, 10, 100, 300, 500])
def test_a_segment_that_was_cut_off_is_not_believed(tmp_path: Path, batch: Batch, cut: int) -> None:
    segment.write(tmp_path, 0, [batch(0, 3), batch(3, 2)])
    path = segment.path_of(tmp_path, 0)
    path.write_bytes(path.read_bytes()[:-cut])

    try:
        found = list(segment.read(path))
    except DataError:
        return
    assert any(isinstance(each, Gap) for each in found)


def test_a_segment_tells_what_was_written(tmp_path: Path, batch: Batch) -> None:
    entries = [batch(0, 3), Gap("sim/SOL", "one", 1, 2, "away, ½"), batch(3, 2, market="sim/B", epoch=4)]

    segment.write(tmp_path, 0, entries)

    assert all(_same(*pair) for pair in zip(segment.read(segment.path_of(tmp_path, 0)), entries, strict=True))


def test_a_segment_tells_stamps_and_sizes_of_gaps(tmp_path: Path, batch: Batch) -> None:
    entries = [
        batch(0, 3),
        stamped(batch(3, 2)),
        Gap("sim/SOL", "one", 1, 2, "overrun", 7, 2**40),
        stamped(batch(9, 1)),
    ]

    segment.write(tmp_path, 0, entries)

    assert all(_same(*pair) for pair in zip(segment.read(segment.path_of(tmp_path, 0)), entries, strict=True))


def test_a_segment_of_a_program_that_knew_no_stamps_is_read(tmp_path: Path, batch: Batch) -> None:
    old = batch(5, 2)
    columns = np.stack(old.columns).astype("<i8").tobytes()
    told = {"market": "sim/SOL", "source": "one", "epoch": 1, "first_seq": 5, "rows": 2, "from_ns": 1, "to_ns": 9}
    hole = {"sort": "gap", "market": "sim/SOL", "source": "one", "from_ns": 1, "to_ns": 2, "why": "away"}
    lines = [{"sort": "ticks", **told, "sha256": sha256(columns).hexdigest()}, hole]
    head, gap = (
        sha256(text).hexdigest().encode() + b" " + text + b"\n"
        for text in (json.dumps(line).encode() for line in lines)
    )
    segment.path_of(tmp_path, 0).write_bytes(b"bmv segment 1\n" + head + columns + gap)

    ticks, found = segment.read(segment.path_of(tmp_path, 0))

    assert _same(ticks, old)
    assert found == Gap("sim/SOL", "one", 1, 2, "away")


def test_a_segment_of_a_later_program_is_refused(tmp_path: Path) -> None:
    segment.path_of(tmp_path, 0).write_bytes(b"bmv segment 3\n")

    with pytest.raises(DataError, match="not a segment of ticks that this program reads"):
        list(segment.read(segment.path_of(tmp_path, 0)))


def test_damaged_rows_leave_a_gap_of_their_number(tmp_path: Path, batch: Batch) -> None:
    segment.write(tmp_path, 0, [stamped(batch(0, 3))])
    path = segment.path_of(tmp_path, 0)
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")

    (gap,) = segment.read(path)

    assert isinstance(gap, Gap)
    assert (gap.why, gap.rows) == ("damaged on the disk on the way to the store", 3)


def test_rows_with_and_without_stamps_are_joined_with_those_that_are_known(batch: Batch) -> None:
    (joined,) = merged([batch(0, 2), stamped(batch(2, 2)), batch(4, 1)])

    assert isinstance(joined, Ticks)
    assert joined.stamps is not None
    assert joined.stamps.slot.tolist() == [0, 0, 2, 3, 0]
    assert joined.stamps.received_ns.tolist() == [0, 0, 102, 103, 0]


def test_rows_that_are_put_in_pieces_keep_their_stamps(tmp_path: Path, batch: Batch) -> None:
    kept = list[Ticks]()

    class Keeping:
        append = staticmethod(lambda ticks: _told(kept, ticks))
        note_gap = append

    async def put() -> None:
        async with Spool(Keeping(), tmp_path, queue_rows=10, **QUICK) as spool:  # type: ignore[arg-type]  # It only writes.
            await spool.record(stamped(batch(1, 40)))
            await spool.flush()

    asyncio.run(put())

    assert [slot for each in kept if each.stamps for slot in each.stamps.slot.tolist()] == list(range(1, 41))


async def _told(kept: list[Ticks], ticks: Ticks) -> None:
    kept.append(ticks)


def stamped(ticks: Ticks) -> Ticks:
    """Give rows their numbers as slots, and a hundred more as times of arrival."""
    numbers = np.arange(ticks.first_seq, ticks.first_seq + len(ticks.columns.ts_ns))
    return ticks._replace(stamps=Stamps(numbers, numbers + 100))


def test_rows_are_joined_only_where_they_follow_one_another(batch: Batch) -> None:
    entries = [batch(0, 2), batch(0, 1, source="two"), batch(2, 2), batch(5, 1), batch(6, 3, epoch=2), batch(6, 9)]

    found = sorted((each.source, each.epoch, each.first_seq, len(each.columns.ts_ns)) for each in merged(entries, 4))

    assert found == [("one", 1, 0, 4), ("one", 1, 5, 1), ("one", 1, 6, 9), ("one", 2, 6, 3), ("two", 1, 0, 1)]


def _same(one: Any, other: Any) -> bool:
    if not isinstance(one, Ticks) or not isinstance(other, Ticks):
        return bool(one == other) if isinstance(one, Gap) and isinstance(other, Gap) else False
    if (one.stamps is None) != (other.stamps is None):
        return False
    pairs = zip((*one.columns, *(one.stamps or ())), (*other.columns, *(other.stamps or ())), strict=True)
    return one[:4] == other[:4] and all(np.array_equal(*pair) for pair in pairs)
