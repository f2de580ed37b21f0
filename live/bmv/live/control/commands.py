"""A running session looked at and steered: `bmv status|orders|fills|pause|resume|stop|flatten|set`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bmv.adapters.cli.options import JSON, SETS, Local
from bmv.ports.errors import BmvError, UsageError

if TYPE_CHECKING:
    from bmv.live.control.place import Place
    from bmv.live.control.protocol import Request

LOOK_S = 10.0
ACT_S = 180.0
SESSION = click.option("--session", metavar="NAME", help="Which one, where several run: its name, or how that begins.")
WAIT = click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0.1, 86_400),
    default=ACT_S,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the answer; the session goes on without us.",
)
YES = click.option("--yes", is_flag=True, help="Do it without asking.")


def of_a_session(command: Callable[..., Any]) -> Callable[..., Any]:  # Any: a function that Click makes a command of.
    """Return a command with the argument and the options that say which session is meant."""
    for option in reversed((click.argument("config", type=Local(), required=False), SETS, SESSION, JSON)):
        command = option(command)
    return command


@click.command()
@of_a_session
def status(config: Path | None, sets: tuple[str, ...], session: str | None, as_json: bool) -> None:
    """Show how a running session is: what it does, and why not more; position, money, orders, data.

    Without CONFIG the only session that runs is meant.

    \b
    Examples:
      bmv status
      bmv status live.toml --json
      bmv status --session paper
    """
    from bmv.live.control.protocol import Request
    from bmv.live.control.show import say_facts

    _look(config, sets, session, as_json, Request("status"), say_facts)


@click.command()
@of_a_session
def orders(config: Path | None, sets: tuple[str, ...], session: str | None, as_json: bool) -> None:
    """Show the open orders of a running session, as it knows them.

    What the chain itself shows, with or without a session, is `bmv chain orders`.

    \b
    Examples:
      bmv orders
      bmv orders live.toml --json
    """
    from bmv.live.control.protocol import Request
    from bmv.live.control.show import say_rows

    _look(config, sets, session, as_json, Request("orders"), lambda rows: say_rows(rows, "no open orders"))


@click.command()
@of_a_session
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True, help="How many at most.")
def fills(config: Path | None, sets: tuple[str, ...], session: str | None, as_json: bool, limit: int) -> None:
    """Show the last fills of a running session, the newest last.

    \b
    Examples:
      bmv fills
      bmv fills live.toml --limit 100 --json
    """
    from bmv.live.control.protocol import Request
    from bmv.live.control.show import say_rows

    request = Request("fills", limit=limit)
    _look(config, sets, session, as_json, request, lambda rows: say_rows(rows, "no fills yet"))


@click.command()
@of_a_session
@WAIT
@click.pass_context
def pause(
    ctx: click.Context, config: Path | None, sets: tuple[str, ...], session: str | None, as_json: bool, wait_s: float
) -> None:
    """Let a running session cancel its orders and place none, until `bmv resume`.

    Ends with 0 when that is done; with 1 where something is pending, which is said.

    \b
    Examples:
      bmv pause
      bmv pause live.toml --json
    """
    from bmv.live.control.protocol import Request

    ctx.exit(_act(config, sets, session, as_json, Request("pause"), wait_s))


@click.command()
@of_a_session
@WAIT
@click.pass_context
def resume(
    ctx: click.Context, config: Path | None, sets: tuple[str, ...], session: str | None, as_json: bool, wait_s: float
) -> None:
    """Let a session that is paused quote again. What a breaker or a guard has stopped stays so: then exit code 5.

    \b
    Examples:
      bmv resume
      bmv resume live.toml
    """
    from bmv.live.control.protocol import Request

    ctx.exit(_act(config, sets, session, as_json, Request("resume"), wait_s))


@click.command()
@of_a_session
@WAIT
@click.pass_context
def rearm(
    ctx: click.Context, config: Path | None, sets: tuple[str, ...], session: str | None, as_json: bool, wait_s: float
) -> None:
    """Take back what the breaker of a session has latched: peak, day and loss start again from the present equity.

    Look first why it tripped. What a guard has stopped, such as a chain that differs from the journal, goes on too.

    \b
    Examples:
      bmv rearm
      bmv rearm live.toml
    """
    from bmv.live.control.protocol import Request

    ctx.exit(_act(config, sets, session, as_json, Request("rearm"), wait_s))


@click.command()
@of_a_session
@click.option(
    "--mode",
    type=click.Choice(["cancel", "keep", "flatten"]),
    default="cancel",
    show_default=True,
    help="Cancel all orders, keep them, or cancel and trade back to the target.",
)
@WAIT
@YES
@click.pass_context
def stop(
    ctx: click.Context,
    config: Path | None,
    sets: tuple[str, ...],
    session: str | None,
    as_json: bool,
    mode: str,
    wait_s: float,
    yes: bool,
) -> None:
    """Stop a running session: no new order from this moment, its orders gone, its record whole.

    Ends with 0 only when it is done; with 1 it says what may still rest. --mode flatten trades at the market: it asks
    first, or takes --yes.

    \b
    Examples:
      bmv stop
      bmv stop live.toml --mode keep
      bmv stop live.toml --mode flatten --yes
    """
    from bmv.live.control.protocol import Request
    from bmv.live.control.steered import StopMode

    if mode == "flatten":
        _confirm("stop, and trade back to the target at the market?", yes)
    ctx.exit(_act(config, sets, session, as_json, Request("stop", mode=StopMode(mode)), wait_s))


@click.command()
@of_a_session
@WAIT
@YES
@click.pass_context
def flatten(
    ctx: click.Context,
    config: Path | None,
    sets: tuple[str, ...],
    session: str | None,
    as_json: bool,
    wait_s: float,
    yes: bool,
) -> None:
    """Let a running session cancel its orders and trade back to the target, within risk.breaker.flatten_bps.

    It trades at the market: it asks first, or takes --yes. The session goes on, paused.

    \b
    Examples:
      bmv flatten live.toml
      bmv flatten --yes --json
    """
    from bmv.live.control.protocol import Request

    _confirm("cancel all orders, and trade back to the target at the market?", yes)
    ctx.exit(_act(config, sets, session, as_json, Request("flatten"), wait_s))


@click.command("set")
@click.argument("words", nargs=-1, metavar="[CONFIG] KEY=VALUE")
@SETS
@SESSION
@WAIT
@JSON
@click.pass_context
def set_(
    ctx: click.Context,
    words: tuple[str, ...],
    sets: tuple[str, ...],
    session: str | None,
    wait_s: float,
    as_json: bool,
) -> None:
    """Change a key of a running session: grid, requote, inventory, and limits downwards.

    The value is checked as in the file, and the change is part of the session's record. What can't change while it runs
    is refused with the reason: exit code 5; what the file may not say either: 3. The file stays as it is.

    \b
    Examples:
      bmv set grid.bid.first_bps=12
      bmv set live.toml risk.max_position=3
    """
    from bmv.live.control.protocol import Request

    config, key, value = _change(ctx, words)
    ctx.exit(_act(config, sets, session, as_json, Request("set", key=key, value=value), wait_s))


def _change(ctx: click.Context, words: tuple[str, ...]) -> tuple[Path | None, str, str]:
    """Return configuration, key and value of what was written behind `bmv set`."""
    key, equals, value = words[-1].partition("=") if words else ("", "", "")
    if len(words) > 2 or not (equals and key.strip() and value.strip()):
        raise UsageError("set: expected [CONFIG] and one KEY=VALUE, as in bmv set live.toml grid.bid.first_bps=12")
    config = Local().convert(words[0], None, ctx) if len(words) == 2 else None
    assert config is None or isinstance(config, Path)
    return config, key.strip(), value.strip()


def _confirm(question: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask at; give --yes to do it without asking (nothing was done)")
    click.confirm(question, err=True, abort=True)


def _look(
    config: Path | None,
    sets: tuple[str, ...],
    session: str | None,
    as_json: bool,
    request: "Request",
    say: Callable[[Any], None],  # Any: whatever the session answers.
) -> None:
    """Ask a session, and print its answer."""
    from bmv.live.control.client import ask
    from bmv.live.control.show import say_answer

    answer = ask(_find(config, sets, session), request, LOOK_S)
    if as_json:
        say_answer(answer)
    else:
        say(answer)


def _act(
    config: Path | None,
    sets: tuple[str, ...],
    session: str | None,
    as_json: bool,
    request: "Request",
    wait_s: float,
) -> int:
    """Tell a session what to do, print what came of it, and return the exit code of that."""
    from bmv.live.control.client import ask
    from bmv.live.control.show import say_answer, say_outcome

    answer = ask(_find(config, sets, session), request, wait_s)
    if as_json:
        say_answer(answer)
    else:
        say_outcome(answer)
    return 0 if answer["done"] else 1


def _find(config: Path | None, sets: tuple[str, ...], session: str | None) -> "Place":
    """Return the place of the only running session that is meant."""
    from bmv.live.control.place import MODES, listens, places, session_name

    meant = places()
    if config is not None:
        from bmv.adapters.config import load

        loaded = load(config, sets)
        names = [session_name(config, loaded, mode) for mode in MODES]
        meant = [place for place in meant if place.name in names]
    elif sets:
        raise UsageError("--set: it changes which session a configuration means; give CONFIG, or leave it out")
    if session is not None:
        meant = [place for place in meant if place.name.startswith(session)]
    running = [place for place in meant if listens(place)]
    if len(running) > 1:
        names = [place.name for place in running]
        raise UsageError(f"{len(names)} sessions run: {', '.join(names)}; give CONFIG, or --session NAME")
    if not running:
        raise BmvError(_none(config, session, killed=[place.name for place in meant]))
    return running[0]


def _none(config: Path | None, session: str | None, killed: list[str]) -> str:
    """Return the sentence that says that nothing runs, and what is known of it."""
    beside = "".join(f" {word}" for word in (config and f"of {config}", session and f"named {session}") if word)
    if not killed:
        return f"no session{beside} runs; `bmv live CONFIG` or `bmv paper CONFIG` starts one"
    return (
        f"no session{beside} runs; {', '.join(killed)} ended without stopping: started again it recovers, and "
        "`bmv chain orders CONFIG` shows what rests"
    )
