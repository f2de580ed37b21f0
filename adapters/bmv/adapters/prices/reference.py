"""The reference price as it happens: lines to all venues, and out of them events for the core and rows to be kept."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import NamedTuple

import httpx

from bmv.adapters.prices.board import Board
from bmv.adapters.prices.consensus import FAR_NS, Answer, Good, NoPrice, ReferencePrice, Why, combine
from bmv.adapters.prices.line import Line, LineError, lines, wait_ns
from bmv.adapters.prices.polling import ask
from bmv.adapters.prices.quote import Message, MessageError, Quote
from bmv.adapters.prices.settings import NS_PER_S, Settings
from bmv.adapters.prices.ticks import NONE, Ticks, in_ticks, unfit
from bmv.adapters.prices.websocket import listen
from bmv.ports.clock import Clock
from bmv.ports.market import Market
from bmv.ports.messages import Event, Kind

VENUE = "reference"  # As whose market the reference price is kept.
SETTLED_NS = 60 * NS_PER_S  # A line that held so long starts anew to count its failures.
ROWS_MAX = 10_000  # A reader of rows that is so far behind misses the oldest.


class ReferenceQuote(NamedTuple):
    """A row of the reference price's own market.

    Args:
        ts_ns: When the quote that changed it was made, by its venue's clock where that is said; never after
            `received_ns`, and never before the row before.
        received_ns: When we knew it.
        bid, ask: In ticks; both 0: there is no price any more.
        mid: In ticks; 0 like them.
    """

    ts_ns: int
    received_ns: int
    bid: int
    ask: int
    mid: int


@dataclass(slots=True)
class LineState:
    """How a line fares.

    Args:
        opened: How often it was opened, or asked.
        messages: Heard on it, of any kind.
        quotes: New quotes among them.
        failures: In a row, since it last held for a minute.
        error: What went wrong last; empty: nothing since it was opened.
    """

    opened: int = 0
    messages: int = 0
    quotes: int = 0
    failures: int = 0
    error: str = ""


class Prices:
    """Hears all lines while it is open (`async with`), and says what becomes of the reference price.

    Args:
        settings: In which nothing is wrong.
        clock: Tells when quotes arrive, and waits.
        client: Asks those that have to be asked; closed by whoever made it.
        dice: Spread the attempts to reconnect.
        keys: Name of a venue -> its key.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        client: httpx.AsyncClient,
        dice: Random,
        keys: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings
        self.market = Market(str(settings.rules.pair), settings.tick_size, settings.lot_size)
        self.answer = Answer(NoPrice(Why.QUORUM, "nothing heard yet"), {}, FAR_NS)
        self.missed = 0  # Rows that slow readers did not get.
        self._lines = lines(settings, keys or {})
        self.states = {line.name: LineState() for line in self._lines}
        self._clock, self._client, self._dice = clock, client, dice
        self._board = Board()
        self._last: Good | None = None
        self._row: ReferenceQuote | None = None  # The last that was published.
        self._inboxes: list[_Inbox] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.Task[None] | None = None
        self._due_ns = FAR_NS
        self._ended = False
        self._fault: BaseException | None = None

    def __repr__(self) -> str:
        price = self.answer.price
        shown = f"none, {price.why}" if isinstance(price, NoPrice) else f"{float(price.mid):g} by {len(price.sources)}"
        return f"<Prices {self.market.symbol} {shown} | {len(self._lines)} lines>"

    @property
    def price(self) -> ReferencePrice | NoPrice:
        """The price as of the last look; one that has become too old is looked at again at once."""
        return self.answer.price

    async def __aenter__(self) -> "Prices":
        for line in self._lines:
            self._spawn(self._keep(line))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def events(self) -> AsyncIterator[Event]:
        """Yield a `REFERENCE` event whenever the price is another one, in ticks; price 0: there is none any more.

        A slow reader misses what lies between, never the last.
        """
        last = 0
        async for row in self._rows(1):
            if row.mid != last:
                last = row.mid
                yield Event(Kind.REFERENCE, row.received_ns, price=row.mid)

    async def quotes(self) -> AsyncIterator[ReferenceQuote]:
        """Yield a row whenever bid or ask are others, in ticks; those that a slow reader misses are counted."""
        last = (0, 0)
        async for row in self._rows(ROWS_MAX):
            if (row.bid, row.ask) != last:
                last = (row.bid, row.ask)
                yield row

    async def _rows(self, most: int) -> AsyncIterator[ReferenceQuote]:
        inbox = _Inbox(deque(maxlen=most), asyncio.Event())
        self._inboxes.append(inbox)
        if self._row is not None:
            inbox.rows.append(self._row)
        try:
            while True:
                while inbox.rows:
                    yield inbox.rows.popleft()
                if self._fault is not None:
                    raise self._fault
                if self._ended:
                    return
                inbox.filled.clear()
                await inbox.filled.wait()
        finally:
            self._inboxes.remove(inbox)

    async def _keep(self, line: Line) -> None:
        """Open a line again whenever it breaks, or ask again whenever it is time."""
        state = self.states[line.name]
        while True:
            began_ns = self._clock.now_ns()
            state.opened += 1
            self._board.begin(line.name)
            try:
                pause_ns = await self._use(line)
                state.failures, state.error = 0, ""
            except (LineError, MessageError) as error:
                if self._clock.now_ns() - began_ns >= SETTLED_NS:
                    state.failures = 0
                state.error = str(error)
                leave_ns = error.retry_after_s * NS_PER_S if isinstance(error, LineError) else 0
                pause_ns = max(wait_ns(state.failures, self._dice), leave_ns, line.poll_ns)
                state.failures += 1
            await self._clock.sleep_until(self._clock.now_ns() + pause_ns)

    async def _use(self, line: Line) -> int:
        """Hear a line to its end, or ask it once; return how long to wait until it is asked again."""
        if line.venue.transport == "websocket":
            await listen(line, self._clock, lambda message: self._hear(line, message, 0))
        body, cached_s = await ask(line, self._client)
        self._hear(line, body, cached_s * NS_PER_S)
        return line.poll_ns

    def _hear(self, line: Line, message: str | bytes, cached_ns: int) -> Message:
        self.states[line.name].messages += 1
        try:
            content = line.venue.decode(message, line.pair, line.symbol)
        except MessageError:
            self._board.drop(line.name)
            self._recompute(None)
            raise
        if isinstance(content, Quote) and self._board.put(line.name, content, self._clock.now_ns() - cached_ns):
            self.states[line.name].quotes += 1
            self.states[line.name].error = ""
            self._recompute(content)
        return content

    def _recompute(self, cause: Quote | None) -> None:
        """Work the price out anew, and say it if it is another one and due.

        Args:
            cause: The quote that just arrived; None: time went by, or a quote was taken back.
        """
        now_ns, settings = self._clock.now_ns(), self.settings
        answer = combine(settings.rules, settings.sources, self._board.readings, now_ns, self._last)
        ticks = in_ticks(answer.price, self.market)
        if isinstance(answer.price, ReferencePrice):
            self._last = Good(answer.price.mid, now_ns)
            if ticks == NONE:
                answer = answer._replace(price=unfit(answer.price, self.market))
        self.answer = answer
        due_ns = answer.until_ns
        if ticks != self._last_ticks:
            free_ns = self._row.received_ns + settings.min_interval_ns if self._row else now_ns
            if now_ns >= free_ns or NONE in (ticks, self._last_ticks):
                self._publish(ticks, now_ns, cause)
            else:
                due_ns = min(due_ns, free_ns)
        self._arm(due_ns)

    @property
    def _last_ticks(self) -> Ticks:
        row = self._row
        return NONE if row is None else Ticks(row.mid, row.bid, row.ask)

    def _publish(self, ticks: Ticks, now_ns: int, cause: Quote | None) -> None:
        venue_ns = cause.venue_ns if cause is not None and cause.venue_ns is not None else now_ns
        earliest_ns = self._row.ts_ns if self._row is not None else 0
        ts_ns = max(min(venue_ns, now_ns), earliest_ns)
        self._row = ReferenceQuote(ts_ns, now_ns, ticks.bid, ticks.ask, ticks.mid)
        for inbox in self._inboxes:
            if len(inbox.rows) == inbox.rows.maxlen == ROWS_MAX:
                self.missed += 1
            inbox.rows.append(self._row)
            inbox.filled.set()

    def _arm(self, due_ns: int) -> None:
        """See to it that there is a look at `due_ns`. An earlier one that is planned sees to the rest itself."""
        if due_ns == FAR_NS or (self._timer is not None and self._due_ns <= due_ns):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due_ns = due_ns
        self._timer = self._spawn(self._recompute_at(due_ns))

    async def _recompute_at(self, due_ns: int) -> None:
        await self._clock.sleep_until(due_ns)
        self._timer = None
        self._recompute(None)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._fault = self._fault or fault  # A fault of ours: readers are not left waiting for a price.
            self._end()

    def _end(self) -> None:
        self._ended = True
        for inbox in self._inboxes:
            inbox.filled.set()


@dataclass(slots=True)
class _Inbox:
    """Rows that wait for one reader."""

    rows: deque[ReferenceQuote]
    filled: asyncio.Event
