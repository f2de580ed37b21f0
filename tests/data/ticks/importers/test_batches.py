"""Files longer than a batch: what one batch ends with is known in the next."""

import io
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import polars as pl
import pytest

from bmv.data.files.parquet import BATCH_ROWS
from bmv.data.ticks.importers import FORMS, Options, chosen
from bmv.data.ticks.importers.books import shape_of
from bmv.data.ticks.importers.sorts import CHANGES, MIXED, ONE_SIDED, RUNGS, TOP, Reading

EVENT = [("ev", "u8"), ("exch_ts", "i8"), ("local_ts", "i8"), ("px", "f8"), ("qty", "f8")]
BID_SHOWN, BID_CLEARED, BEST_BID, BEST_ASK, BOUGHT = 0xE0000001, 0xE0000003, 0xE0000005, 0xD0000005, 0xE0000002


def read(path: Path) -> tuple[pl.DataFrame, int]:
    """Return all rows, and how many batches they came in."""
    batches = list(chosen(FORMS, path, None, Options()).read(path, Options()))
    return pl.concat(batches), len(batches)


def test_a_clearing_empties_what_was_shown_batches_ago_and_a_best_ask_meets_its_bid(tmp_path: Path) -> None:
    events = np.zeros(BATCH_ROWS + 4, EVENT)
    events["ev"], events["exch_ts"] = BOUGHT, 1756857600_000000000 + np.arange(len(events))
    events["px"], events["qty"] = 100.0, 1.0
    events["ev"][:3], events["px"][:3] = (BID_SHOWN, BID_SHOWN, BEST_BID), (99.0, 98.0, 97.0)
    events["ev"][-2:], events["px"][-2:] = (BID_CLEARED, BEST_ASK), (98.5, 101.0)
    buffer = io.BytesIO()
    np.savez(buffer, data=events)
    (tmp_path / "long.npz").write_bytes(buffer.getvalue())

    rows, batches = read(tmp_path / "long.npz")

    assert batches == 2
    assert rows["kind"].value_counts(sort=True).rows() == [("trade", BATCH_ROWS - 1), ("depth", 3), ("quote", 2)]
    assert rows[-2:].select("row", "kind", "price", "size", "bid", "ask").rows() == [
        (BATCH_ROWS + 2, "depth", 99.0, 0.0, None, None),
        (BATCH_ROWS + 3, "quote", None, None, 97.0, 101.0),
    ]


def test_a_side_that_lean_left_out_is_that_of_the_batch_before(tmp_path: Path) -> None:
    lines = "1,490000,300,0,0,P,0,0\n" + "2,0,0,490100,200,P,0,0\n" * (BATCH_ROWS + BATCH_ROWS // 2)
    with ZipFile(tmp_path / "20131007_quote.zip", "w", ZIP_DEFLATED) as archive:
        archive.writestr("20131007_aig_Quote_Tick.csv", lines)

    rows, batches = read(tmp_path / "20131007_quote.zip")

    assert batches > 1
    assert len(rows) == 1 + BATCH_ROWS + BATCH_ROWS // 2
    assert rows["row"].to_list()[-1] == len(rows)
    assert rows.select(pl.struct("bid", "bid_size").unique()).unnest("bid").rows() == [(49.0, 300.0)]


def test_a_snapshot_of_tardis_that_goes_on_in_the_next_batch_clears_once(tmp_path: Path) -> None:
    start = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n"
    (tmp_path / "t.csv").write_text(
        start + "x,A,1756857600000000,1756857600000000,true,bid,99,1\n" * (BATCH_ROWS + BATCH_ROWS // 2)
    )

    rows, batches = read(tmp_path / "t.csv")

    assert batches > 1
    assert len(rows) == 1 + BATCH_ROWS + BATCH_ROWS // 2
    assert rows["side"].value_counts(sort=True).rows() == [(1, BATCH_ROWS + BATCH_ROWS // 2), (0, 1)]
    assert rows["side"][0] == 0


BOOK_ROWS = pl.DataFrame(
    {
        "row": range(2, 14),
        "ts": [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3],
        "side": [1, 1, -1, -1] * 3,
        "level": [0, 1] * 6,
        "price": [9.0, 8.0, 11.0, 12.0, 9.0, 7.0, 11.0, 12.0, 8.0, 7.0, 10.0, 11.0],
        "size": [1.0, 1.0, 1.0, 2.0, 3.0, 1.0, 1.0, 2.0, 1.0, 2.0, 2.0, 1.0],
        "update": [5, 5, 5, 5, 4, 6, 6, 6, 7, 7, 7, 7],
        "what": ["snap"] * 4 + ["set", "quote", "trade", "gone"] + ["snap"] * 4,
    }
)
NEEDED = {
    ONE_SIDED: ("side", "price", "size"),
    CHANGES: ("side", "price", "size", "update", "what"),
    MIXED: ("side", "price", "size", "update", "what"),
    TOP: ("side", "level", "price", "size"),
    RUNGS: ("side", "level", "price", "size"),
}


@pytest.mark.parametrize("sort", NEEDED)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_rows_of_a_book_cut_anywhere_come_out_as_in_one_piece(sort: str, size: int) -> None:
    rows = BOOK_ROWS.select("row", "ts", *NEEDED[sort])
    if sort == CHANGES:
        rows = rows.filter(pl.col("what").is_in(["snap", "set", "gone"]))

    def shaped(parts: list[pl.DataFrame]) -> list[tuple[object, ...]]:
        shape = shape_of(Path("f"), Reading(sort, {}), "line")
        done = [shape(part) for part in parts]
        if end := getattr(shape, "end", None):
            done.append(end())
        names = ("row", "kind", "side", "price", "size", "bid", "bid_size", "ask", "ask_size")
        return [tuple(row.get(name) for name in names) for part in done for row in part.rows(named=True)]

    whole = shaped([rows])

    assert shaped(list(rows.iter_slices(size))) == whole
    assert whole
