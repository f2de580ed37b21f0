"""Ticks as MetaTrader 5 exports them: `<DATE> <TIME> <BID> <ASK> <LAST> <VOLUME> <FLAGS>`, set apart by tabs.

After the reference of MQL5, MqlTick (https://www.mql5.com/en/docs/constants/structures/mqltick): an empty cell is a
value that has not changed, and the flags say what has: 2 the bid, 4 the ask, 8 the price of the last deal, 16 its
volume; 32 says that the deal was bought, 64 that it was sold. Times are those of the broker's server, whose zone the
file does not say; they are taken for UTC. Sizes at the bid and the ask are not recorded. A row that tells of a deal and
of the book is a trade, then a quote: the deal met the book that stood before it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from bmv.data.files.parquet import ROW
from bmv.data.ticks.importers.form import Form, Options, filled
from bmv.data.ticks.importers.text import Cells, cells, first_line, separator_of
from bmv.ports.errors import DataError

TICKS = ("<DATE>", "<TIME>", "<BID>", "<ASK>")
BARS = "<OPEN>"
VALUES = {"bid": "<BID>", "ask": "<ASK>", "price": "<LAST>", "size": "<VOLUME>"}
BOOK, DEAL, BOUGHT, SOLD = 2 | 4, 8 | 16 | 32 | 64, 32, 64


def knows(path: Path) -> bool:
    """Know a file by its header; bars have one that begins the same."""
    names = _names(path)
    return tuple(names[:2]) == TICKS[:2] and ("<BID>" in names or BARS in names)


def read(path: Path, options: Options) -> Iterator[pl.DataFrame]:
    """Yield its rows."""
    names = _names(path)
    if BARS in names:
        raise DataError(f"{path}: holds bars ({', '.join(names)}); export ticks, with {', '.join(TICKS)}")
    if lacking := [name for name in TICKS if name not in names]:
        raise DataError(f"{path}, line 1: expected a column {lacking[0]}; it has {', '.join(names)}")
    last: Mapping[str, float | None] = dict.fromkeys(VALUES)
    for part in cells(path, separator=separator_of(first_line(path)), unpacked_max=options.unpacked_max):
        rows, last = _rows(part, last)
        yield filled(rows)


def _names(path: Path) -> list[str]:
    line = first_line(path)
    return [name.strip() for name in line.split(separator_of(line))]


def _rows(part: Cells, last: Mapping[str, float | None]) -> tuple[pl.DataFrame, Mapping[str, float | None]]:
    """Return trades and quotes, and the values that stand after the last row."""
    values = {ours: part.floats(theirs, empty=True) for ours, theirs in VALUES.items() if part.has(theirs)}
    rows = pl.DataFrame({ROW: part.lines, "ts": part.times("<TIME>", day="<DATE>"), "flags": _flags(part, values)})
    filled_up = [
        values[name].fill_null(strategy="forward").fill_null(last[name]).alias(name)
        if last[name] is not None
        else values[name].fill_null(strategy="forward").alias(name)
        for name in values
    ]
    rows = rows.with_columns(filled_up)
    flags = pl.col("flags")
    bought, sold = (flags & BOUGHT) != 0, (flags & SOLD) != 0
    side = pl.when(bought & ~sold).then(1).when(sold & ~bought).then(-1).otherwise(0)
    trades = rows.filter((flags & DEAL) != 0).with_columns(kind=pl.lit("trade"), side=side)
    quotes = rows.filter((flags & BOOK) != 0).with_columns(kind=pl.lit("quote"))
    both = [
        filled(trades.drop("bid", "ask")),
        filled(quotes.drop("price", "size", strict=False)),
    ]
    after = {name: rows[name][-1] if name in rows.columns and len(rows) else last[name] for name in VALUES}
    return pl.concat(both).sort(ROW, maintain_order=True), after


def _flags(part: Cells, values: Mapping[str, pl.Series]) -> pl.Series:
    """Return what has changed in each row: as the flags say, else as the cells that are not empty do."""
    if part.has("<FLAGS>"):
        return part.whole("<FLAGS>")
    frame = pl.DataFrame(values)
    told = {name: pl.col(name).is_not_null() for name in frame.columns}
    book = pl.when(told["bid"] | told["ask"]).then(BOOK).otherwise(0)
    deal = pl.when(pl.col("size") > 0).then(DEAL).otherwise(0) if "size" in told else pl.lit(0)
    return frame.select((book | deal).cast(pl.Int64).alias("flags")).to_series()


METATRADER = Form("metatrader", "ticks as MetaTrader 5 exports them: <DATE>, <TIME>, <BID>, <ASK>, …", knows, read)
