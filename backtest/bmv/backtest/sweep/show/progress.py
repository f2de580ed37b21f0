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
from bmv.backtest.sweep.plan import Plan, Told
from bmv.backtest.sweep.show.marks import short
from bmv.backtest.sweep.trials.ranking import keeps
from bmv.backtest.sweep.trials.study import Row
from bmv.data.runs.numbers import Json
from bmv.data.runs.wording import plain, significant


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
        say_json(orjson.dumps(told))


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
        self._done = self._pruned = self._events = self._known = 0
        self._started = 0.0
        self._bar = Progress(*columns())
        self._task = self._bar.add_task("reading the ticks", total=None)

    def __call__(self, what: str, content: Json) -> None:
        """Hear what happened."""
        if what == "begun":
            self._started, self._events, self._known = time.perf_counter(), content["events"], content["known"]
            self._bar.reset(self._task, total=content["planned"], description="sets")
        elif what == "trial":
            self._done += 1
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
        rate = self._events * max(self._done - self._known, 0) / spent / 1e6 if spent > 0 else 0.0
        parts: list[RenderableType] = [self._bar]
        if self._best is not None:
            name = self._plan.objectives[0].name
            values = ", ".join(f"{short(axis.key)} = {self._best['set'][axis.key]}" for axis in self._plan.axes)
            figure = significant(self._best["objectives"][0], 6)
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
