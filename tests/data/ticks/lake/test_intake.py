"""Rows on their way into the lake: few wait in memory, more than that in a folder."""

from pathlib import Path

import polars as pl

from bmv.data.ticks.lake.stage import Stage, kept


def test_rows_that_wait_come_back_as_they_were_and_only_so_many_are_held_in_memory(tmp_path: Path) -> None:
    rows = pl.DataFrame({"ts_ns": range(10), "price": [None, *range(9)]})
    stage = Stage(tmp_path, rows_held=5)

    parts = [stage.keep(part) for part in rows.iter_slices(2)]

    assert [isinstance(part.rows, Path) for part in parts] == [False, False, True, True, True]
    assert pl.concat(map(kept, parts)).equals(rows)
