"""The rows that a slot of a market makes: its trades, then the levels of its book that changed, then nothing else.

All rows of a slot have one time, and each row of the book shows the best prices at the slot's end, since nothing is
known of the moments between. What goes comes before what comes, so that no row of them makes the book cross itself.
"""

from collections.abc import Iterator

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.feed.words import Levels, Print, Update
from bmv.ports.messages import Event, Kind

_TRADE, _DEPTH = int(Kind.TRADE), int(Kind.DEPTH)


def rows_of(before: Update | None, now: Update, ts_ns: int) -> list[Event]:
    """Return the rows of a slot after that of `before`; without it the whole book, emptied first."""
    rows = [trade_of(one, ts_ns) for one in now.traded.prints]
    top = (*_best(now.bids), *_best(now.asks))
    bids: Levels
    asks: Levels
    bids, asks = ((), ()) if before is None else (before.bids, before.asks)
    if before is None:
        rows.append(Event(_DEPTH, ts_ns, ts_ns))  # Of no side: the book is empty.
    changes = [*_changes(1, bids, now.bids), *_changes(-1, asks, now.asks)]
    changes.sort(key=lambda change: change[2] > 0)
    rows += [Event(_DEPTH, ts_ns, ts_ns, 0, side, price, size, *top) for side, price, size in changes]
    return rows


def trade_of(one: Print, ts_ns: int) -> Event:
    """Return the row of a trade."""
    return Event(_TRADE, ts_ns, ts_ns, 0, 1 if one.taker is Side.BID else -1, one.price, one.size)


def _best(levels: Levels) -> tuple[int, int]:
    return levels[0] if levels else (0, 0)


def _changes(side: int, before: Levels, now: Levels) -> Iterator[tuple[int, int, int]]:
    """Yield side, price and new size of each level that is another than before; size 0: it is gone."""
    if before == now:
        return
    old, new = dict(before), dict(now)
    for price in old:
        if price not in new:
            yield side, price, 0
    for price, size in now:
        if old.get(price) != size:
            yield side, price, size
