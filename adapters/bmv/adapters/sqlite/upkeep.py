"""A journal in SQLite made, counted, and copied whole while it is written to."""

import sqlite3
from pathlib import Path
from typing import Any

from bmv.adapters.sqlite.file import opened, told
from bmv.data.files.writing import whole_file
from bmv.data.ticks.schema import writable
from bmv.ports.errors import DataError

DEADLINE_S = 5.0


def make(path: Path) -> bool:
    """Make the journal at `path` if it is not there; tell whether it was made."""
    there = path.exists()
    with told(path):
        opened(path, DEADLINE_S).close()
    return not there


def inventory(path: Path) -> dict[str, Any]:  # Any: it is JSON.
    """Return the bytes of the journal, its sessions and words."""
    with told(_there(path)):
        file = opened(path, DEADLINE_S)
        try:
            sessions, words = file.execute("select count(*), coalesce(sum(words), 0) from session").fetchone()
        finally:
            file.close()
    return {"bytes": path.stat().st_size, "sessions": sessions, "words": words}


def backup(path: Path, to: Path) -> int:
    """Write a snapshot of the journal at `path` into the file `to`, whole or not at all; return its bytes."""
    with writable(to), whole_file(to, 0o600) as half_done, told(_there(path)):
        source = opened(path, DEADLINE_S)
        copy = sqlite3.connect(half_done)
        try:
            source.backup(copy)
            copy.execute("pragma journal_mode = delete")  # One file, without a log beside it.
        finally:
            copy.close()
            source.close()
    return to.stat().st_size


def _there(path: Path) -> Path:
    if not path.exists():
        raise DataError(f"{path}: no such journal; `bmv db init` makes it")
    return path
