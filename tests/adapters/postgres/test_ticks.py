"""What the table of ticks is like, beyond what every store owes."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bmv.adapters.postgres.ticks import DAY_NS, PostgresTicks
from bmv.ports.errors import ConfigError, DataError
from bmv.ports.storage import Gap, Ticks

DAY = 1_756_857_600 * 10**9  # 2025-09-03 00:00 UTC.


def kept(dsn: str, *batches: Ticks, **choices: Any) -> None:
    async def all_of_them() -> None:
        store = PostgresTicks(dsn, **choices)
        for batch in batches:
            await store.append(batch)
        await store.close()

    asyncio.run(all_of_them())


def test_postgres_has_a_partition_a_utc_day_and_some_ahead(
    postgres: str, ask: Callable[..., Any], trades: Callable[..., Ticks]
) -> None:
    kept(postgres, trades([DAY - 1, DAY, DAY + DAY_NS - 1]), days_ahead=2)

    days = ask("select partition::regclass::text from bmv.tick_day order by day")
    assert [name for (name,) in days] == [
        "bmv.tick_20250902",
        "bmv.tick_20250903",
        "bmv.tick_20250904",
        "bmv.tick_20250905",
    ]
    assert ask("select count(*) from bmv.tick_20250902") == [(1,)]
    assert ask("select count(*) from bmv.tick_20250903") == [(2,)]


def test_postgres_partitions_carry_both_indexes(
    postgres: str, ask: Callable[..., Any], trades: Callable[..., Ticks]
) -> None:
    kept(postgres, trades([DAY]))

    found = ask("select indexdef from pg_indexes where tablename = 'tick_20250903' order by indexdef")

    (brin,), (unique,) = found
    assert "USING brin (ts_ns) WITH (pages_per_range='32')" in brin
    assert "UNIQUE INDEX" in unique
    assert "(stream, seq, ts_ns)" in unique


def test_a_day_is_made_in_postgres_while_somebody_reads(postgres: str, trades: Callable[..., Ticks]) -> None:
    async def both() -> None:
        store = PostgresTicks(postgres, deadline_s=2, days_ahead=0)
        await store.append(trades([DAY]))

        async def work(connection: Any) -> None:
            async with connection.transaction():
                assert await connection.fetchval("select count(*) from bmv.tick") == 1
                await store.append(trades([DAY + 5 * DAY_NS], first=1))

        await store.pool.run(work, "read for long")
        await store.close()

    asyncio.run(both())


def test_a_partition_that_was_dropped_from_postgres_is_made_again(
    postgres: str, ask: Callable[..., Any], trades: Callable[..., Ticks]
) -> None:
    async def drop_between() -> None:
        store = PostgresTicks(postgres)
        await store.append(trades([DAY]))
        await store.pool.run(lambda c: c.execute("drop table bmv.tick_20250903"), "drop")
        await store.append(trades([DAY + 1], first=1))
        await store.close()

    asyncio.run(drop_between())

    assert ask("select seq from bmv.tick") == [(1,)]


def test_numbers_that_were_left_out_may_follow_later_in_postgres(
    postgres: str, ask: Callable[..., Any], trades: Callable[..., Ticks]
) -> None:
    kept(postgres, trades([DAY, DAY + 9], first=0), trades([DAY + 30], first=9), trades([DAY + 9, DAY + 20], first=1))

    assert ask("select seq from bmv.tick order by ts_ns") == [(0,), (1,), (2,), (9,)]


def test_people_read_ticks_in_postgres_with_times_and_without_zeros(
    postgres: str, ask: Callable[..., Any], trades: Callable[..., Ticks]
) -> None:
    kept(postgres, trades([DAY + 1_500]))

    (found,) = ask("select market, source, epoch, seq, at::text, kind, side, price, size, bid, ask from bmv.ticks")

    assert found == ("sim/SOL", "one", 1, 0, "2025-09-03 00:00:00.000001+00", "trade", 1, 20_000, 7, None, None)


@pytest.mark.parametrize(("times", "first"), [([-1], 0), ([2**63 - 1], 0), ([DAY], -1)])
def test_times_and_numbers_outside_their_range_are_refused_before_postgres_hears_of_them(
    postgres: str, trades: Callable[..., Ticks], times: list[int], first: int
) -> None:
    with pytest.raises(DataError, match="expected numbers from 0 on and times from 1970 to 2260"):
        kept(postgres, trades(times, first))


def test_a_gap_that_no_calendar_has_is_refused_at_once_by_postgres(postgres: str) -> None:
    async def noted() -> None:
        store = PostgresTicks(postgres)
        try:
            await store.note_gap(Gap("sim/SOL", "one", 1, 2**63, "too long"))
        finally:
            await store.close()

    with pytest.raises(DataError, match=r"note a gap of sim/SOL: .*out of int64 range"):
        asyncio.run(noted())


def test_rows_of_no_kind_are_refused_before_postgres_hears_of_them(postgres: str, trades: Callable[..., Ticks]) -> None:
    batch = trades([DAY, DAY])
    batch.columns.kind[1] = 10

    with pytest.raises(DataError, match="row 1 has kind 10 and side 1"):
        kept(postgres, batch)


def test_an_empty_database_tells_how_it_is_made_ready_for_postgres_ticks(
    bare_postgres: str, trades: Callable[..., Ticks]
) -> None:
    with pytest.raises(ConfigError, match=r"keep 1 ticks of sim/SOL: the schema is missing .* `bmv db status`"):
        kept(bare_postgres, trades([DAY]))


def test_the_largest_numbers_come_back_from_postgres_as_they_went(
    postgres: str, ask: Callable[..., Any], trades: Callable[..., Ticks]
) -> None:
    batch = trades([DAY])
    batch.columns.price[0], batch.columns.size[0], batch.columns.side[0] = 2**63 - 1, -(2**63), -1

    kept(postgres, batch)

    assert ask("select price, size, side from bmv.tick") == [(2**63 - 1, -(2**63), -1)]
