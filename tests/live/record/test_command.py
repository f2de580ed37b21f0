"""`bmv record` as a process: it stops cleanly, goes on where it was, also after kill -9, and a backtest takes it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from bmv.adapters.lake.ticks import LakeTicks
from bmv.ports.market import Market
from bmv.ports.storage import Gap

BMV = [sys.executable, "-m", "bmv.adapters.cli"]
WAIT_S = 90.0
QUANTA_PER_TICK_LOT = 10  # Of 0.01 by 0.001: a quantum is 0.000001.


@contextmanager
def started(folder: Path, *more: str) -> Iterator[dict[str, str]]:
    """Give the first line of a sandbox that lives in a process of its own."""
    command = [*BMV, "sandbox", "--speed", "10", "--port", "0", "--out", str(folder / "sandbox"), "--json", *more]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Path]:
    """Give the configuration of a sandbox that lives."""
    with started(tmp_path) as facts:
        yield tmp_path / facts["config"]


def record(config: Path, *more: str) -> "subprocess.Popen[str]":
    command = [*BMV, "record", str(config), "--json", *more]
    return subprocess.Popen(command, cwd=config.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: "subprocess.Popen[str]") -> dict[str, object]:
    out, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, errors
    told: dict[str, object] = json.loads(out)
    return told


def wait_for_rows(config: Path, more_than: int = 0) -> None:
    """Wait until the lake has been written into."""
    lake, until = config.parent / "ticks", time.monotonic() + WAIT_S
    while time.monotonic() < until:
        sizes = [path.stat().st_size for path in lake.rglob("*") if path.is_file() and ".recording" not in path.parts]
        note = lake / ".recording" / "openbook-v2-SOL-USDC" / "kept.json"
        if note.exists() and len(sizes) > more_than and json.loads(note.read_text())["slot"]:
            return
        time.sleep(0.05)
    raise AssertionError("nothing was recorded")


def rows(config: Path) -> pl.DataFrame:
    return pl.read_parquet(sorted((config.parent / "ticks" / "openbook-v2").rglob("*.parquet")))


def test_it_stops_cleanly_at_sigterm_and_what_it_recorded_is_a_day_that_a_backtest_takes(sandbox: Path) -> None:
    process = record(sandbox)
    wait_for_rows(sandbox)
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    told = ended(process)

    assert told["gaps"] == 0
    found = rows(sandbox)
    assert len(found) == told["rows"]
    assert found["slot"].null_count() == 0
    assert found["received_ns"].min() > 0  # type: ignore[operator]
    done = subprocess.run(
        [*BMV, "backtest", str(sandbox), "--json", "--no-report"], capture_output=True, text=True, cwd=sandbox.parent
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["events"] == told["rows"]


def test_started_again_it_goes_on_and_says_what_it_missed(sandbox: Path) -> None:
    first = ended(record(sandbox, "--for", "1s"))  # From the first slot that is kept, however long that takes.
    second = ended(record(sandbox, "--for", "1s"))

    assert int(str(first["rows"])) > 0
    assert first["gaps"] == 0
    assert second["gaps"] == 1
    assert float(str(second["missing_quote"])) >= 0
    assert second["from"] > first["until"]  # type: ignore[operator]
    assert len(rows(sandbox)) == int(str(first["rows"])) + int(str(second["rows"]))


def test_after_kill_9_nothing_is_there_twice_and_the_gap_says_what_is_missing(sandbox: Path) -> None:
    process = record(sandbox)
    wait_for_rows(sandbox)
    time.sleep(2)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()

    told = ended(record(sandbox, "--for", "4s"))

    found = rows(sandbox)
    assert told["gaps"] == 1
    assert found["ts_ns"].is_sorted()
    assert len(found) > int(str(told["rows"]))
    per_slot = found.group_by("slot").agg(pl.col("received_ns").n_unique())
    assert per_slot["received_ns"].max() == 1  # Of one arrival: no slot was kept by both.


def test_without_a_place_for_ticks_it_is_refused(sandbox: Path) -> None:
    text = sandbox.read_text().replace("[storage]", "[storage]\n#").replace("ticks =", "# ticks =")
    sandbox.write_text(text)

    process = record(sandbox)
    _, errors = process.communicate(timeout=WAIT_S)

    assert process.returncode == 3
    assert "storage.ticks: expected where ticks go" in errors


def test_another_chain_is_not_recorded_into_the_same_lake(sandbox: Path) -> None:
    ended(record(sandbox, "--for", "4s"))
    note = sandbox.parent / "ticks" / ".recording" / "openbook-v2-SOL-USDC" / "kept.json"
    note.write_text(json.dumps(json.loads(note.read_text()) | {"ts_ns": 1_900_000_000_000_000_000}))

    process = record(sandbox, "--for", "20s")
    _, errors = process.communicate(timeout=WAIT_S)

    assert process.returncode == 4
    assert ", 2030-03-17T17:46:40Z: is it another chain, such as a sandbox started anew?" in errors
    assert "--to FOLDER" in errors


def test_a_sandbox_started_anew_is_another_chain_though_it_ran_longer(tmp_path: Path) -> None:
    with started(tmp_path) as facts:
        ended(record(tmp_path / facts["config"], "--for", "4s"))

    with started(tmp_path) as facts:
        asked = urllib.request.Request(f"{facts['control']}/advance", b'{"blocks": 1500}')
        with urllib.request.urlopen(asked, timeout=WAIT_S):
            pass
        process = record(tmp_path / facts["config"], "--for", "8s")
        _, errors = process.communicate(timeout=WAIT_S)

    assert process.returncode == 4
    assert "it is another chain, such as a sandbox started anew. Give another lake: --to FOLDER" in errors


def test_each_of_several_stores_goes_on_from_where_it_was(tmp_path: Path) -> None:
    with started(tmp_path, "--venue", "openbook-v1", "--speed", "2") as facts:  # Slowly, for the ring's sake.
        config = tmp_path / facts["config"]
        one, other = (("--to", str(tmp_path / name)) for name in ("one", "other"))
        ended(record(config, *one, *other, "--for", "6s"))
        ended(record(config, *one, "--for", "6s"))
        ended(record(config, *other, *one, "--for", "6s"))

    gaps = {}
    for name, expected in (("one", 2), ("other", 1)):
        found = pl.read_parquet(sorted((tmp_path / name / "openbook-v1").rglob("*.parquet")))
        gaps[name] = noted(tmp_path / name)
        times = found["ts_ns"]
        assert len(gaps[name]) == expected
        assert None not in [gap.quanta for gap in gaps[name]]
        assert times.is_sorted()
        assert found.group_by("slot").agg(pl.col("received_ns").n_unique())["received_ns"].max() == 1
        assert not any(times.is_between(gap.from_ns, gap.to_ns, closed="none").any() for gap in gaps[name])
        trades = found.filter(pl.col("kind") == 1)
        missed = sum(gap.quanta or 0 for gap in gaps[name])
        gaps[name + " in all"] = int((trades["price"] * trades["size"]).sum()) * QUANTA_PER_TICK_LOT + missed
    assert gaps["one in all"] == gaps["other in all"]


def noted(lake: Path) -> Sequence[Gap]:
    """Return the gaps of a lake's market."""
    market = Market("SOL/USDC", Decimal("0.01"), Decimal("0.001"))
    return asyncio.run(LakeTicks(lake, lambda _: market).gaps("openbook-v1/SOL-USDC", 0, 2**62))


def test_a_database_is_recorded_into_like_a_lake(sandbox: Path, postgres: str) -> None:
    told = ended(record(sandbox, "--for", "4s", "--to", postgres, "--spool", str(sandbox.parent / "waiting")))

    url = f"{postgres}{'&' if '?' in postgres else '?'}market=openbook-v2/SOL-USDC"
    done = subprocess.run(
        [*BMV, "backtest", str(sandbox), "--data", url, "--json", "--no-report"],
        capture_output=True, text=True, cwd=sandbox.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["events"] == told["rows"]
    assert int(str(told["rows"])) > 50


def test_it_ends_while_the_store_is_away_and_what_it_recorded_waits(sandbox: Path) -> None:
    waiting = sandbox.parent / "waiting"

    ended(record(sandbox, "--for", "6s", "--to", "postgresql://me@127.0.0.1:1/bmv", "--spool", str(waiting)))

    assert list(waiting.rglob("*.segment"))


def test_started_again_while_the_database_is_away_it_records_into_the_spool(sandbox: Path, postgres: str) -> None:
    waiting = sandbox.parent / "waiting"
    ended(record(sandbox, "--for", "4s", "--to", postgres, "--spool", str(waiting)))

    told = ended(record(sandbox, "--for", "8s", "--to", "postgresql://me@127.0.0.1:1/bmv", "--spool", str(waiting)))

    assert int(str(told["rows"])) > 0
    assert told["gaps"] == 1
    assert list(waiting.rglob("*.segment"))


@pytest.mark.parametrize(
    ("to", "told"),
    [(["s3://bucket/ticks"], "expected a lake on a local disk"), (["lake", "./lake/"], "is named twice")],
)
def test_a_place_where_no_recorder_can_write_is_refused(sandbox: Path, to: list[str], told: str) -> None:
    process = record(sandbox, *(word for place in to for word in ("--to", place)))
    _, errors = process.communicate(timeout=WAIT_S)

    assert process.returncode == 3
    assert told in errors
    assert not (sandbox.parent / "s3:").exists()
