"""A calibration in a terminal: how it goes on, and the table of its markets with the count below."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import orjson
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from bmv.adapters.cli.streams import say_json
from bmv.adapters.cli.tables import Column, Grid
from bmv.backtest.numbers import Json
from bmv.backtest.sweep.calibrate import Told
from bmv.backtest.sweep.progress import columns
from bmv.backtest.sweep.validation.verdict import CHECKS
from bmv.backtest.wording import UNKNOWN, plain, span

COLUMNS = ("market", "seed", "mean net", "best net", "fills", "DSR", "PBO", "held out", "checks", "worth")
LEGEND = "checks in order: evidence, net, deflated Sharpe ratio, overfitting, holdout, walk-forward, plateau"
WORDS = {"walk_forward": "walk-forward"}
NATURES = {"fair": "fair", "edge": "with an edge"}


@contextmanager
def telling(count: int, as_json: bool) -> Iterator[Told]:
    """Give what hears of each market: a line of JSON each, a bar on a terminal, or a plain line in a pipe."""
    if as_json:
        yield lambda found: say_json(orjson.dumps(found))
    elif not sys.stderr.isatty():
        yield lambda found: print(_line(found), file=sys.stderr, flush=True)
    else:
        yield from _bar(count)


def _line(found: Json) -> str:
    return f"{found['nature']} seed {found['seed']}: {verdict_of(found)}"


def _bar(count: int) -> Iterator[Told]:
    with Progress(*columns(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("markets", total=count)

        def told(found: Json) -> None:
            bar.console.print(_line(found), style="dim", highlight=False)
            bar.advance(task)

        yield told


def show(result: Json) -> None:
    """Print what `calibrate` returned."""
    console = Console()
    console.print(_table(result["markets"]))
    console.print(LEGEND, style="dim", soft_wrap=True)
    for nature in NATURES:
        if result[nature]["markets"]:
            for text in _counts(nature, result[nature]):
                console.print(text, soft_wrap=True)
    console.print(f"{span(result['seconds'])}, {result['rows']:,} rows a market", style="dim", highlight=False)


def _table(found: Sequence[Json]) -> Grid:
    table = Grid([Column(name, "left" if name in ("market", "checks") else "right") for name in COLUMNS])
    for each in found:
        figures = (("net_mean", 2), ("net", 2), ("fills", 0), ("dsr", 3), ("pbo", 2), ("holdout_net", 2))
        cells = [_cell(each[name], decimals) for name, decimals in figures]
        checks = "".join("✗" if name in each["failed"] else "✓" for name in CHECKS)
        right = each["worth"] == (each["nature"] == "edge")
        worth = Text("yes" if each["worth"] else "no", style="green" if right else "red")
        table.add(each["nature"], str(each["seed"]), *cells, checks, worth)
    return table


def verdict_of(found: Json) -> str:
    """Return the verdict on a market, and which checks spoke against it.

    >>> verdict_of({"worth": False, "failed": ["deflated", "walk_forward"]})
    'not worth trading (deflated, walk-forward)'
    """
    if found["worth"]:
        return "worth trading"
    failed = ", ".join(WORDS.get(name, name) for name in found["failed"])
    return f"not worth trading ({failed or 'no set to judge'})"


def _counts(nature: str, part: Json) -> list[Text]:
    """Say how many markets of a nature were found worth trading, and what simpler verdicts would have said."""
    count, bound = part["markets"], f"at {'most' if nature == 'fair' else 'least'} {part['bound']}"
    mark, colour = ("✓", "green") if part["ok"] else ("✗", "red")
    words = f"{NATURES[nature]}: found worth trading {part['worth']} times of {count}; {bound} wanted"
    luck = (
        f"  the best set earned in the search {part['net_above_0']} times of {count},"
        f" {part['holdout_above_0_too']} times in what was held out too"
    )
    means = (
        f"  mean net of all sets {_with_error(part['net_mean'])}, less what was held from the start"
        f" {_with_error(part['net_vs_hold_mean'])}"
    )
    return [Text.assemble((f"{mark} ", colour), words), Text(luck, style="dim"), Text(means, style="dim")]


def _with_error(figure: Json) -> str:
    error = figure["error"]
    return _cell(figure["mean"], 2) + (f" ± {plain(error, 2)}" if error is not None else "")


def _cell(value: float | None, decimals: int) -> str:
    return UNKNOWN if value is None else plain(value, decimals)
