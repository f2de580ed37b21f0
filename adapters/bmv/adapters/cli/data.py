"""`bmv data`: the lake's commands, and ticks to try things on."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import click

from bmv.adapters.cli import lake
from bmv.adapters.cli.options import JSON, Amount


@click.group()
def data() -> None:
    """Get, check, store and find ticks."""


for command in lake.COMMANDS:
    data.add_command(command)


# The defaults are those of `bmv.data.synth`, which is too heavy to be imported for a `--help`; a test holds them equal.
@data.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Another seed, another market.")
@click.option("--rows", type=click.IntRange(1), default=200_000, show_default=True, help="Trades and quotes.")
@click.option(
    "--start", type=click.DateTime(["%Y-%m-%d", "%Y%m%d"]), default="2025-09-03", show_default=True, help="UTC day."
)
@click.option("--symbol", default="SOL/USDC", show_default=True, help="Name of the market.")
@click.option("--tick-size", type=Amount(), default="0.01", show_default=True, help="Step of price, quote per base.")
@click.option("--lot-size", type=Amount(), default="0.001", show_default=True, help="Step of size, base.")
@click.option("--price", type=Amount(), default="200", show_default=True, help="First fair price, quote per base.")
@click.option("--size", type=Amount(), default="5", show_default=True, help="Median size shown at the touch, base.")
@JSON
def synth(
    folder: Path,
    seed: int,
    rows: int,
    start: datetime,
    symbol: str,
    tick_size: Decimal,
    lot_size: Decimal,
    price: Decimal,
    size: Decimal,
    as_json: bool,
) -> None:
    """Make a tape up: a market that never was, the same for the same seed on every machine.

    Writes a lake, FOLDER/synthetic/SYMBOL/DAY.parquet, one file a UTC day, and prints its files. Each says in its
    metadata that it is synthetic. What a strategy earns on it means nothing.

    \b
    Examples:
      bmv data synth lake
      bmv data synth lake --seed 7 --rows 1000000 --start 2025-01-31
      bmv data synth lake --symbol BONK/USDC --price 0.00002 --tick-size 0.00000001 --lot-size 1000 --size 5000000
    """
    from bmv.data.synth import Shape
    from bmv.data.synth import synth as write
    from bmv.ports.market import Market

    market, shape = Market(symbol, tick_size, lot_size), Shape(price=price, size=size)
    day = start.replace(tzinfo=UTC).date()
    files = [str(file) for file in write(folder, seed, rows, day, market, shape=shape)]
    if as_json:
        click.echo(json.dumps({"files": files, "rows": rows, "seed": seed, "symbol": symbol, "synthetic": True}))
        return
    click.echo("\n".join(files))
    told = f"seed {seed}, {rows:,} rows of {symbol} from {day}; what is earned on it means nothing"
    click.echo(f"made up: {told}", err=True)
