"""`bmv data`: the lake's commands, and ticks to try things on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
from click.core import ParameterSource

from bmv.adapters.cli import lake
from bmv.adapters.cli.options import JSON, Amount, Local, overwriting
from bmv.ports.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from bmv.data.ticks.importers import Options
    from bmv.data.ticks.synth.markouts import Band
    from bmv.ports.market import Market


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
@lake.FORM
@lake.reading
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
    look = None
    if like is not None:
        from bmv.data.ticks.check.inspection import looked_at
        from bmv.data.ticks.synth.fit import fitted

        look = looked_at(like, None, None, form, options, max_bad_share=1.0)
        if ctx.get_parameter_source("symbol") == ParameterSource.DEFAULT:
            symbol = like.parent.name if look.market.symbol == like.stem else look.market.symbol
        market = Market(symbol, look.market.tick_size, look.market.lot_size)
        shape = fitted(look.rows, market)
    day = start.replace(tzinfo=UTC).date()
    with lake.rows_bar(as_json) as progress:
        paths = write(folder, seed, rows, day, market, shape=shape, overwrite=overwrite, progress=progress)
    files = [str(file) for file in paths]
    compared = None if look is None else _compared(look.rows, paths, market)
    if as_json:
        told_all: dict[str, object] = {"files": files, "rows": rows, "seed": seed, "symbol": symbol, "synthetic": True}
        if compared is not None:
            figures = {name: fact._asdict() for name, fact in compared.facts.items()}
            markouts = [markout._asdict() for markout in compared.markouts]
            told_all |= {"like": str(like), "facts": figures, "markouts": markouts}
        click.echo(json.dumps(told_all))
        return
    click.echo("\n".join(files))
    if compared is not None:
        click.echo(_table(compared), err=True)
    told = f"seed {seed}, {rows:,} rows of {symbol} from {day}; what is earned on it means nothing"
    click.echo(f"made up: {told}", err=True)


OFF = 0.5  # A fact of the made-up market that differs by more than this share of the record's is marked.


class Fact(NamedTuple):
    """One figure of the record, and of the market made up after it."""

    record: float | None
    made_up: float | None
    off: bool

    @property
    def mark(self) -> str:
        """What the table says of it."""
        return f"more than {100 * OFF:.0f} % off" if self.off else ""


class Markout(NamedTuple):
    """What prints of the record are worth to a maker some time later, and those of the market made up after it; bps."""

    horizon_s: int
    record: float | None
    made_up: float | None
    low: float | None
    high: float | None
    within: bool | None

    @property
    def mark(self) -> str:
        """What the table says of it."""
        return (
            "" if self.within is None else f"{'within' if self.within else 'OUTSIDE'} {self.low:.2f} .. {self.high:.2f}"
        )


class Compared(NamedTuple):
    """A record beside the market made up after it."""

    facts: Mapping[str, Fact]
    markouts: Sequence[Markout]


def _compared(record: "pl.DataFrame", files: Sequence[Path], market: "Market") -> Compared:
    """Measure the record and the market made up after it."""
    import polars as pl

    from bmv.data.ticks.synth.facts import facts
    from bmv.data.ticks.synth.markouts import HORIZONS_S, markouts

    made = pl.concat([pl.read_parquet(file) for file in files])
    real, synthetic = asdict(facts(record, market)), asdict(facts(made, market))
    prints, alike = markouts(record), markouts(made)
    bands = prints.bands(int(made["ts_ns"][-1] - made["ts_ns"][0]))
    return Compared(
        {name: Fact(real[name], synthetic[name], _off(real[name], synthetic[name])) for name in real},
        [_markout(*after) for after in zip(HORIZONS_S, prints.means(), alike.means(), bands, strict=True)],
    )


def _off(real: float | None, made: float | None) -> bool:
    """Say whether a fact is far from that of the record; one that the record has not can't be."""
    return real is not None and (made is None or bool(abs(made - real) > OFF * abs(real)))


def _markout(horizon_s: int, real: float | None, made: float | None, band: "Band | None") -> Markout:
    if band is None:
        return Markout(horizon_s, real, made, None, None, None)
    return Markout(horizon_s, real, made, *band, made is not None and band.low <= made <= band.high)


def _table(compared: Compared) -> str:
    def row(name: str, figure: Fact | Markout) -> tuple[str, str, str, str]:
        real, made = ("-" if number is None else f"{number:.4g}" for number in (figure.record, figure.made_up))
        return name, real, made, figure.mark

    rows = [
        ("", "record", "made up", ""),
        *(row(name.replace("_", " "), fact) for name, fact in compared.facts.items()),
        *(row(f"markout {after.horizon_s} s bps", after) for after in compared.markouts),
    ]
    return "\n".join(f"{name:<16}{real:>12}{made:>12}  {mark}".rstrip() for name, real, made, mark in rows)
