"""Where sessions are kept: the store that a configuration names."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bmv.adapters.config import Config
from bmv.adapters.postgres.dsn import is_database
from bmv.ports.errors import ConfigError, DataError
from bmv.ports.storage import SessionStore, Word

BESIDE = "sessions.sqlite"  # Beside the configuration, where that names no journal.


def journal_of(path: Path, config: Config) -> str:
    """Return the place of a configuration's journal; one that it does not name lies beside it."""
    return config.storage.journal or f"sqlite:{BESIDE}"


@asynccontextmanager
async def open_sessions(place: str, folder: Path) -> AsyncIterator[SessionStore]:
    """Open the store at a place, and close it at the end.

    Args:
        place: `sqlite:PATH` or `postgresql://…`.
        folder: What a relative path is relative to.
    """
    if is_database(place):
        from bmv.adapters.postgres.sessions import PostgresSessions  # Its library takes a while to import.

        database = PostgresSessions(place)
        try:
            yield database
        finally:
            await database.pool.close()
        return
    from bmv.adapters.sqlite.sessions import SqliteSessions

    file = SqliteSessions(sqlite_path(place, folder))
    try:
        yield file
    finally:
        await file.close()


def sqlite_path(place: str, folder: Path) -> Path:
    """Return the file of a place `sqlite:PATH`; `ConfigError` where it names none."""
    scheme, _, rest = place.partition(":")
    if scheme != "sqlite" or not rest:
        raise ConfigError(f"storage.journal: expected sqlite:PATH or postgresql://USER@HOST/DATABASE, found {place!r}")
    return folder / rest


async def words_of(store: SessionStore, session: str) -> list[Word]:
    """Return all words of a session; `DataError` where there is none of that name."""
    words = [word async for page in store.read(session) for word in page]
    if not words:
        names = await store.sessions()
        known = f"; there are {', '.join(names[-5:])}" if names else "; there is none at all"
        raise DataError(f"session {session}: is not kept here{known}")
    return words


async def newest(store: SessionStore, name: str | None) -> str:
    """Return the full name of a session, or of the newest of those that begin so; `DataError` where there is none.

    Args:
        name: A session's, the beginning of several, or None: the newest of all.
    """
    names = await store.sessions()
    fits = [each for each in names if name is None or each == name or each.startswith(f"{name}/")]
    if not fits:
        known = f"; there are {', '.join(names[-5:])}" if names else "; there is none at all"
        raise DataError(f"session {name}: is not kept here{known}")
    if name in fits:
        return str(name)
    return max(fits, key=lambda each: (each.rpartition("/")[2], each)) if name else await _last_begun(store, fits)


async def _last_begun(store: SessionStore, names: list[str]) -> str:
    """Return the session whose first word is the newest."""
    begun = list[tuple[int, str]]()
    for name in names:
        async for page in store.read(name):
            begun.append((page[0].ts_ns, name))
            break
    return max(begun)[1]
