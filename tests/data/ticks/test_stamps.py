"""Stamps of rows at rest: behind the nine columns, and only where some row has one."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bmv.data.ticks.schema import LAKE, LAKE_SCHEMA
from bmv.data.ticks.stamps import bare, names_in, resting, stamps_of, together, with_stamps
from bmv.ports.market_data import Columns, Stamps
from bmv.ports.storage import Ticks

ROWS = Columns(*(np.array([5, 6], np.int64) for _ in Columns._fields))._replace(kind=np.array([1, 2]))


def stamped(slot: list[int], received_ns: list[int]) -> pl.DataFrame:
    return resting(Ticks("sim/SOL", "one", 1, 0, ROWS, Stamps(np.array(slot), np.array(received_ns))))


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        (resting(Ticks("sim/SOL", "one", 1, 0, ROWS)), []),
        (stamped([0, 0], [0, 0]), []),
        (stamped([0, 7], [0, 0]), ["slot"]),
        (stamped([0, 0], [9, 9]), ["received_ns"]),
        (stamped([1, 2], [9, 0]), ["slot", "received_ns"]),
    ],
)
def test_a_stamp_is_a_column_only_where_some_row_has_it(rows: pl.DataFrame, columns: list[str]) -> None:
    assert rows.columns == [*LAKE, *columns]


def test_stamps_that_are_not_known_are_null_at_rest_and_0_as_they_are_told() -> None:
    rows = stamped([0, 7], [9, 0])

    assert rows.select("slot", "received_ns").rows() == [(None, 9), (7, None)]
    assert [column.tolist() for column in stamps_of(rows)] == [[0, 7], [9, 0]]
    assert [column.tolist() for column in stamps_of(rows.select(list(LAKE)))] == [[0, 0], [0, 0]]


def test_parts_with_and_without_stamps_lie_together_in_the_order_of_the_columns() -> None:
    late, slots, none = stamped([0, 0], [9, 9]), stamped([1, 2], [0, 0]), stamped([0, 0], [0, 0])

    whole = together([late, none, slots])

    assert whole.columns == [*LAKE, "slot", "received_ns"]
    assert whole["slot"].to_list() == [None] * 4 + [1, 2]
    assert bare(whole.slice(2, 2)).schema == LAKE_SCHEMA
    assert with_stamps(none, ["slot"])["slot"].to_list() == [None, None]


def test_a_column_of_another_type_is_no_stamp(tmp_path: Path) -> None:
    odd = stamped([1, 2], [9, 9]).with_columns(pl.col("slot").cast(pl.String))
    odd.write_parquet(tmp_path / "day.parquet")

    assert names_in(tmp_path / "day.parquet") == [*LAKE, "received_ns"]
