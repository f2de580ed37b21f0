"""Where ticks lie: a path of this machine, or a URL of an object store that answers as a path does."""

import os
from pathlib import Path
from typing import cast

from bmv.ports.errors import DataError, UsageError


def place(name: str | Path) -> Path:
    """Return a path; of a URL such as `s3://bucket/lake` one that can be listed, opened and read, not written.

    What an object store needs to be reached stands in the environment, as its tools know it: `AWS_ENDPOINT_URL`,
    `AWS_REGION`, `AWS_ACCESS_KEY_ID`, …

    >>> place("lake").name
    'lake'
    """
    if not is_url(name):
        return Path(name)
    if os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        os.environ.setdefault("AWS_ALLOW_HTTP", "true")  # Polars asks for leave where other tools of S3 do not.
    try:
        from upath import UPath
    except ImportError as error:
        raise UsageError(f"{name}: reading from an object store needs the extra: pip install 'bmv[s3]'") from error
    try:
        return cast(Path, UPath(str(name)))
    except (ImportError, ValueError) as error:
        raise UsageError(f"{name}: expected a URL such as s3://bucket/folder; {error}") from error


def is_url(name: object) -> bool:
    """Say whether `name` is, or came from, a URL."""
    return "://" in str(name)


def ticks_below(path: Path) -> list[Path]:
    """Return the Parquet files that a path means: itself, or all `*.parquet` below a folder, sorted.

    `DataError` where there are none, or the store that holds them can't be asked.
    """
    try:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*.parquet") if file.is_file() and file.name[0] != ".")
            if not inside:
                raise DataError(f"{path}: no *.parquet files in this folder")
            return inside
        if path.exists():
            return [path]
    except DataError:
        raise
    except Exception as error:
        if not is_url(path):
            raise
        raise unreachable(path, error) from error
    raise DataError(f"{path}: no such file or folder")


def unreachable(path: Path, error: Exception) -> DataError:
    """Say what a store said: each fails in its own words, for no network, no such bucket, no key to it."""
    return DataError(f"{path}: the object store can't be read: {type(error).__name__}: {error}")
