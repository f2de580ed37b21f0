"""A recorder beside its feed: what it settles, and what it keeps of its notices."""

import asyncio
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from bmv.adapters.lake.ticks import LakeTicks
from bmv.adapters.openbook.feed.words import Cause, Notice, Traded
from bmv.adapters.solana.lineage import Lineage
from bmv.live.record.keeper import Keeper, Mark
from bmv.live.record.recorder import NOTICES_KEPT, Copy, Recorder

A_DAY_NS = 86_400 * 10**9


class Quiet:
    """A feed that says nothing, and a writer that writes nothing."""

    async def run(self, tell: object) -> None:
        await asyncio.Event().wait()

    async def write(self, made: object, mark: object) -> None: ...

    async def keep_note(self) -> None: ...


class Lake(LakeTicks):
    """A lake that remembers before which days it was settled."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, {}.__getitem__)
        self.settled: list[date | None] = []

    async def settle(self, before: date | None = None) -> list[Any]:
        self.settled.append(before)
        return []


def made(lakes: list[Lake]) -> Recorder:
    keeper = Keeper(Lineage(), 1, Mark(A_DAY_NS + 5, 7, Traded((), 0)))
    return Recorder(Quiet(), [Copy(keeper, Quiet())], lakes, settle_s=0.01)  # type: ignore[arg-type]


def test_every_lake_is_settled_when_a_day_is_over(tmp_path: Path) -> None:
    lakes = [Lake(tmp_path / name) for name in ("one", "other")]

    async def run() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await made(lakes).run()

    asyncio.run(run())

    assert [lake.settled for lake in lakes] == [[date(1970, 1, 2)]] * 2


def test_of_notices_without_end_the_last_are_kept_and_none_is_shown_twice() -> None:
    seen = made([])
    for number in range(10 * NOTICES_KEPT):
        seen._hear(Notice(Cause.STALE, f"notice {number}"))

    assert len(seen.seen.notices) == NOTICES_KEPT
    assert seen.seen.notices_since(10 * NOTICES_KEPT - 2) == ["notice 998", "notice 999"]
    assert seen.seen.notices_since(seen.seen.noticed) == []
