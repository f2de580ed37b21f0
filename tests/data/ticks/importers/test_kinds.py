"""What the columns of a file say of its rows decides how they are read, or the file is refused and says how to ask."""

import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from small_files import FIXTURES

from bmv.data.ticks.importers import FORMS, Options, chosen
from bmv.data.ticks.lake.intake import import_files
from bmv.data.ticks.lake.lake import Lake
from bmv.ports.errors import DataError, UsageError
from bmv.ports.market import Market

Written = Callable[[str, str | bytes], Path]
MS = 1756857600000
MARKET = Market("X", Decimal("0.01"), Decimal("0.25"))
BOOK = ("row", "ts", "kind", "bid", "bid_size", "ask", "ask_size")
LEVEL = ("row", "kind", "side", "price", "size")


def read(path: Path, options: Options | None = None, form: str | None = None) -> pl.DataFrame:
    """Return the rows of a file, times in milliseconds after the first of the day."""
    options = options or Options()
    batches = list(chosen(FORMS, path, form, options).read(path, options))
    return pl.concat(batches).with_columns(pl.col("ts") // 1_000_000 - MS)


def csv(written: Written, header: str, *rows: str) -> Path:
    """Write a CSV whose times are milliseconds after the first of the day."""
    lines = (f"{MS + int(row.split(',')[0])},{row.split(',', 1)[1]}" for row in rows)
    return written("ticks.csv", "\n".join([header, *lines, ""]))


def test_each_row_of_a_one_sided_quote_moves_its_own_side() -> None:
    rows = read(FIXTURES / "one_sided.csv")

    assert rows.select(BOOK).rows() == [
        (2, 0, "quote", 99.99, 1.5, None, None),
        (3, 0, "quote", 99.99, 1.5, 100.01, 2.0),
        (4, 100, "quote", 100.0, 1.0, 100.01, 2.0),
        (5, 200, "quote", 100.0, 1.0, 100.02, 0.5),
    ]
    assert rows["price"].null_count() == rows["size"].null_count() == len(rows)


def test_a_snapshot_of_binance_depth_empties_the_book_and_a_quantity_of_zero_removes() -> None:
    rows = read(FIXTURES / "binance_depth.csv")

    assert rows.select(LEVEL).rows() == [
        (2, "depth", 0, 0.0, 0.0),
        (2, "depth", 1, 99.99, 1.5),
        (3, "depth", 1, 99.98, 1.0),
        (4, "depth", -1, 100.01, 2.0),
        (5, "depth", 1, 99.99, 0.0),
        (6, "depth", -1, 100.02, 1.0),
        (8, "depth", 0, 0.0, 0.0),
        (8, "depth", 1, 99.97, 4.0),
        (9, "depth", -1, 100.03, 4.0),
    ]


def test_a_change_that_is_older_than_its_snapshot_is_in_it_already() -> None:
    assert 7 not in read(FIXTURES / "binance_depth.csv")["row"]


def test_of_a_book_by_level_the_best_is_the_top() -> None:
    rows = read(FIXTURES / "levels.csv")

    assert rows.select(BOOK).rows() == [
        (2, 0, "quote", 99.99, 1.0, 100.01, 1.0),
        (5, 100, "quote", 99.99, 2.0, 100.01, 1.0),
    ]


def test_a_book_by_level_is_depth_where_its_owner_says_so() -> None:
    rows = read(FIXTURES / "levels.csv", Options(kind="depth"))

    assert rows.select(LEVEL).rows() == [
        (4, "depth", 0, 0.0, 0.0),
        (4, "depth", 1, 99.99, 1.0),
        (4, "depth", -1, 100.01, 1.0),
        (4, "depth", 1, 99.98, 1.0),
        (4, "depth", -1, 100.02, 1.0),
        (4, "depth", 1, 99.97, 1.0),
        (4, "depth", -1, 100.03, 1.0),
        (7, "depth", -1, 100.03, 0.0),
        (7, "depth", 1, 99.99, 2.0),
        (7, "depth", -1, 100.04, 1.0),
    ]


def test_a_book_by_level_and_side_gives_its_top_a_side_at_a_time(written: Written) -> None:
    path = csv(
        written, "ts,side,level,price,size",
        "0,bid,1,99.99,1", "0,bid,2,99.98,1", "0,ask,1,100.01,1", "0,ask,2,100.02,1", "1,ask,1,100.02,3",
    )  # fmt: skip

    assert read(path).select(BOOK).rows() == [
        (2, 0, "quote", 99.99, 1.0, None, None),
        (4, 0, "quote", 99.99, 1.0, 100.01, 1.0),
        (6, 1, "quote", 99.99, 1.0, 100.02, 3.0),
    ]


def test_a_price_beside_a_bid_and_an_ask_is_a_print_and_the_quote_that_it_met_comes_first() -> None:
    path = FIXTURES / "met.csv"

    assert read(path).select("row", "kind", "side", "price", "bid", "ask").rows() == [
        (2, "quote", None, None, 99.99, 100.01),
        (2, "trade", 1, 100.01, None, None),
        (3, "quote", None, None, 99.98, 100.01),
        (3, "trade", -1, 99.98, None, None),
    ]
    assert read(path, Options(kind="trade"))["kind"].to_list() == ["trade", "trade"]
    assert read(path, Options(kind="quote"))["kind"].to_list() == ["quote", "quote"]


def test_a_column_of_kinds_gives_prints_quotes_of_one_side_and_depth(written: Written) -> None:
    path = csv(
        written, "ts,type,side,price,size",
        "0,quote,bid,99.99,1", "1,trade,buy,100.01,2", "2,depth,a,100.01,3", "3,quote,ask,100.02,4",
    )  # fmt: skip

    assert read(path).select("kind", "side", "price", "bid", "ask").rows() == [
        ("quote", None, None, 99.99, None),
        ("trade", 1, 100.01, None, None),
        ("depth", -1, 100.01, None, None),
        ("quote", None, None, 99.99, 100.02),
    ]


def test_of_several_markets_one_is_taken_by_name_and_of_several_levels_one_by_number(written: Written) -> None:
    two = csv(written, "ts,symbol,price,size", "0,BTC,1,1", "1,ETH,2,1", "2,BTC,3,1")
    prices = read(two, Options(only={"symbol": ["BTC"]})).select("row", "price").rows()
    both = read(two, Options(only={"Symbol": ["BTC", "ETH"]}, ignore=["symbol"]))["price"].to_list()

    assert prices == [(2, 1.0), (4, 3.0)]
    assert both == [1.0, 2.0, 3.0]
    assert read(FIXTURES / "levels.csv", Options(only={"level": ["0"]}))["row"].to_list() == [2, 5]


def test_snapshots_of_the_same_update_go_on_and_those_of_another_begin_anew(written: Written) -> None:
    path = csv(
        written, "ts,update_type,last_update_id,side,price,size",
        "0,snap,1,b,9,1", "0,snap,1,a,11,1", "5,snap,2,b,8,1", "5,snap,2,a,12,1",
    )  # fmt: skip

    assert read(path)["side"].to_list() == [0, 1, -1, 0, 1, -1]


def test_what_is_deleted_has_no_size_whatever_stands_there(written: Written) -> None:
    path = csv(written, "ts,action,side,price,size", "0,partial,Buy,9,1", "0,partial,Sell,11,1", "5,delete,Buy,9,7")

    assert read(path).select("side", "size").rows() == [(0, 0.0), (1, 1.0), (-1, 1.0), (1, 0.0)]


MANY = tuple(f"{at},{1 if at % 2 else -1},{99 if at % 2 else 101},1" for at in range(40))
REFUSED = [
    # Header, rows, what is said.
    ("ts,action,order_id,side,price,size", ("0,add,1,buy,9,1", "1,execute,1,buy,9,1"), "column 'order_id' is of single orders, whose messages are not read; prints alone are taken by --kind trade --only 'action=execute'"),
    ("ts,action,side,price,size", ("0,add,buy,9,1", "1,cancel,buy,9,1"), "column 'action' holds 'add', 'cancel': messages of single orders are not read"),
    ("ts,symbol,price,size", ("0,BTC,9,1", "1,ETH,9,1"), "column 'symbol' holds 'BTC', 'ETH'; a tape is of one market: say which with --only 'symbol=BTC'"),
    ("ts,exchange,price,size", ("0,okx,9,1", "1,bybit,9,1"), "a tape is of one market"),
    ("ts,type,price,size", ("0,liquidation,9,1", "1,trade,9,1"), "may say what a row is: say --only 'type=trade'"),
    ("ts,foo,price,size", ("0,BTC,9,1", "1,ETH,9,1"), "column 'foo' holds 'BTC', 'ETH' and may say what a row is, or of which market: say --ignore 'foo'"),
    ("ts,foo,price,size", ("0,0,9,1", "0,1,8,1", "1,0,9,1", "1,1,8,1"), "column 'foo' holds '0', '1' and may say"),
    ("ts,level,price,size", ("0,0,9,1", "0,1,8,1"), "a book by level needs a bid and an ask, or a price and a side"),
    ("ts,level,bid,ask", ("0,2,9,10", "0,3,8,11"), "expected the level of a book, counted from 0 or from 1"),
    ("ts,level,bid,ask", ("0,0,8,11", "0,1,9,10"), "line 3: level 1 and the one above it are in the wrong order"),
    ("ts,level,bid,ask", ("0,3,100,101", "0,2,99,102", "0,1,98,103"), "numbered from the best price?"),
    ("ts,side,level,price,size", ("0,bid,2,100,1", "0,bid,1,99,1", "0,ask,2,101,1", "0,ask,1,102,1"), "numbered from the best price?"),
    ("ts,id,price,size", ("0,bitcoin,100,1", "1,ethereum,4000,1", "2,bitcoin,100,1", "3,ethereum,4000,1"), "column 'id' holds 'bitcoin', 'ethereum' and may say"),
    ("ts,index,bid,ask", ("0,0,9,10", "0,1,8,11", "1,0,9,10", "1,1,8,11"), "column 'index' holds '0', '1' and may say"),
    ("ts,hash,price,size", ("0,T,9,1", "1,Q,9,1", "2,T,9,1", "3,Q,9,1"), "column 'hash' holds 'Q', 'T' and may say"),
    ("ts,rpi,price,size", ("0,T,9,1", "1,Q,9,1"), "column 'rpi' holds 'Q', 'T' and may say"),
    ("ts,slot,price,size", ("0,T,9,1", "1,Q,9,1"), "column 'slot' holds 'Q', 'T' and may say"),
    ("ts,side,price,size", ("0,bid,9,1", "1,bid,9,0"), "sizes of zero, as changes of depth have: say --kind quote"),
    ("ts,side,price,size", ("0,bid,9,1", "0,bid,8,1"), "several prices at one time, as changes of depth have"),
    ("ts,side,price,size", ("0,buy,9,1", "1,ask,9,1"), "neither buy and sell alone, as of prints, nor bid and ask alone"),
    ("ts,side,price,size", ("0,b,9,1", "1,b,9,1"), "neither buy and sell alone"),
    ("ts,side,price,size", ("0,0,9,1", "1,1,9,1"), "whether 1 is bought is not said"),
    ("ts,side,price,size", MANY, "calls bought lies below what it calls sold in nearly all rows: a book, or prints with the side of the maker"),
    ("ts,side,price,size,trade_id,update_id", ("0,b,9,1,1,1", "1,a,9,1,2,2"), "speak of prints and of changes of a book"),
    ("ts,update_id,price,size", ("0,1,9,1", "1,2,9,1"), "changes of depth need a side"),
    ("ts,level,bid,ask", ("0,nan,9,10",), "expected the level of a book"),
    ("ts,price,open,high,low", ("0,9,9,9,9",), "bars are no ticks"),
    ("ts,bid,ask,last", ("0,9,10,9",), "a print in each row, or the last one told again and again? Say --kind trade or --kind quote"),
    ("ts,price,amount,volume", ("0,9,90,10",), "columns 'amount' and 'volume' may both be the size, and they differ: say --column size=amount"),
    ("ts,time,price,size", ("0,1756857600005,9,1",), "columns 'ts' and 'time' may both be the ts, and they differ"),
    ("ts,price,size,side,is_buyer_maker", ("0,9,1,buy,true",), "columns 'side' and 'is_buyer_maker' may both be the side"),
    ("ts,bid,size", ("0,9,1",), "there is a column for the bid and none for the ask"),
    ("ts,price,price,size", ("0,9,8,1",), "has two columns 'price'"),
    ("ts,order_type,price,size", ("0,limit,9,1", "1,market,9,1"), "column 'order_type' holds 'limit', 'market'"),
    ("ts,is_snapshot,side,price,size", ("0,perhaps,bid,9,1",), "expected true and false"),
]  # fmt: skip


@pytest.mark.parametrize(("header", "rows", "said"), REFUSED)
def test_a_file_whose_rows_may_be_of_another_sort_is_refused(
    header: str, rows: tuple[str, ...], said: str, written: Written
) -> None:
    path = csv(written, header, *rows)

    with pytest.raises(DataError) as error:
        read(path, form="generic")

    assert str(error.value).startswith(str(path))
    assert said in str(error.value)


BESIDE = [
    ("id", ("1", "2", "3", "4")),
    ("id", ("a1", "b2", "c3", "d4")),
    ("seq", ("10", "10", "11", "12")),
    ("tx_hash", ("5KtPn1LGuxhFLSXo", "5KtPn1LGuxhFLSXo", "5KtPn1LGuxhFLSXo", "3xJqz9MvJmCzLq7Y")),
    ("is_best_match", ("True", "False", "True", "True")),
    ("tick_direction", ("PlusTick", "ZeroPlusTick", "MinusTick", "ZeroMinusTick")),
    ("slot", ("7", "7", "8", "8")),
    ("orders", ("1", "2", "1", "2")),
    ("received_at", ("2025-09-03T00:00:00Z", "2025-09-03T00:00:01Z", "", "2025-09-03T00:00:01Z")),
]


@pytest.mark.parametrize(("name", "cells"), BESIDE)
def test_a_column_that_says_nothing_of_a_row_is_passed_over(
    name: str, cells: tuple[str, ...], written: Written
) -> None:
    path = csv(written, f"ts,price,size,{name}", *(f"{at},9,1,{cell}" for at, cell in enumerate(cells)))

    assert read(path)["kind"].to_list() == ["trade"] * 4


SAID = [
    # Header, rows, what is said of them, the kinds that come out.
    ("ts,action,order_id,side,price,size", ("0,add,1,buy,9,1", "1,execute,1,buy,9,1"), Options(kind="trade", only={"action": ["execute"]}), ["trade"]),
    ("ts,action,side,price,size", ("0,add,buy,9,1", "1,change,buy,9,2"), Options(kind="depth"), ["depth", "depth"]),
    ("ts,side,price,size", ("0,bid,9,1", "1,bid,9,0"), Options(kind="depth"), ["depth", "depth"]),
    ("ts,side,price,size", ("0,bid,9,1", "0,bid,8,1"), Options(kind="quote"), ["quote", "quote"]),
    ("ts,side,price,size", ("0,bid,9,1", "1,ask,9,1"), Options(kind="trade"), ["trade", "trade"]),
    ("ts,side,price,size", MANY, Options(kind="trade"), ["trade"] * 40),
    ("ts,side,price,size", ("0,0,9,1", "1,1,9,1"), Options(ignore=["side"]), ["trade", "trade"]),
    ("ts,bid,ask,last", ("0,9,10,9",), Options(kind="quote"), ["quote"]),
    ("ts,price,amount,volume", ("0,9,90,10",), Options(columns={"size": "volume"}), ["trade"]),
    ("ts,price,size,foo", ("0,9,1,A", "1,9,1,B"), Options(ignore=["FOO"]), ["trade", "trade"]),
    ("ts,datetime,price,size", ("0,2025-09-03T00:00:00Z,9,1",), Options(), ["trade"]),
    ("ts,price,size,side,trade_id", ("0,9,1,A,1", "1,9,1,B,2"), Options(), ["trade", "trade"]),
    ("ts,price,size,type", ("0,9,1,buy", "1,9,1,sell"), Options(), ["trade", "trade"]),
    ("ts,price,size,symbol,id,received", ("0,9,1,BTC,5,7", "1,9,1,BTC,6,8"), Options(), ["trade", "trade"]),
]  # fmt: skip


@pytest.mark.parametrize(("header", "rows", "options", "kinds"), SAID)
def test_a_file_is_read_as_its_owner_says(
    header: str, rows: tuple[str, ...], options: Options, kinds: list[str], written: Written
) -> None:
    assert read(csv(written, header, *rows), options, "generic")["kind"].to_list() == kinds


def test_what_the_columns_were_taken_for_is_said(written: Written) -> None:
    path = csv(written, "ts,px,qty,side,trade_id", "0,9,1,bid,1", "1,9,1,ask,2")

    notes = chosen(FORMS, path, None, Options()).notes(path, Options())

    assert notes == [
        "read as prints: ts, side, price from 'px', size from 'qty'",
        "a print's bid is taken as bought, its ask as sold",
    ]


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        (Options(kind="trade"), "--kind"),
        (Options(only={"symbol": ["X"]}), "--only"),
        (Options(ignore=["symbol"]), "--ignore"),
        (Options(kind="trade", ignore=["symbol"]), "--kind, --ignore"),
    ],
)
def test_an_option_that_a_form_does_not_go_by_is_refused(options: Options, flag: str) -> None:
    with pytest.raises(UsageError, match=f"{flag} means nothing for the form binance; it is for"):
        chosen(FORMS, FIXTURES / "BTCUSDT-trades-2025-09-03.zip", None, options)


def test_of_a_file_of_tardis_with_several_markets_one_is_taken(written: Written) -> None:
    start = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
    path = written("t.csv", f"{start}x,A,{MS}000,1,1,buy,9,1\nx,B,{MS}000,1,1,buy,7,1\n")

    assert read(path, Options(only={"symbol": ["B"]}))["price"].to_list() == [7.0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("BTCUSDT-trades-2025-09-03.zip", ""), ("ETHUSDT-trades-2025-09-03.zip", "")),
        (("a.csv", "ts,venue,coin,price,size\n1756857600,x,BTC,9,1\n"), ("b.csv", "ts,venue,coin,price,size\n1756857600,x,ETH,9,1\n")),
    ],
)  # fmt: skip
def test_files_of_two_markets_are_not_imported_as_one(
    one: tuple[str, str], other: tuple[str, str], written: Written, lake: Lake
) -> None:
    paths = [written(name, text) if text else FIXTURES / name for name, text in (one, other)]

    with pytest.raises(DataError, match=r": is of ETH\w*, and .* of BTC\w*; one import is of one market"):
        import_files(paths, lake, "venue", MARKET)

    assert import_files(paths[:1], lake, "venue", MARKET).files[0].good


def test_one_of_the_columns_picked_by_must_be_there_and_have_the_value(written: Written) -> None:
    path = csv(written, "ts,symbol,price,size", "0,BTC,1,1")

    with pytest.raises(DataError, match="--only coin: has no such column; it has ts, symbol, price, size"):
        read(path, Options(only={"coin": ["BTC"]}))
    with pytest.raises(DataError, match="has no row for --only symbol=ETH"):
        read(path, Options(only={"symbol": ["ETH"]}))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"symbol": ["A", "B", "A", "B"]}, "column 'symbol' holds 'A', 'B'; a tape is of one market"),
        ({"level": [0, 1, 0, 1]}, "column 'level' holds '0', '1' and says of a row more than this form does"),
        ({"what": ["A", "B", "A", "B"]}, "column 'what' holds 'A', 'B' and may say what a row is"),
    ],
)
def test_a_parquet_in_units_that_says_more_of_its_rows_is_refused(
    more: dict[str, list[object]], said: str, tmp_path: Path
) -> None:
    whole = pl.read_parquet(FIXTURES / "floats.parquet")
    whole.with_columns(**{name: pl.Series(values) for name, values in more.items()}).write_parquet(
        tmp_path / "ticks.parquet"
    )
    name = next(iter(more))

    with pytest.raises(DataError, match=said):
        read(tmp_path / "ticks.parquet")

    assert len(read(tmp_path / "ticks.parquet", Options(ignore=[name]))) == 4
    assert len(read(tmp_path / "ticks.parquet", Options(only={name: [str(more[name][0])]}))) == 2


def test_a_file_is_opened_no_oftener_for_having_more_columns(written: Written) -> None:
    opened = list[str]()
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
    few, many = (
        written(f"{more}.csv", f"ts,price,size{''.join(f',c{n}' for n in range(more))}\n{MS},1,1{',0' * more}\n")
        for more in (1, 30)
    )
    for path in (few, many):
        opened_before = opened.count(str(path))
        assert len(read(path, Options())) == 1
        opened += [f"{path.name}"] * (opened.count(str(path)) - opened_before)

    assert 0 < opened.count(few.name) == opened.count(many.name)
