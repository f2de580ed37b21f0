"""Ticks in Postgres, as a :class:`~bmv.ports.storage.TickStore`: kept exactly once, read back in bounded batches."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import NamedTuple

import asyncpg
import numpy as np
from numpy import int64

from bmv.adapters.postgres.copy_format import Form, Rows, chunks
from bmv.adapters.postgres.pool import Connection, Pool
from bmv.data.ticks.lake.lake import DAY_NS
from bmv.data.ticks.lake.numbering import END_NS, refuse_wrong, refuse_wrong_gap
from bmv.ports.market_data import UNSTAMPED, Column, Columns, Stamps
from bmv.ports.storage import Gap, Ticks

SPAN_NS, SPAN_MAX_NS = 60 * 10**9, 3_600 * 10**9  # How far a batch of a reading looks at first, and at most.
COPY_ROWS = 10_000  # A COPY of more notices late that its server has gone.

LENGTHS = dict(zip(Columns._fields, (8, 2, 2, 8, 8, 8, 8, 8, 8), strict=True))
STAGED = Form({"seq": 8, **LENGTHS})
STORED = Form({"stream": 4, "batch": 8, "seq": 8, **LENGTHS})
STAMPS = dict.fromkeys(Stamps._fields, 8)
STAMPED = Form({**STORED.fields, **STAMPS})
TYPES = {2: "smallint", 4: "integer", 8: "bigint"}

# A table of the connection's own, in no log and on no disk, empty again after every transaction.
STAGE = "create temporary table stage ({}) on commit delete rows".format(
    ", ".join(
        f"{name} {TYPES[length]}{'' if name in STAMPS else ' not null'}"
        for name, length in {**STAGED.fields, **STAMPS}.items()
    )
)
# Whoever claims numbers of a stream holds it until the end of the transaction; so nobody claims the same at once.
CLAIM = """
update bmv.stream set next_seq = greatest(stream.next_seq, $3)
from (select next_seq from bmv.stream where id = $1 for update) as before
where id = $1 returning before.next_seq <= $2 as fresh, nextval('bmv.batch') as batch
"""
KEEP = """
insert into bmv.tick
    (stream, batch, seq, ts_ns, kind, side, price, size, bid, bid_size, ask, ask_size, slot, received_ns)
select $1, $2, seq, ts_ns, kind, side, price, size, bid, bid_size, ask, ask_size, slot, received_ns from stage
on conflict do nothing
"""
NOTE_GAP = """
insert into bmv.gap (market, source, from_ns, to_ns, why, rows, quanta) values ($1, $2, $3, $4, $5, $6, $7)
on conflict (market, source, from_ns, to_ns, why) do update
set rows = coalesce(gap.rows, excluded.rows), quanta = coalesce(gap.quanta, excluded.quanta)
"""
STREAM = """
with made as (
    insert into bmv.stream (market, source, epoch) values ($1, $2, $3) on conflict do nothing returning id
)
select id from made union all select id from bmv.stream where (market, source, epoch) = ($1, $2, $3)
"""


class Key(NamedTuple):
    """Where a row stands among all rows of its market."""

    ts_ns: int
    batch: int
    seq: int


BEFORE_ALL = Key(-1, -1, -1)


class PostgresTicks:
    """Keeps ticks in the table `bmv.tick`, a partition a UTC day.

    Rows whose numbers are all higher than those kept so far go straight in by COPY. Others, such as a batch that is
    sent again after a lost reply, go by COPY into a table of the connection's own, and from there in unless their
    number is there already. Either happens in one transaction that first claims the numbers.

    Args:
        dsn: The database, with the schema that `bmv db migrate` makes.
        pool_size: Most connections; a recorder needs one, each reader one while it waits for a batch.
        deadline_s: Longest time of any call, trying again included; a batch of a reading counts as a call.
        attempt_s: Longest time of one attempt of it.
        days_ahead: UTC days after the last row for which partitions are made before there is a row for them.
        read_rows: Most rows of a batch that is read.
    """

    def __init__(
        self,
        dsn: str,
        pool_size: int = 4,
        deadline_s: float = 15.0,
        attempt_s: float = 5.0,
        days_ahead: int = 2,
        read_rows: int = 65_536,
    ) -> None:
        self.pool = Pool(dsn, pool_size, deadline_s, attempt_s, prepare=_prepare)
        self.days_ahead = days_ahead
        self.read_rows = read_rows
        self._days: set[int] = set()  # Those known to have a partition.
        self._streams: dict[tuple[str, str, int], int] = {}

    def __repr__(self) -> str:
        return f"<PostgresTicks {self.pool!r}>"

    async def append(self, ticks: Ticks) -> None:
        """Keep `ticks`, durably when it returns; what was kept before, by number, is not kept twice.

        `DataError` for rows that no tape may have; `StorageError` as the port says.
        """
        refuse_wrong(ticks)
        if not len(ticks.columns.ts_ns):
            return

        async def work(connection: Connection) -> None:
            await self._make_days(connection, ticks.columns.ts_ns)
            stream = await self._stream(connection, ticks)
            try:
                await _keep(connection, stream, ticks)
            except (asyncpg.CheckViolationError, asyncpg.ForeignKeyViolationError):
                self._days.clear()  # Somebody dropped a partition that we knew.
                self._streams.clear()
                raise asyncpg.InterfaceError("a partition or stream that was there is gone") from None

        await self.pool.run(work, f"keep {len(ticks.columns.ts_ns):,} ticks of {ticks.market}")

    async def note_gap(self, gap: Gap) -> None:
        """Keep that something is missing; the same gap twice is one, and of its size what is known first stays."""
        refuse_wrong_gap(gap)
        await self.pool.run(lambda c: c.execute(NOTE_GAP, *gap), f"note a gap of {gap.market}")

    async def read(self, market: str, from_ns: int, to_ns: int, source: str | None = None) -> AsyncIterator[Columns]:
        """Yield the rows of `[from_ns, to_ns)`, in order of time, then of their arrival, `read_rows` at most at a time.

        Args:
            source: The recorder whose rows are wanted; None: all of them.

        Each batch is asked for by itself: a slow reader holds nothing in the database, and a lost connection loses no
        row. Rows that are kept while a reading goes on are told where they come after what was told already.
        """
        async for rows in self._pages(STORED, market, from_ns, to_ns, source):
            yield _columns(rows)

    async def read_stamped(
        self, market: str, from_ns: int, to_ns: int, source: str | None = None
    ) -> AsyncIterator[tuple[Columns, Stamps]]:
        """Do as `read` does, each batch with the stamps of its rows."""
        async for rows in self._pages(STAMPED, market, from_ns, to_ns, source):
            yield _columns(rows), Stamps(*(rows[name].astype(int64) for name in Stamps._fields))

    async def _pages(
        self, form: Form, market: str, from_ns: int, to_ns: int, source: str | None
    ) -> AsyncIterator[Rows]:
        streams, days = await self.pool.run(lambda c: where(c, market, source), f"find {market}")
        span_ns = SPAN_NS
        for day in days:
            start_ns, stop_ns = max(day * DAY_NS, from_ns), min((day + 1) * DAY_NS, to_ns)
            after = BEFORE_ALL
            while start_ns < stop_ns:
                end_ns = min(start_ns + span_ns, stop_ns)
                query = _page(form, streams, start_ns, end_ns, after, self.read_rows)
                rows = await self.pool.run(partial(_copied, form=form, query=query), f"read {market}")
                full = len(rows) == self.read_rows
                # A span is right when its rows fill most of a batch: what does not fit is looked through again.
                span_ns = max(span_ns // 2, 1) if full else min(2 * span_ns, SPAN_MAX_NS)
                after = Key(*(int(rows[name][-1]) for name in Key._fields)) if full else BEFORE_ALL
                start_ns = after.ts_ns if full else end_ns
                if len(rows):
                    yield rows

    async def gaps(self, market: str, from_ns: int, to_ns: int) -> Sequence[Gap]:
        """Return the holes that touch `[from_ns, to_ns)`, oldest first."""
        query = (
            "select market, source, from_ns, to_ns, why, rows, quanta from bmv.gap "
            "where market = $1 and from_ns < $3 and to_ns > $2 order by from_ns, to_ns, source, why"
        )
        rows = await self.pool.fetch(f"read the gaps of {market}", query, market, from_ns, to_ns)
        return [Gap(*row) for row in rows]

    async def close(self) -> None:
        """Close the connections."""
        await self.pool.close()

    async def _make_days(self, connection: Connection, ts_ns: Column) -> None:
        """Make the partitions of the rows and of some days ahead, apart from the rows, so that no lock is held long."""
        first, last = int(ts_ns[0]) // DAY_NS, int(ts_ns[-1]) // DAY_NS
        if self._days.issuperset(range(first, last + 1)):
            return
        days = range(first, min(last + self.days_ahead, END_NS // DAY_NS) + 1)
        await connection.execute("select bmv.make_days($1, $2)", first, len(days))
        self._days.update(days)

    async def _stream(self, connection: Connection, ticks: Ticks) -> int:
        key = (ticks.market, ticks.source, ticks.epoch)
        while (known := self._streams.get(key)) is None:
            # Nothing comes back when somebody else made it at this moment; then it is there to be found.
            found = await connection.fetchval(STREAM, *key)
            if found is not None:
                self._streams[key] = int(found)
        return known


async def where(connection: Connection, market: str, source: str | None) -> tuple[list[int], list[int]]:
    """Return the streams of `market`, or of one recorder of it, and the days that have rows of them, oldest first."""
    query = "select id from bmv.stream where market = $1 and source = coalesce($2, source)"
    rows = await connection.fetch(query, market, source)
    streams = [row[0] for row in rows]
    query = """
        select day from bmv.tick_day where exists (
            select from bmv.tick
            where stream = any ($1) and ts_ns >= day * $2::bigint and ts_ns < (day + 1) * $2::bigint
        ) order by day
    """
    days = await connection.fetch(query, streams, DAY_NS) if streams else []
    return streams, [row[0] for row in days]


async def _prepare(connection: Connection) -> None:
    await connection.execute(STAGE)


async def _keep(connection: Connection, stream: int, ticks: Ticks) -> None:
    rows, stamps = len(ticks.columns.ts_ns), _known(ticks.stamps)
    stored, staged = (Form({**form.fields, **dict.fromkeys(stamps, 8)}) for form in (STORED, STAGED))
    async with connection.transaction():
        claim = await connection.fetchrow(CLAIM, stream, ticks.first_seq, ticks.first_seq + rows)
        if claim is None:
            raise asyncpg.ForeignKeyViolationError("there is no such stream")
        for start in range(0, rows, COPY_ROWS):
            stop = min(start + COPY_ROWS, rows)
            part = {name: column[start:stop] for name, column in {**ticks.columns._asdict(), **stamps}.items()}
            part["seq"] = np.arange(ticks.first_seq + start, ticks.first_seq + stop)
            if claim["fresh"]:
                written = stored.written({"stream": stream, "batch": claim["batch"], **part})
                await _copy(connection, "tick", stored, written, schema_name="bmv")
            else:
                await connection.execute("truncate stage")
                await _copy(connection, "stage", staged, staged.written(part))
                await connection.execute(KEEP, stream, claim["batch"])


async def _copy(connection: Connection, table: str, form: Form, written: bytes, schema_name: str | None = None) -> None:
    await connection.copy_to_table(
        table, source=chunks(written), columns=form.names, format="binary", schema_name=schema_name
    )


def _known(stamps: Stamps | None) -> dict[str, Column]:
    """Return the stamps that some row has; the others stay null."""
    return {} if stamps is None else {name: each for name, each in stamps._asdict().items() if each.any()}


def _columns(rows: Rows) -> Columns:
    return Columns(*(rows[name].astype(int64) for name in Columns._fields))


def _page(form: Form, streams: Sequence[int], from_ns: int, to_ns: int, after: Key, rows: int) -> str:
    # COPY takes no parameters; everything here is a number of ours.
    names = (f"coalesce({name}, {UNSTAMPED})" if name in STAMPS else name for name in form.names)
    return (
        f"select {', '.join(names)} from bmv.tick "
        f"where stream = any ('{{{', '.join(map(str, streams))}}}') "
        f"and ts_ns >= {from_ns:d} and ts_ns < {to_ns:d} and (ts_ns, batch, seq) > {tuple(after)} "
        f"order by ts_ns, batch, seq limit {rows:d}"
    )


async def _copied(connection: Connection, form: Form, query: str) -> Rows:
    told = bytearray()

    async def hear(chunk: bytes) -> None:
        told.extend(chunk)

    await connection.copy_from_query(query, output=hear, format="binary")
    return form.read(told)
