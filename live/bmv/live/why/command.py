"""`bmv why ORDER`: its way, step by step."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bmv.adapters.cli.options import JSON, Local
from bmv.live.commands import config_and_session
from bmv.ports.errors import UsageError

if TYPE_CHECKING:
    from bmv.live.why.session import Step


@click.command()
@click.argument("order", type=click.IntRange(1))
@click.argument("words", nargs=-1, metavar="[CONFIG]")
@click.option("--run", type=Local(), help="A run folder, a backtest's too.")
@click.option("--session", help="A session, or the beginning of several names: the newest of those.")
@click.option("--config", type=Local(), help="The same as CONFIG.")
@JSON
@click.pass_context
def why(
    ctx: click.Context,
    order: int,
    words: tuple[str, ...],
    run: Path | None,
    session: str | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Say where ORDER came from, and what became of it: event, pivot, level, limits, transaction, landing, fills.

    Of a session all of that is in its journal, of which CONFIG says where it is; else it is sessions.sqlite here. Of a
    run folder its tables say as much as they hold.

    \b
    Examples:
      bmv why 17 --run runs/backtest/latest
      bmv why 17 live.toml --session live/openbook-v2/SOL-USDC
    """
    config, named = config_and_session(ctx, words, config)
    if named is not None:
        raise UsageError(f"{named}: expected a configuration, FILE.toml; a session is named by --session")
    if run is not None and (session is not None or config is not None):
        raise UsageError("--run goes without --session and --config: it is a folder by itself")
    if run is not None:
        from bmv.live.why.run import why_of_run

        steps = why_of_run(run, order)
    else:
        steps = asyncio.run(_of_session(order, session, config))
    if as_json:
        click.echo(json.dumps([{"ts_ns": each.ts_ns, "what": each.what, **each.facts} for each in steps]))
        return
    for step in steps:
        click.echo(f"{_time(step.ts_ns)}  {step.what:<10}{_facts(step)}")


async def _of_session(order: int, session: str | None, config: Path | None) -> "list[Step]":
    from bmv.live.commands import journal_place
    from bmv.live.stores import newest, open_sessions, words_of
    from bmv.live.why.session import why_of_session

    place, folder = journal_place(config)
    async with open_sessions(place, folder) as store:
        return why_of_session(await words_of(store, await newest(store, session)), order)


def _time(ts_ns: int) -> str:
    return f"{datetime.fromtimestamp(ts_ns / 1e9, UTC):%H:%M:%S.%f}"[:-3]


def _facts(step: "Step") -> str:
    return "  ".join(f"{name} {_word(value)}" for name, value in step.facts.items() if value not in (None, [], ""))


def _word(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}={each}" for name, each in value.items())
    return str(value)
