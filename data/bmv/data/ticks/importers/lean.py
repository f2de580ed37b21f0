"""Lean's tick zips, `20131007_trade.zip` and `20131007_quote.zip`: equities of the USA, crypto, forex, CFDs.

After `Common/Util/LeanData.cs` and `Data/equity/readme.md` of QuantConnect/Lean (commits c4f3c5d, 0d651cb). The day
stands in the name, times are milliseconds since midnight: of New York for equities, whose prices are in steps of
0.0001, of UTC for the others. A quote that tells one side only leaves the other as it was. No file names an aggressor;
prints that Lean calls suspicious are kept.
"""

import re
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl

from bmv.data.files.parquet import ROW
from bmv.data.ticks.calendar import YEARS, YEARS_OF_TICKS
from bmv.data.ticks.importers.form import Form, Options, filled, in_units
from bmv.data.ticks.importers.packed import DAMAGED, members
from bmv.data.ticks.importers.text import Cells, cells, first_line
from bmv.ports.errors import DataError

NAMED = re.compile(r"^(\d{8})_(trade|quote)\.zip$")
DAY_MS = 86_400_000
EQUITY_TRADE = ("time", "price", "size", "exchange", "condition", "suspicious")
EQUITY_QUOTE = ("time", "bid", "bid_size", "ask", "ask_size", "exchange", "condition", "suspicious")
CRYPTO_TRADE = ("time", "price", "size", "suspicious")
CRYPTO_QUOTE = ("time", "bid", "bid_size", "ask", "ask_size", "suspicious")
FOREX_QUOTE = ("time", "bid", "ask")

# Kind of asset, as Lean calls its folder, and kind of tick -> how few columns it has, and all of them.
COLUMNS = {
    ("equity", "trade"): (6, EQUITY_TRADE),
    ("equity", "quote"): (8, EQUITY_QUOTE),
    ("crypto", "trade"): (3, CRYPTO_TRADE),
    ("crypto", "quote"): (5, CRYPTO_QUOTE),
    ("cryptofuture", "trade"): (3, CRYPTO_TRADE),
    ("cryptofuture", "quote"): (5, CRYPTO_QUOTE),
    ("forex", "quote"): (3, FOREX_QUOTE),
    ("cfd", "quote"): (3, FOREX_QUOTE),
}
ASSETS = tuple(dict.fromkeys(asset for asset, _ in COLUMNS))
SIDES = ("bid", "bid_size", "ask", "ask_size")


class _Day(NamedTuple):
    """What a file is of: kind of asset, `trade` or `quote`, day in its time zone."""

    asset: str
    kind: str
    day: date


def knows(path: Path) -> bool:
    """Know a file by its name, and by the name of what is in it."""
    return NAMED.match(path.name) is not None and "_tick" in _member(path).lower()


def read(path: Path, options: Options) -> Iterator[pl.DataFrame]:
    """Yield the rows of one file."""
    line = first_line(path)
    of = _day(path, line)
    few, names = COLUMNS[of.asset, of.kind]
    width = len(line.split(","))
    if line and not few <= width <= len(names):
        raise DataError(f"{path}, line 1: has {width} columns; expected {','.join(names)}")
    last: tuple[float | None, ...] = (None,) * 4
    for part in cells(path, names[:width], unpacked_max=options.unpacked_max):
        if of.kind == "trade":
            yield filled(_trades(part, of))
        else:
            rows, last = _quotes(part, of, last)
            yield filled(rows)


def notes(path: Path, options: Options) -> list[str]:
    """Say what a file was taken for that lies in no folder which says it."""
    if _folders(path) != ("", ""):
        return []
    asset = _day(path, first_line(path)).asset
    zone = "of the USA, times of New York" if asset == "equity" else "times UTC"
    return [f"taken for {asset}, {zone}: no folder says what it is of"]


def _member(path: Path) -> str:
    """Return the name of what is in a zip; empty where that can't be told."""
    try:
        with zipfile.ZipFile(path) as archive:
            return members(archive)[0]
    except (*DAMAGED, OSError):
        return ""


def _day(path: Path, line: str) -> _Day:
    """Tell what a file is of, by its folders as Lean has them, else by its member and columns."""
    named, member = NAMED.match(path.name), _member(path)
    if named is None:
        raise DataError(f"{path}: expected a name such as 20131007_trade.zip, which says the day")
    if "_tick" not in member.lower():
        raise DataError(f"{path}: holds {member or 'nothing'}, which are no ticks; bars are not read")
    kind = named[2]
    if kind not in member.lower():
        raise DataError(f"{path}: holds {member}, which are no {kind}s")
    told, market = _folders(path)
    asset = told or _asset(member, kind, len(line.split(",")))
    if asset is None or (asset, kind) not in COLUMNS:
        raise DataError(
            f"{path}: cannot tell what it is of, {asset or member}; expected it to lie in a folder as Lean has it, "
            f"such as equity/usa/tick/aig; read are {', '.join(ASSETS)}"
        )
    if (asset == "equity" and market not in ("usa", "")) or market == "fxcm":
        raise DataError(f"{path}: the time zone of {market} is not known; read are equities of usa, and files in UTC")
    try:
        day = date.fromisoformat(named[1])
    except ValueError as error:
        raise DataError(f"{path}: {named[1]} is no day") from error
    if day.year not in YEARS_OF_TICKS:
        raise DataError(f"{path}: {named[1]} is no day of ticks; expected one {YEARS}")
    return _Day(asset, kind, day)


def _folders(path: Path) -> tuple[str, str]:
    """Return kind of asset and market where a file lies as Lean lays it, ASSET/MARKET/tick/SYMBOL; else nothing."""
    folders = [folder.lower() for folder in path.absolute().parts[-5:-1]]
    return (folders[0], folders[1]) if len(folders) == 4 and folders[2] == "tick" else ("", "")


def _asset(member: str, kind: str, width: int) -> str | None:
    """Return the kind of asset by how Lean names a member, and by how many columns there are."""
    if member.endswith(f"_{kind.title()}_Tick.csv"):
        return "equity"
    asset = "forex" if kind == "quote" and width == 3 else "crypto"
    few, names = COLUMNS[asset, kind]
    return asset if few <= width <= len(names) else None


def _times(part: Cells, of: _Day) -> pl.Series:
    """Return times in nanoseconds UTC; on the day that a clock is set back, those told twice are the earlier ones."""
    since = part.since_midnight("time", "ms")
    part.refuse("time", ~since.is_between(0, DAY_MS * 1_000_000), "milliseconds since midnight")
    midnight = pl.datetime(of.day.year, of.day.month, of.day.day, time_unit="ns")
    local = pl.select(midnight + pl.lit(since).cast(pl.Duration("ns"))).to_series()
    if of.asset == "equity":
        local = local.dt.replace_time_zone("America/New_York", ambiguous="earliest", non_existent="null")
        part.refuse("time", local.is_null(), "a time of New York")
    return local.cast(pl.Int64)


def _trades(part: Cells, of: _Day) -> pl.DataFrame:
    return pl.DataFrame(
        {
            ROW: part.lines,
            "ts": _times(part, of),
            "kind": pl.repeat("trade", len(part.rows), eager=True),
            "side": pl.repeat(0, len(part.rows), eager=True),
            "price": in_units(part.floats("price"), _per_unit(of)),
            "size": part.floats("size"),
        }
    )


def _quotes(part: Cells, of: _Day, last: tuple[float | None, ...]) -> tuple[pl.DataFrame, tuple[float | None, ...]]:
    """Return quotes with both sides, and both sides of the last one."""
    told = {name: part.floats(name, empty=True) for name in SIDES if part.has(name)}
    told |= {name: in_units(told[name], _per_unit(of)) for name in ("bid", "ask")}
    rows = pl.DataFrame({ROW: part.lines, "ts": _times(part, of), **told})
    rows = rows.with_columns(kind=pl.lit("quote"))
    if of.asset != "equity":
        return rows, last
    bid, ask = pl.col("bid").fill_null(0) != 0, pl.col("ask").fill_null(0) != 0
    kept = {"bid": ~bid & ask, "bid_size": ~bid & ask, "ask": ~ask & bid, "ask_size": ~ask & bid}
    # Both sides at zero are a book that is empty.
    whole = rows.with_columns(
        pl.when(~kept[name])
        .then(pl.col(name).fill_null(0))
        .forward_fill()
        .fill_null(pl.lit(before, pl.Float64))
        .alias(name)
        for name, before in zip(SIDES, last, strict=True)
    )
    return whole, tuple(whole[name][-1] for name in SIDES) if len(whole) else last


def _per_unit(of: _Day) -> float:
    return 10_000.0 if of.asset == "equity" else 1.0


LEAN = Form(
    "lean", "Lean's tick zips, 20131007_trade.zip: equities (USA), crypto, forex, CFDs", knows, read, notes=notes
)
