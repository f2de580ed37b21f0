"""Text as this program writes it: `bmv data export`, in units or whole ticks and lots; Postgres's view `bmv.ticks`.

A file of whole numbers does not say what a tick and a lot are: `--tick-size` and `--lot-size` do. Its columns have the
names of those of an export in units. Two things tell them apart: an export of whole numbers writes kinds as numbers,
and the view has columns of its own. A query of the view for some of its columns may have neither. If no number in it
has a decimal point, it may be in units too, and is refused until `--format` says which. (An export in units always
writes a decimal point.)
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from bmv.data.files.parquet import ROW
from bmv.data.ticks.importers.form import Form, Options, filled, in_units
from bmv.data.ticks.importers.text import Cells, cells, first_line, first_lines, separator_of
from bmv.data.ticks.schema import LAKE, STAMPS
from bmv.data.ticks.stamps import stamps_among
from bmv.data.ticks.units import KINDS
from bmv.ports.errors import DataError, UsageError

VIEW = ("market", "source", "epoch", "seq", "at")  # What the view `bmv.ticks` has beside the columns of the lake.
PRICES, SIZES = ("price", "bid", "ask"), ("size", "bid_size", "ask_size")
LOOKED_AT = 200  # Lines; the first of them may have no number at all.


def knows(path: Path) -> bool:
    """Know a file by its header and its first lines; `DataError` where it may be in units as well."""
    line = first_line(path)
    names = _names(line, separator := separator_of(line))
    if not set(LAKE) <= set(names):
        return False
    if set(VIEW) <= set(names):
        return True
    rows = [dict(zip(names, _names(line, separator), strict=False)) for line in first_lines(path, LOOKED_AT)[1:]]
    if any(row.get("kind", "").isdecimal() for row in rows):
        return True
    numbers = [row.get(name, "") for row in rows for name in (*PRICES, *SIZES)]
    if any(numbers) and not any("." in number for number in numbers):
        raise DataError(
            f"{path}: has bmv's own columns, and no price or size there has a decimal point: they may be whole ticks "
            "and lots, as in the view bmv.ticks, or units; say --format whole or --format export"
        )
    return False


def read(path: Path, options: Options) -> Iterator[pl.DataFrame]:
    """Yield its rows in units, by the steps that `options` say."""
    if options.steps is None:
        raise UsageError(
            f"{path}: holds whole ticks and lots, and does not say of what; --tick-size and --lot-size of "
            "`bmv data import` and `bmv data check` do"
        )
    per_tick, per_lot = (float(1 / step) for step in options.steps)
    before = dict[str, str]()
    for part in cells(path, separator=separator_of(first_line(path)), unpacked_max=options.unpacked_max):
        _refuse_several(part, before)
        made = {ROW: part.lines, "ts": part.times("ts_ns", "ns"), "kind": _kinds(part), "side": part.sides("side")}
        made |= {name: in_units(part.whole(name, empty=True), per_tick) for name in PRICES}
        made |= {name: in_units(part.whole(name, empty=True), per_lot) for name in SIZES}
        made |= _stamps(part)
        yield filled(pl.DataFrame(made))


def knows_units(path: Path) -> bool:
    """Know an export in units by its header, which has the columns of a lake, perhaps its stamps, and no others."""
    line = first_line(path)
    names = _names(line, separator_of(line))
    return names == [*LAKE, *stamps_among(names)] and not knows(path)


def read_units(path: Path, options: Options) -> Iterator[pl.DataFrame]:
    """Yield the rows of an export in units."""
    for part in cells(path, separator=separator_of(first_line(path)), unpacked_max=options.unpacked_max):
        kinds = part.column("kind").str.strip_chars().str.to_lowercase()
        made = {ROW: part.lines, "ts": part.times("ts_ns", options.time_unit), "kind": kinds}
        made |= {"side": part.sides("side"), **{name: part.floats(name, empty=True) for name in (*PRICES, *SIZES)}}
        made |= _stamps(part)
        yield filled(pl.DataFrame(made))


def _stamps(part: Cells) -> dict[str, pl.Series]:
    return {name: part.whole(name, empty=True) for name in STAMPS if part.has(name)}


def _names(line: str, separator: str) -> list[str]:
    return [name.strip().strip('"') for name in line.split(separator)]


def _refuse_several(part: Cells, before: dict[str, str]) -> None:
    """Refuse a file of several markets, or of several recorders, each of which has every trade once."""
    for name in ("market", "source"):
        if not part.has(name) or not len(part.rows):
            continue
        column = part.column(name).fill_null("")
        first = before.setdefault(name, column[0])
        part.refuse(name, column != first, f"{first}, as before: a tape is of one {name}, so select one of them")


def _kinds(part: Cells) -> pl.Series:
    number = part.words("kind", {(word, str(kind.value)): kind.value for word, kind in KINDS.items()})
    return number.replace_strict({kind.value: word for word, kind in KINDS.items()}, return_dtype=pl.String)


WHOLE = Form("whole", "CSV of bmv in whole ticks and lots: export --whole, the view bmv.ticks", knows, read)
UNITS = Form("export", "CSV of bmv in units: what bmv data export writes", knows_units, read_units)
