"""Databento's DBN (.dbn, .dbn.zst): schemas trades, tbbo, mbp-1 and the top of mbp-10.

Records after databento-dbn 0.72.0 and https://databento.com/docs/schemas-and-data-formats: prices are in steps of 1e-9,
the side of a trade is its aggressor's (B bought, A sold), and the book that a trade carries is the one before it. In
tbbo that book is told as a quote before the trade; in mbp-1 and mbp-10 it was told already. The package decodes: it is
an extra, `pip install 'bmv[databento]'`.
"""

from collections.abc import Iterator, Sequence
from os import SEEK_END
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bmv.data.files.limits import too_large, unpacked_max
from bmv.data.files.parquet import ROW
from bmv.data.ticks.calendar import refuse_impossible
from bmv.data.ticks.importers.form import Form, Options, arrivals, filled, in_units
from bmv.ports.errors import DataError, UsageError

CHUNK_BYTES = 1 << 20
BLOCKS = 32  # Of Zstandard: 4 MB.
MAGIC, ZSTD = b"DBN", b"\x28\xb5\x2f\xfd"
UNDEFINED = 2**63 - 1
SIDES = {ord("B"): 1, ord("A"): -1, ord("N"): 0}
TRADE = ord("T")
ACTIONS = tuple(map(ord, "ACMRTFN"))  # Add, cancel, modify, clear, trade, fill, none.
QUOTED = ("tbbo", "mbp-1", "mbp-10")
RTYPES = {"trades": 0, "tbbo": 1, "mbp-1": 1, "mbp-10": 10}
ASIDE = (21, 22, 23)  # Errors, names of symbols and notices, which stand between the records of a live session.

# The head that all these records begin with, and the best level that those with a book go on with.
HEAD = [
    ("length", "u1"), ("rtype", "u1"), ("publisher_id", "<u2"), ("instrument_id", "<u4"), ("ts_event", "<u8"),
    ("price", "<i8"), ("size", "<u4"), ("action", "u1"), ("side", "u1"), ("flags", "u1"), ("depth", "u1"),
    ("ts_recv", "<u8"), ("ts_in_delta", "<i4"), ("sequence", "<u4"),
]  # fmt: skip
TOP = [("bid", "<i8"), ("ask", "<i8"), ("bid_size", "<u4"), ("ask_size", "<u4")]
Records = NDArray[Any]  # Any: a record array of `HEAD` and `TOP`.


def knows(path: Path) -> bool:
    """Know a file by how it begins; of a packed one, by its name too."""
    with path.open("rb") as file:
        start = file.read(4)
    return start[:3] == MAGIC or (start == ZSTD and path.name.endswith((".dbn.zst", ".dbn.zstd")))


def read(path: Path, options: Options) -> Iterator[pl.DataFrame]:
    """Yield its rows by the venue's time, or by that at which it was received, if `options` say so."""
    clock = "ts_recv" if options.local_time else "ts_event"
    schema, row, before = "", 0, None
    for schema, records in _records(path, options.unpacked_max):
        before = _one_market(path, records, schema, before)
        rows = filled(_told(path, records, schema, row, clock))
        refuse_impossible(path, rows[ROW], rows["ts"], clock)
        yield rows
        row += len(records)


def _records(path: Path, asked: int | None) -> Iterator[tuple[str, Records]]:
    """Yield the records of a file, a megabyte at a time, with the name of their schema."""
    package = _package()
    with path.open("rb") as file:
        packed = file.read(4) == ZSTD
        chunks = _chunks(path, file) if packed else range(CHUNK_BYTES, path.stat().st_size + CHUNK_BYTES, CHUNK_BYTES)
        most, count, begin = unpacked_max(path, asked), 0, 0
        decoder = package.DBNDecoder(
            compression=package.Compression.ZSTD if packed else package.Compression.NONE,
            upgrade_policy=package.VersionUpgradePolicy.AS_IS,
        )
        schema = ""
        for end in chunks:
            file.seek(begin)
            found = _decoded(path, decoder, file.read(end - begin))
            begin = end
            if not schema and found:
                schema, found = _schema(path, package, found[0]), found[1:]
            if found and len(records := _as_array(path, found, schema)):
                count += records.nbytes
                if packed and count > most:
                    raise too_large(path, most)
                yield schema, records
        if not schema or decoder.buffer():
            raise DataError(f"{path}: damaged or cut short: ends within {'a record' if schema else 'its first lines'}")


def _decoded(path: Path, decoder: Any, chunk: bytes) -> list[Any]:  # Any: the package's, whose types are not known.
    try:
        return list(decoder.write_and_decode(chunk))
    except (
        BaseException
    ) as error:  # A panic within the package is no `Exception`, and its class has no place to import.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            cause = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DataError(f"{path}: damaged, or no DBN: {cause}") from error
        raise


def _chunks(path: Path, file: IO[bytes]) -> list[int]:
    """Return where a file of Zstandard (RFC 8878) may be cut, so that no part unpacks to more than `BLOCKS` blocks.

    A block unpacks to 128 kB at most. `DataError` where the file does not end as its last block does, which its decoder
    does not ask.
    """
    ends = list(_block_ends(file))
    if not ends or ends[-1] != path.stat().st_size:
        raise DataError(f"{path}: damaged or cut short: its last block is missing")
    return [*ends[BLOCKS - 1 : -1 : BLOCKS], ends[-1]]


def _block_ends(file: IO[bytes]) -> Iterator[int]:
    """Yield where each block and each frame ends, as far as they are whole."""
    size, at = file.seek(0, SEEK_END), 0
    while at < size:
        file.seek(at)
        head = file.read(8)
        if head[1:4] == b"\x2a\x4d\x18" and len(head) == 8:  # A frame that is to be skipped.
            at += 8 + int.from_bytes(head[4:], "little")
            yield at
            continue
        if head[:4] != ZSTD or len(head) < 5:
            return
        sizes, single, checksum, dictionary = head[4] >> 6, head[4] >> 5 & 1, head[4] >> 2 & 1, head[4] & 3
        at += 5 + (1 - single) + (0, 1, 2, 4)[dictionary] + (single, 2, 4, 8)[sizes]
        last = False
        while not last:
            file.seek(at)
            block = int.from_bytes(start := file.read(3), "little")
            last, run = bool(block & 1), block >> 1 & 3 == 1
            at += 3 + (1 if run else block >> 3)
            if len(start) < 3 or at > size:
                return
            yield at
        at += 4 * checksum
        yield at


def _package() -> Any:  # Any: the package is optional, so that its types are not known here.
    try:
        import databento_dbn
    except ImportError as error:
        raise UsageError(
            "files of Databento are read by the package databento-dbn: pip install 'bmv[databento]'"
        ) from error
    return databento_dbn


def _schema(path: Path, package: Any, metadata: Any) -> str:  # Any: as above.
    if not isinstance(metadata, package.Metadata):
        raise DataError(f"{path}: begins with no metadata, so that its schema is not known")
    if metadata.schema is None or str(metadata.schema) not in RTYPES:
        raise DataError(f"{path}: has the schema {metadata.schema}; read are {', '.join(RTYPES)}")
    return str(metadata.schema)


def _as_array(path: Path, records: Sequence[Any], schema: str) -> Records:
    """Return what the package decoded as one array; records of another kind are damage."""
    fields = HEAD if schema == "trades" else HEAD + TOP
    names, formats = zip(*fields, strict=True)
    offsets = np.cumsum([0, *(np.dtype(kind).itemsize for kind in formats)])
    told = [one for one in map(bytes, records) if one[1] not in ASIDE]
    width = len(told[0]) if told else int(offsets[-1])
    if width < offsets[-1] or any(len(one) != width or one[1] != RTYPES[schema] for one in told):
        raise DataError(f"{path}: holds records that are not of its schema {schema}")
    kind = np.dtype({"names": names, "formats": formats, "offsets": offsets[:-1].tolist(), "itemsize": width})
    return np.frombuffer(b"".join(told), kind)


def _one_market(path: Path, records: Records, schema: str, before: tuple[int, int] | None) -> tuple[int, int]:
    """Refuse several instruments, and several venues where each has its own book."""
    names = ["instrument_id", "publisher_id"] if schema in QUOTED else ["instrument_id"]
    for name, place in zip(names, (0, 1), strict=False):
        found = np.unique(records[name])
        other = [number for number in found.tolist() if number != (before[place] if before else found[0])]
        if other:
            first = before[place] if before else found[0]
            raise DataError(f"{path}: holds {name} {first} and {other[0]}; a tape is of one market, so split it")
    return int(records["instrument_id"][0]), int(records["publisher_id"][0])


def _told(path: Path, records: Records, schema: str, first_row: int, clock: str) -> pl.DataFrame:
    rows = pl.DataFrame(
        {
            ROW: np.arange(first_row, first_row + len(records)),
            "ts": pl.Series(records[clock]).cast(pl.Int64, strict=False),
            "received_ns": arrivals(pl.Series(records["ts_recv"]).cast(pl.Int64, strict=False)),
            "trade": (records["action"] == TRADE) | (schema == "trades"),
            "side": pl.Series(records["side"].astype(np.int64)).replace_strict(SIDES, default=None),
            "price": _price(records["price"]),
            "size": records["size"].astype(np.float64),
        }
    )
    if clock == "ts_recv":
        rows = rows.with_columns(received_ns=None)
    odd = ~np.isin(records["action"], ACTIONS)
    if odd.any():
        wrong = int(np.argmax(odd))
        raise DataError(
            f"{path}, row {first_row + wrong}: its action is {records['action'][wrong]}; expected one of ACMRTFN"
        )
    if rows["side"].has_nulls():
        at = rows["side"].is_null().arg_max()
        assert at is not None
        raise DataError(f"{path}, row {first_row + at}: its side is {records['side'][at]}; expected A, B or N")
    trades = filled(rows.filter("trade").with_columns(kind=pl.lit("trade")))
    if schema == "trades":
        return trades
    told = rows.select(
        ROW,
        "ts",
        "received_ns",
        "trade",
        pl.lit("quote").alias("kind"),
        _price(records["bid"]).alias("bid"),
        pl.Series("bid_size", records["bid_size"].astype(np.float64)),
        _price(records["ask"]).alias("ask"),
        pl.Series("ask_size", records["ask_size"].astype(np.float64)),
    )
    quotes = filled(told if schema == "tbbo" else told.filter(~pl.col("trade")))
    return pl.concat([quotes, trades]).sort(ROW, maintain_order=True)


def _price(raw: NDArray[Any]) -> pl.Series:  # Any: a field of `Records`.
    numbers = pl.Series(np.ascontiguousarray(raw))
    return in_units(numbers.set(numbers == UNDEFINED, None), 1e9)


DATABENTO = Form("databento", "Databento's DBN: trades, tbbo, mbp-1, mbp-10 (needs bmv[databento])", knows, read)
