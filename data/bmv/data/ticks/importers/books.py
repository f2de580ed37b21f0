"""Rows of a book as they stand in a file, turned into quotes and changes of depth; what one batch ends with is known in
the next.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from bmv.data.files.parquet import ROW
from bmv.data.ticks.importers.form import filled
from bmv.data.ticks.importers.sorts import CHANGES, MET, ONE_SIDED, PRINTS, QUOTES, RUNGS, TOP, Reading
from bmv.ports.errors import DataError

Shape = Callable[[pl.DataFrame], pl.DataFrame]
BOOK = ("bid", "bid_size", "ask", "ask_size")


def shape_of(path: Path, reading: Reading, counted: str) -> "Shape":
    """Return what turns the rows of one file, batch by batch, into rows of the kinds that the lake has.

    Args:
        counted: What the file is counted in, `line` or `row`.
    """
    sort = reading.sort
    if sort in (PRINTS, QUOTES):
        return lambda rows: rows.with_columns(kind=pl.lit("trade" if sort == PRINTS else "quote"))
    if sort == MET:
        return _met
    if sort == ONE_SIDED:
        return _Top()
    if sort == TOP:
        return _Best(path, reading, counted)
    if sort == RUNGS:
        return _Ladder(path, reading, counted)
    return _Marked(reading) if sort == CHANGES else _Mixed(reading)


def _met(rows: pl.DataFrame) -> pl.DataFrame:
    """Return of each row the quote that a print met, then the print; an empty row is a print without a price."""
    price, book = pl.col("price").is_not_null(), pl.any_horizontal(pl.col("bid", "ask").is_not_null())
    quotes = rows.filter(book).select(pl.all().exclude("price", "size", "side", "kind", "id"), kind=pl.lit("quote"))
    trades = rows.filter(price | ~book).select(pl.all().exclude(BOOK, "kind"), kind=pl.lit("trade"))
    return pl.concat([filled(quotes), filled(trades)]).sort(ROW, maintain_order=True)


class _Top:
    """Turns rows of one side into quotes of both: each moves its own side, and the other stays as it was."""

    def __init__(self) -> None:
        self._last: dict[str, float | None] = dict.fromkeys(BOOK)

    def __call__(self, rows: pl.DataFrame) -> pl.DataFrame:
        own = {"bid": pl.col("side") > 0, "ask": pl.col("side") < 0}
        size = pl.col("size") if "size" in rows.columns else pl.lit(None, pl.Float64)
        # A size that was not recorded is that of its own price, and not of the one before.
        moved = rows.select(
            ROW,
            "ts",
            *(
                pl.when(own[side]).then(pl.struct(pl.col("price").alias(side), size.alias(f"{side}_size"))).alias(side)
                for side in ("bid", "ask")
            ),
        ).with_columns(pl.col("bid", "ask").forward_fill())
        quotes = moved.select(ROW, "ts", *(self._sides(moved, side, name) for side, name in _NAMES))
        if len(quotes):
            self._last = {name: quotes[name][-1] for name in BOOK}
        return quotes.with_columns(kind=pl.lit("quote"))

    def _sides(self, moved: pl.DataFrame, side: str, name: str) -> pl.Expr:
        before = pl.lit(self._last[name], pl.Float64)
        return pl.when(pl.col(side).is_null()).then(before).otherwise(pl.col(side).struct.field(name)).alias(name)


_NAMES = (("bid", "bid"), ("bid", "bid_size"), ("ask", "ask"), ("ask", "ask_size"))


class _Best:
    """Takes the best level of a book by level, and sees that deeper ones are worse."""

    def __init__(self, path: Path, reading: Reading, counted: str) -> None:
        self._path, self._counted, self._top = path, counted, reading.top
        self._wide = {"bid", "ask"} <= set(reading.found)
        self._one_sided = _Top()

    def __call__(self, rows: pl.DataFrame) -> pl.DataFrame:
        _refuse_better_below(self._path, self._counted, rows, self._wide)
        best = rows.filter(pl.col("level") == self._top)
        return best.with_columns(kind=pl.lit("quote")) if self._wide else self._one_sided(best)


def _refuse_better_below(path: Path, counted: str, rows: pl.DataFrame, wide: bool) -> None:
    """Raise `DataError` where a deeper level of one book is better than the one above it.

    Neighbours in the file are compared, from the top down or from the bottom up, as most of its rows go.
    """
    order = pl.lit(0) if wide else pl.col("side")
    rows = rows.with_columns(order=order).sort("order", maintain_order=True)
    same = (pl.col("ts") == pl.col("ts").shift(1)) & (pl.col("order") == pl.col("order").shift(1))
    deeper = pl.col("level") - pl.col("level").shift(1)
    steps = rows.select(down=(same & (deeper > 0)).sum(), up=(same & (deeper < 0)).sum()).row(0)
    way = 1 if steps[0] >= steps[1] else -1
    if wide:
        better = (way * (pl.col("bid") - pl.col("bid").shift(1)) >= 0) | (
            way * (pl.col("ask") - pl.col("ask").shift(1)) <= 0
        )
    else:
        better = way * (pl.col("price") - pl.col("price").shift(1)) * pl.col("side") >= 0
    odd = rows.filter(same & (way * deeper > 0) & better.fill_null(False)).sort(ROW)
    if len(odd):
        raise DataError(
            f"{path}, {counted} {odd[ROW][0]}: level {odd['level'][0]} and the one above it are in the wrong order: is "
            "the column a level of a book, numbered from the best price? --ignore it if it is none"
        )


@dataclass(slots=True)
class _Rungs:
    """One snapshot of a book by level: its last row, its time, and (side, level) -> price and size."""

    row: int = 0
    ts: int | None = None
    levels: dict[tuple[int, int], tuple[float, float]] = field(default_factory=dict)
    seen: set[tuple[int, int]] = field(default_factory=set)


class _Ladder:
    """Turns snapshots of a book by level into changes of depth: what is there no more goes, then what is new comes.

    The first snapshot empties the book. Each snapshot must begin at the best level and leave none out; a feed of single
    changed levels would be read as a thin book.
    """

    def __init__(self, path: Path, reading: Reading, counted: str) -> None:
        self._path, self._counted, self._top = path, counted, reading.top
        self._wide = {"bid", "ask"} <= set(reading.found)
        self._open, self._shown, self._begun = _Rungs(), dict[tuple[int, float], float](), False

    def __call__(self, rows: pl.DataFrame) -> pl.DataFrame:
        _refuse_better_below(self._path, self._counted, rows, self._wide)
        return _as_depth([change for rung in self._rungs(rows) for change in self._told(rung)])

    def end(self) -> pl.DataFrame:
        """Return the changes of the last snapshot, which nothing came after."""
        return _as_depth(list(self._changes()))

    def _rungs(self, rows: pl.DataFrame) -> Iterator[tuple[int, int, int, int, float | None, float | None]]:
        """Yield row, time, side, level, price and size of each level."""
        if not self._wide:
            names = [ROW, "ts", "side", "level", "price", "size"]
            yield from rows.select(names).iter_rows()
            return
        for row, ts, level, bid, bid_size, ask, ask_size in rows.select(ROW, "ts", "level", *BOOK).iter_rows():
            yield row, ts, 1, level, bid, bid_size
            yield row, ts, -1, level, ask, ask_size

    def _told(
        self, rung: tuple[int, int, int, int, float | None, float | None]
    ) -> Sequence[tuple[int, int, int, float, float]]:
        """Put a level into the snapshot that it is of; return the changes of the one before if it ended."""
        row, ts, side, level, price, size = rung
        changes: Sequence[tuple[int, int, int, float, float]] = ()
        if ts != self._open.ts or (side, level) in self._open.seen:
            changes = list(self._changes())
            self._open = _Rungs(ts=ts)
        self._open.row = row
        self._open.seen.add((side, level))
        if price and size:
            self._open.levels[side, level] = price, size
        return changes

    def _changes(self) -> Iterator[tuple[int, int, int, float, float]]:
        """Yield how the open snapshot differs from what was shown: row, time, side, price and size."""
        row, ts = self._open.row, self._open.ts
        if ts is None:
            return
        self._refuse_gaps()
        if not self._begun:
            yield row, ts, 0, 0.0, 0.0
            self._begun = True
        new = {(side, price): size for (side, _), (price, size) in self._open.levels.items()}
        for side, price in [key for key in self._shown if key not in new]:
            yield row, ts, side, price, 0.0
        for (side, price), size in new.items():
            if self._shown.get((side, price)) != size:
                yield row, ts, side, price, size
        self._shown = new

    def _refuse_gaps(self) -> None:
        for side in (1, -1):
            levels = sorted(level for one, level in self._open.seen if one == side)
            if levels != list(range(self._top, self._top + len(levels))):
                raise DataError(
                    f"{self._path}, {self._counted} {self._open.row}: the book of this time has the levels "
                    f"{', '.join(map(str, levels))}; depth is read from whole snapshots, level {self._top} first"
                )


def _as_depth(changes: Sequence[tuple[int, int, int, float, float]]) -> pl.DataFrame:
    schema = {ROW: pl.Int64, "ts": pl.Int64, "side": pl.Int64, "price": pl.Float64, "size": pl.Float64}
    return pl.DataFrame(changes, schema, orient="row").with_columns(kind=pl.lit("depth"))


class _Marked:
    """Turns changes of levels into depth: a snapshot first empties the book, what is deleted has size 0.

    A change that is older than the snapshot above it, by the numbers of their last updates, is in the snapshot already
    and left out, as venues ask of whoever keeps their book.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._snap: bool = False
        self._key: int | None = None
        self._of_snapshot: int | None = None

    def __call__(self, rows: pl.DataFrame) -> pl.DataFrame:
        kinds = {"side": pl.Int64, "price": pl.Float64, "size": pl.Float64}
        missing = {name: kind for name, kind in kinds.items() if name not in rows.columns}
        rows = rows.with_columns(pl.lit(None, kind).alias(name) for name, kind in missing.items())  # Bad rows, each.
        snap, gone = pl.lit(False), pl.lit(False)
        if "what" in rows.columns:
            snap, gone = pl.col("what") == "snap", pl.col("what") == "gone"
        if "snapshot" in rows.columns:
            snap |= pl.col("snapshot") == 1
        key = "update" if "update" in rows.columns else "ts"
        rows = rows.with_columns(snap=snap, size=pl.when(gone).then(0.0).otherwise(pl.col("size")))
        before = pl.col("snap").shift(1, fill_value=self._snap) & (
            pl.col(key) == pl.col(key).shift(1, fill_value=pl.lit(self._key, pl.Int64))
        ).fill_null(False)
        rows = rows.with_columns(begins=pl.col("snap") & ~before)
        if len(rows):
            self._snap, self._key = rows["snap"][-1], rows[key][-1]
        return self._with_clears(self._fresh(rows) if key == "update" else rows)

    def _fresh(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Leave out changes that are older than the snapshot above them."""
        of = pl.when("snap").then("update").forward_fill().fill_null(pl.lit(self._of_snapshot, pl.Int64))
        rows = rows.with_columns(of=of)
        if len(rows):
            self._of_snapshot = rows["of"][-1]
        return rows.filter(pl.col("snap") | ~(pl.col("update") < pl.col("of")).fill_null(False))

    def _with_clears(self, rows: pl.DataFrame) -> pl.DataFrame:
        clear = rows.filter("begins").with_columns(side=pl.lit(0, pl.Int64), price=pl.lit(0.0), size=pl.lit(0.0))
        both = pl.concat([clear, rows]).sort(ROW, maintain_order=True)
        return both.with_columns(kind=pl.lit("depth"))


class _Mixed:
    """Turns rows whose kind a column says: prints, quotes of both sides or of one, changes of depth."""

    def __init__(self, reading: Reading) -> None:
        self._wide = {"bid", "ask"} <= set(reading.found)
        self._depth, self._top = _Marked(reading), _Top()

    def __call__(self, rows: pl.DataFrame) -> pl.DataFrame:
        what = pl.col("what")
        quotes = rows.filter(what == "quote")
        quotes = quotes.with_columns(kind=pl.lit("quote")) if self._wide else self._top(quotes)
        depths = rows.filter(~what.is_in(["trade", "quote"]))
        parts = [
            filled(rows.filter(what == "trade").with_columns(kind=pl.lit("trade"))),
            filled(quotes),
            filled(self._depth(depths)) if len(depths) else filled(depths),
        ]
        return pl.concat(parts).sort(ROW, maintain_order=True)
