"""Every form of files, small ones of each: taken into a lake, and nothing else comes out than what was in them."""

from pathlib import Path
from zipfile import ZipFile

import polars as pl
import pytest
from small_files import ARRIVALS, FIXTURES, SMALL, Small, T

from bmv.data.ticks.importers import FORMS, Options, chosen
from bmv.data.ticks.lake.intake import import_files
from bmv.data.ticks.lake.lake import Lake
from bmv.data.ticks.schema import LAKE, LAKE_SCHEMA
from bmv.data.ticks.stamps import stamps_among
from bmv.ports.market import Market


def named(small: Small) -> str:
    return f"{small.name}{'-local' if small.options.local_time else ''}"


@pytest.mark.parametrize("small", SMALL, ids=named)
def test_a_file_comes_out_of_the_lake_row_by_row_as_it_was_written(small: Small, lake: Lake) -> None:
    if small.form == "databento":
        pytest.importorskip("databento_dbn", reason="the extra databento is not installed")

    done = import_files([small.path], lake, "venue", Market("X", *small.steps), options=small.options)

    frame = pl.concat([pl.read_parquet(day.path) for day in lake.days()])
    assert frame.select(list(LAKE)).rows() == small.rows
    assert frame.schema == {**LAKE_SCHEMA, **dict.fromkeys(stamps_among(frame.columns), pl.Int64())}
    assert (done.files[0].rows, done.files[0].dropped, done.files[0].off_lot) == (len(small.rows), 0, 0)


@pytest.mark.parametrize("small", SMALL, ids=named)
def test_the_arrival_of_a_row_is_kept_where_the_file_tells_it_beside_its_time(small: Small, lake: Lake) -> None:
    if small.form == "databento":
        pytest.importorskip("databento_dbn", reason="the extra databento is not installed")

    import_files([small.path], lake, "venue", Market("X", *small.steps), options=small.options)

    frame = pl.concat([pl.read_parquet(day.path) for day in lake.days()])
    told = ARRIVALS.get(small.name) if not small.options.local_time else None
    assert stamps_among(frame.columns) == (["received_ns"] if told else [])
    if told:
        assert (frame["received_ns"] - frame["ts_ns"]).to_list() == told


@pytest.mark.parametrize("small", SMALL, ids=named)
def test_a_file_is_known_for_what_it_is_and_for_nothing_else(small: Small) -> None:
    knowing = [form.name for form in FORMS if form.name != "generic" and form.knows(small.path)]

    assert knowing == ([] if small.form == "generic" else [small.form])
    assert chosen(FORMS, small.path, None, small.options).name == small.form


@pytest.mark.parametrize("small", SMALL, ids=named)
def test_a_file_taken_in_twice_changes_nothing(small: Small, lake: Lake) -> None:
    if small.form == "databento":
        pytest.importorskip("databento_dbn", reason="the extra databento is not installed")
    market = Market("X", *small.steps)
    import_files([small.path], lake, "venue", market, options=small.options)
    before = {path: path.read_bytes() for path in lake.root.rglob("*") if path.is_file()}

    done = import_files([small.path], lake, "venue", market, options=small.options)

    assert not done.written
    assert done.files[0].fresh == 0
    assert {path: path.read_bytes() for path in lake.root.rglob("*") if path.is_file()} == before


def test_every_form_has_a_small_file_and_every_small_file_is_looked_at() -> None:
    files = {path.relative_to(FIXTURES).as_posix() for path in FIXTURES.rglob("*") if path.is_file()}

    assert {small.form for small in SMALL} == {form.name for form in FORMS}
    assert {small.name for small in SMALL} == {
        name for name in files if not name.startswith(("make.py", "__pycache__"))
    }


@pytest.mark.parametrize("text", ["2025-09-03", "2025-09-03T00:00", "2025-09-03 00:00:00", "2025-09-03T02:00:00+0200"])
def test_iso_times_of_every_length_are_the_same_instant(text: str, written, lake: Lake) -> None:
    path = written("ticks.csv", f"time,price,size\n2025-09-03T00:00:00.5Z,1,1\n{text},1,1\n")

    import_files([path], lake, "venue", Market("X", *SMALL[0].steps))

    (day,) = lake.days()
    assert pl.read_parquet(day.path)["ts_ns"].to_list() == [1756857600_000000000, 1756857600_500000000]


@pytest.mark.parametrize(
    ("number", "ns"),
    [
        ("1756857600", 1756857600_000000000),
        ("1756857600.25", 1756857600_250000000),
        ("1756857600000.5", 1756857600_000500000),
        ("1756857600000000", 1756857600_000000000),
        ("1756857600000000001", 1756857600_000000001),
    ],
)
def test_the_unit_of_a_time_is_told_by_its_size_and_digits_behind_the_point_count(
    number: str, ns: int, written
) -> None:
    path = written("ticks.csv", f"time,price,size\n{number},1,1\n")

    (rows,) = chosen(FORMS, path, None, Options()).read(path, Options())

    assert rows["ts"].to_list() == [ns]


def test_a_file_with_a_byte_order_mark_and_a_column_called_row_is_read(written) -> None:
    path = written("ticks.csv", "\ufefftime,row,price,size\n1756857600,7,1,1\n")

    (rows,) = chosen(FORMS, path, None, Options()).read(path, Options())

    assert rows.select("row", "ts").rows() == [(2, 1756857600_000000000)]


def test_the_older_hour_is_meant_when_new_york_sets_its_clocks_back(tmp_path: Path) -> None:
    path = tmp_path / "20131103_trade.zip"
    with ZipFile(path, "w") as archive:
        archive.writestr("20131103_aig_Trade_Tick.csv", "5400000,490100,100,Q,0,0\n10800000,490100,100,Q,0,0\n")

    (rows,) = chosen(FORMS, path, None, Options()).read(path, Options())

    assert rows["ts"].to_list() == [1383456600_000000000, 1383465600_000000000]  # 01:30 EDT, 03:00 EST.


def test_the_hundredth_part_of_a_tick_is_not_lost_in_nanodollars(tmp_path: Path) -> None:
    prices = [99.99, 100.01, 0.07, 123456.789012345]
    raw = [round(price * 10**9) for price in prices]
    frame = pl.DataFrame(
        {"price": raw, "size": [10**9] * 4, "aggressor_side": [1] * 4, "ts_event": [T] * 4, "ts_init": [T] * 4}
    )
    frame.write_parquet(tmp_path / "old.parquet")

    (rows,) = chosen(FORMS, tmp_path / "old.parquet", None, Options()).read(tmp_path / "old.parquet", Options())

    assert rows["price"].to_list() == [one / 10**9 for one in raw]
