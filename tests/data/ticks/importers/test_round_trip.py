"""What this program writes for others, it reads back: the same rows, or a question about them, never other numbers."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_files import FIXTURES, LAKE_ROWS, T

from bmv.data.ticks.check.inspection import inspect
from bmv.data.ticks.export import convert, export
from bmv.data.ticks.importers import FORMS, Options, chosen
from bmv.data.ticks.lake.intake import import_files
from bmv.data.ticks.lake.lake import Lake
from bmv.data.ticks.schema import LAKE, LAKE_SCHEMA, STAMPS, write_rows
from bmv.data.ticks.stamps import bare, stamps_among, together, with_stamps
from bmv.ports.errors import DataError, UsageError
from bmv.ports.market import Market

Written = Callable[[str, str | bytes], Path]
TICKS, LOTS = st.integers(1, 2**30), st.integers(1, 2**30)
SIDE_OF_BOOK = st.none() | st.tuples(TICKS, st.none() | LOTS)
STEPS = st.sampled_from(["0.01", "0.25", "1", "10", "1e-8", "0.00003"])


@st.composite
def rows(draw: st.DrawFn) -> pl.DataFrame:
    """Draw rows at rest: trades, quotes of which a side or a size may be absent, changes of depth, clearings."""
    at, told = T, list[tuple[int | None, ...]]()
    for _ in range(draw(st.integers(1, 12))):
        at += draw(st.integers(0, 10**9))
        match draw(st.sampled_from(["trade", "quote", "depth", "clear"])):
            case "trade":
                told.append((at, 1, draw(st.sampled_from([1, -1, 0])), draw(TICKS), draw(LOTS), *[None] * 4))
            case "quote":
                bid, ask = (draw(SIDE_OF_BOOK) or (None, None) for _ in range(2))
                told.append((at, 2, None, None, None, *bid, *ask))
            case "depth":
                told.append((at, 3, draw(st.sampled_from([1, -1])), draw(TICKS), draw(st.integers(0, 99)), *[None] * 4))
            case "clear":
                told.append((at, 3, 0, 0, 0, *[None] * 4))
    table = pl.DataFrame(told, schema=LAKE_SCHEMA, orient="row")
    for name in draw(st.lists(st.sampled_from(list(STAMPS)), unique=True)):
        stamps = draw(st.lists(st.none() | st.integers(1, 2**62), min_size=len(table), max_size=len(table)))
        table = table.with_columns(pl.Series(name, stamps, pl.Int64))
    return bare(with_stamps(table, stamps_among(table.columns)))


@given(table=rows(), tick=STEPS, lot=STEPS, whole=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_day_that_is_exported_and_imported_again_has_equal_rows(
    table: pl.DataFrame, tick: str, lot: str, whole: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("trip")
    market = Market("SOL/USDC", Decimal(tick), Decimal(lot))
    write_rows(folder / "day.parquet", table.lazy(), market)
    export(folder / "day.parquet", folder / "day.csv", whole)
    lake = Lake(folder / "lake")

    done = import_files([folder / "day.csv"], lake, "venue", market)

    assert done.files[0].form == ("whole" if whole else "export")
    assert together(pl.read_parquet(day.path) for day in lake.days()).equals(table)


@given(table=rows(), tick=STEPS)
@settings(max_examples=30, deadline=None)
def test_a_day_that_is_converted_and_imported_again_has_equal_rows(
    table: pl.DataFrame, tick: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("trip")
    market = Market("SOL/USDC", Decimal(tick), Decimal(tick))
    write_rows(folder / "day.parquet", table.lazy(), market)
    convert(folder / "day.parquet", folder / "floats.parquet", None, Options())
    lake = Lake(folder / "lake")

    import_files([folder / "floats.parquet"], lake, "venue", market)

    assert together(pl.read_parquet(day.path) for day in lake.days()).equals(table)


def test_whole_ticks_whose_steps_nobody_says_are_refused(lake: Lake) -> None:
    path = FIXTURES / "view.csv"

    with pytest.raises(UsageError, match="holds whole ticks and lots, and does not say of what; --tick-size"):
        inspect(path, None, None, None, Options(), 0.01)
    with pytest.raises(UsageError, match="--tick-size and --lot-size"):
        list(chosen(FORMS, path, None, Options()).read(path, Options()))


def test_a_query_of_the_view_for_some_columns_is_asked_about(written: Written, lake: Lake) -> None:
    names = f"{','.join(LAKE)},seq\n"
    path = written("query.csv", names + f"{T + 1},trade,-1,10001,2,,,,,0\n{T + 2},quote,,,,9999,,10001,8,1\n")
    market = Market("X", Decimal("0.01"), Decimal("0.25"))

    with pytest.raises(DataError, match="may be whole ticks and lots, as in the view bmv"):
        import_files([path], lake, "venue", market)
    import_files([path], lake, "venue", market, "whole")

    (day,) = lake.days()
    assert pl.read_parquet(day.path).rows() == LAKE_ROWS[:2]


@pytest.mark.parametrize(("column", "other"), [(0, "sim/ETH"), (1, "another")])
def test_a_view_of_two_markets_or_two_recorders_is_refused(
    column: int, other: str, written: Written, lake: Lake
) -> None:
    lines = (FIXTURES / "view.csv").read_text().splitlines()
    cells = lines[3].split(",")
    cells[column] = other
    path = written("view.csv", "\n".join([*lines[:3], ",".join(cells), *lines[4:]]) + "\n")

    with pytest.raises(DataError, match=f"line 4: column '{('market', 'source')[column]}' is '{other}'; it should be"):
        import_files([path], lake, "venue", Market("X", Decimal("0.01"), Decimal("0.25")))


@pytest.mark.parametrize("whole", [True, False])
def test_days_with_and_without_stamps_are_exported_as_one_and_imported_again(whole: bool, tmp_path: Path) -> None:
    market, lake, again = Market("SOL/USDC", Decimal("0.01"), Decimal("1")), Lake(tmp_path / "a"), Lake(tmp_path / "b")
    day_ns = 86_400 * 10**9
    rows = pl.DataFrame([(T, 1, 1, 10_001, 2, *[None] * 4)], schema=LAKE_SCHEMA, orient="row")
    days = [rows.with_columns(pl.col("ts_ns") + day_ns * at) for at in range(3)]
    days[1] = days[1].with_columns(slot=pl.lit(7, pl.Int64))
    with lake.writing():
        for at, table in enumerate(days):
            lake.put(lake.place("sim", "SOL/USDC", date(2025, 9, 3 + at)), table, market, {})

    export(tmp_path / "a" / "sim" / "SOL-USDC", tmp_path / "days.csv", whole)
    import_files([tmp_path / "days.csv"], again, "sim", market)

    assert all(pl.read_parquet(day.path).equals(table) for day, table in zip(again.days(), days, strict=True))
