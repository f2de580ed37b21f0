"""`bmv data`: the lake's commands, and ticks to try things on."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from bmv.adapters.cli import lake
from bmv.adapters.cli.options import JSON, Amount, Local, overwriting
from bmv.adapters.cli.reading import FORM, reading
from bmv.adapters.report.bars import rows_bar
from bmv.adapters.report.tables import Column, lines_of
from bmv.ports.errors import UsageError

if TYPE_CHECKING:
    from bmv.data.ticks.importers import Options

COLUMNS = (Column("", "left"), Column("record"), Column("made up"), Column("", "left"))  # Of a comparison.


@click.group()
def data() -> None:
    """Get, check, store and find ticks."""


for command in lake.COMMANDS:
    data.add_command(command)


# The defaults are those of `bmv.data.ticks.synth.synth`, which is too heavy to be imported for a `--help`; a test holds
# them equal.
@data.command()
@click.argument("folder", type=Local())
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Another seed, another market.")
@click.option("--rows", type=click.IntRange(1), default=200_000, show_default=True, help="Trades and quotes.")
@click.option(
    "--start", type=click.DateTime(["%Y-%m-%d", "%Y%m%d"]), default="2025-09-03", show_default=True, help="UTC day."
)
@click.option("--symbol", default="SOL/USDC", show_default=True, help="Name of the market.")
@click.option("--tick-size", type=Amount(), default="0.01", show_default=True, help="Step of price, quote per base.")
@click.option("--lot-size", type=Amount(), default="0.001", show_default=True, help="Step of size, base.")
@click.option("--price", type=Amount(), default="200", show_default=True, help="First fair price, quote per base.")
@click.option("--size", type=Amount(), default="650", show_default=True, help="Median size shown at the touch, base.")
@click.option("--thin", is_flag=True, help="A thin market: seldom a row, a wide book.")
@click.option(
    "--benign", is_flag=True, help="Prices that turn back, trades that know little: kinder than any real market."
)
@overwriting("Replace days that are there and hold another tape.")
@click.option("--like", type=Local(), help="Make it like this file: of the lake, or of any form.")
@FORM
@reading
@JSON
@click.pass_context
def synth(
    ctx: click.Context,
    folder: Path,
    seed: int,
    rows: int,
    start: datetime,
    symbol: str,
    tick_size: Decimal,
    lot_size: Decimal,
    price: Decimal,
    size: Decimal,
    thin: bool,
    benign: bool,
    overwrite: bool,
    like: Path | None,
    form: str | None,
    options: "Options",
    as_json: bool,
) -> None:
    """Make a tape up: a market that never was, the same for the same seed on every machine.

    Writes a lake, FOLDER/synthetic/SYMBOL/DAY.parquet, one file a UTC day, and prints its files. Each says in its
    metadata that it is synthetic. What a strategy earns on it means nothing. A day that is there already stays, unless
    it is the same or --overwrite is given.

    It is as hard on a maker as a recorded perpetual of SOL: the price goes on to the side of those who trade with him.

    --like measures a record and makes a market like it: its price, steps, pace, spread, sizes, volatility, how trades
    follow one another, and what they are worth to a maker 1, 5 and 30 s later (markouts). Then it sets both side by
    side: it says of each markout whether it lies within the record's band, and marks what else is more than half off.
    --price, --size and steps are then those of the record, and so is the symbol if none is given.

    \b
    Examples:
      bmv data synth lake
      bmv data synth lake --like BTCUSDT-trades-2025-09-03.zip
      bmv data synth lake --like all.csv --only symbol=BTCUSDT
      bmv data synth lake --seed 7 --rows 1000000 --start 2025-01-31
      bmv data synth lake --symbol BONK/USDC --price 0.00002 --tick-size 0.00000001 --lot-size 1000 --size 5000000
    """
    from bmv.data.ticks.synth.compare import compare
    from bmv.data.ticks.synth.fit import fit, record_at
    from bmv.data.ticks.synth.synth import BENIGN, THIN, Shape
    from bmv.data.ticks.synth.synth import synth as write
    from bmv.ports.market import Market

    chosen = [name for name, given in (("--thin", thin), ("--benign", benign), ("--like", like)) if given]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)}: expected one of them")
    if like is None and (said := [*options.given().values(), *(["--format"] if form else [])]):
        raise UsageError(f"{', '.join(said)}: says how the file of --like is read, and there is none")
    market = Market(symbol, tick_size, lot_size)
    shape = replace(THIN if thin else BENIGN if benign else Shape(), price=price)
    if ctx.get_parameter_source("size") != ParameterSource.DEFAULT:
        shape = replace(shape, size=size)
    record = None
    if like is not None:
        named = None if ctx.get_parameter_source("symbol") == ParameterSource.DEFAULT else symbol
        record = record_at(like, named, form, options)
        market, shape = record.market, fit(record.rows, record.market)
    day = start.replace(tzinfo=UTC).date()
    with rows_bar(as_json) as progress:
        files = write(folder, seed, rows, day, market, shape=shape, overwrite=overwrite, progress=progress)
    comparison = compare(record.rows, files, market) if record else None
    if as_json:
        facts = {"files": list(map(str, files)), "rows": rows, "seed": seed, "symbol": market.symbol, "synthetic": True}
        alike = {"like": str(like), **comparison.as_dict()} if comparison else {}
        click.echo(json.dumps(facts | alike))
        return
    click.echo("\n".join(map(str, files)))
    if comparison:
        click.echo("\n".join(lines_of(COLUMNS, comparison.rows(), None)), err=True)
    made = f"seed {seed}, {rows:,} rows of {market.symbol} from {day}; what is earned on it means nothing"
    click.echo(f"made up: {made}", err=True)
