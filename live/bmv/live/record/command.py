"""`bmv record`: the ticks of a market on a chain, kept as they come."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bmv.adapters.cli.options import JSON, SETS, Duration, Local
from bmv.ports.errors import ConfigError

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from bmv.adapters.config import Config
    from bmv.adapters.openbook.inspection.records import Inspection
    from bmv.live.record.recorder import Recorder

STATUS_S = 1.0
BEGIN_S = 20.0  # For the first slot that is kept.
END_S = 20.0  # For what was heard to become final.
LOOK_S = 0.1


@click.command()
@click.argument("config", type=Local())
@click.option(
    "--for", "seconds", type=Duration(), help="How long, from the first slot on; else until stopped: 90s, 10m, 1h, 2d."
)
@click.option("--to", multiple=True, metavar="PATH|URL", help="Lake or database; may be repeated; else storage.ticks.")
@click.option("--spool", type=Local(), help="Where rows wait for a store that is away; else in the lake.")
@SETS
@JSON
def record(
    config: Path, seconds: float | None, to: tuple[str, ...], spool: Path | None, sets: tuple[str, ...], as_json: bool
) -> None:
    """Record the ticks of an OpenBook market: its trades and every change of its book, slot by slot.

    A slot is kept when it is final. What could not be seen is kept as a gap, with its cause and how much was traded in
    it. Ctrl-C or SIGTERM ends it cleanly; started again it goes on, and notes what it missed.

    \b
    Examples:
      bmv record sandbox/bmv.toml --for 10m
      bmv record live.toml --to lake --to postgresql://me@db/bmv --spool waiting
      bmv backtest sandbox/bmv.toml
    """
    from bmv.adapters.config import load

    loaded = load(config, sets)
    places = to or ((loaded.storage.ticks,) if loaded.storage.ticks else ())
    if not places:
        raise ConfigError(f"{config}: storage.ticks: expected where ticks go, found nothing; or give --to PATH|URL")
    asyncio.run(_record(config, loaded, places, spool, seconds, as_json))


async def _record(
    path: Path, config: "Config", places: tuple[str, ...], spool: Path | None, seconds: float | None, as_json: bool
) -> None:
    from bmv.live.record.wiring import open_recorder

    market, inspection = await _checked(path, config)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    began_s = time.monotonic()
    async with open_recorder(config, market, inspection, places, spool) as recorder:
        recording = asyncio.create_task(recorder.run())
        showing = asyncio.create_task(_show(recorder, as_json))
        waiting = asyncio.create_task(_over(recorder, seconds, stopped))
        await asyncio.wait({recording, waiting}, return_when=asyncio.FIRST_COMPLETED)
        for task in (recording, showing, waiting):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await showing
        with suppress(asyncio.CancelledError):
            await recording
    _say(recorder, places, time.monotonic() - began_s, as_json)


async def _over(recorder: "Recorder", seconds: float | None, stopped: asyncio.Event) -> None:
    """Return when it was asked to stop, or when so many seconds were recorded and are kept.

    They count from the first slot that is kept, which comes some seconds after the start, and what was heard in them is
    waited for until it is final: on Tower that takes seconds too. A market that tells nothing holds up nobody for long.
    """
    if await _comes(stopped, lambda: recorder.kept_slot > 0, None if seconds is None else max(seconds, BEGIN_S)):
        return
    if await _comes(stopped, lambda: False, seconds):
        return
    last = recorder.seen.slot
    await _comes(stopped, lambda: recorder.kept_slot >= last, END_S)


async def _comes(stopped: asyncio.Event, done: Callable[[], bool], seconds: float | None) -> bool:
    """Wait until something holds, but not for longer, and return whether it was asked to stop meanwhile."""
    until_s = None if seconds is None else time.monotonic() + seconds
    while not stopped.is_set() and not done() and (until_s is None or time.monotonic() < until_s):
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await stopped.wait()
    return stopped.is_set()


async def _checked(path: Path, config: "Config") -> "tuple[Pubkey, Inspection]":
    """Return the market of a configuration, which was read from a node and found to be what the configuration says."""
    from bmv.adapters.cli.named_market import endpoints_of, look
    from bmv.adapters.openbook.inspection.records import worst

    market, inspection, findings = await look(path, config, endpoints_of(config))
    if findings:
        raise worst(findings)("\n".join(finding.text for finding in findings))
    return market, inspection


async def _show(recorder: "Recorder", as_json: bool) -> None:
    """Say how it goes, on one line of a terminal, over and over; in a pipe only what an operator should know."""
    told = 0
    on_terminal = sys.stderr.isatty()
    try:
        while True:
            await asyncio.sleep(STATUS_S)
            for text in recorder.seen.notices_since(told):
                click.echo(f"{chr(13) + chr(27) + '[K' if on_terminal else ''}note      {text}", err=True)
            told = recorder.seen.noticed
            if on_terminal and not as_json:
                click.echo(f"\r\033[K{_status(recorder)}", err=True, nl=False)
    finally:
        if on_terminal and not as_json:
            click.echo("\r\033[K", err=True, nl=False)


def _status(recorder: "Recorder") -> str:
    seen, count = recorder.seen, recorder.writers[0].count
    state = f"slot {seen.slot:,}" if seen.up else f"DOWN {seen.why}"[:60]
    at = "" if count.last_ns is None else f" · {_time(count.last_ns):%H:%M:%S}"
    holes = f" · {count.holes} gaps" if count.holes else ""
    return f"{state}{at} · {count.rows:,} rows · {count.trades:,} trades{holes}"


def _say(recorder: "Recorder", places: tuple[str, ...], took_s: float, as_json: bool) -> None:
    """Say what was recorded."""
    writer = recorder.writers[0]
    count, market = writer.count, writer.market
    missing = market.money(count.missing_quanta)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "market": writer.name,
                    "to": list(places),
                    "rows": count.rows,
                    "trades": count.trades,
                    "gaps": count.holes,
                    "missing_quote": str(missing),
                    "from": None if count.first_ns is None else _time(count.first_ns).isoformat(),
                    "until": None if count.last_ns is None else _time(count.last_ns).isoformat(),
                    "connections": recorder.feed.connections,
                    "seconds": round(took_s, 3),
                }
            )
        )
        return
    if count.first_ns is None or count.last_ns is None:
        why = (
            "no slot was final yet; the first is kept some seconds after the start"
            if recorder.seen.up
            else recorder.seen.why
        )
        click.echo(f"recorded  nothing of {writer.name}: {why}")
        return
    span = f"{_time(count.first_ns):%Y-%m-%d %H:%M:%S} to {_time(count.last_ns):%H:%M:%S} UTC"
    click.echo(f"recorded  {count.rows:,} rows of {writer.name}, {count.trades:,} of them trades")
    click.echo(f"time      {span} by the chain's clock")
    if count.holes:
        click.echo(f"gaps      {count.holes}, in which {missing} was traded unseen; the last: {count.last_hole}")
    click.echo(f"kept in   {', '.join(places)}")


def _time(ts_ns: int) -> datetime:
    return datetime.fromtimestamp(ts_ns / 1e9, UTC)
