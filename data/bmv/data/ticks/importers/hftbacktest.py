"""hftbacktest's npz (or npy): one array of events, in the layout that its version 2 reads.

After `hftbacktest/types.py` and `hftbacktest/data` of hftbacktest 2.4.4. A file may tell each event twice, once for the
venue and once for the recorder; those of one clock are taken, and the others left. Depth of single orders (its level 3)
is refused.
"""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bmv.data.files.limits import HEADER_BYTES_MAX, PIECE_BYTES, RECORD_BYTES_MAX, in_words
from bmv.data.files.parquet import BATCH_ROWS, ROW
from bmv.data.ticks.calendar import refuse_impossible
from bmv.data.ticks.importers.form import Form, Options, arrivals, filled
from bmv.data.ticks.importers.packed import DAMAGED, Unpacked, member_of, members
from bmv.data.ticks.importers.times import in_ns, unit_of
from bmv.ports.errors import DataError

EXCHANGE, LOCAL, BUY, SELL = 1 << 31, 1 << 30, 1 << 29, 1 << 28
WHAT = 0xFF
DEPTH, TRADE, CLEAR, SNAPSHOT, BEST = 1, 2, 3, 4, 5
FIELDS = {"ev": "iu", "exch_ts": "iu", "local_ts": "iu", "px": "f", "qty": "f"}
MAGIC = b"\x93NUMPY"
LENGTH_BYTES = {(1, 0): 2, (2, 0): 4}  # Version of a header -> how many bytes say its length.
PARTS_MAX = 1_000  # Frames of a few rows that are held at once.
LEVELS_MAX = 1_000_000  # That a book shows at once; what is shown is held.
Rows = NDArray[Any]  # Any: a record array of `FIELDS`, whose type NumPy does not know before the file is read.


@dataclass(slots=True)
class _Book:
    """What was shown up to here, by which a clearing or one side of a best quote is told in the lake's words.

    Args:
        shown: Side -> price -> size; a size of 0 is none.
        best: Side -> price and size of the last `BEST` event.
    """

    shown: dict[int, dict[float, float]] = field(default_factory=lambda: {1: {}, -1: {}})
    best: dict[int, tuple[float | None, float | None]] = field(
        default_factory=lambda: dict.fromkeys((1, -1), (None, None))
    )


def knows(path: Path) -> bool:
    """Know a file by how it begins: an npy, or a zip whose first member is one."""
    try:
        with _opened(path) as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except DataError:
        return False


def read(path: Path, options: Options) -> Iterator[pl.DataFrame]:
    """Yield its rows by the venue's clock, or by the recorder's if `options` say so."""
    mark, clock = (LOCAL, "local_ts") if options.local_time else (EXCHANGE, "exch_ts")
    book, unit, taken = _Book(), options.time_unit, False
    for start, part in _parts(path, options.unpacked_max):
        events = pl.DataFrame(
            {
                ROW: np.arange(start, start + len(part)),
                "event": part["ev"].astype(np.uint64, casting="unsafe"),
                "ts": pl.Series(part[clock].astype(np.int64, casting="unsafe")),
                "price": part["px"].astype(np.float64),
                "size": part["qty"].astype(np.float64),
                "received_ns": None if options.local_time else pl.Series(part["local_ts"].astype(np.int64)),
            },
            schema_overrides={"received_ns": pl.Int64},
        ).filter(pl.col("event") & mark != 0)
        if not len(events):
            continue
        taken, unit = True, unit_of(events["ts"], unit)
        refuse_impossible(path, events[ROW], events["ts"], clock, unit)
        events = events.with_columns(
            in_ns(events["ts"], unit),
            arrivals(in_ns(events["received_ns"], unit)),
            what=pl.col("event") & WHAT,
            side=_side(),
        )
        yield filled(_told(path, events, book))
    if not taken and _rows(path):
        raise DataError(f"{path}: no event is marked as the {'recorder' if options.local_time else 'venue'}'s")


def _side() -> pl.Expr:
    event = pl.col("event")
    return pl.when(event & BUY != 0).then(1).when(event & SELL != 0).then(-1).otherwise(0)


def _told(path: Path, events: pl.DataFrame, book: _Book) -> pl.DataFrame:
    what = pl.col("what")
    if len(odd := events.filter(~what.is_in([DEPTH, TRADE, CLEAR, SNAPSHOT, BEST]))):
        raise DataError(
            f"{path}, row {odd[ROW][0]}: event {odd['what'][0]} is no trade, and no change of depth by price; "
            "single orders are not read"
        )
    if len(both := events.filter(pl.col("event") & (BUY | SELL) == BUY | SELL)):
        raise DataError(f"{path}, row {both[ROW][0]}: event is marked as bought and as sold; expected one of them")
    trades = events.filter(what == TRADE).with_columns(kind=pl.lit("trade"))
    depths = _depths(path, events.filter(what.is_in([DEPTH, SNAPSHOT, CLEAR])), book)
    quotes = _quotes(events.filter(what == BEST), book)
    return pl.concat([filled(trades), filled(depths), filled(quotes)]).sort(ROW, maintain_order=True)


def _depths(path: Path, events: pl.DataFrame, book: _Book) -> pl.DataFrame:
    """Return changes of levels; of one side, a clearing up to a price is told as each level that it empties."""
    parts, start = [], 0
    for at in events.with_row_index("at").filter(pl.col("what") == CLEAR)["at"].to_list():
        parts += [_shown(events[start:at], book), _emptied(events[at : at + 1], book)]
        start = at + 1
        parts = [pl.concat(parts, rechunk=True)] if len(parts) > PARTS_MAX else parts
    whole = pl.concat([*parts, _shown(events[start:], book)])
    for side, levels in book.shown.items():
        book.shown[side] = {price: size for price, size in levels.items() if size > 0}
        if len(book.shown[side]) > LEVELS_MAX:
            raise DataError(f"{path}: shows more than {LEVELS_MAX:,} levels of one side of its book at once")
    return whole.with_columns(kind=pl.lit("depth"))


def _shown(events: pl.DataFrame, book: _Book) -> pl.DataFrame:
    for side, levels in book.shown.items():
        of_side = events.filter(pl.col("side") == side)
        levels.update(zip(of_side["price"].to_list(), of_side["size"].to_list(), strict=True))
    return events


def _emptied(clear: pl.DataFrame, book: _Book) -> pl.DataFrame:
    event = clear.row(0, named=True)
    side, bound = event["side"], event["price"]
    if side == 0:
        for levels in book.shown.values():
            levels.clear()
        return clear.with_columns(price=pl.lit(0.0), size=pl.lit(0.0))
    levels = book.shown[side]
    # A bound that is no number means the whole side.
    gone = [p for p, size in levels.items() if size > 0 and (not np.isfinite(bound) or side * (p - bound) >= 0)]
    gone.sort(reverse=side > 0)
    levels.update(dict.fromkeys(gone, 0.0))
    return pl.concat([clear] * len(gone) or [clear[:0]]).with_columns(
        pl.Series("price", gone, pl.Float64), size=pl.lit(0.0)
    )


def _quotes(events: pl.DataFrame, book: _Book) -> pl.DataFrame:
    """Return best quotes; two sides told at one time, one after the other, are one change."""
    if not len(events):
        return events
    made = events
    for side, name in ((1, "bid"), (-1, "ask")):
        price, size = book.best[side]
        own = pl.col("side") == side
        made = made.with_columns(
            pl.when(own).then(pl.col("price")).forward_fill().fill_null(pl.lit(price, pl.Float64)).alias(name),
            pl.when(own).then(pl.col("size")).forward_fill().fill_null(pl.lit(size, pl.Float64)).alias(f"{name}_size"),
        )
        book.best[side] = made[name][-1], made[f"{name}_size"][-1]
    follows = (pl.col("ts").shift(-1) == pl.col("ts")) & (pl.col("side").shift(-1) == -pl.col("side"))
    follows &= pl.col(ROW).shift(-1) == pl.col(ROW) + 1
    whole = made.filter(~follows.fill_null(False))
    return whole.select(ROW, "ts", "bid", "bid_size", "ask", "ask_size", "received_ns", kind=pl.lit("quote"))


def _parts(path: Path, unpacked_max: int | None) -> Iterator[tuple[int, Rows]]:
    """Yield the array in batches, with the number of the first row of each."""
    with _opened(path, unpacked_max) as stream:
        rows, kind = _header(path, stream)
        at_once = min(BATCH_ROWS, max(1, PIECE_BYTES // kind.itemsize))
        for start in range(0, rows, at_once):
            count = min(at_once, rows - start)
            with _whole(path):
                read = stream.read(count * kind.itemsize)
            if len(read) < count * kind.itemsize:
                raise DataError(f"{path}: cut short in row {start + len(read) // kind.itemsize:,} of {rows:,}")
            yield start, np.frombuffer(read, kind)
        with _whole(path):
            if stream.read(1):
                raise DataError(f"{path}: goes on after its {rows:,} rows")


def _rows(path: Path) -> int:
    """Return how many rows the array says that it has."""
    with _opened(path) as stream:
        return _header(path, stream)[0]


def _header(path: Path, stream: Unpacked) -> tuple[int, np.dtype[Any]]:  # Any: as for `Rows`.
    with _whole(path):
        version = np.lib.format.read_magic(io.BytesIO(stream.read(np.lib.format.MAGIC_LEN)))
        if version not in LENGTH_BYTES:
            raise DataError(f"{path}: is an npy of version {version}; 1.0 and 2.0 are read")
        length = stream.read(LENGTH_BYTES[version])
        if int.from_bytes(length, "little") > HEADER_BYTES_MAX:
            raise DataError(f"{path}: its header is longer than {in_words(HEADER_BYTES_MAX)}, the most that it may be")
        header = io.BytesIO(length + stream.read(int.from_bytes(length, "little")))
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(header)
    if kind.names is None or kind.hasobject or len(shape) != 1:
        raise DataError(
            f"{path}: is an array of shape {shape} and type {kind}; expected events with the fields "
            f"{', '.join(FIELDS)}, as hftbacktest 2 has them (it turns files of version 1 into those itself)"
        )
    for name, kinds in FIELDS.items():
        if name not in kind.names or kind[name].kind not in kinds:
            found = kind[name] if name in kind.names else "missing"
            raise DataError(
                f"{path}: field '{name}' is {found}; expected {'a float' if kinds == 'f' else 'an integer'}"
            )
    if kind.itemsize > RECORD_BYTES_MAX:
        raise DataError(
            f"{path}: its records take {in_words(kind.itemsize)} each; expected no more than "
            f"{in_words(RECORD_BYTES_MAX)}"
        )
    return shape[0], kind


@contextmanager
def _opened(path: Path, unpacked_max: int | None = None) -> Iterator[Unpacked]:
    """Open an npy, or that member of an npz which is called `data`, or is the only one."""
    with _whole(path):
        if not zipfile.is_zipfile(path):
            if path.suffix == ".npz":
                raise DataError(f"{path}: damaged or cut short: no zip file")
            with path.open("rb") as stream:
                yield Unpacked(path, stream, path.stat().st_size)
            return
        with zipfile.ZipFile(path) as archive:
            names = members(archive)
            if "data.npy" not in names and len(names) != 1:
                raise DataError(f"{path}: expected an array called data, found {', '.join(names) or 'none'}")
            with member_of(path, archive, "data.npy" if "data.npy" in names else names[0], unpacked_max) as stream:
                yield stream


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """Turn what goes wrong while bytes are unpacked, and read as a header, into a `DataError`."""
    try:
        yield
    except (*DAMAGED, OSError, SyntaxError, TypeError, OverflowError, MemoryError) as error:
        raise DataError(f"{path}: damaged or cut short: {str(error) or type(error).__name__}") from error


HFTBACKTEST = Form(
    "hftbacktest",
    "hftbacktest's npz of version 2: trades, depth by price, best quotes",
    knows,
    read,
    heeds=frozenset({"time_unit"}),
)
