"""A database in one file, by PostgreSQL's own `pg_dump`: whole or not there."""

import os
import re
import subprocess
from pathlib import Path

from bmv.adapters.postgres.dsn import masked, password, silenced, without_password
from bmv.data.files.writing import whole_file
from bmv.ports.errors import BmvError, StorageError

CONNECTS_WITHIN_S = 10


def backup(dsn: str, path: Path) -> int:
    """Write the schema `bmv` of the database into `path`, in the form that `pg_restore` reads; return its bytes.

    It is a snapshot: what is written meanwhile is not in it, and nobody who writes waits. An older file of that name
    is replaced when the new one is complete, and may be read by its owner only.
    """
    words = ["--format=custom", "--schema=bmv", "--no-owner", "--no-privileges", "--no-password"]
    try:
        with whole_file(path, 0o600) as half_done, half_done.open("wb") as file:
            done = subprocess.run(
                [pg_dump(), *words, f"--dbname={without_password(dsn)}"],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.PIPE,
                env=_environment(dsn),
                check=False,
            )
            if done.returncode:
                told = silenced(done.stderr.decode(errors="replace"), dsn)
                raise BmvError(f"{masked(dsn)}: pg_dump failed: {told}; {path} is as it was")
            return os.fstat(file.fileno()).st_size  # pg_dump writes, and goes back to its head in the end.
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from None


def pg_dump() -> Path:
    """Return the newest `pg_dump` there is: it reads the servers of its own version and of older ones."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/pg_dump")
    on_the_path = (Path(folder) / "pg_dump" for folder in os.get_exec_path())
    found = {tuple(_version(file)): file for file in (*on_the_path, *debian) if os.access(file, os.X_OK)}
    if not found:
        raise BmvError("pg_dump was not found; it comes with PostgreSQL's client (apt-get install postgresql-client)")
    return found[max(found)]


def _version(program: Path) -> list[int]:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    return [int(number) for number in re.findall(r"\d+", said)[:2]]


def _environment(dsn: str) -> dict[str, str]:
    """Return what `pg_dump` may know; a password goes this way because every user reads command lines."""
    secret = password(dsn)
    known = {"PGCONNECT_TIMEOUT": str(CONNECTS_WITHIN_S), "PGAPPNAME": "bmv backup"}
    return {**os.environ, **known, **({"PGPASSWORD": secret} if secret else {})}
