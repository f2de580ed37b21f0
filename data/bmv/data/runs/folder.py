"""The folder of a run or a sweep: the names of its files, and how they are written and read back."""

import errno
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson
import polars as pl
from polars.exceptions import PolarsError

from bmv.data.files.writing import is_draft, whole_file, whole_folder
from bmv.data.runs.numbers import Json
from bmv.data.runs.summary import VERSION as VERSION
from bmv.data.runs.summary import Summary
from bmv.data.ticks.schema import of_system
from bmv.ports.errors import DataError, StorageError, UsageError

MANIFEST = "manifest.json"  # A folder that holds it is a run, and may be overwritten.
CONFIG = "config.resolved.toml"
SUMMARY = "summary.json"
ORDERS, FILLS, EQUITY = "orders.parquet", "fills.parquet", "equity.parquet"
REPORT = "report.html"
JOURNAL = "journal.log"  # Of a sweep.
FILES = (MANIFEST, CONFIG, ORDERS, FILLS, EQUITY, REPORT, SUMMARY)  # A folder without the last one is no whole run.
# A place that can't be a run folder; anything else that goes wrong in writing, such as a full disk, is the store's.
MISPLACED = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS,
             errno.ENAMETOOLONG, errno.ELOOP)  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False)
class Run:
    """One run as its folder tells it. The tables have the columns of docs/run-folder.md; NaN is null in them."""

    summary: Summary
    config: Json
    config_text: str
    manifest: Json
    orders: pl.DataFrame
    fills: pl.DataFrame
    equity: pl.DataFrame

    def __repr__(self) -> str:
        """Say in one line what the run came to."""
        summary = self.summary
        return (
            f"Run({summary.get('symbol')}: net {summary.get('pnl', {}).get('net')}, "
            f"{len(self.fills):,} fills, {len(self.orders):,} orders, digest {summary.get('digest')})"
        )


def read(run_dir: Path) -> Run:
    """Read a whole run folder; its manifest alone may be missing. Raises as :func:`read_summary`."""
    summary = read_summary(run_dir)
    text = config_text(run_dir)
    return Run(
        summary=summary,
        config=parsed(text, run_dir),
        config_text=text,
        manifest=manifest_of(run_dir),
        orders=table_at(run_dir / ORDERS),
        fills=table_at(run_dir / FILLS),
        equity=table_at(run_dir / EQUITY),
    )


@contextmanager
def writing(place: Path, what: str = "run folder") -> Iterator[None]:
    """Turn what keeps `place` from being written into one line: a `UsageError` where the place is at fault."""
    try:
        yield
    except OSError as error:
        fault = UsageError if error.errno in MISPLACED else StorageError
        raise fault(f"{place}: no {what} can be written there: {error.strerror or error}") from error
    except PolarsError as error:
        if (cause := of_system(error)) is None:
            raise
        raise StorageError(f"{place}: no {what} can be written there: {cause}") from error


def refuse_unwritable(run_dir: Path) -> None:
    """Raise `UsageError` where no run folder could be written, as far as that can be told before anything is."""
    with writing(run_dir):
        above = next((each for each in (run_dir, *run_dir.parents) if each.exists()), Path())
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{above} is not a folder")
        if not os.access(above, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, f"{above} may not be written to")


def read_summary(run_dir: Path) -> Summary:
    """Return `summary.json` of a run folder.

    Raises:
        UsageError: `run_dir` is not a folder, or not one that `bmv backtest` wrote.
        DataError: Its summary can't be read, or another version wrote it.
    """
    if not run_dir.is_dir():
        raise UsageError(f"expected the folder of a run, but there is no folder {run_dir}; run `bmv backtest` first")
    path = run_dir / SUMMARY
    if not path.is_file():
        raise UsageError(f"{run_dir} is not the folder of a run: it has no {SUMMARY}")
    summary = json_at(path)
    if summary.get("version") != VERSION or not isinstance(summary.get("pnl"), dict):
        raise DataError(
            f"{path} is not a summary of version {VERSION} that bmv wrote: its version is {summary.get('version')}"
        )
    return cast(Summary, summary)


def manifest_of(run_dir: Path) -> Json:
    """Return `manifest.json` of a run folder, empty when it is not there; `DataError` when it can't be read."""
    path = run_dir / MANIFEST
    return json_at(path) if path.is_file() else {}


def config_text(run_dir: Path) -> str:
    """Return `config.resolved.toml` as it stands; `DataError` when it is not there."""
    path = run_dir / CONFIG
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"can't read {path}: {error}") from error


def parsed(text: str, run_dir: Path) -> Json:
    """Return the TOML `text` of a run's configuration as nested tables."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{run_dir / CONFIG} is not TOML: {error}") from error


def json_at(path: Path) -> Json:
    """Return the object in a JSON file; `DataError` when it can't be read."""
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise DataError(f"can't read {path}: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: expected an object, found {type(found).__name__}")
    return cast(Json, found)


class RunFiles(NamedTuple):
    """What a run leaves: one field for each file, the page aside, which is made of them."""

    manifest: Json
    config_text: str
    summary: Mapping[str, Any]  # Any: it is JSON.
    orders: pl.DataFrame
    fills: pl.DataFrame
    equity: pl.DataFrame


def save(folder: Path, files: RunFiles, page: Callable[[Run], str] | None = None) -> None:
    """Write a run folder: it is whole or not there, and an older run in it is replaced. Other files in it stay.

    Args:
        folder: The run folder.
        files: What stands in it.
        page: Makes the report of the run as it was read back; None: no report.

    Raises `UsageError` where the place is at fault, `StorageError` where the disk is.
    """
    contents: dict[str, Content] = {
        MANIFEST: files.manifest,
        CONFIG: files.config_text,
        ORDERS: files.orders,
        FILLS: files.fills,
        EQUITY: files.equity,
        SUMMARY: files.summary,
    }
    with writing(folder), whole_folder(folder, FILES) as draft:
        for name, content in contents.items():
            put(draft / name, content)
        if page is not None:
            put(draft / REPORT, page(read(draft)))


Content = str | pl.DataFrame | Mapping[str, Any]  # Any: it is JSON.


def put(path: Path, content: Content) -> None:
    """Write a file of a run or a sweep: a text, a table as Parquet or CSV as the name says, anything else as JSON.

    The file may be cut off: `path` lies in a draft, or :func:`put_whole` is what you want.
    """
    if isinstance(content, str):
        path.write_text(content, "utf-8")
    elif isinstance(content, pl.DataFrame):
        content.write_csv(path) if path.suffix == ".csv" else content.write_parquet(path)
    else:
        path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY))


def put_whole(path: Path, content: Content) -> None:
    """Write a file as :func:`put` does, whole or not at all."""
    with whole_file(path) as half_done:
        put(half_done, content)


def entries(folder: Path) -> list[Path]:
    """Return what lies in a folder, the drafts of writers aside."""
    return [entry for entry in folder.iterdir() if not is_draft(entry)]


def table_at(path: Path) -> pl.DataFrame:
    """Return a Parquet file, NaN in it as null; `DataError` when it can't be read."""
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"can't read {path}: {error}") from error
    return table.with_columns(pl.selectors.float().fill_nan(None))
