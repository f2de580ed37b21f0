"""Rows and holes on their way to a store, numbered so that each is kept exactly once, and a note of how far that is."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bmv.adapters.openbook.feed.words import Traded
from bmv.adapters.spool.spool import Spool
from bmv.data.files.writing import whole_file
from bmv.live.record.keeper import Hole, Mark, Rows
from bmv.ports.errors import StorageError
from bmv.ports.market import Market
from bmv.ports.market_data import Columns, Stamps
from bmv.ports.messages import Event, Kind
from bmv.ports.storage import Gap, Ticks, TickStore

FAR_NS = 2**62  # Later than any row.
UNCOUNTED = -1  # Of no count: what was traded since is unknown.


@dataclass(slots=True)
class Count:
    """What was written since the start."""

    rows: int = 0
    trades: int = 0
    holes: int = 0
    missing_quanta: int = 0  # As far as it is known.
    first_ns: int | None = None
    last_ns: int | None = None
    last_hole: str = ""


@dataclass(slots=True)
class Writer:
    """Writes one market through one spool.

    Args:
        spool: Takes everything.
        name: `VENUE/SYMBOL`.
        market: Its units.
        quanta_per_native: Quanta in the smallest unit of quote.
        source: Name of this recorder.
        epoch: Higher than those of earlier starts.
        note: File that says how far everything is kept; beside the spool.
        begun: Epoch of the start that began to count what was traded, where the venue does not; kept through restarts.
        chain: Genesis hash of the chain that the market is on; None: of none, or of one that nobody could name.
    """

    spool: Spool
    name: str
    market: Market
    quanta_per_native: Fraction
    source: str
    epoch: int
    note: Path
    begun: int = 0
    chain: str | None = None
    count: Count = field(default_factory=Count)
    _seq: int = 0
    _mark: Mark | None = None

    async def write(self, made: Sequence[Rows | Hole], mark: Mark | None) -> None:
        """Hand over what a keeper made; `mark` is how far it came with that."""
        rows: list[Rows] = []
        for one in made:
            if isinstance(one, Rows):
                rows.append(one)
                continue
            await self._flush(rows)
            rows.clear()
            self._write_hole(one)
        await self._flush(rows)
        self._mark = mark

    async def keep_note(self) -> None:
        """Write down how far everything is kept, once the store has it all."""
        mark = self._mark
        if mark is None:
            return
        await self.spool.flush()
        with whole_file(self.note) as half_done:
            half_done.write_text(json.dumps(_note(mark) | {"begun": self.begun, "chain": self.chain}), encoding="utf-8")

    async def _flush(self, rows: Sequence[Rows]) -> None:
        events = [event for one in rows for event in one.events]
        if not events:
            return
        slots = np.repeat([one.slot for one in rows], [len(one.events) for one in rows]).astype(np.int64)
        received = np.repeat([one.received_ns for one in rows], [len(one.events) for one in rows]).astype(np.int64)
        ticks = Ticks(self.name, self.source, self.epoch, self._seq, columns_of(events), Stamps(slots, received))
        await self.spool.record(ticks)
        self._seq += len(events)
        count = self.count
        count.rows += len(events)
        count.trades += sum(event.kind == Kind.TRADE for event in events)
        count.first_ns = count.first_ns or events[0].ts_ns
        count.last_ns = events[-1].ts_ns

    def _write_hole(self, hole: Hole) -> None:
        quanta = None if hole.quote is None else self.quanta(hole.quote)
        self.spool.note_gap(Gap(self.name, self.source, hole.from_ns, hole.to_ns, hole.why, None, quanta))
        self.count.holes += 1
        self.count.missing_quanta += quanta or 0
        self.count.last_hole = hole.why

    def quanta(self, native: int) -> int:
        """Return an amount in the smallest unit of quote in the market's quanta."""
        return int(native * self.quanta_per_native)


def columns_of(events: Sequence[Event]) -> Columns:
    """Return rows as columns."""
    table = np.array([[getattr(event, name) for name in Columns._fields] for event in events], np.int64)
    return Columns(*(np.ascontiguousarray(column) for column in table.T))


class Resumed(NamedTuple):
    """How far a market was kept by an earlier start: with what was kept after the note, and by the note alone.

    Events of the venue are numbered in the note alone, so that whoever reads them goes on from there. `chain` is the
    genesis hash of the chain that it was on, None where nobody knew it. Amounts of those whose count was `begun` by one
    start may be compared.
    """

    mark: Mark
    noted: Traded
    begun: int = 0
    chain: str | None = None


async def read_mark(note: Path, spool: Spool, name: str, quote_lot: int, quanta_per_native: Fraction) -> Resumed | None:
    """Return how far a market was kept by an earlier start; None where there is no note of it.

    Rows and gaps that came after the note was written, and were kept, are reckoned in. A store that is away can't tell
    them: then what waits for it counts, and what was traded is unknown.
    """
    try:
        written = json.loads(note.read_text(encoding="utf-8"))
        mark, begun, chain = _mark(written), int(written.get("begun", 0)), written.get("chain")
    except (OSError, ValueError, KeyError, TypeError):
        return None
    try:
        whole = await _with_what_came_after(mark, spool.store, name, quote_lot, quanta_per_native)
    except StorageError:
        newest_ns = max(mark.ts_ns, await spool.newest_ns(name) or 0)
        whole = mark._replace(ts_ns=newest_ns, traded=mark.traded._replace(lost=UNCOUNTED))
    return Resumed(whole, mark.traded, begun, chain)


async def _with_what_came_after(
    mark: Mark, store: TickStore, name: str, quote_lot: int, quanta_per_native: Fraction
) -> Mark:
    """Return a mark with the rows and gaps that a store has of later times."""
    last_ns, quote = mark.ts_ns, mark.traded.quote
    async for columns in store.read(name, mark.ts_ns + 1, FAR_NS):
        trades = columns.kind == Kind.TRADE
        quote += sum(map(int, columns.price[trades] * columns.size[trades])) * quote_lot
        last_ns = int(columns.ts_ns[-1])
    if quanta_per_native:
        gaps = await store.gaps(name, mark.ts_ns, FAR_NS)
        missed = sum(gap.quanta or 0 for gap in gaps if mark.ts_ns <= gap.from_ns and gap.to_ns <= last_ns)
        quote += int(missed / quanta_per_native)
    return mark._replace(ts_ns=last_ns, traded=mark.traded._replace(quote=quote))


def _note(mark: Mark) -> dict[str, int]:
    return {
        "ts_ns": mark.ts_ns,
        "slot": mark.slot,
        "quote": mark.traded.quote,
        "lost": mark.traded.lost,
        "events": mark.traded.events,
    }


def _mark(note: dict[str, int]) -> Mark:
    whole = {key: int(note[key]) for key in ("ts_ns", "slot", "quote", "lost", "events")}
    return Mark(whole["ts_ns"], whole["slot"], Traded((), whole["quote"], whole["lost"], whole["events"]))
