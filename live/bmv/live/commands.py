"""`bmv paper`, `bmv live` and `bmv replay`: sessions from the command line."""

import asyncio
import json
import signal
import sys
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from bmv.adapters.cli.options import JSON, SETS, Duration, Local
from bmv.adapters.cli.places import ManyPaths, link_latest, new_folder, refuse_strange_folder
from bmv.adapters.cli.timerange import span_ns
from bmv.adapters.cli.wallet import PASSPHRASE
from bmv.ports.errors import BmvError, DataError, UsageError

if TYPE_CHECKING:
    from bmv.live.reconciling import Comparison
    from bmv.live.session import Session

FOR = click.option("--for", "seconds", type=Duration(), help="How long; else until it is stopped: 90s, 10m, 1h, 2d.")
LOGS = click.option(
    "--log",
    type=click.Choice(["console", "json", "none"]),
    default="console",
    show_default=True,
    help="What happens, on standard error.",
)
RUNS = {mode: Path("runs") / mode for mode in ("paper", "live", "shadow")}


@contextmanager
def stopped_by_signals(session: "Session") -> Iterator[None]:
    """Stop a session at SIGINT and at SIGTERM, also while it begins; a second signal hurries it."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, partial(session.ask_stop, why=number.name))
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@click.command(cls=ManyPaths)
@click.argument("config", type=Local())
@click.option("--data", multiple=True, metavar="PATH...", help="Stored ticks in place of the live market.")
@click.option("--speed", type=click.FloatRange(0), default=0.0, show_default=True, help="Of stored ticks; 0: at once.")
@click.option("--timerange", metavar="A-B", help="Of stored ticks, UTC, end exclusive: 20250903-20250905.")
@FOR
@LOGS
@SETS
@click.option("--out", type=Local(), help="Run folder; else runs/paper/<time>-<symbol>-<hash>.")
@click.option("--no-report", is_flag=True, help="Do not write report.html.")
@JSON
@click.pass_context
def paper(
    ctx: click.Context,
    config: Path,
    data: tuple[str, ...],
    speed: float,
    timerange: str | None,
    seconds: float | None,
    log: Literal["console", "json", "none"],
    sets: tuple[str, ...],
    out: Path | None,
    no_report: bool,
    as_json: bool,
) -> None:
    """Trade CONFIG on paper: the live market, and the backtest's simulated venue.

    With --data stored ticks are the market, at a chosen speed; what comes of it is word for word what a backtest of
    them makes. Every word is kept in the journal, and the session ends as a run folder.

    \b
    Examples:
      bmv paper sandbox/bmv.toml
      bmv paper my.toml --data ticks/*.parquet
      bmv paper my.toml --data lake/binance/BTCUSDT --speed 20
    """
    from bmv.adapters.config import load

    if (speed or timerange) and not data:
        raise UsageError("--speed and --timerange go with --data: a live market has a time of its own")
    if out is not None:
        refuse_strange_folder(out)
    loaded = load(config, sets)
    folder = out or new_folder(loaded, RUNS["paper"])
    start_ns, end_ns = span_ns(timerange)

    from bmv.live.beside import logged
    from bmv.live.trading import Asked, trade_paper, trade_tape

    asked = Asked(config, loaded, folder, not no_report, seconds)
    if data:
        work = trade_tape(asked, list(data), speed, start_ns, end_ns, stopped_by_signals)
    else:
        work = trade_paper(asked, stopped_by_signals, lambda line: click.echo(line, err=True))
    with logged(None if data or log == "none" else log):
        page = _traded(work, folder, linked=out is None)
    _say_ended(page, folder, as_json, no_report)


def _traded(
    work: Coroutine[Any, Any, dict[str, Any]], folder: Path, *, linked: bool
) -> dict[str, Any]:  # Any: it is JSON.
    """Let a session trade, and return how it ended; one that fails leaves its run folder too, which is said.

    Args:
        linked: Whether `latest` beside the folder is to point at it.
    """
    from bmv.data.runs.folder import MANIFEST
    from bmv.live.beside import LOG
    from bmv.live.eventloop import loop_name, run

    LOG.info("the event loop is %s", loop_name())
    there = (folder / MANIFEST).exists()
    try:
        return run(work)
    except BmvError:
        if not there and (folder / MANIFEST).exists():
            click.echo(f"run     {folder}, of a session that failed", err=True)
        raise
    finally:
        if linked and (folder / MANIFEST).exists():
            link_latest(folder)


def _say_ended(page: dict[str, Any], folder: Path, as_json: bool, no_report: bool) -> None:  # Any: it is JSON.
    """Say how a session ended: one line of JSON, or the summary of its run."""
    if as_json:
        click.echo(json.dumps(page))
        return
    from bmv.adapters.report import show as view
    from bmv.data.runs.folder import REPORT

    if page["run"] is not None:
        view.show(folder, False)
    click.echo(f"session {page['session']}")
    receipt = page["receipt"]
    left = (
        "no order of ours rests"
        if receipt["cleared"]
        else f"{receipt['resting'] if receipt['resting'] is not None else 'unknown how many'} orders were open"
    )
    where = f", by the finalized chain at slot {receipt['slot']:,}" if "slot" in receipt else ""
    click.echo(f"ended   {receipt['why']}; {left}{where}")
    if page["run"] is not None:
        click.echo(f"run     {folder}" + ("" if no_report else f"\nreport  {folder / REPORT}"))


@click.command()
@click.argument("words", nargs=-1, metavar="[CONFIG] [SESSION]")
@click.option("--config", type=Local(), help="The same as CONFIG.")
@JSON
@click.pass_context
def replay(ctx: click.Context, words: tuple[str, ...], config: Path | None, as_json: bool) -> None:
    """Replay SESSION, or the newest, and prove that each decision comes out the same.

    CONFIG, a file that ends in .toml, says whose journal to read; else it is sessions.sqlite here.

    Exit code 0 if every word is equal, 1 if one differs, which is named. The journal's own chain is checked first.

    \b
    Examples:
      bmv replay live.toml
      bmv replay live.toml live/openbook-v2/SOL-USDC/00000007 --json
    """
    config, session = config_and_session(ctx, words, config)
    heard = asyncio.run(_replayed(session, config))
    if as_json:
        click.echo(json.dumps(heard))
    else:
        told = f"{heard['words']:,} words, {heard['decisions']:,} decisions"
        how = "every one the same" if heard["equal"] else f"word {heard['first_difference']:,} differs"
        click.echo(f"{heard['session']}: {told}, {how}\ndigest {heard['digest']}")
    ctx.exit(0 if heard["equal"] else 1)


async def _replayed(session: str | None, config: Path | None) -> dict[str, Any]:  # Any: it is JSON.
    from bmv.live.decider import decider_of_text
    from bmv.live.notes import read_opening
    from bmv.live.replay import replay as hear
    from bmv.live.stores import newest, open_sessions, words_of

    place, folder = journal_place(config)
    async with open_sessions(place, folder) as store:
        name = await newest(store, session)
        await store.verify(name)
        words = await words_of(store, name)
    opening = read_opening(words)
    decider = decider_of_text(opening.config, opening.strategy)
    return {"session": name, **hear(decider.engine(opening.standing), words, decider.change).to_json()}


def config_and_session(ctx: click.Context, words: Sequence[str], config: Path | None) -> tuple[Path | None, str | None]:
    """Return which of the words that a command took is the configuration, and which the session.

    Args:
        words: As they were written; a file that ends in .toml is a configuration.
        config: What `--config` names.
    """
    files = [word for word in words if word.endswith(".toml")]
    names = [word for word in words if not word.endswith(".toml")]
    if len(names) > 1 or len(files) + (config is not None) > 1:
        raise UsageError(f"expected one CONFIG and one SESSION at most, found {' '.join(words)}")
    named = Local().convert(files[0], None, ctx) if files else config
    assert named is None or isinstance(named, Path)
    return named, names[0] if names else None


def journal_place(config: Path | None) -> tuple[str, Path]:
    """Return where sessions are kept, and what a relative path of that is relative to; `DataError` if nothing is."""
    from bmv.live.stores import BESIDE, journal_of

    if config is not None:
        from bmv.adapters.config import load

        return journal_of(config, load(config)), config.parent
    if not Path(BESIDE).is_file():
        raise DataError(f"there is no {BESIDE} here; name the configuration whose journal it is")
    return f"sqlite:{BESIDE}", Path()


@click.command()
@click.argument("config", type=Local())
@SETS
@click.option("--yes", is_flag=True, help="Begin without asking.")
@click.option("--shadow", is_flag=True, help="Decide and sign, and send nothing.")
@FOR
@LOGS
@PASSPHRASE
@click.option("--out", type=Local(), help="Run folder; else runs/live/<time>-<symbol>-<hash>.")
@click.option("--no-report", is_flag=True, help="Do not write report.html.")
@JSON
def live(
    config: Path,
    sets: tuple[str, ...],
    yes: bool,
    shadow: bool,
    seconds: float | None,
    log: Literal["console", "json", "none"],
    passphrase_file: Path | None,
    out: Path | None,
    no_report: bool,
    as_json: bool,
) -> None:
    """Trade CONFIG for real on its OpenBook market, until Ctrl-C, SIGTERM or `bmv stop`.

    It first sees what an earlier process left to its end, cancels its orders, and compares journal and chain; where
    they differ nothing is placed. It ends when the finalized chain shows no order of ours, with a receipt and a run
    folder. Needs [risk], storage.journal, a funded wallet, `bmv chain setup`, and a `bmv doctor` that finds nothing
    wrong.

    \b
    Examples:
      bmv live sandbox/bmv.toml --yes
      bmv live live.toml --shadow --for 10m
    """
    from bmv.adapters.config import load

    if out is not None:
        refuse_strange_folder(out)
    loaded = load(config, sets)
    folder = out or new_folder(loaded, RUNS["shadow" if shadow else "live"])

    from bmv.live.beside import logged
    from bmv.live.starting import refuse_unguarded
    from bmv.live.trading import Asked, trade_live

    refuse_unguarded(loaded)
    if not (yes or shadow):
        _confirm(loaded.market.symbol)
    asked = Asked(config, loaded, folder, not no_report, seconds)
    with logged(None if log == "none" else log):
        work = trade_live(
            asked,
            passphrase_file,
            stopped_by_signals,
            lambda line: click.echo(line, err=True),
            shadow=shadow,
            accept=False,
        )
        page = _traded(work, folder, linked=out is None)
    _say_ended(page, folder, as_json, no_report)
    if not page["receipt"]["cleared"] and page["receipt"]["mode"] != "keep":
        raise BmvError("orders of ours may still rest; `bmv chain cancel-all` clears the book")


@click.command()
@click.argument("config", type=Local())
@SETS
@click.option("--accept", is_flag=True, help="Say that the chain is right: the next session begins from what it shows.")
@click.option("--yes", is_flag=True, help="Accept without asking.")
@JSON
@click.pass_context
def reconcile(ctx: click.Context, config: Path, sets: tuple[str, ...], accept: bool, yes: bool, as_json: bool) -> None:
    """Compare what the journal of CONFIG says is held with what the finalized chain shows.

    Where they differ no session begins. Somebody deposited, withdrew or traded by hand? Then --accept says that the
    chain is right. Exit code 0 if they agree or were brought to agree, 5 if they differ.

    \b
    Examples:
      bmv reconcile live.toml
      bmv reconcile live.toml --accept
    """
    from bmv.adapters.config import load
    from bmv.live import reconciling

    loaded = load(config, sets)
    compared = asyncio.run(reconciling.compare(config, loaded))
    if accept and compared.lines and (yes or _accepted(compared.lines)):
        asyncio.run(reconciling.accept(config, loaded))
        click.echo(json.dumps({**compared.to_json(), "accepted": True}) if as_json else "accepted: the chain is right")
        return
    if as_json:
        click.echo(json.dumps({**compared.to_json(), "accepted": False}))
    else:
        _say_compared(compared)
    ctx.exit(5 if compared.lines else 0)


def _accepted(lines: Sequence[str]) -> bool:
    """Let whoever sits at the terminal say so."""
    for line in lines:
        click.echo(line, err=True)
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask at; give --yes to accept without asking (nothing was written)")
    return click.confirm("is the chain right?", err=True)


def _say_compared(compared: "Comparison") -> None:
    """Print how journal and chain compare."""
    click.echo(f"session {compared.session or 'none of this market yet'}, breaker {compared.breaker}")
    left = compared.left
    if left is not None:
        click.echo(
            f"open    {len(left.orders)} orders by the journal, {compared.resting} rest at slot {compared.slot:,}"
        )
    if compared.found is None:
        click.echo("held    nothing: we have no account there (`bmv chain setup`)")
    elif compared.lines:
        click.echo("\n".join(f"differs {line}" for line in compared.lines))
    else:
        click.echo("held    journal and chain agree" if compared.expected else "held    the journal says nothing yet")


def _confirm(symbol: str) -> None:
    """Let whoever sits at the terminal type the market's name; `UsageError` where that is not done."""
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask at; give --yes to begin without asking (nothing was sent)")
    if click.prompt(f"this trades real money; type the market's name ({symbol}) to begin", err=True) != symbol:
        raise UsageError("that is not the market's name: nothing was sent")
