"""From an event to its intents in a session, beside the engine alone: told, journalled, decided upon, let out.

    python -m pytest -o addopts="--import-mode=importlib" --benchmark-only -s tests/benchmarks/test_live.py

One round is a made-up tape of 12,000 rows. `engine` is told the events of a session and nothing else is done; `session`
is what `bmv paper` and `bmv live` do of them before anything waits for a disk or a network.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import pytest
from tests.live.test_paper import CONFIG
from tests.rigs.engine import engine_of

from bmv.adapters.cli.main import main
from bmv.adapters.config import Config, compile, load
from bmv.adapters.parquet.tape import ParquetTape
from bmv.adapters.sqlite.sessions import SqliteSessions
from bmv.live.journal import SessionJournal
from bmv.live.loop import Loop
from bmv.live.minutes import Minutes
from bmv.live.tape import TapeClock, rows_of
from bmv.ports.messages import Event, Intent, Kind


class Accepting:
    """An execution that accepts each order with the next event, and cancels what it is told to."""

    def __init__(self) -> None:
        self.reports: list[Event] = []

    def submit(self, batch: Sequence[Intent]) -> None:
        kinds = {1: Kind.ACCEPTED, 2: Kind.CANCELLED}
        self.reports += [
            Event(kinds[each.verb], each.ts_ns, each.ts_ns, each.order, each.side, each.price, each.size)
            for each in batch
            if each.verb in kinds
        ]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, list[Event]]:
    folder = tmp_path_factory.mktemp("tape")
    (folder / "bmv.toml").write_text(CONFIG)
    assert main(["data", "synth", str(folder / "lake"), "--seed", "3", "--rows", "12000"]) == 0
    config = load(folder / "bmv.toml", ())
    return config, list(rows_of(ParquetTape([folder / "lake"], compile.market(config))))


def told(config: Config, rows: list[Event], folder: Path) -> tuple[list[Event], list[float]]:
    """Tell a session a tape; return all that its engine heard, and how long each event with an answer took, s."""
    engine, execution, clock = engine_of(config), Accepting(), TapeClock(rows[0].ts_ns, 0)
    minutes = Minutes(SessionJournal(SqliteSessions(folder / "s.sqlite"), "bench"), engine, clock.now_ns)
    loop = Loop(engine, execution, minutes, clock)
    heard, spent = list[Event](), list[float]()
    minutes.listeners.append(heard.append)
    loop.timed = lambda seconds, intents: spent.append(seconds) if intents else None
    for row in rows:
        loop.tell(row)
        while execution.reports:
            loop.tell(execution.reports.pop(0))
    return heard, spent


@pytest.mark.benchmark(group="a session's event")
def test_session(benchmark: Any, played: tuple[Config, list[Event]], tmp_path: Path) -> None:
    config, rows = played

    heard, spent = benchmark.pedantic(told, args=(config, rows, tmp_path), rounds=5, warmup_rounds=1)

    cuts = quantiles(spent, n=100)
    benchmark.extra_info |= {"p50_us": median(spent) * 1e6, "p99_us": cuts[98] * 1e6, "answers": len(spent)}
    print(f"\nevent to intents: p50 {median(spent) * 1e6:.0f} µs, p99 {cuts[98] * 1e6:.0f} µs, {len(spent)} answers")
    assert len(heard) > len(rows)


@pytest.mark.benchmark(group="a session's event")
def test_engine(benchmark: Any, played: tuple[Config, list[Event]], tmp_path: Path) -> None:
    config, rows = played
    heard, _ = told(config, rows, tmp_path)

    def bare() -> float:
        engine = engine_of(config)
        began_s = time.perf_counter()
        for event in heard:
            engine.on(event)
        return time.perf_counter() - began_s

    assert benchmark.pedantic(bare, rounds=5, warmup_rounds=1) > 0
