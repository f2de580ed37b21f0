"""What happens on the sandbox's market: where its price goes and who takes, made up by a seed or along a tape.

Rows come ordered by time, in ns since the market began. Prices are in ticks, sizes in lots.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import count
from random import Random
from typing import NamedTuple, TypeAlias

from bmv.adapters.openbook.book import Lots, Side
from bmv.adapters.sandbox.market import BASE_DECIMALS, QUOTE_DECIMALS
from bmv.ports.errors import DataError
from bmv.ports.market_data import Column, Columns
from bmv.ports.messages import Kind

STEP_NS = 100_000_000  # Between two rows of a made-up market.
TAKES_PER_STEP = 0.08
SIZE_LOTS_MEAN = 800
WANDER_TICKS = 1.5  # Standard deviation of a step of the price,
PULL = 0.0005  # and how much of its distance from the first price it takes back.


class Move(NamedTuple):
    """The price at which makers should see the market, doubled: bid + ask, in ticks."""

    ts_ns: int
    mid2: int


class Take(NamedTuple):
    """Somebody takes: at most this many lots, at most at this price; a price of 0 is the market's."""

    ts_ns: int
    side: Side
    price: int
    size: int


Row: TypeAlias = Move | Take
Script: TypeAlias = Iterator[Row]


def made_up(seed: int, start: int) -> Script:
    """Yield a market that wanders about its first price, endlessly, the same for the same seed.

    Args:
        seed: Of the dice.
        start: First price, ticks.
    """
    dice = Random(f"flow {seed}")
    price = float(start)
    for ts_ns in count(0, STEP_NS):
        price += dice.gauss(0.0, WANDER_TICKS) - PULL * (price - start)
        price = max(price, start / 10)
        yield Move(ts_ns, round(2 * price))
        if dice.random() < TAKES_PER_STEP:
            size = 1 + int(dice.expovariate(1 / SIZE_LOTS_MEAN))
            yield Take(ts_ns, Side.BID if dice.random() < 0.5 else Side.ASK, 0, size)


def lots_of(tick: Decimal, lot: Decimal) -> tuple[Lots, int]:
    """Return the units of a market with a tape's tick, and how many of the tape's lots make one of its.

    A lot has to be a whole number of native base, and a tick of it one of native quote; a tape's lot that is too small
    is taken ten times, a hundred times and so on.
    """
    for places in range(BASE_DECIMALS + QUOTE_DECIMALS):
        base = lot * 10**places * 10**BASE_DECIMALS
        quote = tick * lot * 10**places * 10**QUOTE_DECIMALS
        if base % 1 == 0 and quote % 1 == 0:
            return Lots(int(base), int(quote), BASE_DECIMALS, QUOTE_DECIMALS), 10**places
    raise DataError(f"a tick of {tick:f} and a lot of {lot:f} fit no market of {QUOTE_DECIMALS} decimals of quote")


def along(batches: Iterable[Columns], each: int) -> Iterator[Row]:
    """Yield the rows of a tape: its quotes move the makers, its trades are taken at their price.

    Args:
        batches: Of the tape.
        each: How many lots of the tape make one of the market's; sizes are rounded up.
    """
    first = None
    for columns in batches:
        for ts_ns, kind, side, price, size, bid, ask in zip(
            *(column.tolist() for column in _used(columns)), strict=True
        ):
            first = ts_ns if first is None else first
            if kind == Kind.QUOTE and 0 < bid < ask:
                yield Move(ts_ns - first, bid + ask)
            elif kind == Kind.TRADE:
                taker = Side.ASK if side < 0 else Side.BID
                yield Move(ts_ns - first, 2 * price)
                yield Take(ts_ns - first, taker, price, max(-(-size // each), 1))


def _used(columns: Columns) -> tuple[Column, ...]:
    return columns.ts_ns, columns.kind, columns.side, columns.price, columns.size, columns.bid, columns.ask


def repeated(rows: Callable[[], Iterable[Row]]) -> Script:
    """Yield the rows of a tape again and again, each time after the last."""
    begun = 0
    while True:
        last = None
        for row in rows():
            last = begun + row.ts_ns
            yield row._replace(ts_ns=last)
        if last is None:
            return
        begun = last + STEP_NS
