"""A calibration in a terminal: how it goes on, and the table of its markets with the count below."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import orjson
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from bmv.adapters.report.streams import say_json
from bmv.adapters.report.tables import Column, Grid
from bmv.backtest.sweep.calibrate.calibrate import Told
from bmv.backtest.sweep.judge.verdict import CHECKS
from bmv.backtest.sweep.show.progress import columns
from bmv.data.runs.numbers import Json
from bmv.data.runs.wording import UNKNOWN, plain, span

COLUMNS = ("market", "seed", "net", "by quoting", "by the market", "fills", "DSR", "PBO", "held out", "checks", "worth")
LEGEND = (
    "figures of the best set; held out: by quoting. "
    "Checks in order: evidence, net, deflated Sharpe ratio, overfitting, holdout, walk-forward, plateau"
)
WORDS = {"walk_forward": "walk-forward"}
NATURES = {"fair": "fair", "edge": "with an edge"}
WAYS = {"up": "up {} %", "down": "down {} %", "turns": "up and down by {} %"}
STARTS = {"nothing": "nothing held at first", "full": "all held at first"}


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
    return f"{kind_of(found, found['nature'])} seed {found['seed']}: {verdict_of(found)}"


def kind_of(found: Json, nature: str) -> str:
    """Say what kind of market it is.

    >>> kind_of({"trend": "turns6", "start": "full"}, "fair"), kind_of({"trend": "none", "start": "half"}, "edge")
    ('fair, up and down by 6 %, all held at first', 'edge')
    """
    way = next((words.format(found["trend"].removeprefix(name)) for name, words in WAYS.items()
                if found["trend"].startswith(name)), "")  # fmt: skip
    return ", ".join(filter(None, [nature, way, STARTS.get(found["start"], "")]))


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
    for part in result["kinds"]:
        for text in _counts(part):
            console.print(text, soft_wrap=True)
    console.print(f"{span(result['seconds'])}, {result['rows']:,} rows a market", style="dim", highlight=False)


def _table(found: Sequence[Json]) -> Grid:
    table = Grid([Column(name, "left" if name in ("market", "checks") else "right") for name in COLUMNS])
    for each in found:
        figures = (("net", 2), ("quoting", 2), ("market", 2), ("fills", 0), ("dsr", 3), ("pbo", 2),
                   ("holdout_quoting", 2))  # fmt: skip
        cells = [_cell(each[name], decimals) for name, decimals in figures]
        checks = "".join("✗" if name in each["failed"] else "✓" for name in CHECKS)
        right = each["worth"] == (each["nature"] == "edge")
        worth = Text("yes" if each["worth"] else "no", style="green" if right else "red")
        table.add(kind_of(each, each["nature"]), str(each["seed"]), *cells, checks, worth)
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


def _counts(part: Json) -> list[Text]:
    """Say how many markets of a kind were found worth trading, and what simpler verdicts would have said."""
    count, bound = part["markets"], f"at {'most' if part['nature'] == 'fair' else 'least'} {part['bound']}"
    mark, colour = ("✓", "green") if part["ok"] else ("✗", "red")
    kind = kind_of(part, NATURES[part["nature"]])
    words = f"{kind}: found worth trading {part['worth']} times of {count}; {bound} wanted"
    luck = (
        f"  the best set earned in the search {part['net_above_0']} times of {count},"
        f" {part['holdout_above_0_too']} times in what was held out too"
    )
    means = (
        f"  mean net of all sets {_with_error(part['net_mean'])}: by quoting {_with_error(part['quoting_mean'])},"
        f" by the market {_with_error(part['market_mean'])}; net above holding {_with_error(part['net_vs_hold_mean'])}"
    )
    return [Text.assemble((f"{mark} ", colour), words), Text(luck, style="dim"), Text(means, style="dim")]


def _with_error(figure: Json) -> str:
    error = figure["error"]
    return _cell(figure["mean"], 2) + (f" ± {plain(error, 2)}" if error is not None else "")


def _cell(value: float | None, decimals: int) -> str:
    return UNKNOWN if value is None else plain(value, decimals)
