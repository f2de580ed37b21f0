"""What is in a database, in figures."""

from typing import Any

from bmv.adapters.postgres.pool import Connection, Pool
from bmv.data.ticks.lake.lake import DAY_NS

# Partitions are made ahead: a day is one that has a row.
KEPT = (
    f"from bmv.tick_day where exists "
    f"(select from bmv.tick where ts_ns >= day * {DAY_NS} and ts_ns < (day + 1) * {DAY_NS})"
)
FIGURES = {
    "bytes": "select pg_database_size(current_database())",
    "days": f"select count(*) {KEPT}",
    "first_day": f"select (date '1970-01-01' + min(day)::int)::text {KEPT}",
    "last_day": f"select (date '1970-01-01' + max(day)::int)::text {KEPT}",
    # Counting hundreds of millions of rows takes minutes; the server's own estimate is a matter of its last vacuum.
    "ticks_about": "select coalesce(sum(greatest(reltuples, 0)), 0)::bigint from pg_class, bmv.tick_day "
    "where pg_class.oid = tick_day.partition",
    "markets": "select count(distinct market) from bmv.stream",
    "gaps": "select count(*) from bmv.gap",
    "sessions": "select count(*) from bmv.session where words > 0",
    "words": "select coalesce(sum(words), 0)::bigint from bmv.session",
    "runs": "select count(*) from bmv.run",
    "open_orders": "select count(*) from bmv.orders where done_ns is null",
}


async def inventory(dsn: str) -> dict[str, Any]:  # Any: it is JSON.
    """Return the server's version, the bytes of the database, and how much of what is in it."""
    pool = Pool(dsn, size=1)

    async def work(connection: Connection) -> dict[str, Any]:
        figures = {"server": await connection.fetchval("show server_version")}
        for name, query in FIGURES.items():
            figures[name] = await connection.fetchval(query)
        return figures

    try:
        return await pool.run(work, "count what is there")
    finally:
        await pool.close()
