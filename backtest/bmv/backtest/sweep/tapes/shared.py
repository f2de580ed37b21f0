"""A tape in memory, read once and shared by all workers of a machine: nobody copies it and nobody can change it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy import int64

from bmv.adapters.parquet.tape import ParquetTape
from bmv.ports.market import Market
from bmv.ports.market_data import Column, Columns
from bmv.ports.messages import Kind

READ_ROWS = 131_072  # Read at a time: a fifth of what a backtest reads, since the whole lies in memory here.
STOPS = 8  # Stretches of a run, between which it may be looked at; shorter than `STEP_MIN` rows none is.
STEP_MIN = 4_096


class Reckoned(Market):
    """A market whose units are worked out once: every run asks for them many times, and fractions take long."""

    @cached_property
    def quantum(self) -> Fraction:
        return super().quantum

    @cached_property
    def half(self) -> int:
        return super().half

    @cached_property
    def divisor(self) -> int:
        return super().divisor


@dataclass(frozen=True, slots=True)
class Prepared:
    """The in-sample rows of one tape, packed.

    A trade or a depth change has no book in its row and a quote has neither side, price nor size: they share columns
    (`first` holds side or bid, and so on), which saves a third of the memory and of what must be read from it.

    Args:
        name: What the report calls it.
        market: The instrument.
        rows: `(6, n)` int64: time, kind, side or bid, price or bid size, size or ask, nothing or ask size.
        seeds: The trades before the start, as columns.
        start_ns: Where a run over it starts; None: at the first row, with no seed.
        end_ns: Its end, exclusive; None: that of the data.
        highest: Its highest price, in ticks.
        warnings: What the reading found that a reader of any result must know, the gravest first.
    """

    name: str
    market: Market
    rows: "np.ndarray[tuple[int, int], np.dtype[int64]]"
    seeds: Columns
    start_ns: int | None
    end_ns: int | None
    highest: int
    warnings: tuple[str, ...] = ()

    @property
    def events(self) -> int:
        """How many rows are told."""
        return int(self.rows.shape[1])

    @property
    def first_ns(self) -> int:
        """Time of the first row."""
        return int(self.rows[0, 0])

    @property
    def last_ns(self) -> int:
        """Time of the last row."""
        return int(self.rows[0, -1])

    def __repr__(self) -> str:
        return f"<Prepared {self.name}: {self.events:,} rows>"


class SharedTape:
    """What one run sees of a prepared tape, as a :class:`~bmv.ports.market_data.Tape`."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared

    def seed(self, history_ns: int) -> Columns:
        """Return the trades of the `history_ns` before the start; one exactly that old still counts."""
        seeds, start_ns = self.prepared.seeds, self.prepared.start_ns
        if start_ns is None:
            return seeds
        first = int(np.searchsorted(seeds.ts_ns, start_ns - history_ns, "left"))
        return Columns(*(column[first:] for column in seeds))

    def batches(self) -> Iterator[Columns]:
        """Yield the rows, in stretches that depend on the tape alone."""
        rows = self.prepared.rows
        step = max(STEP_MIN, -(-rows.shape[1] // STOPS))
        for start in range(0, rows.shape[1], step):
            ts_ns, kind, *packed = rows[:, start : start + step]
            yield unpacked(ts_ns, kind, packed)


def unpacked(ts_ns: Column, kind: Column, packed: Sequence[Column]) -> Columns:
    """Return columns over the same memory. What a kind does not use is not 0 there, but nobody looks at it."""
    one, two, three, four = packed
    return Columns(ts_ns, kind, one, two, three, one, two, three, four)


def prepare(name: str, tape: ParquetTape, history_ns: int) -> Prepared:
    """Read a tape into memory, every row judged.

    Args:
        history_ns: The longest history that a set of the sweep has.

    `DataError` as a backtest of the same rows would raise it.
    """
    tape.batch_rows = READ_ROWS
    seeds = tape.seed(history_ns)
    rows = np.empty((6, sum(span.stop - span.start for span in tape.window)), int64)
    filled, highest = 0, 0
    for batch in tape.batches():
        _pack(rows[:, filled : filled + len(batch.ts_ns)], batch)
        filled += len(batch.ts_ns)
        highest = max(highest, *(int(column.max()) for column in (batch.price, batch.bid, batch.ask)))
    rows = rows[:, :filled]
    for column in (rows, *seeds):
        column.flags.writeable = False
    warnings = tuple(tape.quality.as_dict()["warnings"])
    m = tape.market
    market = Reckoned(m.symbol, m.tick_size, m.lot_size, m.quote_step, m.contract)
    return Prepared(name, market, rows, seeds, tape.start_ns, tape.end_ns, highest, warnings)


def _pack(part: "np.ndarray[tuple[int, int], np.dtype[int64]]", batch: Columns) -> None:
    quotes = batch.kind == Kind.QUOTE
    part[0], part[1] = batch.ts_ns, batch.kind
    part[2] = np.where(quotes, batch.bid, batch.side)
    part[3] = np.where(quotes, batch.bid_size, batch.price)
    part[4] = np.where(quotes, batch.ask, batch.size)
    part[5] = batch.ask_size


@dataclass(frozen=True)
class Stretch:
    """One tape of a sweep as the workers have it, and what is different on it."""

    prepared: Prepared
    overrides: Mapping[str, Any] = field(default_factory=dict)  # Any: a value of whatever key.
