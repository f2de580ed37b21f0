"""CSV and Parquet of any shape, by the names of their columns: well-known ones by themselves, others as mapped.

A file is looked at whole before its first row is read: what its columns say together decides what its rows are (see
:mod:`bmv.data.ticks.importers.sorts`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import polars as pl

from bmv.data.files.parquet import ROW, is_parquet, parquet_batches, parquet_columns
from bmv.data.ticks.contracts import INVERSE, PAYOFF, SIZE
from bmv.data.ticks.importers.books import shape_of
from bmv.data.ticks.importers.form import Form, Options, column_of, filled, picked
from bmv.data.ticks.importers.meaning import BOUGHT, SOLD, Values, plain
from bmv.data.ticks.importers.signs import Signs
from bmv.data.ticks.importers.sorts import (
    CHANGES,
    MET,
    MIXED,
    ONE_SIDED,
    PRINTS,
    RUNGS,
    TOP,
    Facts,
    Reading,
    sort_of,
)
from bmv.data.ticks.importers.text import FALSE, TRUE, Cells, cells, first_line, refuse_many_columns, separator_of
from bmv.ports.errors import DataError, UsageError

# Options that say how a file is read, as they can be remembered.
_Frozen = tuple[
    str,
    str | None,
    tuple[tuple[str, tuple[str, ...]], ...],
    tuple[str, ...],
    tuple[str, ...] | None,
    bool | None,
    int | None,
]

# Our name -> names that it goes by, whatever stands between their words; the first that a file has is taken.
KNOWN: Mapping[str, Sequence[str]] = {
    "ts": (
        "ts",
        "ts_ns",
        "timestamp",
        "time",
        "datetime",
        "exchange_ts",
        "transact_time",
        "trade_time",
        "created_time",  # OKX.
        "created_at",  # dYdX.
        "mts",  # Bitfinex.
    ),
    "date": ("date", "day", "trade_date"),
    "kind": ("kind", "type", "event"),
    "side": ("side", "aggressor", "taker_side", "aggressor_side", "trade_side", "direction"),
    "buyer_maker": ("buyer_maker", "is_buyer_maker", "buyer_is_maker"),
    "price": ("price", "px", "last", "last_price", "trade_price"),
    "size": ("size", "qty", "quantity", "amount", "volume", "trade_size", "sz"),
    "signed_size": (),
    "bid": ("bid", "bid_price", "best_bid", "best_bid_price", "bid_px", "best_bid_px"),
    "bid_size": (
        "bid_size",
        "bid_qty",
        "bid_amount",
        "best_bid_qty",
        "best_bid_size",
        "best_bid_amount",
        "bid_sz",
        "bid_volume",
        "bid_vol",
    ),
    "ask": ("ask", "ask_price", "best_ask", "best_ask_price", "ask_px", "best_ask_px", "offer"),
    "ask_size": (
        "ask_size",
        "ask_qty",
        "ask_amount",
        "best_ask_qty",
        "best_ask_size",
        "best_ask_amount",
        "ask_sz",
        "ask_volume",
        "ask_vol",
        "offer_size",
    ),
}

# Names of a time where there is none of another name; beside one they say when it was received, or the same again.
TIMES_ALONE = ("gmt_time", "utc_time", "local_time")  # The first and the last are Dukascopy's.
# Columns with the venue's id of a trade, the likeliest first.
IDS = (
    "trade_id", "tid", "trd_match_id", "match_id", "match_number", "exec_id", "execution_id", "deal_id", "agg_trade_id",
    "trade_no", "trade_seq", "id",
)  # fmt: skip
NOTIONALS = ("size", "homenotional", "foreignnotional")  # Of Bybit's and BitMEX's trades.
OF_DYDX = {"createdat", "createdatheight", "type"}


def knows(path: Path) -> bool:
    """Know a file that names a time, and a price or a quote, in words of `KNOWN`."""
    found = _found(path, _names(path, Options()), Options())
    return "ts" in found and ("price" in found or "bid" in found)


def read(path: Path, options: Options) -> Iterator[pl.DataFrame]:
    """Yield the rows of one file, as what its columns say that they are."""
    reading = _reading(path, options)
    if is_parquet(path) and isinstance(pl.read_parquet_schema(str(path))[reading.found["ts"]], pl.Datetime):
        options = replace(options, time_unit="ns")
    named = _id_of(path, options, reading)
    with _parts(path, options, _with_asked(path, options, [*reading.found.values(), *named])) as parts:
        counted: list[bool] = []
        shape = shape_of(path, reading, "row" if is_parquet(path) else "line")
        for part in parts:
            ids = [_ids(part, named[0], counted)] if named else []
            yield filled(shape(_rows(part, reading, options).with_columns(ids)))
        if end := getattr(shape, "end", None):
            yield filled(end())


def unused(path: Path, options: Options) -> Sequence[str]:
    """Return the columns of a file that say nothing to us."""
    reading = _reading(path, options)
    used = _id_of(path, options, reading)
    return [name for name in reading.unused if name not in used]


def notes(path: Path, options: Options) -> Sequence[str]:
    """Return what the columns of a file were taken for."""
    return _reading(path, options).notes


def market(path: Path, options: Options) -> str:
    """Return the market that all rows of a file are of, where a column says it."""
    return _reading(path, options).market


def terms(path: Path) -> dict[str, str]:
    """Return that sizes are contracts of one quote each, where a row says so of its own (Bybit, BitMEX)."""
    if is_parquet(path):
        return {}
    names = {plain(name): name for name in _names(path, Options())}
    if not set(NOTIONALS) <= set(names):
        return {}
    with closing(cells(path, separator=separator_of(first_line(path)))) as parts:
        part = next(parts, None)
    if part is None or not len(part.rows):
        return {}
    size, base, quote = (part.floats(names[name].strip(), empty=True) for name in NOTIONALS)
    contracts = size.equals(quote) and not size.equals(base)
    return {PAYOFF: INVERSE, SIZE: "1"} if contracts else {}


def _reading(path: Path, options: Options) -> Reading:
    """Return how a file is read; looked at once for as long as it stays as it is."""
    if options.local_time:
        raise UsageError(f"{path}: --local-time: name the recorder's time with --column ts=NAME")
    stat = path.stat()
    stamp = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
    return _looked_at(path, stamp, tuple(sorted(options.columns.items())), _frozen(options))


def _frozen(options: Options) -> _Frozen:
    only = tuple((name, tuple(values)) for name, values in options.only.items())
    header = None if options.header is None else tuple(options.header)
    return options.time_unit, options.kind, only, tuple(options.ignore), header, options.day_first, options.unpacked_max


@lru_cache(maxsize=64)
def _looked_at(
    path: Path,
    stamp: tuple[int, int, int],
    columns: tuple[tuple[str, str], ...],
    others: _Frozen,
) -> Reading:
    time_unit, kind, only, ignore, header, day_first, unpacked_max = others
    options = Options(
        dict(columns),
        time_unit,
        kind,
        only=dict(only),
        ignore=ignore,
        header=header,
        day_first=day_first,
        unpacked_max=unpacked_max,
    )
    names = _names(path, options)
    found = _found(path, names, options)
    if "ts" not in found or not {"price", "bid", "ask"} & set(found):
        raise DataError(
            f"{path}: expected a time and a price, or a bid and an ask, among its columns {', '.join(names)}; "
            "say which they are with --column ts=NAME --column price=NAME …; a text names its columns in its first "
            "line, else --columns ts,price,size does"
        )
    rivals = _rivals(path, names, options, found)
    ours = {theirs for name, theirs in found.items() if name not in ("kind", "side", "buyer_maker")}
    ignored = _ignored(path, names, options)
    columns_ = {name: Values(name) for name in names if name not in ours and name not in ignored}
    signs = Signs()
    with _parts(path, options, _with_asked(path, options, [*ours, *columns_])) as parts:
        for part in parts:
            for pair in rivals:
                _refuse_other(part, *pair)
            for values in columns_.values():
                values.add(part.rows[values.name])
            signs.add(part, found)
    return sort_of(Facts(path, options, names, found, columns_, signs))


@contextmanager
def _parts(path: Path, options: Options, wanted: Sequence[str]) -> Iterator[Iterator[Cells]]:
    """Give the rows that are asked for in batches, all cells as text: both kinds of file are read by one rule."""
    if is_parquet(path):
        known = dict[str, str]()
        yield picked(
            (_texts(path, rows, wanted, known) for rows in parquet_batches(path, wanted, options.unpacked_max)), options
        )
        return
    header = _names(path, options) if options.header else None
    yield picked(cells(path, header, separator_of(first_line(path)), wanted, options.unpacked_max), options)


def _texts(path: Path, rows: pl.DataFrame, wanted: Sequence[str], known: dict[str, str]) -> Cells:
    return Cells(path, rows.with_columns(_as_text(path, rows.schema[name], name) for name in wanted), "row", known)


def _as_text(path: Path, kind: pl.DataType, name: str) -> pl.Expr:
    """Write a column as text, times as nanoseconds."""
    if isinstance(kind, pl.Datetime):  # With a zone or without, what is stored counts from 1970 UTC.
        held = pl.col(name).dt.year().is_between(1678, 2261)
        return pl.when(held).then(pl.col(name).dt.cast_time_unit("ns").cast(pl.Int64).cast(pl.String)).alias(name)
    if isinstance(kind, pl.Time):
        return pl.col(name).dt.to_string("%H:%M:%S%.9f")
    if kind.is_nested() or isinstance(kind, pl.Binary | pl.Object | pl.Duration):
        raise DataError(f"{path}: column '{name}' is {kind}; it should be a number, a text or a time")
    return pl.col(name).cast(pl.String)


def _names(path: Path, options: Options) -> list[str]:
    """Return the names of the columns of a file, as its first line or `options` give them."""
    if is_parquet(path):
        if options.header:
            raise UsageError(f"{path}: is Parquet, which names its columns: --columns is for texts without a header")
        return parquet_columns(path)
    line = first_line(path)
    names = [name.strip().strip('"') for name in line.split(separator_of(line))]
    refuse_many_columns(path, len(names))
    if options.header is None:
        return names
    if len(names) != len(options.header):
        given = f"{len(options.header)}: {','.join(options.header)}"
        raise DataError(f"{path}, line 1: has {len(names)} columns, --columns names {given}")
    return [
        f"column {number}" if name in ("", "_", *options.header[: number - 1]) else name
        for number, name in enumerate(options.header, 1)
    ]


def _ignored(path: Path, names: Sequence[str], options: Options) -> set[str]:
    """Return the columns that are passed over: those asked for, and those of forms whose meaning is known."""
    known = {name for name in names if plain(name) == "type"} if set(map(plain, names)) >= OF_DYDX else set()
    if options.header:
        known |= {name for name in names if name.startswith("column ")}
    # dYdX's `type` says by which sort of order a trade came, LIMIT or LIQUIDATED: all rows are trades.
    return known | {column_of(path, names, name, "--ignore") for name in options.ignore}


def _found(path: Path, names: Sequence[str], options: Options) -> dict[str, str]:
    """Return our names of the columns that there are, with theirs."""
    mapping = options.columns
    if unknown := set(mapping) - set(KNOWN):
        raise UsageError(f"--column {sorted(unknown)[0]}=…: expected one of {', '.join(KNOWN)}")
    if missing := {given for given in mapping.values() if given not in names}:
        raise DataError(f"{path}: has no column {', '.join(sorted(missing))}; it has {', '.join(names)}")
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(f"{path}: has two columns '{twice[0]}'; expected one of each name")
    ignored = _ignored(path, names, options)
    there = [name for name in names if name not in ignored]
    found = {ours: _candidates(there, ours)[0] for ours in KNOWN if _candidates(there, ours)}
    found |= _times(there, found, mapping)
    if "date" in found and "date" not in mapping and plain(found.get("ts", "")) != "time":
        del found["date"]  # The time has its day.
    if plain(found.get("ts", "")) == "mts" and "size" in found and not {"side", "size"} & {*found, *mapping} - {"size"}:
        found["signed_size"] = found.pop("size")  # Bitfinex: what was sold has a minus.
    if {"side", "buyer_maker"} & set(mapping):  # Both say one thing; that which was asked for wins.
        found = {ours: theirs for ours, theirs in found.items() if ours not in ("side", "buyer_maker")}
    return found | dict(mapping)


def _times(names: Sequence[str], found: Mapping[str, str], mapping: Mapping[str, str]) -> dict[str, str]:
    """Return the column of times where none has a name of one: of another name, or of days with their clocks."""
    if "ts" in found or "ts" in mapping:
        return {}
    alone = [name for known in TIMES_ALONE for name in names if plain(name) == plain(known)]
    alone += [found["date"]] if "date" in found else []
    return {"ts": alone[0]} if alone else {}


def _candidates(names: Sequence[str], ours: str) -> list[str]:
    """Return the columns that one of ours may be, the likeliest first."""
    known = [plain(theirs) for theirs in KNOWN[ours]]
    return sorted((name for name in names if plain(name) in known), key=lambda name: known.index(plain(name)))


def _rivals(
    path: Path, names: Sequence[str], options: Options, found: Mapping[str, str]
) -> list[tuple[str, str, str, str]]:
    """Return pairs of columns that may both be one of ours: our names of the two, and theirs."""
    passed_over = {*_ignored(path, names, options), *options.columns.values()}
    there = [name for name in names if name not in passed_over]
    rivals = [
        (ours, ours, found[ours], other)
        for ours in found
        if ours != "kind" and ours not in options.columns
        for other in _candidates(there, ours)
        if other not in found.values()
    ]
    both = "side" in found and "buyer_maker" in found
    return [*rivals, *([("side", "buyer_maker", found["side"], found["buyer_maker"])] if both else [])]


def _refuse_other(part: Cells, ours: str, others: str, one: str, other: str) -> None:
    """Refuse two columns that may both be one of ours and do not say the same in every row."""
    if part.rows[one].equals(part.rows[other], null_equal=True):
        return
    try:
        same = _meant(part, ours, one).equals(_meant(part, others, other), null_equal=True)
    except DataError:  # What is no number, or no time, is not the same.
        same = False
    if not same:
        raise DataError(
            f"{part.origin}: columns '{one}' and '{other}' may both be the {ours}, and they differ: say --column "
            f"{ours}={one}, or --ignore one of them"
        )


def _meant(part: Cells, ours: str, name: str) -> pl.Series:
    """Return a column as what it means; times to the millisecond, since one of two may be cut off there."""
    match ours:
        case "ts":
            return part.times(name) // 1_000_000
        case "side":
            return part.sides(name)
        case "buyer_maker":
            return _by_maker(part, name)
        case _:
            return part.floats(name, empty=True)


def _with_asked(path: Path, options: Options, wanted: Iterable[str]) -> list[str]:
    """Return the columns that are wanted, and those by which rows are picked."""
    names = _names(path, options) if options.only else []
    asked = [column_of(path, names, name, "--only") for name in options.only]
    return list(dict.fromkeys([*wanted, *asked]))


def _id_of(path: Path, options: Options, reading: Reading) -> list[str]:
    """Return the column of the venue's ids of its trades, if there is one."""
    if reading.sort not in (PRINTS, MET, MIXED):
        return []
    names = _names(path, options)
    passed_over = {*reading.found.values(), *_ignored(path, names, options)}
    there = [name for name in names if name not in passed_over]
    found = [name for known in IDS for name in there if plain(name) == plain(known)]
    return found[:1]


def _ids(part: Cells, name: str, counted: list[bool]) -> pl.Series:
    """Return the ids of rows; none where an `id` counts the rows of the file, from 0 or 1 on.

    A column that is named after trades holds the venue's ids, though they begin at 0 in the first days of a market.

    Args:
        counted: Whether the first id of the file said so; empty before that is known.
    """
    ids = part.rows[name].str.strip_chars()
    if not counted and len(ids):
        counted.append(plain(name) == "id" and ids[0] in ("0", "1"))
    return pl.Series("id", [None], pl.String).new_from_index(0, len(ids)) if counted[:1] == [True] else ids.alias("id")


def _rows(part: Cells, reading: Reading, options: Options) -> pl.DataFrame:
    found = reading.found
    made = {ROW: part.lines, "ts": part.times(found["ts"], options.time_unit, found.get("date"), options.day_first)}
    one_sided = reading.sort in (ONE_SIDED, CHANGES) or (reading.sort in (TOP, RUNGS) and "bid" not in found)
    for name in ("price", "size", "bid", "bid_size", "ask", "ask_size"):
        if name in found:
            made[name] = part.floats(found[name], empty=not (one_sided and name == "price"))
    if "signed_size" in found:
        signed = part.floats(found["signed_size"])
        made |= {"size": signed.abs(), "side": signed.sign().cast(pl.Int64)}
    elif "side" in found:
        made["side"] = part.words(found["side"], {BOUGHT: 1, SOLD: -1}) if one_sided else part.sides(found["side"])
    elif "buyer_maker" in found:  # A print whose buyer was the maker was sold.
        made["side"] = _by_maker(part, found["buyer_maker"])
    if "what" in found:
        text = part.rows[found["what"]].fill_null("").str.strip_chars()
        made["what"] = text.replace_strict(dict(reading.words), default=None, return_dtype=pl.String)
    if "level" in found:
        made["level"] = part.floats(found["level"]).cast(pl.Int64)
    if "snapshot" in found:
        made["snapshot"] = part.words(found["snapshot"], {TRUE: 1, FALSE: 0})
    if "update" in found:
        made["update"] = part.whole(found["update"])
    return pl.DataFrame(made)


def _by_maker(part: Cells, name: str) -> pl.Series:
    return part.words(name, {TRUE: -1, FALSE: 1, ("",): 0})


GENERIC = Form(
    "generic",
    "CSV or Parquet by the names of its columns (--column ts=time --column size=qty …)",
    knows,
    read,
    unused,
    notes=notes,
    market=market,
    terms=terms,
    heeds=frozenset({"columns", "header", "time_unit", "day_first", "kind", "only", "ignore"}),
)
