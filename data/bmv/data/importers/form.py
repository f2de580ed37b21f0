"""What an importer is: it knows its files when it sees them, and reads them as rows in units."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import polars as pl

from bmv.data.importers.text import first_line
from bmv.data.parquet import ROW
from bmv.ports.errors import DataError, UsageError

SHOWN = 60  # Characters of a line in a message.
SCHEMA = pl.Schema(
    {
        ROW: pl.Int64(),
        "ts": pl.Int64(),
        "kind": pl.String(),
        "side": pl.Int64(),
        **dict.fromkeys(("price", "size", "bid", "bid_size", "ask", "ask_size"), pl.Float64()),
    }
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the user says of files that don't say it themselves.

    Args:
        columns: For the generic form: our name of a column -> its name in the file.
        time_unit: `s`, `ms`, `us`, `ns`, or `auto`: told by how large the numbers are.
        kind: `trade` or `quote`, where no column says it.
        local_time: Take the time at which the recorder received a row, where a form has both.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    time_unit: str = "auto"
    kind: str | None = None
    local_time: bool = False


def all_used(path: Path, options: Options) -> Sequence[str]:
    """Return no column: all those of a form that is fixed are accounted for where it is described."""
    return ()


def no_steps(path: Path) -> tuple[Decimal, Decimal] | None:
    """Return nothing: most forms do not say what their prices and sizes are counted in."""
    return None


@dataclass(frozen=True, slots=True)
class Form:
    """A form of files.

    Args:
        name: What `--format` calls it.
        about: One line for people.
        knows: Says whether a file looks like one of these; reads no more than its beginning.
        read: Yields its rows, in the order of the file, in batches of bounded size with the columns of `SCHEMA`; `row`
            is where a row stands in its file. `DataError`, naming file and line, when a cell is not what it should be
            or the file is cut short.
        unused: Names the columns of a file that are not taken, where its form does not say so of itself.
        steps: Returns the tick size and the lot size that a file states; None where it does not.
    """

    name: str
    about: str
    knows: Callable[[Path], bool]
    read: Callable[[Path, Options], Iterator[pl.DataFrame]]
    unused: Callable[[Path, Options], Sequence[str]] = all_used
    steps: Callable[[Path], tuple[Decimal, Decimal] | None] = no_steps


def chosen(forms: Sequence[Form], path: Path, name: str | None, options: Options) -> Form:
    """Return the form called `name`, or, without a name, the first that knows the file.

    Who names columns means the generic form.
    """
    if name is None and options.columns:
        name = "generic"
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if name is not None:
        for form in forms:
            if form.name == name:
                return form
        raise UsageError(f"no format is called {name!r}; there are {', '.join(form.name for form in forms)}")
    for form in forms:
        if form.knows(path):
            return form
    raise DataError(f"{path}: in none of the forms known; {_expected(path)}")


def _expected(path: Path) -> str:
    """Say what a file that no form knows would have to be."""
    line = first_line(path)
    if not line or not line.isprintable():
        return "say which with --format"
    begins = line if len(line) <= SHOWN else f"{line[:SHOWN]}…"
    return (
        f"its first line is {begins!r}; expected the names of its columns there, such as time,price,size,side or "
        "time,bid,bid_size,ask,ask_size; say which column is which with --column ts=NAME …, or which form it has with "
        "--format"
    )


def filled(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `rows` with the columns of `SCHEMA`, in its types and order; what they lack is null."""
    return rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(kind).alias(name) for name, kind in SCHEMA.items()
    )


def in_units(whole: pl.Series, per_unit: float) -> pl.Series:
    """Return whole steps in units, each the float that its decimal is; null stays null.

    Polars divides by a number as it multiplies by the inverse of it, and 99.99 comes out as 99.99000000000001.
    """
    return whole.cast(pl.Float64) / pl.repeat(per_unit, len(whole), eager=True)
