"""Two runs of one tape, through the ports and compiled, and everything in which they differ."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from dependency_injector import providers

from bmv.adapters.bookkeeping.tables import outcome
from bmv.adapters.config import Config
from bmv.backtest.journal import MemoryJournal
from bmv.backtest.run import run
from bmv.backtest.wiring import BacktestContainer
from bmv.core import record
from bmv.core.engine import Strategy
from bmv.data.runs.outcome import Outcome
from bmv.ports.market_data import Columns, Tape
from bmv.ports.messages import Event, Intent

SAMPLE_NS = 60_000_000_000
WORDS_MAX = 30_000
COLUMNS = len(Columns._fields)
FIELDS = [field.name for field in fields(Outcome) if not field.name.endswith("_seconds")]


def columns(rows: Sequence[Sequence[int]]) -> Columns:
    """Return rows of (ts_ns, kind, side, price, size, bid, bid_size, ask, ask_size) as columns."""
    table = np.array(rows, np.int64).reshape(-1, COLUMNS)
    return Columns(*(np.ascontiguousarray(table[:, c]) for c in range(COLUMNS)))


class MemoryTape:
    """A tape in memory: trades that seed, rows that are told, so many at a time."""

    def __init__(self, seed: Sequence[Sequence[int]], rows: Sequence[Sequence[int]], batch_rows: int = 1 << 20) -> None:
        self._seed = columns(seed)
        self._rows = columns(rows)
        self._batch_rows = batch_rows

    def seed(self, history_ns: int) -> Columns:
        """Return the trades before the start."""
        return self._seed

    def batches(self) -> Iterator[Columns]:
        """Yield the rows."""
        for start in range(0, len(self._rows.ts_ns), self._batch_rows):
            yield Columns(*(column[start : start + self._batch_rows].copy() for column in self._rows))


class Patience(MemoryJournal):
    """A journal that remembers every word, and gives up on an engine that keeps waking itself."""

    def __init__(self, words_max: int) -> None:
        super().__init__()
        self._words_max = words_max

    def event(self, event: Event) -> None:
        """Keep `event`."""
        assert len(self.words) < self._words_max, "the engine wakes itself without end"
        super().event(event)


class Remains(NamedTuple):
    """What a run leaves: its outcome, and every plain number of the engine, the venue and the record."""

    outcome: Outcome
    engine: dict[str, int | float]
    venue: dict[str, int | float]
    record: dict[str, int | float]


def wired(config: Config, tape: Tape, strategy: Strategy | None, sample_ns: int = SAMPLE_NS) -> BacktestContainer:
    """Return the container of a backtest on `tape`."""
    container = BacktestContainer(config=config, paths=[], sample_ns=sample_ns)
    container.tape.override(providers.Object(tape))
    container.strategy.override(providers.Object(strategy))
    return container


def reference(
    config: Config, tape: Tape, strategy: Strategy | None = None, patience: int = WORDS_MAX
) -> tuple[Remains, list[Event | Intent]]:
    """Run through the ports; return what is left, and every word of it, of which there may be so many."""
    c = wired(config, tape, strategy)
    journal = Patience(patience)
    c.journal.override(providers.Object(journal))
    world = c.world()
    run(world, c.tape(), _nobody)
    made = outcome(c.market(), c.params(), world.engine.state, world.books.record, c.sink().whole(), (0.0, 0.0))
    return _remains(made, world.engine.state, world.stage.exchange.sim.venue, world.books.record), journal.words


def fused(config: Config, tape: Tape, strategy: Strategy | None = None, sample_ns: int = SAMPLE_NS) -> Remains:
    """Run compiled."""
    c = wired(config, tape, strategy, sample_ns)
    loop = c.loop()
    loop.run(c.tape(), _nobody)
    made = outcome(c.market(), c.params(), loop.state, loop.record, c.sink().whole(), (0.0, 0.0))
    return _remains(made, loop.state, loop.sim.venue, loop.record)


def _nobody(rows: int) -> None:
    """Hear of progress."""


def _remains(made: Outcome, *rows: Any) -> Remains:  # Any: records of several shapes.
    engine, venue, ledger = (record.fields(row) for row in rows)
    del engine["history_at"]  # An address.
    return Remains(made, engine, venue, ledger)


def differences(one: Remains, other: Remains) -> list[str]:
    """Return everything in which two runs differ, one line each."""
    found = outcomes_differ(one.outcome, other.outcome)
    for part in ("engine", "venue", "record"):
        mine, yours = getattr(one, part), getattr(other, part)
        found += [_line(f"{part}.{name}", mine[name], yours[name]) for name in mine]
    return [line for line in found if line]


def outcomes_differ(one: Outcome, other: Outcome) -> list[str]:
    """Return everything in which two outcomes differ but the time they took, one line each."""
    found = [_line(name, getattr(one, name), getattr(other, name)) for name in FIELDS]
    return [line for line in found if line]


def _line(name: str, mine: object, yours: object) -> str:
    return "" if _same(mine, yours) else f"{name}: {mine!r} and {yours!r}"


def _same(mine: Any, yours: Any) -> bool:  # Any: tables, counts, times.
    if isinstance(mine, pl.DataFrame):
        return mine.schema == yours.schema and mine.equals(yours)
    return bool(mine == yours)


@dataclass(frozen=True, slots=True)
class Case:
    """One run to be made twice."""

    settings: dict[str, Any]  # As they stand in the configuration file.
    seed: list[tuple[int, ...]]
    rows: list[tuple[int, ...]]
    strategy: Strategy | None = None
    batch_rows: int = 1 << 20

    @property
    def config(self) -> Config:
        return Config(**self.settings)

    @property
    def tape(self) -> MemoryTape:
        return MemoryTape(self.seed, self.rows, self.batch_rows)
