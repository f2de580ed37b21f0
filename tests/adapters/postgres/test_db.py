"""`bmv db` on a real server, as an operator meets it: in a process of its own."""

import json
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from postgres import programs

from bmv.adapters.postgres.dsn import database
from bmv.adapters.postgres.migrate import migrations
from bmv.data.ticks.schema import day_path, write_day
from bmv.ports.market import Market
from bmv.ports.market_data import Columns

STEPS = [step.name for step in migrations()]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("BMV_", "PG"))}
DEMO = Path(__file__).parents[3] / "docs" / "examples" / "demo.toml"


def bmv(*words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bmv.adapters.cli", *words]
    env["PATH"] = f"{programs()}{os.pathsep}{os.environ['PATH']}"  # The client's programs lie beside the server's.
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env={**CLEAN, **env}, stdin=subprocess.DEVNULL, check=False
    )


def told(*words: str, cwd: Path, **env: str) -> dict[str, object]:
    done = bmv(*words, "--json", cwd=cwd, **env)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, object] = json.loads(done.stdout)
    return found


def with_password(dsn: str, secret: str) -> str:
    """Return `dsn` with a password, which a server that trusts everybody does not ask for."""
    user = urlsplit(dsn).netloc.partition("@")[0]
    return dsn.replace(f"//{user}@", f"//{user}:{secret}@", 1)


def test_a_database_comes_into_being_in_postgres_and_is_counted(bare_postgres: str, tmp_path: Path) -> None:
    env = {"BMV_POSTGRES": bare_postgres}

    before = told("db", "status", cwd=tmp_path, **env)
    made = told("db", "init", cwd=tmp_path, **env)
    again = told("db", "migrate", cwd=tmp_path, **env)
    after = told("db", "status", cwd=tmp_path, **env)

    assert (before["applied"], before["pending"]) == ([], STEPS)
    assert (made["made"], made["applied"], again["applied"]) == (False, STEPS, [])
    assert (after["applied"], after["pending"]) == (STEPS, [])
    assert after["ticks_about"] == after["sessions"] == after["days"] == 0
    assert int(str(after["bytes"])) > 1_000_000


def test_a_configuration_says_which_database_of_postgres(bare_postgres: str, tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text(f'{DEMO.read_text("utf-8")}\n[storage]\njournal = "{bare_postgres}"\n')

    made = bmv("db", "init", "my.toml", cwd=tmp_path)

    assert made.returncode == 0, made.stderr
    assert f"place    {bare_postgres}" in made.stdout
    assert "made     no" in made.stdout
    assert f"applied  {', '.join(STEPS)}" in made.stdout


@pytest.mark.parametrize("words", [["status"], ["init"], ["migrate"], ["backup", "x.dump", "--force"]])
def test_a_password_is_never_shown_by_postgres_commands(bare_postgres: str, tmp_path: Path, words: list[str]) -> None:
    secrets = ["s3cr3t%2F1", "s3cr3t/1"]
    good, nowhere = with_password(bare_postgres, secrets[0]), f"postgresql://me:{secrets[0]}@127.0.0.1:1/none"
    bad = f"postgresql://me:{secrets[0]}@[half/none"
    bmv("db", "init", cwd=tmp_path, BMV_POSTGRES=bare_postgres)

    outputs = [
        bmv("db", *words, *json_or_not, cwd=tmp_path, BMV_POSTGRES=dsn, BMV_DEBUG="1", PGCONNECT_TIMEOUT="1")
        for dsn in (good, nowhere, bad)
        if not (dsn == nowhere and words[0] != "backup")
        for json_or_not in ([], ["--json"])
    ]

    assert not [done for done in outputs for secret in secrets if secret in done.stdout + done.stderr]
    assert "***" in outputs[0].stdout
    assert {done.returncode for done in outputs} == {0, 3} | ({1} if words[0] == "backup" else set())
    assert not [done.stderr for done in outputs if "Traceback" in done.stderr]


@pytest.mark.parametrize(
    ("words", "env", "code", "line"),
    [
        ("db status", {}, 3, "which database? name a configuration, or set BMV_POSTGRES="),
        ("db status none.toml", {}, 3, "none.toml: no such file"),
        ("db status demo.toml", {}, 3, "storage.journal is not set"),
        ("db status", {"BMV_POSTGRES": "mysql://me:pw1@db/x"}, 3, "expected postgresql://"),
        ("db backup", {}, 2, "Missing argument 'FILE'"),
        ("db nothing", {}, 2, "No such command 'nothing'"),
    ],
)
def test_a_wrong_call_of_a_postgres_command_ends_with_its_code_and_a_clear_line(
    tmp_path: Path, words: str, env: dict[str, str], code: int, line: str
) -> None:
    (tmp_path / "demo.toml").write_text(DEMO.read_text("utf-8"))

    done = bmv(*words.split(), cwd=tmp_path, **env)

    assert done.returncode == code
    assert line in done.stderr
    assert not [word for word in ("pw1", "Traceback") if word in done.stderr]


def test_a_database_that_is_not_there_is_told_by_postgres_status(bare_postgres: str, tmp_path: Path) -> None:
    nowhere = bare_postgres.replace(f"/{database(bare_postgres)}", "/nowhere_at_all", 1)

    done = bmv("db", "status", cwd=tmp_path, BMV_POSTGRES=nowhere)

    assert done.returncode == 3
    assert "there is no database nowhere_at_all; `bmv db init` makes it" in done.stderr


def test_a_backup_of_postgres_is_whole_private_and_brings_everything_back(
    postgres: str, bare_postgres: str, tmp_path: Path, ask: Callable[..., Any]
) -> None:
    ask(
        "insert into bmv.session (name, head) values ('s', sha256('a'))",
        "insert into bmv.journal (session, seq, body, prev, hash) "
        "values ('s', 0, 'b', sha256('a'), sha256(sha256('a') || 'b'))",
    )

    copied = told("db", "backup", "copy.dump", cwd=tmp_path, BMV_POSTGRES=postgres)
    refused = bmv("db", "backup", "copy.dump", cwd=tmp_path, BMV_POSTGRES=postgres)
    forced = told("db", "backup", "copy.dump", "--overwrite", cwd=tmp_path, BMV_POSTGRES=postgres)
    subprocess.run([programs() / "pg_restore", "-d", bare_postgres, tmp_path / "copy.dump"], check=True)

    restored = told("db", "status", cwd=tmp_path, BMV_POSTGRES=bare_postgres)
    assert stat.S_IMODE((tmp_path / "copy.dump").stat().st_mode) == 0o600
    assert refused.returncode == 2
    assert copied["bytes"] == forced["bytes"] == (tmp_path / "copy.dump").stat().st_size
    assert (restored["applied"], restored["pending"], restored["words"]) == (STEPS, [], 1)
    assert [file.name for file in tmp_path.iterdir()] == ["copy.dump"]


def test_a_backup_of_postgres_is_never_written_over_a_configuration(postgres: str, tmp_path: Path) -> None:
    config = f'{DEMO.read_text("utf-8")}\n[storage]\njournal = "{postgres}"\n'
    for name in ("my.toml", "other.toml"):
        (tmp_path / name).write_text(config)

    sizes = [
        told("db", "backup", *words, cwd=tmp_path)["bytes"] for words in (["a.dump", "my.toml"], ["my.toml", "b.dump"])
    ]
    refused = [
        bmv("db", "backup", *words, "--overwrite", cwd=tmp_path, BMV_POSTGRES=postgres)
        for words in (["my.toml"], ["my.toml", "other.toml"], ["new.toml"])
    ]

    assert sizes == [(tmp_path / name).stat().st_size for name in ("a.dump", "b.dump")]
    assert [done.returncode for done in refused] == [2, 2, 2]
    assert "my.toml: that is the name of a configuration; expected a file to write" in refused[0].stderr
    assert [(tmp_path / name).read_text() for name in ("my.toml", "other.toml")] == [config, config]
    assert not (tmp_path / "new.toml").exists()


def test_a_backup_that_fails_leaves_the_older_one_of_postgres(bare_postgres: str, tmp_path: Path) -> None:
    (tmp_path / "copy.dump").write_text("older")

    done = bmv("db", "backup", "copy.dump", "--force", cwd=tmp_path, BMV_POSTGRES=bare_postgres)

    assert done.returncode == 1
    assert re.search(r"pg_dump failed: .*; copy.dump is as it was", done.stderr)
    assert (tmp_path / "copy.dump").read_text() == "older"
    assert len(list(tmp_path.iterdir())) == 1


def lake(root: Path, rows: int) -> Path:
    """Make a lake of one market, two days of which have so many rows."""
    for day in (3, 4):
        ts_ns = 1_756_857_600 * 10**9 + (day - 3) * 86_400 * 10**9 + np.arange(rows) * 10**6
        one, zero = np.ones_like(ts_ns), np.zeros_like(ts_ns)
        columns = Columns(ts_ns, one, one, np.arange(rows) + 1, one, zero, zero, zero, zero)
        market = Market("SOL/USDC", Decimal("0.01"), Decimal("0.001"))
        write_day(day_path(root, "sim", "SOL/USDC", date(2025, 9, day)), columns, market)
    return root


LOAD = ("db", "load", "--lake", "lake", "--venue", "sim", "--symbol", "SOL/USDC")
ONCE = "select count(*), count(distinct (stream, seq)), sum(price) from bmv.tick"


def test_a_lake_that_is_loaded_twice_is_in_postgres_once(
    postgres: str, tmp_path: Path, ask: Callable[..., Any]
) -> None:
    lake(tmp_path / "lake", 30_000)

    first, second = (told(*LOAD, cwd=tmp_path, BMV_POSTGRES=postgres) for _ in range(2))

    assert (first["market"], first["days"], first["rows"], first["new"]) == ("sim/SOL/USDC", 2, 60_000, 60_000)
    assert (second["rows"], second["new"], second["replaced"]) == (60_000, 0, 0)
    assert ask(ONCE) == [(60_000, 60_000, 30_000 * 30_001)]


def test_a_day_of_postgres_is_counted_when_it_has_a_row_not_when_there_is_room_for_one(
    postgres: str, tmp_path: Path, ask: Callable[..., Any]
) -> None:
    lake(tmp_path / "lake", 100)
    told(*LOAD, cwd=tmp_path, BMV_POSTGRES=postgres)

    found = told("db", "status", cwd=tmp_path, BMV_POSTGRES=postgres)

    assert ask("select count(*) from bmv.tick_day")[0][0] > 2
    assert (found["days"], found["first_day"], found["last_day"]) == (2, "2025-09-03", "2025-09-04")


def test_a_load_into_postgres_that_is_killed_goes_on_where_it_was(
    postgres: str, tmp_path: Path, ask: Callable[..., Any]
) -> None:
    lake(tmp_path / "lake", 400_000)
    command = [sys.executable, "-m", "bmv.adapters.cli", *LOAD, "--json"]
    counts = [0]
    for attempt in range(1, 5):
        with subprocess.Popen(command, cwd=tmp_path, env={**CLEAN, "BMV_POSTGRES": postgres}) as loading:
            while loading.poll() is None and ask("select coalesce(sum(next_seq), 0)::bigint from bmv.stream")[0][0] < (
                min(counts[-1] + 60_000 * attempt, 790_000)
            ):
                time.sleep(0.01)
            loading.kill()
        counts.append(ask("select count(*) from bmv.tick")[0][0])
    done = told(*LOAD, cwd=tmp_path, BMV_POSTGRES=postgres)

    assert counts == sorted(counts)
    assert 0 < counts[1] < counts[2] < 800_000
    assert done["rows"] == 800_000
    assert 0 < done["new"] < 800_000
    assert ask(ONCE) == [(800_000, 800_000, 400_000 * 400_001)]


def test_a_day_that_changed_since_it_was_loaded_is_not_mixed_with_the_old_one_in_postgres(
    postgres: str, tmp_path: Path, ask: Callable[..., Any]
) -> None:
    lake(tmp_path / "lake", 1_000)
    told(*LOAD, cwd=tmp_path, BMV_POSTGRES=postgres)
    lake(tmp_path / "lake", 1_200)

    refused = bmv(*LOAD, cwd=tmp_path, BMV_POSTGRES=postgres)
    replaced = told(*LOAD, "--replace", cwd=tmp_path, BMV_POSTGRES=postgres)

    assert refused.returncode == 4
    assert "2025-09-03.parquet: has changed since it was loaded; --replace takes" in refused.stderr
    assert (replaced["new"], replaced["replaced"]) == (2_400, 2)
    assert ask(ONCE) == [(2_400, 2_400, 1_200 * 1_201)]


@pytest.mark.parametrize(
    ("words", "env", "code", "line"),
    [
        (["--symbol", "NONE"], {}, 4, "has no days of sim/NONE"),
        ([], {"BMV_POSTGRES": "sqlite:journal.sqlite"}, 3, "SQLite keeps journals, not ticks"),
    ],
)
def test_a_load_that_cannot_be_is_told_by_postgres_commands(
    postgres: str, tmp_path: Path, words: list[str], env: dict[str, str], code: int, line: str
) -> None:
    lake(tmp_path / "lake", 10)

    done = bmv(*LOAD, *words, cwd=tmp_path, **{"BMV_POSTGRES": postgres, **env})

    assert (done.returncode, line in done.stderr) == (code, True), done.stderr


@pytest.mark.parametrize("leaf", ["init", "migrate", "status", "load", "backup"])
def test_every_postgres_command_gives_an_example(leaf: str, tmp_path: Path) -> None:
    done = bmv("db", leaf, "--help", cwd=tmp_path)

    assert "Example" in done.stdout
    assert f"bmv db {leaf}" in done.stdout
