"""The stores that the contract is held against, and how each is opened, closed and opened again in the same place.

The modules beside this file are imported by name, so that the folder must be on the path.
"""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from bmv.adapters.postgres.sessions import PostgresSessions
from bmv.adapters.postgres.ticks import PostgresTicks
from bmv.adapters.sqlite.sessions import SqliteSessions
from bmv.ports.storage import SessionStore, TickStore

READ_ROWS = 7  # So few that every reading takes several batches.

# Opens the store of one place; what was kept there before is there again.
OpenTicks = Callable[[], AbstractAsyncContextManager[TickStore]]
OpenSessions = Callable[[], AbstractAsyncContextManager[SessionStore]]


def postgres_ticks(dsn: str) -> OpenTicks:
    """Return how ticks are kept in a database."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[TickStore]:
        store = PostgresTicks(dsn, read_rows=READ_ROWS)
        try:
            yield store
        finally:
            await store.close()

    return opened


@pytest.fixture(params=["postgres"])
def open_ticks(request: pytest.FixtureRequest) -> OpenTicks:
    """How to open a store of ticks that holds nothing yet; a store is added to the contract by a line here."""
    stores = {"postgres": lambda: postgres_ticks(request.getfixturevalue("postgres"))}
    return stores[request.param]()


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
    return sessions(lambda: PostgresSessions(dsn))
