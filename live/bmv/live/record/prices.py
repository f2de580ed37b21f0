"""The reference price kept beside the market: rows of a market of its own, each with the time it was known."""

from collections.abc import Sequence

from bmv.adapters.openbook.feed.words import Traded
from bmv.adapters.prices.reference import Prices, ReferenceQuote
from bmv.live.record.keeper import Hole, Mark, Rows
from bmv.live.record.writer import Writer
from bmv.ports.market_data import UNSTAMPED
from bmv.ports.messages import UNRECORDED, Event, Kind


class PriceRecord:
    """Writes the reference price wherever the market is written.

    Args:
        prices: Says what it is; open.
        copies: For each store what writes it there, and how far an earlier process came; None: there was none.
    """

    def __init__(self, prices: Prices, copies: Sequence[tuple[Writer, Mark | None]]) -> None:
        self.prices = prices
        self._copies = [_Copy(writer, since) for writer, since in copies]

    @property
    def writers(self) -> list[Writer]:
        """What writes it, one for each store."""
        return [copy.writer for copy in self._copies]

    async def run(self) -> None:
        """Take in every row, until cancelled."""
        async for quote in self.prices.quotes():
            for copy in self._copies:
                copy.take(quote)

    async def write(self) -> None:
        """Hand over what came since the last call."""
        for copy in self._copies:
            await copy.write()


class _Copy:
    """The record of the reference price in one store."""

    def __init__(self, writer: Writer, since: Mark | None) -> None:
        self.writer = writer
        self._since, self._mark = since, since
        self._made: list[Rows | Hole] = []

    def take(self, quote: ReferenceQuote) -> None:
        if self._mark is not None and quote.ts_ns < self._mark.ts_ns:
            return  # Kept by an earlier process whose clock was ahead.
        if self._since is not None and quote.ts_ns > self._since.ts_ns:
            self._made.append(Hole(self._since.ts_ns, quote.ts_ns, "nobody recorded", None))
        self._since = None
        self._made.append(Rows(UNSTAMPED, quote.received_ns, [_row(quote)]))
        self._mark = Mark(quote.ts_ns, UNSTAMPED, Traded((), 0))

    async def write(self) -> None:
        made, self._made = self._made, []
        await self.writer.write(made, self._mark)


def _row(quote: ReferenceQuote) -> Event:
    bid_size, ask_size = (UNRECORDED if price else 0 for price in (quote.bid, quote.ask))
    return Event(
        Kind.QUOTE,
        quote.ts_ns,
        quote.ts_ns,
        bid=quote.bid,
        bid_size=bid_size,
        ask=quote.ask,
        ask_size=ask_size,
    )
