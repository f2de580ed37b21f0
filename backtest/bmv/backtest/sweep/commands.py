"""`bmv sweep`: many sets over the same ticks, and what is left of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import orjson

from bmv.adapters.cli.options import JSON, SETS, Local
from bmv.adapters.cli.places import ManyPaths, link_latest, new_folder
from bmv.adapters.report.streams import say_json
from bmv.ports.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from bmv.backtest.sweep.api import Plan
    from bmv.backtest.sweep.run.pool import MakePool
    from bmv.backtest.sweep.trials.summary import SweepSummary

SWEEPS = Path("runs/sweep")
LATEST = SWEEPS / "latest"
SAMPLERS = ("grid", "random", "sobol", "tpe", "cmaes", "nsga2", "nsga3")
DRIFTS = ("none", "up6", "down6", "up10", "down10", "turns6", "turns10")  # `markets.TRENDS` takes longer to load,
HOLDINGS = ("half", "nothing", "full")  # and so does `calibrate.STARTS`.

SWEEP = click.argument("sweep", type=Local(), default=LATEST)
WORKERS = click.option("--workers", metavar="N|ray://…|auto", help="Threads; or a Ray cluster. Default: one a core.")


def _without_password(context: click.Context, parameter: click.Parameter, url: str | None) -> str | None:
    """Refuse a storage that is no database, and a password that others could read."""
    from bmv.adapters.postgres.dsn import checked, is_database, passwords

    if url is None:
        return None
    if not is_database(url):
        raise UsageError("--storage: expected postgresql://USER@HOST/DATABASE")
    if passwords(url):
        raise UsageError("--storage: others can read a password there; Postgres reads PGPASSWORD and ~/.pgpass")
    return checked(url)


STORAGE = click.option(
    "--storage",
    metavar="URL",
    callback=_without_password,
    help="Keep the trials in postgresql://… in place of the folder.",
)


class Sweeps(click.Group):
    """A group whose first word may be a configuration: then it is run."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand; what is none of them is a configuration to be swept."""
        if args and args[0] not in self.commands:
            return "run", self.commands["run"], args
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let options stand before the configuration as well."""
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show how a sweep is run, which is what most come for."""
        formatter.write_usage("bmv sweep", "CONFIG --param KEY=LOW:HIGH:STEP… [OPTIONS], or one of the commands below")


@click.group(cls=Sweeps)
def sweep() -> None:
    """Try many sets of a configuration's values on the same ticks, and say whether the best is worth anything.

    \b
    Examples:
      bmv sweep my.toml --param grid.bid.first_bps,grid.ask.first_bps=2:20:2
      bmv sweep my.toml --param pivot.window_s=10:1000:log --sampler tpe --trials 300
      bmv sweep run --help      all options
      bmv sweep resume          go on with the last one
      bmv sweep apply best.toml write the best set as a configuration
    """


@sweep.command(cls=ManyPaths)
@click.argument("config", type=Local())
@click.option("--data", multiple=True, metavar="PATH...", help="Tapes or folders of them; else [[sweep.tapes]].")
@click.option("--timerange", metavar="A-B", help="UTC, end exclusive: 20250903-20250905, 20250903T1200-, -20250905.")
@click.option("--param", "params", multiple=True, metavar="KEY=…", help="LOW:HIGH:STEP, :xFACTOR, :log or A,B,C.")
@click.option("--sampler", type=click.Choice(SAMPLERS), help="How sets are chosen; else that of [sweep], or grid.")
@click.option("--trials", type=click.IntRange(min=1), help="How many sets; a grid is tried whole, others 100.")
@click.option("--objective", "objectives", multiple=True, metavar="NAME", help="What is made large; - in front: small.")
@click.option("--seed", type=click.IntRange(min=0), help="Start of the sampler's dice.")
@SETS
@WORKERS
@STORAGE
@click.option("--out", type=Local(), help="Folder; else runs/sweep/<time>-<symbol>-<hash>.")
@click.option("--no-report", is_flag=True, help="Do not write sweep.html.")
@JSON
def run(
    config: Path,
    data: tuple[str, ...],
    timerange: str | None,
    params: tuple[str, ...],
    sampler: str | None,
    trials: int | None,
    objectives: tuple[str, ...],
    seed: int | None,
    sets: tuple[str, ...],
    workers: str | None,
    storage: str | None,
    out: Path | None,
    no_report: bool,
    as_json: bool,
) -> None:
    """Sweep CONFIG over ranges of its keys.

    \b
    Examples:
      bmv sweep my.toml --param grid.bid.first_bps=2:20:2 --param grid.bid.levels=1:5:1
      bmv sweep my.toml --param grid.bid.first_bps,grid.ask.first_bps=1:64:x2
      bmv sweep my.toml --param pivot.window_s=10:1000:log --sampler sobol --trials 256
      bmv sweep my.toml --objective sharpe --objective=-max_drawdown --sampler nsga2
      bmv sweep my.toml --workers 2 --json | jq .net

    Ranges include both ends; keys joined by a comma move together. The last quarter of the ticks is held out from the
    search and shows what the best set is worth ([sweep.validation]). Broken off with Ctrl-C, by SIGTERM or by a crash,
    a sweep goes on with `bmv sweep resume`. With --json each trial is a line of JSON, the last line is the summary.
    """
    from bmv.adapters.config import load
    from bmv.backtest.sweep import api
    from bmv.backtest.sweep.origin import origin_of

    said = {"sweep.sampler": sampler, "sweep.trials": trials, "sweep.seed": seed}
    spelt = [f"{key}={value}" for key, value in said.items() if value is not None]
    if objectives:
        spelt.append("sweep.objective=[" + ", ".join(f'"{each}"' for each in objectives) + "]")
    overrides = [*sets, *spelt]
    loaded = load(config, overrides)
    crew = _crew(workers)
    if out is not None:
        refuse_strange_folder(out)
    plan = api.make_plan(loaded, params, data, timerange)
    folder = out or new_folder(plan.config, SWEEPS)
    api.begin(folder, plan, origin_of(config, overrides, loaded))
    if out is None:
        link_latest(folder)
    _go_on(folder, plan, crew, storage, not no_report, as_json)


@sweep.command()
@SWEEP
@WORKERS
@STORAGE
@JSON
def resume(sweep: Path, workers: str | None, storage: str | None, as_json: bool) -> None:
    """Go on with SWEEP where it was broken off; the last one if absent.

    \b
    Example:
      bmv sweep resume runs/sweep/latest

    The result is the same as if it had never been broken off: what its folder keeps is run, not what the configuration
    file says by now.
    """
    from bmv.backtest.sweep import api
    from bmv.backtest.sweep.origin import changed_since

    crew = _crew(workers)
    _refuse_no_sweep(sweep)
    folder = sweep.resolve()
    plan = api.load_plan(folder)
    if changed := changed_since(folder):
        click.echo(f"note: {changed}", err=True)
    _go_on(folder, plan, crew, storage, True, as_json)


@sweep.command("list")
@JSON
def list_(as_json: bool) -> None:
    """List the sweeps below runs/sweep, the last one first."""
    from bmv.backtest.sweep.show import view

    view.list_sweeps(sorted(SWEEPS.glob("*/manifest.json"), reverse=True), as_json)


@sweep.command()
@SWEEP
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="How many of the best sets.")
@JSON
def show(sweep: Path, top: int, as_json: bool) -> None:
    """Print what SWEEP found; the last one if absent."""
    from bmv.backtest.sweep.show import view

    _refuse_no_sweep(sweep)
    view.show(sweep, top, as_json)


@sweep.command()
@click.argument("file", type=Local())
@SWEEP
def export(file: Path, sweep: Path) -> None:
    """Write the trials of SWEEP, a row each, to FILE (.csv or .parquet).

    \b
    Example:
      bmv sweep export trials.csv runs/sweep/latest
    """
    from bmv.backtest.sweep import extract

    _refuse_no_sweep(sweep)
    extract.export(sweep, file)
    click.echo(file)


@sweep.command()
@click.argument("file", type=Local())
@SWEEP
@click.option("--trial", type=click.IntRange(min=0), help="Its number; the best one if absent.")
@click.option("--overwrite", is_flag=True, help="Replace FILE.")
def apply(file: Path, sweep: Path, trial: int | None, overwrite: bool) -> None:
    """Write a set of SWEEP as the configuration FILE, ready to be run.

    \b
    Examples:
      bmv sweep apply best.toml
      bmv sweep apply other.toml runs/sweep/latest --trial 17
    """
    from bmv.backtest.sweep import extract

    _refuse_no_sweep(sweep)
    if file.exists() and not overwrite:
        raise UsageError(f"{file} exists; --overwrite replaces it")
    chosen = extract.apply(sweep, trial, file)
    click.echo(f"{file}: trial {chosen} of {sweep.resolve().name}")


class Crew(NamedTuple):
    """Who runs the sets: so many threads (None: one a core), or what makes the workers of a cluster."""

    threads: int | None = None
    make_pool: "MakePool | None" = None


def _crew(spelt: str | None) -> Crew:
    if spelt is None:
        return Crew()
    if spelt.isdecimal() and int(spelt) > 0:
        return Crew(int(spelt))
    if spelt == "auto" or spelt.startswith("ray://"):
        from bmv.backtest.sweep.cluster import cluster

        return Crew(None, cluster.pool(spelt))
    raise UsageError(f"--workers {spelt}: expected a number of threads, auto, or ray://HOST:PORT")


@sweep.command()
@click.option("--fair", type=click.IntRange(min=0), default=40, show_default=True, help="Markets without an edge.")
@click.option("--edge", type=click.IntRange(min=0), default=20, show_default=True, help="Markets with one.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the first; the others follow."
)
@click.option(
    "--trend",
    "trends",
    multiple=True,
    default=["none"],
    show_default=True,
    type=click.Choice([*DRIFTS, "all"]),
    help="A drift of the market, in percent: straight up or down, or by turns. May be given again.",
)
@click.option(
    "--start",
    "starts",
    multiple=True,
    default=["half"],
    show_default=True,
    type=click.Choice([*HOLDINGS, "all"]),
    help="What is held at first. May be given again.",
)
@click.option("--workers", type=click.IntRange(min=1), help="Threads. Default: one a core.")
@click.option("--out", type=Local(), help="Folder for tapes and sweeps; else nothing is kept.")
@click.option(
    "--record", type=Local(), help="File that gets a line of JSON a market; those that it has are not swept again."
)
@JSON
@click.pass_context
def calibrate(
    ctx: click.Context, fair: int, edge: int, seed: int, trends: Sequence[str], starts: Sequence[str],
    workers: int | None, out: Path | None, record: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Ask the verdict of made-up markets of which the answer is known, and count how often it is right.

    \b
    Examples:
      bmv sweep calibrate
      bmv sweep calibrate --fair 1 --edge 0 --seed 7 --out market-7    one of them again, to look at
      bmv sweep show market-7/fair-7/sweep
      bmv sweep calibrate --trend up10 --start nothing
      bmv sweep calibrate --trend all --start all --record kinds.jsonl   every kind; goes on where it was broken off

    At most one in twenty fair markets of a kind may be found worth trading, and four in five of those with an edge must
    be; else the exit status is 1. A market is made from its seed alone, the same on every machine.
    """
    from bmv.backtest.sweep.calibrate import tally
    from bmv.backtest.sweep.calibrate.calibrate import calibrate, cases

    if out is not None:
        refuse_strange_folder(out)
    if record is not None and record.is_dir():
        raise UsageError(f"--record {record}: expected a file, found a folder")
    asked = cases(fair, edge, seed, _each(trends, DRIFTS), _each(starts, HOLDINGS))
    if not asked:
        raise UsageError("--fair 0 --edge 0: expected at least one market")
    with _kept_or_not(out) as folder, tally.telling(len(asked), as_json) as told:
        result = calibrate(folder, asked, workers, told, keep=out is not None, record=record)
    if as_json:
        say_json(orjson.dumps({name: told for name, told in result.items() if name != "markets"}))
    else:
        tally.show(result)
    if not result["ok"]:
        ctx.exit(1)


def _each(given: Sequence[str], words: Sequence[str]) -> Any:  # Any: words of a kind that the option has checked.
    """Return what was given, once each; all of the words where `all` was."""
    return list(words) if "all" in given else list(dict.fromkeys(given))


@contextmanager
def _kept_or_not(out: Path | None) -> Iterator[Path]:
    """Give a folder: the one that is named, or one that is gone afterwards."""
    if out is not None:
        yield out
        return
    with TemporaryDirectory(prefix="bmv-calibrate-") as folder:
        yield Path(folder)


def _go_on(folder: Path, plan: "Plan", crew: Crew, storage: str | None, report: bool, as_json: bool) -> None:
    from bmv.backtest.sweep import api
    from bmv.backtest.sweep.show import progress, view
    from bmv.backtest.sweep.trials.reading import PAGE

    try:
        with progress.telling(plan, as_json) as monitor:
            summary = api.run(folder, plan, crew.threads, monitor, crew.make_pool, storage, report)
    except KeyboardInterrupt:
        kept = monitor.kept
        sets = f"{kept:,} set{'s were' if kept != 1 else ' was'} run and kept"
        click.echo(f"broken off; {sets}; `bmv sweep resume {quote(str(folder))}` goes on with it", err=True)
        raise
    _refuse_nothing(summary, folder)
    view.show(folder, 5, as_json)
    if not as_json:
        click.echo(f"sweep   {folder}" + (f"\nreport  {folder / PAGE}" if report else ""))


def _refuse_nothing(summary: "SweepSummary", folder: Path) -> None:
    """Raise `ConfigError` where no set could be run: that is no result."""
    counts = summary["trials"]
    if counts["invalid"] and not counts["complete"] + counts["pruned"]:
        told = next((each for each in summary["warnings"] if "could not be run" in each), "")
        raise ConfigError(f"{folder}: {told or 'no set could be run'}")


def _refuse_no_sweep(folder: Path) -> None:
    if not (folder / "manifest.json").is_file():
        raise UsageError(f"{folder} is not the folder of a sweep; `bmv sweep list` tells which there are")


def refuse_strange_folder(folder: Path) -> None:
    """Raise `UsageError` unless `folder` is absent or empty: a sweep is never overwritten."""
    from bmv.data.runs.folder import entries

    if folder.is_dir() and not entries(folder):
        return
    if (folder / "manifest.json").is_file():
        raise UsageError(
            f"--out {folder}: holds a run or a sweep already; `bmv sweep resume {folder}` goes on with one"
        )
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"--out {folder}: is not empty; nothing was written")
