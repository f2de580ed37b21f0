"""Trading for real in one command, without keys, coins or network: a chain of one's own, and the grid on its market.

    python -m bmv.live.demo [--for 2m] [--venue openbook-v1] [--out runs/demo-live]

`make demo-live` is this. Each step is a command that anybody may type, and is shown as that.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bmv.adapters.cli.options import Local
from bmv.ports.errors import BmvError

BMV = (sys.executable, "-m", "bmv.adapters.cli")
STOP_S = 10.0
SETS = (  # A grid that is near enough to trade in two minutes.
    "grid.bid.first_bps=3",
    "grid.ask.first_bps=3",
    "grid.bid.step_bps=4",
    "grid.ask.step_bps=4",
    "requote.threshold_bps=3",
)


@click.command()
@click.option("--for", "span", default="2m", show_default=True, help="How long it trades.")
@click.option("--venue", type=click.Choice(["openbook-v2", "openbook-v1"]), default="openbook-v2", show_default=True)
@click.option("--out", type=Local(), default=Path("runs/demo-live"), show_default=True)
def main(span: str, venue: str, out: Path) -> None:
    """Start a sandbox, trade the grid on it, stop, and say where the report lies."""
    with sandbox(venue, out / "sandbox") as config:
        run("chain", "setup", config, "--yes")
        sets = [word for each in SETS for word in ("--set", each)]
        run("live", config, "--yes", "--for", span, *sets, "--out", str(out / "run"))
        run("replay", config)
        run("chain", "orders", config)


@contextmanager
def sandbox(venue: str, folder: Path) -> Iterator[str]:
    """Start a chain of one's own, give the path of the configuration that it wrote, and stop it at the end."""
    words = ("sandbox", "--venue", venue, "--port", "0", "--out", str(folder), "--json")
    show(words)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen([*BMV, *words], stdout=subprocess.PIPE, stderr=log, text=True) as chain,
    ):
        try:
            assert chain.stdout is not None
            line = chain.stdout.readline()
            if not line:
                chain.wait(STOP_S)
                raise BmvError(f"the sandbox did not start: {(folder / 'log').read_text().strip()}")
            yield str(json.loads(line)["config"])
        finally:
            chain.terminate()
            chain.wait(STOP_S)


def run(*words: str) -> None:
    """Run a command of the program, and show it; ends as it does where it fails."""
    show(words)
    ended = subprocess.run([*BMV, *words], check=False)
    if ended.returncode:
        sys.exit(ended.returncode)


def show(words: tuple[str, ...]) -> None:
    """Show a command as one would type it."""
    click.echo(f"$ bmv {' '.join(words)}")


if __name__ == "__main__":
    main()
