"""How far a market was kept, after a start that was killed between a store and its note."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from bmv.adapters.openbook.feed.words import Traded
from bmv.adapters.spool import segment
from bmv.adapters.spool.spool import Spool
from bmv.live.record import wiring
from bmv.live.record.keeper import Mark
from bmv.live.record.writer import UNCOUNTED, Resumed, read_mark
from bmv.ports.errors import StorageError
from bmv.ports.market_data import Columns
from bmv.ports.messages import Kind
from bmv.ports.storage import Gap, Ticks

QUOTE_LOT = 10


class Store:
    """One trade of 30 quanta and a gap of 7, both kept after the note."""

    async def append(self, ticks: Ticks) -> None: ...

    async def note_gap(self, gap: Gap) -> None: ...

    async def read(self, market: str, from_ns: int, to_ns: int) -> AsyncIterator[Columns]:
        row = (2_000, Kind.TRADE, 2_000, 0, 1, 10, 3, *(0,) * (len(Columns._fields) - 7))
        named = dict.fromkeys(Columns._fields, 0) | {
            "ts_ns": row[0], "kind": row[1], "side": row[4], "price": row[5], "size": row[6],
        }  # fmt: skip
        yield Columns(*(np.array([named[name]], np.int64) for name in Columns._fields))

    async def gaps(self, market: str, from_ns: int, to_ns: int) -> Sequence[Gap]:
        return [Gap(market, "bmv record", 1_000, 1_500, "trades were not told", None, 7)]


class Away(Store):
    """Nobody is there."""

    async def append(self, ticks: Ticks) -> None:
        raise StorageError("nobody is there")

    async def gaps(self, market: str, from_ns: int, to_ns: int) -> Sequence[Gap]:
        raise StorageError("nobody is there")


async def resumed(note: Path, store: Store) -> Resumed | None:
    async with Spool(store, note.parent / "spool") as spool:
        return await read_mark(note, spool, "v/M", QUOTE_LOT, Fraction(1, QUOTE_LOT))


def test_what_was_kept_after_the_note_counts_once_and_events_go_on_from_the_note(tmp_path: Path) -> None:
    note = tmp_path / "kept.json"
    note.write_text(json.dumps({"ts_ns": 1_000, "slot": 5, "quote": 5_000, "lost": 0, "events": 77}))

    found = asyncio.run(resumed(note, Store()))

    assert found is not None
    assert (found.mark.ts_ns, found.mark.traded.quote) == (2_000, 5_000 + 300 + 70)
    assert (found.noted.quote, found.noted.events) == (5_000, 77)


def test_a_store_that_is_away_keeps_nobody_from_going_on_after_what_waits_for_it(tmp_path: Path) -> None:
    note = tmp_path / "kept.json"
    note.write_text(json.dumps({"ts_ns": 1_000, "slot": 5, "quote": 5_000, "lost": 0, "events": 77}))
    columns = Columns(*(np.array([3_000 if name == "ts_ns" else 1], np.int64) for name in Columns._fields))
    (tmp_path / "spool").mkdir()
    segment.write(tmp_path / "spool", 0, [Ticks("v/M", "bmv record", 1, 0, columns)])

    found = asyncio.run(resumed(note, Away()))

    assert found is not None
    assert found.mark.ts_ns == 3_000
    assert found.mark.traded.lost == UNCOUNTED
    assert found.noted.events == 77


@pytest.mark.parametrize(("events", "lost"), [(77, UNCOUNTED), (0, 0)])
def test_amounts_of_another_count_are_unknown_where_the_venue_counts_none(events: int, lost: int) -> None:
    ahead = Resumed(Mark(9_000, 9, Traded((), 100, 0, events)), Traded((), 100, 0, events), begun=2)
    behind = Resumed(Mark(1_000, 5, Traded((), 5_000, 0, events)), Traded((), 5_000, 0, events), begun=1)

    assert wiring._farthest_behind([ahead, None, behind]) is behind
    assert wiring._mark(behind, behind) == behind.mark
    mark = wiring._mark(ahead, behind)
    assert mark is not None
    assert (mark.ts_ns, mark.traded.lost) == (9_000, lost)
