"""Times of every custom: read exactly, or refused with what they may be; never taken for another."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_files import SMALL, Small, T

from bmv.data.ticks.calendar import EARLIEST_NS, LATEST_NS, may_be
from bmv.data.ticks.importers import FORMS, Options, chosen
from bmv.ports.errors import DataError

Written = Callable[[str, str | bytes], Path]
INSTANTS = st.integers(EARLIEST_NS, LATEST_NS - 1)
SECOND_NS = 10**9
FEW = settings(max_examples=60, deadline=None)


def read(path: Path, options: Options | None = None) -> list[int]:
    """Return the times of all rows of a file."""
    options = options or Options()
    return pl.concat(chosen(FORMS, path, None, options).read(path, options))["ts"].to_list()


def trades(times: list[str], name: str = "time") -> str:
    return "\n".join([f"{name};price;size", *(f"{time};1;1" for time in times)]) + "\n"


def refusal(path: Path, options: Options | None = None) -> str:
    with pytest.raises(DataError) as error:
        read(path, options)
    return str(error.value)


def moment(ns: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1_000)


def numbered(per_s: int) -> Callable[[int], tuple[str, int]]:
    """Return how an instant is written as a number of which a second has `per_s`."""
    return lambda ns: (str(ns * per_s // SECOND_NS), ns * per_s // SECOND_NS * (SECOND_NS // per_s))


def in_format(text: str, offset_h: int = 0) -> Callable[[int], tuple[str, int]]:
    """Return how an instant is written by a custom, to the microsecond."""
    return lambda ns: ((moment(ns) + timedelta(hours=offset_h)).strftime(text), ns // 1_000 * 1_000)


CUSTOMS = {
    **{f"1/{per_s} s": numbered(per_s) for per_s in (1, 10**3, 10**6, 10**9)},
    "decimal seconds": lambda ns: (f"{ns // SECOND_NS}.{ns % SECOND_NS:09}", ns),
    "ISO": in_format("%Y-%m-%dT%H:%M:%S.%fZ"),
    "ISO to the ns": lambda ns: (f"{moment(ns):%Y-%m-%dT%H:%M:%S}.{ns % SECOND_NS:09}Z", ns),
    "Postgres, in UTC": in_format("%Y-%m-%d %H:%M:%S.%f+00"),
    "Postgres, in New York": in_format("%Y-%m-%d %H:%M:%S.%f-04", -4),
    "Python": in_format("%Y-%m-%d %H:%M:%S.%f"),
    "BigQuery": in_format("%Y-%m-%d %H:%M:%S.%f UTC"),
    "Dukascopy": in_format("%d.%m.%Y %H:%M:%S.%f GMT+0100", 1),
    "MetaTrader": in_format("%Y.%m.%d %H:%M:%S.%f"),
    "HistData": in_format("%Y%m%d %H%M%S%f"),
    "one number": in_format("%Y%m%d%H%M%S%f"),
    "half days": in_format("%Y/%m/%d %I:%M:%S.%f %p"),
}


@pytest.mark.parametrize("custom", CUSTOMS)
@given(instants=st.lists(INSTANTS, min_size=1, max_size=4))
@FEW
def test_a_time_is_read_exactly_by_whatever_custom_it_is_written(
    custom: str, instants: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    cells = [CUSTOMS[custom](instant) for instant in instants]
    path = tmp_path_factory.mktemp("times") / "ticks.csv"
    path.write_text(trades([cell for cell, _ in cells]))

    assert read(path) == [exact for _, exact in cells]


WRONG = {
    "clocks": lambda at: f"{at:%H%M%S}",
    "clocks with milliseconds": lambda at: f"{at:%H%M%S}{at.microsecond // 1_000:03}",
    "clocks with colons": lambda at: f"{at:%H:%M:%S}",
    "days": lambda at: f"{at:%Y%m%d}",
    "days as ISO has them": lambda at: f"{at:%Y-%m-%d}",
    "milliseconds since midnight": lambda at: str((at - at.replace(hour=0, minute=0, second=0, microsecond=0)) // timedelta(milliseconds=1)),
    "days of Excel": lambda at: f"{(at - datetime(1899, 12, 30, tzinfo=UTC)) / timedelta(days=1):.9f}",
    "counts of .NET": lambda at: str((at - datetime(1, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10),
    "counts of Windows": lambda at: str((at - datetime(1601, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10),
    "counts of kdb+": lambda at: str((at - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1_000),
    "counts of Apple": lambda at: str((at - datetime(2001, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)),
}  # fmt: skip
RECENT = st.datetimes(datetime(2010, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001  # The zone is added.


@pytest.mark.parametrize("sort", WRONG)
@given(moments=st.lists(RECENT, min_size=1, max_size=4))
@FEW
def test_a_number_that_is_no_time_is_refused_by_line_and_column(
    sort: str, moments: list[datetime], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("wrong") / "ticks.csv"
    path.write_text(trades([WRONG[sort](at) for at in moments]))

    said = refusal(path)

    assert said.startswith(f"{path}, line 2: column 'time' is "), said


@given(
    instants=st.lists(INSTANTS, min_size=2, max_size=8), per_s=st.sampled_from([1, 10**3, 10**6, 10**9]), data=st.data()
)
@FEW
def test_a_unit_that_changes_inside_a_file_is_refused_where_it_does(
    instants: list[int], per_s: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = data.draw(st.sampled_from([each for each in (1, 10**3, 10**6, 10**9) if each != per_s]))
    at = data.draw(st.integers(1, len(instants) - 1))
    cells = [numbered(other if number >= at else per_s)(ns)[0] for number, ns in enumerate(instants)]
    path = tmp_path_factory.mktemp("units") / "ticks.csv"
    path.write_text(trades(cells))

    assert f"line {at + 2}: column 'time' is '{cells[at]}'; it should be a time from 1998 to 2059" in refusal(path)


@pytest.mark.parametrize(
    ("cell", "guess"),
    [
        ("093000", "a clock (HHMMSS) without its day"),
        ("20250903", "a day (YYYYMMDD) without a time of day"),
        ("34200000", "milliseconds since midnight"),
        ("45903.395833", "days as Excel counts them (2025-09-03 09:30:00)"),
        ("638924544000000000", "100 ns since the year 1 (.NET): 2025-09-03"),
        ("133800000000000000", "100 ns since 1601 (Windows): 2024-12-30"),
        ("778550400", "seconds since 2001 (Apple): 2025-09-03"),
        ("1735689600000", "a time in ms"),
        ("0", "a time that is missing"),
    ],
)
def test_a_refusal_says_what_a_number_may_be(cell: str, guess: str) -> None:
    assert any(each.startswith(guess) for each in may_be(cell))


@pytest.mark.parametrize("cell", ["3840000000", "3974313600000", "2091-09-07T13:20:00Z"])
def test_a_time_that_is_decades_ahead_is_refused(cell: str, written: Written) -> None:
    path = written("ticks.csv", trades([cell]))

    assert f"line 2: column 'time' is '{cell}'; it should be a time from 1998 to 2059" in refusal(path)


def test_a_unit_holds_for_the_whole_file_however_long_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ticks.csv"
    seconds, changed = 1756857600, 1_100_000  # Lines; the batch that reads the last of them is not the first.
    lines = np.char.add(np.arange(seconds, seconds + changed).astype(str), ",1,1\n")
    path.write_text("time,price,size\n" + "".join(lines.tolist()) + "1757957600000,1,1\n")

    assert f"line {changed + 2}: column 'time' is '1757957600000'" in refusal(path)


@pytest.mark.parametrize("text", ["01/05/2026 09:30:00", "1-5-2026 9:30"])
def test_a_day_that_may_be_read_in_two_ways_is_asked_about(text: str, written: Written) -> None:
    path = written("ticks.csv", trades([text]))

    said = refusal(path)
    may, january = (read(path, Options(day_first=first))[0] for first in (True, False))

    assert "it may be 2026-05-01 or 2026-01-05: --day-first means the former, --month-first the latter" in said
    assert (may, january) == (1777627800_000000000, 1767605400_000000000)


def test_a_day_above_twelve_shows_the_order_of_its_file_and_both_orders_are_refused(written: Written) -> None:
    shown = written("shown.csv", trades(["01/05/2026 00:00:00", "13/05/2026 00:00:00"]))
    both = written("both.csv", trades(["05/13/2026 00:00:00", "13/05/2026 00:00:00"]))
    against = Options(day_first=False)

    assert read(shown) == [1777593600_000000000, 1778630400_000000000]
    assert "it may be 2026-13-05 or 2026-05-13" in refusal(both)
    assert "line 3: column 'time' is '13/05/2026 00:00:00'; it should be a time such as" in refusal(shown, against)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Date,Time,price,size", "2025-09-03,00:00:01,1,1"),
        ("<DATE>,<TIME>,price,size", "2025.09.03,00:00:01.000,1,1"),
        ("date,time,price,size", "20250903,000001,1,1"),
        ("date,time,price,size", "20250903,000001000,1,1"),
        ("day,time,price,size", "03.09.2025,0:00:01,1,1"),
        ("date,time,price,size", "2025-09-03,1756857601,1,1"),
        ("time,price,size", "2025-09-03 00:00:01,1,1"),
    ],
)
def test_a_day_and_a_clock_in_two_columns_are_one_time(header: str, row: str, written: Written) -> None:
    assert read(written("ticks.csv", f"{header}\n{row}\n")) == [T + SECOND_NS]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("01/05/2026,09:30:00", "column 'date' is '01/05/2026'; it may be 2026-05-01 or 2026-01-05: --day-first"),
        ("2026-13-01,09:30:00", "column 'date' is '2026-13-01'; it should be the day of the clock beside it"),
        (",09:30:00", "column 'date' is empty; it should be the day of the clock beside it"),
        ("2026-01-05 10:00,09:30:00", "column 'date' is '2026-01-05 10:00'; it should be the day of the clock"),
        ("1970-01-05,09:30:00", "column 'date' is '1970-01-05'; it should be a day from 1998 to 2059"),
        ("2026-01-05,09:61:00", "column 'time' is '09:61:00'; it should be a clock such as 09:30:00.123"),
    ],
)
def test_of_a_day_and_a_clock_the_one_at_fault_is_named(row: str, message: str, written: Written) -> None:
    path = written("ticks.csv", f"date,time,price,size\n{row},1,1\n")

    assert f"line 2: {message}" in refusal(path)


def test_a_clock_without_its_zeros_beside_a_day_is_refused_since_it_may_count_seconds(written: Written) -> None:
    path = written("ticks.csv", "date,time,price,size\n20250903,34200,1,1\n")

    assert "line 2: column 'time' is '34200'; it should be a clock written with its zeros" in refusal(path)


def test_a_day_and_a_clock_of_parquet_are_one_time(tmp_path: Path) -> None:
    at = datetime(2025, 9, 3, 9, 30, 0, 123456)  # noqa: DTZ001  # Columns of days and clocks have no zone.
    columns = {"date": [at.date()], "time": [at.time()], "price": [1.0], "size": [1.0]}
    pl.DataFrame(columns).write_parquet(tmp_path / "ticks.parquet")

    assert read(tmp_path / "ticks.parquet") == [T + 34_200_123456_000]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", None])
def test_a_time_of_parquet_keeps_its_instant_whatever_unit_is_given(zone: str | None, tmp_path: Path) -> None:
    times = pl.Series([T // 10**6]).cast(pl.Datetime("ms", "UTC"))
    times = times.dt.convert_time_zone(zone) if zone else times.dt.replace_time_zone(None)
    pl.DataFrame({"time": times, "price": [1.0], "size": [1.0]}).write_parquet(tmp_path / "ticks.parquet")

    assert read(tmp_path / "ticks.parquet", Options(time_unit="ms")) == [T]


IN_COLUMNS = {"floats": "ts", "lake": "ts_ns", "nautilus": "ts_event"}


@pytest.mark.parametrize(
    "small", [small for small in SMALL if small.form in IN_COLUMNS and not small.options.local_time]
)
@pytest.mark.parametrize("change", [lambda ns: ns // 1_000, lambda ns: ns * 0, lambda ns: ns - T])
def test_a_time_of_parquet_that_no_market_can_have_is_refused_by_row_and_column(
    small: Small, change: Callable[[pl.Expr], pl.Expr], tmp_path: Path
) -> None:
    path, column = tmp_path / "ticks.parquet", IN_COLUMNS[small.form]
    words = {key: word for key, word in pl.read_parquet_metadata(small.path).items() if key != "ARROW:schema"}
    rows = pl.read_parquet(small.path).with_columns(change(pl.col(column)).cast(pl.Int64).alias(column))
    rows.write_parquet(path, metadata=words)

    assert f"{path}, row 0 (the first is 0): column '{column}' is " in refusal(path)


def test_a_time_of_an_array_that_no_market_can_have_is_refused_by_row_and_field(tmp_path: Path) -> None:
    kind = [("ev", "u8"), ("exch_ts", "i8"), ("local_ts", "i8"), ("px", "f8"), ("qty", "f8")]
    events = np.array([(0xE0000002, T, T, 1.0, 1.0), (0xE0000002, T // 1_000, T, 1.0, 1.0)], kind)
    np.savez(tmp_path / "events.npz", data=events)

    said = refusal(tmp_path / "events.npz")

    assert (
        f"row 1 (the first is 0): column 'exch_ts' is {T // 1_000}; it should be a time from 1998 to 2059 in ns" in said
    )
    assert said.endswith("it may be a time in us")
