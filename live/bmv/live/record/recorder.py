"""A recorder: a feed, and for each store what holds its words until they are final, and what writes them."""

import asyncio
from collections import deque
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
NOTICES_KEPT = 100
SECOND_NS = 1_000_000_000


@dataclass(slots=True)
class Seen:
    """How the feed does, for whoever looks on."""

    up: bool = False
    why: str = "connecting"
    slot: int = 0
    delay_ns: int | None = None  # From the chain's own time to here.
    notices: deque[str] = field(default_factory=lambda: deque(maxlen=NOTICES_KEPT))
    noticed: int = 0  # How many there ever were; the last of them are kept.

    def notice(self, text: str) -> None:
        """Keep what an operator should know."""
        self.notices.append(text)
        self.noticed += 1

    def notices_since(self, noticed: int) -> list[str]:
        """Return those after the first `noticed`, as far as they are kept."""
        new = min(self.noticed - noticed, len(self.notices))
        return list(self.notices)[len(self.notices) - new :]


@dataclass(slots=True)
class Copy:
    """The record of a market in one store, which goes on from where that store has it.

    Args:
        keeper: Holds what a feed tells.
        writer: Writes it.
    """

    keeper: Keeper
    writer: Writer
    _made: list[Rows | Hole] = field(default_factory=list)

    def hear(self, word: Word) -> None:
        """Take in what the feed says."""
        self._made += self.keeper.hear(word)

    def close(self) -> None:
        """Take in what is final by now."""
        self._made += self.keeper.close()

    async def write(self) -> int | None:
        """Hand over what can be kept by now; return how long after its own time the newest of it came in, ns."""
        made, self._made = self._made, []
        await self.writer.write(made, self.keeper.mark)
        newest = next((one for one in reversed(made) if isinstance(one, Rows) and one.events), None)
        return None if newest is None else newest.received_ns - newest.events[0].ts_ns


class Recorder:
    """Records one market until it is cancelled, and prices from elsewhere beside it.

    Args:
        feed: Tells of the market.
        copies: What is made of it, one for each store.
        lakes: Those whose days are settled as they end.
        prices: The reference price, and what writes it; None: the configuration names no sources.
        settle_s: How often it looks whether a day is over.
    """

    def __init__(
        self,
        feed: Feed,
        copies: Sequence[Copy],
        lakes: Sequence[LakeTicks] = (),
        prices: PriceRecord | None = None,
        settle_s: float = SETTLE_S,
    ) -> None:
        self.feed, self.copies, self.lakes, self.prices = feed, tuple(copies), tuple(lakes), prices
        self.seen = Seen()
        self._settle_s = settle_s

    @property
    def writers(self) -> list[Writer]:
        """All that write, prices too."""
        return [copy.writer for copy in self.copies] + list(self.prices.writers if self.prices else ())

    @property
    def kept_slot(self) -> int:
        """The newest slot that was kept since the start of all copies, at the least; 0: none was."""
        return min((copy.keeper.kept_slot for copy in self.copies), default=0)

    async def run(self) -> None:
        """Record; what is final when this is cancelled is written before it returns."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.feed.run(self._hear))
                group.create_task(self._write_on())
                for writer in self.writers:
                    group.create_task(_note_on(writer))
                for lake in self.lakes:
                    group.create_task(self._settle_on(lake))
                if self.prices is not None:
                    group.create_task(self.prices.run())
        finally:
            for copy in self.copies:
                copy.close()
            await self._write()

    def _hear(self, word: Word) -> None:
        for copy in self.copies:
            copy.hear(word)
        seen = self.seen
        if isinstance(word, Update):
            seen.slot = word.slot
        elif isinstance(word, Up):
            seen.up, seen.why = True, f"{word.endpoint}, {word.consensus}"
        elif isinstance(word, Down):
            seen.up, seen.why = False, word.why
        elif isinstance(word, Notice):
            seen.notice(word.text)

    async def _write_on(self) -> None:
        while True:
            await asyncio.sleep(WRITE_S)
            await self._write()

    async def _write(self) -> None:
        for copy in self.copies:
            delay_ns = await copy.write()
            self.seen.delay_ns = self.seen.delay_ns if delay_ns is None else delay_ns
        if self.prices is not None:
            await self.prices.write()

    async def _settle_on(self, lake: LakeTicks) -> None:
        """Move each day of the lake into its file when the next has begun."""
        day = None
        while True:
            await asyncio.sleep(self._settle_s)
            newest_ns = max((mark.ts_ns for copy in self.copies if (mark := copy.keeper.mark)), default=None)
            today = None if newest_ns is None else datetime.fromtimestamp(newest_ns // SECOND_NS, UTC).date()
            if today != day and today is not None:
                try:
                    await lake.settle(today)
                except StorageError as error:  # An import is at work, or the disk is full: the next look tries again.
                    self.seen.notice(str(error))
                else:
                    day = today


async def _note_on(writer: Writer) -> None:
    """Write down how far a writer came, now and then; one whose store is away holds up no other."""
    while True:
        await asyncio.sleep(NOTE_S)
        await writer.keep_note()
