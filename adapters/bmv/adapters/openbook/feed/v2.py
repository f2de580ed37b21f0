"""A market of version 2 followed: its book from two trees, its trades from logs and heap together.

A fill whose maker's account the taker passed along never touches the heap, and shows in that transaction's logs alone.
Any other lies on the heap until somebody cranks, and is logged then. So a fill is told when it is first seen on either,
and the log of one that was seen on the heap is passed over. Logs may be lost or cut short; the market's own count of
what was traded (`maker_volume`, and what still lies on the heap) says so.
"""

from base64 import b64decode
from binascii import Error as BinasciiError
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from solders.account import Account
from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import CutOff, Malformed
from bmv.adapters.openbook.feed.decoding import Decoded
from bmv.adapters.openbook.feed.pegged import join, pegged_levels
from bmv.adapters.openbook.feed.sequence import Missed, OrderSequence, Sequences
from bmv.adapters.openbook.feed.words import Levels, Print, Traded
from bmv.adapters.openbook.inspection import oracle
from bmv.adapters.openbook.v2.bookside import FIXED, ORACLE_PEGGED, BookSide
from bmv.adapters.openbook.v2.fills import Fill, fill_of_event, fill_of_log
from bmv.adapters.openbook.v2.heap import EventHeap, FillEvent
from bmv.adapters.openbook.v2.logs import FillLog, Log, read_lines
from bmv.adapters.openbook.v2.market import Market
from bmv.adapters.openbook.v2.returned import read_order_id, read_order_ids
from bmv.adapters.solana.clock import CLOCK, read_slot
from bmv.adapters.solana.pubsub import Logs
from bmv.ports.market import PRICE_TICKS_MAX, SIZE_LOTS_MAX

NEVER = 2**62  # The second at which an order expires that does not.
NO_ID_BYTES, ONE_ID_BYTES = 1, 17  # Returned by placing one order.
NUMBERS = 1 << 64
LOG_PATIENCE_S = 60  # How long after it was traded, by the chain's clock, a fill's log may still come.


class _Seen(NamedTuple):
    """The fills on the heap, and those seen there whose log has not come yet."""

    heap: Counter[Fill]
    unlogged: Counter[Fill]


class MarketV2:
    """Reads what is asked of a market from its accounts, and from what its transactions logged.

    Args:
        address: The market's.
        market: Its account.
        program: That it belongs to.
        since: What an earlier process read; None: there was none.
        own: Our account on the market, whose orders are left out of the book; None: they are shown.
    """

    def __init__(
        self,
        address: Pubkey,
        market: Market,
        program: Pubkey,
        since: Traded | None = None,
        own: Pubkey | None = None,
    ) -> None:
        self.keys = [address, market.bids, market.asks, market.event_heap, *oracle.keys(market)]
        self.left_out = ""  # Why pegged orders that can be matched are not in the book.
        self._address, self._program, self._quote_lot = address, program, market.quote_lot_size
        self._market = Decoded(address, Market.decode)
        self._bids = _Side(market.bids, Side.BID, own)
        self._asks = _Side(market.asks, Side.ASK, own)
        self._heap = Decoded(market.event_heap, self._fills)
        self._orders = OrderSequence(market.quote_lot_size)
        self._seen: dict[int, _Seen] = {}  # By slot, those that may be gone back to.
        self._placed = 0  # Number of the newest order that was logged as placed since the frame before.
        self._lost = 0 if since is None else since.lost  # How often the chain took back what was final.

    def book(self, accounts: Mapping[Pubkey, Account | None], now: int) -> tuple[Levels, Levels]:
        """Return bids and asks that can be matched at second `now` of the chain, pegged ones if their price is read."""
        fixed = self._bids.levels(accounts, now), self._asks.levels(accounts, now)
        if not (self._bids.is_pegged(accounts) or self._asks.is_pegged(accounts)):
            self.left_out = ""
            return fixed
        books = self._bids.of(accounts), self._asks.of(accounts)
        market, clock = self._market.of(accounts), accounts[CLOCK]
        self.left_out = oracle.unread(accounts, market)
        price = oracle.price_of(accounts, 0 if clock is None else read_slot(clock), market)
        if isinstance(price, str):
            return fixed  # The program has none either, unless it is of an oracle that only the program reads.
        bids, asks = (pegged_levels(book, now, price) for book in books)
        return join(fixed, (bids, asks))

    def traded(self, slot: int, accounts: Mapping[Pubkey, Account | None], logs: Iterable[Logs], fresh: bool) -> Traded:
        """Return what was traded since the last frame that was read, as far as it was told, and the market's count."""
        heap = self._heap.of(accounts)
        waiting = sum(fill.quote_lots * n for fill, n in heap.items()) * self._quote_lot
        quote = self._market.of(accounts).maker_volume + waiting
        before = self._seen[max(self._seen)] if self._seen else _Seen(heap, heap.copy())
        unlogged = before.unlogged.copy()
        logs = list(logs)
        self._placed = max((number for one in logs for number in self._numbers(one)), default=0)
        logged = [fill for one in logs for fill in self._logged(one) if not _pass_over(unlogged, fill)]
        new = heap - before.heap
        self._seen[slot] = _Seen(heap, heap.copy() if fresh else unlogged + new)
        told = sorted([*((fill, 0) for fill in logged), *((fill, 1) for fill in new.elements())], key=_order)
        return Traded(tuple(_print(fill) for fill, _ in told), quote, self._lost)

    def late(self, slot: int, logs: Logs) -> tuple[Print, ...]:
        """Return what was traded by a transaction of a slot that was told of already."""
        later = [seen for other, seen in self._seen.items() if other >= slot]
        prints = []
        for fill in self._logged(logs):
            known = [_pass_over(seen.unlogged, fill) for seen in later]
            if not any(known):
                prints.append(_print(fill))
        return tuple(prints)

    def missed(
        self, slot: int, accounts: Mapping[Pubkey, Account | None], traded: Traded, fresh: bool
    ) -> Missed | None:
        """Return the slots of which something was not told."""
        bids, asks = self._bids.sequences(accounts), self._asks.sequences(accounts)
        market = self._market.of(accounts)
        newest = max(market.seq_num, self._placed)
        found = self._orders.missed(slot, bids, asks, newest, market.fees_accrued, traded, fresh)
        if found is None and self._placed > market.seq_num and not fresh:
            return Missed(slot - 1, slot, book=True)  # Of the market's own account nothing was told, and perhaps more.
        return found

    def undo(self, after: int) -> None:
        """Go back to what was seen at the end of slot `after`."""
        self._orders.undo(after)
        self._seen = {slot: seen for slot, seen in self._seen.items() if slot <= after}

    def begin_anew(self) -> None:
        """Forget all that was seen; how much was traded in what the chain took back, nobody can say."""
        self._orders, self._seen = OrderSequence(self._quote_lot), {}
        self._lost += 1

    def forget(self, before: int) -> None:
        """Drop what no fork can go back to, a slot before `before`, but the newest of it."""
        self._orders.forget(before)
        older = sorted(slot for slot in self._seen if slot <= before)
        for slot in older[:-1]:
            del self._seen[slot]
        for seen in self._seen.values():
            self._drop_lost(seen)

    def _drop_lost(self, seen: _Seen) -> None:
        """Drop fills that were cranked and whose log never came; nobody waits for these any longer."""
        newest = max((fill.timestamp for fill in seen.unlogged), default=0)
        for fill in [fill for fill in seen.unlogged if fill.timestamp < newest - LOG_PATIENCE_S]:
            if not seen.heap[fill]:
                del seen.unlogged[fill]

    def _fills(self, data: bytes) -> Counter[Fill]:
        events = (event for _, event in EventHeap.decode(data).events())
        return Counter(fill_of_event(event) for event in events if isinstance(event, FillEvent))

    def _numbers(self, logs: Logs) -> Iterator[int]:
        """Yield the numbers of the orders that a transaction placed and that rest, as the program returned them."""
        start = f"Program return: {self._program} "
        for line in () if logs.failed else logs.lines:
            if line.startswith(start):
                with suppress(Malformed, BinasciiError):  # Another instruction's.
                    yield from map(_number, _order_ids(b64decode(line.removeprefix(start), validate=True)))

    def _logged(self, logs: Logs) -> list[Fill]:
        """Return the market's fills that a transaction logged; where its logs are cut off, those before that."""
        found: list[Log] = []
        if not logs.failed:
            with suppress(CutOff):  # The market's count will say how much that was.
                found.extend(read_lines(logs.lines, self._program))
        fills = [log for log in found if isinstance(log, FillLog) and log.market == self._address]
        return [fill_of_log(log) for log in fills]


class _Side:
    """One side of the book, summed up anew when its account changes or an order of it expires."""

    def __init__(self, key: Pubkey, side: Side, own: Pubkey | None = None) -> None:
        self._own = None if own is None else bytes(own)
        self._book = Decoded(key, lambda data: _decode_side(data, side))
        self._levels: tuple[BookSide, int, int, Levels] | None = None  # With the seconds between which they hold.
        self._orders: tuple[BookSide, Sequences] | None = None

    def of(self, accounts: Mapping[Pubkey, Account | None]) -> BookSide:
        """Return the side's account."""
        return self._book.of(accounts)

    def is_pegged(self, accounts: Mapping[Pubkey, Account | None]) -> bool:
        """Say whether any order stands in the account that follows an oracle."""
        return len(self._book.of(accounts).leaves[ORACLE_PEGGED]) > 0

    def sequences(self, accounts: Mapping[Pubkey, Account | None]) -> Sequences:
        """Return the numbers of all orders that stand in the account."""
        book = self._book.of(accounts)
        if self._orders is None or self._orders[0] is not book:
            found = np.concatenate([book.rows(tree)["sequence"] for tree in (FIXED, ORACLE_PEGGED)])
            self._orders = (book, ~found if book.side is Side.BID else found)
        return self._orders[1]

    def levels(self, accounts: Mapping[Pubkey, Account | None], now: int) -> Levels:
        """Return what of a fixed price can be matched at second `now` of the chain."""
        book = self._book.of(accounts)
        if self._levels is None or self._levels[0] is not book or not self._levels[1] <= now < self._levels[2]:
            self._levels = (book, now, *_matchable(book.rows(FIXED), now, self._own))
        return self._levels[3]


def _matchable(rows: NDArray[np.void], now: int, own: bytes | None = None) -> tuple[int, Levels]:
    """Return the second at which the next order expires, and the levels of those that have not, ours left out."""
    lives = rows["time_in_force"].astype(np.int64)
    ends = np.where(lives == 0, NEVER, rows["timestamp"].astype(np.int64) + lives)
    alive = (ends > now) & (rows["price_data"] <= PRICE_TICKS_MAX) & (rows["quantity"] <= SIZE_LOTS_MAX)
    if own is not None:
        alive &= np.array([owner != own for owner in rows["owner"].tolist()], np.bool_)
    prices, sizes = rows["price_data"][alive], rows["quantity"][alive]
    if not prices.size:
        return NEVER, ()
    begins = np.flatnonzero(np.concatenate(([True], prices[1:] != prices[:-1])))
    levels = zip(prices[begins].tolist(), np.add.reduceat(sizes, begins).tolist(), strict=True)
    return int(ends[alive].min()), tuple(levels)


def _order_ids(returned: bytes) -> list[int]:
    """Return the ids in what placing one order or several returned."""
    read = read_order_ids if len(returned) not in (ONE_ID_BYTES, NO_ID_BYTES) else lambda data: (read_order_id(data),)
    return [order_id for order_id in read(returned) if order_id is not None]


def _number(order_id: int) -> int:
    """Return the number of an order, which the ids of bids have upside down."""
    low = order_id & NUMBERS - 1
    return min(low, low ^ NUMBERS - 1)


def _decode_side(data: bytes, side: Side) -> BookSide:
    book = BookSide.decode(data)
    if book.side is not side:
        raise Malformed(f"is the other side of the book than its {side.name.lower()}s")
    return book


def _print(fill: Fill) -> Print:
    return Print(fill.taker_side, fill.price, fill.quantity)


def _pass_over(unlogged: Counter[Fill], fill: Fill) -> bool:
    """Whether a fill was told already, when it was seen on the heap; each is passed over once."""
    known = unlogged[fill] > 0
    unlogged.subtract([fill] if known else [])
    return known


def _order(told: tuple[Fill, int]) -> tuple[int, int]:
    """Sort as they were matched: one that is put on the heap takes the number that those before it were told under."""
    fill, on_heap = told
    return fill.seq_num, on_heap
