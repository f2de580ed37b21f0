"""`bmv data`: the lake's commands, and ticks to try things on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from bmv.adapters.cli import lake
from bmv.adapters.cli.options import JSON, Amount, Local, overwriting
from bmv.ports.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from bmv.ports.market import Market


@click.group()
def data() -> None:
    """Get, check, store and find ticks."""


for command in lake.COMMANDS:
    data.add_command(command)


# The defaults are those of `bmv.data.synth`, which is too heavy to be imported for a `--help`; a test holds them equal.
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
@click.option("--size", type=Amount(), default="5", show_default=True, help="Median size shown at the touch, base.")
@click.option("--thin", is_flag=True, help="A thin market: seldom a row, a wide book.")
@overwriting("Replace days that are there and hold another tape.")
@click.option("--like", type=Local(), help="Make it like this file: of the lake, or of any form.")
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
    overwrite: bool,
    like: Path | None,
    as_json: bool,
) -> None:
    """Make a tape up: a market that never was, the same for the same seed on every machine.

    Writes a lake, FOLDER/synthetic/SYMBOL/DAY.parquet, one file a UTC day, and prints its files. Each says in its
    metadata that it is synthetic. What a strategy earns on it means nothing. A day that is there already stays, unless
    it is the same or --overwrite is given.

    --like measures a record and makes a market like it: its price, steps, pace, spread, sizes, volatility, and how
    trades follow one another and move the price; then it sets both side by side, and marks what is more than half off.
    --price, --size and steps are then those of the record, and so is the symbol if none is given.

    \b
    Examples:
      bmv data synth lake
      bmv data synth lake --like BTCUSDT-trades-2025-09-03.zip
      bmv data synth lake --seed 7 --rows 1000000 --start 2025-01-31
      bmv data synth lake --symbol BONK/USDC --price 0.00002 --tick-size 0.00000001 --lot-size 1000 --size 5000000
    """
    from bmv.data.synth import THIN, Shape
    from bmv.data.synth import synth as write
    from bmv.ports.market import Market

    if thin and like:
        raise UsageError("--thin and --like: expected one of them")
    market = Market(symbol, tick_size, lot_size)
    shape = replace(THIN if thin else Shape(), price=price, size=size)
    look = None
    if like is not None:
        from bmv.data.facts import fitted
        from bmv.data.importers import Options
        from bmv.data.inspection import looked_at

        look = looked_at(like, None, None, None, Options(), max_bad_share=1.0)
        if ctx.get_parameter_source("symbol") == ParameterSource.DEFAULT:
            symbol = look.market.symbol
        market = Market(symbol, look.market.tick_size, look.market.lot_size)
        shape = fitted(look.rows, market)
    day = start.replace(tzinfo=UTC).date()
    with lake.rows_bar(as_json) as progress:
        paths = write(folder, seed, rows, day, market, shape=shape, overwrite=overwrite, progress=progress)
    files = [str(file) for file in paths]
    compared = None if look is None else _compared(look.rows, paths, market)
    if as_json:
        told_all = {"files": files, "rows": rows, "seed": seed, "symbol": symbol, "synthetic": True}
        click.echo(json.dumps(told_all | ({} if compared is None else {"like": str(like), "facts": compared})))
        return
    click.echo("\n".join(files))
    if compared is not None:
        click.echo(_table(compared), err=True)
    told = f"seed {seed}, {rows:,} rows of {symbol} from {day}; what is earned on it means nothing"
    click.echo(f"made up: {told}", err=True)


OFF = 0.5  # A fact of the made-up market that differs by more than this share of the record's is marked.
Compared = Mapping[str, Mapping[str, float | None]]


def _compared(record: "pl.DataFrame", files: Sequence[Path], market: "Market") -> Compared:
    """Return each fact of the record and of the market made up after it."""
    import polars as pl

    from bmv.data.facts import facts

    made = pl.concat([pl.read_parquet(file) for file in files])
    real, synthetic = asdict(facts(record, market)), asdict(facts(made, market))
    return {
        name: {"record": real[name], "made_up": synthetic[name], "off": _off(real[name], synthetic[name])}
        for name in real
    }


def _off(real: float | None, made: float | None) -> bool:
    """Say whether a fact is far from that of the record; one that the record has not can't be."""
    return real is not None and (made is None or bool(abs(made - real) > OFF * abs(real)))


def _table(compared: Compared) -> str:
    def shown(number: float | None) -> str:
        return "-" if number is None else f"{number:.4g}"

    rows = [("", "record", "made up", "")]
    for name, fact in compared.items():
        mark = f"more than {100 * OFF:.0f} % off" if fact["off"] else ""
        rows.append((name.replace("_", " "), shown(fact["record"]), shown(fact["made_up"]), mark))
    return "\n".join(f"{name:<16}{real:>12}{made:>12}  {mark}".rstrip() for name, real, made, mark in rows)
