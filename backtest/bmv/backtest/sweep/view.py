"""A sweep in a terminal: how it goes on, what it found, and what is taken out of its folder."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import orjson
import polars as pl
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from bmv.adapters import config as configuration
from bmv.adapters.config import build
from bmv.backtest.folder import CONFIG, SUMMARY, json_at, writing
from bmv.backtest.numbers import Json, at, finite
from bmv.backtest.sweep.api import Plan, Told
from bmv.backtest.sweep.finish import keeps
from bmv.backtest.sweep.reading import Sweep, read
from bmv.backtest.sweep.study import Row
from bmv.backtest.sweep.work import trading, with_values
from bmv.backtest.wording import UNKNOWN, plain, significant
from bmv.ports.errors import UsageError

WIDTH = 120  # Of a table that goes into a pipe.
SHOWN = ("net", "max_drawdown", "fills", "sharpe")
MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow")}


@contextmanager
def telling(plan: Plan, as_json: bool) -> Iterator[Told]:
    """Give what hears how a sweep goes on: a view on a terminal, a line of JSON a trial, or nothing in a pipe."""
    if as_json:
        yield _lines
    elif not sys.stderr.isatty():
        yield _nothing
    else:
        yield from _live(plan)


def _lines(what: str, content: Json) -> None:
    if what == "trial":
        told = {"trial": content["trial"], "state": content["state"], **content["set"]}
        told |= {"digest": content["digest"], "net": content["figures"].get("net"), "objectives": content["objectives"]}
        print(orjson.dumps(told).decode(), flush=True)


def _nothing(what: str, content: Json) -> None:
    pass


def _live(plan: Plan) -> Iterator[Told]:
    seen = Seen(plan)
    console = Console(stderr=True)
    with Live(console=console, refresh_per_second=8, transient=True, get_renderable=seen.drawn):
        yield seen


class Seen:
    """What a viewer is shown of a sweep that goes on."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._best: Row | None = None
        self._done = self._run = self._pruned = 0
        self._events = 0
        self._started = time.perf_counter()
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("·"),
            TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
        )  # fmt: skip
        self._task = self._bar.add_task("reading the ticks", total=None)

    def __call__(self, what: str, content: Json) -> None:
        """Hear what happened."""
        if what == "begun":
            self._started, self._events = time.perf_counter(), content["events"]
            self._bar.reset(self._task, total=content["planned"], description="sets")
        elif what == "trial":
            self._done += 1
            self._run += 1
            self._pruned += content["state"] == "pruned"
            if content["state"] == "complete" and keeps(content) and self._better(content):
                self._best = content
            self._bar.update(self._task, completed=self._done)
        elif what == "searched":
            self._bar.update(self._task, description="judging")

    def _better(self, row: Row) -> bool:
        sign = 1 if self._plan.objectives[0].large else -1
        return self._best is None or sign * row["objectives"][0] > sign * self._best["objectives"][0]

    def drawn(self) -> RenderableType:
        """Return the view."""
        spent = time.perf_counter() - self._started
        rate = self._events * self._run / spent / 1e6 if spent > 0 else 0.0
        parts: list[RenderableType] = [self._bar]
        if self._best is not None:
            name = self._plan.objectives[0].name
            values = ", ".join(f"{short(key)} = {value}" for key, value in _axes_only(self._plan, self._best).items())
            figure = significant(self._best["objectives"][0], 6)
            parts.append(Text(f"best so far: {name} {figure} (trial {self._best['trial']}: {values})", style="green"))
        pruned = f", {self._pruned:,} given up on their way" if self._pruned else ""
        parts.append(Text(f"{plain(rate, 1)} M events x sets a second{pruned}", style="dim"))
        return Group(*parts)


def _axes_only(plan: Plan, row: Row) -> Json:
    return {axis.key: row["set"][axis.key] for axis in plan.axes}


def short(key: str) -> str:
    """Return the end of a key that tells it from others of its kind.

    >>> short("grid.bid.first_bps"), short("pivot.window_s")
    ('bid.first_bps', 'window_s')
    """
    parts = key.split(".")
    return ".".join(parts[-2:]) if parts[0] == "grid" else parts[-1]


def show(folder: Path, top: int, as_json: bool) -> None:
    """Print what a sweep found: its verdict and its best sets, or with `as_json` its summary."""
    if not (folder / SUMMARY).is_file():
        raise UsageError(f"{folder}: this sweep has not ended; `bmv sweep resume {folder}` goes on with it")
    if as_json:
        print(orjson.dumps(json_at(folder / SUMMARY)).decode())
        return
    Console(width=None if sys.stdout.isatty() else WIDTH).print(_found(read(folder), top))


def _found(sweep: Sweep, top: int) -> RenderableType:
    summary = sweep.summary
    verdict = summary["verdict"]
    counts = summary["trials"]
    told = ", ".join(f"{counts[name]:,} {name}" for name in ("complete", "pruned", "invalid") if counts[name])
    parts: list[RenderableType] = [
        Text.assemble((sweep.symbol, "bold"), f"  {summary['sampler']}: {told or 'no trials'}", style=""),
        _table(sweep, top),
        Text(verdict["headline"], style="bold green" if verdict["worth"] else "bold yellow"),
    ]
    for reason in verdict["reasons"]:
        mark, colour = MARKS[reason["ok"]]
        parts.append(Text.assemble((f" {mark} ", colour), reason["text"]))
    parts += [Text(f"! {warning}", style="yellow") for warning in summary.get("warnings", [])]
    speed = summary["speed"]
    rate = finite(speed.get("events_sets_per_second"))
    if rate:
        words = f"{plain(rate / 1e6, 1)} M events x sets a second, {speed['workers']} workers, {speed['seconds']:.1f} s"
        parts.append(Text(words, style="dim"))
    return Group(*parts)


def _table(sweep: Sweep, top: int) -> Table:
    keys = [str(told["key"]) for told in sweep.parameters]
    objectives = sweep.objectives
    shown = [name for name in SHOWN if name in sweep.trials.columns and name not in objectives]
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("trial", *map(short, keys), *objectives, *shown):
        table.add_column(name, justify="right")
    for row in sweep.ranked().head(top).iter_rows(named=True):
        style = "" if row["feasible"] else "dim"
        table.add_row(*(_cell(row[name]) for name in ("trial", *keys, *objectives, *shown)), style=style)
    return table


def _cell(value: object) -> str:
    if value is None:
        return UNKNOWN
    return significant(value, 5) if isinstance(value, float) else str(value)


def list_sweeps(manifests: Sequence[Path], as_json: bool) -> None:
    """Print a line for each sweep folder."""
    told = [_told(path.parent) for path in manifests if path.parent.name != "latest"]
    rows = [row for row in told if row is not None]
    if as_json:
        print(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return
    if not rows:
        click.echo("no sweeps below runs/sweep")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("folder", "symbol", "sampler", "trials", "best net", "verdict"):
        table.add_column(name)
    for row in rows:
        net = row["best_net"]
        state = "not ended" if row["worth"] is None else "worth trading" if row["worth"] else "not worth trading"
        table.add_row(row["folder"], row["symbol"], row["sampler"], str(row["trials"]), _cell(net), state)
    Console().print(table)


def _told(folder: Path) -> Json | None:
    if json_at(folder / "manifest.json").get("kind") != "sweep":
        return None
    summary = json_at(folder / SUMMARY) if (folder / SUMMARY).is_file() else {}
    return {
        "folder": str(folder),
        "symbol": summary.get("symbol", UNKNOWN),
        "sampler": summary.get("sampler", UNKNOWN),
        "trials": at(summary, "trials", "complete"),
        "best_net": at(summary, "best", "net"),
        "worth": at(summary, "verdict", "worth"),
    }


def export(folder: Path, file: Path) -> None:
    """Write the trials of a sweep as CSV or Parquet."""
    trials = read(folder).trials
    with writing(file.parent):
        if file.suffix == ".csv":
            returns = pl.col("returns").list.eval(pl.element().cast(pl.String)).list.join(" ")
            trials.with_columns(returns).write_csv(file)
        elif file.suffix == ".parquet":
            trials.write_parquet(file)
        else:
            raise UsageError(f"{file}: expected a name that ends in .csv or .parquet")


def apply(folder: Path, trial: int | None, file: Path) -> int:
    """Write a set of a sweep as a configuration; return its number."""
    sweep = read(folder)
    chosen = at(sweep.summary, "best", "trial") if trial is None else trial
    if chosen is None:
        raise UsageError(f"{folder}: no set keeps all constraints; --trial N takes one nevertheless")
    rows = sweep.trials.filter(pl.col("trial") == chosen)
    if rows.is_empty():
        raise UsageError(f"{folder}: there is no trial {chosen}; it has {len(sweep.trials):,}, the first is 0")
    keys = [key for told in sweep.parameters for key in (told["key"], *told["also"])]
    values = {key: rows[key][0] for key in keys}
    base = trading(configuration.load(folder / CONFIG, (), {}))
    text = configuration.dump(configuration.masked(build(**with_values(base, values))))
    digest = rows["digest"][0]
    with writing(file.parent):
        file.write_text(f"# Trial {chosen} of {folder}, digest {digest or 'unknown'}.\n{text}", "utf-8")
    return int(chosen)
