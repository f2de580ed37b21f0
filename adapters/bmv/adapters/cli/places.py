"""Where the command line puts what a run leaves, and how it takes the paths of its data."""

import json
import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bmv.adapters.cli.options import Local
from bmv.ports.errors import UsageError

if TYPE_CHECKING:
    from bmv.adapters.config import Config

LATEST = "latest"  # Beside the folders of runs, the last one.
RUNS = tuple(Path("runs") / world for world in ("backtest", "paper", "live", "shadow"))  # Where each world leaves them.


class ManyPaths(click.Command):
    """A command whose `--data` takes all the paths that follow it, as a shell writes them for `*.parquet`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat `--data` before each path; an option or a `.toml` file ends the list."""
        spelt, listing = list[str](), False
        for arg in args:
            if listing and (arg.startswith("-") or arg.endswith(".toml")):
                listing = False
            elif listing and spelt[-1] != "--data":
                spelt.append("--data")
            listing = listing or arg == "--data"
            spelt.append(arg)
        return super().parse_args(ctx, spelt)


class RunFolder(Local):
    """A run folder, or the name of a session that left one in `runs`: its whole name, or how several begin."""

    def convert(
        self, value: str | PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | PathLike[str]:
        """Return the folder; a name that no session here has is a path, and said not to be there by who reads it."""
        path = super().convert(value, param, ctx)
        assert isinstance(path, Path)
        return path if path.exists() else newest_run(str(value)) or path


def newest_run(session: str | None = None) -> Path | None:
    """Return the folder of the newest run in `runs`, or of the newest that a session of a name left; None: none."""
    from bmv.data.runs.folder import MANIFEST

    found = list[tuple[int, Path]]()
    for place in RUNS:
        manifests = [place / LATEST / MANIFEST] if session is None else place.glob(f"*/{MANIFEST}")
        for path in manifests:
            if path.is_file() and (session is None or _is_of(path, session)):
                found.append((path.stat().st_mtime_ns, path.parent))
    return max(found)[1] if found else None


def last_run() -> Path:
    """Return the folder of the newest run, or where a backtest's would be."""
    return newest_run() or RUNS[0] / LATEST


def _is_of(manifest: Path, session: str) -> bool:
    """Say whether a run is of a session of that name, or of one whose name begins with it."""
    try:
        name = str(json.loads(manifest.read_text())["session"]["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return manifest.parent.name != LATEST and (name == session or name.startswith(f"{session}/"))


def refuse_strange_folder(folder: Path) -> None:
    """Raise `UsageError` unless `folder` is absent, empty or a run, so that nothing else is ever overwritten."""
    from bmv.data.runs.folder import JOURNAL, MANIFEST, entries, refuse_unwritable, writing

    with writing(folder):
        good = folder.is_dir() and (not entries(folder) or (folder / MANIFEST).is_file())
        if not good and (folder.exists() or folder.is_symlink()):
            raise UsageError(
                f"--out {folder}: is neither empty nor a run (a folder with {MANIFEST}); nothing was written"
            )
        if good and (folder / JOURNAL).exists():
            raise UsageError(f"--out {folder}: holds a sweep; nothing was written")
    refuse_unwritable(folder)


def new_folder(config: "Config", place: Path, now: datetime | None = None) -> Path:
    """Return the path of a folder in `place` that does not exist yet: UTC time, symbol and the start of the hash."""
    from bmv.adapters.config import digest

    stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    symbol = re.sub(r"[^A-Za-z0-9]+", "-", config.market.symbol).strip("-")
    name = f"{stamp}-{symbol}-{digest(config)[:8]}"
    names = (name, *(f"{name}-{n}" for n in range(2, 1000)))
    return next(place / each for each in names if not (place / each).exists())


def link_latest(folder: Path) -> None:
    """Let `latest` beside `folder` point at it; a file system without links goes without."""
    fresh = folder.with_name(f".{LATEST}-{os.getpid()}")
    with suppress(OSError):
        fresh.symlink_to(folder.name)
        fresh.replace(folder.with_name(LATEST))
