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
        writers: Write it, each into a store of its own.
        since: How far an earlier process came; None: there was none.
    """

    def __init__(self, prices: Prices, writers: Sequence[Writer], since: Mark | None) -> None:
        self.prices, self.writers = prices, tuple(writers)
        self._since, self._mark = since, since
        self._made: list[Rows | Hole] = []

    async def run(self) -> None:
        """Take in every row, until cancelled."""
        async for quote in self.prices.quotes():
            if self._mark is not None and quote.ts_ns < self._mark.ts_ns:
                continue  # Kept by an earlier process whose clock was ahead.
            if self._since is not None and quote.ts_ns > self._since.ts_ns:
                self._made.append(Hole(self._since.ts_ns, quote.ts_ns, "nobody recorded", None))
            self._since = None
            self._made.append(Rows(UNSTAMPED, quote.received_ns, [_row(quote)]))
            self._mark = Mark(quote.ts_ns, UNSTAMPED, Traded((), 0))

    async def write(self) -> None:
        """Hand over what came since the last call."""
        made, self._made = self._made, []
        for writer in self.writers:
            await writer.write(made, self._mark)


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
