"""How a sweep goes on, as its viewer is shown it: a picture on a terminal, or a line of JSON a trial."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from bmv.adapters.report.streams import say_json
from bmv.backtest.sweep.plan import Plan
from bmv.backtest.sweep.show.marks import short
from bmv.backtest.sweep.trials.monitor import Monitor
from bmv.backtest.sweep.trials.ranking import keeps
from bmv.backtest.sweep.trials.row import TrialRow, aims
from bmv.data.runs.wording import plain, significant


class Counter(Monitor):
    """Counts the trials that have ended."""

    def __init__(self) -> None:
        self.kept = 0

    def trial(self, row: TrialRow) -> None:
        """Count it."""
        self.kept += 1


@contextmanager
def telling(plan: Plan, as_json: bool) -> Iterator[Counter]:
    """Give what hears how a sweep goes on: a view on a terminal, a line of JSON a trial, or nothing in a pipe."""
    if as_json:
        yield Lines()
    elif not sys.stderr.isatty():
        yield Counter()
    else:
        yield from _live(plan)


class Lines(Counter):
    """Prints a line of JSON a trial."""

    def trial(self, row: TrialRow) -> None:
        """Print what it came to."""
        super().trial(row)
        came_to = {"digest": row["digest"], "net": row["figures"].get("net"), "objectives": row["objectives"]}
        say_json(orjson.dumps({"trial": row["trial"], "state": row["state"], **row["set"], **came_to}))


def _live(plan: Plan) -> Iterator[Counter]:
    seen = Seen(plan)
    console = Console(stderr=True)
    with Live(console=console, refresh_per_second=8, transient=True, get_renderable=seen.drawn):
        yield seen


class Seen(Counter):
    """What a viewer is shown of a sweep that goes on."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan
        self._best: TrialRow | None = None
        self._pruned = self._events = self._known = 0
        self._started = 0.0
        self._bar = Progress(*columns())
        self._task = self._bar.add_task("reading the ticks", total=None)

    def begun(self, planned: int, known: int, events: int) -> None:
        """Begin to count sets."""
        self._started, self._events, self._known = time.perf_counter(), events, known
        self._bar.reset(self._task, total=planned, description="sets")

    def trial(self, row: TrialRow) -> None:
        """Show it, and remember the best."""
        super().trial(row)
        self._pruned += row["state"] == "pruned"
        if row["state"] == "complete" and keeps(row) and self._better(row):
            self._best = row
        self._bar.update(self._task, completed=self.kept)

    def searched(self, seconds: float) -> None:
        """Say that what is left is to judge."""
        self._bar.update(self._task, description="judging")

    def _better(self, row: TrialRow) -> bool:
        sign = 1 if self._plan.objectives[0].large else -1
        return self._best is None or sign * aims(row)[0] > sign * aims(self._best)[0]

    def drawn(self) -> RenderableType:
        """Return the view."""
        spent = time.perf_counter() - self._started
        rate = self._events * max(self.kept - self._known, 0) / spent / 1e6 if spent > 0 else 0.0
        parts: list[RenderableType] = [self._bar]
        if self._best is not None:
            name = self._plan.objectives[0].name
            values = ", ".join(f"{short(axis.key)} = {self._best['set'][axis.key]}" for axis in self._plan.axes)
            figure = significant(aims(self._best)[0], 6)
            parts.append(Text(f"best so far: {name} {figure} (trial {self._best['trial']}: {values})", style="green"))
        pruned = f", {self._pruned:,} given up on their way" if self._pruned else ""
        parts.append(Text(f"{plain(rate, 1)} M events x sets a second{pruned}", style="dim"))
        return Group(*parts)


def columns() -> list[ProgressColumn]:
    """Return the columns of a bar: what is done, how much of it, how long it took and will take."""
    return [
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("·"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    ]  # fmt: skip
