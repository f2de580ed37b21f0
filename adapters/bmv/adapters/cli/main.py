"""The command `bmv`: its subcommands by name, and how a refusal reaches a terminal.

A subcommand is imported when it is called, so that `bmv --help` costs no more than reading this file.
"""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution, version

import click

from bmv.adapters.cli.door import masked_output, refuse_passwords
from bmv.adapters.report.streams import make_legible
from bmv.ports.errors import BmvError

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
COMMANDS = {
    "init": "Write a commented starter configuration.",
    "config": "Check it, show every key, print its schema: config check|show|schema.",
    "backtest": "Run a configuration on recorded ticks.",
    "show": "Print the summary of a run.",
    "report": "Write the report of a run anew.",
    "compare": "Set two runs side by side.",
    "sweep": "Try many sets of values, and judge the best.",
    "data": "Get, check, store and find ticks: data import|list|check|…",
    "sandbox": "Start a chain of one's own, with a living OpenBook market on it.",
    "market": "Show an OpenBook market, and whether it can be trusted and a configuration fits it.",
    "record": "Keep the ticks of an OpenBook market as they come.",
    "doctor": "Look at all that trading relies on, and say what to do where it is not well.",
    "paper": "Trade on paper: a live market or stored ticks, and the backtest's simulated venue.",
    "live": "Trade for real, on OpenBook.",
    "replay": "Replay a session, and prove that every decision comes out the same.",
    "reconcile": "Compare what the journal says is held with what the chain shows.",
    "why": "Say where an order came from, and what became of it.",
    "wallet": "Make, import, list and show the keys that sign: wallet new|import|list|rotate|…",
    "chain": "Set up, look at, clear and close our accounts on a market: chain setup|orders|cancel-all|…",
    "status": "Show how a running session is.",
    "orders": "Show the open orders of a running session.",
    "fills": "Show the last fills of a running session.",
    "pause": "Let a running session cancel its orders and place none.",
    "resume": "Let a session that is paused quote again.",
    "rearm": "Take back what the breaker of a session has latched.",
    "set": "Change a key of a running session.",
    "flatten": "Let a running session trade back to its target.",
    "stop": "Stop a running session, its orders gone.",
    "db": "Make, update, fill, look at and copy the database: db init|status|…",
}  # In the order a newcomer needs them. Where each stands is written in the entry points of the distribution.
GROUP = "bmv.commands"
ALIASES = {"backtesting": "backtest"}


class LazyGroup(click.Group):
    """A group that knows its subcommands by entry point and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command, or `None` if there is none of that name."""
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            return None
        (point,) = distribution("bmv").entry_points.select(group=GROUP, name=name)
        command = point.load()
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version() -> str:
    try:
        return version("bmv")
    except PackageNotFoundError:
        return "unknown (not installed)"


def _tell_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"bmv {_version()}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_tell_version, help="Print it.")
def root() -> None:
    """Make a market: a grid anchored to a dynamic volume-weighted price, or a strategy of your own.

    The same file is run on recorded ticks, traded on paper, and traded for real on Solana's OpenBook.

    \b
    Start here:
      bmv init my.toml --data TAPE.parquet
      bmv config check my.toml
      bmv backtest my.toml --data TAPE.parquet

    Exit codes: 0 done, 1 failed, 2 wrong use, 3 bad configuration, 4 bad data, 5 refused by risk; 130 and 143 broken
    off, by Ctrl-C and by SIGTERM.
    BMV_DEBUG=1 shows the traceback of an unexpected failure.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (the process's own if absent) and return its exit code; never raises."""
    make_legible()
    words = sys.argv[1:] if argv is None else list(argv)
    with masked_output(words), _terminable():
        return _ended(words)


class Terminated(KeyboardInterrupt):
    """SIGTERM came: what goes on is broken off as it is by Ctrl-C, and says the same."""


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM raise `Terminated`, unless the program around has its own use for it, or this is not its main thread.

    A signal handler can be set in the main thread only.
    """
    mine = threading.current_thread() is threading.main_thread()
    if not mine or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(*_: object) -> None:
    raise Terminated


def _ended(words: list[str]) -> int:
    try:
        refuse_passwords(words)
        code = root.main(args=words, prog_name="bmv", standalone_mode=False)
        sys.stdout.flush()
    except (click.Abort, KeyboardInterrupt) as error:
        terminated = isinstance(error, Terminated) or isinstance(error.__cause__, Terminated)
        click.echo("terminated" if terminated else "interrupted", err=True)
        return TERMINATED if terminated else INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BmvError as error:
        for line in str(error).splitlines():
            click.echo(f"error: {line}", err=True)
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        return _unexpected(error)
    return code if isinstance(code, int) else 0


def _unexpected(error: Exception) -> int:
    if os.environ.get("BMV_DEBUG"):
        traceback.print_exception(error)
    else:
        text = " ".join(str(error).split())
        click.echo(f"error: {type(error).__name__}: {text}", err=True)
        click.echo("This is a fault of bmv, not yours; BMV_DEBUG=1 shows where.", err=True)
    return 1


def run() -> None:
    """Be the script `bmv`."""
    sys.exit(main())
