"""A store that fails on demand, and ticks to put."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np
import pytest

from bmv.ports.errors import DataError, StorageError
from bmv.ports.market_data import Columns
from bmv.ports.storage import Gap, Ticks

NOON = 1_756_900_800 * 10**9


class FickleStore:
    """Keeps ticks in memory, by number; is away, slow or contrary when told so."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, int, int], int] = {}  # Time by market, source, epoch and number, as they came.
        self.noted: list[Gap] = []
        self.away = False
        self.forgets_to_answer = False  # Keeps what it is given, and then says that it failed.
        self.hangs = False
        self.refuses: int | None = None
        self.calls = 0

    async def append(self, ticks: Ticks) -> None:
        self.calls += 1
        if self.hangs:
            await asyncio.sleep(3600)
        if self.away:
            raise StorageError("away")
        if self.refuses is not None and self.refuses in ticks.columns.ts_ns:
            raise DataError("of no kind")
        for at, ts_ns in enumerate(ticks.columns.ts_ns.tolist()):
            self.rows.setdefault((ticks.market, ticks.source, ticks.epoch, ticks.first_seq + at), ts_ns)
        if self.forgets_to_answer:
            raise StorageError("no answer")

    async def note_gap(self, gap: Gap) -> None:
        if self.away:
            raise StorageError("away")
        if gap not in self.noted:
            self.noted.append(gap)

    async def read(self, market: str, from_ns: int, to_ns: int) -> AsyncIterator[Columns]:
        raise AssertionError("a spool only writes")
        yield

    async def gaps(self, market: str, from_ns: int, to_ns: int) -> Sequence[Gap]:
        return self.noted

    @property
    def seqs(self) -> list[int]:
        """The numbers, in the order in which they came."""
        return [seq for *_, seq in self.rows]


@pytest.fixture
def store() -> FickleStore:
    return FickleStore()


@pytest.fixture
def batch() -> Callable[..., Ticks]:
    """Make the rows of some numbers, a millisecond apart."""

    def made(first: int, rows: int, market: str = "sim/SOL", source: str = "one", epoch: int = 1) -> Ticks:
        numbers = np.arange(first, first + rows)
        zeros = np.zeros(rows, np.int64)
        columns = Columns(NOON + numbers * 10**6, zeros + 1, zeros, numbers + 1, zeros + 1, zeros, zeros, zeros, zeros)
        return Ticks(market, source, epoch, first, columns)

    return made
