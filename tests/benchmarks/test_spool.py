"""What a spool costs the loop that puts ticks into it, while the store hangs and nobody lets the loop run."""

import asyncio
import time
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from stopwatch import Stopwatch

from bmv.adapters.postgres.ticks import PostgresTicks
from bmv.adapters.spool.spool import SEGMENT_ROWS, Spool
from bmv.ports.market_data import Columns
from bmv.ports.storage import Ticks

PUT_ROWS = 100
QUEUE_ROWS = 500_000
ROWS = 2_500_000  # So that memory is moved to the disk twenty times.


def batch(first: int) -> Ticks:
    """Return some prints."""
    seq = np.arange(first, first + PUT_ROWS)
    zero = np.zeros_like(seq)
    return Ticks("sim/SOL", "one", 1, first, Columns(seq, zero + 1, zero, seq + 1, zero + 1, zero, zero, zero, zero))


@pytest.mark.benchmark(group="spool")
def test_putting_ticks_where_memory_is_full(watch: Stopwatch, tmp_path: Path) -> None:
    """The longest calls are those that move rows to the disk; the others are the price of a `put`."""
    folders, waits_s = count(), list[float]()

    async def put(told: list[Ticks]) -> None:
        store = PostgresTicks("postgresql://me@127.0.0.1:1/bmv")  # Nobody is there, and nobody comes to ask.
        async with Spool(store, tmp_path / str(next(folders)), queue_rows=QUEUE_ROWS) as spool:
            for each in told:
                began = time.perf_counter()
                assert spool.put(each)
                waits_s.append(time.perf_counter() - began)
            await spool.close(0)
        await store.close()

    def made() -> list[Ticks]:
        return [batch(first) for first in range(0, ROWS, PUT_ROWS)]

    times = watch.time(lambda told: asyncio.run(put(told)), made, rounds=2)

    moves = np.sort(waits_s)[-len(waits_s) * (ROWS - QUEUE_ROWS) // SEGMENT_ROWS // (ROWS // PUT_ROWS) :]
    text = f"a put {np.median(waits_s) * 1e6:.1f} us, moving {SEGMENT_ROWS:,} rows {np.median(moves) * 1e3:.0f} ms"
    watch.tell_speed(times, ROWS, f"; {text}, at most {moves[-1] * 1e3:.0f} ms")
