"""Runs, orders, fills, balances, breaker and operator commands in Postgres, as a :class:`~bmv.ports.storage.RunStore`.

Each batch is one transaction that first takes the row of its run. Whoever begins the next run takes that row too, so
that a batch is in before its successor begins, or is refused. What an order may do, the database holds to as well
(`migrations/0003_trading.sql`, `0004_runs.sql`).
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg

from bmv.adapters.postgres.pool import Connection, Pool
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
OURS = "BM"  # With what the codes of our triggers begin.
RUN = ", ".join(Run._fields)
ORDER = ", ".join(Order._fields)
FILL = "run, order_id, seq, venue_ns, known_ns, price, size, fee, liquidity, slot, signature"
FIRST_BEFORE = "select id, epoch from bmv.run where (market, mode) = ($1, $2) order by epoch desc limit 1 for update"
BEGIN = """
insert into bmv.run (epoch, session, mode, market, code, config_sha256, started_ns)
values ($1, $2, $3, $4, $5, $6, $7) returning id
"""
KEEP_ORDER = f"""
insert into bmv.orders ({ORDER})
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
on conflict (run, id) do update set
    state = excluded.state, filled = excluded.filled, reason = excluded.reason, accepted_ns = excluded.accepted_ns,
    done_ns = excluded.done_ns, client_id = excluded.client_id, venue_id = excluded.venue_id, slot = excluded.slot
"""
KEEP_FILL = f"insert into bmv.fill ({FILL}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
KEEP_BALANCE = "insert into bmv.balance (run, ts_ns, asset, raw, slot) values ($1, $2, $3, $4, $5)"
KEEP_BREAKER = """
insert into bmv.breaker (run, market, mode, ts_ns, tier, peak, equity, why) values ($1, $2, $3, $4, $5, $6, $7, $8)
"""
KEEP_COMMAND = "insert into bmv.command (run, ts_ns, operator, code, argument) values ($1, $2, $3, $4, $5)"
COUNT_BATCH = "update bmv.run set batches = batches + 1, last_batch = $2 where id = $1"


class PostgresRuns:
    """Keeps runs and what they know in the tables of `bmv`; a call waits for one fsync, however much it keeps.

    Args:
        dsn: The database, with the schema that `bmv db migrate` makes.
        pool_size: Most connections.
        deadline_s: Longest time of any call, trying again included; a batch of a reading counts as a call.
        attempt_s: Longest time of one attempt of it.
    """

    def __init__(self, dsn: str, pool_size: int = 2, deadline_s: float = 10.0, attempt_s: float = 3.0) -> None:
        self.pool = Pool(dsn, pool_size, deadline_s, attempt_s)

    def __repr__(self) -> str:
        return f"<PostgresRuns {self.pool!r}>"

    async def begin(
        self, session: str, mode: str, market: str, code: str, config_sha256: bytes, started_ns: int
    ) -> Run:
        """Begin a run with the next epoch of its market and mode, as the port says."""
        asked = Run(0, 0, session, mode, market, code, config_sha256, started_ns)
        refuse_wrong_start(asked)

        async def work(connection: Connection) -> Run:
            with _refusing(f"session {session}"):
                async with connection.transaction():
                    return await _begin(connection, asked)

        return await self.pool.run(work, f"begin a run in {market}")

    async def keep(self, run: Run, changes: Changes) -> None:
        """Keep `changes`, as the port says."""
        refuse_wrong(changes)

        async def work(connection: Connection) -> None:
            with _refusing(f"run {run.id}, batch {changes.number}"):
                async with connection.transaction():
                    await _keep(connection, run, changes)

        await self.pool.run(work, f"keep batch {changes.number:,} of run {run.id}")

    async def end(self, run: Run, ended_ns: int, exit_code: int) -> None:
        """Keep how `run` ended, as the port says."""
        refuse_wrong_end(run, ended_ns, exit_code)

        async def work(connection: Connection) -> None:
            with _refusing(f"run {run.id}"):
                async with connection.transaction():
                    await _end(connection, run, ended_ns, exit_code)

        await self.pool.run(work, f"end run {run.id}")

    async def runs(self) -> Sequence[Run]:
        """Return all runs in the order of their starts."""
        return [Run(*row) for row in await self.pool.fetch("list the runs", f"select {RUN} from bmv.run order by id")]

    async def open_orders(self, market: str, mode: str) -> Sequence[Order]:
        """Return the orders whose end nobody knows, of whichever run."""
        query = (
            f"select {ORDER} from bmv.orders where done_ns is null and run in "
            "(select id from bmv.run where (market, mode) = ($1, $2)) order by run, id"
        )
        return _orders(await self.pool.fetch(f"find the open orders in {market}", query, market, mode))

    async def orders(self, run: Run) -> AsyncIterator[Sequence[Order]]:
        """Yield the orders that `run` asked for, some thousands at a time."""
        query = f"select {ORDER} from bmv.orders where run = $1 and id > $2 order by id limit $3"
        last = -(2**63)
        while page := _orders(await self.pool.fetch(f"read run {run.id}", query, run.id, last, PAGE_ROWS)):
            yield page
            last = page[-1].id

    async def fills(self, run: Run) -> AsyncIterator[Sequence[Fill]]:
        """Yield the trades of those orders, some thousands at a time."""
        query = (
            f"select {FILL} from bmv.fill where run = $1 and (order_id, seq) > ($2, $3) order by order_id, seq limit $4"
        )
        last, seq = -(2**63), 0
        while page := _fills(await self.pool.fetch(f"read run {run.id}", query, run.id, last, seq, PAGE_ROWS)):
            yield page
            last, seq = page[-1].order, page[-1].seq

    async def balances(self, run: Run) -> Sequence[Balance]:
        """Return the last that `run` kept of each asset, by the asset's name."""
        query = (
            "select ts_ns, asset, raw, slot from bmv.balance where id in "
            '(select max(id) from bmv.balance where run = $1 group by asset) order by asset collate "C"'
        )
        rows = await self.pool.fetch(f"read the balances of run {run.id}", query, run.id)
        return [Balance(ts_ns, asset, int(raw), _whole(slot)) for ts_ns, asset, raw, slot in rows]

    async def breaker(self, market: str, mode: str) -> BreakerChange | None:
        """Return the last change of the breaker, of whichever run."""
        query = (
            "select ts_ns, tier, peak, equity, why from bmv.breaker "
            "where market = $1 and mode = $2 order by id desc limit 1"
        )
        rows = await self.pool.fetch(f"find the breaker of {market}", query, market, mode)
        return BreakerChange(*rows[0]) if rows else None

    async def commands(self, run: Run) -> Sequence[OperatorCommand]:
        """Return what operators said while `run` wrote, in order."""
        query = "select ts_ns, operator, code, argument from bmv.command where run = $1 order by id"
        rows = await self.pool.fetch(f"read the commands of run {run.id}", query, run.id)
        return [OperatorCommand(*row) for row in rows]

    async def close(self) -> None:
        """Close the connections."""
        await self.pool.close()


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Turn what a constraint or a trigger of the database says into one line."""
    try:
        yield
    except asyncpg.PostgresError as error:
        if isinstance(error, asyncpg.IntegrityConstraintViolationError) or error.sqlstate.startswith(OURS):
            raise Refused(f"{what}: {error.args[0]}") from None  # Its text goes on with the whole row.
        raise


async def _begin(connection: Connection, asked: Run) -> Run:
    # Those who begin take turns; the first of a market would find no row to hold.
    await connection.execute("select pg_advisory_xact_lock(hashtext('bmv.run'))")
    kept = await connection.fetchrow(f"select {RUN} from bmv.run where session = $1", asked.session)
    if kept:
        refuse_another_start(asked, Run(*kept))
        return Run(*kept)
    before = await connection.fetchrow(FIRST_BEFORE, asked.market, asked.mode)
    run = asked._replace(epoch=before["epoch"] + 1 if before else 1)
    await connection.execute(
        "insert into bmv.session (name, head) values ($1, $2) on conflict do nothing",
        run.session,
        beginning(run.session).hash,
    )
    return run._replace(id=await connection.fetchval(BEGIN, *run[1:8]))


async def _end(connection: Connection, run: Run, ended_ns: int, exit_code: int) -> None:
    query = "select ended_ns, exit_code from bmv.run where id = $1 for update"
    kept = tuple(await _found(connection, query, run))
    if kept != (None, None):
        refuse_another_end(run, kept, (ended_ns, exit_code))
        return
    update = "update bmv.run set ended_ns = $2, exit_code = $3 where id = $1"
    await connection.execute(update, run.id, ended_ns, exit_code)


async def _keep(connection: Connection, run: Run, changes: Changes) -> None:
    query = "select epoch, ended_ns is not null, batches, last_batch from bmv.run where id = $1 for update"
    epoch, ended, batches, last = await _found(connection, query, run)
    # Asked after the row is held: a successor that began while we waited is seen.
    newest = await connection.fetchval(
        "select max(epoch) from bmv.run where (market, mode) = ($1, $2)", run.market, run.mode
    )
    if not is_next(run._replace(epoch=epoch), changes, Kept(newest, ended, batches, last)):
        return
    await _keep_orders(connection, run, changes)
    await _keep_rows(connection, KEEP_BALANCE, ((run.id, *each) for each in changes.balances))
    await _keep_rows(connection, KEEP_BREAKER, ((run.id, run.market, run.mode, *each) for each in changes.breaker))
    await _keep_rows(connection, KEEP_COMMAND, ((run.id, *each) for each in changes.commands))
    await connection.execute(COUNT_BATCH, run.id, fingerprint(changes))


async def _keep_orders(connection: Connection, run: Run, changes: Changes) -> None:
    told = orders_told(changes)
    if not told:
        return
    query = "select id from bmv.run where id = any ($1) and (market, mode) = ($2, $3)"
    found = await connection.fetch(query, runs_told(changes), run.market, run.mode)
    refuse_strangers(run, runs_told(changes), [number for (number,) in found])
    runs, numbers = zip(*told, strict=True)
    named = "join unnest($1::bigint[], $2::bigint[]) as told (r, o) on"
    query = f"select {ORDER} from bmv.orders {named} run = r and id = o"
    kept = {(order.run, order.id): order for order in _orders(await connection.fetch(query, runs, numbers))}
    await _keep_rows(connection, KEEP_ORDER, admit(kept, changes.orders))
    if changes.fills:
        query = f"select {FILL} from bmv.fill {named} run = r and order_id = o"
        refuse_stray_fills(changes, kept, _fills(await connection.fetch(query, runs, numbers)))
        await _keep_rows(connection, KEEP_FILL, changes.fills)


async def _keep_rows(connection: Connection, insert: str, rows: Iterable[Sequence[object]]) -> None:
    if listed := [tuple(row) for row in rows]:
        await connection.executemany(insert, listed)


async def _found(connection: Connection, query: str, run: Run) -> Any:  # Any: a row of the query.
    row = await connection.fetchrow(query, run.id)
    if row is None:
        raise Refused(f"run {run.id} is not known here")
    return row


def _orders(rows: Iterable[Any]) -> list[Order]:  # Any: asyncpg's rows.
    orders = (Order(*row[:-3], *map(_whole, row[-3:])) for row in rows)
    return [order._replace(state=OrderState(order.state)) for order in orders]


def _fills(rows: Iterable[Any]) -> list[Fill]:  # Any: asyncpg's rows.
    fills = (Fill(*row) for row in rows)
    return [fill._replace(slot=_whole(fill.slot)) for fill in fills]


def _whole(value: Any) -> int | None:  # Any: what `numeric` is to asyncpg.
    return None if value is None else int(value)
