"""`bmv market`: what an OpenBook market is, whether it can be trusted, and whether a configuration fits it."""

import asyncio
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from bmv.adapters.cli.options import JSON, SETS
from bmv.ports.errors import BmvError, ConfigError, DataError, Refused, UsageError

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from bmv.adapters.config import Config
    from bmv.adapters.openbook.inspection.fit import Expected
    from bmv.adapters.openbook.inspection.records import Finding
    from bmv.adapters.openbook.snapshot import MarketSnapshot

ENDPOINT = "the URL of an endpoint, such as https://rpc.example.com or a sandbox's http://127.0.0.1:8899"
EXPECTED = (
    "expected the file of a configuration, such as sandbox/bmv.toml, or a market's address, 32 bytes in base58 such as "
    "8BnEgHoWFysVcuFFX7QztDmzuH8r5ZFvyP3sYwn1XTh6"
)
WORD = re.compile(r"[\w-]+")  # Neither a path nor a file's name.
NO_URL = f"--rpc: expected {ENDPOINT}, found no URL"


class Target(NamedTuple):
    """Which market to look at, and how.

    Args:
        address: The market's.
        endpoint: URL of the node that is asked.
        wrong_endpoint: What to say where that is no URL.
        expected: What a configuration says of the market; None: there is none.
        config: The configuration, if its own endpoints are to be asked.
        name: What the configuration calls it.
    """

    address: "Pubkey"
    endpoint: str
    wrong_endpoint: BmvError
    expected: "Expected | None" = None
    config: "Config | None" = None
    name: str | None = None


@click.command()
@click.argument("which", metavar="CONFIG|ADDRESS")
@click.option("--rpc", metavar="URL", help="Endpoint to ask; the first of live.endpoints if absent.")
@click.option("--watch", is_flag=True, help="Let the page move until Ctrl-C; with --json a line for each change.")
@SETS
@JSON
@click.pass_context
def market(ctx: click.Context, which: str, rpc: str | None, watch: bool, sets: tuple[str, ...], as_json: bool) -> None:
    """Show an OpenBook market: its units, fees, book, last trades and crank, all of one moment.

    Everything is checked before it is believed: owner, kind and flags of the accounts, mints and vaults, who may
    forbid what. With a configuration also whether it fits. Exit code 5 if nobody should trade there, 4 if the accounts
    are not what they should be, 3 if the configuration is for another market.

    \b
    Examples:
      bmv market sandbox/bmv.toml
      bmv market sandbox/bmv.toml --watch
      bmv market 8BnEgHoWFysVcuFFX7QztDmzuH8r5ZFvyP3sYwn1XTh6 --rpc https://rpc.example.com
    """
    target = _target(which, rpc, sets)
    if watch:
        _watch(target, as_json)
        return
    try:
        seen = asyncio.run(_read(target))
    except (DataError, Refused) as error:
        if not as_json:
            raise
        _say_refusal(error)
        ctx.exit(error.exit_code)
    _say(ctx, target, seen, as_json)


def _target(which: str, rpc: str | None, sets: tuple[str, ...]) -> Target:
    from bmv.adapters.cli.named_market import address_of, expected_of
    from bmv.adapters.config.schema import ADDRESS

    if re.match(ADDRESS, which) and not Path(which).exists():
        if rpc is None:
            raise UsageError(f"--rpc: expected {ENDPOINT}, since an address names none")
        if sets:
            raise UsageError("--set: changes a configuration, and an address was given")
        return Target(_address(which), rpc, UsageError(NO_URL))
    from bmv.adapters.config import load

    if WORD.fullmatch(which) and not Path(which).exists():
        raise UsageError(f"CONFIG|ADDRESS: {EXPECTED}; found a word that is neither")
    config = load(which, sets)
    address = address_of(which, config)
    endpoint = rpc or next(iter(config.live.endpoints), None)
    if endpoint is None:
        raise ConfigError(f"{which}: live.endpoints: expected at least one endpoint, found none; or give --rpc URL")
    no_url = UsageError(NO_URL) if rpc else ConfigError(f"{which}: live.endpoints: expected {ENDPOINT}, found no URL")
    return Target(address, endpoint, no_url, expected_of(config), None if rpc else config, config.market.symbol)


def _watch(target: Target, as_json: bool) -> None:
    """Let the page move: through all endpoints of a configuration, or the one that was named."""
    from bmv.adapters.cli.named_market import endpoint_of, endpoints_of
    from bmv.adapters.cli.watch import watch
    from bmv.adapters.solana.endpoints import Endpoints

    try:
        endpoints = Endpoints([endpoint_of(target.endpoint)]) if target.config is None else endpoints_of(target.config)
        asyncio.run(watch(target.address, endpoints, target.name, as_json))
    except ConfigError:  # Nothing else of a configuration is looked at by now.
        raise target.wrong_endpoint from None


def _address(text: str) -> "Pubkey":
    from solders.pubkey import Pubkey

    try:
        return Pubkey.from_string(text)
    except ValueError:
        raise UsageError("CONFIG|ADDRESS: expected 32 bytes in base58, found others") from None


async def _read(target: Target) -> "MarketSnapshot":
    from bmv.adapters.openbook.snapshot import read_market
    from bmv.adapters.solana.rpc import Rpc, make_client

    async with make_client() as client:
        try:
            rpc = Rpc(client, target.endpoint)
        except ConfigError:
            raise target.wrong_endpoint from None
        return await read_market(rpc, target.address)


def _say(ctx: click.Context, target: Target, seen: "MarketSnapshot", as_json: bool) -> None:
    """Print the market and what is wrong with it; end with the code of the gravest."""
    from bmv.adapters.openbook.inspection.fit import check_fit
    from bmv.adapters.openbook.inspection.inspect import inspect
    from bmv.adapters.openbook.inspection.records import worst
    from bmv.adapters.report.market import market_json, say_market

    inspection = inspect(seen.identity, seen.snapshot)
    findings = inspection.findings
    if target.expected is not None:
        findings = (*findings, *check_fit(inspection, target.expected))
    if as_json:
        click.echo(json.dumps(market_json(inspection, seen.deployment, findings)))
        ctx.exit(worst(findings).exit_code if findings else 0)
    say_market(inspection, seen.deployment)
    if findings:
        raise worst(findings)(_sentences(findings))
    click.echo("ok        the market can be believed" + (", and the configuration fits it" if target.expected else ""))


def _sentences(findings: "tuple[Finding, ...]") -> str:
    return "\n".join(finding.text for finding in findings)


def _say_refusal(error: BmvError) -> None:
    from bmv.adapters.openbook.inspection.records import Finding
    from bmv.adapters.report.market import findings_json

    click.echo(json.dumps({"ok": False, "findings": findings_json([Finding(type(error), str(error))])}))
