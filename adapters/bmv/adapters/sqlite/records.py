"""A small SQLite file that several processes add to: one transaction, whole on the disk or not at all."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bmv.ports.errors import ConfigError, DataError, StorageError

PAUSE_S = 0.01


class Form(NamedTuple):
    """What a file of records is."""

    name: str  # In words, for who reads an error.
    application: int  # Which program the file belongs to.
    version: int
    statements: Sequence[str]  # They make its tables.


@contextmanager
def transaction(path: Path, form: Form, deadline_s: float = 60.0) -> Iterator[sqlite3.Connection]:
    """Open the file at `path`, made if it is not there, for one transaction that is on the disk when it ends.

    No connection outlives its transaction, so that nothing is inherited by a process that is forked.

    Args:
        path: The file; beside it lie two more while it is open (`-wal`, `-shm`). Not on a network drive.
        deadline_s: Longest wait for other processes that write to the same file.
    """
    with _told(path, form):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = sqlite3.connect(path, timeout=deadline_s, isolation_level=None)
        try:
            _log_ahead(file, time.monotonic() + deadline_s)
            file.execute("pragma synchronous = full")  # A commit is on the disk when it returns.
            file.execute("begin immediate")
            _prepare(file, path, form)
            yield file
            file.execute("commit")
        finally:
            file.close()  # Rolls back what was not committed.


def _log_ahead(file: sqlite3.Connection, deadline: float) -> None:
    """Choose the write-ahead log; while two processes do so at once, SQLite refuses one of them without waiting."""
    while True:
        try:
            file.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(PAUSE_S)


def _prepare(file: sqlite3.Connection, path: Path, form: Form) -> None:
    """Make the tables of a new file; refuse one that is not ours."""
    (application,), (version,) = (
        file.execute(f"pragma {name}").fetchone() for name in ("application_id", "user_version")
    )
    if not file.execute("select count(*) from sqlite_schema").fetchone()[0]:
        for statement in form.statements:
            file.execute(statement)
        file.execute(f"pragma application_id = {form.application}")
        file.execute(f"pragma user_version = {form.version}")
    elif application != form.application:
        raise DataError(f"{path}: expected {form.name}, found a SQLite file of another kind")
    elif version != form.version:
        raise ConfigError(f"{path}: schema {version}, expected {form.version}: it was written by a newer bmv")


@contextmanager
def _told(path: Path, form: Form) -> Iterator[None]:
    """Turn what SQLite and the file system raise into what whoever can mend it should read."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = error.sqlite_errorcode & 0xFF
        if code == sqlite3.SQLITE_CANTOPEN:
            raise ConfigError(f"{path}: cannot be opened as {form.name}: may it be written?") from None
        if code == sqlite3.SQLITE_BUSY:
            raise StorageError(f"{path}: another process writes and does not end ({error})") from None
        raise StorageError(f"{path}: cannot be written: {error}; what was kept before is there") from None
    except sqlite3.DatabaseError as error:
        raise DataError(f"{path}: not {form.name}, or a damaged one: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path}: its folder cannot be made: {error.strerror}") from None
