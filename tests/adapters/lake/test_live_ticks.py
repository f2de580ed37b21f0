"""Ticks that arrive in a lake: what a kill, a full disk, another process and an import leave of them."""

import asyncio
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from bmv.adapters.lake.ticks import LakeTicks
from bmv.adapters.parquet.tape import ParquetTape
from bmv.adapters.spool.spool import Spool
from bmv.data.ticks.lake.lake import IDS, Lake
from bmv.data.ticks.lake.live import SMALL_ROWS
from bmv.data.ticks.lake.merge import NO_IDS, Ids
from bmv.data.ticks.schema import LAKE, at_rest, write_day
from bmv.ports.errors import DataError, StorageError
from bmv.ports.market import Market
from bmv.ports.market_data import Columns, Stamps
from bmv.ports.storage import Gap, Ticks

NOON = 1_756_900_800 * 10**9  # 2025-09-03 12:00 UTC.
DAY_NS = 86_400 * 10**9
DAY = date(2025, 9, 3)
# Numbers are its rows' prices; times step by a second from noon, so that half a day is 43,200 rows.
WRITER = """
import asyncio, random, sys
from decimal import Decimal
import numpy as np
from bmv.adapters.lake.ticks import LakeTicks
from bmv.ports.market import Market
from bmv.ports.market_data import Columns
from bmv.ports.storage import Ticks

def ticks(first, count, step_ns):
    seq = np.arange(first, first + count)
    one, zero = np.ones_like(seq), np.zeros_like(seq)
    columns = Columns(1_756_900_800 * 10**9 + seq * step_ns, one, one, seq + 1, one, zero, zero, zero, zero)
    return Ticks("sim/SOL", "one", 1, first, columns)

async def write(root, first, step_ns, settles):
    store = LakeTicks(root, lambda name: Market("SOL", Decimal("0.01"), Decimal("0.1")), compact_at=8)
    dice = random.Random(first)
    while True:
        count = dice.randrange(1, 900)
        await store.append(ticks(first, count, step_ns))
        first += count
        print(first, flush=True)
        if settles and dice.random() < 0.3:
            await store.settle()

asyncio.run(write(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "settle"))
"""


def market(name: str) -> Market:
    return Market(name.partition("/")[2], Decimal("0.01"), Decimal("0.1"))


def trades(first: int, count: int, step_ns: int = 10**9, source: str = "one") -> Ticks:
    seq = np.arange(first, first + count)
    one, zero = np.ones_like(seq), np.zeros_like(seq)
    columns = Columns(NOON + seq * step_ns, one, one, seq + 1, one, zero, zero, zero, zero)
    return Ticks("sim/SOL", source, 1, first, columns)


async def numbers(store: LakeTicks) -> list[int]:
    """Return the numbers of the rows, in the order in which they are told."""
    return [int(price) - 1 async for batch in store.read("sim/SOL", 0, 2**62) for price in batch.price]


def using(root: Path, *acts: Callable[[LakeTicks], Any], **choices: Any) -> list[Any]:
    """Do each act on a store opened anew, and return their results."""

    async def each() -> list[Any]:
        results = []
        for act in acts:
            store = LakeTicks(root, market, **choices)
            try:
                results.append(await act(store))
            finally:
                await store.close()
        return results

    return asyncio.run(each())


def segments(root: Path) -> list[str]:
    return sorted(path.stem for path in root.glob("sim/SOL/.live/*.ticks"))


@pytest.mark.parametrize(("step_ns", "settles"), [(10**9, ""), (10**9, "settle"), (60 * 10**9, "settle")])
def test_a_recorder_killed_at_any_moment_has_all_that_was_acknowledged_once(
    tmp_path: Path, step_ns: int, settles: str
) -> None:
    dice = random.Random(step_ns + len(settles))
    first = kept = 0
    for _ in range(8):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(first), str(step_ns), settles]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout
            first = int(writer.stdout.readline())
            time.sleep(dice.uniform(0, 0.25))
            writer.kill()
            first = max([first, *(int(line) for line in writer.stdout if line.endswith("\n"))])

        seen_by_a_reader, kept_by_a_writer = using(tmp_path, numbers, _after_a_call)
        # What was sent and not acknowledged may be there too, of this writer or of one before.
        kept = len(kept_by_a_writer)
        assert seen_by_a_reader == kept_by_a_writer == list(range(kept))
        assert kept >= first
        assert not list(tmp_path.glob("sim/SOL/.live/.*.tmp"))
    assert kept > 8_000
    for day in Lake(tmp_path).days():
        assert Lake(tmp_path).manifest(day).rows == len(pl.read_parquet(day.path))


async def _after_a_call(store: LakeTicks) -> list[int]:
    await store.append(trades(0, 1))
    return await numbers(store)


def test_a_reader_in_another_process_sees_no_row_twice_and_none_missing_while_days_are_settled(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path), "0", "1000000000", "settle"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        looks = list[tuple[int, list[int]]]()
        for _ in range(12):
            looks.append((int(writer.stdout.readline()), *using(tmp_path, numbers, read_rows=2_000)))
        writer.kill()

    for acknowledged, seen in looks:
        assert seen == list(range(len(seen)))
        assert len(seen) >= acknowledged
    assert len(seen) > 2_000


def test_a_settled_day_is_read_by_a_backtest_and_says_where_it_came_from(tmp_path: Path) -> None:
    gap = Gap("sim/SOL", "one", NOON + 1, NOON + 9, "away")

    *_, changed = using(
        tmp_path,
        lambda s: s.append(trades(0, 50_000)),
        lambda s: s.note_gap(gap),
        lambda s: s.settle(before=date(2025, 9, 4)),
    )
    told = list(ParquetTape([tmp_path], market("sim/SOL")).batches())
    manifest = Lake(tmp_path).manifest(changed[0])

    assert [day.day for day in changed] == [DAY]
    assert sum(len(batch.ts_ns) for batch in told) == manifest.rows == 43_200
    (source,) = manifest.sources
    assert source["recorded"] == [["one", 1, [[0, 50_000]]]]
    assert source["gaps"] == [dict(zip(Gap._fields, gap[:5], strict=False))]  # Its size is not known, nor said.


def test_a_day_that_is_not_over_stays_where_it_is_and_the_rest_of_its_file_is_told_once(tmp_path: Path) -> None:
    *_, found = using(
        tmp_path, lambda s: s.append(trades(0, 50_000)), lambda s: s.settle(before=date(2025, 9, 4)), numbers
    )

    assert found == list(range(50_000))
    assert len(segments(tmp_path)) == 1
    assert [day.day for day in Lake(tmp_path).days()] == [DAY]


def test_rows_that_come_after_their_day_was_settled_go_into_it_with_the_next_call(tmp_path: Path) -> None:
    same = trades(0, 3, step_ns=0)

    *_, found = using(
        tmp_path,
        lambda s: s.append(same),
        lambda s: s.settle(),
        lambda s: s.append(same._replace(source="two")),
        lambda s: s.settle(),
        lambda s: s.append(same),
        numbers,
    )

    assert found == [0, 1, 2, 0, 1, 2]
    assert segments(tmp_path) == []


def test_rows_that_an_import_has_as_well_are_kept_once(tmp_path: Path) -> None:
    lake, rows = Lake(tmp_path), trades(0, 100).columns
    frame = pl.DataFrame(rows._asdict()).with_columns(
        bid=pl.lit(None, pl.Int64), bid_size=pl.lit(None, pl.Int64), ask=pl.lit(None, pl.Int64),
        ask_size=pl.lit(None, pl.Int64),
    )  # fmt: skip
    with lake.writing():
        lake.put(lake.place("sim", "SOL", DAY), frame, market("sim/SOL"), {"file": "theirs.csv"})

    *_, found = using(
        tmp_path, lambda s: s.append(trades(50, 100)), lambda s: s.settle(), lambda s: s.settle(), numbers
    )

    assert found == list(range(150))
    assert [source.get("file") for source in lake.manifest(lake.days()[0]).sources] == ["theirs.csv", None]


def test_a_day_that_was_made_up_still_says_so_when_recorded_rows_came_to_it(tmp_path: Path) -> None:
    path = Lake(tmp_path).place("sim", "SOL", DAY).path
    write_day(path, trades(0, 100).columns, market("sim/SOL"), {"bmv.source": "synthetic, seed 1"})

    using(tmp_path, lambda s: s.append(trades(100, 100)), lambda s: s.settle())

    assert pl.read_parquet_metadata(path)["bmv.source"] == "synthetic, seed 1"
    assert len(pl.read_parquet(path)) == 200


def test_rows_of_another_symbol_of_the_same_folder_are_refused_as_by_an_import(tmp_path: Path) -> None:
    imported(tmp_path, trades(0, 10).columns, "BTC-USDT", Market("BTC/USDT", Decimal("0.01"), Decimal("0.1")))

    with pytest.raises(DataError, match=r"is of BTC/USDT; BTC-USDT would lie in the same folder"):
        using(tmp_path, lambda s: s.append(trades(10, 10)._replace(market="sim/BTC-USDT")), lambda s: s.settle())

    assert len(pl.read_parquet(Lake(tmp_path).days()[0].path)) == 10


def test_a_day_keeps_the_ids_of_its_trades_when_recorded_rows_come_to_it(tmp_path: Path) -> None:
    imported(tmp_path, trades(0, 100).columns, ids={NOON: {"7": (NOON, 1, 1, 1, 1, None, None, None, None)}})
    path = Lake(tmp_path).days()[0].path
    before = pl.read_parquet_metadata(path)[IDS]

    using(tmp_path, lambda s: s.append(trades(100, 100)), lambda s: s.settle())

    assert pl.read_parquet_metadata(path)[IDS] == before


def imported(root: Path, rows: Columns, name: str = "SOL", steps: Market | None = None, ids: Ids = NO_IDS) -> None:
    """Import trades of one day."""
    lake, absent = Lake(root), {name: pl.lit(None, pl.Int64) for name in ("bid", "bid_size", "ask", "ask_size")}
    frame = pl.DataFrame(rows._asdict()).with_columns(**absent)
    with lake.writing():
        lake.put(lake.place("sim", name, DAY), frame, steps or market(f"sim/{name}"), {"file": "theirs.csv"}, ids)


def test_a_print_that_equals_a_recorded_one_is_kept_when_its_day_is_settled_again_after_an_import(
    tmp_path: Path,
) -> None:
    first, later = trades(0, 1), trades(0, 1)._replace(first_seq=1)
    theirs = trades(5, 1).columns

    using(tmp_path, lambda s: s.append(first), lambda s: s.settle())
    imported(tmp_path, theirs)
    *_, found = using(tmp_path, lambda s: s.append(later), lambda s: s.settle(), numbers)
    *_, third = using(tmp_path, lambda s: s.append(later._replace(first_seq=2)), lambda s: s.settle(), numbers)
    *_, fourth = using(tmp_path, lambda s: s.append(trades(5, 1)._replace(first_seq=3)), lambda s: s.settle(), numbers)

    assert found == [0, 0, 5]
    assert third == [0, 0, 0, 5]
    assert fourth == third  # The import has that one.


def test_a_late_print_is_kept_where_nobody_knows_any_more_what_was_recorded(tmp_path: Path) -> None:
    using(tmp_path, lambda s: s.append(trades(0, 1)), lambda s: s.settle())
    imported(tmp_path, trades(5, 1).columns)
    shutil.rmtree(tmp_path / "sim" / "SOL" / ".live")

    *_, found = using(tmp_path, lambda s: s.append(trades(0, 1)._replace(first_seq=1)), lambda s: s.settle(), numbers)

    assert found == [0, 0, 5]


def test_what_was_acknowledged_is_kept_where_the_hidden_folder_of_a_settled_day_is_gone(tmp_path: Path) -> None:
    async def many(store: LakeTicks) -> None:
        for at in range(5):
            await store.append(trades(10 * at, 10))

    using(tmp_path, many, lambda s: s.settle())
    shutil.rmtree(tmp_path / "sim" / "SOL" / ".live")
    *_, found = using(
        tmp_path, lambda s: s.append(trades(50, 10)), lambda s: s.append(trades(60, 1)), lambda s: s.settle(), numbers
    )

    assert found == list(range(61))


def test_what_was_acknowledged_is_kept_where_a_settled_day_of_another_lake_is_copied_beside_it(tmp_path: Path) -> None:
    async def many(store: LakeTicks) -> None:
        for at in range(5):
            await store.append(trades(10 * at, 10, source="two"))

    using(tmp_path / "theirs", many, lambda s: s.settle())
    using(tmp_path / "ours", lambda s: s.append(trades(100, 10)))
    for path in (tmp_path / "theirs").glob("sim/SOL/2025*"):
        shutil.copy(path, tmp_path / "ours" / "sim" / "SOL")
    seen, _, after, _, settled = using(
        tmp_path / "ours", numbers, lambda s: s.append(trades(110, 1)), numbers, lambda s: s.settle(), numbers
    )

    assert seen == [*range(50), *range(100, 110)]
    assert after == settled == [*range(50), *range(100, 111)]


def test_a_day_that_cannot_be_settled_keeps_no_other_day_and_no_other_market_from_it(tmp_path: Path) -> None:
    day = 86_400
    imported(tmp_path, trades(0, 1).columns, "BAD", Market("BAD", Decimal("0.02"), Decimal("0.1")))

    async def record(store: LakeTicks) -> None:
        for at in (0, day):
            await store.append(trades(at, 1)._replace(market="sim/BAD"))
            await store.append(trades(at, 1))
        with pytest.raises(DataError, match=r"BAD/2025-09-03.parquet: holds ticks of 0.02 .*; rows in ticks of 0.01"):
            await store.settle()

    using(tmp_path, record)

    settled = [(each.symbol, each.day.day) for each in Lake(tmp_path).days()]
    assert settled == [("BAD", 3), ("BAD", 4), ("SOL", 3), ("SOL", 4)]
    assert len(list(tmp_path.glob("sim/BAD/.live/*.ticks"))) == 1
    assert segments(tmp_path) == []


def test_a_damaged_segment_keeps_no_other_market_from_being_settled(tmp_path: Path) -> None:
    using(tmp_path, lambda s: s.append(trades(0, 1)._replace(market="sim/BAD")), lambda s: s.append(trades(0, 1)))
    (path,) = tmp_path.glob("sim/BAD/.live/*.ticks")
    path.write_bytes(b"PAR1")

    with pytest.raises(DataError, match=path.name):
        using(tmp_path, lambda s: s.settle())

    assert [each.symbol for each in Lake(tmp_path).days()] == ["SOL"]


def test_settled_days_in_other_steps_are_not_read_as_ours(tmp_path: Path) -> None:
    using(tmp_path, lambda s: s.append(trades(0, 10)), lambda s: s.settle())

    with pytest.raises(DataError, match=r"09-03.parquet: holds ticks of 0.01 and lots of 0.1; rows in ticks of 0.001"):
        asyncio.run(numbers(LakeTicks(tmp_path, lambda name: Market("SOL", Decimal("0.001"), Decimal("0.1")))))


@pytest.mark.parametrize(
    "text",
    [
        "[]", "7", "{}", '{"next": "a", "known": []}', '{"next": 0, "known": 5}', '{"next": 0, "known": [1]}',
        '{"next": 0, "known": [["one", 1, [["a", 2]]]]}', '{"next": 0, "known": [["one", 1, [[5, 2]]]]}', '{"next":',
    ],
)  # fmt: skip
def test_a_list_of_known_rows_that_is_none_is_named_with_what_would_be_right(tmp_path: Path, text: str) -> None:
    using(tmp_path, lambda s: s.append(trades(0, 1)))
    (tmp_path / "sim" / "SOL" / ".live" / "known.json").write_text(text)

    for act in (numbers, _after_a_call, lambda s: s.settle()):
        with pytest.raises(DataError, match=r'known.json: .*expected {"next": NUMBER, "known": \['):
            using(tmp_path, act)


@pytest.mark.parametrize("line", ["[]", "{}", '{"market": "a", "source": "b", "from_ns": "c", "to_ns": 2, "why": ""}'])
def test_a_line_that_is_no_gap_is_named(tmp_path: Path, line: str) -> None:
    using(tmp_path, lambda s: s.note_gap(Gap("sim/SOL", "one", 1, 2, "away")))
    (tmp_path / "sim" / "SOL" / ".live" / "gaps.jsonl").write_text(line + "\n")

    with pytest.raises(DataError, match=r"gaps.jsonl: a line is not a gap"):
        using(tmp_path, lambda s: s.gaps("sim/SOL", 0, 9))


def test_many_small_segments_become_one_and_large_ones_stay(tmp_path: Path) -> None:
    async def record(store: LakeTicks) -> None:
        await store.append(trades(0, SMALL_ROWS + 1))
        for at in range(15):
            await store.append(trades(SMALL_ROWS + 1 + at, 1))

    _, found = using(tmp_path, record, numbers, compact_at=6)

    assert segments(tmp_path) == ["000000000000-000000000000", "000000000001-000000000011"] + [
        f"{number:012d}-{number:012d}" for number in range(12, 16)
    ]
    assert found == list(range(SMALL_ROWS + 16))


def test_segments_that_were_made_into_one_by_a_killed_writer_are_told_once(tmp_path: Path) -> None:
    left = {}

    async def record(store: LakeTicks) -> None:
        for at in range(5):
            await store.append(trades(at, 1))
            left.update({path: path.read_bytes() for path in tmp_path.rglob("*.ticks")})

    using(tmp_path, record, compact_at=5)
    for path, told in left.items():
        path.write_bytes(told)
    reader, writer = using(tmp_path, numbers, _after_a_call)

    assert reader == writer == list(range(5))
    assert segments(tmp_path) == ["000000000000-000000000004"]


def test_a_full_disk_is_told_and_what_is_there_stays_whole(tmp_path: Path) -> None:
    async def fill(store: LakeTicks) -> int:
        kept = 0
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        await store.append(trades(0, 100))
        dice = np.random.default_rng(1)
        many = trades(100, 100_000)
        noise = many._replace(columns=many.columns._replace(size=dice.integers(1, 2**40, 100_000)))
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
        try:
            with pytest.raises(StorageError, match="cannot be written: File too large"):
                await store.append(noise)
            await store.append(trades(100, 10))
            kept = len(await numbers(store))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        await store.append(noise)
        return kept

    kept, found = using(tmp_path, fill, numbers)

    assert kept == 110
    assert found == list(range(100_100))
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_second_process_that_would_write_is_refused_and_one_that_reads_is_not(tmp_path: Path) -> None:
    async def both() -> list[int]:
        first, second = LakeTicks(tmp_path, market), LakeTicks(tmp_path, market)
        await first.append(trades(0, 10))
        with pytest.raises(StorageError, match="another process keeps ticks in this lake"):
            await second.append(trades(10, 10))
        found = await numbers(second)
        await first.close()
        await second.append(trades(10, 10))
        await second.close()
        return found

    assert asyncio.run(both()) == list(range(10))
    assert using(tmp_path, numbers) == [list(range(20))]


def test_an_import_at_work_puts_off_settling_and_nothing_is_lost(tmp_path: Path) -> None:
    async def meet(store: LakeTicks) -> None:
        await store.append(trades(0, 10))
        with Lake(tmp_path).writing(), pytest.raises(StorageError, match="another import"):
            await store.settle()
        await store.settle()

    _, found = using(tmp_path, meet, numbers)

    assert found == list(range(10))


def test_half_a_line_of_a_killed_writer_is_no_gap_and_no_hindrance(tmp_path: Path) -> None:
    first, second = Gap("sim/SOL", "one", 1, 2, "away"), Gap("sim/SOL", "one", 3, 4, "away")
    using(tmp_path, lambda s: s.note_gap(first))
    path = tmp_path / "sim" / "SOL" / ".live" / "gaps.jsonl"
    path.write_bytes(path.read_bytes() + b'{"market": "sim/S')

    before, _, after = using(
        tmp_path, lambda s: s.gaps("sim/SOL", 0, 9), lambda s: s.note_gap(second), lambda s: s.gaps("sim/SOL", 0, 9)
    )

    assert (before, after) == ([first], [first, second])
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize("name", ["../SOL", "sim/../x", "sim", "/SOL", "sim/"])
def test_a_market_that_would_lie_outside_the_lake_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="expected VENUE/SYMBOL"):
        using(tmp_path / "lake", lambda s: s.append(trades(0, 1)._replace(market=name)))

    assert not list(tmp_path.rglob("*.ticks"))


def test_a_damaged_segment_is_named(tmp_path: Path) -> None:
    using(tmp_path, lambda s: s.append(trades(0, 1_000)))
    (path,) = tmp_path.rglob("*.ticks")
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(DataError, match=path.name):
        using(tmp_path, numbers)


def test_rows_recorded_in_other_steps_are_not_read_as_ours(tmp_path: Path) -> None:
    using(tmp_path, lambda s: s.append(trades(0, 10)))

    async def read() -> Sequence[int]:
        return await numbers(LakeTicks(tmp_path, lambda name: Market("SOL", Decimal("0.001"), Decimal("0.1"))))

    with pytest.raises(DataError, match=r"holds ticks of 0.01 and lots of 0.1; sim/SOL has 0.001 and 0.1"):
        asyncio.run(read())


def test_a_large_market_is_read_in_bounded_memory(tmp_path: Path) -> None:
    async def record(store: LakeTicks) -> None:
        for at in range(0, 3_000_000, 100_000):
            await store.append(trades(at, 100_000, step_ns=10**6))

    using(tmp_path, record)
    program = """
import asyncio, json, resource, sys
from decimal import Decimal
from bmv.adapters.lake.ticks import LakeTicks
from bmv.ports.market import Market

async def read():
    store = LakeTicks(sys.argv[1], lambda name: Market("SOL", Decimal("0.01"), Decimal("0.1")))
    rows, first = 0, 0
    async for batch in store.read("sim/SOL", 0, 2**62):
        rows += len(batch.ts_ns)
        first = first or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - first]))

asyncio.run(read())
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True, env={**os.environ}
    )
    rows, grown_kb = json.loads(done.stdout)

    assert rows == 3_000_000
    assert grown_kb < 100_000  # All rows would be 216 MB.


def test_a_spool_keeps_its_ticks_in_a_lake(tmp_path: Path) -> None:
    async def record(store: LakeTicks) -> list[int]:
        async with Spool(store, tmp_path / "spool") as spool:
            for at in range(0, 5_000, 100):
                assert spool.put(trades(at, 100))
            await spool.flush()
        return await numbers(store)

    (found,) = using(tmp_path / "lake", record)

    assert found == list(range(5_000))


def stamped(ticks: Ticks, slot: int = 5) -> Ticks:
    """Say of each row that it is of one slot, and arrived a millisecond after its time."""
    times = ticks.columns.ts_ns
    return ticks._replace(stamps=Stamps(np.full_like(times, slot), times + 10**6))


def test_a_settled_day_has_the_columns_of_stamps_only_where_some_row_has_them(tmp_path: Path) -> None:
    morning, noon = trades(0, 3), stamped(trades(10, 3), slot=0)

    *_, days = using(tmp_path, lambda s: s.append(morning), lambda s: s.settle())
    before = pl.read_parquet(days[0].path)
    using(tmp_path, lambda s: s.append(noon), lambda s: s.settle())
    after = pl.read_parquet(days[0].path)

    assert before.columns == list(LAKE)
    assert after.columns == [*LAKE, "received_ns"]
    assert after["received_ns"].to_list() == [None] * 3 + (noon.columns.ts_ns + 10**6).tolist()


def test_a_backtest_is_told_the_same_whether_rows_are_stamped_or_not(tmp_path: Path) -> None:
    told = list[list[np.ndarray[Any, Any]]]()
    for name, rows in (("plain", trades(0, 500)), ("stamped", stamped(trades(0, 500)))):
        using(tmp_path / name, lambda s, rows=rows: s.append(rows), lambda s: s.settle())
        told.append([np.stack(batch) for batch in ParquetTape([tmp_path / name], market("sim/SOL")).batches()])

    assert all(np.array_equal(*pair) for pair in zip(*told, strict=True))


def test_of_a_row_that_was_imported_first_the_stamps_of_its_recording_do_not_count(tmp_path: Path) -> None:
    rows = trades(0, 4)
    plain = at_rest(pl.DataFrame(rows.columns._asdict()))
    lake = Lake(tmp_path)
    with lake.writing():
        lake.put(lake.place("sim", "SOL", DAY), plain.head(2), market("sim/SOL"), {})

    using(tmp_path, lambda s: s.append(stamped(rows)), lambda s: s.settle())

    found = pl.read_parquet(lake.place("sim", "SOL", DAY).path)
    assert found["slot"].to_list() == [None, None, 5, 5]


def test_a_gap_keeps_its_size_in_the_sources_of_its_day(tmp_path: Path) -> None:
    gap = Gap("sim/SOL", "one", NOON + 1, NOON + 9, "queue overran", 3, 700)

    *_, days = using(tmp_path, lambda s: s.append(trades(0, 3)), lambda s: s.note_gap(gap), lambda s: s.settle())

    assert [Gap(**told) for told in Lake(tmp_path).manifest(days[0]).sources[0]["gaps"]] == [gap]
