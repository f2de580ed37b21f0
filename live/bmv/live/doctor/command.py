"""`bmv doctor`: what trading relies on, looked at all at once, with what to do where it is not well."""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bmv.adapters.cli.options import JSON, SETS, Local
from bmv.adapters.report.tables import printable, say

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from bmv.adapters.config import Config
    from bmv.live.doctor.check import Check

HANGING = " " * 28  # Below what was found.
ENDINGS = {
    0: "ok: nothing is wrong",
    1: "wrong: no endpoint answers",
    3: "wrong: the configuration is at fault",
    5: "wrong: trading would be unsafe",
}


@click.command()
@click.argument("config", type=Local())
@SETS
@JSON
@click.pass_context
def doctor(ctx: click.Context, config: Path, sets: tuple[str, ...], as_json: bool) -> None:
    """Look at all that trading relies on: endpoints, the chain, the market, disk and database.

    Each line says how it is (ok, note, wrong, unknown), what was found, and what to do. Nothing is sent and nothing is
    changed. Exit code 0 if nothing is wrong, 5 if trading would be unsafe, 3 if the configuration is at fault, 1 if no
    endpoint answers.

    \b
    Examples:
      bmv doctor sandbox/bmv.toml
      bmv doctor live.toml --json
    """
    from bmv.adapters.config import load
    from bmv.live.doctor.check import checks_json, exit_code

    loaded = load(config, sets)
    waiting = sys.stderr.isatty() and not as_json
    if waiting:
        click.echo("looking, which takes some seconds …", err=True, nl=False)
    try:
        checks = asyncio.run(examine(config, loaded))
    finally:
        if waiting:
            click.echo("\r\033[K", err=True, nl=False)
    if as_json:
        click.echo(json.dumps(checks_json(checks)))
    else:
        _say(checks)
    ctx.exit(exit_code(checks))


async def examine(path: Path, config: "Config") -> "list[Check]":
    """Try everything, and judge it."""
    from bmv.adapters.cli.named_market import address_of, endpoints_of
    from bmv.adapters.solana.rpc import make_client
    from bmv.live.doctor.checks.endpoints import check_endpoints
    from bmv.live.doctor.checks.loop import check_loop
    from bmv.live.doctor.checks.market import check_market
    from bmv.live.doctor.checks.stores import check_databases, check_disks, check_wallet
    from bmv.live.doctor.probe.endpoints import try_endpoints
    from bmv.live.doctor.probe.market import try_market
    from bmv.live.doctor.probe.stores import try_databases, try_disks

    address, endpoints = address_of(path, config), endpoints_of(config)
    wallet, why = _wallet(config)
    async with make_client() as client:
        trying = asyncio.create_task(try_databases(path, config))
        seen = await try_endpoints(client, list(endpoints), wallet or address)
        answering = [each for each, one in zip(endpoints, seen, strict=True) if not one.failure]
        market = await try_market(client, path, config, answering)
        databases = await trying
    return [
        *check_endpoints(seen, config.live.cluster),
        *check_market(market),
        *check_wallet(None if wallet is None else str(wallet), why),
        *check_disks(try_disks(path, config)),
        *check_databases(databases),
        check_loop(),
    ]


def _wallet(config: "Config") -> "tuple[Pubkey | None, str]":
    """Return the address of the configured wallet, or why there is none; "": none is configured."""
    from bmv.live.doctor.probe.wallet import read_address
    from bmv.ports.errors import ConfigError

    if config.live.wallet is None:
        return None, ""
    try:
        return read_address(config.live.wallet), ""
    except ConfigError as error:
        return None, str(error)


def _say(checks: "Sequence[Check]") -> None:
    """Print the lines, and how it all comes out."""
    from bmv.live.doctor.check import State, exit_code

    for check in checks:
        say(f"{check.state:<10}{check.name:<18}{printable(check.found)}", HANGING)
        if check.advice:
            say(f"{HANGING}→ {check.advice}", HANGING + "  ")
    counts = [(state, sum(check.state is state for check in checks)) for state in State]
    told = ", ".join(f"{count} {state}" for state, count in counts if count)
    click.echo(f"{ENDINGS[exit_code(checks)]} ({told})")
