"""The book that rows of depth make up, followed far enough to say whether rows are missing from them."""

from heapq import heappop, heappush

import polars as pl

from bmv.ports.messages import Kind

BID, ASK = 1, -1


class Book:
    """Follows the best prices of a record's depth, and counts what a whole record would not have.

    Within one instant a new price may stand at or beyond the other side's best, until the rows that remove what it
    traded with have come. A level that still stands there when a later row names another was never removed: it is
    counted in `passed`, and taken out as an exchange would have done
    (`test_the_book_of_a_check_is_the_book_of_a_run`). `met` counts prints before which bid and ask were apart;
    `outside` of them lie above the ask or below the bid, `wrong_side` were bought at the bid or below, or sold at the
    ask or above.
    """

    def __init__(self) -> None:
        self.passed = self.met = self.outside = self.wrong_side = 0
        self.crossed_ns = 0  # For how long bids and asks met.
        self._prices: dict[int, set[int]] = {BID: set(), ASK: set()}  # Side -> prices (ticks) that show something.
        self._heaps: dict[int, list[int]] = {BID: [], ASK: []}  # Of -side * price; prices that are gone stay a while.
        self._in_heap: dict[int, set[int]] = {BID: set(), ASK: set()}  # The prices there, each once.
        self._met_ns: int | None = None  # Since when bids and asks meet.
        self._newer = BID  # The side whose row made them meet.

    def add(self, rows: pl.DataFrame) -> None:
        """Take in rows in the lake's form, which come after those before."""
        if not (rows["kind"] == Kind.DEPTH).any() and not any(self._prices.values()):
            return
        seen = rows.filter(pl.col("kind") != Kind.QUOTE).select("ts_ns", "kind", "side", "price", "size")
        for ts_ns, kind, side, price, size in seen.fill_null(0).iter_rows():
            if kind == Kind.DEPTH:
                self._change(ts_ns, side, price, size)
            else:
                self._print(side, price)

    def best(self, side: int) -> int:
        """Return the best price of a side in ticks, 0 where it shows nothing."""
        heap, prices = self._heaps[side], self._prices[side]
        while heap and -side * heap[0] not in prices:
            self._in_heap[side].discard(-side * heappop(heap))
        return -side * heap[0] if heap else 0

    def _change(self, ts_ns: int, side: int, price: int, size: int) -> None:
        if side == 0:
            for each in (BID, ASK):
                self._heaps[each].clear()
                self._in_heap[each].clear()
                self._prices[each].clear()
        elif size == 0:
            self._prices[side].discard(price)
        else:
            self._drop_passed(ts_ns)
            self._name(side, price)
        self._note_crossing(ts_ns, side)

    def _name(self, side: int, price: int) -> None:
        self._prices[side].add(price)
        if price not in self._in_heap[side]:
            self._in_heap[side].add(price)
            heappush(self._heaps[side], -side * price)

    def _drop_passed(self, ts_ns: int) -> None:
        if self._met_ns is None or ts_ns <= self._met_ns:
            return
        while self._meets():
            self._prices[-self._newer].discard(self.best(-self._newer))
            self.passed += 1
        self._uncross(ts_ns)

    def _note_crossing(self, ts_ns: int, side: int) -> None:
        meets = self._meets()
        if self._met_ns is None and meets:
            self._met_ns, self._newer = ts_ns, side
        elif self._met_ns is not None and not meets:
            self._uncross(ts_ns)

    def _uncross(self, ts_ns: int) -> None:
        assert self._met_ns is not None
        self.crossed_ns += ts_ns - self._met_ns
        self._met_ns = None

    def _meets(self) -> bool:
        bid, ask = self.best(BID), self.best(ASK)
        return 0 < ask <= bid

    def _print(self, side: int, price: int) -> None:
        bid, ask = self.best(BID), self.best(ASK)
        if not 0 < bid < ask:
            return
        self.met += 1
        self.outside += price > ask or price < bid
        self.wrong_side += (side > 0 and price <= bid) or (side < 0 and price >= ask)
