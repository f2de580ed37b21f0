"""A sweep folder read back for its report: what was searched, what was found, and what each trial came to."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bmv.backtest.sweep.trials.accounts import LISTS
from bmv.backtest.sweep.trials.space import Parameter
from bmv.backtest.sweep.trials.summary import Aim, SweepSummary
from bmv.data.runs.contracts import units
from bmv.data.runs.folder import CONFIG, SUMMARY, config_text, json_at, manifest_of, parsed, table_at
from bmv.data.runs.numbers import Json, at
from bmv.ports.errors import DataError, UsageError

TRIALS, BEST, ACCOUNTS, PAGE = "trials.parquet", "best.toml", "best", "sweep.html"
RESULTS = (TRIALS, BEST, ACCOUNTS, PAGE, SUMMARY)  # A sweep without the last one has not ended.
VERSION = 1  # Of the summary of a sweep; another one is another program's.
BESTS = 5  # Sets whose equity stands in the folder.


@dataclass(frozen=True, slots=True, repr=False)
class Sweep:
    """One sweep as its folder tells it. `trials` has the columns of `trials.parquet`, NaN in them as null, but for its
    lists, which take ten times as much memory as all others: :meth:`lists` reads one of them from `file`.

    `equity` has of some of the best trials `ts_ns`, `equity` and `drawdown`, by their number, the best one first.
    """

    summary: SweepSummary
    config: Json
    config_text: str
    manifest: Json
    trials: pl.DataFrame
    equity: dict[int, pl.DataFrame]
    file: Path

    def lists(self, name: str) -> pl.Series | None:
        """Return a column of lists, one for each row of `trials`; None where the file has none of that name."""
        if name not in pl.read_parquet_schema(self.file):
            return None
        return pl.read_parquet(self.file, columns=[name]).to_series()

    def __repr__(self) -> str:
        """Say in one line what the sweep came to."""
        best = at(self.summary, "best", "trial")
        found = "no best set" if best is None else f"best is trial {best}, net {at(self.summary, 'best', 'net')}"
        return f"Sweep({self.symbol}: {len(self.trials):,} trials, {found})"

    @property
    def symbol(self) -> str:
        """The market, or markets, as the sweep names it."""
        return str(self.summary.get("symbol") or "")

    @property
    def units(self) -> str:
        """What sizes and money are counted in; see :func:`bmv.data.runs.contracts.units_of`."""
        return units(self.summary)

    @property
    def complete(self) -> pl.DataFrame:
        """The trials that ran to the end and have their first objective."""
        ran = self.trials.filter(pl.col("state") == "complete")
        return ran.filter(pl.col(self.objective).is_finite()) if self.objective in ran.columns else ran.clear()

    @property
    def objectives(self) -> list[str]:
        """The names of the objectives that the trials have, the first one first."""
        named = [str(told.get("name")) for told in self.summary.get("objectives") or []]
        return [name for name in named if self.trials.schema.get(name) in (pl.Float64, pl.Int64)]

    @property
    def objective(self) -> str:
        """The objective by which sets are compared; empty where the trials have none."""
        return next(iter(self.objectives), "")

    def sign(self, objective: str) -> int:
        """Return -1 for an objective that is made small, else 1."""
        told = self.summary.get("objectives") or []
        return -1 if {"name": objective, "direction": "minimize"}.items() <= _named(told, objective).items() else 1

    @property
    def parameters(self) -> list[Parameter]:
        """The swept keys that the trials have, in the order of the configuration."""
        return [told for told in self.summary.get("parameters") or [] if told.get("key") in self.trials.columns]

    def ranked(self) -> pl.DataFrame:
        """Return the complete trials, those that keep the constraints first, then by the first objective.

        Of those that came out alike word for word, as a sampler that comes back to a good set makes them, the first.
        """
        if not self.objective:
            return self.complete
        worth = pl.col(self.objective) * self.sign(self.objective)
        told = self.complete.sort(pl.col("feasible").fill_null(False), worth, descending=True, maintain_order=True)
        return told.unique("digest", keep="first", maintain_order=True)

    def values(self, objective: str) -> NDArray[np.float64]:
        """Return an objective `(n,)` of the complete trials, NaN where one lacks it."""
        return self.complete[objective].cast(pl.Float64).to_numpy()


def _named(told: list[Aim], objective: str) -> Aim | dict[str, str]:
    return next((one for one in told if one.get("name") == objective), {})


def read(folder: Path, results: Path | None = None) -> Sweep:
    """Read a sweep folder; its manifest and the equity of the best sets may be missing.

    Args:
        folder: The folder of the sweep.
        results: Where :data:`RESULTS` lie while they are not there yet.

    Raises:
        UsageError: `folder` is not a folder, or not one that `bmv sweep` wrote.
        DataError: A file in it can't be read, or another version wrote it.
    """
    if not folder.is_dir():
        raise UsageError(f"expected the folder of a sweep, but there is no folder {folder}; run `bmv sweep` first")
    results = results or folder
    if not (results / SUMMARY).is_file():
        raise UsageError(f"{folder} is not the folder of a sweep that has ended: it has no {SUMMARY}")
    summary = json_at(results / SUMMARY)
    if summary.get("version") != VERSION or summary.get("kind") != "sweep":
        raise DataError(
            f"{results / SUMMARY} is not the summary of a sweep of version {VERSION}: its version is "
            f"{summary.get('version')}, its kind {summary.get('kind')}"
        )
    text = config_text(folder)
    return Sweep(
        summary=cast(SweepSummary, summary),
        config=parsed(text, folder / CONFIG),
        config_text=text,
        manifest=manifest_of(folder),
        trials=_trials(results / TRIALS),
        equity=_equity(results / ACCOUNTS, summary),
        file=results / TRIALS,
    )


def _trials(path: Path) -> pl.DataFrame:
    try:
        table = pl.scan_parquet(path).drop(LISTS, strict=False).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"can't read {path}: {error}") from error
    table = table.with_columns(pl.selectors.float().fill_nan(None))
    if lacking := {"trial", "state", "feasible"} - set(table.columns):
        raise DataError(f"{path} lacks the column {sorted(lacking)[0]}: it is not the trials of a sweep")
    return table


def _equity(folder: Path, summary: Json) -> dict[int, pl.DataFrame]:
    """Return the equity tables that are there, that of the best set first, then as the trials are numbered."""
    best = at(summary, "best", "trial")
    numbers = [int(path.stem.removeprefix("equity-")) for path in folder.glob("equity-*.parquet") if _numbered(path)]
    first = sorted(numbers, key=lambda number: (number != best, number))[:BESTS]
    return {number: _account(folder / f"equity-{number}.parquet") for number in first}


def _account(path: Path) -> pl.DataFrame:
    table = table_at(path)
    if lacking := {"ts_ns", "equity", "drawdown"} - set(table.columns):
        raise DataError(f"{path} lacks the column {sorted(lacking)[0]}: it is not the equity of a set")
    return table


def _numbered(path: Path) -> bool:
    return path.stem.removeprefix("equity-").isdecimal()
