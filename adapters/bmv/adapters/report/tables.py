"""Tables and lines of a terminal that never cut a number: what is too wide for the screen goes below one another."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import click

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table
    from rich.text import Text

UNBOUNDED = 100_000  # Columns: wider than any table.


class Column(NamedTuple):
    """What a column is called, and on which side its cells stand."""

    name: str
    justify: Literal["left", "right"] = "right"


class Grid:
    """A table for Rich: where it is wider than the screen, each row becomes a record, a line a cell.

    Args:
        columns: From left to right; in a record the cell of the first one stands above the others.
        title: Stands above the table.
    """

    def __init__(self, columns: Sequence[Column], title: str = "") -> None:
        self._columns = columns
        self._title = title
        self._rows: list[tuple[list[Text | str], str]] = []

    def add(self, *cells: "Text | str", style: str = "") -> None:
        """Add a row; one of a single cell is a heading."""
        self._rows.append(([*cells], style))

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        table = self._table()
        unbounded = options.update(max_width=UNBOUNDED)
        if console.measure(table, options=unbounded).maximum <= options.max_width:
            yield table
        else:
            yield from self._records()

    def _table(self) -> "Table":
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="dim", title=self._title or None)
        table.title_justify, table.title_style = "left", "bold cyan"
        for column in self._columns:
            table.add_column(column.name, justify=column.justify, no_wrap=True)
        for cells, style in self._rows:
            table.add_row(*cells, style=style)
        return table

    def _records(self) -> Iterator["Text"]:
        from rich.text import Text

        if self._title:
            yield Text(self._title, style="bold cyan")
        for (first, *others), style in self._rows:
            name = self._columns[0].name
            yield Text.assemble((f"{name} " if name else "", "dim"), first, style=style, overflow="fold")
            for column, cell in zip(self._columns[1:], others, strict=False):
                yield Text.assemble("    ", (f"{column.name} ", "dim"), cell, style=style, overflow="fold")


def screen_width() -> int | None:
    """Return how many columns the terminal has, or `COLUMNS` says; None in a pipe without it, which has no end."""
    wanted = os.environ.get("COLUMNS", "")
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def printable(text: str) -> str:
    """Return a text that others wrote, without the signs that a terminal would obey.

    >>> printable("SOL\\x1b[2J/USDC\\n")
    'SOL?[2J/USDC?'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def say(text: str, hanging: str = "") -> None:
    """Print a line; on a terminal that is too narrow it goes on below, between words, behind `hanging`."""
    click.echo(laid(text, screen_width(), hanging))


def laid(text: str, width: int | None, hanging: str = "") -> str:
    """Return a line as it fits into `width` columns (None: as it is), broken between words only.

    >>> laid("rows  1,234,567,890 of them", 20, "  ")
    'rows  1,234,567,890\\n  of them'
    """
    if width is None or len(text) <= width:
        return text
    lines = textwrap.wrap(text, width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def say_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in plain text; where it is wider than the terminal, each row as a record."""
    click.echo("\n".join(lines_of(columns, rows, screen_width())))


def lines_of(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Return the lines of a table, or of a record a row where the table is wider than `width` (None: without end)."""
    names = [column.name for column in columns]
    widths = [max(len(cell) for cell in cells) for cells in zip(names, *rows, strict=True)]
    if width is None or sum(widths) + 2 * (len(widths) - 1) <= width:
        return [
            "  ".join(
                cell.rjust(size) if column.justify == "right" else cell.ljust(size)
                for column, cell, size in zip(columns, row, widths, strict=True)
            ).rstrip()
            for row in (names, *rows)
        ]
    return [
        laid(f"{'' if at == 0 else '    '}{name} {cell}", width, "    ")
        for row in rows
        for at, (name, cell) in enumerate(zip(names, row, strict=True))
    ]
