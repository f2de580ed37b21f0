"""The market as the core hears it: what a feed tells, as events of the ports."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from bmv.adapters.openbook.feed.feed import Feed
from bmv.adapters.openbook.feed.words import Cause, Down, Late, Notice, Up, Update, Word
from bmv.live.record.rows import rows_of, trade_of
from bmv.ports.messages import Event, Kind

UP, DOWN = 1, 0


class MarketEvents:
    """Trades, changes of the book, and whether the feed is up, each at the time it came in.

    Slots are told as they are processed and may be undone: then the next one tells the book as it truly is, and the
    trades that vanished have been heard. Whoever must not act on those waits for what is final.

    Args:
        feed: Follows the market.
        now_ns: The time at which a word is heard, never going back.
    """

    def __init__(self, feed: Feed, now_ns: Callable[[], int]) -> None:
        self._feed, self._now_ns = feed, now_ns
        self._told: Update | None = None  # The last of which the core has heard.
        self.heard_ns = 0  # When the market was heard of last, whether or not anything had changed.
        self.slot = 0  # Of what was heard last.
        self.down: Down | None = Down(Cause.START, "it has not been up yet")
        self.fell: dict[Cause, Down] = {}  # The last of each cause that nobody has looked at: it may be up again.
        self.unix_timestamp: tuple[int, int] | None = None  # The chain's clock, and ours when we heard it, in ns.

    async def events(self) -> AsyncIterator[Event]:
        """Yield events as they arrive, until closed."""
        inbox: asyncio.Queue[Word] = asyncio.Queue()
        following = asyncio.create_task(self._feed.run(inbox.put_nowait))
        hearing = asyncio.create_task(inbox.get())
        try:
            while True:
                await asyncio.wait({following, hearing}, return_when=asyncio.FIRST_COMPLETED)
                if not hearing.done():
                    following.result()  # It ended, and raises why.
                for event in self.heard(hearing.result()):
                    yield event
                hearing = asyncio.create_task(inbox.get())
        finally:
            for task in (following, hearing):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def heard(self, word: Word) -> list[Event]:
        """Return the events that a word is."""
        now_ns = self._now_ns()
        if isinstance(word, Update):
            before, self._told = self._told, word
            self.heard_ns, self.slot = now_ns, word.slot
            self.unix_timestamp = word.unix_timestamp, now_ns
            return rows_of(before, word, now_ns)
        if isinstance(word, Late):
            return [trade_of(one, now_ns) for one in word.prints]
        if isinstance(word, Up):
            self.down = None
            return [Event(Kind.FEED, now_ns, code=UP)]
        if isinstance(word, Down):
            self._told = None  # The book is told anew when the feed comes up.
            self.down = self.fell[word.cause] = word
            return [Event(Kind.FEED, now_ns, code=DOWN)]
        if isinstance(word, Notice) and word.cause is Cause.PROGRAM:  # It was seen when the feed came up.
            self.fell[word.cause] = Down(word.cause, word.text)
        return []
