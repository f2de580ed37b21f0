"""`bmv data download|import|list|check|export|convert|remove`: the lake from the command line."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bmv.adapters.cli.options import JSON, Amount, Bytes, Local, Place, overwriting
from bmv.adapters.report.tables import Column, say, say_table
from bmv.ports.errors import DataError, UsageError

if TYPE_CHECKING:
    from bmv.data.ticks.check.check import Findings
    from bmv.data.ticks.importers import Options
    from bmv.data.ticks.lake.intake import Intake, Progress
    from bmv.data.ticks.lake.lake import Manifest
    from bmv.data.ticks.quality import Gap
    from bmv.ports.market import Market

FILE, PLACE = Local(), Place()
# Columns of `list`.
NUMBERS = {"days", "rows", "MB", "tick_size", "lot_size", "gaps", "between", "received", "delay", "99 %"}
DAY = click.DateTime(["%Y-%m-%d", "%Y%m%d"])
LAKE = click.option("--lake", "root", type=FILE, default="lake", show_default=True, help="Folder of the lake.")
TICK = click.option("--tick-size", type=Amount(), help="Step of price, quote per base.")
LOT = click.option("--lot-size", type=Amount(), help="Step of size, base.")
FORM = click.option("--format", "form", metavar="NAME", help="Form of the file or files; each is looked at if absent.")
COLUMN = click.option("--column", "columns", multiple=True, metavar="OURS=THEIRS", help="Generic form: name a column.")
TIME_UNIT = click.option(
    "--time-unit", type=click.Choice(["auto", "s", "ms", "us", "ns"]), default="auto", show_default=True,
    help="Of times that are numbers.",
)  # fmt: skip
KIND = click.option(
    "--kind", type=click.Choice(["trade", "quote", "depth"]),
    help="Generic form: what all rows are. quote: of price, size and side, each row moves one side of the top; depth: "
    "each row says what its level now holds.",
)  # fmt: skip
ONLY = click.option(
    "--only", "only", multiple=True, metavar="COLUMN=VALUE",
    help="Take rows with this value alone, such as --only symbol=BTCUSDT or --only level=0. May be repeated.",
)  # fmt: skip
IGNORE = click.option(
    "--ignore", "ignore", multiple=True, metavar="COLUMN",
    help="Generic form: this column says nothing, whatever its name. May be repeated.",
)  # fmt: skip
COLUMNS = click.option(
    "--columns", "header", metavar="NAME,NAME,…", help="Generic form: names of the columns of a text without a header."
)
DAY_FIRST = click.option("--day-first/--month-first", default=None, help="How 01/05/2026 is to be read.")
UNPACKED_MAX = click.option(
    "--unpacked-max", type=Bytes(), metavar="SIZE",
    help="How much a packed file, or a page of Parquet, may unpack to, such as 20GB; by default a hundred "
    "times its size, at least 256 MB and at most 64 GB, and 64 MB a page.",
)  # fmt: skip
LOCAL = click.option("--local-time", is_flag=True, help="Take the recorder's time, where a form has both.")


def reading(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of how files are read, as one argument `options`."""

    @COLUMN
    @COLUMNS
    @TIME_UNIT
    @DAY_FIRST
    @KIND
    @LOCAL
    @ONLY
    @IGNORE
    @UNPACKED_MAX
    @wraps(command)
    def wrapped(
        *words: Any,
        columns: tuple[str, ...],
        header: str | None,
        time_unit: str,
        day_first: bool | None,
        kind: str | None,
        local_time: bool,
        only: tuple[str, ...],
        ignore: tuple[str, ...],
        unpacked_max: int | None,
        **others: Any,
    ) -> None:
        options = _options(columns, header, time_unit, day_first, kind, local_time, only, ignore, unpacked_max)
        command(*words, options=options, **others)

    return wrapped


def _options(
    columns: tuple[str, ...],
    header: str | None,
    time_unit: str,
    day_first: bool | None,
    kind: str | None,
    local_time: bool,
    only: tuple[str, ...],
    ignore: tuple[str, ...],
    unpacked_max: int | None,
) -> "Options":
    from bmv.data.ticks.importers import Options

    named = dict(_pairs("--column", columns, "OURS=THEIRS, such as --column size=qty"))
    wanted = dict[str, list[str]]()
    for name, value in _pairs("--only", only, "COLUMN=VALUE, such as --only symbol=BTCUSDT"):
        wanted.setdefault(name, []).append(value)
    names = None if header is None else [name.strip() for name in header.split(",")]
    return Options(named, time_unit, kind, local_time, wanted, ignore, names, day_first, unpacked_max=unpacked_max)


def _pairs(option: str, words: tuple[str, ...], expected: str) -> Iterator[tuple[str, str]]:
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise UsageError(f"{option} {word}: expected {expected}")
        yield name, value


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=FILE)
@LAKE
@click.option("--venue", required=True, help="Where it was recorded; a folder of the lake.")
@click.option("--symbol", help="Name of the market; that of the configuration if absent.")
@TICK
@LOT
@click.option("--config", "config", type=FILE, help="Take symbol, tick size and lot size from this configuration.")
@FORM
@reading
@click.option("--max-bad-share", type=click.FloatRange(0, 1), default=0.01, show_default=True, help="Bad rows allowed.")
@JSON
def take(
    files: tuple[Path, ...],
    root: Path,
    venue: str,
    symbol: str | None,
    tick_size: Decimal | None,
    lot_size: Decimal | None,
    config: Path | None,
    form: str | None,
    options: "Options",
    max_bad_share: float,
    as_json: bool,
) -> None:
    """Let FILES of one market into the lake: read, judged, cut by UTC day, merged with what is there.

    Importing a file twice changes nothing; files that overlap merge; `bmv data remove` is the way back. The lake is
    touched only when every file has been read and found good. Tick and lot size are those given, else of the
    configuration, else those that the lake has for the market, else those that the files state (lake, nautilus).

    \b
    Forms (docs/data.md says more of each):
      floats       Parquet with ts, kind, side, price, size, bid, bid_size, ask, ask_size in units
      lake         a day of a lake: Parquet in whole ticks and lots, which it names
      binance      Binance public data: trades, aggTrades, bookTicker (zip or CSV)
      collector    messages of websockets, <ns> <JSON> a line (hftbacktest's collector): Binance
      tardis       Tardis.dev CSV: trades, quotes, book_snapshot_N (top), incremental_book_L2
      hftbacktest  hftbacktest's npz of version 2: trades, depth by price, best quotes
      nautilus     NautilusTrader's Parquet catalogue: QuoteTick, TradeTick, OrderBookDelta by price
      databento    Databento's DBN: trades, tbbo, mbp-1, mbp-10 (needs bmv[databento])
      lean         Lean's tick zips, 20131007_trade.zip: equities (USA), crypto, forex, CFDs
      metatrader   ticks as MetaTrader 5 exports them: <DATE>, <TIME>, <BID>, <ASK>, …
      whole        CSV of bmv in whole ticks and lots: export --whole, the view bmv.ticks
      export       CSV of bmv in units: what bmv data export writes
      generic      CSV or Parquet by the names of its columns (--column ts=time --column size=qty …)

    \b
    Examples:
      bmv data import BTCUSDT-trades-2025-09-03.zip BTCUSDT-bookTicker-2025-09-03.zip \\
          --venue binance --symbol BTCUSDT --tick-size 0.1 --lot-size 0.001
      bmv data import ticks.csv --venue mine --config my.toml --column ts=when --column size=qty
      bmv data import all.csv --venue mine --config my.toml --only symbol=BTCUSDT --ignore condition
      bmv data import book.csv --venue mine --config my.toml --kind depth
    """
    from bmv.data.ticks.contracts import in_words
    from bmv.data.ticks.lake.asked import market_to_import
    from bmv.data.ticks.lake.intake import take_in
    from bmv.data.ticks.lake.lake import Lake
    from bmv.data.ticks.noted import in_words as gaps_in_words

    lake = Lake(root)
    stated = None if config is None else _market_in(config)
    market = market_to_import(files, lake, venue, symbol, (tick_size, lot_size), stated, form, options)
    with _told_what_is_kept(f"{venue}/{market.symbol} in {root}"), rows_bar(as_json) as progress:
        done = take_in(files, lake, venue, market, form, options, max_bad_share, progress)
    if as_json:
        click.echo(json.dumps(_as_json(done)))
        return
    for file in done.files:
        told = [f"{file.good:,} of {file.rows:,} rows good", f"{file.fresh:,} new"]
        told += file.faults()
        told += [f"{file.back:,} moved to their time"] if file.back else []
        told += [f"{file.off_lot:,} sizes rounded down to a lot"] if file.off_lot else []
        say(f"{file.path} ({file.form}): {', '.join(told)}", "  ")
        for note in file.notes:
            say(f"  {note}", "    ")
        if file.terms:
            click.echo(f"warning: {file.path}: {in_words(file.terms)}", err=True)
        if file.unused:
            click.echo(f"  not used: {', '.join(file.unused)}")
        for warning in [*file.warnings, *gaps_in_words(file.gaps, market)]:
            click.echo(f"warning: {warning}", err=True)
    for day in done.written:
        click.echo(f"wrote {day.path}: {lake.manifest(day).rows:,} rows")
    if not done.written:
        click.echo("nothing new: the lake is as it was")


def _market_in(config: Path) -> "Market":
    from bmv.adapters.config import load
    from bmv.ports.market import Market

    market = load(config).market
    return Market(market.symbol, market.tick_size, market.lot_size)


@contextmanager
def _told_what_is_kept(market: str) -> Iterator[None]:
    """Say of an import that is broken off what is left of it, and what goes on with it."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(
            f"broken off; each day of {market} is whole, as it was or with its new rows; the same command again takes "
            "what is missing",
            err=True,
        )
        raise


@click.command("list")
@click.argument("config", type=FILE, required=False)
@click.option(
    "--lake", "root", type=PLACE, help="Folder of the lake, or its URL; else storage.ticks of CONFIG, or lake."
)
@click.option("--venue", help="Only this venue.")
@click.option("--symbol", help="Only this market.")
@click.option(
    "--show-timerange", is_flag=True, help="First and last time of each market, and its holes, also between days."
)
@JSON
def show(
    config: Path | None, root: Path | None, venue: str | None, symbol: str | None, show_timerange: bool, as_json: bool
) -> None:
    """Say which markets and days the lake holds, and, where rows say it, how late they reached their recorder.

    \b
    Examples:
      bmv data list sandbox/bmv.toml
      bmv data list --lake lake
      bmv data list --show-timerange --json
    """
    from itertools import groupby

    from bmv.data.ticks.check.check import between
    from bmv.data.ticks.lake.lake import Lake
    from bmv.data.ticks.quality import utc

    named = root or config
    root = root or (Path("lake") if config is None else _lake_of(config))
    lake = Lake(root)
    days = [(day, lake.manifest(day)) for day in lake.days(venue, symbol)]
    if not days:
        elsewhere = "" if named else "; another is named by --lake FOLDER, or by a configuration: bmv data list CONFIG"
        raise DataError(f"{root}: no days{f' of {symbol or venue}' if symbol or venue else ''} in this lake{elsewhere}")
    markets = []
    holes: dict[str, list[Gap]] = {}
    for (place, name), pairs in groupby(days, lambda pair: (pair[0].venue, pair[0].symbol)):
        of = [manifest for _, manifest in pairs]
        holes[f"{place}/{name}"] = nights = between((m.first_ns, m.last_ns) for m in of)
        markets.append(
            {
                "venue": place, "symbol": of[-1].symbol, "folder": name, "days": len(of),
                "first_day": of[0].day, "last_day": of[-1].day, "rows": sum(m.rows for m in of),
                "bytes": sum(m.bytes for m in of), "tick_size": of[-1].tick_size, "lot_size": of[-1].lot_size,
                "contract": dict(of[-1].contract) or None,
                "first_ns": of[0].first_ns, "last_ns": of[-1].last_ns, "gaps": sum(len(m.gaps) for m in of),
                "between_days": [gap._asdict() for gap in nights], **_as_recorded(root / place / name, of),
            }
        )  # fmt: skip
    if as_json:
        click.echo(json.dumps({"lake": str(root), "markets": markets}))
        return
    columns = ["venue", "symbol", "days", "first_day", "last_day", "rows", "MB", "tick_size", "lot_size"]
    columns += ["from", "to", "gaps", "between"] if show_timerange else []
    columns += ["received", "delay", "99 %"] if any(market["delay_ns"] for market in markets) else []
    for market in markets:
        market |= _arrivals(market)
        market["between"] = len(market["between_days"])
        market |= {"MB": f"{market['bytes'] / 1e6:.1f}", "rows": f"{market['rows']:,}"}
        market |= {"from": utc(market["first_ns"]), "to": utc(market["last_ns"])}
    sides = [Column(name, "right" if name in NUMBERS else "left") for name in columns]
    say_table(sides, [[str(market[name]) for name in columns] for market in markets])
    for market in markets:
        _tell_noted(market)
    if show_timerange:
        for name, nights in holes.items():
            _tell_nights(name, nights)


def _lake_of(config: Path) -> Path:
    """Return where a configuration has its ticks."""
    from bmv.adapters.config import load
    from bmv.ports.errors import ConfigError

    ticks = load(config).storage.ticks
    if not ticks:
        raise ConfigError(f"{config}: storage.ticks: expected where ticks are, found nothing; or give --lake FOLDER")
    return PLACE.convert(ticks, None, None)


@click.command("check")
@click.argument("paths", nargs=-1, required=True, type=PLACE)
@TICK
@LOT
@FORM
@reading
@click.option("--max-bad-share", type=click.FloatRange(0, 1), default=0.01, show_default=True, help="Bad rows allowed.")
@JSON
@click.pass_context
def check(
    ctx: click.Context,
    paths: tuple[Path, ...],
    tick_size: Decimal | None,
    lot_size: Decimal | None,
    form: str | None,
    options: "Options",
    max_bad_share: float,
    as_json: bool,
) -> None:
    """Look for what makes a record hard to believe: holes, crossed books, prints that fit no quote, clock skew.

    PATHS are a lake, folders or files of it, or files of any form that `bmv data import` reads. Tick and lot are those
    of the file, or found from its numbers where none are given. Exit code 4 when one is unusable: unreadable, empty,
    or with more bad rows than --max-bad-share.

    \b
    Examples:
      bmv data check lake
      bmv data check BTCUSDT-trades-2025-09-03.zip --tick-size 0.01 --lot-size 0.00001 --json
      bmv data check book.csv --only level=0
    """
    from bmv.data.files.walk import day_named
    from bmv.data.ticks.check.check import between
    from bmv.data.ticks.check.inspection import inspected

    told, unusable = [], []
    spans = dict[Path, list[tuple[int, int]]]()
    for path in _files(paths):
        try:
            with rows_bar(as_json) as progress:
                found = inspected(path, tick_size, lot_size, form, options, max_bad_share, progress)
        except DataError as error:
            unusable.append(str(error))
            told.append({"file": str(path), "usable": False, "error": str(error)})
            continue
        refused = {"error": found.refusal} if found.refusal else {}
        unusable += refused.values()
        told.append({"file": str(path), "usable": not refused, **refused, **found.as_dict()})
        if day_named(path):
            spans.setdefault(path.parent, []).append((found.findings.first_ns, found.findings.last_ns))
        if not as_json:
            _tell(path, found.findings, found.words())
    nights = {folder: between(sorted(of)) for folder, of in spans.items()}
    if as_json:
        between_days = [{"folder": str(folder), **gap._asdict()} for folder, gaps in nights.items() for gap in gaps]
        click.echo(json.dumps({"files": told, "between_days": between_days}))
    else:
        for folder, gaps in nights.items():
            _tell_nights(str(folder), gaps)
    for line in unusable:
        click.echo(f"error: {line}", err=True)
    if unusable:
        ctx.exit(DataError.exit_code)


@click.command("export")
@click.argument("path", type=PLACE)
@click.argument("out", type=FILE)
@click.option("--whole", is_flag=True, help="Ticks and lots, as the lake keeps them, in place of units.")
@overwriting("Replace OUT if it exists.")
@JSON
def export(path: Path, out: Path, whole: bool, overwrite: bool, as_json: bool) -> None:
    """Write PATH, a day of the lake or a folder of days of one market, as CSV to OUT (.csv or .csv.gz).

    Rows stand in order of time.

    \b
    Examples:
      bmv data export lake/binance/BTCUSDT/2025-09-03.parquet day.csv
      bmv data export lake/binance/BTCUSDT all.csv.gz --whole
    """
    from bmv.data.ticks.export import exported

    with rows_bar(as_json) as progress:
        rows = exported(path, out, whole, overwrite, progress)
    click.echo(json.dumps({"file": str(out), "rows": rows}) if as_json else f"wrote {out}: {rows:,} rows")


@click.command("convert")
@click.argument("file", type=FILE)
@click.argument("out", type=FILE)
@FORM
@reading
@overwriting("Replace OUT if it exists.")
@JSON
def convert(
    file: Path,
    out: Path,
    form: str | None,
    options: "Options",
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write FILE, of any form, as one Parquet file in units to OUT (.parquet), which `bmv backtest --data` reads.

    Nothing is judged or put in order: rows go as they are. For that, and for many files, use `bmv data import`.

    \b
    Examples:
      bmv data convert BTCUSDT-trades-2025-09-03.zip trades.parquet
      bmv data convert all.csv prints.parquet --only symbol=BTCUSDT --only type=trade --kind trade
    """
    from bmv.data.ticks.contracts import in_words
    from bmv.data.ticks.export import converted
    from bmv.data.ticks.importers import FORMS, chosen

    with rows_bar(as_json) as progress:
        rows = converted(file, out, form, options, overwrite, progress)
    read = chosen(FORMS, file, form, options)
    unused, notes = list(read.unused(file, options)), list(read.notes(file, options))
    terms = dict(read.terms(file))
    if as_json:
        told = {"notes": notes, "not_used": unused, "contract": terms or None}
        click.echo(json.dumps({"file": str(out), "rows": rows, **told}))
        return
    click.echo(f"wrote {out}: {rows:,} rows")
    for note in notes:
        click.echo(f"  {note}")
    if terms:
        click.echo(f"warning: {out}: {in_words(terms)}", err=True)
    if unused:
        click.echo(f"  not used: {', '.join(unused)}")


@click.command("remove")
@click.argument("root", metavar="LAKE", type=FILE)
@click.argument("venue")
@click.argument("symbol")
@click.option("--day", "asked", type=DAY, multiple=True, help="Only this UTC day; may be repeated.")
@JSON
def remove(root: Path, venue: str, symbol: str, asked: tuple[datetime, ...], as_json: bool) -> None:
    """Take a market, or some days of it, out of LAKE: the way back from an import of the wrong file.

    The files that it was made of are not touched; import the right ones again.

    \b
    Examples:
      bmv data remove lake binance BTCUSDT --day 2025-09-03
      bmv data remove lake binance BTCUSDT
    """
    from bmv.data.ticks.lake.lake import Lake

    lake = Lake(root)
    days = lake.days(venue, symbol)
    if not days:
        raise DataError(
            f"{root}: no days of {venue} {symbol} in this lake; `bmv data list --lake {root}` says what it has"
        )
    wanted = {moment.date() for moment in asked} or {day.day for day in days}
    if lacking := sorted(wanted - {day.day for day in days}):
        raise DataError(f"{root}: {venue} {symbol} has no day {', '.join(map(str, lacking))}")
    with lake.writing():
        lake.remove(gone := [day for day in days if day.day in wanted])
    if as_json:
        click.echo(json.dumps({"removed": [str(day.path) for day in gone]}))
        return
    for day in gone:
        click.echo(f"removed {day.path}")


@click.command("download")
@click.argument("symbol")
@click.option(
    "--market", type=click.Choice(["spot", "um", "cm"]), default="spot", show_default=True, help="Which book."
)
@click.option(
    "--kind", "kinds", type=click.Choice(["trades", "aggTrades", "bookTicker"]), multiple=True, default=["trades"],
    show_default=True, help="May be repeated; bookTicker is there for futures only.",
)  # fmt: skip
@click.option("--from", "first", type=DAY, required=True, help="First UTC day.")
@click.option("--to", "last", type=DAY, help="Last UTC day, included; the first if absent.")
@click.option("--out", type=FILE, default="downloads", show_default=True, help="Folder for the files.")
@click.option("--url", default="https://data.binance.vision", show_default=True, help="Where the archive is.")
@JSON
def download(
    symbol: str,
    market: str,
    kinds: tuple[str, ...],
    first: datetime,
    last: datetime | None,
    out: Path,
    url: str,
    as_json: bool,
) -> None:
    """Fetch days of SYMBOL from Binance's public archive, each verified by its checksum.

    A file that is there already is not fetched again, one that was cut off is gone on with. `bmv data import` takes the
    files from there.

    \b
    Examples:
      bmv data download BTCUSDT --from 2025-09-01 --to 2025-09-03
      bmv data download BTCUSDT --market um --kind trades --kind bookTicker --from 2025-09-03
    """
    import httpx

    from bmv.adapters.archive.binance import TIMEOUT_S, Archive

    days = first.date(), (last or first).date()
    told = list[dict[str, str]]()
    with httpx.Client(timeout=TIMEOUT_S, follow_redirects=True) as client, _bytes_bar(as_json) as progress:
        archive = Archive(client, url)
        for kind in kinds:
            for file in archive.fetch(market, symbol, kind, *days, out, progress):
                told.append({"file": str(file.path), "state": file.state})
                if not as_json:
                    absent = file.state == "absent"
                    about = f"{file.path.name}: the archive has no such day" if absent else str(file.path)
                    click.echo(f"{file.state:<7} {about}")
    if as_json:
        click.echo(json.dumps({"files": told}))
    if all(file["state"] == "absent" for file in told):
        raise DataError(f"{symbol}: the archive has none of these days; is the name right, and the market {market}?")


def _files(paths: tuple[Path, ...]) -> Iterator[Path]:
    from bmv.data.files.walk import files_below

    for path in paths:
        yield from files_below(path)


@contextmanager
def rows_bar(quiet: bool) -> Iterator["Progress | None"]:
    """Show how many rows were read, on a terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.completed:,} rows"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("rows", total=None)
        yield lambda rows: bar.advance(task, rows)


@contextmanager
def _bytes_bar(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Show how much of each file has come, on a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda name, there, whole: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks = dict[str, Any]()  # Any: an id of rich's own.

        def show(name: str, there: int, whole: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name)
            bar.update(tasks[name], completed=there, total=whole or None)

        yield show


def _as_json(done: "Intake") -> dict[str, Any]:  # Any: it is JSON.
    return {
        "files": [
            {
                "path": str(file.path), "format": file.form, "rows": file.rows, "good": file.good, "new": file.fresh,
                "moved": file.back, "off_lot": file.off_lot, "bad": file.bad, "bad_at": file.bad_at,
                "notes": list(file.notes), "not_used": list(file.unused), "warnings": file.warnings,
                "contract": dict(file.terms) or None, "gaps": [gap._asdict() for gap in file.gaps],
            }
            for file in done.files
        ],
        "written": [str(day.path) for day in done.written],
        "unchanged": [str(day.path) for day in done.known],
    }  # fmt: skip


def _tell(path: Path, findings: "Findings", words: list[str]) -> None:
    from bmv.data.ticks.quality import utc

    say(f"{path}: {findings.rows:,} rows from {utc(findings.first_ns)} to {utc(findings.last_ns)}", "  ")
    for word in words:
        say(f"  {word}", "    ")


def _as_recorded(folder: Path, days: "list[Manifest]") -> dict[str, Any]:  # Any: it becomes JSON.
    """Return what the days of a market say of the gaps that were noted, of slots and of arrivals."""
    from bmv.data.ticks.delays import all_of
    from bmv.data.ticks.noted import in_order, noted_in

    noted = in_order(gap for day in days for gap in noted_in(folder / f"{day.day}.parquet", day.sources))
    stamped = all_of(day.stamped for day in days)
    return {"noted_gaps": [gap._asdict() for gap in noted], **stamped.as_dict()}


def _arrivals(market: dict[str, Any]) -> dict[str, str]:  # Any: it is JSON.
    """Return the cells of a market about when its rows arrived: what share of them says so, and how late they were."""
    from bmv.data.ticks.delays import in_time

    if not (delay := market["delay_ns"]):
        return dict.fromkeys(("received", "delay", "99 %"), "")
    share = f"{market['stamps']['received_ns'] / market['rows']:.1%}"
    return {"received": share, "delay": in_time(delay["median_ns"]), "99 %": in_time(delay["p99_ns"])}


def _tell_noted(market: dict[str, Any]) -> None:  # Any: it is JSON.
    """Tell the gaps that who recorded a market noted, with cause and size."""
    from bmv.data.ticks.noted import in_words
    from bmv.ports.market import Market
    from bmv.ports.storage import Gap

    known = None if market["contract"] else Market("", Decimal(market["tick_size"]), Decimal(market["lot_size"]))
    for line in in_words([Gap(**told) for told in market["noted_gaps"]], known):
        say(f"{market['venue']}/{market['symbol']}: {line}")


def _tell_nights(name: str, gaps: "list[Gap]") -> None:
    """Tell the longest holes between the days of a market, in order of time."""
    from bmv.data.ticks.quality import GAPS_KEPT, utc

    longest = sorted(gaps, key=lambda gap: -gap.length_ns)[:GAPS_KEPT]
    for gap in sorted(longest):
        say(f"{name}: no rows between days from {utc(gap.from_ns)} to {utc(gap.to_ns)}")
    if len(gaps) > GAPS_KEPT:
        say(f"{name}: and {len(gaps) - GAPS_KEPT:,} shorter holes between days")


COMMANDS = (download, take, show, check, export, convert, remove)
