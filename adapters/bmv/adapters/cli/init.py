"""`bmv init`: a configuration to begin with."""

from decimal import Decimal
from pathlib import Path

import click

from bmv.adapters.cli.options import Amount, Fee, Local, overwriting
from bmv.data.files.writing import whole_file
from bmv.ports.errors import UsageError

NAME = "bmv.toml"


@click.command()
@click.argument("path", type=Local(), default=Path(NAME))
@click.option("--data", "tape", type=Local(), metavar="TAPE", help="Read symbol, tick and lot size from it.")
@click.option("--tick-size", type=Amount(), help="Step of price, quote per base, in place of the tape's.")
@click.option("--lot-size", type=Amount(), help="Step of size, base, in place of the tape's.")
@click.option("--maker-fee-bps", type=Fee(), help="Fee of a fill that made liquidity, bps; negative is a rebate.")
@click.option("--taker-fee-bps", type=Fee(), help="Fee of a fill that took liquidity, bps.")
@overwriting("Replace a file that exists.")
def init(
    path: Path,
    tape: Path | None,
    tick_size: Decimal | None,
    lot_size: Decimal | None,
    maker_fee_bps: Decimal | None,
    taker_fee_bps: Decimal | None,
    overwrite: bool,
) -> None:
    """Write a commented starter configuration to PATH, a file or a folder (then PATH/bmv.toml).

    Fees have no default: those that are not given here stay blank, and `bmv config check` asks for them. Only a made-up
    tape has made-up fees.

    \b
    Examples:
      bmv init
      bmv init sol.toml --data ticks/2025-09-03.parquet --maker-fee-bps 0 --taker-fee-bps 4
    """
    from bmv.adapters.cli.starter import example, guess, text

    file = path if path.suffix == ".toml" and not path.is_dir() else path / NAME
    if file.exists() and not overwrite:
        raise UsageError(f"{file}: exists; --overwrite replaces it")
    market = guess(tape, tick_size, lot_size) if tape else example(tick_size, lot_size)
    market = market.charging(maker_fee_bps, taker_fee_bps)
    try:
        with whole_file(file) as half_done:
            half_done.write_text(text(market), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file}: can't be written: {error.strerror}") from None
    click.echo(f"wrote {file}: {market.symbol}, tick {market.tick:f}, lot {market.lot:f} ({market.source})")
    if blank := market.blank_fees():
        click.echo(f"next: fill in {' and '.join(blank)} of [market]; fees have no default")
    else:
        click.echo(f"next: bmv backtest {file} --data {tape or 'TAPE.parquet'}")
