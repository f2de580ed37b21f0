"""What a tick, a lot and a contract of a market are, as the database knows it."""

from typing import Any

from bmv.adapters.postgres.pool import Connection, Pool
from bmv.data.ticks.contracts import PAYOFF, SIZE, Terms, both_terms
from bmv.ports.errors import DataError
from bmv.ports.market import Market

FIND = "select tick_size, lot_size from bmv.market where name = $1"
MAKE = "insert into bmv.market (name, tick_size, lot_size) values ($1, $2, $3) on conflict do nothing"
CONTRACT = "select payoff, contract_size::text from bmv.market where name = $1"
KEEP_CONTRACT = "update bmv.market set payoff = $2, contract_size = $3::text::numeric where name = $1"
FILLED = "select exists (select from bmv.stream where market = $1 and next_seq > 0)"


async def refuse_other_steps(pool: Pool, name: str, market: Market) -> None:
    """Raise `DataError` where the ticks of market `name` are known to be counted in other steps than `market`'s."""
    rows = await pool.fetch(f"find the steps of {name}", FIND, name)
    if rows and tuple(rows[0]) != (market.tick_size, market.lot_size):
        tick, lot = (format(step.normalize(), "f") for step in rows[0])
        raise DataError(
            f"{name}: the database holds ticks of {tick} and lots of {lot}; asked for are ticks of {market.tick_size} "
            f"and lots of {market.lot_size}"
        )


async def keep_steps(pool: Pool, name: str, market: Market) -> None:
    """Keep what a tick and a lot of market `name` are; `DataError` where they are known to be others."""
    steps = (market.tick_size, market.lot_size)
    await pool.run(lambda connection: connection.execute(MAKE, name, *steps), f"keep the steps of {name}")
    await refuse_other_steps(pool, name, market)


async def terms_of(pool: Pool, name: str) -> dict[str, str]:
    """Return what is known of the contracts of market `name`; empty where its sizes are coins."""
    return _terms(await pool.fetch(f"find the contract of {name}", CONTRACT, name))


async def keep_terms(pool: Pool, name: str, terms: Terms) -> None:
    """Keep what a contract of market `name` is; its steps are kept already.

    `DataError` where it is known to be another, or the sizes of the rows that are there are no contracts.
    """

    async def kept(connection: Connection) -> None:
        async with connection.transaction():
            known = _terms(await connection.fetch(f"{CONTRACT} for update", name))
            both = both_terms(name, known, terms)
            if both == known:
                return
            if not known and await connection.fetchval(FILLED, name):
                raise DataError(f"{name}: the database has rows whose sizes are coins; contracts can't go beside them")
            await connection.execute(KEEP_CONTRACT, name, both[PAYOFF], both.get(SIZE))

    await pool.run(kept, f"keep the contract of {name}")


def _terms(rows: list[Any]) -> dict[str, str]:  # Any: a row of a database.
    told = dict(zip((PAYOFF, SIZE), rows[0], strict=True)) if rows else {}
    return {key: value for key, value in told.items() if value is not None}
