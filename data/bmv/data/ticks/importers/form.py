"""What an importer is: it knows its files when it sees them, and reads them as rows in units."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import isfinite
from pathlib import Path

import polars as pl

from bmv.data.files.parquet import ROW
from bmv.data.files.path import special, unread
from bmv.data.ticks.calendar import impossible
from bmv.data.ticks.importers.meaning import plain
from bmv.data.ticks.importers.packed import unreadable
from bmv.data.ticks.importers.text import Cells, first_line
from bmv.data.ticks.schema import STAMPS
from bmv.ports.errors import DataError, UsageError

# Of venues whose files do not name their columns, by the number of these.
NAMELESS = {
    3: "; it may be Kraken's trades: --columns ts,price,size",
    5: "; it may be Gate.io's trades (time, id, price, amount, side as 1 or 2): --columns ts,_,price,size,_ reads them "
    "without their sides",
}
SHOWN = 60  # Characters of a line in a message.
SCHEMA = pl.Schema(
    {
        ROW: pl.Int64(),
        "ts": pl.Int64(),
        "kind": pl.String(),
        "side": pl.Int64(),
        **dict.fromkeys(("price", "size", "bid", "bid_size", "ask", "ask_size"), pl.Float64()),
        "id": pl.String(),
        **dict.fromkeys(STAMPS, pl.Int64()),
    }
)


def _nobody(from_ns: int, to_ns: int, why: str) -> None:
    """Hear of a gap."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user says of files that don't say it themselves.

    Args:
        columns: For the generic form: our name of a column -> its name in the file.
        time_unit: `s`, `ms`, `us`, `ns`, or `auto`: told by how large the numbers are.
        kind: `trade`, `quote` or `depth`: what all rows are.
        local_time: Take the time at which the recorder received a row, where a form has both.
        only: Column -> what must stand in it for a row to be taken; of one column any of several.
        ignore: Columns that say nothing, whatever their names.
        header: For the generic form: the names of the columns of a text whose first line does not name them.
        day_first: How `01/05/2026` is to be read; None: as its file shows, else it is refused.
        steps: Tick size and lot size, for files in whole ticks and lots that don't state them.
        unpacked_max: How many bytes a packed file may unpack to; None: as :mod:`bmv.data.files.limits` has it.
        on_gap: Is told of each hole that a file shows by itself: from when to when (nanoseconds UTC), and why.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    time_unit: str = "auto"
    kind: str | None = None
    local_time: bool = False
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ignore: Sequence[str] = ()
    header: Sequence[str] | None = None
    day_first: bool | None = None
    steps: tuple[Decimal, Decimal] | None = None
    unpacked_max: int | None = None
    on_gap: Callable[[int, int, str], None] = _nobody

    def given(self) -> dict[str, str]:
        """Return what was said: the name of each option -> how it is written."""
        flags = {"columns": "--column", "kind": "--kind", "only": "--only", "ignore": "--ignore", "header": "--columns"}
        said = {name: flag for name, flag in flags.items() if getattr(self, name)}
        said |= {"day_first": "--day-first or --month-first"} if self.day_first is not None else {}
        said |= {"time_unit": "--time-unit"} if self.time_unit != "auto" else {}
        return said | ({"local_time": "--local-time"} if self.local_time else {})


def all_used(path: Path, options: Options) -> Sequence[str]:
    """Return no column: all those of a form that is fixed are accounted for where it is described."""
    return ()


def no_notes(path: Path, options: Options) -> Sequence[str]:
    """Return nothing: most forms say of themselves what they are."""
    return ()


def no_market(path: Path, options: Options) -> str:
    """Return nothing: many forms do not say of which market they are."""
    return ""


def no_steps(path: Path) -> tuple[Decimal, Decimal] | None:
    """Return nothing: most forms do not say what their prices and sizes are counted in."""
    return None


def of_coins(path: Path) -> Mapping[str, str]:
    """Return nothing: the sizes of most forms are coins, or nothing in them says otherwise."""
    return {}


@dataclass(frozen=True, slots=True)
class Form:
    """A form of files.

    Args:
        name: What `--format` calls it.
        about: One line for people.
        knows: Says whether a file looks like one of these; reads no more than its beginning.
        read: Yields its rows, in the order of the file, in batches of bounded size with the columns of `SCHEMA`; `row`
            is where a row stands in its file. `DataError`, naming file and line, when a cell is not what it should be
            or the file is cut short. `id` is the venue's id of a trade, null where there is none; stamps are null where
            the file has none, and where the time of a row is the recorder's already.
        unused: Names the columns of a file that are not taken, where its form does not say so of itself.
        steps: Returns the tick size and the lot size that a file states; None where it does not.
        notes: Says what the columns of a file were taken for, where that is a choice.
        market: Returns the market that a file says it is of, in its own words; empty where it does not say.
        heeds: The options that it goes by; others are refused where this form is read. `local_time` is no demand: a
            form that has one time alone takes it.
        terms: Returns what a file says of its contracts (see :mod:`bmv.data.ticks.contracts`); empty: its
            sizes are coins.
        numbers: Yields prices and sizes alone, whatever is wrong with the rest of a row; None: `read` yields them.
    """

    name: str
    about: str
    knows: Callable[[Path], bool]
    read: Callable[[Path, Options], Iterator[pl.DataFrame]]
    unused: Callable[[Path, Options], Sequence[str]] = all_used
    steps: Callable[[Path], tuple[Decimal, Decimal] | None] = no_steps
    notes: Callable[[Path, Options], Sequence[str]] = no_notes
    market: Callable[[Path, Options], str] = no_market
    heeds: frozenset[str] = frozenset()
    terms: Callable[[Path], Mapping[str, str]] = of_coins
    numbers: Callable[[Path, Options], Iterator[pl.DataFrame]] | None = None


def chosen(forms: Sequence[Form], path: Path, name: str | None, options: Options) -> Form:
    """Return the form called `name`, or, without a name, the first that knows the file.

    Who names columns means the generic form. `UsageError` where an option was given that the form does not go by: it
    would be passed over in silence.
    """
    form = _chosen(forms, path, name, options)
    said = {option: flag for option, flag in options.given().items() if option not in form.heeds | {"local_time"}}
    if said:
        heeding = [other.name for other in forms if set(said) <= other.heeds]
        raise UsageError(
            f"{path}: {', '.join(said.values())} means nothing for the form {form.name}; "
            f"it is for {', '.join(heeding) or 'no form'}"
        )
    return form


def _chosen(forms: Sequence[Form], path: Path, name: str | None, options: Options) -> Form:
    if name is None and (options.columns or options.header):
        name = "generic"
    refuse_nothing(path)
    if name is not None:
        for form in forms:
            if form.name == name:
                return form
        raise UsageError(f"no format is called {name!r}; there are {', '.join(form.name for form in forms)}")
    for form in forms:
        if form.knows(path):
            return form
    raise DataError(f"{path}: in none of the forms known; {_expected(path)}")


def refuse_nothing(path: Path) -> None:
    """Raise `DataError` where there is no file, or nothing in it, or it may not be read."""
    try:
        if path.is_dir():
            raise DataError(f"{path}: is a folder; expected files, such as {path}/*.csv")
        if not path.is_file():
            raise DataError(f"{path}: {special(path) or 'no such file'}")
        with path.open("rb") as file:
            if not file.read(1):
                raise DataError(f"{path}: is empty")
    except OSError as error:
        raise unread(path, error) from error


def _expected(path: Path) -> str:
    """Say what a file that no form knows would have to be."""
    if why := unreadable(path):
        return why
    line = first_line(path)
    if not line or not line.isprintable():
        return "say which with --format"
    begins = line if len(line) <= SHOWN else f"{line[:SHOWN]}…"
    return (
        f"its first line is {begins!r}; expected the names of its columns there, such as time,price,size,side or "
        "time,bid,bid_size,ask,ask_size; say which column is which with --column ts=NAME …, what they are "
        f"where no line names them with --columns ts,price,size, or which form it has with --format{_nameless(line)}"
    )


def _nameless(line: str) -> str:
    """Say what a line of nothing but numbers may be: whose files have no names of columns, by how many those have."""
    cells = line.split(",")
    if cells[:1] == [""] or not all(cell.strip().replace(".", "", 1).isdecimal() for cell in cells):
        return ""
    return NAMELESS.get(len(cells), "")


def refuse_two_markets(paths: Sequence[Path], forms: Sequence[Form], options: Options) -> None:
    """Raise `DataError` where two files of one form say that they are of different markets."""
    first: dict[str, tuple[Path, str]] = {}
    for path, form in zip(paths, forms, strict=True):
        market = form.market(path, options)
        other, before = first.setdefault(form.name, (path, market)) if market else (path, market)
        if plain(before) != plain(market):
            raise DataError(f"{path}: is of {market}, and {other} of {before}; one import is of one market")


def column_of(path: Path, names: Sequence[str], asked: str, option: str) -> str:
    """Return the column that is asked for, as it is written in the file or in other capitals."""
    if asked in names:
        return asked
    alike = [name for name in names if plain(name) == plain(asked)]
    if len(alike) != 1:
        raise DataError(f"{path}: {option} {asked}: has no such column; it has {', '.join(names)}")
    return alike[0]


def picked(parts: Iterator[Cells], options: Options) -> Iterator[Cells]:
    """Yield the rows that are asked for by `only`; `DataError` where a file has none of them."""
    some, path = False, None
    for part in parts:
        rows, path = kept_by(part.origin, part.rows, options), part.origin
        some |= len(rows) > 0
        yield replace(part, rows=rows)
    if path is not None and not some:
        refuse_none_kept(path, options)


def kept_by(path: Path, rows: pl.DataFrame, options: Options) -> pl.DataFrame:
    """Return the rows of a batch that are asked for by `only`."""
    names = [name for name in rows.columns if name != ROW]
    for asked, values in options.only.items():
        rows = rows.filter(_is_one(rows[column_of(path, names, asked, "--only")].cast(pl.String), values))
    return rows


def refuse_none_kept(path: Path, options: Options) -> None:
    """Raise `DataError` about a file that has no row of those asked for, if any were."""
    if options.only:
        said = " ".join(f"--only {name}={value}" for name, values in options.only.items() for value in values)
        raise DataError(f"{path}: has no row for {said}")


def _is_one(column: pl.Series, values: Sequence[str]) -> pl.Series:
    """Say which cells are one of some values, written alike or the same number."""
    text = column.fill_null("").str.strip_chars()
    numbers = [float(value) for value in values if _is_number(value)]
    alike = text.is_in([value.strip() for value in values])
    return alike | text.cast(pl.Float64, strict=False).is_in(numbers).fill_null(False) if numbers else alike


def _is_number(word: str) -> bool:
    try:
        return isfinite(float(word))
    except ValueError:
        return False


def filled(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `rows` with the columns of `SCHEMA`, in its types and order; what they lack is null."""
    return rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(kind).alias(name) for name, kind in SCHEMA.items()
    )


def arrivals(ts_ns: pl.Series) -> pl.Series:
    """Return times of arrival (nanoseconds UTC); one that no tick can have is not known, and refuses no row."""
    return ts_ns.set(impossible(ts_ns), None).alias("received_ns")


def in_units(whole: pl.Series, per_unit: float) -> pl.Series:
    """Return whole steps in units, each the float that its decimal is; null stays null.

    Polars divides by a number as it multiplies by the inverse of it, and 99.99 comes out as 99.99000000000001.
    """
    return whole.cast(pl.Float64) / pl.repeat(per_unit, len(whole), eager=True)
