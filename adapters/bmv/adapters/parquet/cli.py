"""`bmv data synth`: make up a tape to try things on."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

import click

from bmv.data.synth import SOL_USDC, Shape, synth
from bmv.ports.market import Market


class Amount(click.ParamType[Decimal]):
    """A positive decimal number, kept exactly as written."""

    name = "decimal"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value!r} is not a decimal number", param, ctx)
        if not amount.is_finite() or amount <= 0:
            self.fail(f"{value} is not above 0", param, ctx)
        return amount


@click.command(
    "synth",
    epilog="""\b
Examples:
  bmv data synth --out lake
  bmv data synth --out lake --seed 7 --rows 10000000 --start 2025-09-03
  bmv data synth --out lake --symbol BONK/USDC --price 0.00002 --tick-size 0.00000001 --lot-size 1000 --size 5000000""",
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of the lake.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Same seed, same tape.")
@click.option("--rows", type=click.IntRange(1), default=200_000, show_default=True, help="Trades and quotes.")
@click.option("--start", type=click.DateTime(["%Y-%m-%d", "%Y%m%d"]), default="2025-09-03", help="First UTC day.")
@click.option("--symbol", default=SOL_USDC.symbol, show_default=True, help="Name of the market.")
@click.option("--tick-size", type=Amount(), default="0.01", show_default=True, help="Step of price, quote per base.")
@click.option("--lot-size", type=Amount(), default="0.001", show_default=True, help="Step of size, base.")
@click.option("--price", type=Amount(), default="200", show_default=True, help="First fair price, quote per base.")
@click.option("--size", type=Amount(), default="5", show_default=True, help="Median size at the touch, base.")
def synth_command(
    out: Path,
    seed: int,
    rows: int,
    start: datetime,
    symbol: str,
    tick_size: Decimal,
    lot_size: Decimal,
    price: Decimal,
    size: Decimal,
) -> None:
    """Make up a tape: a market that never was, the same for the same seed on every machine.

    Writes a lake, OUT/synthetic/SYMBOL/DAY.parquet, one file a UTC day, and prints the files. It says that it is
    synthetic in the metadata of each. Good for trying things; what a strategy earns on it means nothing.
    """
    market, shape = Market(symbol, tick_size, lot_size), Shape(price=price, size=size)
    for path in synth(out, seed, rows, start.replace(tzinfo=UTC).date(), market, shape=shape):
        click.echo(path)
