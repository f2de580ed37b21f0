"""A run on one screen of a terminal."""

from pathlib import Path

import orjson
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bmv.adapters.report.sheet import (
    PARTS,
    Row,
    headline,
    in_words,
    no_ratios,
    pace,
    profit_parts,
    sections,
    volume_decimals,
)
from bmv.adapters.report.streams import say_json
from bmv.adapters.report.tables import Column, Grid
from bmv.data.runs.contracts import units
from bmv.data.runs.folder import read_summary
from bmv.data.runs.numbers import SECOND, Json, at, finite
from bmv.data.runs.summary import Summary
from bmv.data.runs.wording import currencies, instant, moneys, span


def show(run_dir: Path, as_json: bool) -> None:
    """Print the summary of a run folder: a table, or with `as_json` nothing but its JSON.

    Raises `UsageError` or `DataError` as :func:`bmv.data.runs.folder.read_summary`.
    """
    summary = read_summary(run_dir)
    if as_json:
        say_json(orjson.dumps(summary, option=orjson.OPT_INDENT_2))
    else:
        Console().print(summary_table(summary))


def summary_table(summary: Summary) -> RenderableType:
    """Return what a terminal shows of a summary, as something that Rich prints; fits into 80 columns."""
    symbol = units(summary)
    parts: list[RenderableType] = [_title(summary), _money(summary)]
    if why := at(summary, "statistics", "why_nothing"):
        parts.append(Panel("\n".join(map(_plain, why)), title="why nothing", border_style="yellow", title_align="left"))
    parts.append(_columns(summary, symbol))
    if lacking := no_ratios(summary.get("statistics", {})):
        parts.append(Text(lacking, style="dim"))
    if bracket := summary.get("bracket"):
        parts.append(_bracket(bracket, symbol))
    parts += [Text(f"! {warning}", style="yellow") for warning in summary.get("warnings", [])]
    parts.append(Text(pace(summary), style="dim"))
    return Group(*parts)


def _title(summary: Summary) -> Text:
    first, last = at(summary, "first_ns"), at(summary, "last_ns")
    period = ""
    if first is not None and last is not None:
        period = f"{instant(first)} to {instant(last)} UTC, {span((last - first) / SECOND)}"
    return Text.assemble(
        (str(summary.get("symbol", "")), "bold"),
        "  ",
        (period, "dim"),
        "\ndigest ",
        (str(summary.get("digest", "")), "cyan"),
    )


def _money(summary: Summary) -> Text:
    """Return the profit as the sum that it is."""
    pnl = summary["pnl"]
    shown = {name: pnl.get(name) for name in ("net", *profit_parts(pnl))}
    words = moneys({**shown, "hold": summary.get("net_vs_hold")})
    text = Text.assemble(
        ("net ", "bold"), (words.pop("net"), _tone(pnl.get("net"))), f" {currencies(units(summary))[1]}"
    )
    hold = words.pop("hold")
    text.append(" = " + "  ".join(f"{PARTS[name]} {amount}" for name, amount in words.items()))
    return text.append(f"\nnet above holding {hold}, that is net less what the first position made")


def _columns(summary: Summary, symbol: str) -> RenderableType:
    """Return the figures in two columns of sections; those of the first line are left out."""
    first = [row for row in headline(summary) if row.unit != "quote"]
    blocks = [_block("Headline", first, symbol)]
    blocks += [_block(section.title, [row for row in section.rows if row.value is not None], symbol)
               for section in sections(summary)]  # fmt: skip
    return Columns([block for block in blocks if block.row_count], padding=(0, 3), equal=True)


def _block(title: str, rows: list[Row], symbol: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold cyan", box=None, show_header=False, padding=0)
    table.add_column(width=21)
    table.add_column(justify="right", min_width=15, overflow="fold")  # It wraps between number and unit.
    for row in rows:
        table.add_row(row.label, in_words(row, symbol))
    return table


def _bracket(bracket: Json, symbol: str) -> Grid:
    """Return what came out at the two ends of where we may have stood, first in the queue and last, and in the run."""
    names = ("queue", "net", "volume", "fills", "drawdown", "digest")
    columns = [Column(name, "left" if name in ("queue", "digest") else "right") for name in names]
    table = Grid(columns, "Bracket of belief (* this run)")
    decimals = volume_decimals(bracket)
    for queue, run in bracket.items():
        if isinstance(run, dict):
            net, volume, fills, fall = (finite(run.get(name)) for name in ("net", "volume", "fills", "max_drawdown"))
            table.add(f"{queue} *" if run.get("own") else queue,
                      in_words(Row("", net, "quote"), symbol),
                      in_words(Row("", volume, "base", "", decimals), symbol),
                      in_words(Row("", fills, "count")), in_words(Row("", fall, "share")),
                      str(run.get("digest", "")))  # fmt: skip
    return table


def _tone(amount: object) -> str:
    value = finite(amount) or 0.0
    return "bold green" if value > 0 else "bold red" if value < 0 else "bold"


def _plain(sentence: str) -> str:
    """Return `sentence` with nothing in it that Rich takes for markup."""
    return sentence.replace("[", r"\[")
