"""What lies below a folder of ticks: which files are meant, and what else is there, named and passed over by one rule.

The rule, for every command that is given a lake, a part of one, or any folder of Parquet files:

* Links are followed, those to folders too. One that leads nowhere, or back to where it lies, is a stray.
* Days are files whose names are days, as `2025-09-03.parquet`. Where there are any, only they are meant: all other
  Parquet files are strays, and in a market's own folder whatever else lies there but what we keep there ourselves.
* A lake's days lie two folders down, VENUE/SYMBOL. Where none lie there, those nearest to the top are meant: it is the
  folder of a venue, or of a market. Days that lie elsewhere, say in a folder of copies, are strays.
* Without any day every Parquet file is meant.
* What may not be looked into, as the `lost+found` of a disk, is a stray, and so is a named pipe, a socket or a device.

A stray is never an error, and never passed over without a word: it may be a day that somebody believes is read.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from bmv.data.files.path import is_url, special, unread
from bmv.ports.errors import DataError

LOG = logging.getLogger(__name__)
SUFFIX = ".parquet"
MANIFEST = ".json"
LEVEL = 2  # So many folders down lie the days of a lake.
NAMED = 5  # So many strays are named in a warning; the others are counted.
CLUTTER = (".DS_Store", "Thumbs.db", "desktop.ini")  # Of file managers.
NO_DAY = "no day of a lake"
SHUT = "can't be read"


class Stray(NamedTuple):
    """What is passed over, and why."""

    path: Path
    why: str

    def __str__(self) -> str:
        return f"{self.path}: {self.why}"


class Folder(NamedTuple):
    """What lies in one folder, sorted by name; `files` are Parquet files that are no days."""

    folders: Sequence[Path]
    days: Sequence[Path]
    files: Sequence[Path]
    strays: Sequence[Stray]


class Walk(NamedTuple):
    """The files that a folder means, sorted, and what was passed over."""

    files: Sequence[Path]
    strays: Sequence[Stray]


def walked(root: Path) -> Walk:
    """Return the Parquet files that `root` means, by the rule of this module."""
    seen = list(_stored(root) if is_url(root) else _below(root, 0, frozenset()))
    strays = [stray for _, folder in seen for stray in folder.strays]
    levels = {level for level, folder in seen if folder.days}
    if not levels:
        return Walk(sorted(path for _, folder in seen for path in folder.files), strays)
    meant = LEVEL if LEVEL in levels else min(levels)
    strays += [Stray(path, NO_DAY) for _, folder in seen for path in folder.files]
    elsewhere = "a day, but not where the others lie"
    strays += [Stray(path, elsewhere) for level, folder in seen if level != meant for path in folder.days]
    return Walk(sorted(path for level, folder in seen if level == meant for path in folder.days), strays)


def look(folder: Path) -> Folder:
    """Return what lies in `folder`; nothing where there is no such folder, or it is gone by now."""
    folders, days, files, strays, others = list[Path](), list[Path](), list[Path](), list[Stray](), list[Path]()
    try:
        inside = _inside(folder)
    except PermissionError:
        return Folder([], [], [], [Stray(folder, SHUT)])
    for path in inside:
        if path.name[:1] in ("", ".") and not _is_clutter(path):
            continue  # Ours, as `.live` and `.lock`, or of tools that keep to themselves.
        try:
            why, is_folder = _fault(path), path.is_dir()
        except PermissionError:  # Its folder may be listed but not entered, or it is a link into such a one.
            why, is_folder = SHUT, False
        except OSError as error:
            raise unread(path, error) from error
        if why:
            strays.append(Stray(path, why))
        elif is_folder:
            folders.append(path)
        elif path.suffix == SUFFIX:
            (days if day_named(path) else files).append(path)
        else:
            others.append(path)
    if days:
        manifests = {path.with_suffix(MANIFEST) for path in days}
        strays += [Stray(path, NO_DAY) for path in others if path not in manifests]
    return Folder(folders, days, files, strays)


def _fault(path: Path) -> str:
    """Say what makes a thing a stray, wherever it lies; empty where nothing does."""
    if _is_clutter(path):
        return "left by a file manager"
    if day_named(path) and path.is_dir():
        return "a folder in place of a day's file"
    return leads_nowhere(path) or special(path)


def _is_clutter(path: Path) -> bool:
    return path.name.startswith("._") or path.name in CLUTTER


def day_named(path: Path) -> date | None:
    """Return the day that a file is named by, None where it is none.

    >>> day_named(Path("2025-09-03.parquet")), day_named(Path("2025-09-03 (1).parquet"))
    (datetime.date(2025, 9, 3), None)
    """
    if path.suffix != SUFFIX or len(path.stem) != len("2025-09-03"):
        return None
    try:
        return date.fromisoformat(path.stem)
    except ValueError:
        return None


def leads_nowhere(path: Path) -> str:
    """Say where a link leads that leads nowhere; empty where it leads somewhere, or is none."""
    if is_url(path) or not path.is_symlink() or path.exists():
        return ""
    return f"a link that leads nowhere ({os.readlink(path)})"


def warn_of(strays: Iterable[Stray], root: Path) -> None:
    """Warn of what was passed over in `root`, in one line."""
    found = list(strays)
    if found:
        more = f"; and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
        LOG.warning("%s: passed over: %s%s", root, "; ".join(map(str, found[:NAMED])), more)


def files_below(path: Path) -> list[Path]:
    """Return the Parquet files that a path means: itself, or those that its folder means; strays are warned of.

    `DataError` where there are none, or they can't be looked at.
    """
    try:
        if path.is_dir():
            return _files_in(path)
        if path.exists() and not special(path):
            return [path]
    except DataError:
        raise
    except Exception as error:
        if not (is_url(path) or isinstance(error, OSError)):
            raise
        raise unread(path, error) from error
    raise DataError(f"{path}: {leads_nowhere(path) or special(path) or 'no such file or folder'}")


def _files_in(folder: Path) -> list[Path]:
    files, strays = walked(folder)
    if not files:
        passed_over = f"; passed over: {'; '.join(map(str, strays[:NAMED]))}" if strays else ""
        raise DataError(f"{folder}: no *.parquet files in this folder{passed_over}")
    warn_of(strays, folder)
    return list(files)


def _below(folder: Path, level: int, above: frozenset[str]) -> Iterator[tuple[int, Folder]]:
    """Yield what lies in `folder` and in all below it, each with how many folders down that is."""
    real = os.path.realpath(folder)
    if real in above:
        yield level, Folder([], [], [], [Stray(folder, "a link to a folder that it lies in")])
        return
    found = look(folder)
    yield level, found
    for inner in found.folders:
        yield from _below(inner, level + 1, above | {real})


def _stored(root: Path) -> Iterator[tuple[int, Folder]]:
    """Yield the same of an object store, which knows no folders and no links, by one listing."""
    start = len(root.parts)
    for path in sorted(path for path in root.rglob(f"*{SUFFIX}") if path.is_file()):
        level = len(path.parts) - start - 1
        if path.name[0] == ".":
            yield level, Folder([], [], [], [Stray(path, "left by a file manager")])
        elif day_named(path):
            yield level, Folder([], [path], [], [])
        else:
            yield level, Folder([], [], [path], [])


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except Exception as error:
        if isinstance(error, PermissionError) and not is_url(folder):
            raise
        raise unread(folder, error) from error
