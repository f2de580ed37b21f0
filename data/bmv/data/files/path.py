"""Where ticks lie: a path of this machine, or a URL of an object store that answers as a path does."""

import os
from pathlib import Path
from typing import cast

from bmv.ports.errors import DataError, UsageError


def open_path(name: str | Path) -> Path:
    """Return a path; of a URL such as `s3://bucket/lake` one that can be listed, opened and read, not written.

    What an object store needs to be reached stands in the environment, as its tools know it: `AWS_ENDPOINT_URL`,
    `AWS_REGION`, `AWS_ACCESS_KEY_ID`, …

    >>> open_path("lake").name
    'lake'
    """
    if not is_url(name):
        return Path(name)
    if os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        os.environ.setdefault("AWS_ALLOW_HTTP", "true")  # Polars asks for leave where other tools of S3 do not.
    if str(name).startswith(("postgresql:", "postgres:")):
        raise UsageError(f"{name}: expected a path or a URL of an object store, found one of a database")
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


def unread(path: Path, error: Exception) -> DataError:
    """Say what kept a path from being read; a store says it in its own words: no network, no such bucket, no key."""
    if is_url(path):
        return DataError(f"{path}: the object store can't be read: {type(error).__name__}: {error}")
    return DataError(f"{path}: can't be read: {(isinstance(error, OSError) and error.strerror) or error}")


def special(path: Path) -> str:
    """Say what is there that is neither file nor folder, so that its reader may wait for ever; empty elsewhere."""
    if is_url(path) or path.is_file() or path.is_dir() or not path.exists():
        return ""
    return "a named pipe, a socket or a device, no file"
