"""What befalls real processes, servers and networks: nothing acknowledged is lost, nothing is kept twice."""

import asyncio
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from proxy import Proxy

from bmv.adapters.postgres.migrate import FOLDER, create, migrate, migrations, status
from bmv.adapters.postgres.sessions import PostgresSessions
from bmv.adapters.postgres.ticks import PostgresTicks
from bmv.adapters.spool.spool import Spool
from bmv.ports.errors import StorageError
from bmv.ports.market_data import Columns
from bmv.ports.messages import Event
from bmv.ports.storage import Ticks

NOON = 1_756_900_800 * 10**9
WRITER = """
import asyncio, sys
import numpy as np
from bmv.adapters.postgres.ticks import PostgresTicks
from bmv.ports.market_data import Columns
from bmv.ports.storage import Ticks

async def write(dsn, first):
    store = PostgresTicks(dsn)
    while True:
        seq = np.arange(first, first + 10_000)
        one, zero = np.ones_like(seq), np.zeros_like(seq)
        columns = Columns(1_756_900_800 * 10**9 + seq * 10**5, one, one, seq + 1, one, zero, zero, zero, zero)
        await store.append(Ticks("sim/SOL", "one", 1, first, columns))
        first += 10_000
        print(first, flush=True)

asyncio.run(write(sys.argv[1], int(sys.argv[2])))
"""
MIGRATOR = """
import asyncio, sys
from pathlib import Path
from bmv.adapters.postgres.migrate import migrate

asyncio.run(migrate(sys.argv[1], Path(sys.argv[2])))
"""


async def numbers(dsn: str) -> list[int]:
    """Return the numbers of all ticks, in order."""
    store = PostgresTicks(dsn)
    try:
        return [row[0] for row in await store.pool.fetch("count", "select seq from bmv.tick order by seq")]
    finally:
        await store.close()


def test_a_writer_killed_in_the_middle_of_a_copy_loses_nothing_that_postgres_acknowledged(postgres: str) -> None:
    dice = random.Random(1)
    first = kept = 0
    for _ in range(6):
        command = [sys.executable, "-c", WRITER, postgres, str(first)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout
            first = int(writer.stdout.readline())
            time.sleep(dice.uniform(0, 0.15))
            writer.kill()
            first = max([first, *(int(line) for line in writer.stdout if line.endswith("\n"))])

        found = asyncio.run(numbers(postgres))
        # What was sent but not acknowledged may be there too: of this writer, or of the one before.
        assert len(found) in (max(kept, first), max(kept, first + 10_000))
        assert found == list(range(len(found)))
        kept = len(found)
        first -= 3_000  # Whoever comes back sends again what it is not sure of.


def test_a_migration_that_is_killed_leaves_postgres_as_it_was_and_can_be_repeated(
    bare_postgres: str, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "migrations"))
    slow = folder / f"{len(migrations()) + 1:04}_slow.sql"
    slow.write_text("create table bmv.slow (a int); select pg_sleep(60);")
    asyncio.run(migrate(bare_postgres))

    with subprocess.Popen([sys.executable, "-c", MIGRATOR, bare_postgres, str(folder)]) as migrator:
        _until_asleep(bare_postgres)
        migrator.kill()
    slow.write_text("create table bmv.slow (a int);")
    began = time.monotonic()
    done = asyncio.run(migrate(bare_postgres, folder, deadline_s=10))

    assert [step.name for step in done] == [slow.stem]
    assert time.monotonic() - began < 8
    assert asyncio.run(status(bare_postgres, folder)).pending == []


def _until_asleep(dsn: str) -> None:
    async def asleep() -> None:
        store = PostgresTicks(dsn)
        query = "select 1 from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"
        async with asyncio.timeout(20):
            while not await store.pool.fetch("look", query):
                await asyncio.sleep(0.02)
        await store.close()

    asyncio.run(asleep())


def test_under_5000_ticks_a_second_a_crash_of_postgres_loses_none(postgres_cluster: Any, tmp_path: Path) -> None:
    dsn = f"postgresql://postgres@/bmv?host={postgres_cluster.folder}"
    asyncio.run(create(dsn))
    asyncio.run(migrate(dsn))
    asyncio.run(_under_load(postgres_cluster, dsn, tmp_path, crashes=3))


async def _under_load(cluster: Any, dsn: str, folder: Path, crashes: int) -> None:
    store = PostgresTicks(dsn, deadline_s=0.5)
    spool = await Spool(store, folder, spill_s=0.1).__aenter__()
    stop = asyncio.Event()

    put = 0
    put_while_away: list[int] = []

    async def record() -> None:
        nonlocal put
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not stop.is_set():
            due = int(5_000 * (loop.time() - began)) - put
            if due > 0:
                assert spool.put(_trades(put, due))
                put += due
            await asyncio.sleep(0.002)

    recorder = asyncio.create_task(record())
    for _ in range(crashes):
        await asyncio.sleep(1)
        await asyncio.to_thread(cluster.stop, "immediate")
        before = put
        await asyncio.sleep(1)
        put_while_away.append(put - before)
        assert list(folder.glob("*.segment"))
        await asyncio.to_thread(cluster.start)
    await asyncio.sleep(1)
    stop.set()
    await recorder
    async with asyncio.timeout(20):
        await spool.flush()
    await spool.close()
    gaps = await store.gaps("sim/SOL", 0, 2**62)
    await store.close()

    assert put > 4_500 * 2 * crashes
    assert min(put_while_away) > 0  # Nobody who records waits for the store: it was away all that time.
    assert await numbers(dsn) == list(range(put))
    assert list(gaps) == []
    assert list(folder.glob("*.segment")) == []


def _trades(first: int, rows: int) -> Ticks:
    seq = np.arange(first, first + rows)
    one, zero = np.ones_like(seq), np.zeros_like(seq)
    return Ticks(
        "sim/SOL", "one", 1, first, Columns(NOON + seq * 10**5, one, one, seq + 1, one, zero, zero, zero, zero)
    )


@pytest.mark.parametrize("way", ["to_server", "to_client"])
def test_a_connection_to_postgres_that_goes_dead_is_given_up_within_its_deadline(postgres: str, way: str) -> None:
    async def swallowed() -> float:
        async with Proxy(postgres) as proxy:
            store = PostgresTicks(proxy.dsn, deadline_s=1.5, attempt_s=0.6)
            await store.append(_trades(0, 10))
            setattr(proxy, way, False)
            began = time.monotonic()
            with pytest.raises(StorageError, match=r"keep 10 ticks of sim/SOL: given up after 1\.5 s"):
                await store.append(_trades(10, 10))
            took_s = time.monotonic() - began
            proxy.heal()
            await store.append(_trades(10, 10))
            await store.close()
            return took_s

    assert asyncio.run(swallowed()) < 2.5
    assert asyncio.run(numbers(postgres)) == list(range(20))


@pytest.mark.parametrize("kilobytes", [1, 100, 400, 900, 1_200])
def test_a_connection_to_postgres_that_goes_dead_in_mid_copy_is_given_up_within_its_deadline(
    postgres: str, kilobytes: int
) -> None:
    async def swallowed() -> float:
        async with Proxy(postgres) as proxy:
            store = PostgresTicks(proxy.dsn, deadline_s=1.5, attempt_s=0.6)
            await store.append(_trades(0, 10))
            proxy.silent_after = proxy.spoken + 1_000 * kilobytes
            began = time.monotonic()
            with pytest.raises(StorageError, match="given up after"):
                await store.append(_trades(10, 10_000))
            took_s = time.monotonic() - began
            proxy.heal()
            await store.append(_trades(10, 10_000))
            await store.close()
            return took_s

    assert asyncio.run(swallowed()) < 2.5
    assert asyncio.run(numbers(postgres)) == list(range(10_010))


def test_a_commit_whose_reply_is_lost_counts_once_in_postgres(postgres: str) -> None:
    async def lost() -> Any:
        async with Proxy(postgres) as proxy:
            store = PostgresTicks(proxy.dsn, deadline_s=6, attempt_s=1)
            journal = PostgresSessions(proxy.dsn, deadline_s=6, attempt_s=1)
            await store.append(_trades(0, 10))
            await journal.append("s", 0, [Event(1, 0)])
            calls = (store.append(_trades(10, 10)), journal.append("s", 1, [Event(1, 1), Event(1, 2)]))
            proxy.to_client = False
            tasks = [asyncio.create_task(call) for call in calls]
            await asyncio.sleep(0.5)
            proxy.heal()
            await asyncio.gather(*tasks)
            found = await journal.verify("s")
            await store.close()
            await journal.close()
            return found

    assert asyncio.run(lost()).words == 3
    assert asyncio.run(numbers(postgres)) == list(range(20))


def test_a_reader_of_postgres_goes_on_where_its_connection_broke(postgres: str) -> None:
    async def broken() -> list[int]:
        store = PostgresTicks(postgres, read_rows=100)
        await store.append(_trades(0, 1_000))
        found: list[int] = []
        async for batch in store.read("sim/SOL", 0, 2**62):
            found += (batch.price - 1).tolist()
            others = "datname = current_database() and pid <> pg_backend_pid()"
            query = f"select pg_terminate_backend(pid) from pg_stat_activity where {others}"
            other = PostgresTicks(postgres)
            await other.pool.fetch("end the others", query)
            await other.close()
        await store.close()
        return found

    assert asyncio.run(broken()) == list(range(1_000))


@pytest.fixture
def small_disk(postgres_cluster: Any) -> Iterator[Path]:
    """A file system of 8 MB that belongs to the server."""
    folder = Path(tempfile.mkdtemp(prefix="bmv-small-"))
    owner = postgres_cluster.account.get("user", os.geteuid())
    words = ["-t", "tmpfs", "-o", f"size=8m,uid={owner},mode=0700", "none", str(folder)]
    if subprocess.run(["mount", *words], capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("no small file system can be mounted here: that takes root, and leave to mount")
    try:
        yield folder
    finally:
        postgres_cluster.stop()
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def test_a_full_disk_of_the_postgres_server_is_told_and_recovers_without_a_restart(
    postgres_cluster: Any, small_disk: Path
) -> None:
    dsn = f"postgresql://postgres@/bmv?host={postgres_cluster.folder}"
    asyncio.run(create(dsn))
    asyncio.run(migrate(dsn))

    async def fill() -> int:
        store, first = PostgresTicks(dsn), 0
        await store.pool.run(lambda c: c.execute(f"create tablespace small location '{small_disk}'"), "make")
        await store.pool.run(lambda c: c.execute("alter database bmv set default_tablespace = small"), "use")
        await store.close()
        told = ""
        while not told:
            try:
                await store.append(_trades(first, 10_000))
                first += 10_000
            except StorageError as error:
                told = str(error)
        assert re.search("the server has no room left .* what was acknowledged is kept", told)
        assert await numbers(dsn) == list(range(first))
        await asyncio.to_thread(subprocess.run, ["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
        await store.append(_trades(first, 10_000))
        await store.close()
        return first + 10_000

    rows = asyncio.run(fill())

    assert rows > 20_000
    assert asyncio.run(numbers(dsn)) == list(range(rows))


def test_what_was_acknowledged_of_a_journal_survives_a_crash_of_postgres(postgres_cluster: Any) -> None:
    dsn = f"postgresql://postgres@/bmv?host={postgres_cluster.folder}"
    asyncio.run(create(dsn))
    asyncio.run(migrate(dsn))

    async def crash() -> tuple[int, int]:
        journal, words = PostgresSessions(dsn, deadline_s=60, attempt_s=1), 0

        async def write() -> None:
            nonlocal words
            while True:
                words = (await journal.append("s", words, [Event(1, n) for n in range(words, words + 5)])).words

        writer = asyncio.create_task(write())
        for _ in range(3):
            await asyncio.sleep(0.3)
            await asyncio.to_thread(postgres_cluster.stop, "immediate")
            await asyncio.sleep(0.2)
            await asyncio.to_thread(postgres_cluster.start)
        before = words
        async with asyncio.timeout(60):
            while words < before + 50:
                await asyncio.sleep(0.01)
        writer.cancel()
        await asyncio.wait([writer])
        head = await journal.verify("s")
        await journal.close()
        return words, head.words

    acknowledged, kept = asyncio.run(crash())

    assert acknowledged <= kept <= acknowledged + 5
