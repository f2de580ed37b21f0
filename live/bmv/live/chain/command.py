"""`bmv chain`: our accounts on the market of a configuration, by hand. No journal and no running process is needed."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bmv.adapters.cli.options import JSON, SETS, Local
from bmv.adapters.cli.sandbox import Start
from bmv.live.chain.acting import cancel_all, close, crank, settle, setup

if TYPE_CHECKING:
    from bmv.live.chain.seated import Seated


@click.group()
def chain() -> None:
    """Set up, look at, clear and close our accounts on an OpenBook market.

    Each command needs a configuration with market.address, live.endpoints and live.wallet, and nothing else: no
    journal, no database, no process that runs.

    \b
    Examples:
      bmv chain setup live.toml
      bmv chain orders live.toml
      bmv chain cancel-all live.toml --yes
    """


@chain.command()
@click.argument("config", type=Local())
@SETS
@JSON
def orders(config: Path, sets: tuple[str, ...], as_json: bool) -> None:
    """Show our open orders as the finalized chain has them, and the slots they hold.

    \b
    Example:
      bmv chain orders live.toml --json
    """
    from bmv.live.chain.opening import at_our_seat
    from bmv.live.chain.orders import orders_json, say_orders

    async def look(seated: "Seated") -> None:
        desk = await seated.desk(books=True)
        if as_json:
            click.echo(json.dumps(orders_json(seated, desk)))
        else:
            say_orders(seated, desk)

    at_our_seat(config, sets, look)


@chain.command()
@click.argument("config", type=Local())
@SETS
@JSON
def balances(config: Path, sets: tuple[str, ...], as_json: bool) -> None:
    """Show what our wallet holds, what lies at the venue, and what rent would come back.

    \b
    Example:
      bmv chain balances live.toml
    """
    from bmv.live.chain.balances import balances_json, say_balances
    from bmv.live.chain.opening import at_our_seat

    async def look(seated: "Seated") -> None:
        desk = await seated.desk()
        if as_json:
            click.echo(json.dumps(balances_json(seated, desk)))
        else:
            say_balances(seated, desk)

    at_our_seat(config, sets, look)


@chain.command()
@click.argument("config", type=Local())
@click.option("--session", metavar="NAME", help="Of which session; the newest if absent.")
@click.option("--since", type=Start(), help="Of all sessions, from a time on: 2026-11-01 or 2026-11-01T12:00:00Z.")
@click.option("--transactions", is_flag=True, help="Each transaction too.")
@SETS
@JSON
def landing(
    config: Path, session: str | None, since: int | None, transactions: bool, sets: tuple[str, ...], as_json: bool
) -> None:
    """Show how our transactions landed: share, slots, cost a fill, and what the next higher tip would have bought.

    Reads the journal of storage.journal, and asks no endpoint.

    \b
    Examples:
      bmv chain landing live.toml
      bmv chain landing live.toml --since 2026-11-01 --json
    """
    from bmv.live.chain.landing import read_landings, say_landings

    name, page = read_landings(config, sets, session, since, rows=transactions)
    if as_json:
        click.echo(json.dumps({"session": name, **page}))
    else:
        say_landings(name, page)


for command in (setup, cancel_all, settle, crank, close):
    chain.add_command(command)
