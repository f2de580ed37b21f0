"""The stores tried: how much room there is, and whether the database is there and up to date."""

import shutil
from pathlib import Path

from bmv.adapters.config import Config
from bmv.adapters.postgres.dsn import is_database, masked
from bmv.data.files.path import is_url
from bmv.live.doctor.seen import DatabaseSeen, DiskSeen
from bmv.ports.errors import BmvError

DEADLINE_S = 5.0
SQLITE = "sqlite:"


def try_disks(path: Path, config: Config) -> tuple[DiskSeen, ...]:
    """Look how much room there is where a configuration keeps its things; `path` is its own."""
    seen = list[DiskSeen]()
    ticks, journal = config.storage.ticks, config.storage.journal
    if ticks is not None and not is_database(ticks):
        seen.append(DiskSeen("storage.ticks", ticks, None if is_url(ticks) else _free(Path(ticks))))
    if journal is not None and journal.startswith(SQLITE):
        file = _journal(path, journal)
        seen.append(DiskSeen("storage.journal", str(file), _free(file)))
    return tuple(seen)


def _free(path: Path) -> int | None:
    """Return the bytes that are free where `path` is, or would be made."""
    there = next((each for each in (path, *path.absolute().parents) if each.exists()), None)
    try:
        return None if there is None else shutil.disk_usage(there).free
    except OSError:
        return None


async def try_databases(path: Path, config: Config) -> tuple[DatabaseSeen, ...]:
    """Look at each database that a configuration names, once."""
    named = [config.storage.journal, config.storage.ticks]
    servers = dict.fromkeys(name for name in named if name is not None and is_database(name))
    seen = [await _try_server(name) for name in servers]
    if config.storage.journal is not None and config.storage.journal.startswith(SQLITE):
        seen.append(_try_file(_journal(path, config.storage.journal)))
    return tuple(seen)


async def _try_server(dsn: str) -> DatabaseSeen:
    from bmv.adapters.postgres.migrate import status  # Its library takes a while to import.

    try:
        found = await status(dsn, deadline_s=DEADLINE_S)
    except BmvError as error:
        return DatabaseSeen(masked(dsn), str(error), type(error))
    return DatabaseSeen(masked(dsn), pending=tuple(step.name for step in found.pending))


def _try_file(file: Path) -> DatabaseSeen:
    from bmv.adapters.sqlite.upkeep import inventory

    if not file.exists():
        return DatabaseSeen(f"{SQLITE}{file}", made=False)
    try:
        inventory(file)
    except BmvError as error:
        return DatabaseSeen(f"{SQLITE}{file}", str(error), type(error))
    return DatabaseSeen(f"{SQLITE}{file}")


def _journal(path: Path, journal: str) -> Path:
    return path.parent / journal.removeprefix(SQLITE)
