"""Runs, orders, fills, balances, breaker and operator commands in one SQLite file, as a `RunStore`.

It may be the file of the journal, in which the tables of both are. Each batch is one transaction, during which nobody
else writes. What an order may do, the file holds to as well (`runs.sql`).
"""

import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

from bmv.adapters.sqlite.file import SqliteFile
from bmv.data.journal.chain import beginning
from bmv.data.journal.runrules import (
    Kept,
    admit,
    fingerprint,
    is_next,
    orders_told,
    refuse_another_end,
    refuse_another_start,
    refuse_strangers,
    refuse_stray_fills,
    refuse_wrong,
    refuse_wrong_end,
    refuse_wrong_start,
    runs_told,
)
from bmv.ports.errors import Refused
from bmv.ports.storage import (
    Balance,
    BreakerChange,
    Changes,
    Fill,
    OperatorCommand,
    Order,
    OrderState,
    Run,
)

PAGE_ROWS = 5_000
U64, U128 = 16, 32  # Hexadecimal digits.
RUN = ", ".join(Run._fields)
ORDER = ", ".join(Order._fields)
FILL = "run, order_id, seq, venue_ns, known_ns, price, size, fee, liquidity, slot, signature"
BEGIN = """
insert into run (epoch, session, mode, market, code, config_sha256, started_ns)
values (?, ?, ?, ?, ?, ?, ?) returning id
"""
KEEP_ORDER = f"""
insert into orders ({ORDER}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (run, id) do update set
    state = excluded.state, filled = excluded.filled, reason = excluded.reason, accepted_ns = excluded.accepted_ns,
    done_ns = excluded.done_ns, client_id = excluded.client_id, venue_id = excluded.venue_id, slot = excluded.slot
"""
KEEP_FILL = f"insert into fill ({FILL}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
KEEP_BALANCE = "insert into balance (run, ts_ns, asset, raw, slot) values (?, ?, ?, ?, ?)"
KEEP_BREAKER = "insert into breaker (run, market, mode, ts_ns, tier, peak, equity, why) values (?, ?, ?, ?, ?, ?, ?, ?)"
KEEP_COMMAND = "insert into command (run, ts_ns, operator, code, argument) values (?, ?, ?, ?, ?)"


class SqliteRuns:
    """Keeps runs and what they know in the file at `path`, which the first call makes; it belongs to one event loop.

    Args:
        path: The file; beside it lie two more while it is open (`-wal`, `-shm`). Not on a network drive.
        deadline_s: Longest wait for another process that writes to the same file.
    """

    def __init__(self, path: str | Path, deadline_s: float = 5.0) -> None:
        self.file = SqliteFile(path, deadline_s)

    def __repr__(self) -> str:
        return f"<SqliteRuns {self.file!r}>"

    async def begin(
        self, session: str, mode: str, market: str, code: str, config_sha256: bytes, started_ns: int
    ) -> Run:
        """Begin a run with the next epoch of its market and mode, as the port says."""
        asked = Run(0, 0, session, mode, market, code, config_sha256, started_ns)
        refuse_wrong_start(asked)
        return await self.file.run(lambda file: _begin(file, asked))

    async def keep(self, run: Run, changes: Changes) -> None:
        """Keep `changes`, as the port says."""
        refuse_wrong(changes)
        await self.file.run(lambda file: _keep(file, run, changes))

    async def end(self, run: Run, ended_ns: int, exit_code: int) -> None:
        """Keep how `run` ended, as the port says."""
        refuse_wrong_end(run, ended_ns, exit_code)
        await self.file.run(lambda file: _end(file, run, ended_ns, exit_code))

    async def runs(self) -> Sequence[Run]:
        """Return all runs in the order of their starts."""
        return [Run(*row) for row in await self.file.fetch(f"select {RUN} from run order by id")]

    async def open_orders(self, market: str, mode: str) -> Sequence[Order]:
        """Return the orders whose end nobody knows, of whichever run."""
        query = (
            f"select {ORDER} from orders where done_ns is null and run in "
            "(select id from run where market = ? and mode = ?) order by run, id"
        )
        return _orders(await self.file.fetch(query, market, mode))

    async def orders(self, run: Run) -> AsyncIterator[Sequence[Order]]:
        """Yield the orders that `run` asked for, some thousands at a time."""
        query = f"select {ORDER} from orders where run = ? and id > ? order by id limit ?"
        last = -(2**63)
        while page := _orders(await self.file.fetch(query, run.id, last, PAGE_ROWS)):
            yield page
            last = page[-1].id

    async def fills(self, run: Run) -> AsyncIterator[Sequence[Fill]]:
        """Yield the trades of those orders, some thousands at a time."""
        query = f"select {FILL} from fill where run = ? and (order_id, seq) > (?, ?) order by order_id, seq limit ?"
        last, seq = -(2**63), 0
        while page := _fills(await self.file.fetch(query, run.id, last, seq, PAGE_ROWS)):
            yield page
            last, seq = page[-1].order, page[-1].seq

    async def balances(self, run: Run) -> Sequence[Balance]:
        """Return the last that `run` kept of each asset, by the asset's name."""
        query = (
            "select ts_ns, asset, raw, slot from balance where id in "
            "(select max(id) from balance where run = ? group by asset) order by asset"
        )
        rows = await self.file.fetch(query, run.id)
        return [Balance(ts_ns, asset, int(raw, 16), _whole(slot)) for ts_ns, asset, raw, slot in rows]

    async def breaker(self, market: str, mode: str) -> BreakerChange | None:
        """Return the last change of the breaker, of whichever run."""
        query = (
            "select ts_ns, tier, peak, equity, why from breaker where market = ? and mode = ? order by id desc limit 1"
        )
        rows = await self.file.fetch(query, market, mode)
        return BreakerChange(*rows[0]) if rows else None

    async def commands(self, run: Run) -> Sequence[OperatorCommand]:
        """Return what operators said while `run` wrote, in order."""
        query = "select ts_ns, operator, code, argument from command where run = ? order by id"
        return [OperatorCommand(*row) for row in await self.file.fetch(query, run.id)]

    async def close(self) -> None:
        """Close the file; the log beside it goes into it."""
        await self.file.close()


def _begin(file: sqlite3.Connection, asked: Run) -> Run:
    kept = file.execute(f"select {RUN} from run where session = ?", (asked.session,)).fetchone()
    if kept:
        refuse_another_start(asked, Run(*kept))
        return Run(*kept)
    run = asked._replace(epoch=(_newest(file, asked) or 0) + 1)
    insert = "insert into session (name, head) values (?, ?) on conflict do nothing"
    file.execute(insert, (run.session, beginning(run.session).hash))
    return run._replace(id=file.execute(BEGIN, run[1:8]).fetchone()[0])


def _keep(file: sqlite3.Connection, run: Run, changes: Changes) -> None:
    query = "select epoch, ended_ns is not null, batches, last_batch from run where id = ?"
    epoch, ended, batches, last = _found(file, query, run)
    if not is_next(run._replace(epoch=epoch), changes, Kept(_newest(file, run) or epoch, bool(ended), batches, last)):
        return
    _keep_orders(file, run, changes)
    file.executemany(KEEP_BALANCE, ((run.id, *_balance_row(each)) for each in changes.balances))
    file.executemany(KEEP_BREAKER, ((run.id, run.market, run.mode, *each) for each in changes.breaker))
    file.executemany(KEEP_COMMAND, ((run.id, *each) for each in changes.commands))
    update = "update run set batches = batches + 1, last_batch = ? where id = ?"
    file.execute(update, (fingerprint(changes), run.id))


def _keep_orders(file: sqlite3.Connection, run: Run, changes: Changes) -> None:
    query = "select id from run where id = ? and market = ? and mode = ?"
    told = runs_told(changes)
    refuse_strangers(run, told, [each for each in told if file.execute(query, (each, run.market, run.mode)).fetchone()])
    query = f"select {ORDER} from orders where run = ? and id = ?"
    kept = {(order.run, order.id): order for key in orders_told(changes) for order in _orders(file.execute(query, key))}
    file.executemany(KEEP_ORDER, map(_order_row, admit(kept, changes.orders)))
    if changes.fills:
        query = f"select {FILL} from fill where run = ? and order_id = ?"
        fills = [fill for key in orders_told(changes) for fill in _fills(file.execute(query, key))]
        refuse_stray_fills(changes, kept, fills)
        file.executemany(KEEP_FILL, map(_fill_row, changes.fills))


def _end(file: sqlite3.Connection, run: Run, ended_ns: int, exit_code: int) -> None:
    kept = _found(file, "select ended_ns, exit_code from run where id = ?", run)
    if kept != (None, None):
        refuse_another_end(run, kept, (ended_ns, exit_code))
        return
    file.execute("update run set ended_ns = ?, exit_code = ? where id = ?", (ended_ns, exit_code, run.id))


def _newest(file: sqlite3.Connection, run: Run) -> int | None:
    query = "select max(epoch) from run where market = ? and mode = ?"
    newest: int | None = file.execute(query, (run.market, run.mode)).fetchone()[0]
    return newest


def _found(file: sqlite3.Connection, query: str, run: Run) -> Any:  # Any: a row of the query.
    row = file.execute(query, (run.id,)).fetchone()
    if row is None:
        raise Refused(f"run {run.id} is not known here")
    return row


def _order_row(order: Order) -> tuple[object, ...]:
    return (*order[:-3], _digits(order.client_id, U64), _digits(order.venue_id, U128), _digits(order.slot, U64))


def _fill_row(fill: Fill) -> tuple[object, ...]:
    return (*fill[:-2], _digits(fill.slot, U64), fill.signature)


def _balance_row(balance: Balance) -> tuple[object, ...]:
    return (*balance[:2], _digits(balance.raw, U64), _digits(balance.slot, U64))


def _orders(rows: Iterable[Any]) -> list[Order]:  # Any: SQLite's rows.
    orders = (Order(*row[:-3], *map(_whole, row[-3:])) for row in rows)
    return [order._replace(state=OrderState(order.state)) for order in orders]


def _fills(rows: Iterable[Any]) -> list[Fill]:  # Any: SQLite's rows.
    fills = (Fill(*row) for row in rows)
    return [fill._replace(slot=_whole(fill.slot)) for fill in fills]


def _digits(value: int | None, width: int) -> str | None:
    """Return an unsigned number as a text that sorts as it does.

    >>> _digits(255, 16)
    '00000000000000ff'
    """
    return None if value is None else f"{value:0{width}x}"


def _whole(digits: Any) -> int | None:  # Any: a text of hexadecimal digits, or None.
    return None if digits is None else int(digits, 16)
