"""What makes sense together in a record, counted batch by batch as if it were in one piece."""

import gzip
from pathlib import Path

import polars as pl
import pytest

from bmv.data.ticks.check.check import check
from bmv.data.ticks.check.inspection import inspect
from bmv.data.ticks.importers import Options
from bmv.data.ticks.schema import LAKE, LAKE_SCHEMA
from bmv.data.ticks.synth.synth import SOL_USDC, synth
from bmv.ports.errors import DataError

MINUTE_NS = 60_000_000_000


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """A made-up record with what there is to find: twins, a hole, wild prints, sides that are not known."""
    folder = tmp_path_factory.mktemp("record")
    synth(folder, 3, 4_000)
    rows = pl.read_parquet(next(folder.rglob("*.parquet")))
    at, trade = pl.int_range(pl.len()), pl.col("kind") == 1
    rows = rows.with_columns(
        pl.when(trade & (at % 97 < 3)).then(pl.col("price") * 11 // 10).otherwise(pl.col("price")).alias("price"),
        pl.when(trade & (at % 5 == 0)).then(0).otherwise(pl.col("side")).alias("side"),
        pl.col("ts_ns") + pl.when(at >= 2_000).then(2 * MINUTE_NS).otherwise(0),
        pl.when(at % 11 == 0).then(None).otherwise(pl.col("bid_size")).alias("bid_size"),
    )
    return pl.concat([rows, rows[1_500:1_510], rows[3_000:3_200:50]]).sort("ts_ns", maintain_order=True)


@pytest.mark.parametrize("size", [1, 7, 49, 50, 51, 100, 101, 102, 1_000, 3_999])
def test_a_record_cut_anywhere_is_found_to_be_what_it_is_in_one_piece(record: pl.DataFrame, size: int) -> None:
    rows = record[:600] if size == 1 else record

    whole, cut = check([rows]), check(rows.iter_slices(size))

    assert cut == whole
    assert whole.duplicates >= (0 if size == 1 else 14)
    assert whole.outliers
    assert whole.unsided
    assert whole.unsized
    assert whole.gap_count == (0 if size == 1 else 1)


def test_a_day_that_is_not_in_order_is_sorted_and_what_stood_wrong_is_counted(
    record: pl.DataFrame, tmp_path: Path
) -> None:
    words = {
        "bmv.version": "1", "bmv.symbol": "X", "bmv.tick_size": str(SOL_USDC.tick_size), "bmv.lot_size": str(SOL_USDC.lot_size),
    }  # fmt: skip
    swapped = pl.concat([record[:10], record[11:12], record[10:11], record[12:]])
    record.write_parquet(tmp_path / "order.parquet", metadata=words)
    swapped.write_parquet(tmp_path / "swapped.parquet", metadata=words)

    right = inspect(tmp_path / "order.parquet", None, None, None, Options(), 0.01)
    found = inspect(tmp_path / "swapped.parquet", None, None, None, Options(), 0.01)

    assert (right.taken.back, found.taken.back) == (0, 1)
    assert found.findings == right.findings


def test_a_row_without_a_time_is_dropped_and_named_as_a_run_drops_it(record: pl.DataFrame, tmp_path: Path) -> None:
    words = {"bmv.version": "1", "bmv.symbol": "X", "bmv.tick_size": "0.01", "bmv.lot_size": "0.001"}
    holed = record.with_columns(pl.when(pl.int_range(pl.len()) != 17).then(pl.col("ts_ns")).alias("ts_ns"))
    holed.select(list(LAKE)).cast(LAKE_SCHEMA).write_parquet(tmp_path / "holed.parquet", metadata=words)

    found = inspect(tmp_path / "holed.parquet", None, None, None, Options(), 0.01)

    assert (found.taken.bad, found.refusal) == ({"no time": 1}, "")
    assert found.taken.bad_at == {"no time": "row 17 (the first is 0)"}
    assert found.findings.rows == len(record) - 1


@pytest.mark.parametrize(("prices", "outliers"), [((31, 32), 0), ((31, 36), 0), ((310, 320), 60), ((31, 62), 60)])
def test_a_print_is_an_outlier_only_if_it_is_far_in_percent_and_in_ticks(
    prices: tuple[int, int], outliers: int
) -> None:
    usual, other = prices
    told = [other if at % 5 == 4 else usual for at in range(300)]
    none = dict.fromkeys(("bid", "bid_size", "ask", "ask_size"), [None] * 300)
    columns = {"ts_ns": range(300), "kind": [1] * 300, "side": [1] * 300, "price": told, "size": [1] * 300, **none}

    assert check([pl.DataFrame(columns, schema=LAKE_SCHEMA)]).outliers == outliers


def test_a_market_that_steps_by_three_percent_a_tick_has_no_outliers() -> None:
    told = [31 + at % 2 for at in range(3_000)]
    none = dict.fromkeys(("bid", "bid_size", "ask", "ask_size"), [None] * 3_000)
    columns = {
        "ts_ns": range(3_000),
        "kind": [1] * 3_000,
        "side": [1] * 3_000,
        "price": told,
        "size": [1] * 3_000,
        **none,
    }

    found = check([pl.DataFrame(columns, schema=LAKE_SCHEMA)])

    assert (found.outliers, found.first_outliers) == (0, [])


@pytest.mark.parametrize("name", ["ticks.csv", "ticks.csv.gz"])
def test_a_header_alone_has_no_rows_and_says_just_that(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    text = b"time,price,size\n"
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)

    with pytest.raises(DataError) as error:
        inspect(path, None, None, None, Options(), 0.01)

    assert str(error.value) == f"{path}: has no rows"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "is empty"),
        ("empty.parquet", b"", "is empty"),
        ("folder", None, "is a folder; expected files, such as {path}/*.csv"),
        ("nothing.csv", "", "no such file"),
    ],
)
def test_an_empty_file_a_folder_and_no_file_are_told_apart(
    name: str, content: bytes | str | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is None:
        path.mkdir()

    with pytest.raises(DataError) as error:
        inspect(path, None, None, None, Options(), 0.01)

    assert str(error.value) == f"{path}: {message.format(path=path)}"


def prints(times: list[int], prices: list[int]) -> pl.DataFrame:
    """Return prints in the lake's form."""
    return pl.DataFrame(
        [(ts, 1, 1, price, 1, None, None, None, None) for ts, price in zip(times, prices, strict=True)],
        LAKE_SCHEMA,
        orient="row",
    )


@pytest.mark.parametrize(
    ("prices", "is_book"),
    [
        ([100, 103] * 40, True),  # A bid and an ask at every time.
        ([100, 100] * 40, False),
        ([100, 101, 102, 103] * 20, False),  # Sweeps.
        ([100, 103, 100, 100, 101, 101] * 20, False),  # One in three.
        ([100, 103] * 19, False),  # Too few to say.
    ],
)
def test_prints_that_stand_as_a_book_does_are_told(prices: list[int], is_book: bool, tmp_path: Path) -> None:
    at_one_time = 4 if prices[:4] == [100, 101, 102, 103] else 2
    rows = prints([at // at_one_time for at in range(len(prices))], prices)
    rows.write_parquet(
        tmp_path / "prints.parquet",
        metadata={"bmv.version": "1", "bmv.symbol": "X", "bmv.tick_size": "1", "bmv.lot_size": "1"},
    )

    found = inspect(tmp_path / "prints.parquet", None, None, None, Options(), 0.01)

    assert found.findings.looks_like_a_book == is_book
    assert any("two prices with nothing between" in word for word in found.words()) == is_book
    assert check(rows.iter_slices(3)) == check([rows])
