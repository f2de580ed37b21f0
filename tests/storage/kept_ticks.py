"""Small tapes whose every row is told from every other."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bmv.ports.market_data import UNSTAMPED, Columns, Stamps
from bmv.ports.messages import UNRECORDED, Kind
from bmv.ports.storage import Ticks, TickStore

NOON = 1_756_900_800 * 10**9  # 2025-09-03 12:00 UTC.
DAY_NS = 86_400 * 10**9
Row = tuple[int, ...]


def row(ts_ns: int, mark: int) -> Row:
    """Return a row of that time whose other fields follow from `mark`; trades, quotes and depth take turns."""
    kind = mark % 3 + 1
    side, price, size = (0, 0, 0) if kind == Kind.QUOTE else (mark % 2 * 2 - 1, 20_000 + mark, mark % 50 + 1)
    book = (0, 0, 0, 0) if kind == Kind.TRADE else (mark + 1, mark % 7 or UNRECORDED, mark + 5, mark % 11)
    return (ts_ns, kind, side, price, size, *book)


def columns(rows: Sequence[Row]) -> Columns:
    """Return rows as columns."""
    return Columns(*np.array(rows, np.int64).reshape(-1, 9).T.copy())


def tape(times: Sequence[int], mark: int = 0) -> Columns:
    """Return a row for each time."""
    return columns([row(ts_ns, mark + at) for at, ts_ns in enumerate(times)])


def rows(told: Columns) -> list[Row]:
    """Return columns as rows."""
    return list(map(tuple, np.stack(told).T.tolist()))


def stamps(rows: Sequence[Row]) -> Stamps:
    """Return stamps that follow from what the rows are; some have both, some one, some none."""
    slots = [each[0] // 400_000_000 if sum(each) % 2 else UNSTAMPED for each in rows]
    times = [each[0] + sum(each) % 1_000 if sum(each) % 3 else UNSTAMPED for each in rows]
    return Stamps(np.array(slots, np.int64), np.array(times, np.int64))


def ticks(times: Sequence[int], market: str = "sim/SOL", source: str = "one", epoch: int = 1, first: int = 0) -> Ticks:
    """Return rows of those times, numbered from `first` on."""
    return Ticks(market, source, epoch, first, tape(times, first))


async def read_stamped(
    store: Any, market: str = "sim/SOL"
) -> list[tuple[Row, int, int]]:  # Any: a store of either kind.
    """Return all rows with slot and time of arrival."""
    return [
        (each, int(slot), int(received_ns))
        async for batch, beside in store.read_stamped(market, 0, 2**62)
        for each, slot, received_ns in zip(rows(batch), *beside, strict=True)
    ]


def with_stamps(told: Sequence[Row]) -> list[tuple[Row, int, int]]:
    """Return rows with the stamps that follow from them."""
    return list(zip(told, *(column.tolist() for column in stamps(told)), strict=True))


async def read(store: TickStore, market: str = "sim/SOL", from_ns: int = 0, to_ns: int = 2**62) -> list[Row]:
    """Return all rows of a window, in the order in which they are told."""
    return [each async for batch in store.read(market, from_ns, to_ns) for each in rows(batch)]
