"""`bmv backtest`, `show`, `report` and `compare`: a run from the command line, and what is left of it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from bmv.adapters.cli.options import JSON, SETS, Local
from bmv.adapters.cli.places import ManyPaths, RunFolder, last_run, link_latest, new_folder, refuse_strange_folder
from bmv.adapters.cli.timerange import span_ns
from bmv.adapters.lake.places import market_folder
from bmv.adapters.report.bars import share_bar
from bmv.ports.errors import BmvError, DataError

if TYPE_CHECKING:
    from bmv.backtest.api import Backtest
    from bmv.backtest.result import Result

RUNS = Path("runs/backtest")

RUN = click.argument("run", type=RunFolder(), default=last_run)


@click.command(cls=ManyPaths)
@click.argument("config", type=Local())
@click.option("--data", multiple=True, metavar="PATH...", help="Tapes, folders, or a database; else [storage].ticks.")
@click.option("--timerange", metavar="A-B", help="UTC, end exclusive: 20250903-20250905, 20250903T1200-, -20250905.")
@click.option("--engine", type=click.Choice(["fused", "reference"]), default="fused", show_default=True)
@SETS
@click.option("--out", type=Local(), help="Run folder; else runs/backtest/<time>-<symbol>-<hash>.")
@click.option("--no-report", is_flag=True, help="Do not write report.html.")
@JSON
def backtest(
    config: Path,
    data: tuple[str, ...],
    timerange: str | None,
    engine: Literal["fused", "reference"],
    sets: tuple[str, ...],
    out: Path | None,
    no_report: bool,
    as_json: bool,
) -> None:
    """Run CONFIG on recorded ticks, write a run folder and print its summary.

    \b
    Examples:
      bmv backtest my.toml --data ticks/*.parquet
      bmv backtest my.toml --timerange 20250903-20250905 --set grid.bid.levels=8
      bmv backtest my.toml --data lake/synthetic/SOL-USDC --engine reference --json
      bmv backtest my.toml --data 'postgresql://me@db.example/bmv?market=binance/BTCUSDT'

    --data takes several paths. The folder runs/backtest/latest is the last run.
    """
    start_ns, end_ns = span_ns(timerange)
    if out is not None:
        refuse_strange_folder(out)

    from bmv.adapters.config import load

    loaded = load(config, sets)
    market, ticks = loaded.market, loaded.storage.ticks
    paths = data or ((market_folder(ticks, market.venue, market.symbol),) if ticks else ())
    if not paths:
        raise DataError("no ticks given: say --data PATH, or set [storage].ticks in the configuration")
    folder = out or new_folder(loaded, RUNS)

    from bmv.adapters.report import show as view
    from bmv.backtest.api import Backtest
    from bmv.data.runs.folder import REPORT

    run = Backtest(loaded, data=list(paths), start_ns=start_ns, end_ns=end_ns, engine=engine)
    with share_bar(as_json, "backtest") as progress:
        result = _told_in_full(run, progress)
    result.save(folder, report=not no_report)
    count_trial(folder, result.digest)
    if out is None:
        link_latest(folder)
    view.show(folder, as_json)
    if not as_json:
        click.echo(f"run     {folder}" + ("" if no_report else f"\nreport  {folder / REPORT}"))


@click.command()
@RUN
@JSON
def show(run: Path, as_json: bool) -> None:
    """Print the summary of RUN, a run folder or the name of a session; the newest run if absent.

    \b
    Examples:
      bmv show
      bmv show runs/live/latest --json
      bmv show live/openbook-v2/SOL-USDC
    """
    from bmv.adapters.report import show as view

    view.show(run, as_json)


@click.command()
@RUN
def report(run: Path) -> None:
    """Write report.html of RUN anew from its files; the newest run if absent. RUN may be the name of a session.

    \b
    Example:
      bmv report runs/backtest/latest
    """
    from bmv.adapters.report import report as page

    click.echo(page.write(run))


@click.command()
@click.argument("a", type=RunFolder())
@click.argument("b", type=RunFolder())
@JSON
def compare(a: Path, b: Path, as_json: bool) -> None:
    """Set the runs A and B side by side: folders, or names of sessions.

    \b
    Example:
      bmv compare runs/backtest/latest runs/live/latest
    """
    from bmv.adapters.report import compare as pair

    pair.compare(a, b, as_json)


def _told_in_full(run: "Backtest", progress: Callable[[float], None] | None) -> "Result":
    """Run, and under BMV_DEBUG tell all there is to say of what a strategy did wrong."""
    from bmv.adapters.strategy.plugin import in_full

    try:
        return run.run(progress=progress)
    except BmvError as error:
        if os.environ.get("BMV_DEBUG") and (told := in_full(error)):
            click.echo(told.rstrip(), err=True)
        raise


def count_trial(folder: Path, digest: str) -> None:
    """Enter a run into the register of trials, by which a sweep of the same ticks knows how often they were tried."""
    from bmv.adapters.sqlite.trials import OwnRegister
    from bmv.data.files.user_folders import TRIALS
    from bmv.data.runs.folder import manifest_of

    data = [str(file["sha256"]) for file in manifest_of(folder)["data"]]
    try:
        OwnRegister().add(data, [(digest, None, "backtest")])
    except (BmvError, OSError) as error:
        click.echo(
            f"warning: this run is not counted among the trials on its ticks: {error}; {TRIALS} names another place",
            err=True,
        )
