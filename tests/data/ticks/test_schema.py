"""A day at rest: written whole or not at all, and readable by anything that reads Parquet."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bmv.data.ticks.schema import LAKE_SCHEMA, ROW_GROUP_ROWS, day_path, write_day
from bmv.ports.errors import UsageError
from bmv.ports.market import Market
from bmv.ports.market_data import Columns

MARKET = Market("SOL/USDC", Decimal("0.01"), Decimal("0.001"))
ROWS = [
    # ts_ns, kind, side, price, size, bid, bid_size, ask, ask_size
    (1, 1, 0, 100, 5, 0, 0, 0, 0),
    (2, 2, 0, 0, 0, 99, 7, 101, -1),
    (3, 2, 0, 0, 0, 0, 0, 101, 8),
    (4, 3, -1, 102, 0, 99, 7, 101, 8),
]
AT_REST = [
    (1, 1, 0, 100, 5, None, None, None, None),
    (2, 2, None, None, None, 99, 7, 101, None),
    (3, 2, None, None, None, None, None, 101, 8),
    (4, 3, -1, 102, 0, 99, 7, 101, 8),
]


def columns(rows: list[tuple[int, ...]]) -> Columns:
    return Columns(*np.array(rows, np.int64).T.copy())


def test_what_is_absent_or_not_recorded_rests_as_null(tmp_path: Path) -> None:
    path = write_day(tmp_path / "day.parquet", columns(ROWS), MARKET)

    frame = pl.read_parquet(path)
    assert frame.rows() == AT_REST
    assert frame.schema == LAKE_SCHEMA


def test_the_file_says_what_its_whole_numbers_mean(tmp_path: Path) -> None:
    path = write_day(tmp_path / "day.parquet", columns(ROWS), MARKET, {"bmv.source": "a test"})

    words = pl.read_parquet_metadata(path)
    told = {key: words[key] for key in words if key.startswith("bmv.")}
    assert told == {
        "bmv.version": "1",
        "bmv.symbol": "SOL/USDC",
        "bmv.tick_size": "0.01",
        "bmv.lot_size": "0.001",
        "bmv.source": "a test",
    }


def test_batches_make_the_same_file_as_one_piece(tmp_path: Path) -> None:
    rows = ROWS * (ROW_GROUP_ROWS // 2)
    whole = write_day(tmp_path / "whole.parquet", columns(rows), MARKET)
    parts = write_day(
        tmp_path / "parts.parquet", (columns(rows[at : at + 9999]) for at in range(0, len(rows), 9999)), MARKET
    )

    assert pl.read_parquet(whole).equals(pl.read_parquet(parts))


def test_a_writer_that_fails_leaves_the_old_day_and_no_scraps(tmp_path: Path) -> None:
    path = write_day(tmp_path / "day.parquet", columns(ROWS), MARKET)

    def broken() -> Iterator[Columns]:
        yield columns(ROWS)
        raise OSError("the feed broke")

    with pytest.raises(Exception, match="the feed broke"):
        write_day(path, broken(), MARKET)

    assert pl.read_parquet(path).height == len(ROWS)
    assert list(tmp_path.iterdir()) == [path]


def test_a_slash_in_a_symbol_makes_no_folder() -> None:
    path = day_path(Path("lake"), "sim", "SOL/USDC", date(2025, 9, 3))

    assert path == Path("lake/sim/SOL-USDC/2025-09-03.parquet")


def test_a_url_is_no_name_of_a_folder() -> None:
    with pytest.raises(UsageError, match=r"symbol: .*found a URL") as refused:
        day_path(Path("lake"), "sim", "https://h/x?y=hunter2", date(2025, 9, 3))

    assert "hunter2" not in str(refused.value)
