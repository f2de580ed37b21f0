"""A market of version 1 followed: its book from two slabs, its trades from the ring of events.

Every event has a number, and the ring keeps the last of them, cranked or not. So what was traded between two looks is
there, unless more was pushed than the ring holds. A taker's price is its limit; the maker's fill tells the trade's.
"""

from collections.abc import Iterable, Mapping

from solders.account import Account
from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.feed import ring
from bmv.adapters.openbook.feed.decoding import Decoded
from bmv.adapters.openbook.feed.ring import Sizes
from bmv.adapters.openbook.feed.sequence import Missed, OrderSequence
from bmv.adapters.openbook.feed.words import Levels, Print, Traded, is_sane
from bmv.adapters.openbook.v1.accounts import Market, RequestQueue
from bmv.adapters.openbook.v1.events import Event, EventQueue, Fill
from bmv.adapters.openbook.v1.slab import Slab
from bmv.adapters.solana.pubsub import Logs


class MarketV1:
    """Reads what is asked of a market from its accounts.

    Args:
        address: The market's.
        market: Its account.
        since: How far its events were read by an earlier process; None: they are counted from now on.
        own: Our account on the market, whose orders are left out of the book; None: they are shown.
    """

    def __init__(self, address: Pubkey, market: Market, since: Traded | None = None, own: Pubkey | None = None) -> None:
        self.keys = [address, market.bids, market.asks, market.event_q, market.req_q]
        self.left_out = ""  # Version 1 knows no orders that are pegged.
        self._market = market
        self._account = Decoded(address, lambda data: Market.decode(data, address))
        self._requests = Decoded(market.req_q, RequestQueue.decode)
        self._bids = Decoded(market.bids, lambda data: _Side(data, Side.BID, own))
        self._asks = Decoded(market.asks, lambda data: _Side(data, Side.ASK, own))
        self._orders = OrderSequence(market.pc_lot_size)
        self._queue = Decoded(market.event_q, EventQueue.decode)
        self._read: dict[int, Traded] = {} if since is None else {0: since}  # By slot, as far as a fork may go back.
        self._events: list[Event] | None = []  # Of the slot that was read last; None: some were overwritten.
        self._books: dict[int, ring.Book] = {}  # By slot, as far as a fork may go back.
        self._before = Traded((), 0)  # What counts as traded where nothing was read yet.

    def book(self, accounts: Mapping[Pubkey, Account | None], now: int) -> tuple[Levels, Levels]:
        """Return bids and asks; version 1 knows no expiry."""
        return self._bids.of(accounts).levels, self._asks.of(accounts).levels

    def traded(self, slot: int, accounts: Mapping[Pubkey, Account | None], logs: Iterable[Logs], fresh: bool) -> Traded:
        """Return what was traded since the frame before."""
        queue = self._queue.of(accounts)
        last = self._last(queue, fresh)
        events, overwritten = queue.since(last.events)
        self._events = None if overwritten else events
        fills = [event for event in events if isinstance(event, Fill) and event.maker]
        prints = tuple(self._print(fill) for fill in fills)
        quote = last.quote + sum(fill.native_pc for fill in fills)
        traded = Traded(prints, quote, last.lost + overwritten, queue.seq_num)
        self._read[slot] = traded
        return traded

    def _last(self, queue: EventQueue, fresh: bool) -> Traded:
        """Return how far the events were read; what went back while nobody looked is lost."""
        if not self._read:
            return self._before._replace(events=queue.seq_num)
        last = self._read[max(self._read)]
        if fresh and last.events > queue.seq_num:
            return Traded((), last.quote, last.lost + 1, queue.seq_num)
        return last

    def late(self, slot: int, logs: Logs) -> tuple[Print, ...]:
        """Return nothing: trades come from the ring."""
        return ()

    def missed(
        self, slot: int, accounts: Mapping[Pubkey, Account | None], traded: Traded, fresh: bool
    ) -> Missed | None:
        """Return the slots of which something was not told."""
        bids, asks = self._bids.of(accounts), self._asks.of(accounts)
        newest = self._requests.of(accounts).next_seq_num - 1
        fees = self._account.of(accounts).referrer_rebates_accrued
        found = self._orders.missed(slot, bids.sequences, asks.sequences, newest, fees, traded, fresh)
        last, book = max(self._books, default=slot), ring.Book(bids.sizes, asks.sizes, newest)
        before, self._books[slot] = self._books.get(last), book
        if fresh or before is None or self._fits(before, book):
            return found
        return Missed(last if found is None else found.after, slot, book=True)

    def _fits(self, before: ring.Book, book: ring.Book) -> bool:
        lots = self._market.coin_lot_size, self._market.pc_lot_size
        return self._events is None or ring.fits(before, book, self._events, *lots)

    def undo(self, after: int) -> None:
        """Go back to what was read of slot `after`."""
        self._orders.undo(after)
        self._books = {slot: book for slot, book in self._books.items() if slot <= after}
        self._read = {slot: read for slot, read in self._read.items() if slot <= after} or self._oldest()

    def begin_anew(self) -> None:
        """Forget all that was read; how much was traded in what the chain took back, nobody can say."""
        self._orders, self._books = OrderSequence(self._market.pc_lot_size), {}
        last = self._read[max(self._read)] if self._read else self._before
        self._before, self._read = last._replace(prints=(), lost=last.lost + 1), {}

    def forget(self, before: int) -> None:
        """Drop what no fork can go back to, a slot before `before`, but the newest of it."""
        self._orders.forget(before)
        for by_slot in (self._read, self._books):
            for slot in sorted(slot for slot in by_slot if slot <= before)[:-1]:
                del by_slot[slot]

    def _oldest(self) -> dict[int, Traded]:
        """Return what is left where all was undone: what was read first, of no slot that can be undone again."""
        return {0: self._read[min(self._read)]} if self._read else {}

    def _print(self, fill: Fill) -> Print:
        taker = Side.ASK if fill.side is Side.BID else Side.BID
        price = fill.price_lots(self._market.coin_lot_size, self._market.pc_lot_size)
        return Print(taker, price, fill.native_coin // self._market.coin_lot_size)


class _Side:
    """A side of the book: its levels, and the numbers and sizes of its orders."""

    def __init__(self, data: bytes, side: Side, own: Pubkey | None = None) -> None:
        slab = Slab.decode(data)
        if slab.side is not side:
            raise Malformed(f"slab: is the other side of the book than its {side.name.lower()}s")
        found = slab.levels(own=() if own is None else (own,))
        levels = ((level.price_lots, level.size_lots - level.own_lots) for level in found)
        self.levels: Levels = tuple((price, size) for price, size in levels if size and is_sane(price, size))
        low = slab.leaves["key_low"]
        self.sequences = ~low if side is Side.BID else low.copy()
        self.sizes: Sizes = dict(zip(self.sequences.tolist(), slab.leaves["quantity"].tolist(), strict=True))
