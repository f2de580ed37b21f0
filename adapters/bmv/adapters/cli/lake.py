"""`bmv data download|import|list|check|export|convert|remove`: the lake from the command line."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bmv.adapters.cli.options import JSON, Local, Place, overwriting
from bmv.adapters.cli.reading import FORM, LOT, MAX_BAD, TICK, reading
from bmv.adapters.report.bars import bytes_bar, rows_bar
from bmv.adapters.report.tables import Column, say, say_table
from bmv.ports.errors import DataError

if TYPE_CHECKING:
    from bmv.data.ticks.check.inspection import Inspection
    from bmv.data.ticks.check.markets import Listed
    from bmv.data.ticks.importers import Options
    from bmv.data.ticks.lake.intake import ImportReport
    from bmv.data.ticks.lake.lake import Lake
    from bmv.data.ticks.quality import Hole
    from bmv.ports.market import Market

FILE, PLACE = Local(), Place()
# Columns of `list`.
NUMBERS = {"days", "rows", "MB", "tick_size", "lot_size", "gaps", "between", "received", "delay", "99 %"}
DAY = click.DateTime(["%Y-%m-%d", "%Y%m%d"])
LAKE = click.option("--lake", "root", type=FILE, default="lake", show_default=True, help="Folder of the lake.")


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
@MAX_BAD
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
    from bmv.data.ticks.lake.asked import market_to_import
    from bmv.data.ticks.lake.intake import import_files
    from bmv.data.ticks.lake.lake import Lake

    lake = Lake(root)
    stated = None if config is None else _market_in(config)
    market = market_to_import(files, lake, venue, symbol, (tick_size, lot_size), stated, form, options)
    with _told_what_is_kept(f"{venue}/{market.symbol} in {root}"), rows_bar(as_json) as progress:
        report = import_files(files, lake, venue, market, form, options, max_bad_share, progress)
    if as_json:
        click.echo(json.dumps(report.as_dict()))
    else:
        _say_import(report, lake, market)


def _say_import(report: "ImportReport", lake: "Lake", market: "Market") -> None:
    from bmv.data.ticks.contracts import in_words
    from bmv.data.ticks.noted import in_words as gaps_in_words

    for file in report.files:
        say(f"{file.path} ({file.form}): {', '.join(file.words())}", "  ")
        for note in file.notes:
            say(f"  {note}", "    ")
        if file.terms:
            click.echo(f"warning: {file.path}: {in_words(file.terms)}", err=True)
        if file.unused:
            click.echo(f"  not used: {', '.join(file.unused)}")
        for warning in [*file.warnings, *gaps_in_words(file.gaps, market)]:
            click.echo(f"warning: {warning}", err=True)
    for day in report.written:
        click.echo(f"wrote {day.path}: {lake.manifest(day).rows:,} rows")
    if not report.written:
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
    from bmv.data.ticks.check.markets import markets_of
    from bmv.data.ticks.lake.lake import Lake

    named = root or config
    root = root or (Path("lake") if config is None else _lake_of(config))
    markets = markets_of(Lake(root), venue, symbol)
    if not markets:
        elsewhere = "" if named else "; another is named by --lake FOLDER, or by a configuration: bmv data list CONFIG"
        raise DataError(f"{root}: no days{f' of {symbol or venue}' if symbol or venue else ''} in this lake{elsewhere}")
    if as_json:
        click.echo(json.dumps({"lake": str(root), "markets": [market.as_dict() for market in markets]}))
    else:
        _say_markets(markets, show_timerange)


def _say_markets(markets: "Sequence[Listed]", show_timerange: bool) -> None:
    names = ["venue", "symbol", "days", "first_day", "last_day", "rows", "MB", "tick_size", "lot_size"]
    names += ["from", "to", "gaps", "between"] if show_timerange else []
    names += ["received", "delay", "99 %"] if any(market.stamped.delay() for market in markets) else []
    sides = [Column(name, "right" if name in NUMBERS else "left") for name in names]
    cells = [market.cells() for market in markets]
    say_table(sides, [[row[name] for name in names] for row in cells])
    for market in markets:
        for line in market.noted_in_words():
            say(f"{market.venue}/{market.symbol}: {line}")
    if show_timerange:
        for market in markets:
            _say_nights(f"{market.venue}/{market.folder}", market.between_days)


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
@MAX_BAD
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
    from bmv.data.ticks.check.files import Checks, files_of, inspect_file

    checks = Checks()
    for path in files_of(paths):
        with rows_bar(as_json) as progress:
            one = inspect_file(path, (tick_size, lot_size), form, options, max_bad_share, progress)
        checks.add(one)
        if one.inspection and not as_json:
            _say_findings(path, one.inspection)
    if as_json:
        click.echo(json.dumps(checks.as_dict()))
    else:
        for folder, gaps in checks.between_days().items():
            _say_nights(str(folder), gaps)
    for line in checks.unusable():
        click.echo(f"error: {line}", err=True)
    if checks.unusable():
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
    from bmv.data.ticks.export import export as write

    with rows_bar(as_json) as progress:
        rows = write(path, out, whole, overwrite, progress)
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
    from bmv.data.ticks.export import convert as write
    from bmv.data.ticks.importers import FORMS, chosen

    with rows_bar(as_json) as progress:
        rows = write(file, out, form, options, overwrite, progress)
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

    gone = Lake(root).remove_days(venue, symbol, {moment.date() for moment in asked})
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
    with httpx.Client(timeout=TIMEOUT_S, follow_redirects=True) as client, bytes_bar(as_json) as progress:
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


def _say_findings(path: Path, inspection: "Inspection") -> None:
    from bmv.data.ticks.quality import utc

    found = inspection.findings
    say(f"{path}: {found.rows:,} rows from {utc(found.first_ns)} to {utc(found.last_ns)}", "  ")
    for line in inspection.words():
        say(f"  {line}", "    ")


def _say_nights(name: str, gaps: "Sequence[Hole]") -> None:
    """Say the longest holes between the days of a market, in order of time."""
    from bmv.data.ticks.quality import GAPS_KEPT, utc

    longest = sorted(gaps, key=lambda gap: -gap.length_ns)[:GAPS_KEPT]
    for gap in sorted(longest):
        say(f"{name}: no rows between days from {utc(gap.from_ns)} to {utc(gap.to_ns)}")
    if len(gaps) > GAPS_KEPT:
        say(f"{name}: and {len(gaps) - GAPS_KEPT:,} shorter holes between days")


COMMANDS = (download, take, show, check, export, convert, remove)
