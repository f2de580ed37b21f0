"""`bmv config`: is this file good, what does it say in the end, and what may it say."""

import json
from typing import Any

import click

from bmv.adapters.cli.options import JSON, SETS, Local
from bmv.ports.errors import ConfigError


@click.group()
def config() -> None:
    """Check, show or describe a configuration."""


@config.command()
@click.argument("file", type=Local())
@SETS
@JSON
@click.pass_context
def check(ctx: click.Context, file: str, sets: tuple[str, ...], as_json: bool) -> None:
    """Tell whether FILE is a good configuration; exit code 3 and every problem at once if not.

    \b
    Examples:
      bmv config check my.toml
      bmv config check my.toml --set grid.bid.levels=8
    """
    try:
        found = _checked(file, sets)
    except ConfigError as error:
        if not as_json:
            raise
        click.echo(json.dumps({"ok": False, "problems": str(error).splitlines()}))
        ctx.exit(error.exit_code)
    text = "{file}: good; {symbol} on {venue}, {bids} bids and {asks} asks, hash {hash}"
    click.echo(json.dumps({"ok": True, **found}) if as_json else text.format(**found))


@config.command()
@click.argument("file", type=Local())
@SETS
@JSON
def show(file: str, sets: tuple[str, ...], as_json: bool) -> None:
    """Print every key of FILE with its value and its origin: file, env, set or default.

    Passwords and query values in URLs are masked.

    \b
    Examples:
      bmv config show my.toml
      BMV__PIVOT__WINDOW_S=60 bmv config show my.toml --json
    """
    from bmv.adapters.config import load_with_origins
    from bmv.adapters.config.dump import flat, inline

    loaded = load_with_origins(file, sets)
    rows = {key: (value, loaded.origins[key]) for key, value in flat(loaded.config).items()}
    if as_json:
        click.echo(json.dumps({k: {"value": v, "origin": o} for k, (v, o) in rows.items()}, default=str, indent=2))
        return
    width = max(map(len, rows))
    for key, (value, origin) in rows.items():
        click.echo(f"{key:<{width}}  {origin:<7}  {'-' if value is None else inline(value)}")


@config.command()
def schema() -> None:
    """Print the JSON schema of the configuration, for editors that complete and check TOML.

    \b
    Example:
      bmv config schema > bmv.schema.json
    """
    from bmv.adapters.config import Config

    click.echo(json.dumps(Config.model_json_schema(), indent=2, default=str))


def _checked(file: str, sets: tuple[str, ...]) -> dict[str, Any]:  # Any: plain values for JSON.
    from bmv.adapters.config import digest, load
    from bmv.adapters.config.compile import market, venue

    loaded = load(file, sets)
    venue(loaded, market(loaded))
    return {
        "file": file,
        "symbol": loaded.market.symbol,
        "venue": loaded.market.venue,
        "bids": loaded.grid.bid.levels,
        "asks": loaded.grid.ask.levels,
        "hash": digest(loaded),
    }
