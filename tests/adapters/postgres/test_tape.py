"""A backtest from Postgres: the same as from files, of the rows that were asked for, and of no others."""

import asyncio
import gc
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from bmv.adapters.config import load
from bmv.adapters.lake.ticks import LakeTicks
from bmv.adapters.postgres.load import load as load_lake
from bmv.adapters.postgres.tape import PostgresSource
from bmv.adapters.postgres.ticks import PostgresTicks
from bmv.backtest import Backtest
from bmv.data.ticks.lake.lake import DAY_NS, Lake
from bmv.data.ticks.schema import as_told, market_of, write_day
from bmv.ports.errors import DataError, UsageError
from bmv.ports.market_data import Columns, Stamps
from bmv.ports.storage import Gap, Ticks

DEMO = Path(__file__).parents[3] / "docs" / "examples" / "demo.toml"
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("BMV_", "PG"))}
ROWS = 50_000
UNITS = {"price": 0.01, "bid": 0.01, "ask": 0.01, "size": 0.001, "bid_size": 0.001, "ask_size": 0.001}


def bmv(*words: object, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bmv.adapters.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env={**CLEAN, **env}, check=False)


def told(*words: object, cwd: Path, **env: str) -> dict[str, Any]:
    done = bmv(*words, "--json", cwd=cwd, **env)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def of_market(dsn: str, market: str = "synthetic/SOL/USDC", **words: str) -> str:
    """Return the URL of a market in the database of `dsn`."""
    more = "&".join(f"{key}={value}" for key, value in {"market": market, **words}.items())
    return f"{dsn}{'&' if '?' in dsn else '?'}{more}"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up market of several days."""
    folder = tmp_path_factory.mktemp("made")
    assert bmv("data", "synth", "lake", "--rows", ROWS, "--thin", cwd=folder).returncode == 0
    assert len(Lake(folder / "lake").days()) > 1
    return folder / "lake"


@pytest.fixture
def recorded(lake: Path, postgres: str) -> str:
    """The URL of that market in a database."""
    asyncio.run(load_lake(postgres, Lake(lake), "synthetic", "SOL/USDC"))
    return of_market(postgres)


def floats(lake: Path, path: Path) -> Path:
    """Write what a lake holds in the form of floats."""
    rows = pl.concat(pl.read_parquet(day.path) for day in Lake(lake).days())
    kinds = {1: "trade", 2: "quote", 3: "depth"}
    rows.select(
        pl.col("ts_ns").alias("ts"),
        pl.col("kind").replace_strict(kinds, return_dtype=pl.String),
        pl.col("side").cast(pl.Int8),
        *(pl.col(name) * unit for name, unit in UNITS.items()),
    ).write_parquet(path)
    return path


def keep(dsn: str, *batches: Ticks) -> None:
    async def kept() -> None:
        store = PostgresTicks(dsn)
        for batch in batches:
            await store.append(batch)
        await store.close()

    asyncio.run(kept())


def rows_of(lake: Path, count: int) -> Columns:
    return as_told(pl.read_parquet(Lake(lake).days()[0].path).head(count))


def test_a_backtest_gives_the_same_digest_from_the_float_form_the_lake_and_postgres(
    lake: Path, postgres: str, tmp_path: Path
) -> None:
    loaded = told(
        "db",
        "load",
        "--lake",
        lake,
        "--venue",
        "synthetic",
        "--symbol",
        "SOL/USDC",
        cwd=tmp_path,
        BMV_POSTGRES=postgres,
    )
    places = [floats(lake, tmp_path / "floats.parquet"), lake, of_market(postgres)]

    runs = [told("backtest", DEMO, "--data", place, "--out", "run", cwd=tmp_path) for place in places]
    by_reference = told("backtest", DEMO, "--data", places[2], "--engine", "reference", "--no-report", cwd=tmp_path)

    assert (loaded["market"], loaded["rows"], loaded["new"]) == ("synthetic/SOL/USDC", ROWS, ROWS)
    assert {run["digest"] for run in [*runs, by_reference]} == {runs[0]["digest"]}
    assert [run["events"] for run in runs] == [ROWS] * 3
    assert runs[0]["fills"] > 0
    assert json.dumps(runs[1]["bracket"]) == json.dumps(runs[2]["bracket"])
    (read,) = json.loads((tmp_path / "run" / "manifest.json").read_text())["data"]
    assert (read["path"], read["market"], read["rows"]) == (places[2], "synthetic/SOL/USDC", ROWS)
    assert (read["first_ns"], read["last_ns"]) == (runs[0]["first_ns"], runs[0]["last_ns"])
    assert len(read["sha256"]) == 64


def test_a_window_of_postgres_is_seeded_and_run_as_that_of_the_lake(lake: Path, recorded: str) -> None:
    first, last = (Lake(lake).manifest(Lake(lake).days()[at]) for at in (0, -1))
    start_ns = (first.first_ns + last.last_ns) // 2
    end_ns = start_ns + 3_600 * 10**9

    ours, theirs = (Backtest(DEMO, data, start_ns, end_ns).run() for data in (recorded, lake))

    assert ours.digest == theirs.digest
    assert ours.summary["events"] == theirs.summary["events"] > 100
    (read,) = ours.manifest()["data"]
    assert ours.summary["events"] < read["rows"] < ROWS  # The rows before the window that seed it were read too.
    assert start_ns - 3_600 * 10**9 <= read["first_ns"] < start_ns
    assert read["last_ns"] == ours.summary["last_ns"]


def test_all_runs_of_a_backtest_are_of_the_rows_that_postgres_told_the_first(
    recorded: str, postgres: str, ask: Callable[..., Any]
) -> None:
    backtest = Backtest(DEMO, recorded)
    result = backtest.run()

    ask("truncate bmv.tick")

    assert list(result.bracket) == ["front", "power", "back"]
    assert backtest.run().digest == result.digest


def test_what_was_copied_from_postgres_is_gone_with_who_asked_for_it(recorded: str) -> None:
    asked = PostgresSource(recorded)
    config = load(DEMO)
    Backtest(config, asked).run()
    files = [path for copy in asked._copies.values() for path in copy.files]

    assert files
    assert all(path.exists() for path in files)
    del asked
    gc.collect()

    assert not [path for path in files if path.parent.exists()]


def test_the_digest_of_what_was_read_from_postgres_tells_other_rows(lake: Path, postgres: str) -> None:
    columns = rows_of(lake, 1_000)
    other = columns._replace(ask_size=columns.ask_size + (columns.ask_size > 0))
    keep(postgres, Ticks("sim/A", "one", 1, 0, columns), Ticks("sim/B", "one", 1, 0, other))
    keep(postgres, Ticks("sim/C", "one", 1, 0, columns))

    a, b, c = (Backtest(DEMO, of_market(postgres, f"sim/{name}")).run().manifest()["data"][0] for name in "ABC")

    assert a["sha256"] == c["sha256"] != b["sha256"]


@pytest.mark.parametrize("words", [["backtest", DEMO, "--data"], ["backtest", DEMO, "--no-report", "--json", "--data"]])
@pytest.mark.parametrize(
    "form", ["postgresql://me:pw1@db/bmv?market=a/b", "postgresql://me@db/bmv?market=a/b&password=pw1"]
)
def test_a_password_in_the_url_of_postgres_is_refused_and_not_repeated(
    tmp_path: Path, words: Sequence[object], form: str
) -> None:
    done = bmv(*words, form, cwd=tmp_path, BMV_DEBUG="1")

    assert done.returncode == 2
    assert "a password in a URL can be read by others" in done.stderr
    assert "pw1" not in done.stdout + done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (["postgresql://me@db/bmv"], "names no market; expected postgresql://USER@HOST/DATABASE?market=VENUE/SYMBOL"),
        (["postgresql://me@db/bmv?market=a/b", "lake"], "give a single URL"),
    ],
)
def test_a_url_of_postgres_that_names_no_one_tape_is_wrong_use(data: list[str], line: str) -> None:
    with pytest.raises(UsageError) as caught:
        Backtest(DEMO, data)

    assert line in str(caught.value)


def test_two_records_of_one_market_in_postgres_are_not_mixed(lake: Path, postgres: str) -> None:
    columns = rows_of(lake, 1_000)
    keep(postgres, *(Ticks("sim/A", source, 1, 0, columns) for source in ("ant", "zebra")))

    with pytest.raises(DataError, match="several records of this market; add &source= and one of ant, zebra"):
        Backtest(DEMO, of_market(postgres, "sim/A")).run()

    assert Backtest(DEMO, of_market(postgres, "sim/A", source="ant")).run().summary["events"] == 1_000


def test_a_market_that_postgres_does_not_have_is_told_with_those_that_it_has(lake: Path, postgres: str) -> None:
    with pytest.raises(DataError, match="markets with ticks: none; `bmv db load` puts"):
        Backtest(DEMO, of_market(postgres, "sim/A")).run()
    keep(postgres, Ticks("sim/A", "one", 1, 0, rows_of(lake, 10)))

    with pytest.raises(DataError, match="no ticks of sim/B; markets with ticks: sim/A"):
        Backtest(DEMO, of_market(postgres, "sim/B")).run()
    with pytest.raises(DataError, match="no rows in the window; there are some from 20"):
        Backtest(DEMO, of_market(postgres, "sim/A"), end_ns=1).run()


def test_bad_rows_of_postgres_are_judged_as_those_of_files_are(lake: Path, postgres: str) -> None:
    columns = rows_of(lake, 1_000)
    bad = columns._replace(price=columns.price.copy())
    bad.price[(bad.kind == 1).nonzero()[0][:3]] = -5
    keep(postgres, Ticks("sim/A", "one", 1, 0, bad))
    data = {"max_bad_share": 0.5}
    config = load(DEMO)

    forgiving = config.model_copy(update={"data": config.data.model_copy(update=data)})
    made = Backtest(forgiving, of_market(postgres, "sim/A")).run()
    strict = config.model_copy(update={"data": config.data.model_copy(update={"max_bad_share": 0.0})})

    assert made.summary["quality"]["bad"] == {"price": 3}
    with pytest.raises(
        DataError, match=r"first postgresql://.*market=sim/A, from row 0 of the window on, row \d+ .*-5"
    ):
        Backtest(strict, of_market(postgres, "sim/A")).run()


def test_ticks_of_other_steps_than_the_configuration_are_refused_by_postgres(recorded: str) -> None:
    config = load(DEMO, ["market.tick_size=0.001"])

    with pytest.raises(
        DataError, match=r"the database holds ticks of 0.01 and lots of 0.001; asked for are ticks of 0.001"
    ):
        Backtest(config, recorded).run()


def test_postgres_is_read_where_a_loop_runs_already(recorded: str) -> None:
    async def notebook() -> int:
        return int(Backtest(DEMO, recorded).run().summary["events"])

    assert asyncio.run(notebook()) == ROWS


LOAD = ("db", "load", "--lake", "lake", "--venue", "synthetic", "--symbol", "SOL/USDC")


def killed_load(lake: Path, postgres: str, ask: Callable[..., Any], until: Callable[[], bool], *words: str) -> None:
    """Load a lake, and kill that as soon as `until` is true."""
    command = [sys.executable, "-m", "bmv.adapters.cli", *LOAD, *words]
    env = {**CLEAN, "BMV_POSTGRES": postgres}
    with subprocess.Popen(command, cwd=lake.parent, env=env, stderr=subprocess.PIPE) as loading:
        while loading.poll() is None and not until():
            time.sleep(0.005)
        loading.kill()


def loaded_rows(ask: Callable[..., Any]) -> int:
    return int(ask("select count(*) from bmv.tick")[0][0])


def slowed(ask: Callable[..., Any]) -> None:
    """Let every row of bmv.load and bmv.stream that is changed take its time, so that a load can be met half-way."""
    ask(
        "create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.2); return new; end $$",
        "create trigger slow before update on bmv.stream for each row execute function slow()",
    )


def test_a_load_that_was_killed_is_noticed_by_a_backtest_from_postgres(
    lake: Path, postgres: str, ask: Callable[..., Any], tmp_path: Path
) -> None:
    days = Lake(lake).days()
    slowed(ask)
    killed_load(lake, postgres, ask, lambda: loaded_rows(ask) > 0)
    assert 0 < loaded_rows(ask) < ROWS

    refused = bmv("backtest", DEMO, "--data", of_market(postgres), "--no-report", cwd=tmp_path)
    ask("drop function slow() cascade")
    told(*LOAD, cwd=lake.parent, BMV_POSTGRES=postgres)

    assert refused.returncode == 4
    assert re.search(rf"{days[0].day}.* is not loaded to its end; run `bmv db load` again", refused.stderr)
    assert Backtest(DEMO, of_market(postgres)).run().summary["events"] == ROWS


def test_days_that_a_killed_load_never_came_to_are_missed_by_a_backtest_from_postgres(
    lake: Path, recorded: str, postgres: str, ask: Callable[..., Any]
) -> None:
    first, last = Lake(lake).days()[0], Lake(lake).days()[-1]
    number = (last.day - date(1970, 1, 1)).days
    ask(
        f"update bmv.load set done = false, epoch = null where day = {number}",
        f"delete from bmv.tick where ts_ns >= {number * DAY_NS}",
        f"delete from bmv.stream where epoch >> 40 = {number}",
    )

    with pytest.raises(DataError, match=f"{last.day} is not loaded to its end; run `bmv db load` again"):
        Backtest(DEMO, recorded).run()

    end_ns = ((first.day - date(1970, 1, 1)).days + 1) * DAY_NS
    assert Backtest(DEMO, recorded, end_ns=end_ns).run().summary["events"] == Lake(lake).manifest(first).rows


def test_a_day_that_is_being_replaced_is_not_read_from_postgres_meanwhile(
    lake: Path, recorded: str, postgres: str, ask: Callable[..., Any], tmp_path: Path
) -> None:
    changed = Path(shutil.copytree(lake, tmp_path / "lake"))
    day = Lake(changed).days()[0]
    write_day(day.path, as_told(pl.read_parquet(day.path).head(900)), market_of(day.path))
    was = ask(f"select id from bmv.stream where epoch >> 40 = {(day.day - date(1970, 1, 1)).days}")[0][0]
    slowed(ask)

    killed_load(
        changed, postgres, ask, lambda: not ask(f"select 1 from bmv.tick where stream = {was} limit 1"), "--replace"
    )
    with pytest.raises(DataError, match=f"{day.day} is not loaded to its end; run `bmv db load` again"):
        Backtest(DEMO, recorded).run()
    ask("drop function slow() cascade")
    told(*LOAD, "--replace", cwd=changed.parent, BMV_POSTGRES=postgres)

    rows = sum(len(pl.read_parquet(each.path)) for each in Lake(changed).days())
    assert Backtest(DEMO, recorded).run().summary["events"] == rows == loaded_rows(ask)


def test_a_day_that_is_replaced_takes_its_gaps_out_of_postgres(
    lake: Path, postgres: str, ask: Callable[..., Any], tmp_path: Path
) -> None:
    changed = Path(shutil.copytree(lake, tmp_path / "lake"))
    day = Lake(changed).days()[0]
    rows, market = pl.read_parquet(day.path), market_of(day.path)
    middle = int(rows["ts_ns"][len(rows) // 2])
    hole = rows.filter((pl.col("ts_ns") - middle).abs() > 600 * 10**9)
    write_day(day.path, as_told(hole), market)
    told(*LOAD, cwd=tmp_path, BMV_POSTGRES=postgres)
    gaps = f"select from_ns, to_ns from bmv.gap where from_ns <= {middle} and to_ns > {middle} and source = 'lake'"
    assert [to_ns - from_ns > 1_200 * 10**9 for from_ns, to_ns in ask(gaps)] == [True]
    keep_others = (
        "insert into bmv.gap (market, source, from_ns, to_ns, why) values ('synthetic/SOL/USDC', 'one', 1, 2, 'away')"
    )
    ask(keep_others)

    write_day(day.path, as_told(rows), market)
    told(*LOAD, "--replace", cwd=tmp_path, BMV_POSTGRES=postgres)

    assert not [gap for gap in ask(gaps) if gap[1] - gap[0] > 1_200 * 10**9]
    assert ask("select why from bmv.gap where source = 'one'") == [("away",)]


def of_contracts(lake: Path, root: Path, terms: dict[str, str]) -> Path:
    """Write the days of a lake anew as of contracts."""
    for day in Lake(lake).days():
        write_day(root / day.path.relative_to(lake), as_told(pl.read_parquet(day.path)), market_of(day.path), terms)
    return root


@pytest.mark.parametrize(
    ("payoff", "size", "told"), [("inverse", "100", True), ("inverse", "100", False), ("linear", "0.1", True)]
)
def test_a_backtest_of_contracts_gives_the_same_from_the_lake_and_postgres(
    payoff: str, size: str, told: bool, lake: Path, postgres: str, tmp_path: Path
) -> None:
    terms = {"bmv.contract": payoff} | ({"bmv.contract_size": size} if told else {})
    there = of_contracts(lake, tmp_path / "lake", terms)
    config = load(DEMO, [f'market.contract={{size="{size}", payoff="{payoff}"}}'], {})

    asyncio.run(load_lake(postgres, Lake(there), "synthetic", "SOL/USDC"))
    asyncio.run(load_lake(postgres, Lake(there), "synthetic", "SOL/USDC"))
    ours, theirs = (Backtest(config, data).run() for data in (of_market(postgres), there))

    assert ours.digest == theirs.digest
    assert ours.summary["pnl"] == theirs.summary["pnl"]
    assert ours.summary["fills"] > 0


def test_contracts_of_a_database_are_refused_where_they_are_taken_for_something_else(
    lake: Path, postgres: str, tmp_path: Path
) -> None:
    terms = {"bmv.contract": "inverse", "bmv.contract_size": "100"}
    asyncio.run(load_lake(postgres, Lake(of_contracts(lake, tmp_path / "lake", terms)), "synthetic", "SOL/USDC"))
    url = of_market(postgres)

    for sets, said in (
        ([], "sizes are contracts of 100 quote"),
        (
            ['market.contract={size="10", payoff="inverse"}'],
            "contracts of 100; market.contract.size is configured as 10",
        ),
    ):
        with pytest.raises(DataError, match=said) as refused:
            Backtest(load(DEMO, sets, {}), url).run()
        assert str(refused.value).startswith(url)


def test_contracts_and_coins_of_one_market_are_not_put_into_one_database(
    lake: Path, recorded: str, postgres: str, tmp_path: Path
) -> None:
    there = of_contracts(lake, tmp_path / "lake", {"bmv.contract": "inverse"})

    with pytest.raises(DataError, match="has rows whose sizes are coins; contracts can't go beside them"):
        asyncio.run(load_lake(postgres, Lake(there), "synthetic", "SOL/USDC"))


def test_a_market_of_contracts_is_not_loaded_as_another(lake: Path, postgres: str, tmp_path: Path) -> None:
    one, other = (
        of_contracts(lake, tmp_path / size, {"bmv.contract": "inverse", "bmv.contract_size": size})
        for size in ("10", "100")
    )
    asyncio.run(load_lake(postgres, Lake(one), "synthetic", "SOL/USDC"))

    with pytest.raises(DataError, match=r"SOL/USDC: holds rows with bmv.contract_size 10; rows with 100 can't go"):
        asyncio.run(load_lake(postgres, Lake(other), "synthetic", "SOL/USDC"))


def test_what_a_lake_says_of_arrivals_and_of_gaps_that_were_noted_is_loaded_into_postgres(
    postgres: str, ask: Callable[..., Any], lake: Path, tmp_path: Path
) -> None:
    columns = rows_of(lake, 3_000)
    stamps = Stamps(columns.ts_ns // 400_000_000, columns.ts_ns + 5_000_000)
    from_ns, to_ns = (int(columns.ts_ns[at]) for at in (1_000, 1_200))
    gap = Gap("synthetic/SOL/USDC", "one", from_ns, to_ns, "queue overran", 7, 9_000_000)

    async def record() -> None:
        store = LakeTicks(tmp_path / "lake", lambda _: market_of(Lake(lake).days()[0].path))
        await store.append(Ticks(gap.market, "one", 1, 0, columns, stamps))
        await store.note_gap(gap)
        await store.settle()
        await store.close()

    async def kept() -> list[tuple[Columns, Stamps]]:
        store = PostgresTicks(postgres)
        try:
            return [part async for part in store.read_stamped(gap.market, 0, 2**62)]
        finally:
            await store.close()

    asyncio.run(record())
    asyncio.run(load_lake(postgres, Lake(tmp_path / "lake"), "synthetic", "SOL/USDC"))

    found = asyncio.run(kept())
    for name in Stamps._fields:
        told = np.concatenate([getattr(beside, name) for _, beside in found])
        assert np.array_equal(told, getattr(stamps, name))
    assert ask("select min(received_ns - ts_ns), max(slot) from bmv.ticks") == [(5_000_000, int(stamps.slot.max()))]
    assert ask("select why, rows, quanta from bmv.gap where why like 'queue%'") == [("queue overran", 7, 9_000_000)]
    warnings = Backtest(DEMO, of_market(postgres)).run().summary["warnings"]
    assert [line for line in warnings if "queue overran; 7 rows and 9 of quote are missing" in line]
