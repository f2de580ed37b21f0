"""The stores that the contract is held against, and how each is opened, closed and opened again in the same place.

The modules beside this file are imported by name, so that the folder must be on the path.
"""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from kept_runs import PATIENT, OpenRuns, Place, store

from bmv.adapters.lake.ticks import LakeTicks
from bmv.adapters.postgres.sessions import PostgresSessions
from bmv.adapters.postgres.ticks import PostgresTicks
from bmv.adapters.sqlite.sessions import SqliteSessions
from bmv.ports.market import Market
from bmv.ports.storage import RunStore, SessionStore, TickStore

READ_ROWS = 7  # So few that every reading takes several batches.

# Opens the store of one place; what was kept there before is there again.
OpenTicks = Callable[[], AbstractAsyncContextManager[TickStore]]
OpenSessions = Callable[[], AbstractAsyncContextManager[SessionStore]]


def postgres_ticks(dsn: str) -> OpenTicks:
    """Return how ticks are kept in a database."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[TickStore]:
        store = PostgresTicks(dsn, read_rows=READ_ROWS, **PATIENT)
        try:
            yield store
        finally:
            await store.close()

    return opened


def lake_ticks(root: Path) -> OpenTicks:
    """Return how ticks are kept in a lake, its small files being made into one every so often."""

    def market(name: str) -> Market:
        return Market(name.partition("/")[2], Decimal("0.01"), Decimal("0.1"))

    @asynccontextmanager
    async def opened() -> AsyncIterator[TickStore]:
        store = LakeTicks(root, market, read_rows=READ_ROWS, compact_at=5)
        try:
            yield store
        finally:
            await store.close()

    return opened


@pytest.fixture(params=["parquet", "postgres"])
def open_ticks(request: pytest.FixtureRequest, tmp_path: Path) -> OpenTicks:
    """How to open a store of ticks that holds nothing yet; a store is added to the contract by a line here."""
    if request.param == "parquet":
        return lake_ticks(tmp_path / "lake")
    return postgres_ticks(request.getfixturevalue("postgres"))


def sessions(make: Callable[[], PostgresSessions | SqliteSessions]) -> OpenSessions:
    """Return how journals are opened that `make` makes."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[SessionStore]:
        store = make()
        try:
            yield store
        finally:
            await store.close()

    return opened


@pytest.fixture(params=["postgres", "sqlite"])
def open_sessions(request: pytest.FixtureRequest, tmp_path: Path) -> OpenSessions:
    """How to open a store of sessions that holds nothing yet."""
    if request.param == "sqlite":
        return sessions(lambda: SqliteSessions(tmp_path / "journal.sqlite"))
    dsn = request.getfixturevalue("postgres")
    return sessions(lambda: PostgresSessions(dsn, **PATIENT))


@pytest.fixture(params=["postgres", "sqlite"])
def runs_at(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a store of runs is that holds nothing yet."""
    sqlite = request.param == "sqlite"
    return Place(request.param, str(tmp_path / "journal.sqlite") if sqlite else request.getfixturevalue("postgres"))


@pytest.fixture
def open_runs(runs_at: Place) -> OpenRuns:
    """How to open a store of runs that holds nothing yet."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[RunStore]:
        runs = store(*runs_at)
        try:
            yield runs
        finally:
            await runs.close()

    return opened
