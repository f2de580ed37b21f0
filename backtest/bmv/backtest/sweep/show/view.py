"""What sweeps found, in a terminal: the verdict and the best sets of one, or a line for each."""

from collections.abc import Sequence
from pathlib import Path

import click
import orjson
from rich.console import Console, Group, RenderableType
from rich.text import Text

from bmv.adapters.report.streams import say_json
from bmv.adapters.report.tables import Column, Grid, screen_width
from bmv.backtest.sweep.show.marks import short
from bmv.backtest.sweep.trials.reading import Sweep, read
from bmv.backtest.sweep.trials.study import JOURNAL
from bmv.backtest.sweep.trials.summary import SweepSummary, Verdict
from bmv.data.runs.folder import MANIFEST, SUMMARY, json_at
from bmv.data.runs.numbers import Json, at, finite
from bmv.data.runs.wording import UNKNOWN, plain, significant
from bmv.ports.errors import UsageError

WIDTH = 120  # Of a table that goes into a pipe.
SHOWN = ("net", "quoting", "market", "max_drawdown", "fills", "sharpe")
MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow")}


def show(folder: Path, top: int, as_json: bool) -> None:
    """Print what a sweep found: its verdict and its best sets, or with `as_json` its summary."""
    if not (folder / SUMMARY).is_file():
        raise UsageError(f"{folder}: this sweep has not ended; `bmv sweep resume {folder}` goes on with it")
    if as_json:
        say_json(orjson.dumps(json_at(folder / SUMMARY)))
        return
    Console(width=screen_width() or WIDTH).print(_found(read(folder), top))


def _found(sweep: Sweep, top: int) -> RenderableType:
    summary = sweep.summary
    verdict = summary["verdict"]
    counts = summary["trials"]
    told = ", ".join(f"{counts[name]:,} {name}" for name in ("complete", "pruned", "invalid") if counts[name])
    parts: list[RenderableType] = [
        Text.assemble(
            (sweep.symbol, "bold"), f"  {summary['sampler']}: {told or 'no trials'}{_alike(sweep)}", style=""
        ),
        _table(sweep, top),
        Text(_where(summary), style="dim"),
        Text("Net is what quoting earned and what the market gave to the position held on average.", style="dim"),
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


def _alike(sweep: Sweep) -> str:
    """Return how many sets there were where some came out alike word for word."""
    different = sweep.complete["digest"].n_unique()
    return f", {different:,} of them different" if different < len(sweep.complete) else ""


def _where(summary: SweepSummary) -> str:
    """Return what the figures of the table are of."""
    searched = [str(tape["searched"]) for tape in summary.get("tapes") or [] if tape.get("searched")]
    window = f" (--timerange {searched[0]})" if len(searched) == 1 else ""
    return f"These figures are of what was searched{window}, without what was held out."


def _table(sweep: Sweep, top: int) -> Grid:
    keys = [str(told["key"]) for told in sweep.parameters]
    objectives = sweep.objectives
    shown = [name for name in SHOWN if name in sweep.trials.columns and name not in objectives]
    table = Grid([Column(name) for name in ("trial", *map(short, keys), *objectives, *shown)])
    for row in sweep.ranked().head(top).iter_rows(named=True):
        style = "" if row["feasible"] else "dim"
        table.add(*(_cell(row[name]) for name in ("trial", *keys, *objectives, *shown)), style=style)
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
        say_json(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
        return
    if not rows:
        click.echo("no sweeps below runs/sweep")
        return
    names = ("sweep", "symbol", "sampler", "trials", "best net", "worth trading")
    table = Grid([Column(name, "left") for name in names])
    for row in rows:
        name = Path(row["folder"]).name
        table.add(name, row["symbol"], row["sampler"], _cell(row["trials"]), _cell(row["best_net"]), row["verdict"])
    Console(width=screen_width() or WIDTH).print(table)


def ended_so_far(folder: Path) -> int | None:
    """Return how many trials the journal of a sweep has that has not ended; None where it is kept elsewhere."""
    journal = folder / JOURNAL
    return sum(b'"digest"' in line for line in journal.open("rb")) if journal.is_file() else None


def _told(folder: Path) -> Json | None:
    if json_at(folder / MANIFEST).get("kind") != "sweep":
        return None
    summary = json_at(folder / SUMMARY) if (folder / SUMMARY).is_file() else {}
    return {
        "folder": str(folder),
        "symbol": summary.get("symbol", UNKNOWN),
        "sampler": summary.get("sampler", UNKNOWN),
        "trials": at(summary, "trials", "complete") if summary else ended_so_far(folder),
        "best_net": at(summary, "best", "net"),
        "worth": at(summary, "verdict", "worth"),
        "verdict": _in_a_word(at(summary, "verdict")),
    }


def _in_a_word(verdict: Verdict | None) -> str:
    if verdict is None:
        return "not ended"
    if verdict["worth"]:
        return "yes"
    return "no" if any(reason["ok"] is False for reason in verdict["reasons"]) else "not known"
