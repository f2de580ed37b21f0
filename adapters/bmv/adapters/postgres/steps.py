"""What a tick and a lot of a market are, as the database knows it."""

from bmv.adapters.postgres.pool import Pool
from bmv.ports.errors import DataError
from bmv.ports.market import Market

FIND = "select tick_size, lot_size from bmv.market where name = $1"
MAKE = "insert into bmv.market (name, tick_size, lot_size) values ($1, $2, $3) on conflict do nothing"


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
