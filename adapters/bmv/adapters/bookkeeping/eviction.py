"""Rows that nothing will change any more, taken out of the record: a run may be longer than its tables."""

from typing import Any, NamedTuple

import numpy as np
from numpy import float64, int64
from numpy.typing import NDArray

from bmv.adapters.bookkeeping.ledger import (
    FILL_ROWS,
    O_DONE,
    ORDER_ROWS,
    Record,
)
from bmv.core.record import Table
from bmv.data.runs.columns import DONE_END


class Drained(NamedTuple):
    """Rows that nothing will change any more, copied out of the record."""

    orders: Table
    order_pivots: NDArray[float64]
    fills: Table
    equity: Table
    equity_pivots: NDArray[float64]
    equity_volumes: NDArray[float64]


def drain(record: Record) -> Drained:
    """Take out of the record the orders that have ended, the fills of which all is known, the equity rows.

    Orders leave in the order of their ids as far as an open one does not stand before them; when those behind it fill
    half the table, the open ones step aside and the rest leaves. When fills wait for their horizons in such numbers
    that their table is half full, the older half goes as it is: mids that have not come yet stay unknown, and
    `blind_fills` counts them.
    """
    fills = min(int(record.markout[-1]), int(record.n_settled))
    if record.n_fills - fills > FILL_ROWS // 2:
        record.blind_fills += record.n_fills // 2 - fills
        fills = record.n_fills // 2
    gone = _ended(record)
    rows = Drained(
        record.orders_rows[gone].copy(),
        record.order_pivots[gone].copy(),
        record.fills_rows[:fills].copy(),
        record.equity_rows[: record.n_equity].copy(),
        record.equity_pivots[: record.n_equity].copy(),
        record.equity_volumes[: record.n_equity].copy(),
    )
    _keep_orders(record, gone)
    _drop(record.fills_rows, fills, record.n_fills)
    record.n_fills -= fills
    record.n_settled = max(record.n_settled - fills, 0)
    record.markout[:] = np.maximum(record.markout - fills, 0)
    record.n_equity = 0
    return rows


def drain_all(record: Record) -> Drained:
    """Take out everything: the tape is over, and what has not come will not come."""
    record.markout[:] = record.n_fills
    record.n_settled = record.n_fills
    rows = drain(record)
    left = np.r_[: record.n_orders, ORDER_ROWS : ORDER_ROWS + record.n_survivors]
    orders = np.concatenate([rows.orders, record.orders_rows[left]])
    return rows._replace(orders=orders, order_pivots=np.concatenate([rows.order_pivots, record.order_pivots[left]]))


def _ended(record: Record) -> NDArray[int64]:
    """Return the rows of the orders that can leave."""
    ended = record.orders_rows[: record.n_orders, O_DONE] != DONE_END
    first_open = record.n_orders if ended.all() else int(np.argmin(ended))
    crowded = record.n_orders - first_open > ORDER_ROWS // 2
    leaving = np.flatnonzero(ended) if crowded else np.arange(first_open)
    survivors = record.orders_rows[ORDER_ROWS : ORDER_ROWS + record.n_survivors, O_DONE]
    return np.concatenate([ORDER_ROWS + np.flatnonzero(survivors != DONE_END), leaving])


def _keep_orders(record: Record, gone: NDArray[int64]) -> None:
    """Close the gaps that `gone` leaves; ids must follow the rows, so orders between them become survivors."""
    orders, pivots = record.orders_rows, record.order_pivots
    leaving = gone[gone < ORDER_ROWS]
    last = int(leaving[-1]) + 1 if len(leaving) else 0
    stays = np.zeros(len(orders), np.bool_)
    stays[:last] = True
    stays[ORDER_ROWS : ORDER_ROWS + record.n_survivors] = True
    stays[gone] = False
    stay = np.concatenate([ORDER_ROWS + np.flatnonzero(stays[ORDER_ROWS:]), np.flatnonzero(stays[:last])])
    orders[ORDER_ROWS : ORDER_ROWS + len(stay)] = orders[stay].copy()
    pivots[ORDER_ROWS : ORDER_ROWS + len(stay)] = pivots[stay].copy()
    _drop(orders, last, record.n_orders)
    _drop(pivots, last, record.n_orders)
    record.n_survivors = len(stay)
    record.n_orders -= last
    record.first_order += last


def _drop(table: NDArray[Any], rows: int, used: int) -> None:
    table[: used - rows] = table[rows:used].copy()
