"""A run folder read back: everything a report, a table, a comparison or a notebook needs of one run."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import orjson
import polars as pl

from bmv.backtest.numbers import Json
from bmv.ports.errors import DataError, UsageError

SUMMARY = "summary.json"
VERSION = 1  # Of summary.json; another one is another programme's.


@dataclass(frozen=True, slots=True, repr=False)
class Run:
    """One run as its folder tells it. The tables have the columns of DESIGN.md; NaN is null in them."""

    summary: Json
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


def summary_of(run_dir: Path) -> Json:
    """Return `summary.json` of a run folder.

    Raises:
        UsageError: `run_dir` is not a folder, or not one that `bmv backtest` wrote.
        DataError: Its summary cannot be read, or another version wrote it.
    """
    if not run_dir.is_dir():
        raise UsageError(f"expected the folder of a run, but there is no folder {run_dir}")
    path = run_dir / SUMMARY
    if not path.is_file():
        raise UsageError(f"{run_dir} is not the folder of a run: it has no {SUMMARY}")
    summary = _json(path)
    if summary.get("version") != VERSION or not isinstance(summary.get("pnl"), dict):
        raise DataError(
            f"{path} is not a summary of version {VERSION} that bmv wrote: its version is {summary.get('version')}"
        )
    return summary


def read(run_dir: Path) -> Run:
    """Read a whole run folder; its manifest alone may be missing. Raises as :func:`summary_of`."""
    summary = summary_of(run_dir)
    text = config_text(run_dir)
    manifest = run_dir / "manifest.json"
    return Run(
        summary=summary,
        config=parsed(text, run_dir),
        config_text=text,
        manifest=_json(manifest) if manifest.is_file() else {},
        orders=_table(run_dir, "orders"),
        fills=_table(run_dir, "fills"),
        equity=_table(run_dir, "equity"),
    )


def config_text(run_dir: Path) -> str:
    """Return `config.resolved.toml` as it stands; `DataError` when it is not there."""
    path = run_dir / "config.resolved.toml"
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error


def parsed(text: str, run_dir: Path) -> Json:
    """Return the TOML `text` of a run's configuration as nested tables."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{run_dir}/config.resolved.toml is not TOML: {error}") from error


def _json(path: Path) -> Json:
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} holds {type(found).__name__}, expected an object")
    return cast(Json, found)


def _table(run_dir: Path, name: str) -> pl.DataFrame:
    path = run_dir / f"{name}.parquet"
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    return table.with_columns(pl.selectors.float().fill_nan(None))
