"""Ways to ask a database what is in it, and rows to put there."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
import numpy as np
import pytest

from bmv.ports.market_data import Columns
from bmv.ports.storage import Ticks


@pytest.fixture
def ask(postgres: str) -> Callable[..., list[tuple[Any, ...]]]:
    """Say statements to the test's database and return the rows of the last; each is a transaction of its own."""

    async def said(statements: Sequence[str]) -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(postgres)
        try:
            rows = [await connection.fetch(statement) for statement in statements]
            return [tuple(row) for row in rows[-1]]
        finally:
            await connection.close()

    return lambda *statements: asyncio.run(said(statements))


@pytest.fixture
def trades() -> Callable[..., Ticks]:
    """Make trades of given times, numbered from `first` on."""

    def made(times: Sequence[int], first: int = 0) -> Ticks:
        ts_ns = np.array(times, np.int64)
        ones, zeros = np.ones_like(ts_ns), np.zeros_like(ts_ns)
        price = 20_000 + np.arange(first, first + len(ts_ns))
        columns = Columns(ts_ns, ones, ones.copy(), price, 7 * ones, *(zeros.copy() for _ in range(4)))
        return Ticks("sim/SOL", "one", 1, first, columns)

    return made
