"""A recorder: a feed, what holds its words until they are final, and what writes them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bmv.adapters.lake.ticks import LakeTicks
from bmv.adapters.openbook.feed.feed import Feed
from bmv.adapters.openbook.feed.words import Down, Notice, Up, Update, Word
from bmv.live.record.keeper import Hole, Keeper, Rows
from bmv.live.record.prices import PriceRecord
from bmv.live.record.writer import Writer
from bmv.ports.errors import StorageError

WRITE_S = 0.2
NOTE_S = 1.0
SETTLE_S = 60.0
SECOND_NS = 1_000_000_000


@dataclass(slots=True)
class Seen:
    """How the feed does, for whoever looks on."""

    up: bool = False
    why: str = "connecting"
    slot: int = 0
    delay_ns: int | None = None  # From the chain's own time to here.
    notices: list[str] = field(default_factory=list)


class Recorder:
    """Records one market until it is cancelled, and prices from elsewhere beside it.

    Args:
        feed: Tells of the market.
        keeper: Holds what it tells.
        writers: Write it, each into a store of its own.
        lake: Whose days are settled as they end; None: no writer writes into a lake.
        prices: The reference price, and what writes it; None: the configuration names no sources.
    """

    def __init__(
        self,
        feed: Feed,
        keeper: Keeper,
        writers: Sequence[Writer],
        lake: LakeTicks | None,
        prices: PriceRecord | None = None,
    ) -> None:
        self.feed, self.keeper, self.writers, self.lake, self.prices = feed, keeper, tuple(writers), lake, prices
        self.seen = Seen()
        self._made: list[Rows | Hole] = []

    async def run(self) -> None:
        """Record; what is final when this is cancelled is written before it returns."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.feed.run(self._hear))
                group.create_task(self._write_on())
                for writer in (*self.writers, *(self.prices.writers if self.prices else ())):
                    group.create_task(_note_on(writer))
                if self.lake is not None:
                    group.create_task(self._settle_on(self.lake))
                if self.prices is not None:
                    group.create_task(self.prices.run())
        finally:
            self._made += self.keeper.close()
            await self._write()

    def _hear(self, word: Word) -> None:
        self._made += self.keeper.hear(word)
        seen = self.seen
        if isinstance(word, Update):
            seen.slot = word.slot
        elif isinstance(word, Up):
            seen.up, seen.why = True, f"{word.endpoint}, {word.consensus}"
        elif isinstance(word, Down):
            seen.up, seen.why = False, word.why
        elif isinstance(word, Notice):
            seen.notices.append(word.text)

    async def _write_on(self) -> None:
        while True:
            await asyncio.sleep(WRITE_S)
            await self._write()

    async def _write(self) -> None:
        made, self._made = self._made, []
        for one in reversed(made):
            if isinstance(one, Rows) and one.events:
                self.seen.delay_ns = one.received_ns - one.events[0].ts_ns
                break
        for writer in self.writers:
            await writer.write(made, self.keeper.mark)
        if self.prices is not None:
            await self.prices.write()

    async def _settle_on(self, lake: LakeTicks) -> None:
        """Move each day of the lake into its file when the next has begun."""
        day = None
        while True:
            await asyncio.sleep(SETTLE_S)
            mark = self.keeper.mark
            today = None if mark is None else datetime.fromtimestamp(mark.ts_ns // SECOND_NS, UTC).date()
            if today != day and today is not None:
                try:
                    await lake.settle(today)
                except StorageError as error:  # An import is at work, or the disk is full: the next look tries again.
                    self.seen.notices.append(str(error))
                else:
                    day = today


async def _note_on(writer: Writer) -> None:
    """Write down how far a writer came, now and then; one whose store is away holds up no other."""
    while True:
        await asyncio.sleep(NOTE_S)
        await writer.keep_note()
