"""What is wrong with a file is said in one line that names the file and, where there is one, the line or row."""

import bz2
import gzip
import io
import lzma
import sys
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from small_files import FIXTURES

from bmv.data.ticks.importers import Options, generic
from bmv.data.ticks.lake.intake import import_files
from bmv.data.ticks.lake.lake import Lake
from bmv.ports.errors import DataError, UsageError
from bmv.ports.market import Market

Written = Callable[[str, str | bytes], Path]
MARKET = Market("X", Decimal("0.01"), Decimal("0.25"))
EVENT = np.dtype(
    [
        ("ev", "u8"),
        ("exch_ts", "i8"),
        ("local_ts", "i8"),
        ("px", "f8"),
        ("qty", "f8"),
        ("order_id", "u8"),
        ("ival", "i8"),
        ("fval", "f8"),
    ]
)
T, US = 1756857600_000000000, 1756857600_000000  # 2025-09-03T00:00:00Z
TARDIS = "exchange,symbol,timestamp,local_timestamp"
CUT_SHORT = gzip.compress(b"time,price,size\n" + b"1756857600,1,1\n" * 99, mtime=0)[:-12]
BINANCE = "id,price,qty,quote_qty,time,is_buyer_maker"


def packed(text: str, name: str = "ticks.csv", *more: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in (name, *more):
            info = zipfile.ZipInfo(member, (2025, 9, 3, 1, 16, 20))  # Written with two ends of lines.
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, text)
    return buffer.getvalue()


def encrypted(text: str) -> bytes:
    """Return a zip whose member says that it is encrypted."""
    raw = bytearray(packed(text))
    for name, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        raw[raw.index(name) + at] |= 1
    return bytes(raw)


def refused(path: Path, lake: Lake, form: str | None = None, options: Options | None = None) -> str:
    """Take a file in, and return what was said when it was refused; the lake must have stayed empty."""
    with pytest.raises(DataError) as error:
        import_files([path], lake, "venue", MARKET, form, options)

    said = str(error.value)
    assert said.startswith(str(path))
    assert "\n" not in said
    assert not lake.days()
    assert [left.name for left in lake.root.glob("*")] in ([], [".lock"])
    return said


TEXTS = [
    # Name, content, form (None: it is known for what it is), what is said of it.
    ("ticks.csv", "", None, "is empty"),
    ("ticks.csv", "\n", None, "in none of the forms known; it holds nothing but empty lines"),
    ("ticks.csv", "time,price,size,side\n".encode("utf-16"), None, "it is text in UTF-16: write it as UTF-8"),
    ("ticks.csv", gzip.compress(b"time,price,size\n1756857600,1,1\n"), None, "it is packed by gzip: let its name end in .gz"),
    ("ticks.csv.gz", gzip.compress(b""), None, "what is in it is empty"),
    ("ticks.csv.gz", gzip.compress(gzip.compress(b"time,price,size\n")), None, "what is in it is packed by gzip: unpack it first"),
    ("ticks.csv.bz2", bz2.compress(b"time,price,size\n1756857600,1,1\n"), None, "it is packed by bzip2: unpack it first; plain text, .gz and .zip are read"),
    ("ticks.csv.xz", lzma.compress(b"time,price,size\n1756857600,1,1\n"), None, "it is packed by xz: unpack it first"),
    ("ticks.csv.zst", b"\x28\xb5\x2f\xfd....", None, "it is packed by Zstandard: unpack it first"),
    ("ticks.tar.gz", gzip.compress(bytes(257) + b"ustar"), None, "what is in it is an archive of tar: unpack it first"),
    ("ticks.zip", packed(""), None, "ticks.csv in it is empty"),
    ("ticks.zip", encrypted("time,price,size\n1756857600,1,1\n"), None, "it is encrypted: unpack it first"),
    ("ticks.zip", packed("a,b\n", "a.csv", "b.csv"), None, "expected one file inside, found 2: a.csv, b.csv"),
    ("ticks.zip", b"PK\5\6" + bytes(18), None, "expected one file inside, found 0"),
    ("ticks.csv", "1614556800.1,1234567,47000.1,0.01,1\n", None, "it may be Gate.io's trades (time, id, price, amount, side as 1 or 2): --columns ts,_,price,size,_ reads"),
    ("ticks.csv", "1614556800,47000.1,0.01\n", None, "it may be Kraken's trades: --columns ts,price,size"),
    ("ticks.csv", "\n", "generic", "expected a time and a price"),
    ("ticks.csv", "time,price,size\n", None, "has no rows"),
    ("ticks.csv", "time,symbol,type,level,order_id,side,price,size,foo\n", "generic", "order_id"),
    ("ticks.csv", "time,symbol,type,level,is_snapshot,side,price,size,foo\n", None, "has no rows"),
    ("ticks.csv", "time,price,size\n1756857600,cheap,1\n", None, "line 2: column 'price' is 'cheap'; it should be a decimal number"),
    ("ticks.csv", "time,price,size\n1756857600,1,1\nnoon,1,1\n", None, "line 3: column 'time' is 'noon'; it should be a time in whole numbers"),
    ("ticks.csv", "time,price,size\n2025-09-03T00:00:00Z,1,1\n2025-09-33T00:00:00Z,1,1\n", None, "line 3: column 'time' is '2025-09-33T00:00:00Z'; it should be a time such as"),
    ("ticks.csv", "time,price,size\n2025-09-03T00:00:00Z,1,1\n9999-09-03T00:00:00Z,1,1\n", None, "line 3: column 'time' is '9999-09-03T00:00:00Z'; it should be a time such as"),
    ("ticks.csv", "time,price,size\n1756857600000,1,1\n1756857600000000,1,1\n", None, "line 3: column 'time' is '1756857600000000'; it should be a time from 1998 to 2059 in ms; it may be a time in us"),
    ("ticks.csv", "time,price,size\n1756857600.5,1,1\n1756857600.5e3,1,1\n", None, "line 3: column 'time' is '1756857600.5e3'; it should be a time in decimal digits"),
    ("ticks.csv", "time,price,size,side\n1756857600,1,1,long\n", None, "line 2: column 'side' is 'long'; it should be one of buy, b, buyer"),
    ("ticks.csv", "time,price,size\n1756857600,1,1\n1756857600,1,1,1\n", None, ", line 3: cannot be read as delimited text"),
    ("ticks.csv", "time,price,size,side\n1756857600,1,1.5,buy\n1756857600,1,1", None, ", line 3: has 3 cells, and there are 4 columns; was it cut off?"),
    ("ticks.csv", "time,price,size,side\n1756857600,1,1\n\n1756857600,1,1.5,buy\n", None, ", line 2: has 3 cells, and there are 4 columns; was it cut off?"),
    ("ticks.csv", 'time,price,size,side\n1756857600,1,"1,5",buy\n1756857600,1,1\n', None, ", line 3: has 3 cells"),
    ("ticks.csv", b"time,price,size\n1756857600,1,1\n1756857600,\xff,1\n", None, ", line 3: cannot be read as delimited text"),
    ("ticks.csv", "when,price,size\n1,1,1\n", "generic", "expected a time and a price, or a bid and an ask, among its columns when, price, size"),
    ("ticks.csv.gz", CUT_SHORT, None, "damaged or cut short"),
    ("ticks.csv.gz", b"time,price,size\n1,1,1\n", "generic", "expected a time and a price"),
    ("BTCUSDT-trades-2025-09-03.zip", "", None, "is empty"),
    ("BTCUSDT-trades-2025-09-03.zip", packed("")[:-4], None, "damaged or cut short"),
    ("BTCUSDT-trades-2025-09-03.zip", packed("1,1,1,1,1756857600000,true\n", "a.csv", "b.csv"), None, "expected one file inside, found 2"),
    ("BTCUSDT-trades-2025-09-03.zip", packed(""), None, "cannot be read as delimited text: empty CSV"),
    ("BTCUSDT-trades-2025-09-03.zip", packed(f"{BINANCE}\n"), None, "has no rows"),
    ("BTCUSDT-trades-2025-09-03.zip", packed(f"{BINANCE}\n1,1,1,1,1756857600000,true\n2,1,,1,1756857600000,true\n"), None, "line 3: column 'qty' is empty; it should be a decimal number"),
    ("BTCUSDT-trades-2025-09-03.zip", packed("1,1,1,1,1756857600000,perhaps\n"), None, "line 1: column 'is_buyer_maker' is 'perhaps'; it should be one of true, 1, t, false, 0, f"),
    ("BTCUSDT-trades-2025-09-03.zip", packed("1,1,1,1,1756857600000\n"), None, "line 1: has 5 columns; trades have 6 to 7"),
    ("BTCUSDT-trades-2025-09-03.zip", packed("id,price,quantity\n1,1,1\n"), None, "line 1: begins with 'id'; expected a number, or id,price"),
    ("trades.csv", "a,b\n", "binance", "neither its name nor its first line says"),
    ("t.csv", f"{TARDIS},id,side,price,amount\n", None, "has no rows"),
    ("t.csv", f"{TARDIS},id,side,price,amount\nx,A,{US},{US},1,buy,1,1\nx,B,{US},{US},1,buy,1,1\n", None, "line 3: holds A and B; a tape is of one market: take one by --only symbol=A"),
    ("t.csv", f"{TARDIS},id,side,price,amount\nx,A,{US},{US},1,buy,1,1\ny,A,{US},{US},1,buy,1,1\n", None, "line 3: holds x and y; a tape is of one market"),
    ("t.csv", f"{TARDIS},id,side,price,amount,order_type\nx,A,{US},{US},1,buy,1,1,limit\n", None, "is neither trades, quotes, book_snapshot"),
    ("deribit_liquidations_2025-09-03_PERPETUALS.csv", f"{TARDIS},id,side,price,amount\nx,A,{US},{US},1,buy,1,1\n", None, "liquidations are no record of all trades"),
    ("t.csv", f"{TARDIS},id,side,price,amount\nx,A,{US},{US},1,buy,1,one\n", None, "line 2: column 'amount' is 'one'"),
    ("t.csv", f"{TARDIS},is_snapshot,side,price,amount\nx,A,{US},{US},maybe,bid,1,1\n", None, "line 2: column 'is_snapshot' is 'maybe'; it should be one of true"),
    ("t.csv", f"{TARDIS},funding_rate\nx,A,{US},{US},0.1\n", None, "is neither trades, quotes, book_snapshot nor incremental_book_L2"),
    ("t.csv", "symbol,id,side,price,amount\nA,1,buy,1,1\n", "tardis", "line 1: expected a column 'timestamp'"),
    ("t.csv", "a,b\n1,2\n", "tardis", "its first line is no header of Tardis"),
    ("20131007_trade.zip", packed("1,1,1\n", "20131007_aig_minute_trade.csv"), "lean", "which are no ticks; bars are not read"),
    ("20131007_trade.zip", packed("1,1,1\n", "20131007_aig_Quote_Tick.csv"), "lean", "which are no trades"),
    ("20131007_trade.zip", packed("1,1,1,Q\n", "20131007_aig_Trade_Tick.csv"), None, "line 1: has 4 columns; expected time,price,size,exchange"),
    ("20131399_trade.zip", packed("1,1,1,Q,0,0\n", "20131399_aig_Trade_Tick.csv"), None, "20131399 is no day"),
    ("20131007_trade.zip", packed("86400001,1,1,Q,0,0\n", "20131007_aig_Trade_Tick.csv"), None, "line 1: column 'time' is '86400001'; it should be milliseconds since midnight"),
    ("20130310_trade.zip", packed("9000000,1,1,Q,0,0\n", "20130310_aig_Trade_Tick.csv"), None, "line 1: column 'time' is '9000000'; it should be a time of New York"),
    ("20131007_trade.zip", packed("1,1,1,Q,0,0\n", "20131007_es_tick_trade_201312.csv"), None, "cannot tell what it is of"),
    ("future/cme/tick/es/20131007_trade.zip", packed("1,1,1,Q,0,0\n", "20131007_es_tick_trade_201312.csv"), None, "cannot tell what it is of, future"),
    ("equity/india/tick/yesbank/20131007_trade.zip", packed("1,1,1,Q,0,0\n", "20131007_yesbank_Trade_Tick.csv"), None, "the time zone of india is not known"),
    ("forex/fxcm/tick/eurusd/20131007_quote.zip", packed("1,1,1\n", "20131007_eurusd_tick_quote.csv"), None, "the time zone of fxcm is not known"),
    ("20131007_trade.zip", packed("", "20131007_aig_Trade_Tick.csv"), None, "cannot be read as delimited text"),
    ("yesterday.zip", packed("1,1,1\n"), "lean", "expected a name such as 20131007_trade.zip"),
]  # fmt: skip


# By numbers: packed bytes have the time of packing in them, and workers must agree on names.
@pytest.mark.parametrize(("name", "content", "form", "said"), TEXTS, ids=map(str, range(len(TEXTS))))
def test_a_text_that_is_not_what_it_should_be_is_refused(
    name: str, content: str | bytes, form: str | None, said: str, written: Written, lake: Lake
) -> None:
    assert said in refused(written(name, content), lake, form)


@pytest.mark.parametrize("end", ["\n", "\n\n\n", "\r\n\r\n", ",,\n"])
def test_empty_lines_at_the_end_of_a_text_are_no_rows(end: str, written: Written) -> None:
    path = written("ticks.csv", f"time,price,size\n1756857600,1,1\n\n1756857601,1,1\n{end}")
    rows = pl.concat(generic.read(path, Options()))

    assert rows["row"].to_list() == [2, 4]


def test_a_mapping_to_a_column_that_is_not_there_is_refused(written: Written, lake: Lake) -> None:
    path = written("ticks.csv", "time,price\n1,1\n")

    assert "has no column qty; it has time, price" in refused(path, lake, None, Options(columns={"size": "qty"}))


FLOATS = {
    "ts": [T],
    "kind": ["trade"],
    "side": [1],
    "price": [1.0],
    "size": [1.0],
    "bid": [None],
    "bid_size": [None],
    "ask": [None],
    "ask_size": [None],
}
TICKS = {"price": [10**9], "size": [10**9], "aggressor_side": [1], "ts_event": [T], "ts_init": [T]}
DELTAS = {
    "action": [1],
    "side": [1],
    "price": [10**9],
    "size": [10**9],
    "order_id": [0],
    "ts_event": [T],
    "ts_init": [T],
}
FRAMES = [
    (FLOATS | {"price": ["cheap"]}, "floats", "column 'price' is String; it should be float64 quote per base"),
    (FLOATS | {"ts": [1.5]}, "floats", "column 'ts' is Float64; it should be int64 nanoseconds since 1970 UTC"),
    (FLOATS | {"kind": [1]}, "floats", "column 'kind' is Int64; it should be string"),
    ({"ts": [1], "kind": ["trade"]}, "floats", "column 'side' is missing; it should be int8"),
    ({"time": [[1]], "price": [1.0]}, "generic", "column 'time' is List(Int64); it should be a number, a text or a time"),
    ({"time": [1756857600, 1756857601], "price": ["1", "one"], "size": [1, 1]}, "generic", "row 1: column 'price' is 'one'; it should be a decimal number"),
    (TICKS | {"price": [1.5]}, "nautilus", "column 'price' is Float64; expected whole numbers, or binary of 8 or 16 bytes"),
    (TICKS | {"size": [b"123"]}, "nautilus", "column 'size' has values of [3] bytes; expected 8 or 16 in all"),
    (TICKS | {"aggressor_side": [7]}, "nautilus", "row 0: column 'aggressor_side' is 7; expected one of [0, 1, 2]"),
    (TICKS | {"ts_event": ["noon"]}, "nautilus", "column 'ts_event' is String; expected whole numbers"),
    ({name: two * 2 for name, two in TICKS.items()} | {"instrument_id": ["A", "B"]}, "nautilus", "holds A and B; a tape is of one market"),
    (DELTAS | {"order_id": [5]}, "nautilus", "row 0: is of a single order; only depth by price is read"),
    (DELTAS | {"action": [9]}, "nautilus", "row 0: column 'action' is 9; expected one of [1, 2, 3, 4]"),
    ({"open": [1], "ts_event": [T], "ts_init": [T]}, "nautilus", "expected columns of a QuoteTick, a TradeTick or an OrderBookDelta"),
]  # fmt: skip


@pytest.mark.parametrize(("columns", "form", "said"), FRAMES)
def test_a_parquet_file_of_other_columns_or_types_is_refused(
    columns: dict[str, list[object]], form: str, said: str, tmp_path: Path, lake: Lake
) -> None:
    path = tmp_path / "ticks.parquet"
    pl.DataFrame(columns).write_parquet(path)

    assert said in refused(path, lake, form)


@pytest.mark.parametrize("name", ["floats.parquet", "generic.parquet", "nautilus_trade_tick.parquet"])
def test_a_parquet_file_that_is_cut_short_or_empty_is_refused(name: str, written: Written, lake: Lake) -> None:
    form = name.split("_")[0].removesuffix(".parquet")
    whole = (FIXTURES / name).read_bytes()

    assert "cannot be read as Parquet" in refused(written(name, whole[:-10]), lake, form)
    none = pl.read_parquet(FIXTURES / name)[:0]
    empty = written(f"none_{name}", b"")
    none.write_parquet(empty)
    assert "has no rows" in refused(empty, lake, form)


def saved(array: object, **more: object) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, data=array, **more)
    return buffer.getvalue()


def events(*rows: tuple[int, int, float, float]) -> np.ndarray:
    return np.array([(ev, ts, ts, px, qty, 0, 0, 0.0) for ev, ts, px, qty in rows], EVENT)


BOUGHT = (0xE0000002, 1756857600_000000000, 1.0, 1.0)
ARRAYS = [
    (saved(events(BOUGHT))[:-30], "damaged or cut short"),
    (saved(events(BOUGHT))[:80], "damaged or cut short"),
    (b"", "is empty"),
    (saved(events()), "has no rows"),
    (saved(np.zeros((3, 6))), "expected events with the fields ev, exch_ts, local_ts, px, qty"),
    (saved(np.zeros(3, [("ev", "f8"), *EVENT.descr[1:]])), "field 'ev' is float64; expected an integer"),
    (saved(np.zeros(3, EVENT.descr[:4])), "field 'qty' is missing; expected a float"),
    (saved(np.array([{"ev": 1}], object)), "expected events with the fields"),
    (saved(events((2, T, 1.0, 1.0))), "no event is marked as the venue's"),
    (saved(events(BOUGHT, (0xE000000A, T, 1.0, 1.0))), "row 1: event 10 is no trade, and no change of depth by price"),
]


@pytest.mark.parametrize(("content", "said"), ARRAYS)
def test_an_array_of_other_things_is_refused(content: bytes, said: str, written: Written, lake: Lake) -> None:
    assert said in refused(written("events.npz", content), lake, "hftbacktest")


def test_of_two_arrays_the_one_called_data_is_taken_and_without_it_the_file_is_refused(
    written: Written, lake: Lake
) -> None:
    two = written("two.npz", saved(events(BOUGHT), other=np.zeros(3)))
    buffer = io.BytesIO()
    np.savez(buffer, a=events(BOUGHT), b=events(BOUGHT))

    assert "expected an array called data, found a.npy, b.npy" in refused(
        written("ab.npz", buffer.getvalue()), lake, "hftbacktest"
    )
    assert import_files([two], lake, "venue", MARKET).files[0].good == 1


def test_an_array_that_is_shorter_than_it_says_is_cut_short_in_a_row(written: Written, lake: Lake) -> None:
    buffer = io.BytesIO()
    np.save(buffer, events(BOUGHT, BOUGHT))

    assert "cut short in row 1 of 2" in refused(written("events.npy", buffer.getvalue()[:-1]), lake, "hftbacktest")
    assert "goes on after its 2 rows" in refused(written("events.npy", buffer.getvalue() + b"x"), lake, "hftbacktest")


def test_files_of_databento_need_the_extra_and_say_so(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "databento_dbn", None)

    with pytest.raises(UsageError, match=r"pip install 'bmv\[databento\]'"):
        import_files([FIXTURES / "databento_trades.dbn"], lake, "venue", MARKET)


def test_files_of_databento_that_are_not_what_they_should_be_are_refused(written: Written, lake: Lake) -> None:
    dbn = pytest.importorskip("databento_dbn", reason="the extra databento is not installed")
    whole = (FIXTURES / "databento_trades.dbn").read_bytes()
    head, record = whole[: -3 * 48], bytearray(whole[-48:])
    other = bytes(record[:4]) + b"\x2b\0\0\0" + bytes(record[8:])
    quotes = (FIXTURES / "databento_mbp-1.dbn").read_bytes()
    bars = dbn.Metadata(
        "XNAS.ITCH", 1, dbn.SType.RAW_SYMBOL, dbn.SType.INSTRUMENT_ID, dbn.Schema.OHLCV_1S, ["AIG"], [], [], []
    )
    rows = {
        "cut.dbn": (whole[:-1], "ends within a record"),
        "head.dbn": (whole[:40], "damaged"),
        "empty.dbn": (b"", "is empty"),
        "magic.dbn": (whole[:4], "ends within its first lines"),
        "two.dbn": (whole + other, "holds instrument_id 42 and 43; a tape is of one market"),
        "mixed.dbn": (head + quotes[-80:], "holds records that are not of its schema trades"),
        "length.dbn": (head + b"\x0a" + bytes(record[1:]), "damaged, or no DBN: Malformed"),
        "bars.dbn": (bytes(bars), "has the schema ohlcv-1s; read are trades, tbbo, mbp-1, mbp-10"),
        "none.dbn": (head, "has no rows"),
        "cut.dbn.zst": ((FIXTURES / "databento_trades.dbn.zst").read_bytes()[:-20], "damaged"),
    }  # fmt: skip

    for name, (content, said) in rows.items():
        assert said in refused(written(name, content), lake, "databento"), name
