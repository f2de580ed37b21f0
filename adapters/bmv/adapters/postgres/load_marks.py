"""Which days of a lake the database has whole: marked before their first row, and done after their last."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bmv.adapters.postgres.pool import Connection, Pool
from bmv.data.ticks.lake.lake import DAY_NS, day_of
from bmv.ports.errors import DataError

SOURCE = "lake"
NO_ROW = "no row in the lake"  # Why a hole between rows is a gap; a backtest finds such holes by itself.
AGAIN = "run `bmv db load` again"
ASK = """
insert into bmv.load (market, day, rows)
select $1, day, rows from unnest($2::integer[], $3::bigint[]) as asked (day, rows) on conflict do nothing
"""
FORGET = "delete from bmv.load where market = $1 and epoch is null and day <> all ($2::integer[])"
BEGIN = """
insert into bmv.load (market, day, epoch, rows) values ($1, $2, $3, $4)
on conflict (market, day) do update set
    done = $5 and load.done and load.epoch = excluded.epoch, epoch = excluded.epoch, rows = excluded.rows
returning done
"""
FORGET_GAPS = "delete from bmv.gap where market = $1 and source = $2 and from_ns >= $3 and from_ns < $4"
FINISH = """
update bmv.load set done = true where market = $1 and day = $2 and epoch = $3 and rows <= (
    select next_seq from bmv.stream where (market, source, epoch) = ($1, $4, $3)
) returning done
"""
MARKS = "select day, epoch, rows, done from bmv.load where market = $1 and day >= $2 and day <= $3 order by day"


class Mark(NamedTuple):
    """A day that was to be loaded: its number since 1970-01-01, epoch of its stream, rows, whether all are there."""

    day: int
    epoch: int | None
    rows: int
    done: bool


async def ask(pool: Pool, market: str, rows: Mapping[int, int]) -> None:
    """Note that days of `market` are to be loaded, each of so many rows; those that are done stay so."""
    days, counts = list(rows), list(rows.values())

    async def work(connection: Connection) -> None:
        async with connection.transaction():
            await connection.execute(FORGET, market, days)
            await connection.execute(ASK, market, days, counts)

    await pool.run(work, f"note which days of {market} are to be loaded")


async def begin(pool: Pool, market: str, day: int, epoch: int, rows: int, known: int) -> bool:
    """Note that a day is being loaded, unless it is done; tell whether it is. The gaps of another file of it go.

    Args:
        known: So many of its rows the database has already.
    """
    gaps = (market, SOURCE, day * DAY_NS, (day + 1) * DAY_NS)

    async def work(connection: Connection) -> bool:
        async with connection.transaction():
            done = bool(await connection.fetchval(BEGIN, market, day, epoch, rows, known >= rows))
            if not done:
                await connection.execute(FORGET_GAPS, *gaps)
            return done

    return await pool.run(work, f"begin {day_of(day * DAY_NS)} of {market}")


async def finish(pool: Pool, market: str, day: int, epoch: int) -> None:
    """Note that all rows of a day are there; `DataError` where they are not, since somebody else loads it too."""
    arguments = (market, day, epoch, SOURCE)
    what = f"finish {day_of(day * DAY_NS)} of {market}"
    if not await pool.run(lambda connection: connection.fetchval(FINISH, *arguments), what):
        raise DataError(f"{market}: {day_of(day * DAY_NS)} was loaded by somebody else at the same time; {AGAIN}")


async def marks(pool: Pool, market: str, from_ns: int, to_ns: int) -> list[Mark]:
    """Return the days of `market` that `[from_ns, to_ns)` touches and that were to be loaded, oldest first."""
    ends = (from_ns // DAY_NS, (to_ns - 1) // DAY_NS)
    return [Mark(*row) for row in await pool.fetch(f"find the loads of {market}", MARKS, market, *ends)]


def refuse_unfinished(url: str, found: Sequence[Mark]) -> None:
    """Raise `DataError` where a day that was to be loaded is not there, or not wholly."""
    if missing := [mark for mark in found if not mark.done]:
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        raise DataError(f"{url}: {day_of(missing[0].day * DAY_NS)}{more} is not loaded to its end; {AGAIN}")
