"""The lake: days that say what they hold, grow when they should, and survive whoever dies while writing."""

import json
import shutil
import signal
import subprocess
import sys
import time
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.rigs.bombs import many_days

from bmv.data.files.hash import sha256
from bmv.data.ticks.export import convert
from bmv.data.ticks.importers import Options
from bmv.data.ticks.lake.intake import ImportReport, import_files
from bmv.data.ticks.lake.lake import Lake
from bmv.data.ticks.lake.merge import merged
from bmv.data.ticks.lake.stage import part_of
from bmv.data.ticks.schema import at_rest, manifest_path
from bmv.data.ticks.synth.synth import synth
from bmv.ports.errors import DataError, StorageError, UsageError
from bmv.ports.market import Market

MARKET = Market("SOL/USDC", Decimal("0.01"), Decimal("0.001"))
MIDNIGHT_NS = 1_756_944_000_000_000_000  # 2025-09-04.
SECOND = 1_000_000_000


def csv(path: Path, rows: list[str], header: str = "ts,price,size,side,bid,bid_size,ask,ask_size") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def trade(second: float, price: str = "100.01", size: str = "1.5", side: str = "buy") -> str:
    return f"{MIDNIGHT_NS + round(second * SECOND)},{price},{size},{side},,,,"


def quote(second: float, bid: str = "100", ask: str = "100.02") -> str:
    return f"{MIDNIGHT_NS + round(second * SECOND)},,,,{bid},2,{ask},3"


def taken(root: Path, *paths: Path, **settings: Any) -> ImportReport:
    return import_files(paths, Lake(root), "test", MARKET, **settings)


def everything(root: Path) -> dict[str, tuple[str, int]]:
    """Return every file of a lake with its hash and the time of its last change."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(root)): (sha256(path), path.stat().st_mtime_ns) for path in files}


def test_a_file_is_cut_at_midnight_utc_and_each_day_says_what_it_holds(tmp_path: Path) -> None:
    path = csv(tmp_path / "ticks.csv", [quote(-2), trade(-1), trade(0), quote(61.5), quote(62)])

    taken(tmp_path / "lake", path)

    lake = Lake(tmp_path / "lake")
    days = lake.days()
    assert [(day.venue, day.symbol, day.day) for day in days] == [
        ("test", "SOL-USDC", date(2025, 9, 3)),
        ("test", "SOL-USDC", date(2025, 9, 4)),
    ]
    first, second = map(lake.manifest, days)
    assert (first.rows, second.rows) == (2, 3)
    assert (second.first_ns, second.last_ns) == (MIDNIGHT_NS, MIDNIGHT_NS + 62 * SECOND)
    assert second.sha256 == sha256(days[1].path)
    assert second.quality == {
        "trades": 1, "quotes": 2, "depths": 0, "crossed": 0, "locked": 0, "unsided": 0, "back": 0,
    }  # fmt: skip
    assert [source["file"] for source in second.sources] == ["ticks.csv"]
    assert lake.market("test", "SOL/USDC") == MARKET


def test_a_hole_in_the_record_is_recorded_as_a_hole(tmp_path: Path) -> None:
    path = csv(tmp_path / "ticks.csv", [quote(0), quote(60), quote(121)])

    taken(tmp_path / "lake", path)

    lake = Lake(tmp_path / "lake")
    (gap,) = lake.manifest(lake.days()[0]).gaps
    assert (gap.from_ns, gap.to_ns) == (MIDNIGHT_NS + 60 * SECOND, MIDNIGHT_NS + 121 * SECOND)


def test_importing_twice_changes_no_byte(tmp_path: Path) -> None:
    path = csv(tmp_path / "ticks.csv", [quote(-1), trade(0), trade(0), trade(0)])
    root = tmp_path / "lake"
    taken(root, path)
    before = everything(root)

    again = taken(root, path)

    assert everything(root) == before
    assert [file.fresh for file in again.files] == [0]
    assert not again.written


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_overlapping_files_merge_whichever_comes_first(tmp_path: Path, order: tuple[int, int]) -> None:
    rows = [quote(0), trade(1), trade(1), quote(2), trade(3), quote(4)]
    parts = [csv(tmp_path / "a.csv", rows[:4]), csv(tmp_path / "b.csv", rows[1:])]
    root = tmp_path / "lake"

    for part in order:
        taken(root, parts[part])

    whole = pl.read_parquet(Lake(root).days()[0].path)
    assert whole["kind"].to_list() == [2, 1, 1, 2, 1, 2]
    assert whole["ts_ns"].to_list() == [MIDNIGHT_NS + second * SECOND for second in (0, 1, 1, 2, 3, 4)]


def test_rows_out_of_order_are_moved_to_their_time_and_counted(tmp_path: Path) -> None:
    path = csv(tmp_path / "ticks.csv", [trade(5), trade(3, "100.03"), trade(4, "100.04"), trade(6)])

    done = taken(tmp_path / "lake", path)

    rows = pl.read_parquet(done.written[0].path)
    assert rows["price"].to_list() == [10003, 10004, 10001, 10001]
    assert done.files[0].back == 2


def test_a_trade_of_less_than_a_lot_is_called_that_and_not_zero_or_negative(tmp_path: Path) -> None:
    path = csv(
        tmp_path / "ticks.csv", [trade(0), trade(1, size="0.0009"), trade(2, size="0"), trade(3, size="-0.0009")]
    )

    (file,) = taken(tmp_path / "lake", path, max_bad_share=1.0).files

    assert file.bad == {"size zero or negative": 2, "smaller than one lot": 1}
    assert file.first_bad == "line 3: smaller than one lot"


def test_a_bad_row_of_parquet_is_found_by_its_row_and_one_of_text_by_its_line(tmp_path: Path) -> None:
    rows = [trade(0), trade(1, "100.005"), trade(2)]
    text = csv(tmp_path / "ticks.csv", rows)
    parquet = tmp_path / "ticks.parquet"
    pl.read_csv(text).write_parquet(parquet)

    first_bad = [taken(tmp_path / "lake", path, max_bad_share=0.5).files[0].first_bad for path in (text, parquet)]

    assert first_bad == ["line 3: price off the grid", "row 1 (the first is 0): price off the grid"]


def test_bad_rows_are_counted_by_kind_and_never_let_in(tmp_path: Path) -> None:
    path = csv(tmp_path / "ticks.csv", [trade(0), trade(1, "100.005"), trade(2, size="-1"), trade(3, size="1.0005")])

    done = taken(tmp_path / "lake", path, max_bad_share=0.5)

    (file,) = done.files
    assert file.bad == {"price off the grid": 1, "size zero or negative": 1}
    assert file.first_bad == "line 3: price off the grid"
    assert (file.good, file.off_lot) == (2, 1)


def test_too_many_bad_rows_leave_the_lake_as_it_was(tmp_path: Path) -> None:
    root = tmp_path / "lake"
    taken(root, csv(tmp_path / "good.csv", [trade(0)]))
    before = everything(root)
    bad = csv(tmp_path / "bad.csv", [trade(1), trade(2, "0.001")])

    with pytest.raises(DataError, match=r"bad\.csv: 1 of 2 rows are bad.*price off the grid; first in line 3"):
        taken(root, csv(tmp_path / "more.csv", [trade(9)]), bad)

    assert everything(root) == before


def test_other_steps_can_not_go_beside_what_is_there(tmp_path: Path) -> None:
    path = csv(tmp_path / "ticks.csv", [trade(0)])
    taken(tmp_path / "lake", path)

    other = Market("SOL/USDC", Decimal("0.001"), Decimal("0.001"))
    with pytest.raises(DataError, match=r"holds ticks of 0\.01 and lots of 0\.001; rows in ticks of 0\.001"):
        import_files([csv(tmp_path / "b.csv", [trade(1)])], Lake(tmp_path / "lake"), "test", other)


@pytest.mark.parametrize("damage", ["missing", "torn", "of another file"])
def test_a_manifest_that_does_not_fit_its_file_is_made_again(tmp_path: Path, damage: str) -> None:
    lake = Lake(tmp_path / "lake")
    day = taken(lake.root, csv(tmp_path / "ticks.csv", [trade(0), quote(100)])).written[0]
    right = lake.manifest(day)
    path = manifest_path(day.path)
    if damage == "missing":
        path.unlink()
    elif damage == "torn":
        path.write_bytes(path.read_bytes()[:100])
    else:
        path.write_text(json.dumps({**json.loads(path.read_text()), "bytes": 1, "rows": 7}))

    assert lake.manifest(day) == right
    assert json.loads(path.read_text())["rows"] == 2


def test_two_imports_at_once_into_one_lake_are_refused(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    path = csv(tmp_path / "ticks.csv", [trade(0)])

    with lake.writing(), pytest.raises(StorageError, match="another import is writing"):
        taken(lake.root, path)

    assert taken(lake.root, path).files[0].fresh == 1


def test_no_reader_sees_what_is_half_done(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    day = taken(lake.root, csv(tmp_path / "ticks.csv", [trade(0)])).written[0]
    (day.path.parent / ".2025-09-04.parquet.17.tmp").write_bytes(b"PAR1 half")
    (day.path.parent / "notes.parquet").write_bytes(b"no day")

    assert lake.days() == [day]


IMPORT = """
import os, signal, sys
from decimal import Decimal
from itertools import count
from pathlib import Path
import bmv.data.ticks.lake.intake
from bmv.data.ticks.lake.intake import import_files
from bmv.data.ticks.lake.lake import Lake
from bmv.ports.market import Market

def die(event, arguments, steps=count(1)):
    if event in ("os.rename", "os.remove") and next(steps) == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)

if len(sys.argv) > 3:
    bmv.data.ticks.lake.intake.DAYS_AT_ONCE = int(sys.argv[3])
if len(sys.argv) > 4:
    sys.addaudithook(die)
import_files([Path(sys.argv[2])], Lake(Path(sys.argv[1])), "test", Market("SOL/USDC", Decimal("0.01"), Decimal("0.001")))
"""


def test_a_killed_import_leaves_whole_days_and_the_next_one_ends_it(tmp_path: Path) -> None:
    rows = [row for hour in range(-400, 400) for row in (quote(hour * 3600 + 1), trade(hour * 3600 + 2))] * 20
    path = csv(tmp_path / "ticks.csv", sorted(rows))
    root, whole = tmp_path / "lake", tmp_path / "whole"
    taken(whole, path)
    expected = {day.path.name: pl.read_parquet(day.path) for day in Lake(whole).days()}
    seen = set()
    for attempt in range(12):
        _kill_while_writing(root, path, days=attempt * 3)
        days = Lake(root).days()
        seen.add(len(days))
        for day in days:  # Whole, or not there.
            assert pl.read_parquet(day.path).equals(expected[day.path.name])
            assert Lake(root).manifest(day).rows == expected[day.path.name].height

    taken(root, path)

    assert {day.path.name: pl.read_parquet(day.path).height for day in Lake(root).days()} == {
        name: rows.height for name, rows in expected.items()
    }
    assert not list(root.rglob("*.tmp"))
    assert len(seen) > 3, f"the import was never caught at its work: {seen}"


def _kill_while_writing(root: Path, path: Path, days: int) -> None:
    """Start an import, and kill it -9 as soon as the lake has so many days, or a moment after its start."""
    process = subprocess.Popen([sys.executable, "-c", IMPORT, str(root), str(path), "1"], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline and len(Lake(root).days()) <= days:
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="limits a file's size as Linux does")
def test_a_full_disk_is_an_error_and_what_was_there_is_intact(tmp_path: Path) -> None:
    root = tmp_path / "lake"
    taken(root, csv(tmp_path / "good.csv", [trade(0)]))
    before = everything(root)
    rows = [trade(second / 1000, f"{100 + second * 7919 % 997 / 100:.2f}") for second in range(200_000)]
    path = csv(tmp_path / "many.csv", rows)
    limited = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limited += "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"

    process = subprocess.run(
        [sys.executable, "-c", limited + IMPORT, str(root), str(path)], capture_output=True, text=True, check=False
    )

    assert "StorageError" in process.stderr, process.stderr[-500:]
    assert everything(root) == before


def test_options_reach_the_form(tmp_path: Path) -> None:
    path = csv(tmp_path / "ticks.csv", ["1756944000,100.01,1.5"], header="when,px,qty")

    taken(tmp_path / "lake", path, options=Options({"ts": "when", "size": "qty"}, time_unit="s"))

    assert pl.read_parquet(Lake(tmp_path / "lake").days()[0].path)["ts_ns"].to_list() == [MIDNIGHT_NS]


def test_a_lake_in_which_nothing_may_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = csv(tmp_path / "ticks.csv", [trade(0)])
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(StorageError, match="file/lake: cannot be written: Not a directory"):
        taken(tmp_path / "file" / "lake", path)


def test_a_made_up_tape_stays_one_in_another_lake_whatever_comes_beside_it(tmp_path: Path) -> None:
    synth(tmp_path / "made", 7, 50, date(2025, 9, 4), market=MARKET)
    (made,) = (tmp_path / "made").rglob("*.parquet")
    real = csv(tmp_path / "ticks.csv", [trade(0), quote(1)])
    lake = Lake(tmp_path / "lake")

    for path in (real, made, csv(tmp_path / "later.csv", [trade(70_000)])):
        import_files([path], lake, "test", MARKET)

    (day,) = lake.days()
    assert pl.read_parquet_metadata(day.path)["bmv.source"] == "synthetic, seed 7"
    assert [source.get("maker") for source in lake.manifest(day).sources] == [None, "synthetic, seed 7", None]
    again = Lake(tmp_path / "again")
    import_files([day.path], again, "test", MARKET)
    (copied,) = again.days()
    assert pl.read_parquet_metadata(copied.path)["bmv.source"] == "synthetic, seed 7"
    assert pl.read_parquet(copied.path).equals(pl.read_parquet(day.path))


def test_a_made_up_tape_in_units_stays_one(tmp_path: Path) -> None:
    synth(tmp_path / "made", 7, 50, date(2025, 9, 4), market=MARKET)
    (made,) = (tmp_path / "made").rglob("*.parquet")

    convert(made, tmp_path / "units.parquet", None, Options())
    day = taken(tmp_path / "lake", tmp_path / "units.parquet").written[0]

    assert pl.read_parquet_metadata(day.path)["bmv.source"] == "synthetic, seed 7"
    assert pl.read_parquet(day.path).equals(pl.read_parquet(made))


def flipped(path: Path) -> None:
    """Change one bit of the values in a file."""
    whole = bytearray(path.read_bytes())
    whole[100] ^= 1
    path.write_bytes(whole)


def test_a_day_whose_bytes_changed_is_refused_by_whoever_asks_for_it_whole_and_by_an_import(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    day = taken(lake.root, csv(tmp_path / "ticks.csv", [trade(0), quote(1)])).written[0]
    right = lake.verified(day)
    flipped(day.path)
    before = everything(lake.root)

    with pytest.raises(DataError, match=r"04\.parquet: its bytes are not those that were written \(checksum"):
        lake.verified(day)
    with pytest.raises(DataError, match=r"restore it, or remove it and import its day anew"):
        taken(lake.root, csv(tmp_path / "more.csv", [trade(2)]))

    assert everything(lake.root) == before
    assert json.loads(manifest_path(day.path).read_text())["sha256"] == right.sha256


def test_a_day_of_another_size_than_was_written_gets_no_new_manifest(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    day = taken(lake.root, csv(tmp_path / "ticks.csv", [trade(0), quote(1)])).written[0]
    told = manifest_path(day.path).read_bytes()
    pl.read_parquet(day.path).head(1).write_parquet(day.path, metadata=pl.read_parquet_metadata(day.path))

    with pytest.raises(DataError, match="its bytes are not those that were written"):
        lake.manifest(day)

    assert manifest_path(day.path).read_bytes() == told


def test_a_day_that_is_made_up_anew_is_not_judged_by_the_manifest_of_the_old_one(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for seed in (1, 2):
        synth(tmp_path, seed, 50, date(2025, 9, 4), market=MARKET, overwrite=True)
        (day,) = lake.days()

        assert lake.verified(day).sha256 == sha256(day.path)
        assert lake.verified(day).rows == 50


def test_an_import_killed_while_it_merges_leaves_days_that_are_believed(tmp_path: Path) -> None:
    rows = [row for hour in range(-100, 100) for row in (quote(hour * 3600 + 1), trade(hour * 3600 + 2))] * 20
    root = tmp_path / "lake"
    taken(root, csv(tmp_path / "ticks.csv", sorted(rows)))
    whole = len(Lake(root).days())
    caught = set()
    for attempt in range(8):
        more = csv(tmp_path / "more.csv", [trade(hour * 3600 + attempt + 9) for hour in range(-100, 100)])
        started = {day.path: day.path.stat().st_ino for day in Lake(root).days()}
        process = subprocess.Popen([sys.executable, "-c", IMPORT, str(root), str(more), "1"], stderr=subprocess.DEVNULL)
        while process.poll() is None and sum(path.stat().st_ino != ino for path, ino in started.items()) <= attempt % 4:
            time.sleep(0.0001)
        process.send_signal(signal.SIGKILL)
        process.wait()
        caught.add(sum(path.stat().st_ino != ino for path, ino in started.items()))

        assert [Lake(root).verified(day).sha256 for day in Lake(root).days()]

    assert len(Lake(root).days()) == whole
    assert caught - {0, whole}, f"the import was never caught at its work: {caught}"


def test_an_import_killed_at_any_step_of_placing_days_together_leaves_days_that_are_believed(tmp_path: Path) -> None:
    hours = range(-200, 200)
    first, more = (csv(tmp_path / f"{n}.csv", [trade(hour * 3600 + n) for hour in hours]) for n in (1, 2))
    whole, both = tmp_path / "whole", tmp_path / "both"
    taken(whole, first)
    taken(both, first)
    taken(both, more)
    old, new = ({day.path.name: pl.read_parquet(day.path) for day in Lake(lake).days()} for lake in (whole, both))
    seen = set()

    for step in range(1, 3 * len(old) + 2, 4):  # A manifest goes, a file comes, a manifest comes, of each day.
        root = Path(shutil.copytree(whole, tmp_path / f"lake{step}"))
        run = subprocess.run([sys.executable, "-c", IMPORT, str(root), str(more), "1000", str(step)], check=False)

        days = Lake(root).days()
        rows = {day.path.name: pl.read_parquet(day.path) for day in days}
        assert rows.keys() == old.keys()
        assert all(table.equals(old[name]) or table.equals(new[name]) for name, table in rows.items())
        assert all(Lake(root).verified(day).rows == rows[day.path.name].height for day in days)
        assert run.returncode in (0, -signal.SIGKILL)
        seen.add(sum(table.equals(new[name]) for name, table in rows.items()))
        taken(root, more)
        assert {day.path.name: pl.read_parquet(day.path).height for day in Lake(root).days()} == {
            name: table.height for name, table in new.items()
        }
        assert not list(root.rglob("*.tmp"))

    assert len(seen) > 3, f"the import was never caught at its work: {seen}"


@pytest.mark.parametrize("name", ["", " ", "X ", " X", "..", ".hid", "../x", "a\\b", "a\x00b"])
def test_the_lake_has_no_place_for_a_name_that_leads_out_of_it_or_is_hidden(tmp_path: Path, name: str) -> None:
    lake = Lake(tmp_path)

    for venue, symbol in ((name, "X"), ("v", name)):
        with pytest.raises(UsageError, match="expected a name of a folder of the lake"):
            lake.place(venue, symbol, date(2025, 9, 4))


def test_two_symbols_of_one_folder_are_refused_by_both_names(tmp_path: Path) -> None:
    path, lake = csv(tmp_path / "ticks.csv", [trade(1)]), Lake(tmp_path / "lake")
    import_files([path], lake, "test", MARKET)
    before = everything(tmp_path / "lake")

    with pytest.raises(DataError, match=r"is of SOL/USDC; SOL-USDC would lie in the same folder"):
        import_files([path], lake, "test", Market("SOL-USDC", MARKET.tick_size, MARKET.lot_size))

    assert everything(tmp_path / "lake") == before


def test_a_file_split_within_an_instant_is_joined_by_the_ids_of_its_trades(tmp_path: Path) -> None:
    header, rows = "time,price,size,side,trade_id", [f"175694400{n // 4},100,1,buy,{700 + n}" for n in range(12)]
    whole = csv(tmp_path / "whole.csv", rows, header)
    first, second = csv(tmp_path / "1.csv", rows[:6], header), csv(tmp_path / "2.csv", rows[6:], header)

    fresh = [taken(tmp_path / "lake", path).files[0].fresh for path in (first, second, first, second, whole)]

    assert fresh == [6, 6, 0, 0, 0]


def test_ids_of_trades_that_begin_at_0_are_ids(tmp_path: Path) -> None:
    header, rows = "time,price,size,side,trade_id", [f"1756944000,100,1,buy,{n}" for n in range(6)]
    files = [csv(tmp_path / f"{n}.csv", rows[n : n + 2], header) for n in (0, 2, 4)]

    assert [taken(tmp_path / "lake", path).files[0].fresh for path in (*files, files[0])] == [2, 2, 2, 0]


def test_a_column_that_counts_the_rows_of_its_file_tells_no_prints_apart(tmp_path: Path) -> None:
    header, rows = "time,price,size,side,id", ["1756944000,100,1,buy,{}"] * 3
    first = csv(tmp_path / "1.csv", [row.format(n) for n, row in enumerate(rows)], header)
    again = csv(tmp_path / "2.csv", [row.format(n + 1) for n, row in enumerate(rows)], header)

    assert [taken(tmp_path / "lake", path).files[0].fresh for path in (first, again)] == [3, 0]


def test_a_day_larger_than_a_slice_merges_as_one_that_is_not(tmp_path: Path) -> None:
    times = pl.int_range(7_000, eager=True) * 12_000_000_000 // 2 + MIDNIGHT_NS
    lake = Lake(tmp_path, slice_rows=1_000)
    day = lake.place("test", "SOL/USDC", date(2025, 9, 4))
    records = [
        at_rest(frame.with_columns(pl.lit(each, pl.Int64).alias(name) for name, each in PRINT.items()))
        for frame in (times.to_frame("ts_ns"), (times + 7).to_frame("ts_ns"))
    ]
    told = {"terms": {"bmv.contract": "inverse"}}

    fresh = [lake.put(day, rows, MARKET, {}) for rows in records] + [lake.put(day, records[1], MARKET, told)]

    assert fresh == [7_000, 7_000, 0]
    assert lake.manifest(day).rows == 14_000
    assert lake.manifest(day).contract == told["terms"]
    assert pl.read_parquet(day.path).equals(merged(*records)[0])


PRINT = {"kind": 1, "side": 1, "price": 100, "size": 5, "bid": 0, "bid_size": 0, "ask": 0, "ask_size": 0}
LISTINGS = """
import sys
from decimal import Decimal
from pathlib import Path
from bmv.data.ticks.lake.intake import import_files
from bmv.data.ticks.lake.lake import Lake
from bmv.ports.market import Market
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event in ("os.listdir", "os.scandir") else None)
import_files([Path(sys.argv[1])], Lake(Path(sys.argv[2])), "v", Market("S", Decimal(1), Decimal(1)))
print(len(seen))
"""


def test_a_lake_is_not_listed_once_for_each_day_that_is_imported(tmp_path: Path) -> None:
    def listings(days: int) -> int:
        path = many_days(tmp_path / f"{days}.csv", days)
        command = [sys.executable, "-c", LISTINGS, path, tmp_path / str(days)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert listings(60) == listings(5)


def test_an_instant_of_more_rows_than_are_merged_at_once_is_told_with_the_day_and_the_file(tmp_path: Path) -> None:
    rows = [trade(7, 100 + at) for at in range(60)]
    first, more = csv(tmp_path / "first.csv", rows[:40]), csv(tmp_path / "more.csv", rows[20:])
    lake = Lake(tmp_path / "lake", slice_rows=50)
    import_files([first], lake, "test", MARKET)

    with pytest.raises(DataError, match=r"2025-09-04.parquet with more.csv: 80 rows have the time \d+, where"):
        import_files([more], lake, "test", MARKET)

    assert len(pl.read_parquet(lake.days()[0].path)) == 40


@pytest.mark.parametrize("old_too", [True, False])
def test_a_day_merged_in_slices_has_the_stamps_of_one_merged_at_once(tmp_path: Path, old_too: bool) -> None:
    times = [MIDNIGHT_NS + at for at in range(60)]
    table = at_rest(pl.DataFrame({"ts_ns": times}).with_columns(pl.lit(each).alias(n) for n, each in PRINT.items()))
    stamped = table.with_columns(received_ns=pl.col("ts_ns") + 7)
    found = list[pl.DataFrame]()

    for rows in (7, 1_000_000):
        lake = Lake(tmp_path / str(rows), slice_rows=rows)
        day = lake.place("test", "SOL/USDC", date(2025, 9, 4))
        with lake.writing():
            lake.put(day, (stamped if old_too else table).head(20), MARKET, {})
            lake.put(day, [part_of(stamped[at : at + 9]) for at in range(10, 60, 9)], MARKET, {})
        found.append(pl.read_parquet(day.path))

    assert found[0].equals(found[1])
    assert found[0]["received_ns"].to_list() == [
        None if at < 20 and not old_too else ts_ns + 7 for at, ts_ns in enumerate(times)
    ]
